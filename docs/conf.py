"""How the site is built: `make docs`, English first, then the guide in French (`-D language=fr`)."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import maillon

HERE = Path(__file__).parent
BUILT = HERE.parent / "build" / "docs"
os.environ.setdefault("PYTHONHASHSEED", "0")
os.environ.pop("MPLBACKEND", None)  # pages show figures as notebooks do
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
    "sphinx_gallery.gen_gallery",
    "pages",
    "reference",
]
exclude_patterns = ["experiments", "extensions", "locale", "images"]
nitpicky = False

# Pages are MyST; those of the guide are run, once for both languages.
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(BUILT / "cells")
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_mime_priority_overrides = [("gettext", "image/svg+xml", 1), ("gettext", "image/png", 2)]  # their alt texts too
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
copybutton_exclude = ".linenos, .gp, .go"

# The gallery: what has changed is run, in its short form.
sphinx_gallery_conf: dict[str, Any] = {
    "examples_dirs": ["../examples", "experiments"],
    "gallery_dirs": ["gallery/examples", "gallery/report"],
    "filename_pattern": r"\.py$",
    "reset_argv": "gallery.arguments",
    "reset_modules": ("matplotlib", "gallery.stay_here"),
    "image_scrapers": ("gallery.pictures",),
    "capture_repr": ("_repr_html_",),
    "within_subsection_order": "gallery.order",
    "reference_url": {"maillon": None},
    "abort_on_example_error": True,
    "download_all_examples": False,
    "notebook_extensions": set(),
    "show_signature": False,
    "write_computation_times": False,
    "thumbnail_size": (480, 320),
    "parallel": 2,
}

# The reference: docs/extensions/reference writes a page for each public name.
default_role = "code"  # of reStructuredText
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False

# Translations: docs/locale/fr/LC_MESSAGES/guide/*.po, one file a page.
locale_dirs = ["locale"]
gettext_compact = False
gettext_additional_targets = ["index"]  # the words that the search knows a page by
gettext_uuid = False
gettext_location = False
gettext_last_translator = ""
gettext_language_team = ""
nb_mime_priority_overrides = [("gettext", "image/svg+xml", 0)]  # what is said of a picture is translated too

# MathJax comes from a package: the site asks nobody for anything.
_mathjax = importlib.util.find_spec("sphinx-mathjax-offline")
assert _mathjax and _mathjax.submodule_search_locations
mathjax_path = "mathjax/tex-chtml-full.js"

html_theme = "pydata_sphinx_theme"
html_title = "maillon"
html_static_path = ["_static", str(Path(_mathjax.submodule_search_locations[0]) / "static")]
html_css_files = ["maillon.css", "reference.css"]
html_js_files = ["maillon.js"]
templates_path = ["_templates"]
html_favicon = "_static/link.svg"
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options: dict[str, Any] = {
    "logo": {"text": "maillon"},
    "search_bar_text": "Search",
    "navbar_align": "left",
    "navbar_center": ["navbar-nav", "english"],
    "navbar_end": ["language", "theme-switcher"],
    "navbar_persistent": ["search-field"],
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["rights"],
    "footer_end": [],
    "navigation_with_keys": False,
}
html_sidebars = {"index": []}

intersphinx_mapping: dict[str, Any] = {}

# A phrase without its French and a name that leads nowhere are warnings on these pages.
complete_pages: list[str] = ["index", "guide/", "course/", "coming_from/"]
