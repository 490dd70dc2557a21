"""Upsample: signals, images and volumes of another size, by the nearest value or a polynomial between neighbours."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from maillon.nn.module import Module
from maillon.nn.spatial import window_steps as windows
from maillon.nn.support import arguments, errors
from maillon.typing import Array, DType

Size = int | tuple[int, ...] | None
Scale = float | tuple[float, ...] | None
Taps = list[tuple[windows.Index, windows.Index, Array]]
"""(outputs, inputs, weights): what the outputs along an axis take of the inputs."""

MODES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "trilinear": (3,),
    "bicubic": (2,),
    "area": (1, 2, 3),
}
"""The numbers of dimensions of space that each mode takes."""
LAYOUTS = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}
BETWEEN = ("linear", "bilinear", "trilinear", "bicubic")
SHARPNESS = -0.75
"""The slope at distance 1 of the cubic kernel."""


class Upsample(Module):
    """Along each axis yᵢ = Σⱼ wᵢⱼ xⱼ, where the weights depend on the place of i in x; dxⱼ = Σᵢ wᵢⱼ dyᵢ.

    The place of output i is (i + ½) s − ½ with s = L / L', the size of x over that of y, or s = 1 / scale_factor where
    that is given; with align_corners it is i (L − 1) / (L' − 1), which puts the ends upon each other.

    Parameters
    ----------
    size : int or tuple of int, optional
        The sizes of space of y, or one for all.
    scale_factor : float or tuple of float, optional
        > 0: these by those of x, rounded down, or one for all.
    mode : str
        'nearest' takes x at ⌊i s⌋, 'nearest-exact' at ⌊(i + ½) s⌋; 'linear' (signals), 'bilinear' (images) and
        'trilinear' (volumes) weigh the two neighbours by their nearness; 'bicubic' (images) the four neighbours
        by Keys' cubic with slope −¾; 'area' takes the mean, as the adaptive pools.
    align_corners : bool, optional
        For the modes between neighbours.
    recompute_scale_factor : bool, optional
        Whether s is taken from the rounded sizes where scale_factor is given.

    Raises
    ------
    ValueError
        Unless one of size and scale_factor is given, or for an option that the mode does not take.
    LinkShapeError
        When x does not have the dimensions of the mode, or y would be empty.

    Notes
    -----
    x: (N, C, L), (N, C, H, W) or (N, C, D, H, W) → y: the same with other sizes of space.

    References
    ----------
    Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Upsample(scale_factor=2, mode="linear")(np.array([[[0.0, 4.0]]]))
    array([[[0., 1., 3., 4.]]])
    """

    def __init__(
        self,
        size: Size = None,
        scale_factor: Scale = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        name = type(self).__name__
        if (size is None) == (scale_factor is None):
            raise ValueError(
                f"{name}: expected one of size and scale_factor, got {'none' if size is None else 'both'}."
            )
        for option, given in (("size", size), ("scale_factor", scale_factor)):
            if given is not None and not 0 < len(_parts(given)) <= 3:
                raise ValueError(f"{name}: expected {option} to be one number or up to three, got {given!r}.")
        for option, choice in (("align_corners", align_corners), ("recompute_scale_factor", recompute_scale_factor)):
            if choice is not None:
                arguments.flag(name, option, choice)
        for part in _parts(size):
            arguments.integer(name, "size", part)
        for part in _parts(scale_factor):
            arguments.number(name, "scale_factor", part, least=0, above=True, finite=True)
        self.size = size
        self.scale_factor = scale_factor
        self.mode = arguments.one_of(name, "mode", mode, list(MODES))
        if align_corners is not None and mode not in BETWEEN:
            raise ValueError(f"{name}: expected align_corners to be None with mode={mode!r}, got {align_corners!r}.")
        if recompute_scale_factor and size is not None:
            raise ValueError(
                f"{name}: expected recompute_scale_factor to be None with size, got {recompute_scale_factor!r}."
            )
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        taps = self.taps(x.shape, x.dtype)
        y = x
        for axis, (outputs, along_axis) in taps.items():
            wider = np.zeros(windows.resized(y, axis, outputs), x.dtype)
            for outs, ins, weights in along_axis:
                wider[windows.along(axis, outs)] += windows.facing(weights, axis) * windows.taken(y, axis, ins)
            y = wider
        return self.keep(y, x.shape, taps)

    def backward(self, grad_output: Array) -> Array:
        shape, taps = self.release(grad_output)
        dx = grad_output
        for axis, (outputs, along_axis) in taps.items():
            weight = np.zeros((outputs, shape[axis]), dx.dtype)
            for outs, ins, weights in along_axis:
                weight[np.arange(outputs)[outs], np.arange(shape[axis])[ins]] += weights
            dx = np.moveaxis(np.moveaxis(dx, axis, -1) @ weight, -1, axis)
        return dx

    def taps(self, shape: tuple[int, ...], dtype: DType) -> dict[int, tuple[int, Taps]]:
        """Of each axis of space the size of y, and what it takes of x."""
        rank = len(shape) - 2
        if rank not in MODES[self.mode]:
            ranks = MODES[self.mode]
            layouts = " or ".join(LAYOUTS[n] for n in ranks)
            space = "1 dimension" if ranks == (1,) else f"{'1, 2 or ' * (len(ranks) > 1)}{ranks[-1]} dimensions"
            raise errors.wrong_shape(
                self, "x", layouts, shape, f"It takes the batch, the channels, and {space} of space."
            )
        if 0 in shape[1:]:
            raise errors.wrong_shape(self, "x", LAYOUTS[rank], shape, "Only the batch may be empty.")
        wanted = self._each(shape, self.size if self.scale_factor is None else self.scale_factor)
        taps = {}
        for axis, part in zip(range(-rank, 0), wanted, strict=True):
            size = shape[axis]
            outputs = int(part) if self.scale_factor is None else int(size * float(part))
            if outputs < 1:
                raise errors.LinkShapeError(
                    f"{self!r}: expected x so large that the output is not empty, got shape {shape}. "
                    "Take a larger scale_factor."
                )
            by_sizes = self.scale_factor is None or self.recompute_scale_factor or self.mode == "area"
            step = size / outputs if by_sizes else 1 / float(part)
            weights = [
                (outs, ins, weight.astype(dtype)) for outs, ins, weight in self._along(size, outputs, step, rank)
            ]
            taps[axis] = (outputs, weights)
        return taps

    def _along(self, size: int, outputs: int, step: float, rank: int) -> Taps:
        i = np.arange(outputs)
        if self.mode == "area":
            share = 1 / np.subtract(*reversed(windows.adaptive_bounds(size, outputs)))
            return [(outs, ins, share[outs]) for outs, ins in windows.adaptive(size, outputs)]
        if self.mode not in BETWEEN:
            return [(slice(None), self._nearest(i, size, step, rank), np.ones(1))]
        if outputs == size and self.mode != "bicubic":  # even if scale_factor is not quite 1, as PyTorch
            return [(slice(None), i, np.ones(1))]
        if self.align_corners:
            place = i * ((size - 1) / (outputs - 1) if outputs > 1 else 0.0)
        else:
            place = (i + 0.5) * step - 0.5
        return _cubic(place, size) if self.mode == "bicubic" else _linear(place, size)

    def _nearest(self, i: Array, size: int, step: float, rank: int) -> Array:
        """The input that PyTorch takes: it computes in float32 for any dtype, and knows two short cuts for images."""
        if self.mode == "nearest" and rank > 1 and len(i) in (size, 2 * size):
            return i * size // len(i)
        half = np.float32(0.5 if self.mode == "nearest-exact" else 0)
        place = np.floor((i.astype(np.float32) + half) * np.float32(step))
        return np.minimum(place.astype(np.int64), size - 1)

    def _each(self, shape: tuple[int, ...], given: Any) -> tuple[Any, ...]:
        """One for each dimension of space."""
        rank = len(shape) - 2
        parts = _parts(given)
        if isinstance(given, Sequence) and len(parts) != rank:
            layout = LAYOUTS.get(len(parts), f"(N, C) and {len(parts)} dimensions of space")
            raise errors.wrong_shape(self, "x", layout, shape, "One is given for each dimension of space.")
        return parts if len(parts) == rank else parts * rank


class UpsamplingNearest2d(Upsample):
    """Upsample with mode='nearest', for images: y[i, j] = x[⌊i s⌋, ⌊j s⌋]; dx = Σ dy over the copies.

    Parameters
    ----------
    size : int or tuple of int, optional
        (H', W'), or one for both.
    scale_factor : float or tuple of float, optional
        In the place of size.

    Notes
    -----
    x: (N, C, H, W) → y: (N, C, H', W').

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.UpsamplingNearest2d(scale_factor=2)(np.array([[[[1.0, 2.0]]]]))
    array([[[[1., 1., 2., 2.],
             [1., 1., 2., 2.]]]])
    """

    def __init__(self, size: Size = None, scale_factor: Scale = None) -> None:
        super().__init__(size, scale_factor)


class UpsamplingBilinear2d(Upsample):
    """Upsample with mode='bilinear' and align_corners=True.

    Along each axis yᵢ = Σⱼ wᵢⱼ xⱼ, dxⱼ = Σᵢ wᵢⱼ dyᵢ.

    Parameters
    ----------
    size : int or tuple of int, optional
        (H', W'), or one for both.
    scale_factor : float or tuple of float, optional
        In the place of size.

    Notes
    -----
    x: (N, C, H, W) → y: (N, C, H', W').

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.UpsamplingBilinear2d((1, 3))(np.array([[[[1.0, 2.0]]]]))
    array([[[[1. , 1.5, 2. ]]]])
    """

    def __init__(self, size: Size = None, scale_factor: Scale = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


def _parts(given: Any) -> tuple[Any, ...]:
    if given is None:
        return ()
    return tuple(given) if arguments.is_sequence(given) else (given,)


def _linear(place: Array, size: int) -> Taps:
    """The neighbours, weighed by 1 − their distance; beyond the ends the end."""
    place = np.clip(place, 0, size - 1)
    left = place.astype(np.int64)
    right = np.minimum(left + 1, size - 1)
    return [(slice(None), left, 1 - (place - left)), (slice(None), right, place - left)]


def _cubic(place: Array, size: int) -> Taps:
    """The two neighbours on either side, weighed by a cubic of their distance; beyond the ends the end."""
    left = np.floor(place).astype(np.int64)
    taps: Taps = []
    for k in range(-1, 3):
        d = np.abs(place - (left + k))
        near = ((SHARPNESS + 2) * d - (SHARPNESS + 3)) * d * d + 1
        far = SHARPNESS * (((d - 5) * d + 8) * d - 4)
        taps.append((slice(None), np.clip(left + k, 0, size - 1), np.where(d <= 1, near, far)))
    return taps
