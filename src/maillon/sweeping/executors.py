"""Who carries out the jobs of a sweep: the threads of this process."""

import queue
import threading
from collections.abc import Generator
from typing import Protocol

from maillon.engine import get_num_threads
from maillon.sweeping.task import Active, Job, Outcome

LOOK_S = 0.05
"""How often somebody looks for Ctrl-C and the time limit while trainings run."""


class Planner(Protocol):
    """What says which job comes next."""

    def next(self) -> Job | None:
        """The next job; None where there is none, or none before another outcome is known."""

    def take(self, outcome: Outcome) -> None:
        """An outcome is known."""

    def close(self) -> None:
        """The sweep is over."""


class Trainer(Protocol):
    """What carries out one job."""

    def run(self, job: Job, active: Active) -> Outcome:
        """Train, on whatever thread."""


class Executor(Protocol):
    """Who carries out the jobs."""

    width: int
    """How many trainings run at the same time."""

    def outcomes(self, planner: Planner) -> Generator[Outcome | None]:
        """The outcomes as they come; None every now and then while none does."""

    def stop(self) -> None:
        """Let trainings end after their current step, and begin none."""


class Threads:
    """One training a thread, in this process: the core computes without Python's lock.

    Daemons: an error or a second Ctrl-C ends the program whatever they do.
    """

    def __init__(self, task: Trainer) -> None:
        self.task = task
        self.active = Active()
        self.width = get_num_threads()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def outcomes(self, planner: Planner) -> Generator[Outcome | None]:
        """The outcomes as they come; None every now and then while none does."""
        waiting = 0
        try:
            while True:
                # One more than there are threads: no thread waits for this one.
                while waiting <= self.width and not self.active.stopping:
                    job = planner.next()
                    if job is None:
                        break
                    self._submit(job)
                    waiting += 1
                if not waiting:
                    return
                try:
                    outcome = self._outcomes.get(timeout=LOOK_S)
                except queue.Empty:
                    yield None
                    continue
                waiting -= 1
                yield outcome
        finally:
            self.active.stop()
            for _ in self._threads:
                self._jobs.put(None)

    def stop(self) -> None:
        """Let trainings end after their current step."""
        self.active.stop()

    def _submit(self, job: Job) -> None:
        if len(self._threads) < self.width:
            name = f"maillon sweep {len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self.active.stopping:
                self._outcomes.put(Outcome(job, ended=True, cut=True))
                continue
            try:
                outcome = self.task.run(job, self.active)
            except BaseException as error:  # sys.exit() too: who waits for the outcome must get one
                outcome = Outcome(job, error=error, ended=True)
            self._outcomes.put(outcome)
