"""Trainings that differ in numbers alone, carried out by one another's plans: to make those anew takes longer."""

import copy
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from maillon.engine.native import Runner
from maillon.nn import Module, Parameter
from maillon.optim import Rule
from maillon.random import Generator
from maillon.train.callbacks import Hooks
from maillon.train.predict import OutputOf, outputs_of
from maillon.train.scheduling import Scheduling
from maillon.train.training import Training

_PLAIN = frozenset(
    ("rule", "batch_size", "shuffle", "drop_last", "schedule", "schedule_by", "clip_grad_norm", "clip_grad_value")
)
"""The options of `fit` that a template follows; with others each training is made from the beginning."""

_MOST = 64
"""Templates that wait."""

Key = tuple[Any, ...]


def key_of(network: Module, options: Mapping[str, Any], fold: int) -> Key | None:
    """What trainings of one making have in common, as far as it can be looked up; None where there is no such making.

    options: those of `fit`, with a recipe as its rule.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if not given.keys() <= _PLAIN:
        return None
    rule = given["rule"]
    decides = tuple((name, bool(value)) for name, value in rule.defaults.items())
    cut = tuple((type(given.get(name)), given.get(name)) for name in ("batch_size", "shuffle", "drop_last"))
    clips = tuple(bool(given.get(name)) for name in ("clip_grad_norm", "clip_grad_value"))
    arrays = tuple((array.shape, array.dtype.char) for array in network.state_arrays().values())
    return (fold, type(network), type(rule), decides, cut, clips, arrays)


def reusable(training: Training) -> bool:
    """Whether another training may follow on its plans."""
    return isinstance(training.stepper, Runner) and training.stepper.restartable


class Template:
    """An Optim whose training is over, and its plans, for another training of the same making.

    generator: what it draws from.
    """

    def __init__(self, training: Training, generator: Generator) -> None:
        self.optim = training.optim
        self.generator = generator
        self.outputs: OutputOf = outputs_of(training.optim.network, training.engine)
        self._training = training
        self._arrays = list(self.optim.network.state_arrays().values())

    def begin(self, network: Module, options: Mapping[str, Any], generator: Generator, epochs: int) -> Training:
        """A training like that of `network`, from its numbers and the generator's place on."""
        optim, before = self.optim, self._training
        for own, given in zip(self._arrays, network.state_arrays().values(), strict=True):
            own[...] = given
        rule: Rule = options["rule"]
        optim.rule.defaults = dict(rule.defaults)
        for group in optim.rule.param_groups:
            for name in group.keys() - rule.defaults.keys() - {"params"}:
                del group[name]  # what a schedule keeps there
            group.update(rule.defaults)
        optim.clip_grad_norm = options.get("clip_grad_norm")
        optim.clip_grad_value = options.get("clip_grad_value")
        optim.zero_grad()
        self.generator.set_state(generator.get_state())
        assert isinstance(before.stepper, Runner)
        before.stepper.restart()
        self._training = Training(
            optim,
            before.batches,
            epochs,
            validation=None,
            metrics={},
            hooks=Hooks(()),
            scheduling=Scheduling(copy.deepcopy(options.get("schedule")), options.get("schedule_by"), optim),
            progress=False,
            engine=before.engine,
            stepper=before.stepper,
        )
        return self._training

    def give(self, network: Module) -> None:
        """What the training has learnt."""
        for own, given in zip(self._arrays, network.state_arrays().values(), strict=True):
            given[...] = own


class Templates:
    """Those that wait for a training, of all threads."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Key, Template]] = []
        self._lock = threading.Lock()

    def take(self, key: Key, network: Module) -> Template | None:
        """One whose network differs from this one in numbers alone, no longer there for others."""
        with self._lock:
            for place, (known, template) in enumerate(self._waiting):
                if known == key and alike(template.optim.network, network):
                    del self._waiting[place]
                    return template
        return None

    def give(self, key: Key, template: Template) -> None:
        """It serves another training; the one that has waited longest goes where there are too many."""
        with self._lock:
            self._waiting.insert(0, (key, template))
            del self._waiting[_MOST:]


def alike(one: Module, other: Module) -> bool:
    """Whether two networks differ in the numbers of their parameters and buffers alone."""
    pairs = list(zip(one.named_modules(), other.named_modules(), strict=False))
    if len(pairs) != sum(1 for _ in one.modules()) or len(pairs) != sum(1 for _ in other.modules()):
        return False
    twins = _Twins()
    return all(name == other_name and twins.modules(module, twin) for (name, module), (other_name, twin) in pairs)


class _Twins:
    """Two networks as they are gone through: each object of the one has one of the other, and the other way."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, bool], int] = {}

    def _paired(self, one: object, other: object) -> bool:
        there = self._of.setdefault((id(one), True), id(other)) == id(other)
        return there and self._of.setdefault((id(other), False), id(one)) == id(one)

    def modules(self, one: Module, other: Module) -> bool:
        mine, others = _attributes(one), _attributes(other)
        if type(one) is not type(other) or one.training != other.training or mine.keys() != others.keys():
            return False
        return self._paired(one, other) and all(
            self._arrays(value, others[name]) if name in one.buffer_names else self._same(value, others[name])
            for name, value in mine.items()
        )

    def _arrays(self, one: Any, other: Any) -> bool:
        if one is None or other is None:
            return one is other
        return one.shape == other.shape and one.dtype == other.dtype and self._paired(one, other)

    def _same(self, one: Any, other: Any) -> bool:
        if type(one) is not type(other) or isinstance(one, Generator | np.ndarray):
            return False
        if isinstance(one, Parameter):
            data = self._arrays(one.data, other.data)
            return data and one.requires_grad == other.requires_grad and self._paired(one, other)
        if isinstance(one, list | tuple):
            return len(one) == len(other) and all(map(self._same, one, other))
        if isinstance(one, dict):
            return list(one) == list(other) and all(map(self._same, one.values(), other.values()))
        return self._paired(one, other) if isinstance(one, Module) else one is other or bool(one == other)


def _attributes(module: Module) -> dict[str, Any]:
    """But for the mode, which may stand in the class, and what a forward has kept."""
    return {name: value for name, value in vars(module).items() if name not in ("training", "_kept")}
