"""Settings that an Optuna sampler proposes, and trainings that its pruner ends."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from maillon.messages import got
from maillon.sweeping.planners import Halving, Order
from maillon.sweeping.space import is_listed, plain, seed_of
from maillon.sweeping.task import Job, Outcome

_BATCH = 16
"""Trainings that are asked for together, and told together in their order: which thread was first changes nothing."""


class Proposals:
    """A study asks for trainings, batch by batch; at each rung its pruner says which ones go on.

    Parameters
    ----------
    sampler : optuna sampler or study
        A sampler gets a study of its own.
    space : mapping
        Names to lists, ranges, distributions of scipy's or Optuna's.
    n : int
        How many trainings.
    epochs : int
        The last rung.
    halving : Halving or None
        The rungs before; without it and with a pruner 1, 2, 4, 8 … epochs.
    order : Order
        The score that is told.
    seeds : iterator of int
        Of the trainings.
    width : int
        How many trainings can run at the same time.
    """

    def __init__(
        self,
        sampler: Any,
        space: Mapping[str, Any],
        n: int,
        epochs: int,
        halving: Halving | None,
        order: Order,
        seeds: Iterator[int],
        width: int,
    ) -> None:
        self._study = _study(sampler, n, epochs, halving, order)
        self._choices = {name: _plain_choices(values) for name, values in space.items()}
        self._distributions = {name: _distribution(name, values) for name, values in space.items()}
        self._rungs = _rungs(self._study, n, epochs, halving)
        self._left, self._number, self._order, self._seeds = n, 0, order, seeds
        self._batch = max(_BATCH, width)
        self._ready: list[Job] = []
        self._under_way = 0
        self._arrived: list[Outcome] = []
        self._open: dict[int, Any] = {}  # trials that the study waits for

    def next(self) -> Job | None:
        """One of the batch; the next batch when all of this one have been told."""
        if not self._ready and not self._under_way:
            self._ask()
        if not self._ready:
            return None
        self._under_way += 1
        return self._ready.pop(0)

    def _ask(self) -> None:
        for _ in range(min(self._batch, self._left)):
            trial = self._study.ask(self._distributions)
            settings = {name: self._value(name, value) for name, value in trial.params.items()}
            job = Job(self._number, settings, seed_of(settings, next(self._seeds)), self._rungs[0], tag=(trial, 0))
            self._ready.append(job)
            self._open[self._number] = trial
            self._number += 1
            self._left -= 1

    def _value(self, name: str, value: Any) -> Any:
        choices = self._choices[name]
        return value if choices is None else choices[value]

    def take(self, outcome: Outcome) -> None:
        """One has come to its rung."""
        self._under_way -= 1
        self._arrived.append(outcome)
        if not (self._under_way or self._ready):
            self._tell()

    def _tell(self) -> None:
        arrived, self._arrived = sorted(self._arrived, key=lambda each: each.job.number), []
        for each in arrived:
            if self._goes_on(each):
                self._ready.append(each.job)

    def close(self) -> None:
        """Tell the study what is known, and that the others come to nothing."""
        from optuna.trial import TrialState

        self._tell()
        for trial in self._open.values():
            self._study.tell(trial, state=TrialState.FAIL)
        self._open.clear()

    def _goes_on(self, outcome: Outcome) -> bool:
        """Tell the study, unless the training goes on."""
        from optuna.trial import TrialState

        job, (trial, rung) = outcome.job, outcome.job.tag
        value = outcome.scores.get(self._order.monitor, math.nan)
        last = outcome.ended or rung == len(self._rungs) - 1
        if outcome.cut or outcome.error is not None or math.isnan(value):
            told: dict[str, Any] = {"state": TrialState.FAIL}
        else:
            if len(self._rungs) > 1:
                trial.report(value, outcome.epochs)
            if not last and not trial.should_prune():
                job.tag, job.until = (trial, rung + 1), self._rungs[rung + 1]
                return True
            told = {"values": value} if last else {"state": TrialState.PRUNED}
        del self._open[job.number]
        try:
            self._study.tell(trial, **told)
        except RuntimeError as error:
            if "Study.stop" not in str(error):
                raise
            self._left = 0  # a sampler with nothing more to propose, such as GridSampler: the trial is told
        return False


def _study(sampler: Any, n: int, epochs: int, halving: Halving | None, order: Order) -> Any:
    """The study given, or one for the sampler given."""
    try:
        import optuna
    except ImportError:
        raise ImportError("sweep: a sampler needs Optuna: pip install optuna. Or leave sampler out.") from None
    direction: Literal["minimize", "maximize"] = "minimize" if order.sign > 0 else "maximize"
    if isinstance(sampler, optuna.Study):
        if [each.name.lower() for each in sampler.directions] != [direction]:
            raise ValueError(
                f"sweep: {order.monitor} is to {direction}, and the study has "
                f"{[each.name.lower() for each in sampler.directions]}. Make it with direction={direction!r}."
            )
        return sampler
    if not isinstance(sampler, optuna.samplers.BaseSampler):
        raise TypeError(f"sweep: expected sampler to be one of optuna.samplers, or a study, {got(sampler)}")
    pruner: Any = optuna.pruners.NopPruner()
    if halving is not None:
        first = halving.rungs(n, epochs)[0]
        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=halving.factor)
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        return optuna.create_study(sampler=sampler, pruner=pruner, direction=direction)
    finally:
        optuna.logging.set_verbosity(before)


def _rungs(study: Any, n: int, epochs: int, halving: Halving | None) -> list[int]:
    import optuna

    if halving is not None:
        return halving.rungs(n, epochs)
    if isinstance(study.pruner, optuna.pruners.NopPruner):
        return [epochs]
    return [*(2**power for power in range(64) if 2**power < epochs), epochs]


def _plain_choices(values: Any) -> list[Any] | None:
    """The values of a list of which Optuna is given the places: it knows numbers, strings and None alone."""
    if not is_listed(values) or isinstance(values, range):
        return None
    return None if all(isinstance(value, str | int | float | None) for value in plain(values)) else plain(values)


def _distribution(name: str, values: Any) -> Any:
    """Optuna's distribution for a list, a range, or one of scipy's."""
    from optuna import distributions as known

    if isinstance(values, known.BaseDistribution):
        return values
    if isinstance(values, range) and len(values):
        low, high = min(values[0], values[-1]), max(values[0], values[-1])
        return known.IntDistribution(low, high, step=abs(values.step))
    if is_listed(values):
        return known.CategoricalDistribution(
            list(range(len(values))) if _plain_choices(values) is not None else plain(values)
        )
    kind = getattr(getattr(values, "dist", None), "name", None)
    low, high = values.support() if kind in ("uniform", "loguniform", "reciprocal", "randint") else (0, 0)
    if kind == "uniform":
        return known.FloatDistribution(float(low), float(high))
    if kind in ("loguniform", "reciprocal"):
        return known.FloatDistribution(float(low), float(high), log=True)
    if kind == "randint":
        return known.IntDistribution(int(low), int(high))
    raise TypeError(
        f"sweep: Optuna has no distribution like space[{name!r}], {kind or type(values).__name__}. Take uniform, "
        "loguniform or randint of scipy.stats, a list, a range, or one of optuna.distributions."
    )
