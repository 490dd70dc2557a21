"""What a link or loss of the user's own raises arrives unharmed, and the step that it ends has changed nothing."""

import traceback
from typing import Any

import numpy as np
import pytest
from cores import require_core
from own_links import PLACES, Case, Own, arm, case, own_of, state

import maillon as m
from maillon.engine.native import Runner
from maillon.engine.step import Batches
from maillon.nn.support.errors import LinkShapeError
from maillon.random import Generator, using
from maillon.train.modes import learning


class RaisedError(Exception):
    """With what the user has put into it."""

    def __init__(self, text: str, number: int) -> None:
        super().__init__(text, number)
        self.number = number


pytestmark = pytest.mark.filterwarnings("ignore::maillon.engine.FallbackWarning")

ERRORS = (
    lambda: ValueError("wrong", 3),
    lambda: RaisedError("mine", 4),
    lambda: LinkShapeError("Own(): expected something else"),
    lambda: KeyboardInterrupt("pressed"),
    lambda: SystemExit(3),
)


@pytest.fixture(autouse=True, params=[1, 2], ids=["one thread", "two threads"])
def team(request: pytest.FixtureRequest) -> Any:
    from cores import threads

    require_core()
    with threads(request.param, worth=0):
        yield


class Noted(m.Callback):
    """The history of a training that ends by an exception."""

    history: Any = None

    def on_train_begin(self, state: m.train.State) -> None:
        self.history = state.history


def failed(made: Case, optim: m.Optim, engine: str, where: str, at: int, error: BaseException) -> tuple[Any, Any]:
    """What is left of a training that fails in this step, with its generator; its history."""
    arm(optim, where, at, error)
    generator, noted = Generator(made.seed), Noted()
    with pytest.raises(type(error)) as caught:
        made.fit(optim, engine, generator, callbacks=[noted])
    assert caught.value is error
    frame = traceback.extract_tb(error.__traceback__)
    assert [one.name for one in frame][-2:] == [METHODS.get(where, where), "meet"]
    assert frame[-1].line == "raise self.error"
    assert noted.history.engine.startswith("numpy" if engine == "numpy" else "native, with NumPy for: ")
    return state(optim, generator), noted.history


METHODS = {"loss forward": "elements", "loss backward": "elements_backward"}


def reached(made: Case, optim: m.Optim, steps: int) -> Any:
    """What is left after so many steps, and where the next one has begun an epoch."""
    generator = Generator(made.seed)
    options = made.options
    batches = Batches.of(
        made.x, made.y, None, options["batch_size"], shuffle=options["shuffle"], drop_last=options["drop_last"]
    )
    with using(generator), learning(optim.network):
        runner = Runner(optim, batches)
        while runner.steps < steps:
            if runner.between_epochs and runner.steps:
                runner.flush()
            runner.run(steps - runner.steps, 1)
        if runner.between_epochs:
            if steps:
                runner.flush()
            if options["shuffle"]:
                generator.randperm(len(made.x))
    return state(optim, generator)


def same(found: dict[str, Any], expected: dict[str, Any], tolerance: float = 0.0) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, str):
            assert found[name] == value, name
        elif tolerance:
            np.testing.assert_allclose(found[name], value, rtol=tolerance, atol=tolerance, err_msg=name)
        else:
            assert found[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("seed", range(60))
def test_a_step_that_raises_has_changed_nothing(seed: int) -> None:
    made = case(seed)
    rng = np.random.default_rng(1000 + seed)
    where = PLACES[int(rng.integers(len(PLACES)))] if "OwnLoss" in repr(made.make().loss) else PLACES[seed % 2]
    at = int(rng.integers(made.options["epochs"] * made.steps))
    error = ERRORS[int(rng.integers(len(ERRORS)))]()

    optim = made.make()
    found, history = failed(made, optim, "native", where, at, error)
    same(found, reached(made, made.make(), at))

    told = str(error)
    expected_error = type(error)(*error.args)
    by_numpy = made.make()
    expected, by_hand = failed(made, by_numpy, "numpy", where, at, expected_error)
    assert told == str(expected_error)
    same(found, expected, 1e-12)
    for name in history.columns:
        if name != "seconds":
            np.testing.assert_allclose(history[name], by_hand[name], rtol=1e-12, err_msg=name)

    for one in (optim, by_numpy):
        own_of(one).trap = None
    for one, engine in ((optim, "native"), (by_numpy, "numpy")):
        made.fit(one, engine, Generator(5))
    same(state(optim), state(by_numpy), 1e-10)


@pytest.mark.parametrize("loss", ["raises", "is not finite"])
def test_rows_that_a_link_of_ones_own_has_shortened_are_put_back(loss: str) -> None:
    class Words(m.Module):
        takes_integers = True
        calls = 0

        def __init__(self) -> None:
            self.table = m.Embedding(6, 2, max_norm=0.1, generator=Generator(3))

        def forward(self, x: Any) -> Any:
            self.calls += 1
            y = self.table(x).sum(axis=1)
            if self.training and self.calls >= 4:
                if loss == "raises":
                    raise RaisedError("mine", 4)
                y = y * np.nan
            return self.keep(y)

        def backward(self, grad_output: Any) -> None:
            self.release(grad_output)
            self.table.backward(np.repeat(grad_output[:, None], 4, axis=1))

    words, target = Generator(1).randint(0, 6, (12, 4)), Generator(2).randn((12, 3))
    tables = []
    for engine in ("numpy", "native"):
        network = m.Sequential(Words(), m.Linear(2, 3, generator=Generator(4)))
        with pytest.raises(RaisedError if loss == "raises" else m.NonFiniteLossError):
            m.fit(network, m.MSELoss(), words, target, rule=0.5, batch_size=4, shuffle=False, engine=engine)
        table = network[0].table.weight.data
        tables.append(table)
        assert (np.linalg.norm(table, axis=1) > 0.11).any()  # what the rule has moved since, not shortened again
    np.testing.assert_allclose(*tables, rtol=1e-5)


@pytest.mark.parametrize("how", ["numpy", "native", "learner"])
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize(("where", "none"), [("forward", False), ("backward", True)])
def test_no_gradient_is_half_of_one_step(where: str, none: bool, accumulate: int, how: str) -> None:
    x, y = Generator(1).normal((12, 4), dtype=np.float64), Generator(2).normal((12, 3), dtype=np.float64)
    links = [m.Linear(4, 5, generator=Generator(3)), Own(5), m.Linear(5, 3, generator=Generator(4))]
    optim = m.Optim(m.Sequential(*links).to("float64"), m.MSELoss(), m.SGD(lr=0.1), accumulate=accumulate)
    arm(optim, where, 1, ValueError("planted"))
    learner = m.compile(optim)
    with pytest.raises(ValueError, match="planted"):
        if how == "learner":
            for row in range(0, 12, 4):
                learner.step(x[row : row + 4], y[row : row + 4])
        else:
            m.fit(optim, x, y, batch_size=4, shuffle=False, engine=how)
    grads = [parameter.grad for parameter in optim.network.parameters()]
    assert all((grad is None) == none for grad in grads)
    assert optim.waiting == (accumulate > 1 and not none)
