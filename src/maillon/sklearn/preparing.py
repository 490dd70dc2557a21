"""What a network reads of a table: numbers of a like size, and codes of categories."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self, TypeVar

import numpy as np

from maillon.sklearn.frames import Column, Frame, Numbers, Texts
from maillon.typing import Array

ONE_HOT_VALUES = 8
"""A column of more categories than that is embedded."""
RARE_ROWS = 3
"""Of a column that may be embedded, a category of fewer rows is lumped together with the other rare ones."""
MOST_CATEGORIES = 1000
"""And so are all but that many, the most frequent ones."""
CLIP = 3.0
"""The numbers stay within ±3."""
_FAR = 1e9  # where the limit is reached to rounding, and squares are finite


@dataclass(frozen=True)
class Number:
    """A column of numbers: what a missing one becomes, and whether another column says which ones are missing."""

    feature: int
    fill: float
    marks_missing: bool


@dataclass(frozen=True)
class Category:
    """A column of categories: code 0 is what is missing, rare or unseen, i + 1 the text of place i.

    has_other: whether there was a code 0 to learn from.
    """

    feature: int
    texts: list[str]
    has_other: bool
    embedded: bool

    @property
    def values(self) -> int:
        """How many codes there were to learn from."""
        return len(self.texts) + self.has_other

    def codes(self, column: Texts) -> Array:
        """Of each row."""
        known = {text: code for code, text in enumerate(self.texts, 1)}
        return np.array([*(known.get(text, 0) for text in column.texts), 0], np.int64)[column.codes]

    def one_hot(self, column: Texts) -> Iterator[Array]:
        """A column of zeros and ones for each value; of two values one column, of 1 and −1."""
        codes, first = self.codes(column), 0 if self.has_other else 1
        if self.values == 2:  # the unseen one is between them
            yield np.where(codes == first, 1.0, np.where(codes == first + 1, -1.0, 0.0))
            return
        for code in range(first, len(self.texts) + 1):
            yield (codes == code).astype(np.float64)


Plan = TypeVar("Plan", Number, Category)


class Preparation:
    """From the columns of a table to a network's inputs, learnt from the rows of a training.

    A number is centred at the median and divided by q75 − q25, or where that is 0 by (max − min)/2; then
    x ↦ x/√(1 + (x/3)²) keeps it within ±3. A missing one is 0, and where some were missing in the training a column
    says which. Up to 8 categories become columns of zeros and ones, treated alike; more than 8 become codes for an
    embedding, in which what is rare, missing or unseen shares one. What does not vary is left out.

    Attributes
    ----------
    numbers : int
        The columns of numbers; one of zeros where a table says nothing at all.
    flags : int
        The columns of zeros and ones: which numbers are missing, and few categories.
    sizes : list of int
        The codes of each embedded column: those of the second one begin where the first one's end, and so on.
    inputs : tuple of str
        The names of what `__call__` gives: "numbers", "flags" and "codes", without those that have no column.
    shapes : list of tuple
        The shape of each of these, of one row.
    features : list of array
        Of each of these, the place in the table that each of its columns comes from.
    left_out : dict of str to str
        Why columns of the table say nothing, by name.

    Notes
    -----
    Holzmüller, Grinsztajn, Steinwart, "Better by Default", 2024: the preprocessing of RealMLP.
    """

    def __init__(self, numbers: Sequence[Number], categories: Sequence[Category]) -> None:
        self._numbers, self._categories = list(numbers), list(categories)
        self._one_hot = [each for each in self._categories if not each.embedded]
        self._embedded = [each for each in self._categories if each.embedded]
        self.sizes = [len(each.texts) + 1 for each in self._embedded]
        self.left_out: dict[str, str] = {}
        places = [each.feature for each in self._numbers]
        places += [each.feature for each in self._numbers if each.marks_missing]
        for each in self._one_hot:
            places += [each.feature] * (1 if each.values == 2 else each.values)
        self._places = np.array(places, np.intp)
        self._settle(np.zeros(len(places)), np.zeros(len(places)))

    @classmethod
    def learn(cls, frame: Frame) -> Self:
        """Of the rows of a training."""
        numbers, categories, left_out = [], [], {}
        for feature, (name, column) in enumerate(zip(frame.names, frame.columns, strict=True)):
            missing = np.isnan(column.values) if isinstance(column, Numbers) else column.codes < 0
            if missing.all():
                left_out[str(name)] = "all values are missing"
            elif isinstance(column, Numbers):
                some = bool(missing.any())
                numbers.append(Number(feature, float(np.median(column.values[~missing])), some))
            else:
                categories.append(_category(feature, column))
        made = cls(numbers, categories)
        spreads = [_spread(raw) for raw in made._raw(frame.columns)]
        made._settle(*np.array(spreads).reshape(-1, 2).T)
        said = set(np.concatenate(made.features).tolist())
        for feature, (name, column) in enumerate(zip(frame.names, frame.columns, strict=True)):
            if feature not in said and str(name) not in left_out:
                various = isinstance(column, Texts) and len(column.texts) > 1
                left_out[str(name)] = "nearly all values are different" if various else "all values are the same"
        made.left_out = left_out
        return made

    def _settle(self, centre: Array, scale: Array) -> None:
        """The middle and the spread of each raw column; a spread of 0 leaves one out."""
        self._centre, self._scale = centre, scale
        first, kept = len(self._numbers), scale > 0
        places = {
            "numbers": self._places[:first][kept[:first]],
            "flags": self._places[first:][kept[first:]],
            "codes": np.array([each.feature for each in self._embedded], np.intp),
        }
        if not any(map(len, places.values())):
            places["numbers"] = np.array([-1])  # the column of zeros, which comes from none
        self.numbers, self.flags = len(places["numbers"]), len(places["flags"])
        self.inputs = tuple(name for name, own in places.items() if len(own))
        self.features = [own for own in places.values() if len(own)]
        self.shapes = [own.shape for own in self.features]

    def _raw(self, columns: Sequence[Column]) -> Iterator[Array]:
        """Column by column, before it is scaled."""
        marks = []
        for number in self._numbers:
            column = columns[number.feature]
            assert isinstance(column, Numbers)
            missing = np.isnan(column.values)
            yield np.where(missing, number.fill, column.values)
            if number.marks_missing:
                marks.append(missing.astype(np.float64))
        yield from marks
        for category in self._one_hot:
            column = columns[category.feature]
            assert isinstance(column, Texts)
            yield from category.one_hot(column)

    def __call__(self, frame: Frame) -> tuple[Array, ...]:
        """What `inputs` names: (n, columns) float32, of "codes" int64.

        Raises
        ------
        ValueError
            For texts where there were numbers, and the other way.
        """
        columns = self._alike(frame)
        scaled = np.zeros((self.numbers + self.flags, frame.rows), np.float32)
        place = 0
        with np.errstate(over="ignore"):
            for raw, centre, scale in zip(self._raw(columns), self._centre, self._scale, strict=True):
                if scale > 0:
                    x = np.clip((raw - centre) / scale, -_FAR, _FAR)
                    scaled[place] = x / np.sqrt(1 + np.square(x / CLIP))
                    place += 1
        parts = [np.ascontiguousarray(part.T) for part in (scaled[: self.numbers], scaled[self.numbers :]) if len(part)]
        if self.sizes:
            starts = np.cumsum([0, *self.sizes[:-1]])
            codes = [
                each.codes(columns[each.feature]) + start  # type: ignore[arg-type]
                for each, start in zip(self._embedded, starts, strict=True)
            ]
            parts.append(np.stack(codes, axis=1))
        return tuple(parts)

    def _alike(self, frame: Frame) -> list[Column]:
        """The columns as they are to be read: one without any value is of either kind."""
        columns = list(frame.columns)
        for plans, kind, were, way_out in (
            (self._numbers, Numbers, "numbers", "pandas.to_numeric(column)"),
            (self._categories, Texts, "texts or categories", "astype(str), or the dtype that it had"),
        ):
            for plan in plans:
                column = columns[plan.feature]
                if isinstance(column, kind):
                    continue
                given = column.codes if isinstance(column, Texts) else np.where(np.isnan(column.values), -1, 0)
                if (given >= 0).any():
                    are = "texts or categories" if isinstance(column, Texts) else "numbers"
                    raise ValueError(
                        f"{frame.where}: column {frame.names[plan.feature]!r} had {were} in the training, got {are}. "
                        f"Convert it: {way_out}."
                    )
                nothing = np.full(frame.rows, -1, np.intp)
                columns[plan.feature] = Texts(nothing, []) if kind is Texts else Numbers(np.full(frame.rows, np.nan))
        return columns

    # Kept in a file

    def describe(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "numbers": [asdict(each) for each in self._numbers],
            "categories": [asdict(each) for each in self._categories],
            "centre": self._centre.tolist(),
            "scale": self._scale.tolist(),
            "left_out": self.left_out,
        }

    @classmethod
    def described(cls, given: Mapping[str, Any]) -> Self:
        """The way back; KeyError, TypeError or ValueError for what is no description."""
        made = cls(
            [_read(Number, each) for each in given["numbers"]], [_read(Category, each) for each in given["categories"]]
        )
        centre, scale = np.array(given["centre"], np.float64), np.array(given["scale"], np.float64)
        if centre.shape != made._places.shape or scale.shape != made._places.shape:
            raise ValueError(f"expected {len(made._places)} columns, got {len(centre)} and {len(scale)}")
        made._settle(centre, scale)
        made.left_out = dict(given["left_out"])
        return made


def _read(kind: type[Plan], given: Mapping[str, Any]) -> Plan:
    """A plan of its fields; TypeError for others, ValueError for what they cannot be."""
    plan = kind(**given)
    for field in fields(plan):
        value = getattr(plan, field.name)
        expected = {"texts": list, "feature": int, "fill": float}.get(field.name, bool)
        if type(value) is not expected:
            raise ValueError(f"the {field.name} of a column is {value!r}")
    if plan.feature < 0 or not all(isinstance(text, str) for text in getattr(plan, "texts", ())):
        raise ValueError(f"{plan!r} is no column")
    return plan


def _category(feature: int, column: Texts) -> Category:
    """What is to be known of a column of categories."""
    counts = np.bincount(column.codes + 1, minlength=len(column.texts) + 1)
    missing, counts = int(counts[0]), counts[1:]
    kept = np.flatnonzero(counts)
    if len(kept) + (missing > 0) > ONE_HOT_VALUES:
        frequent = sorted(kept[counts[kept] >= RARE_ROWS], key=lambda place: (-counts[place], column.texts[place]))
        kept = np.array(frequent[:MOST_CATEGORIES], np.intp)
    texts = sorted(column.texts[place] for place in kept)
    has_other = int(counts[kept].sum()) < len(column.codes)
    return Category(feature, texts, has_other, embedded=len(texts) + has_other > ONE_HOT_VALUES)


def _spread(x: Array) -> tuple[float, float]:
    """The median, and q75 − q25, or (max − min)/2 where that is 0."""
    n = len(x)
    places = [(n - 1) * part for part in (0.25, 0.5, 0.75)]
    whole = sorted({int(np.floor(place)) for place in places} | {int(np.ceil(place)) for place in places})
    x = np.partition(x, whole)
    low, middle, high = (_between(x, place) for place in places)
    with np.errstate(over="ignore"):
        spread = high - low or (x.max() - x.min()) / 2
    return middle, min(float(spread), np.finfo(np.float64).max)


def _between(x: Array, place: float) -> float:
    """Linearly between the two values around a place."""
    low, high = float(x[int(np.floor(place))]), float(x[int(np.ceil(place))])
    part = place - np.floor(place)
    return low if low == high else float((1 - part) * low + part * high)
