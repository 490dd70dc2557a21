"""A hundred random trainings with a callback that changes things at random times: both engines mean the same."""

import collections

import pytest
from cores import require_core
from fuzz_callbacks import difference


@pytest.fixture(autouse=True)
def engine() -> str:
    """Each test compares the two."""
    require_core()
    return "native"


@pytest.mark.parametrize("start", [0, 50])
def test_both_engines_see_the_same(start: int) -> None:
    kinds: collections.Counter[str] = collections.Counter()
    for seed in range(start, start + 50):
        said, by = difference(seed)
        assert not said, said
        kinds[by] += 1
    assert kinds["native"] >= 25
    assert kinds["native, numpy"] >= 1
