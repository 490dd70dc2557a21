"""The public names, each once, with its file."""

from maillon.train import metrics as metrics
from maillon.train.averaging import ExponentialMovingAverage as ExponentialMovingAverage
from maillon.train.callbacks import Callback as Callback, EarlyStopping as EarlyStopping, State as State
from maillon.train.checkpoint import Checkpoint as Checkpoint, NoStateWarning as NoStateWarning
from maillon.train.find_lr import find_lr as find_lr
from maillon.train.fit import fit as fit
from maillon.train.history import History as History
from maillon.train.loop import sgd as sgd
from maillon.train.lr_range import LRRange as LRRange
from maillon.train.metrics import (
    UndefinedMetricError as UndefinedMetricError,
    accuracy as accuracy,
    balanced_accuracy_score as balanced_accuracy_score,
    confusion_matrix as confusion_matrix,
    f1_score as f1_score,
    mean_absolute_error as mean_absolute_error,
    mean_squared_error as mean_squared_error,
    r2_score as r2_score,
    roc_auc_score as roc_auc_score,
    root_mean_squared_error as root_mean_squared_error,
    top_k_accuracy_score as top_k_accuracy_score,
)
from maillon.train.predict import evaluate as evaluate, predict as predict
