"""The links: modules with an explicit forward and backward."""

from maillon.nn import init, utils
from maillon.nn.activations import LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from maillon.nn.attention import MultiheadAttention
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
from maillon.nn.normalization import GroupNorm, LayerNorm, RMSNorm

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "GroupNorm",
    "HalfMSELoss",
    "Identity",
    "L1Loss",
    "LayerNorm",
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
    "MultiheadAttention",
    "NLLLoss",
    "Parameter",
    "RMSNorm",
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
