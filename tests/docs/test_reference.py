"""The reference has every public name once, with its formulas, pictures and proofs."""

import importlib
import inspect
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import catalogue
import matplotlib.mathtext
import pytest
from matplotlib.figure import Figure
from reference import docstrings, names, pages, pictures, proofs
from reference.display import blocks
from reference.formulas import Node
from reference.sentences import pieces
from reference.tex import tex

import maillon as m
from maillon.nn import Loss, Module
from maillon.optim import Rule

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
LISTED = names.listed(FOLDER)
BASES = (Module, Loss, Rule, m.ModuleList, m.ModuleDict)
"""What has no formula of its own."""

DERIVATIVES = ("dweight", "doutput", "dmemory", "dtgt", "dsrc")
"""The gradients of what has a name of several letters."""


def rooms() -> list[ModuleType]:
    """Those of which each docstring is checked, and those with a list of public names."""
    sys.path.insert(0, str(ROOT / ".ci"))
    try:
        checked = importlib.import_module("docstrings").ROOMS
    finally:
        sys.path.pop(0)
    stubs = (ROOT / "src" / "maillon").rglob("__init__.pyi")
    listed = [".".join(("maillon", *path.parent.relative_to(ROOT / "src" / "maillon").parts)) for path in stubs]
    return [importlib.import_module(name) for name in dict.fromkeys([*checked, *listed])]


def public(room: ModuleType) -> dict[str, Any]:
    """The public names of a room that are no rooms themselves."""
    here = [name for name, value in vars(room).items() if getattr(value, "__module__", "") == room.__name__]
    chosen = [name for name in getattr(room, "__all__", here) if not name.startswith("_")]
    found = {name: getattr(room, name) for name in chosen}
    kept = {name: value for name, value in found.items() if not isinstance(value, ModuleType)}
    if not hasattr(room, "__all__"):
        kept = {name: value for name, value in kept.items() if inspect.isclass(value) or inspect.isfunction(value)}
    return kept


def test_every_public_name_is_in_the_reference_once_and_nothing_else() -> None:
    wanted: dict[int, set[str]] = {}
    for room in rooms():
        for name, value in public(room).items():
            wanted.setdefault(id(value), set()).add(f"{room.__name__}.{name}")
    found = Counter(id(names.resolve(name)) for name, _ in LISTED)
    assert {tuple(sorted(paths)) for value, paths in wanted.items() if found[value] != 1} == set()
    assert [name for name, _ in LISTED if not wanted.get(id(names.resolve(name)), set()) & {name}] == []


def test_names_have_pages_of_their_own_whatever_the_file_system_makes_of_capitals() -> None:
    every = [name for name, _ in LISTED]
    files = [names.page_of(name, every).lower() for name in every]
    assert len(set(files)) == len(files)
    assert names.page_of("maillon.summary", every) == "maillon.summary-function"
    assert names.page_of("maillon.Summary", every) == "maillon.Summary"


def test_each_page_is_named_in_the_table_of_contents() -> None:
    contents = (FOLDER / "index.md").read_text(encoding="utf-8").split()
    assert {page for _, page in LISTED} <= set(contents)


def described() -> list[Any]:
    values = [names.resolve(name) for name, _ in LISTED]
    return [value for value in values if inspect.isclass(value) and issubclass(value, Module | Rule)]


def is_derivative(node: Node) -> bool:
    """Whether it is the gradient of something: dx, dx[i], (dx₁, dx₂), ∂c/∂x."""
    if node.kind == "name":
        short = len(node.text.split("_")[0].rstrip("\u0302")) == 2 and node.text[0] == "d"
        return short or node.text in DERIVATIVES
    return node.kind in ("index", "call", "mark", "bracket", "list", "quotient", "partial") and (
        node.kind == "partial" or is_derivative(node.parts[0])
    )


@pytest.mark.parametrize("kind", [kind for kind in described() if kind not in BASES], ids=lambda kind: kind.__name__)
def test_each_link_loss_and_rule_has_formulas_of_its_value_and_its_derivative(kind: Any) -> None:
    left = [is_derivative(line.formula.parts[0]) for line in docstrings.formulas(kind)]
    assert False in left
    if not issubclass(kind, Rule):
        assert True in left


def every_formula() -> dict[str, str]:
    """All formulas of all docstrings that have some: the TeX of each, with where it was first."""
    found: dict[str, str] = {}
    for name, _ in LISTED:
        value = names.resolve(name)
        if not docstrings.is_described_by_formulas(value):
            continue
        for heading, body in docstrings.sections((inspect.getdoc(value) or "").splitlines()):
            if heading[:1] in (["Examples"], ["References"], ["See Also"]):
                continue
            for paragraph in docstrings.paragraphs(body):
                for piece in pieces(" ".join(line.strip() for line in paragraph)):
                    if piece.tree is not None:
                        found.setdefault(tex(piece.tree), f"{name}: {piece.text}")
    return found


def test_matplotlib_renders_every_command_of_the_formulas() -> None:
    parser = matplotlib.mathtext.MathTextParser("path")
    rendered: set[str] = set()
    for formula, where in every_formula().items():
        commands = set(re.findall(r"\\(?:[a-zA-Z]+|.)|[_^]", formula))
        if not commands <= rendered:
            rendered |= commands
            try:
                parser.parse(f"${formula}$")
            except ValueError as error:
                pytest.fail(f"{where}\n{formula}\n{error}")
    assert len(rendered) > 50


def test_no_part_of_a_formula_is_missing() -> None:
    formulas = every_formula()
    assert len(formulas) > 500
    for formula, where in formulas.items():
        assert not re.search(r"\{\s*\}|[+·]\s*$|\\cdot\s*$", formula), where
        assert formula.count("{") == formula.count("}"), where
        assert len(re.findall(r"\\left(?![a-z])", formula)) == len(re.findall(r"\\right(?![a-z])", formula)), where


def test_what_a_display_opens_it_closes() -> None:
    for kind in described():
        for shown in displays(kind):
            assert shown.count("{") == shown.count("}")
            assert shown.count(r"\begin{") == shown.count(r"\end{")
            assert len(re.findall(r"\\left(?![a-z])", shown)) == len(re.findall(r"\\right(?![a-z])", shown))


def displays(kind: Any) -> list[str]:
    summary = next(docstrings.sections((inspect.getdoc(kind) or "").splitlines()))[1]
    texts = [" ".join(line.strip() for line in paragraph) for paragraph in docstrings.paragraphs(summary)]
    return [block.tex() for text in texts for block in blocks(pieces(text)) if not isinstance(block, list)]


ACTIVATIONS = [name for name, page in LISTED if page == "activations" and "oftm" not in name and "GLU" not in name]
SHOWN = [name for name, page in LISTED if page in ("convolution", "pooling", "padding", "upsampling")]
LOSSES = ("MSELoss", "L1Loss", "HuberLoss", "CrossEntropyLoss", "BCEWithLogitsLoss", "HingeEmbeddingLoss")


def test_activations_losses_and_what_is_for_images_have_pictures_with_words() -> None:
    made = pictures.pictures()
    wanted = {name.removeprefix("maillon.") for name in (*ACTIVATIONS, *SHOWN)} - {"LogSoftmax"}
    assert wanted | set(LOSSES) <= set(made)
    assert {f"maillon.{name}" for name in made} <= {name for name, _ in LISTED}
    assert all(words.endswith(".") and len(words) > 20 for _, words in made.values())


@pytest.mark.parametrize("name", ["Tanh", "Threshold", "CrossEntropyLoss", "ReflectionPad2d", "Fold", "Adam"])
def test_a_picture_shows_lines_or_numbers(name: str) -> None:
    draw, _ = pictures.pictures()[name]
    made: Figure = draw()
    assert all(ax.lines or ax.texts for ax in made.axes)


def test_every_row_of_the_catalogue_is_on_a_page() -> None:
    found = proofs.rows()
    assert sum(len(rows) for rows in found.values()) == len(catalogue.ROWS) + len(catalogue.RULES)
    assert {id(kind) for kind in found} <= {id(names.resolve(name)) for name, _ in LISTED}
    for file in {file for rows in found.values() for file, _ in rows}:
        assert (ROOT / proofs.catalogue_file(file)).is_file()


def test_a_page_names_file_rows_and_core() -> None:
    page = pages.page("maillon.LeakyReLU")
    assert page.startswith("maillon.LeakyReLU\n=================\n\n.. autoclass:: maillon.LeakyReLU\n")
    assert ":File: `src/maillon/nn/activations/basic.py <../../_modules/maillon/nn/activations/basic.html>`__" in page
    assert "tests/catalogue/activations.py <catalogue/activations>`, 3 rows: ``LeakyReLU``, ``LeakyReLU 0.2``" in page
    assert ":Core: runs there, by ``src/maillon/engine/families/activations.py``" in page
    assert ":Core: runs there, by ``src/maillon/engine/families/rules.py``" in pages.page("maillon.Adam")
    assert ":Core:" not in pages.page("maillon.Module")
    assert ".. autofunction:: maillon.fit\n\n:File: `src/maillon/train/fit.py" in pages.page("maillon.fit")


def test_a_constants_page_says_what_it_is_and_shows_its_value() -> None:
    page = pages.page("maillon.engine.ENGINES")
    assert ".. py:data:: maillon.engine.ENGINES\n\n   What ``engine=`` takes.\n" in page
    assert "   .. code-block:: python\n\n      ('auto', 'numpy', 'native')\n" in page
    assert names.described("maillon.plot.COLOURS") == ("maillon.plot.style", "The order in which series are drawn.")
    constants = [name for name, _ in LISTED if not callable(names.resolve(name))]
    assert len(constants) >= 4
    assert all(names.described(name)[1] for name in constants)
