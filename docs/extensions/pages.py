"""The pages of the site: how its two languages link to one another, and what must hold on pages that are complete."""

import posixpath
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.ext.intersphinx import InventoryAdapter
from sphinx.util import logging
from sphinx.util.nodes import extract_messages

HERE = Path(__file__).resolve().parents[1]
ENGLISH_ONLY = ("reference", "gallery", "topics")
BACK = re.compile(r"^\[Back to the README\]\(\.\./README\.md\)\n", re.MULTILINE)
BESIDE = re.compile(r"\[([^]]*)\]\(\.\./((?:benchmarks|examples|src|tests|[A-Z]+\.md)[^)]*)\)")
CODE = re.compile(r"`[^`]*`|\$[^$]*\$")
WORD = re.compile(r"[^\W\d_]{2}")

log = logging.getLogger(__name__)


def on_the_site(app: Any, name: str, text: list[str]) -> None:
    """Pages that are also read beside the README: no link back to it; files that the site has not are only named."""
    text[0] = BESIDE.sub(r"\1 (`\2`)", BACK.sub("", text[0]))


def leave_out_english(config: Any) -> None:
    """The pages that are not translated."""
    config.exclude_patterns += [f"{name}/**" for name in ENGLISH_ONLY]
    config.exclude_patterns += [page.name for page in HERE.glob("*.md") if page.stem != "index"]
    config.suppress_warnings += ["toc.excluded", "toc.not_readable"]


def french(app: Any, config: Any) -> None:
    """What the French site leaves out is English, and stands a folder up."""
    if config.language != "fr":
        return
    config.nb_code_prompt_show, config.nb_code_prompt_hide = "Montrer le code", "Cacher le code"
    leave_out_english(config)
    config.html_theme_options["search_bar_text"] = "Chercher"
    config.sphinx_gallery_conf |= {"examples_dirs": [], "gallery_dirs": []}
    config.intersphinx_mapping["maillon"] = ("../", (str(HERE.parent / "build/docs/html/objects.inv"),))


def phrases(app: Any) -> None:
    """Phrases are taken from the pages that are translated."""
    if app.builder.name == "gettext":
        leave_out_english(app.config)


def english_page(app: Any, env: Any, node: Any, text: Any) -> Any:
    """What the French pages say of a page that is only English leads to it."""
    if app.config.language != "fr" or node.get("reftype") != "doc":
        return None
    page = posixpath.normpath(posixpath.join("/", posixpath.dirname(node["refdoc"]), node["reftarget"])).lstrip("/")
    here = posixpath.dirname(node["refdoc"])
    if not (HERE / f"{page}.md").exists() and not page.startswith(ENGLISH_ONLY):
        return None
    if not node.get("refexplicit"):
        titles = InventoryAdapter(env).named_inventory["maillon"]["std:doc"]
        text = nodes.inline("", titles[page].display_name, classes=text["classes"])
    address = posixpath.relpath(f"../{page}.html", here or ".")
    return nodes.reference("", "", text, refuri=address, internal=False, classes=node["classes"])


def strict(app: Any, tree: nodes.document) -> None:
    """A name of Python that leads nowhere is a warning on the pages that must be complete."""
    if app.env.docname.startswith(tuple(app.config.complete_pages)):
        for name in tree.findall(addnodes.pending_xref):
            name["refwarn"] = name.get("refwarn") or name.get("refdomain") == "py"


def untranslated(app: Any, tree: nodes.document) -> None:
    """A phrase without its French is a warning on the French pages that must be complete; fuzzy is without."""
    name = app.env.docname
    if app.config.language != "fr" or not name.startswith(tuple(app.config.complete_pages)):
        return
    same = set(_said_alike(HERE / "locale/fr/LC_MESSAGES" / f"{name}.po"))
    for node, phrase in extract_messages(tree):
        if node.get("translated") is False and phrase not in same and WORD.search(CODE.sub("", phrase)):
            log.warning("not in French: %s", phrase, location=node, type="french")


def _said_alike(path: Path) -> Iterator[str]:
    """What is French already: phrases that are the same in both languages, as names are, and texts of pictures."""
    if not path.exists():
        return
    from sphinx_intl.catalog import load_po

    for message in load_po(str(path)):
        if message.string and not message.fuzzy:
            yield str(message.string)


def index_leads_to_sections(app: Any, tree: nodes.document) -> None:
    """A word of the index that stands before a heading leads to its section: a search shows the text of that."""
    for node in tree.findall(addnodes.index):
        section = node.next_node(nodes.section, descend=False, siblings=True, ascend=True)
        if section is not None:
            for at, (kind, word, target, main, key) in enumerate(node["entries"]):
                if target.startswith("index-"):
                    node["entries"][at] = (kind, word, section["ids"][0], main, key)


def notebooks(app: Any) -> None:
    """The notebooks of the course, which its page offers."""
    runpy.run_path(str(HERE.parent / "course" / "build.py"))["build"](HERE.parent / "build" / "course")


def setup(app: Any) -> dict[str, Any]:
    app.add_config_value("complete_pages", [], "env")
    app.add_js_file("search.js")
    app.connect("config-inited", french, priority=1)
    app.connect("builder-inited", notebooks)
    app.connect("builder-inited", phrases)
    app.connect("source-read", on_the_site)
    app.connect("doctree-read", strict)
    app.connect("doctree-read", untranslated)
    app.connect("doctree-read", index_leads_to_sections)
    app.connect("missing-reference", english_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
