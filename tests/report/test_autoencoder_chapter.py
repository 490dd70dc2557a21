"""The chapter on the autoencoder, run whole on a few made images, and the training that it rests on."""

import matplotlib as mpl
import numpy as np
import pytest
from cores import without_core
from scipy.ndimage import gaussian_filter
from small_images import NAMES, ShortSettings, small_split

from maillon.data import DataNotFoundError
from maillon.nn import MSELoss
from maillon.optim import Optim
from maillon.random import Generator
from maillon.report import (
    autoencoder as chapter_module,
    autoencoder_latent as latent_module,
    autoencoder_noise as noise_module,
    autoencoder_pictures as pictures,
    images,
)
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
from maillon.report.measures import smoothness
from maillon.report.recognition import Judge, classifier_of_originals
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
    figures = [block.item for block in full.blocks if block.kind == "figure" and block.item]
    assert figures == sorted(figures), "in the report's order: Figure 14 before 15"
    for name in [*(f"figure-{number}" for number in range(14, 22)), "figure-17-beyond"]:
        for suffix in (".svg", ".png"):
            assert (full.settings.out / "figures" / (name + suffix)).stat().st_size > 1000


def test_the_claims_are_many_and_named_once(full):
    names = [claim.id for claim in full.claims]
    assert len(names) == len(set(names)) >= 12
    assert all(claim.measured not in ("", []) and claim.why for claim in full.claims)
    assert {claim.id for claim in full.claims if claim.verdict == "not comparable"} == {"autoencoder-mse"}


def test_what_was_measured_decides(full):
    claims = {claim.id: claim for claim in full.claims}
    assert claims["autoencoder-table3-counts"].verdict == "differs"
    assert claims["autoencoder-table3-class0"].verdict == "cannot hold"
    assert claims["autoencoder-nine-classes"].measured == 10
    assert claims["autoencoder-fig18-mse"].verdict == "cannot hold"
    assert claims["autoencoder-fig16-noise"].verdict == "holds"
    assert claims["autoencoder-mse"].why.startswith("The report gives no number to compare with.")
    assert claims["autoencoder-fig17-pictures"].verdict == "differs", "20 epochs are too few"
    assert claims["autoencoder-fig18-plateau"].measured == 0
    assert claims["autoencoder-fig18-level"].measured == "no plateau"
    shoes, tops = claims["autoencoder-latent-dispersed"].measured
    assert claims["autoencoder-latent-dispersed"].verdict == ("holds" if shoes > 1.1 * tops else "differs")
    noisy = claims["autoencoder-noise-noisy"]
    assert noisy.verdict == "holds" and len(noisy.measured) == 11
    assert noisy.measured[-1] == pytest.approx(noisy.measured[0] + 1, rel=0.1), "about c² more"


def test_the_plane_can_be_walked_about_in(full):
    (fragment,) = (block.content for block in full.blocks if block.kind == "html")
    assert fragment.count("data-latent-point=") == 80
    assert all(name in fragment for name in NAMES)


def test_on_a_stand_in_the_chapter_is_whole_and_nothing_comparable(stand_in, full):
    assert stand_in.source == "scikit-learn's bundled digits"
    assert stand_in.stand_in_reason.startswith("Fashion-MNIST is not available")
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


@pytest.fixture
def empty(tmp_path):
    return Chapter("autoencoder", "Clothes", Settings(quick=False, seed=1, out=tmp_path))


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    split = small_split()
    chapter = Chapter("autoencoder", "Clothes", Settings(quick=False, seed=1, out=tmp_path_factory.mktemp("judge")))
    return Judge(split, classifier_of_originals(chapter, split))


def seen_after(chapter, judge, reconstructions):
    """The claims on reconstructions made to measure."""
    split = judge.split
    stage = Stage(2000, reconstructions, np.zeros((len(reconstructions), 2)))
    pictures._recognisable(chapter, split, stage, judge)
    pictures._classes(chapter, split, stage, judge)
    return {claim.id: claim for claim in chapter.claims}


def test_originals_are_recognisable_and_lose_no_bag(empty, judge):
    claims = seen_after(empty, judge, judge.split.x_test)
    assert claims["autoencoder-fig17-pictures"].measured[1] > 90
    assert {name: claim.verdict for name, claim in claims.items()} == {
        "autoencoder-fig17-pictures": "holds",
        "autoencoder-sneakers": "holds",
        "autoencoder-blouses": "holds",
        "autoencoder-bags": "differs",
        "autoencoder-trousers": "differs",
    }


def test_a_blur_that_shows_nothing_is_no_picture(empty, judge):
    """Neighbouring pixels of the mean image correlate as those of pictures do, which was all that was asked before."""
    mean = gaussian_filter(judge.split.x_train.mean(axis=0).reshape(28, 28), 3).ravel()
    blurred = np.tile(mean, (80, 1)).astype(np.float32)
    assert smoothness(blurred.reshape(-1, 28, 28)) > 0.9
    claims = seen_after(empty, judge, blurred)
    assert claims["autoencoder-fig17-pictures"].verdict == "differs"
    assert claims["autoencoder-sneakers"].verdict == claims["autoencoder-blouses"].verdict == "differs"
    assert claims["autoencoder-bags"].verdict == "holds", "bags are lost as well"


def test_another_article_of_small_error_is_not_recognised(empty, judge):
    """A mixture that lies nearer than the mean image, and shows the next class."""
    split = judge.split
    means = np.array([split.x_train[split.y_train == label].mean(axis=0) for label in range(10)])
    mixed = 0.48 * means[split.y_test] + 0.52 * means[(split.y_test + 1) % 10]
    claim = seen_after(empty, judge, mixed.astype(np.float32))["autoencoder-fig17-pictures"]
    assert judge.look(mixed.astype(np.float32)).ratio < 0.75
    assert claim.verdict == "differs"


def test_a_class_in_which_everything_is_seen_is_not_recognised(empty, judge):
    """All of its images are named right, and so are the others named: the pictures show no class at all."""
    one = judge.split.x_test[judge.split.y_test == 8][:1]
    claims = seen_after(empty, judge, np.repeat(one, 80, axis=0))
    assert (judge.names(one) == 8).all()
    assert claims["autoencoder-bags"].verdict == "holds"
    assert claims["autoencoder-bags"].measured[0] == pytest.approx(100 * 2 * 8 / 88, abs=0.1)


def test_noise_is_told_from_a_faint_pattern(empty, judge):
    """A correlation of 0.3 between neighbours was noise before."""
    noise = Generator(1).rand((80, 28, 28))
    for kind, made, verdict in (
        ("noise", noise, "holds"),
        ("pattern", noise + 0.5 * np.roll(noise, 1, axis=2), "differs"),
    ):
        chapter = Chapter(kind, kind, empty.settings)
        pictures._noise(chapter, judge.split, Stage(0, made.reshape(80, -1), np.zeros((80, 2))))
        assert chapter.claims[0].verdict == verdict


def clouds(**places):
    generator = np.random.default_rng(0)
    return {name: generator.normal(size=(200, 2)) * spread + centre for name, (centre, spread) in places.items()}


def test_bags_beside_the_way_are_not_between(empty):
    """Before, only the place along the way counted, and these lie along it, far to the side."""
    made = clouds(tops=((0, 0), 1), shoes=((10, 0), 1), bags=((5, 30), 1))
    latent_module._bags(empty, made)
    assert empty.claims[0].verdict == "differs"
    other = Chapter("autoencoder", "Clothes", empty.settings)
    latent_module._bags(other, made | clouds(bags=((5, 1), 1)))
    assert other.claims[0].verdict == "holds"


def test_trousers_beside_the_tops_are_not_inside(empty):
    """Before, half the neighbours and the convex hull of the tops, outliers included, were enough."""
    made = clouds(tops=((0, 0), 1), trousers=((6, 0), 0.3), shoes=((30, 0), 1))
    made["tops"][:4] = [(20, 20), (20, -20), (-20, 20), (-20, -20)]
    known = np.concatenate([made["tops"], made["shoes"]])
    labels = np.array([0] * 200 + [7] * 200)
    latent_module._trousers(empty, made, known, labels)
    assert empty.claims[0].verdict == "differs"
    other = Chapter("autoencoder", "Clothes", empty.settings)
    latent_module._trousers(other, made | clouds(trousers=((0.3, 0.3), 0.3)), known, labels)
    assert other.claims[0].verdict == "holds"


def test_slightly_more_dispersed_is_not_markedly_more(empty):
    tops = clouds(tops=((0, 0), 1))["tops"]
    latent_module._shoes_and_tops(empty, {"tops": tops, "shoes": 1.05 * tops + 10})
    assert empty.claims[1].verdict == "differs", "any excess was enough before"


def test_images_seen_as_others_under_little_noise_are_not_the_same(empty):
    """The error alone was compared before."""
    named = [np.zeros(10, int), np.array([0] * 8 + [7] * 2)] + [np.zeros(10, int)] * 9
    noise_module._small(empty, [0.04] * 11, named)
    assert empty.claims[0].verdict == "differs" and empty.claims[0].measured == [0.0, 20.0]


def test_shoes_that_stay_shoes_are_no_conversion(empty):
    """Six of ten seen as shoes were enough before, though five of them are shoes."""
    labels = np.array([7] * 5 + [0] * 5)
    named = [np.array([7] * 6 + [0] * 4)] * 11
    noise_module._shoes(empty, labels, named)
    assert empty.claims[0].verdict == "differs" and empty.claims[0].measured == [20.0, 20.0, 20.0]
    other = Chapter("autoencoder", "Clothes", empty.settings)
    noise_module._shoes(other, labels, [*named[:10], np.full(10, 7)])
    assert other.claims[0].verdict == "holds"


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


def test_a_course_like_the_reports_holds(tmp_path):
    level = 0.35**2
    mse = np.concatenate(
        [
            np.linspace(0.2, level, 100),
            np.full(450, level),
            np.linspace(level, 0.04, 350),
            np.full(100, 0.04),
            np.linspace(0.04, 0.01, 500),
        ]
    )
    claims = made_course(tmp_path, mse)
    assert claims["autoencoder-fig18-level"].verdict == "holds"
    assert claims["autoencoder-fig18-plateau"].verdict == "holds"
    assert 440 <= claims["autoencoder-fig18-plateau"].measured <= 500
    assert claims["autoencoder-fig18-after"].verdict == "holds"
    assert claims["autoencoder-mse"].verdict == "not comparable", "the report has no such number"
    assert claims["autoencoder-3000"].verdict == "holds"
    assert claims["autoencoder-fig18-mse"].verdict == "cannot hold"


def test_a_course_unlike_the_reports_differs(tmp_path):
    claims = made_course(tmp_path, np.concatenate([np.linspace(0.4, 0.2, 1000), np.full(500, 0.2)]))
    verdicts = {name: claim.verdict for name, claim in claims.items()}
    assert verdicts == {
        "autoencoder-fig18-mse": "differs",
        "autoencoder-fig18-level": "differs",
        "autoencoder-fig18-plateau": "differs",
        "autoencoder-fig18-after": "differs",
        "autoencoder-mse": "not comparable",
        "autoencoder-3000": "differs",
    }


def test_a_second_plateau_stands_still_and_follows_a_first(tmp_path):
    """Any end below 0.3 passed before, that of the mean image (0.29) included."""
    falling = np.geomspace(0.2, 0.04, 1000)
    one_plateau = np.concatenate([np.geomspace(0.2, 0.084, 200), np.full(800, 0.084)])
    for mse in (falling, one_plateau):
        claims = made_course(tmp_path, np.concatenate([mse, np.full(500, mse[-1])]))
        assert claims["autoencoder-fig18-after"].measured < 0.3
        assert claims["autoencoder-fig18-after"].verdict == "differs"


def test_only_a_plateau_can_be_left(tmp_path):
    """A loss that never stood still passed before, as long as it went on falling."""
    claim = made_course(tmp_path, np.geomspace(0.2, 0.001, 1500))["autoencoder-3000"]
    assert claim.verdict == "differs" and claim.why.endswith("it was not reached before.")


def test_a_level_of_no_plateau_is_none(tmp_path):
    """Before, without any plateau the last loss was taken for one: here 0.35 by chance."""
    mse = np.concatenate([np.geomspace(0.34, 0.35**2, 1000), np.geomspace(0.1, 0.05, 500)])
    claim = made_course(tmp_path, mse)["autoencoder-fig18-level"]
    assert (claim.measured, claim.verdict) == ("no plateau", "differs")
