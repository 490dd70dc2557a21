"""maillon's network as C: written by `to_c`, compiled as a shared library, called in a loop of C."""

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from maillon.interop.c import to_c
from maillon.typing import Array
from peers.by_maillon import network_of
from peers.workloads import POLICY

VERSIONS = ("maillon",)
# Through a pointer that may change at any time, so that each call is made.
LOOP = """#include "policy.h"
static void (*volatile answer)(const REAL *, REAL *) = policy;
void calls(long n, const REAL *x, REAL *y) {
    for (long i = 0; i < n; i++) {
        answer(x, y);
    }
}
"""


def policy(options: dict[str, Any]) -> tuple[Callable[[int], None], Array]:
    """The function as the compiler makes it with these flags."""
    dtype = options.get("dtype", "float32")
    with tempfile.TemporaryDirectory() as folder:
        to_c(network_of(POLICY), Path(folder) / "policy.h", 8, dtype=dtype)
        source, library = Path(folder) / "calls.c", Path(folder) / "calls.so"
        source.write_text(LOOP.replace("REAL", "float" if dtype == "float32" else "double"))
        shared = ["-std=c99", "-shared", "-fPIC", source, "-o", library, "-lm"]
        subprocess.run([options["compiler"], *options["flags"], *shared], check=True)
        calls = ctypes.CDLL(os.fspath(library)).calls
    x, y = np.ascontiguousarray(POLICY.data()[0][0], dtype), np.empty(2, dtype)
    given = [ctypes.c_void_p(array.ctypes.data) for array in (x, y)]

    def loop(n: int) -> None:
        calls(ctypes.c_long(n), *given)

    loop(1)
    return loop, y
