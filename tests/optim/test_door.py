"""The door: what users hold becomes arrays of the network's dtype."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import maillon
from maillon.optim.door import convert, convert_target, real_numbers

F32, F64 = np.dtype("float32"), np.dtype("float64")


class Tensor:
    """Like PyTorch's: refuses to become an array before it is detached."""

    def detach(self) -> Any:
        return np.array([1.0, 2.0])

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")


@pytest.mark.parametrize(
    "value",
    [
        [[1, 2], [3, 4]],
        np.array([[1, 2], [3, 4]], np.int8),
        np.array([[1, 2], [3, 4]], np.float16),
        np.array([[1, 2], [3, 4]], np.longdouble),
        pd.DataFrame({"a": [1, 3], "b": [2.0, 4.0]}),
        pl.DataFrame({"a": [1, 3], "b": [2.0, 4.0]}),
    ],
    ids=["list", "int8", "float16", "longdouble", "pandas", "polars"],
)
def test_real_numbers_of_any_kind(value: Any) -> None:
    for dtype in (F32, F64):
        converted = convert(value, dtype)
        assert type(converted) is np.ndarray
        assert converted.dtype == dtype
        assert converted.tolist() == [[1, 2], [3, 4]]


def test_what_fits_is_passed_through() -> None:
    array = np.ones((2, 3), np.float32)
    assert convert(array, F32) is array
    labels = np.array([1, 0])
    assert convert_target(labels, maillon.CrossEntropyLoss(), F32) is labels


def test_several_inputs_stay_nested() -> None:
    converted = convert({"a": [1], "b": ([2], [[3]])}, F32)
    assert converted["a"].dtype == converted["b"][1].dtype == F32
    assert converted["b"][1].tolist() == [[3]]
    targets = convert_target(([1], [2.0]), maillon.CrossEntropyLoss(), F32)
    assert [target.dtype for target in targets] == [np.int64, F32]


def test_tensors_are_detached_and_series_taken() -> None:
    assert convert(Tensor(), F32).tolist() == [1, 2]
    assert convert(pd.Series([1, 2]), F64).tolist() == [1, 2]
    assert convert(pl.Series([1, 2]), F64).tolist() == [1, 2]


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint64", "bool"])
def test_integers_are_labels_where_the_loss_takes_them(kind: str) -> None:
    y = np.array([0, 1, 1]).astype(kind)
    for loss in (maillon.CrossEntropyLoss(), maillon.NLLLoss()):
        assert convert_target(y, loss, F32).dtype == np.int64
    assert convert_target(y, maillon.MSELoss(), F32).dtype == F32
    assert convert_target(y.astype(float), maillon.CrossEntropyLoss(), F32).dtype == F32  # probabilities
    assert convert_target(pd.Series(y), maillon.NLLLoss(), F32).tolist() == [0, 1, 1]


def test_what_is_no_number() -> None:
    for value, shown in [
        (["a", "b"], "<U1"),
        (np.array(["2025-01-01"], "datetime64[D]"), r"datetime64\[D\]"),
        ([None, 1], "object"),
        ([1j], "complex128"),
    ]:
        with pytest.raises(TypeError, match=f"x: expected real numbers, got dtype {shown}. Convert dates"):
            convert(value, F32)
    with pytest.raises(ValueError, match="x: expected rows of equal length, got a ragged list"):
        convert([[1, 2], [3]], F32)
    with pytest.raises(TypeError, match=r"x\['a'\]\[1\]: expected real numbers"):
        convert({"a": ([1], ["b"])}, F32)
    with pytest.raises(TypeError, match=r"y\[0\]: expected real numbers"):
        convert_target((["b"],), maillon.MSELoss(), F32)
    with pytest.raises(TypeError, match="weights: expected real numbers"):
        real_numbers("a", "weights")


def test_numbers_too_large_for_the_network() -> None:
    with pytest.raises(ValueError) as caught:
        convert(np.array([[1.0, np.inf], [2.0, -1e39]]), F32)
    assert str(caught.value) == (
        "x: -1e+39 at index (1, 1) is too large for the network's float32. "
        "Normalise the data, or convert the network with .to('float64')."
    )
    assert convert(np.array([1e39, np.nan]), F64)[0] == 1e39
    assert np.isinf(convert(np.array([np.inf]), F32)[0])  # infinite already: the loss will say so
    assert convert(np.array([1e-60]), F32)[0] == 0
