"""What the report's text on MNIST leaves open: the softmax as a link, the average, other weights."""

import numpy as np

from maillon.nn import CrossEntropyLoss
from maillon.report import mnist_figures as figures
from maillon.report.mnist_trainings import (
    BATCH_SIZE,
    CLASSES,
    RATE,
    Trainer,
    combined_gradient,
    report_epochs,
)
from maillon.report.verdicts import because, judged


def literally(trainer: Trainer) -> None:
    chapter, settings, split = trainer.chapter, trainer.chapter.settings, trainer.split
    epochs = settings.epochs(100, 5)
    network = trainer.train(
        "literal",
        "literally: Softmax link, one-hot",
        (epochs,),
        loss=CrossEntropyLoss(from_logits=False, reduction="sum"),
        literal=True,
    )
    ours, usual = np.array(trainer.courses["literal"].losses), np.array(trainer.courses["summed"].losses)[:epochs]
    apart = float(np.abs(ours / usual - 1).max())
    chapter.claim(
        "mnist-literal",
        "4.2, softmax then cross-entropy",
        "softmax on the outputs, cross-entropy with one-hot targets",
        apart,
        "holds" if apart < 1e-3 else "differs",
        f"Over {epochs} epochs a `Softmax` link and the cross-entropy of probabilities give the loss of the "
        f"cross-entropy on logits to within {apart:.1e}, relatively: "
        f"{'the same' if apart < 1e-3 else 'another'} training.",
        "largest relative difference of the loss",
    )
    difference, walked, expected = combined_gradient(network, split.x_test[:100], split.y_test[:100])
    chapter.claim(
        "mnist-p-minus-y",
        "4.2, combined gradient",
        "not stated",
        difference,
        "not comparable",
        "A check of ours. The gradient at the logits, walked back through the loss and the `Softmax` link in float64, "
        f"differs from p − y by at most {difference:.1e} over {min(100, len(split.y_test))} test images.",
        "largest absolute difference",
    )
    chapter.heading("Literally: a Softmax link, then cross-entropy on probabilities")
    chapter.text(
        "The loss's own gradient is −y/p and the softmax's backward is a full Jacobian product; walked one after the "
        "other they must give p − y, which `CrossEntropyLoss` on logits computes at once."
    )
    chapter.table(
        "The gradient at the logits of the first test image, walked back through both links, and p − y.",
        ["", *range(CLASSES)],
        [["walked back", *(f"{v:.4f}" for v in walked)], ["p − y", *(f"{v:.4f}" for v in expected)]],
    )


def averaged(trainer: Trainer) -> None:
    chapter, settings = trainer.chapter, trainer.chapter.settings
    epochs = report_epochs(settings)
    trainer.train("averaged", "averaged, uniform weights", (epochs,), loss=CrossEntropyLoss())
    averaged, summed = trainer.courses["averaged"], trainer.courses["summed"].accuracies[epochs]
    chapter.claim(
        "mnist-averaged",
        "4.2, the rate 1e-4, if averaged",
        "learns at rate 1e-4",
        round(100 * averaged.final, 2),
        judged(settings, averaged.learnt),
        because(
            settings,
            f"If the cross-entropy is averaged over the mini-batch, {epochs} epochs at {RATE:g} reach "
            f"{averaged.final:.1%} and summed {summed:.1%}: averaged, every gradient is {BATCH_SIZE} times smaller, as "
            f"if the sum were learnt at {RATE / BATCH_SIZE:g}. Learnt means that five images are more often all right "
            "than not." + ("" if averaged.learnt else " The report's rate therefore means the sum."),
        ),
        "% of the test images",
    )


def normal(trainer: Trainer) -> None:
    chapter, settings = trainer.chapter, trainer.chapter.settings
    epochs = report_epochs(settings)
    trainer.train("normal", "summed, randn weights", (epochs,), loss=CrossEntropyLoss(reduction="sum"), normal=True)
    reached, uniform = trainer.courses["normal"].final, trainer.courses["summed"].accuracies[epochs]
    worse = reached < uniform
    chapter.claim(
        "mnist-initial-weights",
        "4.2, initial weights",
        "not stated; Table 1's are randn",
        [round(100 * uniform, 2), round(100 * reached, 2)],
        "not comparable",
        because(
            settings,
            f"Nothing in the report to compare with. From uniform weights {uniform:.2%}, from randn weights "
            f"{reached:.2%} after {epochs} epochs. "
            + (
                "N(0, 1) weights on 784 pixels saturate the sigmoids, and little gradient passes."
                if worse
                else "The start made no difference for the worse."
            ),
        ),
        "% of the test images, uniform and randn",
    )


def overview(trainer: Trainer) -> None:
    chapter, epochs = trainer.chapter, report_epochs(trainer.chapter.settings)
    chapter.heading("The loss, and what the text leaves open")
    chapter.figure(
        "figure-13",
        figures.losses(trainer.courses, epochs),
        "Left: the cross-entropy per image at each epoch of the report's training, continued to twice its length. "
        "Right: the same beside the other readings of the text, on a logarithmic axis; the literal one lies on the "
        "summed one.",
        "Figure 13",
        alt=_figure_13_alt(trainer, epochs),
    )
    rows = [
        [course.label, epoch, f"{course.losses[epoch - 1]:.4f}" if epoch else "–", f"{share:.2%}"]
        for course in trainer.courses.values()
        for epoch, share in course.accuracies.items()
    ]
    chapter.table(
        "Every training of this chapter, all from the same seed: loss per training image and test accuracy.",
        ["training", "epochs", "loss", "test accuracy"],
        rows,
    )
    _repeatable(trainer)


def _figure_13_alt(trainer: Trainer, epochs: int) -> str:
    summed = trainer.courses["summed"].losses
    curves = {course.label: course.losses[:epochs] for course in trainer.courses.values()}
    ends = "; ".join(f"{label}: {c[0]:.2f} to {c[-1]:.2f} in {len(c)} epochs" for label, c in curves.items())
    return (
        f"Two panels of cross-entropy per image against epochs. Left: a curve that falls from {summed[0]:.2f} to "
        f"{summed[epochs - 1]:.3f} at epoch {epochs} and goes on to {summed[-1]:.3f} at {len(summed)}. Right, on a "
        f"logarithmic axis, four curves: {ends}."
    )


def _repeatable(trainer: Trainer) -> None:
    """One more epoch of the first training from the same seed."""
    chapter, courses = trainer.chapter, trainer.courses
    trainer.train("again", "again, one epoch", (1,), loss=CrossEntropyLoss(reduction="sum"))
    again = courses.pop("again")
    same = again.losses[0] == courses["summed"].losses[0]
    chapter.claim(
        "mnist-seed",
        "6, reproducibility",
        "a seed makes experiments repeatable",
        same,
        "holds" if same else "differs",
        f"The first epoch, run again from seed {chapter.settings.seed}, gives the loss {again.losses[0]!r}, "
        f"{'every bit the same' if same else 'not ' + repr(courses['summed'].losses[0])}.",
    )
