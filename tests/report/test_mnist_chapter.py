"""The chapter on MNIST, run whole on a few made images: its claims, figures and judgements."""

import matplotlib as mpl
import numpy as np
import pytest
from small_images import ShortSettings, small_split

from maillon.nn import CrossEntropyLoss
from maillon.random import Generator
from maillon.report import mnist
from maillon.report.chapter import Chapter, Settings
from maillon.report.mnist import open_nine
from maillon.report.mnist_trainings import (
    Course,
    Trainer,
    classifier,
    combined_gradient,
    normal_weights,
    probabilities,
)

mpl.use("Agg")

ALWAYS_JUDGED = {
    "mnist-table2-counts",
    "mnist-table2-class5",
    "mnist-before-random",
    "mnist-literal",
    "mnist-seed",
}

NOTHING_TO_COMPARE = {"mnist-p-minus-y", "mnist-fig12-open-nine", "mnist-initial-weights"}


def run(settings, split):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "digits", lambda seed: split)
        return mnist.run(settings)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return run(ShortSettings(quick=False, seed=10, out=tmp_path_factory.mktemp("full")), small_split())


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    settings = ShortSettings(quick=True, seed=10, out=tmp_path_factory.mktemp("quick"))
    return run(settings, small_split("The images are made."))


def test_every_figure_and_table_of_the_report_is_there(full):
    items = {block.item for block in full.blocks}
    assert {"Table 2", "Figure 10", "Figure 11", "Figure 12", "Figure 13"} <= items
    for name in ("figure-10", "figure-11", "figure-12", "figure-13", "confusion", "entropy"):
        for suffix in (".svg", ".png"):
            assert (full.settings.out / "figures" / (name + suffix)).stat().st_size > 1000


def test_the_claims_are_many_and_named_once(full):
    names = [claim.id for claim in full.claims]
    assert len(names) == len(set(names)) >= 8
    assert all(claim.measured not in ("", []) and claim.why for claim in full.claims)
    assert full.source == "made on the spot" and full.stand_in_reason == ""


def test_what_was_measured_decides(full):
    claims = {claim.id: claim for claim in full.claims}
    assert claims["mnist-table2-counts"].verdict == "differs"
    assert claims["mnist-table2-counts"].measured == [12] * 10
    assert claims["mnist-table2-class5"].measured == 10.0
    assert claims["mnist-table2-class5"].verdict == "cannot hold"
    assert claims["mnist-accuracy"].verdict == ("holds" if claims["mnist-accuracy"].measured[1] > 50 else "differs")
    assert {name for name, claim in claims.items() if claim.verdict == "not comparable"} == NOTHING_TO_COMPARE
    assert claims["mnist-literal"].verdict == "holds" and claims["mnist-literal"].measured < 1e-6
    assert claims["mnist-p-minus-y"].measured < 1e-12
    assert claims["mnist-seed"].measured == "yes" and claims["mnist-seed"].verdict == "holds"
    assert claims["mnist-averaged"].verdict == "differs"
    before, after = claims["mnist-entropy"].measured
    assert claims["mnist-entropy"].verdict == ("holds" if after < before / 2 else "differs")


def test_a_quick_run_judges_only_what_needs_no_epochs(quick, monkeypatch):
    monkeypatch.setattr(quick, "stand_in_reason", "")
    for claim in quick.claims:
        if claim.id in ALWAYS_JUDGED:
            assert claim.verdict != "not comparable"
        elif claim.id != "mnist-p-minus-y":
            assert claim.verdict == "not comparable"
            assert claim.why.startswith("Quick run, fewer epochs than the report's: not its setting. ")


def test_on_a_stand_in_nothing_is_comparable(quick, full):
    assert quick.stand_in_reason == "The images are made."
    assert {claim.verdict for claim in quick.claims} == {"not comparable"}
    assert [claim.id for claim in quick.claims] == [claim.id for claim in full.claims]


def test_the_trainings_are_timed_one_by_one(full):
    labels = [label for label, _ in full.trainings]
    assert labels[:2] == ["summed, uniform weights, epochs 1 to 5", "summed, uniform weights, epochs 6 to 10"]
    assert len(labels) == 6


@pytest.fixture
def empty(tmp_path):
    return Chapter("mnist", "Digits", Settings(quick=False, seed=3, out=tmp_path))


def verdicts(chapter):
    return {claim.id: claim.verdict for claim in chapter.claims}


def predicting(labels, right):
    """Certain predicted: the true class where `right`, the next one elsewhere."""
    return np.eye(10)[np.where(right, labels, (labels + 1) % 10)]


def learnt(chapter, right, losses):
    split = small_split()
    predicted = predicting(split.y_test, right)
    course = Course("summed", list(losses), {})
    mnist._learnt(chapter, split, mnist.Predictions(predicted, predicted, predicted), course)
    return {claim.id: claim for claim in chapter.claims}


def test_the_accuracy_is_judged_by_fives_as_the_report_counts(empty):
    right = np.ones(80, dtype=bool)
    right[:35:5] = False  # 91.25 % of the images, 9 of the 16 fives
    claim = learnt(empty, right, [1.0] * 1000)["mnist-accuracy"]
    assert (claim.verdict, claim.measured) == ("holds", [91.25, 56.25])


def test_four_of_five_right_do_not_make_5_of_5(empty):
    right = np.ones(80, dtype=bool)
    right[5:] = np.arange(75) % 5 != 0
    claim = learnt(empty, right, [1.0] * 1000)["mnist-accuracy"]
    assert (claim.verdict, claim.measured) == ("differs", [81.25, 6.25])


def test_weights_are_optimal_only_where_more_epochs_gain_nothing(empty):
    """Before, 92 % of the test images right were enough, however fast the loss still fell."""
    right = np.ones(80, dtype=bool)
    falling = learnt(empty, right, np.geomspace(2.3, 0.1, 1000))["mnist-optimal-weights"]
    other = Chapter("mnist", "Digits", empty.settings)
    still = learnt(other, right, [2.3] + [0.1] * 999)["mnist-optimal-weights"]
    assert (falling.verdict, still.verdict) == ("differs", "holds")


def test_a_loss_that_still_falls_has_not_converged(empty):
    """The last 50 epochs make less than 1 % of the whole fall, which was enough before, and lower the loss by 10 %."""
    losses = [2.3, *np.geomspace(0.3, 0.1, 499)]
    assert (losses[-51] - losses[-1]) / (losses[0] - losses[-1]) < 0.01
    mnist._converged(empty, losses, 0.05)
    (claim,) = empty.claims
    assert claim.verdict == "differs" and claim.measured == pytest.approx(10.4, abs=0.1)


def test_a_loss_that_stands_still_has_converged(empty):
    mnist._converged(empty, [2.3, *[0.1] * 499], 0.1)
    assert verdicts(empty) == {"mnist-fig13-converged": "holds"}


def test_a_nine_that_was_sought_out_proves_nothing(empty):
    """The nearest of all nines to the report's numbers always came near enough before."""
    predicted = np.full((12, 10), 0.01)
    predicted[:, 9], predicted[:, 4] = 0.5, 0.3
    predicted[0, 4] = 0.24
    predicted[10:, 4], predicted[10:, 3] = 0.01, 0.4
    mnist._nines(empty, predicted, np.full(12, 9))
    (claim,) = empty.claims
    assert (claim.verdict, claim.measured) == ("not comparable", [0.5, 0.24])
    assert claim.why.endswith(
        "12 of the 12 nines get between 0.4 and 0.6 for 9; for 10 of them 4 is the next most probable digit."
    )


def test_there_may_be_no_doubtful_nine(empty):
    predicted = np.full((3, 10), 0.01)
    predicted[:, 9] = 0.9
    mnist._nines(empty, predicted, np.full(3, 9))
    assert "0 of the 3 nines" in empty.claims[0].why


def test_the_five_that_count_are_not_chosen(empty, monkeypatch):
    split = small_split()
    right = np.ones(80, dtype=bool)
    right[4] = False  # the figure shows a 9 in its place, chosen because it is right
    trainer = Trainer(empty, split)
    predicted = predicting(split.y_test, right)
    monkeypatch.setattr(Chapter, "figure", lambda self, *arguments, **named: None)
    mnist._predictions(trainer, mnist.Predictions(predicted, predicted, predicted))
    claim = empty.claims[0]
    assert (claim.id, claim.measured, claim.verdict) == ("mnist-fig12-five-right", "4 of 5", "differs")


def test_averaging_is_judged_by_what_it_learns(tmp_path):
    course = Course("averaged", [], {0: 0.1, 500: 0.5})
    assert not course.learnt, "half the images right passed before"
    course.accuracies[500] = 0.9
    assert course.learnt


def test_the_open_nine_is_the_nearest_with_four_second():
    predicted = np.full((5, 10), 0.01)
    predicted[:, 9] = (0.9, 0.45, 0.50, 0.50, 0.50)
    predicted[:, 4] = (0.05, 0.30, 0.20, 0.24, 0.24)
    predicted[3, 7] = 0.3  # a third class is second
    assert open_nine(predicted, np.array([9, 9, 9, 9, 3])) == 2


def test_without_such_a_nine_the_nearest_nine_is_taken():
    predicted = np.full((3, 10), 0.01)
    predicted[:, 3] = 0.6
    predicted[1, 9] = 0.3
    assert open_nine(predicted, np.array([9, 9, 2])) == 1


def test_probabilities_are_those_of_the_classes():
    network = classifier(Generator(1))
    p = probabilities(network, small_split().x_test)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    assert [len(network), p.shape] == [3, (80, 10)], "the network itself has no softmax"


def test_the_combined_gradient_is_p_minus_y():
    split = small_split()
    difference, walked, expected = combined_gradient(classifier(Generator(1)), split.x_test, split.y_test)
    assert difference < 1e-12
    assert walked.argmin() == split.y_test[0]
    np.testing.assert_allclose(walked, expected, atol=1e-12)


def test_normal_weights_leave_the_biases():
    usual, normal = classifier(Generator(1)), normal_weights(classifier(Generator(1)), Generator(2))
    np.testing.assert_array_equal(usual[0].bias.data, normal[0].bias.data)
    assert abs(normal[0].weight.data.std() - 1) < 0.01
    assert usual[0].weight.data.std() < 0.1


def test_an_averaged_loss_is_kept_as_it_is(tmp_path):
    chapter = Chapter("mnist", "Digits", Settings(quick=True, seed=3, out=tmp_path))
    trainer = Trainer(chapter, small_split())
    trainer.train("mean", "mean", (1,), loss=CrossEntropyLoss())
    trainer.train("sum", "sum", (1,), loss=CrossEntropyLoss(reduction="sum"))
    mean, summed = trainer.courses["mean"].losses[0], trainer.courses["sum"].losses[0]
    assert mean == pytest.approx(2.3, abs=0.3)
    assert summed == pytest.approx(mean, rel=0.01), "per image, both"
    assert set(trainer.courses["sum"].accuracies) == {0, 1}
