"""The battery of the compiled core: every row of the catalogue, in NumPy and in the core, from equal state."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from catalogue import LINKS, LOSSES, RULES, Row, RuleRow
from cores import TOLERANCE, agree, close, of_core, of_numpy, one_step, outcome, same_for_both

import maillon as m
from maillon.engine import processor
from maillon.engine.builder import LINKS as KNOWN_LINKS, LOSSES as KNOWN_LOSSES
from maillon.engine.rules import RULES as KNOWN_RULES
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")


def trainable(row: Row) -> bool:
    """Whether a Linear can stand before it, and its output is one array of numbers."""
    if not all(type(link) in KNOWN_LINKS for link in row.link().modules()) or len(row.draws) > 1:
        return False
    x = row.inputs()[0]
    return isinstance(x, np.ndarray) and x.dtype.kind == "f" and x.ndim > 0 and isinstance(row.link()(x), np.ndarray)


def usual(row: Row) -> bool:
    """Whether it compares one prediction with a target."""
    return type(row.link()) in KNOWN_LOSSES and type(row.link()).predicted == m.MSELoss.predicted


NATIVE_LINKS = [row for row in LINKS if trainable(row)]
NATIVE_LOSSES = [row for row in LOSSES if usual(row) and row.batched]
NATIVE_RULES = [row for row in RULES if row.rule in KNOWN_RULES and not row.options.get("decoupled_weight_decay")]
both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


def before(width: int, dtype: str, *links: m.Module) -> m.Sequential:
    """A chain that has something to learn, whatever the link."""
    return m.Sequential(m.Linear(width, width, generator=Generator(4)), *links).to(dtype)


@both_dtypes
@pytest.mark.parametrize("row", NATIVE_LINKS, ids=lambda row: row.name)
def test_a_step_through_a_link(row: Row, dtype: str) -> None:
    (x,) = row.inputs(dtype)

    def make() -> m.Optim:
        return m.Optim(before(x.shape[-1], dtype, row.link(dtype)), m.MSELoss(), m.SGD(lr=0.1))

    shape = make().network(x).shape
    y = Generator(8).normal(shape, dtype=np.float64).astype(dtype)
    if shape[0] == x.shape[0]:
        one_step(make, x, y, None, TOLERANCE[dtype])
    network = make().network.eval()
    close("compiled", m.compile(network)(x), network(x), TOLERANCE[dtype])


def into_range(row: Row, axis: int) -> list[m.Module]:
    """What makes predictions of scores, for losses on probabilities."""
    if row.name.startswith("BCELoss") or "log_input=False" in row.name:
        return [m.Sigmoid()]
    return [m.Softmax(axis)] if "from_logits=False" in row.name else []


@both_dtypes
@pytest.mark.parametrize("row", NATIVE_LOSSES, ids=lambda row: row.name)
def test_a_step_from_a_loss(row: Row, dtype: str) -> None:
    x, y, *weight = row.inputs(dtype)
    y = y if row.link().takes_labels else y.astype(dtype)

    def make() -> m.Optim:
        network = before(x.shape[-1], dtype, *into_range(row, min(1, x.ndim - 1)))
        return m.Optim(network, row.link(dtype), m.SGD(lr=0.1))

    one_step(make, x, y, *(weight or [None]), tolerance=TOLERANCE[dtype])


@pytest.mark.parametrize("chosen", processor.core().instruction_sets()[1:] if processor.core() else ["none"])
def test_every_row_by_the_other_instruction_sets(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILLON_ISA", chosen)
    for row in NATIVE_LOSSES:
        test_a_step_from_a_loss(row, "float32")
    for link in NATIVE_LINKS:
        test_a_step_through_a_link(link, "float64")


@both_dtypes
@pytest.mark.parametrize("row", [row for row in NATIVE_LINKS if row.batched], ids=lambda row: row.name)
def test_predictions_and_evaluations(row: Row, dtype: str) -> None:
    (x,) = row.inputs(dtype)
    network = before(x.shape[-1], dtype, row.link(dtype))
    expected = m.predict(network, x, engine="numpy")
    for size in (1024,) if "track_running_stats=False" in row.name else (1024, 2, 1):  # it looks at the batch
        close("prediction", m.predict(network, x, size, engine="native"), expected, TOLERANCE[dtype])
    if len(expected) == len(x):  # all but Flatten(0)
        found, other = (
            m.evaluate(network, m.HalfMSELoss(), x, np.ones_like(expected), ["mae"], 3, engine=engine)
            for engine in ("native", "numpy")
        )
        assert found == pytest.approx(other, rel=TOLERANCE[dtype])
    assert network.training
    empty = m.predict(network, x[:0])  # the core refuses what has no statistics
    assert (empty.shape, empty.dtype) == ((0, *expected.shape[1:]), expected.dtype)


def rule_problem(row: RuleRow, dtype: str) -> tuple[Callable[[], m.Optim], Array, Array]:
    generator = Generator(12)
    links = [m.Linear(4, 5, generator=generator), m.Tanh(), m.Linear(5, 3, generator=generator)]
    start = m.Sequential(*links).to(dtype).state_dict()
    x, y = (generator.normal((6, width), dtype=np.float64).astype(dtype) for width in (4, 3))

    def make() -> m.Optim:
        network = m.Sequential(m.Linear(4, 5), m.Tanh(), m.Linear(5, 3)).to(dtype)
        network.load_state_dict(start)
        return m.Optim(network, m.MSELoss(), row.rule(**row.options))

    return make, x, y


@both_dtypes
@pytest.mark.parametrize("row", NATIVE_RULES, ids=lambda row: row.name)
def test_steps_of_a_rule_whose_rate_changes(row: RuleRow, dtype: str) -> None:
    make, x, y = rule_problem(row, dtype)

    def by(*steps: Any) -> Any:
        optim, losses = make(), []
        for factor, step in zip((1.0, 0.5, 2.0), steps, strict=True):
            optim.rule.param_groups[0]["lr"] = row.rule(**row.options).defaults["lr"] * factor
            losses.append(step(optim, x, y, None))
        return outcome(optim, losses)

    expected = by(of_numpy, of_numpy, of_numpy)
    for steps in ((of_core,) * 3, (of_numpy, of_core, of_core), (of_core, of_numpy, of_core)):
        agree(by(*steps), expected, TOLERANCE[dtype])


@both_dtypes
@pytest.mark.parametrize("row", NATIVE_RULES, ids=lambda row: row.name)
def test_epochs_of_a_rule_on_a_schedule(row: RuleRow, dtype: str) -> None:
    make, x, y = rule_problem(row, dtype)
    options: dict[str, Any] = {"batch_size": 4, "epochs": 3, "schedule": lambda epoch: 0.5**epoch}
    found = same_for_both(make, x, y, TOLERANCE[dtype] * 3, **options)
    assert found.numbers["steps"] == 6
    assert len(set(found.numbers["rates"])) == (1 if row.options.get("lr") == 0 else 3)
