"""How the site is built: `make docs`, English first, then the guide in French (`-D language=fr`)."""

import importlib.util
import os
import posixpath
import re
import runpy
import sys
from pathlib import Path
from typing import Any

from docutils import nodes

import maillon

HERE = Path(__file__).parent
BUILT = HERE.parent / "build" / "docs"
os.environ.setdefault("PYTHONHASHSEED", "0")
os.environ.setdefault("TQDM_DISABLE", "1")  # a page shows no bar of a training that is over
sys.path.insert(0, str(HERE / "extensions"))

project = "maillon"
author = "The maillon authors"
project_copyright = "the maillon authors. Licence: MIT"
version = release = maillon.__version__
language = "en"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "myst_nb",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "reference",
]
exclude_patterns = ["extensions", "locale", "images"]
nitpicky = False

# Pages are MyST; those of the guide are run, once for both languages.
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(BUILT / "cells")
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
copybutton_exclude = ".linenos, .gp, .go"

# The reference: docs/extensions/reference writes a page for each public name.
default_role = "code"  # of reStructuredText
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False

# Translations: docs/locale/fr/LC_MESSAGES/guide/*.po, one file a page.
locale_dirs = ["locale"]
gettext_compact = False
gettext_uuid = False
gettext_location = False
gettext_last_translator = ""
gettext_language_team = ""

# MathJax comes from a package: the site asks nobody for anything.
_mathjax = importlib.util.find_spec("sphinx-mathjax-offline")
assert _mathjax and _mathjax.submodule_search_locations
mathjax_path = "mathjax/tex-chtml-full.js"

html_theme = "pydata_sphinx_theme"
html_title = "maillon"
html_static_path = ["_static", str(Path(_mathjax.submodule_search_locations[0]) / "static")]
html_css_files = ["maillon.css"]
templates_path = ["_templates"]
html_show_sourcelink = False
html_theme_options: dict[str, Any] = {
    "logo": {"text": "maillon"},
    "navbar_align": "left",
    "navbar_end": ["language", "theme-switcher"],
    "navbar_persistent": ["search-field"],
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "navigation_with_keys": False,
}
html_sidebars = {"index": []}

ENGLISH_ONLY = ("reference", "gallery", "topics")
BACK = re.compile(r"^\[Back to the README\]\(\.\./README\.md\)\n", re.MULTILINE)
BESIDE = re.compile(r"\[([^]]*)\]\(\.\./((?:benchmarks|examples|src|tests|[A-Z]+\.md)[^)]*)\)")


def _on_the_site(app: Any, name: str, text: list[str]) -> None:
    """Pages that are also read beside the README lead back to it, and to files: the site names those."""
    text[0] = BESIDE.sub(r"\1 (`\2`)", BACK.sub("", text[0]))


def _french(app: Any, config: Any) -> None:
    """The French site is the front page, the guide and the course; the rest is the English one, a folder up."""
    if config.language != "fr":
        return
    config.nb_code_prompt_show, config.nb_code_prompt_hide = "Montrer le code", "Cacher le code"
    config.exclude_patterns += [f"{name}/**" for name in ENGLISH_ONLY]
    config.exclude_patterns += [page.name for page in HERE.glob("*.md") if page.stem != "index"]
    config.suppress_warnings += ["toc.excluded", "toc.not_readable"]
    config.intersphinx_mapping["maillon"] = ("../", (str(BUILT / "html" / "objects.inv"),))


def _english_page(app: Any, env: Any, node: Any, text: Any) -> Any:
    """What the French pages say of a page that is only English leads to it."""
    if app.config.language != "fr" or node.get("reftype") != "doc":
        return None
    page = posixpath.normpath(posixpath.join("/", posixpath.dirname(node["refdoc"]), node["reftarget"])).lstrip("/")
    here = posixpath.dirname(node["refdoc"])
    if not (HERE / f"{page}.md").exists() and not page.startswith(ENGLISH_ONLY):
        return None
    return nodes.reference("", "", text, refuri=posixpath.relpath(f"../{page}.html", here or "."), internal=False)


def _notebooks(app: Any) -> None:
    """The notebooks of the course, which its page offers."""
    runpy.run_path(str(HERE.parent / "course" / "build.py"))["build"](BUILT.parent / "course")


intersphinx_mapping: dict[str, Any] = {}


def setup(app: Any) -> None:
    app.connect("builder-inited", _notebooks)
    app.connect("missing-reference", _english_page)
    app.connect("source-read", _on_the_site)
    app.connect("config-inited", _french, priority=1)
