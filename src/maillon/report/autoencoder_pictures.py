"""The autoencoder's reconstructions, Figures 16 and 17: whether they are pictures, and of what."""

import numpy as np

from maillon.report import autoencoder_figures as figures
from maillon.report.autoencoder_model import GROUPS, Stage, Trained, group_labels, one_of_each
from maillon.report.chapter import Chapter
from maillon.report.images import SIDE, ImageSplit
from maillon.report.measures import smoothness
from maillon.report.recognition import CLEARLY_BETTER, LOST, RECOGNISED, Judge, Seen
from maillon.report.verdicts import because, judged

SHIRT, SNEAKER, BAG, TROUSERS = 6, 7, 8, 1
NOISE = 0.1  # correlation of neighbouring pixels, at most; those of pictures are near 1
SOMETIMES = (0.02, 0.5)
RULE = (
    f"well reconstructed means at most {CLEARLY_BETTER:.0%} of the mean image's error, and at least {RECOGNISED:.0%} "
    "of the score on the originals"
)


def pictures(chapter: Chapter, split: ImageSplit, trained: Trained, judge: Judge) -> None:
    """Figures 16 and 17, how well each class is reconstructed, and what the report says of both."""
    chapter.heading("Reconstructions")
    _rows(chapter, split, trained, judge)
    _noise(chapter, split, trained.before)
    _recognisable(chapter, split, trained.after, judge)
    _classes(chapter, split, trained.after, judge)


def _rows(chapter: Chapter, split: ImageSplit, trained: Trained, judge: Judge) -> None:
    shown = one_of_each(split.y_test)
    names = [split.class_names[split.y_test[place]] for place in shown]
    originals = split.x_test[shown]
    for item, stage, words in (
        ("Figure 16", trained.before, "before training"),
        ("Figure 17", trained.after, f"after {trained.after.epochs} epochs"),
        ("", trained.longer, f"after {trained.longer.epochs} epochs, beyond the report"),
    ):
        seen = judge.look(stage.reconstructions)
        chapter.figure(
            (item or "figure-17-beyond").lower().replace(" ", "-"),
            figures.rows({"original": originals, "reconstruction": stage.reconstructions[shown]}, names),
            f"Test images over their reconstructions {words}, the first of each class.",
            item,
            alt=f"Two rows of {len(names)} grey images: {', '.join(names)}, and below each its reconstruction {words}"
            f"{', which is noise' if stage is trained.before else ''}. Over all test images the mean squared error is "
            f"{seen.error:.4f}, beside {seen.mean_image:.4f} for the mean image, and a classifier trained on originals "
            f"names {seen.reconstructions:.0%} of the reconstructions right.",
        )


def _noise(chapter: Chapter, split: ImageSplit, before: Stage) -> None:
    correlation = smoothness(before.reconstructions.reshape(-1, SIDE, SIDE))
    originals = smoothness(split.x_test.reshape(-1, SIDE, SIDE))
    noisy = abs(correlation) < NOISE
    chapter.claim(
        "autoencoder-fig16-noise",
        "Figure 16",
        "visual noise at 0 epochs",
        round(correlation, 3),
        "holds" if noisy else "differs",
        f"Neighbouring pixels of the reconstructions correlate by {correlation:.2f}, those of the originals by "
        f"{originals:.2f}: {'noise' if noisy else 'not noise'} before training; below {NOISE:g} counts as noise.",
        "correlation of neighbouring pixels",
    )


def _recognisable(chapter: Chapter, split: ImageSplit, stage: Stage, judge: Judge) -> None:
    settings, seen = chapter.settings, judge.look(stage.reconstructions)
    groups = group_labels(split.y_test)
    by_group = [
        float((group_labels(named) == groups).mean())
        for named in (judge.names(stage.reconstructions), judge.originals_named)
    ]
    chapter.claim(
        "autoencoder-fig17-pictures",
        "Figure 17",
        "recognisable images after 2000 epochs",
        [round(100 * seen.reconstructions, 1), round(100 * seen.originals, 1)],
        judged(settings, seen.well),
        because(
            settings,
            f"After {stage.epochs} epochs: {seen}, {seen.kept:.0%} of it; {RULE}. Only the group of Table 4 "
            f"is named right for {by_group[0]:.1%} of the reconstructions and {by_group[1]:.1%} of the originals.",
        ),
        "% named right, reconstructions and originals",
    )


def _classes(chapter: Chapter, split: ImageSplit, stage: Stage, judge: Judge) -> None:
    """How well each class is reconstructed: its error, and what the classifier sees in its reconstructions."""
    chapter.heading("Which classes are reconstructed well")
    groups = group_labels(judge.names(stage.reconstructions))
    rows, seen, shares = [], [], []
    for label, name in enumerate(split.class_names):
        members = split.y_test == label
        look = judge.look(stage.reconstructions, label)
        as_group = np.bincount(groups[members], minlength=len(GROUPS)) / members.sum()
        seen.append(look)
        shares.append(as_group)
        rows.append(
            [
                name,
                f"{look.error:.4f}",
                f"{look.ratio:.2f}",
                f"{look.originals:.0%}",
                f"{look.reconstructions:.0%}",
                *(f"{share:.0%}" for share in as_group),
            ]
        )
    chapter.table(
        f"Test images after {stage.epochs} epochs. Error: the reconstruction's mean squared error, and its ratio to "
        "that of the mean image. Then what a classifier trained on original images sees: its F1 score on the originals "
        "and on the reconstructions, which also counts other classes taken for this one, and the group of the class "
        "that it sees in the reconstructions.",
        ["class", "error", "ratio", "originals", "reconstructions", *(f"as {group}" for group in GROUPS)],
        rows,
    )
    _well(chapter, "sneakers", seen[SNEAKER])
    _well(chapter, "blouses", seen[SHIRT])
    _bags(chapter, seen[BAG], dict(zip(GROUPS, shares[BAG], strict=True)))
    _trousers(chapter, dict(zip(GROUPS, shares[TROUSERS], strict=True)))


def _well(chapter: Chapter, name: str, seen: Seen) -> None:
    settings = chapter.settings
    chapter.claim(
        f"autoencoder-{name}",
        f"5.2, {name}",
        "reconstructed well",
        [round(100 * seen.reconstructions, 1), round(100 * seen.originals, 1)],
        judged(settings, seen.well),
        because(settings, f"{seen}, {seen.kept:.0%} of it; {RULE}."),
        "% F1 score, reconstructions and originals",
    )


def _bags(chapter: Chapter, seen: Seen, shares: dict[str, float]) -> None:
    settings = chapter.settings
    others = ", ".join(f"{share:.0%} as {group}" for group, share in shares.items() if group != "bags")
    chapter.claim(
        "autoencoder-bags",
        "5.2, bags",
        "not reconstructed: shapes between shoe, blouse and trousers",
        [round(100 * seen.reconstructions, 1), round(100 * seen.originals, 1)],
        judged(settings, seen.lost),
        because(
            settings,
            f"{seen}; of the reconstructions are seen {others}. Lost means no better than the mean image, or at most "
            f"{LOST:.0%} of the score "
            "on the originals.",
        ),
        "% F1 score, reconstructions and originals",
    )


def _trousers(chapter: Chapter, shares: dict[str, float]) -> None:
    settings, mixed = chapter.settings, shares["tops"]
    low, high = SOMETIMES
    chapter.claim(
        "autoencoder-trousers",
        "5.2, trousers",
        "sometimes between blouse and trousers",
        round(100 * mixed, 1),
        judged(settings, low <= mixed <= high),
        because(
            settings,
            f"The classifier sees a top in {mixed:.0%} of the trousers' reconstructions and trousers in "
            f"{shares['trousers']:.0%}; “sometimes” was taken for {100 * low:g} to {high:.0%}.",
        ),
        "% seen as tops",
    )
