"""What a sweep has found: scores against settings, all settings side by side, learning curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maillon.messages import unknown_name
from maillon.plot.axes import axes
from maillon.plot.style import BLUE, GREY, VERMILION, use
from maillon.sweeping.result import Sweep, Trial
from maillon.sweeping.space import worded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DECADES = 1.5  # positive numbers over so many are drawn on a logarithmic axis
_MOST_NAMES = 12  # characters of a value on an axis
_MOST_TICKS = 6  # numbers that are named one by one on their axis
_CLOSE = 0.12  # of a linear axis: numbers nearer to one another are not named, their names would touch
_FEW = 4  # values that are named one by one
_PANEL = 2.4  # inches


def sweep(result: Sweep, setting: str | None = None, ax: Axes | Sequence[Axes] | None = None) -> list[Axes]:
    """Draw the score of each training against its settings, one panel each.

    Trainings that were stopped early are drawn hollow, the best one as a star.

    Parameters
    ----------
    result : Sweep
        What `maillon.sweep` returns.
    setting : str, optional
        One setting alone; by default all that vary.
    ax : Axes or sequence of them, optional
        Where to draw, one for each setting; None makes a new figure.

    Returns
    -------
    list of Axes
        The panels.

    Raises
    ------
    ValueError
        For a setting that the sweep does not have, or without any score.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> from matplotlib.figure import Figure
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> result = maillon.sweep(lambda: maillon.Linear(1, 1), {"lr": [0.01, 0.1]}, x, x, loss=maillon.MSELoss())
    >>> [panel.get_xlabel() for panel in sweep(result, ax=Figure().add_subplot())]
    ['lr']
    """
    trials = _scored(result)
    names = _varying(trials) if setting is None else [setting]
    known = list(dict.fromkeys(name for trial in trials for name in trial.settings))
    if unknown := [name for name in names if name not in known]:
        raise ValueError(unknown_name("plot.sweep", "a setting", unknown[0], known))
    panels = _panels(ax, len(names))
    for panel, name in zip(panels, names, strict=True):
        _panel(panel, trials, name, result.best)
        panel.set(xlabel=name)
    panels[0].set_ylabel(result.monitor.replace("_", " "))
    handles, labels = panels[-1].get_legend_handles_labels()
    if len(labels) > 1 and ax is None and len(panels) > 1:
        panels[0].figure.legend(handles, labels, loc="outside upper center", ncols=3)
    elif len(labels) > 1:
        panels[-1].legend(handles, labels, frameon=True, framealpha=0.85, edgecolor="none")
    return panels


def _scored(result: Sweep) -> list[Trial]:
    trials = result.ranking
    if not trials:
        raise ValueError("plot.sweep: expected a sweep with a score, and none of its trainings has come to one.")
    return trials


def _varying(trials: Sequence[Trial]) -> list[str]:
    """The settings with more than one value; all of them where none varies."""
    names = dict.fromkeys(name for trial in trials for name in trial.settings if name != "seed")
    varying = [name for name in names if len({_key(trial.settings.get(name)) for trial in trials}) > 1]
    return varying or list(names) or ["seed"]


def _key(value: Any) -> Any:
    return value if isinstance(value, int | float | None) else worded(value)


def _panels(ax: Axes | Sequence[Axes] | None, count: int) -> list[Axes]:
    if isinstance(ax, Sequence):
        if len(ax) != count:
            raise ValueError(f"plot.sweep: expected {count} axes, one for each setting, got {len(ax)}.")
        return list(ax)
    if ax is not None or count == 1:
        if count > 1:
            raise ValueError(f"plot.sweep: expected {count} axes, one for each setting, got one. Name a setting.")
        return [axes(ax)]
    import matplotlib.pyplot as plt

    columns = min(count, 5)
    rows = math.ceil(count / columns)
    size = (_PANEL * columns + 0.6, _PANEL * rows)
    with use():
        grid = plt.subplots(rows, columns, sharey=True, squeeze=False, figsize=size, layout="constrained")[1]
    flat = list(grid.flat)
    for empty in flat[count:]:
        empty.set_visible(False)
    return flat[:count]


def _panel(ax: Axes, trials: Sequence[Trial], name: str, best: Trial) -> None:
    places = _placed(ax, "x", [trial.settings.get(name) for trial in trials])
    scores = np.array([trial.score for trial in trials])
    stopped = np.array([trial.state != "done" for trial in trials])
    if stopped.any():
        ax.plot(places[stopped], scores[stopped], "o", color=GREY, fillstyle="none", markersize=3.5, label="stopped")
    ax.plot(places[~stopped], scores[~stopped], "o", color=BLUE, markersize=3.5, alpha=0.7, label="trained to the end")
    at = next(place for place, trial in enumerate(trials) if trial is best)
    ax.plot(places[at], best.score, "*", color=VERMILION, markersize=11, markeredgecolor="white", label="best")


def _placed(ax: Axes, which: str, values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Where the values stand on an axis: numbers as such, on a logarithmic one over decades; others one by one."""
    axis = getattr(ax, f"{which}axis")
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        numbers = np.array(values, float)
        tried = np.unique(numbers)
        apart = float(np.diff(tried).min(initial=np.inf))
        if numbers.min() > 0 and np.log10(numbers.max() / numbers.min()) > _DECADES:
            getattr(ax, f"set_{which}scale")("log")
            apart = np.inf
        if 1 < len(tried) <= _MOST_TICKS and apart > _CLOSE * (tried[-1] - tried[0]):
            axis.set_ticks(tried, [f"{number:g}" for number in tried])
            axis.set_ticks([], minor=True)
        return numbers
    kinds, places = _kinds(values)
    axis.set_ticks(range(len(kinds)), kinds)
    getattr(ax, f"set_{which}lim")(-0.5, len(kinds) - 0.5)
    return places


def _kinds(values: Sequence[Any]) -> tuple[list[str], np.ndarray[Any, Any]]:
    """The different values in words, and which of them each is."""
    keys = list(dict.fromkeys(_key(value) for value in values))
    keys.sort(key=lambda key: (isinstance(key, str), str(type(key)), key if isinstance(key, int | float) else str(key)))
    texts = [str(key) for key in keys]
    shown = [text if len(text) <= _MOST_NAMES else f"{text[: _MOST_NAMES - 1]}…" for text in texts]
    return shown, np.array([keys.index(_key(value)) for value in values], float)


def sweep_parallel(result: Sweep, ax: Axes | None = None) -> Axes:
    """Draw every training as a line through its settings to its score, good ones dark.

    Parameters
    ----------
    result : Sweep
        What `maillon.sweep` returns.
    ax : Axes, optional
        Where to draw; None makes a new figure.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    ValueError
        Without any score.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> from matplotlib.figure import Figure
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> result = maillon.sweep(lambda: maillon.Linear(1, 1), {"lr": [0.01, 0.1]}, x, x, loss=maillon.MSELoss())
    >>> len(sweep_parallel(result, Figure().add_subplot()).lines)
    4
    """
    import matplotlib as mpl

    trials = _scored(result)
    names = _varying(trials)
    ax = axes(ax)
    columns = [_scaled([trial.settings.get(name) for trial in trials]) for name in names]
    scores = [trial.score for trial in trials]
    columns.append(_scaled(scores))
    colours = mpl.colormaps["cividis"](np.linspace(0, 0.85, len(trials)))
    lines = np.stack([places for places, _ in columns], axis=1)
    for rank in reversed(range(len(trials))):  # the best on top
        ax.plot(lines[rank], color=colours[rank], linewidth=2.4 if rank == 0 else 0.9, alpha=1 if rank == 0 else 0.55)
    for column, (_, ticks) in enumerate(columns):
        ax.axvline(column, color="#444444", linewidth=0.8)
        for place, text in ticks:
            ax.annotate(
                text, (column, place), (4, 0), textcoords="offset points", va="center", fontsize=7,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
            )  # fmt: skip
    ax.set_xticks(range(len(columns)), [*names, result.monitor.replace("_", " ")])
    ax.set(yticks=[], xlim=(-0.1, len(columns) - 1 + 0.35))
    ax.grid(False)
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_visible(False)
    return ax


def _scaled(values: Sequence[Any]) -> tuple[np.ndarray[Any, Any], list[tuple[float, str]]]:
    """Places from 0 to 1, and what stands beside some of them."""
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        kinds, places = _kinds(values)
        most = max(1, len(kinds) - 1)
        return places / most, [(place / most, kind) for place, kind in enumerate(kinds)]
    numbers = np.array(values, float)
    low, high = numbers.min(), numbers.max()
    logarithmic = low > 0 and np.log10(high / low) > _DECADES
    seen = np.log10(numbers) if logarithmic else numbers
    width = float(np.ptp(seen)) or 1.0
    shown = np.linspace(seen.min(), seen.max(), _FEW if np.ptp(seen) else 1)
    if len(np.unique(numbers)) <= _FEW:
        shown = np.unique(seen)
    ticks = [((at - seen.min()) / width, f"{10**at if logarithmic else at:.3g}") for at in shown]
    return (seen - seen.min()) / width, ticks


def sweep_curves(result: Sweep, column: str | None = None, best: int = 20, ax: Axes | None = None) -> Axes:
    """Draw the learning curves of the best trainings, the best one thick.

    Parameters
    ----------
    result : Sweep
        What `maillon.sweep` returns.
    column : str, optional
        A column of the histories; by default what the sweep looks at where the histories have it (validate="epoch"),
        else the loss of the training.
    best : int
        How many trainings.
    ax : Axes, optional
        Where to draw; None makes a new figure.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    KeyError
        When the histories have no such column.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> from matplotlib.figure import Figure
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> result = maillon.sweep(lambda: maillon.Linear(1, 1), {"lr": [0.01, 0.1]}, x, x, loss=maillon.MSELoss())
    >>> sweep_curves(result, ax=Figure().add_subplot()).get_ylabel()
    'loss'
    """
    trials = _scored(result)[:best]
    name = column or (result.monitor if result.monitor in trials[0].history else "loss")
    ax = axes(ax)
    for rank, trial in reversed(list(enumerate(trials))):
        values = trial.history[name]
        style: dict[str, Any] = {"color": VERMILION, "linewidth": 2.0, "label": f"best ({trial.number})"}
        if rank:
            style = {"color": BLUE, "linewidth": 0.8, "alpha": 0.5, "label": "others" if rank == 1 else None}
        ax.plot(range(1, len(values) + 1), values, **style)
    flat = np.concatenate([trial.history[name] for trial in trials])
    if flat.min() > 0 and np.log10(flat.max() / flat.min()) > _DECADES:
        ax.set_yscale("log")
    if len(trials) > 1:
        ax.legend()
    ax.locator_params(axis="x", integer=True)
    ax.set(xlabel="epoch", ylabel=name.replace("_", " "))
    return ax
