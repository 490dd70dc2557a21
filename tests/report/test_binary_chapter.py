"""The chapter on two clusters: data, trainings, and claims that follow what was measured."""

from dataclasses import replace

import numpy as np
import pytest

from maillon.nn import Linear, Sequential, Sigmoid
from maillon.random import Generator
from maillon.report import binary
from maillon.report.chapter import Chapter, Settings
from maillon.train import History


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binary, "SHORT", 7)
        patch.setattr(binary, "LONG", 12)
        return binary.run(Settings(quick=True, seed=10, out=tmp_path_factory.mktemp("binary")))


def model(train_errors, test_errors, losses=(1.0,) * 6):
    history = History(["loss"])
    for loss in losses:
        history.append(loss=loss)
    return binary.Model(Sequential(Linear(2, 1), Sigmoid()), history, train_errors, test_errors)


@pytest.fixture
def empty(tmp_path):
    return Chapter("binary", "Two clusters", Settings(True, 10, tmp_path))


def verdicts(chapter):
    return {claim.id: claim.verdict for claim in chapter.claims}


def test_every_figure_is_there(chapter):
    assert [block.item for block in chapter.blocks if block.kind == "figure"] == ["Figure 5", "Figure 6", "Figure 7"]
    for name in ("figure-5", "figure-6", "figure-7"):
        assert (chapter.settings.out / "figures" / f"{name}.png").stat().st_size > 5000
    assert [label for label, _ in chapter.trainings] == ["7 epochs", "12 epochs", "one link, 40 epochs"]
    assert len(chapter.claims) == 6 and all(claim.why.endswith(".") for claim in chapter.claims)


def test_the_data_are_the_reports():
    data = binary.clusters(Generator(10))
    assert [array.shape for array in (data.x, data.y, data.x_test, data.y_test)] == [
        (160, 2),
        (160, 1),
        (40, 2),
        (40, 1),
    ]
    x, y = np.concatenate([data.x, data.x_test]), np.concatenate([data.y, data.y_test]).ravel()
    assert x[y == 1].mean(axis=0) == pytest.approx([1, 2], abs=0.3)
    assert x[y == 0].mean(axis=0) == pytest.approx([3, 5], abs=0.3)
    assert y.sum() == 100


def test_claims_about_20_epochs(empty):
    falling, flat = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5), (0.1,) * 6
    binary._claim_short(empty, model(0.2, 0.2, falling), model(0.02, 0.02, flat))
    assert verdicts(empty) == {"figure-6-still-falling": "holds", "figure-6-many-errors": "holds"}
    assert empty.claims[0].measured == pytest.approx([10.0, 0.0])


def test_claims_about_20_epochs_that_differ(empty):
    flat = (0.1,) * 6
    binary._claim_short(empty, model(0.05, 0.05, flat), model(0.02, 0.02, flat))
    assert set(verdicts(empty).values()) == {"differs"}
    assert "is not more than" in empty.claims[0].why.replace("the first is not more", "is not more")


def test_a_loss_that_hardly_falls_is_not_still_falling(empty):
    """More than five times a fall of nothing was enough before."""
    slow = tuple(0.1 * 0.9999**epoch for epoch in range(6))
    binary._claim_short(empty, model(0.2, 0.2, slow), model(0.02, 0.02, (0.1,) * 6))
    assert verdicts(empty)["figure-6-still-falling"] == "differs"


def test_claims_about_200_epochs(empty):
    binary._claim_long(empty, model(0.2, 0.2), model(0.05, 0.05))
    assert set(verdicts(empty).values()) == {"holds"}
    assert empty.claims[1].measured == 10


def test_claims_about_200_epochs_that_differ(empty):
    binary._claim_long(empty, model(0.2, 0.2), model(0.3, 0.3))
    assert set(verdicts(empty).values()) == {"differs"}
    assert "not fewer with more epochs" in empty.claims[2].why


def test_a_perfect_network_leaves_no_few_errors(empty):
    binary._claim_long(empty, model(0.2, 0.2), model(0.0, 0.0))
    assert verdicts(empty)["figure-7-few-errors-remain"] == "differs"


def test_separable_by_a_line():
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert binary.separable(x, np.array([[0], [0], [0], [1]]))
    assert not binary.separable(x, np.array([[0], [1], [1], [0]]))


def test_the_claim_on_separability_follows_the_data(empty):
    data = binary.clusters(Generator(10))
    apart = replace(data, x=data.x - 100 * data.y, x_test=data.x_test - 100 * data.y_test)
    binary._claim_separable(empty, apart, model(0.0, 0.0), model(0.5, 0.5))
    (claim,) = empty.claims
    assert (claim.measured, claim.verdict) == ("a line separates them", "differs")
    assert "the hidden layer is needed" in claim.why


def test_the_least_error_is_that_of_the_best_frontier():
    x = np.random.default_rng(0).normal(size=(200_000, 2))
    towards = np.subtract(*binary.CENTRES) / np.linalg.norm(np.subtract(*binary.CENTRES))
    beyond = (x @ towards > np.linalg.norm(np.subtract(*binary.CENTRES)) / 2).mean()
    assert binary._least_error() == pytest.approx(beyond, abs=2e-3)
