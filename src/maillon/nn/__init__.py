"""The links: modules with an explicit forward and backward."""

from maillon.nn import init, utils
from maillon.nn.activations import LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Softmax2d, Softmin, Tanh
from maillon.nn.attention import MultiheadAttention
from maillon.nn.classification import CrossEntropyLoss, NLLLoss
from maillon.nn.containers import Sequential
from maillon.nn.convolution import Conv1d, Conv2d
from maillon.nn.convolution_transpose import ConvTranspose1d, ConvTranspose2d
from maillon.nn.dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d, FeatureAlphaDropout
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
from maillon.nn.graph import Graph
from maillon.nn.joining import Add, Concat, Multiply, Parallel, Residual
from maillon.nn.linear import Identity, Linear
from maillon.nn.loss import Loss
from maillon.nn.losses import BCELoss, BCEWithLogitsLoss, HalfMSELoss, L1Loss, MSELoss
from maillon.nn.module import Module, Parameter, no_grad
from maillon.nn.normalization import GroupNorm, LayerNorm, RMSNorm
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
from maillon.nn.piecewise import Hardshrink, Hardsigmoid, Hardswish, Hardtanh, ReLU6, Softshrink, Threshold
from maillon.nn.positional import LearnedPositionalEncoding, SinusoidalPositionalEncoding
from maillon.nn.slopes import GLU, PReLU, RReLU
from maillon.nn.smooth import CELU, ELU, GELU, SELU, LogSigmoid, Mish, SiLU, Softplus, Softsign, Tanhshrink
from maillon.nn.transformer import TransformerEncoder, TransformerEncoderLayer
from maillon.nn.transformer_decoder import Transformer, TransformerDecoder, TransformerDecoderLayer

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Add",
    "AlphaDropout",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CircularPad1d",
    "CircularPad2d",
    "Concat",
    "ConstantPad1d",
    "ConstantPad2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "FeatureAlphaDropout",
    "Flatten",
    "Fold",
    "Graph",
    "GroupNorm",
    "HalfMSELoss",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "LearnedPositionalEncoding",
    "Linear",
    "LinkDtypeError",
    "LinkError",
    "LinkShapeError",
    "LinkStateError",
    "LinkValueError",
    "LogSigmoid",
    "LogSoftmax",
    "Loss",
    "MSELoss",
    "Mish",
    "Module",
    "MultiheadAttention",
    "Multiply",
    "NLLLoss",
    "PReLU",
    "Parallel",
    "Parameter",
    "RMSNorm",
    "RReLU",
    "ReLU",
    "ReLU6",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SinusoidalPositionalEncoding",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "StateDictError",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Unfold",
    "ZeroPad1d",
    "ZeroPad2d",
    "get_default_dtype",
    "init",
    "no_grad",
    "set_default_dtype",
    "utils",
]
