"""Ctrl-C at any moment, in a program of its own: what is done is there, threads end, and the program goes on."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json, sys, threading, time
import numpy as np
from scipy.stats import loguniform
import maillon as m
from tests.sweeping.networks import classifier

numbers = np.random.default_rng(0)
x, y = numbers.normal(size=(90, 4)).astype(np.float32), np.arange(90) % 3

def begun(result, trial):
    if trial.number == 0:
        print("begun", flush=True)

result = m.sweep(
    classifier, {"lr": loguniform(1e-4, 1e-1)}, x, y, loss=m.CrossEntropyLoss(), n=10**6, epochs=9, keep=3,
    validation_split=0.3, on_trial=begun, **eval(sys.argv[1]),
)
ended = time.monotonic()
while any(thread.name.startswith("maillon") for thread in threading.enumerate()) and time.monotonic() < ended + 5:
    time.sleep(0.01)
print(json.dumps({
    "interrupted": result.interrupted,
    "states": [trial.state for trial in result],
    "scored": [bool(trial.scores) for trial in result],
    "network": len(result.best.network),
    "threads": [thread.name for thread in threading.enumerate() if thread.name.startswith("maillon")],
}))
"""


@pytest.mark.parametrize("wait", [0.0, 0.4])
@pytest.mark.parametrize("way", [{}, {"halving": 3}, {"validate": "epoch"}, {"n_jobs": 2}])
def test_ctrl_c(way: dict[str, Any], wait: float) -> None:
    command, pipes = [sys.executable, "-c", PROGRAM, repr(way)], {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, cwd=Path(__file__).parents[2]) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "begun\n"
        time.sleep(wait)
        program.send_signal(signal.SIGINT)
        out, said = program.communicate(timeout=60)
    assert program.returncode == 0, said
    assert "Ctrl-C ended this sweep after" in said
    found = json.loads(out)
    assert found["interrupted"] and not found["threads"] and found["network"]
    done = [state in ("done", "stopped") for state in found["states"]]
    assert any(done) and all(scored for scored, ended in zip(found["scored"], done, strict=True) if ended)
