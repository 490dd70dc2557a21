"""TabularClassifier and TabularRegressor: a table as it is, and good defaults do the rest."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from maillon.sklearn import checking, recipe, table, wording
from maillon.sklearn.frames import is_missing
from maillon.sklearn.inputs import weights_of
from maillon.sklearn.table import Tabular
from maillon.typing import Array

_WORDS = {
    "parameters": table.PARAMETERS,
    "more": table.MORE_PARAMETERS,
    "attributes": table.ATTRIBUTES,
    "tables": table.TABLES,
}


@wording.worded(**_WORDS)
class TabularClassifier(ClassifierMixin, Tabular):
    """Networks that tell classes apart by the columns of a table, which is taken as it is.

    Parameters
    ----------
    {parameters}
    class_weight : dict or 'balanced', optional
        A factor on the losses of each class's rows: {label: weight}, or n / (classes · count).
    {more}

    Attributes
    ----------
    classes_ : array
        The labels, sorted.
    {attributes}

    Notes
    -----
    {tables}

    References
    ----------
    Holzmüller, Grinsztajn, Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data",
    2024.

    Examples
    --------
    >>> import pandas as pd
    >>> from maillon.sklearn import TabularClassifier
    >>> X = pd.DataFrame({"size": [1.0, 2.0, None, 8.0, 9.0] * 20, "colour": ["red", "red", "blue", "blue", None] * 20})
    >>> y = ["small", "small", "small", "large", "large"] * 20
    >>> model = TabularClassifier(ensemble=2, epochs=20, random_state=0).fit(X, y)
    >>> model.score(X, y), model.predict_proba(X[:3]).shape, model.network_(model.prepare(X)).shape
    (1.0, (3, 2), (100, 2))
    """

    _recipe = recipe.CLASSES
    _kept = ("classes_",)

    def __init__(
        self,
        ensemble: int = recipe.ENSEMBLE,
        *,
        hidden_sizes: Any = recipe.HIDDEN_SIZES,
        epochs: int = recipe.EPOCHS,
        batch_size: int = recipe.BATCH_SIZE,
        learning_rate: float = recipe.CLASSES.rate,
        validation_fraction: float | None = None,
        class_weight: Any = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: Any = False,
    ) -> None:
        checking.keep(self, locals())

    def _read_y(self, y: Any) -> Array:
        y = check_array(y, ensure_2d=False, dtype=None, ensure_all_finite=False, input_name="y")
        y = column_or_1d(y, warn=True)
        if y.dtype == object and any(map(is_missing, y)):
            raise ValueError("Input y contains NaN, None or NA. Leave out the rows whose class is not known.")
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.classes_, places = np.unique(y, return_inverse=True)
        return np.asarray(places, np.int64)

    def _learnable(self, targets: Array) -> Array:
        self._outputs = len(self.classes_)
        return targets

    def _weights(self, sample_weight: Any, targets: Array) -> Array | None:
        return weights_of(sample_weight, self.class_weight, targets, self.classes_[targets])

    def _member_score(self, outputs: Array, learnable: Array) -> float:
        return float(np.mean(outputs.argmax(axis=1) == learnable))

    def predict(self, X: Any) -> Array:
        """The class of each row.

        Parameters
        ----------
        X : DataFrame or array_like of shape (n_samples, n_features)
            A table.

        Returns
        -------
        array of shape (n_samples,)
            Labels.
        """
        places = self._predicted(X).argmax(axis=1)
        labels: Array = self.classes_[places]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class: the mean of what the networks say, without the smoothing of their labels.

        Parameters
        ----------
        X : DataFrame or array_like of shape (n_samples, n_features)
            A table.

        Returns
        -------
        array of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return recipe.sharpened(self._predicted(X))

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`.

        Parameters
        ----------
        X : DataFrame or array_like of shape (n_samples, n_features)
            A table.

        Returns
        -------
        array of shape (n_samples, n_classes)
            −∞ where a probability is 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))


@wording.worded(**_WORDS)
class TabularRegressor(RegressorMixin, Tabular):
    """Networks that predict numbers from the columns of a table, which is taken as it is.

    Parameters
    ----------
    {parameters}
    {more}

    Attributes
    ----------
    target_mean_, target_scale_ : array of shape (n_outputs,)
        y is `target_mean_` + `target_scale_` times what `network_` gives.
    {attributes}

    Notes
    -----
    {tables}

    References
    ----------
    Holzmüller, Grinsztajn, Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data",
    2024.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from maillon.sklearn import TabularRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = TabularRegressor(hidden_sizes=(64,), epochs=30, random_state=0).fit(X[:300], y[:300])
    >>> model.score(X[300:], y[300:]) > 0.4, X.columns[model.feature_importances_.argmax()] in ("bmi", "s5")
    (True, True)
    """

    _recipe = recipe.NUMBERS
    _kept = ("target_mean_", "target_scale_", "_flat")

    def __init__(
        self,
        ensemble: int = recipe.ENSEMBLE,
        *,
        hidden_sizes: Any = recipe.HIDDEN_SIZES,
        epochs: int = recipe.EPOCHS,
        batch_size: int = recipe.BATCH_SIZE,
        learning_rate: float = recipe.NUMBERS.rate,
        validation_fraction: float | None = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: Any = False,
    ) -> None:
        checking.keep(self, locals())

    def _read_y(self, y: Any) -> Array:
        if np.asarray(y).dtype.kind in "mM":
            raise TypeError("TabularRegressor: expected numbers in y, got dates or times. Make numbers of them.")
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        y = column_or_1d(y, warn=True) if y.shape[1:] == (1,) else y
        self._flat = y.ndim == 1
        return y.reshape(len(y), -1)

    def _learnable(self, targets: Array) -> Array:
        self._outputs = targets.shape[1]
        with np.errstate(over="ignore"):
            self.target_mean_, spread = targets.mean(axis=0), targets.std(axis=0)
        if not np.isfinite(spread).all():
            raise ValueError("TabularRegressor: the variance of y is no finite float64. Divide y by a large number.")
        self.target_scale_ = np.where(spread > 0, spread, 1.0)
        return ((targets - self.target_mean_) / self.target_scale_).astype(np.float32)

    def _weights(self, sample_weight: Any, targets: Array) -> Array | None:
        return weights_of(sample_weight, None, targets, targets)

    def _member_score(self, outputs: Array, learnable: Array) -> float:
        return float(r2_score(learnable, outputs))

    def predict(self, X: Any) -> Array:
        """The number, or numbers, of each row: the mean of what the networks say.

        Parameters
        ----------
        X : DataFrame or array_like of shape (n_samples, n_features)
            A table.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
            As y was given.
        """
        numbers = self._predicted(X) * self.target_scale_ + self.target_mean_
        return numbers[:, 0] if self._flat else numbers

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
