"""A step that fails changes nothing: parameters, buffers, shortened rows and random streams, in both engines."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon import random
from maillon.nn.support.undo import Undo
from maillon.random import Generator, GeneratorState
from maillon.typing import Array

X = Generator(1).normal((24, 6))
Y = Generator(2).normal((24, 2))
FAR = np.full((24, 6), 3e38, np.float32)


class Failing(m.Module):
    """Counts its calls in a buffer, and fails at some of them."""

    def __init__(self, forward_at: int = 0, backward_at: int = 0) -> None:
        self.forward_at, self.backward_at = forward_at, backward_at
        self.calls = 0
        self.register_buffer("seen", np.zeros(2))
        self.register_buffer("last", np.zeros((), np.int64))
        self.register_buffer("nothing", None)
        self.seen: Array
        self.last: Array

    def forward(self, x: Array) -> Array:
        self.calls += 1
        self.seen += 1
        self.last = np.array(self.calls)
        random.default_generator().rand(3)
        if self.calls == self.forward_at:
            raise RuntimeError("forward")
        return self.keep(x)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        if self.calls == self.backward_at:
            raise RuntimeError("backward")
        return grad_output


def network(own: Generator, more: tuple[m.Module, ...] = ()) -> m.Sequential:
    draw = Generator(5)
    links: list[m.Module] = [m.Linear(6, 5, generator=draw), m.BatchNorm1d(5), m.Dropout(0.3), m.Tanh()]
    links += [m.BatchNorm1d(5, momentum=None), m.Dropout(0.2, generator=own), *more, m.Linear(5, 2, generator=draw)]
    return m.Sequential(*links)


def everything(optim: m.Optim, *generators: Generator) -> list[Any]:
    state = [value.tobytes() for value in optim.network.state_dict().values()]
    rule = [[np.asarray(value).tobytes() for value in kept.values()] for kept in optim.rule.state.values()]
    return [state, rule, [generator.get_state() for generator in (random.default_generator(), *generators)]]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_loss_that_is_not_finite_leaves_no_trace(accumulate: int) -> None:
    own = Generator(3)
    optim = m.Optim(network(own), m.MSELoss(), m.SGD(lr=0.1, momentum=0.9), accumulate=accumulate)
    for _ in range(2):
        optim.step(X, Y)
    before = everything(optim, own)
    with pytest.raises(m.NonFiniteLossError):
        optim.step(FAR, Y)
    assert everything(optim, own) == before
    assert np.isfinite(optim.step(X, Y))
    assert everything(optim, own) != before


@pytest.mark.parametrize("place", ["forward_at", "backward_at"])
@pytest.mark.parametrize("rule", [m.SGD(lr=0.1), m.LBFGS(lr=0.1, max_iter=3)])
def test_an_error_of_a_link_leaves_no_trace(place: str, rule: m.optim.Rule) -> None:
    own, failing = Generator(3), Failing(**{place: 3})
    optim = m.Optim(network(own, (failing,)), m.MSELoss(), rule)
    if not rule.needs_closure:
        optim.step(X, Y)
        optim.step(X, Y)
    before, seen, last = everything(optim, own), failing.seen, failing.last
    with pytest.raises(RuntimeError, match=place.removesuffix("_at")):
        optim.step(X, Y)
    assert everything(optim, own) == before
    assert failing.seen is seen
    assert failing.last is last
    assert failing.calls == 3  # an attribute of its own
    optim.step(X, Y)


def test_what_was_gathered_is_dropped_where_a_backward_fails() -> None:
    failing = Failing(backward_at=2)
    optim = m.Optim(network(Generator(3), (failing,)), m.MSELoss(), m.SGD(lr=0.1), accumulate=3)
    optim.step(X, Y)
    with pytest.raises(RuntimeError, match="backward"):
        optim.step(X, Y)
    assert not optim.waiting


def test_an_error_before_the_backward_leaves_what_was_gathered() -> None:
    failing = Failing(forward_at=2)
    optim = m.Optim(network(Generator(3), (failing,)), m.MSELoss(), m.SGD(lr=0.1), accumulate=3)
    optim.step(X, Y)
    grads = [parameter.grad for parameter in optim.network.parameters()]
    with pytest.raises(RuntimeError, match="forward"):
        optim.step(X, Y)
    assert optim.gathered[0] == 1
    assert all(p.grad is grad for p, grad in zip(optim.network.parameters(), grads, strict=True))


def words() -> Array:
    return Generator(4).randint(0, 9, (24, 2))


def reader(**options: Any) -> m.Optim:
    draw = Generator(5)
    links = [m.Embedding(9, 3, max_norm=0.8, generator=draw), m.Flatten(), m.Linear(6, 2, generator=draw)]
    return m.Optim(m.Sequential(*links), m.MSELoss(), m.SGD(lr=0.1), **options)


def test_rows_are_as_long_as_before() -> None:
    optim = reader()
    before = everything(optim)
    with pytest.raises(m.NonFiniteLossError):
        optim.step(words(), np.full((24, 2), np.inf, np.float32))
    assert everything(optim) == before
    optim.network(words())
    assert everything(optim) != before


def test_a_call_by_hand_updates_at_once() -> None:
    chain = network(Generator(3))
    chain(X)
    assert chain[1].num_batches_tracked == 1
    with Undo(chain):
        chain(X)
    assert chain[1].num_batches_tracked == 2
    with pytest.raises(RuntimeError), Undo(chain):
        chain(X)
        raise RuntimeError
    assert chain[1].num_batches_tracked == 2


def test_one_step_in_another() -> None:
    """What the inner step has done is undone with the outer one."""
    inner, own = m.Optim(network(Generator(3)), m.MSELoss(), 0.0), Generator(8)
    kept = [value.tobytes() for value in inner.network.state_dict().values()]
    state = own.get_state()

    class Teaching(Failing):
        def forward(self, x: Array) -> Array:
            inner.step(X, Y)
            own.normal((3,))
            return super().forward(x)

    optim = m.Optim(network(Generator(4), (Teaching(forward_at=1),)), m.MSELoss(), 0.1)
    before = random.default_generator().get_state()
    with pytest.raises(RuntimeError, match="forward"):
        optim.step(X, Y)
    assert [value.tobytes() for value in inner.network.state_dict().values()] == kept
    assert random.default_generator().get_state() == before
    assert own.get_state() == state


def raising(draw: Callable[[Generator], Any]) -> tuple[GeneratorState, Generator]:
    """A generator's state, and the generator after a block that has drawn and failed."""
    generator = Generator(6)
    generator.normal((3,))
    before = generator.get_state()
    with pytest.raises(RuntimeError), Undo():
        draw(generator)
        raise RuntimeError
    return before, generator


@pytest.mark.parametrize(
    "draw",
    [
        lambda generator: generator.rand((5,)),
        lambda generator: generator.normal((1,)),  # the second half of a pair: no word is drawn
        lambda generator: generator.normal((40,), dtype=np.float64),
        lambda generator: generator.randperm(700),
        lambda generator: generator.manual_seed(3).rand((2,)),
        lambda generator: generator.set_state(Generator(7).get_state()),
    ],
)
def test_whatever_is_drawn_is_taken_back(draw: Callable[[Generator], Any]) -> None:
    before, generator = raising(draw)
    assert generator.get_state() == before


def test_what_another_thread_has_drawn_is_not_drawn_twice() -> None:
    def draw(generator: Generator) -> None:
        generator.rand((5,))
        other = threading.Thread(target=generator.rand, args=((2,),))
        other.start()
        other.join()

    before, generator = raising(draw)
    assert generator.has_drawn(7, before)


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("engine", ["numpy", "native"])
def test_a_training_that_fails_is_where_its_last_good_step_was(engine: str) -> None:
    x = np.concatenate((X, X, FAR))
    y = np.concatenate((Y, Y, Y))

    def trained(rows: int) -> list[Any]:
        random.manual_seed(0)
        own = Generator(3)
        optim = m.Optim(network(own), m.MSELoss(), m.Adam(lr=0.01))
        options: dict[str, Any] = {"batch_size": 8, "shuffle": False, "engine": engine, "progress": False}
        if rows > 48:
            with pytest.raises(m.NonFiniteLossError) as caught:
                m.fit(optim, x, y, epochs=1, **options)
            assert caught.value.batch == 7
        else:
            m.fit(optim, x[:rows], y[:rows], epochs=1, **options)
        return everything(optim, own)

    state = random.default_generator().get_state()
    try:
        assert trained(72) == trained(48)
    finally:
        random.default_generator().set_state(state)
