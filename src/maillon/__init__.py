"""maillon: neural networks one link at a time, with every derivative in the open."""

import importlib
from typing import TYPE_CHECKING

from maillon import engine, nn, optim, random, train
from maillon.engine import compile, get_num_threads, set_num_threads
from maillon.nn import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Dropout,
    Flatten,
    GroupNorm,
    HalfMSELoss,
    Identity,
    L1Loss,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Loss,
    Module,
    MSELoss,
    MultiheadAttention,
    NLLLoss,
    Parameter,
    ReLU,
    RMSNorm,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    get_default_dtype,
    no_grad,
    set_default_dtype,
)
from maillon.optim import (
    ASGD,
    LBFGS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    NonFiniteLossError,
    Optim,
    RAdam,
    RMSprop,
    Rprop,
)
from maillon.random import Generator, manual_seed
from maillon.train import Callback, EarlyStopping, History, evaluate, fit, predict, sgd

if TYPE_CHECKING:
    from maillon import check, data, plot
else:

    def __getattr__(name: str) -> object:
        """The rooms that learning does without open when first asked for: so `import maillon` stays quick."""
        if name in ("check", "data", "plot"):
            return importlib.import_module(f"maillon.{name}")
        raise AttributeError(f"module 'maillon' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__version__ = "0.1.0"

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "BCELoss",
    "BCEWithLogitsLoss",
    "Callback",
    "CrossEntropyLoss",
    "Dropout",
    "EarlyStopping",
    "Flatten",
    "Generator",
    "GroupNorm",
    "HalfMSELoss",
    "History",
    "Identity",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Lion",
    "LogSoftmax",
    "Loss",
    "MSELoss",
    "Module",
    "MultiheadAttention",
    "NAdam",
    "NLLLoss",
    "NonFiniteLossError",
    "Optim",
    "Parameter",
    "RAdam",
    "RMSNorm",
    "RMSprop",
    "ReLU",
    "Rprop",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "check",
    "compile",
    "data",
    "engine",
    "evaluate",
    "fit",
    "get_default_dtype",
    "get_num_threads",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "plot",
    "predict",
    "random",
    "set_default_dtype",
    "set_num_threads",
    "sgd",
    "train",
]
