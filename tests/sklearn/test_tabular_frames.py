"""Tables as they come: columns of every kind, missing values, what is refused, and what becomes of them."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from maillon.sklearn.frames import Frame, Numbers
from maillon.sklearn.preparing import MOST_CATEGORIES, Preparation

NAN = float("nan")
DATES = pd.date_range("2020", periods=4)


def column(values):
    """The one column of a table: its numbers, or its texts with None where one is missing."""
    X = pl.DataFrame({"a": values}) if isinstance(values, pl.Series) else pd.DataFrame({"a": values})
    return plain(Frame(X, "Model").columns[0])


def plain(read):
    if isinstance(read, Numbers):
        assert read.values.dtype == np.float64
        return read.values.tolist()
    return [None if code < 0 else read.texts[code] for code in read.codes]


@pytest.mark.parametrize(
    ("values", "read"),
    [
        ([1, 2, 3], [1.0, 2.0, 3.0]),
        (np.array([1, 2], np.float16), [1.0, 2.0]),
        ([True, False], [1.0, 0.0]),
        ([True, None, False], [1.0, NAN, 0.0]),
        ([1.5, None], [1.5, NAN]),
        ([pd.NA, 2], [NAN, 2.0]),
        ([decimal.Decimal("0.5"), None], [0.5, NAN]),
        (pd.array([1, None], "Int64"), [1.0, NAN]),
        (pd.array([1.5, None], "Float32"), [1.5, NAN]),
        (pd.array([True, None], "boolean"), [1.0, NAN]),
        (pd.arrays.SparseArray([0.0, 2.0]), [0.0, 2.0]),
        ([None, NAN], [NAN, NAN]),
        (["x", "y"], ["x", "y"]),
        (["x", None], ["x", None]),
        (["x", NAN], ["x", None]),
        (["x", pd.NA], ["x", None]),
        (["x", pd.NaT], ["x", None]),
        (pd.array(["x", None], "string"), ["x", None]),
        (pd.Series(["x", None], dtype=object), ["x", None]),
        (pd.Categorical(["x", None, "y"]), ["x", None, "y"]),
        (pd.Categorical([2, 1, None]), ["2", "1", None]),
        (pd.Categorical([2.0, 1.5]), ["2", "1.5"]),
        (pd.cut([1, 2, 9], [0, 5, 10]), ["(0, 5]", "(0, 5]", "(5, 10]"]),
        (pl.Series([1, None]), [1.0, NAN]),
        (pl.Series([True, None]), [1.0, NAN]),
        (pl.Series([1.5, NAN, None]), [1.5, NAN, NAN]),
        (pl.Series([decimal.Decimal("0.5"), None]), [0.5, NAN]),
        (pl.Series([None, None]), [NAN, NAN]),
        (pl.Series(["x", None]), ["x", None]),
        (pl.Series(["x", None, "y"], dtype=pl.Categorical), ["x", None, "y"]),
        (pl.Series(["x", None], dtype=pl.Enum(["w", "x"])), ["x", None]),
    ],
)
def test_a_column_is_numbers_or_texts(values, read):
    np.testing.assert_equal(column(values), read)


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        (DATES, "dates or times (datetime64"),
        (DATES.tz_localize("UTC"), "dates or times (datetime64"),
        (DATES - DATES[0], "dates or times (timedelta64"),
        (DATES.to_period("D"), "dates or times (period[D])"),
        ([datetime.date(2020, 1, 1), None], "dates or times (date)"),
        ([datetime.time(1), datetime.time(2)], "dates or times (time)"),
        (pl.Series([datetime.date(2020, 1, 1)]), "dates or times (Date)"),
        (pl.Series([datetime.timedelta(1)]), "dates or times (Duration"),
        ([[1], [2]], "lists or other objects"),
        ([{}, {}], "lists or other objects"),
        ([(1, 2), (3, 4)], "values of the kind tuple"),
        ([b"x", b"y"], "values of the kind bytes"),
        ([1j, 2j], "values of the kind complex"),
        ([object(), None], "values of the kind object"),
        (pd.arrays.IntervalArray.from_breaks([0, 1, 2]), "values of the kind Interval"),
        (pl.Series([[1], [2]]), "values of the kind List(Int64)"),
        (pl.Series([{"x": 1}]), "values of the kind Struct"),
        (pl.Series([b"x"]), "values of the kind Binary"),
    ],
)
def test_what_is_neither_is_refused_with_a_way_out(values, holds):
    with pytest.raises(TypeError) as caught:
        column(values)
    text = str(caught.value)
    assert text.startswith(f"Model: expected columns of numbers, texts or categories, and column 'a' holds {holds}")
    assert text.endswith("or leave the column out.")


def test_the_error_for_dates_in_full():
    with pytest.raises(TypeError) as caught:
        column([datetime.date(2020, 1, 1)])
    assert str(caught.value) == (
        "Model: expected columns of numbers, texts or categories, and column 'a' holds dates or times (date). Make "
        "numbers of them, such as the year, the month, or the days since a date, or leave the column out."
    )


@pytest.mark.parametrize(("values", "shown"), [(["x", 1], "'x' and 1"), ([True, "x"], "'x' and True")])
def test_texts_and_numbers_in_one_column(values, shown):
    with pytest.raises(ValueError, match=f"Model: column 'a' mixes texts and other values, such as {shown}. Make num"):
        column(pd.Series(values, dtype=object))


def test_numbers_that_are_none():
    with pytest.raises(ValueError, match=r"Model: Input X contains infinity: column 'a', row 1\. Replace it, by nan"):
        column([1.0, np.inf])
    with pytest.raises(ValueError, match="Model: column 'a' has an integer too large for a float64"):
        column([10**400, 1])


def test_arrays():
    floats = Frame(np.array([[1.0, NAN], [2, 3]], np.float32), "Model")
    np.testing.assert_equal([plain(each) for each in floats.columns], [[1, 2], [NAN, 3]])
    objects = Frame(np.array([[1, "x"], [None, NAN], [True, "y"]], object), "Model")
    np.testing.assert_equal([plain(each) for each in objects.columns], [[1, NAN, 1], ["x", None, "y"]])
    assert plain(Frame(np.array([["1", "x"]]), "Model").columns[0]) == ["1"]
    with pytest.raises(TypeError, match="column 0 holds lists or other objects"):
        Frame(np.array([[{}, 1], [{}, 2]], object), "Model")
    with pytest.raises(TypeError, match=r"column 0 holds values of the kind \|S1. Convert them to texts"):
        Frame(np.array([[b"x"]]), "Model")
    with pytest.raises(TypeError, match=r"column 0 holds dates or times \(datetime64"):
        Frame(np.array([["2020"]], "M8[D]"), "Model")


def prepared(X, later=None):
    """What a table becomes, or a later one."""
    preparation = Preparation.learn(Frame(pd.DataFrame(X), "Model"))
    return preparation, preparation(Frame(pd.DataFrame(X if later is None else later), "Model"))


def clipped(x):
    return (x / np.sqrt(1 + (x / 3) ** 2)).astype(np.float32)


def test_numbers_are_centred_scaled_and_clipped():
    a = np.random.default_rng(0).normal(5, 3, 101)
    quartiles = np.quantile(a, [0.25, 0.75])
    _, (x,) = prepared({"a": a, "few": np.eye(101)[0] * 4})
    np.testing.assert_allclose(x[:, 0], clipped((a - np.median(a)) / np.ptp(quartiles)), rtol=1e-6)
    np.testing.assert_allclose(x[:, 1], clipped(np.eye(101)[0] * 2))  # no quartiles apart: 0 … 2, (max − min)/2 is 1
    _, (far,) = prepared({"a": a}, {"a": [1e308, -1e308]})
    np.testing.assert_allclose(far[:, 0], [3, -3])


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 1000])
def test_quartiles_are_numpys(rows):
    a = np.random.default_rng(rows).normal(size=rows) + np.arange(rows)
    preparation, _ = prepared({"a": a})
    described = preparation.describe()
    low, middle, high = np.quantile(a, [0.25, 0.5, 0.75])
    np.testing.assert_allclose([described["centre"][0], described["scale"][0]], [middle, high - low], rtol=1e-12)


def test_missing_numbers_are_the_median_and_marked():
    preparation, (numbers, flags) = prepared({"a": [1.0, NAN, 3.0, 5.0], "b": [1.0, 2.0, 3.0, 4.0]})
    assert (preparation.inputs, preparation.numbers, preparation.flags) == (("numbers", "flags"), 2, 1)
    assert numbers[1, 0] == 0
    np.testing.assert_allclose(flags[:, 0], clipped(np.array([0, 4, 0, 0])))  # q75 of three zeros and a one is ¼
    _, (later,) = prepared({"b": [1.0, 2.0, 3.0, 4.0]}, {"b": [NAN, 2.5]})
    np.testing.assert_array_equal(later, 0)  # both are the median, and nothing was missing in the training


def test_few_categories_become_columns():
    preparation, (x,) = prepared({"two": list("aabb"), "three": list("xyzz")})
    assert (preparation.inputs, preparation.flags) == (("flags",), 4)
    np.testing.assert_array_equal(np.concatenate(preparation.features), [0, 1, 1, 1])
    np.testing.assert_allclose(x[:, 0], clipped(np.array([0.5, 0.5, -0.5, -0.5])))
    assert len(np.unique(x[:, 1:], axis=0)) == 3
    preparation, (x,) = prepared({"a": list("xyzxyz")}, {"a": ["x", "unseen", None]})
    np.testing.assert_array_equal(x[1], x[2])
    assert (x[0] != x[1]).sum() == 1
    preparation, (x,) = prepared({"a": ["x", None] * 3}, {"a": ["x", None, "unseen"]})
    assert x[0, 0] != x[1, 0] == x[2, 0]  # what is unseen is like what is missing, where that was learnt


def test_many_categories_become_codes_and_rare_ones_share_one():
    texts = [f"t{place:02}" for place in range(12) for _ in range(3)]
    preparation, (x, codes) = prepared(
        {"a": [*texts, "rare", None], "n": range(38)}, {"a": ["t03", "rare", "new"], "n": 0}
    )
    assert preparation.sizes == [13]
    assert (x.shape, codes.dtype, codes.tolist()) == ((3, 1), np.int64, [[4], [0], [0]])
    preparation, (codes,) = prepared({"a": texts, "b": texts})
    assert preparation.sizes == [13, 13]
    np.testing.assert_array_equal(codes[:, 1], codes[:, 0] + 13)
    assert (preparation.inputs, preparation.shapes) == (("codes",), [(2,)])


def test_a_hundred_thousand_categories():
    rows = 100_000
    names = [f"k{place}" for place in range(rows)]
    often = np.random.default_rng(0).choice(names, rows)
    preparation, (codes,) = prepared({"id": names, "often": often})
    assert preparation.left_out == {"id": "nearly all values are different"}
    assert preparation.sizes == [MOST_CATEGORIES + 1]
    assert codes.max() == MOST_CATEGORIES


def test_the_number_of_categories_that_is_embedded():
    for values, embedded in ((8, False), (9, True)):
        preparation, _ = prepared({"a": [f"t{place}" for place in range(values)] * 3})
        assert bool(preparation.sizes) == embedded
    preparation, _ = prepared({"a": [f"t{place}" for place in range(7)] * 3 + ["r", "s"]})
    assert (preparation.sizes, preparation.flags) == ([], 8)  # nine, and the two rare ones become one


def test_what_says_nothing_is_left_out():
    preparation, parts = prepared(
        {"one": [1, 1], "text": ["x", "x"], "no": [None, None], "some": [1, None], "b": [1, 2]}
    )
    assert preparation.left_out == {
        "one": "all values are the same",
        "text": "all values are the same",
        "no": "all values are missing",
    }
    assert [part.shape for part in parts] == [(2, 1), (2, 1)]  # "b", and which one of "some" is missing
    preparation, (x,) = prepared({"one": [1, 1]})
    assert (preparation.numbers, x.tolist()) == (1, [[0], [0]])


def test_numbers_where_texts_were_and_the_other_way():
    with pytest.raises(
        ValueError, match=r"column 'a' had numbers in the training, got texts or categories. Convert it: "
    ):
        prepared({"a": [1, 2]}, {"a": ["x"]})
    with pytest.raises(ValueError, match="column 'a' had texts or categories in the training, got numbers"):
        prepared({"a": ["x", "y"]}, {"a": [1]})
    for learnt in ([1, 2], ["x", "y"]):
        prepared({"a": learnt}, {"a": [None]})
        prepared({"a": learnt}, {"a": pd.Categorical([None])})


def test_a_description_makes_the_same_again():
    X = {"a": [1.0, NAN, 3.0] * 9, "b": [f"t{place}" for place in range(9)] * 3, "c": list("xyz") * 9, "d": [1] * 27}
    preparation, parts = prepared(X)
    again = Preparation.described(preparation.describe())
    for one, other in zip(parts, again(Frame(pd.DataFrame(X), "Model")), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.left_out == {"d": "all values are the same"}
    np.testing.assert_array_equal(np.concatenate(again.features), np.concatenate(preparation.features))


def test_all_libraries_give_the_same():
    X = {"a": [1.0, None, 3.0, 4.0] * 9, "b": [*"xyz", None] * 9, "c": [f"t{place}" for place in range(9)] * 4}
    frames = [pd.DataFrame(X), pl.DataFrame(X), np.array([*zip(*X.values(), strict=True)], object)]
    parts = [Preparation.learn(frame)(frame) for frame in (Frame(each, "Model") for each in frames)]
    for part in parts[1:]:
        for one, other in zip(part, parts[0], strict=True):
            np.testing.assert_array_equal(one, other)
