"""The compiled core, for the tests: required, hidden, or compared with NumPy."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import maillon as m
from maillon import engine
from maillon.engine import families, processor
from maillon.engine.builder import LOWERINGS, Builder, Value
from maillon.engine.lowering import finish, lower_child
from maillon.engine.memory import Gradients, Memory
from maillon.engine.native import Runner
from maillon.engine.plan import Plan, stream_of, table
from maillon.engine.step import Batches, copied
from maillon.engine.verify import verify
from maillon.nesting import filled, leaves, mapped
from maillon.random import Generator, default_generator
from maillon.typing import Array

families.load()  # the tests go by the tables
for name in LOWERINGS:
    families.load_for(getattr(m, name))

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def require_core() -> None:
    """Skip the test where there is no core, unless there must be one."""
    if processor.core() is None:
        if os.environ.get("MAILLON_REQUIRE_NATIVE"):
            pytest.fail("The compiled core is required here (MAILLON_REQUIRE_NATIVE is set) and is not installed.")
        pytest.skip("The compiled core is not installed.")


@contextmanager
def without_core() -> Iterator[None]:
    """As in an installation that has none."""

    def none() -> None:
        return None

    with patch.object(processor, "core", none), patch.object(engine, "core", none):
        yield


@contextmanager
def threads(number: int, worth: float | None = None) -> Iterator[None]:
    """So many threads, be they the faster number or not; worth: the operations of a step from which they are used."""
    engine.set_num_threads(number)
    try:
        with (
            patch.object(processor, "_WORTH_THREADS", processor._WORTH_THREADS if worth is None else worth),
            patch.object(processor, "paced", False),
        ):
            yield
    finally:
        engine.set_num_threads(None)


@dataclass
class Outcome:
    """All that a training leaves behind, by name."""

    losses: list[float]
    arrays: dict[str, Array]
    numbers: dict[str, Any] = field(default_factory=dict)
    history: Any = None


def outcome(optim: m.Optim, losses: list[float]) -> Outcome:
    arrays = {name: value.copy() for name, value in optim.network.state_dict().items()}
    numbers: dict[str, Any] = {}
    for name, parameter in optim.network.named_parameters():
        if parameter.grad is None:
            numbers[f"no gradient of {name}"] = True
        else:
            arrays[f"∂loss/∂{name}"] = parameter.grad.copy()
        for key, value in optim.rule.state.get(parameter, {}).items():
            if isinstance(value, np.ndarray):
                arrays[f"{key} of {name}"] = value.copy()
            else:
                numbers[f"{key} of {name}"] = value
    if isinstance(optim.prediction, np.ndarray):
        arrays["the last prediction"] = optim.prediction.copy()
    return Outcome(losses, arrays, numbers)


def trained(make: Callable[[], m.Optim], engine: str, x: Any, y: Any, **options: Any) -> Outcome:
    """`fit` from the same beginning; the generators' states are compared too."""
    optim, generator = make(), Generator(3)
    before = default_generator().get_state()
    default_generator().manual_seed(1)
    try:
        history = m.fit(optim, x, y, engine=engine, generator=generator, progress=False, **options)
        after = default_generator().get_state()
    finally:
        default_generator().set_state(before)
    assert history.engine == engine
    found = outcome(optim, [float(value) for value in history["loss"]])
    own = [part.generator for part in optim.network.modules() if isinstance(part, m.Dropout) and part.generator]
    found.numbers |= {
        "steps": history.steps,
        "rates": history["lr"],
        "generators": [repr(each.get_state()) for each in (generator, *own)] + [repr(after)],
    }
    found.history = history
    return found


def agree(found: Outcome, expected: Outcome, tolerance: float) -> None:
    """The same numbers, each array's within the tolerance of its largest.

    A gradient may be the rest of what cancels (a softmax leaves a bias before it none): the largest of all counts.
    """
    assert found.numbers == expected.numbers
    close("losses", np.array(found.losses), np.array(expected.losses), tolerance)
    assert found.arrays.keys() == expected.arrays.keys()
    steepest = max((largest(value) for name, value in expected.arrays.items() if name.startswith("∂")), default=0.0)
    for name, value in expected.arrays.items():
        scale = steepest if name.startswith(("∂", "momentum")) else 0.0
        close(name, found.arrays[name], value, tolerance, scale)


def largest(values: Array) -> float:
    return float(np.abs(values).max(initial=0.0))


def close(name: str, found: Array, expected: Array, tolerance: float, scale: float = 0.0) -> None:
    """Within the tolerance of each number, and of the largest of them or `scale`."""
    assert found.shape == expected.shape, name
    assert found.dtype == expected.dtype, name
    scale = max(scale, largest(expected))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale, err_msg=name)


def same_for_both(make: Callable[[], m.Optim], x: Any, y: Any, tolerance: float, **options: Any) -> Outcome:
    """Train by both engines; hold all that they leave; return the core's."""
    expected = trained(make, "numpy", x, y, **options)
    found = trained(make, "native", x, y, **options)
    agree(found, expected, tolerance)
    return found


def of_numpy(optim: m.Optim, x: Array, y: Array, weight: Array | None) -> float:
    return optim.learn(x, y, weight)


def of_core(optim: m.Optim, x: Array, y: Array, weight: Array | None) -> float:
    runner = Runner(optim, Batches.of(x, y, weight, len(x), shuffle=False))
    done = runner.run(1, 1)
    assert (done.steps, len(done.epochs)) == (1, 1)
    runner.show()
    return runner.loss


def one_step(make: Callable[[], m.Optim], x: Array, y: Array, weight: Array | None, tolerance: float) -> None:
    """A learning step by either engine: loss, prediction, gradients, parameters, the rule's state."""
    found, expected = (
        outcome(optim, [step(optim, x, y, weight)]) for step in (of_core, of_numpy) for optim in [make()]
    )
    assert any(name.startswith("∂") for name in expected.arrays)
    agree(found, expected, tolerance)


SHARED_X = Generator(1).normal((120, 96), dtype=np.float64).astype(np.float32)
SHARED_Y = Generator(2).normal((120, 64), dtype=np.float64).astype(np.float32)


def train(seed: int) -> tuple[bytes, ...]:
    """The bits after a training by the core, which threads share, with numbers of its own."""
    generator = Generator(seed)
    links = [m.Linear(96, 64, generator=generator), m.Tanh(), m.Dropout(0.3), m.Linear(64, 64, generator=generator)]
    network = m.Sequential(*links)
    options: dict[str, Any] = {"batch_size": 50, "epochs": 20, "generator": generator, "engine": "native"}
    m.fit(network, m.MSELoss(), SHARED_X, SHARED_Y, rule=m.Adam(lr=1e-3), **options)
    return tuple(value.tobytes() for value in network.state_dict().values())


def train_on_two_threads(seed: int) -> tuple[bytes, ...]:
    """In a process that knows no other setting."""
    with threads(2, worth=0):
        return train(seed)


@dataclass
class Walked:
    """What a link alone makes of its inputs, forward and backward; gradients of absent and integer inputs are None."""

    output: Any
    grads: list[Array | None]
    arrays: dict[str, Array]


def walked_by_numpy(link: m.Module, inputs: tuple[Any, ...], grad_output: Any) -> Walked:
    """By the link itself, from gradients of zero."""
    link.zero_grad()
    output = link(*inputs)
    back = link.backward(filled(output, grad_output))
    parts = back if isinstance(back, tuple) and len(leaves(inputs)) > 1 else (back,)
    real = [isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" for leaf in leaves(inputs)]
    found = iter([leaf for leaf in leaves(parts) if leaf is not None])
    grads = [next(found) if one else None for one in real]
    arrays = {f"∂{name}": p.grad.copy() for name, p in link.named_parameters() if p.grad is not None}
    return Walked(output, grads, arrays | {name: value.copy() for name, value in link.state_dict().items()})


@dataclass
class Alone:
    """The plan of a link alone, forward and backward, its inputs in their place.

    back: the gradients of its inputs; gradients: those of its parameters that it sets, by name.
    """

    plan: Plan
    back: tuple[Any, ...]
    gradients: dict[str, Any]


def lower_alone(link: m.Module, inputs: tuple[Any, ...], grad_output: Any) -> Alone:
    named = [(name, p) for name, p in link.named_parameters() if p.requires_grad]
    reals = (leaf.dtype for leaf in leaves(inputs) if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f")
    dtype = next(reals, link.dtype)
    gradients = Gradients(named, dtype)
    b = Builder(dtype, Memory(), gradients)
    given: list[tuple[Value, Array]] = []

    def take(leaf: Any, name: str) -> Any:
        if not isinstance(leaf, np.ndarray):
            return leaf
        value = b.given(name, leaf.shape, leaf.dtype)
        given.append((value, leaf))
        if value.real:
            b.learn(value)
        return value

    places = iter(range(99))
    values = mapped(lambda leaf: take(leaf, f"x{next(places)}"), inputs)
    output = lower_child(b, link, "", *values)
    assert not b.own, f"in NumPy: {list(b.own.values())}"
    for value, grad in zip(leaves(output), leaves(grad_output), strict=True):
        assert grad is None or value.shape == grad.shape
        if grad is not None:
            b.pass_on(value, take(grad, f"grad{next(places)}"))
    b.operations += b.effects
    b.walk_back()
    reals = [value if isinstance(value, Value) and value.real else None for value in leaves(values)]
    back = tuple(None if value is None else b.gradient_of(value) for value in reals)
    shown, shown_back = finish(b, (output, back))
    plan = Plan((link,), dtype, 1, b.operations, [value.buffer for value, _ in given], shown, None, b.streams)
    verify(plan)
    for value, leaf in given:
        value.buffer.array[:] = leaf.reshape(-1)
    reached = {name: gradients.buffer(p) for name, p in named if b.parameter_grad(p)[1]}  # a first operation has set it
    return Alone(plan, shown_back, reached)


def walked_by_core(link: m.Module, inputs: tuple[Any, ...], grad_output: Any) -> Walked:
    """By the core, as a plan of the link alone; its effects take place."""
    alone = lower_alone(link, inputs, grad_output)
    plan, streams = alone.plan, [stream_of(generator) for generator in alone.plan.streams]
    chosen = engine.instruction_set()
    program = processor.core().Program(chosen, plan.dtype == np.float64, 1, table(plan), streams)
    assert program.run(engine.get_num_threads())
    arrays = {f"∂{name}": copied(buffer) for name, buffer in alone.gradients.items()}
    arrays |= {name: value.copy() for name, value in link.state_dict().items()}
    return Walked(copied(plan.output), [copied(one) for one in alone.back], arrays)


def walk_alike(make: Callable[[], m.Module], inputs: tuple[Any, ...], tolerance: float) -> None:
    """A link in both engines: outputs, gradients of inputs and parameters, buffers."""
    draw = Generator(17)

    def gradient(leaf: Any) -> Any:
        if leaf.dtype.kind != "f":
            return None
        return np.asarray(draw.normal(leaf.shape, dtype=np.float64).astype(leaf.dtype))

    grad_output = mapped(gradient, make()(*inputs))
    expected = walked_by_numpy(make(), inputs, grad_output)
    found = walked_by_core(make(), inputs, grad_output)
    for place, (one, other) in enumerate(zip(leaves(found.output), leaves(expected.output), strict=True)):
        if one is None or other is None:
            assert one is other, f"output {place}"
            continue
        close(f"output {place}", one, np.asarray(other), tolerance)
    steepest = max([largest(grad) for grad in expected.grads if grad is not None], default=0.0)
    for place, (one, other) in enumerate(zip(found.grads, expected.grads, strict=True)):
        if one is None or other is None:  # the core leaves out what is zero
            assert one is None, f"gradient of input {place}"
            assert other is None or not other.any(), f"gradient of input {place}"
        else:
            close(f"gradient of input {place}", one, other, tolerance, steepest)
    assert found.arrays.keys() == expected.arrays.keys()
    steepest = max([largest(value) for name, value in expected.arrays.items() if name[0] == "∂"], default=0.0)
    for name, value in expected.arrays.items():
        close(name, found.arrays[name], value, tolerance, steepest if name[0] == "∂" else 0.0)
