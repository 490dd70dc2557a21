"""Class weights: a factor on each sample's loss, by its class."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from maillon.nn import BCELoss, BCEWithLogitsLoss, Loss
from maillon.nn.support.arguments import is_integer, is_number
from maillon.optim.door import Data, real_numbers
from maillon.typing import Array, DType

_ROUNDED = 1e-3  # how far the probabilities of a row may be from a sum of 1


class ClassWeights:
    """{class: weight}, one weight for each class, or "balanced": n / (classes · count), of the classes that occur.

    A target of probabilities takes the mean of the weights under them.
    """

    def __init__(self, where: str, given: Any, loss: Loss) -> None:
        self.binary = isinstance(loss, BCELoss | BCEWithLogitsLoss)
        if not self.binary and not loss.takes_labels:
            raise ValueError(
                f"{where}: class_weight needs a loss over classes (CrossEntropyLoss or BCEWithLogitsLoss, for "
                f"instance), got {loss!r}. Use sample_weight."
            )
        self.where = where
        self.balanced = isinstance(given, str) and given == "balanced"
        if isinstance(given, str) and not self.balanced:
            raise ValueError(f"{where}: expected class_weight to be a dict, an array or 'balanced', got {given!r}.")
        self.ignored = getattr(loss, "ignore_index", None)
        self.by_class = {} if self.balanced else self._by_class(given)
        self.least = None if isinstance(given, Mapping) or self.balanced else len(self.by_class)

    def times(self, data: Data, dtype: DType, classes: int | None = None) -> Array:
        """The sample weights of the data, times the weight of each one's class.

        classes: how many the network tells apart, None where that is not known.
        """
        name = f"{data.prefix}y"
        shares = self._shares(name, data.y)
        classes = shares.shape[1] if shares.ndim == 2 else classes
        self._check_classes(classes)
        if shares.ndim == 2:
            counts = shares.sum(axis=0, dtype=np.float64)
            factors = shares @ self._table(name, counts)
        else:
            counted = shares != self.ignored
            table = self._table(name, np.bincount(shares[counted], minlength=classes or 0))
            factors = np.ones(len(shares))
            factors[counted] = table[shares[counted]]
        return (factors if data.weight is None else factors * data.weight).astype(dtype)

    def _by_class(self, given: Any) -> dict[int, float]:
        """The weight of each class, checked."""
        if not isinstance(given, Mapping):
            given = real_numbers(given, "class_weight")
            if given.ndim != 1:
                raise ValueError(
                    f"{self.where}: expected class_weight to hold one number a class, got shape {given.shape}."
                )
            given = dict(enumerate(given.tolist()))
        for label, weight in given.items():
            if not is_integer(label) or label < 0:
                raise ValueError(
                    f"{self.where}: expected the keys of class_weight to be classes, 0, 1, …, got {label!r}."
                )
            if not is_number(weight) or not 0 <= weight < np.inf:
                raise ValueError(
                    f"{self.where}: expected class_weight to be numbers ≥ 0 and finite, got {weight!r} for class "
                    f"{label}."
                )
        return {int(label): float(weight) for label, weight in given.items()}

    def _shares(self, name: str, y: Any) -> Array:
        """The class of each sample, (n,) integers; or how much of it belongs to which class, (n, classes)."""
        shape = np.shape(y)
        if self.binary and shape[1:] in ((), (1,)) and y.min() >= 0 and y.max() <= 1:
            ones = y.reshape(-1)
            return np.stack([1 - ones, ones], axis=1)
        if isinstance(y, np.ndarray) and y.dtype.kind in "iu" and y.ndim == 1:
            return y
        several = isinstance(y, np.ndarray) and y.dtype.kind == "f" and y.ndim == 2 and y.shape[1] > 1
        if several and (y >= 0).all() and (abs(y.sum(axis=1) - 1) <= _ROUNDED).all():
            return np.asarray(y)
        raise ValueError(
            f"{self.where}: class_weight needs one class, or probabilities of classes, in each row of {name}, got "
            f"others in its shape {shape}. Use sample_weight, or the loss's own weight or pos_weight."
        )

    def _check_classes(self, classes: int | None) -> None:
        if classes is None:
            return
        if self.least is not None and self.least != classes:
            raise ValueError(
                f"{self.where}: expected class_weight to hold {classes} numbers, one a class, got {self.least}."
            )
        unknown = [label for label in self.by_class if label >= classes]
        if unknown:
            raise ValueError(
                f"{self.where}: expected the keys of class_weight to be classes, 0…{classes - 1}, got {unknown[0]}."
            )

    def _table(self, name: str, counts: Array) -> Array:
        """The weight of each class that occurs; 0 for others."""
        occurs = counts > 0
        table = np.zeros(len(counts))
        if self.balanced:
            table[occurs] = counts.sum() / (np.count_nonzero(occurs) * counts[occurs])
            return table
        for label in np.flatnonzero(occurs).tolist():
            if label not in self.by_class:
                raise ValueError(
                    f"{self.where}: class_weight has no weight for class {label}, which occurs in {name}. Give it one: "
                    "1 changes nothing."
                )
            table[label] = self.by_class[label]
        return table
