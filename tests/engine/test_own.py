"""Links and losses of the user's own train in NumPy inside the core's plan, and leave what NumPy alone leaves."""

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import agree, outcome, threads
from own_links import Own, OwnLoss, own_of

import maillon as m
from maillon import engine
from maillon.engine import FallbackWarning
from maillon.nn import Parameter
from maillon.random import Generator
from maillon.train import stepping
from maillon.typing import Array

pytestmark = [pytest.mark.usefixtures("core"), pytest.mark.filterwarnings("ignore::maillon.engine.FallbackWarning")]

X = np.random.default_rng(1).normal(size=(22, 4))
Y = np.random.default_rng(2).normal(size=(22, 3))


def chain(*own: m.Module, width: int = 5) -> m.Sequential:
    """4–5–3, the links between."""
    generator = Generator(4)
    first, last = m.Linear(4, 5, generator=generator), m.Linear(width, 3, generator=generator)
    return m.Sequential(first, m.Tanh(), *own, last).to("float64")


def momentum(network: m.Module) -> m.optim.Rule:
    return m.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=0.1)


def alike(
    make: Callable[[], m.Module | m.Optim],
    loss: Callable[[], m.Loss] = m.MSELoss,
    x: Any = X,
    y: Any = Y,
    name: str | None = None,
    **options: Any,
) -> tuple[m.Optim, m.History]:
    """Train by both engines, hold all that they leave, return the core's."""
    found = []
    for one in ("numpy", "native"):
        made = make()
        optim = made if isinstance(made, m.Optim) else m.Optim(made, loss(), momentum(made))
        settings: dict[str, Any] = {"batch_size": 6, "epochs": 3, "generator": Generator(3), "progress": False}
        history = m.fit(optim, x, y, engine="auto" if one == "native" else one, **settings | options)
        found.append((optim, history, outcome(optim, [float(value) for value in history["loss"]])))
    (_, _, expected), (optim, history, result) = found
    agree(result, expected, 1e-11)
    name = type(own_of(optim)).__name__ if name is None else name
    assert history.engine == f"native, with NumPy for: {name}"
    return optim, history


def test_fit_says_it_once_and_native_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepping, "_told", set())
    with pytest.warns(FallbackWarning) as told:
        history = m.fit(chain(Own(5), Own(5)), OwnLoss(), X, Y, rule=0.01, engine="native")
    assert [str(warning.message) for warning in told] == [
        "fit runs Own and OwnLoss in NumPy, and the rest in the compiled core: Own(5) is not among the links it knows; "
        "OwnLoss() is not among the losses it knows."
    ]
    assert told[0].filename == __file__
    assert history.engine == "native, with NumPy for: Own, OwnLoss"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m.fit(chain(Own(5)), OwnLoss(), X, Y, rule=0.01)


def test_the_listing_shows_it() -> None:
    plan = engine.lower(m.Optim(chain(Own(5)), OwnLoss(), 0.1), X, Y)
    python = [str(operation) for operation in plan.operations if operation.kind == "python"]
    assert "\nin NumPy: Own(5) is not among the links it knows\nin NumPy: OwnLoss() is not among" in str(plan)
    assert python == [
        " ←   [the step begins]",
        "2.y0 (22×5) ← 1.y (22×5)  [Own(5)]",
        "loss (2), d3.y (22×3) ← 3.y (22×3), target (22×3)  [OwnLoss()]",
        "d1.y (22×5), d2.scale (5) ← d2.y0 (22×5)  [∂ Own(5)]",
    ]


def test_a_network_that_is_unknown_itself_runs_in_numpy_and_the_rule_in_the_core() -> None:
    optim, _ = alike(lambda: Own(4).to("float64"), y=X)
    assert own_of(optim).calls == 1 + 3 * 4
    with pytest.raises(RuntimeError, match=r"^engine='native': Own\(4\) is not among the links it knows\. Pass"):
        m.predict(optim.network, X, engine="native")  # the core has nothing to do there
    plan = engine.lower(m.Optim(Own(4), m.MSELoss(), 0.1), X, X)
    assert [operation.kind for operation in plan.operations] == ["python"] * 2 + ["element_loss", "python", "sgd"]


# What links do


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("own_stream", [False, True])
@pytest.mark.parametrize("options", [{}, {"batch_size": 5, "drop_last": True}, {"accumulate": 3}, {"batch_size": 30}])
def test_it_trains_as_in_numpy(noisy: bool, own_stream: bool, options: dict[str, Any]) -> None:
    def make() -> m.Sequential:
        own = Own(5, noisy=noisy, generator=Generator(8) if own_stream else None, replaces=own_stream)
        return chain(m.Dropout(0.2), own, m.Dropout(0.3, generator=Generator(7)), own.share())

    options = dict(options)
    more = {"accumulate": options.pop("accumulate")} if "accumulate" in options else {}

    def learner() -> m.Optim:
        network = make()
        return m.Optim(network, m.MSELoss(), m.Adam(lr=0.01, weight_decay=0.1), clip_grad_norm=0.5, **more)

    optim, _ = alike(learner, metrics=["mae"], **options)
    assert own_of(optim).calls == own_of(alike(learner, **options)[0]).calls


@pytest.mark.parametrize("engine", ["numpy", "native"])
def test_it_is_called_once_a_step(engine: str) -> None:
    network = chain(Own(5))
    m.fit(network, m.MSELoss(), X, Y, batch_size=6, epochs=3, rule=0.1, engine=engine)
    assert own_of(m.Optim(network, m.MSELoss(), 0.1)).calls == 1 + 3 * 4  # and once in the dry run


def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    ends = []
    for number in (1, 2, 3):
        network = chain(m.Dropout(0.2), Own(5, noisy=True), m.Dropout(0.2))
        with threads(number, worth=0):
            m.fit(network, OwnLoss(), X, Y, batch_size=6, epochs=3, rule=0.01, generator=Generator(3), engine="native")
        ends.append([value.tobytes() for value in network.state_dict().values()])
    assert ends[0] == ends[1] == ends[2]


class Keeping(Own):
    """Keeps all arrays that it is given, and all that it gives."""

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.seen: list[tuple[Array, ...]] = []

    def forward(self, x: Array) -> Array:
        y = super().forward(x)
        self.seen.append((x, y))
        return y

    def backward(self, grad_output: Array) -> Array:
        grad = super().backward(grad_output)
        self.seen.append((grad_output, grad))
        return grad


def test_arrays_that_it_keeps_stay_what_they_are() -> None:
    found = []
    for one in ("numpy", "native"):
        network = chain(Keeping(5), m.ReLU())
        m.fit(network, m.MSELoss(), X, Y, batch_size=6, epochs=2, rule=0.1, engine=one, generator=Generator(3))
        found.append([array for pair in network[2].seen for array in pair])
        for array in found[-1]:
            array[...] = array  # they are its own, and may be written to
    assert len(found[0]) == len(found[1]) == 2 * (1 + 2 * 2 * 4)
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


class Half(m.Module):
    def forward(self, x: Array) -> Array:
        return self.keep(x * 0.5)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        grad_output *= 0.5  # what it is given is its own
        return grad_output


def test_it_may_write_over_what_it_is_given() -> None:
    network, expected = chain(Half()), chain(m.Identity())
    expected[3].weight.data *= 0.5
    m.fit(network, m.MSELoss(), X, Y, rule=m.SGD(lr=0.0), engine="native")
    np.testing.assert_allclose(network(X), expected(X), rtol=1e-12)


class Alternating(m.Module):
    """Three dimensions, the middle one of another size from mini-batch to mini-batch; none where it never changes."""

    def __init__(self, always: int = 0) -> None:
        self.always = always

    def forward(self, x: Array) -> Array:
        times = self.always or 1 + int(x.sum() > 0)
        return self.keep(np.repeat(x[:, None], times, axis=1))

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        grad: Array = grad_output.sum(axis=1)
        return grad


class Mean(m.Module):
    def forward(self, x: Array) -> Array:
        return self.keep(x.mean(axis=1), x.shape[1])

    def backward(self, grad_output: Array) -> Array:
        (times,) = self.release(grad_output)
        return np.repeat(grad_output[:, None], times, axis=1) / times


@pytest.mark.parametrize("shuffle", [False, True])
def test_shapes_that_change_are_numpys_and_in_the_end_all_is(shuffle: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepping, "_told", set())
    networks = []
    for one in ("numpy", "auto"):
        networks.append(chain(Alternating(), Mean(), m.Linear(5, 5, generator=Generator(5)).to("float64")))
        history = m.fit(
            networks[-1],
            m.MSELoss(),
            X,
            Y,
            rule=0.1,
            epochs=20,
            batch_size=4,
            engine=one,
            generator=Generator(3),
            shuffle=shuffle,
        )
    assert history.engine == "native, numpy"
    for name, value in networks[0].state_dict().items():
        np.testing.assert_allclose(networks[1].state_dict()[name], value, rtol=1e-11, err_msg=name)


def test_a_shape_that_changes_once_costs_one_step() -> None:
    def change(state: m.train.State) -> None:
        if state.epoch == 2:
            state.network[2].always = 2

    alike(lambda: chain(Alternating(1), Mean()), name="Alternating, Mean", callbacks=change, epochs=4)


class Replacing(Own):
    """Gives its scale another array now and then."""

    every = 1

    def forward(self, x: Array) -> Array:
        if self.training and self.calls % self.every == self.every - 1:
            self.scale.data = self.scale.data * 0.9
        return super().forward(x)


def test_a_parameter_that_gets_other_arrays_learns_all_the_same() -> None:
    found = []
    for one in ("numpy", "auto"):
        network = chain(Replacing(5))
        history = m.fit(network, m.MSELoss(), X, Y, rule=0.1, engine=one, generator=Generator(3))
        found.append(network.state_dict())
    assert history.engine == "numpy"
    for name, value in found[0].items():
        np.testing.assert_array_equal(found[1][name], value)


# Parameters


class Partial(m.Module):
    """Three parameters: one that is never given a gradient, one that is now and then, one that always is."""

    def __init__(self, features: int, now_and_then: bool) -> None:
        self.never, self.maybe, self.always = (Parameter(np.ones(features)) for _ in range(3))
        self.now_and_then = now_and_then

    def forward(self, x: Array) -> Array:
        return self.keep(x * self.always.data + self.maybe.data, x)

    def backward(self, grad_output: Array) -> Array:
        (x,) = self.release(grad_output)
        self.always.accumulate((grad_output * x).sum(axis=0))
        if not self.now_and_then or x.sum() > 0:
            self.maybe.accumulate(grad_output.sum(axis=0))
        grad: Array = grad_output * self.always.data
        return grad


@pytest.mark.parametrize("rule", [lambda p: m.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.3), lambda p: m.Adam(p)])
def test_a_parameter_without_a_gradient_is_passed_by(rule: Any) -> None:
    def make() -> m.Optim:
        network = chain(Partial(5, now_and_then=False))
        return m.Optim(network, m.MSELoss(), rule(network.parameters()))

    optim, _ = alike(make, name="Partial")
    never = optim.network[2].never
    assert never.grad is None
    assert never not in optim.rule.state
    np.testing.assert_array_equal(never.data, np.ones(5))


@pytest.mark.parametrize("epochs", [1, 12])
def test_one_with_a_gradient_now_and_then_learns_as_in_numpy(epochs: int) -> None:
    found = []
    for one in ("numpy", "auto"):
        network = chain(Partial(5, now_and_then=True))
        optim = m.Optim(network, m.MSELoss(), momentum(network))
        history = m.fit(optim, X, Y, batch_size=6, epochs=epochs, engine=one, generator=Generator(3))
        found.append(outcome(optim, list(history["loss"])))
    agree(found[1], found[0], 1e-11)
    assert history.engine == ("native, with NumPy for: Partial" if epochs == 1 else "native, numpy")


class Tied(m.Module):
    """x Wᵀ with another link's W."""

    def __init__(self, weight: Parameter) -> None:
        self.weight = weight

    def forward(self, x: Array) -> Array:
        return self.keep(x @ self.weight.data, x)

    def backward(self, grad_output: Array) -> Array:
        (x,) = self.release(grad_output)
        self.weight.accumulate(x.T @ grad_output)
        grad: Array = grad_output @ self.weight.data.T
        return grad


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_parameter_shared_with_a_link_of_the_core(accumulate: int, frozen: bool) -> None:
    def make() -> m.Optim:
        network = chain(width=4)
        network.insert(2, Tied(network[0].weight))
        network[0].weight.requires_grad = not frozen
        return m.Optim(network, m.MSELoss(), momentum(network), accumulate=accumulate)

    alike(make, name="Tied")


def test_parameters_that_no_rule_moves_add_up() -> None:
    def make() -> m.Optim:
        network = chain(Own(5))
        rule = m.SGD([*network[0].parameters(), *network[3].parameters()], lr=0.1)
        return m.Optim(network, m.MSELoss(), rule)

    alike(make)


class Tempered(m.Loss):
    """The error divided by a temperature that is learnt too."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = Parameter(np.array([2.0]))
        self.calls = 0

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        self.calls += 1
        error = prediction - target
        return error**2 / self.temperature.data + self.temperature.data, (error,)

    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        grad = np.broadcast_to(grad_elements, error.shape)
        self.temperature.accumulate((grad * (1 - error**2 / self.temperature.data**2)).sum(keepdims=True)[0])
        found: Array = 2 * error / self.temperature.data * grad_elements
        return found


@pytest.mark.parametrize("learns", [False, True])
def test_a_loss_may_learn_too(learns: bool) -> None:
    temperatures = []

    def make() -> m.Optim:
        network, loss = chain(), Tempered()
        temperatures.append(loss.temperature)
        parameters = [*network.parameters(), *(loss.parameters() if learns else ())]
        return m.Optim(network, loss, m.SGD(parameters, lr=0.05, momentum=0.9))

    optim, history = alike(make, name="Tempered")
    np.testing.assert_allclose(temperatures[0].data, temperatures[1].data, rtol=1e-12)
    np.testing.assert_allclose(temperatures[0].grad, temperatures[1].grad, rtol=1e-12)
    assert (temperatures[0].data != 2.0).all() == learns
    assert optim.loss.calls == history.steps  # type: ignore[attr-defined]


def test_a_loss_that_learns_from_gathered_gradients_is_numpys() -> None:
    loss = Tempered()
    network = chain()
    rule = m.SGD([*network.parameters(), *loss.parameters()], lr=0.05)
    history = m.fit(m.Optim(network, loss, rule, accumulate=2), X, Y, batch_size=6)
    assert history.engine == "numpy"


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_loss_of_the_users_own(reduction: str, accumulate: int) -> None:
    def make() -> m.Optim:
        network = chain()
        return m.Optim(network, OwnLoss(reduction=reduction), m.SGD(lr=0.001), accumulate=accumulate)

    weight = np.random.default_rng(3).random(22)
    alike(make, name="OwnLoss", sample_weight=weight, class_weight=None)


# What the core cannot take


class Locked(Own):
    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.lock = threading.Lock()


class Positive(Own):
    """Takes no negative numbers."""

    def forward(self, x: Array) -> Array:
        if (x < 0).any():
            raise ValueError("negative")
        return super().forward(x)


def test_one_that_cannot_be_copied_is_numpys() -> None:
    with pytest.raises(RuntimeError, match=r"^engine='native': Locked\(5\) could not be tried: cannot pickle"):
        m.fit(chain(Locked(5)), m.MSELoss(), X, Y, rule=0.1, engine="native")


def test_one_that_takes_some_numbers_only() -> None:
    alike(lambda: chain(m.Sigmoid(), Positive(5)))


def test_trying_leaves_no_trace() -> None:
    network, generator = chain(Own(5, noisy=True)), m.random.default_generator()
    state, calls = generator.get_state(), own_of(m.Optim(network, m.MSELoss(), 0.1)).calls
    engine.lower(m.Optim(network, m.MSELoss(), 0.1), X, Y)
    assert generator.get_state() == state
    assert (network[2].calls, network[2].scale.grad) == (calls, None)
    assert (network[2].mean == 0).all()
