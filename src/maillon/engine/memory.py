"""Where a training's numbers lie: arrays by name, an arena for what comes and goes, one array for all gradients."""

from functools import cached_property

import numpy as np

from maillon.engine.plan import Buffer, address
from maillon.nn import Parameter
from maillon.nn.support.outline import ALIGNMENT, aligned_part
from maillon.typing import Array, DType

_BYTE = np.dtype(np.uint8)
_LARGE, _HUGE = 2**20, 2**22
"""From 4 MiB on NumPy asks the system for huge pages, which are there in a third of the time: an arena of more than
1 MiB asks for as much. What it does not touch takes no memory."""


class Memory:
    """Arrays by name, and the arena. The plans of one training, on full and on shorter mini-batches, share them.

    parameters: the buffers of the Parameters' own arrays, by their id.
    """

    def __init__(self) -> None:
        self.parameters: dict[int, Buffer] = {}
        self._arrays: dict[str, Array] = {}
        self._arena = aligned(0, _BYTE)

    def take(self, name: str, size: int, dtype: DType) -> Array:
        """An aligned array of `size` elements: the beginning of the one known by that name, if it is large enough."""
        known = self._arrays.get(name)
        if known is None or known.size < size or known.dtype != dtype:
            known = self._arrays[name] = aligned(size, dtype)
        return known[:size]

    def arena(self, nbytes: int) -> Array:
        """So many bytes for the values of one plan at a time."""
        if self._arena.size < nbytes:
            self._arena = aligned(max(nbytes, _HUGE) if nbytes > _LARGE else nbytes, _BYTE)[:nbytes]
        return self._arena

    @property
    def bytes(self) -> int:
        return self._arena.nbytes + sum(array.nbytes for array in self._arrays.values())


def aligned(size: int, dtype: DType) -> Array:
    """Zeros, beginning at a cache line."""
    raw = np.zeros(size * dtype.itemsize + ALIGNMENT, np.uint8)
    return aligned_part(raw, address(raw), size * dtype.itemsize).view(dtype)


class Gradients:
    """One array for all gradients that a rule uses, each at a cache line of its own, zeros between them.

    others: parameters that no rule moves. Nobody sets their gradients to zero, so that they add up over the steps.
    gathers: the gradients of several mini-batches are added up before they move the parameters. `divisor` is what
    those of means are to be divided by then; NaN, where there was no mean.
    """

    def __init__(
        self,
        parameters: list[tuple[str, Parameter]],
        dtype: DType,
        others: list[tuple[str, Parameter]] | None = None,
        *,
        gathers: bool = False,
    ) -> None:
        self.gathers = gathers
        self.half = False  # a link of the user's own is in the middle of its backward, or has not come to its end
        self.reached: dict[int, list[bool]] = {}  # of links of the user's own, by id: which parameters they give any
        step = ALIGNMENT // dtype.itemsize
        starts, size = [], 0
        for _, parameter in parameters:
            starts.append(size)
            size += -(-parameter.size // step) * step
        self.whole = Buffer("gradients", aligned(size, dtype), (size,))
        self._buffers = {
            id(parameter): Buffer(f"d{name}", self.whole.array[start : start + parameter.size], parameter.shape)
            for (name, parameter), start in zip(parameters, starts, strict=True)
        }
        self.others = [
            (parameter, Buffer(f"d{name}", aligned(parameter.size, dtype), parameter.shape))
            for name, parameter in others or []
        ]
        self._buffers |= {id(parameter): buffer for parameter, buffer in self.others}
        self._adding = {id(parameter) for parameter, _ in self.others}

    @property
    def gathering(self) -> list[Array]:
        """The arrays that add up over several steps."""
        adding = [buffer.array for _, buffer in self.others]
        return adding + [self.whole.array, self.divisor.array] * self.gathers

    @cached_property
    def divisor(self) -> Buffer:
        return Buffer("divisor", np.full(1, np.nan), (1,))

    def adds(self, parameter: Parameter) -> bool:
        """Whether this gradient is one that adds up over the steps."""
        return self.gathers or id(parameter) in self._adding

    def buffer(self, parameter: Parameter) -> Buffer | None:
        return self._buffers.get(id(parameter))
