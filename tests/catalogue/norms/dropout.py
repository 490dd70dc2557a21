"""Dropout of values and of whole channels."""

from typing import Any

from naive.norms import dropout as naive
from naive.values import same

import maillon as M
from catalogue.rows import Draw, Row, drawn_from_words, normal, words
from maillon.random import Generator


def channels(name: str, p: float, value: Any, draw: Draw, **more: Any) -> Row:
    """A dropout in training, whose masks are no other's."""
    shape = "x".join(map(str, draw(Generator(0)).shape))
    return Row(f"{name} {p} {shape}", drawn_from_words(name, p), (draw,), value, **more)


# fmt: off
LINKS = [
    Row("Dropout", lambda: M.Dropout(0.3, generator=Generator(5)), (normal(6, 5),), naive.dropped(0.3, words)),
    Row("Dropout p=0", lambda: M.Dropout(0.0), (normal(6, 5),), same, lambda t: t.nn.Dropout(0.0)),
    Row("Dropout p=1", lambda: M.Dropout(1.0), (normal(6, 5),), naive.dropped(1.0, words), lambda t: t.nn.Dropout(1.0)),
    Row("Dropout in eval mode", lambda: M.Dropout(0.3).eval(), (normal(6, 5),), same,
        lambda t: t.nn.Dropout(0.3).eval()),
    channels("Dropout1d", 0.4, naive.dropped_channels(0.4, words, 2), normal(3, 4, 2),
             wrong=((normal(3),), (normal(2, 2, 2, 2),))),
    channels("Dropout1d", 0.4, naive.dropped_channels(0.4, words, 1), normal(5, 4), batched=False),
    channels("Dropout2d", 0.4, naive.dropped_channels(0.4, words, 2), normal(3, 4, 2, 3), wrong=((normal(3),),)),
    channels("Dropout2d", 0.6, naive.dropped_channels(0.6, words, 2), normal(3, 4, 2)),
    channels("AlphaDropout", 0.3, naive.dropped_channels(0.3, words, 2, alpha=True), normal(4, 5)),
    channels("FeatureAlphaDropout", 0.3, naive.dropped_channels(0.3, words, 2, alpha=True), normal(3, 4, 2, 2),
             wrong=((normal(3),),)),
]
# fmt: on

BEYOND_TORCH = {"Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout"}
