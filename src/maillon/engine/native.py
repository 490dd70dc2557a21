"""A training carried out by the core: slices of many steps, between which Python looks on."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from maillon.engine import processor
from maillon.engine.losses import lower_loss
from maillon.engine.lowering import (
    Builder,
    Gradients,
    Memory,
    NotLoweredError,
    Value,
    aligned,
    lower_backward,
    lower_forward,
)
from maillon.engine.operations import product_workspace
from maillon.engine.plan import Buffer, Plan, address, tables
from maillon.engine.rules import RuleState
from maillon.engine.verify import verify, verify_record, verify_sums, verify_training
from maillon.nn import Parameter
from maillon.optim import Optim
from maillon.random import Generator, default_generator
from maillon.typing import Array

SLICE_S = 0.1
"""How long the core may run before Python looks at Ctrl-C and the progress bar."""

_MOST_EPOCHS = 4096  # ends of epochs in one slice: what the array of their losses holds
_RECORDED_BYTES = 2**24  # predictions kept for the metrics of a slice
_LOOKED_AT = 64  # rows
_MANY_ZEROS = 0.6  # fewer numbers than that are not zero
_ENDINGS = ("steps", "epochs", "time", "trouble")


@dataclass
class Slice:
    """What a slice did.

    steps: how many. epochs: a row for each that ended: Σ loss · size, Σ size, seconds since the slice began.
    predictions: of each step before its update, where they were wanted.
    """

    steps: int
    epochs: Array
    predictions: list[Array] = field(default_factory=list)


@dataclass(frozen=True)
class Batches:
    """The data of a training, in C order, and how it is cut: y may be x itself, weight None."""

    x: Array
    y: Array
    weight: Array | None
    size: int
    shuffle: bool

    @classmethod
    def of(cls, x: Any, y: Any, weight: Array | None, size: int, shuffle: bool) -> "Batches":
        """NotLoweredError unless there is one array of inputs and one of targets."""
        if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray)):
            raise NotLoweredError("several inputs or targets are not among what it knows")
        inputs = np.ascontiguousarray(x)
        targets = inputs if y is x else np.ascontiguousarray(y)
        return cls(inputs, targets, None if weight is None else np.ascontiguousarray(weight), size, shuffle)

    @property
    def rows(self) -> int:
        return len(self.x)

    @cached_property
    def mostly_zeros(self) -> bool:
        """Whether products with the inputs gain from leaving out zeros: as far as the first rows tell."""
        first = self.x[:_LOOKED_AT]
        return bool(np.count_nonzero(first) < _MANY_ZEROS * first.size)

    def feeds(self) -> Iterator[tuple[str, Array]]:
        yield "x", self.x
        if self.y is not self.x:
            yield "target", self.y
        if self.weight is not None:
            yield "sample weight", self.weight


def lower_training(
    optim: Optim, batches: Batches, rows: int, state: RuleState, gradients: Gradients, memory: Memory
) -> Plan:
    """The plan of one step on so many rows; NotLoweredError with the reason where the core cannot do it."""
    dtype = optim.network.dtype
    builder = Builder(dtype, memory, gradients)
    inputs = {name: builder.buffer(name, (rows, *data.shape[1:]), data.dtype) for name, data in batches.feeds()}
    x = inputs["x"]
    builder.sparse = {x} if batches.mostly_zeros else set()
    output, walked = lower_forward(builder, optim.network, Value(x, x.shape))
    target = inputs.get("target", x)
    result, grad = lower_loss(builder, optim.loss, output, target, inputs.get("sample weight"))
    if grad is not None:
        lower_backward(walked, grad)
    state.lower(builder, gradients)
    shown = Buffer("output", output.buffer.array, output.shape)
    plan = Plan(
        (optim.network, optim.loss, optim.rule),
        dtype,
        rows,
        builder.operations,
        list(inputs.values()),
        shown,
        result,
        builder.streams,
    )
    verify(plan)
    return plan


def plan_of(optim: Optim, batches: Batches) -> Plan:
    """The plan of a step on the whole of `batches`."""
    state, gradients = rule_and_gradients(optim)
    return lower_training(optim, batches, batches.rows, state, gradients, Memory())


def rule_and_gradients(optim: Optim) -> tuple[RuleState, Gradients]:
    """What the plans of one training share beside the parameters."""
    names = {id(parameter): name for name, parameter in optim.network.named_parameters()}
    state = RuleState(optim, names)
    return state, Gradients([(name, parameter) for name, parameter, _, _ in state.trained], optim.network.dtype)


class Runner:
    """One training of an Optim on arrays, in the core.

    Raises NotLoweredError, with the reason, for what the core cannot do. Parameters, momenta and the generators'
    streams are changed in place; `expose` gives Python the gradients and the prediction of the last step.
    """

    def __init__(self, optim: Optim, batches: Batches) -> None:
        self.optim = optim
        self.batches = batches
        self.loss = float("nan")
        self._left: dict[Generator, Any] | None = None  # a step's streams before the slice that it ended
        self._order = np.empty(batches.rows, np.int64)
        self._ends = np.empty((_MOST_EPOCHS, 3))
        self._set = processor.instruction_set()
        self._lower(default_generator())

    def _lower(self, generator: Generator) -> None:
        optim, batches = self.optim, self.batches
        self._signature = signature(optim)
        self._fresh = True  # no step has been done with these plans
        self._generator = generator
        self.state, self.gradients = rule_and_gradients(optim)
        memory = Memory()
        full = min(batches.size, batches.rows)
        self.whole = lower_training(optim, batches, full, self.state, self.gradients, memory)
        short = batches.rows % batches.size if batches.rows > batches.size else 0
        self.rest = lower_training(optim, batches, short, self.state, self.gradients, memory) if short else None
        self._prepare(full)

    def _prepare(self, full: int) -> None:
        """Hand the plans to the core."""
        core, data, rows = processor.core(), list(self.batches.feeds()), self.batches.rows
        verify_training(self.whole, self.rest, data, rows, self._order if self.batches.shuffle else None)
        generators = list(dict.fromkeys([*self.whole.streams, *([self._generator] * self.batches.shuffle)]))
        self._streams = {generator: core.Stream(generator.bit_generator.capsule) for generator in generators}
        programs = [self._program(plan) for plan in (self.whole, self.rest) if plan is not None]
        feeds = [
            (address(array), array.nbytes // rows, buffer.address)
            for (_, array), buffer in zip(data, self.whole.inputs, strict=True)
        ]
        assert self.whole.result is not None
        self._training = core.Training(
            programs[0],
            programs[1] if self.rest is not None else None,
            np.array(feeds, np.uint64).reshape(-1),
            self.batches.rows,
            full,
            address(self._order) if self.batches.shuffle else 0,
            self._streams[self._generator] if self.batches.shuffle else None,
            address(self.whole.result.array),
        )
        self._pace = processor.Pace(programs[0].flops)

    def _program(self, plan: Plan) -> Any:
        """The plan as the core holds it."""
        wide = plan.dtype == np.float64
        streams = [self._streams[generator] for generator in plan.streams]
        return processor.core().Program(self._set, wide, plan.rows, *tables(plan), streams)

    @property
    def position(self) -> int:
        """The rows done of the epoch under way."""
        return int(self._training.position)

    @property
    def batch_done(self) -> int:
        """The steps done of the epoch under way."""
        return -(-self._training.position // self.batches.size)

    def run(self, max_steps: int, max_epochs: int, seconds: float = SLICE_S, record: bool = False) -> Slice:
        """Go on until one of the limits is reached. record: keep the predictions, for metrics.

        A step whose loss is not finite, or which a probability out of range would spoil, ends a slice before it. The
        next call does it in NumPy, which raises the error that says what happened.
        """
        if self._left is not None:
            return self._again(self._left)
        self._refresh()
        self._training.record(0, 0, 0)
        room = self._recorded(max_steps) if record else None
        begun = self._training.position
        most = max_steps if room is None else len(room) // self.whole.rows
        verify_sums(self._ends, min(max_epochs, _MOST_EPOCHS))
        states = {generator: generator.get_state() for generator in self.whole.streams}
        started = time.perf_counter()
        with self._locked():
            steps, epochs, ending, stalls = self._training.run(
                self._pace.threads(), most, min(max_epochs, _MOST_EPOCHS), seconds, address(self._ends)
            )
        self._pace.note(steps, time.perf_counter() - started, stalls)
        done = Slice(steps, self._ends[:epochs].copy())
        self._left = states if _ENDINGS[ending] == "trouble" else None
        if room is not None:
            done.predictions = self._split(room, begun, steps)
        if steps:
            self.loss, self._fresh = self._result, False
        return done

    @property
    def _result(self) -> float:
        assert self.whole.result is not None
        return float(self.whole.result.array[0])

    def _refresh(self) -> None:
        """Take what may have changed since the last slice: the rates, and anything else that plans were made from."""
        if signature(self.optim) == self._signature:
            self.state.refresh()
        else:
            self._renew()
        for stream in self._streams.values():
            stream.drawn = 0

    def _renew(self) -> None:
        old = self._training
        self.state.store()
        self._lower(self._generator)
        self._training.position, self._training.total, self._training.size = old.position, old.total, old.size

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else draws from the generators meanwhile."""
        with contextlib.ExitStack() as stack:
            for generator in sorted(self._streams, key=id):
                stack.enter_context(generator.bit_generator.lock)
            yield

    def _recorded(self, max_steps: int) -> Array:
        output = self.whole.output
        bytes_a_step = output.array.nbytes
        steps = max(
            1, min(max_steps, _RECORDED_BYTES // max(1, bytes_a_step), -(-self.batches.rows // self.whole.rows))
        )
        room = np.empty((steps * self.whole.rows, *output.shape[1:]), output.array.dtype)
        verify_record(self.whole, room, steps)
        self._training.record(address(room), address(output.array), bytes_a_step // self.whole.rows)
        return room

    def _split(self, room: Array, begun: int, steps: int) -> list[Array]:
        """The recorded predictions, step by step."""
        parts, start = [], 0
        for step in range(steps):
            rows = min(self.whole.rows, self.batches.rows - begun - step * self.whole.rows)
            parts.append(room[start : start + rows])
            start += rows
        return parts

    def _again(self, states: dict[Generator, Any]) -> Slice:
        """The step that the core has left, by NumPy: from the same numbers, drawing the same words."""
        position = self._training.position
        rows = min(self.whole.rows, self.batches.rows - position)
        plan = self.whole if rows == self.whole.rows or self.rest is None else self.rest
        for number, generator in enumerate(plan.streams):
            generator.set_state(states[generator])
            generator.random_raw(self._streams[generator].drawn - plan.words_drawn(number))
        values = {buffer.name: buffer.array.reshape(buffer.shape).copy() for buffer in plan.inputs}
        x = values["x"]
        self.state.store()
        self.loss = self.optim.learn(x, values.get("target", x), values.get("sample weight"))
        self._left = None
        self._renew()
        size = self.optim.loss.denominator if self.optim.loss.reduction == "mean" else 1.0
        training = self._training
        training.total, training.size = training.total + self.loss * size, training.size + size
        training.position = position + rows
        done = Slice(1, np.empty((0, 3)), [self.optim.prediction])
        if training.position == self.batches.rows:
            done.epochs = np.array([(training.total, training.size, 0.0)])
            training.position, training.total, training.size = 0, 0.0, 0.0
        return done

    def targets(self, begun: int, steps: int) -> Iterator[Array]:
        """The targets of the steps from row `begun` of the epoch's order on."""
        y, size = self.batches.y, self.batches.size
        for start in range(begun, min(begun + steps * size, self.batches.rows), size):
            rows = slice(start, min(start + size, self.batches.rows))
            yield y[self._order[rows]] if self.batches.shuffle else y[rows]

    def expose(self) -> None:
        """Let Python see what a step in NumPy would have left: gradients, prediction, the rule's state."""
        if self._fresh:
            return
        self.state.store()
        for parameter in (parameter for group in self.optim.rule.param_groups for parameter in group["params"]):
            buffer = self.gradients.buffer(parameter)
            parameter.grad = None if buffer is None else buffer.array.reshape(parameter.shape).copy()
        if self._left is not None:
            return  # the output there is that of a step that was not taken
        last = self.whole
        if self.rest is not None and self._training.position == 0:
            last = self.rest
        self.optim.prediction = last.output.array.reshape(last.output.shape).copy()


def signature(optim: Optim) -> tuple[Any, ...]:
    """What plans are made from: when it changes they must be made anew."""
    parts: list[Any] = [optim.clip_grad_norm is None, optim.clip_grad_value is None]
    for module in (*optim.network.modules(), optim.loss):
        parts += [module, module.training]
        for name, value in vars(module).items():
            if isinstance(value, Parameter):
                parts += [id(value.data), value.requires_grad]
            elif isinstance(value, np.ndarray):
                parts.append(value.tobytes())
            elif isinstance(value, int | float | str | Generator) and name != "denominator":
                parts.append(value)
    for group in optim.rule.param_groups:
        parts += [bool(group.get("momentum")), group.get("nesterov"), group.get("amsgrad"), group.get("maximize")]
        for parameter in group["params"]:
            own = optim.rule.state.get(parameter, {})
            parts += [id(value) for value in own.values() if isinstance(value, np.ndarray)]
    return tuple(parts)


def product(a: Array, b: Array, transposed: bool = False) -> Array:
    """a @ b, or a @ b.T, by the core: for tests and benchmarks. float32 or float64 matrices of one dtype."""
    inner, columns = b.shape[::-1] if transposed else b.shape
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != inner or a.dtype != b.dtype:
        raise ValueError(f"product: expected matrices that fit, got {a.dtype} {a.shape} and {b.dtype} {b.shape}.")
    out = np.empty((a.shape[0], columns), a.dtype)
    workspace = aligned(product_workspace(a.shape[0], columns, a.shape[1]), a.dtype)
    left, right = np.ascontiguousarray(a), np.ascontiguousarray(b)
    threads = processor.threads_for(2.0 * a.shape[0] * a.shape[1] * columns)
    processor.core().matmul(processor.instruction_set(), left, right, out, address(workspace), transposed, threads)
    return out
