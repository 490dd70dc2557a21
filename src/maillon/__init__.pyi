"""The public names, each once: those of the links stand in `nn/__init__.pyi`."""

from maillon import (
    check as check,
    data as data,
    engine as engine,
    interop as interop,
    nn as nn,
    optim as optim,
    plot as plot,
    random as random,
    saving as saving,
    sklearn as sklearn,
    sweeping as sweeping,
    train as train,
)
from maillon.costs.summary import Summary as Summary, SummaryRow as SummaryRow, summary as summary
from maillon.engine import compile as compile, get_num_threads as get_num_threads, set_num_threads as set_num_threads
from maillon.nn import *
from maillon.optim import (
    ASGD as ASGD,
    LBFGS as LBFGS,
    SGD as SGD,
    Adadelta as Adadelta,
    Adagrad as Adagrad,
    Adam as Adam,
    Adamax as Adamax,
    AdamW as AdamW,
    Lion as Lion,
    NAdam as NAdam,
    NonFiniteLossError as NonFiniteLossError,
    Optim as Optim,
    RAdam as RAdam,
    RMSprop as RMSprop,
    Rprop as Rprop,
)
from maillon.random import Generator as Generator, manual_seed as manual_seed
from maillon.saving import FileError as FileError, load as load, save as save
from maillon.sweeping import Halving as Halving, Sweep as Sweep, sweep as sweep
from maillon.train import (
    Callback as Callback,
    Checkpoint as Checkpoint,
    EarlyStopping as EarlyStopping,
    History as History,
    LRRange as LRRange,
    evaluate as evaluate,
    find_lr as find_lr,
    fit as fit,
    predict as predict,
    sgd as sgd,
)

__version__: str
