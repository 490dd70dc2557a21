"""Pictures of what the links for images and sequences do to a small one, and where its gradients go."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import maillon as m
from reference.pictures.style import cells, figure

Made = tuple[Callable[[], Figure], str]
EDGES = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
"""A kernel that answers to edges from left to right (Sobel's)."""


@cache
def digit() -> Any:
    """An 8 × 8 digit of scikit-learn's, values 0 to 16: a three."""
    return load_digits().images[3]


def image(size: int = 8) -> Any:
    """The digit, or a part of it."""
    first = (8 - size) // 2
    return digit()[None, None, first : first + size, first : first + size]


def row(size: int = 8) -> Any:
    return digit()[3, :size][None, None] + np.arange(size)


@dataclass
class Shown:
    """Panels of one picture: titles with arrays, and which numbers of each have a border."""

    panels: list[tuple[str, Any, Any]]

    def draw(self) -> Figure:
        wide = [np.atleast_2d(array).shape for _, array, _ in self.panels]
        tall = max(shape[0] for shape in wide)
        flat = tall <= 2
        if flat:
            made = Figure(figsize=(7.0, 0.95 * len(self.panels)), layout="constrained", facecolor="white")
            axes = made.subplots(len(self.panels), 1)
        else:
            made, axes = figure(2.9 * len(self.panels), 3.1, len(self.panels))
        for ax, (title, array, mark) in zip(np.atleast_1d(axes), self.panels, strict=True):
            cells(ax, array, title, mark)
        return made


def _shape(array: Any) -> str:
    return " × ".join(map(str, np.atleast_2d(array).shape)) if np.ndim(array) > 1 else f"{len(array)} numbers"


def passed(link: Any, x: Any, more: tuple[Any, ...] = (), extra: list[tuple[str, Any, Any]] | None = None) -> Shown:
    """What goes in, what comes out, and the gradient that goes back for dy = 1 everywhere."""
    y = link(x, *more)
    dx = link.backward(np.ones_like(y))
    dx = dx[0] if isinstance(dx, tuple) else dx
    plain, out, back = (np.asarray(array)[0, 0] for array in (x, y, dx))
    return Shown([
        (f"x, {_shape(plain)}", plain, None),
        *(extra or []),
        (f"y, {_shape(out)}", out, _added(link, y)),
        ("dx for dy = 1", back, None),
    ])  # fmt: skip


def _added(link: Any, y: Any) -> Any:
    """Which values a padding has added."""
    if not hasattr(link, "padding") or "Pad" not in type(link).__name__:
        return None
    sides = (link.padding,) * 4 if isinstance(link.padding, int) else tuple(link.padding)
    mark = np.ones(np.asarray(y)[0, 0].shape, bool)
    within = tuple(
        slice(sides[2 * axis], mark.shape[mark.ndim - 1 - axis] - sides[2 * axis + 1]) for axis in range(mark.ndim)
    )
    mark[tuple(reversed(within))] = False
    return mark


def _convolution(transposed: bool, dims: int) -> Shown:
    kernel = EDGES if dims == 2 else EDGES[1]
    kind = getattr(m, f"Conv{'Transpose' if transposed else ''}{dims}d")
    link = kind(1, 1, 3, stride=2 if transposed else 1, padding=0 if transposed else 1, bias=False, dtype="float64")
    if transposed:
        kernel = np.ones(kernel.shape)
    link.weight.data[0, 0] = kernel
    x = (image(4) if transposed else image()) if dims == 2 else (row(4) if transposed else row())
    return passed(link, x, extra=[(f"kernel, {_shape(kernel)}", kernel, None)])


def _unpooled(dims: int) -> Shown:
    pool = getattr(m, f"MaxPool{dims}d")(2, return_indices=True)
    y, indices = pool(image(4) if dims == 2 else row())
    return passed(getattr(m, f"MaxUnpool{dims}d")(2), y, (indices,))


def _shuffled(back: bool) -> Shown:
    channels = np.array([[[10 * c + 2 * i + j for j in range(2)] for i in range(2)] for c in range(1, 5)], float)[None]
    shuffle = m.PixelShuffle(2)
    whole = shuffle(channels)
    panels = [(f"channel {c}", channels[0, c], None) for c in range(4)]
    one = [("one channel, 4 × 4", whole[0, 0], None)]
    if back:
        again = m.PixelUnshuffle(2)(whole)
        return Shown([*one, *[(f"channel {c}", again[0, c], None) for c in range(4)]])
    return Shown([*panels, *one])


def _folded(back: bool) -> Shown:
    x = np.arange(1.0, 17).reshape(1, 1, 4, 4)
    columns = m.Unfold(2, stride=2)(x) if not back else m.Unfold(3)(x)
    if not back:
        return Shown([("x, 4 × 4", x[0, 0], None), ("y: a window of 2 × 2 in each column", columns[0], None)])
    whole = m.Fold((4, 4), 3)(columns)
    return Shown(
        [("x: a window of 3 × 3 in each column", columns[0], None), ("y: added up where they were", whole[0, 0], None)]
    )


def pictures() -> dict[str, Made]:
    """The picture of each link, and what it shows in words."""
    made: dict[str, tuple[Callable[[], Shown], str]] = {}
    for dims, x, what in ((1, row, "a row of 8 numbers"), (2, image, "an 8 × 8 image of the digit 3")):
        for name, link in _usual(dims).items():
            size = 6 if "Pad" in name and dims == 2 else 4 if "Up" in name else 8
            shown = what if size == 8 else f"{size} × {size} numbers from the middle of a digit"
            made[name] = (lambda link=link, x=x, size=size: passed(link, x(size)), f"{link!r} of {shown}")
        made[f"Conv{dims}d"] = (
            lambda dims=dims: _convolution(False, dims),
            f"Conv{dims}d(1, 1, 3, padding=1) of {what}, with a kernel that finds "
            + ("vertical edges" if dims == 2 else "steps"),
        )
        made[f"ConvTranspose{dims}d"] = (
            lambda dims=dims: _convolution(True, dims),
            f"ConvTranspose{dims}d(1, 1, 3, stride=2) of a smaller one, with a kernel of ones",
        )
        made[f"MaxUnpool{dims}d"] = (
            lambda dims=dims: _unpooled(dims),
            f"MaxUnpool{dims}d(2) of what MaxPool{dims}d(2) left: the greatest values, back where they were",
        )
    made["PixelShuffle"] = (lambda: _shuffled(False), "PixelShuffle(2): four channels of 2 × 2 become one of 4 × 4")
    made["PixelUnshuffle"] = (lambda: _shuffled(True), "PixelUnshuffle(2): one channel of 4 × 4 becomes four of 2 × 2")
    made["Unfold"] = (lambda: _folded(False), "Unfold(2, stride=2) of a 4 × 4 image: each window is a column")
    made["Fold"] = (lambda: _folded(True), "Fold((4, 4), 3) of the columns of Unfold(3): what overlaps is added up")
    return {name: (lambda show=show: show().draw(), f"{text}{_gradient(name)}.") for name, (show, text) in made.items()}


def _gradient(name: str) -> str:
    """What the last panel shows, of those that show a gradient."""
    without = ("PixelShuffle", "PixelUnshuffle", "Fold", "Unfold")
    return "" if name in without else "; last, the gradient that goes back for dy = 1 everywhere"


def _usual(dims: int) -> dict[str, Any]:
    """Links of one input and no weights, by name."""
    sides = 2 if dims == 1 else (2, 1, 1, 2)
    made: dict[str, Any] = {
        "MaxPool": getattr(m, f"MaxPool{dims}d")(2),
        "AvgPool": getattr(m, f"AvgPool{dims}d")(2),
        "AdaptiveMaxPool": getattr(m, f"AdaptiveMaxPool{dims}d")(3),
        "AdaptiveAvgPool": getattr(m, f"AdaptiveAvgPool{dims}d")(3),
        "ConstantPad": getattr(m, f"ConstantPad{dims}d")(sides, 9.0),
    }
    for kind in ("Zero", "Reflection", "Replication", "Circular"):
        made[f"{kind}Pad"] = getattr(m, f"{kind}Pad{dims}d")(sides)
    named = {f"{name}{dims}d": link for name, link in made.items()}
    if dims == 2:
        named["Upsample"] = m.Upsample(scale_factor=2, mode="bilinear")
        named["UpsamplingNearest2d"] = m.UpsamplingNearest2d(scale_factor=2)
        named["UpsamplingBilinear2d"] = m.UpsamplingBilinear2d(scale_factor=2)
    return named
