"""What the estimators made of one perceptron share: parameters, `fit`, `partial_fit`, pickles."""

import copy
import math
import operator
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from maillon import engine, train
from maillon.engine import Learner
from maillon.nn import Module, Sequential
from maillon.optim import Optim, Rule
from maillon.random import Generator, using
from maillon.sklearn import checking
from maillon.sklearn.fitting import NOT_FINITE, Fitting, Samples
from maillon.sklearn.inputs import generator_of, parts, threads
from maillon.sklearn.networks import activations_of, before_layer, draw, layers_of, perceptron, views
from maillon.sklearn.scikit_callbacks import CallbackSupportMixin, Tasks, with_callbacks
from maillon.sklearn.tasks import Task
from maillon.typing import Array

BY_BATCH = ("sgd", "adam")
_MADE = {"coefs_", "intercepts_", "_shown", "_learner", "_callback_fit_ctx", "_skl_callbacks_to_teardown"}

CHECKS: dict[str, checking.Check] = {
    "solver": (
        lambda value: (isinstance(value, Rule) and not value.bound) or value in ("lbfgs", *BY_BATCH),
        "'adam', 'sgd', 'lbfgs' or a recipe such as maillon.AdamW(lr=1e-3)",
    ),
    "alpha": checking.NOT_NEGATIVE,
    "batch_size": (lambda value: value == "auto" or checking.whole(value, 1), "'auto' or an integer ≥ 1"),
    "learning_rate": (
        lambda value: value in ("constant", "invscaling", "adaptive"),
        "'constant', 'invscaling' or 'adaptive'",
    ),
    "learning_rate_init": checking.POSITIVE,
    "power_t": checking.NOT_NEGATIVE,
    "max_iter": checking.COUNT,
    "shuffle": checking.FLAG,
    "tol": checking.NOT_NEGATIVE,
    "verbose": (lambda value: checking.real(value, 0) or checking.flag(value), "True, False or a number ≥ 0"),
    "warm_start": checking.FLAG,
    "momentum": checking.PORTION,
    "nesterovs_momentum": checking.FLAG,
    "early_stopping": checking.FLAG,
    "validation_fraction": checking.PART,
    "beta_1": checking.PART,
    "beta_2": checking.PART,
    "epsilon": checking.POSITIVE,
    "n_iter_no_change": (
        lambda value: checking.whole(value, 1) or (checking.real(value) and value == math.inf),
        "an integer ≥ 1 or numpy.inf",
    ),
    "max_fun": checking.COUNT,
    "dropout": checking.PART,
    "norm": (lambda value: value in (None, "batch", "layer"), "None, 'batch' or 'layer'"),
    "residual": checking.FLAG,
    "n_jobs": checking.JOBS,
}


def learns_by_batches(estimator: Any) -> bool:
    """Whether it has partial_fit; AttributeError that says why not."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit is not there with solver='lbfgs', which looks at all samples at once.")
    return True


class Perceptron(CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """An estimator made of one multi-layer perceptron, which lives in `network_`."""

    _optim: Optim | None
    _learner: Learner | None
    _generator: Generator | None

    # What a subclass says

    def _read(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Samples:
        """What is learnt from, checked; sets what there is to know about it."""
        raise NotImplementedError

    def _task(self) -> Task:
        """What is to be learnt, once the samples are read."""
        raise NotImplementedError

    def _activations(self) -> Any:
        """That of each hidden layer, or one for all."""
        return self.activation

    @property
    def _encoder_layers(self) -> int:
        """How many Linears `transform` goes through."""
        return int(self.n_layers_) - 2

    def _require_loss(self, *names: str) -> None:
        """ValueError for a loss that is a text and none of these."""
        if isinstance(self.loss, str) and self.loss not in names:
            raise ValueError(
                f"{type(self).__name__}: expected loss to be {' or '.join(map(repr, names))}, or a loss of maillon, "
                f"got {self.loss!r}."
            )

    # Fit

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from samples.

        Parameters
        ----------
        X : array_like, sparse matrix or DataFrame of shape (n_samples, n_features)
            The samples. Where they are float32, all is computed in float32, else in float64.
        y : array_like of shape (n_samples,) or (n_samples, n_outputs)
            The targets: labels, an indicator matrix of several labels, or numbers.
        sample_weight : array_like of shape (n_samples,), optional
            Factors ≥ 0 on the samples' losses. They count in proportion to their mean; 0 leaves a sample out.

        Returns
        -------
        estimator
            Itself.
        """
        return self._fit(X, y, sample_weight)

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool = False) -> Self:
        checking.require(self, CHECKS)
        fresh = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        samples, task = self._read(X, y, sample_weight, reset=fresh), self._task()
        if samples.weight is not None and not samples.weight.all():
            samples = samples.take(np.flatnonzero(samples.weight))
        random_state = check_random_state(self.random_state)
        self._begin(samples.X, task, random_state, fresh=fresh)
        fitting = Fitting(self, self._logits(), task, samples.of(self.network_.dtype), random_state)
        if not incremental or self._generator is None:
            self._generator = generator_of(random_state)
        with threads(self.n_jobs), using(self._generator), np.errstate(over="ignore", invalid="ignore"):
            if self.solver == "lbfgs":
                self._optim = self._learner = None
                fitting.whole(self._tasks(samples))
            elif incremental:
                fitting.worse = self._no_improvement_count
                self._optim = self._optim or fitting.optim()
                self._learner = self._learner or engine.compile(self._optim)
                fitting.once(self._learner)
            else:
                self._learner = None
                fitting.worse = self._no_improvement_count
                self._optim = fitting.by_epochs(self._tasks(samples))
        self._no_improvement_count: int = fitting.worse
        self._show()
        if not all(np.isfinite(parameter.data).all() for parameter in self.network_.parameters()):
            raise ValueError(NOT_FINITE)
        return self

    def _begin(self, X: Any, task: Task, random_state: np.random.RandomState, *, fresh: bool) -> None:
        """The network, and all that is counted, as at the beginning; or what they were given since the last fit."""
        sizes = [X.shape[1], *self._hidden_sizes(), task.outputs]
        if fresh or not hasattr(self, "network_"):
            between = activations_of(self._activations(), len(sizes) - 2)
            options = {"dropout": float(self.dropout), "norm": self.norm, "residual": self.residual}
            chain = perceptron(sizes, between, **options, dtype=X.dtype)
            if fresh:
                draw(chain, between, random_state)
            self.network_ = chain if task.end is None else Sequential(*chain, task.end)
            self._optim = self._learner = self._generator = None
        self._begin_counts(fresh=fresh)
        if fresh:
            self._show()
        else:
            self._take_weights()
        layers = layers_of(self.network_)
        known = [layers[0].in_features, *(layer.out_features for layer in layers)]
        if known != sizes:
            raise ValueError(
                f"{type(self).__name__}: expected layers of {known} units, those that are fitted, got {sizes}. "
                "Set warm_start=False to begin anew."
            )
        self.n_layers_, self.n_outputs_, self.out_activation_ = len(sizes), task.outputs, task.end_name
        self._n_features_out = sizes[self._encoder_layers]

    def _begin_counts(self, *, fresh: bool) -> None:
        """Epochs, losses and scores: none yet, where none are to be gone on with."""
        stopping = self.early_stopping
        counts: dict[str, Any] = {"n_iter_": 0, "t_": 0, "loss_curve_": [], "_no_improvement_count": 0}
        best: dict[str, Any] = {"best_loss_": np.inf, "validation_scores_": None, "best_validation_score_": None}
        if stopping:
            best = {"best_loss_": None, "validation_scores_": [], "best_validation_score_": -np.inf}
            best["validation_loss_curve_"] = []
        another = (getattr(self, "validation_scores_", None) is None) == stopping
        for name, value in {**counts, **best}.items():
            if fresh or not hasattr(self, name) or (another and name in best):
                setattr(self, name, value)

    def _logits(self) -> Sequential:
        """The network without what makes probabilities of its outputs: the same links."""
        return self.network_ if self.out_activation_ in ("identity", "exp") else self.network_[:-1]

    # scikit-learn's callbacks

    def _tasks(self, samples: Samples) -> Tasks | None:
        """What tells scikit-learn's callbacks of this fit, where there are any."""
        if not hasattr(self, "_skl_callbacks"):
            return None
        metadata = None if samples.weight is None else {"sample_weight": samples.weight}
        told = {"X": samples.X, "y": self._as_given(samples.y), "metadata": metadata}
        return Tasks(self, self._init_callback_context(max_subtasks=self.max_iter), told, self._fitted_so_far)

    def _fitted_so_far(self) -> dict[str, Any]:
        """The attributes of an estimator that is fitted as far as this one is now."""
        network = copy.deepcopy(self.network_)
        coefs, intercepts = views(network)
        fitted = {name: value for name, value in vars(self).items() if name.endswith("_") and not name.startswith("_")}
        return {**fitted, "network_": network, "coefs_": coefs, "intercepts_": intercepts, "_shown": None}

    def _as_given(self, y: Array) -> Array:
        """Targets as they were given, of those that `_read` gave."""
        return y

    # The weights

    def _show(self) -> None:
        """Let coefs_ and intercepts_ be the arrays of the network."""
        self.coefs_, self.intercepts_ = views(self.network_)
        self._shown = [*self.coefs_, *self.intercepts_]

    def _take_weights(self) -> None:
        """Let the network have the coefs_ and intercepts_ that were set since they were shown."""
        given, shown = [*self.coefs_, *self.intercepts_], getattr(self, "_shown", None)
        if shown is not None and len(shown) == len(given) and all(map(operator.is_, given, shown)):
            return
        own = [array for arrays in views(self.network_) for array in arrays]
        shapes = [np.shape(array) for array in given]
        if shapes != [array.shape for array in own]:
            raise ValueError(
                f"{type(self).__name__}: expected coefs_ and intercepts_ of shapes {[array.shape for array in own]}, "
                f"got {shapes}."
            )
        for array, values in zip(own, given, strict=True):
            array[...] = values
        self._show()

    def __getstate__(self) -> dict[str, Any]:
        """Without what is made of the network: scikit-learn's view of the weights, and the prepared learner."""
        if hasattr(self, "network_") and hasattr(self, "coefs_"):
            self._take_weights()
        return {name: value for name, value in super().__getstate__().items() if name not in _MADE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "network_" in state:
            self._learner = None
            self._show()

    # What the network says

    def _outputs(self, X: Any, network: Module | None = None) -> Array:
        """The network's outputs, or those of a part of it, for samples that are checked first."""
        check_is_fitted(self)
        self._take_weights()
        X = validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False)
        network = self.network_ if network is None else network
        with threads(self.n_jobs):
            return np.concatenate([train.predict(network, part) for part in parts(X)])

    def transform(self, X: Any) -> Any:
        """What the last hidden layer gives, of an Autoencoder the code: features that were learnt.

        Parameters
        ----------
        X : array_like, sparse matrix or DataFrame of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        array of shape (n_samples, units of that layer)
            The features. `set_output` may ask for a DataFrame.
        """
        check_is_fitted(self)
        return self._outputs(X, self.network_[: before_layer(self.network_, self._encoder_layers)])

    def _hidden_sizes(self) -> list[int]:
        """hidden_layer_sizes as a list, checked."""
        given = self.hidden_layer_sizes
        sizes = list(given) if isinstance(given, Iterable) else [given]
        if not all(isinstance(size, int | np.integer) and size > 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        return [int(size) for size in sizes]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
