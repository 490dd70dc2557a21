"""The links: modules with an explicit forward and backward."""

from maillon.nn import init, utils
from maillon.nn.activations import LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from maillon.nn.classification import CrossEntropyLoss, NLLLoss
from maillon.nn.containers import Sequential
from maillon.nn.convolution import Conv1d, Conv2d
from maillon.nn.convolution_transpose import ConvTranspose1d, ConvTranspose2d
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
from maillon.nn.fold import Fold, Unfold
from maillon.nn.linear import Identity, Linear
from maillon.nn.loss import Loss
from maillon.nn.losses import BCELoss, BCEWithLogitsLoss, HalfMSELoss, L1Loss, MSELoss
from maillon.nn.module import Module, Parameter, no_grad
from maillon.nn.padding import (
    CircularPad1d,
    CircularPad2d,
    ConstantPad1d,
    ConstantPad2d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReplicationPad1d,
    ReplicationPad2d,
    ZeroPad1d,
    ZeroPad2d,
)

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
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
    "Flatten",
    "Fold",
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
    "Module",
    "NLLLoss",
    "Parameter",
    "ReLU",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "StateDictError",
    "Tanh",
    "Unfold",
    "ZeroPad1d",
    "ZeroPad2d",
    "get_default_dtype",
    "init",
    "no_grad",
    "set_default_dtype",
    "utils",
]
