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
from maillon.engine import leaving
from maillon.random import Generator
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

        def runner_of(learner: m.Optim, batches: Any, interrupted: Callable[[], bool]) -> Any:
            def asked() -> bool:
                self.count += 1
                if self.count == self.at:
                    self.do()
                return interrupted()

            return original(learner, batches, asked)

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
