"""What the estimators of tables are given that they cannot learn from, or only just."""

import dataclasses
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from small_tables import BOTH, LABELS, X, Y, fitted, quick

import maillon as m
from maillon import tracebacks
from maillon.sklearn import TabularClassifier, TabularRegressor, members, recipe


@BOTH
@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        (X[:0], Y[:0], "Found array with 0 sample(s) (shape=(0, 5)) while a minimum of 1 is required by Tabular"),
        (X[[]], Y, "Found array with 0 feature(s) (shape=(120, 0)) while a minimum of 1 is required by Tabular"),
        (X, Y[:5], "Found input variables with inconsistent numbers of samples: [120, 5]"),
        (X, None, "requires y to be passed, but the target y is None"),
        (X, np.where(Y > 1, np.nan, Y > 0), "Input y contains NaN"),
        (X, np.where(Y > 1, np.inf, Y > 0), "Input y contains infinity"),
        (X["number"], Y, "Expected a 2-dimensional container but got"),
        (np.zeros(3), Y[:3], "Expected 2D array, got 1D array instead"),
        (np.zeros((1, 3, 2)), Y[:1], "Found array with dim 3"),
        (np.zeros((3, 2)) * 1j, Y[:3], "Complex data not supported"),
        (X.assign(number=np.inf), Y, "Input X contains infinity: column 'number', row 0"),
        (X[["number", "flag", "flag"]], Y, "expected columns of different names, got 'flag' 2 times. Rename"),
        (X.assign(when=pd.Timestamp("2020")), Y, "column 'when' holds dates or times"),
        (pl.LazyFrame({"a": [1]}), Y[:1], "expected a DataFrame, got a LazyFrame. Collect it"),
        (sparse.eye_array(120).tocsr(), Y, "Sparse data was passed for X, but dense data is required"),
    ],
)
def test_data_that_are_no_data(kind, x, y, text):
    with pytest.raises((ValueError, TypeError), match=re.escape(text)):
        quick(kind).fit(x, y)


@pytest.mark.parametrize("y", [["x", None] * 60, ["x", np.nan] * 60, pd.array(["x", None] * 60, "string")])
def test_classes_that_are_missing(y):
    with pytest.raises(ValueError, match="Input y contains NaN"):
        quick(TabularClassifier).fit(X, pd.Series(y, dtype=None if hasattr(y, "dtype") else object))


def test_targets_that_are_no_classes_and_no_numbers():
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        quick(TabularClassifier).fit(X, Y)
    with pytest.raises(ValueError, match="y should be a 1d array, got an array of shape"):
        quick(TabularClassifier).fit(X, np.stack([LABELS, LABELS], axis=1))
    with pytest.raises(ValueError, match="could not convert string to float"):
        quick(TabularRegressor).fit(X, LABELS)
    with pytest.raises(TypeError, match=r"TabularRegressor: expected numbers in y, got dates or times\. Make numbers"):
        quick(TabularRegressor).fit(X[:4], pd.date_range("2020", periods=4))
    with pytest.raises(ValueError, match=r"TabularRegressor: the variance of y is no finite float64\. Divide y by"):
        quick(TabularRegressor).fit(X, Y * 1e300)


@BOTH
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"ensemble": 0}, "expected ensemble to be an integer ≥ 1, got 0."),
        (
            {"hidden_sizes": 5},
            "expected hidden_sizes to be a tuple of integers ≥ 1, the units of each hidden layer, got 5.",
        ),
        ({"epochs": 1.5}, "expected epochs to be an integer ≥ 1, got 1.5."),
        ({"batch_size": "auto"}, "expected batch_size to be an integer ≥ 1, got 'auto'."),
        ({"learning_rate": 0}, "expected learning_rate to be a finite number > 0, got 0."),
        ({"validation_fraction": 0.6}, "expected validation_fraction to be a number in (0, 0.5], or None, got 0.6."),
        ({"n_jobs": 0}, "expected n_jobs to be None, -1 for all processors, or a number of threads ≥ 1, got 0."),
        ({"verbose": "yes"}, "expected verbose to be True, False or a number ≥ 0, got 'yes'."),
    ],
)
def test_parameters_that_will_not_do(kind, options, text):
    with pytest.raises(ValueError, match=re.escape(f"{kind.__name__}: {text}")):
        fitted(kind, **options)


@BOTH
def test_a_rate_that_is_too_high(kind):
    with pytest.raises(m.NonFiniteLossError, match=r"The loss became .* Lower the rate"):
        fitted(kind, ensemble=3, learning_rate=1e30)


def test_what_a_thread_warns_of_is_told(monkeypatch):
    def warning():
        tracebacks.warn("the loss is odd")
        return m.MSELoss()

    monkeypatch.setattr(TabularRegressor, "_recipe", dataclasses.replace(recipe.NUMBERS, loss=warning))
    with pytest.warns(UserWarning, match="the loss is odd") as caught:
        quick(TabularRegressor, ensemble=2).fit(X, Y)
    assert caught[0].filename == __file__


def test_exit_in_a_thread_is_raised(monkeypatch):
    """The fit must not wait for ever for the thread that it ended."""

    def network(*_given):
        raise SystemExit(3)

    monkeypatch.setattr(members, "network", network)
    with pytest.raises(SystemExit):
        quick(TabularRegressor, ensemble=3).fit(X, Y)


@BOTH
def test_weights_that_will_not_do(kind):
    y = LABELS if kind is TabularClassifier else Y
    with pytest.raises(ValueError, match=r"sample_weight: expected numbers ≥ 0, got -1.0 for sample 0"):
        quick(kind).fit(X, y, -np.ones(len(y)))
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\), expected \(120,\)"):
        quick(kind).fit(X, y, np.ones(3))
    with pytest.raises(ValueError, match="at least one non-zero number"):
        quick(kind).fit(X, y, np.zeros(len(y)))


@BOTH
def test_little_to_learn_from(kind):
    for rows in (1, 2, 5, 10, 11):
        model = quick(kind).fit(X[:rows], np.arange(rows))
        assert model.predict(X).shape == (120,)
    nothing = quick(kind).fit(np.ones((20, 2)), np.arange(20) % 2)
    assert len(set(nothing.predict(np.array([[1, 2], [3, np.nan]])))) == 1


def test_one_class_is_always_that_class():
    model = quick(TabularClassifier).fit(X, np.full(len(Y), "only"))
    assert set(model.predict(X)) == {"only"}
    np.testing.assert_array_equal(model.predict_proba(X), np.ones((120, 1)))
    np.testing.assert_allclose(quick(TabularRegressor).fit(X, np.full(len(Y), 5.0)).predict(X), 5)


def test_no_hidden_layer():
    assert fitted(TabularRegressor, hidden_sizes=(), epochs=60).score(X, Y) > 0.5
