"""Inference by the core: a prepared predictor for many calls, and whole arrays for `predict` and `evaluate`."""

import threading
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from maillon.engine import processor
from maillon.engine.builder import LINKS, Builder, NotLoweredError
from maillon.engine.lowering import finish, lower_network, require_known, rows_of
from maillon.engine.memory import Memory
from maillon.engine.plan import Buffer, Plan, address, table
from maillon.engine.verify import verify
from maillon.engine.watch import watch
from maillon.nn import Module, Sequential, no_grad
from maillon.nn.support.modes import mode
from maillon.optim.door import call, convert
from maillon.typing import Array

_MOST_SHAPES = 16  # that a Predictor has prepared at a time

# What `predict` keeps from one call to the next: at most 32 MiB together.
_KEPT_NETWORKS, _KEPT_SHAPES = 16, 8
_KEPT_BYTES = 2**18  # of a plan's buffers: to make a larger one anew costs little beside running it

Shape = tuple[int, ...]


def lower_prediction(network: Module, shape: Shape, memory: Memory) -> Plan:
    """The plan of the network's output, in evaluation mode, for an input of this shape."""
    b = Builder(network.dtype, memory)
    x = b.given("x", shape, network.dtype)
    made = lower_network(b, network, x)
    b.operations += b.effects
    output = finish(b, made)
    if not isinstance(output, Buffer):
        raise NotLoweredError("several outputs are not among what it knows")
    plan = Plan((network,), b.dtype, rows_of(shape), b.operations, [x.buffer], output)
    verify(plan)
    return plan


class Prepared:
    """A plan of the output for one shape of input, in the core. `fits` is whether the network is still the same.

    held: whether it keeps the network itself alive.
    """

    def __init__(self, network: Module, shape: Shape, held: bool = True) -> None:
        core, chosen, memory = processor.core(), processor.instruction_set(), Memory()
        self.watch = watch(core, network, root=held)  # first: what another thread changes meanwhile is seen
        plan = lower_prediction(network, shape, memory)
        self.plan = plan if held else replace(plan, subject=())
        self.program = core.Program(chosen, plan.dtype == np.float64, plan.rows, table(plan), [])
        self.threads = processor.threads_for(self.program.work)
        self.bytes = memory.bytes
        self._x = plan.inputs[0].array.reshape(shape)
        self._output = plan.output.array.reshape(plan.output.shape)

    def fits(self) -> bool:
        same: bool = self.watch.same()
        return same

    def __call__(self, x: Array) -> Array:
        """The output, copied, for an input of the plan's dtype and shape. One thread at a time."""
        self._x[...] = x
        self.program.run(self.threads)
        return self._output.copy()


_plans: WeakKeyDictionary[Module, dict[Shape, Prepared]] = WeakKeyDictionary()
_plans_changing = threading.Lock()


def _plans_of(network: Module) -> dict[Shape, Prepared]:
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
        known = type(network) is Sequential or type(network) in LINKS
        self._kept = _plans_of(network) if known else {}
        self._large: dict[Shape, Prepared] = {}

    def __call__(self, x: Any) -> Array:
        if not isinstance(x, np.ndarray):
            require_known(self.network)
            raise NotLoweredError("it does not know networks of several inputs")
        shape = x.shape
        # Whoever uses a plan takes it out: another thread makes one of its own.
        prepared = self._kept.pop(shape, None) or self._large.pop(shape, None)
        if prepared is None or not prepared.fits():
            prepared = Prepared(self.network, shape, held=False)
        output = prepared(x)
        if prepared.bytes > _KEPT_BYTES:
            self._large[shape] = prepared
        elif len(self._kept) < _KEPT_SHAPES:
            self._kept[shape] = prepared
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
    its first call. Lists and other dtypes are converted; a network of several inputs takes a tuple or dict of them.

    It follows every later change of the network: values changed in place (`fit`, `load_state_dict`) or replaced (`to`),
    Parameters, options and links exchanged, added or taken out. What the core does not know runs in NumPy. Copies and
    pickles hold the network and prepare it anew. Errors are those of the links, for an x they refuse.
    """

    def __init__(self, network: Module) -> None:
        self.network = network
        self._fast: Any = _nothing_fast
        self._known: dict[Shape, Any] = {}
        self._changing = threading.Lock()

    def __call__(self, x: Any) -> Array:
        result = self._fast(x)
        return self._slowly(x) if result is NotImplemented else result

    def __reduce__(self) -> Any:
        return type(self), (self.network,)

    def _slowly(self, x: Any) -> Any:
        """A first call with this shape, something to convert, or an error to raise."""
        network = self.network
        if x is None:
            return self._in_numpy(x)
        array = convert(x, network.dtype, network=network)
        if not isinstance(array, np.ndarray) or processor.core() is None:
            return self._in_numpy(array)
        array = np.require(array, requirements=["C_CONTIGUOUS", "ALIGNED"])
        fast = self._known.get(array.shape, _nothing_fast)
        result = fast(array)
        if result is NotImplemented:
            try:
                fast = self._prepare(array.shape)
            except NotLoweredError:
                return self._in_numpy(array)
            result = fast(array)
        self._fast = fast
        return self._in_numpy(array) if result is NotImplemented else result  # changed meanwhile, in another thread

    def _prepare(self, shape: Shape) -> Any:
        prepared = Prepared(self.network, shape)
        plan = prepared.plan
        fast = processor.core().Predictor(
            prepared.program,
            address(plan.inputs[0].array),
            shape,
            address(plan.output.array),
            np.empty,
            (plan.output.shape, plan.dtype),
            prepared.watch,
            prepared,
            prepared.threads,
        )
        with self._changing:
            while len(self._known) >= _MOST_SHAPES:
                del self._known[next(iter(self._known))]
            self._known[shape] = fast
        return fast

    def _in_numpy(self, x: Any) -> Any:
        with mode(self.network, training=False), no_grad():
            return call(self.network, x)

    def __repr__(self) -> str:
        return f"compile({self.network!r})"


def _nothing_fast(_x: Any) -> Any:
    return NotImplemented
