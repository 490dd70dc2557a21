"""A training carried out by the core: its stepper, and how its plans are made."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

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
from maillon.engine.origins import Origins, require_plain
from maillon.engine.plan import Buffer, Plan, address, tables
from maillon.engine.rules import RuleState
from maillon.engine.stepper import SLICE_S, Place, Slice
from maillon.engine.verify import verify, verify_record, verify_sums, verify_training
from maillon.optim import Optim
from maillon.random import Generator, GeneratorState, default_generator
from maillon.typing import Array

_MOST_EPOCHS = 4096  # ends of epochs in one slice: what the array of their losses holds
_RECORDED_BYTES = 2**24  # predictions kept for the metrics of a slice
_LIGHT_BYTES = 2**22  # parameters and momenta that are worth copying once a slice
_LOOKED_AT = 64  # rows
_MANY_ZEROS = 0.6  # fewer numbers than that are not zero
_ENDINGS = ("steps", "epochs", "time", "trouble")


@dataclass(frozen=True)
class Batches:
    """The data of a training, in C order, and how it is cut: y may be x itself, weight None.

    drop_last: the short last mini-batch of each epoch is left out.
    """

    x: Array
    y: Array
    weight: Array | None
    size: int
    shuffle: bool
    drop_last: bool = False

    @classmethod
    def of(
        cls, x: Any, y: Any, weight: Array | None, size: int, *, shuffle: bool, drop_last: bool = False
    ) -> "Batches":
        """NotLoweredError unless there is one array of inputs and one of targets."""
        if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray)):
            raise NotLoweredError("several inputs or targets are not among what it knows")
        inputs = np.ascontiguousarray(x)
        targets = inputs if y is x else np.ascontiguousarray(y)
        weights = None if weight is None else np.ascontiguousarray(weight)
        return cls(inputs, targets, weights, size, shuffle, drop_last)

    @property
    def rows(self) -> int:
        """The rows of an epoch."""
        return len(self.x) - len(self.x) % self.size if self.drop_last else len(self.x)

    @cached_property
    def mostly_zeros(self) -> bool:
        """Whether products with the inputs gain from leaving out zeros: as far as the first rows tell."""
        first = self.x[:_LOOKED_AT]
        return bool(np.count_nonzero(first) < _MANY_ZEROS * first.size)

    def part(self, rows: Array | slice) -> tuple[Array, Array, Array | None]:
        """The mini-batch of these rows."""
        x = self.x[rows]
        return x, x if self.y is self.x else self.y[rows], None if self.weight is None else self.weight[rows]

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
    require_plain(optim)
    dtype = optim.network.dtype
    if batches.x.dtype != dtype:
        raise NotLoweredError(f"x is {batches.x.dtype}, not {dtype}")
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
    trained = {id(parameter): name for name, parameter, _, _ in state.trained}
    others = [
        (name, parameter)
        for name, parameter in optim.network.named_parameters()
        if parameter.requires_grad and id(parameter) not in trained
    ]
    return state, Gradients([(name, parameter) for name, parameter, _, _ in state.trained], optim.network.dtype, others)


class Runner:
    """The core's stepper: one training of an Optim on arrays.

    Raises NotLoweredError, with the reason, for what the core cannot do. Parameters, momenta and the generators'
    streams are changed in place.
    """

    engine: ClassVar[str] = "native"

    def __init__(self, optim: Optim, batches: Batches) -> None:
        self.optim = optim
        self.batches = batches
        self.loss = float("nan")
        self.steps = 0
        self.batch = 0
        self._shown = True  # Python sees the gradients of the last step
        self._refused = False  # the next step is NumPy's to do
        self._order = np.empty(len(batches.x), np.int64)
        # The core shuffles all that it goes through: where rows are left out, each epoch's order is drawn here.
        self._draws = batches.shuffle and batches.rows < len(batches.x)
        self._ends = np.empty((_MOST_EPOCHS, 3))
        self._set = processor.instruction_set()
        self._lower()

    def _lower(self) -> None:
        """Make the plans anew; where that is not possible everything stays as it is."""
        optim, batches, generator = self.optim, self.batches, default_generator()
        state, gradients = rule_and_gradients(optim)
        memory = Memory()
        full = min(batches.size, batches.rows)
        whole = lower_training(optim, batches, full, state, gradients, memory)
        short = batches.rows % batches.size if batches.rows > batches.size else 0
        rest = lower_training(optim, batches, short, state, gradients, memory) if short else None
        self._generator, self.state, self.gradients, self.whole, self.rest = generator, state, gradients, whole, rest
        self._prepare(full)
        self._origins = Origins(optim, list(self._streams))
        self._found: list[Array | None] = [None] * len(gradients.others)
        self._load_gradients()
        self._changing = [parameter.data for _, parameter, _, _ in state.trained] + state.arrays
        self._changing += [buffer.array for _, buffer in gradients.others]
        self._heavy = sum(array.nbytes for array in self._changing) > _LIGHT_BYTES

    def _prepare(self, full: int) -> None:
        """Hand the plans to the core."""
        core, data, rows = processor.core(), list(self.batches.feeds()), self.batches.rows
        verify_training(self.whole, self.rest, data, rows, self._order if self.batches.shuffle else None)
        shuffles = self.batches.shuffle and not self._draws
        generators = list(dict.fromkeys([*self.whole.streams, *([self._generator] * shuffles)]))
        self._streams = {generator: stream_of(generator) for generator in generators}
        programs = [self._program(plan) for plan in (self.whole, self.rest) if plan is not None]
        feeds = [
            (address(array), array.nbytes // len(array), buffer.address)
            for (_, array), buffer in zip(data, self.whole.inputs, strict=True)
        ]
        assert self.whole.result is not None
        self._result = self.whole.result.array
        self._training = core.Training(
            programs[0],
            programs[1] if self.rest is not None else None,
            np.array(feeds, np.uint64).reshape(-1),
            self.batches.rows,
            full,
            address(self._order) if self.batches.shuffle else 0,
            self._streams[self._generator] if shuffles else None,
            address(self._result),
        )
        self._flops = programs[0].flops

    def _program(self, plan: Plan) -> Any:
        """The plan as the core holds it."""
        wide = plan.dtype == np.float64
        streams = [self._streams[generator] for generator in plan.streams]
        return processor.core().Program(self._set, wide, plan.rows, *tables(plan), streams)

    @property
    def between_epochs(self) -> bool:
        return not self._training.position

    @property
    def place(self) -> Place:
        """Where the training stands."""
        training = self._training
        order = self._order if self.batches.shuffle else None
        return Place(self.loss, self.steps, self.batch, order, int(training.position), training.total, training.size)

    def go_to(self, place: Place) -> None:
        """Go on from there."""
        self.loss, self.steps, self.batch = place.loss, place.steps, place.batch
        if place.order is not None:
            self._order[:] = place.order
        training = self._training
        training.position, training.total, training.size = place.row, place.total, place.size

    def run(self, max_steps: int, max_epochs: int, record: bool = False, seconds: float = SLICE_S) -> Slice:
        """Go on until one of the limits is reached.

        A step whose loss is not finite, or which a probability out of range would spoil, is done by NumPy, which raises
        the error that says what happened.
        """
        self._take_in()
        training = self._training
        begun = int(training.position)
        if not begun:
            self.batch = 0
            if self._draws:
                self._order[:] = self._generator.randperm(len(self._order))
        if self._refused:
            return self._in_numpy(record)
        most, epochs = 1 if self._heavy else max_steps, 1 if self._draws else min(max_epochs, _MOST_EPOCHS)
        room = self._recorded(most) if record else None
        most = most if room is None else len(room) // self.whole.rows
        verify_sums(self._ends, epochs)
        before = self._checkpoint(whole=most > 1)
        for stream in self._streams.values():
            stream.drawn = 0
        steps, ended, ending = self._core_steps(most, epochs, seconds)
        ends = self._ends[:ended].copy()
        if room is not None:
            training.record(0, 0, 0)
        self._refused = _ENDINGS[ending] == "trouble"
        if self._refused:
            steps, ended = self._go_back(before, steps, ended)
            if not steps:
                return self._in_numpy(record)
        done = Slice(steps, ends[:ended])
        if room is not None:
            done.seen = self._seen(room, begun, steps)
        if steps:
            self._hand_out(steps)
        return done

    def _take_in(self) -> None:
        """What may have changed since the last slice: options and counts, or what the plans were made from."""
        if self._origins.hold() and self.state.holds:
            self.state.refresh()
            self._load_gradients()
            return
        self.show()
        old = self._training
        self._lower()
        self._training.position, self._training.total, self._training.size = old.position, old.total, old.size

    def _load_gradients(self) -> None:
        """Those that add up over the steps: as Python has them now."""
        for place, (parameter, buffer) in enumerate(self.gradients.others):
            grad = parameter.grad
            if grad is None:
                buffer.array[...] = 0
            elif grad is not self._found[place]:
                if grad.shape != parameter.shape or grad.dtype != parameter.dtype:
                    raise NotLoweredError(f"the gradient of {parameter!r} is not like it")
                buffer.array.reshape(grad.shape)[...] = grad
            self._found[place] = grad

    def _hand_out(self, steps: int) -> None:
        """What the last step has left, but for the gradients, which no further step spoils without replacing them."""
        optim, position = self.optim, int(self._training.position)
        self.steps += steps
        self.batch = -(-(position or self.batches.rows) // self.batches.size)
        self.loss = float(self._result[0])
        if optim.loss.averages:
            optim.loss.denominator = float(self._result[1])
        self.state.store()
        last = self.whole if position or self.rest is None else self.rest
        optim.prediction = last.output.array.reshape(last.output.shape).copy()
        self._shown = False

    def show(self) -> None:
        """Let Python see the gradients too."""
        if self._shown:
            return
        for parameter in (parameter for group in self.optim.rule.param_groups for parameter in group["params"]):
            buffer = self.gradients.buffer(parameter)
            parameter.grad = None if buffer is None else buffer.array.reshape(parameter.shape).copy()
        for place, (parameter, buffer) in enumerate(self.gradients.others):
            parameter.grad = self._found[place] = buffer.array.reshape(parameter.shape).copy()
        self._shown = True

    def flush(self) -> bool:
        """Nothing is gathered: the core does not accumulate."""
        return False

    def _core_steps(self, most: int, epochs: int, seconds: float) -> tuple[int, int, int]:
        """Let the core run: the steps done, the epochs ended, and why it stopped."""
        threads = processor.threads_for(self._flops)
        done: tuple[int, int, int] = self._training.run(
            threads, processor.paced, most, epochs, seconds, address(self._ends)
        )
        return done

    def _checkpoint(self, whole: bool) -> "_Checkpoint":
        """What a slice begins from; whole=False is enough for one whose first step fails."""
        training = self._training
        drawn = self.whole.streams if training.position and not whole else self._streams
        return _Checkpoint(
            {generator: generator.get_state() for generator in drawn},
            self._order.copy() if self.batches.shuffle and (training.position or self._draws) else None,
            (training.position, training.total, training.size),
            [array.copy() for array in self._changing] if whole else [],
        )

    def _go_back(self, before: "_Checkpoint", steps: int, ended: int) -> tuple[int, int]:
        """As if the step that failed had not been tried: the slice's others once more, from its beginning.

        The same steps give the same bits, and what the failed one has overwritten is there again. Where another thread
        has drawn from a generator meanwhile there is no going back: it would draw its words a second time. Returns the
        steps and the epochs done.
        """
        training = self._training
        if not all(self._drawn_alone(generator, state) for generator, state in before.streams.items()):
            return steps, ended
        for generator, state in before.streams.items():
            generator.set_state(state)
        if not steps:
            return 0, 0
        for array, values in zip(self._changing, before.arrays, strict=True):
            array[...] = values
        if before.order is not None:
            self._order[:] = before.order
        training.position, training.total, training.size = before.sums
        return self._core_steps(steps, _MOST_EPOCHS, math.inf)[:2]

    def _drawn_alone(self, generator: Generator, before: GeneratorState) -> bool:
        """Whether the words drawn since then are those of this slice."""
        after = Generator(0).set_state(before)
        after.random_raw(int(self._streams[generator].drawn))
        return after.get_state() == generator.get_state()

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

    def _seen(self, room: Array, begun: int, steps: int) -> list[tuple[Array, Array, int]]:
        """The recorded predictions, step by step, with their targets."""
        seen, done, y = [], 0, self.batches.y
        for step in range(steps):
            row = begun + step * self.whole.rows
            rows = min(self.whole.rows, self.batches.rows - row)
            target = y[self._order[row : row + rows]] if self.batches.shuffle else y[row : row + rows]
            seen.append((room[done : done + rows], target, rows))
            done += rows
        return seen

    def _in_numpy(self, record: bool) -> Slice:
        """The step that the core has refused, by NumPy: from the same numbers, drawing the same words."""
        self.show()
        batches, training, started = self.batches, self._training, time.perf_counter()
        position = int(training.position)
        if not position and batches.shuffle and not self._draws:
            self._order[:] = self._generator.randperm(batches.rows)
        rows = slice(position, position + batches.size)
        x, target, weight = batches.part(self._order[rows] if batches.shuffle else rows)
        self.loss = self.optim.learn(x, target, weight)
        self._refused = False
        self.steps += 1
        size = self.optim.loss.denominator if self.optim.loss.averages else 1.0
        training.total, training.size = training.total + self.loss * size, training.size + size
        training.position = position = position + len(x)
        self.batch = -(-position // batches.size)
        done = Slice(1, np.empty((0, 3)), [(self.optim.prediction, target, len(x))] if record else [])
        if position == batches.rows:
            done.epochs = np.array([(training.total, training.size, time.perf_counter() - started)])
            training.position, training.total, training.size = 0, 0.0, 0.0
            self._drawn = False
        return done


@dataclass(frozen=True)
class _Checkpoint:
    """What a slice began from."""

    streams: dict[Generator, GeneratorState]
    order: Array | None
    sums: tuple[int, float, float]
    arrays: list[Array]


def stream_of(generator: Generator) -> Any:
    """The generator's words for the core, which locks them for each block that it draws."""
    bits = generator.bit_generator
    return processor.core().Stream(bits.capsule, bits.lock, address(generator.wanted))


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
