"""Where the core does not know an option or an input of a link or a loss, that alone runs in NumPy."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from cores import agree, close, outcome, trained

import maillon as m
from maillon import engine
from maillon.engine import FallbackWarning, NotLoweredError
from maillon.engine.builder import LINKS, LOSSES, Builder, Value
from maillon.random import Generator
from maillon.train import stepping
from maillon.typing import Array

pytestmark = [pytest.mark.usefixtures("core"), pytest.mark.filterwarnings("ignore::maillon.engine.FallbackWarning")]

draw = Generator(1)
X, Y = draw.normal((20, 4)), draw.normal((20, 3))
WORDS = draw.randint(0, 6, (20, 4))
LABELS = draw.randint(0, 3, (20,))


@dataclass
class Case:
    """A training, the class that runs in NumPy, and why."""

    links: Callable[[], list[m.Module]]
    name: str
    reason: str
    x: Array = field(default_factory=lambda: X)
    loss: Callable[[], m.Loss] = m.MSELoss
    y: Array = field(default_factory=lambda: Y)


def linear(inputs: int, outputs: int) -> m.Linear:
    return m.Linear(inputs, outputs, generator=Generator(inputs + outputs))


def frozen() -> m.Linear:
    link = linear(5, 5).to("float64")
    link.bias.requires_grad = False
    link.bias.data.flags.writeable = False
    return link


CASES = {
    "a number that is not finite": Case(
        lambda: [linear(4, 5), m.Hardtanh(-np.inf, 1.0), linear(5, 3)],
        "Hardtanh",
        "Hardtanh(min_val=-inf) has a number that is no finite float64",
    ),
    "integers through a pad": Case(
        lambda: [m.ConstantPad1d(1, 0), m.Embedding(6, 2, generator=Generator(3)), m.Flatten(), linear(12, 3)],
        "ConstantPad1d",
        "[0] ConstantPad1d(1, 0) is given int64",
        x=WORDS,
    ),
    "memory that cannot be written": Case(
        lambda: [linear(4, 5), m.Tanh(), frozen(), linear(5, 3)],
        "Linear",
        "2.bias is not an aligned, writable array in C order",
    ),
    "a label that no target can hold": Case(
        lambda: [linear(4, 5), m.Tanh(), linear(5, 3)],
        "CrossEntropyLoss",
        f"CrossEntropyLoss(ignore_index={2**70}) ignores a label that no target of 64 bits can hold",
        loss=lambda: m.CrossEntropyLoss(ignore_index=2**70),
        y=LABELS,
    ),
}


def make(case: Case, **more: Any) -> m.Optim:
    network = m.Sequential(*case.links()).to("float64")
    for link in network.modules():
        if isinstance(link, m.Linear) and not link.bias.requires_grad:
            link.bias.data.flags.writeable = False
    return m.Optim(network, case.loss(), m.Adam(lr=0.01), **more)


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_it_trains_as_in_numpy(name: str, accumulate: int) -> None:
    case, found = CASES[name], []
    for one in ("numpy", "native"):
        optim = make(case, accumulate=accumulate)
        history = m.fit(optim, case.x, case.y, batch_size=6, epochs=3, engine=one, generator=Generator(3))
        found.append(outcome(optim, [float(value) for value in history["loss"]]))
    assert history.engine == f"native, with NumPy for: {case.name}"
    agree(found[1], found[0], 1e-11)


@pytest.mark.parametrize("name", CASES)
def test_fit_and_the_listing_say_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    monkeypatch.setattr(stepping, "_told", set())
    with pytest.warns(FallbackWarning) as told:
        m.fit(make(case), case.x, case.y, engine="native")
    assert [str(warning.message) for warning in told] == [
        f"fit runs {case.name} in NumPy, and the rest in the compiled core: {case.reason}."
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m.fit(make(case), case.x, case.y, engine="native")
    plan = engine.lower(make(case), case.x, case.y)
    assert f"\nin NumPy: {case.reason}\n" in str(plan)
    assert [type(own).__name__ for own in plan.own] == [case.name]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.loss is m.MSELoss])
def test_predictions(name: str) -> None:
    case = CASES[name]
    network = make(case).network
    expected = m.predict(network, case.x, engine="numpy")
    close("predict", m.predict(network, case.x, engine="native"), expected, 1e-12)
    close("compile", m.compile(network)(case.x), expected, 1e-12)


def test_what_a_refused_link_and_loss_have_begun_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    tanh, mse = LINKS[m.Tanh], LOSSES[m.MSELoss]

    def link(b: Builder, link: m.Module, x: Value) -> Value:
        LINKS[m.BatchNorm1d](b, m.BatchNorm1d(5).to("float64"), LINKS[m.Dropout](b, m.Dropout(0.5), tanh(b, link, x)))
        raise NotLoweredError("planted")

    def loss(*arguments: Any) -> None:
        mse(*arguments)
        raise NotLoweredError("planted")

    def make() -> m.Optim:
        return m.Optim(m.Sequential(linear(4, 5), m.Tanh(), linear(5, 3)).to("float64"), m.MSELoss(), 0.1)

    expected = trained(make, "numpy", X, Y, epochs=2)
    monkeypatch.setitem(LINKS, m.Tanh, link)
    monkeypatch.setitem(LOSSES, m.MSELoss, loss)
    plan = engine.lower(make(), X, Y)
    assert [one.kind for one in plan.operations if one.part in ("forward", "loss", "effects")] == [
        *("python", "linear", "python", "linear", "python")
    ]
    assert plan.streams == []
    optim = make()
    history = m.fit(optim, X, Y, epochs=2, generator=Generator(3), engine="native")
    assert history.engine == "native, with NumPy for: Tanh, MSELoss"
    for name, value in optim.network.state_dict().items():
        close(name, value, expected.arrays[name], 1e-12)


def test_the_reason_is_the_familys_where_numpy_cannot_do_it_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_b: Builder, _link: m.Module, _x: Value) -> Value:
        raise NotLoweredError("planted")

    class Odd(m.Tanh):
        """Gives what no plan can hold."""

        def forward(self, x: Array) -> Any:
            return super().forward(x).astype(np.float16)

    monkeypatch.setitem(LINKS, Odd, refused)
    network = m.Sequential(linear(4, 5), m.Residual(Odd()))
    with pytest.raises(RuntimeError, match=r"^engine='native': planted\. Pass"):
        m.predict(network, X.astype("float32"), engine="native")


def test_a_table_that_two_links_shorten_by_the_count_of_what_is_not_zero() -> None:
    """Each use shortens its rows again, as in PyTorch."""
    found = []
    for one in ("numpy", "native"):
        first = m.Embedding(6, 2, max_norm=0.5, norm_type=0, generator=Generator(3))
        network = m.Sequential(m.Parallel(first, first.share()), m.Add(), m.Flatten(), linear(8, 3)).to("float64")
        history = m.fit(network, m.MSELoss(), (WORDS, WORDS), Y, rule=0.1, epochs=2, engine=one, generator=Generator(3))
        found.append((history["loss"], network.state_dict()))
    assert history.engine == "native, with NumPy for: Embedding"
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-11)
    for name, value in found[0][1].items():
        close(name, found[1][1][name], value, 1e-11)


def test_a_link_of_ones_own_that_uses_what_another_link_changes_is_all_numpys() -> None:
    class Words(m.Module):
        takes_integers = True

        def __init__(self, table: m.Embedding) -> None:
            self.table = table

        def forward(self, x: Array) -> Array:
            return self.keep(self.table(x) * 2)

        def backward(self, grad_output: Array) -> None:
            self.release(grad_output)
            self.table.backward(grad_output * 2)

    first = m.Embedding(6, 2, max_norm=0.5, generator=Generator(3))
    network = m.Sequential(m.Parallel(first, Words(first.share())), m.Add(), m.Flatten(), linear(8, 3)).to("float64")
    with pytest.raises(RuntimeError, match=r"^engine='native': what Words\(.*\) uses changes before\. Pass"):
        m.fit(network, m.MSELoss(), (WORDS, WORDS), Y, rule=0.1, engine="native")
