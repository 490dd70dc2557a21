"""Links for tables, one number after the other."""

from typing import Any

import numpy as np

from maillon.typing import Array


def scaled(link: Any, x: Array) -> Array:
    weight = link.weight.data.tolist()
    rows = x.reshape(-1, len(weight)).tolist()
    return np.array([[w * value for w, value in zip(weight, row, strict=True)] for row in rows]).reshape(x.shape)
