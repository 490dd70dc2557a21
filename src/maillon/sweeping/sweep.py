"""Many trainings in one call."""

import inspect
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

import numpy as np

from maillon.messages import got, unknown_name
from maillon.nesting import leaves
from maillon.nn import Loss, Module
from maillon.nn.support import arguments
from maillon.optim import NonFiniteLossError, ReduceLROnPlateau
from maillon.sweeping.executors import Executor, Planner, Threads
from maillon.sweeping.planners import Halving, Order, Rungs, Straight, halving_of
from maillon.sweeping.proposals import Proposals
from maillon.sweeping.result import Sweep, Trial
from maillon.sweeping.space import Receivers, Settings, count, drawn, names_of, require_space, seed_of
from maillon.sweeping.task import Fold, Outcome, Task
from maillon.sweeping.workers import Workers
from maillon.tracebacks import short_traceback, warn
from maillon.train.callbacks import listed
from maillon.train.fit import fit
from maillon.train.interrupt import deferred_interrupt, tell
from maillon.train.progress import Drawn, drawn as drawn_bar, wanted
from maillon.train.scores import GREATER_IS_BETTER, Metric, named_metrics

_EVERY_S = 0.1  # between two pictures of the bar

OnTrial = Callable[[Sweep, Trial], Any]


@short_traceback
def sweep(
    build: Callable[..., Module],
    space: Any,
    x: Any,
    y: Any = None,
    *,
    loss: Loss,
    n: int | None = None,
    sampler: Any = None,
    epochs: int = 10,
    validation_data: tuple[Any, ...] | None = None,
    validation_split: float = 0.0,
    cv: Any = None,
    metrics: str | Metric | Iterable[str | Metric] = (),
    monitor: str | None = None,
    mode: str | None = None,
    validate: str | None = None,
    halving: int | bool | Halving | None = None,
    time_limit: float | None = None,
    keep: int | None = 50,
    on_trial: OnTrial | None = None,
    error_score: str | float = "raise",
    seed: int = 0,
    n_jobs: int | None = None,
    progress: bool | None = None,
    engine: str = "auto",
    sample_weight: Any = None,
    callbacks: Any = (),
    rule: Any = None,
    **options: Any,
) -> Sweep:
    """Train a network for each of many settings, one on each thread, and rank them.

    Every training has a seed and a generator of its own, and ends with the same bits as it would alone::

        with using(Generator(trial.seed)):
            network = build(**settings of build)
            fit(network, loss, x, y, **settings of fit)

    The global generator is never touched. What the compiled core knows runs there, without Python's lock; all else
    runs in NumPy, and a warning says what.

    Parameters
    ----------
    build : callable
        ``build(**settings)`` makes the network of one training, of links that are all new.
    space : dict or list of dict
        What is tried, by name: a list, a range or a distribution of scipy.stats. Names of arguments of `build` go to
        it; others are `fit`'s (batch_size, schedule, rule, clip_grad_norm …), the rule's (lr, weight_decay, momentum
        …), or "seed". Or a list of settings. With an Optuna sampler also Optuna's distributions.
    x, y : array_like, tuple or dict
        The data, as for `fit`. All trainings share one copy.
    loss : Loss
        What is made small; it may also be a setting.
    n : int, optional
        How many settings are drawn at random; from lists alone each at most once. Without it the grid of all
        combinations, or the whole list of settings.
    sampler : optuna sampler or study, optional
        Who proposes settings in the place of chance: ``optuna.samplers.TPESampler(seed=0)``, or a study of your own,
        which is asked and told, and whose pruner ends trainings at the rungs of `halving`, by default at 1, 2, 4, 8 …
        epochs.
    epochs : int
        How long each training is, ≥ 1.
    validation_data : tuple, optional
        (x, y) or (x, y, sample_weight) that scores are taken on.
    validation_split : float
        The part in [0, 1) of the rows, the last ones, to validate with instead.
    cv : int, splitter or iterable, optional
        Cross-validation instead: that many folds of shuffled rows, a splitter of scikit-learn's, or pairs of row
        numbers (to learn from, to validate with). A score is the mean over the folds.
    metrics : str, callable or list of them
        Taken of the validation, or of the training where there is none, as in `fit`.
    monitor : str, optional
        The column that ranks: "val_loss" by default where there is validation, else "loss".
    mode : str, optional
        "min" or "max": which scores are good. By default the names of metrics say so.
    validate : str, optional
        "end": after the last epoch, and at rungs. "epoch": after each one, as `fit` does, for curves, callbacks and
        ReduceLROnPlateau, which costs Python's time. By default "epoch" where there are such, else "end".
    halving : int, bool or Halving, optional
        Successive halving with this factor: many begin, few go on. True is `Halving()`.
    time_limit : float, optional
        Seconds after which no step is begun.
    keep : int, optional
        How many networks stay in memory, the best ones; None keeps all. Of the others settings and scores are left.
    on_trial : callable, optional
        ``on_trial(sweep, trial)`` is called in your thread when a training has come to a rung, or has ended; it may
        call ``sweep.stop()``.
    error_score : "raise" or float
        "raise": an error in a training ends the sweep; its `sweep` has what was done, as that of any error has. A
        number, such as nan: the trial is "failed", and the sweep goes on. A loss that is not finite never ends it.
    seed : int
        Of the settings that are drawn, and of the seeds of the trainings that have none in `space`.
    n_jobs : int, optional
        Hand the trainings to this many workers of joblib (−1: all) instead of threads: processes here, or those of
        ``joblib.parallel_config("dask")`` or "ray" on other machines.
    progress : bool, optional
        Whether to show a bar; by default on a terminal and in a notebook.
    engine : str
        As for `fit`.
    sample_weight : array_like, optional
        As for `fit`.
    callbacks : Callback or list of them
        For `fit`; each training gets a copy.
    rule : Rule or float, optional
        For all trainings: a recipe, `Adam()` by default; settings such as lr override its options.
    **options : Any
        What else `fit` takes, for all trainings.

    Returns
    -------
    Sweep
        The trials with their scores, the best with their networks. Ctrl-C ends the sweep, and what is done is there.

    Raises
    ------
    ValueError, TypeError
        For a wrong call, before any training.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> x = np.linspace(-1, 1, 60)[:, None]
    >>> def build(width):
    ...     return maillon.Sequential(maillon.Linear(1, width), maillon.Tanh(), maillon.Linear(width, 1))
    >>> space = {"width": [2, 8], "lr": [0.01, 0.1]}
    >>> result = maillon.sweep(build, space, x, x**2, loss=maillon.MSELoss(), epochs=30, validation_split=0.2)
    >>> len(result), result.best.settings["lr"]
    (4, 0.1)
    """
    begun = time.perf_counter()
    epochs, seed = arguments.integer("sweep", "epochs", epochs), arguments.integer("sweep", "seed", seed, least=0)
    n = None if n is None else arguments.integer("sweep", "n", n)
    _require(loss, keep, time_limit, error_score, validate, options)
    _require_beside(loss, y, sampler, n)
    chosen = (metrics,) if isinstance(metrics, str) or callable(metrics) else tuple(metrics)
    folds = None if cv is None else _folds(cv, x, y, seed)
    validated = _require_one(validation_data, validation_split, folds)
    order = _order(monitor, mode, validated, chosen, loss)
    if several := listed(callbacks):
        options["callbacks"] = several
    require_space(space, sampler)
    names = names_of(space)
    task = Task(
        build,
        loss,
        Receivers(build, fit, rule, names),
        (x, y, sample_weight),
        epochs=epochs,
        validation=validation_data,
        split=validation_split,
        folds=folds,
        options=options,
        metrics=chosen,
        engine=engine,
        each_epoch=_by_epoch(validate, validated, options, space),
    )
    until = math.inf if time_limit is None else time.time() + time_limit
    executor: Executor = Threads(task) if n_jobs is None else Workers(task, n_jobs, until)
    result = Sweep(task, order, keep, names)
    planner = _planner(space, sampler, n, halving_of(halving), epochs, order, seed, executor.width)
    course = _Course(result, executor, planner, time_limit, on_trial, error_score, begun)
    total = count(space, n) if sampler is None else n
    bar = drawn_bar(total, unit="training") if wanted(progress) else None
    try:
        course.run(bar, total)
    except BaseException as error:
        with suppress(Exception):  # some take no attributes
            error.sweep = result  # type: ignore[attr-defined]
        raise
    finally:
        planner.close()
        result.close()
        result.seconds = time.perf_counter() - begun
        if bar is not None:
            bar.close()
    if result.interrupted:
        tell("sweep", f"sweep after {course.ended} of {total or 'its'} trainings")
    return result


class _Course:
    """A sweep under way: outcomes come in, and somebody watches the clock, Ctrl-C and the bar."""

    def __init__(
        self,
        result: Sweep,
        executor: Executor,
        planner: Any,
        time_limit: float | None,
        on_trial: OnTrial | None,
        error_score: str | float,
        begun: float,
    ) -> None:
        self.result = result
        self.executor = executor
        self.planner = planner
        self.until = math.inf if time_limit is None else begun + time_limit
        self.on_trial = on_trial
        self.error_score = error_score
        self.warnings: dict[str, type[Warning]] = {}
        self.ended = 0
        self._best = math.nan
        self._next = 0.0  # when the bar is drawn again

    def run(self, bar: Drawn | None, total: int | None) -> None:
        """To the end, or to what ends it before."""
        result, outcomes = self.result, self.executor.outcomes(self.planner)
        try:
            with deferred_interrupt() as interrupt, closing(outcomes):
                for outcome in outcomes:
                    if outcome is not None:
                        self._take(outcome)
                    result.interrupted = interrupt.requested
                    result.timed_out |= not result.interrupted and time.perf_counter() > self.until
                    if result.interrupted or result.timed_out or result.stopping:
                        self.executor.stop()
                    if bar is not None and time.perf_counter() > self._next:
                        self._show(bar, total)
            if bar is not None:
                self._show(bar, total)
        finally:
            for message, category in self.warnings.items():
                warn(message, category)

    def _show(self, bar: Drawn, total: int | None) -> None:
        self._next = time.perf_counter() + _EVERY_S
        best = {} if math.isnan(self._best) else {f"best {self.result.monitor}": f"{self._best:.4g}"}
        bar.draw(self.ended, total, "sweep", best)

    def _take(self, outcome: Outcome) -> None:
        error = outcome.error
        self.warnings |= outcome.warnings
        fails = isinstance(error, NonFiniteLossError) or (self.error_score != "raise" and isinstance(error, Exception))
        if error is not None and not fails:
            self.executor.stop()
            error.add_note(f"In training {outcome.job.number} of the sweep, with the settings {outcome.job.settings}.")
            raise error
        trial = self.result.note(outcome)
        self.planner.take(outcome)
        if trial is None:
            return
        if error is not None and self.error_score != "raise":
            trial.score = float(self.error_score)
        self.ended += trial.state != "stopped" or outcome.ended
        if trial.state == "done":
            self._best = (np.fmin if self.result.mode == "min" else np.fmax)(self._best, trial.score)
        if self.on_trial is not None and not outcome.cut:
            self.on_trial(self.result, trial)


def _require(
    loss: Any, keep: Any, time_limit: Any, error_score: Any, validate: Any, options: Mapping[str, Any]
) -> None:
    """What is wrong with a call whatever the data."""
    if not isinstance(loss, Loss):
        raise TypeError(f"sweep: expected loss to be a loss such as CrossEntropyLoss(), {got(loss)}")
    if keep is not None:
        arguments.integer("sweep", "keep", keep, least=0)
    if time_limit is not None and not (arguments.is_number(time_limit) and time_limit > 0):
        raise ValueError(f"sweep: expected time_limit to be seconds > 0, got {time_limit!r}.")
    if error_score != "raise" and not isinstance(error_score, int | float):
        raise ValueError(f"sweep: expected error_score to be 'raise' or a number, got {error_score!r}.")
    if validate not in (None, "end", "epoch"):
        raise ValueError(f"sweep: expected validate to be 'end', 'epoch' or None, got {validate!r}.")
    known = [name for name in inspect.signature(fit).parameters if name not in _NOT_TAKEN]
    for name in options:
        if name not in known:
            hint = " Each training has its own: sweep over seed." if name == "generator" else ""
            raise TypeError(unknown_name("sweep", "an option of fit", name, known) + hint)


_NOT_TAKEN = ("network", "checkpoint", "resume", "resume_exact", "generator")


def _require_beside(loss: Loss, y: Any, sampler: Any, n: int | None) -> None:
    """What must be given where something else is."""
    if y is None and loss.targets:
        raise TypeError("sweep: expected y beside x, got none. Each training needs arrays; mini-batches are cut by it.")
    if sampler is not None and n is None:
        raise ValueError("sweep: expected n, how many trainings the sampler is to propose. Give n=100, say.")


def _require_one(validation_data: Any, split: float, folds: list[Fold] | None) -> bool:
    """Whether there is something to validate with; ValueError for more than one way."""
    given = validation_data
    if given is not None and not (isinstance(given, tuple | list) and len(given) in (2, 3)):
        raise TypeError(f"sweep: expected validation_data to be (x, y) or (x, y, sample_weight), {got(given)}")
    if (folds is not None) + (validation_data is not None) + bool(split) > 1:
        raise ValueError("sweep: expected one of validation_data, validation_split and cv. Leave the others out.")
    if not 0 <= split < 1:
        raise ValueError(f"sweep: expected validation_split in [0, 1), got {split!r}.")
    return folds is not None or validation_data is not None or split > 0


def _order(monitor: str | None, mode: str | None, validated: bool, metrics: tuple[Any, ...], loss: Loss) -> Order:
    """Which column ranks, and which way."""
    names = ["loss", *named_metrics("sweep", metrics, loss)]
    columns = ["loss", *(f"val_{name}" for name in names)] if validated else names
    chosen = monitor or ("val_loss" if validated else "loss")
    if chosen not in columns:
        hint = "" if validated or not chosen.startswith("val_") else " Columns with val_ need validation data."
        raise ValueError(unknown_name("sweep", "monitor to be a column", chosen, columns) + hint)
    if mode not in (None, "min", "max"):
        raise ValueError(f"sweep: expected mode 'min', 'max' or None, got {mode!r}.")
    greater = chosen.removeprefix("val_") in GREATER_IS_BETTER if mode is None else mode == "max"
    return Order(chosen, -1 if greater else 1)


def _by_epoch(validate: str | None, validated: bool, options: Mapping[str, Any], space: Any) -> bool:
    """Whether `fit` validates after each epoch."""
    if validate is not None or not validated:
        return validate == "epoch"
    dicts = [space] if isinstance(space, Mapping) else space
    schedules = [options.get("schedule"), *(value for each in dicts for value in listed(each.get("schedule")))]
    return "callbacks" in options or any(isinstance(schedule, ReduceLROnPlateau) for schedule in schedules)


def _folds(cv: Any, x: Any, y: Any, seed: int) -> list[Fold]:
    """The rows of each fold."""
    first = leaves(x)[0] if isinstance(x, tuple | dict) else x
    rows = len(first)
    if isinstance(cv, int) and not isinstance(cv, bool):
        if not 2 <= cv <= rows:
            raise ValueError(f"sweep: expected cv to be folds from 2 to {rows}, the number of rows, got {cv}.")
        order = np.random.default_rng(seed).permutation(rows)
        parts = [np.sort(part) for part in np.array_split(order, cv)]
        return [(np.sort(np.concatenate(parts[:i] + parts[i + 1 :])), part) for i, part in enumerate(parts)]
    pairs = cv.split(first, y) if hasattr(cv, "split") and not isinstance(cv, str) else cv
    if isinstance(pairs, str) or not isinstance(pairs, Iterable):
        raise TypeError(f"sweep: expected cv to be a number of folds, a splitter, or pairs of row numbers, {got(cv)}")
    folds = [(np.asarray(learnt), np.asarray(validating)) for learnt, validating in pairs]
    for part in (part for fold in folds for part in fold):
        if part.ndim != 1 or part.dtype.kind not in "iu" or not len(part) or part.min() < 0 or part.max() >= rows:
            raise ValueError(f"sweep: expected the parts of cv to be numbers of rows from 0 to {rows - 1}, got {part}.")
    if not folds:
        raise ValueError("sweep: expected cv to give at least one pair of parts, got none.")
    return folds


def _planner(
    space: Any,
    sampler: Any,
    n: int | None,
    halving: Halving | None,
    epochs: int,
    order: Order,
    seed: int,
    width: int,
) -> Planner:
    """Who says which training comes next."""
    chooser, seeds = (np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(2))
    if sampler is not None and n is not None:
        return Proposals(sampler, space, n, epochs, halving, order, _seeds(seeds), width)
    trials = _trials(space, n, chooser, _seeds(seeds))
    return Rungs(halving, trials, count(space, n), epochs, order) if halving else Straight(trials, epochs)


def _seeds(generator: np.random.Generator) -> Iterator[int]:
    while True:
        yield int(generator.integers(2**32))


def _trials(
    space: Any, n: int | None, generator: np.random.Generator, seeds: Iterator[int]
) -> Iterator[tuple[Settings, int]]:
    """Settings and seeds. The seeds do not depend on what is drawn."""
    for settings, seed in zip(drawn(space, n, generator), seeds, strict=False):
        yield settings, seed_of(settings, seed)
