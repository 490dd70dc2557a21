"""Chapter 5 of the report: an autoencoder that squeezes articles of clothing into two numbers."""

from typing import cast

import numpy as np
from matplotlib.figure import Figure

from maillon.nn import MSELoss
from maillon.plot.network import network as draw_network
from maillon.plot.style import use
from maillon.report import autoencoder_figures as figures
from maillon.report.autoencoder_latent import latent
from maillon.report.autoencoder_loss import course
from maillon.report.autoencoder_model import (
    BATCH_SIZE,
    GROUPS,
    RATE,
    Stage,
    Trained,
    autoencoder,
    encode,
    group_labels,
    one_of_each,
    train,
)
from maillon.report.autoencoder_noise import noise
from maillon.report.chapter import Chapter, Settings
from maillon.report.images import SIDE, ImageSplit, articles, counts_table, samples
from maillon.report.measures import smoothness, vote
from maillon.report.verdicts import because, judged
from maillon.typing import Array

REPORT_COUNTS = (759, 823, 813, 819, 759, 794, 833, 814, 790, 796)
REPORT_SHARES = (94.875, 10.2875, 10.1625, 10.2375, 9.4875, 9.925, 10.4125, 10.175, 9.875, 9.95)
SHIRT, BAG, TROUSERS = 6, 8, 1
SHOES = (5, 7, 9)
RECOGNISED = 0.9  # share of reconstructions that land among their own kind
SMOOTH = 0.5  # correlation of neighbouring pixels; below, a picture is noise


def run(settings: Settings) -> Chapter:
    """Trains the report's autoencoder and looks at its reconstructions, its resistance to noise and its plane."""
    with use():
        chapter = Chapter("autoencoder", "An autoencoder: Fashion-MNIST", settings)
        split = articles(settings.seed)
        chapter.source = split.source
        if split.shortfall:
            chapter.stand_in(split.shortfall)
        _data(chapter, split)
        _network(chapter)
        trained, network = train(chapter, split)
        _reconstructions(chapter, split, trained)
        _classes(chapter, split, trained.after, encode(network, split.x_train))
        course(chapter, split, trained)
        noise(chapter, split, network)
        latent(chapter, split, trained.after, encode(network, split.x_train))
    return chapter


def _data(chapter: Chapter, split: ImageSplit) -> None:
    chapter.text(
        f"{len(split.y_train):,} images to learn from and {len(split.y_test):,} to look at, 28 × 28 pixels from 0 "
        "to 1. The report takes 8,000 of 10,000: those of `numpy.random.RandomState(10).permutation(10000)[:8000]`, "
        "out of the first 10,000 training images, give its Table 3 exactly."
    )
    counts = np.bincount(split.y_train, minlength=len(split.class_names))
    counts_table(chapter, "Table 3", counts, REPORT_COUNTS, REPORT_SHARES, split.class_names)
    same = int((counts == REPORT_COUNTS).sum())
    chapter.claim(
        "autoencoder-table3-counts",
        "Table 3",
        REPORT_COUNTS,
        counts,
        "holds" if same == len(counts) else "differs",
        f"{same} of the {len(counts)} counts are the report's.",
        "images",
    )
    share = 100 * float(counts[0]) / float(counts.sum())
    chapter.claim(
        "autoencoder-table3-class0",
        "Table 3, class 0",
        REPORT_SHARES[0],
        round(share, 4),
        "holds" if abs(share - REPORT_SHARES[0]) < 0.01 else "cannot hold",
        f"The table's own count, 759 of 8,000, is {100 * 759 / 8000:.4f} %: the decimal point slipped. "
        f"Counted here: {counts[0]} of {counts.sum():,}.",
        "%",
    )
    present = len(np.unique(split.y_train))
    chapter.claim(
        "autoencoder-nine-classes",
        "5.4, the classes",
        9,
        present,
        "holds" if present == 9 else "cannot hold",
        f"The text says 9 classes, its Table 3 lists 10, and the data have {present}.",
        "classes",
    )
    chapter.claim(
        "autoencoder-three-groups",
        "5.4, the groups",
        3,
        len(GROUPS),
        "holds" if len(GROUPS) == 3 else "cannot hold",
        f"The text says 3 groups; its Table 4 lists {len(GROUPS)}: {', '.join(GROUPS)}.",
        "groups",
    )
    chapter.figure("figure-15", samples(split), "Articles of the training part, two of each class.", "Figure 15")


def _network(chapter: Chapter) -> None:
    network = autoencoder(chapter.settings.generator())
    size = sum(parameter.data.size for parameter in network.parameters())
    ax = draw_network(network, loss=MSELoss())
    chapter.figure(
        "figure-14",
        cast(Figure, ax.figure),
        f"The autoencoder, {size:,} parameters. The report does not give the hidden widths; 256 and 64 were taken.",
        "Figure 14",
    )
    chapter.text(
        f"Trained with `MSELoss` (the mean over all pixels) at rate {RATE:g} in mini-batches of {BATCH_SIZE}, the "
        "last, shorter one kept, from PyTorch's initial weights and with its permutations under the same seed."
    )


def _reconstructions(chapter: Chapter, split: ImageSplit, trained: Trained) -> None:
    shown = one_of_each(split.y_test)
    names = [split.class_names[split.y_test[place]] for place in shown]
    originals = split.x_test[shown]
    chapter.heading("Reconstructions")
    for item, stage, words in (
        ("Figure 16", trained.before, "before training"),
        ("Figure 17", trained.after, f"after {trained.after.epochs} epochs"),
        ("", trained.longer, f"after {trained.longer.epochs} epochs, beyond the report"),
    ):
        chapter.figure(
            (item or "figure-17-beyond").lower().replace(" ", "-"),
            figures.rows({"original": originals, "reconstruction": stage.reconstructions[shown]}, names),
            f"Test images over their reconstructions {words}, the first of each class.",
            item,
        )
    originals_smooth = smoothness(split.x_test.reshape(-1, SIDE, SIDE))
    before = smoothness(trained.before.reconstructions.reshape(-1, SIDE, SIDE))
    after = smoothness(trained.after.reconstructions.reshape(-1, SIDE, SIDE))
    _pictures(chapter, trained.after.epochs, originals_smooth, before, after)


def _pictures(chapter: Chapter, epochs: int, originals: float, before: float, after: float) -> None:
    """All three: the correlation of neighbouring pixels."""
    noisy = abs(before) < SMOOTH
    chapter.claim(
        "autoencoder-fig16-noise",
        "Figure 16",
        "visual noise at 0 epochs",
        round(before, 3),
        "holds" if noisy else "differs",
        f"Neighbouring pixels of the reconstructions correlate by {before:.2f}, those of the originals by "
        f"{originals:.2f}: {'noise' if noisy else 'no noise'} before training.",
        "correlation of neighbouring pixels",
    )
    settings, mended = chapter.settings, after > SMOOTH
    chapter.claim(
        "autoencoder-fig17-pictures",
        "Figure 17",
        "recognisable images after 2000 epochs",
        round(after, 3),
        judged(settings, mended),
        because(
            settings,
            f"After {epochs} epochs neighbouring pixels correlate by {after:.2f}, those of the originals by "
            f"{originals:.2f}: {'pictures' if mended else 'still noise'}, with {SMOOTH:g} as the threshold.",
        ),
        "correlation of neighbouring pixels",
    )


def _classes(chapter: Chapter, split: ImageSplit, stage: Stage, known: Array) -> None:
    """How well each class is reconstructed: its error, and the group whose codes its own lie among."""
    chapter.heading("Which classes are reconstructed well")
    groups = group_labels(split.y_train)
    voted = vote(stage.codes, known, groups)
    mean_image = split.x_train.mean(axis=0)
    rows, ratios, shares = [], [], []
    for label, name in enumerate(split.class_names):
        members = split.y_test == label
        error = float(np.square(stage.reconstructions[members] - split.x_test[members]).mean())
        guess = float(np.square(mean_image - split.x_test[members]).mean())
        seen_as = np.bincount(voted[members], minlength=len(GROUPS)) / max(members.sum(), 1)
        ratios.append(error / guess)
        shares.append(seen_as)
        rows.append(
            [name, f"{error:.4f}", f"{guess:.4f}", f"{error / guess:.2f}", *(f"{share:.0%}" for share in seen_as)]
        )
    chapter.table(
        f"Test images after {stage.epochs} epochs. Error: mean squared, of the reconstruction and of the mean "
        "image guessed for all. Seen as: the group to which most of the 15 training images with the nearest codes "
        "belong.",
        ["class", "error", "mean image", "ratio", *(f"seen as {group}" for group in GROUPS)],
        rows,
    )
    _recognised(chapter, np.array(ratios), np.array(shares))
    _not_recognised(chapter, np.array(ratios), np.array(shares))


def _recognised(chapter: Chapter, ratios: Array, shares: Array) -> None:
    """shares: of each class (row), the part seen as each group (column)."""
    settings = chapter.settings
    tops, shoes = (list(GROUPS).index(name) for name in ("tops", "shoes"))
    for name, item, labels, group in (
        ("shoes", "5.2, shoes", list(SHOES), shoes),
        ("blouses", "5.2, blouses", [SHIRT], tops),
    ):
        share = float(shares[labels, group].mean())
        chapter.claim(
            f"autoencoder-{name}",
            item,
            "reconstructed well",
            round(100 * share, 1),
            judged(settings, share >= RECOGNISED),
            because(
                settings,
                f"{share:.0%} of the {name} are seen as {list(GROUPS)[group]} by their codes, with {RECOGNISED:.0%} as "
                f"the threshold, and their squared error is {ratios[labels].mean():.2f} of the mean image's.",
            ),
            "% among their own kind",
        )


def _not_recognised(chapter: Chapter, ratios: Array, shares: Array) -> None:
    settings = chapter.settings
    tops, trousers, shoes, bags = range(len(GROUPS))
    share, worst = float(shares[BAG, bags]), int(ratios.argmax())
    chapter.claim(
        "autoencoder-bags",
        "5.2, bags",
        "not reconstructed: shapes between shoe, blouse and trousers",
        round(100 * share, 1),
        judged(settings, share < RECOGNISED and worst == BAG),
        because(
            settings,
            f"{share:.0%} of the bags are seen as bags, {shares[BAG, shoes]:.0%} as shoes, {shares[BAG, tops]:.0%} as "
            f"tops; their error is {ratios[BAG]:.2f} of the mean image's, "
            f"{'the worst' if worst == BAG else 'not the worst'} of the ten classes.",
        ),
        "% among their own kind",
    )
    mixed = float(shares[TROUSERS, tops])
    chapter.claim(
        "autoencoder-trousers",
        "5.2, trousers",
        "sometimes between blouse and trousers",
        round(100 * mixed, 1),
        judged(settings, 0.02 <= mixed <= 0.5),
        because(
            settings,
            f"{mixed:.0%} of the trousers lie among the tops and {shares[TROUSERS, trousers]:.0%} among their own; "
            "'sometimes' was taken for 2 to 50 %.",
        ),
        "% seen as tops",
    )
