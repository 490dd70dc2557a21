"""A row of the table for each index."""

from typing import Any

import numpy as np

from maillon.typing import Array


def looked_up(link: Any, x: Array) -> Array:
    table = link.weight.data.tolist()
    return np.array([table[index] for index in x.ravel().tolist()]).reshape(*x.shape, len(table[0]))
