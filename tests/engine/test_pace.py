"""How many threads the steps of a training get, by a clock of the test's own."""

from collections.abc import Callable
from typing import Any

import pytest

from maillon.engine import processor

pytestmark = pytest.mark.usefixtures("core")

Together = Callable[[float], tuple[float, float]]


class Clock:
    """Carries out steps: `alone` seconds each, or with all threads what `together` says at the time it begins."""

    def __init__(self, pace: Any, light: bool = False) -> None:
        self.pace = pace
        self.light = light
        self.now = 1000.0

    def run(self, seconds: float, together: Together, alone: float) -> tuple[float, float]:
        """Seconds a step, and the share of the steps that all threads did."""
        begun, steps, shared = self.now, 0, 0
        while self.now < begun + seconds:
            both = self.pace.together(self.now, self.light)
            spent, waited = together(self.now) if both else (alone, 0.0)
            self.now += spent
            self.pace.note(self.now, spent, waited)
            steps, shared = steps + 1, shared + both
        return (self.now - begun) / steps, shared / steps


def quiet(_now: float) -> tuple[float, float]:
    return 300e-6, 0.0


def crowded(now: float) -> tuple[float, float]:
    """Half of each 8 ms the other thread is not running."""
    late = 8e-3 - now % 8e-3 if now % 8e-3 > 4e-3 else 0.0
    return 300e-6 + late, late


@pytest.fixture
def clock(core: None) -> Clock:
    return Clock(processor.core().Pace())


def test_on_a_quiet_machine_all_threads_do_nearly_all_steps(clock: Clock) -> None:
    mean, shared = clock.run(3.0, quiet, alone=500e-6)
    assert mean < 1.01 * 300e-6
    assert shared > 0.99


def test_beside_other_programs_one_thread_does_nearly_all_steps(clock: Clock) -> None:
    mean, shared = clock.run(3.0, crowded, alone=500e-6)
    assert mean < 1.1 * 500e-6
    assert shared < 0.1


def test_the_first_hundredth_of_a_second_loses_no_more_than_one_wait(clock: Clock) -> None:
    assert clock.run(0.05, crowded, alone=500e-6)[0] < 1.2 * 500e-6


def test_where_threads_do_not_pay_one_does_the_steps(clock: Clock) -> None:
    """Although none is ever late."""
    mean, shared = clock.run(5.0, lambda now: (600e-6, 0.0), alone=500e-6)
    assert mean < 1.02 * 500e-6
    assert shared < 0.1


def test_a_short_disturbance_does_not_stop_the_threads(clock: Clock) -> None:
    """3 ms of each 100."""

    def disturbed(now: float) -> tuple[float, float]:
        late = 3e-3 if now % 0.1 < 300e-6 else 0.0
        return 300e-6 + late, late

    mean, shared = clock.run(5.0, disturbed, alone=500e-6)
    assert mean < 1.1 * 310e-6
    assert shared > 0.9


def test_all_threads_come_back_when_the_others_end_and_go_when_they_begin(clock: Clock) -> None:
    clock.run(5.0, crowded, alone=500e-6)
    clock.run(1.1, quiet, alone=500e-6)
    assert clock.run(1.0, quiet, alone=500e-6)[1] > 0.98
    clock.run(0.1, crowded, alone=500e-6)
    assert clock.run(1.0, crowded, alone=500e-6)[0] < 1.1 * 500e-6


@pytest.mark.parametrize("late", [0.0, 50e-3])
def test_long_steps(clock: Clock, late: float) -> None:
    mean, _ = clock.run(20.0, lambda now: (50e-3 + late, late), alone=85e-3)
    assert mean < 1.1 * min(85e-3, 50e-3 + late)


def test_the_next_training_knows_that_the_machine_is_crowded(clock: Clock) -> None:
    clock.run(0.1, crowded, alone=500e-6)
    following = Clock(clock.pace.another())
    following.now = clock.now
    assert following.run(0.03, crowded, alone=500e-6) == (pytest.approx(500e-6), 0.0)


def test_threads_that_do_not_pay_in_one_training_are_tried_in_the_next(clock: Clock) -> None:
    clock.run(1.0, lambda now: (600e-6, 0.0), alone=500e-6)
    following = Clock(clock.pace.another())
    following.now = clock.now
    assert following.run(0.03, quiet, alone=500e-6) == (pytest.approx(300e-6), 1.0)


@pytest.fixture
def light(core: None) -> Clock:
    return Clock(processor.core().Pace(), light=True)


def test_light_steps_begin_with_one_thread_and_lose_little(light: Clock) -> None:
    mean, shared = light.run(0.05, quiet, alone=500e-6)
    assert mean < 1.05 * 300e-6
    assert 0.9 < shared < 1
    assert light.run(3.0, quiet, alone=500e-6)[0] < 1.01 * 300e-6


def test_light_steps_lose_one_wait_beside_other_programs(light: Clock) -> None:
    """Threads that run in turn, 4 ms each: the first step of all threads tells."""
    begun = light.now
    mean, shared = light.run(0.05, lambda now: (4.3e-3, 4e-3), alone=500e-6)
    assert (light.now - begun) - 0.05 < 5e-3
    assert mean < 1.1 * 500e-6
    assert round(shared * 0.05 / mean) == 1
