"""Gradients of weights that go to their rule part by part: the same bits as with gradients in memory, seen or not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from catalogue import RULES
from cores import TOLERANCE, Outcome, agree, outcome, threads, trained

import maillon as m
from maillon import engine
from maillon.engine import PlanError, leaving, native, passes, processor
from maillon.engine.closure import runner_of
from maillon.engine.families.rules import RULES as KNOWN
from maillon.engine.plan import Plan, stream_of
from maillon.engine.step import Batches
from maillon.engine.verify import verify
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

SETS = processor.core().instruction_sets() if processor.core() is not None else ["none"]
STEPPING = [row for row in RULES if KNOWN.get(row.rule, KNOWN[m.LBFGS]).kind]
WIDE, ROWS = 48, 22


def data(dtype: str = "float32", rows: int = ROWS, columns: int = WIDE) -> tuple[Array, Array]:
    draw = Generator(2)
    x = draw.normal((rows, columns), dtype=np.float64).astype(dtype)
    return x, draw.normal((rows, 3), dtype=np.float64).astype(dtype)


def network(dtype: str = "float32", columns: int = WIDE, hidden: int = 50) -> m.Sequential:
    draw = Generator(4)
    links: list[m.Module] = [
        m.Linear(columns, hidden, generator=draw),
        m.Tanh(),
        m.Dropout(0.2, generator=Generator(5)),
    ]
    links += [m.Linear(hidden, 50, generator=draw), m.ReLU(), m.Linear(50, 3, generator=draw)]
    return m.Sequential(*links).to(dtype)


def learner(rule: Any, dtype: str = "float32", **options: Any) -> Callable[[], m.Optim]:
    return lambda: m.Optim(network(dtype), m.MSELoss(), rule(), **options)


def passing(plan: Plan) -> list[str]:
    """The gradients that the plan passes on, by name."""
    return [one.operands["dweight"].name for one in plan.operations if one.sizes.get("passes")]


def equal(found: Outcome, expected: Outcome) -> None:
    agree(found, expected, 0.0)


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """A training whose gradients all are in memory."""

    def run(make: Callable[[], m.Optim], x: Array, y: Array, **options: Any) -> Outcome:
        with monkeypatch.context() as changed:
            changed.setattr(passes, "_FEW_ROWS", 0)
            assert not passing(plan_of(make(), x, y, options.get("batch_size", len(x))))
            return trained(make, "native", x, y, **options)

    return run


def plan_of(optim: m.Optim, x: Array, y: Array, rows: int) -> Plan:
    return native.Runner(optim, Batches.of(x, y, None, rows, shuffle=False)).whole


@pytest.mark.parametrize("size", [1, 4, 8])
@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("row", STEPPING, ids=lambda row: row.name)
def test_every_rule(row: Any, dtype: str, size: int, in_memory: Callable[..., Outcome]) -> None:
    x, y = (0.1 * array[:11] for array in data(dtype))  # few steps: some climb
    make = learner(lambda: row.rule(**row.options), dtype)
    assert passing(plan_of(make(), x, y, size)) == ["d0.weight", "d3.weight"]
    options: dict[str, Any] = {"batch_size": size, "epochs": min(size, 3)}
    equal(trained(make, "native", x, y, **options), in_memory(make, x, y, **options))


@pytest.mark.parametrize("chosen", SETS)
@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("shape", [(64, 64), (3000, 2), (2, 3000), (129, 31), (1, 2048), (2048, 1)])
def test_shapes_sets_and_threads(
    shape: tuple[int, int], dtype: str, chosen: str, in_memory: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, outputs = shape
    draw = Generator(7)
    x = draw.normal((5, inputs), dtype=np.float64).astype(dtype)
    y = draw.normal((5, outputs), dtype=np.float64).astype(dtype)

    def make() -> m.Optim:
        link = m.Linear(inputs, outputs, generator=Generator(1)).to(dtype)
        return m.Optim(link, m.MSELoss(), m.SGD(lr=0.01, momentum=0.5))

    monkeypatch.setenv("MAILLON_ISA", chosen)
    expected = in_memory(make, x, y, batch_size=2, epochs=2)
    for number in (1, 2, 3):
        with threads(number, worth=0.0):
            found = trained(make, "native", x, y, batch_size=2, epochs=2)
        equal(found, expected)


def test_as_in_numpy() -> None:
    x, y = data("float64")
    make = learner(lambda: m.AdamW(lr=0.01), "float64")
    found, expected = (trained(make, which, x, y, batch_size=3, epochs=2) for which in ("native", "numpy"))
    agree(found, expected, TOLERANCE["float64"])


@pytest.mark.parametrize("every", [1, 2, 5])
def test_callbacks_see_the_gradients_of_each_step(every: int, in_memory: Callable[..., Outcome]) -> None:
    x, y = data()
    seen: list[list[Array]] = []

    class Look(m.Callback):
        def on_step_end(self, state: Any) -> None:
            if state.step % every == 0:
                seen[-1].extend(parameter.grad.copy() for parameter in state.optim.network.parameters())

    for train in (trained, None):
        seen.append([])
        options: dict[str, Any] = {"batch_size": 4, "epochs": 2, "callbacks": Look()}
        if train is None:
            in_memory(learner(m.Adam), x, y, **options)
        else:
            train(learner(m.Adam), "native", x, y, **options)
    assert len(seen[0]) == len(seen[1]) == 6 * (12 // every)
    for found, expected in zip(*seen, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("light", [True, False])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("spoilt", [0, 9, 21])
def test_a_loss_that_is_not_finite(spoilt: int, shuffle: bool, light: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not light:
        monkeypatch.setattr(native, "_LIGHT_BYTES", 0)
    x, y = data("float64")
    y[spoilt] = 1e200
    ends = []
    for which in ("native", "numpy"):
        optim, generator = learner(lambda: m.SGD(lr=0.1, momentum=0.9), "float64")(), Generator(3)
        with pytest.raises(m.NonFiniteLossError) as caught:
            m.fit(optim, x, y, batch_size=4, epochs=3, shuffle=shuffle, generator=generator, engine=which)
        end = outcome(optim, [])
        end.numbers |= {
            "words": [repr(each.get_state()) for each in (generator, optim.network[2].generator)],
            "place": (caught.value.epoch, caught.value.batch, caught.value.history.steps),
            "denominator": optim.loss.denominator,
        }
        ends.append(end)
    agree(*ends, 1e-11)


def test_a_large_training_that_diverges_after_some_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = data("float64")
    ends = []
    for limit in (2**22, 0):
        monkeypatch.setattr(native, "_LIGHT_BYTES", limit)
        optim = learner(lambda: m.SGD(lr=3.0), "float64")()
        with pytest.raises(m.NonFiniteLossError) as caught:
            m.fit(optim, x, y, batch_size=4, epochs=1000, generator=Generator(3), engine="native")
        ends.append(outcome(optim, [float(value) for value in caught.value.history["loss"]]))
        assert caught.value.history.steps > 4
    equal(*ends)


def test_a_large_training_takes_many_steps_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_LIGHT_BYTES", 0)
    x, y = data()
    runner = native.Runner(learner(m.Adam)(), Batches.of(x, y, None, 4, shuffle=True))
    assert runner.run(100, 2).steps == 12


def frozen() -> m.Optim:
    made = network()
    made[0].weight.requires_grad = False
    return m.Optim(made, m.MSELoss(), m.Adam())


def shared() -> m.Optim:
    link = m.Linear(WIDE, WIDE)
    chain = m.Sequential(link, m.Tanh(), link.share(), m.Linear(WIDE, 50), m.Linear(50, 3))
    return m.Optim(chain, m.MSELoss(), m.Adam())


def biases_first() -> m.Optim:
    made = network()
    groups = [{"params": [made[0].bias, made[3].weight, made[3].bias]}, {"params": [made[0].weight]}]
    return m.Optim(made, m.MSELoss(), m.Adam(groups))


def with_a_link_of_its_own() -> m.Optim:
    class Double(m.Module):
        def forward(self, x: Array) -> Array:
            return 2 * x

        def backward(self, grad_output: Array) -> Array:
            return 2 * grad_output

    return m.Optim(m.Sequential(*network()[:3], Double(), *network()[3:]), m.MSELoss(), m.Adam())


@pytest.mark.parametrize(
    "make, rows, names",
    [
        (learner(m.Adam), 8, ["d0.weight", "d3.weight"]),
        (learner(m.Adam), 9, []),
        (learner(m.Adam, clip_grad_norm=1.0), 4, []),
        (learner(m.Adam, clip_grad_value=1.0), 4, []),
        (learner(m.Adam, accumulate=2), 4, []),
        (learner(m.LBFGS), 4, []),
        (frozen, 4, ["d3.weight"]),
        (shared, 4, ["d3.weight"]),
        (biases_first, 4, ["d3.weight"]),
        (with_a_link_of_its_own, 4, []),
    ],
)
def test_which_gradients_pass(make: Callable[[], m.Optim], rows: int, names: list[str]) -> None:
    x, y = data()
    assert passing(runner_of(make(), Batches.of(x, y, None, rows, shuffle=False)).whole) == names


def test_a_mini_batch_of_no_rows() -> None:
    optim = learner(lambda: m.SGD(lr=0.1, weight_decay=0.5))()
    plan = plan_of(optim, *data(), 4)
    operations = [one for one in plan.operations if one.part == "update"]
    operations = [one.altered(sizes={**one.sizes, "rows": 0}) if "rows" in one.sizes else one for one in operations]
    nothing = replace(plan, operations=operations, passing=[], streams=[])
    verify(nothing)
    weight = optim.network[0].weight.data
    expected = weight - np.float32(0.1) * (np.float32(0.5) * weight)
    leaving.program_of(nothing, {}).run(1)
    np.testing.assert_allclose(weight, expected, rtol=1e-6)


def test_none_passes_that_is_made_of_what_rules_change(plan: Plan) -> None:
    updates = [one for one in plan.operations if one.part == "update" and not one.sizes.get("passes")]
    assert passes.passing(plan.passing, updates) == plan.passing
    parameter = updates[-1].operands["parameter"]
    for name in ("x", "dy"):
        spoilt = [one.altered(operands={**one.operands, name: parameter}) for one in plan.passing]
        assert passes.passing(spoilt, updates) == []


def test_a_learner_leaves_all_gradients_to_be_seen() -> None:
    x, y = data()
    optims = [learner(m.SGD)() for _ in range(2)]
    step = m.compile(optims[0]).step
    for _ in range(3):
        step(x[:4], y[:4])
        optims[1].step(x[:4], y[:4])
        for one, other in zip(*(optim.network.parameters() for optim in optims), strict=True):
            np.testing.assert_allclose(one.grad, other.grad, rtol=0, atol=1e-6)


def test_the_listing() -> None:
    x, y = data()
    text = str(engine.lower(learner(m.SGD)(), x[:2], y[:2]))
    lines = [line.split()[0] for line in text[text.index("update") :].splitlines()]
    assert lines == ["update", "linear_grad_weight", *["sgd"] * 2, "linear_grad_weight", *["sgd"] * 4]
    assert "[passes=1]" in text


@pytest.fixture
def plan() -> Plan:
    x, y = data()
    return plan_of(learner(m.Adam)(), x, y, 4)


def changed(plan: Plan, place: int, **fields: Any) -> Plan:
    operations = list(plan.operations)
    operations[place] = operations[place].altered(**fields)
    return replace(plan, operations=operations)


def test_the_verifier_refuses(plan: Plan) -> None:
    verify(plan)
    place = next(number for number, one in enumerate(plan.operations) if one.sizes.get("passes"))
    one, update = plan.operations[place], plan.operations[place + 1]
    cases = [
        (replace(plan, operations=plan.operations[: place + 1]), "its gradient passes to no rule"),
        (replace(plan, operations=[*plan.operations[: place + 1], *plan.operations[place + 2 :]]), "passes to no rule"),
        (changed(plan, place + 1, operands={**update.operands, "grad": update.operands["mean"]}), "passes to no rule"),
        (changed(plan, place + 1, sizes={**update.sizes, "n": 5}), "its gradient is not like the parameter"),
        (changed(plan, place, sizes={**one.sizes, "keep": 1}), "it does not hold that not"),
        (changed(plan, place, operands={**one.operands, "x": update.operands["mean"]}), "overwrite x of"),
        (changed(plan, place, operands={**one.operands, "dy": update.operands["parameter"]}), "overwrite dy of"),
        (changed(plan, place, operands={**one.operands, "dbias": update.operands["mean"]}), "would overwrite"),
    ]
    for spoilt, words in cases:
        with pytest.raises(PlanError, match=rf"operation {place}, linear_grad_weight: .*{words}"):
            verify(spoilt)


def test_the_core_refuses_what_passes_to_no_rule(plan: Plan) -> None:
    place = next(number for number, one in enumerate(plan.operations) if one.sizes.get("passes"))
    with pytest.raises(ValueError, match="a gradient passes to an operation that is no rule"):
        streams = {generator: stream_of(generator) for generator in plan.streams}
        leaving.program_of(replace(plan, operations=plan.operations[: place + 1]), streams)


def test_large_parameters_begin_at_a_cache_line() -> None:
    for parameter in m.Linear(64, 64).parameters():
        assert parameter.data.nbytes < 1024 or parameter.data.ctypes.data % 64 == 0
