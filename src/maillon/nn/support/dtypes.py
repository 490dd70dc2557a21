"""The dtype that new parameters get."""

from typing import Any

import numpy as np

from maillon.typing import Array, DType, DTypeLike

_default: DType = np.dtype(np.float32)


def floating_dtype(dtype: DTypeLike | None) -> DType:
    """`dtype` as a NumPy dtype, the default one for None; ValueError unless float32 or float64."""
    if dtype is None:
        return _default
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found.char not in "fd":
        raise ValueError(f"dtype: expected float32 or float64, got {dtype!r}. Links compute in these two.")
    return found


def set_default_dtype(dtype: DTypeLike) -> None:
    """Choose the dtype of the parameters of links made from now on.

    Parameters
    ----------
    dtype : dtype
        float32 (at the start) or float64.

    Examples
    --------
    >>> from maillon import get_default_dtype, set_default_dtype
    >>> set_default_dtype("float64"); get_default_dtype()
    dtype('float64')
    >>> set_default_dtype("float32")
    """
    global _default  # noqa: PLW0603 - one process-wide setting, as in PyTorch
    if dtype is None:
        raise ValueError("set_default_dtype: expected float32 or float64, got None.")
    _default = floating_dtype(dtype)


def get_default_dtype() -> DType:
    """The dtype that parameters get when `dtype=` is not given."""
    return _default


def as_array(value: Any) -> Array:
    """A value as an array; a tensor that still hangs on its graph is detached first."""
    return np.asarray(value.detach() if hasattr(value, "detach") else value)
