"""The problems of `find_lr.py`: small trainings of many kinds, each with a rule whose rate is to be found.

`DEVELOPMENT` was looked at while `maillon.find_lr` was made. `MEASURED`, thirty others, was written down before the
function was and has had no part in it.
"""

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


def _curve(x: Array) -> Array:
    return np.asarray(np.sin(4 * x[:, 0]))


def _surface(x: Array) -> Array:
    return np.asarray(x[:, 0] ** 2 - x[:, 0] * x[:, 1] + np.cos(2 * x[:, 1]))


def _jump(x: Array) -> Array:
    return np.where(x[:, 0] > 0.2, 1.0, -1.0)


def _outliers(x: Array) -> Array:
    return np.asarray(2 * x[:, 0] - x[:, 1] + 20.0 * (np.abs(x[:, 2]) > 0.97))


_BAG = [m.Flatten, lambda: m.Linear(12 * 8, 2)]
_HALVES = np.logspace(0, -1.5, 10)

DEVELOPMENT = (
    Problem(
        "sine, MLP, Adam",
        mlp(1, 32, 1, activation=m.Tanh),
        m.MSELoss,
        made(regression(1, 256, _curve, 0.1)),
        adam,
        32,
        60,
    ),
    Problem("linear regression, SGD, full batch", mlp(8, 1), m.MSELoss, made(linear(8, 200, 0.5)), sgd, 200, 100),
    Problem(
        "moons, MLP, SGD with momentum", mlp(2, 32, 2), m.CrossEntropyLoss, made(moons(400, 0.15)), momentum, 32, 40
    ),
    Problem("iris unscaled, MLP, Adam", mlp(4, 16, 3), m.CrossEntropyLoss, shipped("iris", x=False), adam, 16, 60),
    Problem(
        "diabetes, target unscaled, linear, SGD", mlp(10, 1), m.MSELoss, shipped("diabetes", column=True), sgd, 32, 40
    ),
    Problem("digits, softmax regression, SGD", mlp(64, 10), m.CrossEntropyLoss, digits, sgd, 64, 30),
    Problem("digits, MLP, RMSprop", mlp(64, 32, 10), m.CrossEntropyLoss, digits, rmsprop, 32, 20),
    Problem(
        "digits, convolution, Adam", convolutional(6), m.CrossEntropyLoss, shipped("digits", images=True), adam, 32, 8
    ),
    Problem("signed sum, LSTM, Adam", recurrent(m.LSTM, 1, 16, 1), m.MSELoss, made(sums(300, 10)), adam, 32, 30),
    Problem(
        "tokens, embedding, Adam",
        chain(lambda: m.Embedding(30, 8), *_BAG),
        m.CrossEntropyLoss,
        made(tokens(400, 12, 30)),
        adam,
        32,
        20,
    ),
    Problem(
        "deep tanh network, SGD with momentum",
        mlp(6, *[24] * 6, 1, activation=m.Tanh),
        m.MSELoss,
        made(teacher(6, 300, 4, 0.1)),
        momentum,
        32,
        40,
    ),
    Problem("wide ReLU network, AdamW", mlp(10, 256, 1), m.MSELoss, made(teacher(10, 400, 6, 0.2)), adamw, 64, 30),
    Problem("linear regression, SGD, batch of 1", mlp(5, 1), m.MSELoss, made(linear(5, 150, 0.3), 1), sgd, 1, 5),
    Problem(
        "blobs with a third of wrong labels, Adam",
        mlp(5, 32, 4),
        m.CrossEntropyLoss,
        made(blobs(400, 4, 0.3)),
        adam,
        32,
        20,
    ),
    Problem(
        "breast cancer unscaled, logistic, SGD",
        mlp(30, 1),
        m.BCEWithLogitsLoss,
        shipped("breast_cancer", x=False, column=True),
        sgd,
        32,
        20,
    ),
    Problem("digits, autoencoder, AdamW", mlp(64, 32, 8, 32, 64), m.MSELoss, itself(digits), adamw, 64, 30),
    Problem(
        "waves, transformer, Adam",
        transformer(16, 12, 3),
        m.CrossEntropyLoss,
        made(waves(300, 12, classes=True)),
        adam,
        32,
        15,
    ),
    Problem(
        "outliers, Huber loss, RMSprop",
        mlp(5, 24, 1),
        m.HuberLoss,
        made(regression(5, 300, _outliers, 0.2)),
        rmsprop,
        32,
        30,
    ),
    Problem(
        "waves, GRU, SGD with momentum",
        recurrent(m.GRU, 1, 16, 3),
        m.CrossEntropyLoss,
        made(waves(300, 15, classes=True), 2),
        momentum,
        32,
        20,
    ),
    Problem(
        "moons, batch norm, SGD",
        mlp(2, 24, 24, 1, before=m.BatchNorm1d),
        m.BCEWithLogitsLoss,
        made(moons(300, 0.2, column=True), 3),
        sgd,
        32,
        30,
    ),
)

MEASURED = (
    Problem(
        "surface, MLP, SGD",
        mlp(2, 24, 1, activation=m.Tanh),
        m.MSELoss,
        made(regression(2, 300, _surface, 0.05), 10),
        sgd,
        32,
        60,
    ),
    Problem("Friedman 1, MLP, Adam", mlp(10, 32, 1), m.MSELoss, made(friedman, 11), adam, 32, 40),
    Problem("Friedman 1, MLP, SGD with momentum", mlp(10, 32, 1), m.MSELoss, made(friedman, 12), momentum, 32, 40),
    Problem(
        "teacher, MLP, AdamW",
        mlp(8, 48, 1, activation=m.Tanh),
        m.MSELoss,
        made(teacher(8, 400, 5, 0.3), 13),
        adamw,
        32,
        30,
    ),
    Problem(
        "linear, columns of many scales, SGD, full batch",
        mlp(10, 1),
        m.MSELoss,
        made(linear(10, 300, 0.3, _HALVES), 14),
        sgd,
        300,
        150,
    ),
    Problem("wine unscaled, MLP, Adam", mlp(13, 16, 3), m.CrossEntropyLoss, shipped("wine", x=False), adam, 16, 60),
    Problem("wine, MLP, SGD", mlp(13, 16, 3), m.CrossEntropyLoss, shipped("wine"), sgd, 16, 30),
    Problem(
        "breast cancer, MLP, Adam",
        mlp(30, 16, 1),
        m.BCEWithLogitsLoss,
        shipped("breast_cancer", column=True),
        adam,
        32,
        15,
    ),
    Problem(
        "breast cancer unscaled, logistic, RMSprop",
        mlp(30, 1),
        m.BCEWithLogitsLoss,
        shipped("breast_cancer", x=False, column=True),
        rmsprop,
        64,
        30,
    ),
    Problem(
        "circles, MLP, SGD, batch of 1",
        mlp(2, 16, 1, activation=m.Tanh),
        m.BCEWithLogitsLoss,
        made(circles, 15),
        sgd,
        1,
        8,
    ),
    Problem("three spirals, MLP, Adam", mlp(2, 48, 48, 3), m.CrossEntropyLoss, made(spirals, 16), adam, 32, 60),
    Problem(
        "digits, softmax regression, SGD with momentum, full batch",
        mlp(64, 10),
        m.CrossEntropyLoss,
        digits,
        momentum,
        800,
        80,
    ),
    Problem("digits, deep MLP, Adam", mlp(64, 32, 32, 32, 10), m.CrossEntropyLoss, digits, adam, 64, 20),
    Problem(
        "digits, convolution and batch norm, SGD with momentum",
        convolutional(4, norm=True),
        m.CrossEntropyLoss,
        shipped("digits", images=True),
        momentum,
        32,
        6,
    ),
    Problem(
        "digits, convolution, AdamW",
        convolutional(4),
        m.CrossEntropyLoss,
        shipped("digits", images=True),
        adamw,
        64,
        10,
    ),
    Problem("iris, softmax regression, SGD, batch of 1", mlp(4, 3), m.CrossEntropyLoss, shipped("iris"), sgd, 1, 6),
    Problem("Linnerud, L1 loss, Adam", mlp(3, 16, 3), m.L1Loss, shipped("linnerud", y=True), adam, 5, 100),
    Problem(
        "diabetes, MLP, RMSprop", mlp(10, 24, 1), m.MSELoss, shipped("diabetes", y=True, column=True), rmsprop, 32, 20
    ),
    Problem(
        "diabetes, smooth L1 loss, AdamW",
        mlp(10, 1),
        m.SmoothL1Loss,
        shipped("diabetes", y=True, column=True),
        adamw,
        64,
        40,
    ),
    Problem(
        "parity of 4 bits, MLP, Adam, full batch",
        mlp(4, 16, 1, activation=m.Tanh),
        m.BCEWithLogitsLoss,
        made(parity(4)),
        adam,
        16,
        300,
    ),
    Problem(
        "a jump, 4 units, SGD with momentum",
        mlp(1, 4, 1, activation=m.Tanh),
        m.MSELoss,
        made(regression(1, 200, _jump, 0.1), 17),
        momentum,
        20,
        60,
    ),
    Problem(
        "deep narrow ReLU network, Adam",
        mlp(4, *[16] * 7, 1),
        m.MSELoss,
        made(teacher(4, 300, 3, 0.1), 18),
        adam,
        32,
        40,
    ),
    Problem("adding, LSTM, Adam", recurrent(m.LSTM, 2, 16, 1), m.MSELoss, made(adding(300, 8), 19), adam, 32, 50),
    Problem(
        "next value of a wave, GRU, SGD with momentum",
        recurrent(m.GRU, 1, 12, 1),
        m.MSELoss,
        made(waves(300, 12, classes=False), 20),
        momentum,
        32,
        20,
    ),
    Problem(
        "the next word, embedding, Adam",
        chain(lambda: m.Embedding(20, 8), lambda: m.Linear(8, 20)),
        m.CrossEntropyLoss,
        made(markov(1000, 20), 21),
        adam,
        64,
        20,
    ),
    Problem(
        "tokens, transformer, AdamW",
        transformer(16, 10, 2, 20),
        m.CrossEntropyLoss,
        made(tokens(300, 10, 20), 22),
        adamw,
        32,
        20,
    ),
    Problem(
        "digits, autoencoder of 3 numbers, RMSprop",
        mlp(64, 24, 3, 24, 64, activation=m.Tanh),
        m.MSELoss,
        itself(digits),
        rmsprop,
        64,
        30,
    ),
    Problem(
        "waves, convolution in one dimension, RMSprop",
        chain(lambda: m.Conv1d(1, 8, 5), m.ReLU, m.Flatten, lambda: m.Linear(8 * 12, 3)),
        m.CrossEntropyLoss,
        made(channels_second(waves(300, 16, classes=True)), 23),
        rmsprop,
        32,
        15,
    ),
    Problem("linear regression in much noise, SGD", mlp(6, 1), m.MSELoss, made(linear(6, 300, 5.0), 24), sgd, 16, 20),
    Problem(
        "several labels, dropout, Adam",
        chain(lambda: m.Linear(20, 32), m.ReLU, lambda: m.Dropout(0.3), lambda: m.Linear(32, 5)),
        m.BCEWithLogitsLoss,
        made(several_labels, 25),
        adam,
        32,
        20,
    ),
)
