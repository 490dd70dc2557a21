"""A prepared Optim leaves what NumPy's leaves, step by step, and no shape takes the slow way twice."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import Outcome, agree, close, outcome
from own_links import PLACES, Own, OwnLoss, arm, global_stream, own_of, state

import maillon as m
from maillon.engine import learner as module
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

draw = Generator(1)
X, Y = (draw.normal((12, width), dtype=np.float64) for width in (4, 3))
LABELS = draw.randint(0, 3, (12,))
MORE = draw.normal((7, 4), dtype=np.float64), draw.normal((7, 3), dtype=np.float64)


def chain(*links: m.Module) -> m.Sequential:
    generator = Generator(2)
    first, last = m.Linear(4, 5, generator=generator), m.Linear(5, 3, generator=generator)
    return m.Sequential(first, m.Tanh(), *links, last).to("float64")


def optim(*links: m.Module, loss: m.Loss | None = None, rule: Any = None, **more: Any) -> m.Optim:
    network = chain(*links)
    return m.Optim(network, m.MSELoss() if loss is None else loss, m.Adam(lr=0.01) if rule is None else rule, **more)


def left(one: m.Optim) -> Outcome:
    """What a step has left; of LBFGS' memory the counts."""
    found = outcome(one, [])
    if one.rule.needs_closure:
        found.numbers = {name: value for name, value in found.numbers.items() if isinstance(value, int)}
        found.arrays = {name: value for name, value in found.arrays.items() if " of " not in name}
    return found


def alike(
    make: Callable[[], m.Optim], batches: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch | None, rounds: int = 5
) -> tuple[m.Optim, m.Optim]:
    """Both do the same steps. With monkeypatch the core does all, and after three rounds none takes the slow way."""
    by_hand, prepared = make(), make()
    learner = m.compile(prepared)
    for number in range(rounds):
        for batch in batches:
            with global_stream(number) as generator:
                expected = by_hand.step(*batch)
                after = generator.get_state()
            with global_stream(number) as generator:
                found = learner.step(*batch)
                assert generator.get_state() == after
            assert found == pytest.approx(expected, rel=1e-11)
            agree(left(prepared), left(by_hand), 1e-8 if by_hand.rule.needs_closure else 1e-10)
            assert prepared.gathered[0] == by_hand.gathered[0]
        if monkeypatch is not None and number == 2:
            monkeypatch.setattr(module, "convert_batch", None)
    return by_hand, prepared


RULES = {name: getattr(m, name) for name in ("SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "RMSprop")}
RULES |= {name: getattr(m, name) for name in ("Adadelta", "Rprop", "ASGD", "Lion")}


@pytest.mark.parametrize("name", RULES)
def test_every_rule(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alike(lambda: optim(rule=RULES[name](lr=0.01)), [(X, Y)], monkeypatch)


class Added(m.Module):
    def __init__(self) -> None:
        self.link = m.Linear(4, 4, generator=Generator(4))

    def forward(self, a: Array, b: Array) -> Array:
        return self.keep(self.link(a) - b)

    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        self.release(grad_output)
        return self.link.backward(grad_output), -grad_output


def both() -> m.Sequential:
    """A mean and a variance for each number."""
    generator = Generator(5)
    mean = m.Linear(4, 3, generator=generator)
    variance = m.Sequential(m.Linear(4, 3, generator=generator), m.Softplus())
    return m.Sequential(m.Parallel(mean, variance)).to("float64")


def some() -> m.Optim:
    """The gradients of the others add up over the steps."""
    network = chain()
    return m.Optim(network, m.MSELoss(), m.Adam(network[2].parameters(), lr=0.01))


WAYS: dict[str, tuple[Callable[[], m.Optim], list[tuple[Any, ...]]]] = {
    "two shapes in turn": (optim, [(X, Y), MORE]),
    "sample weights": (optim, [(X, Y, np.linspace(0, 1, 12))]),
    "labels": (lambda: optim(loss=m.CrossEntropyLoss()), [(X, LABELS)]),
    "the input is the target": (
        lambda: m.Optim(m.Linear(4, 4, generator=Generator(4)).to("float64"), m.MSELoss(), 0.1),
        [(X, X)],
    ),
    "a network of one's own": (lambda: m.Optim(Own(4).to("float64"), m.MSELoss(), m.NAdam()), [(X, X)]),
    "two inputs": (
        lambda: m.Optim(Added().to("float64"), m.MSELoss(), 0.1),
        [((X, X * X), X), ({"a": X, "b": X * X}, X), ({"b": X, "a": X * X}, X)],
    ),
    "two outputs": (lambda: m.Optim(both(), m.GaussianNLLLoss(), 0.1), [(X, Y)]),
    "a rule for some parameters": (some, [(X, Y)]),
    "dropout": (lambda: optim(m.Dropout(0.3)), [(X, Y)]),
    "dropout with a generator": (lambda: optim(m.Dropout(0.3, generator=Generator(3))), [(X, Y)]),
    "a link of one's own": (lambda: optim(Own(5), Own(5, noisy=True)), [(X, Y), MORE]),
    "its own generator": (lambda: optim(m.Dropout(0.3), Own(5, noisy=True, generator=Generator(8))), [(X, Y)]),
    "a loss of one's own": (lambda: optim(loss=OwnLoss()), [(X, Y)]),
    "accumulation": (lambda: optim(accumulate=3), [(X, Y), MORE]),
    "accumulation of sums": (lambda: optim(accumulate=2, loss=m.MSELoss(reduction="sum")), [(X, Y)]),
    "accumulation, all of it": (
        lambda: optim(Own(5), m.Dropout(0.2), loss=OwnLoss(), accumulate=2, clip_grad_norm=0.1),
        [(X, Y), MORE, (X, Y)],
    ),
    "LBFGS": (lambda: optim(rule=m.LBFGS(lr=0.1, max_iter=4)), [(X, Y), MORE]),
    "LBFGS, all of it": (
        lambda: optim(m.Dropout(0.1), m.BatchNorm1d(5), Own(5), rule=m.LBFGS(lr=0.1, max_iter=4), clip_grad_norm=1.0),
        [(X, Y)],
    ),
    "running statistics": (lambda: optim(m.BatchNorm1d(5)), [(X, Y)]),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, batches = WAYS[way]
    alike(make, batches, monkeypatch)


# Steps that fail


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_step_that_raises_leaves_nothing_behind(where: str, accumulate: int) -> None:
    def make() -> m.Optim:
        own = Own(5, noisy=True)
        return optim(m.Dropout(0.2), own, m.BatchNorm1d(5), loss=OwnLoss(), accumulate=accumulate)

    by_hand, prepared = make(), make()
    learner = m.compile(prepared)
    for one, step in ((by_hand, by_hand.step), (prepared, learner.step)):
        with global_stream(3) as generator:
            for _ in range(4):
                step(X, Y)
            before = state(one, generator)
            error = ValueError("planted")
            trap = arm(one, where, 0, error)
            with pytest.raises(ValueError, match="planted") as caught:
                step(X, Y)
            assert caught.value is error
            assert trap.met == 1
            after = state(one, generator)
        for name, value in before.items():
            np.testing.assert_array_equal(value, after[name], err_msg=name)
        with global_stream(4):
            for _ in range(accumulate):
                step(X, Y)
    found = state(prepared)
    for name, value in state(by_hand).items():
        if isinstance(value, str):
            assert found[name] == value
        else:
            close(name, found[name], value, 1e-10)


@pytest.mark.parametrize("rule", [None, m.LBFGS(lr=0.1, max_iter=4)])
def test_a_loss_that_is_not_finite_draws_its_words_again(rule: Any) -> None:
    prepared = optim(m.Dropout(0.3), m.BatchNorm1d(5), rule=rule)
    learner = m.compile(prepared)
    learner.step(X, Y)
    with global_stream(5) as generator:
        before = state(prepared, generator)
        with pytest.raises(m.NonFiniteLossError):
            learner.step(X * np.nan, Y)
        for name, value in state(prepared, generator).items():
            np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_a_link_of_ones_own_is_called_once_more_for_a_step_that_numpy_does() -> None:
    prepared = optim(Own(5))
    learner = m.compile(prepared)
    for _ in range(3):
        learner.step(X, Y)
    before = own_of(prepared).calls
    with pytest.raises(m.NonFiniteLossError):
        learner.step(X, Y * np.nan)
    assert own_of(prepared).calls == before + 2


def test_the_mean_of_nothing_is_numpys_to_say() -> None:
    ignored = np.full(12, -100)
    for step in (lambda one: one.step, lambda one: m.compile(one).step):
        one = optim(loss=m.CrossEntropyLoss(), accumulate=2)
        do = step(one)
        assert do(X, ignored) == 0
        before = one.network[0].weight.data.copy()
        with pytest.raises(m.NonFiniteLossError):
            do(X, ignored)
        assert (one.network[0].weight.data == before).all()
        assert not one.waiting


# What changes between two steps


def set_step(one: m.Optim) -> None:
    for kept in one.rule.state.values():
        kept["step"] = 1


def set_product(one: m.Optim) -> None:
    for kept in one.rule.state.values():
        kept["mu_product"] = type(kept["mu_product"])(0.5)


def freeze(one: m.Optim) -> None:
    one.network[0].weight.requires_grad = False


def flush(one: m.Optim) -> None:
    one.flush()


def gradients_of_ones(one: m.Optim) -> None:
    for parameter in one.network.parameters():
        parameter.grad = np.ones(parameter.shape)


def accumulate_more(one: m.Optim) -> None:
    one.accumulate += 1


def rate(one: m.Optim) -> None:
    one.rule.param_groups[0]["lr"] = 0.5


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("at", [1, 4, 5])
@pytest.mark.parametrize("change", [set_step, set_product, freeze, flush, gradients_of_ones, accumulate_more, rate])
def test_it_follows_what_changes(change: Callable[[m.Optim], None], at: int, accumulate: int) -> None:
    by_hand, prepared = (optim(m.Dropout(0.1), rule=m.NAdam(), accumulate=accumulate) for _ in range(2))
    learner = m.compile(prepared)
    if change in (set_step, set_product) and at < accumulate:
        at = accumulate
    for one, step in ((by_hand, by_hand.step), (prepared, learner.step)):
        with global_stream(3):
            for number in range(9):
                if number == at:
                    change(one)
                step(X, Y)
    agree(outcome(prepared, []), outcome(by_hand, []), 1e-10)


# Its parts


def test_forward_backward_and_update_with_a_link_of_ones_own() -> None:
    by_hand, prepared = (optim(m.Dropout(0.2), Own(5, noisy=True), m.BatchNorm1d(5)) for _ in range(2))
    learner = m.compile(prepared)
    for number in range(4):
        x, target = (X, Y) if number % 2 else MORE
        with global_stream(number):
            expected = by_hand.network(x)
        expected_grad = by_hand.network.backward(expected - target)
        with global_stream(number):
            found = learner.forward(x)
        close("forward", found, expected, 1e-11)
        close("backward", learner.backward(found - target), expected_grad, 1e-11)
        if number % 2:
            by_hand.rule.step()
            by_hand.zero_grad()
            learner.update()
        for name, value in by_hand.network.state_dict().items():
            close(name, prepared.network.state_dict()[name], value, 1e-10)
    assert own_of(prepared).calls == own_of(by_hand).calls


def test_a_backward_that_raises_leaves_the_gradients() -> None:
    prepared = optim(Own(5))
    learner = m.compile(prepared)
    for _ in range(2):
        learner.backward(learner.forward(X) - Y)
    before = [parameter.grad.copy() for parameter in prepared.network.parameters()]
    arm(prepared, "backward", 0, ValueError("planted"))
    prediction = learner.forward(X)
    with pytest.raises(ValueError, match="planted"):
        learner.backward(prediction - Y)
    for parameter, grad in zip(prepared.network.parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.grad, grad)
    with pytest.raises(m.nn.LinkStateError):
        learner.backward(prediction - Y)


def test_a_backward_that_is_not_as_it_was_tried_says_so() -> None:
    class Lazy(Own):
        def backward(self, grad_output: Array) -> Array:
            t, noise = self.release(grad_output)
            return np.asarray(grad_output * self.scale.data * noise * (1 - t * t))

    prepared = optim(Own(5))
    learner = m.compile(prepared)
    learner.backward(learner.forward(X) - Y)
    own_of(prepared).__class__ = Lazy
    prediction = learner.forward(X)
    with pytest.raises(m.nn.LinkStateError, match=r"^Lazy\(5\): expected gradients of what had some when it was tried"):
        learner.backward(prediction - Y)


def test_a_dict_in_another_order() -> None:
    network = m.Graph(("a", "b"), {"y": (m.Subtract(), "a", "b")}, "y") if hasattr(m, "Subtract") else Added()
    predictor, one, other = m.compile(network.to("float64")), X, X * X
    expected = network(one, other)
    close("one order", predictor({"a": one, "b": other}), expected, 1e-12)
    close("the other", predictor({"b": other, "a": one}), expected, 1e-12)
    close("predict", m.predict(network, {"a": one, "b": other}), expected, 1e-12)
    close("predict the other", m.predict(network, {"b": other, "a": one}), expected, 1e-12)


def test_lengths_of_sequences_as_a_tuple(monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> m.Optim:
        network = m.Sequential(m.Linear(4, 5, generator=Generator(4)), m.LogSoftmax(-1)).to("float64")
        return m.Optim(network, m.CTCLoss(), m.Adam())

    x, targets = draw.normal((6, 3, 4), dtype=np.float64), draw.randint(1, 5, (3, 2))
    _, prepared = alike(make, [(x, (targets, (6, 5, 6), (2, 1, 2)))], None)
    plan = m.engine.lower(prepared, x, (targets, (6, 5, 6), (2, 1, 2)))
    assert "ctc_loss" in [operation.kind for operation in plan.operations]


def test_threads_that_share_a_learner_do_not_stop_each_other() -> None:
    """While a link of one's own runs in one thread, another one's step is NumPy's."""
    for rule in (None, m.LBFGS(lr=0.1, max_iter=4)):
        prepared = optim(Waiting(5), rule=rule)
        learner = m.compile(prepared)
        learner.step(X, Y)
        own = prepared.network[2]
        other = threading.Thread(target=learner.step, args=(X, Y))
        own.other = other
        learner.step(X, Y)
        own.other = None
        other.join()
        learner.step(X, Y)
        assert own.errors == []


class Waiting(Own):
    """In one forward another thread comes, and is waited for."""

    other: threading.Thread | None = None

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.errors: list[Any] = []

    def forward(self, x: Array) -> Array:
        other, self.other = self.other, None
        if other is not None:
            hook, threading.excepthook = threading.excepthook, self.errors.append
            other.start()
            other.join()
            threading.excepthook = hook
        return super().forward(x)
