"""The bar: seen where somebody looks, and nowhere else."""

import io
import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace

import pytest

import maillon as m
from maillon.train.progress import Bar, _bundle, wanted
from maillon.typing import Array

Data = tuple[Array, Array]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _an_environment_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Turns the error stream into a terminal, from inside the test: pytest sets its own before each."""

    def begin() -> Terminal:
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return begin


def test_a_terminal_sees_loss_metrics_and_time(
    look: Callable[[], Terminal], make_linear: Callable[[], m.Linear], line: Data
) -> None:
    terminal = look()
    m.fit(make_linear(), m.MSELoss(), *line, batch_size=5, epochs=2, metrics=["mae"], validation_data=line)
    text = terminal.getvalue()
    last = text.strip().split("\r")[-1]
    assert "epoch 2/2" in last
    assert "8/8" in last
    assert "100%" in last
    for name in ("loss=", "mae=", "val_loss=", "val_mae="):
        assert name in last
    assert "seconds" not in text


def test_nobody_else_does(capsys: pytest.CaptureFixture[str], make_linear: Callable[[], m.Linear], line: Data) -> None:
    m.fit(make_linear(), m.MSELoss(), *line)
    assert capsys.readouterr() == ("", "")


def test_progress_false_is_quiet_on_a_terminal(
    look: Callable[[], Terminal], make_linear: Callable[[], m.Linear], line: Data
) -> None:
    terminal = look()
    m.fit(make_linear(), m.MSELoss(), *line, progress=False)
    assert terminal.getvalue() == ""


def test_progress_true_speaks_to_any_stream(
    capsys: pytest.CaptureFixture[str], make_linear: Callable[[], m.Linear], line: Data
) -> None:
    m.fit(make_linear(), m.MSELoss(), *line, batch_size=5, progress=True)
    assert "epoch 1/1" in capsys.readouterr().err


def test_where_there_is_no_error_stream_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert not wanted(None)
    assert wanted(True)


def test_it_draws_at_most_ten_times_a_second(look: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch) -> None:
    look()
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bar = Bar(epochs=1, steps=1000)
    drawn = 0
    for step in range(1, 1001):
        now[0] += 0.001
        if bar.due:
            drawn += 1
            bar.show(1, step, {"loss": 1.0})
    bar.close()
    assert 9 <= drawn <= 11


def test_the_steps_are_learnt_from_the_first_epoch(
    look: Callable[[], Terminal], make_linear: Callable[[], m.Linear], line: Data
) -> None:
    terminal = look()

    class Endless:
        def __iter__(self) -> Iterator[Data]:
            return iter([line] * 3)

    m.fit(make_linear(), m.MSELoss(), Endless(), epochs=4)
    assert "12/12" in terminal.getvalue()


# In a notebook


class Page:
    """What IPython's display would show: a list of bundles, one after the other, each in the place of the last."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def display(self, bundle: dict[str, str], raw: bool, display_id: bool) -> "Page":
        assert raw
        assert display_id
        assert not self.shown
        self.shown.append(bundle)
        return self

    def update(self, bundle: dict[str, str], raw: bool) -> None:
        assert raw
        self.shown.append(bundle)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    """IPython with a kernel, as far as the bar looks at it."""
    page = Page()
    shell = SimpleNamespace(kernel=object())
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.__dict__.update(get_ipython=lambda: shell, display=display)
    display.__dict__.update(display=page.display)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return page


def test_a_notebook_sees_a_bar_without_being_asked(
    page: Page, capsys: pytest.CaptureFixture[str], make_linear: Callable[[], m.Linear], line: Data
) -> None:
    m.fit(make_linear(), m.MSELoss(), *line, batch_size=5, epochs=2, metrics=["mae"], validation_data=line)
    last = page.shown[-1]
    assert capsys.readouterr() == ("", "")
    assert '<progress value="8" max="8"' in last["text/html"]
    assert last["text/plain"].startswith("epoch 2/2, 100%, 8 of 8 steps, 0 s, loss ")
    for name in ("loss ", "mae ", "val_loss ", "val_mae "):
        assert name in last["text/plain"]
        assert name in last["text/html"]


def test_progress_false_is_quiet_in_a_notebook(page: Page, make_linear: Callable[[], m.Linear], line: Data) -> None:
    m.fit(make_linear(), m.MSELoss(), *line, progress=False)
    assert page.shown == []


def test_the_environment_may_say_no_bars(
    page: Page, monkeypatch: pytest.MonkeyPatch, make_linear: Callable[[], m.Linear], line: Data
) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "1")
    m.fit(make_linear(), m.MSELoss(), *line)
    assert page.shown == []
    assert wanted(progress=True)


def test_a_bar_in_a_notebook_knows_the_time_left(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bar = Bar(epochs=2, steps=10)
    now[0] += 90
    bar.show(1, 4, {"<b>": 0.5})
    assert page.shown[-1]["text/plain"] == "epoch 1/2, 20%, 4 of 20 steps, 1 min 30 s, 6 min 0 s left, <b> 0.5"
    assert "&lt;b&gt; 0.5" in page.shown[-1]["text/html"]
    assert "<b>" not in page.shown[-1]["text/html"]
    unknown = _bundle(3, None, "epoch 1/2", {}, 2.0)
    assert unknown["text/plain"] == "epoch 1/2, 3 steps, 2 s"
    assert "<progress style" in unknown["text/html"]


def test_ipython_in_a_terminal_keeps_the_line_of_text(
    page: Page, capsys: pytest.CaptureFixture[str], make_linear: Callable[[], m.Linear], line: Data
) -> None:
    sys.modules["IPython"].get_ipython().kernel = None
    m.fit(make_linear(), m.MSELoss(), *line)
    assert capsys.readouterr().err == ""
    m.fit(make_linear(), m.MSELoss(), *line, progress=True)
    assert "epoch 1/1" in capsys.readouterr().err
    assert page.shown == []
