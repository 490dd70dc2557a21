"""The engines that carry out training: today NumPy alone.

The room of the compiled core: `plan.py` will lower a chain, its loss and its rule to a flat list of operations, and
`native.py` will run it. Until they stand, `choose` answers "numpy" or says why it cannot do otherwise.
"""

import os
from typing import Any

ENGINES = ("auto", "numpy", "native")
_THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")

__all__ = ["ENGINES", "choose", "info"]


def choose(engine: str) -> str:
    """The engine that will run: "numpy", for "auto" and "numpy".

    Raises ValueError for a name that is no engine, and RuntimeError for "native", which this version has not.

    >>> choose("auto")
    'numpy'
    """
    if engine not in ENGINES:
        raise ValueError(f"engine: expected 'auto', 'numpy' or 'native', got {engine!r}.")
    if engine == "native":
        raise RuntimeError(
            "engine='native': this version of maillon has no compiled core. Pass engine='numpy', or 'auto', "
            "which takes the fastest engine there is."
        )
    return "numpy"


def info() -> dict[str, Any]:
    """What "auto" stands for here: the engine, its instruction set (None: NumPy's own choice) and its threads."""
    return {"engine": choose("auto"), "instruction_set": None, "threads": _threads()}


def _threads() -> int:
    """The threads NumPy's matrix products may use: what the environment allows, else the processors there are."""
    for variable in _THREAD_VARIABLES:
        value = os.environ.get(variable, "")
        if value.isdecimal() and int(value) > 0:
            return int(value)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
