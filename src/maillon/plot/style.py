"""The look of every figure: one palette that colour-blind readers can tell apart, one set of rules.

Source: M. Okabe and K. Ito, *Color Universal Design* (2008).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#7A7A7A"

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK, YELLOW)
"""The order in which series are drawn."""

MARKERS = "os^DvPX*"
"""Beside the colours, for readers who cannot tell them apart."""

STYLE: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.edgecolor": "#444444",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
}
"""matplotlib's settings for the library's figures."""


@contextmanager
def use() -> Iterator[None]:
    """Inside this context matplotlib draws in the library's style, with its colours in their order.

    Only these settings are put back afterwards. The first figure in a notebook makes matplotlib choose how it shows
    figures, and that must stay.
    """
    import matplotlib
    from cycler import cycler

    settings: Any = {**STYLE, "axes.prop_cycle": cycler(color=list(COLOURS))}
    before = {name: matplotlib.rcParams[name] for name in settings}
    matplotlib.rcParams.update(settings)
    try:
        yield
    finally:
        matplotlib.rcParams.update(before)


@dataclass(frozen=True)
class Look:
    """The colours of a diagram: of texts, arrows and frames, and of each kind of box its face and its edge."""

    text: str
    note: str
    frame: str
    forward: str
    backward: str
    boxes: Mapping[str, tuple[str, str]]


LIGHT = Look(
    text="#1A1A1A",
    note="#555555",
    frame="#8A8A8A",
    forward=BLUE,
    backward=VERMILION,
    boxes={
        "input": ("#F4F4F4", GREY),
        "output": ("#F4F4F4", GREY),
        "link": ("#EEF5FA", BLUE),
        "joint": ("#E9F6F1", GREEN),
        "loss": ("#FCF1EA", VERMILION),
    },
)
DARK = Look(
    text="#F2F2F2",
    note="#BDBDBD",
    frame="#8A8A8A",
    forward=SKY,
    backward=ORANGE,
    boxes={
        "input": ("#333333", "#A5A5A5"),
        "output": ("#333333", "#A5A5A5"),
        "link": ("#12303F", SKY),
        "joint": ("#0C332A", GREEN),
        "loss": ("#3F2413", ORANGE),
    },
)
_HALF = 0.5


def look(ax: Axes) -> Look:
    """The colours that are seen on this figure, light or dark."""
    from matplotlib.colors import to_rgba

    red, green, blue, opacity = to_rgba(ax.figure.get_facecolor())
    brightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return DARK if opacity * brightness + (1 - opacity) < _HALF else LIGHT
