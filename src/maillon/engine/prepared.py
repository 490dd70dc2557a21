"""What a learner prepares for one shape: a whole step, or forward, backward and update, as plans that Python calls."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from threading import Lock
from typing import Any

import numpy as np

from maillon.engine import leaving, processor
from maillon.engine.begun import drawn_alone
from maillon.engine.builder import Builder, NotLoweredError, Value, values_of
from maillon.engine.closure import RefusedError, TwoLoops
from maillon.engine.leaving import program_of
from maillon.engine.lowering import finish, given_inputs, lower_network, values_for
from maillon.engine.memory import Memory
from maillon.engine.origins import Origins
from maillon.engine.own import StepBegin
from maillon.engine.plan import Buffer, Plan, stream_of
from maillon.engine.predictor import nested, slot
from maillon.engine.step import Batches, copied, lower_training, rule_and_gradients
from maillon.engine.verify import verify
from maillon.engine.watch import watch_training
from maillon.nesting import filled, leaf_names, leaves, mapped
from maillon.nn import Module, Parameter
from maillon.nn.support import errors
from maillon.optim import LBFGS, Optim
from maillon.random import Generator, GeneratorState, default_generator
from maillon.typing import Array

_PARTS = (("forward", "effects"), ("backward",), ("clip", "update"))


class Common:
    """What the plans of all shapes share: the gradients, the rule's state, the streams."""

    def __init__(self, optim: Optim) -> None:
        self.optim = optim
        self.state, self.gradients = rule_and_gradients(optim)
        self.streams: dict[Generator, Any] = {}
        self.in_use = False  # gradients of a backward without an update
        self.gathered = optim.gathered  # as the core has left it
        self._default = default_generator()
        self._busy = Lock()  # while links of the user's own run another thread may come
        self._origins = Origins(optim, [])
        self._adding = [(p, buffer, buffer.array.reshape(p.shape)) for p, buffer in self.gradients.others]
        self._shown: list[tuple[Parameter, str, Array | None]] = []

    def holds(self) -> bool:
        """Whether the Optim is what it was."""
        return self._origins.hold() and self.state.holds

    def load(self) -> bool:
        """Take in what the next step adds to; whether the core has all of it then."""
        optim = self.optim
        if optim.waiting and (optim.gathered != self.gathered or any(p.grad is not view for p, _, view in self._shown)):
            return False
        for parameter, buffer, view in self._adding:
            grad = parameter.grad
            if grad is view:
                continue
            if grad is not None and (grad.shape, grad.dtype) != (parameter.shape, parameter.dtype):
                return False
            buffer.array[...] = 0 if grad is None else grad.reshape(-1)
        return True

    @property
    def adds(self) -> bool:
        """Whether there are gradients that add up over the steps."""
        return bool(self._adding) or self.gradients.gathers

    def carry_out(self, plan: Plan, begin: StepBegin, work: Callable[[], Any]) -> Any:
        """What `work` gives: None where the numbers went wrong. Then, or when it raises, it leaves nothing behind."""
        if default_generator() is not self._default or not self._busy.acquire(blocking=False):
            return NotImplemented
        for generator in plan.streams:
            self.streams[generator].count_from_here()
        states = [] if plan.own else [(generator, generator.get_state()) for generator in plan.streams]
        done, raised = None, True
        try:
            done = work()
            raised = False
        finally:
            try:
                if done is None:
                    self._go_back(plan, begin, states, raised=raised)
                else:
                    begin.end()
            finally:
                self._busy.release()
        return done

    def _go_back(
        self, plan: Plan, begin: StepBegin, states: list[tuple[Generator, GeneratorState]], *, raised: bool
    ) -> None:
        begin.go_back()
        if raised and self.gradients.half:
            self.optim.zero_grad()
        self.gradients.half = False
        for generator, state in states:
            if drawn_alone(self.streams[generator], generator, state):
                generator.set_state(state)

    def clear(self) -> None:
        self.gradients.whole.array[...] = 0
        self.in_use = False

    def call(self, plan: Plan, outputs: list[Buffer]) -> "Turn":
        """A verified plan, for Python to call; it owns the plan and its memory."""
        for generator in plan.streams:
            if generator not in self.streams:
                self.streams[generator] = stream_of(generator)
        core, program = processor.core(), program_of(plan, self.streams)
        threads = processor.threads_for(program.work)
        slots = [slot(buffer) for buffer in plan.inputs], [slot(buffer) for buffer in outputs]
        watch = watch_training(core, self.optim)
        made = core.Call(program, *slots, np.empty, watch, (plan, self), threads, processor.paced)
        return Turn(self, made, any(one.part == "update" for one in plan.operations), program.work >= leaving.LONG)

    def show(self, plan: Plan) -> list[tuple[Parameter, str, Array | None]]:
        """Let Python see the gradients that plans like this one leave: as views. Returns what is set."""
        if not self._shown:
            written = {one.operands[name] for one in plan.operations for name in one.written}
            for parameter in (one for group in self.optim.rule.param_groups for one in group["params"]):
                buffer = self.gradients.buffer(parameter) if self.state.moves(parameter) else None
                view = None if buffer is None else buffer.array.reshape(parameter.shape)
                self._shown.append((parameter, "grad", view))
            self._shown += [(p, "grad", view) for p, buffer, view in self._adding if buffer in written]
        for parameter, name, view in self._shown:
            setattr(parameter, name, view)
        return self._shown


@dataclass
class Turn:
    """A plan, or a part of one, that Python calls. moves: it moves the parameters. long: it may be left."""

    common: Common
    call: Any
    moves: bool
    long: bool
    left: bool = False

    def watch(self) -> None:
        """Take the Optim as it is now for what the plan was made from."""
        self.call.watch(watch_training(processor.core(), self.common.optim))

    def leave(self, plan: Plan) -> None:
        """To be called after each success: from the second one on `call` by itself leaves all that Python is to see."""
        if self.left:
            return
        state, self.left = self.common.state, True
        if self.moves:
            state.store()
        self.call.leave(self.common.show(plan), state.kept() if self.moves else [])
        self.watch()


class Step:
    """A whole step for mini-batches of one shape."""

    def __init__(self, common: Common, inputs: Any, target: Any, weight: Array | None) -> None:
        self._common, optim = common, common.optim
        rows, self._begin = len(leaves(inputs)[0]), StepBegin(once=not optim.rule.needs_closure)
        batches = Batches.of(inputs, target, weight, rows, shuffle=False)
        plan = lower_training(optim, batches, rows, common.state, common.gradients, Memory(), self._begin, shown=True)
        self.plan, self._one = plan, isinstance(plan.output, Buffer)
        kinds = [one.kind for one in plan.operations]
        self._clear = kinds.index("clear") if common.gradients.gathers else len(kinds)
        self._divide = kinds.index("divide") if common.gradients.gathers else len(kinds)
        first = replace(plan, operations=plan.operations[: self._clear])
        self._first = common.call(first, plan.outputs[:1] if self._one else [])
        self._begin.streams = common.streams
        assert plan.result is not None
        loss = (optim.loss, "denominator") if optim.loss.averages else ()
        self._first.call.step(plan.result.address, (optim, "prediction") if self._one else (), loss)
        self._further: dict[tuple[bool, bool], Turn] = {}

    @cached_property
    def _loops(self) -> TwoLoops:
        return TwoLoops()

    @property
    def fast(self) -> Callable[..., Any]:
        """What a step costs least by: arrays to the loss, None where the numbers went wrong, or NotImplemented."""
        more = self.plan.own or self.plan.streams or self._common.adds or self._common.optim.rule.needs_closure
        plain = self._one and not (more or self._first.long)
        return self._first.call if self._first.left and plain else self.run

    def watch(self) -> None:
        for turn in (self._first, *self._further.values()):
            turn.watch()

    def run(self, *arrays: Array) -> Any:
        """The same, whatever the plan holds. A step that fails leaves nothing behind."""
        common, optim = self._common, self._common.optim
        if not common.load():
            return NotImplemented
        gathers = common.gradients.gathers
        prediction, denominator = optim.prediction, optim.loss.denominator
        divisor = float(common.gradients.divisor.array[0]) if gathers else 0.0
        once = self._search if optim.rule.needs_closure else self._first.call
        work = partial(self._gather if gathers else once, *arrays)
        done = None
        try:
            done = common.carry_out(self.plan, self._begin, work)
        except BaseException:
            if self._first.long and not gathers:  # it may have been left in the middle of its backward
                optim.zero_grad()
            raise
        finally:
            if done is None:
                optim.prediction = prediction
                if optim.loss.averages:
                    optim.loss.denominator = denominator
                if gathers:
                    common.gradients.divisor.array[0] = divisor
        if type(done) is not float:
            return done
        self._first.leave(self.plan)
        if not (self._one or optim.rule.needs_closure):
            optim.prediction = copied(self.plan.output)
        return done

    def _search(self, *arrays: Array) -> Any:
        """A step of a rule that looks at the loss several times; the prediction is the one before it."""
        optim, predictions = self._common.optim, []
        rule = optim.rule
        assert isinstance(rule, LBFGS)
        self._begin.note()
        before = [] if self.plan.own else [(array, array.copy()) for array in self.plan.changing]

        def closure() -> float:
            done = self._first.call(*arrays)
            if type(done) is not float:
                raise RefusedError(done)
            self._first.leave(self.plan)
            predictions.append(optim.prediction if self._one else copied(self.plan.output))
            return done

        loss: float | None = None
        try:
            loss = float(rule.search(closure, self._loops))
        except RefusedError as error:
            return None if predictions else error.args[0]
        finally:
            if loss is None:
                for array, values in before:
                    array[...] = values
        optim.prediction = predictions[0]
        return loss

    def _gather(self, *arrays: Array) -> Any:
        """One mini-batch's gradients added to those that wait. They move the parameters when enough are there."""
        common, optim, divisor = self._common, self._common.optim, self._common.gradients.divisor.array
        count, so_far = optim.gathered
        divisor[0] = math.nan if so_far is None else so_far
        done = self._first.call(*arrays)
        if type(done) is not float:
            return done
        due = count + 1 >= optim.accumulate
        if due and divisor[0] == 0:  # the mean of nothing: NumPy says so
            return None
        now = float(divisor[0])
        turn = self._turn(count == 0, due)
        if turn.call() != ():
            return None
        turn.leave(self.plan)
        optim.gathered = common.gathered = (0, None) if due else (count + 1, None if math.isnan(now) else now)
        return done

    def _turn(self, first: bool, due: bool) -> Turn:
        """What follows the loss, as long as gradients are gathered."""
        turn = self._further.get((first, due))
        if turn is None:
            operations = self.plan.operations[self._clear + (not first) : None if due else self._divide]
            plan = replace(self.plan, operations=operations, inputs=[], output=())
            turn = self._further[first, due] = self._common.call(plan, [])
        return turn


class Pass:
    """Forward, backward and update for inputs of one shape."""

    def __init__(self, common: Common, x: Any) -> None:
        self._common, optim = common, common.optim
        if optim.rule.needs_closure:
            raise NotLoweredError("a rule that looks at the loss several times has no parts")
        self._network = optim.network
        b = Builder(common.gradients.whole.dtype, Memory(), common.gradients)
        b.adding = True
        arrays = dict(zip(leaf_names(x, "x"), leaves(x), strict=True))
        given = given_inputs(b, {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)})
        for value in given.values():
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
        self._begin = StepBegin()
        self._begin.take(b, [])
        parts = [[one for one in b.operations if one.part in which] for which in _PARTS]
        outputs, subject = leaves(self.output), (optim.network,)
        backs = [buffer for buffer in shown_back if buffer is not None]
        inputs = [[value.buffer for value in given.values()], [value.buffer for value in starts], []]
        changing: tuple[list[Array], ...]
        changing = b.changing, [common.gradients.whole.array, *common.gradients.gathering], []
        plans = [
            Plan(subject, b.dtype, 1, operations, read, written, None, b.streams, b.own, changed)
            for operations, read, written, changed in zip(
                parts, inputs, (self.output, shown_back, ()), changing, strict=True
            )
        ]
        for plan in plans:
            verify(plan)
        self._plan, self._guarded = plans[1], bool(b.own or b.streams)
        copied_out: tuple[list[Buffer], ...] = (outputs, backs, [])
        self._forward, self._backward, self._update = (
            common.call(plan, buffers) for plan, buffers in zip(plans, copied_out, strict=True)
        )
        self._begin.streams = common.streams
        self._x, self._flat = x, isinstance(x, np.ndarray)
        self._backs = [(one is not None, value) for one, value in zip(shown_back, given.values(), strict=True)]
        self.forwarded = False

    def watch(self) -> None:
        for one in (self._forward, self._backward, self._update):
            one.watch()

    def forward(self, x: Any) -> Any:
        """The output, or NotImplemented."""
        arrays = (
            [x] if type(x) is np.ndarray else [np.ascontiguousarray(leaf) for leaf in leaves(x) if leaf is not None]
        )
        before, self.forwarded = self.forwarded, False
        if self._guarded:
            done = self._common.carry_out(self._plan, self._begin, partial(self._forward.call, *arrays))
        else:
            done = self._forward.call(*arrays)
        if done is NotImplemented:
            self.forwarded = before
        if done is NotImplemented or done is None:
            return NotImplemented
        self.forwarded = True
        return done if isinstance(self.output, Buffer) else nested(self.output, done)

    def backward(self, grad_output: Any) -> Any:
        """∂loss/∂x."""
        if not self.forwarded:
            raise errors.no_forward(self._network)
        self._common.load()
        if isinstance(self.output, Buffer) and type(grad_output) is np.ndarray:
            done = self._walk_back(grad_output)
        else:
            done = NotImplemented
        if done is NotImplemented:
            like = mapped(lambda buffer: np.broadcast_to(np.zeros((), buffer.dtype), buffer.shape), self.output)
            require_like(self._network, like, grad_output)
            parts = (leaf for leaf in leaves(filled(like, grad_output)))
            real = [np.ascontiguousarray(leaf) for leaf in parts if leaf is not None and leaf.dtype.kind == "f"]
            done = self._walk_back(*real)
        self.forwarded, self._common.in_use = False, True
        self._backward.leave(self._plan)
        if self._flat and self._backs[0][0]:
            return done
        flat = iter(done if isinstance(done, tuple) else (done,))
        found = iter([next(flat) if there else _none(value) for there, value in self._backs])
        return mapped(lambda _leaf: next(found), self._x)

    def _walk_back(self, *grads: Array) -> Any:
        """The backward. Where a link of the user's own ends it the gradients stay what they are."""
        if not self._plan.own:
            self.forwarded = False
            done = self._backward.call(*grads)
            self.forwarded = done is NotImplemented
            return done
        gradients = self._common.gradients
        adding = [(array, array.copy()) for array in (gradients.whole.array, *gradients.gathering)]
        done = None
        try:
            done = self._backward.call(*grads)
        finally:
            if done is None:
                self.forwarded = False
                for array, values in adding:
                    array[...] = values
        if done is None:
            names = " and ".join(dict.fromkeys(errors.shown(own) for own in self._plan.own))
            raise errors.LinkStateError(
                f"{names}: expected gradients of what had some when it was tried, inputs and parameters, got others. "
                "Call forward and backward of the network itself, not of the learner."
            )
        return done

    def update(self) -> bool:
        """Whether the core could do it."""
        common = self._common
        if not common.in_use:
            return True
        if self._update.call() is NotImplemented:
            if not common.holds():
                return False
            common.state.refresh()
            self.watch()
            if self._update.call() is NotImplemented:
                return False
        self._update.leave(self._plan)
        common.clear()
        common.optim.gathered = common.gathered = 0, None
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
