"""The chapter on the autoencoder, run whole on a few made images, and the training that it rests on."""

import matplotlib as mpl
import numpy as np
import pytest
from cores import without_core
from small_images import NAMES, ShortSettings, small_split

from maillon.data import DataNotFoundError
from maillon.nn import MSELoss
from maillon.optim import Optim
from maillon.random import Generator
from maillon.report import autoencoder as chapter_module, autoencoder_loss, images
from maillon.report.autoencoder_loss import course
from maillon.report.autoencoder_model import (
    BATCH_SIZE,
    RATE,
    Stage,
    Trained,
    autoencoder,
    encode,
    group_labels,
    one_of_each,
    train,
)
from maillon.report.chapter import Chapter, Settings
from maillon.train import predict, sgd

mpl.use("Agg")

ALWAYS_JUDGED = {
    "autoencoder-table3-counts",
    "autoencoder-table3-class0",
    "autoencoder-nine-classes",
    "autoencoder-three-groups",
    "autoencoder-fig16-noise",
    "autoencoder-fig18-mse",
}


def run(settings, split):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chapter_module, "articles", lambda seed: split)
        return chapter_module.run(settings)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return run(ShortSettings(quick=False, seed=10, out=tmp_path_factory.mktemp("full")), small_split())


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """Nothing can be had: the chapter runs on the bundled digits."""

    def nothing(source=None):
        raise DataNotFoundError("nothing")

    settings = ShortSettings(quick=True, seed=10, out=tmp_path_factory.mktemp("stand_in"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "fashion_mnist", nothing)
        patch.setattr(ShortSettings, "epochs", lambda self, full, quick: full // 500)
        return chapter_module.run(settings)


def test_every_figure_and_table_of_the_report_is_there(full):
    items = {block.item for block in full.blocks}
    assert {"Table 3", "Table 4"} <= items
    assert {f"Figure {number}" for number in range(14, 22)} <= items
    for name in [*(f"figure-{number}" for number in range(14, 22)), "figure-17-beyond"]:
        for suffix in (".svg", ".png"):
            assert (full.settings.out / "figures" / (name + suffix)).stat().st_size > 1000


def test_the_claims_are_many_and_named_once(full):
    names = [claim.id for claim in full.claims]
    assert len(names) == len(set(names)) >= 12
    assert all(claim.measured not in ("", []) and claim.why for claim in full.claims)
    assert "not comparable" not in {claim.verdict for claim in full.claims}


def test_what_was_measured_decides(full):
    claims = {claim.id: claim for claim in full.claims}
    assert claims["autoencoder-table3-counts"].verdict == "differs"
    assert claims["autoencoder-table3-class0"].verdict == "cannot hold"
    assert claims["autoencoder-nine-classes"].measured == 10
    assert claims["autoencoder-fig18-mse"].verdict == "cannot hold"
    assert claims["autoencoder-fig16-noise"].verdict == "holds"
    assert claims["autoencoder-mse"].verdict == "differs", "20 epochs are too few"
    assert claims["autoencoder-fig18-plateau"].measured == 0
    shoes, tops = claims["autoencoder-latent-dispersed"].measured
    assert claims["autoencoder-latent-dispersed"].verdict == ("holds" if shoes > tops else "differs")
    noisy = claims["autoencoder-noise-noisy"]
    assert noisy.verdict == "holds" and len(noisy.measured) == 11
    assert noisy.measured[-1] == pytest.approx(noisy.measured[0] + 1, rel=0.1), "about c² more"


def test_the_plane_can_be_walked_about_in(full):
    (fragment,) = (block.content for block in full.blocks if block.kind == "html")
    assert fragment.count("data-latent-point=") == 80
    assert all(name in fragment for name in NAMES)


def test_on_a_stand_in_the_chapter_is_whole_and_nothing_comparable(stand_in, full):
    assert stand_in.source == "scikit-learn's bundled digits"
    assert stand_in.stand_in_reason.startswith("Fashion-MNIST could not be had")
    assert [claim.id for claim in stand_in.claims] == [claim.id for claim in full.claims]
    assert {claim.verdict for claim in stand_in.claims} == {"not comparable"}
    assert len(stand_in.blocks) == len(full.blocks) + 1, "a word on the groups' names more"


def test_a_quick_run_judges_only_what_needs_no_epochs(stand_in, monkeypatch):
    monkeypatch.setattr(stand_in, "stand_in_reason", "")
    for claim in stand_in.claims:
        if claim.id in ALWAYS_JUDGED:
            assert claim.verdict != "not comparable"
        else:
            assert claim.verdict == "not comparable"
            assert claim.why.startswith("Quick run, fewer epochs than the report's: not its setting. ")


def test_the_training_draws_the_network_and_then_one_permutation_an_epoch(tmp_path):
    split = small_split()
    chapter = Chapter("autoencoder", "Clothes", ShortSettings(quick=False, seed=4, out=tmp_path))
    with without_core():  # whose bits are those of the loop below
        trained, reported = train(chapter, split)
    generator = Generator(4)
    network = autoencoder(generator)
    losses = sgd(Optim(network, MSELoss(), RATE), split.x_train, split.x_train, BATCH_SIZE, 30, generator=generator)
    np.testing.assert_array_equal(trained.losses, losses)
    np.testing.assert_array_equal(trained.network[0].weight.data, network[0].weight.data)
    assert [stage.epochs for stage in (trained.before, trained.after, trained.longer)] == [0, 20, 30]
    np.testing.assert_array_equal(predict(reported, split.x_test, engine="numpy"), trained.after.reconstructions)


def test_the_code_is_what_the_last_linear_of_the_encoder_gives():
    network, x = autoencoder(Generator(1)), small_split().x_test
    codes = encode(network, x)
    assert codes.shape == (80, 2)
    np.testing.assert_allclose(predict(network[6:], np.tanh(codes)), predict(network, x), rtol=1e-5)


def test_the_network_is_the_reports():
    network = autoencoder(Generator(1))
    assert [type(link).__name__ for link in network] == ["Linear", "Tanh"] * 5 + ["Linear", "Sigmoid"]
    shapes = [link.weight.data.shape for link in network if hasattr(link, "weight")]
    assert shapes == [(256, 784), (64, 256), (2, 64), (64, 2), (256, 64), (784, 256)]


def test_groups_and_first_images():
    labels = np.array([3, 1, 8, 5, 3, 9, 1])
    np.testing.assert_array_equal(group_labels(labels), [0, 1, 3, 2, 0, 2, 1])
    assert one_of_each(labels) == [1, 0, 3, 2, 5]


def made_course(tmp_path, mse):
    """The claims on a loss made to measure: 1000 epochs as the report's, the rest beyond it."""
    split = small_split()
    stages = [Stage(epochs, split.x_test, split.x_test[:, :2]) for epochs in (0, 1000, len(mse))]
    chapter = Chapter("autoencoder", "Clothes", Settings(quick=False, seed=1, out=tmp_path))
    course(chapter, split, Trained(autoencoder(Generator(1)), mse, *stages))
    return {claim.id: claim for claim in chapter.claims}


def test_a_course_like_the_reports_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(autoencoder_loss, "REFERENCE", 0.04)
    level = 0.35**2
    mse = np.concatenate(
        [np.linspace(0.2, level, 100), np.full(450, level), np.linspace(level, 0.04, 450), np.linspace(0.04, 0.01, 500)]
    )
    claims = made_course(tmp_path, mse)
    assert claims["autoencoder-fig18-level"].verdict == "holds"
    assert claims["autoencoder-fig18-plateau"].verdict == "holds"
    assert 440 <= claims["autoencoder-fig18-plateau"].measured <= 500
    assert claims["autoencoder-fig18-after"].verdict == "holds"
    assert claims["autoencoder-mse"].verdict == "holds"
    assert claims["autoencoder-3000"].verdict == "holds"
    assert claims["autoencoder-fig18-mse"].verdict == "cannot hold"


def test_a_course_unlike_the_reports_differs(tmp_path):
    claims = made_course(tmp_path, np.concatenate([np.linspace(0.4, 0.2, 1000), np.full(500, 0.2)]))
    verdicts = {name: claim.verdict for name, claim in claims.items()}
    assert verdicts == {
        "autoencoder-fig18-mse": "holds",
        "autoencoder-fig18-level": "differs",
        "autoencoder-fig18-plateau": "differs",
        "autoencoder-fig18-after": "differs",
        "autoencoder-mse": "differs",
        "autoencoder-3000": "differs",
    }
