"""The figures of a sweep: a panel for each setting, lines through all of them, learning curves."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import maillon as m
from maillon.plot import sweep, sweep_curves, sweep_parallel

X = np.linspace(-1, 1, 40)[:, None]


def build(width: int, activation: type[m.Module]) -> m.Sequential:
    return m.Sequential(m.Linear(1, width), activation(), m.Linear(width, 1))


def result(**options: Any) -> m.Sweep:
    space = {"width": [2, 3, 30], "activation": [m.Tanh, m.ReLU], "lr": [1e-4, 1e-2, 1e-1]}
    return m.sweep(build, space, X, X**2, loss=m.MSELoss(), epochs=9, validation_split=0.3, **options)


def test_a_panel_for_each_setting() -> None:
    found = result(halving=3)
    panels = sweep(found)
    assert [panel.get_xlabel() for panel in panels] == ["width", "activation", "lr"]
    assert panels[0].get_ylabel() == "val loss"
    assert panels[2].get_xscale() == "log" and panels[0].get_xscale() == "linear"
    assert [tick.get_text() for tick in panels[1].get_xticklabels()] == ["ReLU", "Tanh"]
    stopped, trained, best = (line.get_ydata() for line in panels[0].lines)
    assert len(stopped) + len(trained) == 18 and len(trained) == sum(trial.state == "done" for trial in found)
    assert list(best) == [found.best.score]
    legend = panels[0].figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["stopped", "trained to the end", "best"]


def test_few_numbers_on_a_logarithmic_axis_are_named_one_by_one() -> None:
    space = {"width": [1, 2, 4, 8, 16, 64], "activation": [m.Tanh], "lr": [10.0**-n for n in range(1, 8)]}
    wide, rates = sweep(m.sweep(build, space, X, X**2, loss=m.MSELoss(), n=40, epochs=1))
    wide.figure.canvas.draw()
    assert wide.get_xscale() == rates.get_xscale() == "log"
    assert [tick.get_text() for tick in wide.get_xticklabels(which="both")] == ["1", "2", "4", "8", "16", "64"]
    assert "10^{-3}" in "".join(tick.get_text() for tick in rates.get_xticklabels())


def test_few_numbers_on_a_linear_axis_are_named_where_they_have_room() -> None:
    space = {"width": [1, 4, 8], "activation": [m.Tanh], "lr": [0.1, 0.11, 0.5]}
    wide, rates = sweep(m.sweep(build, space, X, X**2, loss=m.MSELoss(), epochs=1))
    wide.figure.canvas.draw()
    assert wide.get_xscale() == rates.get_xscale() == "linear"
    assert [tick.get_text() for tick in wide.get_xticklabels()] == ["1", "4", "8"]
    assert "0.11" not in [tick.get_text() for tick in rates.get_xticklabels()]


def test_one_setting_and_axes_given() -> None:
    found = result()
    (panel,) = sweep(found, "lr", ax=Figure().add_subplot())
    assert len(panel.lines[0].get_xdata()) == 18 and panel.get_legend() is not None
    axes = list(Figure().subplots(1, 3))
    assert sweep(found, ax=axes) == axes
    with pytest.raises(ValueError, match="expected 3 axes, one for each setting, got 2"):
        sweep(found, ax=axes[:2])
    with pytest.raises(ValueError, match="expected 3 axes, one for each setting, got one"):
        sweep(found, ax=axes[0])
    with pytest.raises(ValueError, match="Did you mean 'width'"):
        sweep(found, "widht")


def test_lines_through_all_settings() -> None:
    found = result()
    ax = sweep_parallel(found, Figure().add_subplot())
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["width", "activation", "lr", "val loss"]
    best = max((line for line in ax.lines if len(line.get_xdata()) == 4), key=lambda line: line.get_linewidth())
    assert best.get_ydata()[-1] == 0  # the least loss
    assert {text.get_text() for text in ax.texts} >= {"2", "3", "30", "Tanh", "ReLU", "0.0001", "0.01", "0.1"}


def test_learning_curves() -> None:
    found = result()
    ax = sweep_curves(found, best=5, ax=Figure().add_subplot())
    assert len(ax.lines) == 5 and ax.get_ylabel() == "loss"
    assert list(ax.lines[-1].get_ydata()) == found.best.history["loss"]
    each = result(validate="epoch")
    assert sweep_curves(each, ax=Figure().add_subplot()).get_ylabel() == "val loss"
    with pytest.raises(KeyError, match="val_los"):
        sweep_curves(each, "val_los", ax=Figure().add_subplot())


def test_nothing_to_draw() -> None:
    found = m.sweep(build, [{"width": 3, "activation": m.ReLU}], X, X, loss=m.MSELoss(), epochs=10**7, time_limit=0.05)
    for draw in (sweep, sweep_parallel, sweep_curves):
        with pytest.raises(ValueError, match="none of its trainings has come to one"):
            draw(found)
