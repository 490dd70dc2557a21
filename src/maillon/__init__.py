"""maillon: neural networks one link at a time, with every derivative in the open."""

import importlib
from typing import TYPE_CHECKING

from maillon import engine, nn, optim, random, train
from maillon.engine import compile, get_num_threads, set_num_threads
from maillon.nn import (
    CELU,
    ELU,
    GELU,
    GLU,
    SELU,
    AlphaDropout,
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Dropout,
    Dropout1d,
    Dropout2d,
    FeatureAlphaDropout,
    Flatten,
    HalfMSELoss,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    Identity,
    L1Loss,
    LeakyReLU,
    Linear,
    LogSigmoid,
    LogSoftmax,
    Loss,
    Mish,
    Module,
    MSELoss,
    NLLLoss,
    Parameter,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softmax2d,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
    get_default_dtype,
    no_grad,
    set_default_dtype,
)
from maillon.optim import SGD, Adam, NonFiniteLossError, Optim
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
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "SGD",
    "Adam",
    "AlphaDropout",
    "BCELoss",
    "BCEWithLogitsLoss",
    "Callback",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "EarlyStopping",
    "FeatureAlphaDropout",
    "Flatten",
    "Generator",
    "HalfMSELoss",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "History",
    "Identity",
    "L1Loss",
    "LeakyReLU",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "Loss",
    "MSELoss",
    "Mish",
    "Module",
    "NLLLoss",
    "NonFiniteLossError",
    "Optim",
    "PReLU",
    "Parameter",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
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
