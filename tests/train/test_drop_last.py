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


def learner() -> m.Optim:
    return m.Optim(network().to("float64"), m.MSELoss(), m.SGD(lr=0.01, momentum=0.9))


def same(optim: m.Optim, numbers: m.Generator, expected: tuple[m.Module, m.Generator]) -> None:
    """The parameters, as far as two engines agree, and to the bit what is drawn next."""
    for value, other in zip(optim.network.parameters(), expected[0].parameters(), strict=True):
        np.testing.assert_allclose(value.data, other.data, rtol=1e-9, atol=1e-12)
    assert numbers.get_state() == expected[1].get_state()


def by_hand(batch_size: int, shuffle: bool, epochs: int, weight: Array | None = None) -> tuple[m.Module, m.Generator]:
    """One `randperm` of all rows an epoch, of which the last rows are not learnt from; and what is drawn next."""
    optim, numbers = learner(), m.Generator(1)
    with m.random.using(numbers):
        for _ in range(epochs):
            order = numbers.randperm(23) if shuffle else np.arange(23)
            for start in range(0, 23 - 23 % batch_size, batch_size):
                rows = order[start : start + batch_size]
                optim.step(X[rows], Y[rows], None if weight is None else weight[rows])
    return optim.network, numbers


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 5, 11, 22, 23])
def test_whole_mini_batches_only(batch_size: int, shuffle: bool, weight: Any, engine: str) -> None:
    optim, numbers = learner(), m.Generator(1)
    steps: list[int] = []
    history = m.fit(
        optim,
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
    same(optim, numbers, by_hand(batch_size, shuffle, 4, weight))
    assert steps == [23 // batch_size] * 4
    assert history.steps == 4 * (23 // batch_size)
    assert history.engine == engine


@pytest.mark.parametrize("batch_size", [5, 22])
def test_epochs_that_nobody_looks_at_are_the_same(batch_size: int, engine: str) -> None:
    optim, numbers = learner(), m.Generator(1)
    history = m.fit(optim, X, Y, batch_size=batch_size, epochs=6, drop_last=True, generator=numbers)
    same(optim, numbers, by_hand(batch_size, True, 6))
    assert (len(history), history.steps, history.engine) == (6, 6 * (23 // batch_size), engine)


def test_sgd_leaves_them_out_as_fit_does() -> None:
    optim, numbers = learner(), m.Generator(1)
    losses = m.sgd(optim, X, Y, 5, 3, drop_last=True, generator=numbers)
    same(optim, numbers, by_hand(5, True, 3))
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
    optim = learner()
    before = optim.network.state_dict()
    for name, call in {
        "fit": lambda: m.fit(optim, X, Y, batch_size=24, drop_last=True),
        "sgd": lambda: m.sgd(optim, X, Y, 24, 1, drop_last=True),
    }.items():
        with pytest.raises(ValueError) as caught:
            call()
        assert str(caught.value) == (
            f"{name}: drop_last=True leaves nothing to learn from: a mini-batch of 24 rows needs more than the 23 "
            "there are. Take a smaller batch_size."
        )
    for name, value in optim.network.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_loss_that_is_not_finite_is_said_with_its_place(engine: str) -> None:
    x = X.copy()
    x[17] = 3e38
    net = m.Linear(3, 1, generator=m.Generator(1))
    with pytest.raises(m.NonFiniteLossError, match="in epoch 1, batch 4"):
        m.fit(net, m.MSELoss(), x, Y, rule=1e-3, batch_size=5, shuffle=False, drop_last=True)
    x[17], x[22] = 0, 3e38
    m.fit(net, m.MSELoss(), x, Y, rule=1e-3, batch_size=5, shuffle=False, drop_last=True)


def test_a_shuffled_training_fails_at_the_same_step_in_both_engines(engine: str) -> None:
    places = []
    for chosen in ("numpy", engine):
        x = X.copy()
        x[3] = 1e19
        optim = m.Optim(m.Linear(3, 1, generator=m.Generator(1)), m.MSELoss(), 1e-3)
        numbers = m.Generator(4)
        with pytest.raises(m.NonFiniteLossError) as caught:
            m.fit(optim, x, Y, batch_size=5, epochs=9, drop_last=True, generator=numbers, engine=chosen)
        places.append((caught.value.epoch, caught.value.batch, numbers.get_state()))
    assert places[0] == places[1]
