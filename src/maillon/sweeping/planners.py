"""Which training comes next: one after the other, or by successive halving."""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass

from maillon.messages import got
from maillon.nn.support import arguments
from maillon.sweeping.space import Settings
from maillon.sweeping.task import Job, Outcome

_MOST_TIMES = 30
"""How many times longer than the first rung the whole training may be: what is seen earlier says too little."""

_MOST_PAUSED, _MOST_BYTES = 1024, 2**30
"""Trainings that wait in memory to be gone on with, and what they take there; others begin anew when their turn comes,
and end alike."""


@dataclass(frozen=True)
class Order:
    """What makes one score better than another, and which scores there are.

    monitor: the score looked at. sign: 1 where less is better, −1 where more is.
    """

    monitor: str
    sign: int

    def cost(self, outcome: Outcome) -> float:
        """What is to be small; infinite where there is no score, or none that is a number."""
        value = outcome.scores.get(self.monitor, math.nan)
        return math.inf if math.isnan(value) else self.sign * value


class Straight:
    """Each training to its last epoch."""

    def __init__(self, trials: Iterator[tuple[Settings, int]], epochs: int) -> None:
        self._trials = enumerate(trials)
        self._epochs = epochs

    def next(self) -> Job | None:
        """A new training, as long as there are settings."""
        number, (settings, seed) = next(self._trials, (0, (None, 0)))
        return None if settings is None else Job(number, settings, seed, self._epochs)

    def take(self, outcome: Outcome) -> None:
        """It has ended: nothing follows."""

    def close(self) -> None:
        """Nobody waits for anything."""


class Halving:
    """Successive halving: many trainings for few epochs, the best of them for more, and so on.

    At each rung one in `factor` goes on, to `factor` times as many epochs, the last ones to the end. All trainings
    together take about as many epochs as (rungs / factor) of the first ones would from beginning to end.

    Parameters
    ----------
    factor : int
        ≥ 2.
    min_epochs : int, optional
        The first rung, ≥ 1. By default there are as many rungs as the numbers of trainings and epochs have room
        for, the first at no less than a thirtieth of the epochs.
    asynchronous : bool
        Whether a training goes on as soon as it is among the best of those seen so far, so that nobody waits for the
        others of a rung. Which ones go on then depends on which thread was first; otherwise a sweep with the same seed
        does the same again, whatever the number of threads.

    Notes
    -----
    Sources: K. Jamieson and A. Talwalkar, *Non-stochastic best arm identification and hyperparameter optimization*
    (2016); L. Li and others, *A system for massively parallel hyperparameter tuning* (2020) for the asynchronous form.

    Examples
    --------
    >>> Halving(3, min_epochs=2).rungs(trials=27, epochs=20)
    [2, 6, 20]
    """

    def __init__(self, factor: int = 3, min_epochs: int | None = None, asynchronous: bool = False) -> None:
        self.factor = arguments.integer("Halving", "factor", factor, least=2)
        self.min_epochs = min_epochs if min_epochs is None else arguments.integer("Halving", "min_epochs", min_epochs)
        self.asynchronous = arguments.flag("Halving", "asynchronous", asynchronous)

    def rungs(self, trials: int, epochs: int) -> list[int]:
        """The epochs after which trainings are compared, the last one included.

        Parameters
        ----------
        trials : int
            How many begin.
        epochs : int
            That the last ones train for.

        Returns
        -------
        list of int
            In ascending order.

        Raises
        ------
        ValueError
            Where the first rung lies behind the last epoch.
        """
        if self.min_epochs is not None and self.min_epochs > epochs:
            raise ValueError(
                f"sweep: the first rung of halving, min_epochs={self.min_epochs}, lies behind the last of {epochs} "
                "epochs. Take fewer."
            )
        halvings = int(math.log(max(trials, 1), self.factor) + 1e-9)
        if self.min_epochs is None:
            halvings = min(halvings, int(math.log(min(max(epochs, 1), _MOST_TIMES), self.factor) + 1e-9))
            first = epochs / self.factor**halvings
        else:
            first = self.min_epochs
            halvings = min(halvings, max(0, round(math.log(epochs / first, self.factor))))
        inner = [min(epochs, max(1, math.ceil(first * self.factor**place - 1e-9))) for place in range(halvings)]
        return [*dict.fromkeys(each for each in inner if each < epochs), epochs]

    def __repr__(self) -> str:
        first = "" if self.min_epochs is None else f", min_epochs={self.min_epochs}"
        return f"Halving({self.factor}{first}{', asynchronous=True' * self.asynchronous})"


def halving_of(given: object) -> Halving | None:
    """What was given as `halving`: a factor, True for the usual one, or a Halving."""
    if given is None or given is False:
        return None
    if given is True:
        return Halving()
    if isinstance(given, Halving):
        return given
    if isinstance(given, int):
        return Halving(given)
    raise TypeError(f"sweep: expected halving to be a factor such as 3, or a Halving, {got(given)}")


class Rungs:
    """Successive halving at work."""

    def __init__(
        self, halving: Halving, trials: Iterator[tuple[Settings, int]], count: int, epochs: int, order: Order
    ) -> None:
        self.epochs = halving.rungs(count, epochs)
        self._halving = halving
        self._order = order
        self._trials = enumerate(trials)
        self._begun_all = False
        self._under_way = 0  # in the lowest rung that is not decided yet
        # Of each rung: those that wait for its decision, the best first.
        self._scored: list[list[tuple[float, int, Job]]] = [[] for _ in self.epochs]
        self._promoted = [0] * len(self.epochs)
        self._ready: list[Job] = []  # to go on
        self._held: list[tuple[float, int, int, Job]] = []  # those in memory, with their bytes, the worst first
        self._bytes = 0

    def next(self) -> Job | None:
        """One that goes on, else a new one."""
        job = self._promotion() if self._halving.asynchronous else self._ready.pop(0) if self._ready else None
        if job is None and not self._begun_all:
            number, (settings, seed) = next(self._trials, (0, (None, 0)))
            self._begun_all = settings is None
            job = None if settings is None else Job(number, settings, seed, self.epochs[0], tag=0)
            if job is None and not self._under_way:
                self._decide(0)
                return self.next() if self._ready else None
        self._under_way += job is not None
        return job

    def take(self, outcome: Outcome) -> None:
        """One has come to its rung."""
        job = outcome.job
        self._under_way -= 1
        cost = self._order.cost(outcome)
        if not (outcome.cut or outcome.error is not None) and job.tag < len(self.epochs) - 1:
            place = (cost, job.number, job)
            self._scored[job.tag].append(place)
            self._hold(place)
        if not (self._halving.asynchronous or self._under_way or self._ready) and self._begun_all:
            self._decide(job.tag)

    def close(self) -> None:
        """Nobody waits for anything."""

    def _decide(self, rung: int) -> None:
        """All of a rung are scored: the best go on."""
        scored = sorted(self._scored[rung], key=lambda place: place[:2])
        most = math.ceil(len(scored) / self._halving.factor)
        self._ready = [self._raised(job, rung) for cost, _, job in scored[:most] if cost < math.inf]
        self._scored[rung], self._held, self._bytes = [], [], 0

    def _promotion(self) -> Job | None:
        """The best one, of the highest rung, that is among the best of its rung so far and has not gone on yet."""
        for rung in reversed(range(len(self.epochs) - 1)):
            waiting, promoted = self._scored[rung], self._promoted[rung]
            if not waiting or (len(waiting) + promoted) // self._halving.factor <= promoted:
                continue
            best = min(waiting, key=lambda place: place[:2])
            if best[0] == math.inf:
                continue
            waiting.remove(best)
            self._promoted[rung] += 1
            self._release(best[2])
            return self._raised(best[2], rung)
        return None

    def _raised(self, job: Job, rung: int) -> Job:
        job.tag, job.until = rung + 1, self.epochs[rung + 1]
        return job

    def _hold(self, place: tuple[float, int, Job]) -> None:
        """Keep it in memory, and the worst ones no longer where there are too many."""
        cost, number, job = place
        if not job.paused:
            return
        size = sum(course.bytes for course in job.paused)
        heapq.heappush(self._held, (-cost, -number, size, job))
        self._bytes += size
        while self._held and (len(self._held) > _MOST_PAUSED or self._bytes > _MOST_BYTES):
            _, _, size, worst = heapq.heappop(self._held)
            self._bytes -= size
            worst.paused.clear()

    def _release(self, job: Job) -> None:
        """It goes on: what it has in memory is its own."""
        self._bytes -= sum(size for _, _, size, held in self._held if held is job)
        self._held = [entry for entry in self._held if entry[-1] is not job]
        heapq.heapify(self._held)
