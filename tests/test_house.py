"""The house rules that a machine can hold: sizes, quiet, what an import costs, commands that exist."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import catalogue
import mutants
import naive
import pytest
from families import FAMILIES, modules

import maillon

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "maillon"
SOURCES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(ROOT.glob(".ci/*.py"))
HEAVY = (
    "matplotlib",
    "torch",
    "sklearn",
    "pandas",
    "polars",
    "pooch",
    "mlxtend",
    "jinja2",
    "onnx",
    "scipy.stats",
    "maillon.report",
)

in_every_file = pytest.mark.parametrize("path", SOURCES + SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))


def height(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body without its docstring: long docstrings and signatures are no fault."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    assert function.end_lineno is not None
    return function.end_lineno - body[0].lineno + 1


@in_every_file
def test_a_file_has_less_than_450_lines_beside_its_docstrings(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    owners = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documented) and ast.get_docstring(node)]
    assert len(text.splitlines()) - sum(height(owner.body[0]) for owner in owners) < 450


@in_every_file
def test_a_function_has_less_than_50_lines(path: Path) -> None:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {function.name: lines_of(function) for function in functions if lines_of(function) >= 50}
    assert long == {}


def test_the_two_checks_above_look_at_every_room() -> None:
    rooms = {path.parent.name for path in SOURCES}
    assert rooms >= {"maillon", "nn", "optim", "train", "engine", "data", "check", "plot", "report"}
    assert SCRIPTS


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_prints(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    prints = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    assert prints == [] or path == PACKAGE / "cli.py"


def imported(path: Path) -> list[str]:
    """The names that a file takes of another of ours."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    return [alias.name for node in nodes if (node.module or "").startswith("maillon") for alias in node.names]


def touched(path: Path) -> list[str]:
    """The private attributes of objects other than self that a file uses and does not define itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    own = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}}
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    own |= {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return [node.attr for node in attributes if private(node.attr) and node.attr not in own]


def private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name != "_replace"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_takes_what_is_private_to_another(path: Path) -> None:
    assert [name for name in imported(path) if private(name)] == []
    assert touched(path) == []


@pytest.mark.parametrize("room", [catalogue, naive, mutants], ids=lambda room: room.__name__)
def test_every_file_of_a_room_of_the_tests_belongs_to_a_family(room: ModuleType) -> None:
    folder = Path(str(room.__file__)).parent
    files = {path.relative_to(folder).with_suffix("").as_posix().replace("/", ".") for path in folder.rglob("*.py")}
    parts = {name for name in modules(room) if f"{name}.__init__" not in files}
    beside = {"catalogue": {"rows"}, "naive": {"values"}, "mutants": {"contract", "table"}}[room.__name__]
    assert {name for name in files if not name.endswith("__init__")} == parts | beside
    assert parts <= set(modules(catalogue))


def test_each_family_has_a_file_of_golden_values() -> None:
    held = {path.stem.removeprefix("torch_") for path in (ROOT / "tests" / "fixtures").glob("torch_*.npz")}
    assert held == set(FAMILIES) == {name.split(".")[0] for name in modules(catalogue)}


def test_the_version_is_the_packaged_one() -> None:
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert maillon.__version__ == packaged


def test_the_changelog_knows_the_version() -> None:
    assert f"## [{maillon.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_types_are_shipped() -> None:
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize("module", ["maillon", "maillon.cli"])
def test_an_import_loads_no_heavy_neighbour(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_make_command_of_the_texts_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        text = (ROOT / name).read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|[`'] ?| )make ([a-z]+)", text, re.MULTILINE))
        assert named, name
        assert named <= targets, name


PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/{path.name}" for path in sorted(ROOT.glob("docs/*.md"))),
]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_to_a_file_leads_somewhere(name: str) -> None:
    page = ROOT / name
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link.partition("#")[0]).exists()] == []


def test_every_page_and_picture_is_linked_from_another() -> None:
    """Of those that are read beside the README; in the folders stand the site's own, which Sphinx looks after."""
    texts = "".join((ROOT / name).read_text(encoding="utf-8") for name in PAGES)
    shown = [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/images/*")]
    shown.remove(ROOT / "docs" / "index.md")
    assert len(shown) > 10
    assert [path.name for path in shown if f"/{path.name}" not in texts] == []


def test_the_readme_promises_no_package_index() -> None:
    """Until it is on one: pip install maillon would bring something else, or nothing."""
    texts = "".join((ROOT / name).read_text(encoding="utf-8") for name in PAGES)
    assert re.findall(r"pip install ['\"]?maillon", texts) == []


def test_the_table_of_links_names_every_one() -> None:
    text = (ROOT / "docs" / "links.md").read_text(encoding="utf-8")
    losses = [name for name in maillon.nn.__all__ if name.endswith("Loss") and name != "Loss"]
    rules = [name for name, rule in vars(maillon.optim).items() if isinstance(rule, type) and name in maillon.__all__]
    assert len(losses) > 20
    missing = [name for name in [*losses, *rules] if f"`{name}`" not in text]
    assert set(missing) <= {"Optim", "NonFiniteLossError"}


def test_the_docs_name_every_metric() -> None:
    from maillon.train.scores import GREATER_IS_BETTER

    text = (ROOT / "docs" / "links.md").read_text(encoding="utf-8")
    names = {name for name in GREATER_IS_BETTER if not name.endswith("_score")} | {"mse", "rmse", "mae"}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []
