"""Parameter: what a link learns."""

from typing import Any

import numpy as np

from maillon.nn.support.dtypes import get_default_dtype
from maillon.typing import Array, DType


class Parameter:
    """An array that is learnt, and the gradient of the loss with respect to it.

    Parameters
    ----------
    data : array
        The values, float32 or float64, changed in place by rules; anything else becomes the default dtype.
    grad : ndarray, optional
        None, or an array of the same shape: `backward` adds to it, `zero_grad()` sets it to None.
    requires_grad : bool
        False freezes the parameter: backward leaves its grad None and rules skip it.
    """

    __slots__ = ("data", "grad", "requires_grad")

    def __init__(self, data: Any, grad: Array | None = None, requires_grad: bool = True) -> None:
        array = np.asarray(data)
        self.data: Array = array if array.dtype.char in "fd" else array.astype(get_default_dtype())
        self.grad = grad
        self.requires_grad = requires_grad

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def size(self) -> int:
        return self.data.size

    @property
    def dtype(self) -> DType:
        return self.data.dtype

    def accumulate(self, grad: Array) -> None:
        """Add `grad` to what other links and earlier backwards have left here."""
        if self.requires_grad:
            self.grad = grad if self.grad is None else self.grad + grad

    def __repr__(self) -> str:
        frozen = "" if self.requires_grad else ", requires_grad=False"
        return f"Parameter({np.array2string(self.data, separator=', ', threshold=20)}{frozen})"
