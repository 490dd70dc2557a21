"""The door: what users hold (arrays, lists, data frames, tensors) becomes arrays of the network's dtype."""

from typing import Any

import numpy as np

from maillon.nn import Loss, Module
from maillon.typing import Array, DType


def as_inputs(x: Any, dtype: DType, name: str = "x", network: Module | None = None) -> Any:
    """Real numbers as an array of `dtype`; a tuple or dict of them, for several inputs, stays one.

    Arrays that have the dtype already are passed through, not copied. TypeError when `x` holds no real numbers.
    network: where one of its links takes integers or masks (`takes_integers`: Embedding, for instance), integers
    become int64 and booleans stay what they are, for the link that wants them.
    """
    if isinstance(x, tuple):
        return tuple(as_inputs(part, dtype, f"{name}[{i}]", network) for i, part in enumerate(x))
    if isinstance(x, dict):
        return {key: as_inputs(part, dtype, f"{name}[{key!r}]", network) for key, part in x.items()}
    array = as_array(x, name)
    if network is not None and array.dtype.kind in "iub" and any(link.takes_integers for link in network.modules()):
        return array if array.dtype.kind == "b" else array.astype(np.int64, copy=False)
    return _to_dtype(array, dtype, name)


def as_target(y: Any, loss: Loss, dtype: DType, name: str = "y") -> Any:
    """As `as_inputs`; but integers are class labels, int64, where the loss takes labels, and None stays None.

    None is what a loss without a target is given; any other refuses it.
    """
    if y is None and not loss.targets:
        return None
    if isinstance(y, tuple):
        return tuple(as_target(part, loss, dtype, f"{name}[{i}]") for i, part in enumerate(y))
    array = as_array(y, name)
    if loss.takes_labels and array.dtype.kind in "iub":
        return array.astype(np.int64, copy=False)
    return _to_dtype(array, dtype, name)


def as_array(value: Any, name: str) -> Array:
    """Any array-like of real numbers as an array."""
    if type(value) is not np.ndarray:
        if hasattr(value, "detach"):  # a tensor that hangs on its graph
            value = value.detach()
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise ValueError(f"{name}: expected rows of equal length, got a ragged list ({error}).") from None
    if value.dtype.kind not in "fiub":
        raise TypeError(
            f"{name}: expected real numbers, got dtype {value.dtype}. "
            "Convert dates, texts and categories to numbers first (one_hot, for instance)."
        )
    return value


def _to_dtype(array: Array, dtype: DType, name: str) -> Array:
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    if array.dtype.kind == "f" and array.dtype.itemsize > dtype.itemsize:
        lost = np.isinf(converted) & np.isfinite(array)
        if lost.any():
            at = tuple(map(int, np.unravel_index(np.argmax(lost), array.shape)))
            raise ValueError(
                f"{name}: {array[at]:.6g} at index {at} is too large for the network's {dtype}. "
                "Normalise the data, or convert the network with .to('float64')."
            )
    return converted
