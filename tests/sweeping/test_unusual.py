"""What a sweep meets besides plain networks, settings and endings."""

import copy
import pickle
import sys
import time
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.random import Generator, using
from maillon.sweeping.sweep import sweep
from tests.sweeping.conftest import Data
from tests.sweeping.networks import classifier
from tests.sweeping.test_sweep import alone, state


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """On one thread each training uses the plans of the one before wherever it may."""
    with m.engine.processor.using_num_threads(1):
        yield


def shrink(state: m.train.State) -> None:
    for parameter in state.network.parameters():
        parameter.data *= 0.5


@pytest.mark.parametrize("callbacks", [(shrink,), [shrink], shrink, (each for each in [shrink])])
def test_callbacks_as_any_iterable(classes: Data, callbacks: Any) -> None:
    """In a tuple and without validation they were once left out of all trainings but the first."""
    result = sweep(classifier, {"width": [3, 4, 3]}, *classes, loss=m.CrossEntropyLoss(), epochs=2, callbacks=callbacks)
    for trial in result:
        network, _ = alone(trial, *classes, 2, callbacks=shrink)
        assert state(network) == state(trial.network)


def test_class_weights_are_each_trainings_own(classes: Data) -> None:
    space = {"class_weight": [(1.0, 1.0, 1.0), (5.0, 1.0, 1.0), None], "seed": [3]}
    result = sweep(classifier, space, *classes, loss=m.CrossEntropyLoss(), epochs=2)
    for trial in result:
        del trial.settings["seed"]
        network, _ = alone(trial, *classes, 2)
        assert state(network) == state(trial.network)


def test_networks_of_other_inputs_share_a_sweep() -> None:
    """Integers are indices for one network, and numbers for the other."""
    x, y = np.random.default_rng(0).integers(5, size=(40, 3)), np.arange(40) % 2

    def build(words: bool) -> m.Sequential:
        first = [m.Embedding(5, 2), m.Flatten()] if words else []
        return m.Sequential(*first, m.Linear(6 if words else 3, 2))

    for kinds in ([True, False], [False, True]):
        result = sweep(build, {"words": kinds}, x, y, loss=m.CrossEntropyLoss())
        for trial in result:
            with using(Generator(trial.seed)):
                network = build(trial.settings["words"])
                m.fit(network, m.CrossEntropyLoss(), x, y, epochs=10)
            assert state(network) == state(trial.network)


def test_losses_of_other_targets_share_a_sweep(classes: Data) -> None:
    """Integers are labels for one loss, and numbers for the other."""
    x, y = classes

    def build(labels: bool) -> m.Sequential:
        return m.Sequential(m.Linear(4, 3 if labels else 1), *([] if labels else [m.Flatten(0)]))

    space: list[dict[str, Any]] = [{"labels": True}, {"labels": False, "loss": m.MSELoss()}]
    result = sweep(build, space, x, y, loss=m.CrossEntropyLoss())
    with using(Generator(result[1].seed)):
        network = build(labels=False)
        m.fit(network, m.MSELoss(), x, y, epochs=10)
    assert state(network) == state(result[1].network)


def test_links_as_settings(classes: Data) -> None:
    """Each training has a copy of its own."""
    links = [m.PReLU(), m.Tanh()]

    def build(link: m.Module) -> m.Sequential:
        return m.Sequential(m.Linear(4, 5), link, m.Linear(5, 3))

    result = sweep(build, {"link": links, "lr": [0.01, 0.1]}, *classes, loss=m.CrossEntropyLoss(), keep=None)
    assert state(links[0]) == state(m.PReLU())
    assert len({id(trial.network[1]) for trial in result}) == 4
    for trial in result:
        with using(Generator(trial.seed)):
            link = m.PReLU() if isinstance(trial.settings["link"], m.PReLU) else m.Tanh()
            network = build(link)
            m.fit(network, m.CrossEntropyLoss(), *classes, rule=m.Adam(lr=trial.settings["lr"]), epochs=10)
        assert state(network) == state(trial.network)


def test_networks_that_share_links_are_refused(classes: Data) -> None:
    backbone = m.Linear(4, 5)
    for build in (lambda width: backbone, lambda width: m.Sequential(backbone, m.ReLU(), m.Linear(5, width))):
        with pytest.raises(ValueError, match=r"a link of an earlier one, Linear\(4, 5\).* copy.deepcopy"):
            sweep(build, {"width": [3, 4]}, *classes, loss=m.CrossEntropyLoss())


@pytest.mark.parametrize("way", [{}, {"error_score": float("nan")}, {"n_jobs": 2}])
def test_exit_in_build(classes: Data, way: dict[str, Any]) -> None:
    """Once the sweep waited for ever for the thread that had ended."""

    def build(width: int) -> m.Sequential:
        return classifier(width) if width < 4 else sys.exit(3)

    with pytest.raises(SystemExit):
        sweep(build, {"width": [2, 3, 4, 5]}, *classes, loss=m.CrossEntropyLoss(), epochs=1, **way)


def test_any_error_has_what_was_done(classes: Data) -> None:
    def look(result: m.Sweep, trial: m.sweeping.Trial) -> None:
        if trial.number == 3:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as raised:
        sweep(classifier, {"width": range(2, 9)}, *classes, loss=m.CrossEntropyLoss(), epochs=1, on_trial=look)
    found = raised.value.sweep  # type: ignore[attr-defined]
    assert [trial.state for trial in found] == ["done"] * 4 and found.best.network


def test_a_space_without_end(classes: Data) -> None:
    """10⁸ of 2.5 · 10⁹ combinations: they are drawn as they are needed."""

    def build(**_: int) -> m.Sequential:
        return classifier()

    space = {name: range(50) for name in ("a", "b", "c", "d", "e", "g")}
    begun = time.perf_counter()
    result = sweep(build, space, *classes, loss=m.CrossEntropyLoss(), n=10**8, epochs=1, time_limit=0.2)
    assert time.perf_counter() - begun < 10 and result.timed_out
    assert len({tuple(trial.settings.values()) for trial in result}) == len(result) > 2


def test_refit_after_early_stopping(classes: Data) -> None:
    """All rows are learnt from, for as many epochs as were best."""
    options: Any = {"loss": m.CrossEntropyLoss(), "epochs": 60, "validation_split": 0.3}
    stopping = m.EarlyStopping(patience=2)
    result = sweep(classifier, {"lr": [0.1]}, *classes, callbacks=stopping, **options)
    best = result.best.history.best_epoch
    assert best is not None and best < result.best.epochs < 60
    network, _ = alone(result.best, *classes, best)
    assert state(result.refit()) == state(network)


def test_refit_by_number(classes: Data) -> None:
    result = sweep(classifier, {"width": [3, 5]}, *classes, loss=m.CrossEntropyLoss(), epochs=2)
    place = result.to_pandas()["loss"].idxmin()
    assert state(result.refit(place)) == state(result.refit())
    for wrong in (2, "0", 0.0):
        with pytest.raises(ValueError, match=r"Sweep.refit: expected a trial, or the number of one of these 2, got"):
            result.refit(wrong)


@pytest.mark.parametrize("named", [False, True])
def test_an_ensemble_of_several_inputs(named: bool) -> None:
    numbers = np.random.default_rng(0)
    left, right = numbers.normal(size=(50, 3)), numbers.normal(size=(50, 3))
    x: Any = {"right": right, "left": left} if named else (left, right)
    y = left[:, :1] - right[:, 1:2]

    def build(width: int) -> m.Graph:
        nodes = {"a": (m.Linear(3, width), "left"), "b": (m.Linear(3, width), "right"), "sum": (m.Add(), "a", "b")}
        return m.Graph(["left", "right"], nodes | {"y": (m.Linear(width, 1), "sum")}, "y")

    result = sweep(build, {"width": [2, 3, 4]}, x, y, loss=m.MSELoss(), epochs=5, validation_split=0.3)
    network = result.ensemble(6)
    held_out = {name: part[35:] for name, part in x.items()} if named else (left[35:], right[35:])
    assert m.evaluate(network, m.MSELoss(), held_out, y[35:])["loss"] <= result.best.score + 1e-6
    single = result.ensemble(1)
    np.testing.assert_array_equal(m.predict(single, x), m.predict(result.best.network, x))


def test_what_cannot_be_copied(classes: Data) -> None:
    class Opened(m.Callback):
        def __init__(self) -> None:
            self.file = sys.stdout

    with pytest.raises(TypeError, match="each training gets a copy of callbacks, and it cannot be copied: cannot"):
        sweep(classifier, {"width": [3]}, *classes, loss=m.CrossEntropyLoss(), callbacks=Opened())


def test_settings_that_build_changes(classes: Data) -> None:
    def build(sizes: list[int]) -> m.Sequential:
        sizes.append(3)
        return m.Sequential(*(m.Linear(size, after) for size, after in zip([4, *sizes], sizes, strict=False)))

    space: dict[str, Any] = {"sizes": [[5], [6, 5]], "lr": [0.1, 0.2]}
    result = sweep(build, space, *classes, loss=m.CrossEntropyLoss(), epochs=1)
    assert space["sizes"] == [[5], [6, 5]]
    assert [trial.settings["sizes"] for trial in result] == [[5], [5], [6, 5], [6, 5]]
    assert [len(trial.network) for trial in result] == [2, 2, 3, 3]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda result: pickle.loads(pickle.dumps(result))])
def test_a_sweep_can_be_copied_and_pickled(classes: Data, copied: Any) -> None:
    result = sweep(classifier, {"width": [3, 5]}, *classes, loss=m.CrossEntropyLoss(), validation_split=0.3)
    again = copied(result)
    assert state(again.best.network) == state(result.best.network)
    assert state(again.ensemble(3)) == state(result.ensemble(3))
    assert state(again.refit()) == state(result.refit())


def test_classes_stand_in_a_file_by_their_names(classes: Data, tmp_path: Any) -> None:
    def build(kind: type[m.Module]) -> m.Sequential:
        return m.Sequential(m.Linear(4, 5), kind(), m.Linear(5, 3))

    result = sweep(build, {"kind": [m.ReLU, m.Tanh]}, *classes, loss=m.CrossEntropyLoss(), epochs=1)
    lines = result.to_csv(tmp_path / "sweep.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines] == ["kind", "ReLU", "Tanh"]
