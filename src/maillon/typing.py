"""The names of types that the whole library shares."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
DType: TypeAlias = np.dtype[Any]
DTypeLike: TypeAlias = npt.DTypeLike
