"""Links and losses of the user's own inside a plan: the core hands their buffers to NumPy, and goes on with the rest.

Their operation is called `python`. It gets copies of what it reads, which the link may keep; what it makes is copied
into the plan. An exception ends the step, and arrives as it was raised.
"""

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from maillon.engine.builder import Builder, Losses, NotLoweredError, Tree, Value, values_of
from maillon.engine.plan import Buffer
from maillon.nesting import leaves, rebuilt
from maillon.nn import Loss, Module, Parameter, no_grad
from maillon.nn.support.errors import LinkError, shown
from maillon.nn.support.modes import mode
from maillon.random import Generator, default_generator
from maillon.typing import Array


def lower_own(b: Builder, link: Module, inputs: tuple[Tree, ...], named: dict[str, Tree]) -> Tree:
    """A link that no family knows: its forward and backward as operations in NumPy."""
    given, names = (*inputs, *named.values()), list(named)
    shapes = _tried(b, link, inputs, named)
    output = rebuilt(shapes, iter([_value(b, f"y{place}", leaf) for place, leaf in enumerate(leaves(shapes))]))
    reads, writes = list(values_of(given)), list(values_of(output))
    walks: list[bool] = []

    def call() -> Any:
        arrays = iter([_array(value) for value in reads])
        values = tuple(_filled(tree, arrays) for tree in given)
        by_name = dict(zip(names, values[len(inputs) :], strict=True))
        if b.training and walks:
            return link(*values[: len(inputs)], **by_name)
        with no_grad():
            if b.training:
                return link(*values[: len(inputs)], **by_name)
            with mode(link, training=False):
                return link(*values[: len(inputs)], **by_name)

    path = b.path

    def forward() -> bool:
        try:
            return _put(writes, call())
        except LinkError as error:
            for owner, name in reversed(path):
                error.within(owner, name)
            raise

    b.own.append(link)
    b.python(forward, repr(link).partition("\n")[0], reads, writes)
    parameters = [(name, p) for name, p in link.named_parameters() if p.requires_grad]

    def backward(*grads: Value | None) -> None:
        walks.append(True)
        wanted = [value for value in reads if b.wants(value)]
        to = [(value, b.grad(value)) for value in wanted]
        into = [(p, *b.parameter_grad(p)) for _, p in parameters]

        def walk() -> bool:
            parts = iter([None if grad is None else _array(grad) for grad in grads])
            grad_output = rebuilt(shapes, parts)
            grad_output = _whole(output, grad_output)
            return _walk_back(link, grad_output, given, to, into)

        written = [*(grad for _, grad in to), *(buffer for _, buffer, _ in into if buffer is not None)]
        b.python(walk, f"∂ {shown(link)}", [grad for grad in grads if grad is not None], written)

    b.differentiate(backward, output, given, [p for _, p in parameters])
    return output


def _walk_back(
    link: Module,
    grad_output: Any,
    given: tuple[Tree, ...],
    to: list[tuple[Value, Value]],
    into: list[tuple[Parameter, Buffer | None, bool]],
) -> bool:
    """The link's backward; what it adds to its parameters' gradients goes to the plan's."""
    before = [p.grad for p, _, _ in into]
    for p, _, _ in into:
        p.grad = None
    try:
        if to:
            returned = link.backward(grad_output)
            parts = returned if isinstance(returned, tuple) and len(given) > 1 else (returned,)
            grads = dict(_matched(given, parts))
            for value, out in to:
                if not _put([out], grads.get(value, np.zeros(value.shape, value.buffer.dtype))):
                    return False
        else:
            link.backward_parameters(grad_output)
        for p, buffer, keep in into:
            if buffer is not None and p.grad is not None:
                flat = p.grad.reshape(-1)
                buffer.array[:] = buffer.array + flat if keep else flat
            elif buffer is not None and not keep:
                buffer.array[:] = 0
    finally:
        for (p, _, _), grad in zip(into, before, strict=True):
            p.grad = grad
    return True


def _matched(given: Tree, returned: Any) -> Iterator[tuple[Value, Any]]:
    """Each value among the inputs with its gradient, where there is one."""
    if isinstance(given, Value):
        if returned is not None:
            yield given, returned
    elif isinstance(given, tuple) and isinstance(returned, tuple):
        for one, part in zip(given, returned, strict=False):
            yield from _matched(one, part)


def lower_own_loss(b: Builder, loss: Loss, prediction: Tree, target: Tree, own: Losses) -> None:
    """A loss that no family knows."""
    weight, result, divisor = own["sample_weight"], own["result"], own["divisor"]
    predictions, targets = list(values_of(prediction)), list(values_of(target))
    wanted = [(place, b.grad(value)) for place, value in enumerate(predictions) if b.wants(value)]

    def work() -> bool:
        made = _filled(prediction, iter([_array(value) for value in predictions]))
        expected = _filled(target, iter([_array(value) for value in targets]))
        arguments = loss.arranged(made, expected) + (() if weight is None else (_array(weight),))
        value = loss(*arguments)
        total = float(value) if loss.reduction != "none" else float(value.sum())
        denominator = float(loss.denominator) if loss.averages else 1.0
        if divisor is not None and denominator == 0:  # all is ignored: the sum of nothing
            total = 0.0
        result.buffer.array[:] = total, denominator
        if not math.isfinite(total):
            loss.forget()
            return False
        if divisor is not None:
            so_far = divisor.array[0]
            divisor.array[0] = denominator if math.isnan(so_far) else so_far + denominator
        grads = leaves(loss.of_predictions(loss.backward() if divisor is None else loss.backward(denominator or 1.0)))
        return all(_put([grad], grads[place]) for place, grad in wanted)

    b.own.append(loss)
    reads = [*predictions, *targets, *([] if weight is None else [weight])]
    b.python(work, repr(loss).partition("\n")[0], reads, [result, *(grad for _, grad in wanted)])


def _tried(b: Builder, link: Module, inputs: tuple[Tree, ...], named: dict[str, Tree]) -> Any:
    """What a copy of the link makes of inputs of these shapes; the generators are as before."""
    draw = Generator(0)
    generator, before = default_generator(), default_generator().get_state()

    def made(tree: Tree) -> Any:
        if isinstance(tree, tuple):
            return tuple(map(made, tree))
        if not isinstance(tree, Value):
            return tree
        if tree.real:
            return np.asarray(draw.normal(tree.shape, dtype=np.float64)).astype(tree.buffer.dtype)
        return np.zeros(tree.shape, tree.buffer.dtype)

    try:
        twin = copy.deepcopy(link)
        with mode(twin, training=b.training and link.training), no_grad(), np.errstate(all="ignore"):
            output = twin(*map(made, inputs), **{name: made(tree) for name, tree in named.items()})
    except Exception as error:
        raise NotLoweredError(f"{shown(link)} could not be tried: {error}") from None
    finally:
        generator.set_state(before)
    for leaf in leaves(output):
        if leaf is not None and not (isinstance(leaf, np.ndarray) and leaf.dtype in (b.dtype, np.int64, np.bool_)):
            raise NotLoweredError(f"{shown(link)} gives no array of {b.dtype}")
    return output


def _value(b: Builder, name: str, leaf: Any) -> Value | None:
    return None if leaf is None else b.local(name, leaf.shape, leaf.dtype)


def _array(value: Value) -> Array:
    """A copy of the value, for the link to keep."""
    return np.array(value.buffer.array.reshape(value.shape))


def _filled(tree: Tree, arrays: Iterator[Array]) -> Any:
    if isinstance(tree, tuple):
        return tuple(_filled(part, arrays) for part in tree)
    return next(arrays) if isinstance(tree, Value) else tree


def _whole(output: Tree, grad: Any) -> Any:
    """Zeros where an output of the link has no gradient, None where it can have none."""
    if isinstance(output, tuple):
        return tuple(_whole(part, grad_part) for part, grad_part in zip(output, grad, strict=True))
    if output is None or not output.real:
        return None
    return np.zeros(output.shape, output.buffer.dtype) if grad is None else grad


def _put(values: list[Value], made: Any) -> bool:
    """Copy what was made into the plan; False where it has another shape or dtype than planned."""
    arrays = [leaf for leaf in leaves(made) if leaf is not None]
    if len(arrays) != len(values):
        return False
    for value, array in zip(values, arrays, strict=True):
        if not isinstance(array, np.ndarray) or array.shape != value.shape or array.dtype != value.buffer.dtype:
            return False
        value.buffer.array[:] = array.reshape(-1)
    return True


class StepBegin:
    """What a step with links of the user's own began from, should one of them end it.

    The core's own operations change nothing before the loss is known to be finite. What the user's links may have
    changed by then: the random streams, their registered buffers. What a backward that fails comes too late for:
    effects. So all three are noted at the beginning of each step, and the last step's prediction and loss with them.
    """

    def __init__(self, network: Module, own: list[Module]) -> None:
        drawing = (vars(module).get("generator") for module in network.modules())
        own_generators = [generator for generator in drawing if isinstance(generator, Generator)]
        self._generators = list(dict.fromkeys([default_generator(), *own_generators]))
        self._own = own
        self.arrays: list[Array] = []  # to be noted
        self._states: list[Any] = []
        self._copies: list[Array] = []
        self._buffers: list[tuple[Module, str, Any, Any]] = []

    def note(self) -> bool:
        """At the beginning of a step."""
        self._states = [generator.get_state() for generator in self._generators]
        self._copies = [array.copy() for array in self.arrays]
        self._buffers = [
            (module, name, array, array.copy())
            for link in self._own
            for module in link.modules()
            for name, array in module.__dict__.items()
            if name in module._buffer_names and isinstance(array, np.ndarray)
        ]
        return True

    def go_back(self) -> None:
        """As if that step had not been tried."""
        for generator, state in zip(self._generators, self._states, strict=True):
            generator.set_state(state)
        for array, values in zip(self.arrays, self._copies, strict=True):
            array[...] = values
        for module, name, array, values in self._buffers:
            array[...] = values
            module.__dict__[name] = array
