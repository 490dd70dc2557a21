"""The sample of the sweeps: always the same cases, some of each kind, and told."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import sampling
from sampling import kind, sampled

CASES = [f"{name} {number}" for name in ("Conv2d", "Linear", "Adam") for number in range(200)] + ["Rare(1) x"]
SWEEP = """
import pytest
@pytest.mark.sweep
@pytest.mark.parametrize("case", [*(f"Linear {n}" for n in range(100)), "Tanh"])
def test_a_case(case): pass
def test_another(): pass
"""


def test_a_case_s_kind_is_its_first_word() -> None:
    assert [kind(case) for case in ("Conv2d(3, 4) 2x3", "Linear: wrong sign", "")] == ["Conv2d", "Linear", ""]


@pytest.mark.parametrize("every", [2, 8, 500])
def test_every_nth_case_and_each_kind(every: int) -> None:
    chosen = {case for case, yes in zip(CASES, sampled(CASES, every), strict=True) if yes}
    assert {kind(case) for case in chosen} == {"Conv2d", "Linear", "Adam", "Rare"}
    assert 0.7 * len(CASES) / every < len(chosen) < 1.3 * len(CASES) / every + 4


def test_which_cases_is_decided_by_their_names() -> None:
    # and not by their order: only of a kind that the hash leaves out is it the first
    chosen = {case for case, yes in zip(CASES, sampled(CASES, 4), strict=True) if yes}
    turned = {case for case, yes in zip(CASES[::-1], sampled(CASES[::-1], 4), strict=True) if yes}
    assert chosen - {"Rare(1) x"} == turned - {"Rare(1) x"}


def run(folder: Path, *args: str, **settings: str) -> str:
    (folder / "conftest.py").write_text(
        f"import sys; sys.path.insert(0, {str(Path(sampling.__file__).parent)!r})\nfrom sampling import *\n"
        "def pytest_configure(config): config.addinivalue_line('markers', 'sweep')\n"
    )
    (folder / "test_it.py").write_text(SWEEP)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), *args]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "MAILLON_SAMPLE"))}
    done = subprocess.run(
        [*command, str(folder)], env=environment | settings, cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_end_of_the_output_tells_how_many_ran(tmp_path: Path) -> None:
    output = run(tmp_path, MAILLON_SAMPLE="10").splitlines()
    assert output[-2] == "a sample, MAILLON_SAMPLE=10: 12 of 101 cases of test_it.py::test_a_case"
    assert output[-1].startswith("13 passed, 89 deselected")


def test_without_the_setting_all_cases_run(tmp_path: Path) -> None:
    output = run(tmp_path).splitlines()
    assert output[-1].startswith("102 passed")
    assert "sample" not in "".join(output)


def test_a_worker_s_counts_are_told_by_the_process_that_prints() -> None:
    config, counts = SimpleNamespace(stash=pytest.Stash()), {"test_a_case": (3, 20)}
    sampling.pytest_testnodedown(SimpleNamespace(config=config, workeroutput={"left_out": counts}))
    assert config.stash[sampling.left_out] == counts
