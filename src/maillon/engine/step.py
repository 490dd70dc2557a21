"""A learning step on data: how it is cut into mini-batches, and lowered to a plan."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from maillon.engine import processor
from maillon.engine.builder import Builder, NotLoweredError, Tree, Value
from maillon.engine.lowering import finish, given_inputs, lower_loss, lower_network, shape_of, values_for
from maillon.engine.memory import Gradients, Memory, aligned
from maillon.engine.orders import Shuffle
from maillon.engine.origins import gathers, require_plain
from maillon.engine.own import StepBegin
from maillon.engine.passes import pass_on, passing
from maillon.engine.plan import Plan, address
from maillon.engine.rules import RuleState
from maillon.engine.table import product_workspace
from maillon.engine.verify import verify
from maillon.engine.walk import is_known_loss, own_links
from maillon.nesting import leaf_names, leaves, mapped
from maillon.nn import Module, Parameter
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
    shuffle: Shuffle
    drop_last: bool = False

    @classmethod
    def of(
        cls, x: Any, y: Any, weight: Array | None, size: int, *, shuffle: Shuffle, drop_last: bool = False
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

    def length(self, position: int) -> int:
        """The rows of the mini-batch that begins there, in the order of the epoch."""
        return min(self.size, self.rows - position)

    def rows_at(self, position: int, order: Array) -> Array | slice:
        """Those rows, in the data."""
        rows = slice(position, position + self.length(position))
        return order[rows] if self.shuffle else rows

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


class Forward(NamedTuple):
    """A step lowered as far as the network's output: by which builder, the values that are given for x, the output."""

    builder: Builder
    given: dict[str, Value]
    output: Tree


class Beginning:
    """What the plans of one training share, and how far they are lowered.

    forwards: by the rows of their mini-batches.
    """

    def __init__(self, optim: Optim) -> None:
        self._optim = optim
        named = _learnable(optim)
        self._names = {id(parameter): name for name, parameter in named}
        self.gradients = _gradients(optim, named)
        self.memory = Memory()
        self.forwards: dict[int, Forward] = {}

    def rule_state(self) -> RuleState:
        """What the rule keeps, from its options as they are now; NotLoweredError as `require_plain` has it too."""
        state = RuleState(self._optim, self._names)
        require_plain(self._optim)
        return state

    def output_shape(self, x: Array, rows: int) -> tuple[int, ...]:
        """The shape of the network's output for a mini-batch of x; NotLoweredError where only NumPy tells it."""
        if own_links(self._optim.network):
            raise NotLoweredError("links of the user's own are to be tried")
        forward = lower_forward(self._optim.network, x, rows, self.gradients, self.memory)
        shape = shape_of(forward.builder, forward.output)
        self.forwards[rows] = forward
        return shape


def lower_forward(network: Module, x: Any, rows: int | None, gradients: Gradients, memory: Memory) -> Forward:
    """A step on so many rows of x, None for all, as far as the network's output."""
    b = Builder(gradients.whole.dtype, memory, gradients)
    given = given_inputs(b, dict(_named(x, "x")), rows)
    if "x" in given and _mostly_zeros(x):
        b.sparse = {given["x"].buffer}
    return Forward(b, given, lower_network(b, network, values_for(x, "x", given)))


def _mostly_zeros(x: Array) -> bool:
    """Whether products with x gain from leaving out zeros: as far as the first rows tell."""
    first = x[:_LOOKED_AT]
    return bool(np.count_nonzero(first) < _MANY_ZEROS * first.size)


def lower_training(
    optim: Optim,
    batches: Batches,
    rows: int,
    state: RuleState,
    gradients: Gradients,
    memory: Memory,
    begin: StepBegin | None = None,
    forward: Forward | None = None,
    *,
    shown: bool = False,
) -> Plan:
    """One step on so many rows; NotLoweredError with the reason where the core cannot do it.

    forward: as far as it is lowered already. shown: every step leaves all gradients to be seen.
    """
    begin = StepBegin() if begin is None else begin
    part = None if rows == len(batches.first) else rows
    forward = lower_forward(optim.network, batches.x, part, gradients, memory) if forward is None else forward
    b, output = forward.builder, forward.output
    own = {name: array for name, array in batches.feeds() if name not in forward.given}
    given = forward.given | given_inputs(b, own, part)
    same = batches.y is batches.x
    target = values_for(batches.x, "x", given) if same else values_for(batches.y, "target", given)
    result = lower_loss(b, optim.loss, output, target, given.get("sample weight"))
    if gradients.gathers:
        b.part = "clear"
        b.add("clear", gradients=gradients.whole, n=gradients.whole.size)
    b.operations += b.effects
    b.walk_back()
    updates, known = state.lowered(b, gradients)  # nothing in them is to be improved, or to be verified twice
    passes = [] if shown or b.own else passing(b.operations, updates)
    made = finish(b, output, passes)
    b.operations = pass_on(b.operations, passes, updates)
    begin.take(b, [*gradients.gathering, result.array, *(value.array for value in leaves(made) if value is not None)])
    subject = (optim.network, optim.loss, optim.rule)
    inputs = [value.buffer for value in given.values()]
    changing = [*b.changing, *gradients.gathering]
    plan = Plan(subject, b.dtype, rows, b.operations, inputs, made, result, b.streams, b.own, changing, passes)
    verify(plan, updates if known else ())
    return plan


def plan_of(optim: Optim, batches: Batches) -> Plan:
    """The plan of a step on the whole of `batches`."""
    state, gradients = rule_and_gradients(optim)
    return lower_training(optim, batches, batches.rows, state, gradients, Memory())


def rule_and_gradients(optim: Optim) -> tuple[RuleState, Gradients]:
    """What the plans of one training share beside the parameters; NotLoweredError as `rule_state` has it."""
    beginning = Beginning(optim)
    return beginning.rule_state(), beginning.gradients


def _learnable(optim: Optim) -> list[tuple[str, Parameter]]:
    """What may learn, by name: the network's parameters, and those of a loss of the user's own."""
    named = list(optim.network.named_parameters())
    if not is_known_loss(optim.loss):
        known = {id(parameter) for _, parameter in named}
        named += [(f"loss.{name}", p) for name, p in optim.loss.named_parameters() if id(p) not in known]
    return named


def _gradients(optim: Optim, named: list[tuple[str, Parameter]]) -> Gradients:
    """Where their gradients go: those that the rule uses in its own order."""
    learnable = {id(parameter): (name, parameter) for name, parameter in named if parameter.requires_grad}
    moved = [id(parameter) for group in optim.rule.param_groups for parameter in group["params"]]
    trained = [learnable.pop(known) for known in moved if known in learnable]
    return Gradients(trained, optim.network.dtype, list(learnable.values()), gathers=gathers(optim))


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
