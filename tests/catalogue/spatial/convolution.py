"""Convolution, its transpose, Unfold and Fold."""

from typing import Any

from naive.spatial import convolution as naive

import maillon
from catalogue.rows import NO_BATCH, Draw, Row, normal

FORMULAS = {
    "Conv1d": naive.conv1d,
    "Conv2d": naive.conv2d,
    "ConvTranspose1d": naive.transposed1d,
    "ConvTranspose2d": naive.transposed2d,
}
LINES: tuple[tuple[Draw, ...], ...] = ((normal(2, 3, 5),), (normal(5),), (normal(2, 2, 0),))
IMAGES: tuple[tuple[Draw, ...], ...] = ((normal(2, 3, 5, 5),), (normal(5, 5),), (normal(2, 2, 0, 5),))


def convolution(name: str, draw: Draw, *args: Any, **options: Any) -> Row:
    """A row of two or four channels."""
    more = {"wrong": LINES if name.endswith("1d") else IMAGES}
    if options.pop("batched", True) is False:
        more |= NO_BATCH
    shown = ", ".join([*map(str, args), *(f"{key}={value}" for key, value in options.items())])
    return Row(
        f"{name}({shown})" + ("" if more.get("batched", True) else " of one sample"),
        lambda: getattr(maillon, name)(*args, **options),
        (draw,),
        FORMULAS[name],
        lambda t: getattr(t.nn, name)(*args, **options),
        **more,
    )


def window(name: str, draw: Draw, formula: Any, *args: Any, **more: Any) -> Row:
    return Row(
        f"{name}({', '.join(map(str, args))})" + ("" if more.get("batched", True) else " of one sample"),
        lambda: getattr(maillon, name)(*args),
        (draw,),
        formula,
        lambda t: getattr(t.nn, name)(*args),
        **{**more},
    )


LINKS = [
    convolution("Conv1d", normal(2, 2, 6), 2, 3, 3),
    convolution("Conv1d", normal(2, 4, 7), 4, 6, 3, stride=2, padding=2, dilation=2, groups=2, bias=False),
    convolution("Conv1d", normal(2, 6), 2, 3, 3, padding="same", padding_mode="circular", batched=False),
    convolution("Conv2d", normal(2, 2, 4, 5), 2, 3, 3, padding=1),
    convolution("Conv2d", normal(2, 4, 5, 6), 4, 6, (3, 2), stride=(1, 2), padding=(2, 1), dilation=(2, 1), groups=2),
    convolution("Conv2d", normal(2, 2, 5, 4), 2, 2, (4, 3), padding="same", padding_mode="reflect", bias=False),
    convolution("Conv2d", normal(2, 2, 3, 4), 2, 4, 2, stride=2, padding=3, padding_mode="replicate", groups=2),
    convolution("Conv2d", normal(2, 5, 5), 2, 3, 3, batched=False),
    convolution("ConvTranspose1d", normal(2, 2, 4), 2, 3, 3),
    convolution("ConvTranspose1d", normal(4, 3), 4, 6, 4, 3, 2, 2, 2, dilation=2, batched=False),
    convolution("ConvTranspose2d", normal(2, 2, 3, 4), 2, 3, 3, stride=2, padding=1, output_padding=1),
    convolution("ConvTranspose2d", normal(2, 4, 3, 2), 4, 4, (3, 2), (2, 1), (1, 0), (0, 1), 2, False, (1, 2)),
    convolution("ConvTranspose2d", normal(2, 3, 3), 2, 3, 2, batched=False),
    window("Unfold", normal(2, 2, 4, 5), naive.unfolded((2, 2), (1, 1), (0, 0), (1, 1), 12), 2, wrong=IMAGES[1:]),
    window("Unfold", normal(2, 2, 5, 6), naive.unfolded((3, 2), (1, 2), (1, 2), (2, 1), 15), (3, 2), (2, 1), (1, 2),
           (1, 2), wrong=IMAGES[1:]),
    window("Unfold", normal(2, 3, 3), naive.unfolded((2, 2), (1, 1), (0, 0), (1, 1), 4), 2, **NO_BATCH),
    window("Fold", normal(2, 8, 12), naive.folded((4, 5), (2, 2), (1, 1), (0, 0), (1, 1)), (4, 5), 2,
           wrong=((normal(2, 8, 11),), (normal(2, 6, 12),), (normal(12),))),
    window("Fold", normal(2, 12, 15), naive.folded((5, 6), (3, 2), (1, 2), (1, 2), (2, 1)), (5, 6), (3, 2), (2, 1),
           (1, 2), (1, 2)),
    window("Fold", normal(8, 4), naive.folded((3, 3), (2, 2), (1, 1), (0, 0), (1, 1)), 3, 2, **NO_BATCH),
]  # fmt: skip
