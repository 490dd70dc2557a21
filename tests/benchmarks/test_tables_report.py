"""What the benchmark of tables makes of its fits: normalised scores, ranks, calibration, limits, what is missing."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from peers.table_methods import DEFAULT, DUMMY, ENSEMBLE, METHODS, PERCEPTRON, TD, TD_S
from peers.table_report import difference, expected_calibration_error, lines, misses, normalised, summary
from peers.table_suites import CLASSES, DEVELOPMENT, HELD_OUT, NUMBER

TABLES, SEEDS = ["a", "b"], ["0", "1"]
SCORES = {ENSEMBLE: 0.9, TD: 0.85, DEFAULT: 0.88, TD_S: 0.8, PERCEPTRON: 0.7, DUMMY: 0.5}
TIMES = {ENSEMBLE: 9.0, TD: 10.0, DEFAULT: 1.0, TD_S: 4.0}


def fits(**changed: float) -> dict[str, Any]:
    """The same score in each table and seed; `changed` is by method, with _ for all that is no letter."""
    scores = {name: changed.get("".join(c if c.isalnum() else "_" for c in name), one) for name, one in SCORES.items()}
    return {
        name: {
            table: {seed: {"score": score, "fit": TIMES.get(name, 1.0), "predict": 0.1, "rows": 1000, "tested": 100,
                           "load": 1.0, "log_loss": 0.3, "ece": 0.02} for seed in SEEDS}
            for table in TABLES
        }
        for name, score in scores.items()
    }  # fmt: skip


def found(**changed: float) -> dict[str, Any]:
    return summary(fits(**changed), TABLES, SEEDS)["methods"]


def test_the_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.0, 1.0]])
    assert expected_calibration_error(probabilities, np.array([0, 1, 1, 1])) == pytest.approx((0.8 + 0.4 + 0) / 4)


def test_normalised_scores_go_from_the_dummy_to_the_best() -> None:
    scores = np.array([[0.9, -5.0], [0.7, 0.0]])
    assert normalised(scores, np.array([0.5, 0.0])) == pytest.approx(np.array([[1, 1], [0.5, 1]]))
    assert normalised(np.array([[0.4], [0.9]]), np.array([0.5])) == pytest.approx(np.array([[0], [1]]))


def test_ranks_are_of_the_means_over_the_seeds_and_ties_share() -> None:
    methods = found(maillon=0.85)
    assert methods[ENSEMBLE]["rank"] == 1
    assert methods[DEFAULT]["rank"] == methods[TD]["rank"] == 2.5
    assert methods[ENSEMBLE]["fit"] == pytest.approx(9)
    assert methods[ENSEMBLE]["predict"] == pytest.approx(1)


def test_who_lacks_a_fit_is_not_ranked_and_named_with_the_reason() -> None:
    some = fits()
    some[TD]["b"]["1"] = {"error": "ImportError: no pytabkit"}
    result = summary(some, TABLES, SEEDS)
    assert TD not in result["methods"]
    assert f"{TD}: 3 of 4 fits; ImportError: no pytabkit" in result["missing"]
    assert "CatBoost: 0 of 4 fits" in result["missing"]
    assert misses(result["methods"]) == [f"no limit can be held without all fits of {TD}"]


def test_limits_that_are_kept_are_not_listed() -> None:
    assert misses(found()) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"maillon": 0.78}, f"{DEFAULT}: normalised score -0.050 ± 0.000 beside {TD_S}, worse beyond noise"),
        ({"maillon": 0.84}, f"{DEFAULT}: normalised score 0.850, not ahead of {TD} with 0.875"),
        ({"RealMLP_TD": 0.95}, f"{ENSEMBLE}: mean rank 2.00, behind {TD} with 1.00"),
        ({"RealMLP_TD": 0.95}, f"{ENSEMBLE}: normalised score 0.889, limit 0.955"),
    ],
)
def test_a_missed_score_is_listed_with_what_was_measured(changed: dict[str, float], words: str) -> None:
    assert words in misses(found(**changed))


@pytest.mark.parametrize(
    ("method", "seconds", "words"),
    [
        (DEFAULT, 2.0, f"{DEFAULT}: 50% of the CPU time of {TD_S}, limit 40%"),
        (ENSEMBLE, 12.0, f"{ENSEMBLE}: 1.20 × the CPU time of {TD}, limit 1"),
    ],
)
def test_a_missed_time_is_listed(method: str, seconds: float, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TIMES, method, seconds)
    assert misses(found()) == [words]


def test_worse_within_noise_is_no_miss() -> None:
    methods = found()
    methods[DEFAULT]["parts"] = {"a": 0.9, "b": 0.5}
    gap, noise = difference(methods, DEFAULT, TD_S)
    assert gap < 0 < noise + gap
    assert not [words for words in misses(methods) if "beyond noise" in words]


def test_the_report_orders_the_methods_by_rank() -> None:
    about = {"kind": CLASSES, "rows": 1000, "columns": 3}
    machine = {"processor": "one", "cores": 1, "system": "Linux", "python": "3", "blas": "none"}
    result = {"suite": "small", "machine": machine, "seeds": SEEDS, "tables": dict.fromkeys(TABLES, about)}
    result |= summary(fits(), TABLES, SEEDS)
    words = lines(result | {"misses": []})
    assert [line.split(" | ")[0] for line in words if "0.300" in line] == [
        f"| {name}" for name in (ENSEMBLE, DEFAULT, TD, TD_S, PERCEPTRON)
    ]
    assert "| a (c, 1000 × 3) | 0.9000 | 0.8800 | 0.8500 | 0.8000 | 0.7000 |" in words


def test_no_held_out_table_was_looked_at_and_about_half_are_regressions() -> None:
    looked_at = {(table.package, table.name.rstrip("2")) for table in DEVELOPMENT}
    assert not looked_at & {(table.package, table.name) for table in HELD_OUT}
    assert len({table.name for table in HELD_OUT}) == len(HELD_OUT) == 27
    assert sum(table.kind == NUMBER for table in HELD_OUT) == 13
    assert len(METHODS) == 11
