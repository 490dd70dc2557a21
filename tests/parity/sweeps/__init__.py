"""Wide sweeps of constructor options and input shapes; each file of a family lists its CASES."""

import sys

from beside import Case
from families import modules

CASES: list[Case] = [
    case for module in modules(sys.modules[__name__]).values() for case in getattr(module, "CASES", [])
]
