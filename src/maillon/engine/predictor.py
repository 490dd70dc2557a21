"""Inference by the core: a prepared predictor for many calls, and whole arrays for `predict` and `evaluate`."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from maillon.engine import processor
from maillon.engine.lowering import Builder, Memory, NotLoweredError, Value, lower_forward, require_known
from maillon.engine.plan import Buffer, Plan, address, tables, verify
from maillon.nn import Module, Parameter, no_grad
from maillon.nn.support.modes import mode
from maillon.optim.door import convert
from maillon.typing import Array

_MOST_SHAPES = 16  # prepared at a time


def lower_prediction(network: Module, shape: tuple[int, ...], memory: Memory) -> Plan:
    """The plan of the network's output, in evaluation mode, for an input of this shape."""
    dtype = network.dtype
    builder = Builder(dtype, memory)
    x = builder.buffer("x", shape)
    output, _ = lower_forward(builder, network, Value(x, shape))
    rows = shape[0] if len(shape) > 1 else 1
    shown = Buffer("output", output.buffer.array, output.shape)
    plan = Plan((network,), dtype, rows, builder.operations, [x], shown)
    verify(plan)
    return plan


class Prepared:
    """A plan of the output for one shape of input, in the core, good for as long as the parameters are these arrays."""

    def __init__(self, network: Module, shape: tuple[int, ...]) -> None:
        self.plan = lower_prediction(network, shape, Memory())
        wide = self.plan.dtype == np.float64
        core, chosen = processor.core(), processor.instruction_set()
        self.program = core.Program(chosen, wide, self.plan.rows, *tables(self.plan), [])
        self.threads = processor.threads_for(self.program.flops)
        self.signature = signature(network)

    def __call__(self, x: Array) -> Array:
        """The output, copied, for an input of the plan's dtype and shape."""
        plan = self.plan
        plan.inputs[0].array.reshape(x.shape)[...] = x
        self.program.run(self.threads)
        return plan.output.array.reshape(plan.output.shape).copy()


class Outputs:
    """The outputs of a network for mini-batches of whatever shapes; NotLoweredError where the core cannot."""

    def __init__(self, network: Module) -> None:
        self.network = network
        self._prepared: dict[tuple[int, ...], Prepared] = {}

    def __call__(self, x: Any) -> Array:
        if not isinstance(x, np.ndarray):
            require_known(self.network)
            raise NotLoweredError("several inputs are not among what it knows")
        prepared = self._prepared.get(x.shape)
        if prepared is None or prepared.signature != signature(self.network):
            prepared = self._prepared[x.shape] = Prepared(self.network, x.shape)
        return prepared(x)


class Predictor:
    """A network prepared for many calls: `predictor(x)` is the network's output in evaluation mode.

    x: an array of the network's dtype, one sample or a batch, of any shape the network takes; each shape is prepared
    at its first call. Lists and other dtypes are converted. It follows later changes of the parameters' values, be
    they changed in place (`fit`, `load_state_dict`) or replaced (`to`), and of the links themselves only through
    `maillon.compile` anew. What the core does not know runs in NumPy.
    Errors: those of the links, for an x they refuse.
    """

    def __init__(self, network: Module) -> None:
        self.network = network
        self._fast: Any = _nothing_fast
        self._known: dict[tuple[int, ...], Any] = {}

    def __call__(self, x: Any) -> Array:
        result = self._fast(x)
        return self._slowly(x) if result is NotImplemented else result

    def _slowly(self, x: Any) -> Array:
        """A first call with this shape, something to convert, or an error to raise."""
        network = self.network
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
        return result

    def _prepare(self, shape: tuple[int, ...]) -> Any:
        prepared = Prepared(self.network, shape)
        plan = prepared.plan
        parameters = list(self.network.parameters())
        fast = processor.core().Predictor(
            prepared.program,
            address(plan.inputs[0].array),
            shape,
            address(plan.output.array),
            np.empty,
            (plan.output.shape, plan.dtype),
            parameters,
            [parameter.data for parameter in parameters],
            prepared,
            prepared.threads,
        )
        while len(self._known) >= _MOST_SHAPES:
            self._known.pop(next(iter(self._known)), None)
        self._known[shape] = fast
        return fast

    def _in_numpy(self, x: Any) -> Any:
        with mode(self.network, training=False), no_grad():
            return self.network(x)

    def __repr__(self) -> str:
        return f"compile({self.network!r})"


def _nothing_fast(_x: Any) -> Any:
    return NotImplemented


def signature(network: Module) -> tuple[Any, ...]:
    """What a prepared output was made from: when it changes it must be made anew."""
    return tuple(_signed(network))


def _signed(network: Module) -> Iterator[Any]:
    for module in network.modules():
        yield module
        for value in vars(module).values():
            if isinstance(value, Parameter):
                yield id(value.data)
            elif isinstance(value, int | float | str) or callable(value):
                yield value
