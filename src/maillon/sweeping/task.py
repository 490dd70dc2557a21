"""One training of a sweep: from settings and a seed to a network and its scores, on any thread or machine."""

import copy
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maillon.engine import processor
from maillon.engine.native import Runner
from maillon.messages import got, shown
from maillon.nesting import mapped
from maillon.nn import Loss, Module, get_default_dtype
from maillon.optim import NonFiniteLossError
from maillon.optim.door import Data, check, dry_run
from maillon.random import Generator, using
from maillon.sweeping.space import Receivers, Settings
from maillon.sweeping.templates import Key, Template, Templates, alike, key_of, reusable
from maillon.tracebacks import gathered_warnings
from maillon.train.batches import VALIDATION_BATCH
from maillon.train.callbacks import EarlyStopping
from maillon.train.fit import training_of
from maillon.train.history import History
from maillon.train.predict import evaluated, outputs_of
from maillon.train.scores import joined, named_metrics
from maillon.train.training import Training
from maillon.typing import Array

Fold = tuple[Array, Array]
"""The rows to learn from, and those to validate with."""

_CHANGING = (Module, list, tuple, dict, set, np.ndarray)
"""Settings of which each call of build gets a copy: what it does to them is seen by no other training."""

_REDONE_S = 0.02
"""A training that has paused earlier is begun anew when its turn comes: that costs less than to keep it in memory."""

_LIGHT_BYTES = 2**23
"""A training that takes more memory also takes much longer than to make its plans: nobody needs to keep those."""


@dataclass
class Course:
    """A training of a job: where it draws from, the network that the caller gets, what it is validated with.

    template, key: whose plans it uses, or which ones it may become for others.
    """

    training: Training
    generator: Generator
    network: Module
    validation: Data | None = None
    template: Template | None = None
    key: Key | None = None

    @property
    def bytes(self) -> int:
        """About what it takes in memory."""
        stepper, own = self.training.stepper, sum(array.nbytes for array in self.network.state_arrays().values())
        return own + (stepper.bytes if isinstance(stepper, Runner) else 4 * own)

    @property
    def light(self) -> bool:
        """Whether its plans and those of its validation take so little memory that many may wait for another one."""
        stepper = self.training.stepper
        rows = 0 if self.validation is None else min(self.validation.rows, VALIDATION_BATCH)
        times = max(1, -(-rows // stepper.batches.size)) if isinstance(stepper, Runner) else 1
        return self.bytes * times <= _LIGHT_BYTES


class Active:
    """The trainings under way, for another thread to stop."""

    def __init__(self) -> None:
        self.stopping = False
        self._trainings: set[Training] = set()
        self._lock = threading.Lock()

    @contextmanager
    def one(self, training: Training) -> Iterator[None]:
        """One more, inside the block."""
        with self._lock:
            self._trainings.add(training)
            if self.stopping:
                training.state.stop()
        try:
            yield
        finally:
            with self._lock:
                self._trainings.remove(training)

    def stop(self) -> None:
        """Let all end after their current step."""
        with self._lock:
            self.stopping = True
            for training in self._trainings:
                training.state.stop()


@dataclass
class Job:
    """A training to be done: its number, settings and seed, and the epoch at which it is looked at.

    paused: the trainings that have paused where it was looked at before, one for each fold; without them it begins
    anew, and comes to the same bits.
    """

    number: int
    settings: Settings
    seed: int
    until: int
    paused: list[Course] = field(default_factory=list)
    tag: Any = None  # the planner's own


@dataclass
class Outcome:
    """What has become of a job.

    scores: the means over the folds, of the loss and the metrics; {} where the training has failed or was cut short.
    ended: no epoch is to come. warnings: what the caller is to be told.
    """

    job: Job
    scores: dict[str, float] = field(default_factory=dict)
    histories: list[History] = field(default_factory=list)
    networks: list[Module] = field(default_factory=list)
    ended: bool = False
    cut: bool = False
    seconds: float = 0.0
    error: BaseException | None = None
    warnings: dict[str, type[Warning]] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        return min((len(history) for history in self.histories), default=0)


class Task:
    """What all trainings of a sweep share. It is sent to other processes as it is.

    Parameters
    ----------
    build : callable
        Makes a network of its settings.
    loss : Loss
        A copy of it serves each training.
    data : tuple
        x, y and sample_weight, as they were given.
    validation : tuple or None
        The same for validation; None where `folds` or `split` say which rows.
    split : float
        The part of the rows, the last ones, to validate with.
    folds : list or None
        Of cross-validation.
    options : mapping
        What else `fit` is given in every training.
    metrics : tuple
        Names or functions, of the validation where there is one, else of the training.
    each_epoch : bool
        Whether `fit` validates after each epoch.
    """

    def __init__(
        self,
        build: Callable[..., Any],
        loss: Loss,
        receivers: Receivers,
        data: tuple[Any, Any, Any],
        *,
        epochs: int,
        validation: tuple[Any, ...] | None,
        split: float,
        folds: list[Fold] | None,
        options: Mapping[str, Any],
        metrics: tuple[Any, ...],
        engine: str,
        each_epoch: bool,
    ) -> None:
        self.build = build
        self.loss = loss
        self.receivers = receivers
        self.epochs = epochs
        self.folds = folds
        self.metrics = metrics
        self.engine = engine
        self.dtype = get_default_dtype()  # which other processes do not know
        self._given = data
        self._validation = validation
        self._split = split
        self._options = dict(options)
        self._each_epoch = each_epoch
        self._begin()

    def _begin(self) -> None:
        """What a task has of its own in each process."""
        self._templates = Templates()
        self._data: dict[Any, tuple[Data, Data | None]] = {}
        self._built: weakref.WeakSet[Module] = weakref.WeakSet()
        self._lock: Any = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        own = ("_templates", "_data", "_built", "_lock")
        return {name: value for name, value in vars(self).items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin()

    def close(self) -> None:
        """Nobody waits for plans."""
        self._templates = Templates()

    def parted(self) -> tuple["Task", list[Any]]:
        """The task without its data, and the data, array by array: what is to be sent once."""
        bare = copy.copy(self)
        data: list[Any] = []

        def place(array: Any) -> int:
            data.append(array)
            return len(data) - 1

        bare._given = mapped(place, self._given)
        bare._validation = mapped(place, self._validation)
        return bare, data

    def with_data(self, data: Sequence[Any]) -> "Task":
        """The task that `parted` has taken apart."""
        whole = copy.copy(self)
        whole._given = mapped(data.__getitem__, self._given)
        whole._validation = mapped(data.__getitem__, self._validation)
        return whole

    # Networks and data

    def network(self, settings: Mapping[str, Any]) -> Module:
        """The network that build makes of its settings; it draws from the default generator."""
        own = {
            name: copy.deepcopy(value) if isinstance(value, _CHANGING) else value for name, value in settings.items()
        }
        network = self.build(**own)
        if not isinstance(network, Module):
            raise TypeError(f"sweep: expected build to return a Module, {got(network)}")
        links = list(network.modules())
        with self._lock:
            again = next((link for link in links if link in self._built), None)
            self._built.update(links)
        if again is not None:
            raise ValueError(
                f"sweep: build returned a network with a link of an earlier one, {shown(again)}. Trainings run side by "
                "side: let build make each link anew, or copy.deepcopy what comes from outside."
            )
        return network

    def _parts(self, network: Module, loss: Loss, fold: int) -> tuple[Data, Data | None]:
        """What to learn from and to validate with, converted once for all that want the same kinds of numbers."""
        integers = any(link.takes_integers for link in network.modules())
        key = (network.dtype, integers, loss.takes_labels, fold)
        with self._lock:
            if key not in self._data:
                self._data[key] = self._parted(network, loss, fold)
            return self._data[key]

    def _parted(self, network: Module, loss: Loss, fold: int) -> tuple[Data, Data | None]:
        x, y, weight = self._given
        data = check("sweep", network, loss, x, y, weight)
        if self.folds is not None:
            learnt, validating = self.folds[fold]
            return data.take(learnt), data.take(validating)
        if self._split:
            return data.split("sweep", self._split)
        if self._validation is None:
            return data, None
        x, y, weight = (*self._validation, None)[:3]
        validation = check("sweep", network, loss, x, y, weight, "validation_data ")
        dry_run("sweep", network, loss, validation, VALIDATION_BATCH, training=False)
        return data, validation

    def validation(self, network: Module, loss: Loss, fold: int = 0) -> Data | None:
        """The rows to validate with, where there are some."""
        return self._parts(network, loss, fold)[1]

    def refit(self, settings: Mapping[str, Any], seed: int, histories: Sequence[History]) -> Module:
        """A network that learns from all rows, for as long as those of these histories."""
        with using(Generator(seed)):
            building, given = self.receivers.split(settings)
            network = self.network(building)
            x, y, weight = self._given
            loss = given.get("loss", self.loss)
            data = check("refit", network, loss, x, y, weight)
            if self._validation is not None:
                data = _joined(data, self._parts(network, loss, 0)[1])
            callbacks = given.get("callbacks", self._options.get("callbacks", ()))
            stopping = [each for each in callbacks if isinstance(each, EarlyStopping)]
            given["callbacks"] = [each for each in callbacks if each not in stopping]
            best = any(each.restore_best for each in stopping)
            epochs = min((history.best_epoch or 0) if best else len(history) for history in histories)
            training = self._training(network, given, data, None, epochs)
            training.run()
        return network

    # Trainings

    def run(self, job: Job, active: Active | None = None) -> Outcome:
        """Train to where the job is looked at, and score; an error stands in the outcome."""
        begun = time.perf_counter()
        outcome = Outcome(job)
        with gathered_warnings() as outcome.warnings, processor.alone():
            try:
                self._run(job, outcome, Active() if active is None else active)
            except BaseException as error:  # sys.exit() in build too: who waits for the outcome must get one
                job.paused.clear()
                outcome.error, outcome.scores, outcome.ended = error, {}, True
                if isinstance(error, NonFiniteLossError) and error.history is not None:
                    outcome.histories = [error.history]
        outcome.seconds = time.perf_counter() - begun
        return outcome

    def _run(self, job: Job, outcome: Outcome, active: Active) -> None:
        begun = time.perf_counter()
        courses, job.paused = job.paused, []
        scores = []
        for fold in range(1 if self.folds is None else len(self.folds)):
            if fold == len(courses):
                courses.append(self._begun(job, fold))
            course = courses[fold]
            training = course.training
            with using(course.generator), active.one(training):
                if not training.ended:
                    training.run(job.until)
            outcome.histories.append(training.history)
            if active.stopping and training.whole < min(job.until, training.epochs):
                outcome.cut = outcome.ended = True
                return
            scores.append(self._scored(course))
            if course.template is not None:
                course.template.give(course.network)
            outcome.networks.append(course.network)
        outcome.ended = all(course.training.ended for course in courses)
        outcome.scores = {name: float(np.mean([each[name] for each in scores])) for name in scores[0]}
        if outcome.ended or time.perf_counter() - begun < _REDONE_S:
            self._release(courses, outcome)
        else:
            job.paused = courses
            outcome.networks = [copy.deepcopy(network) for network in outcome.networks]  # of those that go on

    def _release(self, courses: list[Course], outcome: Outcome) -> None:
        """Let other trainings use the plans of these."""
        for place, course in enumerate(courses):
            if course.key is None or not reusable(course.training) or not course.light:
                continue
            template = course.template
            if template is None:  # the first of its making: the caller gets a copy
                network = copy.deepcopy(course.network)
                if not alike(course.network, network):
                    continue
                template = Template(course.training, course.generator)
                outcome.networks[place] = network
            self._templates.give(course.key, template)

    def _begun(self, job: Job, fold: int) -> Course:
        """A training as `fit` would begin it."""
        generator = Generator(job.seed)
        with using(generator):
            building, given = self.receivers.split(job.settings)
            network = self.network(building)
            data, validation = self._parts(network, given.get("loss", self.loss), fold)
            key = None if "loss" in given or data.weight is not None else self._key(network, given, validation, fold)
            template = None if key is None else self._templates.take(key, network)
            if template is None:
                training = self._training(network, given, data, validation, self.epochs)
                return Course(training, generator, network, validation, None, key)
        options = self._options | given
        training = template.begin(network, options, generator, self.epochs)
        return Course(training, template.generator, network, validation, template, key)

    def _key(self, network: Module, given: Settings, validation: Data | None, fold: int) -> Key | None:
        """What trainings have in common that may use the same plans."""
        looked_at = self._each_epoch or (validation is None and self.metrics)
        return None if looked_at or self.engine == "numpy" else key_of(network, self._options | given, fold)

    def _training(self, network: Module, given: Settings, data: Data, validation: Data | None, epochs: int) -> Training:
        loss = copy.deepcopy(given.pop("loss", self.loss))
        options = {name: _own(name, value) for name, value in (self._options | given).items()}
        if data.weight is not None:
            options["sample_weight"] = data.weight
        if self._each_epoch and validation is not None:
            options["validation_data"] = (validation.x, validation.y, validation.weight)
        if self._each_epoch or validation is None:
            options["metrics"] = self.metrics
        return training_of(network, loss, data.x, data.y, epochs=epochs, engine=self.engine, progress=False, **options)

    def _scored(self, course: Course) -> dict[str, float]:
        """The loss and the metrics: of the validation, as val_…, where there is one."""
        optim, history = course.training.optim, course.training.history
        validation = course.validation
        last = {name: history[name][-1] for name in history.columns if name not in ("epoch", "lr", "seconds")}
        if validation is None:
            return last
        metrics = named_metrics("sweep", self.metrics, optim.loss)
        template = course.template
        outputs = outputs_of(optim.network, self.engine) if template is None else template.outputs
        scores = evaluated(optim.network, optim.loss, validation, metrics, VALIDATION_BATCH, outputs)
        return last | {f"val_{name}": value for name, value in scores.items()}


def _joined(first: Data, second: Data | None) -> Data:
    """The rows of both."""
    if second is None:
        return first
    x, y = joined([first.x, second.x]), joined([first.y, second.y])
    weights = [np.ones(data.rows, np.float32) if data.weight is None else data.weight for data in (first, second)]
    weighted = first.weight is not None or second.weight is not None
    return Data(x, y, np.concatenate(weights) if weighted else None, first.rows + second.rows)


def _own(name: str, value: Any) -> Any:
    """What a training may change is its own: callbacks, schedules."""
    if isinstance(value, str | int | float | np.ndarray | None):
        return value
    try:
        return copy.deepcopy(value)
    except TypeError as error:
        raise TypeError(
            f"sweep: each training gets a copy of {name}, and it cannot be copied: {error}. Give it a method "
            "__deepcopy__, or take a function."
        ) from error
