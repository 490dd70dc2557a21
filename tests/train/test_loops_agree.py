"""By hand, Optim, sgd and fit: four ways to say the same, to the last bit."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import maillon as m
from maillon.typing import Array

SEED = 3


class Task:
    """A network that always begins alike, its loss, rule and data."""

    def __init__(self, name: str, batch_size: int, dtype: str = "float32") -> None:
        self.name, self.batch_size, self.dtype = name, batch_size, dtype
        numbers = np.random.default_rng(4)
        generator = m.Generator(7)
        sizes = {"line": [1, 1], "binary": [2, 4, 1], "digits": [196, 20, 10], "code": [50, 3, 50]}[name]
        links: list[m.Module] = []
        for fan_in, fan_out in itertools.pairwise(sizes):
            links += [m.Linear(fan_in, fan_out, dtype=dtype, generator=generator), m.Tanh()]
        self.start = m.Sequential(*links[:-1])
        self.x = numbers.normal(size=(53, sizes[0])).astype(dtype)
        self.y = self.x if name == "code" else numbers.normal(size=(53, sizes[-1])).astype(dtype)
        if name == "digits":
            self.y = numbers.integers(0, 10, 53)

    def network(self) -> m.Sequential:
        twin = self.start.share()
        for link in twin:
            for name, parameter in list(vars(link).items()):
                if isinstance(parameter, m.Parameter):
                    setattr(link, name, m.Parameter(parameter.data.copy()))
        return twin

    def loss(self) -> m.Loss:
        return m.CrossEntropyLoss(reduction="sum") if self.name == "digits" else m.HalfMSELoss()

    def batches(self, epochs: int) -> Iterator[list[Array]]:
        """The rows of each mini-batch, epoch by epoch, as the loops draw them."""
        generator = m.Generator(SEED)
        for _ in range(epochs):
            order = generator.randperm(len(self.x))
            yield [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]


TASKS = [
    Task("line", 1),
    Task("binary", 1),
    Task("binary", 16, "float64"),
    Task("digits", 10),
    Task("code", 20),
    Task("line", 100),
]
EPOCHS, RATE = 4, 0.01


def by_hand(task: Task) -> tuple[m.Module, list[float]]:
    network, loss, losses = task.network(), task.loss(), []
    for epoch in task.batches(EPOCHS):
        total = size = 0.0
        for rows in epoch:
            network.zero_grad()
            value = loss(network(task.x[rows]), task.y[rows])
            network.backward(loss.backward())
            network.update_parameters(RATE)
            count = loss.denominator if loss.reduction == "mean" else 1.0
            total, size = total + float(value) * count, size + count
        losses.append(total / size if loss.reduction == "mean" else total)
    return network, losses


def by_optim(task: Task) -> tuple[m.Module, list[float]]:
    optim, losses = m.Optim(task.network(), task.loss(), RATE), []
    for epoch in task.batches(EPOCHS):
        total = size = 0.0
        for rows in epoch:
            value = optim.step(task.x[rows], task.y[rows])
            count = optim.loss.denominator if optim.loss.reduction == "mean" else 1.0
            total, size = total + value * count, size + count
        losses.append(total / size if optim.loss.reduction == "mean" else total)
    return optim.network, losses


def by_sgd(task: Task) -> tuple[m.Module, list[float]]:
    optim = m.Optim(task.network(), task.loss(), RATE)
    losses = m.sgd(optim, task.x, task.y, task.batch_size, EPOCHS, generator=m.Generator(SEED))
    return optim.network, losses


def by_fit(task: Task) -> tuple[m.Module, list[float]]:
    network = task.network()
    history = m.fit(
        network,
        task.loss(),
        task.x,
        task.y,
        rule=m.SGD(lr=RATE),
        batch_size=task.batch_size,
        epochs=EPOCHS,
        generator=m.Generator(SEED),
        engine="numpy",
    )
    return network, [float(value) for value in history["loss"]]


def by_watched_fit(task: Task) -> tuple[m.Module, list[float]]:
    """Metrics, callbacks and validation look on; they change nothing."""
    network = task.network()
    history = m.fit(
        m.Optim(network, task.loss(), RATE),
        task.x,
        task.y,
        batch_size=task.batch_size,
        epochs=EPOCHS,
        generator=m.Generator(SEED),
        validation_data=(task.x, task.y),
        metrics=[lambda prediction, target: 0.0],
        callbacks=[lambda state: None],
        progress=True,
        engine="numpy",
    )
    return network, [float(value) for value in history["loss"]]


Way = Callable[[Task], tuple[m.Module, list[float]]]


@pytest.mark.parametrize("way", [by_optim, by_sgd, by_fit, by_watched_fit])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name}-{task.batch_size}-{task.dtype}")
def test_every_way_gives_the_bits_of_the_loop_by_hand(task: Task, way: Way) -> None:
    expected, expected_losses = by_hand(task)
    network, losses = way(task)

    assert losses == expected_losses
    assert losses[-1] < losses[0]
    for name, value in expected.state_dict().items():
        assert network.state_dict()[name].tobytes() == value.tobytes(), name
