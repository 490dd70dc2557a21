"""Networks, losses, rules and data at random, for fuzz.py."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import maillon
from maillon.engine.memory import Memory
from maillon.engine.plan import Plan
from maillon.engine.predictor import lower_prediction
from maillon.engine.step import Batches, lower_training, rule_and_gradients
from maillon.random import Generator, default_generator
from maillon.typing import Array

SIZES = (1, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 17, 31, 32, 33, 40)
LARGE = (64, 65, 96, 100, 129, 200, 257)
ROWS = (1, 1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 33, 40)
NAMES = ("x", "y", "target", "loss", "workspace", "dx", "d0", "d1", "d2", "1", "2", "3", "weight", "d", "row totals")

Shape = tuple[int, ...]


@dataclass
class Sample:
    """A training, and the words its Dropouts will draw."""

    optim: maillon.Optim
    batches: Batches
    states: dict[Generator, Any] = field(default_factory=dict)


def _pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def _width(rng: np.random.Generator) -> int:
    return int(_pick(rng, LARGE if rng.random() < 0.12 else SIZES))


def shape_of(rng: np.random.Generator) -> Shape:
    """A mini-batch: mostly a matrix."""
    rows = 0 if rng.random() < 0.04 else int(_pick(rng, ROWS))
    if rng.random() < 0.04:
        rows = int(_pick(rng, LARGE))
    more = int(rng.choice([0, 1, 2, 3], p=[0.04, 0.72, 0.14, 0.1]))
    small = (1, 2, 3, 4, 7, 9) if rng.random() < 0.95 else (0, 1)
    return (rows, *(_width(rng) if more == 1 else int(_pick(rng, small)) for _ in range(more)))


def _after(link: Any, shape: Shape) -> Shape:
    """The shape behind a link that keeps the number of dimensions, or flattens some."""
    if isinstance(link, maillon.Linear):
        return (*shape[:-1], link.out_features)
    if isinstance(link, maillon.Flatten):
        start, end = link.dimensions(shape)
        return (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])
    return shape


def _linear(rng: np.random.Generator, width: int, earlier: list[Any]) -> Any:
    """A new one, some of its parameters frozen perhaps, or an earlier one's."""
    shared = [link for link in earlier if isinstance(link, maillon.Linear) and link.in_features == width]
    if shared and rng.random() < 0.3:
        return _pick(rng, shared).share()
    link = maillon.Linear(width, _width(rng), bias=bool(rng.random() < 0.8))
    for parameter in link.parameters():
        parameter.requires_grad = bool(rng.random() < 0.9)
    return link


def _link(rng: np.random.Generator, shape: Shape, earlier: list[Any]) -> Any:
    """One that takes the shape."""
    n = len(shape)
    if rng.random() < 0.45 and n > 1 and shape[-1]:
        return _linear(rng, shape[-1], earlier)
    kinds = ["Tanh", "Sigmoid", "ReLU", "LeakyReLU", "Tanh", "ReLU", "Dropout", "Identity", "Softmax", "LogSoftmax"]
    kind = _pick(rng, [*kinds, *["Flatten"] * (n > 1)])
    options: list[Any] = []
    if kind == "LeakyReLU":
        options = [float(_pick(rng, (0.01, 0.3, 0.0, -0.5, 1.5)))]
    elif kind == "Dropout":
        own = Generator(int(rng.integers(99))) if rng.random() < 0.3 else None
        return maillon.Dropout(float(_pick(rng, (0.0, 0.2, 0.5, 0.97, 1.0))), generator=own)
    elif kind == "Flatten":
        start = int(rng.integers(1, n)) if rng.random() < 0.9 else 0
        options = [start, int(rng.integers(start, n))]
    elif kind.endswith("Softmax"):
        dims = [d for d in range(-n, n) if shape[d]]
        kind, options = (kind, [_pick(rng, dims)]) if dims else ("Identity", [])
    return getattr(maillon, kind)(*options)


def network_of(rng: np.random.Generator, shape: Shape) -> tuple[maillon.Sequential, Shape]:
    links: list[Any] = []
    for _ in range(int(rng.integers(1, 9))):
        links.append(_link(rng, shape, links))
        shape = _after(links[-1], shape)
    if rng.random() < 0.3:  # a chain within
        start = int(rng.integers(len(links)))
        end = int(rng.integers(start, len(links))) + 1
        links[start:end] = [maillon.Sequential(*links[start:end])]
    if rng.random() < 0.15:  # any names
        names = rng.permutation(np.array(NAMES))[: len(links)]
        return maillon.Sequential(dict(zip(map(str, names), links, strict=True))), shape
    return maillon.Sequential(*links), shape


def _weights(rng: np.random.Generator, shape: Shape) -> Array | None:
    """A factor that broadcasts to the shape, or none."""
    if rng.random() < 0.6:
        return None
    kept = shape[int(rng.integers(len(shape) + 1)) :]
    return rng.random([1 if rng.random() < 0.3 else size for size in kept]) * 2


_OPTIONS: dict[str, dict[str, Any]] = {
    "HuberLoss": {"delta": 0.3},
    "SmoothL1Loss": {"beta": 0.7},
    "KLDivLoss": {"reduction": "batchmean"},
    "PoissonNLLLoss": {"full": True},
    "HingeEmbeddingLoss": {"margin": 0.4},
}
_BINARY = ("BCELoss", "BCEWithLogitsLoss", "MultiLabelSoftMarginLoss")
_KINDS = ("MSELoss", "HalfMSELoss", "L1Loss", "BCELoss", "BCEWithLogitsLoss", "MultiLabelSoftMarginLoss")


def _element_loss(rng: np.random.Generator, shape: Shape) -> tuple[Any, Array]:
    kind = _pick(rng, (*_KINDS, "SoftMarginLoss", *_OPTIONS))
    options: dict[str, Any] = {"reduction": _pick(rng, ("mean", "sum", "none"))}
    options |= _OPTIONS.get(kind, {}) if rng.random() < 0.5 else {}
    target: Array = rng.normal(size=shape)
    if kind in _BINARY:
        options["weight"] = _weights(rng, shape)
        target = rng.random(shape)
        if kind == "BCEWithLogitsLoss":
            options["pos_weight"] = _weights(rng, shape)
    elif kind in ("SoftMarginLoss", "HingeEmbeddingLoss"):
        target = np.where(target > 0, 1.0, -1.0)
    elif kind in ("KLDivLoss", "PoissonNLLLoss"):
        target = np.maximum(target, 0)
    return getattr(maillon, kind)(**options), target


def _margin_loss(rng: np.random.Generator, shape: Shape) -> tuple[Any, Array]:
    rows, classes = shape
    by = _pick(rng, ("mean", "sum", "none"))
    if rng.random() < 0.5:
        lists = rng.integers(-1, classes, shape)
        return maillon.MultiLabelMarginLoss(reduction=by), lists
    weight = rng.random(classes) if rng.random() < 0.4 else None
    return maillon.MultiMarginLoss(int(rng.integers(1, 3)), 0.8, weight, reduction=by), rng.integers(0, classes, rows)


def _class_loss(rng: np.random.Generator, shape: Shape) -> tuple[Any, Array]:
    classes = shape[1]
    options: dict[str, Any] = {
        "reduction": _pick(rng, ("mean", "sum", "none")),
        "weight": rng.random(classes) + 0.1 if rng.random() < 0.4 else None,
        "ignore_index": int(_pick(rng, (-100, -100, 0, classes - 1, 2**40))),
    }
    labels: Array = rng.integers(0, classes, (shape[0], *shape[2:]))
    if rng.random() < 0.3:
        labels[rng.random(labels.shape) < 0.3] = options["ignore_index"]
    if rng.random() < 0.04 and labels.size:
        labels.reshape(-1)[-1] = _pick(rng, (classes, -1, 2**62, -(2**63)))
    if rng.random() < 0.3:
        return maillon.NLLLoss(**options), labels
    options["label_smoothing"] = float(_pick(rng, (0.0, 0.0, 0.1, 1.0)))
    loss = maillon.CrossEntropyLoss(**options, from_logits=bool(rng.random() < 0.7))
    if rng.random() < 0.7:
        return loss, labels
    loss.ignore_index = min(loss.ignore_index, -1)  # beside probabilities none can be ignored
    return loss, rng.dirichlet(np.ones(classes), (shape[0], *shape[2:])).swapaxes(1, -1).reshape(shape)


def _rule(rng: np.random.Generator, network: Any) -> Any:
    common = {
        "lr": float(_pick(rng, (0.0, 0.01, 0.1))),
        "weight_decay": float(_pick(rng, (0, 0, 0.1))),
        "maximize": bool(rng.random() < 0.2),
    }
    if rng.random() < 0.4:
        rule: Any = maillon.Adam(**common, amsgrad=bool(rng.random() < 0.4), eps=float(_pick(rng, (1e-2, 1e-3))))
    else:
        momentum = float(_pick(rng, (0, 0.9)))
        nesterov = bool(momentum and rng.random() < 0.5)
        dampening = 0.0 if nesterov else float(_pick(rng, (0, 0.3)))
        rule = maillon.SGD(**common, momentum=momentum, nesterov=nesterov, dampening=dampening)
    return rule.bind(network.parameters()) if rng.random() < 0.5 else rule


def _data(rng: np.random.Generator, shape: Shape, dtype: Any) -> Array:
    x = rng.normal(size=shape) * float(_pick(rng, (1, 1, 1, 1e-3, 30)))
    if rng.random() < 0.05 and x.size:
        x.reshape(-1)[int(rng.integers(x.size))] = _pick(rng, (np.nan, np.inf, -np.inf, 1e38, 1e-42))
    return x.astype(dtype)


def training(rng: np.random.Generator) -> Sample:
    """Drawn again where the loss refuses the network."""
    while True:
        maillon.manual_seed(int(rng.integers(2**31)))
        shape = shape_of(rng)
        network, output = network_of(rng, shape)
        dtype = np.dtype(_pick(rng, ("float32", "float64")))
        network.to(dtype)
        classes = len(output) > 1 and output[1] and rng.random() < 0.5
        try:
            draw = _class_loss if classes else _element_loss
            if classes and len(output) == 2 and rng.random() < 0.3:
                draw = _margin_loss
            loss, target = draw(rng, output)
            clip = {_pick(rng, ("clip_grad_norm", "clip_grad_value")): 0.1} if rng.random() < 0.3 else {}
            optim = maillon.Optim(network, loss, _rule(rng, network), **clip, accumulate=int(_pick(rng, (1, 1, 2))))
        except ValueError:
            continue
        x = _data(rng, shape, dtype)
        y = target if target.dtype == np.int64 else target.astype(dtype)
        weight = rng.random(shape[0]).astype(dtype) if rng.random() < 0.25 else None
        return Sample(optim, Batches(x, y, weight, max(1, shape[0]), shuffle=False))


def plan(sample: Sample) -> Plan:
    """The step on the whole of the batch; what momenta hold is there before."""
    state, gradients = rule_and_gradients(sample.optim)
    made = lower_training(sample.optim, sample.batches, sample.batches.rows, state, gradients, Memory())
    sample.states = {generator: generator.get_state() for generator in [default_generator(), *made.streams]}
    return made


def prediction(rng: np.random.Generator) -> tuple[maillon.Sequential, Array]:
    maillon.manual_seed(int(rng.integers(2**31)))
    shape = shape_of(rng)
    network, _ = network_of(rng, shape)
    dtype = np.dtype(_pick(rng, ("float32", "float64")))
    network.to(dtype)
    return network, _data(rng, shape, dtype)


def prediction_plan(network: Any, shape: Shape) -> Plan:
    return lower_prediction(network.eval(), np.empty(shape, network.dtype), Memory())
