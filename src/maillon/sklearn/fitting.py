"""One fit under way: by mini-batches in `maillon.fit`, one epoch of `partial_fit`, or L-BFGS on all samples."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from maillon import engine, train
from maillon.engine import Learner
from maillon.nn import Dropout, Module, no_grad
from maillon.optim import NonFiniteLossError, Optim, Rule
from maillon.sklearn.inputs import DenseBatches, Orders, dense, is_sparse, too_large
from maillon.sklearn.learning import Course, lbfgs, rule_of, squares, weights_and_others
from maillon.sklearn.networks import settle
from maillon.sklearn.scikit_callbacks import Tasks
from maillon.sklearn.tasks import Task
from maillon.train.batches import VALIDATION_BATCH
from maillon.train.callbacks import listed
from maillon.typing import Array, DType

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)
_MOST_ROWS = 200  # of a mini-batch with batch_size="auto"


@dataclass(frozen=True)
class Samples:
    """Samples, dense or sparse, with their targets and weights."""

    X: Any
    y: Array
    weight: Array | None

    @property
    def rows(self) -> int:
        """How many."""
        return int(self.X.shape[0])

    @property
    def mean(self) -> float:
        """The mean of their weights."""
        return 1.0 if self.weight is None else float(self.weight.mean())

    def of(self, dtype: DType) -> "Samples":
        """In C order and of that dtype, but for a sparse X."""
        return self if is_sparse(self.X) else Samples(dense(self.X).astype(dtype, copy=False), self.y, self.weight)

    def take(self, rows: Array) -> "Samples":
        """Some of them."""
        return Samples(self.X[rows], self.y[rows], None if self.weight is None else self.weight[rows])


class Fitting:
    """What the parameters of an estimator make of samples.

    Parameters
    ----------
    estimator : estimator
        Its parameters say how; its attributes (loss_, n_iter_ …) follow.
    network : Module
        What learns, without the link that makes probabilities.
    task : Task
        What is learnt.
    samples : Samples
        From what.
    random_state : numpy.random.RandomState
        Where splits and orders come from.
    """

    def __init__(
        self, estimator: Any, network: Module, task: Task, samples: Samples, random_state: np.random.RandomState
    ) -> None:
        self.estimator, self.network, self.task = estimator, network, task
        self.samples, self.random_state = samples, random_state
        self.worse = 0
        """Epochs without improvement, up to the last one."""

    # By mini-batches

    def by_epochs(self, tasks: Tasks | None) -> Optim:
        """Epoch after epoch; tasks: what tells scikit-learn's callbacks. Returns what has learnt."""
        held_out = self._hold_out() if self.estimator.early_stopping else None
        samples, size = self.samples, self._batch_size()
        optim = self.optim(size)
        course = self._course(optim, size, held_out)
        self.estimator.n_iter_ = 0
        self.network.train()
        callbacks = [
            course,
            *([] if tasks is None else [tasks]),
            *listed(() if self.estimator.callbacks is None else self.estimator.callbacks),
        ]
        given = self._given(samples, size)
        if held_out is not None and (self.estimator.callbacks is not None or self.estimator.schedule is not None):
            given["validation_data"] = (dense(held_out.X), *self._targets(held_out))
        try:
            history = train.fit(
                optim,
                epochs=self.estimator.max_iter,
                callbacks=callbacks,
                schedule=self.estimator.schedule,
                progress=False,
                **given,
            )
        except NonFiniteLossError as error:
            history = error.history
            self._diverged(error)
        self._ended(history, course)
        return optim

    def _given(self, samples: Samples, size: int) -> dict[str, Any]:
        """The samples as `maillon.fit` takes them."""
        order: Any = Orders(self.random_state) if self.estimator.shuffle else False
        drop = self._drops_last(size)
        target, weight = self._targets(samples)
        if too_large(samples.X):
            return {"x": DenseBatches(samples.X, target, weight, size, order, drop)}
        data = {"x": dense(samples.X), "y": target, "sample_weight": weight}
        return {**data, "batch_size": size, "shuffle": order, "drop_last": drop}

    def _ended(self, history: Any, course: Course) -> None:
        """What is left to note, and to say, after the last epoch."""
        estimator = self.estimator
        estimator.history_, self.worse = history, course.worse
        if course.best is not None:
            self.network.load_state_dict(course.best)
        if history.interrupted:
            warnings.warn("Training interrupted by user.", stacklevel=6)
        elif not history.stopped_early and estimator.n_iter_ == estimator.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=6,
            )

    def _diverged(self, error: NonFiniteLossError) -> None:
        """The loss is not finite any more: without a best network to go back to, an error."""
        estimator = self.estimator
        if not estimator.early_stopping or not estimator.validation_scores_:
            raise ValueError(f"{NOT_FINITE} {error}") from error
        estimator.n_iter_ += 1
        estimator.loss_ = error.loss
        estimator.loss_curve_.append(error.loss)
        estimator.validation_scores_.append(math.nan)
        estimator.validation_loss_curve_.append(math.nan)
        warnings.warn(f"{error} The best network so far is kept.", ConvergenceWarning, stacklevel=6)

    def _hold_out(self) -> Samples:
        """What to validate with, taken from the samples: scikit-learn's split for the same random state."""
        samples = self.samples
        learnt, held = train_test_split(
            np.arange(samples.rows),
            random_state=self.random_state,
            test_size=self.estimator.validation_fraction,
            stratify=samples.y if self.task.stratified else None,
        )
        if len(held) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        self.samples = samples.take(learnt)
        return samples.take(held)

    def _validating(self, held_out: Samples) -> Callable[[], tuple[float, float]]:
        """Score and loss of the network as it is, on what is held out."""
        task, predictor, x = self.task, engine.compile(self.network), dense(held_out.X)
        parts = [x[start : start + VALIDATION_BATCH] for start in range(0, len(x), VALIDATION_BATCH)]
        target, weight = self._targets(held_out)
        added = task.constant(held_out.y, held_out.weight)

        def score_and_loss() -> tuple[float, float]:
            outputs = np.concatenate([predictor(part) for part in parts])
            if not np.isfinite(outputs).all():
                return math.nan, math.nan
            with no_grad():
                loss = task.loss(outputs, target) if weight is None else task.loss(outputs, target, weight)
            return task.score(outputs, held_out.y, held_out.weight), task.shown * float(loss) + added

        return score_and_loss

    def once(self, learner: Learner) -> None:
        """One epoch, step by step: a learner prepares nothing anew for mini-batches of a size seen before."""
        estimator, samples, size = self.estimator, self.samples, self._batch_size()
        group = learner.optim.rule.param_groups[0]
        if not isinstance(estimator.solver, Rule) and group["weight_decay"] != self._decay(size):
            group["weight_decay"] = self._decay(size)  # another number would cost a slow step
        course = self._course(learner.optim, size)
        rows = samples.rows
        order = Orders(self.random_state)(rows) if estimator.shuffle else np.arange(rows)
        target, weight = self._targets(samples)
        estimator.n_iter_, total = 0, 0.0
        self.network.train()
        for start in range(0, rows - rows % size if self._drops_last(size) else rows, size):
            part = order[start : start + size]
            try:
                loss = learner.step(dense(samples.X[part]), target[part], None if weight is None else weight[part])
            except NonFiniteLossError as error:
                raise ValueError(f"{NOT_FINITE} {error}") from error
            total += loss * len(part)
        course.ended([total / rows])
        self.worse = course.worse

    def optim(self, size: int | None = None) -> Optim:
        """What learns from mini-batches of that size."""
        decay = self._decay(size or self._batch_size())
        return Optim(self.network, self.task.loss, rule_of(self.estimator, self.network, decay))

    def _course(self, optim: Optim, size: int, held_out: Samples | None = None) -> Course:
        """What looks on from epoch to epoch."""
        samples, drop = self.samples, self._drops_last(size)
        batches = samples.rows // size if drop else math.ceil(samples.rows / size)
        own = isinstance(self.estimator.solver, Rule)  # whose decay is not in the loss
        penalty = 0.0 if own else 0.5 * float(self.estimator.alpha) * batches / (samples.rows * samples.mean)
        shown = (self.task.shown, self.task.constant(samples.y, samples.weight))
        validation = None if held_out is None else self._validating(held_out)
        return Course(self.estimator, optim, samples.rows, penalty, shown, validation, self.worse)

    def _batch_size(self) -> int:
        size, rows = self.estimator.batch_size, self.samples.rows
        if size == "auto":
            return min(_MOST_ROWS, rows)
        if size > rows:
            warnings.warn(f"Got `batch_size`={size} larger than the {rows} samples. It is clipped.", stacklevel=6)
        return int(min(size, rows))

    def _drops_last(self, size: int) -> bool:
        """Whether a last mini-batch of one sample is left out: BatchNorm has nothing to learn from it."""
        rows = self.samples.rows
        if self.estimator.norm != "batch":
            return False
        if rows == 1 or size == 1:
            raise ValueError(
                f"{type(self.estimator).__name__}: norm='batch' needs mini-batches of two samples or more, got {rows} "
                f"samples in mini-batches of {size}. Take norm='layer'."
            )
        return rows % size == 1

    def _decay(self, size: int) -> float:
        """λ of ½ λ Σ w²: alpha over the samples of a mini-batch, each counted by its weight."""
        return float(self.estimator.alpha) / (size * self.samples.mean)

    def _targets(self, samples: Samples) -> tuple[Array, Array | None]:
        """What the loss takes, and the factors on each sample's; None where all are 1."""
        dtype, times = self.network.dtype, self.task.times
        target = self.task.targets(samples.y, dtype)
        if samples.weight is None:
            return target, None if times == 1 else np.full(samples.rows, times, dtype)
        return target, (samples.weight * (times / self.samples.mean)).astype(dtype)

    # On all samples

    def whole(self, tasks: Tasks | None) -> None:
        """By L-BFGS, in float64."""
        estimator, samples, network = self.estimator, self.samples, self.network
        if any(isinstance(link, Dropout) for link in network.modules()):
            raise ValueError(
                f"{type(estimator).__name__}: solver='lbfgs' needs a loss that is the same each time, got "
                f"dropout={estimator.dropout!r}. Take 'adam'."
            )
        self._drops_last(samples.rows)
        dtype, decay = network.dtype, self._decay(samples.rows)
        network.to(np.float64).train()
        data = (dense(samples.X).astype(np.float64, copy=False), *self._targets(samples))
        if tasks is not None:
            tasks.on_train_begin(None)
        try:
            loss = lbfgs(estimator, network, self.task.loss, data, decay, None if tasks is None else tasks.iteration)
            settle(network, data[0])
        finally:
            network.to(dtype)
        penalty = 0.5 * decay * squares(weights_and_others(network)[0])
        shown = self.task.shown * (loss - penalty) + self.task.constant(samples.y, samples.weight)
        estimator.loss_ = shown + penalty
        if tasks is not None:
            tasks.on_train_end(None)
