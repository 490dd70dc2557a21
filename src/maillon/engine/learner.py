"""Learning steps prepared for loops of one's own: one step a call, at the least cost a call."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.engine import processor
from maillon.engine.builder import Builder, NotLoweredError, Value, values_of
from maillon.engine.lowering import finish, given_inputs, lower_network, values_for
from maillon.engine.memory import Memory
from maillon.engine.origins import Origins, gathers
from maillon.engine.plan import Buffer, Plan, stream_of, table
from maillon.engine.predictor import Key, key_of, nested, slot
from maillon.engine.step import Batches, copied, lower_training, rule_and_gradients
from maillon.engine.verify import verify
from maillon.engine.walk import own_links
from maillon.engine.watch import watch_training
from maillon.nesting import filled, leaf_names, leaves, mapped
from maillon.nn import Module
from maillon.nn.support import errors
from maillon.optim import Optim
from maillon.optim.door import call, convert, convert_batch
from maillon.typing import Array

_MOST_SHAPES = 16  # that a Learner has prepared at a time


class Learner:
    """An Optim prepared for many calls: one learning step, or a part of one, a call.

    Parameters
    ----------
    optim : Optim
        Network, loss and rule.

    Notes
    -----
    `step` does what `optim.step` does, with the same result. Where the loss is your own, `forward(x)` gives the output,
    `backward(grad_output)` takes ∂loss/∂output, adds to the gradients of the parameters and gives ∂loss/∂x, and
    `update()` lets the rule move the parameters by these gradients and forgets them; `zero_grad()` forgets them too.

    Each shape is prepared at its first call. Later changes of network, loss and rule are followed: a changed rate costs
    one slower call. After a call each `Parameter.grad` is a view of the core's own memory, which the next call writes
    anew: copy what you keep. What the core does not know runs in NumPy.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> generator = maillon.manual_seed(0)
    >>> learner = maillon.compile(maillon.Optim(maillon.Linear(1, 1), maillon.MSELoss(), 0.1))
    >>> x, y = np.float32([[1], [2]]), np.float32([[3], [5]])
    >>> losses = [learner.step(x, y) for _ in range(200)]
    >>> losses[-1] < 1e-3 < losses[0]
    True

    The same with a loss of one's own, (y - 3)² for instance:

    >>> prediction = learner.forward(x)
    >>> learner.backward(2 * (prediction - 3)).shape
    (2, 1)
    >>> learner.update()
    """

    def __init__(self, optim: Optim) -> None:
        self.optim = optim
        self._step: Any = _nothing
        self._pass: _Pass | None = None
        self._common: _Common | None = None
        self._known: dict[Key, Any] = {}
        self._in_numpy = False  # the last forward was NumPy's
        self._busy = threading.Lock()

    def __reduce__(self) -> Any:
        return type(self), (self.optim,)

    def __repr__(self) -> str:
        return f"compile({self.optim!r})"

    # Whole steps

    def step(self, x: Any, y: Any = None, sample_weight: Any = None) -> float:
        """One learning step on a mini-batch; returns the loss before it. As `Optim.step`.

        Parameters
        ----------
        x : array, or tuple or dict of arrays
            The inputs of a mini-batch.
        y : array, or tuple of arrays
            Its targets; None for a loss without a target.
        sample_weight : array, optional
            A factor for each sample.

        Returns
        -------
        float
            The loss.

        Raises
        ------
        LinkError, NonFiniteLossError
            As `Optim.step`, with nothing learnt.
        """
        if self._common is not None and self._common.in_use:
            self.zero_grad()  # as Optim.step, which begins from none
        if sample_weight is None:
            done = self._step(x, y)
            if type(done) is float:
                return done
        return self._step_slowly(x, y, sample_weight)

    def _step_slowly(self, x: Any, y: Any, sample_weight: Any) -> float:
        """A first call with this shape, something to convert, or an error to raise."""
        optim = self.optim
        inputs, target, weight = convert_batch(optim.network, optim.loss, x, y, sample_weight)
        self._in_numpy = False
        data = (inputs, weight) if target is inputs else (inputs, target, weight)
        try:
            key = ("step", target is inputs, *map(key_of, data))
            made = self._prepared(key, lambda common: _Step(common, inputs, target, weight))
            done: float | None = made.run(*data)
        except NotLoweredError:
            done = None
        else:
            plain = isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and weight is None and target is not inputs
            self._step = made.call if plain and made.alone else _nothing
        return float(optim.learn(inputs, target, weight)) if done is None else done

    # Parts of a step

    def forward(self, x: Any) -> Any:
        """The network's output, in the network's mode; `backward` may follow.

        Parameters
        ----------
        x : array, or tuple or dict of arrays
            The inputs of a mini-batch.

        Returns
        -------
        array, nested as the network nests its output
            The output.

        Raises
        ------
        LinkError
            For what the network refuses.
        """
        if self._pass is not None and type(x) is np.ndarray:
            output = self._pass.forward(x)  # NotImplemented too where it does not lie in C order
            if output is not NotImplemented:
                return output
        network = self.optim.network
        inputs = convert(x, network.dtype, network=network)
        try:
            inputs = mapped(np.ascontiguousarray, inputs)
            made = self._prepared(("pass", key_of(inputs)), lambda common: _Pass(common, inputs))
            output = made.forward(inputs)
        except NotLoweredError:
            output = NotImplemented
        self._in_numpy = output is NotImplemented
        if self._in_numpy:
            self._pass = None
            return call(network, inputs)
        self._pass = made
        return output

    def backward(self, grad_output: Any) -> Any:
        """∂loss/∂x from ∂loss/∂output, for the last `forward`; adds to the gradients of the parameters.

        Parameters
        ----------
        grad_output : array, nested like the output
            ∂loss/∂output; None where an output has no gradient.

        Returns
        -------
        array, nested like x
            ∂loss/∂x; None for integers and booleans.

        Raises
        ------
        LinkStateError
            Without a forward before.
        LinkShapeError
            When grad_output is not like the output.
        """
        if self._in_numpy or self._pass is None:
            return self.optim.network.backward(grad_output)
        return self._pass.backward(grad_output)

    def update(self) -> None:
        """Let the rule move the parameters by the gradients, clipped where the Optim says so, and forget these."""
        if self._in_numpy or self._pass is None or not self._pass.update():
            optim = self.optim
            optim.gathered = 1, None
            optim.flush()
            self.zero_grad()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        if self._common is not None:
            self._common.clear()
        self.optim.zero_grad()

    # What is prepared

    def _prepared(self, key: Key, make: "Callable[[_Common], Any]") -> Any:
        """What was made for this shape, or is made now; NotLoweredError where the core cannot."""
        if processor.core() is None or self.optim.rule.needs_closure or own_links(self.optim.network):
            raise NotLoweredError("this step is NumPy's")
        with self._busy:
            if self._common is None or not self._common.holds():
                if gathers(self.optim):
                    raise NotLoweredError("gradients are gathered")
                self._known.clear()
                self._step, self._pass = _nothing, None
                self._common = _Common(self.optim)
            self._common.state.refresh()
            made = self._known.get(key)
            if made is None:
                while len(self._known) >= _MOST_SHAPES:
                    del self._known[next(iter(self._known))]
                made = self._known[key] = make(self._common)
            made.watch()
            return made


class _Common:
    """What the plans of all shapes share: the gradients, the rule's state."""

    def __init__(self, optim: Optim) -> None:
        self.optim = optim
        self.state, self.gradients = rule_and_gradients(optim)
        self._origins = Origins(optim, [])
        self.in_use = False  # gradients of a backward without an update

    def holds(self) -> bool:
        """Whether the Optim is what it was."""
        return self._origins.hold() and self.state.holds and not gathers(self.optim)

    def clear(self) -> None:
        self.gradients.whole.array[...] = 0
        self.in_use = False

    def call(self, plan: Plan, outputs: list[Buffer]) -> Any:
        """A plan, for Python to call; it owns the plan and its memory."""
        verify(plan)
        streams = [stream_of(generator) for generator in plan.streams]
        core, wide = processor.core(), plan.dtype == np.float64
        program = core.Program(processor.instruction_set(), wide, plan.rows, table(plan), streams)
        threads = processor.threads_for(program.work)
        slots = [slot(buffer) for buffer in plan.inputs], [slot(buffer) for buffer in outputs]
        return core.Call(
            program, *slots, np.empty, watch_training(core, self.optim), (plan, self), threads, processor.paced
        )

    def shown(self) -> list[tuple[Any, str, Array]]:
        """The gradients as Python sees them: views."""
        found = ((each.parameter, self.gradients.buffer(each.parameter)) for each in self.state.trained)
        return [(p, "grad", buffer.array.reshape(p.shape)) for p, buffer in found if buffer is not None]


class _Step:
    """A whole step for mini-batches of one shape."""

    def __init__(self, common: _Common, inputs: Any, target: Any, weight: Array | None) -> None:
        self._common, optim = common, common.optim
        rows = len(leaves(inputs)[0])
        batches = Batches.of(inputs, target, weight, rows, shuffle=False)
        lowered = lower_training(optim, batches, rows, common.state, common.gradients, Memory())
        if lowered.plan.own:
            raise NotLoweredError("the loss is the user's own")
        self.plan = plan = lowered.plan
        self._generators = plan.streams
        self._one = isinstance(plan.output, Buffer)
        self.call = common.call(plan, plan.outputs[:1] if self._one else [])
        assert plan.result is not None
        loss = (optim.loss, "denominator") if optim.loss.averages else ()
        self.call.step(plan.result.address, (optim, "prediction") if self._one else (), loss)
        self._stored = False

    @property
    def alone(self) -> bool:
        """Whether the call by itself is all that there is to do."""
        return self._stored and self._one and not self._generators and not self._common.state.keeps_numbers

    def watch(self) -> None:
        self.call.watch(watch_training(processor.core(), self._common.optim))

    def run(self, *data: Any) -> float | None:
        """The loss; None where the numbers went wrong, and nothing has changed."""
        arrays = [np.ascontiguousarray(leaf) for part in data for leaf in leaves(part) if leaf is not None]
        states = [generator.get_state() for generator in self._generators]
        done = self.call(*arrays)
        if done is NotImplemented:  # changed meanwhile, in another thread
            raise NotLoweredError("the network has changed")
        if done is None:
            for generator, state in zip(self._generators, states, strict=True):
                generator.set_state(state)
            return None
        self._common.state.store()
        if not self._stored:
            self.call.leave(self._common.shown(), self._common.state.counters())
            for parameter, name, view in self._common.shown():
                setattr(parameter, name, view)
            self._stored = True
        if not self._one:
            self._common.optim.prediction = copied(self.plan.output)
        return float(done)


class _Pass:
    """Forward, backward and update for inputs of one shape."""

    def __init__(self, common: _Common, x: Any) -> None:
        self._common, optim = common, common.optim
        self._network = optim.network
        b = Builder(common.gradients.whole.dtype, Memory(), common.gradients)
        b.adding = True
        arrays = dict(zip(leaf_names(x, "x"), leaves(x), strict=True))
        given = given_inputs(b, {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)})
        for name, value in given.items():
            if value.real and value.buffer.dtype != b.dtype:
                raise NotLoweredError(f"{name} is {value.buffer.dtype}, not {b.dtype}")
            if value.real:
                b.learn(value)
        values = values_for(x, "x", given)
        output = lower_network(b, optim.network, values)
        ends = [value for value in values_of(output) if value.real]
        starts = [b.given(f"gradient {place}", value.shape, b.dtype) for place, value in enumerate(ends)]
        for value, start in zip(ends, starts, strict=True):
            b.pass_on(value, start)
        b.operations += b.effects
        b.walk_back()
        back = tuple(b.gradient_of(value) if value.real else None for value in given.values())
        common.state.lower(b, common.gradients)
        self.output, shown_back = finish(b, (output, back))
        parts = [[one for one in b.operations if (one.part in which)] for which in _PARTS]
        outputs, subject = leaves(self.output), (optim.network,)
        backs = [buffer for buffer in shown_back if buffer is not None]
        inputs = [[value.buffer for value in given.values()], [value.buffer for value in starts], []]
        plans = [
            Plan(subject, b.dtype, 1, operations, read, written, None, b.streams)
            for operations, read, written in zip(parts, inputs, (self.output, shown_back, ()), strict=True)
        ]
        copied_out: tuple[list[Buffer], ...] = (outputs, backs, [])
        self._forward, self._backward, self._update = (
            common.call(plan, buffers) for plan, buffers in zip(plans, copied_out, strict=True)
        )
        self._backward.leave(common.shown(), [])
        self._x, self._flat = x, isinstance(x, np.ndarray)
        self._backs = [(one is not None, value) for one, value in zip(shown_back, given.values(), strict=True)]
        self.forwarded = False

    def watch(self) -> None:
        for one in (self._forward, self._backward, self._update):
            one.watch(watch_training(processor.core(), self._common.optim))

    def forward(self, x: Any) -> Any:
        """The output, or NotImplemented."""
        if type(x) is np.ndarray:
            done = self._forward(x)
        else:
            done = self._forward(*(np.ascontiguousarray(leaf) for leaf in leaves(x) if leaf is not None))
        if done is NotImplemented or done is None:
            return NotImplemented
        self.forwarded = True
        return done if isinstance(self.output, Buffer) else nested(self.output, done)

    def backward(self, grad_output: Any) -> Any:
        """∂loss/∂x."""
        if not self.forwarded:
            raise errors.no_forward(self._network)
        if isinstance(self.output, Buffer) and type(grad_output) is np.ndarray:
            done = self._backward(grad_output)
        else:
            done = NotImplemented
        if done is NotImplemented:
            like = mapped(lambda buffer: np.broadcast_to(np.zeros((), buffer.dtype), buffer.shape), self.output)
            require_like(self._network, like, grad_output)
            parts = (leaf for leaf in leaves(filled(like, grad_output)))
            real = [np.ascontiguousarray(leaf) for leaf in parts if leaf is not None and leaf.dtype.kind == "f"]
            done = self._backward(*real)
        self.forwarded, self._common.in_use = False, True
        if self._flat and self._backs[0][0]:
            return done
        flat = iter(done if isinstance(done, tuple) else (done,))
        found = iter([next(flat) if there else _none(value) for there, value in self._backs])
        return mapped(lambda _leaf: next(found), self._x)

    def update(self) -> bool:
        """Whether the core could do it."""
        common = self._common
        if not common.in_use:
            return True
        if self._update() is NotImplemented:
            if not common.holds():
                return False
            common.state.refresh()
            self.watch()
            self._update()
        common.state.store()
        common.clear()
        return True


def require_like(network: Module, like: Any, grad: Any) -> None:
    """LinkShapeError unless a gradient is nested and shaped like the output, None where there is none."""
    if isinstance(like, tuple):
        if not isinstance(grad, tuple) or len(grad) != len(like):
            raise errors.LinkShapeError(
                f"{errors.shown(network)}: expected grad_output to be a tuple of {len(like)}, like the output, got "
                f"{type(grad).__name__}. Give None where there is no gradient."
            )
        for part, grad_part in zip(like, grad, strict=True):
            if grad_part is not None:
                require_like(network, part, grad_part)
    elif not isinstance(grad, np.ndarray) or grad.shape != like.shape or grad.dtype != like.dtype:
        raise errors.wrong_grad_output(network, like, grad)


def _none(value: Value) -> Array | None:
    """The gradient of an input that has no effect; None for integers and booleans."""
    return np.zeros(value.shape, value.buffer.dtype) if value.real else None


_PARTS = (("forward", "effects"), ("backward",), ("clip", "update"))


def _nothing(*_arrays: Any) -> Any:
    return NotImplemented
