"""The user's own links in joints and graphs, in predictions, beside callbacks and schedules, resumed, interrupted."""

import gc
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cores import close
from own_links import Own, OwnLoss, Trap, own_of
from test_own import Half, X, Y, alike, chain, momentum

import maillon as m
from maillon.nn.support.errors import LinkShapeError
from maillon.random import Generator
from maillon.typing import Array

pytestmark = [pytest.mark.usefixtures("core"), pytest.mark.filterwarnings("ignore::maillon.engine.FallbackWarning")]


class Mixed(m.Module):
    """Two inputs, two outputs nested with a third one of integers: (a b, (a + b, a's largest place))."""

    def forward(self, a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        self.given = a is b
        return self.keep((a * b, (a + b, a.argmax(axis=1))), a, b)

    def backward(self, grad_output: tuple[Any, ...]) -> tuple[Array, Array]:
        a, b = self.release(grad_output)
        product, nested = grad_output
        total = None if nested is None else nested[0]
        product = np.zeros_like(a) if product is None else product
        total = np.zeros_like(a) if total is None else total
        return product * b + total, product * a + total


def graph(*outputs: str, twice: bool = False) -> m.Sequential:
    generator = Generator(3)
    first = m.Linear(4, 5, generator=generator)
    nodes = {"a": (first, "x"), "b": (m.Tanh(), "a"), "own": (Mixed(), "a", "b"), "out": (m.Concat(), *outputs)}
    if twice:
        nodes |= {"own": (Mixed(), "a", "a")}
        del nodes["b"]
    width = 5 * len(outputs)
    return m.Sequential(m.Graph("x", nodes, "out"), m.Linear(width, 3, generator=generator)).to("float64")


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("outputs", [("own.0", "own.1.0"), ("own.0",), ("own.1.0", "a"), ("own.0", "own.0")])
def test_several_inputs_and_nested_outputs(outputs: tuple[str, ...], twice: bool) -> None:
    alike(lambda: graph(*outputs, twice=twice), name="Mixed")


def test_integers_that_it_gives_are_taken() -> None:
    def make() -> m.Sequential:
        nodes = {
            "a": (m.Linear(4, 5, generator=Generator(3)), "x"),
            "own": (Mixed(), "a", "a"),
            "e": (m.Embedding(5, 5, generator=Generator(4)), "own.1.1"),
            "out": (m.Add(), "own.0", "e"),
        }
        return m.Sequential(m.Graph("x", nodes, "out"), m.Linear(5, 3, generator=Generator(5))).to("float64")

    alike(make, name="Mixed")


@pytest.mark.parametrize(
    "around",
    [
        lambda own: m.Residual(own),
        lambda own: m.Residual(m.Sequential(m.Linear(5, 5, generator=Generator(6)), own)),
        lambda own: m.Sequential(m.Parallel(own, m.Tanh()), m.Add()),
        lambda own: m.Sequential(m.Parallel(m.Identity(), own), m.Multiply()),
        lambda own: m.Sequential(m.Sequential(own)),
    ],
)
def test_inside_of_joints(around: Callable[[m.Module], m.Module]) -> None:
    alike(lambda: chain(around(Own(5))))
    with pytest.raises(LinkShapeError) as by_numpy:
        fail(chain(around(Own(5))), "numpy")
    with pytest.raises(LinkShapeError) as by_core:
        fail(chain(around(Own(5))), "native")
    assert str(by_core.value) == str(by_numpy.value)
    assert "Own(5): wrong" in str(by_core.value)


def fail(network: m.Sequential, engine: str, where: str = "backward") -> None:
    own = own_of(m.Optim(network, m.MSELoss(), 0.1))
    own.trap = Trap(own, where, 2, LinkShapeError("Own(5): wrong"))
    m.fit(network, m.MSELoss(), X, Y, rule=0.1, batch_size=6, engine=engine)


def test_an_own_link_made_of_links() -> None:
    class Block(m.Module):
        def __init__(self) -> None:
            generator = Generator(5)
            self.norm, self.drop = m.BatchNorm1d(5), m.Dropout(0.4)
            self.linear = m.Linear(5, 5, generator=generator)

        def forward(self, x: Array) -> Array:
            return self.keep(x + self.linear(self.drop(self.norm(x))))

        def backward(self, grad_output: Array) -> Array:
            self.release(grad_output)
            grad: Array = grad_output + self.norm.backward(self.drop.backward(self.linear.backward(grad_output)))
            return grad

    alike(lambda: chain(Block(), m.Dropout(0.1)), name="Block")


@pytest.mark.parametrize("place", ["own", "loss"])
def test_a_loss_that_is_not_finite_raises_as_in_numpy(place: str) -> None:
    class Blows(Own):
        def forward(self, x: Array) -> Array:
            y = super().forward(x)
            return y * np.nan if self.training and self.calls >= 8 and place == "own" else y

    class BlowsLoss(OwnLoss):
        calls = 0

        def elements(self, prediction: Array, target: Array) -> Any:
            self.calls += 1
            elements, kept = super().elements(prediction, target)
            return (elements * np.inf if self.calls >= 7 and place == "loss" else elements), kept

    told, left = [], []
    for engine in ("numpy", "native"):
        network = chain(m.Dropout(0.2), Blows(5, noisy=True))
        optim = m.Optim(network, BlowsLoss(), momentum(network))
        generator = Generator(3)
        if place == "own":
            network[3].__class__ = Blows
        with pytest.raises(m.NonFiniteLossError) as caught:
            m.fit(optim, X, Y, batch_size=6, epochs=3, engine=engine, generator=generator)
        told.append((str(caught.value), caught.value.epoch, caught.value.batch, len(caught.value.history)))
        left.append([*network.state_dict().values(), optim.prediction])
        left[-1].append(np.frombuffer(generator.get_state().words, np.uint32))
    assert told[0] == told[1]
    for one, other in zip(*left, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


# Predictions


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions(dtype: str) -> None:
    network = chain(m.Dropout(0.5), Own(5, noisy=True)).to(dtype)
    x, y = X.astype(dtype), Y.astype(dtype)
    expected = m.predict(network, x, engine="numpy")
    tolerance = 1e-12 if dtype == "float64" else 1e-6
    close("predict", m.predict(network, x, engine="native"), expected, tolerance)
    predictor = m.compile(network)
    for rows in (22, 1, 22):
        close("compile", predictor(x[:rows]), expected[:rows], tolerance)
    close("one sample", predictor(x[0]), expected[0], tolerance)
    scores = [m.evaluate(network, m.MSELoss(), x, y, engine=engine)["loss"] for engine in ("numpy", "native")]
    assert scores[0] == pytest.approx(scores[1], rel=tolerance)
    assert all(link.training for link in network.modules())
    assert "_kept" not in vars(network[3])
    network[3].scale.data = network[3].scale.data * 2
    close("changed", predictor(x), m.predict(network, x, engine="numpy"), tolerance)


def test_validation_beside_a_training() -> None:
    optim, history = alike(lambda: chain(Own(5)), validation_data=(X[:9], Y[:9]), metrics="mae")
    scores = m.evaluate(optim.network, optim.loss, X[:9], Y[:9], engine="numpy")
    assert history["val_loss"][-1] == pytest.approx(scores["loss"], rel=1e-12)


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt(), LinkShapeError("Own(5): wrong")])
def test_what_it_raises_in_a_prediction_arrives_and_it_is_called_once(error: BaseException) -> None:
    class Raises(Own):
        armed = False

        def forward(self, x: Array) -> Array:
            self.calls += 1
            if self.armed:
                raise error
            return super().forward(x)

    network = chain(m.Residual(Raises(5)))
    own = own_of(m.Optim(network, m.MSELoss(), 0.1))
    predictor = m.compile(network)
    for call in (predictor, lambda x: m.predict(network, x)):
        call(X)
        own.armed, own.calls = True, 0  # type: ignore[attr-defined]
        with pytest.raises(type(error)) as caught:
            call(X)
        assert caught.value is error
        assert own.calls == 1
        own.armed = False  # type: ignore[attr-defined]
        close("afterwards", call(X), m.predict(network, X, engine="numpy"), 1e-12)
        if isinstance(error, LinkShapeError):
            assert str(error) == "Sequential[2][link] Own(5): wrong"
            error.container, error.path = "", ""


def test_a_predictor_that_several_threads_call() -> None:
    class Slow(Half):
        def forward(self, x: Array) -> Array:
            time.sleep(0.001)
            return super().forward(x)

    network = chain(Slow())
    predictor = m.compile(network)
    xs = [np.random.default_rng(seed).normal(size=(3, 4)) for seed in range(4)]
    expected = [m.predict(network, x, engine="numpy") for x in xs]
    wrong: list[int] = []

    def ask(seed: int) -> None:
        for _ in range(30):
            if not np.allclose(predictor(xs[seed]), expected[seed], rtol=1e-12):
                wrong.append(seed)

    asking = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert not wrong


def test_it_may_train_and_predict_itself() -> None:
    class Inner(Half):
        def __init__(self) -> None:
            self.inner = [chain()]

        def forward(self, x: Array) -> Array:
            if self.training:
                (network,) = self.inner
                m.fit(network, m.MSELoss(), X, Y, rule=0.1, generator=Generator(4))
                m.predict(network, X)
            return super().forward(x)

    alike(lambda: chain(m.Dropout(0.3), Inner(), m.Dropout(0.3)), name="Inner")


# While it trains


CHANGES: dict[str, Callable[[m.train.State], Any]] = {
    "values": lambda state: state.network[2].scale.data.__imul__(0.5),
    "another array": lambda state: setattr(state.network[2].scale, "data", state.network[2].scale.data * 0.5),
    "frozen": lambda state: setattr(state.network[2].scale, "requires_grad", False),
    "another generator": lambda state: setattr(state.network[2], "generator", Generator(11)),
    "its buffer": lambda state: setattr(state.network[2], "mean", np.ones(5)),
    "its mode": lambda state: state.network[2].eval(),
    "an option": lambda state: setattr(state.network[2], "noisy", False),
    "a known link": lambda state: state.network.__setitem__(2, m.Sigmoid()),
    "another one": lambda state: state.network.__setitem__(2, Own(5, noisy=True)),
    "more of them": lambda state: state.network.insert(3, Half()),
    "its parameter": lambda state: setattr(state.network[2], "scale", m.nn.Parameter(np.ones(5))),
    "the rate": lambda state: state.optim.rule.param_groups[0].__setitem__("lr", 0.001),
    "clipping": lambda state: setattr(state.optim, "clip_grad_norm", 0.01),
}


@pytest.mark.parametrize("hook", ["on_step_end", "on_epoch_end"])
@pytest.mark.parametrize("what", CHANGES)
def test_what_a_callback_changes_holds_from_then_on(what: str, hook: str) -> None:
    class Changes(m.Callback):
        pass

    def change(_self: Any, state: m.train.State) -> None:
        if state.step == (6 if hook == "on_step_end" else 8):
            CHANGES[what](state)

    setattr(Changes, hook, change)
    name = "Own, Half" if what == "more of them" else "Own"
    alike(lambda: chain(Own(5, noisy=True)), callbacks=[Changes()], name=name)


@pytest.mark.parametrize("by", ["step", "epoch"])
def test_under_a_schedule(by: str) -> None:
    schedule = m.optim.lr_scheduler.StepLR(step_size=2, gamma=0.5)
    alike(lambda: chain(m.Dropout(0.2), Own(5, noisy=True)), schedule=schedule, schedule_by=by)
    left = []
    for engine in ("numpy", "native"):
        network = chain(m.Dropout(0.2), Own(5, noisy=True))
        optim = m.Optim(network, m.MSELoss(), momentum(network))
        own = own_of(optim)
        own.trap = Trap(own, "backward", 14, ValueError())
        schedule = m.optim.lr_scheduler.StepLR(step_size=2, gamma=0.5)
        with pytest.raises(ValueError, match=r"^$"):
            m.fit(optim, X, Y, batch_size=6, epochs=5, engine=engine, schedule=schedule, schedule_by=by)
        left.append(optim.rule.param_groups[0]["lr"])
    assert left[0] == left[1] < 0.05


def test_a_resumed_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    def trained(epochs: int, **more: Any) -> tuple[m.Sequential, m.History]:
        network = chain(m.Dropout(0.2), Own(5, noisy=True))
        history = m.fit(
            network, m.MSELoss(), X, Y, rule=m.Adam(), batch_size=6, epochs=epochs, generator=Generator(3), **more
        )
        return network, history

    expected, whole = trained(4)
    path = tmp_path / "training.safetensors"
    trained(2, checkpoint=m.train.Checkpoint(path))
    network, history = trained(4, resume=path)
    assert history.engine == whole.engine == "native, with NumPy for: Own"
    assert history["loss"] == whole["loss"]
    for name, value in expected.state_dict().items():
        assert network.state_dict()[name].tobytes() == value.tobytes(), name


class Slow(Half):
    """Half a hundredth of a second a step, in a network whose other links cost nothing."""

    def forward(self, x: Array) -> Array:
        if self.training:
            time.sleep(0.005)
        return super().forward(x)


def test_control_c_ends_it_soon() -> None:
    pressed: list[float] = []

    def press() -> None:
        time.sleep(0.3)
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    network = m.Sequential(m.Linear(1, 1), Slow())
    history = m.fit(network, m.MSELoss(), X[:, :1], Y[:, :1], rule=0.1, batch_size=1, epochs=10**6)
    took = time.perf_counter() - pressed[0]
    assert history.interrupted
    assert history.engine == "native, with NumPy for: Slow"
    assert took < 0.3


def test_two_presses_within_a_slice_end_the_program() -> None:
    class Presses(Half):
        calls = 0

        def forward(self, x: Array) -> Array:
            self.calls += self.training
            if self.calls in (5, 7):
                os.kill(os.getpid(), signal.SIGINT)
            return super().forward(x)

    network = chain(Presses())
    with pytest.raises(KeyboardInterrupt):
        m.fit(network, m.MSELoss(), X, Y, rule=0.1, batch_size=6, epochs=50)
    assert network[2].calls == 7


# What is left behind


def test_nothing_is_left_behind() -> None:
    alive = []
    for _ in range(3):
        network = chain(m.Dropout(0.2), Own(5))
        optim = m.Optim(network, OwnLoss(), 0.01)
        m.fit(optim, X, Y, engine="native")
        m.predict(network, X)
        predictor = m.compile(network)
        predictor(X)
        own = own_of(optim)
        own.trap = Trap(own, "backward", 1, ValueError("x"))
        with pytest.raises(ValueError, match=r"^x$"):
            m.fit(optim, X, Y, batch_size=6, engine="native")
        own.trap = None  # which holds the error, and this the frames that it went through
        alive += [weakref.ref(network), weakref.ref(own), weakref.ref(optim.loss)]
    del network, optim, own, predictor
    gc.collect()
    assert [one() for one in alive] == [None] * len(alive)
