"""The links: modules with an explicit forward and backward. The families open when one of theirs is asked for."""

import importlib
from typing import TYPE_CHECKING

from maillon.nn import init, utils
from maillon.nn.activations import LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Softmax2d, Softmin, Tanh
from maillon.nn.classification import CrossEntropyLoss, NLLLoss
from maillon.nn.containers import Sequential
from maillon.nn.dropout import AlphaDropout, Dropout, Dropout1d, Dropout2d, FeatureAlphaDropout
from maillon.nn.dtypes import get_default_dtype, set_default_dtype
from maillon.nn.errors import LinkDtypeError, LinkError, LinkShapeError, LinkStateError, LinkValueError, StateDictError
from maillon.nn.flatten import Flatten, Unflatten
from maillon.nn.linear import Identity, Linear
from maillon.nn.loss import Loss
from maillon.nn.losses import BCELoss, BCEWithLogitsLoss, HalfMSELoss, L1Loss, MSELoss, MultiLabelSoftMarginLoss
from maillon.nn.module import Module, Parameter, no_grad

if TYPE_CHECKING:
    from maillon.nn.adaptive import AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d
    from maillon.nn.attention import MultiheadAttention
    from maillon.nn.batchnorm import BatchNorm1d, BatchNorm2d, InstanceNorm1d, InstanceNorm2d
    from maillon.nn.bilinear import Bilinear
    from maillon.nn.cells import GRUCell, LSTMCell, RNNCell
    from maillon.nn.convolution import Conv1d, Conv2d
    from maillon.nn.convolution_transpose import ConvTranspose1d, ConvTranspose2d
    from maillon.nn.ctc import CTCLoss
    from maillon.nn.distance import CosineSimilarity, PairwiseDistance
    from maillon.nn.embedding import Embedding
    from maillon.nn.embedding_losses import CosineEmbeddingLoss, TripletMarginLoss
    from maillon.nn.fold import Fold, Unfold
    from maillon.nn.graph import Graph
    from maillon.nn.holders import ModuleDict, ModuleList
    from maillon.nn.joining import Add, Concat, Multiply, Parallel, Residual
    from maillon.nn.margins import (
        HingeEmbeddingLoss,
        MarginRankingLoss,
        MultiLabelMarginLoss,
        MultiMarginLoss,
        SoftMarginLoss,
    )
    from maillon.nn.normalization import GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm
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
    from maillon.nn.pixels import PixelShuffle, PixelUnshuffle
    from maillon.nn.pooling import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d, MaxUnpool1d, MaxUnpool2d
    from maillon.nn.positional import LearnedPositionalEncoding, SinusoidalPositionalEncoding
    from maillon.nn.recurrent import GRU, LSTM, RNN
    from maillon.nn.regression import GaussianNLLLoss, HuberLoss, KLDivLoss, PoissonNLLLoss, SmoothL1Loss
    from maillon.nn.sequences import EveryStep, LastStep
    from maillon.nn.slopes import GLU, PReLU, RReLU
    from maillon.nn.smooth import CELU, ELU, GELU, SELU, LogSigmoid, Mish, SiLU, Softplus, Softsign, Tanhshrink
    from maillon.nn.transformer import TransformerEncoder, TransformerEncoderLayer
    from maillon.nn.transformer_decoder import Transformer, TransformerDecoder, TransformerDecoderLayer
    from maillon.nn.upsampling import Upsample, UpsamplingBilinear2d, UpsamplingNearest2d
else:
    _ROOMS = {
        "adaptive": "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d",
        "attention": "MultiheadAttention",
        "batchnorm": "BatchNorm1d BatchNorm2d InstanceNorm1d InstanceNorm2d",
        "bilinear": "Bilinear",
        "cells": "GRUCell LSTMCell RNNCell",
        "convolution": "Conv1d Conv2d",
        "convolution_transpose": "ConvTranspose1d ConvTranspose2d",
        "ctc": "CTCLoss",
        "distance": "CosineSimilarity PairwiseDistance",
        "embedding": "Embedding",
        "embedding_losses": "CosineEmbeddingLoss TripletMarginLoss",
        "fold": "Fold Unfold",
        "graph": "Graph",
        "holders": "ModuleDict ModuleList",
        "joining": "Add Concat Multiply Parallel Residual",
        "margins": ("HingeEmbeddingLoss MarginRankingLoss MultiLabelMarginLoss MultiMarginLoss SoftMarginLoss"),
        "normalization": "GroupNorm LayerNorm LocalResponseNorm RMSNorm",
        "padding": (
            "CircularPad1d CircularPad2d ConstantPad1d ConstantPad2d ReflectionPad1d "
            "ReflectionPad2d ReplicationPad1d ReplicationPad2d ZeroPad1d ZeroPad2d"
        ),
        "piecewise": "Hardshrink Hardsigmoid Hardswish Hardtanh ReLU6 Softshrink Threshold",
        "pixels": "PixelShuffle PixelUnshuffle",
        "pooling": "AvgPool1d AvgPool2d MaxPool1d MaxPool2d MaxUnpool1d MaxUnpool2d",
        "positional": "LearnedPositionalEncoding SinusoidalPositionalEncoding",
        "recurrent": "GRU LSTM RNN",
        "regression": "GaussianNLLLoss HuberLoss KLDivLoss PoissonNLLLoss SmoothL1Loss",
        "sequences": "EveryStep LastStep",
        "slopes": "GLU PReLU RReLU",
        "smooth": "CELU ELU GELU LogSigmoid Mish SELU SiLU Softplus Softsign Tanhshrink",
        "transformer": "TransformerEncoder TransformerEncoderLayer",
        "transformer_decoder": "Transformer TransformerDecoder TransformerDecoderLayer",
        "upsampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
    }
    _ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}

    def __getattr__(name: str) -> object:
        """Links that the core does not know open their file when first asked for: so `import maillon` stays quick."""
        if name not in _ROOM_OF:
            raise AttributeError(f"module 'maillon.nn' has no attribute {name!r}")
        globals()[name] = found = getattr(importlib.import_module(f"maillon.nn.{_ROOM_OF[name]}"), name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "Add",
    "AlphaDropout",
    "AvgPool1d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Bilinear",
    "CTCLoss",
    "CircularPad1d",
    "CircularPad2d",
    "Concat",
    "ConstantPad1d",
    "ConstantPad2d",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CosineEmbeddingLoss",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Embedding",
    "EveryStep",
    "FeatureAlphaDropout",
    "Flatten",
    "Fold",
    "GRUCell",
    "GaussianNLLLoss",
    "Graph",
    "GroupNorm",
    "HalfMSELoss",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "KLDivLoss",
    "L1Loss",
    "LSTMCell",
    "LastStep",
    "LayerNorm",
    "LeakyReLU",
    "LearnedPositionalEncoding",
    "Linear",
    "LinkDtypeError",
    "LinkError",
    "LinkShapeError",
    "LinkStateError",
    "LinkValueError",
    "LocalResponseNorm",
    "LogSigmoid",
    "LogSoftmax",
    "Loss",
    "MSELoss",
    "MarginRankingLoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "MultiheadAttention",
    "Multiply",
    "NLLLoss",
    "PReLU",
    "PairwiseDistance",
    "Parallel",
    "Parameter",
    "PixelShuffle",
    "PixelUnshuffle",
    "PoissonNLLLoss",
    "RMSNorm",
    "RNNCell",
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
    "SmoothL1Loss",
    "SoftMarginLoss",
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
    "TripletMarginLoss",
    "Unflatten",
    "Unfold",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "ZeroPad1d",
    "ZeroPad2d",
    "get_default_dtype",
    "init",
    "no_grad",
    "set_default_dtype",
    "utils",
]
