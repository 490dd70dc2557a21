"""Images of another size, channels for pixels."""

from typing import Any

from naive.spatial import upsampling as naive

import maillon as M
from catalogue.rows import NO_BATCH, Row, normal

WRONG: dict[int, Any] = {
    1: ((normal(3, 4),), (normal(2, 0, 4),)),
    2: ((normal(3, 4),), (normal(2, 3, 0, 4),)),
    3: ((normal(2, 3, 4, 2, 2, 2),),),
}


def row(shape: tuple[int, ...], formula: Any, name: str = "Upsample", **options: Any) -> Row:
    told = [f"{key}={value}" for key, value in options.items()]
    return Row(
        " ".join([name, "x".join(map(str, shape)), *told]),
        lambda: getattr(M, name)(**options),
        (normal(*shape),),
        formula,
        lambda t: getattr(t.nn, name)(**options),
        wrong=WRONG[len(shape) - 2],
    )


SIGNAL, IMAGE, VOLUME = (2, 3, 5), (2, 2, 4, 3), (2, 1, 2, 3, 2)
PIXELS = {"integers": True}

# fmt: off
LINKS = [
    row(SIGNAL, naive.resampled(10), scale_factor=2),
    row(IMAGE, naive.resampled(3, 7), size=(3, 7)),
    row(VOLUME, naive.resampled(4, 6, 4), scale_factor=2.0),
    row(IMAGE, naive.resampled(6, 4), size=(6, 4), mode="nearest-exact"),
    row(SIGNAL, naive.resampled(7), size=7, mode="linear"),
    row(SIGNAL, naive.resampled(12, scales=(2.5,)), scale_factor=2.5, mode="linear"),
    row(SIGNAL, naive.resampled(12), scale_factor=2.5, mode="linear", recompute_scale_factor=True),
    row(SIGNAL, naive.resampled(8), size=8, mode="linear", align_corners=True),
    row(IMAGE, naive.resampled(3, 7), size=(3, 7), mode="bilinear"),
    row(IMAGE, naive.resampled(8, 4, scales=(2.0, 1.5)), scale_factor=(2.0, 1.5), mode="bilinear"),
    row(IMAGE, naive.resampled(6, 5), size=(6, 5), mode="bilinear", align_corners=True),
    row(IMAGE, naive.resampled(6, 7), size=(6, 7), mode="bicubic"),
    row(VOLUME, naive.resampled(3, 2, 4), size=(3, 2, 4), mode="trilinear"),
    row(IMAGE, naive.resampled(3, 2), size=(3, 2), mode="area"),
    row(IMAGE, naive.resampled(8, 6), name="UpsamplingNearest2d", scale_factor=2),
    row(IMAGE, naive.resampled(5, 5), name="UpsamplingBilinear2d", size=5),
    Row("PixelShuffle", lambda: M.PixelShuffle(2), (normal(2, 8, 2, 3),), naive.shuffled,
        lambda t: t.nn.PixelShuffle(2), wrong=((normal(2, 6, 2, 3),), (normal(4, 4),)), **PIXELS),
    Row("PixelShuffle of one sample", lambda: M.PixelShuffle(3), (normal(9, 1, 2),), naive.shuffled,
        lambda t: t.nn.PixelShuffle(3), integers=True, **NO_BATCH),
    Row("PixelUnshuffle", lambda: M.PixelUnshuffle(2), (normal(2, 2, 4, 6),), naive.unshuffled,
        lambda t: t.nn.PixelUnshuffle(2), wrong=((normal(2, 2, 4, 5),), (normal(4, 4),)), **PIXELS),
    Row("PixelUnshuffle of one sample", lambda: M.PixelUnshuffle(3), (normal(1, 3, 6),), naive.unshuffled,
        lambda t: t.nn.PixelUnshuffle(3), integers=True, **NO_BATCH),
]
# fmt: on
