"""Trainings killed by SIGKILL and resumed: a few of those of `make resume`."""

import kill_resume
import pytest


@pytest.mark.parametrize("seed", [3, 6, 8, 12, 14, 21])
def test_a_training_killed_and_resumed_ends_with_the_same_bits(seed: int) -> None:
    different, kills, _, _ = kill_resume.differing(seed, most=3)
    assert different == []
    assert kills
