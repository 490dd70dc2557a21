"""A few of the random graphs, and whether the comparison sees what it looks for."""

from typing import Any

import fuzz_graphs as fuzz
import numpy as np
import pytest
from cores import require_core

import maillon as m
from maillon.random import Generator
from maillon.typing import Array


@pytest.fixture(autouse=True)
def engine() -> str:
    """Each test compares the two."""
    require_core()
    return "native"


def test_both_engines_train_random_graphs_alike() -> None:
    tally = fuzz.many(0, 60)
    assert not tally.found, "\n".join(tally.found)
    assert tally.ends["compared"] >= 54, tally.ends
    assert len(tally.met.keys() & fuzz.catalogued()) >= 90
    assert np.median(tally.widths) < 1e-10


@pytest.mark.filterwarnings("ignore")
def test_it_sees_a_mistake_in_the_ninth_place(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = m.Linear.forward
    monkeypatch.setattr(m.Linear, "forward", lambda self, x: forward(self, x) * (1 + 1e-9))
    tally = fuzz.many(0, 12)
    assert len(tally.found) >= 10


def test_it_sees_a_generator_that_has_drawn_more(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = m.Linear.forward

    def drawing(link: Any, x: Array) -> Array:
        m.random.default_generator().rand((1,))
        return forward(link, x)

    monkeypatch.setattr(m.Linear, "forward", drawing)
    tally = fuzz.many(0, 4)
    assert len(tally.found) == 4
    assert all("states" in found for found in tally.found)


def before_a_norm(rule: m.optim.Rule) -> fuzz.Case:
    """The gradient of a bias before BatchNorm is nothing but rounding."""
    draw = Generator(3)
    network = m.Sequential(m.Linear(4, 3, generator=draw), m.BatchNorm1d(3), m.Tanh()).to("float64")
    x, y = (draw.normal((12, width), dtype=np.float64) for width in (4, 3))
    return fuzz.Case(m.Optim(network, m.MSELoss(), rule), x, y, {"batch_size": 6, "epochs": 3})


def test_rounding_decides_what_a_rule_divides_by_its_own_size() -> None:
    assert fuzz.compared(before_a_norm(m.Lion(lr=0.1))).what.startswith("left out: divided by its own size")
    assert fuzz.compared(before_a_norm(m.SGD(lr=0.1))).what == "compared"
    one = before_a_norm(m.Lion(lr=0.1))
    fuzz.freeze_what_rounding_moves(one)
    assert one.frozen == 1
    assert not one.optim.network[0].bias.requires_grad
    found = fuzz.compared(one)
    assert (found.what, found.difference) == ("compared", "")
