"""Gradients gathered over several mini-batches by the core: NumPy's numbers, and those of one larger mini-batch."""

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, agree, outcome, same_for_both, threads, trained

import maillon as m
from maillon.engine import PlanError, lower, native, step, verify
from maillon.engine.plan import Plan
from maillon.random import Generator
from maillon.train import State
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

ROWS = 22
EACH = (1, 2, 3, 5, 100)


def numbers(seed: int, *shape: int) -> Array:
    return Generator(seed).normal(shape, dtype=np.float64)


X, Y, LABELS = numbers(1, ROWS, 6), numbers(2, ROWS, 3), np.arange(ROWS) * 7 % 3
SOME_IGNORED = np.where((np.arange(ROWS) % 5 // 2 == 1) | ((np.arange(ROWS) > 3) & (np.arange(ROWS) < 9)), 9, LABELS)
PROBABILITIES = m.Softmax(-1)(numbers(3, ROWS, 3))
CLASS_WEIGHT = np.array([0.2, 1.0, 3.5])


def network(*last: m.Module, dtype: str = "float64", dropout: float = 0.2) -> m.Sequential:
    generator = Generator(4)
    first, second = m.Linear(6, 5, generator=generator), m.Linear(5, 3, generator=generator)
    return m.Sequential(first, m.Tanh(), m.Dropout(dropout, generator=Generator(9)), second, *last).to(dtype)


Make = Callable[[str], m.Loss]
LOSSES: dict[str, tuple[Make, Array, tuple[type[m.Module], ...]]] = {
    "mse": (lambda by: m.MSELoss(reduction=by), Y, ()),
    "half mse": (lambda by: m.nn.HalfMSELoss(reduction=by), Y, ()),
    "l1": (lambda by: m.L1Loss(reduction=by), Y, ()),
    "bce": (lambda by: m.BCELoss(reduction=by), PROBABILITIES, (m.Sigmoid,)),
    "bce, logits": (lambda by: m.BCEWithLogitsLoss(reduction=by, pos_weight=CLASS_WEIGHT), PROBABILITIES, ()),
    "labels": (lambda by: m.CrossEntropyLoss(reduction=by), LABELS, ()),
    "labels, some ignored": (
        lambda by: m.CrossEntropyLoss(CLASS_WEIGHT, ignore_index=9, reduction=by, label_smoothing=0.1),
        SOME_IGNORED,
        (),
    ),
    "probabilities": (lambda by: m.CrossEntropyLoss(CLASS_WEIGHT, reduction=by), PROBABILITIES, ()),
    "likelihood": (
        lambda by: m.NLLLoss(CLASS_WEIGHT, ignore_index=9, reduction=by),
        SOME_IGNORED,
        (m.LogSoftmax,),
    ),
}
RULES: list[tuple[Callable[[], m.optim.Rule], dict[str, float]]] = [
    (lambda: m.SGD(lr=0.03), {}),
    (lambda: m.SGD(lr=0.03, momentum=0.9, weight_decay=0.01), {"clip_grad_norm": 0.1}),
    (lambda: m.Adam(lr=0.01, eps=1e-3), {"clip_grad_value": 0.05}),
]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_and_rule(name: str, reduction: str, dtype: str) -> None:
    """With weights, short last mini-batches, clipping, and what is left over at the end of an epoch."""
    loss, target, last = LOSSES[name]
    for accumulate, (rule, clip) in itertools.product(EACH, RULES):
        if accumulate == 1 and target is SOME_IGNORED and reduction == "mean":
            continue  # a mini-batch of which all is ignored

        def make(accumulate: int = accumulate, rule: Any = rule, clip: Any = clip) -> m.Optim:
            links = [link() for link in last]
            limits = {name: value * (1 if reduction == "mean" else 20) for name, value in clip.items()}
            return m.Optim(network(*links, dtype=dtype), loss(reduction), rule(), accumulate=accumulate, **limits)

        options = {"batch_size": 4, "epochs": 2, "sample_weight": np.linspace(0, 2, ROWS), "shuffle": False}
        found = same_for_both(make, X, target, TOLERANCE[dtype], **options)
        assert found.numbers["steps"] == 12


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"drop_last": True},
        {"drop_last": True, "shuffle": False},
        {"batch_size": 1},
        {"batch_size": 22},
        {"batch_size": 11, "metrics": ["mae"]},
        {"callbacks": lambda state: None, "validation_split": 0.3},
        {"schedule": lambda step: 0.9**step, "schedule_by": "step"},
        {"schedule": m.optim.lr_scheduler.StepLR(step_size=2, gamma=0.5)},
    ],
    ids=lambda options: " ".join(options),
)
def test_all_around_the_step(options: dict[str, Any], dtype: str) -> None:
    for accumulate in (2, 3, 100):

        def make(accumulate: int = accumulate) -> m.Optim:
            rule = m.SGD(lr=0.03, momentum=0.9)
            return m.Optim(network(dtype=dtype), m.MSELoss(), rule, accumulate=accumulate)

        settings = {"batch_size": 4, "epochs": 4} | options
        found = same_for_both(make, X, Y, TOLERANCE[dtype], **settings)
        expected = trained(make, "numpy", X, Y, **settings)
        for column in set(found.history.columns) - {"seconds"}:
            assert found.history[column] == pytest.approx(expected.history[column], rel=TOLERANCE[dtype])


@pytest.mark.parametrize("name", [name for name, (_, target, _) in LOSSES.items() if target is not SOME_IGNORED])
def test_gathered_they_are_one_mini_batch_so_many_times_as_large(name: str) -> None:
    loss, target, last = LOSSES[name]
    ends = []
    for batch, accumulate in ((12, 1), (4, 3), (3, 4), (1, 12)):
        links = [link() for link in last]
        optim = m.Optim(network(*links, dropout=0.0), loss("mean"), m.Adam(lr=0.01, eps=1e-3), accumulate=accumulate)
        options: dict[str, Any] = {"batch_size": batch, "epochs": 3, "generator": Generator(2), "engine": "native"}
        history = m.fit(optim, X, target, **options)
        optim.prediction = None  # of mini-batches of other sizes
        ends.append(outcome(optim, [float(value) for value in history["loss"]]))
    for end in ends[1:]:
        agree(end, ends[0], 1e-12)


def test_fit_says_that_it_ran_in_the_core() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = m.fit(network(), m.MSELoss(), X, Y, rule=0.1, batch_size=4, accumulate=3, epochs=2)
    assert (history.engine, history.steps) == ("native", 12)


def test_parameters_that_the_rule_has_not_add_up_undivided() -> None:
    def make() -> m.Optim:
        chain = network()
        return m.Optim(chain, m.MSELoss(), m.SGD(chain[3].parameters(), lr=0.1), accumulate=3)

    same_for_both(make, X, Y, 1e-12, batch_size=4, epochs=3)


def test_and_so_over_many_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one step each, without anybody who looks on."""
    monkeypatch.setattr(native, "_LIGHT_BYTES", 0)
    for accumulate in (1, 3):

        def make(accumulate: int = accumulate) -> m.Optim:
            chain = network()
            return m.Optim(chain, m.MSELoss(), m.SGD(chain[3].parameters(), lr=0.1), accumulate=accumulate)

        same_for_both(make, X, Y, 1e-12, batch_size=4, epochs=3)


def test_a_parameter_used_twice() -> None:
    def make() -> m.Optim:
        first = m.Linear(6, 6, generator=Generator(1))
        chain = m.Sequential(first, m.Tanh(), first.share(), m.Tanh(), m.Linear(6, 3, generator=Generator(2)))
        return m.Optim(chain.to("float64"), m.MSELoss(), m.SGD(lr=0.1), accumulate=2)

    same_for_both(make, X, Y, 1e-12, batch_size=4, epochs=3)


# What is seen on the way


def diary(engine: str, accumulate: int, change: Callable[[State], None]) -> list[Any]:
    """All there is after each step and epoch."""
    pages: list[Any] = []
    optim = m.Optim(network(), m.MSELoss(), m.Adam(lr=0.01, eps=1e-3), accumulate=accumulate)

    class Diary(m.Callback):
        def on_step_end(self, state: State) -> None:
            self.write(state)
            change(state)

        def on_epoch_end(self, state: State) -> None:
            self.write(state)

        def write(self, state: State) -> None:
            page = outcome(optim, [state.loss])
            page.numbers["place"] = (state.epoch, state.batch, state.step, optim.waiting, optim.gathered)
            pages.append(page)

    history = m.fit(optim, X, Y, batch_size=4, epochs=3, shuffle=False, callbacks=Diary(), engine=engine)
    pages.append(outcome(optim, [float(value) for value in history["loss"]]))
    return pages


def nothing(state: State) -> None:
    pass


def stop(state: State) -> None:
    if state.step == 8:
        state.stop()


def stop_without_a_gradient(state: State) -> None:
    """The rule passes the parameter over."""
    if state.step == 8:
        state.network.get_parameter("0.weight").grad = None
        state.stop()


def change_often(state: State) -> None:
    optim = state.optim
    match state.step % 7:
        case 1:
            optim.accumulate = 2 + state.step % 3
        case 3:
            optim.flush()
        case 4:
            optim.step(X[:3], Y[:3])
        case 5:
            optim.zero_grad()
        case 6:
            optim.loss.reduction = "sum" if optim.loss.reduction == "mean" else "mean"


@pytest.mark.parametrize("change", [nothing, stop, stop_without_a_gradient, change_often])
@pytest.mark.parametrize("accumulate", [2, 4, 100])
def test_callbacks_see_the_same(accumulate: int, change: Callable[[State], None]) -> None:
    found, expected = (diary(engine, accumulate, change) for engine in ("native", "numpy"))
    assert len(found) == len(expected)
    for page, other in zip(found, expected, strict=True):
        agree(page, other, 1e-10)


def test_what_waits_is_taken_from_an_optim_in_the_middle() -> None:
    ends = []
    for engine in ("numpy", "native"):
        optim = m.Optim(network(dropout=0.0), m.MSELoss(), m.SGD(lr=0.1, momentum=0.9), accumulate=3)
        optim.step(X[:4], Y[:4])
        if engine == "native":
            runner = native.Runner(optim, step.Batches.of(X[4:12], Y[4:12], None, 4, shuffle=False))
            runner.run(9, 1)
            runner.show()
        else:
            optim.step(X[4:8], Y[4:8])
            optim.step(X[8:12], Y[8:12])
        assert not optim.waiting
        ends.append(outcome(optim, []))
    agree(ends[1], ends[0], 1e-12)


# Losses that are not finite


def failed(optim: m.Optim, x: Array, y: Array, **options: Any) -> tuple[m.NonFiniteLossError, Any]:
    with pytest.raises(m.NonFiniteLossError) as caught, np.errstate(all="ignore"):
        m.fit(optim, x, y, batch_size=2, progress=False, **options)
    return caught.value, outcome(optim, [float(value) for value in caught.value.history["loss"]])


def same_failure(make: Callable[[], m.Optim], x: Array, y: Array, **options: Any) -> m.NonFiniteLossError:
    ends = []
    for engine in ("native", "numpy"):
        generator = Generator(options.get("seed", 1))
        settings = {name: value for name, value in options.items() if name != "seed"}
        optim = make()
        error, end = failed(optim, x, y, engine=engine, generator=generator, **settings)
        end.numbers |= {"error": str(error), "steps": error.history.steps, "gathered": optim.gathered}
        end.numbers["words"] = repr(generator.get_state())
        ends.append(end)
    agree(*ends, 1e-11)
    return error


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("spoilt", [0, 3, 5, 9])
@pytest.mark.parametrize("accumulate", [2, 3, 100])
def test_a_loss_that_is_not_finite_in_the_middle(accumulate: int, spoilt: int, watched: bool) -> None:
    y = Y[:11].copy()
    y[spoilt] = 1e200

    def make() -> m.Optim:
        return m.Optim(network(), m.MSELoss(), m.Adam(lr=0.01), accumulate=accumulate)

    error = same_failure(make, X[:11], y, epochs=3, shuffle=False, callbacks=[m.Callback()] if watched else ())
    assert (error.epoch, error.batch) == (1, spoilt // 2 + 1)


@pytest.mark.parametrize("team", [1, 2])
def test_all_of_a_gathering_ignored(team: int) -> None:
    """Somewhere in a long training, by itself or as what an epoch leaves over."""
    labels = np.where(np.arange(10) < 6, 9, LABELS[:10])
    places = set()
    for seed in range(40):

        def make() -> m.Optim:
            loss = m.CrossEntropyLoss(CLASS_WEIGHT, ignore_index=9)
            return m.Optim(network(), loss, m.SGD(lr=0.01, momentum=0.9), accumulate=2)

        with threads(team, worth=0):
            error = same_failure(make, X[:10], labels, epochs=200, seed=seed)
        places.add((error.epoch == 1, error.batch == 6))
    assert places == {(True, True), (True, False), (False, True), (False, False)}


# The plan


def plan(accumulate: int = 2, **options: Any) -> Plan:
    return lower(m.Optim(network(), m.MSELoss(**options), 0.1, accumulate=accumulate), X, Y)


def test_the_plan_shows_it() -> None:
    listing = str(plan())
    assert "\nclear, at the first mini-batch gathered\n  clear  " in listing
    assert "\ndivide, at the last one, as all below\n  divide  " in listing
    kinds = [operation.kind for operation in plan().operations]
    assert kinds[kinds.index("element_loss") + 1] == "clear"
    assert all(operation.sizes["keep"] for operation in plan().operations if operation.kind == "linear_grad_weight")
    assert {"clear", "divide"}.isdisjoint(operation.kind for operation in plan(1).operations)
    assert "divisor" not in plan(reduction="sum").operations[kinds.index("element_loss")].operands


@pytest.mark.parametrize("way", ["clear", "divide", "twice", "exchanged", "first", "two losses"])
def test_the_verifier_refuses_half_a_gathering(way: str) -> None:
    spoilt = plan()
    operations = spoilt.operations
    clear, divide = (next(o for o in operations if o.kind == kind) for kind in ("clear", "divide"))
    if way in {"clear", "divide"}:
        operations.remove(clear if way == "clear" else divide)
    elif way == "twice":
        operations.append(divide)
    elif way == "exchanged":
        one, other = operations.index(clear), operations.index(divide)
        operations[one], operations[other] = divide, clear
    elif way == "first":
        operations.remove(clear)
        operations.insert(0, clear)
    else:
        operations.append(next(o for o in operations if o.kind == "element_loss"))
    with pytest.raises(PlanError, match=r"^expected one loss, and after it one clear and one divide, or neither$"):
        verify.verify(spoilt)


def test_two_plans_that_gather_apart_are_refused() -> None:
    optim = m.Optim(network(), m.MSELoss(), 0.1, accumulate=2)
    runner = native.Runner(optim, step.Batches.of(X, Y, None, 4, shuffle=False))
    other = native.Runner(optim, step.Batches.of(X, Y, None, 4, shuffle=False))
    assert other.rest is not None
    other.rest.result = runner.whole.result
    with pytest.raises(PlanError, match="must gather their gradients at one place, or not at all"):
        verify.verify_training(runner.whole, other.rest, list(runner.batches.feeds()), ROWS, None)
