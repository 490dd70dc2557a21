"""The chapter on encapsulation: four ways to train that agree bit for bit, and Table 1."""

import numpy as np
import pytest

from maillon.random import Generator
from maillon.report import encapsulation, slopes, table1, table1_claims
from maillon.report.chapter import Chapter, Settings
from maillon.report.table1 import AS_FIGURE_6, POINTED_TO, PRINTED, Snapshot


class Short(Settings):
    def epochs(self, full, quick):
        return 2


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table1, "find_spec", lambda name: None)
        patch.setattr(encapsulation, "FIGURE_8_EPOCHS", 3)
        patch.setattr(table1_claims, "DRAWS", 1)
        return encapsulation.run(Short(quick=True, seed=10, out=tmp_path_factory.mktemp("encapsulation")))


@pytest.fixture(scope="module")
def claims(chapter):
    return {claim.id: claim for claim in chapter.claims}


@pytest.fixture
def empty(tmp_path):
    return Chapter("encapsulation", "Encapsulation", Settings(False, 10, tmp_path))


def test_every_figure_and_table_is_there(chapter):
    assert [block.item for block in chapter.blocks if block.item] == [
        "Table 1",
        "Table 1, again",
        "Figure 8",
        "Figure 9",
    ]
    table = chapter.blocks[3]
    assert {row[0] for row in table.rows} == {"`Sequential`", "PyTorch", "the report"}
    assert table.rows[-3][2:] == (
        "27.5 %",
        "1.33  0.72  −1.54  −0.01",
        "0.62  −0.72  0.27  0.11",
        "1.33  0.72  −1.54  −0.01",
    )


def test_claims(claims):
    assert len(claims) == 11 and all(claim.why.endswith(".") for claim in claims.values())
    for name in ("figure-8-same-curves", "figure-9-same-as-sgd", "figure-9-same-as-fit", "seed-repeats"):
        assert claims[name].verdict == "holds"
    for dtype, tolerance in (("float32", 1e-5), ("float64", 1e-12)):
        claim = claims[f"table-1-sequential-is-pytorch-{dtype}"]
        assert claim.verdict == "holds" and claim.measured < tolerance
        assert "values kept with the package" in claim.why
    assert claims["table-1-initial-weights"].verdict == "holds"
    assert claims["table-1-scores"].verdict == "not comparable" and claims["table-1-scores"].report == [
        27.5,
        37.5,
        97.5,
    ]


@pytest.mark.parametrize("way", [encapsulation.by_step, encapsulation.by_sgd, encapsulation.by_fit])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_every_way_is_the_loop_by_hand(way, batch_size):
    x, y = slopes.normalised_data(Generator(3))
    hand = slopes.by_hand(slopes.line(), x, y, 0.01, Generator(4), 3, batch_size)
    other = way(slopes.line(), x, y, 0.01, Generator(4), 3, batch_size)
    assert encapsulation.same_bits(hand, other) and encapsulation.difference(hand, other) == 0


def test_other_bits_are_noticed(empty):
    x, y = slopes.normalised_data(Generator(3))
    hand, other = (slopes.by_hand(slopes.line(), x, y, rate, Generator(4), 2) for rate in (0.01, 0.010001))
    assert not encapsulation.same_bits(hand, other) and encapsulation.difference(hand, other) > 0
    encapsulation._claim_same(empty, "sgd", {"a": hand, "b": hand}, {"a": hand, "b": other})
    (claim,) = empty.claims
    assert (claim.verdict, claim.measured) == ("differs", "1 of 2 the same bits")


def test_a_last_bit_of_a_parameter_is_noticed():
    x, y = slopes.normalised_data(Generator(3))
    hand, other = (slopes.by_hand(slopes.line(), x, y, 0.01, Generator(4), 2) for _ in range(2))
    other.network.bias.data[:] = np.nextafter(other.network.bias.data, np.float32(1))
    assert not encapsulation.same_bits(hand, other)


def test_the_weights_are_the_reports():
    first, second = table1.initial_weights()
    assert np.concatenate([first.ravel(), second.ravel()]) == pytest.approx(PRINTED[0], abs=0.01)
    network = table1.network("float64")
    assert (network[0].weight.data == first.T).all() and (network[2].weight.data == second.T).all()
    assert network[0].bias is None and repr(network[1]) == "Tanh()"


def test_points():
    raw, standardised = (table1.points(setting)[0] for setting in (AS_FIGURE_6, POINTED_TO))
    assert raw.shape == (200, 2) and raw.dtype == np.float64
    assert standardised.mean() == pytest.approx(0, abs=1e-12) and standardised.std() == pytest.approx(1)
    assert standardised[:, 0].mean() < 0 < standardised[:, 1].mean()


def test_the_kept_values_are_what_sequential_gives(monkeypatch):
    monkeypatch.setattr(table1, "find_spec", lambda name: None)
    for dtype, tolerance in (("float32", 1e-5), ("float64", 1e-12)):
        ours = table1.with_sequential(POINTED_TO, dtype)
        theirs = table1.pytorch_or_golden("pointed_to", dtype, table1.EPOCHS)
        assert max(table1.distance(ours[epoch].weights, theirs[epoch].weights) for epoch in table1.EPOCHS) < tolerance
        assert all(ours[epoch].score == theirs[epoch].score for epoch in table1.EPOCHS)


def kept(setting, dtype, epochs=table1.EPOCHS, seed=10):
    key = next(key for key, value in table1.SETTINGS.items() if value is setting)
    return table1.pytorch_or_golden(key, dtype, epochs)


def test_a_full_run_compares_all_epochs_and_sees_a_difference(empty, monkeypatch):
    def bent(setting, dtype, epochs=table1.EPOCHS, seed=10):
        snapshots = kept(setting, dtype, epochs)
        first, *others = snapshots[200].weights
        return snapshots | {200: Snapshot((first + 0.006, *others), snapshots[200].score)}

    monkeypatch.setattr(table1, "find_spec", lambda name: None)
    monkeypatch.setattr(table1, "with_sequential", bent)
    monkeypatch.setattr(table1_claims, "_claim_setting", lambda chapter: None)
    table1_claims.table_1(empty)
    claims = {claim.id: claim for claim in empty.claims}
    for dtype in table1.DTYPES:
        claim = claims[f"table-1-sequential-is-pytorch-{dtype}"]
        assert claim.verdict == "differs" and claim.measured == pytest.approx(0.006, abs=1e-6)
        assert "after 0 to 200 epochs" in claim.why


def test_the_setting_is_judged_by_the_nearest_draw(empty, monkeypatch):
    snapshot = Snapshot(PRINTED[10], 37.5)
    monkeypatch.setattr(table1, "with_sequential", lambda setting, dtype, epochs, seed: {10: snapshot})
    table1_claims._claim_setting(empty)
    (claim,) = empty.claims
    assert (claim.verdict, claim.measured) == ("holds", [0.0, 0.0]) and "some draw" in claim.why
