"""Ctrl-C in the middle of a validation, or of a step in NumPy: both are done anew when the training goes on."""

import signal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import trainings
from resuming import Made, differences, train

import maillon as m
from maillon import optim
from maillon.train import interrupt


class Pressing(m.Module):
    """Presses Ctrl-C in its so many-th call, in training or in evaluation mode, once a training has begun."""

    at = calls = 0
    begun = False

    def __init__(self, *, trained: bool) -> None:
        super().__init__()
        self.trained, self.itself = trained, id(self)

    def call(self) -> None:
        if not Pressing.begun or self.trained is not self.training or self.itself != id(self):
            return  # a copy, which the core tries
        Pressing.calls += 1
        if Pressing.calls == Pressing.at:
            signal.raise_signal(signal.SIGINT)

    def forward(self, x: Any) -> Any:
        self.call()
        return x

    def backward(self, grad_output: Any) -> Any:
        self.call()
        return grad_output


class Begin(m.Callback):
    """Lets it press at its so many-th call; 0: never."""

    def __init__(self, at: int) -> None:
        self.at = at

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def on_train_begin(self, state: m.train.State) -> None:
        Pressing.at, Pressing.calls, Pressing.begun = self.at, 0, True

    def on_train_end(self, state: m.train.State) -> None:
        Pressing.begun = False


@pytest.mark.parametrize("every", ["epoch", 10**9])
def test_a_validation_left_is_made_up_for(
    engine: str, every: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The epoch counts once it is validated: what an early stopping decides included."""
    monkeypatch.setattr("maillon.train.training._SHORT_S", 0.0)
    path = tmp_path / "run.safetensors"

    def make(at: int = 0) -> Made:
        made = trainings.training("rule: SGD, Nesterov", "float64", epochs=9)
        made.optim.network.append(Pressing(trained=False))
        callbacks = [m.EarlyStopping(patience=4, monitor="val_loss"), Begin(at)]
        made.options |= {"engine": engine, "validation_split": 0.3, "metrics": "mae", "callbacks": callbacks}
        made.options["schedule"] = optim.lr_scheduler.StepLR(step_size=2)
        return made

    wanted, rows = train(make()), []
    options = {"checkpoint": m.train.Checkpoint(path, every), "resume": path}
    for at in (1, 2, 1, 2, 1):
        made = make(at)
        with patch.object(interrupt, "_pressed", float("-inf")):
            history = m.fit(made.optim, *made.data, progress=False, **options, **made.options)
        assert history.interrupted
        assert history.steps // 2 == len(history) + 1, "an epoch more, which is not validated"
        rows.append(len(history))
    assert rows == sorted(rows)
    assert rows[-1]
    assert differences(train(make(), **options), wanted) == []


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("name", ["dropouts", "norms of rows", "rule: Adam", "rule: LBFGS"])
def test_a_step_in_numpy_is_left(name: str, accumulate: int, tmp_path: Path) -> None:
    """But for one that adds to gathered gradients, which is done to its end."""
    path = tmp_path / "run.safetensors"
    if accumulate > 1 and name == "rule: LBFGS":
        accumulate = 1

    def make(at: int = 0) -> Made:
        made = trainings.training(name, "float64", epochs=3 * accumulate)
        made.optim.network.append(Pressing(trained=True))
        made.optim.accumulate = accumulate
        made.options |= {"engine": "numpy", "callbacks": Begin(at)}
        return made

    wanted, steps = train(make()), []
    options = {"checkpoint": m.train.Checkpoint(path, 10**9), "resume": path}
    for at in (1, 2, 3, 4, 3, 1):
        made = make(at)
        with patch.object(interrupt, "_pressed", float("-inf")):
            history = m.fit(made.optim, *made.data, progress=False, **options, **made.options)
        assert history.interrupted
        assert Pressing.calls == at or accumulate > 1
        steps.append(history.steps)
    assert steps[:2] == [0, 0]
    assert steps == sorted(steps)
    assert steps[-1] > 1 or name == "rule: LBFGS"
    assert differences(train(make(), **options), wanted) == []
