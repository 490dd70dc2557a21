"""When callbacks are called, and with what."""

from collections.abc import Callable

import numpy as np

import maillon as m
from maillon.train import State
from maillon.train.callbacks import Hooks
from maillon.typing import Array

Data = tuple[Array, Array]


class Diary(m.Callback):
    def __init__(self) -> None:
        self.lines: list[tuple[str, int, int, int]] = []

    def _note(self, what: str, state: State) -> None:
        self.lines.append((what, state.epoch, state.batch, state.step))

    def on_train_begin(self, state: State) -> None:
        self._note("train begin", state)

    def on_epoch_begin(self, state: State) -> None:
        self._note("epoch begin", state)

    def on_step_end(self, state: State) -> None:
        self._note("step end", state)

    def on_epoch_end(self, state: State) -> None:
        self._note("epoch end", state)

    def on_train_end(self, state: State) -> None:
        self._note("train end", state)


def test_the_order_of_the_calls(make_linear: Callable[[], m.Linear], line: Data) -> None:
    diary = Diary()
    m.fit(make_linear(), m.MSELoss(), *line, batch_size=10, epochs=2, callbacks=diary)
    assert diary.lines == [
        ("train begin", 0, 0, 0),
        ("epoch begin", 1, 0, 0),
        ("step end", 1, 1, 1),
        ("step end", 1, 2, 2),
        ("epoch end", 1, 2, 2),
        ("epoch begin", 2, 2, 2),
        ("step end", 2, 1, 3),
        ("step end", 2, 2, 4),
        ("epoch end", 2, 2, 4),
        ("train end", 2, 2, 4),
    ]


def test_the_state_shows_the_step_and_the_epoch(make_linear: Callable[[], m.Linear], line: Data) -> None:
    network, losses, epochs = make_linear(), [], []

    class Look(m.Callback):
        def on_step_end(self, state: State) -> None:
            losses.append(state.loss)
            assert state.network is network
            assert state.optim.prediction.shape == (10, 1)

    history = m.fit(
        network,
        m.MSELoss(),
        *line,
        batch_size=10,
        epochs=3,
        callbacks=[Look(), lambda state: epochs.append(state.loss)],
    )
    assert epochs == history["loss"]
    np.testing.assert_allclose(np.reshape(losses, (3, 2)).mean(axis=1), epochs)


def test_what_is_not_overridden_is_not_called() -> None:
    hooks = Hooks([m.Callback(), Diary(), print, m.EarlyStopping()])
    counts = {name: len(getattr(hooks, name)) for name in ("train_begin", "epoch_begin", "step_end", "epoch_end")}
    assert counts == {"train_begin": 2, "epoch_begin": 1, "step_end": 1, "epoch_end": 3}
    assert len(hooks.train_end) == 2
