"""The jobs of a sweep on joblib's workers: processes here, or those of Dask or Ray on other machines."""

import itertools
import math
import pickle
import queue
import signal
import threading
import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from maillon.messages import got
from maillon.nn import set_default_dtype
from maillon.sweeping.executors import LOOK_S, Planner, Threads
from maillon.sweeping.task import Active, Job, Outcome, Task

_CHUNK_S = 1.0
"""The least work of a chunk, in seconds: to send one, and what it gives back, costs some milliseconds."""

_GRACE_S = 2 * _CHUNK_S
"""How long a sweep that is to end waits for the chunks under way: what is done in them is not to be lost."""

_MOST_JOBS = 2**14
"""Jobs that wait for workers: of a sweep without end, which a time limit ends, no more."""

_PATIENCE = 2
"""How often workers may die without any training done, before fewer are sent."""


class _One:
    """The next job of a planner alone."""

    def __init__(self, planner: Planner) -> None:
        self._jobs = [planner.next()]

    def next(self) -> Job | None:
        return self._jobs.pop() if self._jobs else None

    def take(self, outcome: Outcome) -> None:
        """The sweep tells the planner."""

    def close(self) -> None:
        """The sweep closes it."""


class Workers:
    """Chunks of trainings for joblib's workers, whichever backend `joblib.parallel_config` has chosen.

    The data is sent once to each. A worker that dies costs its chunk, which is done again.
    """

    def __init__(self, task: Task, n_jobs: int, until: float) -> None:
        """until: the time of the clock `time.time` at which trainings stop."""
        try:
            import joblib
        except ImportError:
            raise ImportError("sweep: n_jobs needs joblib: pip install joblib. Without it threads train.") from None
        if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or not n_jobs:
            raise ValueError(f"sweep: expected n_jobs to be a number of workers, or −1 for all, {got(n_jobs)}")
        self.task = task
        self.width = int(joblib.effective_n_jobs(n_jobs))
        self._n_jobs = n_jobs
        self._until = until
        self._active = Active()
        self._here = Threads(task)
        self._token = uuid.uuid4().hex
        self._seconds: list[float] = []  # of trainings so far

    def stop(self) -> None:
        """Send no more."""
        self._active.stop()
        self._here.stop()

    def outcomes(self, planner: Planner) -> Generator[Outcome | None]:
        """The outcomes as they come; None every now and then while none does."""
        # The first one here: what is wrong with a call shows at once, and it says how long one takes.
        for outcome in self._here.outcomes(_One(planner)):
            if outcome is not None:
                outcome.job.paused.clear()
                self._seconds.append(outcome.seconds)
            yield outcome
        while not self._active.stopping:
            jobs = list(itertools.islice(iter(planner.next, None), _MOST_JOBS))
            if not jobs:
                return
            yield from self._round(jobs)

    def _round(self, jobs: list[Job]) -> Generator[Outcome | None]:
        """All of these; where workers die without any training done, in smaller and smaller parts, to find which one
        kills them."""
        left, most, stuck = {job.number: job for job in jobs}, len(jobs), 0
        while left and not self._active.stopping:
            before, part = len(left), list(left.values())[:most]
            error = yield from self._sent(self._chunks(part), left)
            if error is None:
                most *= 2
                continue
            self._require_sendable(part)
            stuck = stuck + 1 if len(left) == before else 1
            if stuck >= _PATIENCE and len(part) > 1:
                most = len(part) // 2
            elif stuck >= _PATIENCE:
                yield Outcome(left.pop(part[0].number), ended=True, error=_lost(error))
                most, stuck = len(jobs), 0

    def _require_sendable(self, jobs: list[Job]) -> None:
        """TypeError where it was no worker that died: what is to be sent cannot be."""
        import joblib

        try:
            pickle.dumps(joblib.wrap_non_picklable_objects((self.task.parted()[0], [_bare(job) for job in jobs])))
        except Exception as error:
            raise TypeError(
                "sweep: with n_jobs all that trainings are made of is sent to other processes, and this cannot be: "
                f"{error}. Leave out n_jobs, and threads train."
            ) from error

    def _sent(self, chunks: list[list[Job]], left: dict[int, Job]) -> Generator[Outcome | None, None, Any]:
        """The outcomes of these, which are taken from `left`; returns what went wrong with a worker."""
        results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._send, args=(self._parallel(), chunks, results), daemon=True).start()
        patience = _GRACE_S
        while patience > 0:
            try:
                given = results.get(timeout=LOOK_S)
            except queue.Empty:
                patience -= LOOK_S * self._active.stopping
                yield None
                continue
            if not isinstance(given, list):
                return given
            for outcome in given:
                outcome.job = left.pop(outcome.job.number)
                self._seconds.append(outcome.seconds)
                yield outcome
        return None

    def _chunks(self, jobs: list[Job]) -> list[list[Job]]:
        """Of at least a second each, and for all workers."""
        seconds = sorted(self._seconds)[len(self._seconds) // 2]
        size = max(1, min(math.ceil(_CHUNK_S / max(seconds, 1e-6)), math.ceil(len(jobs) / self.width)))
        bare = [_bare(job) for job in jobs]
        return [bare[begin : begin + size] for begin in range(0, len(bare), size)]

    def _parallel(self) -> Any:
        """In this thread, which knows the backend that was chosen."""
        import joblib

        try:
            return joblib.Parallel(self._n_jobs, return_as="generator_unordered", batch_size=1)
        except (NotImplementedError, ValueError):  # a backend that gives all at the end
            return joblib.Parallel(self._n_jobs, batch_size=1)

    def _send(self, parallel: Any, chunks: list[list[Job]], results: "queue.SimpleQueue[Any]") -> None:
        """Put lists of outcomes into `results`, then None, or what went wrong."""
        import joblib

        bare, data = self.task.parted()

        def calls() -> Iterator[Any]:
            for chunk in chunks:
                if self._active.stopping:
                    return
                yield joblib.delayed(_run)(self._token, bare, chunk, self._until, *data)

        try:
            for outcomes in parallel(calls()):
                results.put(outcomes)
            results.put(None)
        except BaseException as error:
            results.put(error)


def _bare(job: Job) -> Job:
    """Without what only this process needs."""
    return replace(job, paused=[], tag=None)


def _lost(error: BaseException) -> RuntimeError:
    lost = RuntimeError(
        f"sweep: its worker died each time, also with nothing else to do ({type(error).__name__}: {error}). It may "
        "need more memory than there is, or give back what cannot be sent."
    )
    lost.__cause__ = error
    return lost


# In the worker

_last: tuple[str, Task | None] = ("", None)
"""The task that this process has last worked for: its data is converted once."""

_looking = threading.Lock()


def _task_of(token: str, bare: Task, data: Sequence[Any]) -> Task:
    """The whole task, the same one for all threads of this process."""
    global _last  # noqa: PLW0603 - what a process keeps between two chunks
    with _looking:
        known, task = _last
        if known != token or task is None:
            task = bare.with_data(data)
            _last = token, task
        return task


def _run(token: str, bare: Task, jobs: list[Job], until: float, *data: Any) -> list[Outcome]:
    """The outcomes of a chunk, none of which raises."""
    task, active = _task_of(token, bare, data), Active()
    set_default_dtype(task.dtype)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to see
    timer = threading.Timer(max(0.0, until - time.time()), active.stop) if until < math.inf else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    outcomes = []
    for job in jobs:
        outcome = Outcome(job, ended=True, cut=True) if active.stopping else task.run(job, active)
        job.paused.clear()
        outcome.error = _sendable(outcome.error)
        outcomes.append(outcome)
    if timer is not None:
        timer.cancel()
    return outcomes


def _sendable(error: BaseException | None) -> BaseException | None:
    """The error, or its words where it cannot travel."""
    with suppress(Exception):
        pickle.loads(pickle.dumps(error))
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")
