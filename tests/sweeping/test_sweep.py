"""A sweep's trainings are those that `fit` makes alone; what it is given, what it gives, how it ends."""

import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
from scipy.stats import loguniform, randint, uniform

import maillon as m
from maillon.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau
from maillon.random import Generator, using
from maillon.sweeping.sweep import sweep
from maillon.sweeping.templates import alike
from maillon.train.fit import training_of
from maillon.train.interrupt import TOGETHER_S
from tests.sweeping.conftest import Data
from tests.sweeping.networks import classifier, regressor, with_swish

RULES = [m.Adam(), m.SGD(lr=0.05), m.AdamW(lr=0.01), m.RMSprop(), m.SGD(lr=0.05, momentum=0.9, nesterov=True)]
SPACE = {
    "width": [3, 6, 17],
    "p": [0.0, 0.3],
    "norm": [False, True],
    "rule": RULES,
    "lr": loguniform(1e-4, 1e-1),
    "weight_decay": loguniform(1e-6, 1e-2),
    "batch_size": randint(5, 64),
    "schedule": [None, CosineAnnealingLR(T_max=4)],
    "clip_grad_norm": [None, 0.5],
}


def alone(trial: m.sweeping.Trial, x: Any, y: Any, epochs: int, **options: Any) -> tuple[m.Sequential, m.History]:
    """The training of a trial, by `fit`."""
    given = dict(trial.settings)
    network_of = {name: given.pop(name) for name in ("width", "p", "norm") if name in given}
    rule = given.pop("rule", m.Adam())
    changed = {name: given.pop(name) for name in ("lr", "weight_decay") if name in given}
    with using(Generator(trial.seed)):
        network = classifier(**network_of)
        rule = type(rule)(**{**rule.defaults, **changed})
        return network, m.fit(
            network, m.CrossEntropyLoss(), x, y, rule=rule, epochs=epochs, progress=False, **given, **options
        )


def state(network: m.Module) -> list[bytes]:
    return [array.tobytes() for array in network.state_dict().values()]


def test_bits(classes: Data) -> None:
    """200 random configurations, each with the bits of `fit` alone; the global generator is where it was."""
    x, y = classes
    before = m.random.default_generator().get_state()
    result = sweep(classifier, SPACE, x, y, loss=m.CrossEntropyLoss(), n=200, epochs=3, keep=None, progress=False)
    assert m.random.default_generator().get_state() == before
    assert len(result) == 200 and all(trial.state == "done" for trial in result)
    assert {trial.engine for trial in result} == {"native"}
    for trial in result:
        network, history = alone(trial, x, y, 3)
        assert state(network) == state(trial.network), trial
        assert history["loss"] == trial.history["loss"]
        assert trial.score == history["loss"][-1]


def test_bits_with_validation(classes: Data) -> None:
    x, y = classes
    space = {"width": [3, 6], "lr": [0.01, 0.1], "seed": [7, 8]}
    result = sweep(
        classifier, space, x, y, loss=m.CrossEntropyLoss(), epochs=4, validation_split=0.3, metrics="accuracy"
    )
    assert len(result) == 8 and result.monitor == "val_loss"
    for trial in result:
        assert trial.seed == trial.settings["seed"]
        del trial.settings["seed"]
        network, history = alone(trial, x, y, 4, validation_split=0.3, metrics="accuracy")
        assert state(network) == state(trial.network)
        assert trial.scores["val_loss"] == pytest.approx(history["val_loss"][-1], rel=1e-6)
        assert trial.scores["val_accuracy"] == history["val_accuracy"][-1]


def test_a_sweep_is_the_same_with_any_number_of_threads(classes: Data) -> None:
    x, y = classes
    found = []
    for threads in (1, 2, 5):
        m.set_num_threads(threads)
        try:
            found.append(sweep(classifier, SPACE, x, y, loss=m.CrossEntropyLoss(), n=20, epochs=3, halving=2, seed=3))
        finally:
            m.set_num_threads(None)
    tables = [
        [(trial.number, trial.seed, trial.state, trial.epochs, trial.scores) for trial in result] for result in found
    ]
    assert tables[0] == tables[1] == tables[2]
    assert state(found[0].best.network) == state(found[1].best.network) == state(found[2].best.network)


def test_settings_are_drawn_alike_by_one_seed(classes: Data) -> None:
    x, y = classes
    options: Any = {"loss": m.CrossEntropyLoss(), "n": 5, "epochs": 1}
    first, again, other = (sweep(classifier, SPACE, x, y, seed=seed, **options) for seed in (1, 1, 2))
    assert [trial.settings["lr"] for trial in first] == [trial.settings["lr"] for trial in again]
    assert [trial.seed for trial in first] == [trial.seed for trial in again]
    assert [trial.seed for trial in first] != [trial.seed for trial in other]


def test_grid_list_and_drawing() -> None:
    x = np.linspace(-1, 1, 12)[:, None]

    def build(a: int = 1, b: str = "x") -> m.Linear:
        return m.Linear(1, 1)

    options: Any = {"loss": m.MSELoss()}
    grid = sweep(build, {"a": range(3), "b": ["x", "y"]}, x, x, **options)
    assert [(t.settings["a"], t.settings["b"]) for t in grid] == [(a, b) for a in range(3) for b in "xy"]
    drawn = sweep(build, {"a": range(3), "b": ["x", "y"]}, x, x, n=100, **options)
    assert sorted((t.settings["a"], t.settings["b"]) for t in drawn) == [(a, b) for a in range(3) for b in "xy"]
    listed = sweep(build, [{"a": 5}, {"b": "z", "lr": 0.1}], x, x, **options)
    assert [t.settings for t in listed] == [{"a": 5}, {"b": "z", "lr": 0.1}]
    random = sweep(build, {"lr": uniform(0.1, 0.2), "a": np.arange(4)}, x, x, n=7, **options)
    assert len(random) == 7 and all(0.1 <= t.settings["lr"] <= 0.3 and type(t.settings["a"]) is int for t in random)


def test_folds(classes: Data) -> None:
    x, y = classes
    options: Any = {"loss": m.CrossEntropyLoss(), "epochs": 3, "metrics": "accuracy"}
    result = sweep(classifier, {"width": [3, 5]}, x, y, cv=3, **options)
    assert [len(trial.networks) for trial in result] == [3, 3]
    with pytest.raises(ValueError, match="3 networks, one for each fold"):
        _ = result.best.network
    rows = np.arange(len(x))
    pairs = [(rows[rows % 2 == part], rows[rows % 2 != part]) for part in (0, 1)]
    result = sweep(classifier, {"width": [3]}, x, y, cv=pairs, **options)
    for fold, (learnt, _) in enumerate(pairs):
        trial = result[0]
        network, _ = alone(trial, x[learnt], y[learnt], 3)
        assert state(network) == state(trial.networks[fold])
        scores = [
            m.evaluate(n, m.CrossEntropyLoss(), x[v], y[v])["loss"]
            for n, (_, v) in zip(trial.networks, pairs, strict=True)
        ]
        assert trial.scores["val_loss"] == pytest.approx(np.mean(scores), rel=1e-6)


def test_refit_learns_from_all_rows(classes: Data) -> None:
    x, y = classes
    for way in ({"validation_split": 0.4}, {"cv": 3}, {"validation_data": (x[60:], y[60:])}):
        given = (x[:60], y[:60]) if "validation_data" in way else (x, y)
        result = sweep(classifier, {"width": [3, 5]}, *given, loss=m.CrossEntropyLoss(), epochs=2, **way)
        network, _ = alone(result.best, x, y, 2)
        assert state(result.refit()) == state(network)


def test_weights(classes: Data) -> None:
    x, y = classes
    weights = np.linspace(0, 2, len(x))
    result = sweep(
        classifier, {"width": [3]}, x, y, loss=m.CrossEntropyLoss(), sample_weight=weights, validation_split=0.25
    )
    learnt = slice(0, len(x) - round(0.25 * len(x)))
    network, _ = alone(result[0], x[learnt], y[learnt], 10, sample_weight=weights[learnt])
    assert state(result[0].network) == state(network)


def test_links_of_the_users_own_are_told(line: Data) -> None:
    from maillon.train import stepping

    stepping._told.clear()
    x, y = line
    with pytest.warns(m.engine.FallbackWarning, match="Swish in NumPy") as told:
        result = sweep(with_swish, {"width": [2, 3, 4]}, x, y, loss=m.MSELoss(), epochs=2)
    assert len(told) == 1 and told[0].filename == __file__
    assert {trial.engine for trial in result} == {"native, with NumPy for: Swish"}


def test_float64_and_float32_share_a_sweep(line: Data) -> None:
    x, y = np.asarray(line[0], np.float64) / 3, np.asarray(line[1], np.float64) / 3

    def build(dtype: str) -> m.Linear:
        return m.Linear(3, 1, dtype=dtype)

    result = sweep(build, {"dtype": ["float32", "float64"]}, x, y, loss=m.MSELoss(), epochs=2)
    for trial in result:
        with using(Generator(trial.seed)):
            network = build(trial.settings["dtype"])
            m.fit(network, m.MSELoss(), x, y, epochs=2)
        assert state(network) == state(trial.network)


def test_keep(classes: Data) -> None:
    x, y = classes
    options: Any = {"loss": m.CrossEntropyLoss(), "n": 12, "epochs": 2}
    result = sweep(classifier, SPACE, x, y, keep=3, **options)
    assert [len(trial.networks) for trial in result.ranking] == [1] * 3 + [0] * 9
    with pytest.raises(ValueError, match=r"was not kept. Give the sweep a greater keep="):
        _ = result.ranking[-1].network
    assert not any(trial.networks for trial in sweep(classifier, SPACE, x, y, keep=0, **options))


def test_callbacks_are_each_trainings_own(classes: Data) -> None:
    x, y = classes
    stopping = m.EarlyStopping(patience=2)
    result = sweep(
        classifier, {"lr": [1e-5, 0.1, 3.0]}, x, y, loss=m.CrossEntropyLoss(), epochs=40, validation_split=0.3,
        callbacks=[stopping],
    )  # fmt: skip
    assert not hasattr(stopping, "_best")
    for trial in result:
        _, history = alone(trial, x, y, 40, validation_split=0.3, callbacks=[m.EarlyStopping(patience=2)])
        assert history["val_loss"] == trial.history["val_loss"]
        evaluated = m.evaluate(trial.network, m.CrossEntropyLoss(), x[-27:], y[-27:])
        assert trial.scores["val_loss"] == pytest.approx(evaluated["loss"], rel=1e-6)


def test_a_plateau_looks_at_the_validation(classes: Data) -> None:
    x, y = classes
    space = {"schedule": [ReduceLROnPlateau(patience=0, threshold=1.0)], "lr": [0.1]}
    result = sweep(classifier, space, x, y, loss=m.CrossEntropyLoss(), epochs=5, validation_split=0.3)
    assert "val_loss" in result[0].history and result[0].history["lr"][-1] < 0.1


def test_on_trial_and_stop(classes: Data) -> None:
    x, y = classes
    seen: list[int] = []

    def look(result: m.Sweep, trial: m.sweeping.Trial) -> None:
        assert threading.current_thread() is threading.main_thread()
        seen.append(trial.number)
        if len(seen) == 5:
            result.stop()

    result = sweep(classifier, SPACE, x, y, loss=m.CrossEntropyLoss(), n=1000, epochs=2, on_trial=look)
    assert 5 <= sum(trial.state == "done" for trial in result) < 20 and len(seen) < 20


def test_ctrl_c_keeps_what_is_done(classes: Data, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = classes
    before = signal.getsignal(signal.SIGINT)

    def press(result: m.Sweep, trial: m.sweeping.Trial) -> None:
        if trial.number == 4:
            signal.raise_signal(signal.SIGINT)

    options: Any = {"loss": m.CrossEntropyLoss(), "n": 1000, "epochs": 2, "on_trial": press}
    result = sweep(classifier, SPACE, x, y, **options)
    assert result.interrupted and signal.getsignal(signal.SIGINT) is before
    assert 4 <= sum(trial.state == "done" for trial in result) < 20
    said = capsys.readouterr().err
    assert said.startswith("sweep (test_sweep.py, line ") and "of 1000 trainings. Press Ctrl-C twice" in said
    with pytest.raises(KeyboardInterrupt):  # a second press at once
        sweep(classifier, SPACE, x, y, **options)


def test_ctrl_c_in_the_middle_of_a_training(classes: Data) -> None:
    x, y = classes
    time.sleep(TOGETHER_S)  # after the press of another test
    threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,)).start()
    result = sweep(classifier, {"lr": [0.1, 0.2]}, x, y, loss=m.CrossEntropyLoss(), epochs=10**8)
    assert result.interrupted and [trial.state for trial in result] == ["cut", "cut"]
    assert all(trial.history["loss"] and not trial.networks for trial in result)


def test_the_bar(classes: Data, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(classifier, {"lr": [0.1, 0.2]}, *classes, loss=m.CrossEntropyLoss(), progress=True)
    assert "sweep: 100%" in (said := capsys.readouterr().err) and "2/2" in said and "best loss" in said


def test_time_limit(classes: Data) -> None:
    x, y = classes
    begun = time.perf_counter()
    result = sweep(
        classifier, {"lr": uniform(0, 1)}, x, y, loss=m.CrossEntropyLoss(), n=10**6, epochs=10**6, time_limit=0.3
    )
    assert time.perf_counter() - begun < 30
    assert result.timed_out and not result.interrupted and {trial.state for trial in result} == {"cut"}
    with pytest.raises(ValueError, match=r"none of .* trainings has come to a score"):
        _ = result.best


def diverging(lr: float) -> m.Linear:
    return m.Linear(3, 1)


def test_losses_that_are_not_finite_are_failures(line: Data) -> None:
    x, y = line
    space = [{"lr": 0.1}, {"lr": 1e30}, {"lr": 0.01}]
    result = sweep(regressor, space, x, y, loss=m.MSELoss(), rule=m.SGD(lr=1.0), epochs=30)
    assert [trial.state for trial in result] == ["done", "failed", "done"]
    assert isinstance(result[1].error, m.NonFiniteLossError) and np.isnan(result[1].score)
    assert result.best is not result[1] and result[1] not in result.ranking
    failing = sweep(regressor, [{"lr": 1e30}], x, y, loss=m.MSELoss(), rule=m.SGD(lr=1.0), epochs=30)
    with pytest.raises(ValueError, match=r"none of 1 trainings has a score; number 0, {'lr': 1e"):
        _ = failing.best


def test_errors(classes: Data) -> None:
    x, y = classes

    def build(width: int) -> m.Sequential:
        if width == 3:
            raise ZeroDivisionError("no such width")
        return classifier(width)

    options: Any = {"loss": m.CrossEntropyLoss(), "epochs": 1}
    with pytest.raises(ZeroDivisionError, match="no such width") as raised:
        sweep(build, {"width": [2, 3, 4]}, x, y, **options)
    assert "In training 1 of the sweep, with the settings {'width': 3}." in raised.value.__notes__
    assert isinstance(raised.value.sweep, m.Sweep)  # type: ignore[attr-defined]
    result = sweep(build, {"width": [2, 3, 4]}, x, y, error_score=float("nan"), **options)
    assert [trial.state for trial in result] == ["done", "failed", "done"]
    assert isinstance(result[1].error, ZeroDivisionError)


def test_the_table(classes: Data, tmp_path: Any) -> None:
    x, y = classes
    space = {"width": [3, 5], "batch_size": [16, 32]}
    result = sweep(
        classifier, space, x, y, loss=m.CrossEntropyLoss(), epochs=2, validation_split=0.2, metrics="accuracy"
    )
    table = result.to_pandas()
    columns = [
        "width",
        "batch_size",
        "seed",
        "state",
        "epochs",
        "loss",
        "val_loss",
        "val_accuracy",
        "seconds",
        "engine",
    ]
    assert list(table.columns) == columns and list(table.index) == [0, 1, 2, 3]
    assert table["val_loss"].min() == result.best.score
    lines = result.to_csv(tmp_path / "sweep.csv").read_text().splitlines()
    assert len(lines) == 5 and lines[0] == ",".join(["number", *columns])
    with pytest.raises(OSError, match=r"Sweep.to_csv"):
        result.to_csv(tmp_path / "missing" / "sweep.csv")
    assert repr(result).startswith("Sweep(4 trainings, ") and "best val_loss" in repr(result)
    assert str(result).count("\n") == 4 and "<table" in result._repr_html_()


def test_ensemble(classes: Data) -> None:
    x, y = classes
    loss = m.CrossEntropyLoss()
    options: Any = {"loss": loss, "epochs": 6, "n": 20}
    result = sweep(classifier, SPACE, x[:60], y[:60], validation_data=(x[60:], y[60:]), **options)
    network = result.ensemble(10)
    validated = m.evaluate(network, loss, x[60:], y[60:])["loss"]
    assert validated <= result.best.score + 1e-6
    assert sum(network[1].weights) == pytest.approx(1)
    assert np.array_equal(m.predict(result.ensemble(1), x), m.predict(result.best.network, x))
    before = state(result.best.network)
    m.fit(network, loss, x, y, epochs=1)
    assert state(result.best.network) == before  # copies
    folded = sweep(classifier, SPACE, x, y, cv=3, **options).ensemble(4)
    assert len(folded[0]) % 3 == 0 and m.predict(folded, x).shape == (90, 3)
    with pytest.raises(ValueError, match="there is no validation data to choose by"):
        sweep(classifier, {"width": [3]}, x, y, loss=loss).ensemble()
    with pytest.raises(ValueError, match="no network was kept"):
        sweep(classifier, {"width": [3]}, x, y, loss=loss, validation_split=0.2, keep=0).ensemble()


def test_an_ensemble_by_hand() -> None:
    """Caruana's choice where it can be seen: a pair whose errors cancel beats the best single one."""
    from maillon.sweeping.selection import chosen

    target = np.zeros(4)
    predictions = [[np.array([1.0, 1, 1, 1])], [np.array([-1.5, -1, -1, -1])], [np.array([0.9, 0.9, 0.9, 0.9])]]
    assert chosen(predictions, lambda parts: float(np.mean((parts[0] - target) ** 2)), 2) == [0, 1, 1]
    assert chosen(predictions, lambda parts: float(np.mean((parts[0] - target) ** 2)), 1) == [0, 0, 1]


def test_keywords_of_any_name(classes: Data) -> None:
    x, y = classes

    def build(**settings: int) -> m.Sequential:
        return classifier(settings["anything"])

    result = sweep(build, {"anything": [3, 4], "lr": [0.1]}, x, y, loss=m.CrossEntropyLoss(), epochs=1)
    assert [trial.state for trial in result] == ["done", "done"]


def networks_alike() -> list[tuple[m.Module, m.Module, bool]]:
    shared = m.Linear(3, 3)
    frozen = m.Sequential(m.Linear(3, 3))
    frozen[0].weight.requires_grad = False

    def twice(again: bool) -> m.Sequential:
        first = m.Linear(3, 3)
        return m.Sequential(first, m.Tanh(), first.share() if again else m.Linear(3, 3))

    return [
        (m.Sequential(m.Linear(3, 3), m.ReLU()), m.Sequential(m.Linear(3, 3), m.ReLU()), True),
        (m.Sequential(m.Linear(3, 3), m.ReLU()), m.Sequential(m.Linear(3, 3), m.Tanh()), False),
        (m.Sequential(m.Linear(3, 3), m.ReLU()), m.Sequential(m.Linear(3, 3)), False),
        (m.Linear(3, 3), m.Linear(3, 2), False),
        (m.Linear(3, 3), m.Linear(3, 3, bias=False), False),
        (m.Linear(3, 3), m.Linear(3, 3, dtype="float64"), False),
        (m.BatchNorm1d(3), m.BatchNorm1d(3), True),
        (m.BatchNorm1d(3), m.BatchNorm1d(3, momentum=0.3), False),
        (m.BatchNorm1d(3), m.BatchNorm1d(3).eval(), False),
        (m.Dropout(0.1), m.Dropout(0.2), False),
        (m.Dropout(0.1, generator=Generator(1)), m.Dropout(0.1, generator=Generator(1)), False),
        (m.Sequential(m.Linear(3, 3)), frozen, False),
        (twice(True), twice(True), True),
        (twice(True), twice(False), False),
        (m.Residual(m.Linear(3, 3)), m.Residual(m.Linear(3, 3), shortcut=m.Linear(3, 3)), False),
        (m.Sequential({"a": m.Linear(3, 3)}), m.Sequential({"b": m.Linear(3, 3)}), False),
        (shared, shared, True),
    ]


@pytest.mark.parametrize("place", range(17))
def test_networks_that_differ_in_numbers_alone(place: int) -> None:
    one, other, expected = networks_alike()[place]
    assert alike(one, other) is expected
    assert alike(other, one) is expected


def test_plans_are_used_again(classes: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes the many short trainings quick: plans are made once for each making, not for each training."""
    x, y = classes
    made: list[Any] = []
    monkeypatch.setattr("maillon.sweeping.task.training_of", lambda *a, **k: made.append(a) or training_of(*a, **k))
    m.set_num_threads(1)
    try:
        space = {"width": [3, 6], "lr": loguniform(1e-3, 1e-1), "p": [0.0, 0.3]}
        result = sweep(
            classifier, space, x, y, loss=m.CrossEntropyLoss(), n=60, epochs=2, validation_split=0.2, keep=None
        )
    finally:
        m.set_num_threads(None)
    assert len(made) <= 4
    networks = {id(trial.network) for trial in result}
    assert len(networks) == 60
    for trial in result.ranking[:10]:
        evaluated = m.evaluate(trial.network, m.CrossEntropyLoss(), x[-18:], y[-18:])["loss"]
        assert evaluated == pytest.approx(trial.score, rel=1e-6)
