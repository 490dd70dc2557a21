"""The links: modules with an explicit forward and backward."""

from maillon.nn import init, utils
from maillon.nn.activations import LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from maillon.nn.adaptive import AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d
from maillon.nn.classification import CrossEntropyLoss, NLLLoss
from maillon.nn.containers import Sequential
from maillon.nn.dropout import Dropout
from maillon.nn.dtypes import get_default_dtype, set_default_dtype
from maillon.nn.errors import (
    LinkDtypeError,
    LinkError,
    LinkShapeError,
    LinkStateError,
    LinkValueError,
    StateDictError,
)
from maillon.nn.flatten import Flatten
from maillon.nn.linear import Identity, Linear
from maillon.nn.loss import Loss
from maillon.nn.losses import BCELoss, BCEWithLogitsLoss, HalfMSELoss, L1Loss, MSELoss
from maillon.nn.module import Module, Parameter, no_grad
from maillon.nn.pooling import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d, MaxUnpool1d, MaxUnpool2d

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AvgPool1d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "HalfMSELoss",
    "Identity",
    "L1Loss",
    "LeakyReLU",
    "Linear",
    "LinkDtypeError",
    "LinkError",
    "LinkShapeError",
    "LinkStateError",
    "LinkValueError",
    "LogSoftmax",
    "Loss",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "Module",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "StateDictError",
    "Tanh",
    "get_default_dtype",
    "init",
    "no_grad",
    "set_default_dtype",
    "utils",
]
