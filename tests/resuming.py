"""Trainings that are ended anywhere and go on: what is made for each try, and all that a training leaves."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import maillon as m
from maillon.engine.closure import ClosureRunner
from maillon.engine.native import Runner
from maillon.random import Generator, default_generator
from maillon.saving import files
from maillon.train.stepping import NumpyStepper


class EndedError(BaseException):
    """In the place of a `kill -9`: nothing of the library catches it."""


@dataclass
class Made:
    """One training, ready to begin; watched: what it changes beside the Optim."""

    optim: m.Optim
    data: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    watched: list[Any] = field(default_factory=list)


Make = Callable[[], Made]


def bits(value: Any) -> Any:
    """Comparable, to the bit, whatever it is made of."""
    if isinstance(value, np.ndarray):
        return value.tobytes(), str(value.dtype), value.shape
    if isinstance(value, dict):
        return sorted((repr(key), bits(inner)) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return [bits(inner) for inner in value]
    if isinstance(value, Generator):
        return value.get_state()
    return bits(value.state_dict()) if hasattr(value, "state_dict") else repr(value)


def left(made: Made, history: m.History) -> dict[str, Any]:
    """All that the training leaves but the seconds."""
    optim, columns = made.optim, history.to_dict()
    del columns["seconds"]
    moved = {id(parameter) for group in optim.rule.param_groups for parameter in group["params"]}
    generators = [getattr(link, "generator", None) for link in optim.network.modules()]
    named = list(optim.network.named_parameters())
    return {
        "network": bits(optim.network),
        "loss": bits(optim.loss),
        "rule": bits(optim.rule),
        "options": repr((optim.clip_grad_norm, optim.clip_grad_value, optim.accumulate, optim.gathered)),
        "links": repr(optim.network) + repr(optim.loss),
        "frozen": [name for name, parameter in named if not parameter.requires_grad],
        "gradients": bits({name: parameter.grad for name, parameter in named if id(parameter) not in moved}),
        "history": repr(columns),
        "ends": (history.steps, history.stopped_early, history.best_epoch, history.engine),
        "generators": bits([default_generator(), made.options.get("generator"), *generators]),
        "watched": bits(made.watched),
    }


def train(made: Made, **more: Any) -> dict[str, Any]:
    """To the end."""
    history = m.fit(made.optim, *made.data, progress=False, **{**made.options, **more})
    return left(made, history)


@contextmanager
def ended_at(step: int) -> Iterator[None]:
    """The training ends before it does more steps than so many, wherever that is in its slices."""
    with ExitStack() as stack:
        for kind in (NumpyStepper, Runner, ClosureRunner):
            original: Any = kind.run

            def run(self: Any, most: int, epochs: int, original: Any = original, **more: Any) -> Any:
                if self.steps >= step:
                    raise EndedError
                return original(self, min(most, step - self.steps), epochs, **more)

            stack.enter_context(patch.object(kind, "run", run))
        yield


@contextmanager
def ended_in_writing(number: int, *, after: bool) -> Iterator[None]:
    """The training ends right before or after its so many-th checkpoint takes its place."""
    original, count = files.replace_file, 0

    def replace(path: Any, content: bytes) -> None:
        nonlocal count
        count += 1
        if count == number and not after:
            raise EndedError
        original(path, content)
        if count == number and after:
            raise EndedError

    with patch.object(files, "replace_file", replace):
        yield


def resumed(make: Make, path: Path, ends: Iterable[Any], every: Any = 2, keep: int = 1) -> dict[str, Any]:
    """Ended by each of `ends` in turn, resumed by what is made anew, and at last let go to its end."""
    options = {"checkpoint": m.train.Checkpoint(path, every, keep), "resume": path}
    ended = 0
    for end in ends:
        try:
            with end:
                train(make(), **options)
        except EndedError:
            ended += 1
    assert ended, "no training was ended: the test shows nothing"
    return train(make(), **options)


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """The names of what is not the same."""
    return [name for name in wanted if found[name] != wanted[name]]
