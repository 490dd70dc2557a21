"""Data frames and series of pandas and polars at the door."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import maillon
from maillon.optim.door import convert, convert_target, real_numbers

F32 = np.dtype("float32")
NUMBERS = [[1.0, 1.0, 2.0], [0.5, 0.0, 3.0]]

FRAMES: dict[str, Any] = {
    "bool beside float": pd.DataFrame({"a": [1.0, 0.5], "b": [True, False], "c": [2, 3]}),
    "nullable": pd.DataFrame(
        {
            "a": pd.array([1.0, 0.5], dtype="Float64"),
            "b": pd.array([True, False], dtype="boolean"),
            "c": pd.array([2, 3], dtype="Int64"),
        }
    ),
    "categories": pd.DataFrame({"a": pd.Categorical([1.0, 0.5]), "b": [1, 0], "c": pd.Categorical([2, 3])}),
    "objects": pd.DataFrame({"a": np.array([1, 0.5], object), "b": [True, False], "c": [Decimal(2), Decimal(3)]}),
    "an object array": np.array([[1.0, True, 2], [0.5, False, Fraction(3)]], object),
    "sparse": pd.DataFrame({"a": [1.0, 0.5], "b": pd.arrays.SparseArray([1, 0]), "c": [2, 3]}),
    "one name twice": pd.DataFrame([[1.0, True, 2], [0.5, False, 3]], columns=["a", "a", "a"]).astype(object),
    "polars": pl.DataFrame({"a": [1.0, 0.5], "b": [True, False], "c": [2, 3]}),
    "polars decimals": pl.DataFrame({"a": [Decimal("1.0"), Decimal("0.5")], "b": [True, False], "c": [2, 3]}),
    "polars objects": pl.DataFrame({"a": pl.Series([1, 0.5], dtype=pl.Object), "b": [1, 0], "c": [2, 3]}),
}


@pytest.mark.parametrize("form", FRAMES)
def test_columns_of_any_numbers_are_taken(form: str) -> None:
    found = convert(FRAMES[form], F32)
    assert found.dtype == F32
    assert found.tolist() == NUMBERS


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1, 2], dtype="Int64"),
        pd.Series([1, 2], dtype="category"),
        pd.Series([1, 2], dtype=object),
        pl.Series([1, 2], dtype=pl.UInt8),
    ],
    ids=["Int64", "category", "object", "polars"],
)
def test_labels_stay_integers(series: Any) -> None:
    found = convert_target(series, maillon.CrossEntropyLoss(), F32)
    assert (found.dtype, found.tolist()) == (np.int64, [1, 2])


def test_a_frame_of_one_kind_is_not_copied_column_by_column() -> None:
    frame = pd.DataFrame(np.arange(12.0, dtype=np.float32).reshape(4, 3))
    assert np.shares_memory(convert(frame, F32), frame.to_numpy())


WRONG: list[tuple[Any, type[Exception], str]] = [
    (
        pd.DataFrame({"age": pd.array([1, None, None], dtype="Int64"), "b": [1.0, 2.0, 3.0]}),
        ValueError,
        "x: expected numbers in column 'age', got 2 missing values, the first in row 1. Fill them, or leave their rows "
        "out.",
    ),
    (
        pd.DataFrame({"on": pd.array([True, None], dtype="boolean")}),
        ValueError,
        "x: expected numbers in column 'on', got 1 missing value, the first in row 1. Fill them, or leave their rows "
        "out.",
    ),
    (
        pd.Series([1, None], name="kind", dtype="category"),
        ValueError,
        "x: expected numbers in column 'kind', got 1 missing value, the first in row 1. Fill them, or leave their rows "
        "out.",
    ),
    (
        pl.DataFrame({"a": [1.0, 2.0], "b": [None, 3]}),
        ValueError,
        "x: expected numbers in column 'b', got 1 missing value, the first in row 0. Fill them, or leave their rows "
        "out.",
    ),
    (
        pd.DataFrame({"a": [1.0, 2.0], "city": ["Bern", "Lyon"]}),
        TypeError,
        "x: expected real numbers in column 'city', got dtype str. Convert dates, texts and categories to numbers "
        "first (one_hot, for instance), or leave the column out.",
    ),
    (
        pd.DataFrame({"a": [1.0, 2.0], 7: pd.to_datetime(["2025-01-01", "2025-01-02"]).astype("datetime64[ns]")}),
        TypeError,
        "x: expected real numbers in column 7, got dtype datetime64[ns]. Convert dates, texts and categories to "
        "numbers first (one_hot, for instance), or leave the column out.",
    ),
    (
        pd.Series(["1", "2"], dtype="category"),
        TypeError,
        "x: expected real numbers in column, got dtype category. Convert dates, texts and categories to numbers first "
        "(one_hot, for instance), or leave the column out.",
    ),
    (
        pl.DataFrame({"a": ["x", "y"]}, schema={"a": pl.Categorical}),
        TypeError,
        "x: expected real numbers in column 'a', got dtype Categorical. Convert dates, texts and categories to numbers "
        "first (one_hot, for instance), or leave the column out.",
    ),
    (
        np.array([[1, "2"]], object),
        TypeError,
        "x: expected real numbers, got dtype object. Convert dates, texts and categories to numbers first (one_hot, "
        "for instance).",
    ),
]


@pytest.mark.parametrize(("value", "error", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_no_number_is_named_by_its_column(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        convert(value, F32)
    assert str(caught.value) == message


def test_objects_that_are_arrays_themselves_are_left_as_they_are() -> None:
    ragged = np.empty(2, object)
    ragged[:] = [np.ones(2), np.ones(3)]
    with pytest.raises(TypeError, match="x: expected real numbers, got dtype object"):
        real_numbers(ragged, "x")
