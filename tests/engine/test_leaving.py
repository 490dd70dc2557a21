"""Steps left before their end, by Ctrl-C or a handler of a signal: as if they had not begun, to the bit."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import resuming
import trainings
from cores import threads
from own_links import Own
from resuming import Made, differences, train

import maillon as m
from maillon import optim
from maillon.engine import leaving, predictor, prepared
from maillon.engine.plan import Plan
from maillon.nn.support.errors import LinkStateError
from maillon.random import Generator, default_generator
from maillon.train import interrupt, stepping

pytestmark = pytest.mark.usefixtures("core")


@pytest.fixture(autouse=True)
def _asked_everywhere() -> Iterator[None]:
    """Every program may be left, at every operation up to its last gradient, by a team of two."""
    always = patch.multiple(leaving, LONG=0.0, ASK_S=0.0, WORTH_COPIES=0)
    with always, threads(2, worth=0):
        yield


class Asked:
    """The questions that the core asks in the middle of steps; at one of them somebody does something."""

    def __init__(self, at: int = 0, do: Callable[[], Any] = lambda: signal.raise_signal(signal.SIGINT)) -> None:
        self.at, self.do, self.count = at, do, 0

    @contextmanager
    def in_fit(self) -> Iterator[None]:
        original = stepping.runner_of

        def runner_of(learner: m.Optim, batches: Any, beginning: Any, interrupted: Callable[[], bool]) -> Any:
            def asked() -> bool:
                self.count += 1
                if self.count == self.at:
                    self.do()
                return interrupted()

            return original(learner, batches, beginning, asked)

        with patch.object(stepping, "runner_of", runner_of), patch.object(interrupt, "_pressed", float("-inf")):
            yield


def with_own_links() -> Made:
    """Links of one's own, which draw, among those of the core."""
    m.manual_seed(3)
    links = [m.Linear(64, 64), m.Dropout(0.2), Own(64), m.BatchNorm1d(64), m.Linear(64, 64)]
    learner = m.Optim(m.Sequential(*links).to("float64"), m.MSELoss(), optim.Adam(lr=1e-3))
    return Made(learner, (trainings.X, trainings.X), {"batch_size": trainings.BATCH, "epochs": 2, "engine": "native"})


def without_the_rest() -> Made:
    made = trainings.training("norms of rows", "float64", epochs=3)
    made.options |= {"drop_last": True, "generator": Generator(6)}
    return made


def watched() -> Made:
    made = trainings.training("dropouts", "float32")
    made.options |= {"metrics": "mae", "schedule": optim.lr_scheduler.LinearLR(total_iters=3), "step_schedule": True}
    return made


def outside_of_the_rule() -> Made:
    """Parameters that no rule moves: their gradients add up."""
    made = trainings.training("joints", "float64")
    made.optim.rule.param_groups[0]["params"].pop()
    return made


MADE: dict[str, Callable[[], Made]] = {
    **{name: lambda name=name: trainings.training(name, "float32") for name in trainings.PROBLEMS},
    **{made.__name__: made for made in (with_own_links, without_the_rest, outside_of_the_rule)},
}


@pytest.mark.parametrize("name", MADE)
def test_a_training_left_and_resumed_ends_with_the_same_bits(name: str, tmp_path: Path) -> None:
    """Several times: in an epoch's first step, in its middle, in its short last one."""
    make, path = MADE[name], tmp_path / "run.safetensors"
    with patch.object(leaving, "LONG", np.inf):
        wanted = train(make())
    whole = Asked()
    with whole.in_fit():
        assert differences(train(make()), wanted) == [], "to be asked changes nothing"
    options = {"checkpoint": m.train.Checkpoint(path, 10**9), "resume": path}
    for share in (0.0, 0.1, 0.3, 0.2, 0.25):
        asked, made = Asked(at=1 + int(share * whole.count)), make()
        with asked.in_fit():
            history = m.fit(made.optim, *made.data, progress=False, **{**made.options, **options})
        assert history.interrupted
        assert asked.count == asked.at, "left at once"
    assert differences(train(make(), **options), wanted) == []


class StopAt(m.Callback):
    """After so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(self, state: m.train.State) -> None:
        state.stopping = state.step == self.steps


def after(make: Callable[[], Made], steps: int) -> dict[str, Any]:
    """What a training leaves that ends by itself after so many steps."""
    made = make()
    if not steps:
        made.options["epochs"] = 0
    return train(made, callbacks=StopAt(steps))


WITH_EFFECTS = ["dropouts", "norms of rows", "tables", "joints", "rule: LBFGS", "with_own_links", "without_the_rest"]


@pytest.mark.parametrize("copies", [0, 10**9])
@pytest.mark.parametrize("name", [*WITH_EFFECTS, "outside_of_the_rule"])
def test_wherever_a_step_is_left_nothing_of_it_stays(name: str, copies: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where copies would cost too much: then it is left before it changes anything."""
    monkeypatch.setattr(leaving, "WORTH_COPIES", copies)
    make, wanted, whole = MADE[name], {}, Asked()
    with whole.in_fit():
        train(make())
    for at in range(1, whole.count, 1 + whole.count // 30):
        asked, made = Asked(at), make()
        with asked.in_fit():
            history = m.fit(made.optim, *made.data, progress=False, **made.options)
        assert history.interrupted
        wanted[history.steps] = wanted.get(history.steps) or after(make, history.steps)
        assert set(differences(resuming.left(made, history), wanted[history.steps])) <= {"ends"}, at
    assert len(wanted) > 2


# What a handler of a signal raises


class AlarmError(Exception):
    """Raised by a handler of the user's own."""


def alarmed(_signum: int, _frame: Any) -> None:
    raise AlarmError


@pytest.fixture
def alarm() -> Iterator[Callable[[], None]]:
    """Sends the signal."""
    before = signal.signal(signal.SIGUSR1, alarmed)
    yield lambda: signal.raise_signal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def twice() -> None:
    for _ in range(2):
        signal.raise_signal(signal.SIGINT)


def learnt(made: Made) -> Any:
    generators = [default_generator(), *(getattr(link, "generator", None) for link in made.optim.network.modules())]
    return resuming.bits([made.optim.network, made.optim.loss, made.optim.rule, *generators])


@pytest.mark.parametrize("pressed", [False, True])
@pytest.mark.parametrize("name", [name for name in WITH_EFFECTS if name != "joints"])  # which ends by an update
def test_an_exception_arrives_and_leaves_whole_steps(name: str, pressed: bool, alarm: Callable[[], None]) -> None:
    """Of a handler, and KeyboardInterrupt of the second Ctrl-C."""
    make, whole, known = MADE[name], Asked(), []
    with whole.in_fit():
        train(make())
    for steps in range(4):
        made = make()
        if steps:
            train(made, callbacks=StopAt(steps))
        known.append(learnt(made))
    for at in range(1, whole.count, 1 + whole.count // 7):
        made = make()
        with Asked(at, twice if pressed else alarm).in_fit(), pytest.raises((AlarmError, KeyboardInterrupt)) as caught:
            train(made)
        assert caught.type is (KeyboardInterrupt if pressed else AlarmError)
        assert learnt(made) in known, at


@contextmanager
def raised_in_calls(at: int) -> Iterator[list[int]]:
    """AlarmError from the so many-th question in prepared plans; how many there were."""
    count, original = [0], leaving.program_of

    def asked() -> bool:
        count[0] += 1
        if count[0] == at:
            raise AlarmError
        return False

    def program_of(plan: Plan, streams: Any) -> Any:
        made = original(plan, streams)
        made.ask(asked, 0.0)
        return made

    with patch.object(prepared, "program_of", program_of), patch.object(predictor, "program_of", program_of):
        yield count


def steps_of(made: Made, count: int) -> list[float]:
    """So many learning steps, each tried again where it was left; the losses."""
    learner, losses = m.compile(made.optim), []
    while len(losses) < count:
        before = learnt(made)
        try:
            losses.append(learner.step(*made.data))
        except AlarmError:
            assert learnt(made) == before
    return losses


@pytest.mark.parametrize("name", [*WITH_EFFECTS[:-1], "norms of images", "recurrent"])
def test_a_step_of_a_learner_that_was_left_can_be_tried_again(name: str) -> None:
    with raised_in_calls(at=0) as questions:
        wanted = steps_of(whole := MADE[name](), 3)
    assert questions[0] > 8
    for at in range(1, questions[0], 1 + questions[0] // 12):
        with raised_in_calls(at) as count:
            found = steps_of(made := MADE[name](), 3)
        assert count[0] > at
        assert (found, learnt(made)) == (wanted, learnt(whole)), at


def passes_of(made: Made, count: int) -> None:
    """So many times forward, backward and update, each beginning with the forward where it was left."""
    learner, optim, done = m.compile(made.optim), made.optim, 0
    while done < count:
        before = learnt(made), [parameter.grad for parameter in optim.network.parameters()]
        try:
            prediction = learner.forward(made.data[0])
        except AlarmError:
            assert (learnt(made), [parameter.grad for parameter in optim.network.parameters()]) == before
            continue
        try:
            learner.backward(prediction)
        except AlarmError:
            with pytest.raises(LinkStateError):
                learner.backward(prediction)
            continue
        learner.update()
        done += 1


@pytest.mark.parametrize("name", ["joints", "convolutions", "cells"])
def test_parts_of_a_step_that_were_left_can_be_tried_again(name: str) -> None:
    """Links without effects: a backward that was left is not the forward's, which has had its own."""
    with raised_in_calls(at=0) as questions:
        passes_of(whole := MADE[name](), 2)
    for at in range(1, questions[0], 1 + questions[0] // 12):
        with raised_in_calls(at) as count:
            passes_of(made := MADE[name](), 2)
        assert count[0] > at
        assert learnt(made) == learnt(whole), at


@pytest.mark.parametrize("call", [m.predict, lambda network, x: m.compile(network)(*(x if type(x) is tuple else (x,)))])
@pytest.mark.parametrize("name", ["windows", "transformer", "norms of images"])
def test_a_prediction_that_was_left_can_be_asked_for_again(name: str, call: Callable[[m.Module, Any], Any]) -> None:
    made = MADE[name]()
    network, x = made.optim.network, made.data[0]
    with raised_in_calls(at=0) as questions:
        wanted = call(network, x)
    for at in range(1, questions[0] + 1, 1 + questions[0] // 10):
        network = MADE[name]().optim.network
        with raised_in_calls(at):
            with pytest.raises(AlarmError):
                call(network, x)
            np.testing.assert_array_equal(call(network, x), wanted)
