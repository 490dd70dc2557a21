"""Windows that slide over the last dimensions: what convolution, Unfold and Fold have in common."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.lib.stride_tricks import sliding_window_view

from maillon.typing import Array

LETTERS = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
"""What the errors call the dimensions of space."""


@dataclass(frozen=True)
class Windows:
    """Windows of kernel[i] values, dilation[i] apart, that start every stride[i] values. (A helper, not exported.)"""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, ...]:
        """What a window spans from its first to its last value."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def counts(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """How many windows fit into each dimension."""
        return tuple((n - e) // s + 1 for n, e, s in zip(sizes, self.extent, self.stride, strict=True))

    def sizes(self, counts: Sequence[int]) -> tuple[int, ...]:
        """The least sizes that hold so many windows."""
        return tuple((n - 1) * s + e for n, e, s in zip(counts, self.extent, self.stride, strict=True))

    def view(self, x: Array, counts: Sequence[int]) -> Array:
        """(N, C, *sizes) → (N, C, *kernel, *counts), read-only and without a copy."""
        dims = len(self.kernel)
        every = sliding_window_view(x, self.extent, axis=tuple(range(2, 2 + dims)))
        starts = [slice(0, (n - 1) * s + 1, s) for n, s in zip(counts, self.stride, strict=True)]
        wanted: Any = (..., *starts, *(slice(None, None, d) for d in self.dilation))
        return every[wanted].transpose(0, 1, *range(2 + dims, 2 + 2 * dims), *range(2, 2 + dims))

    def add_up(self, windows: Array, out: Array) -> None:
        """The transpose of `view`: add every value of (N, C, *kernel, *counts) to `out` at its place."""
        counts = windows.shape[-len(self.kernel) :]
        for offset in itertools.product(*map(range, self.kernel)):
            first = [o * d for o, d in zip(offset, self.dilation, strict=True)]
            steps = zip(first, counts, self.stride, strict=True)
            places: Any = (..., *(slice(f, f + (n - 1) * s + 1, s) for f, n, s in steps))
            at: Any = (slice(None), slice(None), *offset)
            out[places] += windows[at]


def one_for_all(values: tuple[int, ...]) -> int | tuple[int, ...]:
    """As it is shown: one number where all are the same."""
    return values[0] if len(set(values)) == 1 else values


def layout(before: str, least: Sequence[int]) -> str:
    """A shape in words, with the least size of each dimension of space."""
    space = [f"{letter} ≥ {n}" for letter, n in zip(LETTERS[len(least)], least, strict=True)]
    return f"({before}, {', '.join(space)})"


def either(channels: object, dims: int) -> str:
    """A shape in words, of a batch and of one sample."""
    space = ", ".join(LETTERS[dims])
    return f"(N, {channels}, {space}) or ({channels}, {space})"
