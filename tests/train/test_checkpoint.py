"""Checkpoints as files: when they are written, which are there, what is said of those that cannot be gone on from."""

import errno
import json
import random
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from resuming import EndedError, Made, differences, ended_at, left, resumed, train

import maillon as m
from maillon.data import batches
from maillon.optim.lr_scheduler import StepLR
from maillon.saving import FileError, files as saving_files
from maillon.saving.files import read_tensors, write_tensors
from maillon.train import (
    Callback,
    Checkpoint,
    EarlyStopping,
    ExponentialMovingAverage,
    NoStateWarning,
    State,
    checkpoint,
    progress,
)

NUMBERS = np.random.default_rng(3)
X = NUMBERS.normal(size=(23, 4))
Y = X[:, :2] * 2
EPOCHS = 4  # of 5 steps


def made(**options: Any) -> Made:
    m.manual_seed(1)
    network = m.Sequential(m.Linear(4, 6), m.Tanh(), m.Dropout(0.2), m.Linear(6, 2))
    optim = m.Optim(network, m.MSELoss(), m.SGD(lr=0.1, momentum=0.9))
    return Made(optim, (X, Y), {"batch_size": 5, "epochs": EPOCHS, **options})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.safetensors"


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def step_of(path: Path) -> int:
    """The step after which a checkpoint was written."""
    (step,) = [dict(read_tensors(path)[1]["training"])["place"][1]]
    return int(step)


# When, and which


def test_its_repr_makes_another() -> None:
    for kept in (Checkpoint("a", 3, 2), Checkpoint(Path("a")), Checkpoint("a", timedelta(seconds=5))):
        import datetime

        again = eval(repr(kept), {"Checkpoint": Checkpoint, "datetime": datetime})
        assert repr(again) == repr(kept)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"path": 3}, TypeError, "Checkpoint: expected path to be a file's name, got int."),
        (
            {"every": "step"},
            ValueError,
            "Checkpoint: expected every to be 'epoch', a number of steps ≥ 1 or a timedelta, got 'step'.",
        ),
        (
            {"every": True},
            ValueError,
            "Checkpoint: expected every to be 'epoch', a number of steps ≥ 1 or a timedelta, got True.",
        ),
        (
            {"every": 0},
            ValueError,
            "Checkpoint: expected every to be 'epoch', a number of steps ≥ 1 or a timedelta, got 0.",
        ),
        (
            {"every": timedelta(0)},
            ValueError,
            "Checkpoint: expected every to be a time > 0, got datetime.timedelta(0).",
        ),
        ({"keep": 0}, ValueError, "Checkpoint: expected keep to be an integer ≥ 1, got 0."),
    ],
)
def test_what_it_refuses(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        Checkpoint(**{"path": "run.safetensors", **given})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("every", "steps"),
    [
        ("epoch", [5, 10, 15, 20]),
        (3, [3, 6, 9, 12, 15, 18, 20]),
        (np.int64(10), [10, 20]),
        (1000, [20]),
        (timedelta(hours=1), [20]),
    ],
)
def test_when_it_is_written(every: Any, steps: list[int], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def replace(file: Any, content: bytes) -> None:
        original(file, content)
        if Path(file) == path:
            written.append(step_of(path))

    original = saving_files.replace_file
    monkeypatch.setattr(saving_files, "replace_file", replace)
    train(made(), checkpoint=Checkpoint(path, every))
    assert written == steps


def test_a_time_is_that_between_two(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, written = [0.0], []

    def tick(_state: State) -> None:
        now[0] += 1.0

    original = saving_files.replace_file
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(
        saving_files,
        "replace_file",
        lambda *given: (original(*given), given[0] == path and written.append(step_of(path))),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(
            made(callbacks=[type("Tick", (Callback,), {"on_step_end": staticmethod(tick)})()]),
            checkpoint=Checkpoint(path, timedelta(seconds=8)),
        )
    assert written == [8, 16, 20]


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_which_files_are_there_at_any_time(keep: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of others stay; while one is written there is one more than are kept at most."""
    for other in ("run-5.txt", "run-x.safetensors", "run-7.safetensors", "other.safetensors"):
        (path.parent / other).write_bytes(b"mine")
    others, seen = set(files(path)), []
    original = saving_files.replace_file

    def replace(file: Any, content: bytes) -> None:
        if Path(file) == path:
            seen.append(sorted(set(files(path)) - others))
        original(file, content)

    monkeypatch.setattr(saving_files, "replace_file", replace)
    train(made(), checkpoint=Checkpoint(path, "epoch", keep))
    seen.append(sorted(set(files(path)) - others))
    final = [path.name, *(f"run-{old}.safetensors" for old in (15, 10)[: keep - 1])]
    assert seen[-1] == sorted(final)
    assert max(map(len, seen)) == (keep + 1 if keep > 1 else 1)
    assert seen[0] == []
    assert {step_of(path.parent / name) for name in seen[-1]} == set(range(20, 20 - 5 * keep, -5))
    assert {(path.parent / other).read_bytes() for other in others} == {b"mine"}


def test_the_ones_of_a_training_before_the_resume_go_too(path: Path) -> None:
    ends = [ended_at(6), ended_at(11), ended_at(17)]
    wanted = train(made())
    assert differences(resumed(made, path, ends, every=2, keep=3), wanted) == []
    assert files(path) == ["run-16.safetensors", "run-18.safetensors", "run.safetensors"]
    assert [step_of(path.parent / name) for name in files(path)] == [16, 18, 20]


def test_names_in_a_file_remove_nothing_else(path: Path) -> None:
    """What a changed file says was written by the training is not to be trusted."""
    with pytest.raises(EndedError), ended_at(11):
        train(made(), checkpoint=Checkpoint(path, 5, keep=2))
    tensors, description = read_tensors(path)
    victims = ["../victim", "victim", "run-.safetensors", "run-5.safetensors/../victim", 3, None]
    description["older"] = [*victims, *description["older"]]
    write_tensors(path, tensors, description)
    for name in ("victim", "run-.safetensors"):
        (path.parent / name).write_bytes(b"mine")
    train(made(), checkpoint=Checkpoint(path, 5, keep=2), resume=path)
    assert files(path) == [
        "run--.safetensors"[:0] + "run-.safetensors",
        "run-15.safetensors",
        "run.safetensors",
        "victim",
    ]


def test_a_file_of_another_kind_in_the_place_of_an_older_one(path: Path) -> None:
    other = path.parent / "run-5.safetensors"
    m.save(m.Linear(1, 1), other)
    content = other.read_bytes()
    with pytest.raises(FileExistsError) as caught:
        train(made(), checkpoint=Checkpoint(path, "epoch", keep=2))
    assert str(caught.value) == (
        f"checkpoint: {str(other)!r}, where an older one would be kept, is there and is none. Give Checkpoint another "
        "path."
    )
    assert other.read_bytes() == content
    assert step_of(path) == 5


def test_load_gives_the_optim(path: Path) -> None:
    one = made()
    train(one, checkpoint=Checkpoint(path))
    optim = m.load(path)
    assert repr(optim) == repr(one.optim)
    x = np.ones((1, 4))
    np.testing.assert_array_equal(m.predict(optim.network, x), m.predict(one.optim.network, x))
    again = Made(optim, (X, Y), one.options)
    m.manual_seed(5)
    found = train(again)
    m.manual_seed(5)
    assert differences(found, train(one)) == []


# Where nothing can be written


def never(_state: State) -> None:
    raise AssertionError("a step was done")


class Silent(Callback):
    """It says that it has no state."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        raise AssertionError("there is none")


class Steps(Silent):
    on_step_end = staticmethod(never)


def refused(error: type[Exception], one: Made | None = None, **options: Any) -> str:
    """What is said before the first step, with nothing changed."""
    one = one or made(callbacks=Steps())
    before = left(one, m.History(["loss", "seconds"]))
    with pytest.raises(error) as caught:
        train(one, **options)
    assert left(one, m.History(["loss", "seconds"])) == before
    return str(caught.value)


def test_a_path_that_cannot_be_written_is_told_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "none" / "run.safetensors"
    said = refused(FileNotFoundError, checkpoint=Checkpoint(missing))
    assert said == f"save: there is no folder {str(missing.parent)!r}. Make it first."
    said = refused(IsADirectoryError, checkpoint=Checkpoint(tmp_path))
    assert said == f"save: expected the name of a file, got the folder {str(tmp_path)!r}."

    def read_only(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "anything")

    monkeypatch.setattr(Path, "touch", read_only)
    path = tmp_path / "run.safetensors"
    said = refused(PermissionError, checkpoint=Checkpoint(path))
    assert said == f"[Errno 13] checkpoint: {str(path)!r} cannot be written: Permission denied."
    assert files(path) == []
    monkeypatch.undo()
    path.write_bytes(b"mine")
    monkeypatch.setattr(checkpoint.os, "access", lambda file, mode: file != path)  # root may write whatever it is
    said = refused(PermissionError, checkpoint=Checkpoint(path))
    assert said == f"[Errno 13] checkpoint: {str(path)!r} cannot be written: Permission denied."
    assert path.read_bytes() == b"mine"


def test_a_full_disk_in_the_middle(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training ends with the error; the file before is whole, the network and the history are to be had."""
    original = saving_files.replace_file

    def full(file: Any, content: bytes) -> None:
        if Path(file) == path and path.exists() and step_of(path) == 10:
            raise OSError(errno.ENOSPC, f"save: {str(path)!r} could not be written: No space left on device.")
        original(file, content)

    monkeypatch.setattr(saving_files, "replace_file", full)
    one = made()
    with pytest.raises(OSError, match="could not be written: No space left on device") as caught:
        train(one, checkpoint=Checkpoint(path, "epoch"))
    assert len(caught.value.history) == 3  # type: ignore[attr-defined]
    assert caught.value.__notes__ == [
        "The training ended here, after 15 steps: the network is as they left it, and this error's `history` has its "
        "epochs. From the last checkpoint that was written, fit(…, resume=…) goes on."
    ]
    assert differences(left(one, m.History(["loss", "seconds"])), train(made(epochs=3))) == ["history", "ends"]
    assert files(path) == [path.name]
    monkeypatch.setattr(saving_files, "replace_file", original)
    assert differences(train(made(), resume=path), train(made())) == []


def test_without_hard_links_older_ones_are_copied(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(checkpoint.os, "link", none)
    train(made(), checkpoint=Checkpoint(path, "epoch", 2))
    assert [step_of(path.parent / name) for name in files(path)] == [15, 20]


def test_what_a_callback_keeps_must_fit_into_a_file(path: Path) -> None:
    class Odd(Steps):
        def state_dict(self) -> dict[str, Any]:
            return {"when": self}

    said = refused(TypeError, made(callbacks=Odd()), checkpoint=Checkpoint(path))
    assert said.startswith("save: maillon/training/callbacks.0.when is a Odd, which a file cannot hold. ")

    class Holds(Steps):
        def state_dict(self) -> dict[str, Any]:
            return {"best": m.Linear(1, 1, generator=m.Generator(1))}

    assert refused(TypeError, made(callbacks=Holds()), checkpoint=Checkpoint(path)) == (
        "save: the state of a callback or of mini-batches holds a link, Linear, whose values a file would not keep. "
        "Give its state_dict()."
    )

    class Half(Callback):
        def state_dict(self) -> dict[str, Any]:
            return {}

    assert refused(TypeError, made(callbacks=Half()), checkpoint=Checkpoint(path)) == (
        f"fit: the callback {Half.__name__} has state_dict() and no load_state_dict(). Give it both."
    )
    assert files(path) == []


def test_callbacks_without_a_state_are_named_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maillon.train.training._told", set())

    class Counts(Callback):
        pass

    def log(state: State) -> None:
        pass

    def callbacks() -> list[Any]:
        return [log, Counts(), log, Steps(), EarlyStopping("loss")]

    one = made()
    one.options["callbacks"] = [c for c in callbacks() if not isinstance(c, Steps)]
    one.options["callbacks"].append(ExponentialMovingAverage(one.optim.network))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        train(made(callbacks=[log]))  # without a checkpoint nothing is lost
        train(one, checkpoint=Checkpoint(path))
        train(made(callbacks=[log]), checkpoint=Checkpoint(path))
    ours = [each for each in told if issubclass(each.category, NoStateWarning)]
    here = "test_callbacks_without_a_state_are_named_once.<locals>"
    assert [str(each.message) for each in ours] == [
        f"fit: a checkpoint keeps nothing of the callbacks {here}.log, Counts, which have no state_dict(). What they "
        "have counted or noted begins anew when the training goes on. Give them state_dict() and load_state_dict(), or "
        "a state_dict() that returns {} if there is nothing."
    ]
    assert Path(ours[0].filename).name == "resuming.py"


# Files that cannot be gone on from


@pytest.fixture
def ended(path: Path) -> Path:
    """A checkpoint of `made()`, in the middle of an epoch."""
    with pytest.raises(EndedError), ended_at(7):
        train(made(callbacks=Silent()), checkpoint=Checkpoint(path, 1))
    return path


def with_rule(rule: Any) -> Made:
    one = made()
    return Made(m.Optim(one.optim.network, one.optim.loss, rule), one.data, one.options)


def with_network(*links: m.Module, loss: m.Loss | None = None, dtype: str = "float32") -> Made:
    one = made()
    network = m.Sequential(*links).to(dtype) if links else one.optim.network.to(dtype)
    return Made(m.Optim(network, loss or one.optim.loss, m.SGD(lr=0.1, momentum=0.9)), one.data, one.options)


def frozen() -> Made:
    one = made()
    one.optim.network[0].bias.requires_grad = False
    return one


def clipped() -> Made:
    one = made()
    one.optim.clip_grad_norm = 1.0
    return one


def with_data(x: Any, y: Any, **options: Any) -> Made:
    one = made(**options)
    return Made(one.optim, (x, y), one.options)


def given() -> Made:
    one = made()
    del one.options["batch_size"]
    return Made(one.optim, (list(batches(X, Y, batch_size=5)),), one.options)


def wider() -> Made:
    return with_network(m.Linear(4, 7), m.Tanh(), m.Dropout(0.2), m.Linear(7, 2))


OTHERS: list[tuple[Callable[[], Made], str]] = [
    (lambda: with_data(X + 1, Y), "x is other data"),
    (lambda: with_data(X[:-1], Y[:-1]), "x is other data; y is other data"),
    (lambda: with_data(X, Y.astype(np.float32) * 0), "y is other data"),
    (lambda: made(sample_weight=np.ones(23)), "there was no sample or class weight"),
    (lambda: made(validation_data=(X, Y)), "there was no validation x; there was no validation y"),
    (lambda: made(batch_size=6, shuffle=False), "batch_size was 5, and is 6; shuffle was True, and is False"),
    (lambda: made(drop_last=True), "drop_last was False, and is True"),
    (lambda: made(metrics="r2"), "metrics was [], and is ['r2']"),
    (
        lambda: made(schedule=StepLR(step_size=2)),
        "schedule was None, and is 'StepLR(step_size=2, gamma=0.1, last_epoch=-1)'",
    ),
    (lambda: with_rule(m.SGD(lr=0.2, momentum=0.9)), "rule.lr was 0.1, and is 0.2"),
    (lambda: with_rule(m.Adam()), "rule was SGD(…), and is Adam(…)"),
    (lambda: with_network(loss=m.L1Loss()), "loss was MSELoss(reduction='mean'), and is L1Loss(reduction='mean')"),
    (lambda: with_network(loss=m.MSELoss(reduction="sum")), "loss.reduction was 'mean', and is 'sum'"),
    (
        wider,
        "network.links.0.out_features was 6, and is 7; network.links.3.in_features was 6, and is 7",
    ),
    (
        lambda: with_network(m.Linear(4, 6), m.ReLU(), m.Dropout(0.5), m.Linear(6, 2)),
        "network.links.1 was Tanh(), and is ReLU(); network.links.2.p was 0.2, and is 0.5",
    ),
    (
        lambda: with_network(m.Linear(4, 2)),
        "network.links is not the same; parameters of the rule was [['0.weight', '0.bias', '3.weight', '3.bias']], and "
        "is [['0.weight', '0.bias']]",
    ),
    (frozen, "frozen parameters was [], and is ['0.bias']"),
    (clipped, "clip_grad_norm was None, and is 1.0"),
    (
        lambda: made(callbacks=EarlyStopping("loss")),
        "callbacks.0 was Silent(), and is EarlyStopping(…)",
    ),
]


@pytest.mark.parametrize(("make", "told"), OTHERS, ids=[told for _, told in OTHERS])
def test_another_training_is_refused_naming_what_differs(make: Callable[[], Made], told: str, ended: Path) -> None:
    one = make()
    one.options.setdefault("callbacks", Silent())
    said = refused(ValueError, one, resume=ended)
    assert said == (
        f"resume: {str(ended)!r} is of another training: {told}. Call fit as that training was called, or begin "
        "anew in another file."
    )


def test_another_dtype_and_another_way_of_giving_data(ended: Path) -> None:
    """More differs then than one thing."""
    one = with_network(dtype="float64")
    one.options["callbacks"] = Silent()
    assert ": network.links.0.dtype was 'float32', and is 'float64'; " in refused(ValueError, one, resume=ended)
    one = given()
    one.options["callbacks"] = Silent()
    said = refused(ValueError, one, resume=ended)
    assert "; way of giving data was 'arrays', and is 'mini-batches'; " in said or "way of giving data" in said


def test_options_of_early_stopping_and_fewer_epochs(path: Path) -> None:
    train(made(callbacks=EarlyStopping("loss", patience=3)), checkpoint=Checkpoint(path))
    said = refused(ValueError, made(callbacks=EarlyStopping("loss", patience=4)), resume=path)
    assert ": callbacks.0.patience was 3, and is 4. " in said
    said = refused(ValueError, made(callbacks=EarlyStopping("loss", patience=3), epochs=3), resume=path)
    assert said == "resume: epochs is 3, and the checkpoint is of epoch 4. Ask for as many at least."


def test_files_of_other_kinds(path: Path) -> None:
    tail = "load() reads it, and fit goes on with what that gives."
    m.save({"a": np.ones(3)}, path)
    head = f"resume: expected a checkpoint of fit in {str(path)!r}, got "
    assert refused(FileError, resume=path) == f"{head}plain tensors. {tail}"
    m.save(m.Linear(1, 1), path)
    assert refused(FileError, resume=path) == f"{head}a saved network. {tail}"
    m.save(made().optim, path)
    assert refused(FileError, resume=path) == f"{head}a saved optim. {tail}"
    path.write_bytes(b"nothing of the kind")
    assert refused(FileError, resume=path).startswith(f"load: {str(path)!r} is not a whole safetensors file (")
    assert (
        refused(IsADirectoryError, resume=path.parent) == f"load: expected a file, got the folder {str(path.parent)!r}."
    )
    said = refused(TypeError, resume=Checkpoint("a"))
    assert (
        said == "fit: expected resume to be a file's name, got Checkpoint('a', every='epoch', keep=1). Give its path."
    )


def test_a_newer_format(ended: Path) -> None:
    tensors, description = read_tensors(ended)
    write_tensors(ended, tensors, description | {"format": 99, "version": "7.1"})
    assert refused(FileError, resume=ended) == (
        f"resume: {str(ended)!r}: it has format 99, written by maillon 7.1; this version reads up to 1. Update."
    )


def test_another_version_or_engine_takes_a_word(ended: Path, engine: str) -> None:
    """And then it goes on, from the same place; what was begun in NumPy is the core's to go on with, and back."""
    tensors, description = read_tensors(ended)
    other = {"numpy": "native", "native": "numpy"}[engine]
    identity = description["identity"] | {"version": "0.0.9", "engine": other, "NumPy": "2.0", "an option of theirs": 3}
    history = [[key, other if key == "engine" else value] for key, value in description["training"]["history"]["dict"]]
    known = description["training"] | {"stepper": other, "history": {"dict": history}}
    write_tensors(ended, tensors, description | {"identity": identity, "training": known})
    said = refused(ValueError, made(callbacks=Silent()), resume=ended)
    assert said == (
        f"resume: {str(ended)!r} is of another training: version was '0.0.9', and is {m.__version__!r}; NumPy was "
        f"'2.0', and is {np.__version__!r}; engine was {other!r}, and is {engine!r}. The bits may differ then: pass "
        "resume_exact=False to go on all the same."
    )
    one = made(callbacks=Silent())
    found = train(one, resume=ended, resume_exact=False)
    wanted = train(made(callbacks=Silent()))
    assert found["ends"] == (20, False, wanted["ends"][2], "native, numpy")
    assert found["network"] == wanted["network"]
    one = made(callbacks=Silent(), batch_size=6)
    said = refused(ValueError, one, resume=ended, resume_exact=False)
    assert ": batch_size was 5, and is 6. Call" in said


STRICT = "Give strict=False to load what fits by name"


def test_a_damaged_tensor_and_a_missing_one(ended: Path) -> None:
    tensors, description = read_tensors(ended)
    write_tensors(ended, {name: array for name, array in tensors.items() if name != "0.bias"}, description)
    said = refused(FileError, made(callbacks=Silent()), resume=ended)
    head = f"resume: {str(ended)!r}: its description of the training "
    assert said == f"{head}does not fit (Sequential.load_state_dict: missing ['0.bias']. {STRICT}.)."
    del description["training"]["history"]
    write_tensors(ended, tensors, description)
    said = refused(FileError, made(callbacks=Silent()), resume=ended)
    assert said == f"{head}has no 'history' as it should."


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every entry of a description."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [found for key in keys for found in [(*path, key), *places(value[key], (*path, key))]]


def test_whatever_is_changed_in_a_file_nothing_is_half_done(path: Path) -> None:
    """300 random changes of the description: an error of ours and all as it was, or a training that would go on."""

    def stopping() -> Made:
        one = made(callbacks=[EarlyStopping("loss", patience=1), Silent()], metrics=["mse", "r2"])
        one.options["schedule"] = StepLR(step_size=2)
        one.optim.accumulate = 2
        return one

    with pytest.raises(EndedError), ended_at(7):
        train(stopping(), checkpoint=Checkpoint(path, 1))
    tensors, description = read_tensors(path)
    dice, refusals = random.Random(4), 0
    values: list[Any] = [None, True, -1, 0, 3, 2**70, 0.5, "", "w", [], [1], {}]
    values += [{"float": "nan"}, {"dict": []}, {"tensor": "0.bias"}]
    listed = [place for place in places(description) if place[0] in ("training", "optim", "generators", "older")]
    one = stopping()
    before = left(one, m.History(["loss", "seconds"]))
    for _ in range(300):
        changed = json.loads(json.dumps(description))
        place = dice.choice(listed)
        holder = changed
        for key in place[:-1]:
            holder = holder[key]
        if dice.random() < 0.3:
            del holder[place[-1]]
        else:
            holder[place[-1]] = dice.choice(values)
        write_tensors(path, tensors, changed)
        try:
            with ended_at(0):
                train(one, resume=path)
        except EndedError:
            one = stopping()  # it would have gone on
        except ValueError as error:
            refusals += 1
            assert str(error).startswith("resume: "), place
            assert left(one, m.History(["loss", "seconds"])) == before, place
        else:
            one = stopping()
    assert refusals > 150


# What goes on with it


def test_the_seconds_add_up(ended: Path) -> None:
    tensors, description = read_tensors(ended)
    known = description["training"] | {"seconds": [1000.0, 100.0]}
    write_tensors(ended, tensors, description | {"training": known})
    one = made(callbacks=Silent())
    history = m.fit(one.optim, *one.data, **one.options, resume=ended, progress=False)
    assert 1000 < history.seconds < 1060
    assert 100 < history["seconds"][1] < 160
    assert max(history["seconds"][2:]) < 60


def test_the_bar_goes_on_from_the_place(ended: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    original = progress.Bar.show
    monkeypatch.setattr(progress.Bar, "show", lambda bar, *given: (shown.append(given[:2]), original(bar, *given)))
    one = made(callbacks=Silent())
    m.fit(one.optim, *one.data, **one.options, resume=ended, progress=True)
    assert shown[-1] == (4, 20)
    assert all(epoch == max(1, -(-done // 5)) and done > 7 for epoch, done in shown)


def test_the_time_left_is_judged_by_what_was_done_since() -> None:
    bar = progress.Bar(4, 5, begun=15)
    assert (bar._drawn._tqdm.n, bar._drawn._tqdm.initial, bar._drawn._tqdm.total) == (15, 15, 20)
    bar.close()
    bar = progress.Bar(4, None, begun=10)
    bar.epoch_end(3, 15, {})
    assert bar._drawn._tqdm.total == 20
    bar.close()
    text = progress._bundle(15, 20, "epoch 4/4", {}, 10.0, 10)["text/plain"]
    assert text == "epoch 4/4, 75%, 15 of 20 steps, 10 s, 10 s left"
