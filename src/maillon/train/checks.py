"""The questions asked before a training begins: a wrong call changes nothing."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from maillon.optim.door import as_inputs
from maillon.typing import Array, DType


def whole_number(where: str, name: str, value: Any, least: int) -> int:
    """`value` as an int, at least `least`."""
    integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not integer or value < least:
        error = ValueError if integer else TypeError
        raise error(f"{where}: expected {name}, an integer ≥ {least}, got {value!r}.")
    return int(value)


def leaves(name: str, data: Any) -> Iterator[tuple[str, Array]]:
    """Each array in tuples and dicts of arrays, with its name: x, x[0], x['image']; none of None."""
    if isinstance(data, tuple):
        for i, part in enumerate(data):
            yield from leaves(f"{name}[{i}]", part)
    elif isinstance(data, dict):
        for key, part in data.items():
            yield from leaves(f"{name}[{key!r}]", part)
    elif data is not None:
        yield name, data


def common_length(where: str, *named: tuple[str, Any], least: int = 1) -> int:
    """The number of rows that all arrays have, at least `least`."""
    arrays = [leaf for name, data in named for leaf in leaves(name, data)]
    if not arrays:
        raise ValueError(f"{where}: expected at least one array in {named[0][0]}, got none.")
    for name, array in arrays:
        if array.ndim == 0:
            raise ValueError(f"{where}: expected {name} to have rows, got a single number. Pass an array.")
    first, rows = arrays[0][0], len(arrays[0][1])
    for name, array in arrays[1:]:
        if len(array) != rows:
            raise ValueError(
                f"{where}: expected as many rows in {name} as in {first}, got {len(array)} and {rows}. "
                "Row i of each belongs to sample i."
            )
    if rows < least:
        raise ValueError(f"{where}: expected at least one sample, got {first} of shape {arrays[0][1].shape}.")
    return rows


def weights(where: str, name: str, value: Any, rows: int, dtype: DType) -> Array:
    """Sample weights in the network's dtype: one for each row, finite, not negative."""
    weight: Array = as_inputs(list(value) if isinstance(value, tuple) else value, dtype, name)
    if weight.shape != (rows,):
        raise ValueError(
            f"{where}: expected {name} of shape ({rows},), got {weight.shape}. Give one weight for each row of x."
        )
    finite(where, name, weight)
    if (weight < 0).any():
        i = int(np.argmax(weight < 0))
        raise ValueError(f"{where}: expected {name} ≥ 0, got {weight[i]} at [{i}]. A weight of 0 leaves a sample out.")
    return weight


def finite(where: str, name: str, data: Any) -> None:
    """Refuse NaN and infinity, saying how many there are and where the first one stands."""
    for leaf, array in leaves(name, data):
        if array.dtype.kind != "f":
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            # One pass without a temporary array: a finite sum has only finite terms.
            if np.isfinite(array.sum()):
                continue
        bad = ~np.isfinite(array)
        if not bad.any():
            continue
        first = tuple(int(i) for i in np.unravel_index(np.argmax(bad), array.shape))
        place = ", ".join(map(str, first))
        raise ValueError(
            f"{where}: expected finite numbers in {leaf}, got {np.count_nonzero(bad)} that are NaN or infinite, the "
            f"first ({array[first]}) at [{place}]. Replace them or leave their rows out."
        )
