"""maillon: neural networks one link at a time, with every derivative in the open."""

import importlib
from typing import TYPE_CHECKING

from maillon import engine, nn, optim, random, train
from maillon.engine import compile, get_num_threads, set_num_threads
from maillon.nn import (
    BCELoss,
    BCEWithLogitsLoss,
    CircularPad1d,
    CircularPad2d,
    ConstantPad1d,
    ConstantPad2d,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    CrossEntropyLoss,
    Dropout,
    Flatten,
    Fold,
    HalfMSELoss,
    Identity,
    L1Loss,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Loss,
    Module,
    MSELoss,
    NLLLoss,
    Parameter,
    ReflectionPad1d,
    ReflectionPad2d,
    ReLU,
    ReplicationPad1d,
    ReplicationPad2d,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
    Unfold,
    ZeroPad1d,
    ZeroPad2d,
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
    "SGD",
    "Adam",
    "BCELoss",
    "BCEWithLogitsLoss",
    "Callback",
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "EarlyStopping",
    "Flatten",
    "Fold",
    "Generator",
    "HalfMSELoss",
    "History",
    "Identity",
    "L1Loss",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Loss",
    "MSELoss",
    "Module",
    "NLLLoss",
    "NonFiniteLossError",
    "Optim",
    "Parameter",
    "ReLU",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Unfold",
    "ZeroPad1d",
    "ZeroPad2d",
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
