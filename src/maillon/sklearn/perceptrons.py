"""MLPClassifier and MLPRegressor: scikit-learn's, trained in the compiled core, and what its users have asked for."""

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import validate_data

from maillon.sklearn import checking, wording
from maillon.sklearn.fitting import Samples
from maillon.sklearn.inputs import dense, weights_of
from maillon.sklearn.labels import Labels, labelled
from maillon.sklearn.perceptron import Perceptron, learns_by_batches
from maillon.sklearn.tasks import Classification, Task, chosen, regression
from maillon.typing import Array


@wording.worded(layers=wording.LAYERS, learning=wording.LEARNING, beyond=wording.BEYOND, attributes=wording.ATTRIBUTES)
class MLPClassifier(ClassifierMixin, Perceptron):
    """A multi-layer perceptron that tells classes apart.

    scikit-learn's MLPClassifier with all its parameters, attributes and defaults: change the import. It learns in the
    compiled core, and takes what stands after `max_fun` as well.

    Parameters
    ----------
    {layers}
    {learning}
    loss : str, type or Loss
        'log_loss', or a loss of maillon or of your own on scores, as a class or an instance: ``CrossEntropyLoss(
        label_smoothing=0.1)``, ``MultiMarginLoss``. It takes labels, or one number for each output.
    class_weight : dict, list of dict or 'balanced', optional
        A factor on the losses of each class's samples: {label: weight}, or n / (classes · count).
    {beyond}

    Attributes
    ----------
    classes_ : array
        The labels, sorted.
    {attributes}

    Notes
    -----
    y may be labels of any kind, or an indicator matrix of several labels a sample. With the same random state the
    first weights, orders and splits are scikit-learn's, and so are the results, to rounding and but for these: where
    the last mini-batch of an epoch is short its part of alpha is that of the others; weights of samples count in
    proportion to their mean over all samples instead of over the mini-batch; the ε of 'adam' stands where Adam's paper
    has it.

    A sparse X is made dense: as a whole up to half a GiB, above that mini-batch by mini-batch, in NumPy.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from maillon.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), activation="gelu", dropout=0.1, learning_rate_init=0.02, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.95, model.history_.engine
    (True, 'native')
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        loss: Any = "log_loss",
        class_weight: Any = None,
        dropout: float = 0.0,
        norm: str | None = None,
        residual: bool = False,
        schedule: Any = None,
        callbacks: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        checking.keep(self, locals())

    def _read(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Samples:
        self._require_loss("log_loss")
        X, y = labelled(self, X, y, reset=reset, accept_sparse="csr", dtype=(np.float64, np.float32))
        if reset and not self.__dict__.pop("_given", False):
            self._labels = Labels(y)
            self.classes_ = self._labels.classes
        else:
            self._labels.require_known(y, all_of_them=self.warm_start)
        return Samples(X, self._labels.binarised(y), weights_of(sample_weight, self.class_weight, X, y))

    def _task(self) -> Task:
        return Classification(self.loss, self._labels)

    def _as_given(self, y: Array) -> Array:
        return self._labels.named(y)

    @available_if(learns_by_batches)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Learn from samples once more: one epoch, from the weights as they are.

        Parameters
        ----------
        X : array_like, sparse matrix or DataFrame of shape (n_samples, n_features)
            The samples.
        y : array_like of shape (n_samples,) or (n_samples, n_classes)
            Their labels.
        sample_weight : array_like of shape (n_samples,), optional
            Factors ≥ 0 on their losses.
        classes : array_like of shape (n_classes,), optional
            All labels that will ever come; needed in the first call.

        Returns
        -------
        MLPClassifier
            Itself.
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"MLPClassifier: class_weight={self.class_weight!r} needs all samples, which partial_fit has not. Give "
                "a dict of weights."
            )
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if first:  # `_given`: these are the classes, whatever y has
            self.classes_, several = unique_labels(classes), type_of_target(y).startswith("multilabel")
            self._labels, self._given = Labels(np.asarray(y) if several else self.classes_), True
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
            )
        try:
            return self._fit(X, y, sample_weight, incremental=True)
        finally:
            self.__dict__.pop("_given", None)

    def predict(self, X: Any) -> Array:
        """The class of each sample.

        Parameters
        ----------
        X : array_like, sparse matrix or DataFrame of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_classes)
            Labels, or an indicator matrix of several labels.
        """
        outputs = self._outputs(X)
        return self._labels.named(chosen(outputs, self.out_activation_, 0.5))

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class.

        Parameters
        ----------
        X : array_like, sparse matrix or DataFrame of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        array of shape (n_samples, n_classes)
            In the order of `classes_`; of several labels, each one's own.
        """
        outputs = self._outputs(X)
        if len(self.classes_) == 1:
            return np.ones_like(outputs[:, :1])
        return outputs if outputs.shape[1] > 1 else np.hstack([1 - outputs, outputs])

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`.

        Parameters
        ----------
        X : array_like, sparse matrix or DataFrame of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        array of shape (n_samples, n_classes)
            −∞ where a probability is 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


@wording.worded(layers=wording.LAYERS, learning=wording.LEARNING, beyond=wording.BEYOND, attributes=wording.ATTRIBUTES)
class MLPRegressor(RegressorMixin, Perceptron):
    """A multi-layer perceptron that predicts numbers.

    scikit-learn's MLPRegressor with all its parameters, attributes and defaults: change the import. It learns in the
    compiled core, and takes what stands after `max_fun` as well.

    Parameters
    ----------
    loss : str, type or Loss
        'squared_error', ½ (ŷ − y)²; 'poisson', half the deviance, for counts y ≥ 0, with ŷ = exp(output); or a loss of
        maillon or of your own, as a class or an instance: ``HuberLoss(delta=0.5)``, ``L1Loss``.
    {layers}
    {learning}
    {beyond}

    Attributes
    ----------
    {attributes}

    Notes
    -----
    y may have several columns. With the same random state the first weights, orders and splits are scikit-learn's, and
    so are the results, to rounding and but for what `MLPClassifier` says; 'lbfgs' minimises the sum of several columns'
    losses, and follows its gradient. With loss='poisson' the outputs of `network_` are the logarithms of ŷ.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from maillon.sklearn import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MLPRegressor(hidden_layer_sizes=(16,), learning_rate_init=0.05, max_iter=500, random_state=0)
    >>> make_pipeline(StandardScaler(), network).fit(X, y).score(X, y) > 0.5
    True
    """

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        norm: str | None = None,
        residual: bool = False,
        schedule: Any = None,
        callbacks: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        checking.keep(self, locals())

    def _read(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Samples:
        self._require_loss("squared_error", "poisson")
        how = {"multi_output": True, "y_numeric": True, "accept_sparse": "csr", "dtype": (np.float64, np.float32)}
        X, y = validate_data(self, X, y, reset=reset, **how)
        y = dense(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self.loss == "poisson" and (y < 0).any():
            raise ValueError(f"MLPRegressor: expected y ≥ 0 with loss='poisson', got {y.min()}.")
        self._columns = 1 if y.ndim == 1 else y.shape[1]
        return Samples(X, y.reshape(len(y), -1), weights_of(sample_weight, None, X, y))

    def _task(self) -> Task:
        return regression(self.loss, self._columns)

    def _as_given(self, y: Array) -> Array:
        return y[:, 0] if y.shape[1] == 1 else y

    @available_if(learns_by_batches)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from samples once more: one epoch, from the weights as they are.

        Parameters
        ----------
        X : array_like, sparse matrix or DataFrame of shape (n_samples, n_features)
            The samples.
        y : array_like of shape (n_samples,) or (n_samples, n_outputs)
            Their numbers.
        sample_weight : array_like of shape (n_samples,), optional
            Factors ≥ 0 on their losses.

        Returns
        -------
        MLPRegressor
            Itself.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """The number, or numbers, of each sample.

        Parameters
        ----------
        X : array_like, sparse matrix or DataFrame of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
            As y was given.
        """
        outputs = self._outputs(X)
        with np.errstate(over="ignore"):
            outputs = np.exp(outputs) if self.out_activation_ == "exp" else outputs
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs
