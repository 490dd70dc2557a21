"""drop_last: the short last mini-batch of each epoch is left out."""

from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.typing import Array

X = np.random.default_rng(0).normal(size=(23, 3)).astype(np.float32)
Y = X @ np.array([[1.0], [-2.0], [0.5]], np.float32)
WEIGHT = np.linspace(0.5, 1.5, 23).astype(np.float32)


def network() -> m.Sequential:
    generator = m.Generator(3)
    links = (m.Linear(3, 4, generator=generator), m.Tanh(), m.Dropout(0.3), m.Linear(4, 1, generator=generator))
    return m.Sequential(*links)


def bits(net: m.Module) -> list[bytes]:
    return [value.tobytes() for value in net.state_dict().values()]


def by_hand(batch_size: int, shuffle: bool, epochs: int, weight: Array | None = None) -> tuple[list[bytes], Any]:
    """One `randperm` of all rows an epoch, of which the last rows are not learnt from; and what is drawn next."""
    optim, numbers = m.Optim(network(), m.MSELoss(), m.SGD(lr=0.1, momentum=0.9)), m.Generator(1)
    with m.random.using(numbers):
        for _ in range(epochs):
            order = numbers.randperm(23) if shuffle else np.arange(23)
            for start in range(0, 23 - 23 % batch_size, batch_size):
                rows = order[start : start + batch_size]
                optim.step(X[rows], Y[rows], None if weight is None else weight[rows])
    return bits(optim.network), numbers.get_state()


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 5, 11, 22, 23])
def test_whole_mini_batches_only(batch_size: int, shuffle: bool, weight: Any, engine: str) -> None:
    net, numbers = network(), m.Generator(1)
    steps: list[int] = []
    history = m.fit(
        m.Optim(net, m.MSELoss(), m.SGD(lr=0.1, momentum=0.9)),
        X,
        Y,
        batch_size=batch_size,
        epochs=4,
        shuffle=shuffle,
        drop_last=True,
        sample_weight=weight,
        metrics="mae",
        callbacks=lambda state: steps.append(state.batch),
        generator=numbers,
    )
    assert (bits(net), numbers.get_state()) == by_hand(batch_size, shuffle, 4, weight)
    assert steps == [23 // batch_size] * 4
    assert history.steps == 4 * (23 // batch_size)
    assert history.engine == engine


@pytest.mark.parametrize("batch_size", [5, 22])
def test_epochs_that_nobody_looks_at_are_the_same(batch_size: int, engine: str) -> None:
    net, numbers = network(), m.Generator(1)
    optim = m.Optim(net, m.MSELoss(), m.SGD(lr=0.1, momentum=0.9))
    history = m.fit(optim, X, Y, batch_size=batch_size, epochs=6, drop_last=True, generator=numbers)
    assert (bits(net), numbers.get_state()) == by_hand(batch_size, True, 6)
    assert (len(history), history.steps, history.engine) == (6, 6 * (23 // batch_size), engine)


def test_sgd_leaves_them_out_as_fit_does() -> None:
    net, numbers = network(), m.Generator(1)
    optim = m.Optim(net, m.MSELoss(), m.SGD(lr=0.1, momentum=0.9))
    losses = m.sgd(optim, X, Y, 5, 3, drop_last=True, generator=numbers)
    assert (bits(net), numbers.get_state()) == by_hand(5, True, 3)
    assert len(losses) == 3


@pytest.mark.parametrize("batch_size", [3, 22])
def test_the_loss_and_the_metrics_are_over_the_rows_learnt_from(batch_size: int) -> None:
    net = m.Linear(3, 1, generator=m.Generator(1))
    history = m.fit(
        net, m.MSELoss(), X, Y, rule=0.0, batch_size=batch_size, shuffle=False, drop_last=True, metrics="mse"
    )
    rows = 23 - 23 % batch_size
    expected = float(np.mean((net(X[:rows]) - Y[:rows]) ** 2))
    assert history["loss"][0] == pytest.approx(expected, rel=1e-6)
    assert history["mse"][0] == pytest.approx(expected, rel=1e-6)


def test_it_trains_a_norm_that_the_last_row_would_break() -> None:
    net = m.Sequential(m.Linear(3, 4), m.BatchNorm1d(4), m.Linear(4, 1))
    history = m.fit(net, m.MSELoss(), X, Y, batch_size=11, epochs=2, drop_last=True)
    assert history.steps == 4
    assert net.state_dict()["1.num_batches_tracked"] == 4


def test_a_mini_batch_of_more_rows_than_there_are_leaves_nothing() -> None:
    net = network()
    before = bits(net)
    optim = m.Optim(net, m.MSELoss(), 0.1)
    for name, call in {
        "fit": lambda: m.fit(optim, X, Y, batch_size=24, drop_last=True),
        "sgd": lambda: m.sgd(optim, X, Y, 24, 1, drop_last=True),
    }.items():
        with pytest.raises(ValueError) as caught:
            call()
        assert str(caught.value) == (
            f"{name}: drop_last=True leaves nothing to learn from: a mini-batch of 24 rows needs more than the 23 there "
            "are. Take a smaller batch_size."
        )
    assert bits(net) == before


def test_a_loss_that_is_not_finite_is_said_with_its_place(engine: str) -> None:
    x = X.copy()
    x[17] = 3e38
    net = m.Linear(3, 1, generator=m.Generator(1))
    with pytest.raises(m.NonFiniteLossError, match="in epoch 1, batch 4"):
        m.fit(net, m.MSELoss(), x, Y, rule=1e-3, batch_size=5, shuffle=False, drop_last=True)
    x[17], x[22] = 0, 3e38
    m.fit(net, m.MSELoss(), x, Y, rule=1e-3, batch_size=5, shuffle=False, drop_last=True)
