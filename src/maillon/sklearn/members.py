"""The networks of an ensemble: trained side by side, one on each thread, and joined to one."""

import math
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from maillon.engine import processor
from maillon.nn import Graph, Module, Sequential, Softmax, WeightedSum
from maillon.random import Generator, using
from maillon.sklearn.preparing import Preparation
from maillon.sklearn.recipe import BestEpoch, Recipe, Rows, network, rule_of, schedule_of
from maillon.sweeping.executors import Threads
from maillon.sweeping.task import Active, Job, Outcome
from maillon.tracebacks import gathered_warnings, warn
from maillon.train.fit import training_of
from maillon.typing import Array


@dataclass(frozen=True)
class Lesson:
    """What all members learn, and how.

    inputs: what `prepared` gave of all rows. targets: (n,) classes, or (n, outputs) numbers. weight: of each row, or
    None.
    """

    recipe: Recipe
    prepared: Preparation
    inputs: tuple[Array, ...]
    targets: Array
    weight: Array | None
    outputs: int
    hidden_sizes: Sequence[int]
    epochs: int
    batch_size: int
    rate: float


class Members:
    """The members of an ensemble, as the threads of `maillon.sweep` take them: job i is member i.

    Parameters
    ----------
    lesson : Lesson
        What they learn.
    parts : sequence of tuple
        Which rows each learns from, and which are held out.
    seeds : sequence of int
        Where the first weights and the orders of each come from.
    """

    def __init__(self, lesson: Lesson, parts: Sequence[Rows], seeds: Sequence[int]) -> None:
        self.lesson, self.parts, self.seeds = lesson, parts, seeds
        self._waiting = iter(range(len(parts)))

    def trained(self, *, verbose: bool) -> list[Outcome]:
        """All of them, in order; what one of them raises is raised."""
        outcomes: dict[int, Outcome] = {}
        threads = Threads(self)
        for outcome in threads.outcomes(self):
            if outcome is None:
                continue
            if outcome.error is not None:
                threads.stop()
                raise outcome.error
            outcomes[outcome.job.number] = outcome
            for message, category in outcome.warnings.items():
                warn(message, category)
            if verbose:
                sys.stdout.write(f"{self._said(outcome, len(outcomes))}\n")
        return [outcomes[number] for number in sorted(outcomes)]

    def _said(self, outcome: Outcome, done: int) -> str:
        history = outcome.histories[0]
        text = f"{done} of {len(self.parts)} networks, {outcome.seconds:.1f} s"
        best = history.best_epoch
        if best is None or "val_loss" not in history:
            return text
        return f"{text}: epoch {best} of {len(history)}, val_loss {history['val_loss'][best - 1]:.4g}"

    def next(self) -> Job | None:
        """The next member."""
        number = next(self._waiting, None)
        return None if number is None else Job(number, {}, self.seeds[number], self.lesson.epochs)

    def take(self, outcome: Outcome) -> None:
        """There is nothing to be decided by it."""

    def close(self) -> None:
        """Nothing is left to do."""

    def run(self, job: Job, active: Active) -> Outcome:
        """Train one member."""
        outcome = Outcome(job, ended=True)
        # One network alone may share its products among all threads.
        share = processor.alone() if len(self.parts) > 1 else nullcontext()
        with gathered_warnings() as outcome.warnings, share, using(Generator(job.seed)):
            self._train(outcome, active)
        return outcome

    def _train(self, outcome: Outcome, active: Active) -> None:
        lesson, recipe = self.lesson, self.lesson.recipe
        learnt, held_out = self.parts[outcome.job.number]
        member = network(recipe, lesson.prepared, lesson.hidden_sizes, lesson.outputs)
        size = min(lesson.batch_size, len(learnt))
        x, y, weight = self._rows(learnt)
        training = training_of(
            member,
            recipe.loss(),
            x,
            y,
            rule=rule_of(member, lesson.rate),
            batch_size=size,
            epochs=lesson.epochs,
            schedule=schedule_of(lesson.epochs * math.ceil(len(learnt) / size)),
            schedule_by="step",
            sample_weight=weight,
            validation_data=self._rows(held_out) if len(held_out) else None,
            callbacks=BestEpoch() if len(held_out) else (),
            progress=False,
        )
        with active.one(training):
            outcome.histories = [training.run()]
        outcome.seconds = float(np.sum(outcome.histories[0]["seconds"]))
        outcome.networks = [member]

    def _rows(self, rows: Array) -> tuple[Any, ...]:
        """x, y and the weights of some rows."""
        lesson = self.lesson
        parts = tuple(part[rows] for part in lesson.inputs)
        weight = None if lesson.weight is None else lesson.weight[rows]
        return (parts[0] if len(parts) == 1 else parts), lesson.targets[rows], weight


def joined(members: Sequence[Module], inputs: Sequence[str], *, probabilities: bool) -> Graph:
    """One network, whose output is the mean of the members'.

    Parameters
    ----------
    members : sequence of Module
        The networks.
    inputs : sequence of str
        The names of what each of them takes.
    probabilities : bool
        Whether a Softmax makes probabilities of each one's outputs first.

    Returns
    -------
    Graph
        Its nodes are called "members.0" and so on, and "mean".
    """
    nodes: dict[str, Any] = {
        f"members.{place}": (Sequential(member, Softmax(1)) if probabilities else member, *inputs)
        for place, member in enumerate(members)
    }
    mean = WeightedSum([1 / len(members)] * len(members))
    return Graph(tuple(inputs), nodes | {"mean": (mean, *nodes)}, "mean").eval()


def members_of(network: Graph) -> list[Module]:
    """The networks that `joined` has joined."""
    links = [link for name, link in network.named_children() if name.startswith("members.")]
    return [link[0] if isinstance(link, Sequential) and isinstance(link[-1], Softmax) else link for link in links]
