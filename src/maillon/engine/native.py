"""A training carried out by the core: its stepper, and how its plans are made."""

import math
import time
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from maillon.engine import leaving, processor
from maillon.engine.begun import Begun
from maillon.engine.builder import NotLoweredError
from maillon.engine.leaving import program_of, writer_of
from maillon.engine.orders import Epochs, order_of
from maillon.engine.origins import Origins
from maillon.engine.own import StepBegin
from maillon.engine.plan import Plan, address, stream_of
from maillon.engine.recording import recorded, seen
from maillon.engine.step import Batches, Beginning, copied, lower_training
from maillon.engine.stepper import SLICE_S, Place, Schedule, Slice, never
from maillon.engine.timetable import Timetable, moves
from maillon.engine.verify import verify_sums, verify_training
from maillon.optim import Optim
from maillon.random import GeneratorState, default_generator
from maillon.typing import Array

_MOST_EPOCHS = 4096  # ends of epochs in one slice: what the array of their losses holds
_LIGHT_BYTES = 2**22  # parameters and momenta that are worth copying once a slice; beyond, steps copy what they spoil
_FEW = 8  # steps that are not as planned, and one in so many
_ENDINGS = ("steps", "epochs", "time", "trouble", "left")


class Runner:
    """The core's stepper: one training of an Optim on arrays.

    Raises NotLoweredError, with the reason, for what the core cannot do. Parameters, momenta and the generators'
    streams are changed in place.

    interrupted: asked every ASK_S in a step that takes long, whether it is to be left: then its slice ends. A handler
    of a signal may end it as well, by what it raises. A step that was left is as if it had not begun.
    own: links and losses that run in NumPy, with the reason. beginning: as far as the plans are lowered already.
    """

    by_closure: ClassVar[bool] = False
    """Whether it is for rules that look at the loss several times in a step."""

    @property
    def engine(self) -> str:
        """native, and what runs in NumPy meanwhile."""
        return f"native, with NumPy for: {', '.join(self._in_python)}" if self._in_python else "native"

    def __init__(
        self,
        optim: Optim,
        batches: Batches,
        beginning: Beginning | None = None,
        interrupted: Callable[[], bool] = never,
    ) -> None:
        self.optim = optim
        self.batches = batches
        self._interrupted = interrupted
        self.loss = float("nan")
        self.steps = 0
        self.batch = 0
        self._shown = True  # Python sees the gradients of the last step
        self._stepped = False  # a step has added to those outside of the rule since then
        self._refused = False  # the next step is NumPy's to do
        self._unlike = False  # the last one's was not as planned
        self._unplanned = 0  # how many were not
        self._in_python: list[str] = []  # the classes of all links and losses that have run in NumPy
        self._error: BaseException | None = None  # what a link of the user's own has raised in the next step
        self._ordered = False  # the order of that step's epoch is drawn already
        self._before_order: GeneratorState | None = None  # of the generator, where it was not the core that drew it
        self._order = np.empty(len(batches.first), np.int64)
        # The core shuffles all that it goes through: where rows are left out, each epoch's order is drawn here.
        self._draws = callable(batches.shuffle) or (batches.shuffle and batches.rows < len(batches.first))
        self._ends = np.empty((_MOST_EPOCHS, 3))
        self._epochs = Epochs(batches.shuffle, self._order, self._ends)
        self._lower(Beginning(optim) if beginning is None else beginning)
        self._load_gradients()

    def _lower(self, beginning: Beginning) -> None:
        """Make the plans; where that is not possible everything stays as it is."""
        if self.optim.rule.needs_closure != self.by_closure:
            times = "several times" if self.by_closure else "once"
            raise NotLoweredError(f"{self.optim.rule!r} has taken the place of a rule that looks at the loss {times}")
        optim, batches, generator = self.optim, self.batches, default_generator()
        state, gradients, forwards = beginning.rule_state(), beginning.gradients, beginning.forwards
        memory, begin = beginning.memory, StepBegin(once=not self.by_closure)
        full = min(batches.size, batches.rows)
        whole = lower_training(optim, batches, full, state, gradients, memory, begin, forwards.get(full))
        short = batches.rows % batches.size if batches.rows > batches.size else 0
        rest = None
        if short:
            rest = lower_training(optim, batches, short, state, gradients, memory, begin, forwards.get(short))
        self._generator, self.state, self.gradients = generator, state, gradients
        self.whole, self.rest, self.own, self._begin = whole, rest, whole.own, begin
        self._in_python = list(dict.fromkeys([*self._in_python, *(type(own).__name__ for own in whole.own)]))
        self._changing = [each.parameter.data for each in state.trained] + state.arrays
        self._changing += whole.changing
        heavy = sum(array.nbytes for array in self._changing) > _LIGHT_BYTES
        self._keeps = heavy and not (self.own or self.by_closure)
        self._prepare(full)
        self._origins = Origins(optim, list(self._streams))
        arrays = [gradients.whole.array, *self._changing]
        self.bytes = memory.bytes + sum(array.nbytes for array in arrays)  # about what it takes

    def _prepare(self, full: int) -> None:
        """Hand the plans to the core."""
        core, data, rows = processor.core(), list(self.batches.feeds()), self.batches.rows
        verify_training(self.whole, self.rest, data, rows, self._order if self.batches.shuffle else None)
        shuffles = self.batches.shuffle and not self._draws
        generators = list(dict.fromkeys([*self.whole.streams, *([self._generator] * shuffles)]))
        self._streams = self._begin.streams = {generator: stream_of(generator) for generator in generators}
        plans = [plan for plan in (self.whole, self.rest) if plan]
        keeping = self._keeping(plans)
        programs = self._programs = [program_of(plan, self._streams, keeping) for plan in plans]
        self._writers = [writer_of(plan) for plan in plans]
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
        self._training.ask(self._interrupted, leaving.ASK_S)
        self._work = programs[0].work

    def _keeping(self, plans: list[Plan]) -> list[Array] | None:
        """What each step copies at its beginning to be there again should it fail; None where the slice's do so."""
        if not self._keeps:
            return None
        read = (one.operands[name] for plan in plans for one in plan.passing for name in ("dy", "x"))
        return list({(buffer.address, buffer.size): buffer.array for buffer in read}.values())

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

    @property
    def restartable(self) -> bool:
        """Whether `restart` is enough for another training of the same making: nothing has gone another way."""
        gone = self.own or self._refused or self._unlike or self._error is not None or self._ordered
        return not (gone or self.gradients.gathers or self.gradients.others or self.by_closure)

    def restart(self) -> None:
        """As if no step had been made, with the parameters, options and words that there are now."""
        training = self._training
        self.state.restart()
        self.loss, self.steps, self.batch = float("nan"), 0, 0
        training.position, training.total, training.size = 0, 0.0, 0.0
        self._shown, self._stepped, self.gradients.half = True, False, False

    def run(
        self,
        max_steps: int,
        max_epochs: int,
        record: bool = False,
        schedule: Schedule | None = None,
        seconds: float = SLICE_S,
    ) -> Slice:
        """Go on until one of the limits is reached.

        A step whose loss is not finite, or which a probability out of range would spoil, is done by NumPy, which raises
        the error that says what happened.
        """
        if self._error is not None:
            raise self._taken_error()
        begun = int(self._training.position)
        if not begun:
            self.batch = 0
        if self._refused:
            return self._in_numpy(record, schedule)
        self._require_planned()
        self._take_in()
        if self._draws and not (begun or self._ordered):
            self._draw_order()
        room, most, epochs = self._limits(max_steps, max_epochs, record)
        done = self._slice(most, epochs, schedule, seconds)
        if done is None:
            return self._in_numpy(record, schedule)
        if record:
            done.seen = seen(room, self.optim.prediction, self.batches, self._order, begun, done.steps)
        return done

    def _require_planned(self) -> None:
        """NotLoweredError where too many steps were not as planned."""
        names = " and ".join(self._in_python)
        if self.own and self._unplanned > max(_FEW, self.steps // _FEW):
            raise NotLoweredError(f"{names} give other shapes, or gradients to other parameters, from step to step")

    def _draw_order(self) -> None:
        """The order of the rows in the next epoch, where the core does not draw it."""
        self._before_order = self._generator.get_state()
        self._order[:] = order_of(self.batches.shuffle, len(self._order), self._generator)

    def _slice(self, most: int, epochs: int, schedule: Schedule | None, seconds: float) -> Slice | None:
        """A slice by the core, no longer than that; None where its first step is NumPy's to do."""
        timetable = None if schedule is None else self._timetable(schedule)
        if timetable is not None:
            epochs = 1 if self._draws else epochs
            epochs = timetable.foresee(self._moves(most, epochs), epochs)
        before = self._begun(whole=most > 1 and not self.own)
        if self.own and self.batches.shuffle and not (self._draws or self._training.position):
            self._before_order = before.streams.get(self._generator)
        steps, ended, ending = self._epochs.run(self._core_steps, self._generator, most, epochs, seconds)
        self._training.record(0, 0, 0)
        ends = self._ends[:ended].copy()
        if _ENDINGS[ending] == "trouble":
            steps, ended = self._after_trouble(before, steps, ended, timetable)
            if not steps:
                return None
        done = Slice(steps, ends[:ended])
        if steps:
            self._hand_out(steps)
        if left := _ENDINGS[ending] == "left":
            self._undo_left(before)
        if self._error is not None and (left or not isinstance(self._error, Exception)):
            done.error = self._taken_error()
        if timetable is not None:
            timetable.end(done)
        return done

    def _limits(self, max_steps: int, max_epochs: int, record: bool) -> tuple[Array | None, int, int]:
        """Where predictions are recorded, and how many steps and epochs a slice may have."""
        rests = self.gradients.gathers and self.optim.accumulate <= 1  # one more step gathers
        one = self._draws and (not callable(self.batches.shuffle) or self.gradients.gathers)
        one = one or (bool(self.own) and self._work >= leaving.LONG)
        most, epochs = 1 if rests else max_steps, 1 if one else min(max_epochs, _MOST_EPOCHS)
        verify_sums(self._ends, epochs)
        room = recorded(self.whole, self._training, self.batches.rows, most) if record else None
        if record:
            most = 1 if room is None else len(room) // self.whole.rows
        return room, most, epochs

    def _after_trouble(self, before: Begun, steps: int, ended: int, timetable: Timetable | None) -> tuple[int, int]:
        """As if the step that failed had not been tried; the steps and epochs done. Raises what its links raised."""
        if self.own:
            self._go_back_a_step()
        else:
            if self._keeps:
                before.draw_back(self._streams, to_step=True)
            else:
                steps, ended = self._go_back(before, steps, ended, timetable)
            self._refused = True
        if not steps and self._error is not None:
            raise self._taken_error()
        return steps, ended

    def _timetable(self, schedule: Schedule) -> Timetable:
        return Timetable(schedule, self._training, self.state.options, self._read_options)

    def _moves(self, steps: int, epochs: int) -> list[int]:
        """How often the parameters will have moved at the end of each epoch."""
        training, batches, gathers = self._training, self.batches, self.gradients.gathers
        each = -(-batches.rows // batches.size)
        return moves(
            steps,
            epochs,
            left=each - int(training.position) // batches.size,
            each=each,
            gathered=int(training.gathered) if gathers else 0,
            accumulate=int(training.accumulate) if gathers else 1,
        )

    def _read_options(self) -> list[float]:
        """The rule's options; NotLoweredError where they are none of these plans."""
        if not self._origins.switches_hold():
            raise NotLoweredError("options change that decide which operations there are")
        return self.state.read_options()

    def _take_in(self) -> None:
        """What may have changed since the last slice: options and counts, or what the plans were made from."""
        if self._origins.hold() and self.state.holds and not self._unlike:
            self.state.refresh()
        else:
            self.show()
            old = self._training
            self._lower(Beginning(self.optim))
            self._training.position, self._training.total, self._training.size = old.position, old.total, old.size
            self._unlike = False
        self._load_gradients()

    def _load_gradients(self) -> None:
        """Those that add up over the steps, or over those of a gathering: as Python has them now."""
        optim, gradients, training = self.optim, self.gradients, self._training
        if not self._shown or not (gradients.gathers or gradients.others):
            return  # Python has not seen them since the last step, or none add up
        adding = list(gradients.others)
        if optim.waiting:
            for parameter in (parameter for group in optim.rule.param_groups for parameter in group["params"]):
                buffer = gradients.buffer(parameter)
                if buffer is not None:
                    adding.append((parameter, buffer))
                elif parameter.grad is not None:
                    raise NotLoweredError("a parameter that does not learn has a gradient among those gathered")
        for parameter, buffer in adding:
            grad = parameter.grad
            if grad is None:
                buffer.array[...] = 0
                continue
            if not isinstance(grad, np.ndarray) or (grad.shape, grad.dtype) != (parameter.shape, parameter.dtype):
                raise NotLoweredError(f"the gradient of {buffer.name[1:]} is not like it")
            buffer.array.reshape(grad.shape)[...] = grad
        if gradients.gathers:
            training.accumulate = min(max(optim.accumulate, 1), 2**62)
            training.gathered, divisor = optim.gathered
            gradients.divisor.array[0] = np.nan if divisor is None else divisor

    def _hand_out(self, steps: int) -> None:
        """What the last step has left. `show` takes the gradients, but those passed on are written now.

        The next step spoils what they are made of; those in memory it does not spoil without replacing them.
        """
        optim, position = self.optim, int(self._training.position)
        self.steps += steps
        self.batch = -(-(position or self.batches.rows) // self.batches.size)
        self.loss = float(self._result[0])
        if optim.loss.averages:
            optim.loss.denominator = float(self._result[1])
        if not self.gradients.gathers:
            self.state.store()
        else:
            if self._training.gathered != optim.gathered[0] + steps:  # the rule has moved the parameters
                self.state.store()
            self._hand_out_gathered()
        last = self.whole if position or self.rest is None else self.rest
        optim.prediction = copied(last.output)
        if writer := self._writers[last is not self.whole]:
            writer.run(processor.threads_for(writer.work), processor.paced)
        self._shown, self._stepped = False, True

    def _hand_out_gathered(self) -> None:
        divisor = float(self.gradients.divisor.array[0])
        self.optim.gathered = int(self._training.gathered), None if math.isnan(divisor) else divisor

    def show(self) -> None:
        """Let Python see the gradients too."""
        if self._shown:
            return
        half, self.gradients.half = self.gradients.half, False
        for parameter in (parameter for group in self.optim.rule.param_groups for parameter in group["params"]):
            none = half or not self.state.moves(parameter)
            buffer = None if none else self.gradients.buffer(parameter)
            parameter.grad = None if buffer is None else buffer.array.reshape(parameter.shape).copy()
        for parameter, buffer in self.gradients.others if self._stepped else ():
            parameter.grad = buffer.array.reshape(parameter.shape).copy()
        self._shown, self._stepped = True, False

    def flush(self) -> bool:
        """What is gathered moves the parameters: in NumPy where the core cannot, or where an error is to be raised."""
        waiting = self.optim.waiting
        if waiting and self._flushes():
            self._training.flush()
            self.state.store()
            self._hand_out_gathered()
            self._shown = False
        elif waiting:
            self.show()
            self.optim.flush()
        return waiting

    def _flushes(self) -> bool:
        """Whether the core has all that is gathered, and something to divide it by."""
        if self._shown:
            try:
                self._take_in()
            except NotLoweredError:
                return False
            if any(each.moves and each.parameter.grad is None for each in self.state.trained):
                return False
        return self.gradients.divisor.array[0] != 0

    def _core_steps(self, most: int, epochs: int, seconds: float, row: int = 0) -> tuple[int, int, int]:
        """Let the core run: the steps done, the epochs ended, and why it stopped. row: of the first epoch's sums."""
        threads, ends = processor.threads_for(self._work), address(self._ends[row:])
        try:
            done: tuple[int, int, int] = self._training.run(threads, processor.paced, most, epochs, seconds, ends)
        except BaseException:
            self._begin.end()
            raise
        if _ENDINGS[done[2]] not in ("trouble", "left"):
            self._begin.end()
        return done

    def _begun(self, whole: bool) -> Begun:
        """What a slice begins from; words count from here. whole=False is enough for one whose first step fails."""
        training = self._training
        for stream in self._streams.values():
            stream.count_from_here()
        drawn = self.whole.streams if training.position and not whole else self._streams
        ordered = self.batches.shuffle and (training.position or self._draws)
        arrays = [*self._changing, *[self._order] * bool(ordered)] if whole and not self._keeps else []
        return Begun.of(training, drawn, arrays)

    def _go_back(self, before: Begun, steps: int, ended: int, timetable: Timetable | None) -> tuple[int, int]:
        """As if the step that failed had not been tried: the slice's others once more, from its beginning.

        The same steps give the same bits, and what the failed one has overwritten is there again. Where another thread
        has drawn from a generator meanwhile there is no going back: it would draw its words a second time. Returns the
        steps and the epochs done.
        """
        if not before.draw_back(self._streams):
            return steps, ended
        if not steps:
            return 0, 0
        before.put_back()
        if timetable is not None:
            self.state.refresh()
            timetable.begin()
        self._training.ask(never, math.inf)
        done = self._epochs.run_again(self._core_steps, steps, _MOST_EPOCHS, math.inf)[:2]
        self._training.ask(self._interrupted, leaving.ASK_S)
        return done

    def _undo_left(self, before: Begun) -> None:
        """As if the step that was left had not begun. The core has put its arrays back."""
        if self.own:
            self._begin.go_back()
        else:
            before.draw_back(self._streams, to_step=True)
        self._undraw_order()
        self.gradients.half = not (self._shown or self.gradients.gathers)
        self._error = self._training.take_raised()

    def _undraw_order(self) -> None:
        """Let the order of an epoch of which no step is done be drawn again, unless somebody else has drawn since."""
        state = self._before_order
        if not self._training.position and state and self._generator.has_drawn(len(self._order) - 1, state):
            self._generator.set_state(state)

    def _go_back_a_step(self) -> None:
        """As if the step that failed had not been tried, without doing the others once more.

        They may hold links of the user's own, which are not called twice for one step.
        """
        position = int(self._training.position)
        short = self.rest is not None and self.batches.length(position) < self.batches.size
        self._begin.go_back()
        self._error = self._programs[short].take_raised()
        self._refused = self._unlike = self._error is None
        self.gradients.half &= not self._refused
        self._ordered = not position

    def _taken_error(self) -> BaseException:
        """To be raised, once."""
        error, self._error = self._error, None
        assert error is not None
        if self.gradients.half:
            self.optim.gathered, self._shown = (0, None), False
        return error

    def _in_numpy(self, record: bool, schedule: Schedule | None) -> Slice:
        """The step that the core has refused, by NumPy: from the same numbers, drawing the same words."""
        self.show()
        batches, position, started = self.batches, int(self._training.position), time.perf_counter()
        if not position and batches.shuffle and not (self._draws or self._ordered):
            self._order[:] = default_generator().randperm(batches.rows)
        x, target, weight = batches.part(batches.rows_at(position, self._order))
        self.loss = self.optim.learn(x, target, weight)
        self._refused = self._ordered = False
        self._unplanned += self._unlike
        return self._noted(started, record, schedule)

    def _noted(self, started: float, record: bool, schedule: Schedule | None) -> Slice:
        """The step that Python has done, in the books."""
        optim, batches, training = self.optim, self.batches, self._training
        self.steps += 1
        size = optim.loss.denominator if optim.loss.averages else 1.0
        training.total, training.size = training.total + self.loss * size, training.size + size
        position = int(training.position)
        rows, length = batches.rows_at(position, self._order), batches.length(position)
        training.position = position = position + length
        self.batch = -(-position // batches.size)
        done = Slice(1, np.empty((0, 3)), [(optim.prediction, batches.part(rows)[1], length)] if record else [])
        if position == batches.rows:
            done.epochs = np.array([(training.total, training.size, time.perf_counter() - started)])
            training.position, training.total, training.size = 0, 0.0, 0.0
        if schedule is not None and schedule.by_step and not optim.waiting:
            schedule.step()
        return done
