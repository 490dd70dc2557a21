"""Noise on the autoencoder's input: what it still reconstructs, and as what."""

import numpy as np

from maillon.data import add_noise
from maillon.nn import Sequential
from maillon.report import autoencoder_figures as figures
from maillon.report.autoencoder_model import GROUPS, encode, group_labels, one_of_each
from maillon.report.chapter import Chapter
from maillon.report.images import ImageSplit
from maillon.report.measures import vote
from maillon.report.verdicts import because, judged
from maillon.train import predict
from maillon.typing import Array

SCALES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SHOWN = (0.1, 0.5, 1.0)
UNCHANGED = 0.05  # an error that grows by less is the same


def noise(chapter: Chapter, split: ImageSplit, network: Sequential) -> None:
    """Figures 19 and 20, and what the report says of them."""
    chapter.heading("Under noise")
    chapter.text("Each pixel gets noise of the law N(0, c²), by `add_noise`; nothing is clipped, as in the report.")
    _rows(chapter, split, network)
    generator = chapter.settings.generator()
    known, groups = encode(network, split.x_train), group_labels(split.y_train)
    clean, noisy, seen = [], [], []
    for scale in SCALES:
        x = add_noise(split.x_test, scale, generator)
        reconstruction = predict(network, x)
        clean.append(_mse(reconstruction, split.x_test))
        noisy.append(_mse(reconstruction, x))
        votes = vote(encode(network, x), known, groups)
        seen.append(np.bincount(votes, minlength=len(GROUPS)) / len(votes))
    chapter.figure(
        "figure-20",
        figures.noise(SCALES, clean, noisy),
        "Mean squared error of the test images' reconstructions against the scale of the noise. Left, against the "
        "clean image: what is lost. Right, against the noisy input, which no reconstruction can follow: about c² more.",
        "Figure 20",
    )
    chapter.table(
        "The same in numbers, and as what the noisy images are seen: the group to which most of the 15 clean training "
        "images with the nearest codes belong.",
        ["c", "MSE, clean", "MSE, noisy", *(f"seen as {group}" for group in GROUPS)],
        [
            [f"{c:g}", f"{a:.4f}", f"{b:.4f}", *(f"{share:.0%}" for share in shares)]
            for c, a, b, shares in zip(SCALES, clean, noisy, seen, strict=True)
        ],
    )
    _claims(chapter, clean, seen)
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
    )


def _claims(chapter: Chapter, clean: list[float], seen: list[Array]) -> None:
    settings = chapter.settings
    small, great = SCALES.index(0.1), SCALES.index(1.0)
    change = clean[small] / clean[0] - 1
    chapter.claim(
        "autoencoder-noise-small",
        "5.3, c ≤ 0.1",
        "as without noise",
        round(100 * change, 2),
        judged(settings, abs(change) < UNCHANGED),
        because(
            settings,
            f"Against the clean images the MSE is {clean[0]:.4f} without noise and {clean[small]:.4f} at c = 0.1: "
            f"{change:+.1%}, with {UNCHANGED:.0%} as the threshold.",
        ),
        "% change of the MSE",
    )
    shoes = list(GROUPS).index("shoes")
    share, before = float(seen[great][shoes]), float(seen[0][shoes])
    most = list(GROUPS)[int(seen[great].argmax())]
    chapter.claim(
        "autoencoder-noise-shoes",
        "5.3, c = 1",
        "most become shoes",
        round(100 * share, 1),
        judged(settings, share > 0.5),
        because(
            settings,
            f"At c = 1 the codes of {share:.0%} of the noisy images lie among shoes, {before:.0%} without noise; most "
            f"lie among {most} ({seen[great].max():.0%}).",
        ),
        "% seen as shoes",
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
