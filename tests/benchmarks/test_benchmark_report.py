"""What the benchmarks say of their measurements: FLOPs, limits missed, peers missing, sides that did not learn."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from peers.referee import BY_HAND, EAGER, NATIVE, SCAN, PeerError, Process, Seat, Side, Table, Variant
from peers.report import cell_misses, misses, missing, summary
from peers.results import short
from peers.workloads import WORKLOADS, cell, grid

PEAKS = [100.0, 100.0]


def seat(name: str, microseconds: float, loss: float, missing: str | None = None) -> Seat:
    side = Side(name, "peers.by_numpy", lambda _: [])
    return Seat(side, Variant({}), missing=missing, microseconds=[microseconds] * 2, loss=loss)


def test_flops_are_the_products_without_the_gradient_of_the_data() -> None:
    assert WORKLOADS["digits"].flops == 2 * 100 * (3 * (78_400 + 1000) - 78_400)


def test_the_grid_has_every_cell_in_whole_mini_batches() -> None:
    cells = list(grid())
    assert len({one.name for one in cells}) == 8 * 5 * 4
    assert all(one.rows % one.batch == 0 and one.steps >= 2 for one in cells)


def test_a_missed_limit_is_listed_with_what_was_measured() -> None:
    found = summary(cell(8, 1, 1), [seat(EAGER, 9, 0.1), seat(SCAN, 2, 0.1), seat(NATIVE, 1, 0.1)], PEAKS)
    assert cell_misses(found) == ["w8-b1-d1: 9.00× PyTorch eager, limit 10"]


def test_a_workload_within_its_limits_misses_none() -> None:
    workload = WORKLOADS["linear"]
    found = summary(workload, [seat(EAGER, 80, 0.01), seat(SCAN, 0.15, 0.01), seat(NATIVE, 0.1, 0.01)], PEAKS)
    assert misses("linear", found) == []


def test_who_does_not_learn_is_named() -> None:
    workload = WORKLOADS["linear"]
    start = workload.mean_loss(workload.weights())
    found = summary(workload, [seat(EAGER, 80, start / 2), seat(SCAN, 0.15, 0.01), seat(NATIVE, 0.1, 0.01)], PEAKS)
    assert not found["sides"][EAGER]["agrees"]
    assert [words for words in misses("linear", found) if "PyTorch, eager ends at a loss" in words]


def test_a_missing_peer_is_named_with_its_reason() -> None:
    found = summary(WORKLOADS["linear"], [seat(EAGER, 0, 0, "no torch"), seat(NATIVE, 0.1, 0.01)], PEAKS)
    assert missing(found) == [f"{EAGER}: no torch"]
    assert "linear 1–1, batch 1: × PyTorch eager not measured, limit 800" in misses("linear", found)


def test_without_the_core_no_limit_is_held() -> None:
    found = summary(WORKLOADS["digits"], [seat(BY_HAND, 9, 0.1), seat(NATIVE, 0, 0, "no core")], PEAKS)
    assert misses("digits", found) == ["784–100–10, batch 100: no limit can be held, maillon, native is missing"]


def test_a_peer_measured_in_its_own_process_learns() -> None:
    side = Side(BY_HAND, "peers.by_numpy", lambda _: [Variant({"threads": 1})])
    workload = cell(8, 32, 1)
    with Table([side]) as table:
        (found,) = table.measure(workload, 2, 0.001)
    assert found.missing is None
    assert len(found.microseconds) == 2
    assert found.loss is not None
    assert found.loss < workload.mean_loss(workload.weights())


def test_a_peer_that_is_not_installed_says_so() -> None:
    process = Process("peers.by_nobody")
    try:
        with pytest.raises(PeerError, match=r"No module named 'peers\.by_nobody'"):
            process.ask("versions")
    finally:
        process.end()


@pytest.mark.parametrize(("value", "text"), [(0.07123, "0.0712"), (12.34, "12.3"), (123.4, "123"), (36_120, "36 100")])
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert short(value) == text
