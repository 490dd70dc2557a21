"""PyTorch, for the tests that compare with it as they run."""

import os
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    try:
        import torch as module
    except ImportError:
        if os.environ.get("MAILLON_REQUIRE_TORCH"):
            pytest.fail("PyTorch is required here (MAILLON_REQUIRE_TORCH is set) and is not installed.")
        pytest.skip("PyTorch is not installed.")
    return module
