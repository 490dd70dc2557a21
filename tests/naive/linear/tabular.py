"""Links for tables, one number after the other."""

import math
from typing import Any

import numpy as np

from maillon.typing import Array


def scaled(link: Any, x: Array) -> Array:
    weight = link.weight.data.tolist()
    rows = x.reshape(-1, len(weight)).tolist()
    return np.array([[w * value for w, value in zip(weight, row, strict=True)] for row in rows]).reshape(x.shape)


def periodic(link: Any, x: Array) -> Array:
    own = (link.frequency, link.phase, link.weight, link.bias)
    features = list(zip(*(parameter.data.tolist() for parameter in own), strict=True))
    rows = [
        [number for value, feature in zip(row, features, strict=True) for number in _embedded(value, *feature)]
        for row in x.reshape(-1, len(features)).tolist()
    ]
    return np.array(rows).reshape(*x.shape[:-1], len(features) * link.out)


def _embedded(value: float, frequency: Any, phase: Any, weight: Any, bias: Any) -> list[float]:
    waves = [math.cos(2 * math.pi * w * value + p) for w, p in zip(frequency, phase, strict=True)]
    return [value, *(c + sum(a * h for a, h in zip(v, waves, strict=True)) for v, c in zip(weight, bias, strict=True))]
