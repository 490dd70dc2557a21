"""Opens the report's page in headless Chromium and judges it: page.py INDEX.html [--shots DIR].

No console error, no request to anywhere, every picture drawn and described, readable at two widths, in the dark and
on paper, no folder of this machine named, and the latent space answers the pointer.
"""

import argparse
import base64
import sys
import time
from pathlib import Path
from typing import Any

from browser import BrowserError, Tab, chromium
from looks import addresses, faults_of_events, measured, resize

WIDTHS = (1400, 400)
PAPER_WIDTH = 700  # pixels between the margins of A4
SLICE = 4000  # pixels of page in one screenshot

WORDS = """(() => {
  const pictures = [...document.querySelectorAll('svg[role=img], img')];
  const words = e => e.getAttribute('aria-label') || e.alt || '';
  const silent = pictures.map(words).filter(text => text.length < 40 || !/\\d|Arrows/.test(text));
  const folder = /(?:^|[\\s'"(=])(?:~|[A-Za-z]:)?(?:[\\/\\\\][\\w.-]+){2,}/g;
  const text = [document.body.textContent, ...pictures.map(words)].join(' ');
  return {silent, folders: [...new Set(text.match(folder) || [])], pictures: pictures.length};
})()"""

GROUNDS = """(() => {
  const light = colour => {
    const [r, g, b, a] = colour.match(/[\\d.]+/g).map(Number);
    return a !== 0 && 0.2126 * r + 0.7152 * g + 0.0722 * b > 100;
  };
  const grounds = [document.body, ...document.querySelectorAll('.plot, .plot > svg, #latent-space')];
  const bright = grounds.filter(e => light(getComputedStyle(e).backgroundColor)).map(e => e.outerHTML.slice(0, 60));
  const papers = [...document.querySelectorAll('svg [id*="-paper-"] path')];
  const white = papers.filter(p => { const fill = getComputedStyle(p).fill; return fill !== 'none' && light(fill); });
  const ink = getComputedStyle(document.querySelector('.plot > svg')).fill;
  return {bright, white: white.length, ink: light(ink), papers: papers.length};
})()"""

CUT_ON_PAPER = """(() => {
  const name = e => (e.closest('[id]') || e).id + ' ' + e.className;
  return [...document.querySelectorAll('table, .plot > svg, .plot > img')]
    .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1).map(name);
})()"""

POINTS = """(() => {
  const plot = document.querySelector('svg#latent-space, canvas#latent-space');
  if (!plot) return null;
  plot.scrollIntoView({block: 'center'});
  if (plot.tagName === 'CANVAS') return window.maillonLatent.positions.length;
  return plot.querySelectorAll('[data-latent-point]').length;
})()"""

POSITION = """(() => {
  const plot = document.querySelector('svg#latent-space, canvas#latent-space');
  if (plot.tagName === 'CANVAS') return window.maillonLatent.positions[INDEX];
  const box = plot.querySelector('[data-latent-point="INDEX"]').getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
})()"""

PREVIEW = """(() => {
  const preview = document.querySelector('#latent-preview');
  if (!preview) return null;
  const image = preview.querySelector('img'), canvas = preview.querySelector('canvas');
  const drawn = canvas &&
    canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(v => v);
  const box = preview.getBoundingClientRect();
  return {shown: !preview.hidden && preview.checkVisibility({checkVisibilityCSS: true, checkOpacity: true}),
          picture: image ? image.src : canvas ? canvas.toDataURL() : '',
          whole: image ? image.complete && image.naturalWidth > 0 : Boolean(drawn),
          inside: box.left >= -1 && box.right <= innerWidth + 1 && box.bottom > 0 && box.top < innerHeight,
          text: preview.innerText.trim()};
})()"""


def open_page(tab: Tab, page: Path, width: int) -> None:
    resize(tab, width)
    tab.visit(page.resolve().as_uri())
    time.sleep(0.5)  # what the page's scripts still draw after loading


def faults_of_layout(tab: Tab, width: int) -> list[str]:
    found, faults = measured(tab)
    if not found["images"] and not found["drawings"]:
        faults.append("the page shows no picture at all")
    print(f"{width} pixels: {found['height']} high, {found['images']} images, {found['drawings']} drawings")
    return [f"at {width} pixels: {fault}" for fault in faults]


def faults_of_words(tab: Tab) -> list[str]:
    found = tab.run(WORDS)
    faults = [f"a picture is not described: {text!r}" for text in found["silent"][:10]]
    return faults + [f"a folder of this machine is named: {text.strip()}" for text in found["folders"][:10]]


def faults_in_the_dark(tab: Tab, page: Path) -> list[str]:
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    open_page(tab, page, WIDTHS[0])
    found = tab.run(GROUNDS)
    faults = [f"in the dark a light ground: {name}" for name in found["bright"][:10]]
    if found["white"] or not found["papers"]:
        faults.append(f"in the dark {found['white']} of {found['papers']} figures have white paper")
    if not found["ink"]:
        faults.append("in the dark the figures are drawn in dark ink")
    return faults


def faults_on_paper(tab: Tab, page: Path) -> list[str]:
    tab.call("Emulation.setEmulatedMedia", media="print", features=[])
    open_page(tab, page, PAPER_WIDTH)
    faults = [f"on paper cut off: {what}" for what in tab.run(CUT_ON_PAPER)[:10]]
    tab.call("Emulation.setEmulatedMedia", media="", features=[])
    return faults


def hover(tab: Tab, index: int) -> dict[str, Any] | None:
    """What the preview shows with the pointer on one point of the latent space."""
    x, y = tab.run(POSITION.replace("INDEX", str(index)))
    for step in (3, 0):  # a pointer arrives from somewhere
        tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + step, y=y + step)
    time.sleep(0.2)
    shown: dict[str, Any] | None = tab.run(PREVIEW)
    return shown


def faults_of_hover(tab: Tab, width: int) -> list[str]:
    points = tab.run(POINTS)
    time.sleep(0.3)
    where = f"at {width} pixels: the latent space"
    if points is None:
        return [f"{where} is not there (svg#latent-space or canvas#latent-space)"]
    if points < 2:
        return [f"{where} has {points} points"]
    faults = []
    pictures = []
    for index in (0, points // 2):
        preview = hover(tab, index)
        if preview is None:
            return [f"{where} has no #latent-preview"]
        pictures.append(preview["picture"])
        if not preview["shown"]:
            faults.append(f"{where}: the preview stays hidden over point {index}")
        elif not preview["whole"] or not preview["picture"].startswith("data:image/"):
            faults.append(f"{where}: the preview shows no picture over point {index}")
        elif not preview["inside"]:
            faults.append(f"{where}: the preview of point {index} is outside the window")
        elif not any(map(str.isalnum, preview["text"])):
            faults.append(f"{where}: the preview does not name the class of point {index}")
        else:
            print(f"{width} pixels: point {index} of {points} shows {' '.join(preview['text'].split())!r}")
    if not faults and pictures[0] == pictures[1]:
        faults.append(f"{where}: two points show the same picture")
    return faults


def photograph(tab: Tab, width: int, folder: Path) -> None:
    """The whole page, from top to bottom, in pictures of at most 4000 pixels' height."""
    folder.mkdir(parents=True, exist_ok=True)
    height = tab.run("document.documentElement.scrollHeight")
    for number, top in enumerate(range(0, height, SLICE)):
        clip = {"x": 0, "y": top, "width": width, "height": min(SLICE, height - top), "scale": 1}
        shot = tab.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        (folder / f"{width}-{number:02d}.png").write_bytes(base64.b64decode(shot["data"]))


def judge(page: Path, shots: Path | None) -> list[str]:
    faults = []
    with chromium() as tab:
        for width in WIDTHS:
            open_page(tab, page, width)
            faults += faults_of_layout(tab, width)
            if shots:
                photograph(tab, width, shots)
            faults += faults_of_hover(tab, width)
            if shots:
                picture = tab.call("Page.captureScreenshot", format="png")["data"]
                (shots / f"{width}-hover.png").write_bytes(base64.b64decode(picture))
        faults += faults_of_words(tab)
        faults += faults_in_the_dark(tab, page)
        if shots:
            photograph(tab, WIDTHS[0], shots / "dark")
        faults += faults_on_paper(tab, page)
        files = sorted({address for address in addresses(tab.events) if address.startswith("file:")})
        if len(files) > 1:
            faults.append(f"the page is not one file, it asks for {files}")
        return faults + faults_of_events(tab.events, "file:")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--shots", type=Path, help="a folder for screenshots")
    options = parser.parse_args()
    if not options.page.is_file():
        print(f"page: there is no {options.page}")
        return 1
    try:
        faults = judge(options.page, options.shots)
    except BrowserError as error:
        faults = [str(error)]
    for fault in faults:
        print(f"page: {fault}")
    if not faults:
        print(
            "page: no console error, no request, readable at "
            + " and ".join(map(str, WIDTHS))
            + " pixels, in the dark, on paper"
        )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
