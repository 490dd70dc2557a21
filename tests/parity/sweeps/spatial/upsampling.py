"""Images of other sizes, channels for pixels."""

import itertools
from collections.abc import Iterator
from typing import Any

from beside import Case
from catalogue.rows import normal

SHAPES = {1: [(2, 3, 5), (1, 1, 1)], 2: [(2, 3, 5, 4), (1, 2, 1, 3)], 3: [(2, 1, 3, 4, 2)]}
SIZES: dict[int, list[Any]] = {1: [1, 3, (7,), 10], 2: [1, 4, (3, 9), (10, 2)], 3: [3, (5, 2, 4)]}
SCALES: dict[int, list[Any]] = {
    1: [2, 0.5, 1.5, (2.3,), 3.0, 1.0],
    2: [2, 0.7, (2.3, 1.05), (3.0, 0.5), 1.1],
    3: [2, (1.5, 0.5, 2.3)],
}
MODES = {1: ["linear"], 2: ["bilinear", "bicubic"], 3: ["trilinear"]}


def fits(shape: tuple[int, ...], scale: Any) -> bool:
    parts = scale if isinstance(scale, tuple) else (scale,) * (len(shape) - 2)
    return all(int(n * part) > 0 for n, part in zip(shape[2:], parts, strict=True))


def skewed(shape: tuple[int, ...], scale: Any, mode: str, align_corners: bool = False) -> bool:
    """Whether PyTorch's gradient is not that of its value: it takes a short cut in one of the two alone."""
    parts = scale if isinstance(scale, tuple) else (scale,) * (len(shape) - 2)
    axes = [(part, int(n * part) / n) for n, part in zip(shape[2:], parts, strict=True)]
    if mode == "nearest" and len(axes) != 2:
        return any(part != ratio and ratio in (1, 2) for part, ratio in axes)
    return mode == "bicubic" and not align_corners and all(part != ratio == 1 for part, ratio in axes)


def upsampled() -> Iterator[Case]:
    for rank, modes in MODES.items():
        every: list[dict[str, Any]] = [{"mode": mode} for mode in ("nearest", "nearest-exact", "area", *modes)]
        every += [{"mode": mode, "align_corners": True} for mode in modes]
        for options, shape in itertools.product(every, SHAPES[rank]):
            for size in SIZES[rank]:
                yield Case("Upsample", (), {"size": size} | options, (normal(*shape),))
            for scale in SCALES[rank]:
                if fits(shape, scale) and not skewed(shape, scale, **options):
                    yield Case("Upsample", (), {"scale_factor": scale} | options, (normal(*shape),))
        for options, scale in itertools.product(every, SCALES[rank][1:4]):
            again = options | {"recompute_scale_factor": True}
            yield Case("Upsample", (None, scale), again, (normal(*SHAPES[rank][0]),))
        for options in every:
            yield Case("Upsample", (4,), options, (normal(0, *SHAPES[rank][0][1:]),))
        for mode in modes:
            yield Case("Upsample", (4, None, mode, False), {}, (normal(*SHAPES[rank][0]),))
    for name, shape in itertools.product(("UpsamplingNearest2d", "UpsamplingBilinear2d"), SHAPES[2]):
        for size in SIZES[2]:
            yield Case(name, (size,), {}, (normal(*shape),))
        for scale in SCALES[2]:
            if fits(shape, scale):
                yield Case(name, (), {"scale_factor": scale}, (normal(*shape),))


def rearranged() -> Iterator[Case]:
    for factor, more in itertools.product((1, 2, 3), ((), (2,), (2, 3), (2, 1, 2))):
        yield Case("PixelShuffle", (factor,), {}, (normal(*more, 2 * factor**2, 3, 2),))
        yield Case("PixelUnshuffle", (factor,), {}, (normal(*more, 2, 3 * factor, 2 * factor),))
        yield Case("PixelShuffle", (), {"upscale_factor": factor}, (normal(*more, factor**2, 1, 4),))
        yield Case("PixelUnshuffle", (), {"downscale_factor": factor}, (normal(*more, 1, factor, 3 * factor),))


CASES = [*upsampled(), *rearranged()]
