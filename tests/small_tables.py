"""Small tables, and estimators that learn them quickly."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris

from maillon.sklearn import TabularClassifier, TabularRegressor

IRIS = load_iris(return_X_y=True, as_frame=True)
DIABETES = load_diabetes(return_X_y=True, as_frame=True)
KINDS = (TabularClassifier, TabularRegressor)
BOTH = pytest.mark.parametrize("kind", KINDS)


def table(rows=120):
    """Numbers, categories, many categories and missing values; y follows two of them."""
    random = np.random.default_rng(0)
    number, colour = random.normal(size=rows), random.choice(["red", "green", "blue"], rows)
    X = pd.DataFrame({
        "number": np.where(random.random(rows) < 0.1, np.nan, number),
        "colour": pd.Series(colour).where(random.random(rows) > 0.1),
        "town": random.choice([f"town {place}" for place in range(12)], rows),
        "flag": random.random(rows) < 0.5,
        "same": 1,
    })  # fmt: skip
    return X, number + 2.0 * (colour == "red")


X, Y = table()
LABELS = np.where(Y > 0.7, "yes", "no")


def quick(kind, **options):
    return kind(**{"hidden_sizes": (16,), "epochs": 20, "ensemble": 1, "random_state": 0, **options})


def fitted(kind, **options):
    return quick(kind, **options).fit(X, LABELS if kind is TabularClassifier else Y)
