"""Ctrl-C in a script of several trainings: one ends, or everything does, and the user is told which and how."""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import maillon as m
from maillon.typing import Array

HOW = "Press Ctrl-C twice within a second to stop the whole program.\n"

SCRIPT = """
import sys, time
import numpy as np
import maillon as m

seconds, trainings = float(sys.argv[1]), int(sys.argv[2])
x = np.ones((4, 3), np.float32)

class Slow(m.Callback):
    def on_step_end(self, state):
        time.sleep(seconds)

for number in range(trainings):
    if number == 0:
        print("begun", flush=True)
    history = m.fit(
        m.Linear(3, 1), m.MSELoss(), x, x[:, :1], batch_size=4, epochs=50, callbacks=[Slow()], engine="numpy",
        progress=len(sys.argv) > 3 or None
    )
    print(number, history.interrupted, flush=True)
print("the end")
"""


def started(folder: Path, seconds: float, trainings: int, *more: str) -> "subprocess.Popen[str]":
    """The script, once its first training is about to begin."""
    path = folder / "several.py"
    path.write_text(SCRIPT)
    child = subprocess.Popen(
        [sys.executable, str(path), str(seconds), str(trainings), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    pause(0.3)
    return child


def pause(seconds: float) -> None:
    signal.sigtimedwait([], seconds)


def test_one_press_ends_one_training_and_says_which_once(tmp_path: Path) -> None:
    child = started(tmp_path, 0.02, 1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (out, child.returncode) == ("0 True\nthe end\n", 0)
    begin, _, end = err.partition(": Ctrl-C ended this training after ")
    assert begin == "fit (several.py, line 16)"
    assert re.fullmatch(r"(\d+) of 50 epochs, \1", end.partition(" steps. ")[0])
    assert end.partition(" steps. ")[2] == HOW


def test_the_bar_is_finished_before_the_line(tmp_path: Path) -> None:
    child = started(tmp_path, 0.02, 1, "bar")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert err.count("Ctrl-C ended") == 1
    assert err.splitlines()[-1].startswith("fit (several.py, line 16): Ctrl-C ended")


@pytest.mark.parametrize("seconds", [0.02, 2.0])
def test_two_presses_stop_the_program_however_short_the_steps_are(tmp_path: Path, seconds: float) -> None:
    """A training of short steps is over before the second press: that used to end the next training, and so on."""
    child = started(tmp_path, seconds, 4000)
    child.send_signal(signal.SIGINT)
    pause(0.3)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert "the end" not in out
    assert out.count("True") == err.count("Ctrl-C ended") == (1 if seconds < 0.3 else 0)
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert child.returncode == -signal.SIGINT


def press(_state: m.train.State) -> None:
    signal.raise_signal(signal.SIGINT)


def trained(line: tuple[Array, Array], **options: Any) -> m.History:
    return m.fit(m.Linear(3, 1), m.MSELoss(), *line, batch_size=5, epochs=3, **options)


def test_presses_far_apart_end_one_training_each(
    line: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("maillon.train.interrupt.time.monotonic", lambda: now[0])
    assert trained(line, callbacks=press).interrupted
    now[0] = 1.1
    assert trained(line, callbacks=press).interrupted
    now[0] = 2.0
    with pytest.raises(KeyboardInterrupt):
        trained(line, callbacks=press)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert ": Ctrl-C ended this training after 1 of 3 epochs, 4 steps. " in lines[0]
    assert lines[0].startswith("fit (test_interrupt.py, line ")


def test_a_training_that_runs_to_its_end_says_nothing(
    line: tuple[Array, Array], capsys: pytest.CaptureFixture[str]
) -> None:
    trained(line)
    trained(line, callbacks=lambda state: state.stop())
    assert capsys.readouterr() == ("", "")


def test_where_there_is_no_error_stream_nothing_is_said(
    line: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert trained(line, callbacks=press).interrupted
