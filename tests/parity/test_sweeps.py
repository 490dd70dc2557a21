"""Every case of the sweeps beside PyTorch: initial state, values, all gradients, running statistics."""

from types import ModuleType

import catalogue
import pytest
import sweeps
from beside import BESIDE_TORCH, TOLERANCE, Case, compare
from families import modules

pytestmark = BESIDE_TORCH


@pytest.mark.sweep
@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("case", sweeps.CASES, ids=str)
def test_a_case(torch: ModuleType, case: Case, dtype: str) -> None:
    compare(torch, case, dtype)


def test_the_families_are_the_catalogue_s() -> None:
    assert set(modules(sweeps)) <= set(modules(catalogue))
