"""A training under way as a checkpoint's tensors and description, and back."""

import inspect
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from types import NoneType
from typing import TYPE_CHECKING, Any

import numpy as np

from maillon.engine.orders import Shuffle
from maillon.engine.stepper import Place
from maillon.nn import Module
from maillon.optim import Optim
from maillon.random import Generator
from maillon.saving.files import FileError
from maillon.saving.networks import Builder, Describer, sketched
from maillon.saving.optims import describe_optim, restore_optim
from maillon.saving.saving import headed
from maillon.saving.values import Encoder, Tensors, generators_made, part, set_state, state_of
from maillon.train.batches import ArrayBatches
from maillon.train.callbacks import Callback
from maillon.train.checkpoint import data_hashes
from maillon.train.stepping import NumpyStepper

if TYPE_CHECKING:
    from maillon.train.training import Training

TRAINING = "maillon/training"
_ORDER = "maillon/order"


def identity(training: "Training") -> dict[str, Any]:
    """What must be the same for a training to go on: all but the number of epochs, and the values that change."""
    from maillon import __version__

    optim, batches = training.optim, training.batches
    describer = Describer()
    described = describe_optim(optim, describer, {})
    rule, groups = described["rule"], [group["options"] for group in described["rule"]["groups"]]
    arrays = batches if isinstance(batches, ArrayBatches) else None
    return {
        "version": __version__,
        "NumPy": np.__version__,
        "engine": training.stepper.engine,
        "network": described["network"]["link"],
        "dtype": str(optim.network.dtype),
        "frozen parameters": described["network"]["frozen"],
        "shared parameters": described["network"]["shared"],
        "loss": described["loss"]["link"],
        "rule": {"class": rule["class"], "config": groups[0] if len(groups) == 1 else groups},
        "parameters of the rule": [group["params"] for group in rule["groups"]],
        **described["options"],
        "way of giving data": "arrays" if arrays else "mini-batches",
        "batch_size": arrays.batch_size if arrays else None,
        "shuffle": _shuffle(arrays.shuffle) if arrays else None,
        "drop_last": arrays.drop_last if arrays else None,
        **data_hashes(arrays.data if arrays else None),
        **data_hashes(training.validation, "validation "),
        "metrics": list(training.metrics),
        "callbacks": [_callback(callback, describer) for callback in training.hooks.given],
        "schedule": training.scheduling.describe(),
        "schedule_by": "step" if training.scheduling.by_step else "epoch",
    }


def _shuffle(given: Shuffle) -> bool | str:
    """A function by its name."""
    return getattr(given, "__qualname__", type(given).__name__) if callable(given) else given


def _callback(callback: Any, describer: Describer) -> dict[str, Any]:
    """Its class, and the options of one of the library's."""
    if not isinstance(callback, Callback):
        return {"class": getattr(callback, "__qualname__", type(callback).__name__), "config": {}}
    ours = type(callback).__module__.startswith("maillon.")
    names = list(inspect.signature(type(callback)).parameters) if ours else []
    options = {name: getattr(callback, name, None) for name in names}
    plain = {key: value for key, value in options.items() if isinstance(value, str | int | float | None)}
    encoded = {key: describer.encode(value, key) for key, value in plain.items()}
    return {"class": type(callback).__name__, "config": encoded}


def captured(training: "Training", older: list[str]) -> tuple[Tensors, dict[str, Any]]:
    """The tensors and the description of a training between two steps."""
    training.stepper.show()
    tensors: Tensors = {}
    describer = Describer(tensors)
    optim = describe_optim(training.optim, describer, tensors)
    place = training.stepper.place
    if place.row and place.order is not None:
        tensors[_ORDER] = place.order
    now = time.perf_counter()
    state, batches = training.state, training.batches
    known = {
        "place": [place.loss, place.steps, place.batch, place.row, place.total, place.size],
        "stepper": training.stepper.engine,
        "whole": training.whole,
        "entered": training.entered,
        "lr": training.lr,
        "unvalidated": training.unvalidated,
        "seconds": [now - training.begun, now - training.epoch_begun],
        "state": [state.epoch, state.batch, state.step, state.loss, state.stopping],
        "history": training.history.state_dict(),
        "running": training.running.state_dict(),
        "schedule": training.scheduling.state_dict(),
        "callbacks": [dict(callback.state_dict()) for callback in training.hooks.listeners],
        "batches": None if isinstance(batches, ArrayBatches) else batches.state_dict(place.batch),
    }
    encode = Encoder(_no_module, tensors)
    encode.generators = _generators(training, describer)  # those of the states come after those of the links
    record = {
        "kind": "checkpoint",
        "optim": optim,
        "training": {name: encode(value, f"{TRAINING}/{name}") for name, value in known.items()},
        "identity": training.identity,
        "older": older,
        "generator": state_of(training.generator),
        "generators": [state_of(generator) for generator in encode.generators],
    }
    return tensors, headed(record)


def _generators(training: "Training", describer: Describer) -> list[Generator]:
    """Those that the description of the Optim points at, then those that links of the user's own hold beside."""
    for module in (*training.optim.network.modules(), *training.optim.loss.modules()):
        for value in vars(module).values():
            if isinstance(value, Generator):
                describer.encode.number(value)
    return describer.encode.generators


def _no_module(module: Module) -> Any:
    raise TypeError(
        f"save: the state of a callback or of mini-batches holds a link, {type(module).__name__}, whose values a file "
        "would not keep. Give its state_dict()."
    )


def restore(training: "Training", tensors: Tensors, description: Mapping[str, Any]) -> None:
    """Let a training that has begun go on where the checkpoint was written; after an error all is as it was."""
    before, record = captured(training, [])
    before = {name: np.array(array) for name, array in before.items()}
    try:
        _Restoring(training, tensors, description).run()
    except BaseException:
        undoing = _Restoring(training, before, record)
        undoing.undo = True
        undoing.run()
        raise


class _Restoring:
    """One training, to which what a checkpoint holds is given."""

    def __init__(self, training: "Training", tensors: Tensors, description: Mapping[str, Any]) -> None:
        self.training = training
        self.tensors = tensors
        self.description = description
        self.undo = False

    def run(self) -> None:
        training, description = self.training, self.description
        with _as_file_errors():
            describer = Describer()
            describe_optim(training.optim, describer, {})
            states = part(description, "generators", list)
            linked = _generators(training, describer)
            generators = linked + generators_made(states[len(linked) :])
            builder = Builder(describer.own, self.tensors, generators)
            known = _known(description, builder)
            record = part(description, "optim", dict)
            listeners = list(zip(training.hooks.listeners, known["callbacks"], strict=True))
        if not self.undo:
            self._require_begun(known)
        self._give_callbacks(listeners)
        with _as_file_errors():
            _give_options(training.optim, record, builder)
            training.scheduling.load_state_dict(known["schedule"])
            restore_optim(training.optim, record, builder, self.tensors)
            training.running.load_state_dict(known["running"])
            self._give_place(known)
        self._give_batches(known)
        with _as_file_errors():
            for generator, state in zip(generators, states, strict=True):
                set_state(generator, state)
            set_state(training.generator, part(description, "generator", list))

    def _require_begun(self, known: Mapping[str, Any]) -> None:
        """ValueError where fewer epochs are asked for than have begun."""
        begun = known["whole"] + (known["place"][3] > 0 or known["unvalidated"] is not None)
        if begun > self.training.epochs:
            raise ValueError(
                f"resume: epochs is {self.training.epochs}, and the checkpoint is of epoch {begun}. Ask for as many at "
                "least."
            )

    def _give_callbacks(self, listeners: list[tuple[Callback, dict[str, Any]]]) -> None:
        for callback, state in listeners:
            if not state:
                continue
            ours = type(callback).__module__.startswith("maillon.")
            with suppress(Exception) if self.undo else _as_file_errors() if ours else nullcontext():
                callback.load_state_dict(state)

    def _give_batches(self, known: dict[str, Any]) -> None:
        batches = self.training.batches
        if not isinstance(batches, ArrayBatches) and not self.undo:
            _, _, batch, row, _, _ = known["place"]
            batches.load_state_dict(known["batches"], batch, between=not row)
            self.training.stepper.go_to(_place(known, self.tensors))

    def _give_place(self, known: dict[str, Any]) -> None:
        training, state, history = self.training, self.training.state, self.training.history
        fell_back = known["stepper"] == "numpy" and self.description["identity"]["engine"] != "numpy"
        if fell_back and training.stepper.engine != "numpy":
            training.stepper = NumpyStepper(training.optim, training.batches, training.interrupt)
        if isinstance(training.batches, ArrayBatches):
            training.stepper.go_to(_place(known, self.tensors))
        engine = history.engine
        history.load_state_dict(known["history"])
        if engine not in history.engine:
            history.engine = "native, numpy"
        state.epoch, state.batch, state.step, state.loss, state.stopping = known["state"]
        training.whole, training.entered, training.lr = known["whole"], known["entered"], known["lr"]
        training.unvalidated = known["unvalidated"]
        spent, in_epoch = known["seconds"]
        now = time.perf_counter()
        training.begun, training.epoch_begun = now - spent, now - in_epoch


@contextmanager
def _as_file_errors() -> Iterator[None]:
    """The training is the same, so what does not fit here has been changed in the file."""
    try:
        yield
    except FileError:
        raise
    except Exception as error:
        raise FileError(f"its description of the training does not fit ({error})") from error


_KNOWN: dict[str, type | tuple[type, ...]] = {
    "place": list,
    "stepper": str,
    "whole": int,
    "entered": bool,
    "lr": float,
    "unvalidated": (list, NoneType),
    "seconds": list,
    "state": list,
    "history": dict,
    "running": dict,
    "schedule": (dict, NoneType),
    "callbacks": list,
    "batches": (dict, NoneType),
}


def _known(description: Mapping[str, Any], builder: Builder) -> dict[str, Any]:
    encoded = part(description, "training", dict)
    known = {name: builder.decode(encoded.get(name)) for name in _KNOWN}
    wrong = [name for name, kind in _KNOWN.items() if name not in encoded or not isinstance(known[name], kind)]
    if wrong or not all(isinstance(state, dict) for state in known["callbacks"]):
        raise FileError(f"its description of the training has no {[*wrong, 'callbacks'][0]!r} as it should")
    loss, steps, batch, row, total, size = known["place"]
    epoch, in_epoch, step, _, stopping = known["state"]
    ended, of, rates = known["unvalidated"] or (0.0, 0.0, [])
    counts = all(type(n) is int and n >= 0 for n in (steps, batch, row, known["whole"], epoch, in_epoch, step))
    if (
        not counts
        or not isinstance(stopping, bool)
        or not all(isinstance(n, float | np.floating) for n in (loss, total, size, ended, of, *rates))
    ):
        raise FileError("its place in the training is none")
    return known


def _place(known: dict[str, Any], tensors: Tensors) -> Place:
    loss, steps, batch, row, total, size = known["place"]
    return Place(loss, steps, batch, tensors.get(_ORDER), row, total, size)


def _give_options(optim: Optim, record: Mapping[str, Any], builder: Builder) -> None:
    """Options of links and of the loss that a callback has changed in the course of the training."""
    kind, made = type(optim.rule).__name__, record["rule"]["class"]
    if kind != made:
        raise FileError(f"a callback has put {made} in the place of {kind}, which is not done again")
    for module, described in ((optim.network, record["network"]["link"]), (optim.loss, record["loss"]["link"])):
        if Describer().module(module) == described:
            continue
        with suppress(FileError, ValueError):  # other links, or others in number
            _give_options_of(module, described, builder)
        if Describer().module(module) != described:
            raise FileError(
                f"a callback has replaced links of {type(module).__name__}, which is not done again. load() gives the "
                "Optim as it was"
            )


def _give_options_of(module: Module, described: Any, builder: Builder) -> None:
    with sketched(None, []):
        wanted = builder.module(described)
    for (_, own), (_, other) in zip(module.named_modules(), wanted.named_modules(), strict=True):
        present = own.get_config()
        for name, value in other.get_config().items():
            if isinstance(value, str | int | float | tuple | None) and present.get(name, value) != value:
                setattr(own, name, value)
