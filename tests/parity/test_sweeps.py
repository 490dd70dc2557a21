"""Every case of the sweeps beside PyTorch: initial state, values, all gradients, running statistics."""

from types import ModuleType

import pytest
from beside import TOLERANCE, Case, compare
from sweeps import CASES

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning"),  # a hint how PyTorch is fastest
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),  # of PyTorch's own speed
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides"),  # what KLDivLoss's mean means in PyTorch
]


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case(torch: ModuleType, case: Case, dtype: str) -> None:
    compare(torch, case, dtype)
