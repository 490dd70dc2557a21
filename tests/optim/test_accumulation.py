"""Gradients gathered over several mini-batches, rules that look twice, and running averages of the weights."""

import warnings
from typing import Any

import numpy as np
import pytest
from cores import require_core

import maillon
from maillon import optim
from maillon.random import Generator
from maillon.train import ExponentialMovingAverage

DRAW = Generator(2)
X = DRAW.normal((24, 3), dtype=np.float64)
Y = DRAW.normal((24, 2), dtype=np.float64)


def network() -> maillon.Module:
    generator = Generator(7)
    first = maillon.Linear(3, 4, generator=generator)
    return maillon.Sequential(first, maillon.Tanh(), maillon.Linear(4, 2, generator=generator)).to("float64")


def weights(of: maillon.Module) -> np.ndarray[Any, Any]:
    return np.concatenate([parameter.data.ravel() for parameter in of.parameters()])


ROWS = 23
"""So that the last mini-batch of four and the last of twelve are both short."""

LABELS = np.arange(ROWS) * 7 % 3
SOME_IGNORED = np.where(np.arange(ROWS) % 5 < 2, 9, LABELS)
MANY_IGNORED = np.where((np.arange(ROWS) >= 4) & (np.arange(ROWS) < 8), 9, SOME_IGNORED)  # a whole mini-batch
PROBABILITIES = maillon.Softmax(-1)(DRAW.normal((ROWS, 3), dtype=np.float64))
INPUTS, TARGETS = DRAW.normal((ROWS, 3), dtype=np.float64), DRAW.normal((ROWS, 3), dtype=np.float64)
FACTORS = np.abs(DRAW.normal((ROWS,), dtype=np.float64))
WEIGHTED = {"weight": np.array([0.2, 1.0, 3.5])}


class OverPositive(maillon.Loss):
    """A loss of a user's own: the mean over the rows whose target is positive, in a forward of its own."""

    def forward(self, prediction: Any, target: Any, sample_weight: Any = None) -> Any:
        counts = (target[:, :1] > 0) * np.ones_like(prediction)
        error = counts * (prediction - target)
        self.denominator = float(counts.sum())
        value = (error**2).sum()
        self.errors = error
        return value / self.denominator

    def backward(self, grad_output: Any = None) -> Any:
        return 2 * self.errors * (1.0 if grad_output is None else grad_output) / self.denominator


class MeanAndVariance(maillon.Module):
    """Two predictions."""

    def __init__(self) -> None:
        generator = Generator(11)
        self.mean = maillon.Linear(3, 3, generator=generator)
        self.spread = maillon.Linear(3, 3, generator=generator)

    def forward(self, x: Any) -> Any:
        spread = self.spread(x)
        mean = self.mean(x)
        return self.keep((mean, 1 + spread**2), spread)

    def backward(self, grad_output: Any) -> Any:
        (spread,) = self.release(grad_output)
        return self.mean.backward(grad_output[0]) + self.spread.backward(2 * spread * grad_output[1])


def three(*last: maillon.Module) -> maillon.Module:
    generator = Generator(7)
    first = maillon.Linear(3, 4, generator=generator)
    return maillon.Sequential(first, maillon.Tanh(), maillon.Linear(4, 3, generator=generator), *last).to("float64")


LOSSES: dict[str, tuple[Any, Any, Any]] = {
    "mse": (maillon.MSELoss, TARGETS, three),
    "sum": (lambda: maillon.MSELoss(reduction="sum"), TARGETS, three),
    "none": (lambda: maillon.MSELoss(reduction="none"), TARGETS, three),
    "l1": (maillon.L1Loss, TARGETS, three),
    "huber": (maillon.HuberLoss, TARGETS, three),
    "divergence by batch": (
        lambda: maillon.KLDivLoss(reduction="batchmean"),
        PROBABILITIES,
        lambda: three(maillon.LogSoftmax(-1)),
    ),
    "bce": (maillon.BCEWithLogitsLoss, (TARGETS > 0).astype(float), three),
    "classes": (maillon.CrossEntropyLoss, LABELS, three),
    "classes, weighted": (lambda: maillon.CrossEntropyLoss(**WEIGHTED), LABELS, three),
    "classes, some ignored": (lambda: maillon.CrossEntropyLoss(ignore_index=9), SOME_IGNORED, three),
    "classes, a mini-batch ignored": (
        lambda: maillon.CrossEntropyLoss(**WEIGHTED, ignore_index=9, label_smoothing=0.1),
        MANY_IGNORED,
        three,
    ),
    "classes as probabilities": (lambda: maillon.CrossEntropyLoss(**WEIGHTED), PROBABILITIES, three),
    "likelihood": (
        lambda: maillon.NLLLoss(**WEIGHTED, ignore_index=9),
        MANY_IGNORED,
        lambda: three(maillon.LogSoftmax(-1)),
    ),
    "a forward of its own": (OverPositive, TARGETS, three),
    "several predictions": (maillon.GaussianNLLLoss, TARGETS, lambda: MeanAndVariance().to("float64")),
}


def both_ways(name: str, engine: str, **options: Any) -> tuple[Any, Any, Any, Any]:
    """Networks and histories of mini-batches of 12, and of 4 gathered three times."""
    loss, target, make = LOSSES[name]
    found = []
    for batch in ({"batch_size": 12}, {"batch_size": 4, "accumulate": 3}):
        learner = make()
        history = maillon.fit(
            learner, loss(), INPUTS, target, generator=Generator(5), epochs=3, engine=engine, **batch, **options
        )
        found.append((learner, history))
    return found[0][0], found[1][0], found[0][1], found[1][1]


def require_equal(large: Any, small: Any, one: Any, other: Any, name: str) -> None:
    np.testing.assert_allclose(weights(small), weights(large), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(other["loss"], one["loss"], rtol=1e-12)
    assert (one.steps, other.steps) == (6, 18), name


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("weight", [None, FACTORS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("name", LOSSES)
def test_small_batches_gathered_are_a_large_one(name: str, weight: Any, engine: str) -> None:
    if name == "a forward of its own" and weight is not None:
        return
    rule = optim.SGD(lr=0.05, momentum=0.9)
    require_equal(*both_ways(name, engine, rule=rule, sample_weight=weight, shuffle=False), name)


OPTIONS: dict[str, dict[str, Any]] = {
    "shuffled": {"shuffle": True},
    "Adam": {"rule": optim.Adam(lr=0.01)},
    "clipped by norm": {"clip_grad_norm": 0.05},
    "clipped by value": {"clip_grad_value": 0.02},
    "a schedule by step": {"schedule": optim.lr_scheduler.ExponentialLR(gamma=0.5), "schedule_by": "step"},
    "a schedule by epoch": {"schedule": lambda epoch: 0.5**epoch},
}


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", ["mse", "sum", "classes, a mini-batch ignored"])
def test_and_so_with_everything_around_the_step(name: str, option: str, engine: str) -> None:
    options = {"rule": optim.SGD(lr=0.05), "shuffle": False} | OPTIONS[option]
    require_equal(*both_ways(name, engine, **options), name)


def test_all_of_a_window_ignored_is_as_a_large_batch_ignored() -> None:
    ignored = np.full(8, 9)
    large = maillon.Optim(three(), maillon.CrossEntropyLoss(ignore_index=9), 0.1)
    with pytest.raises(maillon.NonFiniteLossError) as expected:
        large.step(INPUTS[:8], ignored)
    small = maillon.Optim(three(), maillon.CrossEntropyLoss(ignore_index=9), 0.1, accumulate=2)
    before = weights(small.network)
    assert small.step(INPUTS[:4], ignored[:4]) == 0.0
    with pytest.raises(maillon.NonFiniteLossError) as raised:
        small.step(INPUTS[4:8], ignored[4:])
    assert str(raised.value) == str(expected.value)
    np.testing.assert_array_equal(weights(small.network), before)
    small.step(INPUTS[:4], LABELS[:4])
    small.step(INPUTS[4:8], ignored[4:])
    large.step(INPUTS[:8], np.concatenate([LABELS[:4], ignored[4:]]))
    np.testing.assert_allclose(weights(small.network), weights(large.network), rtol=1e-12)


def test_a_mini_batch_ignored_without_gathering_raises_as_before() -> None:
    learner = maillon.Optim(three(), maillon.CrossEntropyLoss(ignore_index=9), 0.1)
    with pytest.raises(maillon.NonFiniteLossError):
        learner.step(INPUTS[:4], np.full(4, 9))


def test_gathering_may_begin_and_end_between_steps() -> None:
    learner, other = (maillon.Optim(network(), maillon.MSELoss(), 0.1) for _ in range(2))
    learner.step(X[:8], Y[:8])
    learner.accumulate = 5
    learner.step(X[8:12], Y[8:12])
    learner.accumulate = 1
    learner.step(X[12:20], Y[12:20])
    learner.step(X[20:], Y[20:])
    for rows in (slice(0, 8), slice(8, 20), slice(20, None)):
        other.step(X[rows], Y[rows])
    np.testing.assert_allclose(weights(learner.network), weights(other.network), rtol=1e-12)


def test_what_is_left_over_moves_the_parameters_at_the_end_of_the_epoch() -> None:
    by_fit, by_sgd, by_hand = network(), network(), network()
    maillon.fit(by_fit, maillon.MSELoss(), X, Y, rule=0.1, batch_size=8, accumulate=2, shuffle=False, engine="numpy")
    maillon.sgd(
        maillon.Optim(by_sgd, maillon.MSELoss(), 0.1, accumulate=2), X, Y, batch_size=8, epochs=1, shuffle=False
    )
    steps = maillon.Optim(by_hand, maillon.MSELoss(), 0.1)
    steps.step(X[:16], Y[:16])
    steps.step(X[16:], Y[16:])
    np.testing.assert_allclose(weights(by_fit), weights(by_hand), rtol=1e-12)
    np.testing.assert_array_equal(weights(by_fit), weights(by_sgd))


def test_a_step_that_fails_drops_what_was_gathered() -> None:
    learner = maillon.Optim(network(), maillon.MSELoss(), 0.1, accumulate=2)
    before = weights(learner.network)
    learner.step(X, Y)
    with pytest.raises(maillon.NonFiniteLossError):
        learner.step(X, Y * np.inf)
    np.testing.assert_array_equal(weights(learner.network), before)
    learner.flush()
    np.testing.assert_array_equal(weights(learner.network), before)


def test_the_core_gathers_too() -> None:
    require_core()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = maillon.fit(network(), maillon.MSELoss(), X, Y, rule=0.1, accumulate=2, epochs=1)
    assert history.engine == "native"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: maillon.Optim(network(), maillon.MSELoss(), 0.1, accumulate=0),
            "expected accumulate to be an integer ≥ 1",
        ),
        (
            lambda: maillon.Optim(network(), maillon.MSELoss(), optim.LBFGS(), accumulate=2),
            "expected accumulate=1 with LBFGS, which looks at one loss.",
        ),
        (
            lambda: maillon.fit(maillon.Optim(network(), maillon.MSELoss(), 0.1), X, Y, accumulate=2),
            "fit: an Optim has its own attributes, got accumulate=2 beside it.",
        ),
        (lambda: ExponentialMovingAverage(network(), decay=1.0), r"expected decay to be a number in \[0, 1\), got 1.0"),
        (
            lambda: optim.Adam(lr=0.1, fused=True),
            "Adam: fused=True is not supported: it chooses among PyTorch's kernels.",
        ),
        (lambda: optim.AdamW(decoupled_weight_decay=False), "AdamW: expected decoupled_weight_decay=True, got False."),
        (lambda: optim.Rprop(etas=(1.2, 0.5)), r"Rprop: expected etas to be \(η⁻, η⁺\) with 0 < η⁻ < 1 < η⁺"),
        (lambda: optim.LBFGS(line_search_fn="wolfe"), "LBFGS: expected line_search_fn to be None or 'strong_wolfe'"),
        (lambda: optim.Adadelta(rho=1.5), r"Adadelta: expected rho to be a number in \[0, 1\], got 1.5"),
        (lambda: optim.RMSprop(alfa=0.9), r"RMSprop: unknown options \['alfa'\]"),
        (
            lambda: optim.LBFGS(network().parameters()).step(),
            r"LBFGS: expected step\(closure\): it evaluates the loss several times.",
        ),
        (
            lambda: optim.LBFGS([{"params": [p]} for p in network().parameters()]),
            "LBFGS: expected one group of parameters, got several.",
        ),
    ],
)
def test_wrong_calls(make: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError, NotImplementedError), match=message):
        make()


def test_a_step_returns_what_the_closure_gave() -> None:
    parameter = maillon.Parameter(np.array([2.0]))

    def closure() -> float:
        parameter.grad = 2 * parameter.data
        return 4.0

    assert optim.SGD([parameter], lr=0.25).step(closure) == 4.0
    assert parameter.data == [1.0]


def test_lbfgs_in_fit_and_its_state() -> None:
    learner = maillon.Optim(network(), maillon.MSELoss(), optim.LBFGS(max_iter=4, line_search_fn="strong_wolfe"))
    history = maillon.fit(learner, X, Y, batch_size=24, epochs=10)
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    twin = maillon.Optim(network(), maillon.MSELoss(), optim.LBFGS(max_iter=4, line_search_fn="strong_wolfe"))
    twin.network.load_state_dict(learner.network.state_dict())
    twin.rule.load_state_dict(learner.rule.state_dict())
    for one in (learner, twin):
        one.step(X, Y)
    np.testing.assert_array_equal(weights(learner.network), weights(twin.network))


def test_the_running_average_of_the_weights() -> None:
    learner = maillon.Optim(network(), maillon.MSELoss(), 0.1)
    average = ExponentialMovingAverage(learner.network, decay=0.8)
    seen = []
    record = maillon.Callback()
    record.on_step_end = lambda state: seen.append(weights(state.network))  # type: ignore[method-assign]
    maillon.fit(learner, X, Y, batch_size=8, epochs=4, callbacks=[record, average])
    expected = seen[0]
    for later in seen[1:]:
        expected = 0.8 * expected + 0.2 * later
    np.testing.assert_allclose(weights(average.network), expected, rtol=1e-12)
    own = weights(learner.network)
    with average.averaged() as lent:
        np.testing.assert_array_equal(weights(lent), weights(average.network))
    np.testing.assert_array_equal(weights(learner.network), own)
    again = ExponentialMovingAverage(learner.network)
    again.load_state_dict(average.state_dict())
    assert again.steps == average.steps == 12
    np.testing.assert_array_equal(weights(again.network), weights(average.network))


def test_an_average_follows_one_network() -> None:
    average = ExponentialMovingAverage(network())
    with pytest.raises(ValueError, match="follows another network"):
        maillon.fit(network(), maillon.MSELoss(), X, Y, callbacks=average)


def test_an_average_counts_the_moves_not_the_mini_batches() -> None:
    learner = network()
    average = maillon.train.ExponentialMovingAverage(learner, decay=0.5)
    taken = []

    def note(state: maillon.train.callbacks.State) -> None:
        taken.append(state.network.state_dict()["0.weight"].copy())

    for _ in range(2):
        maillon.fit(
            learner, maillon.MSELoss(), X, Y, rule=0.1, batch_size=4, accumulate=10**6, callbacks=[average, note]
        )
    assert average.steps == 2
    np.testing.assert_allclose(average.network.state_dict()["0.weight"], (taken[0] + taken[1]) / 2, rtol=1e-5)
