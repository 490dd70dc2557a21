"""What the build settings promise, as far as it can be seen without a build: `.ci/run` builds and installs."""

import os
import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

import maillon

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILD = PROJECT["tool"]["scikit-build"]
CMAKE = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")


def overridden(settings: dict[str, str], *, failed: bool) -> dict[str, Any]:
    """What the overrides make of wheel.cmake and wheel.py-api in this environment, on a first or a second attempt."""

    def holds(condition: dict[str, Any]) -> bool:
        met = []
        for key, wanted in condition.items():
            if key == "failed":
                met.append(failed is wanted)
            elif key == "state":
                met.append(re.search(wanted, "wheel") is not None)
            else:
                assert list(wanted) == ["MAILLON_NATIVE"], f"this test knows no condition on {key}"
                value, pattern = settings.get("MAILLON_NATIVE"), wanted["MAILLON_NATIVE"]
                truth = (value or "").lower() not in {"", "0", "n", "no", "off", "f", "false"}
                met.append(truth is pattern if isinstance(pattern, bool) else bool(re.search(pattern, value or "")))
        return all(met)

    wheel = {"cmake": True, "py-api": BUILD["wheel"]["py-api"]}
    for override in BUILD["overrides"]:
        if holds(override["if"]):
            wheel |= override.get("wheel", {})
    return wheel


@pytest.mark.parametrize(
    ("settings", "failed", "compiled"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"MAILLON_NATIVE": "1"}, False, True),
        ({"MAILLON_NATIVE": "1"}, True, True),
        ({"MAILLON_NATIVE": "0"}, False, False),
        ({"MAILLON_NATIVE": "off"}, False, False),
    ],
    ids=["tried first", "left out where it failed", "tried", "an error where it failed", "not tried", "nor so"],
)
def test_when_the_core_is_built(settings: dict[str, str], failed: bool, compiled: bool) -> None:
    # Without a core the wheel is for every Python, and py-api must not say otherwise.
    assert overridden(settings, failed=failed) == {"cmake": compiled, "py-api": "cp312" if compiled else ""}


def test_the_backend() -> None:
    system = PROJECT["build-system"]
    assert system["build-backend"] == "scikit_build_core.build"
    # CMake and Ninja are the backend's to find, or to ask for.
    assert {re.split("[<>=]", package)[0] for package in system["requires"]} == {"scikit-build-core", "nanobind"}


def test_there_is_one_version() -> None:
    assert PROJECT["project"]["version"] == maillon.__version__
    assert "VERSION" not in (re.search(r"^project\((.*)\)$", CMAKE, re.MULTILINE) or [""])[0]


def test_every_instruction_set_is_compiled_and_chosen_from() -> None:
    chosen = set(re.findall(r"#if MAILLON_HAS_(\w+)", (ROOT / "native" / "isa.cpp").read_text(encoding="utf-8")))
    compiled = {
        name.upper() for line in re.findall(r"set\(sets (.*)\)", CMAKE) for name in line.split() if "$" not in name
    }
    assert compiled == chosen == {"BASELINE", "AVX2", "AVX512", "NEON"}
    for flag in ("-O3", "-ffp-contract=off", "-fno-math-errno"):
        assert re.search(rf"set\(flags .*{flag}\b", CMAKE), f"{flag} is gone: the bits depend on it, or the speed"
    assert "fast-math" not in CMAKE


def test_the_sources_named_are_there() -> None:
    named = re.findall(r"native/\w+\.cpp", CMAKE)
    assert set(named) == {f"native/{path.name}" for path in (ROOT / "native").glob("*.cpp")}


@pytest.mark.skipif(not (ROOT / ".git").exists() or shutil.which("git") is None, reason="not in a git repository")
def test_the_source_distribution_holds_what_a_build_and_its_tests_need() -> None:
    # A hook's GIT_DIR would name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    left_out = [name for name in listed if any(fnmatch(name, f"{part}/*") for part in BUILD["sdist"]["exclude"])]
    assert left_out
    assert all(name.startswith(".github/") for name in left_out)
    needed = {"CMakeLists.txt", "Makefile", "LICENSE", "native/core.cpp", "native/bindings.cpp", ".ci/run"}
    needed |= {"src/maillon/py.typed", "src/maillon/report/templates/page.html.j2", "tests/test_build.py"}
    assert needed <= set(listed) - set(left_out)
    compiled = (".so", ".pyd", ".dylib", ".o", ".a")
    assert [name for name in listed if name.endswith(compiled)] == []


def test_files_that_were_added_or_removed_are_installed_anew_and_once(tmp_path: Path) -> None:
    """An editable install knows the files that were there when it was made."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "src" / "maillon" / "nn").mkdir(parents=True)
    for name in ("pyproject.toml", "CMakeLists.txt", ".venv/bin/python", "src/maillon/old.py", ".venv/.maillon"):
        (tmp_path / name).touch()

    def installed() -> str:
        command = ["make", "--silent", "PIP=echo pip install", ".venv/.listed"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    said = "Installing maillon again: its files are others\npip install --no-deps --editable .\n"
    assert installed() == said  # a stamp of a time when nothing was listed
    assert installed() == ""
    (tmp_path / "src" / "maillon" / "nn" / "new.py").touch()
    assert installed() == said
    assert installed() == ""
    (tmp_path / "src" / "maillon" / "old.py").unlink()
    assert installed() == said
    assert installed() == ""
