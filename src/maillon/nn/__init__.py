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
from maillon.nn.graph import Graph
from maillon.nn.joining import Add, Concat, Multiply, Parallel, Residual
from maillon.nn.linear import Identity, Linear
from maillon.nn.loss import Loss
from maillon.nn.losses import BCELoss, BCEWithLogitsLoss, HalfMSELoss, L1Loss, MSELoss
from maillon.nn.module import Module, Parameter, no_grad
from maillon.nn.normalization import GroupNorm, LayerNorm, RMSNorm

__all__ = [
    "Add",
    "BCELoss",
    "BCEWithLogitsLoss",
    "Concat",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "Graph",
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
    "Multiply",
    "NLLLoss",
    "Parallel",
    "Parameter",
    "RMSNorm",
    "ReLU",
    "Residual",
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
