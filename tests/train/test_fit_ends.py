"""How a training ends before its last epoch, and in which state it leaves things."""

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.train import State
from maillon.typing import Array

Data = tuple[Array, Array]
MakeLinear = Callable[[], m.Linear]


def bits(network: m.Module) -> list[bytes]:
    return [value.tobytes() for value in network.state_dict().values()]


class At(m.Callback):
    """Do something after the given step."""

    def __init__(self, step: int, action: Callable[[State], Any]) -> None:
        self.step, self.action = step, action

    def on_step_end(self, state: State) -> None:
        if state.step == self.step:
            self.action(state)


def press(state: State) -> None:
    signal.raise_signal(signal.SIGINT)


# Ctrl-C


@pytest.mark.parametrize(("step", "epochs"), [(1, 0), (4, 0), (5, 1), (7, 1), (10, 2)])
def test_ctrl_c_ends_after_the_current_step(step: int, epochs: int, make_linear: MakeLinear, line: Data) -> None:
    network, expected = make_linear(), make_linear()
    handler = signal.getsignal(signal.SIGINT)
    ended: list[int] = []

    class Ending(At):
        def on_train_end(self, state: State) -> None:
            ended.append(state.step)

    history = m.fit(
        network,
        m.MSELoss(),
        *line,
        rule=0.01,
        batch_size=4,
        epochs=9,
        shuffle=False,
        validation_data=line,
        callbacks=[Ending(step, press)],
    )

    optim = m.Optim(expected, m.MSELoss(), 0.01)
    for k in range(step):
        rows = slice(4 * (k % 5), 4 * (k % 5) + 4)
        optim.step(line[0][rows], line[1][rows])
    assert bits(network) == bits(expected)
    assert (history.interrupted, history.stopped_early) == (True, False)
    assert (len(history), history.steps, ended) == (epochs, step, [step])
    assert len(history["val_loss"]) == epochs
    assert "interrupted" in repr(history)
    assert signal.getsignal(signal.SIGINT) is handler
    assert network.training


def test_ctrl_c_during_given_batches(make_linear: MakeLinear, line: Data) -> None:
    batches = iter([line] * 5)
    history = m.fit(make_linear(), m.MSELoss(), (batch for batch in batches), callbacks=[At(2, press)])
    assert (history.interrupted, history.steps, len(history)) == (True, 2, 0)
    assert next(batches) is not None


def test_ctrl_c_between_epochs(make_linear: MakeLinear, line: Data) -> None:
    class Begin(m.Callback):
        def on_epoch_begin(self, state: State) -> None:
            if state.epoch == 3:
                press(state)

    history = m.fit(make_linear(), m.MSELoss(), *line, epochs=9, callbacks=[Begin()])
    assert (history.interrupted, len(history)) == (True, 2)


def test_the_second_ctrl_c_raises_at_once(make_linear: MakeLinear, line: Data) -> None:
    network = make_linear().eval()
    handler = signal.getsignal(signal.SIGINT)

    def press_twice(state: State) -> None:
        press(state)
        press(state)

    with pytest.raises(KeyboardInterrupt):
        m.fit(network, m.MSELoss(), *line, callbacks=[At(1, press_twice)], progress=True)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not network.training


def test_a_training_within_a_training_leaves_the_outer_one_its_handler(
    make_linear: MakeLinear, line: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maillon.train.interrupt.TOGETHER_S", 0.0)
    inner: list[m.History] = []

    def train_another(state: State) -> None:
        if not inner:
            inner.append(m.fit(make_linear(), m.MSELoss(), *line, epochs=5, callbacks=[At(1, press)]))
        else:
            press(state)

    outer = m.fit(make_linear(), m.MSELoss(), *line, epochs=5, callbacks=train_another)
    assert inner[0].interrupted
    assert (outer.interrupted, len(outer)) == (True, 2)


@pytest.fixture
def ignored_interrupts() -> Iterator[None]:
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("ignored_interrupts")
def test_where_interrupts_are_ignored_they_stay_so(make_linear: MakeLinear, line: Data) -> None:
    history = m.fit(make_linear(), m.MSELoss(), *line, epochs=2, callbacks=[At(1, press)])
    assert (history.interrupted, len(history)) == (False, 2)


# Threads


def test_trainings_in_threads_are_what_they_are_alone(line: Data) -> None:
    def train(seed: int) -> tuple[list[bytes], list[float]]:
        generator = m.Generator(seed)
        network = m.Sequential(m.Linear(3, 8, generator=generator), m.Dropout(0.3), m.Linear(8, 1, generator=generator))
        history = m.fit(
            network,
            m.MSELoss(),
            *line,
            batch_size=4,
            epochs=30,
            generator=generator,
            validation_split=0.2,
            callbacks=[m.EarlyStopping(patience=30)],
        )
        return bits(network), [float(value) for value in history["val_loss"]]

    alone = [train(seed) for seed in range(4)]
    together: dict[int, Any] = {}

    def keep(seed: int) -> None:
        together[seed] = train(seed)

    threads = [threading.Thread(target=keep, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[seed] for seed in range(4)] == alone


# Callbacks that stop


def test_a_function_may_stop_after_an_epoch(make_linear: MakeLinear, line: Data) -> None:
    def stop_at_three(state: State) -> None:
        assert len(state.history) == state.epoch
        if state.epoch == 3:
            state.stop()

    history = m.fit(make_linear(), m.MSELoss(), *line, epochs=9, callbacks=stop_at_three)
    assert (len(history), history.stopped_early, history.interrupted) == (3, True, False)
    assert "stopped early" in repr(history)


def test_a_callback_may_stop_after_a_step(make_linear: MakeLinear, line: Data) -> None:
    stop = At(7, State.stop)
    history = m.fit(make_linear(), m.MSELoss(), *line, batch_size=4, epochs=9, callbacks=[stop])
    assert (len(history), history.steps, history.stopped_early) == (1, 7, True)


# Early stopping


def losses_of(values: list[float], **options: Any) -> tuple[m.History, m.Linear, list[list[bytes]]]:
    """A training whose column 'score' takes the given values; with the network's bits after each epoch."""
    network = m.Linear(1, 1, generator=m.Generator(1))
    x = np.linspace(-1, 1, 8)[:, None]
    after: list[list[bytes]] = []
    left = iter(values)

    def score(prediction: Array, target: Array) -> float:
        return next(left)

    def note(state: State) -> None:
        after.append(bits(state.network))

    history = m.fit(
        network,
        m.MSELoss(),
        x,
        3 * x,
        rule=0.01,
        batch_size=8,
        epochs=len(values),
        metrics=[score],
        callbacks=[note, m.EarlyStopping("score", **options)],
    )
    return history, network, after


@pytest.mark.parametrize(
    ("values", "options", "epochs", "best"),
    [
        ([5, 4, 3, 4, 5, 6], {"patience": 2}, 5, 3),
        ([5, 4, 3, 4, 2, 6], {"patience": 2}, 6, 5),
        ([5, 4.9, 4.8, 4.7, 1], {"patience": 3, "min_delta": 0.5}, 4, 1),
        ([1, 2, 3, 2, 2, 9], {"patience": 2, "mode": "max"}, 5, 3),
        ([float("nan"), 3, 4, 5], {"patience": 2}, 4, 2),
        ([3, 3, 3, 3], {"patience": 1}, 2, 1),
    ],
)
def test_early_stopping_waits_and_goes_back(
    values: list[float], options: dict[str, Any], epochs: int, best: int
) -> None:
    history, network, after = losses_of(values, **options)
    assert (len(history), history.best_epoch) == (epochs, best)
    assert bits(network) == after[best - 1] != after[-1 if best < epochs else 0]
    assert history.stopped_early == (epochs < len(values) or best <= epochs - options["patience"])


def test_early_stopping_may_leave_the_last_weights() -> None:
    history, network, after = losses_of([3, 4, 5, 6], patience=2, restore_best=False)
    assert (history.best_epoch, len(history)) == (1, 3)
    assert bits(network) == after[-1]


def test_the_best_weights_come_back_after_ctrl_c_too(
    make_linear: MakeLinear, line: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maillon.train.interrupt.TOGETHER_S", 0.0)
    network = make_linear()
    after: list[list[bytes]] = []

    def note(state: State) -> None:
        after.append(bits(state.network))

    history = m.fit(
        network,
        m.MSELoss(),
        *line,
        rule=0.05,
        batch_size=20,
        epochs=9,
        validation_data=line,
        callbacks=[note, m.EarlyStopping(patience=5), At(5, press)],
    )
    assert (history.interrupted, len(history), history.best_epoch) == (True, 5, 5)
    assert bits(network) == after[4]

    unchanged = make_linear()
    stopping = m.EarlyStopping("loss")
    history = m.fit(unchanged, m.MSELoss(), *line, batch_size=4, callbacks=[stopping, At(1, press)])
    assert (history.best_epoch, len(history)) == (None, 0)
    assert bits(unchanged) != bits(make_linear())


def test_early_stopping_can_serve_again(make_linear: MakeLinear, line: Data) -> None:
    stopping = m.EarlyStopping("loss", patience=1)
    for _ in range(2):
        history = m.fit(make_linear(), m.MSELoss(), *line, rule=0.0, epochs=9, shuffle=False, callbacks=[stopping])
        assert len(history) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "EarlyStopping: expected patience to be an integer ≥ 1, got 0."),
        ({"patience": True}, "EarlyStopping: expected patience to be an integer ≥ 1, got True."),
        ({"patience": 1.5}, "EarlyStopping: expected patience to be an integer ≥ 1, got 1.5."),
        ({"min_delta": -1}, "EarlyStopping: expected min_delta ≥ 0, got -1."),
        ({"min_delta": float("nan")}, "EarlyStopping: expected min_delta ≥ 0, got nan."),
        ({"mode": "auto"}, "EarlyStopping: expected mode 'min' or 'max', got 'auto'."),
        (
            {"monitor": "val_accuracy"},
            "EarlyStopping: val_accuracy is the better the greater it is. Pass mode='max'.",
        ),
    ],
)
def test_early_stopping_says_what_it_takes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        m.EarlyStopping(**options)
    assert str(caught.value) == message


def test_a_mistyped_monitor_names_the_columns(make_linear: MakeLinear, line: Data) -> None:
    network = make_linear()
    with pytest.raises(ValueError) as caught:
        m.fit(network, m.MSELoss(), *line, metrics=["mae"], callbacks=[m.EarlyStopping("mea")])
    assert str(caught.value) == (
        "EarlyStopping: expected a column to monitor (epoch, loss, mae, lr, seconds), got 'mea'. Did you mean 'mae'?"
    )
    with pytest.raises(ValueError, match=r"'val_loss'\. .* need validation_data or validation_split\.$"):
        m.fit(network, m.MSELoss(), *line, callbacks=[m.EarlyStopping()])
    assert bits(network) == bits(make_linear())


# A loss that is not finite


@pytest.mark.parametrize("progress", [False, True])
def test_a_loss_that_is_not_finite_ends_the_training_before_its_step(
    progress: bool, make_linear: MakeLinear, line: Data
) -> None:
    network = make_linear()
    after: list[list[bytes]] = []

    class Note(m.Callback):
        def on_step_end(self, state: State) -> None:
            after.append(bits(state.network))

    with pytest.raises(m.NonFiniteLossError) as caught:
        m.fit(
            network,
            m.MSELoss(),
            *line,
            rule=1e5,
            batch_size=4,
            epochs=50,
            shuffle=False,
            callbacks=[Note()],
            progress=progress,
        )
    error = caught.value
    assert error.history is not None
    assert bits(network) == after[-1]
    assert all(np.isfinite(value).all() for value in network.state_dict().values())
    assert (error.epoch, error.batch) == (len(error.history) + 1, error.history.steps % 5 + 1)
    assert error.history.steps == len(after)
    assert f"in epoch {error.epoch}, batch {error.batch}" in str(error)
    assert error.link in str(error)
    assert error.history.seconds > 0


def test_an_error_in_a_callback_leaves_the_modes_as_they_were(make_linear: MakeLinear, line: Data) -> None:
    def fail(state: State) -> None:
        raise LookupError("mine")

    network = make_linear().eval()
    with pytest.raises(LookupError, match="mine"):
        m.fit(network, m.MSELoss(), *line, callbacks=[fail], progress=True)
    assert not network.training
