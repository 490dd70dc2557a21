"""What a sweep leaves: a table of trainings, the best of them, their networks."""

from __future__ import annotations

import csv
import heapq
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from maillon.messages import got
from maillon.nn import Graph, Module, Sequential
from maillon.nn.support import arguments
from maillon.saving.files import replace_file
from maillon.sweeping.planners import Order
from maillon.sweeping.space import Settings, worded
from maillon.train.history import History

if TYPE_CHECKING:
    from pathlib import Path

    from maillon.sweeping.task import Outcome, Task

_SHOWN = 5  # rows of a repr


@dataclass
class Trial:
    """One training of a sweep.

    Parameters
    ----------
    number : int
        From 0, in the order of the settings.
    settings : dict
        What `build`, `fit` and the rule were given.
    seed : int
        ``with using(Generator(seed)): fit(build(…), …)`` gives the same network, to the bit.
    state : str
        "done"; "stopped" where halving or a pruner went on with others; "cut" by Ctrl-C, the time limit or `stop()`;
        "failed".
    score : float
        The column that the sweep looks at, after the last epoch; nan where there is none.
    scores : dict of str to float
        All columns then: loss, val_loss, metrics. With folds the means over them.
    rungs : list of tuple
        (epoch, scores) of each time it was looked at.
    histories : list of History
        Its course, one for each fold.
    networks : list of Module
        What it had learnt when it was scored, one for each fold; empty where the sweep has not kept it.
    seconds : float
        What it took, on one thread.
    error : Exception or None
        Why it failed.
    """

    number: int
    settings: Settings
    seed: int
    state: str = "cut"
    score: float = math.nan
    scores: dict[str, float] = field(default_factory=dict)
    rungs: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    histories: list[History] = field(default_factory=list, repr=False)
    networks: list[Module] = field(default_factory=list, repr=False)
    seconds: float = 0.0
    error: BaseException | None = None

    @property
    def network(self) -> Module:
        """What it has learnt; ValueError where there are several, or where it was not kept."""
        if len(self.networks) == 1:
            return self.networks[0]
        if self.networks:
            raise ValueError(
                f"Trial {self.number}: there are {len(self.networks)} networks, one for each fold: see networks. "
                "sweep.refit(trial) learns from all rows."
            )
        why = ", for it failed" if self.error is not None else "" if self.rungs else ", for it was cut short"
        raise ValueError(
            f"Trial {self.number}: its network was not kept{why}. Give the sweep a greater keep=, or let "
            "sweep.refit(trial) train it once more."
        )

    @property
    def history(self) -> History:
        """The course of the training, of the first fold where there are several."""
        if not self.histories:
            raise ValueError(f"Trial {self.number}: there is no history: it was not begun, or failed.")
        return self.histories[0]

    @property
    def epochs(self) -> int:
        """How many are done."""
        return min((len(history) for history in self.histories), default=0)

    @property
    def engine(self) -> str:
        """What carried out its steps."""
        return self.histories[0].engine if self.histories else ""


class Sweep:
    """Many trainings, the best ones with their networks: what `sweep` returns.

    ``len(sweep)``, ``sweep[i]`` and iteration give the trials in the order of their numbers.

    Parameters
    ----------
    task : Task
        What all trainings share.
    order : Order
        Which scores are good.
    keep : int or None
        How many networks stay in memory.
    names : sequence of str
        The settings.

    Attributes
    ----------
    trials : list of Trial
        All that have begun.
    monitor : str
        The column that scores are taken from.
    mode : str
        "min" or "max": which scores are good.
    seconds : float
        How long it took.
    interrupted : bool
        Ctrl-C ended it.
    timed_out : bool
        The time limit ended it.
    """

    def __init__(self, task: Task, order: Order, keep: int | None, names: Sequence[str]) -> None:
        self.trials: list[Trial] = []
        self.monitor = order.monitor
        self.mode = "min" if order.sign > 0 else "max"
        self.seconds = 0.0
        self.interrupted = self.timed_out = False
        self._task = task
        self._order = order
        self._keep = keep
        self._names = list(names)
        self._by_number: dict[int, Trial] = {}
        self._kept: list[tuple[tuple[int, float, int], Trial]] = []  # the worst first
        self._stopping = False

    def stop(self) -> None:
        """Let it end after the current steps; for `on_trial`."""
        self._stopping = True

    @property
    def stopping(self) -> bool:
        return self._stopping

    # What the sweep itself notes

    def note(self, outcome: Outcome) -> Trial | None:
        """Take in an outcome; None where the training has never begun."""
        job = outcome.job
        trial = self._by_number.get(job.number)
        if trial is None and outcome.cut and not outcome.histories:
            return None
        if trial is None:
            trial = self._by_number[job.number] = Trial(job.number, job.settings, job.seed)
            self.trials.append(trial)
        trial.seconds += outcome.seconds
        trial.error = outcome.error
        if outcome.histories:
            trial.histories = outcome.histories
        if outcome.error is not None:
            trial.state, trial.scores, trial.score = "failed", {}, math.nan
            self._drop(trial)
        elif outcome.cut:
            trial.state = "cut"  # its network is that of the last rung, as its scores are
        else:
            trial.state = "done" if outcome.ended else "stopped"
            trial.scores, trial.score = outcome.scores, outcome.scores[self.monitor]
            trial.rungs.append((outcome.epochs, outcome.scores))
            self._hold(trial, outcome.networks)
        return trial

    def close(self) -> None:
        """All are there."""
        self.trials.sort(key=lambda trial: trial.number)
        self._task.close()

    def _rank(self, trial: Trial) -> tuple[int, float, int]:
        """Small for good ones: those that went further first, then by score."""
        further = -len(trial.rungs)
        return further, math.inf if math.isnan(trial.score) else self._order.sign * trial.score, trial.number

    def _hold(self, trial: Trial, networks: list[Module]) -> None:
        """Keep its networks, and no longer those of the worst one where there are too many."""
        self._drop(trial)
        trial.networks = networks
        if self._keep is None:
            return
        further, cost, number = self._rank(trial)
        heapq.heappush(self._kept, ((-further, -cost, -number), trial))
        if len(self._kept) > self._keep:
            heapq.heappop(self._kept)[1].networks = []

    def _drop(self, trial: Trial) -> None:
        if trial.networks:
            trial.networks = []
            self._kept = [entry for entry in self._kept if entry[1] is not trial]
            heapq.heapify(self._kept)

    # What it says

    def __len__(self) -> int:
        return len(self.trials)

    def __getitem__(self, place: int) -> Trial:
        return self.trials[place]

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    @property
    def ranking(self) -> list[Trial]:
        """Those that have a score, the best first: those that went further before those that were stopped."""
        return sorted(self._scored(), key=self._rank)

    def _scored(self) -> list[Trial]:
        scored = (trial for trial in self.trials if trial.rungs and trial.state != "failed")
        return [trial for trial in scored if not math.isnan(trial.score)]

    @property
    def best(self) -> Trial:
        """The one with the best score, of those that went furthest; ValueError where none has one."""
        if scored := self._scored():
            return min(scored, key=self._rank)
        failed = next((trial for trial in self.trials if trial.error is not None), None)
        if failed is None:
            raise ValueError(f"Sweep: none of {len(self)} trainings has come to a score. Give it more time.")
        raise ValueError(
            f"Sweep: none of {len(self)} trainings has a score; number {failed.number}, {failed.settings}, failed: "
            f"{failed.error}"
        ) from failed.error

    def refit(self, trial: Trial | int | None = None) -> Module:
        """A network that has learnt from all rows, those for validation too, with the settings of a trial.

        Parameters
        ----------
        trial : Trial or int, optional
            Which one, or its number; the best by default.

        Returns
        -------
        Module
            Trained for as many epochs as the trial; with EarlyStopping as many as it took for the best.
        """
        chosen = self.best if trial is None else trial if isinstance(trial, Trial) else self._numbered(trial)
        return self._task.refit(chosen.settings, chosen.seed, chosen.histories)

    def _numbered(self, number: Any) -> Trial:
        if not arguments.is_integer(number) or number not in self._by_number:
            raise ValueError(f"Sweep.refit: expected a trial, or the number of one of these {len(self)}, {got(number)}")
        return self._by_number[number]

    def ensemble(self, size: int = 16) -> Sequential | Graph:
        """Networks that are good together: chosen greedily, with replacement, by the loss of their mean prediction.

        Starting from nothing, the network is added, `size` times, that makes the mean of the validation predictions
        best; one that is chosen twice counts twice. Source: R. Caruana, A. Niculescu-Mizil, G. Crew and A. Ksikes,
        *Ensemble selection from libraries of models* (2004).

        Parameters
        ----------
        size : int
            How many choices, ≥ 1; different networks are as many at most.

        Returns
        -------
        Sequential or Graph
            ``Sequential(Parallel(…), WeightedSum(…))``, of copies: it predicts, trains on, is saved and exported like
            any other network. For several inputs it is a Graph of the same. What is averaged is what the networks put
            out; of logits that is the geometric mean of the probabilities.

        Raises
        ------
        ValueError
            Without validation data, and where no network was kept.
        """
        from maillon.sweeping.selection import selected

        return selected(self.ranking, self._task, self._order, size)

    def to_dict(self) -> dict[str, list[Any]]:
        """The table by columns: number, the settings, seed, state, epochs, the scores, seconds, engine.

        Returns
        -------
        dict of str to list
            A row for each trial.
        """
        scores = list(dict.fromkeys(name for trial in self.trials for name in trial.scores))
        settings = list(dict.fromkeys([*self._names, *(name for trial in self.trials for name in trial.settings)]))
        settings = [name for name in settings if name != "seed"]
        columns: dict[str, list[Any]] = {"number": [trial.number for trial in self.trials]}
        columns |= {name: [trial.settings.get(name) for trial in self.trials] for name in settings}
        for name in ("seed", "state", "epochs"):
            columns[name] = [getattr(trial, name) for trial in self.trials]
        columns |= {name: [trial.scores.get(name, math.nan) for trial in self.trials] for name in scores}
        return columns | {name: [getattr(trial, name) for trial in self.trials] for name in ("seconds", "engine")}

    def to_pandas(self) -> Any:
        """The table as a pandas DataFrame, one row a trial.

        Returns
        -------
        pandas.DataFrame
            Indexed by the number.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError(
                "Sweep.to_pandas needs pandas: pip install pandas. to_csv() and to_dict() do without."
            ) from None
        return pandas.DataFrame(self.to_dict()).set_index("number")

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table into a file, with a header and all digits.

        Parameters
        ----------
        path : str or path-like
            The file, in a folder that exists. It is written beside its place and moved there when whole.

        Returns
        -------
        Path
            The file's path.
        """
        from pathlib import Path

        columns, text = self.to_dict(), io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow([getattr(value, "__name__", value) for value in row])  # of classes and functions
        replace_file(path, text.getvalue().encode(), "Sweep.to_csv")
        return Path(path)

    def __repr__(self) -> str:
        counts = {state: sum(trial.state == state for trial in self.trials) for state in ("stopped", "cut", "failed")}
        parts = [f"{len(self)} trainings", f"{self.seconds:.3g} s"]
        parts += [f"{number} {state}" for state, number in counts.items() if number]
        parts += ["interrupted"] * self.interrupted + ["time limit"] * self.timed_out
        if self._scored():
            parts.append(f"best {self.monitor} {self.best.score:.4g}")
        return f"Sweep({', '.join(parts)})"

    def __str__(self) -> str:
        lines = [repr(self)]
        for trial in self.ranking[:_SHOWN]:
            settings = ", ".join(f"{name}={worded(value)}" for name, value in trial.settings.items())
            lines.append(f"  {trial.number}: {self.monitor} {trial.score:.4g}  {settings}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """What a notebook shows: the best trials."""
        from maillon.html import block, paragraph, table

        names = list(dict.fromkeys(name for trial in self.ranking[:_SHOWN] for name in trial.settings))
        rows = [
            [str(trial.number), f"{trial.score:.4g}", *(worded(trial.settings.get(name, "")) for name in names)]
            for trial in self.ranking[:_SHOWN]
        ]
        return block(paragraph(repr(self)), table(["number", self.monitor, *names], rows) if rows else "")
