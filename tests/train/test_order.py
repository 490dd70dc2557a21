"""fit(shuffle=function): the order of each epoch's rows is the function's."""

from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.typing import Array

X = np.random.default_rng(0).normal(size=(23, 3))
Y = X @ np.array([[1.0], [-2.0], [0.5]])


class Orders:
    """Orders drawn from a stream of its own, with rows left out and repeated, and all that were given."""

    def __init__(self) -> None:
        self.numbers = np.random.default_rng(4)
        self.given: list[Array] = []

    def __call__(self, rows: int) -> Array:
        self.given.append(self.numbers.integers(0, rows, rows))
        return self.given[-1]


def learner(rule: m.optim.Rule) -> m.Optim:
    generator = m.Generator(3)
    links = (m.Linear(3, 4, generator=generator), m.Tanh(), m.Linear(4, 1, generator=generator))
    return m.Optim(m.Sequential(*links).to("float64"), m.MSELoss(), rule)


@pytest.mark.parametrize("options", [{}, {"drop_last": True}, {"schedule": lambda epoch: 1 / (1 + epoch)}])
@pytest.mark.parametrize("rule", [m.SGD(lr=0.05, momentum=0.9), m.LBFGS(max_iter=2)])
def test_each_epoch_goes_through_the_rows_that_the_function_gives(engine: str, options: Any, rule: Any) -> None:
    orders, optim = Orders(), learner(rule)
    drawn = m.random.default_generator().get_state()
    history = m.fit(optim, X, Y, batch_size=5, epochs=4, shuffle=orders, engine=engine, progress=False, **options)
    assert history.engine == engine
    assert m.random.default_generator().get_state() == drawn  # nothing is drawn but by the function
    assert len(orders.given) == 4
    by_hand = learner(rule)
    rate = by_hand.rule.param_groups[0]["lr"]
    for epoch, order in enumerate(orders.given):
        by_hand.rule.param_groups[0]["lr"] = rate / (1 + epoch) if "schedule" in options else rate
        for start in range(0, 20 if options.get("drop_last") else 23, 5):
            rows = order[start : start + 5]
            by_hand.step(X[rows], Y[rows])
    for value, other in zip(optim.network.parameters(), by_hand.network.parameters(), strict=True):
        np.testing.assert_allclose(value.data, other.data, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("order", "got"),
    [
        (np.arange(22), "got dtype int64, shape (22,)."),
        (np.arange(1, 24), "got dtype int64, shape (23,)."),
        (np.arange(23.0), "got dtype float64, shape (23,)."),
        (None, "got dtype object, shape ()."),
    ],
)
def test_an_order_that_leaves_the_data_is_refused_before_a_step(engine: str, order: Any, got: str) -> None:
    optim = learner(m.SGD(lr=0.05))
    before = optim.network.state_dict()
    expected = (
        "shuffle: expected the function to give 23 integers from 0 to 22, the rows in the order of the next epoch, "
    )
    with pytest.raises(ValueError) as caught:
        m.fit(optim, X, Y, shuffle=lambda rows: order, engine=engine, progress=False)
    assert str(caught.value) == expected + got
    for name, value in optim.network.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_checkpoint_knows_the_function_by_its_name(tmp_path: Any) -> None:
    options = {"batch_size": 5, "epochs": 2, "progress": False, "checkpoint": m.Checkpoint(tmp_path / "kept")}
    m.fit(learner(m.SGD(lr=0.05)), X, Y, shuffle=Orders(), **options)
    with pytest.raises(ValueError, match=r"shuffle.*Orders.*True|shuffle.*True.*Orders"):
        m.fit(learner(m.SGD(lr=0.05)), X, Y, shuffle=True, resume=tmp_path / "kept", **options)
    again = m.fit(learner(m.SGD(lr=0.05)), X, Y, shuffle=Orders(), resume=tmp_path / "kept", **options | {"epochs": 3})
    assert len(again) == 3


class Seldom(m.Callback):
    """Looks on every so many epochs."""

    def __init__(self, every: int) -> None:
        self.every, self.seen = every, []

    def epochs_ahead(self) -> int:
        return self.every

    def on_epoch_end(self, state: m.train.State) -> None:
        self.seen.append((state.epoch, len(state.history)))
        if state.epoch >= 9:
            state.stop()


@pytest.mark.parametrize("shuffle", [True, False, lambda rows: np.arange(rows)[::-1]])
def test_epochs_between_two_looks_pass_without_python(shuffle: Any, engine: str) -> None:
    seldom, often = Seldom(4), Seldom(1)
    trained = []
    for callbacks in ([seldom], [often], [seldom, often]):
        optim = learner(m.SGD(lr=0.05))
        seldom.seen, often.seen = [], []
        options = {"batch_size": 5, "epochs": 30, "shuffle": shuffle, "progress": False}
        history = m.fit(optim, X, Y, callbacks=callbacks, generator=m.Generator(2), **options)
        assert history.stopped_early
        trained.append((history["loss"], history["lr"], [seen[0] for seen in (seldom.seen, often.seen) if seen]))
        assert all(epoch == rows for epoch, rows in seldom.seen + often.seen)
    assert [len(losses) for losses, _, _ in trained] == [12 if engine == "native" else 9, 9, 9]
    assert trained[0][0][:9] == trained[1][0] == trained[2][0]
    first = (4, 4) if engine == "native" else (1, 1)
    assert [seen for _, _, seen in trained] == [[first], [(1, 1)], [(1, 1), (1, 1)]]


def test_a_step_that_fails_in_a_later_epoch_of_a_slice_leaves_the_steps_before() -> None:
    """The rate is so large that the loss overflows after some epochs: both engines end in the same place."""
    ended = []
    for engine in ("numpy", "auto"):
        orders, optim = Orders(), learner(m.SGD(lr=3.0))
        optim.network[1] = m.ReLU()
        with pytest.raises(m.NonFiniteLossError) as caught, np.errstate(all="ignore"):
            m.fit(optim, X, Y, batch_size=5, epochs=900, shuffle=orders, engine=engine, progress=False)
        values = [parameter.data.copy() for parameter in optim.network.parameters()]
        ended.append((caught.value.epoch, caught.value.batch, len(orders.given), values))
    assert ended[0][:3] == ended[1][:3]
    for value, other in zip(ended[0][3], ended[1][3], strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-6)
