"""A learning step on data: how it is cut into mini-batches, and lowered to a plan."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from maillon.engine import processor
from maillon.engine.builder import Builder
from maillon.engine.lowering import finish, given_inputs, lower_loss, lower_network, values_for
from maillon.engine.memory import Gradients, Memory, aligned
from maillon.engine.origins import gathers, require_plain
from maillon.engine.own import StepBegin
from maillon.engine.plan import Plan, address
from maillon.engine.rules import RuleState
from maillon.engine.table import product_workspace
from maillon.engine.verify import verify
from maillon.engine.walk import is_known_loss
from maillon.nesting import leaf_names, leaves, mapped
from maillon.optim import Optim
from maillon.typing import Array

_LOOKED_AT = 64  # rows
_MANY_ZEROS = 0.6  # fewer numbers than that are not zero


@dataclass(frozen=True)
class Batches:
    """The data of a training, in C order, and how it is cut: y may be x itself, weight None.

    x, y: an array, or tuples and dicts of them. drop_last: the short last mini-batch of each epoch is left out.
    """

    x: Any
    y: Any
    weight: Array | None
    size: int
    shuffle: bool
    drop_last: bool = False

    @classmethod
    def of(
        cls, x: Any, y: Any, weight: Array | None, size: int, *, shuffle: bool, drop_last: bool = False
    ) -> "Batches":
        inputs = mapped(np.ascontiguousarray, x)
        targets = inputs if y is x else mapped(np.ascontiguousarray, y)
        weights = None if weight is None else np.ascontiguousarray(weight)
        return cls(inputs, targets, weights, size, shuffle, drop_last)

    @cached_property
    def first(self) -> Array:
        """The first array of inputs: all have as many rows."""
        array: Array = leaves(self.x)[0]
        return array

    @property
    def rows(self) -> int:
        """The rows of an epoch."""
        return len(self.first) - len(self.first) % self.size if self.drop_last else len(self.first)

    @cached_property
    def mostly_zeros(self) -> bool:
        """Whether products with the inputs gain from leaving out zeros: as far as the first rows tell."""
        first = self.first[:_LOOKED_AT]
        return bool(np.count_nonzero(first) < _MANY_ZEROS * first.size)

    def part(self, rows: Array | slice) -> tuple[Any, Any, Array | None]:
        """The mini-batch of these rows."""
        x = mapped(lambda array: array[rows], self.x)
        y = x if self.y is self.x else mapped(lambda array: array[rows], self.y)
        return x, y, None if self.weight is None else self.weight[rows]

    def feeds(self) -> Iterator[tuple[str, Array]]:
        """All arrays by name, each once."""
        yield from _named(self.x, "x")
        if self.y is not self.x:
            yield from _named(self.y, "target")
        if self.weight is not None:
            yield "sample weight", self.weight


def _named(value: Any, name: str) -> Iterator[tuple[str, Array]]:
    for leaf_name, leaf in zip(leaf_names(value, name), leaves(value), strict=True):
        if leaf is not None:
            yield leaf_name, leaf


@dataclass(frozen=True)
class Lowered:
    """A step, lowered: its plan, the arrays beside parameters and momenta that it changes."""

    plan: Plan
    changing: list[Array]


def lower_training(
    optim: Optim,
    batches: Batches,
    rows: int,
    state: RuleState,
    gradients: Gradients,
    memory: Memory,
    begin: StepBegin | None = None,
) -> Lowered:
    """One step on so many rows; NotLoweredError with the reason where the core cannot do it."""
    begin = StepBegin() if begin is None else begin
    dtype = gradients.whole.dtype
    b = Builder(dtype, memory, gradients)
    given = given_inputs(b, dict(batches.feeds()), None if rows == len(batches.first) else rows)
    x = values_for(batches.x, "x", given)
    b.sparse = {given["x"].buffer} if batches.mostly_zeros and "x" in given else set()
    output = lower_network(b, optim.network, x)
    target = x if batches.y is batches.x else values_for(batches.y, "target", given)
    result = lower_loss(b, optim.loss, output, target, given.get("sample weight"))
    if gradients.gathers:
        b.part = "clear"
        b.add("clear", gradients=gradients.whole, n=gradients.whole.size)
    b.operations += b.effects
    b.walk_back()
    shown = finish(b, output)
    known = state.lower_once(b, gradients)  # nothing in it is to be improved, or to be verified twice
    begin.take(b, [*gradients.gathering, result.array, *(value.array for value in leaves(shown) if value is not None)])
    subject = (optim.network, optim.loss, optim.rule)
    inputs = [value.buffer for value in given.values()]
    plan = Plan(subject, dtype, rows, b.operations, inputs, shown, result, b.streams, b.own)
    verify(plan, known)
    return Lowered(plan, b.changing)


def plan_of(optim: Optim, batches: Batches) -> Plan:
    """The plan of a step on the whole of `batches`."""
    state, gradients = rule_and_gradients(optim)
    return lower_training(optim, batches, batches.rows, state, gradients, Memory()).plan


def rule_and_gradients(optim: Optim) -> tuple[RuleState, Gradients]:
    """What the plans of one training share beside the parameters; NotLoweredError as `require_plain` has it.

    A loss of the user's own may learn too.
    """
    named = list(optim.network.named_parameters())
    if not is_known_loss(optim.loss):
        known = {id(parameter) for _, parameter in named}
        named += [(f"loss.{name}", p) for name, p in optim.loss.named_parameters() if id(p) not in known]
    state = RuleState(optim, {id(parameter): name for name, parameter in named})
    require_plain(optim)
    trained = {id(each.parameter) for each in state.trained}
    others = [pair for pair in named if pair[1].requires_grad and id(pair[1]) not in trained]
    learnt = [(each.name, each.parameter) for each in state.trained]
    return state, Gradients(learnt, optim.network.dtype, others, gathers=gathers(optim))


def copied(output: Any) -> Any:
    """The values of a plan's output, as arrays of their own."""
    return mapped(lambda buffer: buffer.array.reshape(buffer.shape).copy(), output)


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
