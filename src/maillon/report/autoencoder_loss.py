"""The autoencoder's loss: which error the report can have plotted, its plateaus, and the 3000 epochs it suggests."""

import numpy as np

from maillon.report import autoencoder_figures as figures
from maillon.report.autoencoder_model import Trained
from maillon.report.chapter import Chapter
from maillon.report.images import ImageSplit
from maillon.report.measures import FALL, WINDOW, last_fall, plateau
from maillon.report.verdicts import because, judged
from maillon.typing import Array

REPORT_PLATEAU = 0.35
REPORT_LENGTH = 500
REPORT_AFTER = 0.3
REFERENCE = 0.046  # PyTorch's mean squared error after 2000 epochs at this setting
NEAR = 0.02  # how far a level may be from the report's, which was read off a curve
MILESTONES = (1, 20, 200, 500, 700, 1000, 1500, 2000, 2500, 3000)


def course(chapter: Chapter, split: ImageSplit, trained: Trained) -> None:
    """The loss of each epoch, and what the report says of it."""
    mse, reported = trained.losses, trained.after.epochs
    constant = float(split.x_train.var())
    mean_image = float(np.square(split.x_train - split.x_train.mean(axis=0)).mean())
    flat = plateau(mse[:reported])
    chapter.heading("The loss")
    chapter.figure(
        "figure-18",
        figures.losses(mse, constant, mean_image, reported, flat),
        "The loss of each epoch, as the mean squared error and as its root. The horizontal lines are what one grey "
        "for every pixel, and the mean image for every image, would cost.",
        "Figure 18",
        alt=f"Two curves over {len(mse)} epochs. The mean squared error falls from {mse[0]:.3f} to "
        f"{mse[reported - 1]:.3f} at epoch {reported} and {mse[-1]:.3f} at the end; its root from {mse[0] ** 0.5:.3f} "
        f"to {mse[reported - 1] ** 0.5:.3f} and {mse[-1] ** 0.5:.3f}. "
        + ("No plateau is marked. " if flat is None else f"A plateau is marked from epoch {flat[0]} to {flat[1]}. ")
        + f"Horizontal lines: one grey {constant:.3f}, the mean image {mean_image:.3f}, and among the roots the "
        f"report's {REPORT_PLATEAU}.",
    )
    milestones = [epoch for epoch in MILESTONES if epoch < len(mse)] + [len(mse)]
    chapter.table(
        "The training loss at some epochs.",
        ["epoch", "MSE", "root MSE"],
        [[epoch, f"{mse[epoch - 1]:.4f}", f"{np.sqrt(mse[epoch - 1]):.4f}"] for epoch in milestones],
    )
    _level(chapter, mse[:reported], constant, mean_image, flat)
    _length(chapter, mse[:reported], flat)
    _after(chapter, mse[:reported], flat)
    _longer(chapter, mse, reported)


def _level(chapter: Chapter, mse: Array, constant: float, mean_image: float, flat: tuple[int, int] | None) -> None:
    settings = chapter.settings
    highest = float(mse.max())
    possible = highest >= REPORT_PLATEAU
    level = None if flat is None else float(mse[flat[0] - 1 : flat[1]].mean())
    near = level is not None and abs(level - REPORT_PLATEAU) <= NEAR
    chapter.claim(
        "autoencoder-fig18-mse",
        "Figure 18, as a mean squared error",
        REPORT_PLATEAU,
        round(highest, 4),
        judged(settings, near) if possible else "cannot hold",
        f"With pixels from 0 to 1, one grey for every pixel costs an MSE of {constant:.3f} (root "
        f"{constant**0.5:.3f}) and the mean image {mean_image:.3f} (root {mean_image**0.5:.3f}); the untrained "
        f"network itself starts at {highest:.3f}. "
        + (
            f"A plateau at {REPORT_PLATEAU} can be an MSE; ours {_lies_at(level)}."
            if possible
            else f"A plateau at {REPORT_PLATEAU} cannot be an MSE, only a root MSE."
        ),
        "greatest MSE of the whole training",
    )
    root = None if level is None else level**0.5
    near = root is not None and abs(root - REPORT_PLATEAU) <= NEAR
    chapter.claim(
        "autoencoder-fig18-level",
        "Figure 18, as a root mean squared error",
        REPORT_PLATEAU,
        "no plateau" if root is None else round(root, 4),
        judged(settings, near),
        because(
            settings,
            f"Our plateau {_lies_at(root)}, beside {mean_image**0.5:.3f} for the mean image; the report's "
            f"{REPORT_PLATEAU} is the root MSE of one grey for every pixel ({constant**0.5:.3f}). They "
            f"{'agree' if near else 'do not agree'} within {NEAR}.",
        ),
        "root MSE",
    )


def _lies_at(level: float | None) -> str:
    return "does not exist" if level is None else f"lies at {level:.3f}"


def _length(chapter: Chapter, mse: Array, flat: tuple[int, int] | None) -> None:
    settings = chapter.settings
    length = 0 if flat is None else flat[1] - flat[0] + 1
    near = REPORT_LENGTH / 1.5 <= length <= REPORT_LENGTH * 1.5
    where = "There is no plateau" if flat is None else f"The longest plateau goes from epoch {flat[0]} to {flat[1]}"
    chapter.claim(
        "autoencoder-fig18-plateau",
        "Figure 18, the plateau's length",
        REPORT_LENGTH,
        length,
        judged(settings, near),
        because(
            settings,
            f"{where}, in {len(mse)} epochs; on a plateau {WINDOW} epochs lower the loss by less than {FALL:.0%}. "
            f"{'Within' if near else 'Not within'} a factor of 1.5 of the report's 'about 500'.",
        ),
        "epochs",
    )


def _after(chapter: Chapter, mse: Array, flat: tuple[int, int] | None) -> None:
    """The second plateau: below 0.3, standing still at the end, and after a fall from the first one."""
    settings = chapter.settings
    last, fall = float(mse[-1]), last_fall(mse)
    below, still, second = last**0.5 < REPORT_AFTER, fall < FALL, flat is not None and flat[1] < len(mse)
    chapter.claim(
        "autoencoder-fig18-after",
        "Figure 18, the second plateau",
        f"a second plateau below {REPORT_AFTER}",
        round(last**0.5, 4),
        judged(settings, below and still and second),
        because(
            settings,
            f"After {len(mse)} epochs the root MSE is {last**0.5:.3f} (MSE {last:.4f}), "
            f"{'below' if below else 'not below'} {REPORT_AFTER}. The last {min(WINDOW, len(mse) // 2)} epochs lower "
            f"the MSE by {fall:.1%}; less than {FALL:.0%} is a plateau: it {'stands still' if still else 'still falls'}"
            f"{'' if second else ', and there is no earlier plateau that it has left'}.",
        ),
        "root MSE",
    )
    off = last / REFERENCE - 1
    chapter.claim(
        "autoencoder-mse",
        "5.2, against PyTorch",
        f"not stated; PyTorch reaches {REFERENCE} at this setting",
        round(last, 4),
        "not comparable",
        because(
            settings,
            f"The report gives no number to compare with. The MSE after {len(mse)} epochs is {last:.4f}, {off:+.0%} "
            "beside PyTorch's.",
        ),
        "MSE",
    )


def _longer(chapter: Chapter, mse: Array, reported: int) -> None:
    settings = chapter.settings
    window = max(1, min(WINDOW, (len(mse) - reported) // 2))
    blocks = mse[reported:][: (len(mse) - reported) // window * window].reshape(-1, window).mean(axis=1)
    steepest = float((1 - blocks[1:] / blocks[:-1]).max())
    on_it = last_fall(mse[:reported]) < FALL
    leaves = on_it and steepest >= FALL
    chapter.claim(
        "autoencoder-3000",
        "5.2, 3000 epochs",
        "might leave the second plateau",
        round(float(mse[-1]), 4),
        judged(settings, leaves),
        because(
            settings,
            f"From epoch {reported} to {len(mse)} the MSE goes from {mse[reported - 1]:.4f} to {mse[-1]:.4f}. At its "
            f"steepest its mean over {window} epochs falls by {steepest:.1%} to the next {window}; {FALL:.0%} would "
            f"end a plateau: it {'is left' if leaves else 'is not left' if on_it else 'was not reached before'}.",
        ),
        "MSE",
    )
