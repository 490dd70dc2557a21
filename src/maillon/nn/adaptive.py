"""Adaptive pooling: as many windows as the output is to have, each as large as it takes."""

from collections.abc import Sequence

from maillon.nn import arguments
from maillon.nn import window_steps as windows
from maillon.nn.pooling import Axes, _GreatestOf, _MeanOf

OutputSize = int | None | tuple[int | None, ...]


def _check_output_size(owner: str, output_size: OutputSize, rank: int) -> OutputSize:
    parts = output_size if isinstance(output_size, Sequence) and not isinstance(output_size, str) else (output_size,)
    fits = len(parts) == rank or not isinstance(output_size, Sequence)
    if not fits or not all(part is None or (arguments.is_integer(part) and part >= 0) for part in parts):
        several = f", or {rank} of these" if rank > 1 else ""
        raise ValueError(
            f"{owner}: expected output_size to be an integer ≥ 0 or None, the size of x{several}, got {output_size!r}."
        )
    return output_size


def _axes(output_size: OutputSize, sizes: Sequence[int]) -> Axes:
    wanted = output_size if isinstance(output_size, Sequence) else (output_size,) * len(sizes)
    counts = [size if count is None else count for size, count in zip(sizes, wanted, strict=True)]
    return [(windows.adaptive(size, count), count) for size, count in zip(sizes, counts, strict=True)]


class _AdaptiveMax(_GreatestOf):
    def __init__(self, output_size: OutputSize, return_indices: bool = False) -> None:
        self.output_size = _check_output_size(type(self).__name__, output_size, self._rank)
        self.return_indices = bool(return_indices)

    def _axes(self, sizes: Sequence[int]) -> Axes:
        return _axes(self.output_size, sizes)


class _AdaptiveAvg(_MeanOf):
    def __init__(self, output_size: OutputSize) -> None:
        self.output_size = _check_output_size(type(self).__name__, output_size, self._rank)

    def _axes(self, sizes: Sequence[int]) -> Axes:
        return _axes(self.output_size, sizes)


class AdaptiveAvgPool1d(_AdaptiveAvg):
    """yᵢ = the mean of x from ⌊i L / L'⌋ to ⌈(i + 1) L / L'⌉, without the last; dxⱼ = Σ dyᵢ / nᵢ over those with xⱼ.

    x: (N, C, L) or (C, L) → y: (N, C, L') or (C, L'). Where L' does not divide L the windows overlap.
    output_size: L' ≥ 0, or None for L. Errors: ValueError for another one, LinkShapeError for x of another shape.
    Source: He et al., "Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition", 2014.

    >>> import numpy as np, maillon
    >>> maillon.AdaptiveAvgPool1d(2)(np.array([[1.0, 3.0, 2.0]]))
    array([[2. , 2.5]])
    """

    _rank = 1


class AdaptiveAvgPool2d(_AdaptiveAvg):
    """As AdaptiveAvgPool1d, over rectangles.

    x: (N, C, H, W) or (C, H, W) → y: (N, C, H', W') or (C, H', W').
    output_size: (H', W'), or one number for both; None leaves that axis as it is.

    >>> import numpy as np, maillon
    >>> maillon.AdaptiveAvgPool2d((1, None))(np.arange(4.0).reshape(1, 2, 2))
    array([[[1., 2.]]])
    """

    _rank = 2


class AdaptiveMaxPool1d(_AdaptiveMax):
    """yᵢ = the greatest of x from ⌊i L / L'⌋ to ⌈(i + 1) L / L'⌉, without the last.

    dxⱼ = Σ dyᵢ over the windows i whose greatest is xⱼ, the first of equals.

    x: (N, C, L) or (C, L) → y: (N, C, L') or (C, L'). output_size: L' ≥ 0, or None for L.
    return_indices: the output is (y, indices), where in L the greatest were (int64).
    Errors: ValueError for another output_size, LinkShapeError for x of another shape. A NaN in a window is its
    greatest. Source: as AdaptiveAvgPool1d.

    >>> import numpy as np, maillon
    >>> maillon.AdaptiveMaxPool1d(2)(np.array([[1.0, 3.0, 2.0, 0.0]]))
    array([[3., 2.]])
    """

    _rank = 1


class AdaptiveMaxPool2d(_AdaptiveMax):
    """As AdaptiveMaxPool1d, over rectangles: the first of equals is that of the first row.

    x: (N, C, H, W) or (C, H, W) → y: (N, C, H', W') or (C, H', W').
    output_size: (H', W'), or one number for both; None leaves that axis as it is.
    return_indices: the output is (y, indices), each index counting through H · W row after row.

    >>> import numpy as np, maillon
    >>> maillon.AdaptiveMaxPool2d(1)(np.arange(4.0).reshape(1, 2, 2))
    array([[[3.]]])
    """

    _rank = 2
