"""One training of each family, large enough that threads share its operations: for bits, kills, memory and Ctrl-C."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from resuming import Made

import maillon as m
from maillon import optim
from maillon.nesting import mapped
from maillon.random import Generator
from maillon.typing import Array

ROWS, BATCH = 52, 32
"""Samples of a training and of its mini-batches: the last one of an epoch is short."""


def normal(seed: int, *shape: int) -> Array:
    return Generator(seed).normal(shape, dtype=np.float64)


def integers(seed: int, end: int, *shape: int) -> Array:
    return Generator(seed).randint(0, end, shape)


X = normal(1, ROWS, 64)
IMAGES = normal(2, ROWS, 8, 12, 12)
SIGNALS = normal(3, ROWS, 8, 40)
SEQUENCES = normal(4, ROWS, 9, 24)
LONG = normal(6, ROWS, 208, 24)

# Networks, each with what it takes


def activations() -> tuple[m.Module, Any]:
    kinds: list[m.Module] = [
        *(m.Sigmoid(), m.Tanh(), m.ReLU(), m.LeakyReLU(), m.Hardtanh(), m.ReLU6(), m.Hardsigmoid(), m.Hardswish()),
        *(m.Threshold(0.1, 0.2), m.Softshrink(), m.Hardshrink(), m.ELU(), m.SELU(), m.CELU(), m.GELU(), m.SiLU()),
        *(m.GELU("tanh"), m.Mish(), m.Softplus(), m.Softsign(), m.LogSigmoid(), m.Tanhshrink(), m.Softmax(1)),
        *(m.LogSoftmax(1), m.Softmin(1), m.PReLU(256), m.RReLU(), m.Sequential(m.Linear(256, 512), m.GLU())),
    ]
    return m.Sequential(m.Linear(64, 256), m.Parallel(*kinds), m.Add(), m.Linear(256, 64)), X


def tables() -> tuple[m.Module, Any]:
    """Embeddings, bilinear and distances."""
    nodes = {
        "words": (m.Embedding(300, 32, padding_idx=1), "word"),
        "short": (m.Embedding(300, 32, max_norm=1.0, scale_grad_by_freq=True), "word"),
        "one": (m.Sequential(m.Flatten(), m.Linear(512, 64)), "words"),
        "other": (m.Sequential(m.Flatten(), m.Linear(512, 64)), "short"),
        "bilinear": (m.Bilinear(64, 64, 48), "one", "other"),
        "centre": (m.Sequential(m.Flatten(), m.Linear(512, 32), m.Unflatten(1, (1, 32))), "short"),
        "cosine": (m.CosineSimilarity(2), "words", "centre"),
        "distance": (m.PairwiseDistance(keepdim=False), "words", "short"),
        "rows": (m.PairwiseDistance(p=3.0), "words", "short"),
        "y": (m.Concat(), "bilinear", "cosine", "distance", "rows"),
    }
    return m.Graph(["word"], nodes, "y"), integers(5, 300, ROWS, 16)


def tabular() -> tuple[m.Module, Any]:
    return m.Sequential(m.Scale(64), m.PeriodicEmbedding(64), m.Linear(256, 64)), X


def norms_of_rows() -> tuple[m.Module, Any]:
    links = [m.LayerNorm(96), m.RMSNorm(96), m.BatchNorm1d(96), m.GroupNorm(4, 96), m.BatchNorm1d(96, momentum=None)]
    return m.Sequential(m.Linear(64, 96), m.ReLU(), *links, m.Linear(96, 64)), X


def norms_of_images() -> tuple[m.Module, Any]:
    links = [m.BatchNorm2d(8), m.ReLU(), m.InstanceNorm2d(8, affine=True), m.GroupNorm(2, 8), m.LocalResponseNorm(3)]
    return m.Sequential(m.Conv2d(8, 8, 1), *links), IMAGES


def norms_of_signals() -> tuple[m.Module, Any]:
    links = [m.BatchNorm1d(8), m.InstanceNorm1d(8, affine=True, track_running_stats=True), m.LayerNorm((8, 40))]
    return m.Sequential(m.Conv1d(8, 8, 1), *links), SIGNALS


def dropouts() -> tuple[m.Module, Any]:
    own = Generator(7)
    links = [m.Dropout(0.2), m.Dropout1d(0.2, generator=own), m.AlphaDropout(0.1), m.FeatureAlphaDropout(0.1)]
    return m.Sequential(m.Conv1d(8, 16, 1), *links, m.Unflatten(2, (8, 5)), m.Dropout2d(0.3)), SIGNALS


def convolutions() -> tuple[m.Module, Any]:
    return m.Sequential(
        m.Conv2d(8, 16, 3, padding=1),
        m.ReLU(),
        m.Conv2d(16, 16, 3, padding=2, dilation=2, groups=4, padding_mode="reflect"),
        m.Conv2d(16, 16, (3, 5), padding="same", groups=16, padding_mode="circular"),  # depthwise
        m.Tanh(),
        m.Conv2d(16, 32, 5, stride=2, padding=2, bias=False),
        m.Flatten(),
        m.Linear(32 * 36, 10),
    ), IMAGES


def convolutions_of_signals() -> tuple[m.Module, Any]:
    return m.Sequential(
        m.Conv1d(8, 32, 5, padding=2, padding_mode="replicate"),
        m.ReLU(),
        m.Conv1d(32, 32, 3, stride=2, dilation=2, groups=2),
        m.GELU(),
        m.ConvTranspose1d(32, 8, 4, stride=2, padding=1, output_padding=1),
    ), SIGNALS


def transposed_convolutions() -> tuple[m.Module, Any]:
    return m.Sequential(
        m.ConvTranspose2d(8, 12, 3, stride=2, padding=1, output_padding=1),
        m.Tanh(),
        m.ConvTranspose2d(12, 8, 3, groups=4, dilation=2, bias=False),
    ), IMAGES


def windows() -> tuple[m.Module, Any]:
    """Pools, padding, up-sampling, folds."""
    pooled = m.Graph(
        "x",
        {"pool": (m.MaxPool2d(2, return_indices=True), "x"), "y": (m.MaxUnpool2d(2), "pool.0", "pool.1")},
        "y",
    )
    paddings = [
        m.ReflectionPad2d(1),
        m.ReplicationPad2d((0, 1, 1, 0)),
        m.CircularPad2d(1),
        m.ConstantPad2d(1, 0.5),
        m.ZeroPad2d((-2, -3, -3, -2)),
    ]
    return m.Sequential(
        m.Conv2d(8, 8, 3, padding=1),
        pooled,
        *paddings,
        m.MaxPool2d(3, 1, 1),
        m.AvgPool2d(3, 1, 1, count_include_pad=False),
        m.Upsample(scale_factor=2, mode="bilinear"),
        m.Unfold(2, stride=2),
        m.Fold(28, 2, stride=2),
        m.PixelUnshuffle(2),
        m.PixelShuffle(2),
        m.UpsamplingNearest2d(scale_factor=2),
        m.AdaptiveMaxPool2d((20, 18)),
        m.AdaptiveAvgPool2d(7),
        m.Flatten(),
        m.Linear(8 * 49, 10),
    ), IMAGES


def recurrent() -> tuple[m.Module, Any]:
    lstm = m.LSTM(24, 48, 2, batch_first=True, bidirectional=True, proj_size=16, dropout=0.2)
    nodes = {
        "first": (m.Linear(24, 24), "x"),
        "rnn": (m.RNN(24, 32, nonlinearity="relu", batch_first=True), "first"),
        "lstm": (lstm, "first"),
        "gru": (m.GRU(32, 32, 2, batch_first=True), "rnn.0"),
        "last": (m.LastStep(), "lstm"),
        "steps": (m.Add(), "lstm.0", "gru.0"),
        "flat": (m.Flatten(), "steps"),
        "y": (m.Concat(), "flat", "last"),
    }
    return m.Graph(["x"], nodes, "y"), SEQUENCES


def cells() -> tuple[m.Module, Any]:
    nodes = {
        "rnn": (m.RNNCell(64, 48), "x"),
        "lstm": (m.LSTMCell(48, 64), "rnn"),
        "gru": (m.GRUCell(64, 64), "lstm.0", "lstm.1"),
    }
    return m.Graph(["x"], nodes, "gru"), X


def attention() -> tuple[m.Module, Any]:
    nodes = {
        "attention": (m.MultiheadAttention(24, 3, 0.1, batch_first=True, add_bias_kv=True), "x", "z", "z", "mask"),
        "values": (m.Linear(24, 8), "attention.0"),
        "y": (m.Concat(2), "values", "attention.1"),
    }
    return m.Graph(["x", "z", "mask"], nodes, "y"), (SEQUENCES, LONG, LONG[:, :, 0] > 1)


def transformer() -> tuple[m.Module, Any]:
    encoder = m.TransformerEncoder(m.TransformerEncoderLayer(24, 3, 48, 0.1, batch_first=True), 2)
    decoder = m.TransformerDecoder(m.TransformerDecoderLayer(24, 3, 48, 0.1, "gelu", batch_first=True), 1)
    nodes = {
        "places": (m.LearnedPositionalEncoding(24, 200), "x"),
        "memory": (encoder, "places"),
        "waves": (m.SinusoidalPositionalEncoding(24), "z"),
        "y": (decoder, "waves", "memory"),
    }
    return m.Graph(["x", "z"], nodes, "y"), (SEQUENCES, SEQUENCES[:, ::-1].copy())


def joints() -> tuple[m.Module, Any]:
    first = m.Linear(208, 208)
    nodes = {
        "wide": (m.Linear(64, 208), "x"),
        "a": (first, "wide"),
        "b": (first.share(), "a"),
        "gate": (m.Multiply(), "b", "wide"),
        "around": (m.Residual(m.Sequential(m.Linear(208, 208), m.Tanh())), "gate"),
        "sum": (m.Add(), "around", "a", "wide"),
        "y": (m.Concat(), "sum", "b", "gate"),
    }
    return m.Graph(["x"], nodes, "y"), X


NETWORKS: dict[str, Callable[[], tuple[m.Module, Any]]] = {
    made.__name__.replace("_", " "): made
    for made in (
        *(activations, tables, tabular, norms_of_rows, norms_of_images, norms_of_signals, dropouts),
        *(convolutions, convolutions_of_signals, transposed_convolutions, windows, recurrent, cells, attention),
        *(transformer, joints),
    )
}

# Losses, each with the targets


def square() -> m.Module:
    return m.Sequential(m.Linear(64, 64), m.Tanh(), m.Linear(64, 64))


def twice() -> m.Module:
    return m.Parallel(square(), square())


LABELS = integers(11, 64, ROWS)
SIGNS = np.where(normal(12, ROWS, 64) > 0, 1.0, -1.0)
UNIT = Generator(13).rand((ROWS, 64), dtype="float64")

LOSSES: dict[str, Callable[[], tuple[m.Loss, m.Module, Any]]] = {
    "MSE": lambda: (m.MSELoss(), square(), normal(14, ROWS, 64)),
    "Huber, none": lambda: (m.HuberLoss("none", 0.3), square(), normal(14, ROWS, 64)),
    "BCE": lambda: (m.BCELoss(), m.Sequential(square(), m.Sigmoid()), UNIT),
    "BCE of logits": lambda: (m.BCEWithLogitsLoss(pos_weight=UNIT[0]), square(), UNIT),
    "multi-label soft margin": lambda: (m.MultiLabelSoftMarginLoss(), square(), UNIT),
    "KL": lambda: (m.KLDivLoss(reduction="batchmean"), m.Sequential(square(), m.LogSoftmax(1)), UNIT / 32),
    "Poisson": lambda: (m.PoissonNLLLoss(full=True), square(), np.floor(4 * UNIT)),
    "hinge embedding": lambda: (m.HingeEmbeddingLoss(), square(), SIGNS),
    "soft margin": lambda: (m.SoftMarginLoss(), square(), SIGNS),
    "margin ranking": lambda: (m.MarginRankingLoss(0.2), twice(), SIGNS),
    "Gauss": lambda: (m.GaussianNLLLoss(), m.Parallel(square(), m.Sequential(square(), m.Softplus())), UNIT),
    "classes": lambda: (m.CrossEntropyLoss(UNIT[1] + 0.5, label_smoothing=0.1, ignore_index=3), square(), LABELS),
    "probabilities of classes": lambda: (m.CrossEntropyLoss(), square(), UNIT / UNIT.sum(1, keepdims=True)),
    "NLL": lambda: (m.NLLLoss(reduction="sum"), m.Sequential(square(), m.LogSoftmax(1)), LABELS),
    "multi-margin": lambda: (m.MultiMarginLoss(2, weight=UNIT[2]), square(), LABELS),
    "multi-label margin": lambda: (m.MultiLabelMarginLoss(), square(), integers(15, 64, ROWS, 64) - 1),
    "cosine": lambda: (m.CosineEmbeddingLoss(0.1), twice(), SIGNS[:, 0]),
    "triplet": lambda: (m.TripletMarginLoss(2.0, swap=True), m.Parallel(square(), square(), square()), None),
}


def of_network(make: Callable[[], tuple[m.Module, Any]]) -> tuple[m.Loss, m.Module, Any, Any]:
    network, x = make()
    shown = m.predict(network.to("float64"), mapped(lambda leaf: leaf[:1], x), engine="numpy")
    return m.MSELoss(), network, x, normal(16, ROWS, *shown.shape[1:])


def of_loss(make: Callable[[], tuple[m.Loss, m.Module, Any]]) -> tuple[m.Loss, m.Module, Any, Any]:
    loss, network, y = make()
    return loss, network, X, y


def of_sequences() -> tuple[m.Loss, m.Module, Any, Any]:
    """CTC: as many times as samples, for time comes first."""
    network = m.Sequential(m.Linear(24, 32), m.LSTM(32, 32), m.EveryStep(), m.Linear(32, 20), m.LogSoftmax(2))
    lengths = (1 + integers(17, 19, ROWS, 12), 30 + integers(18, 19, ROWS), 1 + integers(19, 12, ROWS))
    return m.CTCLoss(), network, normal(20, ROWS, ROWS, 24), lengths


def chain() -> m.Module:
    return m.Sequential(m.Linear(64, 96), m.Tanh(), m.Dropout(0.2), m.Linear(96, 64))


RULES: dict[str, Callable[[], optim.Rule]] = {
    "SGD": lambda: optim.SGD(lr=0.05),
    "SGD, Nesterov": lambda: optim.SGD(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda: optim.Adam(lr=0.01),
    "AdamW": lambda: optim.AdamW(lr=0.01, amsgrad=True),
    "NAdam": lambda: optim.NAdam(lr=0.01),
    "RAdam": lambda: optim.RAdam(lr=0.01, betas=(0.9, 0.99)),
    "Adamax": lambda: optim.Adamax(lr=0.01),
    "Adagrad": lambda: optim.Adagrad(lr=0.05, lr_decay=0.1),
    "Adadelta": lambda: optim.Adadelta(),
    "RMSprop": lambda: optim.RMSprop(lr=0.01, momentum=0.5, centered=True),
    "Rprop": lambda: optim.Rprop(lr=0.01),
    "ASGD": lambda: optim.ASGD(lr=0.05, t0=2.0),
    "Lion": lambda: optim.Lion(lr=0.01),
    "LBFGS": lambda: optim.LBFGS(lr=0.3, max_iter=4, line_search_fn="strong_wolfe"),
}
CLIPPING: dict[str, dict[str, Any]] = {"SGD": {"clip_grad_norm": 1.0}, "Adam": {"clip_grad_value": 0.01}}


PROBLEMS: dict[str, Callable[[], tuple[m.Loss, m.Module, Any, Any]]] = {
    **{name: partial(of_network, make) for name, make in NETWORKS.items()},
    **{f"loss: {name}": partial(of_loss, make) for name, make in LOSSES.items()},
    "loss: CTC": of_sequences,
    **{f"rule: {name}": lambda: (m.MSELoss(), chain(), X, normal(16, ROWS, 64)) for name in RULES},
}
"""Loss, network, x and y of each training, by its name."""


def training(name: str, dtype: str, epochs: int = 2) -> Made:
    """The training of that name, from its beginning."""
    m.manual_seed(3)
    loss, network, x, y = PROBLEMS[name]()
    x, y = (mapped(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, value) for value in (x, y))
    kind, _, which = name.partition(": ")
    rule, clipping = (RULES[which](), CLIPPING.get(which, {})) if kind == "rule" else (optim.Adam(lr=1e-3), {})
    size = ROWS if isinstance(loss, m.CTCLoss) else BATCH
    accumulate = 2 if name == "joints" else 1
    made = m.Optim(network.to(dtype), loss.to(dtype), rule, accumulate=accumulate, **clipping)
    m.manual_seed(4)
    return Made(made, (x, y), {"batch_size": size, "epochs": epochs, "engine": "native"})
