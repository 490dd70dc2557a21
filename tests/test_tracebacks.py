"""What a user sees of a wrong call: a short traceback, their own frames, and all of it on request."""

import os
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon import tracebacks

WRONG = "expected x of shape (*, 3), got ("
CALLS = {
    "fit": "m.fit(net, loss, X, Y)",
    "fit an Optim": "m.fit(m.Optim(net, loss, 0.1), X, Y)",
    "sgd": "m.sgd(m.Optim(net, loss, 0.1), X, Y, 5, 1)",
    "step": "m.Optim(net, loss, 0.1).step(X, Y)",
    "predict": "m.predict(net, X)",
    "evaluate": "m.evaluate(net, loss, X, Y)",
    "__call__": "net(X)",
    "": "m.Linear(3, 1)(X)",
}
HEAD = """
import numpy as np
import maillon as m
X, Y = np.ones((20, 2), np.float32), np.ones((20, 1), np.float32)
net = m.Sequential(m.Linear(3, 4), m.Tanh(), m.Sequential(m.Linear(4, 1)))
loss = m.MSELoss()
"""


def said(code: str, folder: Path, **environment: str) -> list[str]:
    """The lines on the error stream of a script."""
    script = folder / "script.py"
    script.write_text(code)
    child = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert (child.returncode, child.stdout) == (1, "")
    return child.stderr.splitlines()


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_width_takes_ten_lines_at_most(name: str, tmp_path: Path) -> None:
    lines = said(HEAD + CALLS[name] + "\n", tmp_path)
    assert len(lines) <= 10
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith(", line 7, in <module>")
    assert "LinkShapeError: " in lines[-1]
    assert WRONG in lines[-1]
    ours = [line for line in lines if line.startswith("  File ") and "script.py" not in line]
    assert [line.rpartition(" ")[2] for line in ours] == ([name.split(maxsplit=1)[0]] if name else [])


def test_everything_is_shown_on_request(tmp_path: Path) -> None:
    lines = said(HEAD + CALLS["fit"] + "\n", tmp_path, MAILLON_FULL_TRACEBACK="1")
    assert sum(line.startswith("  File ") for line in lines) > 5
    assert WRONG in lines[-1]


def test_a_forgotten_loss_is_named_and_no_array_printed(tmp_path: Path) -> None:
    lines = said(HEAD + "m.fit(net, X, Y)\n", tmp_path)
    assert len(lines) <= 10
    assert lines[-1] == (
        "TypeError: fit: the loss is missing: expected it after the network, got ndarray of shape (20, 2) and ndarray "
        "of shape (20, 1). Call fit(network, loss, x, y, …): with MSELoss() for numbers, CrossEntropyLoss() for labels."
    )


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda net, x, y: m.fit(net, x.tolist(), y.tolist()), "list of 50 and list of 50"),
        (lambda net, x, y: m.fit(net, x, y=y), "ndarray of shape (50, 3) and ndarray of shape (50, 1)"),
        (lambda net, x, y: m.fit(net, x=x, y=y), "ndarray of shape (50, 3) and ndarray of shape (50, 1)"),
        (lambda net, x, y: m.fit(net), "nothing"),
        (lambda net, x, y: m.fit(net, [(x, y)] * 4), "list of 4"),
    ],
)
def test_the_ways_to_forget_the_loss(call: Any, shown: str) -> None:
    with pytest.raises(TypeError, match=r"^fit: the loss is missing: ") as caught:
        call(m.Linear(3, 1), np.ones((50, 3)), np.ones((50, 1)))
    assert f", got {shown}. Call fit(" in str(caught.value)


def test_data_in_the_place_of_a_loss_are_not_printed() -> None:
    with pytest.raises(TypeError) as caught:
        m.Optim(m.Linear(3, 1), np.ones((50, 3)), 0.1)  # type: ignore[arg-type]
    assert str(caught.value) == "Optim: expected loss to be a Loss, got ndarray of shape (50, 3)."


def names(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


class Gated(m.Module):
    """A user's link, made of others, with a mistake."""

    def __init__(self, width: int) -> None:
        self.content = m.Linear(3, 2)
        self.gate = m.Linear(width, 2)

    def forward(self, x: Any) -> Any:
        return self.keep(self.content(x) * self.gated(x))

    def gated(self, x: Any) -> Any:
        return self.gate(x)

    def backward(self, grad_output: Any) -> Any:
        raise AssertionError


class Broken(m.Module):
    """A user's link that fails by itself."""

    def forward(self, x: Any) -> Any:
        return x + np.ones(7)

    def backward(self, grad_output: Any) -> Any:
        raise AssertionError


X, Y = np.ones((20, 3), np.float32), np.ones((20, 2), np.float32)


def test_frames_of_the_users_own_links_stay() -> None:
    network = m.Sequential(m.Linear(3, 3), Gated(5))
    with pytest.raises(ValueError) as caught:
        m.fit(network, m.MSELoss(), X, Y)
    here = "test_frames_of_the_users_own_links_stay"
    assert names(caught.value) == [here, "fit", "forward", "gated"]
    assert "Sequential[1] Linear(5, 2): expected x of shape (*, 5), got" in str(caught.value)


def test_an_error_of_the_users_own_code_keeps_every_frame() -> None:
    with pytest.raises(ValueError, match="broadcast") as caught:
        m.fit(m.Sequential(m.Linear(3, 2), Broken()), m.MSELoss(), X, Y)
    assert len(names(caught.value)) > 5
    assert names(caught.value)[-1] == "forward"


def test_a_mistake_of_ours_keeps_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """No check raised it, so somebody has to find its cause."""
    monkeypatch.setattr(m.Linear, "forward", m.Linear.forward)
    network = m.Linear(3, 2)
    network.in_features = None  # type: ignore[assignment]
    network.weight.data = None  # type: ignore[assignment]
    with pytest.raises((TypeError, AttributeError)) as caught:
        network(X)
    assert "__call__" in names(caught.value)


def test_what_was_caught_on_the_way_is_not_shown_but_what_the_user_caught_is() -> None:
    with pytest.raises(ValueError) as caught:
        m.predict(m.Linear(3, 1), X[:, :2])
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    with pytest.raises(ValueError) as caught:
        try:
            m.Linear(3, 1)(X[:, :2])
        except ValueError:
            m.Linear(4, 1)(X[:, :2])
    assert isinstance(caught.value.__context__, ValueError)
    assert not caught.value.__suppress_context__


def test_in_ipython_no_frame_of_ours_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))  # type: ignore[arg-type]
    with pytest.raises(ValueError) as caught:
        m.fit(m.Linear(3, 1), m.MSELoss(), X[:, :2], Y)
    assert names(caught.value) == ["test_in_ipython_no_frame_of_ours_is_shown"]


def test_a_warning_names_the_users_line() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tracebacks.warn("Look here.")
    assert [(warning.filename, str(warning.message)) for warning in caught] == [(__file__, "Look here.")]


def test_the_public_functions_stay_what_they_are() -> None:
    import inspect
    import pickle

    assert list(inspect.signature(m.fit).parameters)[:4] == ["network", "loss", "x", "y"]
    assert (m.evaluate.__doc__ or "").startswith("The loss and the metrics")
    assert pickle.loads(pickle.dumps(m.predict)) is m.predict
    assert m.fit.__module__ == "maillon.train.fit"
