"""The links. Each public name stands here once, with its file."""

from maillon.nn import init as init, utils as utils
from maillon.nn.activations.basic import (
    LeakyReLU as LeakyReLU,
    LogSoftmax as LogSoftmax,
    ReLU as ReLU,
    Sigmoid as Sigmoid,
    Softmax as Softmax,
    Softmax2d as Softmax2d,
    Softmin as Softmin,
    Tanh as Tanh,
)
from maillon.nn.activations.piecewise import (
    Hardshrink as Hardshrink,
    Hardsigmoid as Hardsigmoid,
    Hardswish as Hardswish,
    Hardtanh as Hardtanh,
    ReLU6 as ReLU6,
    Softshrink as Softshrink,
    Threshold as Threshold,
)
from maillon.nn.activations.slopes import GLU as GLU, PReLU as PReLU, RReLU as RReLU
from maillon.nn.activations.smooth import (
    CELU as CELU,
    ELU as ELU,
    GELU as GELU,
    SELU as SELU,
    LogSigmoid as LogSigmoid,
    Mish as Mish,
    SiLU as SiLU,
    Softplus as Softplus,
    Softsign as Softsign,
    Tanhshrink as Tanhshrink,
)
from maillon.nn.containers import ModuleDict as ModuleDict, ModuleList as ModuleList, Sequential as Sequential
from maillon.nn.graph import Graph as Graph
from maillon.nn.joints import (
    Add as Add,
    Concat as Concat,
    Multiply as Multiply,
    Parallel as Parallel,
    Residual as Residual,
    WeightedSum as WeightedSum,
)
from maillon.nn.linear.bilinear import Bilinear as Bilinear
from maillon.nn.linear.distance import CosineSimilarity as CosineSimilarity, PairwiseDistance as PairwiseDistance
from maillon.nn.linear.embedding import Embedding as Embedding
from maillon.nn.linear.flatten import Flatten as Flatten, Unflatten as Unflatten
from maillon.nn.linear.linear import Identity as Identity, Linear as Linear
from maillon.nn.linear.tabular import PeriodicEmbedding as PeriodicEmbedding, Scale as Scale
from maillon.nn.loss import Loss as Loss
from maillon.nn.losses.classification import CrossEntropyLoss as CrossEntropyLoss, NLLLoss as NLLLoss
from maillon.nn.losses.ctc import CTCLoss as CTCLoss
from maillon.nn.losses.elements import (
    BCELoss as BCELoss,
    BCEWithLogitsLoss as BCEWithLogitsLoss,
    HalfMSELoss as HalfMSELoss,
    L1Loss as L1Loss,
    MSELoss as MSELoss,
    MultiLabelSoftMarginLoss as MultiLabelSoftMarginLoss,
)
from maillon.nn.losses.embedding import (
    CosineEmbeddingLoss as CosineEmbeddingLoss,
    TripletMarginLoss as TripletMarginLoss,
)
from maillon.nn.losses.margins import (
    HingeEmbeddingLoss as HingeEmbeddingLoss,
    MarginRankingLoss as MarginRankingLoss,
    MultiLabelMarginLoss as MultiLabelMarginLoss,
    MultiMarginLoss as MultiMarginLoss,
    SoftMarginLoss as SoftMarginLoss,
)
from maillon.nn.losses.regression import (
    GaussianNLLLoss as GaussianNLLLoss,
    HuberLoss as HuberLoss,
    KLDivLoss as KLDivLoss,
    PoissonNLLLoss as PoissonNLLLoss,
    SmoothL1Loss as SmoothL1Loss,
)
from maillon.nn.module import Module as Module, no_grad as no_grad
from maillon.nn.norms.batchnorm import (
    BatchNorm1d as BatchNorm1d,
    BatchNorm2d as BatchNorm2d,
    InstanceNorm1d as InstanceNorm1d,
    InstanceNorm2d as InstanceNorm2d,
)
from maillon.nn.norms.dropout import (
    AlphaDropout as AlphaDropout,
    Dropout as Dropout,
    Dropout1d as Dropout1d,
    Dropout2d as Dropout2d,
    FeatureAlphaDropout as FeatureAlphaDropout,
)
from maillon.nn.norms.normalization import (
    GroupNorm as GroupNorm,
    LayerNorm as LayerNorm,
    LocalResponseNorm as LocalResponseNorm,
    RMSNorm as RMSNorm,
)
from maillon.nn.parameter import Parameter as Parameter
from maillon.nn.sequence.attention import MultiheadAttention as MultiheadAttention
from maillon.nn.sequence.positional import (
    LearnedPositionalEncoding as LearnedPositionalEncoding,
    SinusoidalPositionalEncoding as SinusoidalPositionalEncoding,
)
from maillon.nn.sequence.recurrent import (
    GRU as GRU,
    LSTM as LSTM,
    RNN as RNN,
    GRUCell as GRUCell,
    LSTMCell as LSTMCell,
    RNNCell as RNNCell,
)
from maillon.nn.sequence.steps import EveryStep as EveryStep, LastStep as LastStep
from maillon.nn.sequence.transformer import (
    Transformer as Transformer,
    TransformerDecoder as TransformerDecoder,
    TransformerDecoderLayer as TransformerDecoderLayer,
    TransformerEncoder as TransformerEncoder,
    TransformerEncoderLayer as TransformerEncoderLayer,
)
from maillon.nn.spatial.convolution import (
    Conv1d as Conv1d,
    Conv2d as Conv2d,
    ConvTranspose1d as ConvTranspose1d,
    ConvTranspose2d as ConvTranspose2d,
)
from maillon.nn.spatial.fold import Fold as Fold, Unfold as Unfold
from maillon.nn.spatial.padding import (
    CircularPad1d as CircularPad1d,
    CircularPad2d as CircularPad2d,
    ConstantPad1d as ConstantPad1d,
    ConstantPad2d as ConstantPad2d,
    ReflectionPad1d as ReflectionPad1d,
    ReflectionPad2d as ReflectionPad2d,
    ReplicationPad1d as ReplicationPad1d,
    ReplicationPad2d as ReplicationPad2d,
    ZeroPad1d as ZeroPad1d,
    ZeroPad2d as ZeroPad2d,
)
from maillon.nn.spatial.pixels import PixelShuffle as PixelShuffle, PixelUnshuffle as PixelUnshuffle
from maillon.nn.spatial.pooling import (
    AdaptiveAvgPool1d as AdaptiveAvgPool1d,
    AdaptiveAvgPool2d as AdaptiveAvgPool2d,
    AdaptiveMaxPool1d as AdaptiveMaxPool1d,
    AdaptiveMaxPool2d as AdaptiveMaxPool2d,
    AvgPool1d as AvgPool1d,
    AvgPool2d as AvgPool2d,
    MaxPool1d as MaxPool1d,
    MaxPool2d as MaxPool2d,
    MaxUnpool1d as MaxUnpool1d,
    MaxUnpool2d as MaxUnpool2d,
)
from maillon.nn.spatial.upsampling import (
    Upsample as Upsample,
    UpsamplingBilinear2d as UpsamplingBilinear2d,
    UpsamplingNearest2d as UpsamplingNearest2d,
)
from maillon.nn.support.dtypes import get_default_dtype as get_default_dtype, set_default_dtype as set_default_dtype
from maillon.nn.support.errors import (
    LinkDtypeError as LinkDtypeError,
    LinkError as LinkError,
    LinkShapeError as LinkShapeError,
    LinkStateError as LinkStateError,
    LinkValueError as LinkValueError,
    StateDictError as StateDictError,
)
