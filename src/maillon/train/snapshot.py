"""A training under way as a checkpoint's tensors and description, and back."""

import os
import time
from typing import TYPE_CHECKING, Any

from maillon.engine.stepper import Place
from maillon.saving.files import FileError
from maillon.saving.networks import Builder, Describer
from maillon.saving.optims import describe_optim, restore_optim
from maillon.saving.saving import headed
from maillon.saving.values import Decoder, Tensors, part, set_state, state_of
from maillon.train.batches import ArrayBatches
from maillon.train.callbacks import Callback
from maillon.train.checkpoint import data_hash, require_same
from maillon.train.stepping import NumpyStepper

if TYPE_CHECKING:
    from maillon.train.training import Training

TRAINING = "maillon/training"
_UNPLACED = "maillon/order"


def identity(training: "Training") -> dict[str, Any]:
    """What must be the same for a training to go on: all but the number of epochs, and the values that change."""
    from maillon import __version__

    optim, batches = training.optim, training.batches
    describer = Describer()
    described = describe_optim(optim, describer, {})
    rule = described["rule"]
    arrays = isinstance(batches, ArrayBatches)
    return {
        "version": __version__,
        "engine": training.stepper.engine,
        "network": described["network"]["link"],
        "frozen parameters": described["network"]["frozen"],
        "shared parameters": described["network"]["shared"],
        "loss": described["loss"]["link"],
        "rule": rule["class"],
        "options of the rule": [rule["config"], rule["groups"]],
        "options of the Optim": described["options"],
        "batch_size": batches.batch_size if isinstance(batches, ArrayBatches) else None,
        "shuffle": batches.shuffle if isinstance(batches, ArrayBatches) else None,
        "drop_last": batches.drop_last if isinstance(batches, ArrayBatches) else None,
        "data": data_hash(batches.data) if isinstance(batches, ArrayBatches) else None,
        "way of giving data": "arrays" if arrays else "mini-batches",
        "validation data": data_hash(training.validation),
        "metrics": list(training.metrics),
        "callbacks": [_callback(callback) for callback in training.hooks.given],
        "schedule": training.scheduling.describe(),
    }


def _callback(callback: Any) -> list[Any]:
    """Its class and options."""
    if not isinstance(callback, Callback):
        return [getattr(callback, "__qualname__", type(callback).__name__)]
    options = {name: value for name, value in vars(callback).items() if not name.startswith("_")}
    plain = {name: value for name, value in options.items() if isinstance(value, str | int | float | None)}
    ours = type(callback).__module__.startswith("maillon.") and type(callback).__name__ == "EarlyStopping"
    return [type(callback).__name__, plain if ours else {}]


def captured(training: "Training", older: list[str]) -> tuple[Tensors, dict[str, Any]]:
    """The tensors and the description of a training between two steps."""
    training.stepper.show()
    tensors: Tensors = {}
    describer = Describer(tensors)
    optim = describe_optim(training.optim, describer, tensors)
    place = training.stepper.place
    if place.row and place.order is not None:
        tensors[_UNPLACED] = place.order
    now = time.perf_counter()
    state = training.state
    known = {
        "place": [place.loss, place.steps, place.batch, place.row, place.total, place.size],
        "stepper": training.stepper.engine,
        "whole": training.whole,
        "lr": training.lr,
        "seconds": [now - training.begun, now - training.epoch_begun],
        "state": [state.epoch, state.batch, state.step, state.loss, state.stopping],
        "history": training.history.state_dict(),
        "running": training.running.state_dict(),
        "schedule": training.scheduling.state_dict(),
        "callbacks": [callback.state_dict() for callback in training.hooks.listeners],
        "batches": training.batches.state_dict() if not isinstance(training.batches, ArrayBatches) else None,
    }
    record = {
        "kind": "checkpoint",
        "optim": optim,
        "training": describer.encode(known, TRAINING),
        "identity": training.identity,
        "older": older,
        "generator": state_of(training.generator),
        "generators": describer.generators,
    }
    return tensors, headed(record)


def restore(
    training: "Training", path: str | os.PathLike[str], tensors: Tensors, description: Any, *, exact: bool
) -> None:
    """Let a training that has begun go on where the checkpoint was written."""
    require_same(path, training.identity, part(description, "identity", dict), exact=exact)
    describer = Describer()
    describe_optim(training.optim, describer, {})
    generators, states = describer.encode.generators, part(description, "generators", list)
    if len(generators) != len(states):
        raise FileError("it has other generators")
    builder = Builder({}, tensors, generators)
    known = _known(description, builder.decode)
    training.scheduling.load_state_dict(known["schedule"])
    restore_optim(training.optim, part(description, "optim", dict), builder, tensors)
    for callback, state in zip(training.hooks.listeners, known["callbacks"], strict=True):
        if state:
            callback.load_state_dict(state)
    training.running.load_state_dict(known["running"])
    if known["batches"] is not None and not isinstance(training.batches, ArrayBatches):
        training.batches.load_state_dict(known["batches"])
    for generator, state in zip(generators, states, strict=True):
        set_state(generator, state)
    set_state(training.generator, part(description, "generator", list))
    _restore_place(training, known, tensors)


def _known(description: Any, decode: Decoder) -> dict[str, Any]:
    known = decode(part(description, "training", dict))
    wanted = {
        "place",
        "stepper",
        "whole",
        "lr",
        "seconds",
        "state",
        "history",
        "running",
        "schedule",
        "callbacks",
        "batches",
    }
    if not isinstance(known, dict) or known.keys() != wanted:
        raise FileError("its description of the training is none")
    return known


def _restore_place(training: "Training", known: dict[str, Any], tensors: Tensors) -> None:
    loss, steps, batch, row, total, size = known["place"]
    place = Place(loss, steps, batch, tensors.get(_UNPLACED), row, total, size)
    if known["stepper"] == "numpy" and training.stepper.engine != "numpy":
        training.stepper = NumpyStepper(training.optim, training.batches, training.interrupt)
    training.stepper.go_to(place)
    engine = training.history.engine
    training.history.load_state_dict(known["history"])
    training.history.engine = training.history.engine if known["stepper"] == "numpy" else engine
    state = training.state
    state.epoch, state.batch, state.step, state.loss, state.stopping = known["state"]
    training.whole, training.lr = known["whole"], known["lr"]
    spent, in_epoch = known["seconds"]
    now = time.perf_counter()
    training.begun, training.epoch_begun = now - spent, now - in_epoch
