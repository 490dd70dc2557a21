"""Opens every page of the site in headless Chromium and judges it: site.py build/docs/html --axe axe.min.js.

Every link leads somewhere; no console error, no request to elsewhere; nothing wider than the window at two widths;
every picture drawn and described; all mathematics set; axe-core finds nothing serious, in light and in dark; the
keyboard reaches everything; and the search finds the answers to common questions.
"""

import argparse
import base64
import functools
import http.server
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser import BrowserError, Tab, chromium
from links import faults_of_links, pages_of
from looks import faults_of_events, measured, resize

WIDTHS = (1400, 400)
EVERY = 12  # of the pages of names, each twelfth is judged by axe-core; of those of sources, each twelfth is opened
OF_NAMES = ("reference/api/", "_modules/", "genindex")
OF_SOURCES = "_modules/"
NOT_OURS = ("_modules/index.html",)  # Sphinx writes lists into lists there, which axe-core calls serious
MODES = ("light", "dark")
BROWSERS = 2  # at the same time
TABS = 60  # key presses within which the keyboard has reached everything

READY = """(async () => {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  await document.fonts.ready;
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(e => e.textContent.slice(0, 80));
})()"""

MODE = """(() => {
  document.documentElement.dataset.mode = document.documentElement.dataset.theme = 'MODE';
  document.querySelectorAll('*').forEach(e => { e.style.transition = 'none'; });
})()"""

AXE = """axe.run(document, OPTIONS).then(found => found.violations
  .filter(fault => ['serious', 'critical'].includes(fault.impact))
  .map(fault => fault.id + ': ' + fault.nodes.length + ' times, as ' + fault.nodes[0].target.join(' ') + ' '
       + (fault.nodes[0].any[0] || fault.nodes[0].all[0] || fault.nodes[0].none[0] || {message: ''}).message))"""

FOCUSED = """(() => {
  const e = document.activeElement;
  const marked = e => ['outlineStyle', 'boxShadow'].some(how => getComputedStyle(e)[how] !== 'none');
  return {what: e.getAttribute('href') || e.getAttribute('aria-label') || e.name || e.tagName,
          marked: e === document.body || marked(e) || (e.form !== undefined && e.form !== null && marked(e.form))};
})()"""

FOUND = """(() => ({
  over: !/\\.\\.$/.test((document.querySelector('#search-progress') || {innerText: ''}).innerText),
  pages: [...document.querySelectorAll('ul.search > li > a')].map(e => e.getAttribute('href'))
}))()"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served to this machine."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Judge:
    """Pages opened one after the other in a tab, and what was wrong with each."""

    def __init__(self, tab: Tab, home: str, axe: str, shots: Path | None) -> None:
        self.tab, self.home, self.axe, self.shots = tab, home, axe, shots
        self.faults = 0

    def note(self, name: str, faults: list[str]) -> None:
        for fault in faults:
            self.faults += 1
            print(f"site: {name}: {fault}", flush=True)

    def open(self, name: str) -> None:
        """Opens a page in a window of the larger width, and waits until all of it is set."""
        resize(self.tab, WIDTHS[0])
        del self.tab.events[:]
        self.tab.visit(self.home + name)
        self.note(name, [f"not set: {text}" for text in self.tab.run(READY)])

    def page(self, name: str, closely: bool) -> None:
        self.open(name)
        if closely:
            self.tab.run(self.axe)
        for mode in MODES if closely else MODES[:1]:
            self.tab.run(MODE.replace("MODE", mode))
            if closely:
                rules = "{}" if mode == "light" else "{runOnly: ['color-contrast']}"
                self.note(f"{name}, {mode}", self.tab.run(AXE.replace("OPTIONS", rules)))
            for width in WIDTHS if mode == "light" or self.shots else ():
                resize(self.tab, width)
                self.tab.run(READY)  # what the page does when its width changes
                self.note(f"{name}, {mode}, {width} pixels", measured(self.tab)[1])
                self.photograph(name, mode, width)
            resize(self.tab, WIDTHS[0])
        self.note(name, faults_of_events(self.tab.events, self.home))

    def photograph(self, name: str, mode: str, width: int) -> None:
        if self.shots is None:
            return
        self.shots.mkdir(parents=True, exist_ok=True)
        height = min(self.tab.run("document.documentElement.scrollHeight"), 6000)
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.tab.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path = self.shots / f"{name.removesuffix('.html').replace('/', '-')}-{mode}-{width}.png"
        path.write_bytes(base64.b64decode(shot["data"]))

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.tab.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def keyboard(self, name: str) -> None:
        """The keyboard alone: past the header at once, to the search, every room, the language and the colours."""
        self.open(name)
        reached: dict[str, dict[str, Any]] = {}  # in this order
        for _ in range(TABS):
            self.press("Tab", 9)
            focused = self.tab.run(FOCUSED)
            reached.setdefault(focused["what"], focused)
        wanted = [
            "#main-content",
            "q",
            *("guide/index.html", "gallery/index.html", "reference/index.html"),
            *("coming_from/index.html", "course/index.html", "topics/index.html"),
            "./fr/index.html",
            "Color mode",
        ]
        words = {"Search": "q"}
        names = [words.get(what, what) for what in reached]
        faults = [f"Tab does not reach {what}" for what in wanted if what not in names]
        if names[0] != "#main-content":
            faults.append(f"the first stop is {names[0]}, not the link past the header")
        faults += [f"nothing shows that {what} has the focus" for what, how in reached.items() if not how["marked"]]
        self.open(name)
        self.press("Tab", 9)
        self.press("Enter", 13)
        if self.tab.run("location.hash") != "#main-content":
            faults.append("the link past the header leads nowhere")
        self.note(f"{name}, keyboard", faults)

    def search(self, name: str, words: str, wanted: tuple[str, ...]) -> None:
        """Types into the box of a page: one of the wanted pages must be among the first three that are found."""
        self.open(name)
        self.tab.run("document.querySelector('.navbar-persistent--container input[name=q]').focus()")
        self.tab.call("Input.insertText", text=words)
        before = len(self.tab.events)
        self.press("Enter", 13)
        end = time.monotonic() + 20
        found: dict[str, Any] = {"over": False, "pages": []}
        while time.monotonic() < end and not (found["over"] and found["pages"]):
            time.sleep(0.1)
            if any(event["method"] == "Page.loadEventFired" for event in self.tab.events[before:]):
                found = self.tab.run(FOUND)
            else:
                self.tab.run("0")
        first = [page.split("#")[0].split("?")[0] for page in found["pages"]]
        first = list(dict.fromkeys(first))[:3]
        if not set(first) & set(wanted):
            self.note("search", [f"{words!r} finds {first}, none of {list(wanted)}"])


ANSWERS = "guide/how_do_i.html"
QUESTIONS: dict[str, tuple[str, ...]] = {
    "predict": (ANSWERS, "reference/api/maillon.predict.html"),
    "save": (ANSWERS, "guide/keeping.html", "reference/api/maillon.save.html"),
    "DataFrame": (ANSWERS, "guide/tables_and_sweeps.html", "tables.html"),
    "write a layer": (ANSWERS, "guide/your_own_link.html"),
    "layer": (ANSWERS, "guide/your_own_link.html"),
    "metric": (ANSWERS, "links.html"),
    "stop early": (ANSWERS, "guide/learning_curve.html", "reference/api/maillon.EarlyStopping.html"),
    "early stopping": (ANSWERS, "guide/learning_curve.html", "reference/api/maillon.EarlyStopping.html"),
    "early-stop": (ANSWERS, "guide/learning_curve.html", "reference/api/maillon.EarlyStopping.html"),
    "two inputs": (ANSWERS, "guide/graphs.html"),
    "one thread": (ANSWERS, "guide/the_engine.html"),
    "threads": (ANSWERS, "engine.html", "guide/the_engine.html", "reference/api/maillon.set_num_threads.html"),
    "history": (ANSWERS, "guide/learning_curve.html", "reference/api/maillon.History.html"),
    "resume": (ANSWERS, "guide/keeping.html", "keeping.html"),
    "optimizer": (ANSWERS, "guide/the_loop.html", "links.html"),
    "learning rate": (ANSWERS, "guide/learning_curve.html", "reference/api/maillon.find_lr.html"),
    "callback": (ANSWERS, "reference/api/maillon.Callback.html"),
}
FRENCH = (
    "prédire",
    "enregistrer un réseau",
    "couche",
    "métrique",
    "arrêt précoce",
    "historique",
    "reprendre",
    "optimiseur",
)
ASKED = [("index.html", words, pages) for words, pages in QUESTIONS.items()]
ASKED += [("fr/index.html", words, (ANSWERS,)) for words in FRENCH]


def judge(site: Path, axe: Path, shots: Path | None, only: str) -> int:
    """The number of faults."""
    faults, hosts = faults_of_links(site)
    print(
        "links to other hosts, not followed: " + ", ".join(f"{host} ({count})" for host, count in hosts.most_common())
    )
    for fault in faults:
        print(f"site: {fault}", flush=True)
    names = [path.relative_to(site).as_posix() for path in pages_of(site)]
    sources = [name for name in names if name.startswith(OF_SOURCES)]
    names = [name for name in names if only in name and name not in set(sources) - set(sources[::EVERY])]
    closely = {name for name in names if not name.startswith(OF_NAMES)}
    closely |= set([name for name in names if name.startswith(OF_NAMES)][::EVERY]) - set(NOT_OURS)

    def share(first: int) -> int:
        with served(site) as home, chromium() as tab:
            judged = Judge(tab, home, axe.read_text(encoding="utf-8"), shots)
            for name in names[first::BROWSERS]:
                judged.page(name, name in closely)
            if first == 0:
                judged.keyboard("index.html")
            for question in ASKED[first::BROWSERS]:
                judged.search(*question)
            return judged.faults

    with ThreadPoolExecutor(BROWSERS) as pool:
        count = len(faults) + sum(pool.map(share, range(BROWSERS)))
    print(f"{len(names)} pages, {len(closely)} of them by axe-core, {len(ASKED)} questions to the search")
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--axe", type=Path, required=True, help="axe.min.js of axe-core")
    parser.add_argument("--shots", type=Path, help="a folder for screenshots")
    parser.add_argument("--only", default="", help="pages whose address holds this")
    options = parser.parse_args()
    if not (options.site / "index.html").is_file():
        print(f"site: there is no {options.site / 'index.html'}")
        return 1
    try:
        faults = judge(options.site, options.axe, options.shots, options.only)
    except BrowserError as error:
        print(f"site: {error}")
        return 1
    print(f"site: {faults} faults" if faults else "site: no faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
