"""The labels of a classification: which there are, as columns of true and false, and back."""

from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import validate_data

from maillon.sklearn.inputs import dense
from maillon.typing import Array


def labelled(estimator: Any, X: Any, y: Any, *, reset: bool, **how: Any) -> tuple[Any, Array]:
    """Samples and their labels, checked as scikit-learn does.

    Parameters
    ----------
    estimator : estimator
        Whose features they are compared with.
    X : array_like
        The samples.
    y : array_like
        The labels: one a sample, or an indicator matrix.
    reset : bool
        Whether these are the features from now on, instead of those there were.
    **how : object
        As for scikit-learn's `validate_data`.

    Returns
    -------
    tuple
        X and y as arrays, or a sparse X.
    """
    X, y = validate_data(estimator, X, y, multi_output=True, reset=reset, **how)
    y = dense(y)
    return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


class Labels:
    """The labels that there are.

    Parameters
    ----------
    y : array
        Labels of samples, or an indicator matrix.

    Attributes
    ----------
    classes : array
        The labels, sorted; the numbers of the columns of an indicator matrix.
    kind : str
        'binary', which one class alone is too, 'multiclass' or 'multilabel-indicator'.
    columns : int
        Those of `binarised`: one for two classes.

    Raises
    ------
    ValueError
        For targets that are no classes.
    """

    def __init__(self, y: Array) -> None:
        self.kind: str = type_of_target(y, input_name="y")
        if self.kind == "multiclass-multioutput":
            raise ValueError("Multioutput target data is not supported: y has several columns of several classes.")
        if self.kind not in ("binary", "multiclass", "multilabel-indicator"):
            raise ValueError(
                f"Unknown label type: {self.kind}. Maybe you are trying to fit a classifier, which expects discrete "
                "classes on a regression target with continuous values."
            )
        self.classes: Array = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
        self.columns = 1 if self.kind == "binary" else len(self.classes)

    def require_known(self, y: Array, *, all_of_them: bool) -> None:
        """ValueError for labels that are not among these; all_of_them: and where one of these is missing."""
        classes = np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)
        known, given = set(self.classes.tolist()), set(classes.tolist())
        if all_of_them and given != known:
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes}, `y` has {classes}"
            )
        if not given <= known or (y.ndim == 2) != (self.kind == "multilabel-indicator"):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes}. 'y' has {classes}."
            )

    def binarised(self, y: Array) -> Array:
        """(n, columns) booleans: which class each sample has; of two classes, whether it is the second."""
        if y.ndim == 2:
            return y.astype(bool)
        codes = np.searchsorted(self.classes, y)[:, None]
        return codes > 0 if self.columns == 1 else codes == np.arange(self.columns)

    def named(self, decided: Array) -> Array:
        """The labels of such columns."""
        if self.kind == "multilabel-indicator":
            return decided.astype(int)
        codes = decided[:, 0].astype(int) if self.columns == 1 else decided.argmax(axis=1)
        return self.classes[np.minimum(codes, len(self.classes) - 1)]  # one class alone is always that class
