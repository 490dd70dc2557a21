"""What the estimators of tables share: `fit`, what the networks predict, importances, files."""

import os
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from maillon import train
from maillon.nn import Graph, Module
from maillon.sklearn import checking, recipe, table_files
from maillon.sklearn.frames import Frame, as_table, library_of, require_different
from maillon.sklearn.importances import HeldOut, importances
from maillon.sklearn.inputs import threads
from maillon.sklearn.members import Lesson, Members, joined, members_of
from maillon.sklearn.preparing import Preparation
from maillon.train import History
from maillon.typing import Array

CHECKS: dict[str, checking.Check] = {
    "ensemble": checking.COUNT,
    "hidden_sizes": (
        lambda value: isinstance(value, list | tuple) and all(checking.whole(units, 1) for units in value),
        "a tuple of integers ≥ 1, the units of each hidden layer",
    ),
    "epochs": checking.COUNT,
    "batch_size": checking.COUNT,
    "learning_rate": checking.POSITIVE,
    "validation_fraction": (
        lambda value: value is None or checking.real(value, 0, 0.5, above=True),
        "a number in (0, 0.5], or None",
    ),
    "verbose": (lambda value: checking.real(value, 0) or checking.flag(value), "True, False or a number ≥ 0"),
    "n_jobs": checking.JOBS,
}

PARAMETERS = """\
ensemble : int
    How many networks learn; the prediction is the mean of theirs.
hidden_sizes : tuple of int
    The units of each hidden layer.
epochs : int
    How often each network goes through its rows. The rate goes up and down in four cycles meanwhile, and the epoch
    that is best on the rows held out is kept.
batch_size : int
    Rows of a mini-batch.
learning_rate : float
    The greatest rate, > 0; layers, biases and scales have parts and multiples of it.
validation_fraction : float, optional
    The part of the rows that is held out from each network, in (0, 0.5]: a fold of a cross-validation, each time
    another one. By default a fifth, and of an ensemble of k > 5 networks 1/k. With fewer than 10 rows none are.
"""
MORE_PARAMETERS = """\
random_state : int, RandomState or None
    Where first weights, orders and folds come from.
n_jobs : int or None
    Threads, of which each trains a network: None leaves `maillon.get_num_threads()`, -1 takes all processors. It
    changes no result.
verbose : bool or int
    Whether to print a line for each network.
"""
ATTRIBUTES = """\
network_ : Graph
    All networks as one, from what `prepare` gives to the mean: for `maillon.save`, `summary`, `to_onnx`, `to_c`. Of a
    classifier it gives probabilities that are smoothed as the labels were, which `predict_proba` are not.
networks_ : list of Module
    Each of them.
input_shape_ : tuple or list of tuple
    The shape of one row for `network_`: ``to_onnx(model.network_, path, model.input_shape_)``.
histories_ : list of History
    The course of each training; `best_epoch` is the one kept.
left_out_ : dict of str to str
    Columns from which nothing is learnt, and why: all values are missing, or the same, or nearly all are different.
feature_importances_ : array of shape (n_features,)
    By how much the score of a network falls on rows it has not learnt from when a column's values are shuffled;
    computed when it is asked for, of at most 2000 rows.
n_features_in_ : int
    Columns.
feature_names_in_ : array of str
    Their names, where X had names: later tables may have them in another order.
"""
TABLES = """\
Columns of numbers are centred and scaled by quantiles and smoothly kept within ±3; a missing one is the median, and a
column says where some were missing. Up to 8 categories become columns of zeros and ones, more than 8 an embedding, in
which rare ones, missing ones and those that only later tables have share a row. Integers are numbers, booleans 0 and 1;
where integers name categories use ``astype("category")``. Dates, times, lists and infinite numbers are refused.
"""


_KEPT = ("n_features_in_", "feature_names_in_", "_outputs", "_importances")


class Tabular(BaseEstimator):
    """What the two estimators share."""

    _recipe: recipe.Recipe
    _outputs: int
    _kept: tuple[str, ...]

    # What a subclass says

    def _read_y(self, y: Any) -> Array:
        """The targets checked: (n,) places of classes, or (n, outputs) numbers; sets what there is to know of them."""
        raise NotImplementedError

    def _learnable(self, targets: Array) -> Array:
        """What the networks learn; sets how many outputs they have."""
        raise NotImplementedError

    def _weights(self, sample_weight: Any, targets: Array) -> Array | None:
        """The factor on each row's loss."""
        raise NotImplementedError

    def _member_score(self, outputs: Array, learnable: Array) -> float:
        """Of one network's outputs; the greater the better."""
        raise NotImplementedError

    # Fit

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from a table.

        Parameters
        ----------
        X : DataFrame of pandas or polars, or array_like of shape (n_samples, n_features)
            The table as it is: numbers, booleans, categories as texts or of a categorical dtype; any may be missing.
        y : array_like of shape (n_samples,), or (n_samples, n_outputs) for numbers
            What is to be predicted.
        sample_weight : array_like of shape (n_samples,), optional
            Factors ≥ 0 on the samples' losses; they count in proportion to their mean, and 0 leaves a sample out.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        TypeError
            For columns of dates, times, lists or other objects, by their names.
        ValueError
            For infinite numbers, for columns that mix numbers and texts, and for missing values in y.
        """
        checking.require(self, CHECKS)
        frame = self._frame(X, y, reset=True)
        check_consistent_length(np.empty(frame.rows), y)
        targets = self._read_y(y)
        weight = self._weights(sample_weight, targets)
        if weight is not None:
            rows = np.flatnonzero(weight)
            frame, targets, weight = frame.take(rows), targets[rows], (weight / weight[rows].mean())[rows]
            weight = None if np.ptp(weight) == 0 else weight.astype(np.float32)
        random = check_random_state(self.random_state)
        classes = targets if targets.ndim == 1 else None
        folds = recipe.parts(self.ensemble, classes, frame.rows, self.validation_fraction, random)
        seeds = random.randint(2**31 - 1, size=self.ensemble).tolist()
        prepared = Preparation.learn(frame)
        inputs, learnable = prepared(frame), self._learnable(targets)
        lesson = Lesson(
            self._recipe,
            prepared,
            inputs,
            learnable,
            weight,
            outputs=self._outputs,
            hidden_sizes=self.hidden_sizes,
            epochs=self.epochs,
            batch_size=self.batch_size,
            rate=self.learning_rate,
        )
        with threads(self.n_jobs):
            outcomes = Members(lesson, folds, seeds).trained(verbose=bool(self.verbose))
        members = [outcome.networks[0] for outcome in outcomes]
        self._know(prepared, joined(members, prepared.inputs, probabilities=classes is not None))
        self.histories_: list[History] = [outcome.histories[0] for outcome in outcomes]
        self._held_out: HeldOut | None = HeldOut.of(inputs, learnable, [held_out for _, held_out in folds])
        return self

    def _know(self, prepared: Preparation, network: Graph) -> None:
        """What has been learnt, by a training or from a file."""
        self._prepared, self.network_ = prepared, network
        self._importances: Array | None = None
        self._held_out = None
        self.input_shape_ = prepared.shapes[0] if len(prepared.shapes) == 1 else prepared.shapes
        self.left_out_ = prepared.left_out

    def _frame(self, X: Any, y: Any = "no_validation", *, reset: bool = False) -> Frame:
        """The table as columns; reset: it is the one to learn from, else its columns are put in that one's order."""
        where, learnt = type(self).__name__, getattr(self, "feature_names_in_", None)
        X = as_table(X, where)
        is_frame = library_of(X) is not None
        if is_frame and not reset and learnt is not None and sorted(map(str, X.columns)) == sorted(learnt):
            X = X[list(learnt)]
        if is_frame:
            require_different(X.columns, where)
        validate_data(self, X, y, reset=reset, skip_check_array=True)
        return Frame(X, where)

    # What has been learnt

    @property
    def networks_(self) -> list[Module]:
        check_is_fitted(self, "network_")
        return members_of(self.network_)

    @property
    def feature_importances_(self) -> Array:
        check_is_fitted(self, "network_")
        if self._importances is None:
            if self._held_out is None or not self._held_out.rows:
                raise AttributeError(
                    f"{type(self).__name__}: feature_importances_ needs rows that were held out: at least "
                    f"{recipe.FEWEST_ROWS} in the training, and of a model read from a file that they were asked for "
                    "before it was saved. sklearn.inspection.permutation_importance computes them of other rows."
                )
            members = self.networks_
            self._importances = importances(
                members, self._held_out, self._prepared, self.n_features_in_, self._member_score
            )
        return self._importances

    def prepare(self, X: Any) -> Any:
        """What `network_` takes: the numbers of a table, scaled, and the codes of its embedded categories.

        Parameters
        ----------
        X : DataFrame or array_like of shape (n_samples, n_features)
            A table.

        Returns
        -------
        array, or tuple of array
            Up to three, each (n_samples, columns): numbers, float32; flags, which are categories and what is missing,
            float32; codes of embedded categories, int64. Kinds that a table does not have are left out.
        """
        check_is_fitted(self, "network_")
        inputs = self._prepared(self._frame(X))
        return inputs[0] if len(inputs) == 1 else inputs

    def _predicted(self, X: Any) -> Array:
        """The mean of the networks, (n, outputs) float64."""
        inputs = self.prepare(X)
        with threads(self.n_jobs):
            outputs: Array = train.predict(self.network_, inputs).astype(np.float64)
        return outputs

    # Files

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "network_" in state:
            # joblib may map a file into memory, and the core takes only arrays that may be written to.
            for parameter in self.network_.parameters():
                parameter.data = np.require(parameter.data, requirements=["W", "E"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one safetensors file, whole or not at all; `load` reads it.

        Parameters
        ----------
        path : str or path
            Where to. `maillon.load` gives `network_` of the same file.

        Raises
        ------
        TypeError
            For classes that a file cannot hold: dates, for instance.

        Notes
        -----
        A `random_state` that is no number, and the histories, stay behind. `feature_importances_` stands in the file
        where it was asked for before.
        """
        check_is_fitted(self, "network_")
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name != "random_state"}
        if isinstance(self.random_state, int | np.integer):
            parameters["random_state"] = int(self.random_state)
        kept = {name: getattr(self, name) for name in (*self._kept, *_KEPT) if hasattr(self, name)}
        table_files.write(path, type(self).__name__, parameters, kept, self._prepared, self.network_)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote; no code of the file is run.

        Parameters
        ----------
        path : str or path
            The file.

        Returns
        -------
        estimator
            The same predictions, to the bit.

        Raises
        ------
        FileError
            For a file of another estimator, or none of an estimator, and for one that is damaged.
        """
        parameters, kept, prepared, network = table_files.read(path, cls.__name__, (*cls._kept, *_KEPT))
        with table_files.fitting(path):
            made = cls(**parameters)
            made._know(prepared, network)
            made.__dict__.update(kept)
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags
