"""Training: the loop you read, the loop you use, and what comes of it."""

from maillon.train import metrics
from maillon.train.averaging import ExponentialMovingAverage
from maillon.train.callbacks import Callback, EarlyStopping, State
from maillon.train.fit import fit
from maillon.train.history import History
from maillon.train.loop import sgd
from maillon.train.metrics import (
    accuracy,
    confusion_matrix,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    root_mean_squared_error,
)
from maillon.train.predict import evaluate, predict

__all__ = [
    "Callback",
    "EarlyStopping",
    "ExponentialMovingAverage",
    "History",
    "State",
    "accuracy",
    "confusion_matrix",
    "evaluate",
    "fit",
    "mean_absolute_error",
    "mean_squared_error",
    "metrics",
    "predict",
    "r2_score",
    "root_mean_squared_error",
    "sgd",
]
