"""What the problems of `find_lr.py` are made of: rules, networks and data."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn import datasets

import maillon as m
from maillon.typing import Array

Rule = Callable[[float], Any]
Data = tuple[Array, Array]


@dataclass(frozen=True)
class Problem:
    """build makes the network anew, data the x and y, rule a recipe from a rate."""

    name: str
    build: Callable[[], Any]
    loss: Callable[[], Any]
    data: Callable[[], Data]
    rule: Rule
    batch_size: int
    epochs: int


# Rules


def sgd(lr: float) -> Any:
    return m.SGD(lr=lr)


def momentum(lr: float) -> Any:
    return m.SGD(lr=lr, momentum=0.9)


def adam(lr: float) -> Any:
    return m.Adam(lr=lr)


def adamw(lr: float) -> Any:
    return m.AdamW(lr=lr)


def rmsprop(lr: float) -> Any:
    return m.RMSprop(lr=lr)


# Networks


def mlp(*sizes: int, activation: Any = m.ReLU, before: Any = None) -> Callable[[], Any]:
    def build() -> Any:
        links: list[Any] = []
        for inner, outer in pairwise(sizes[:-1]):
            links += [m.Linear(inner, outer), *([before(outer)] if before else []), activation()]
        return m.Sequential(*links, m.Linear(sizes[-2], sizes[-1]))

    return build


def chain(*links: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: m.Sequential(*(link() for link in links))


def convolutional(channels: int, *, norm: bool = False) -> Callable[[], Any]:
    def build() -> Any:
        first = [m.Conv2d(1, channels, 3, padding=1), *([m.BatchNorm2d(channels)] if norm else []), m.ReLU()]
        second = [m.MaxPool2d(2), m.Conv2d(channels, 2 * channels, 3, padding=1), m.ReLU(), m.MaxPool2d(2)]
        return m.Sequential(*first, *second, m.Flatten(), m.Linear(8 * channels, 10))

    return build


def recurrent(link: Any, inputs: int, hidden: int, outputs: int) -> Callable[[], Any]:
    return lambda: m.Sequential(link(inputs, hidden, batch_first=True), m.LastStep(), m.Linear(hidden, outputs))


# Data

_Make = Callable[[Any], tuple[Any, Any]]


def made(make: _Make, seed: int = 0) -> Callable[[], Data]:
    def data() -> Data:
        x, y = make(np.random.default_rng(seed))
        return _narrow(x), _narrow(y)

    return data


def _narrow(values: Any) -> Array:
    array = np.asarray(values)
    return array.astype(np.int64 if array.dtype.kind in "iub" else np.float32)


def shipped(name: str, *, x: bool = True, y: bool = False, column: bool = False, images: bool = False) -> Any:
    """A data set of scikit-learn; x, y: standardised. column: the target as one column of numbers."""

    def data() -> Data:
        inputs, target = getattr(datasets, f"load_{name}")(return_X_y=True)
        if images:
            return _narrow(inputs[:600].reshape(-1, 1, 8, 8) / 16), _narrow(target[:600])
        inputs = _standard(inputs) if x else inputs
        target = _standard(target) if y else target
        return _narrow(inputs), _narrow(target[:, None].astype(float) if column else target)

    return data


def _standard(values: Array) -> Array:
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1))


def itself(data: Callable[[], Data]) -> Callable[[], Data]:
    return lambda: (data()[0], data()[0])


def digits() -> Data:
    x, y = datasets.load_digits(return_X_y=True)
    return _narrow(x[:800] / 16), _narrow(y[:800])


def regression(inputs: int, rows: int, function: Callable[[Array], Array], noise: float, scale: Any = 1.0) -> _Make:
    def make(rng: Any) -> tuple[Any, Any]:
        x = rng.uniform(-1, 1, (rows, inputs))
        y = function(x)
        return x * scale, (y + noise * rng.standard_normal(y.shape))[:, None]

    return make


def linear(inputs: int, rows: int, noise: float, scale: Any = 1.0) -> _Make:
    def make(rng: Any) -> tuple[Any, Any]:
        x = rng.standard_normal((rows, inputs))
        y = x @ rng.standard_normal(inputs)
        return x * scale, (y + noise * rng.standard_normal(rows))[:, None]

    return make


def teacher(inputs: int, rows: int, hidden: int, noise: float) -> _Make:
    def make(rng: Any) -> tuple[Any, Any]:
        x = rng.standard_normal((rows, inputs))
        y = np.tanh(x @ rng.standard_normal((inputs, hidden))) @ rng.standard_normal(hidden)
        return x, (y + noise * rng.standard_normal(rows))[:, None]

    return make


def friedman(rng: Any) -> tuple[Any, Any]:
    x, y = datasets.make_friedman1(400, noise=1.0, random_state=int(rng.integers(1000)))
    return x, _standard(y)[:, None]


def moons(rows: int, noise: float, *, column: bool = False) -> _Make:
    def make(rng: Any) -> tuple[Any, Any]:
        x, y = datasets.make_moons(rows, noise=noise, random_state=int(rng.integers(1000)))
        return x, y[:, None].astype(float) if column else y

    return make


def circles(rng: Any) -> tuple[Any, Any]:
    x, y = datasets.make_circles(300, noise=0.1, factor=0.5, random_state=int(rng.integers(1000)))
    return x, y[:, None].astype(float)


def spirals(rng: Any) -> tuple[Any, Any]:
    kind = rng.integers(3, size=450)
    far = rng.uniform(0.1, 1, 450)
    angle = 5 * far + 2 * np.pi * kind / 3 + 0.1 * rng.standard_normal(450)
    return np.stack([far * np.cos(angle), far * np.sin(angle)], axis=1), kind


def blobs(rows: int, kinds: int, wrong: float) -> _Make:
    def make(rng: Any) -> tuple[Any, Any]:
        centres = 2 * rng.standard_normal((kinds, 5))
        kind = rng.integers(kinds, size=rows)
        x = centres[kind] + rng.standard_normal((rows, 5))
        return x, np.where(rng.random(rows) < wrong, rng.integers(kinds, size=rows), kind)

    return make


def parity(bits: int) -> _Make:
    def make(_rng: Any) -> tuple[Any, Any]:
        numbers = np.arange(2**bits)[:, None] >> np.arange(bits) & 1
        return 2.0 * numbers - 1, (numbers.sum(axis=1) % 2)[:, None].astype(float)

    return make


def sums(rows: int, steps: int) -> _Make:
    """Sequences of numbers; the target is their mean, of the first half positive and of the second negative."""

    def make(rng: Any) -> tuple[Any, Any]:
        x = rng.standard_normal((rows, steps, 1))
        sign = np.where(np.arange(steps) < steps // 2, 1, -1)
        return x, (x[..., 0] * sign).sum(axis=1, keepdims=True) / np.sqrt(steps)

    return make


def adding(rows: int, steps: int) -> _Make:
    """Two of the steps are marked; the target is the sum of their numbers."""

    def make(rng: Any) -> tuple[Any, Any]:
        x = np.stack([rng.random((rows, steps)), np.zeros((rows, steps))], axis=2)
        for row in x:
            row[rng.choice(steps, 2, replace=False), 1] = 1
        return x, (x[..., 0] * x[..., 1]).sum(axis=1, keepdims=True)

    return make


def waves(rows: int, steps: int, *, classes: bool) -> _Make:
    """Noisy waves; which of three frequencies, or the next value."""

    def make(rng: Any) -> tuple[Any, Any]:
        kind = rng.integers(3, size=rows)
        at = np.arange(steps + 1) * (0.4 + 0.3 * kind)[:, None] + rng.uniform(0, 6, (rows, 1))
        wave = np.sin(at) + 0.1 * rng.standard_normal(at.shape)
        return wave[:, :steps, None], kind if classes else wave[:, steps:]

    return make


def channels_second(make: _Make) -> _Make:
    def moved(rng: Any) -> tuple[Any, Any]:
        x, y = make(rng)
        return x.swapaxes(1, 2), y

    return moved


def tokens(rows: int, steps: int, words: int) -> _Make:
    """Sentences; the class says whether words of the first third or of the last one are more frequent."""

    def make(rng: Any) -> tuple[Any, Any]:
        x = rng.integers(words, size=(rows, steps))
        score = (x < words // 3).sum(axis=1) - (x >= words - words // 3).sum(axis=1)
        return x, (score > 0).astype(int)

    return make


def markov(rows: int, words: int) -> _Make:
    """The word after a word, by a table of chances."""

    def make(rng: Any) -> tuple[Any, Any]:
        chances = rng.dirichlet(np.full(words, 0.2), size=words)
        x = rng.integers(words, size=rows)
        return x, np.array([rng.choice(words, p=chances[word]) for word in x])

    return make


def several_labels(rng: Any) -> tuple[Any, Any]:
    x, y = datasets.make_multilabel_classification(
        400, n_features=20, n_classes=5, random_state=int(rng.integers(1000))
    )
    return x, y.astype(float)


def transformer(width: int, steps: int, outputs: int, words: int | None = None) -> Callable[[], Any]:
    def build() -> Any:
        first = m.Linear(1, width) if words is None else m.Embedding(words, width)
        layer = m.TransformerEncoderLayer(width, 2, 2 * width, 0.0, batch_first=True)
        return m.Sequential(first, layer, m.Flatten(), m.Linear(width * steps, outputs))

    return build
