"""Links of a built site, without a browser: where each leads, what is fetched from elsewhere, what has no words."""

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"img": "src", "script": "src", "source": "src", "iframe": "src", "link": "href"}
NO_LINK = ("canonical", "alternate")  # <link> elements that fetch nothing
ADORNMENT = "_thumb.png"  # it stands beside its title


@dataclass
class Page:
    """What a page names: its anchors, what it leads to, what it fetches, its pictures without words."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.page.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.page.links.append(given["href"])
        if tag in FETCHED and FETCHED[tag] in given and given.get("rel") not in NO_LINK:
            self.page.fetched.append(given[FETCHED[tag]])
        source = given.get("src", "?")
        if tag == "img" and not given.get("alt", "").strip() and not source.endswith(ADORNMENT):
            self.page.silent.append(source)


def read(path: Path) -> Page:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def pages_of(site: Path) -> list[Path]:
    """The pages of a site in order; templates among its static files are none."""
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]


def faults_of_links(site: Path) -> tuple[list[str], Counter[str]]:
    """What is wrong, and how many links lead to each other host: those are not followed."""
    pages = {path: read(path) for path in pages_of(site)}
    anchors = {path: page.anchors for path, page in pages.items()}
    faults: Counter[str] = Counter()
    hosts: Counter[str] = Counter()
    for path, page in pages.items():
        name = path.relative_to(site)
        faults.update(f"{name}: a picture has no words: {source[:80]}" for source in page.silent)
        for address in page.fetched:
            if urlsplit(address).netloc:
                faults[f"{name}: fetches {address}"] += 1
        for address in (*page.links, *page.fetched):
            parts = urlsplit(address)
            if parts.netloc:
                hosts[parts.netloc] += 1
            elif parts.scheme in ("", "file") and not _leads_somewhere(path, parts.path, parts.fragment, anchors):
                faults[f"{name}: leads nowhere: {address}"] += 1
    return list(faults), hosts


def _leads_somewhere(page: Path, path: str, fragment: str, anchors: dict[Path, set[str]]) -> bool:
    target = Path(page.parent, unquote(path)).resolve() if path else page
    if not target.is_file():
        return False
    fragment = unquote(fragment)
    return not fragment or target not in anchors or fragment in anchors[target]
