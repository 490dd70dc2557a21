"""Inference by the core: a prepared predictor for many calls, and whole arrays for `predict` and `evaluate`."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from maillon.engine import processor
from maillon.engine.builder import Builder, NotLoweredError
from maillon.engine.leaving import program_of
from maillon.engine.lowering import finish, given_inputs, lower_network, rows_of, values_for
from maillon.engine.memory import Memory
from maillon.engine.plan import Buffer, Plan
from maillon.engine.verify import verify
from maillon.engine.walk import is_known, why_own
from maillon.engine.watch import watch
from maillon.nesting import leaf_names, leaves, mapped
from maillon.nn import Module, no_grad
from maillon.nn.support.modes import mode
from maillon.optim.door import call, convert
from maillon.typing import Array

_MOST_SHAPES = 16  # that a Predictor has prepared at a time

# What `predict` keeps from one call to the next: at most 32 MiB together.
_KEPT_NETWORKS, _KEPT_SHAPES = 16, 8
_KEPT_BYTES = 2**18  # of a plan's buffers: to make a larger one anew costs little beside running it

Key = tuple[Any, ...]
"""The shapes and dtypes of all inputs, nested alike."""


def key_of(x: Any) -> Key:
    """What a plan is made for: the shape and dtype of each array."""
    if isinstance(x, np.ndarray):
        return x.shape, x.dtype.char
    if isinstance(x, dict):
        return tuple((name, key_of(part)) for name, part in x.items())
    return tuple(map(key_of, x)) if isinstance(x, tuple) else (x,)


def lower_prediction(network: Module, x: Any, memory: Memory) -> Plan:
    """The plan of the network's output, in evaluation mode, for inputs of these shapes and dtypes.

    NotLoweredError too for a network of the user's own: the plan would do nothing but call it.
    """
    if not is_known(network):
        raise NotLoweredError(why_own(network))
    b = Builder(network.dtype, memory)
    arrays = dict(zip(leaf_names(x, "x"), leaves(x), strict=True))
    given = given_inputs(b, {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)})
    made = lower_network(b, network, values_for(x, "x", given))
    b.operations += b.effects
    output = finish(b, made)
    inputs = [value.buffer for value in given.values()]
    rows = rows_of(inputs[0].shape) if inputs else 1
    plan = Plan((network,), b.dtype, rows, b.operations, inputs, output, own=b.own)
    verify(plan)
    return plan


class Prepared:
    """A plan of the output for inputs of one shape, in the core. `fits` is whether the network is still the same.

    held: whether it keeps the network itself alive.
    """

    def __init__(self, network: Module, x: Any, held: bool = True) -> None:
        memory = Memory()
        self.watch = watch(processor.core(), network, root=held)  # first: what another thread changes meanwhile is seen
        plan = lower_prediction(network, x, memory)
        self.plan = plan if held else replace(plan, subject=())
        self.program = program_of(plan, {})
        self.threads = processor.threads_for(self.program.work)
        self.bytes = memory.bytes
        self._inputs = [buffer.array.reshape(buffer.shape) for buffer in plan.inputs]
        self._outputs = mapped(lambda buffer: buffer.array.reshape(buffer.shape), plan.output)

    def fits(self) -> bool:
        same: bool = self.watch.same()
        return same

    def __call__(self, x: Any) -> Any:
        """The output, copied, for inputs of the plan's dtypes and shapes. One thread at a time."""
        for to, array in zip(self._inputs, (leaf for leaf in leaves(x) if isinstance(leaf, np.ndarray)), strict=True):
            to[...] = array
        if not self.program.run(self.threads, processor.paced):
            raise self.program.take_raised() or NotLoweredError("it refuses this x")
        return mapped(np.copy, self._outputs)


_plans: WeakKeyDictionary[Module, dict[Key, Prepared]] = WeakKeyDictionary()
_plans_changing = threading.Lock()


def _plans_of(network: Module) -> dict[Key, Prepared]:
    """The plans of a network, kept from one `predict` to the next for as long as the network lives."""
    plans = _plans.get(network)
    if plans is None:
        with _plans_changing:
            while len(_plans) >= _KEPT_NETWORKS:
                del _plans[next(iter(_plans))]
            plans = _plans.setdefault(network, {})
    return plans


class Outputs:
    """The outputs of a network for mini-batches of whatever shapes; NotLoweredError where the core cannot."""

    def __init__(self, network: Module) -> None:
        self.network = network
        self._kept = _plans_of(network) if is_known(network) else {}
        self._large: dict[Key, Prepared] = {}

    def __call__(self, x: Any) -> Any:
        key = key_of(x)
        # Whoever uses a plan takes it out: another thread makes one of its own.
        prepared = self._kept.pop(key, None) or self._large.pop(key, None)
        if prepared is None or not prepared.fits():
            prepared = Prepared(self.network, x, held=False)
        output = prepared(x)
        if prepared.bytes > _KEPT_BYTES or self.network in prepared.plan.own:  # which would keep the network alive
            self._large[key] = prepared
        elif len(self._kept) < _KEPT_SHAPES:
            self._kept[key] = prepared
        else:
            self._kept.clear()
        return output


class Predictor:
    """A network prepared for many calls: `predictor(x)` is the network's output in evaluation mode.

    Parameters
    ----------
    network : Module
        The network.

    Notes
    -----
    x: an array of the network's dtype, one sample or a batch, of any shape the network takes; each shape is prepared at
    its first call. Lists and other dtypes are converted. A network of several inputs takes them one after the other,
    or as a tuple or dict: `y, h = predictor(x, h)` carries a recurrent state from call to call.

    It follows every later change of the network: values changed in place (`fit`, `load_state_dict`) or replaced (`to`),
    Parameters, options and links exchanged, added or taken out. What the core does not know runs in NumPy. Copies and
    pickles hold the network and prepare it anew. Errors are those of the links, for an x they refuse.
    """

    def __init__(self, network: Module) -> None:
        self.network = network
        self._fast: Any = _nothing_fast
        self._known: dict[Key, Any] = {}
        self._changing = threading.Lock()

    def __call__(self, *inputs: Any) -> Any:
        result = self._fast(*inputs)
        if result is NotImplemented:
            return self._slowly(inputs[0] if len(inputs) == 1 else inputs)
        if result is None:  # numbers went wrong, or a link of the user's own gives another shape
            return self._in_numpy(inputs[0] if len(inputs) == 1 else inputs)
        return result

    def __reduce__(self) -> Any:
        return type(self), (self.network,)

    def _slowly(self, x: Any) -> Any:
        """A first call with this shape, something to convert, or an error to raise."""
        network = self.network
        if any(leaf is None for leaf in leaves(x)) and not isinstance(x, tuple | dict):
            return self._in_numpy(x)
        x = mapped(lambda leaf: convert(leaf, network.dtype, network=network), x)
        if processor.core() is None:
            return self._in_numpy(x)
        x = mapped(lambda leaf: np.require(leaf, requirements=["C_CONTIGUOUS", "ALIGNED"]), x)
        given = [leaf for leaf in leaves(x) if leaf is not None]
        fast = self._known.get(key_of(x))
        result = NotImplemented if fast is None else fast(*given)
        if fast is None or (result is NotImplemented and not fast.busy):
            try:
                fast = self._prepare(x)
            except NotLoweredError:
                return self._in_numpy(x)
            result = fast(*given)
        self._fast = fast
        refused = result is NotImplemented or result is None  # busy in another thread, changed there, or went wrong
        return self._in_numpy(x) if refused else result

    def _prepare(self, x: Any) -> Any:
        prepared = Prepared(self.network, x)
        plan = prepared.plan
        fast = processor.core().Call(
            prepared.program,
            [slot(buffer) for buffer in plan.inputs],
            [slot(buffer) for buffer in plan.outputs],
            np.empty,
            prepared.watch,
            prepared,
            prepared.threads,
            processor.paced,
        )
        made = fast if isinstance(plan.output, Buffer) else _Nested(fast, plan.output)
        with self._changing:
            while len(self._known) >= _MOST_SHAPES:
                del self._known[next(iter(self._known))]
            self._known[key_of(x)] = made
        return made

    def _in_numpy(self, x: Any) -> Any:
        with mode(self.network, training=False), no_grad():
            return call(self.network, x)

    def __repr__(self) -> str:
        return f"compile({self.network!r})"


class _Nested:
    """A call whose outputs are nested."""

    def __init__(self, fast: Any, output: Any) -> None:
        self._fast, self._output = fast, output

    @property
    def busy(self) -> bool:
        return bool(self._fast.busy)

    def __call__(self, *inputs: Any) -> Any:
        result = self._fast(*inputs)
        return result if result is NotImplemented or result is None else nested(self._output, result)


def nested(output: Any, result: Any) -> Any:
    """What a call has returned, one array or several, nested like the plan's output."""
    return _nested(output, iter(result if isinstance(result, tuple) else (result,)))


def _nested(output: Any, flat: Iterator[Array]) -> Any:
    if isinstance(output, tuple):
        return tuple(_nested(part, flat) for part in output)
    return None if output is None else next(flat)


def slot(buffer: Buffer) -> tuple[int, tuple[int, ...], Any, str, int]:
    """Where the core copies an array to or from: address, shape, dtype, its format, bytes an element."""
    dtype = buffer.dtype
    return buffer.address, buffer.shape, dtype, np.empty(0, dtype).data.format, dtype.itemsize


def _nothing_fast(*_inputs: Any) -> Any:
    return NotImplemented
