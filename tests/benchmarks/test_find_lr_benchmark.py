"""The cases that fool finders of rates: what find_lr makes of them, and that they do fool the others."""

import sys
from pathlib import Path

import numpy as np
import pytest

import maillon as m

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from peers.lr_cases import CASES
from peers.lr_rules import steepest, valley
from peers.lr_sets import DEVELOPMENT, MEASURED


@pytest.mark.parametrize("name", CASES)
def test_a_case_does_not_fool_find_lr(name: str) -> None:
    case = CASES[name]()
    found = m.find_lr(case.network, case.loss, case.x, case.y, rule=case.rule, **case.options)
    assert case.right(found.lr), found


@pytest.mark.parametrize("name", ["noise", "labels by lot", "trained already", "a constant loss"])
def test_a_case_fools_a_peer(name: str) -> None:
    case = CASES[name]()
    optim = m.Optim(case.network, case.loss, case.rule)
    assert not all(case.right(rule(optim, case.x, case.y, 32, 0)) for rule in (steepest, valley))


def test_the_peers_find_the_valley_of_a_clear_ramp() -> None:
    generator = m.manual_seed(0)
    x = generator.randn((256, 4))
    y = x @ np.float32([[1], [-2], [3], [0]])
    optim = m.Optim(m.Linear(4, 1), m.MSELoss(), m.SGD(lr=1.0))
    for rule in (steepest, valley):
        rate = rule(optim, x, y, 256, 0)
        assert rate is not None and 1e-4 < rate < 1


def test_thirty_problems_are_measured_and_twenty_others_were_looked_at() -> None:
    names = {problem.name for problem in MEASURED}
    assert (len(names), len(DEVELOPMENT)) == (30, 20)
    assert not names & {problem.name for problem in DEVELOPMENT}
