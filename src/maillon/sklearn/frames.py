"""Frames and arrays as columns of numbers or of texts, whatever kind of missing values they have."""

import copy
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.utils import check_array

from maillon.typing import Array

_MISSING = ("NoneType", "NAType", "NaTType")
_TIMES = ("date", "datetime", "time", "timedelta", "Timestamp", "Timedelta", "datetime64", "timedelta64", "Period")
_AS_NUMBERS = "Make numbers of them, such as the year, the month, or the days since a date, or leave the column out"
_AS_COLUMNS = "Make a column of each of their parts, or leave the column out"
_AS_TEXTS = "Convert them to texts, with astype(str), or leave the column out"


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: (n,) float64, nan where one is missing."""

    values: Array


@dataclass(frozen=True)
class Texts:
    """A column of categories: (n,) places in `texts`, −1 where one is missing; no text stands twice."""

    codes: Array
    texts: list[str]

    @classmethod
    def of(cls, codes: Array, names: Iterable[str]) -> Self:
        """Where several names may be the same."""
        places: dict[str, int] = {}
        table = np.array([*(places.setdefault(name, len(places)) for name in names), -1], np.intp)
        return cls(table[codes], list(places))


Column = Numbers | Texts


class Frame:
    """What was given as X: its columns.

    Parameters
    ----------
    X : DataFrame of pandas or polars, or array of shape (n, features)
        Numbers, booleans and texts, also as objects; categories are texts. The numbers of an array of texts are texts.
    where : str
        Whose errors these are.

    Raises
    ------
    ValueError
        For no rows or columns, infinite numbers, and columns that mix numbers and texts.
    TypeError
        For columns of dates, times, lists and other objects.
    """

    def __init__(self, X: Any, where: str) -> None:
        self.where = where
        library = library_of(X)
        self.rows, width = X.shape
        self.names: list[Any] = list(X.columns) if library else list(range(width))
        if not self.rows or not width:
            lacking = "sample" if width else "feature"
            raise ValueError(
                f"Found array with 0 {lacking}(s) (shape={X.shape}) while a minimum of 1 is required by {where}."
            )
        if library == "pandas":
            read, given = self._pandas, [column for _, column in X.items()]
        elif library == "polars":
            read, given = self._polars, X.get_columns()
        else:
            read, given = self._array, list(X.T)
        self.columns = [read(name, column) for name, column in zip(self.names, given, strict=True)]
        for name, column in zip(self.names, self.columns, strict=True):
            if isinstance(column, Numbers) and np.isinf(column.values).any():
                row = int(np.isinf(column.values).argmax())
                raise ValueError(
                    f"{where}: Input X contains infinity: column {name!r}, row {row}. Replace it, by nan where a "
                    "number is missing."
                )

    def take(self, rows: Array) -> "Frame":
        """Some of the rows."""
        taken = copy.copy(self)
        taken.rows = len(rows)
        taken.columns = [
            Numbers(column.values[rows]) if isinstance(column, Numbers) else Texts(column.codes[rows], column.texts)
            for column in self.columns
        ]
        return taken

    def _pandas(self, name: Any, column: Any) -> Column:
        dtype = column.dtype
        if hasattr(dtype, "categories"):
            return self._column(name, column.cat.codes.to_numpy(), dtype.categories.to_numpy(object), are_texts=True)
        if dtype.kind in "biuf":
            return Numbers(column.to_numpy(dtype=np.float64, na_value=np.nan))
        if dtype.kind in "mM" or str(dtype).startswith("period"):
            raise self._refused(name, f"dates or times ({dtype})", _AS_NUMBERS)
        try:
            codes, uniques = column.factorize()
        except TypeError:
            raise self._refused(name, "lists or other objects", _AS_COLUMNS) from None
        return self._column(name, codes, np.asarray(uniques, object))

    def _polars(self, name: Any, column: Any) -> Column:
        import polars

        dtype = column.dtype
        if dtype.is_numeric() or dtype in (polars.Boolean, polars.Null):
            return Numbers(column.cast(polars.Float64).to_numpy().astype(np.float64))
        if dtype.is_temporal():
            raise self._refused(name, f"dates or times ({dtype})", _AS_NUMBERS)
        if dtype in (polars.Categorical, polars.Enum):
            column = column.cast(polars.String)
        elif dtype.is_nested() or dtype != polars.String:
            raise self._refused(name, f"values of the kind {dtype}", _AS_COLUMNS)
        return self._objects(name, column.to_numpy())

    def _array(self, name: Any, column: Array) -> Column:
        if column.dtype.kind in "biuf":
            return Numbers(column.astype(np.float64))
        if column.dtype.kind in "mM":
            raise self._refused(name, f"dates or times ({column.dtype})", _AS_NUMBERS)
        if column.dtype.kind not in "OUT":
            raise self._refused(name, f"values of the kind {column.dtype}", _AS_TEXTS)
        return self._objects(name, column.astype(object))

    def _objects(self, name: Any, values: Array) -> Column:
        if set(map(type, values)) <= {float, int, bool, type(None)}:
            return Numbers(values.astype(np.float64))
        try:
            places = {value: place for place, value in enumerate(dict.fromkeys(values))}
        except TypeError:
            raise self._refused(name, "lists or other objects", _AS_COLUMNS) from None
        codes = np.fromiter(map(places.__getitem__, values), np.intp, len(values))
        uniques = list(places)
        table = np.array([-1 if is_missing(value) else place for place, value in enumerate(uniques)], np.intp)
        there = np.flatnonzero(table >= 0)
        table[there] = np.arange(len(there))
        return self._column(name, table[codes], np.array([*uniques, None], object)[there])

    def _column(self, name: Any, codes: Array, uniques: Array, *, are_texts: bool = False) -> Column:
        """codes: the place in `uniques` of each row's value, −1 for a missing one; are_texts: numbers too."""
        kinds = set(map(type, uniques))
        if are_texts or (kinds and all(issubclass(kind, str) for kind in kinds)):
            return Texts.of(codes, map(_text, uniques))
        if times := sorted(kind.__name__ for kind in kinds if kind.__name__ in _TIMES):
            raise self._refused(name, f"dates or times ({times[0]})", _AS_NUMBERS)
        if any(issubclass(kind, str) for kind in kinds):
            text = next(value for value in uniques if isinstance(value, str))
            other = next(value for value in uniques if not isinstance(value, str))
            raise ValueError(
                f"{self.where}: column {name!r} mixes texts and other values, such as {text!r} and {other!r}. Make "
                "numbers of all, with pandas.to_numeric(column, errors='coerce'), or texts, with astype(str)."
            )
        if other := sorted(kind.__name__ for kind in kinds if not hasattr(kind, "__float__")):
            raise self._refused(name, f"values of the kind {other[0]}", _AS_TEXTS)
        try:
            numbers = np.array([*map(float, uniques), np.nan])
        except OverflowError:
            raise ValueError(f"{self.where}: column {name!r} has an integer too large for a float64.") from None
        return Numbers(numbers[codes])

    def _refused(self, name: Any, what: str, way_out: str) -> TypeError:
        return TypeError(
            f"{self.where}: expected columns of numbers, texts or categories, and column {name!r} holds {what}. "
            f"{way_out}."
        )


def library_of(X: Any) -> str | None:
    """'pandas' or 'polars' for a DataFrame of theirs."""
    library = type(X).__module__.partition(".")[0]
    return library if library in ("pandas", "polars") and type(X).__name__ == "DataFrame" else None


def require_different(names: Iterable[Any], where: str) -> None:
    """ValueError for a name that stands twice."""
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(
            f"{where}: expected columns of different names, got {twice[0]!r} {Counter(names)[twice[0]]} times. Rename "
            "them, or leave all but one out."
        )


def as_table(X: Any, where: str) -> Any:
    """A DataFrame as it is, anything else as an array of two dimensions; of objects where it was none."""
    if library_of(X):
        return X
    if hasattr(X, "collect"):
        raise TypeError(f"{where}: expected a DataFrame, got a {type(X).__name__}. Collect it: X.collect().")
    dtype = None if isinstance(getattr(X, "dtype", None), np.dtype) else object
    return check_array(X, dtype=dtype, ensure_all_finite=False, estimator=where, input_name="X")


def is_missing(value: Any) -> bool:
    """Whether it is None, nan, pandas.NA or pandas.NaT."""
    return type(value).__name__ in _MISSING or (isinstance(value, float | np.floating) and math.isnan(value))


def _text(value: Any) -> str:
    """A category as a text: 1 and 1.0 are the same one."""
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if whole else str(value)
