"""Chapter 5 of the report: an autoencoder that compresses images of clothing to two numbers."""

from typing import cast

import numpy as np
from matplotlib.figure import Figure

from maillon.nn import MSELoss
from maillon.plot.network import network as draw_network
from maillon.plot.style import use
from maillon.report.autoencoder_latent import latent
from maillon.report.autoencoder_loss import course
from maillon.report.autoencoder_model import BATCH_SIZE, GROUPS, RATE, WIDTHS, autoencoder, encode, train
from maillon.report.autoencoder_noise import noise
from maillon.report.autoencoder_pictures import pictures
from maillon.report.chapter import Chapter, Settings
from maillon.report.images import ImageSplit, articles, counts_table, samples, samples_alt
from maillon.report.recognition import Judge, classifier_of_originals
from maillon.typing import Array

REPORT_COUNTS = (759, 823, 813, 819, 759, 794, 833, 814, 790, 796)
REPORT_SHARES = (94.875, 10.2875, 10.1625, 10.2375, 9.4875, 9.925, 10.4125, 10.175, 9.875, 9.95)


def run(settings: Settings) -> Chapter:
    """Trains the report's autoencoder and looks at its reconstructions, its resistance to noise and its plane."""
    with use():
        chapter = Chapter("autoencoder", "An autoencoder: Fashion-MNIST", settings)
        split = articles(settings.seed)
        chapter.source = split.source
        if split.shortfall:
            chapter.stand_in(split.shortfall)
        _network(chapter)
        _data(chapter, split)
        trained, network = train(chapter, split)
        judge = Judge(split, classifier_of_originals(chapter, split))
        pictures(chapter, split, trained, judge)
        course(chapter, split, trained)
        noise(chapter, split, network, judge)
        latent(chapter, split, trained.after, encode(network, split.x_train))
    return chapter


def _data(chapter: Chapter, split: ImageSplit) -> None:
    chapter.text(
        f"{len(split.y_train):,} images to train on and {len(split.y_test):,} to test on, 28 × 28 pixels from 0 "
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
    _contradictions(chapter, split, counts)
    chapter.figure(
        "figure-15",
        samples(split),
        "Articles of the training part, two of each class.",
        "Figure 15",
        alt=samples_alt(split),
    )


def _contradictions(chapter: Chapter, split: ImageSplit, counts: Array) -> None:
    """Where the report's text and its own tables disagree."""
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


def _network(chapter: Chapter) -> None:
    network = autoencoder(chapter.settings.generator())
    size = sum(parameter.data.size for parameter in network.parameters())
    ax = draw_network(network, loss=MSELoss())
    chapter.figure(
        "figure-14",
        cast(Figure, ax.figure),
        f"The autoencoder, {size:,} parameters. The report does not give the hidden widths; 256 and 64 were taken.",
        "Figure 14",
        alt=f"A column of boxes from input to loss: Linear links from {' to '.join(map(str, WIDTHS))} numbers with "
        "Tanh between them, Sigmoid after the last, then MSELoss. Arrows forward carry values, arrows backward "
        "gradients.",
    )
    chapter.text(
        f"Trained with `MSELoss` (the mean over all pixels) at rate {RATE:g} in mini-batches of {BATCH_SIZE}, the "
        "last, shorter one kept, from PyTorch's initial weights and with its permutations under the same seed."
    )
