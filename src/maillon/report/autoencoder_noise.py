"""Noise on the autoencoder's input: what it still reconstructs, and as what."""

import numpy as np

from maillon.data import add_noise
from maillon.nn import Sequential
from maillon.report import autoencoder_figures as figures
from maillon.report.autoencoder_model import GROUPS, group_labels, one_of_each
from maillon.report.chapter import Chapter
from maillon.report.images import ImageSplit
from maillon.report.recognition import Judge
from maillon.report.verdicts import because, judged
from maillon.train import predict
from maillon.typing import Array

SCALES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SHOWN = (0.1, 0.5, 1.0)
UNCHANGED = 0.05  # images are the same where the error and the classes seen in them change by less


def noise(chapter: Chapter, split: ImageSplit, network: Sequential, judge: Judge) -> None:
    """Figures 19 and 20, and what the report says of them."""
    chapter.heading("Under noise")
    chapter.text("Each pixel gets noise of the law N(0, c²), by `add_noise`; nothing is clipped, as in the report.")
    _rows(chapter, split, network)
    generator = chapter.settings.generator()
    clean, noisy, named = [], [], []
    for scale in SCALES:
        x = add_noise(split.x_test, scale, generator)
        reconstruction = predict(network, x)
        clean.append(_mse(reconstruction, split.x_test))
        noisy.append(_mse(reconstruction, x))
        named.append(judge.names(reconstruction))
    chapter.figure(
        "figure-20",
        figures.noise(SCALES, clean, noisy),
        "Mean squared error of the test images' reconstructions against the scale of the noise. Left, against the "
        "clean image: what is lost. Right, against the noisy input, which no reconstruction can follow: about c² more.",
        "Figure 20",
        alt=f"Two curves over the scale of the noise from 0 to 1. Against the clean image the mean squared error rises "
        f"from {clean[0]:.4f} to {clean[SCALES.index(0.5)]:.4f} at 0.5 and {clean[-1]:.4f} at 1; against the noisy "
        f"input from {noisy[0]:.3f} to {noisy[SCALES.index(0.5)]:.3f} and {noisy[-1]:.3f}, along a dashed curve of c².",
    )
    chapter.table(
        "The same in numbers, and as what the reconstructions are seen: the group of the class that a classifier "
        "trained on original images sees in them.",
        ["c", "MSE, clean", "MSE, noisy", *(f"seen as {group}" for group in GROUPS)],
        [
            [f"{c:g}", f"{a:.4f}", f"{b:.4f}", *(f"{share:.0%}" for share in shares)]
            for c, a, b, shares in zip(SCALES, clean, noisy, map(_group_shares, named), strict=True)
        ],
    )
    _small(chapter, clean, named)
    _shoes(chapter, split.y_test, named)
    _rises(chapter, clean, noisy)


def _rows(chapter: Chapter, split: ImageSplit, network: Sequential) -> None:
    shown = one_of_each(split.y_test)
    generator = chapter.settings.generator()
    originals = split.x_test[shown]
    rows = {"original": originals, "reconstruction": predict(network, originals)}
    for scale in SHOWN:
        x = add_noise(originals, scale, generator)
        rows[f"c = {scale:g}: input"] = x
        rows[f"c = {scale:g}: reconstruction"] = predict(network, x)
    chapter.figure(
        "figure-19",
        figures.rows(rows, [split.class_names[split.y_test[place]] for place in shown]),
        "The first test image of each class, without noise and with noise of three scales, and what the autoencoder "
        "makes of each.",
        "Figure 19",
        alt=f"{len(rows)} rows of {len(shown)} grey images, one of each class: the originals and their "
        f"reconstructions, then for noise of scale {', '.join(map(str, SHOWN))} the speckled inputs over their "
        "reconstructions.",
    )


def _group_shares(named: Array) -> Array:
    shares: Array = np.bincount(group_labels(named), minlength=len(GROUPS)) / len(named)
    return shares


def _small(chapter: Chapter, clean: list[float], named: list[Array]) -> None:
    settings, small = chapter.settings, SCALES.index(0.1)
    change = clean[small] / clean[0] - 1
    other = float((named[small] != named[0]).mean())
    chapter.claim(
        "autoencoder-noise-small",
        "5.3, c ≤ 0.1",
        "as without noise",
        [round(100 * change, 2), round(100 * other, 2)],
        judged(settings, abs(change) < UNCHANGED and other < UNCHANGED),
        because(
            settings,
            f"Against the clean images the MSE is {clean[0]:.4f} without noise and {clean[small]:.4f} at c = 0.1, "
            f"{change:+.1%}; a classifier trained on originals sees another class in {other:.1%} of the "
            f"reconstructions. {UNCHANGED:.0%} is the threshold for both.",
        ),
        "% change of the MSE, % seen as another class",
    )


def _shoes(chapter: Chapter, labels: Array, named: list[Array]) -> None:
    """How many images that are not shoes are reconstructed as shoes."""
    settings, shoes = chapter.settings, GROUPS["shoes"]
    others = ~np.isin(labels, shoes)
    none, half, full = (float(np.isin(named[SCALES.index(scale)][others], shoes).mean()) for scale in (0.0, 0.5, 1.0))
    chapter.claim(
        "autoencoder-noise-shoes",
        "5.3, c = 1",
        "more become shoes, whatever the input",
        [round(100 * share, 1) for share in (none, half, full)],
        judged(settings, full > half and full > 0.5),
        because(
            settings,
            f"Of the images that are not shoes, {none:.0%} are seen as shoes after reconstruction without noise, "
            f"{half:.0%} at c = 0.5 and {full:.0%} at c = 1. More than half at c = 1 counts as “whatever the input”.",
        ),
        "% of other articles seen as shoes, at c = 0, 0.5 and 1",
    )


def _rises(chapter: Chapter, clean: list[float], noisy: list[float]) -> None:
    settings = chapter.settings
    for name, item, values in (
        ("clean", "Figure 20, against the clean image", clean),
        ("noisy", "Figure 20, against the noisy input", noisy),
    ):
        steps = np.diff(values)
        rises = bool((steps > 0).all())
        chapter.claim(
            f"autoencoder-noise-{name}",
            item,
            "the MSE rises with c",
            [round(value, 4) for value in values],
            judged(settings, rises),
            because(
                settings,
                f"Over {len(SCALES)} scales from 0 to 1 it goes from {values[0]:.4f} to {values[-1]:.4f} and rises in "
                f"{int((steps > 0).sum())} of {len(steps)} steps.",
            ),
            "MSE",
        )


def _mse(prediction: Array, target: Array) -> float:
    return float(np.square(prediction - target, dtype=np.float64).mean())
