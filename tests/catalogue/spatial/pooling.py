"""Pools over sliding and adaptive windows, and the way back into the maxima's places."""

from typing import Any

from naive.spatial import pooling as naive

import maillon
from catalogue.rows import NO_BATCH, Draw, Row, given, normal

SIGNALS, IMAGES = normal(2, 3, 9), normal(2, 3, 7, 6)
WRONG: dict[int, tuple[tuple[Draw, ...], ...]] = {
    1: ((normal(4),), (normal(2, 3, 5, 4),), (normal(2, 3, 0),)),
    2: ((normal(4, 4),), (normal(2, 2, 3, 5, 4),), (normal(2, 3, 4, 0),)),
}


def pool(name: str, *args: Any, draw: Draw | None = None, wrong: Any = (), **options: Any) -> Row:
    """A pool of signals (1d) or images (2d)."""
    rank = int(name[-2])
    windows = naive.adaptive if "Adaptive" in name else naive.sliding(rank)
    formula = (naive.mean if "Avg" in name else naive.greatest)(rank, windows)
    told = [*map(str, args), *(f"{key}={value}" for key, value in options.items())]
    more: dict[str, Any] = {} if draw is None else NO_BATCH
    return Row(
        " ".join([name, *told, *(["of one sample"] if draw else [])]),
        lambda: getattr(maillon, name)(*args, **options),
        (draw or (SIGNALS if rank == 1 else IMAGES),),
        formula,
        lambda t: getattr(t.nn, name)(*args, **options),
        wrong=(*WRONG[rank], *wrong),
        **more,
    )


def unpool(name: str, args: tuple[Any, ...], draws: tuple[Draw, Draw], *sizes: int) -> Row:
    shape = draws[0](maillon.random.Generator(0)).shape
    return Row(
        " ".join([name, *map(str, args)]),
        lambda: getattr(maillon, name)(*args),
        draws,
        naive.unpooled(*sizes),
        lambda t: getattr(t.nn, name)(*args),
        wrong=((normal(4), draws[1]), (normal(*shape[:-1], shape[-1] + 1), draws[1])),
    )


LINKS = [
    pool("MaxPool1d", 2, wrong=((normal(2, 3, 1),),)),
    pool("MaxPool1d", 3, stride=2, padding=1, dilation=2, return_indices=True, ceil_mode=True),
    pool("MaxPool1d", 3, 1, draw=normal(2, 6)),
    pool("MaxPool2d", 2, wrong=((normal(2, 3, 4, 1),),)),
    pool("MaxPool2d", 3, stride=2, padding=1, return_indices=True),
    pool("MaxPool2d", (3, 2), stride=(1, 2), padding=(1, 0), dilation=(2, 1), ceil_mode=True),
    pool("MaxPool2d", 2, 1, draw=normal(2, 4, 3)),
    pool("AvgPool1d", 2),
    pool("AvgPool1d", 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    pool("AvgPool1d", 4, 3, 2, True, draw=normal(2, 8)),
    pool("AvgPool2d", 2, wrong=((normal(2, 3, 4, 1),),)),
    pool("AvgPool2d", (3, 2), stride=2, padding=(1, 1), ceil_mode=True),
    pool("AvgPool2d", 3, stride=2, padding=1, count_include_pad=False),
    pool("AvgPool2d", 2, 1, divisor_override=3, draw=normal(2, 4, 3)),
    pool("AdaptiveAvgPool1d", 3),
    pool("AdaptiveAvgPool1d", 4, draw=normal(2, 7)),
    pool("AdaptiveAvgPool2d", (3, 2)),
    pool("AdaptiveAvgPool2d", (None, 8)),
    pool("AdaptiveMaxPool1d", 4),
    pool("AdaptiveMaxPool1d", 3, return_indices=True),
    pool("AdaptiveMaxPool2d", (1, 4)),
    pool("AdaptiveMaxPool2d", (None, 8), return_indices=True),
    pool("AdaptiveMaxPool2d", 3, draw=normal(2, 4, 5)),
    unpool("MaxUnpool1d", (2,), (normal(2, 2, 3), given([[1, 2, 5], [0, 3, 4]], [[1, 3, 4], [0, 2, 5]])), 6),
    unpool("MaxUnpool1d", (3, 2, 1), (normal(1, 2, 3), given([[1, 2, 4], [0, 2, 3]])), 5),
    unpool("MaxUnpool2d", (2,), (normal(2, 1, 2, 2), given([[[0, 6], [13, 11]]], [[[5, 2], [8, 15]]])), 4, 4),
    unpool("MaxUnpool2d", ((3, 2), (2, 1)), (normal(1, 1, 2, 2), given([[[0, 4], [13, 7]]])), 5, 3),
]
