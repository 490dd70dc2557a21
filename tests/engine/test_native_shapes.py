"""Steps through layers, losses and rules of many sizes: whole registers, their rests, whole tiles and their edges."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, close, one_step, threads

import maillon as m
from maillon.engine import processor
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

SETS = processor.core().instruction_sets() if processor.core() is not None else ["none"]
every_set = pytest.mark.parametrize("chosen", SETS)
both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


@pytest.fixture(autouse=True)
def instruction_set(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILLON_ISA", request.node.callspec.params["chosen"])


def numbers(seed: int, shape: tuple[int, ...], dtype: str) -> Array:
    return Generator(seed).normal(shape, dtype=np.float64).astype(dtype)


def unit(seed: int, shape: tuple[int, ...], dtype: str) -> Array:
    return Generator(seed).uniform(shape, 0.05, 0.95, dtype=np.float64).astype(dtype)


def made(network: Callable[[], m.Module], loss: m.Loss, dtype: str, rule: Any = None) -> Callable[[], m.Optim]:
    """An Optim that begins alike each time."""
    start = network().to(dtype).state_dict()

    def make() -> m.Optim:
        again = network().to(dtype)
        again.load_state_dict(start)
        return m.Optim(again, loss, m.SGD(lr=0.1) if rule is None else rule)

    return make


LAYERS = [*itertools.product((1, 2, 7, 13, 33), (1, 3, 8, 17, 40), (1, 5, 16, 31)), (100, 150, 130), (12, 70, 300)]
ACTIVATIONS: list[Callable[[], m.Module]] = [m.Tanh, m.Sigmoid, m.ReLU, lambda: m.LeakyReLU(0.1), m.Identity]


@every_set
@both_dtypes
def test_layers(dtype: str, chosen: str) -> None:
    for place, (rows, inputs, outputs) in enumerate(LAYERS):
        activation = ACTIVATIONS[place % len(ACTIVATIONS)]
        first, second = m.Linear(inputs, outputs), m.Linear(outputs, 2, bias=place % 3 > 0)
        make = made(
            lambda first=first, second=second, activation=activation: m.Sequential(  # type: ignore[misc]
                m.Linear(first.in_features, first.out_features),
                activation(),
                m.Linear(second.in_features, 2, bias=second.bias is not None),
            ),
            m.MSELoss(),
            dtype,
        )
        x, y = numbers(place, (rows, inputs), dtype), numbers(place + 1, (rows, 2), dtype)
        one_step(make, x, y, None, TOLERANCE[dtype])
        network = make().network.eval()
        close("compiled", m.compile(network)(x), network(x), TOLERANCE[dtype])


@every_set
@both_dtypes
def test_data_that_are_mostly_zero(dtype: str, chosen: str) -> None:
    """As images: zeros here and there, in whole columns and whole rows; products with them may be left out."""
    for rows, inputs, outputs in [(1, 40, 5), (7, 64, 9), (13, 100, 31), (60, 300, 40), (100, 784, 30)]:
        x = numbers(1, (rows, inputs), dtype)
        x[unit(2, x.shape, dtype) < 0.7] = 0
        x[:, inputs // 3 : inputs // 2] = 0
        x[rows // 2] = 0
        y = numbers(3, (rows, 2), dtype)

        def network(inputs: int = inputs, outputs: int = outputs) -> m.Module:
            return m.Sequential(m.Linear(inputs, outputs), m.Tanh(), m.Linear(outputs, 2))

        make = made(network, m.MSELoss(), dtype)
        for data in (x, -x, np.zeros_like(x)):
            one_step(make, data, y, None, TOLERANCE[dtype])
            evaluated = make().network.eval()
            close("compiled", m.compile(evaluated)(data), evaluated(data), TOLERANCE[dtype])


ELEMENTS: list[tuple[Callable[..., m.Loss], bool]] = [
    (m.MSELoss, False),
    (m.HalfMSELoss, False),
    (m.L1Loss, False),
    (m.BCELoss, True),
    (m.BCEWithLogitsLoss, False),
]


@every_set
@both_dtypes
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_of_elements(reduction: str, dtype: str, chosen: str) -> None:
    for loss, probable in ELEMENTS:
        for rows, columns in itertools.product((1, 9), (1, 2, 4, 5, 8, 9, 16, 17, 33)):
            options: dict[str, Any] = {}
            if loss in (m.BCELoss, m.BCEWithLogitsLoss) and columns % 2:
                options["weight"] = unit(3, (columns,), "float64")
            if loss is m.BCEWithLogitsLoss and columns % 4:
                options["pos_weight"] = unit(4, (columns,), "float64")

            def network(columns: int = columns, probable: bool = probable) -> m.Module:
                return m.Sequential(m.Linear(3, columns), *([m.Sigmoid()] if probable else []))

            make = made(network, loss(reduction=reduction, **options).to(dtype), dtype)
            x, y = numbers(1, (rows, 3), dtype), unit(2, (rows, columns), dtype)
            for weight in (None, unit(5, (rows,), dtype)):
                one_step(make, x, y, weight, TOLERANCE[dtype])


CLASS_OPTIONS: list[dict[str, Any]] = [
    {},
    {"label_smoothing": 0.1},
    {"weight": True},
    {"ignore_index": 1},
    {"weight": True, "label_smoothing": 0.3, "ignore_index": 0, "reduction": "sum"},
]


@every_set
@both_dtypes
@pytest.mark.parametrize("kind", ["cross-entropy", "of a distribution", "of probabilities", "likelihood"])
def test_losses_of_classes(kind: str, dtype: str, chosen: str) -> None:
    """Along the last dimension and, with more after it, along one before."""
    one = (2,) if kind in ("likelihood", "of probabilities") else (1,)  # where all gradients of one number cancel
    for classes, after in itertools.product((1, 2, 4, 5, 8, 9, 17, 40), ((), one, (3,), (9,))):
        options = dict(CLASS_OPTIONS[(classes + len(after) * 3) % len(CLASS_OPTIONS)])
        if "weight" in options:
            options["weight"] = unit(3, (classes,), "float64")
        if kind == "likelihood":
            options.pop("label_smoothing", None)
        if kind == "of a distribution":
            options.pop("ignore_index", None)
        loss = (
            m.NLLLoss(**options)
            if kind == "likelihood"
            else m.CrossEntropyLoss(from_logits=kind != "of probabilities", **options)
        )
        last = {"likelihood": [m.LogSoftmax(1)], "of probabilities": [m.Softmax(1)]}.get(kind, [])

        def network(classes: int = classes, after: tuple[int, ...] = after, last: Any = last) -> m.Module:
            return m.Sequential(m.Linear(after[-1] if after else 3, after[-1] if after else classes), *last)

        x = numbers(1, (7, classes, *after) if after else (7, 3), dtype)
        y = Generator(2).randint(0, classes, (7, *after))
        y.reshape(-1)[:2] = classes - 1  # never all of them ignored, unless there is but one class
        if options.get("ignore_index", -100) == classes - 1:
            continue
        if kind == "of a distribution":
            y = unit(4, (7, classes, *after), dtype)
            y /= y.sum(axis=1, keepdims=True)
        for weight in (None, unit(5, (7,), dtype)):
            one_step(made(network, loss.to(dtype), dtype), x, y, weight, TOLERANCE[dtype])


@every_set
@both_dtypes
@pytest.mark.parametrize("link", [m.Softmax, m.LogSoftmax])
def test_softmaxes(link: Callable[[int], m.Module], dtype: str, chosen: str) -> None:
    for size, after in itertools.product((1, 2, 4, 5, 8, 9, 17, 40), ((), (1,), (3,), (8,), (17,))):
        shape = (5, size, *after)
        width = shape[-1]
        make = made(lambda width=width: m.Sequential(m.Linear(width, width), link(1)), m.MSELoss(), dtype)  # type: ignore[misc]
        one_step(make, numbers(1, shape, dtype), numbers(2, shape, dtype), None, TOLERANCE[dtype])


RULES: list[Any] = [
    m.SGD(lr=0.1),
    m.SGD(lr=0.1, momentum=0.9, weight_decay=0.1),
    m.SGD(lr=0.1, momentum=0.9, nesterov=True, maximize=True),
    m.Adam(lr=0.01),
    m.Adam(lr=0.01, weight_decay=0.1, amsgrad=True),
]


@every_set
@both_dtypes
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules(rule: Any, dtype: str, chosen: str) -> None:
    for inputs, outputs in itertools.product((1, 2, 3, 7, 16), (1, 4, 9)):
        make = made(lambda i=inputs, o=outputs: m.Linear(i, o), m.MSELoss(), dtype, rule)  # type: ignore[misc]
        x, y = numbers(1, (4, inputs), dtype), numbers(2, (4, outputs), dtype)
        one_step(make, x, y, None, TOLERANCE[dtype])


@every_set
@both_dtypes
def test_layers_that_threads_share(dtype: str, chosen: str) -> None:
    """Three threads, and sizes that three does not divide."""
    with threads(3, worth=0):
        for rows, inputs, middle in [(101, 130, 67), (64, 257, 128), (7, 400, 300)]:
            make = made(
                lambda i=inputs, h=middle: m.Sequential(m.Linear(i, h), m.Tanh(), m.Linear(h, 50), m.Softmax()),  # type: ignore[misc]
                m.CrossEntropyLoss(from_logits=False),
                dtype,
                m.Adam(lr=1e-3),
            )
            labels = Generator(2).randint(0, 50, (rows,))
            one_step(make, numbers(1, (rows, inputs), dtype), labels, None, 10 * TOLERANCE[dtype])
