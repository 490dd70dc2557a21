"""The chapter on the line: its trainings against the closed form, its claims against what was measured."""

import math

import numpy as np
import pytest

from maillon.nn import MSELoss
from maillon.random import Generator
from maillon.report import linear, raw_line, slopes
from maillon.report.chapter import Chapter, Settings


class Short(Settings):
    """A run that counts as a full one and stops after six epochs."""

    def epochs(self, full, quick):
        return 6


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    return linear.run(Short(quick=False, seed=10, out=tmp_path_factory.mktemp("linear")))


@pytest.fixture(scope="module")
def claims(chapter):
    return {claim.id: claim for claim in chapter.claims}


@pytest.fixture(scope="module")
def data():
    return slopes.normalised_data(Generator(10))


def test_every_figure_is_there(chapter):
    items = [block.item for block in chapter.blocks if block.kind == "figure"]
    assert items == ["Figure 1", "Figure 2", "Figure 3", "Figure 4", "Figure 4, beside"]
    for name in ("figure-1", "figure-2", "figure-3", "figure-4", "figure-4-growth"):
        assert (chapter.settings.out / "figures" / f"{name}.svg").stat().st_size > 5000
    assert len(chapter.trainings) == 4 + 4 + 3 + 1 + 3


def test_claims_are_complete(claims):
    assert len(claims) == 19
    assert all(claim.item and claim.why.endswith(".") and claim.measured != "" for claim in claims.values())


def test_verdicts_follow_the_measurements(claims):
    assert claims["figure-2-slope-1e-2"].verdict == "holds"
    assert claims["figure-2-slope-1e-4"].verdict == "differs"  # six epochs do not get there
    assert "beyond the 0.03" in claims["figure-2-slope-1e-4"].why
    assert claims["rate-speed"].measured[2:] == ["not in 600", "not in 600"]
    assert claims["large-rates-converge-early"].verdict == "differs"
    assert claims["figure-2-loss-is-mse"].verdict == "cannot hold"
    assert claims["figure-4-slope-1e-2"].verdict == "cannot hold"
    assert claims["raw-less-sensitive-all-rates"].verdict == "cannot hold"
    assert claims["normalised-slope-is-one"].measured == pytest.approx(0.952, abs=1e-3)


def test_a_quick_run_does_not_judge_what_needs_its_epochs(tmp_path, monkeypatch):
    monkeypatch.setattr(Chapter, "figure", lambda self, *arguments, **named: None)
    chapter = linear.run(Short(quick=True, seed=10, out=tmp_path))
    verdicts = {claim.id: claim.verdict for claim in chapter.claims}
    assert len(verdicts) == 19
    assert verdicts["figure-2-slope-1e-2"] == verdicts["figure-4-slope-1e-4"] == "not comparable"
    assert verdicts["figure-4-slope-1e-2"] == "cannot hold"


def test_the_slope_follows_the_closed_form(data):
    x, y = data
    optimum, rate, epochs = float((x * y).mean()), 1e-3, 5
    for loss, factor in ((None, 1), (MSELoss(), 2)):
        course = slopes.by_hand(slopes.line(), x, y, rate, Generator(1), epochs, loss=loss)
        expected = optimum + (slopes.START - optimum) * math.exp(-factor * rate * epochs * len(x))
        assert course.slope == pytest.approx(expected, abs=0.02)
        assert len(course.losses) == len(course.slopes) == epochs and len(course.steps) == 500
        assert course.slopes == course.steps[99::100]


def test_the_last_short_batch_counts_by_its_size(data):
    x, y = (array[:10] for array in data)
    course = slopes.by_hand(slopes.line(), x, y, 1e-9, Generator(1), 1, batch_size=4)
    assert len(course.steps) == 3
    assert course.losses[0] == pytest.approx(float(0.5 * np.mean((slopes.START * x - y) ** 2)), rel=1e-5)


def test_a_start_for_two_slopes_with_the_factor_two():
    at_1e4 = linear._slope_if_factor_two(0.95)
    start = 0.95 + (-0.41 - 0.95) * math.exp(2 * 1e-5 * 20000)
    assert at_1e4 == pytest.approx(0.95 + (start - 0.95) * math.exp(-2 * 1e-4 * 20000))
    assert at_1e4 > 0.73 + linear.TOLERANCE


def test_first_within():
    assert slopes.first_within([0.0, 0.9, 1.0], optimum=1.0) == 3
    assert slopes.first_within([0.0, 0.1], optimum=1.0) is None


def test_jaggedness_is_zero_on_a_straight_line():
    assert slopes.jaggedness([0.1 * step for step in range(20)]) == pytest.approx(0, abs=1e-12)
    assert slopes.jaggedness([0.0, 1.0] * 10) == pytest.approx(2)


def test_raw_data_diverge_where_the_mean_logarithm_is_positive():
    x, _ = slopes.raw_data(Generator(10), slope=5.0)
    limit = raw_line._largest_stable_rate(x)
    assert raw_line._growth(x, limit) == pytest.approx(0, abs=1e-3)
    assert 1e-3 < limit < 1e-2
    assert raw_line._growth(x, 1e-2) == pytest.approx(1.24, abs=0.01)
    assert raw_line._largest_factor(x, 1e-3) == pytest.approx(float(1e-3 * x.max() ** 2 - 1), rel=1e-5)


def test_a_rate_that_works_does_not_diverge(tmp_path, monkeypatch):
    monkeypatch.setattr(raw_line, "RATES", (1e-4, 1e-5))
    monkeypatch.setattr(slopes, "EPOCHS", 2)
    x, y = slopes.raw_data(Generator(10), slope=5.0)
    chapter = Chapter("linear", "Line", Settings(True, 10, tmp_path))
    divergence = raw_line._diverge(chapter, x, y)
    assert divergence.passed is None and len(divergence.slopes) == 200
    assert raw_line.passing(divergence) == "stays below 1e100"
    growths = {1e-2: raw_line._growth(x, 1e-4)}
    raw_line._claim_raw(chapter, {}, divergence, growths)
    (claim,) = chapter.claims
    assert claim.verdict == "differs" and "the error shrinks" in claim.why
