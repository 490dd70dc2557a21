"""Data frames and series of pandas and polars, column by column, as arrays."""

import sys
from typing import Any

import numpy as np

from maillon.typing import Array

REAL = "fiub"
"""The kinds of dtype that real numbers have."""


def is_series(value: Any) -> bool:
    """Whether it is one column of pandas or polars."""
    return type(value) is not np.ndarray and _library(value, "Series") is not None


def is_frame(value: Any) -> bool:
    """Whether it is a table of pandas or polars."""
    return type(value) is not np.ndarray and _library(value, "DataFrame") is not None


def from_frame(value: Any, name: str) -> Array | None:
    """The numbers of a frame, (rows, columns), or of a series, (rows,); None for anything else.

    Raises
    ------
    ValueError
        A column has missing values (NA, None).
    TypeError
        A column holds no real numbers.
    """
    library = _library(value, "Series")
    if library is not None:
        return _column(library, value, name, value.name)
    library = _library(value, "DataFrame")
    if library is None:
        return None
    if library == "pandas":
        kinds = {dtype.kind if isinstance(dtype, np.dtype) else "" for dtype in value.dtypes}
        if kinds <= set("fiu") or kinds == {"b"}:
            return np.asarray(value)
    named = value.items() if library == "pandas" else ((column.name, column) for column in value.iter_columns())
    columns = [_column(library, column, name, label) for label, column in named]
    return np.column_stack(columns) if columns else np.asarray(value)


def from_objects(array: Array) -> Array:
    """An array of Python's numbers in a dtype of their own; any other array as it is."""
    if array.dtype.kind != "O":
        return array
    try:
        found = np.array(array.tolist())
    except ValueError:
        return array
    if found.dtype.kind == "O":  # Decimal and Fraction, say
        from numbers import Number

        if not all(isinstance(value, Number) for value in found.flat):
            return array
        try:
            found = found.astype(np.float64)
        except (TypeError, ValueError):
            return array
    return found if found.shape == array.shape and found.dtype.kind in REAL else array


def _library(value: Any, kind: str) -> str | None:
    """The library whose class of this name the value is of; only those that were imported are asked."""
    for name in ("pandas", "polars"):
        found = getattr(sys.modules.get(name), kind, None)
        if found is not None and isinstance(value, found):
            return name
    return None


def _column(library: str, series: Any, name: str, label: Any) -> Array:
    dtype = series.dtype
    if library == "pandas" and isinstance(dtype, np.dtype) and dtype.kind in REAL:
        return np.asarray(series)
    missing = np.asarray(series.isna() if library == "pandas" else series.is_null())
    column = "" if label in (None, "") else f" {label!r}"
    if missing.any():
        many = int(np.count_nonzero(missing))
        values = "values" if many > 1 else "value"
        raise ValueError(
            f"{name}: expected numbers in column{column}, got {many} missing {values}, the first in row "
            f"{np.argmax(missing)}. Fill them, or leave their rows out."
        )
    if library == "polars" and dtype.is_decimal():
        series = series.cast(float)
    array = from_objects(np.asarray(series))
    if array.dtype.kind not in REAL:
        raise TypeError(
            f"{name}: expected real numbers in column{column}, got dtype {dtype}. Convert dates, texts and categories "
            "to numbers first (one_hot, for instance), or leave the column out."
        )
    return array
