"""What a training hands to the core beside its plans is verified: data, the order of the rows, what a slice writes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import maillon as m
from maillon.engine import PlanError, native, recording, step
from maillon.engine.plan import Buffer, Plan
from maillon.engine.verify import verify_record, verify_sums, verify_training
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")


@dataclass
class Given:
    """All that `verify_training` is given, of a training on eleven rows, four at a time, weighted and shuffled."""

    whole: Plan
    rest: Plan | None
    data: list[tuple[str, Array]]
    rows: int
    order: Array | None


def given() -> Given:
    runner = native.Runner(
        m.Optim(m.Linear(3, 2, generator=Generator(1)), m.MSELoss(), 0.1),
        step.Batches.of(np.ones((11, 3), "f"), np.ones((11, 2), "f"), np.ones(11, "f"), 4, shuffle=True),
    )
    return Given(runner.whole, runner.rest, list(runner.batches.feeds()), 11, np.empty(11, np.int64))


def data(place: int, change: Callable[[Array], Array]) -> Callable[[Given], None]:
    """One of the arrays changed."""

    def spoil(it: Given) -> None:
        name, array = it.data[place]
        it.data[place] = name, change(array)

    return spoil


def order(change: Callable[[Array], Any]) -> Callable[[Given], None]:
    def spoil(it: Given) -> None:
        assert it.order is not None
        it.order = change(it.order)

    return spoil


def inputs(plan: str, place: int, change: Callable[[Buffer], Buffer]) -> Callable[[Given], None]:
    """One of the buffers that a plan reads its mini-batch from changed."""

    def spoil(it: Given) -> None:
        made: Plan = getattr(it, plan)
        buffers = list(made.inputs)
        buffers[place] = change(buffers[place])
        setattr(it, plan, replace(made, inputs=buffers))

    return spoil


def put(**changes: Any) -> Callable[[Given], None]:
    def spoil(it: Given) -> None:
        for name, value in changes.items():
            setattr(it, name, value)

    return spoil


def frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array


def over_the_batch(it: Given) -> None:
    """The data where mini-batches are copied to."""
    buffer = it.whole.inputs[0].array
    it.data[0] = "x", as_strided(buffer, (11, 3), (12, 4))


def order_over(name: str) -> Callable[[Given], None]:
    def spoil(it: Given) -> None:
        buffer = next(buffer for buffer in it.whole.buffers() if buffer.name == name)
        it.order = as_strided(buffer.array.reshape(-1)[:2].view(np.int64), (11,), (8,))

    return spoil


FAULTS: dict[str, tuple[Callable[[Given], None], str]] = {
    "rows missing": (data(0, lambda a: a[:10]), "x: expected at least 11 rows, got the shape (10, 3)"),
    "no rows at all": (data(0, lambda a: a[0, 0:1].reshape(())), "x: expected at least 11 rows, got the shape ()"),
    "rows too short": (data(0, lambda a: a[:, :2].copy()), "4 of 11 rows of x do not fill x (4×3)"),
    "rows too long": (data(1, lambda a: np.ones((11, 3), "f")), "4 of 11 rows of target do not fill target (4×2)"),
    "another dtype": (data(0, lambda a: a.astype("d")), "4 of 11 rows of x do not fill x (4×3)"),
    "half the dtype": (
        data(0, lambda a: np.ones((11, 6), np.float16)),
        "4 of 11 rows of x do not fill x (4×3)",
    ),
    "weights of another dtype": (
        data(2, lambda a: a.astype("d")),
        "4 of 11 rows of sample weight do not fill sample weight (4)",
    ),
    "Fortran's order": (
        data(0, np.asfortranarray),
        "x: expected an array in C order and the machine's byte order",
    ),
    "every other row": (
        data(0, lambda a: np.ones((22, 3), "f")[::2]),
        "x: expected an array in C order and the machine's byte order",
    ),
    "another byte order": (
        data(0, lambda a: a.astype(">f4")),
        "x: expected an array in C order and the machine's byte order",
    ),
    "a subclass": (
        data(0, lambda a: np.ma.masked_array(a)),
        "x: expected an array in C order and the machine's byte order",
    ),
    "an array missing": (lambda it: it.data.pop(), "expected 3 arrays of data, got 2"),
    "an array too many": (lambda it: it.data.append(it.data[0]), "expected 3 arrays of data, got 4"),
    "exchanged": (lambda it: it.data.reverse(), "4 of 11 rows of sample weight do not fill x (4×3)"),
    "more rows than there are": (put(rows=12), "plans of 4 and 3 rows do not make up 12"),
    "another rest": (put(rest=None), "plans of 4 and 0 rows do not make up 11"),
    "fewer rows than a mini-batch": (put(rows=3), "plans of 4 and 3 rows do not make up 3"),
    "a batch too short": (
        inputs("whole", 0, lambda b: replace(b, array=b.array[:9])),
        "4 of 11 rows of x do not fill x (4×3)",
    ),
    "a short batch too short": (
        inputs("rest", 0, lambda b: replace(b, array=b.array[:6])),
        "3 of 11 rows of x do not fill x (3×3)",
    ),
    "batches at two places": (
        inputs("rest", 0, lambda b: replace(b, array=b.array.copy())),
        "the plans of one training must read x at one place",
    ),
    "a batch that is read-only": (
        inputs("whole", 0, lambda b: replace(b, read_only=True)),
        "x is read-only, and mini-batches are copied to it",
    ),
    "losses at two places": (
        lambda it: setattr(it, "rest", replace(it.rest, result=Buffer("loss", np.zeros(2), (2,)))),
        "the plans of one training must leave their loss at one place",
    ),
    "no loss": (
        lambda it: setattr(it, "whole", replace(it.whole, result=None)),
        "the plans of one training must leave their loss at one place",
    ),
    "data over the batch": (over_the_batch, "x overlaps x"),
    "an order too short": (order(lambda a: a[:10]), "the order: expected room for 11 elements, got 10"),
    "an order of another dtype": (
        order(lambda a: a.astype(np.int32)),
        "the order: expected int64 in C order that may be written to",
    ),
    "an order with gaps": (
        order(lambda a: np.zeros(22, np.int64)[::2]),
        "the order: expected int64 in C order that may be written to",
    ),
    "a frozen order": (order(frozen), "the order: expected int64 in C order that may be written to"),
    "an order not aligned": (
        order(lambda a: np.zeros(100, np.uint8)[1:89].view(np.int64)),
        "the order: expected int64 in C order that may be written to",
    ),
    "an order over the weights": (order_over("weight"), "the order overlaps weight"),
    "an order over the batch": (order_over("x"), "the order overlaps x"),
    "an order over the data": (
        lambda it: setattr(it, "order", it.data[0][1].reshape(-1)[:22].view(np.int64)),
        "the order overlaps x",
    ),
}


def check(it: Given) -> None:
    verify_training(it.whole, it.rest, it.data, it.rows, it.order)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_refused(name: str) -> None:
    it = given()
    check(it)
    spoil, message = FAULTS[name]
    spoil(it)
    with pytest.raises(PlanError) as caught:
        check(it)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        (np.empty((4, 3)), "the sums of the epochs: expected room for 15 elements, got 12"),
        (np.empty((5, 3), "f"), "the sums of the epochs: expected float64 in C order that may be written to"),
        (np.empty((3, 5)).T, "the sums of the epochs: expected float64 in C order that may be written to"),
        (frozen(np.empty((5, 3))), "the sums of the epochs: expected float64 in C order that may be written to"),
    ],
)
def test_the_sums_of_epochs_have_room(ends: Array, message: str) -> None:
    verify_sums(np.empty((5, 3)), 5)
    with pytest.raises(PlanError) as caught:
        verify_sums(ends, 5)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("room", "message"),
    [
        (np.empty((23, 2), "f"), "the record: expected room for 48 elements, got 46"),
        (np.empty((24, 2)), "the record: expected float32 in C order that may be written to"),
        (np.empty((2, 24), "f").T, "the record: expected float32 in C order that may be written to"),
        (frozen(np.empty((24, 2), "f")), "the record: expected float32 in C order that may be written to"),
    ],
)
def test_the_record_of_outputs_has_room(room: Array, message: str) -> None:
    whole = given().whole
    verify_record(whole, np.empty((24, 2), "f"), 6)
    with pytest.raises(PlanError) as caught:
        verify_record(whole, room, 6)
    assert str(caught.value) == message


@pytest.mark.parametrize("what", ["verify_training", "verify_sums", "verify_record"])
def test_a_training_passes_all_of_it(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any) -> None:
        raise PlanError("planted")

    monkeypatch.setattr(recording if what == "verify_record" else native, what, refuse)
    optim = m.Optim(m.Linear(3, 2), m.MSELoss(), 0.1)
    batches = step.Batches.of(np.ones((11, 3), "f"), np.ones((11, 2), "f"), None, 4, shuffle=True)
    with pytest.raises(PlanError, match="planted"):
        native.Runner(optim, batches).run(3, 1, record=True)


def test_both_plans_share_the_updates_and_what_they_move() -> None:
    it = given()
    assert it.rest is not None
    updates = [operation for operation in it.whole.operations if operation.part == "update"]
    assert len(updates) == 2
    assert all(one is other for one, other in zip(it.rest.operations[-2:], updates, strict=True))
    weight = it.whole.operations[0].operands["weight"]
    assert weight is it.rest.operations[0].operands["weight"] is updates[0].operands["parameter"]
