"""The rules in the core: from equal gradients to the same parameters and the same state as in NumPy."""

from typing import Any

import numpy as np
import pytest
from catalogue import RULES, RuleRow
from catalogue.rows import rule_row
from cores import TOLERANCE, close, largest, same_for_both, threads

import maillon as m
from maillon import engine, optim
from maillon.engine import NotLoweredError, processor
from maillon.engine.builder import Builder
from maillon.engine.lowering import finish
from maillon.engine.memory import Memory
from maillon.engine.plan import Plan, table
from maillon.engine.rules import RuleState
from maillon.engine.step import rule_and_gradients
from maillon.engine.verify import verify
from maillon.nn import set_default_dtype
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))

MORE: list[tuple[type[optim.Rule], dict[str, Any]]] = [
    (optim.SGD, {"momentum": 1.5, "dampening": -0.5, "lr": 1e-4}),
    (optim.Adam, {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True, "amsgrad": True}),
    (optim.NAdam, {"betas": (0.0, 0.0)}),
    (optim.RAdam, {"betas": (0.9, 0.0), "lr": 0.1}),
    (optim.RAdam, {"betas": (0.9, 0.9999), "lr": 0.1}),
    (optim.Adamax, {"betas": (0.5, 0.0), "eps": 1e-3}),
    (optim.RMSprop, {"alpha": 0.0}),
    (optim.RMSprop, {"alpha": 0.0, "momentum": 0.9, "eps": 0.1}),
    (optim.Adadelta, {"rho": 1.0}),
    (optim.Adadelta, {"rho": 0.0}),
    (optim.Rprop, {"step_sizes": (1.0, 0.5)}),
    (optim.Rprop, {"step_sizes": (0.0, 0.0), "lr": 3.0}),
    (optim.ASGD, {"alpha": 0.0, "lr": 0.1}),
    (optim.ASGD, {"t0": 0.0, "lr": 0.1, "lambd": 0.0}),
    (optim.Lion, {"betas": (0.0, 0.0), "lr": 0.1}),
]
ROWS: list[RuleRow] = [*RULES, *(rule_row(rule, options, lambda: 0.0) for rule, options in MORE)]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
AS_NUMPY = (optim.Adagrad, optim.RMSprop, optim.Adadelta, optim.Rprop, optim.Lion)
"""The rules that round operation by operation, in both engines."""

WIDTHS = (1, 7, 8, 9, 70)  # below, at and above what a register holds, and several of them


def learner(row: RuleRow, dtype: str, widths: tuple[int, ...] = WIDTHS, **clipping: Any) -> m.Optim:
    """Parameters of these widths, for a rule to move; nobody calls the network."""
    generator = Generator(5)
    links = (m.Linear(width, 1, bias=False, generator=generator) for width in widths)
    return m.Optim(m.Sequential(*links).to(dtype), m.MSELoss(), row.rule(**row.options), **clipping)


class Mover:
    """The part of a plan in which the parameters move."""

    def __init__(self, learner: m.Optim, without: tuple[int, ...] = ()) -> None:
        self.optim = learner
        self.state: RuleState
        self.state, self.gradients = rule_and_gradients(learner)
        b = Builder(learner.network.dtype, Memory(), self.gradients)
        for place, parameter in enumerate(learner.network.parameters()):
            if place not in without:
                b.parameter_grad(parameter)
        self.state.lower(b, self.gradients)
        shown = finish(b, ())
        self.plan = Plan((learner.rule,), b.dtype, 1, b.operations, [], shown)
        verify(self.plan)
        wide = b.dtype == np.float64
        self.program = processor.core().Program(engine.instruction_set(), wide, 1, table(self.plan), [])

    def step(self, grads: list[Array]) -> None:
        assert self.state.holds
        self.state.refresh()
        for parameter, grad in zip(self.optim.network.parameters(), grads, strict=True):
            buffer = self.gradients.buffer(parameter)
            assert buffer is not None
            buffer.array[:] = grad.reshape(-1)
        assert self.program.run(engine.get_num_threads())
        self.state.store()


def by_numpy(learner: m.Optim, grads: list[Array]) -> None:
    for parameter, grad in zip(learner.network.parameters(), grads, strict=True):
        parameter.grad = grad.copy()
    learner.rule.step()


def gradients(learner: m.Optim, steps: int) -> list[list[Array]]:
    """Of random sizes and signs, some of them zero."""
    generator, found = Generator(6), []
    for step in range(steps):
        drawn = [generator.normal(p.shape, dtype=np.float64).astype(p.dtype) for p in learner.network.parameters()]
        if step % 7 == 3:
            drawn = [grad * (np.arange(grad.size) % 3 > 0).astype(grad.dtype) for grad in drawn]
        found.append(drawn)
    return found


def change(learner: m.Optim, step: int) -> None:
    """The options that may change without another plan."""
    (group,) = learner.rule.param_groups
    if step == 10 and "lr" in group:
        group["lr"] = 0.5 * group["lr"]
    if step == 20 and "betas" in group:
        group["betas"] = (0.5 * group["betas"][0], group["betas"][1])
    if step == 25 and "weight_decay" in group:
        group["weight_decay"] = 0.0 if group["weight_decay"] else 0.05
    if step == 30 and "etas" in group:
        group["etas"], group["step_sizes"] = (0.7, 1.1), (1e-3, 0.1)


def same_state(found: m.Optim, expected: m.Optim, tolerance: float) -> None:
    pairs = zip(found.network.parameters(), expected.network.parameters(), strict=True)
    for place, (parameter, other) in enumerate(pairs):
        close(f"parameter {place}", parameter.data, other.data, tolerance)
        own, wanted = (each.rule.state.get(p, {}) for each, p in ((found, parameter), (expected, other)))
        assert own.keys() == wanted.keys()
        assert list(map(type, own.values())) == [type(wanted[key]) for key in own]
        for key, value in wanted.items():
            if isinstance(value, np.ndarray):
                close(f"{key} of parameter {place}", own[key], value, tolerance)
            else:
                assert own[key] == pytest.approx(value, rel=tolerance)


@both_dtypes
@every_row
def test_equal_gradients_give_equal_parameters_and_state(row: RuleRow, dtype: str) -> None:
    """While options change, and with the state handed from engine to engine."""
    found, expected = learner(row, dtype), learner(row, dtype)
    mover = Mover(found)
    for step, grads in enumerate(gradients(expected, 60)):
        if step in (35, 45):  # NumPy goes on for some steps, and the core after it
            mover = Mover(found)
        for each in (found, expected):
            change(each, step)
        by_numpy(expected, grads)
        if step in range(35, 40):
            by_numpy(found, grads)
            continue
        if step == 40:
            mover = Mover(found)
        mover.step(grads)
        same_state(found, expected, 10 * TOLERANCE[dtype])
        if step in range(5) and row.rule in AS_NUMPY:
            same_state(found, expected, 0.0)


@both_dtypes
@every_row
def test_infinite_and_undefined_gradients(row: RuleRow, dtype: str) -> None:
    """What NumPy makes of them, in the same places."""
    limits = np.finfo(dtype)
    odd = [0.0, -0.0, 1.0, np.nan, np.inf, -np.inf, limits.tiny, -limits.tiny / 8, limits.max, -limits.max, 1e-20]
    values = np.array(odd, dtype)
    found, expected = (learner(row, dtype, (4 * values.size,)) for _ in range(2))
    for each in (found, expected):
        (parameter,) = each.network.parameters()
        parameter.data[0] = np.repeat(np.array([0.0, 1.5, np.inf, np.nan], dtype), values.size)
    mover = Mover(found)
    generator = Generator(8)
    with np.errstate(all="ignore"):
        for step in range(8):
            grad = np.tile(values, 4) if step in (0, 5) else generator.normal((4 * values.size,)).astype(dtype)
            mover.step([grad[None] * (step != 3)])
            by_numpy(expected, [grad[None] * (step != 3)])
            one, other = (next(iter(each.network.parameters())).data for each in (found, expected))
            np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
            np.testing.assert_array_equal(np.isinf(one), np.isinf(other))


def bits(row: RuleRow, dtype: str, widths: tuple[int, ...], steps: int = 12) -> tuple[bytes, ...]:
    moved = learner(row, dtype, widths)
    mover = Mover(moved)
    for grads in gradients(moved, steps):
        mover.step(grads)
    return tuple(parameter.data.tobytes() for parameter in moved.network.parameters())


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_bits_depend_neither_on_registers_nor_on_threads(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    widths = (5000, 3, 4097, 130)  # shared and alone
    rows = list({row.rule: row for row in ROWS if row.options.get("lr", 1) and len(row.options) > 1}.values())
    assert len(rows) == 12
    sets = [name for name in processor.core().instruction_sets() if name != "baseline"]
    for row in rows:
        found = set()
        for number in (1, 2, 3):
            with threads(number, worth=0):
                found.add(bits(row, dtype, widths))
        for name in sets:
            monkeypatch.setenv("MAILLON_ISA", name)
            found.add(bits(row, dtype, widths))
            monkeypatch.delenv("MAILLON_ISA")
        assert len(found) == 1, row.name


def test_the_baseline_rounds_as_numpy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {}
    rows = [row for row in ROWS if row.rule in AS_NUMPY]
    for row in rows:
        moved = learner(row, "float32")
        for grads in gradients(moved, 12):
            by_numpy(moved, grads)
        expected[row.name] = tuple(parameter.data.tobytes() for parameter in moved.network.parameters())
    for name in processor.core().instruction_sets():
        monkeypatch.setenv("MAILLON_ISA", name)
        assert {row.name: bits(row, "float32", WIDTHS) for row in rows} == expected


@every_row
def test_a_parameter_without_a_gradient_is_passed_by(row: RuleRow) -> None:
    found, expected = learner(row, "float64"), learner(row, "float64")
    mover = Mover(found, without=(1, 4))
    for grads in gradients(expected, 3):
        mover.step(grads)
        for place, (parameter, grad) in enumerate(zip(expected.network.parameters(), grads, strict=True)):
            parameter.grad = None if place in (1, 4) else grad
        expected.rule.step()
    same_state(found, expected, 1e-12)


def test_parameters_at_several_places_share_what_they_can() -> None:
    """Two groups; in one of them a parameter has had more steps than the others."""

    def made() -> m.Optim:
        one = learner(rule_row(optim.NAdam, {}, lambda: 0.0), "float64")
        first, *others = one.network.parameters()
        groups = [{"params": others[:2], "lr": 0.1}, {"params": [first, *others[2:]], "weight_decay": 0.1}]
        one.rule = optim.NAdam(groups)
        for steps in range(4):
            others[-1].grad = np.full(others[-1].shape, 0.1 * steps)
            one.rule.step()
            one.rule.zero_grad()
        return one

    found, expected = made(), made()
    mover = Mover(found)
    kinds = [operation.kind for operation in mover.plan.operations]
    assert kinds == ["count_step", "nadam_rates"] * 3 + ["nadam"] * 5
    for grads in gradients(expected, 5):
        mover.step(grads)
        by_numpy(expected, grads)
    same_state(found, expected, 1e-12)


def test_parameters_that_part_need_another_plan() -> None:
    moved = learner(rule_row(optim.Adam, {}, lambda: 0.0), "float64")
    mover = Mover(moved)
    grads = gradients(moved, 2)
    mover.step(grads[0])
    moved.rule.state[next(iter(moved.network.parameters()))]["step"] = 7
    assert not mover.state.holds
    Mover(moved).step(grads[1])
    assert [own["step"] for own in moved.rule.state.values()] == [8, 2, 2, 2, 2]


@pytest.mark.parametrize("default", ["float32", "float64"])
@both_dtypes
@pytest.mark.parametrize("rule", [optim.NAdam, optim.ASGD])
def test_numbers_of_the_default_dtype(rule: type[optim.Rule], dtype: str, default: str) -> None:
    row = rule_row(rule, {"lr": 0.1}, lambda: 0.0)
    before = m.get_default_dtype()
    set_default_dtype(default)
    try:
        found, expected = learner(row, dtype), learner(row, dtype)
        mover = Mover(found)
        for grads in gradients(expected, 10):
            mover.step(grads)
            by_numpy(expected, grads)
        same_state(found, expected, 10 * TOLERANCE[dtype])
    finally:
        set_default_dtype(before)


BROKEN: dict[str, tuple[type[optim.Rule], dict[str, Any], str]] = {
    "half": (optim.Adam, {"exp_avg": np.zeros((1, 3))}, "the state of 0.weight lacks some of exp_avg, exp_avg_sq"),
    "shape": (optim.Lion, {"exp_avg": np.zeros(3)}, "exp_avg of 0.weight is not an array like the parameter"),
    "dtype": (optim.Lion, {"exp_avg": np.zeros((1, 3), "f")}, "exp_avg of 0.weight is not an array like the parameter"),
    "steps": (optim.RMSprop, {"step": "many"}, "the state of 0.weight or an option is not a number"),
    "product": (optim.NAdam, {"mu_product": "x"}, "mu_product of 0.weight are no numbers of 32 or 64 bits"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_state_that_no_step_leaves(case: str) -> None:
    rule, own, message = BROKEN[case]
    moved = learner(rule_row(rule, {}, lambda: 0.0), "float64", (3,))
    moved.rule.state[next(iter(moved.network.parameters()))] = own
    with pytest.raises(NotLoweredError) as caught:
        Mover(moved)
    assert str(caught.value) == message


def trained_learner(row: RuleRow, dtype: str, **options: Any) -> m.Optim:
    generator = Generator(12)
    links = [m.Linear(4, 5, generator=generator), m.Tanh(), m.Linear(5, 3, generator=generator)]
    return m.Optim(m.Sequential(*links).to(dtype), m.MSELoss(), row.rule(**row.options), **options)


@both_dtypes
@every_row
def test_trainings(row: RuleRow, dtype: str) -> None:
    generator = Generator(13)
    x, y = (generator.normal((10, width), dtype=np.float64).astype(dtype) for width in (4, 3))
    same_for_both(lambda: trained_learner(row, dtype), x, y, TOLERANCE[dtype] * 30, batch_size=4, epochs=3)


@pytest.mark.parametrize("clipping", [{"clip_grad_norm": 0.3}, {"clip_grad_value": 0.05}, {"accumulate": 2}])
@pytest.mark.parametrize("rule", [optim.NAdam, optim.RMSprop, optim.ASGD])
def test_clipped_and_gathered_gradients(rule: type[optim.Rule], clipping: dict[str, Any]) -> None:
    row = rule_row(rule, {"lr": 0.05}, lambda: 0.0)
    generator = Generator(13)
    x, y = (generator.normal((22, width), dtype=np.float64) for width in (4, 3))
    found = same_for_both(lambda: trained_learner(row, "float64", **clipping), x, y, 1e-11, batch_size=4, epochs=3)
    assert largest(found.arrays["0.weight"]) > 0
