"""Wrong calls of a sweep: each ends with an error that says what was expected, before or in the first training."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import uniform

import maillon as m
from maillon.sweeping.sweep import sweep
from tests.sweeping.conftest import Data
from tests.sweeping.networks import classifier

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"build": 3}, TypeError, "expected build to be a function that makes a network, got 3."),
    ({"space": 3}, TypeError, "expected space to be a dict of lists"),
    ({"space": []}, ValueError, "the list of settings is empty"),
    ({"space": {"width": []}}, ValueError, r"space\['width'\] is empty"),
    ({"space": {"width": 3}}, TypeError, r"expected space\['width'\] to be a list, .* as \[value\]"),
    ({"space": {"widht": [3]}}, ValueError, "'widht' is no argument of build, .* Did you mean 'width'"),
    ({"space": {"epochs": [3]}}, ValueError, "the same for all trainings: give it to sweep"),
    ({"space": {"generator": [3]}}, ValueError, "Sweep over seed"),
    ({"space": {"width": uniform(0, 1)}}, ValueError, "expected n, how many settings to draw: width"),
    ({"space": {"momentum": [0.1]}}, ValueError, "'momentum' is no argument of build"),
    ({"loss": None}, TypeError, "expected loss to be a loss such as CrossEntropyLoss"),
    ({"keep": -1}, ValueError, "keep"),
    ({"time_limit": 0}, ValueError, "expected time_limit to be seconds > 0"),
    ({"error_score": "skip"}, ValueError, "expected error_score to be 'raise' or a number"),
    ({"validate": "often"}, ValueError, "expected validate to be"),
    ({"mode": "best"}, ValueError, "expected mode 'min', 'max' or None"),
    ({"monitor": "val_loss"}, ValueError, "Columns with val_ need validation data"),
    ({"monitor": "val_los", "cv": 3}, ValueError, "Did you mean 'val_loss'"),
    ({"metrics": "acuracy"}, ValueError, "Did you mean 'accuracy'"),
    ({"halving": 1}, ValueError, "factor"),
    ({"halving": "yes"}, TypeError, "expected halving to be a factor"),
    ({"halving": m.Halving(3, min_epochs=99)}, ValueError, "the first rung of halving, min_epochs=99"),
    ({"validation_split": 1.5}, ValueError, "expected validation_split in"),
    ({"validation_split": 0.1, "cv": 3}, ValueError, "one of validation_data, validation_split and cv"),
    ({"cv": 1}, ValueError, "expected cv to be folds from 2 to 90"),
    ({"cv": "5"}, TypeError, "expected cv to be a number of folds"),
    ({"cv": [([0, 1], [200])]}, ValueError, "numbers of rows from 0 to 89"),
    ({"bach_size": 3}, TypeError, "Did you mean 'batch_size'"),
    ({"validation_data": (np.zeros(3),)}, TypeError, r"expected validation_data to be \(x, y\) or"),
    ({"validation_data": np.zeros((3, 4))}, TypeError, r"expected validation_data to be \(x, y\) or"),
    ({"validation_data": (np.zeros((9, 3)), np.zeros(9, int))}, ValueError, "take validation_data x of shape"),
    ({"validation_data": (np.zeros((9, 4)), np.full(9, 3))}, ValueError, "take validation_data y of shape"),
    ({"n": 0}, ValueError, "expected n to be an integer ≥ 1"),
    ({"seed": -1}, ValueError, "expected seed to be an integer ≥ 0"),
    ({"space": {"seed": [1.5]}}, ValueError, "expected seed to be an integer, got 1.5"),
    ({"y": None}, TypeError, "expected y beside x, got none"),
    ({"callbacks": None}, TypeError, "expected each callback to be a Callback"),
    ({"checkpoint": "a"}, TypeError, "an option of fit"),
    ({"rule": m.Adam(m.Linear(1, 1).parameters())}, ValueError, "a rule of its own"),
    ({"rule": m.SGD(lr=0.1), "space": {"amsgrad": [True]}}, ValueError, "'amsgrad' is no argument"),
    ({"space": [{"rule": m.SGD(lr=0.1), "momentum": 0.1}]}, ValueError, "'momentum' is no argument of build"),
    ({"n_jobs": 0}, ValueError, "expected n_jobs to be a number of workers"),
    ({"sampler": 3, "n": 3}, TypeError, "expected sampler to be one of optuna.samplers"),
    ({"sampler": 3}, ValueError, "expected n, how many trainings"),
    ({"sampler": 3, "n": 3, "space": [{}]}, TypeError, "a dict of names for a sampler"),
    ({"build": lambda width: 3}, TypeError, "expected build to return a Module, got 3"),
    ({"build": lambda width, other: classifier(width)}, ValueError, "build needs other"),
    ({"build": lambda lr: classifier(), "space": {"lr": [0.1]}}, ValueError, "an argument of build and the rule's"),
    ({"build": lambda seed: classifier(), "space": {"seed": [1]}}, ValueError, "an argument of build and the sweep's"),
    ({"build": lambda batch_size: classifier(), "space": {"batch_size": [1]}}, ValueError, "of build and fit's"),
    ({"y": np.zeros(3)}, ValueError, "as many rows in y as in x"),
    ({"x": np.full((90, 4), np.nan)}, ValueError, "NaN or infinite"),
    ({"space": {"width": [3], "batch_size": [-1]}}, ValueError, "batch_size"),
]


@pytest.mark.parametrize(("given", "kind", "message"), WRONG, ids=[f"{n}: {w[2][:40]}" for n, w in enumerate(WRONG)])
def test_wrong_calls(classes: Data, given: dict[str, Any], kind: type[Exception], message: str) -> None:
    call: dict[str, Any] = {"build": classifier, "space": {"width": [3]}, "x": classes[0], "y": classes[1]}
    call |= {"loss": m.CrossEntropyLoss()} | given
    with pytest.raises(kind, match=message):
        sweep(**call)
