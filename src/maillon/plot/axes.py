"""What every figure needs: axes to draw on, and a model's values on a grid of points."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from maillon.nn import Module
from maillon.plot.style import use
from maillon.train.predict import predict
from maillon.typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Model: TypeAlias = Module | Callable[[Array], Array]


def axes(ax: Axes | None, figsize: tuple[float, float] | None = None) -> Axes:
    """`ax` itself, or the axes of a new pyplot figure in the library's style."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    with use():
        return pyplot.subplots(figsize=figsize, layout="constrained")[1]


def values(model: Model, points: Array) -> Array:
    """The model's outputs at `points`; a network is asked through `predict`, which keeps nothing."""
    if isinstance(model, Module):
        outputs: Array = predict(model, points)
        return outputs
    return model(points)
