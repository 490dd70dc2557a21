"""Padding of one and of two dimensions."""

from typing import Any

from naive.spatial.convolution import padded

import maillon
from catalogue.rows import NO_BATCH, Draw, Row, normal


def row(kind: str, mode: str, draw: Draw, *sides: int, value: float | None = None, **more: Any) -> Row:
    """sides: (left, right) or (left, right, top, bottom)."""
    dims = len(sides) // 2
    name = f"{kind}{dims}d"
    args = (sides,) if value is None else (sides, value)
    return Row(
        f"{name}({', '.join(map(str, args))})" + ("" if more.get("batched", True) else " of one sample"),
        lambda: getattr(maillon, name)(*args),
        (draw,),
        padded(dims, mode, *sides, value=value or 0.0),
        lambda t: getattr(t.nn, name)(*args),
        integers=True,
        **{**more},
    )


SHORT, FLAT = ((normal(2, 3, 2),), (normal(5),)), ((normal(2, 3, 2, 5),), (normal(5, 5),))

LINKS = [
    row("ConstantPad", "zeros", normal(2, 3, 4), 2, 1, value=-1.5, wrong=((normal(),),)),
    row("ConstantPad", "zeros", normal(2, 3, 4, 5), 1, -2, -1, 0, value=2.0, wrong=((normal(5),), (normal(2, 0, 1),))),
    row("ZeroPad", "zeros", normal(2, 3, 4), -1, 3, wrong=((normal(),), (normal(3, 0),))),
    row("ZeroPad", "zeros", normal(2, 3, 2, 3), 1, 0, 2, 1, wrong=((normal(3),),)),
    row("ReflectionPad", "reflect", normal(2, 3, 4), 3, 2, wrong=SHORT),
    row("ReflectionPad", "reflect", normal(3, 4), -1, 2, **NO_BATCH),
    row("ReflectionPad", "reflect", normal(2, 2, 4, 3), 2, 1, 0, 3, wrong=FLAT),
    row("ReplicationPad", "replicate", normal(2, 3, 4), 3, 5, wrong=((normal(2, 3, 0),), (normal(5),))),
    row("ReplicationPad", "replicate", normal(2, 2, 4, 3), 1, 2, -1, 4, wrong=((normal(2, 3, 0, 5),), (normal(5, 5),))),
    row("ReplicationPad", "replicate", normal(2, 4, 3), 1, 2, 3, 4, **NO_BATCH),
    row("CircularPad", "circular", normal(2, 3, 4), 3, 4, wrong=SHORT),
    row("CircularPad", "circular", normal(3, 4), 0, 2, **NO_BATCH),
    row("CircularPad", "circular", normal(2, 2, 4, 3), 2, 1, 0, 3, wrong=FLAT),
]
