"""A few of the fuzzer's plans, whether it would see what it looks for, and what it has found so far."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cores import require_core
from fuzz_operations import any_plan

from maillon.engine.plan import Buffer, NotLoweredError, Operation, Plan, PlanError
from maillon.engine.table import OPERATIONS
from maillon.engine.verify import verify

SELDOM = {
    *("attention", "attention_grad", "conv", "conv_grad_input", "conv_grad_weight", "conv_transposed"),
    *("conv_transposed_grad_input", "max_pool", "max_pool_grad", "resample", "concat", "clear", "divide"),
}
"""Operations that sizes at random hardly ever fit: the fuzzer takes these from links and trainings."""


@pytest.fixture
def fuzz() -> Any:
    require_core()
    import fuzz as module

    return module


def buffer(name: str, size: int, dtype: str = "float32", *, read_only: bool = False) -> Buffer:
    return Buffer(name, np.zeros(size, dtype), (size,), read_only)


def plan_of(operation: Operation, dtype: str = "float32") -> Plan:
    operands = list(operation.operands.values())
    return Plan("a test", np.dtype(dtype), 1, [operation], [operands[0]], operands[0])


def doubling(n: int, dtype: str = "float32") -> Plan:
    operands = {name: buffer(name, 8, dtype) for name in ("a", "b", "out")}
    return plan_of(Operation("multiply", "forward", operands, {"n": n}), dtype)


def class_loss(outer: int, classes: int, flags: int) -> Operation:
    operands = {
        "scores": buffer("scores", outer * classes),
        "labels": buffer("labels", outer, "int64"),
        "grad": buffer("grad", outer * classes),
        "row_totals": buffer("row totals", max(1, outer), "float64"),
        "result": buffer("loss", 2, "float64"),
    }
    sizes = {"outer": outer, "classes": classes, "inner": 1, "reduction": 0, "flags": flags, "ignore_index": 0}
    return Operation("class_loss", "loss", operands, sizes, {"smoothing": 0.0})


def test_random_and_mutated_plans_stay_within_their_buffers(fuzz: Any) -> None:
    counts, found = fuzz.fuzz(150, seed=2, batch=150)
    assert not found, "\n".join(found)
    for what in ("valid, as NumPy", "mutant, rejected", "mutant, ran through"):
        assert counts[what] >= 10, counts


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - SELDOM - {"python"}))
def test_operations_of_any_sizes_stay_within_their_buffers(fuzz: Any, name: str) -> None:
    """The same bytes for one, two and three threads."""
    rng, ran = np.random.default_rng(3), 0
    for number in range(400):
        try:
            plan = any_plan(rng, OPERATIONS[name], (np.float32, np.float64)[number % 2])
            verify(plan)
        except (NotLoweredError, ZeroDivisionError):  # sizes that must not be
            continue
        arena = fuzz.Arena(plan, rng)
        fuzz.every_way(arena, arena.plan, fuzz.instruction_set(number))
        ran += 1
        if ran == 12:
            return
    pytest.fail(f"of 400 plans {ran} could run")


def test_it_sees_a_write_behind_a_buffer(fuzz: Any) -> None:
    rng = np.random.default_rng(0)
    arena = fuzz.Arena(doubling(8), rng)
    instruction_set = fuzz.processor.instruction_set()
    assert fuzz.every_way(arena, arena.plan, instruction_set)
    longer = [replace(operation, sizes={"n": 9}) for operation in arena.plan.operations]
    with pytest.raises(fuzz.FoundError, match=r"changed \d+ bytes outside"):
        fuzz.every_way(arena, replace(arena.plan, operations=longer), instruction_set)


def test_it_sees_a_write_to_what_is_only_read(fuzz: Any) -> None:
    arena = fuzz.Arena(doubling(8), np.random.default_rng(0))
    arena.plan.operations[0].operands["a"].array[:] = 2
    arena.plan.operations[0].operands["b"].array[:] = 3
    (operation,) = arena.plan.operations
    frozen = replace(operation.operands["out"], read_only=True)
    operation = replace(operation, operands={**operation.operands, "out": frozen})
    with pytest.raises(fuzz.FoundError, match="bytes outside"):
        fuzz.every_way(arena, replace(arena.plan, operations=[operation]), fuzz.processor.instruction_set())


def test_it_sees_the_end_of_a_process(fuzz: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "dies.py"
    script.write_text("import os\nprint('plan 1', flush=True)\nos.abort()\n")
    monkeypatch.setattr(fuzz, "__file__", str(script))
    _, found = fuzz.fuzz(2, seed=0, batch=2)
    assert [line.splitlines()[0] for line in found] == ["CRASH 1: -6: ['plan 1']"]


def test_a_plan_is_of_floats_or_doubles() -> None:
    verify(doubling(8))
    verify(doubling(8, "float64"))
    with pytest.raises(PlanError, match=r"^expected float32 or float64, got float16$"):
        verify(doubling(8, "float16"))


def test_a_loss_without_classes_has_no_place_for_an_ignored_label() -> None:
    verify(plan_of(class_loss(2, 1, flags=2), "float32"))
    with pytest.raises(PlanError, match=r"^operation 0, class_loss: size classes is 0$"):
        verify(plan_of(class_loss(2, 0, flags=2), "float32"))


@pytest.mark.parametrize("name", ["inputs", "outputs"])
def test_a_layer_without_numbers_is_none(name: str) -> None:
    sizes = {"rows": 1, "inputs": 1, "outputs": 1, "keep": 0, "zeros": 0, "passes": 0}
    operands = {name: buffer(name, 1) for name in ("dy", "x", "dweight", "workspace")}
    verify(plan_of(Operation("linear_grad_weight", "backward", operands, sizes)))
    with pytest.raises(PlanError, match=f"{name} is 0"):
        verify(plan_of(Operation("linear_grad_weight", "backward", operands, {**sizes, name: 0})))


def test_a_frozen_array_under_two_names_is_not_written() -> None:
    array = np.zeros(8, np.float32)
    array.flags.writeable = False
    written, read = Buffer("written", array, (8,)), Buffer("read", array, (8,), read_only=True)
    operation = Operation("activation", "forward", {"x": read, "y": written}, {"n": 8, "activation": 1}, {"slope": 0.0})
    for operands in ({"x": read, "y": written}, {"y": written, "x": read}):
        with pytest.raises(PlanError, match=r"^buffer written: expected an array that may be written to$"):
            verify(plan_of(replace(operation, operands=operands)))


def test_what_must_stay_is_not_written_under_another_name() -> None:
    plan = doubling(8)
    (operation,) = plan.operations
    kept = Buffer("kept", operation.operands["out"].array[4:], (4,), read_only=True)
    operation = replace(operation, sizes={"n": 4}, operands={**operation.operands, "b": kept})
    with pytest.raises(PlanError, match=r"^operation 0, multiply: out overlaps b$"):
        verify(replace(plan, operations=[operation]))
    later = replace(operation, operands={name: buffer(name, 4) for name in ("a", "out")} | {"b": kept})
    with pytest.raises(PlanError, match=r"^operation 0, multiply: operand out would overwrite kept$"):
        verify(replace(plan, operations=[*plan.operations, later]))


def test_the_output_and_the_result_are_what_they_are_taken_for() -> None:
    plan = doubling(8)
    with pytest.raises(PlanError, match=r"^the output is 8 of float32, not a \(9\)$"):
        verify(replace(plan, output=replace(plan.output, shape=(9,))))
    with pytest.raises(PlanError, match=r"^the result must be the loss"):
        verify(replace(plan, result=buffer("loss", 1, "float64")))


def test_no_size_is_huge_where_all_operands_are_small() -> None:
    """A kernel may walk along it, although there is nothing."""
    empty = {name: buffer(name, 0) for name in ("dy", "y", "dx")}
    sizes = {"outer": 2**20, "size": 3, "inner": 0, "log": 0}
    operation = Operation("softmax_grad", "backward", empty, sizes)
    verify(plan_of(operation))
    with pytest.raises(PlanError, match=r"size outer is 1048577, and no operand has as many elements$"):
        verify(plan_of(replace(operation, sizes={**sizes, "outer": 2**20 + 1})))


@pytest.mark.parametrize("stream", [None, -1, 1, 0.0, False])
def test_a_stream_is_the_number_of_one(stream: Any) -> None:
    plan = any_plan(np.random.default_rng(1), OPERATIONS["rrelu"], np.float32)
    verify(plan)
    operations = [replace(plan.operations[0], stream=stream)]
    with pytest.raises(PlanError, match=f"stream {stream} is not there$"):
        verify(replace(plan, operations=operations))
