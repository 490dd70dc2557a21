"""Schedules in the core: it runs many epochs, or many steps, on one, and leaves what NumPy leaves."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from cores import outcome, same_for_both, trained

import maillon as m
from maillon.engine import timetable
from maillon.engine.native import Runner
from maillon.optim import lr_scheduler as lr
from maillon.random import Generator
from maillon.train import State

pytestmark = pytest.mark.usefixtures("core")

ROWS, BATCH, EPOCHS = 23, 4, 7
STEPS = 6  # an epoch
X, Y = (Generator(seed).normal((ROWS, width), dtype=np.float64) for seed, width in ((1, 4), (2, 3)))

Make = Callable[[], Any]


def made(**options: Any) -> m.Optim:
    generator = Generator(3)
    first, second = m.Linear(4, 5, generator=generator), m.Linear(5, 3, generator=generator)
    network = m.Sequential(first, m.Tanh(), m.Dropout(0.3, generator=Generator(4)), second).to("float64")
    groups = [{"params": list(first.parameters())}, {"params": list(second.parameters()), "lr": 0.01}]
    return m.Optim(network, m.MSELoss(), m.Adam(groups, lr=0.02, eps=1e-3), **options)


SCHEDULES: dict[str, Make] = {
    "a function": lambda: lambda epoch: 0.9**epoch,
    "lambda": lambda: lr.LambdaLR(lr_lambda=lambda epoch: 1 / (1 + epoch)),
    "a function each": lambda: lr.LambdaLR(lr_lambda=[lambda epoch: 0.9**epoch, lambda epoch: 1.1**epoch]),
    "multiplicative": lambda: lr.MultiplicativeLR(lr_lambda=lambda epoch: 0.9 if epoch % 2 else 1.05),
    "step": lambda: lr.StepLR(step_size=2, gamma=0.5),
    "milestones": lambda: lr.MultiStepLR(milestones=[1, 3, 3, 5], gamma=0.7),
    "constant": lambda: lr.ConstantLR(factor=0.5, total_iters=3),
    "linear": lambda: lr.LinearLR(total_iters=4),
    "exponential": lambda: lr.ExponentialLR(gamma=0.9),
    "polynomial": lambda: lr.PolynomialLR(total_iters=5, power=2.0),
    "cosine": lambda: lr.CosineAnnealingLR(T_max=3),
    "restarts": lambda: lr.CosineAnnealingWarmRestarts(T_0=2, T_mult=2),
    "triangles": lambda: lr.CyclicLR(base_lr=0.001, max_lr=0.05, step_size_up=4, mode="exp_range", gamma=0.99),
    "triangles of a user": lambda: lr.CyclicLR(
        base_lr=[0.001, 0.01], max_lr=0.05, step_size_up=5, step_size_down=2, scale_fn=lambda cycle: 1 / cycle
    ),
    "one cycle": lambda: lr.OneCycleLR(max_lr=0.05, total_steps=EPOCHS * STEPS + 1, three_phase=True),
    "warm-up, then cosine": lambda: lr.SequentialLR(
        None, [lr.LinearLR(total_iters=2), lr.CosineAnnealingLR(T_max=5)], milestones=[2]
    ),
    "two at once": lambda: lr.ChainedScheduler([lr.LinearLR(total_iters=3), lr.ExponentialLR(gamma=0.95)]),
}
every_schedule = pytest.mark.parametrize("name", SCHEDULES)
both_ways = pytest.mark.parametrize("by", ["epoch", "step"])


def slices() -> Any:
    """Counts how often the core is called."""
    return patch.object(Runner, "_core_steps", autospec=True, side_effect=Runner._core_steps)


def alike(name: str, by: str | None, optim: dict[str, Any] | None = None, **options: Any) -> Any:
    return same_for_both(
        lambda: made(**(optim or {})), X, Y, 1e-11, **_given(name, by), batch_size=BATCH, epochs=EPOCHS, **options
    )


def _given(name: str, by: str | None) -> dict[str, Any]:
    return {"schedule": SCHEDULES[name](), "schedule_by": by}


@both_ways
@every_schedule
def test_a_whole_training_is_one_call(name: str, by: str) -> None:
    with slices() as calls:
        found = alike(name, by)
    assert calls.call_count == 1
    assert len(set(found.numbers["rates"])) > 1


@pytest.mark.parametrize("accumulate", [2, 4, 5, 6, 100])
@both_ways
@pytest.mark.parametrize("name", ["exponential", "one cycle", "a function", "warm-up, then cosine"])
def test_of_gathered_gradients(name: str, by: str, accumulate: int) -> None:
    """A step is one of the rule; what an epoch leaves over is one too."""
    with slices() as calls:
        alike(name, by, {"accumulate": accumulate})
    assert calls.call_count == 1


OPTIONS: dict[str, dict[str, Any]] = {
    "metrics": {"metrics": ["mae"]},
    "validation": {"validation_split": 0.3},
    "a callback an epoch": {"callbacks": lambda state: None},
    "rows left out": {"drop_last": True},
    "as they come": {"shuffle": False},
    "clipping": {"clip_grad_norm": 0.1},
}


@pytest.mark.parametrize("option", OPTIONS)
@both_ways
@pytest.mark.parametrize("name", ["exponential", "one cycle"])
def test_beside_other_options(name: str, by: str, option: str) -> None:
    alike(name, by, **({"optim": OPTIONS[option]} if option == "clipping" else OPTIONS[option]))


class Halving(m.Callback):
    """After some steps the rate of a group is another."""

    def on_step_end(self, state: State) -> None:
        if state.step == 9:
            state.optim.rule.param_groups[1]["lr"] *= 0.5


@both_ways
@pytest.mark.parametrize("name", ["exponential", "one cycle", "two at once"])
def test_beside_a_callback_of_every_step(name: str, by: str) -> None:
    alike(name, by, callbacks=Halving())


@pytest.mark.parametrize("foreseen", [1, 2, 5])
@pytest.mark.parametrize("accumulate", [1, 4])
@both_ways
@pytest.mark.parametrize("name", ["exponential", "one cycle", "restarts"])
def test_a_few_rows_ahead(name: str, by: str, accumulate: int, foreseen: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timetable, "FORESEEN", foreseen)
    alike(name, by, {"accumulate": accumulate})


@pytest.mark.parametrize("accumulate", [1, 4])
@both_ways
@pytest.mark.parametrize("name", ["a function", "exponential", "one cycle", "warm-up, then cosine"])
def test_slices_that_time_ends(name: str, by: str, accumulate: int) -> None:
    """Steps foreseen that were not made wait for the next slice."""
    original: Any = Runner.run

    def run(self: Any, *limits: int, **more: Any) -> Any:
        return original(self, *limits, **more, seconds=-1.0)

    with patch.object(Runner, "run", run), slices() as calls:
        alike(name, by, {"accumulate": accumulate})
    assert calls.call_count > EPOCHS


@both_ways
def test_each_value_of_a_function_is_asked_for_once_and_in_order(by: str) -> None:
    original: Any = Runner.run

    def run(self: Any, *limits: int, **more: Any) -> Any:
        return original(self, *limits, **more, seconds=-1.0)

    asked: list[int] = []

    def schedule(epoch: int) -> float:
        asked.append(epoch)
        return 0.9**epoch

    with patch.object(Runner, "run", run):
        trained(made, "native", X, Y, batch_size=BATCH, epochs=EPOCHS, schedule=schedule, schedule_by=by)
    times = EPOCHS if by == "epoch" else EPOCHS * STEPS + 1
    assert asked == [time for time in range(times) for _group in range(2)]


class Counting:
    """A function that remembers how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, epoch: int) -> float:
        self.calls += 1
        return 1 / self.calls


class Own(lr.LRScheduler):
    def get_lr(self) -> list[float]:
        return [base / (1 + self.last_epoch) for base in self.base_lrs]


@both_ways
@pytest.mark.parametrize("make", [lambda: Counting(), lambda: lr.LambdaLR(lr_lambda=Counting()), lambda: Own()])
def test_what_is_not_foreseen(make: Make, by: str) -> None:
    """It is asked when it is due."""
    ends = [
        trained(made, engine, X, Y, batch_size=BATCH, epochs=EPOCHS, schedule=make(), schedule_by=by)
        for engine in ("native", "numpy")
    ]
    assert ends[0].numbers == ends[1].numbers


@both_ways
def test_an_error_comes_when_it_is_due(by: str) -> None:
    def schedule(epoch: int) -> float:
        if epoch == 4:
            raise KeyError("four")
        return 0.9**epoch

    ends = []
    for engine in ("native", "numpy"):
        optim, generator = made(), Generator(3)
        with pytest.raises(KeyError, match="four"):
            m.fit(
                optim, X, Y, batch_size=BATCH, epochs=EPOCHS, schedule=schedule, schedule_by=by, engine=engine,
                generator=generator,
            )  # fmt: skip
        ends.append((outcome(optim, []), repr(generator.get_state())))
    assert ends[0][1] == ends[1][1]
    for name, value in ends[1][0].arrays.items():
        np.testing.assert_allclose(ends[0][0].arrays[name], value, rtol=1e-11, atol=1e-13)


@both_ways
def test_a_cycle_that_is_too_short_ends_the_training_as_in_numpy(by: str) -> None:
    for engine in ("native", "numpy"):
        optim = made()
        with pytest.raises(ValueError, match=r"^OneCycleLR: expected at most total_steps = 3 steps, got step 4\."):
            m.fit(
                optim, X, Y, batch_size=BATCH, epochs=EPOCHS, engine=engine, schedule_by=by,
                schedule=lr.OneCycleLR(max_lr=0.05, total_steps=3),
            )  # fmt: skip
        (step,) = {own["step"] for own in optim.rule.state.values()}
        assert step == (4 if by == "step" else 4 * STEPS)


@pytest.mark.parametrize("momentum", [0.5, 0.0])
def test_a_momentum_that_goes_to_zero_and_back_changes_the_operations(momentum: float) -> None:
    def make() -> m.Optim:
        optim = made()
        optim.rule = m.SGD(optim.network.parameters(), lr=0.01, momentum=momentum)
        return optim

    schedule = {"base_lr": 0.001, "max_lr": 0.05, "step_size_up": 3, "base_momentum": 0.0, "max_momentum": 0.9}
    with slices() as calls:
        same_for_both(
            make,
            X,
            Y,
            1e-11,
            batch_size=BATCH,
            epochs=EPOCHS,
            schedule=lr.CyclicLR(**schedule),  # type: ignore[arg-type]
        )
    assert calls.call_count > 7


@both_ways
@pytest.mark.parametrize("at", [1, 5, 6, 7, 20])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_loss_that_is_not_finite_after_foreseen_steps(by: str, at: int, accumulate: int) -> None:
    ends = []
    for engine in ("native", "numpy"):
        optim, generator = made(accumulate=accumulate), Generator(3)
        x, y = np.tile(X, (4, 1)), np.tile(Y, (4, 1))
        y[4 * at] = 1e200
        with np.errstate(all="ignore"), pytest.raises(m.NonFiniteLossError) as caught:
            m.fit(
                optim, x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, engine=engine,
                schedule=lr.ExponentialLR(gamma=0.9), schedule_by=by, generator=generator,
            )  # fmt: skip
        ends.append((outcome(optim, []), caught.value.batch, [group["lr"] for group in optim.rule.param_groups]))
    assert ends[0][1:] == ends[1][1:]
    for name, value in ends[1][0].arrays.items():
        np.testing.assert_allclose(ends[0][0].arrays[name], value, rtol=1e-11, atol=1e-13)


def test_a_plateau_sees_the_scores_of_each_epoch() -> None:
    same_for_both(
        made, X, Y, 1e-11, batch_size=BATCH, epochs=EPOCHS, schedule=lr.ReduceLROnPlateau(patience=0, threshold=0.5)
    )
