"""Trainings by the core leave what the same trainings leave in NumPy: chains of all links, and all options of fit."""

import gc
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, outcome, same_for_both, trained

import maillon as m
from maillon.engine import FallbackWarning
from maillon.engine.builder import LINKS, Builder, Value
from maillon.random import Generator
from maillon.train import State, stepping
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


def numbers(seed: int, *shape: int, dtype: str = "float64") -> Array:
    return Generator(seed).normal(shape, dtype=np.float64).astype(dtype)


X, Y, LABELS = numbers(1, 22, 6), numbers(2, 22, 3), np.arange(22) * 7 % 3


def network(*more: m.Module, dtype: str = "float64", last: int = 3) -> m.Sequential:
    """6–5–last that always begins alike, with more links between."""
    generator = Generator(4)
    first, second = m.Linear(6, 5, generator=generator), m.Linear(5, last, generator=generator)
    return m.Sequential(first, m.Tanh(), *more, second).to(dtype)


def everything(dtype: str) -> m.Sequential:
    """All links in one chain, nested, one of them shared."""
    generator = Generator(5)
    shared = m.Linear(4, 4, generator=generator)
    return m.Sequential(
        m.Identity(),
        m.Flatten(),
        m.Linear(6, 8, generator=generator),
        m.LeakyReLU(0.2),
        m.Dropout(0.2),
        m.Sequential(m.Linear(8, 4, bias=False, generator=generator), m.Tanh(), shared, m.Sigmoid()),
        shared.share(),
        m.Softmax(),
        m.Dropout(0.4, generator=Generator(9)),
        m.LeakyReLU(-0.5),
        m.Linear(4, 3, generator=generator),
        m.ReLU(),
        shared_free(generator),
        m.LogSoftmax(),
    ).to(dtype)


def shared_free(generator: Generator) -> m.Sequential:
    return m.Sequential(m.Sigmoid(), m.Sigmoid(), m.Linear(3, 3, generator=generator), m.Tanh(), m.ReLU())


@both_dtypes
def test_a_chain_of_all_links(dtype: str) -> None:
    def make() -> m.Optim:
        return m.Optim(everything(dtype), m.NLLLoss(), m.SGD(lr=0.2, momentum=0.5))

    x = X.reshape(22, 2, 3).astype(dtype)
    found = same_for_both(make, x, LABELS, TOLERANCE[dtype], batch_size=5, epochs=2)
    assert found.numbers["steps"] == 10


FROZEN: dict[str, Callable[[m.Sequential], list[m.Parameter]]] = {
    "the first link": lambda chain: list(chain[0].parameters()),
    "the last link": lambda chain: list(chain[2].parameters()),
    "a weight": lambda chain: [chain[0].weight],
    "a bias": lambda chain: [chain[2].bias],
}


@pytest.mark.parametrize("frozen", FROZEN)
@both_dtypes
def test_frozen_parameters_stay(frozen: str, dtype: str) -> None:
    def make() -> m.Optim:
        chain = network(dtype=dtype)
        for parameter in FROZEN[frozen](chain):
            parameter.requires_grad = False
        return m.Optim(chain, m.MSELoss(), m.Adam(lr=0.01))

    start = make()
    found = same_for_both(make, X, Y, TOLERANCE[dtype], batch_size=6, epochs=2)
    still = {id(parameter) for parameter in FROZEN[frozen](start.network)}
    for name, parameter in start.network.named_parameters():
        assert (found.arrays[name] == parameter.data).all() == (id(parameter) in still)


def test_parameters_that_the_rule_has_not_stay() -> None:
    def make() -> m.Optim:
        chain = network()
        return m.Optim(chain, m.MSELoss(), m.SGD(chain[2].parameters(), lr=0.1))

    found, expected = (trained(make, engine, X, Y, batch_size=6) for engine in ("native", "numpy"))
    for name, value in make().network.state_dict().items():
        np.testing.assert_allclose(found.arrays[name], expected.arrays[name], rtol=1e-12, atol=1e-13)
        assert (found.arrays[name] == value).all() == name.startswith("0.")


@both_dtypes
@pytest.mark.parametrize(
    "options",
    [
        {"sample_weight": np.linspace(0, 2, 22)},
        {"batch_size": 22},
        {"batch_size": 100},
        {"batch_size": 21},
        {"batch_size": 1},
        {"shuffle": False, "batch_size": 8},
        {"schedule": lambda epoch: 0.5**epoch, "metrics": ["mae", "mse"]},
        {"validation_split": 0.3, "callbacks": [m.EarlyStopping(patience=1)]},
        {"callbacks": lambda state: None},
    ],
    ids=lambda options: " ".join(options),
)
def test_options_of_fit(options: dict[str, Any], dtype: str) -> None:
    def make() -> m.Optim:
        return m.Optim(network(m.Dropout(0.3), dtype=dtype), m.MSELoss(), m.SGD(lr=0.05, momentum=0.9))

    found = same_for_both(make, X, Y, TOLERANCE[dtype] * 2, epochs=3, **options)
    expected = trained(make, "numpy", X, Y, epochs=3, **options)
    for column in set(found.history.columns) - {"seconds"}:
        assert found.history[column] == pytest.approx(expected.history[column], rel=2 * TOLERANCE[dtype])


@pytest.mark.parametrize("clipping", [{"clip_grad_norm": 0.3}, {"clip_grad_norm": 1e3}, {"clip_grad_value": 0.05}])
@both_dtypes
def test_clipped_gradients(clipping: dict[str, float], dtype: str) -> None:
    def make() -> m.Optim:
        chain = network(dtype=dtype)
        chain[0].weight.requires_grad = False
        return m.Optim(chain, m.MSELoss(), m.SGD(lr=0.5, momentum=0.9), **clipping)

    found = same_for_both(make, X, Y, TOLERANCE[dtype], batch_size=7, epochs=2)
    if clipping == {"clip_grad_value": 0.05}:
        limit = np.array(0.05, dtype)
        assert max(abs(value).max() for name, value in found.arrays.items() if name.startswith("∂")) == limit


def test_several_groups_of_parameters() -> None:
    def make() -> m.Optim:
        chain = network()
        groups = [
            {"params": chain[0].parameters(), "lr": 0.2, "momentum": 0.9, "nesterov": True},
            {"params": [chain[2].weight], "weight_decay": 0.1},
            {"params": [chain[2].bias], "lr": 0.01, "maximize": True},
        ]
        return m.Optim(chain, m.MSELoss(), m.SGD(groups, lr=0.1))

    same_for_both(make, X, Y, 1e-12, batch_size=6, epochs=3, schedule=lambda epoch: 1 / (1 + epoch))


def test_a_training_goes_on_where_the_last_one_ended() -> None:
    """With Adam's moments, by either engine, in either order."""
    ends = []
    for engines in (("numpy", "numpy"), ("native", "native"), ("numpy", "native"), ("native", "numpy")):
        optim = m.Optim(network(), m.MSELoss(), m.Adam(lr=0.01, amsgrad=True))
        for engine in engines:
            history = m.fit(optim, X, Y, batch_size=5, epochs=2, shuffle=False, engine=engine)
        ends.append(outcome(optim, history["loss"]))
    for end in ends[1:]:
        for name, value in ends[0].arrays.items():
            np.testing.assert_allclose(end.arrays[name], value, rtol=1e-11, atol=1e-13)
        assert end.numbers == ends[0].numbers


def test_the_input_itself_as_target() -> None:
    def make() -> m.Optim:
        return m.Optim(network(last=6), m.MSELoss(), 0.1)

    same_for_both(make, X, X, 1e-12, batch_size=5, epochs=2)
    same_for_both(make, X, X.copy(), 1e-12, batch_size=5, epochs=2)


def test_what_a_callback_changes_is_followed() -> None:
    """Rates, parameters replaced, frozen and clipped, links whose options change: from the next step on."""

    def change(state: State) -> None:
        optim, chain = state.optim, state.network
        assert isinstance(chain, m.Sequential)
        match state.epoch:
            case 1:
                chain[0].weight.data = chain[0].weight.data * 0.5
            case 2:
                chain[2].p = 0.1
            case 3:
                optim.rule.param_groups[0]["lr"] = 0.01
            case 4:
                chain[3].weight.requires_grad = False
            case 5:
                optim.clip_grad_norm = 0.1
            case 6:
                chain[2].eval()
            case 7:
                optim.rule.param_groups[0]["momentum"] = 0.0

    def make() -> m.Optim:
        return m.Optim(network(m.Dropout(0.5)), m.MSELoss(), m.SGD(lr=0.1, momentum=0.5))

    same_for_both(make, X, Y, 1e-11, batch_size=5, epochs=9, callbacks=change)


@pytest.mark.parametrize(("batch_size", "plans"), [(22, 1), (5, 2), (7, 2)])
def test_each_plan_is_lowered_once(batch_size: int, plans: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, linear = [], LINKS[m.Linear]

    def counted(b: Builder, link: m.Module, x: Value) -> Any:
        rows.append(x.shape[0])
        return linear(b, link, x)

    monkeypatch.setitem(LINKS, m.Linear, counted)
    m.fit(network(), m.MSELoss(), X, Y, batch_size=batch_size, engine="native")
    assert sorted(rows) == sorted([batch_size, 22 % batch_size][:plans] * 2)


class Doubled(m.Module):
    def forward(self, x: Array) -> Array:
        return 2 * x

    def backward(self, grad_output: Array) -> Array:
        return 2 * grad_output


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": 5, "accumulate": 2},
        {"validation_split": 0.2, "metrics": ["mse", "r2"]},
        {"schedule": lambda epoch: 0.9**epoch, "clip_grad_norm": 0.5},
        {"callbacks": m.EarlyStopping("loss")},
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("link", [m.Dropout(0.1), m.BatchNorm1d(5).to("float64"), Doubled()], ids=repr)
def test_its_memory_is_free_when_it_has_ended(link: m.Module, options: dict[str, Any]) -> None:
    def train() -> None:
        m.fit(network(link), m.MSELoss(), X, Y, rule=m.Adam(), epochs=3, progress=False, **options)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        train()
        gc.collect()
        gc.disable()
        try:
            train()
            assert gc.collect() == 0  # nothing waits for the garbage collector
        finally:
            gc.enable()


def test_gradients_that_wait_are_forgotten() -> None:
    def make() -> m.Optim:
        optim = m.Optim(network(), m.MSELoss(), m.SGD(lr=0.1), accumulate=3)
        optim.step(X, Y)
        optim.accumulate = 1
        return optim

    same_for_both(make, X, Y, 1e-11, batch_size=5, epochs=2)


def test_callbacks_see_the_same_after_every_step() -> None:
    def seen(engine: str) -> list[Any]:
        found: list[Any] = []

        class Look(m.Callback):
            def on_step_end(self, state: State) -> None:
                grads = [p.grad.copy() for p in state.network.parameters() if p.grad is not None]
                place = (state.epoch, state.batch, state.step, len(state.history))
                found.append((place, [state.loss, *grads, state.optim.prediction.copy()]))

        optim = m.Optim(network(), m.MSELoss(), m.SGD(lr=0.1))
        m.fit(optim, X, Y, batch_size=5, epochs=2, shuffle=False, callbacks=[Look()], engine=engine)
        return found

    found, expected = seen("native"), seen("numpy")
    assert [place for place, _ in found] == [place for place, _ in expected]
    assert len(found) == 10
    for (_, values), (_, others) in zip(found, expected, strict=True):
        for value, other in zip(values, others, strict=True):
            np.testing.assert_allclose(value, other, rtol=1e-11, atol=1e-13)


def test_no_epochs_leave_everything_as_it_was() -> None:
    optim = m.Optim(network(), m.MSELoss(), m.SGD(lr=0.1, momentum=0.9))
    optim.step(X, Y)
    before = outcome(optim, [])
    history = m.fit(optim, X, Y, epochs=0, engine="native")
    assert (len(history), history.steps, history.engine) == (0, 0, "native")
    after = outcome(optim, [])
    assert after.numbers == before.numbers
    assert {name: value.tobytes() for name, value in after.arrays.items()} == {
        name: value.tobytes() for name, value in before.arrays.items()
    }


# What the core does not know


class MyRule(m.SGD):
    pass


def fortran() -> m.Sequential:
    chain = network()
    chain[0].weight.data = np.asfortranarray(chain[0].weight.data)
    return chain


LEFT: dict[str, tuple[Callable[[], m.Optim], str]] = {
    "a rule": (
        lambda: m.Optim(network(), m.MSELoss(), MyRule(lr=0.1)),
        "MyRule(<4 parameters>, lr=0.1, momentum=0, dampening=0, weight_decay=0, nesterov=False, maximize=False) "
        "is not among the rules it knows",
    ),
    "Fortran's order": (
        lambda: m.Optim(fortran(), m.MSELoss(), 0.1),
        "0.weight is not an aligned, writable array in C order",
    ),
}


@pytest.mark.parametrize("what", LEFT)
def test_what_the_core_does_not_know_runs_in_numpy_and_fit_says_so_once(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, reason = LEFT[what]
    monkeypatch.setattr(stepping, "_told", set())
    expected = trained(make, "numpy", X, Y, epochs=2)

    optim = make()
    with pytest.warns(FallbackWarning) as told:
        history = m.fit(optim, X, Y, epochs=2, generator=Generator(3))
    assert [str(warning.message) for warning in told] == [f"fit runs in NumPy, not in the compiled core: {reason}."]
    assert told[0].filename == __file__
    assert history.engine == "numpy"
    for name, value in optim.network.state_dict().items():
        assert value.tobytes() == expected.arrays[name].tobytes()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m.fit(make(), X, Y)


@pytest.mark.parametrize("what", LEFT)
def test_native_alone_refuses_it_and_changes_nothing(what: str) -> None:
    make, reason = LEFT[what]
    optim = make()
    before = outcome(optim, [])
    with pytest.raises(RuntimeError) as caught:
        m.fit(optim, X, Y, engine="native")
    assert str(caught.value) == f"engine='native': {reason}. Pass engine='auto' to train in NumPy where it must."
    after = outcome(optim, [])
    assert after.numbers == before.numbers
    assert all((value == after.arrays[name]).all() for name, value in before.arrays.items())
    assert all(link.training for link in optim.network.modules())


def test_mini_batches_of_a_users_own_are_numpys() -> None:
    with pytest.raises(RuntimeError, match=r"^engine='native': mini-batches that are given one by one are not among"):
        m.fit(network(), m.MSELoss(), [(X, Y)], rule=0.1, engine="native")


def test_a_network_of_a_users_own_with_two_inputs() -> None:
    class Both(m.Module):
        def __init__(self) -> None:
            self.link = m.Linear(6, 3)

        def forward(self, one: Array, other: Array) -> Array:
            return self.keep(self.link(one + other))

        def backward(self, grad_output: Array) -> tuple[Array, Array]:
            self.release(grad_output)
            grad = self.link.backward(grad_output)
            return grad, grad

    both = Both()
    history = m.fit(both, m.MSELoss(), (X, X), Y, rule=0.1, engine="native")
    assert history.engine == "native, with NumPy for: Both"
    several = (m.predict(both, (X, X), engine=engine) for engine in ("auto", "numpy"))
    assert next(several).tobytes() == next(several).tobytes()
