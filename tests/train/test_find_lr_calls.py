"""What a user gets for a wrong call of find_lr."""

from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.typing import Array


def network() -> m.Sequential:
    generator = m.Generator(7)
    return m.Sequential(m.Linear(3, 16, generator=generator), m.Tanh(), m.Linear(16, 1, generator=generator))


def groups(*rates: float) -> tuple[m.Optim]:
    """An Optim whose rule has a group for each of these rates, with one parameter each."""
    learner = network()
    listed = [{"params": [parameter], "lr": rate} for parameter, rate in zip(learner.parameters(), rates, strict=False)]
    return (m.Optim(learner, m.MSELoss(), m.SGD(lr=0.1).bind(listed)),)


numbers = np.random.default_rng(3)
X, Y = numbers.normal(size=(40, 3)).astype(np.float32), numbers.normal(size=(40, 1)).astype(np.float32)
CALLS = {
    "LBFGS": (
        lambda: m.find_lr(network(), m.MSELoss(), X, Y, rule=m.LBFGS()),
        ValueError,
        "find_lr: LBFGS looks for the length of each step by itself, so its rate has no valley. Leave lr at 1, with "
        "line_search_fn='strong_wolfe', or take another rule.",
    ),
    "a rate of 0": (
        lambda: m.find_lr(*groups(0.0, 0.1), X, Y),
        ValueError,
        "find_lr: expected the first group of SGD to have a rate > 0, got 0.0. The other groups keep their ratio to "
        "it: put one that learns first.",
    ),
    "no rate at all": (
        lambda: m.find_lr(network(), m.MSELoss(), X, Y, rule=Still(None)),
        ValueError,
        "find_lr: expected a rule with an option lr, got Still.",
    ),
    "mini-batches": (
        lambda: m.find_lr(network(), m.MSELoss(), [(X, Y)]),
        TypeError,
        "find_lr: expected y beside x, got none. Give arrays: each rate goes through the same mini-batches, which an "
        "iterable of them may not give again.",
    ),
    "no loss": (
        lambda: m.find_lr(network(), X, Y),
        TypeError,
        "find_lr: the loss is missing: expected it after the network, got ndarray of shape (40, 3) and ndarray of "
        "shape (40, 1). Call find_lr(network, loss, x, y, …): with MSELoss() for numbers, CrossEntropyLoss() for "
        "labels.",
    ),
    "an Optim and a rule": (
        lambda: m.find_lr(m.Optim(network(), m.MSELoss(), 0.1), X, Y, rule=m.Adam()),
        TypeError,
        "find_lr: an Optim has its network, loss and rule already. Call find_lr(optim, x, y, …) without others.",
    ),
    "no data": (
        lambda: m.find_lr(network(), m.MSELoss()),
        TypeError,
        "find_lr: expected data in x, got none. Call find_lr(network, loss, x, y, …) or find_lr(optim, x, y, …).",
    ),
    "nan": (
        lambda: m.find_lr(network(), m.MSELoss(), np.full((40, 3), np.nan), Y),
        ValueError,
        "find_lr: expected finite numbers in x, got 120 that are NaN or infinite, the first (nan) at [0, 0]. Replace "
        "them or leave their rows out.",
    ),
    "few steps": (
        lambda: m.find_lr(network(), m.MSELoss(), X, Y, steps=5),
        ValueError,
        "find_lr: expected steps to be an integer ≥ 10, got 5.",
    ),
    "no rows in a mini-batch": (
        lambda: m.find_lr(network(), m.MSELoss(), X, Y, batch_size=0),
        ValueError,
        "find_lr: expected batch_size to be an integer ≥ 1, got 0.",
    ),
    "a range from 0": (
        lambda: m.find_lr(network(), m.MSELoss(), X, Y, min_lr=0),
        ValueError,
        "find_lr: expected min_lr to be a number > 0, got 0.",
    ),
    "an empty range": (
        lambda: m.find_lr(network(), m.MSELoss(), X, Y, min_lr=0.1, max_lr=0.1),
        ValueError,
        "find_lr: expected max_lr to be a number ≥ 0.2, got 0.1.",
    ),
    "a seed for a generator": (
        lambda: m.find_lr(network(), m.MSELoss(), X, Y, generator=3),  # type: ignore[arg-type]
        TypeError,
        "find_lr: expected generator to be a Generator or None, got 3.",
    ),
    "an engine that there is not": (
        lambda: m.find_lr(network(), m.MSELoss(), X, Y, engine="gpu"),
        ValueError,
        "engine: expected 'auto', 'numpy' or 'native', got 'gpu'.",
    ),
    "what cannot be copied": (
        lambda: m.find_lr(Single(), m.MSELoss(), X, Y),
        TypeError,
        "find_lr: it learns on a copy of network, loss and rule, and they cannot be copied: there is only one. Give "
        "what cannot be a method __deepcopy__.",
    ),
}


class Still(m.optim.Rule):
    def update(self, parameter: Any, grad: Array, group: Any, state: Any) -> None:
        pass


class Single(m.Linear):
    def __init__(self) -> None:
        super().__init__(3, 1)

    def __deepcopy__(self, memo: Any) -> Any:
        raise ValueError("there is only one")


@pytest.mark.parametrize("name", CALLS)
def test_wrong_calls(name: str) -> None:
    call, kind, text = CALLS[name]
    with pytest.raises(kind) as error:
        call()
    assert str(error.value) == text


def test_a_start_that_is_not_finite_is_an_error() -> None:
    learner = network()
    learner[0].weight.data[0, 0] = np.nan
    with pytest.raises(m.NonFiniteLossError):
        m.find_lr(learner, m.MSELoss(), X, Y)


def test_native_where_the_core_cannot(engine: str) -> None:
    class Own(m.SGD):
        def update(self, parameter: Any, grad: Array, group: Any, state: Any) -> None:
            parameter.data -= group["lr"] * np.sign(grad)

    if engine == "native":
        with pytest.raises(
            RuntimeError, match=r"^engine='native': .*\. Pass engine='auto' to train in NumPy where it must\.$"
        ):
            m.find_lr(network(), m.MSELoss(), X, Y, rule=Own(lr=0.1), engine="native")
        assert m.find_lr(network(), m.MSELoss(), X, X[:, :1], engine="native").lr is not None
    assert m.find_lr(network(), m.MSELoss(), X, X[:, :1], rule=Own(lr=0.1)).lr is not None


def test_the_rate_of_a_single_group_does_not_matter() -> None:
    found = [m.find_lr(network(), m.MSELoss(), X, 2 * X[:, :1], rule=m.SGD(lr=rate)) for rate in (0.0, 0.1)]
    assert found[0].lr is not None
    assert found[0].lr == found[1].lr


class Noting(m.Module):
    """The identity, which keeps what it has seen as a user's own link may."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.seen: list[Array] = []

    def forward(self, x: Array) -> Array:
        self.calls += 1
        self.seen.append(x)
        return x

    def backward(self, grad: Array) -> Array:
        return grad


def test_a_link_of_the_user_s_own_is_never_called_itself() -> None:
    link = Noting()
    learner = m.Sequential(m.Linear(3, 1), link)
    m.find_lr(learner, m.MSELoss(), X, Y)
    assert link.calls == 0
    assert not link.seen


def test_only_its_result_is_drawn() -> None:
    with pytest.raises(TypeError) as caught:
        m.plot.find_lr(3)  # type: ignore[arg-type]
    assert str(caught.value) == "plot.find_lr: expected what maillon.find_lr returns, got 3."
