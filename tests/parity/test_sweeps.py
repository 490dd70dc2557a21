"""Every case of the sweeps beside PyTorch: initial state, values, all gradients, running statistics."""

from types import ModuleType

import pytest
from beside import BESIDE_TORCH, TOLERANCE, Case, compare
from sweeps import CASES

pytestmark = BESIDE_TORCH


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case(torch: ModuleType, case: Case, dtype: str) -> None:
    compare(torch, case, dtype)
