"""Clipped gradients: the two functions by themselves, then as options of Optim and fit."""

import copy
import math
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.nn import Parameter
from maillon.nn.utils import clip_grad_norm_, clip_grad_value_
from maillon.random import Generator
from maillon.typing import Array

SHAPES = [(3, 4), (4,), (), (0, 2), (5, 1)]
X = Generator(5).randn((6, 3))
Y = 10 * Generator(6).randn((6, 2))

both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def parameters(dtype: str = "float64", scale: float = 1.0) -> list[Parameter]:
    """One of each shape with its gradient, and one without."""
    generator = Generator(3)
    arrays = [np.asarray(scale * generator.normal(shape, dtype=np.float64), dtype) for shape in SHAPES]
    return [*(Parameter(np.zeros_like(a), grad=a) for a in arrays), Parameter(np.zeros(2, dtype))]


def gradients(listed: list[Parameter]) -> list[Array]:
    return [parameter.grad for parameter in listed if parameter.grad is not None]


def naive_norm(grads: list[Array], power: float) -> float:
    entries = [abs(float(entry)) for grad in grads for entry in grad.ravel()]
    return max(entries) if power == math.inf else math.fsum(entry**power for entry in entries) ** (1 / power)


@both_dtypes
@pytest.mark.parametrize("power", [0.5, 1, 2, 2.0, 3.5, math.inf])
def test_gradients_of_too_great_a_norm_are_scaled_down_to_it(dtype: str, power: float) -> None:
    listed = parameters(dtype)
    before = [grad.copy() for grad in gradients(listed)]
    expected = naive_norm(before, power)
    norm = clip_grad_norm_(listed, expected / 3, norm_type=power)
    assert type(norm) is float
    assert norm == pytest.approx(expected, rel=1e-14)
    assert listed[-1].grad is None
    scale = expected / 3 / (expected + 1e-6)
    for grad, old in zip(gradients(listed), before, strict=True):
        assert grad.dtype == dtype
        np.testing.assert_allclose(grad, scale * old, rtol=1e-6 if dtype == "float32" else 1e-14)
    assert naive_norm(gradients(listed), power) == pytest.approx(expected / 3, rel=1e-6)


@pytest.mark.parametrize("largest", [100.0, math.inf])
def test_gradients_within_the_norm_stay_the_very_arrays_they_are(largest: float) -> None:
    listed = parameters()
    before = gradients(listed)
    assert clip_grad_norm_(listed, largest) < largest
    assert all(grad is old for grad, old in zip(gradients(listed), before, strict=True))


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_], ids=lambda clip: clip.__name__)
def test_nothing_is_written_into_an_array_that_others_may_hold(clip: Any) -> None:
    held = np.array([3.0, -4.0])
    held.flags.writeable = False
    first, second = (Parameter(np.zeros(2), grad=held) for _ in range(2))  # as two sums of one array leave it
    clip([first, second], 0.1)
    np.testing.assert_array_equal(held, [3.0, -4.0])
    assert first.grad is not None
    assert np.abs(first.grad).max() <= 0.1
    np.testing.assert_array_equal(first.grad, second.grad)


def test_one_parameter_an_iterator_one_twice_and_none() -> None:
    one = Parameter(np.zeros(2), grad=np.array([3.0, 4.0]))
    assert clip_grad_norm_(one, 10.0) == 5.0
    assert clip_grad_norm_(iter([one]), 10.0) == 5.0
    assert clip_grad_norm_([one, one], 10.0) == 5.0
    assert clip_grad_norm_([], 1.0) == clip_grad_norm_([Parameter(np.zeros(2))], 1.0) == 0.0
    spent = iter([one])
    list(spent)
    with pytest.warns(UserWarning, match=r"the iterator has no parameters \(left\?\), nothing is clipped"):
        assert clip_grad_norm_(spent, 1.0) == 0.0


@pytest.mark.parametrize("size", [1e200, 1e-200, 1e-310])
@pytest.mark.parametrize("power", [1, 2, 3])
def test_no_size_of_number_spoils_the_norm(size: float, power: int) -> None:
    parameter = Parameter(np.zeros(2), grad=np.array([3.0, -4.0]) * size)
    assert clip_grad_norm_(parameter, 1e300, norm_type=power) == pytest.approx(
        (3**power + 4**power) ** (1 / power) * size, rel=1e-9
    )


def test_a_norm_in_float32_is_summed_in_float64() -> None:
    many = np.full(1_000_000, 0.1, np.float32)
    expected = 1000 * float(np.float32(0.1))
    assert clip_grad_norm_(Parameter(np.zeros_like(many), grad=many), math.inf) == pytest.approx(expected, rel=1e-14)
    huge = Parameter(np.zeros(2, np.float32), grad=np.full(2, 3e38, np.float32))
    assert clip_grad_norm_(huge, 1.0) == pytest.approx(math.sqrt(2) * float(np.float32(3e38)), rel=1e-12)
    np.testing.assert_allclose(huge.grad, np.sqrt(0.5), rtol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize(("bad", "scaled"), [(np.inf, [np.nan, 0.0]), (np.nan, [np.nan, np.nan])])
@pytest.mark.parametrize("power", [1, 2, math.inf])
def test_a_norm_that_is_not_finite_spreads_or_raises(bad: float, scaled: list[float], power: float) -> None:
    parameter = Parameter(np.zeros(2), grad=np.array([bad, 1.0]))
    with pytest.raises(RuntimeError) as caught:
        clip_grad_norm_(parameter, 1.0, power, error_if_nonfinite=True)
    assert str(caught.value) == (
        f"clip_grad_norm_: the gradients' norm of order {power:g} is {bad}, it cannot be clipped. Lower the rate or "
        "look for the first gradient that is not finite; error_if_nonfinite=False scales all the same."
    )
    np.testing.assert_array_equal(parameter.grad, [bad, 1.0])  # type: ignore[arg-type]
    np.testing.assert_equal(clip_grad_norm_(parameter, 1.0, power), bad)
    np.testing.assert_array_equal(parameter.grad, scaled)  # type: ignore[arg-type]


@both_dtypes
@pytest.mark.parametrize("bound", [0.3, 0, 1e300])
def test_every_entry_is_brought_between_the_bounds(dtype: str, bound: float) -> None:
    listed = parameters(dtype)
    before = [grad.copy() for grad in gradients(listed)]
    clip_grad_value_(listed, bound)
    for grad, old in zip(gradients(listed), before, strict=True):
        assert grad.dtype == dtype
        limit = np.asarray(bound, dtype) if bound < 1e38 else np.inf
        np.testing.assert_array_equal(grad, np.where(np.abs(old) > limit, np.copysign(limit, old), old))
    assert listed[-1].grad is None
    nan = Parameter(np.zeros(2), grad=np.array([np.nan, -np.inf]))
    clip_grad_value_(nan, 2.0)
    np.testing.assert_array_equal(nan.grad, [np.nan, -2.0])  # type: ignore[arg-type]


# As options of the learning step


def network(dtype: str = "float32") -> m.Sequential:
    return m.Sequential(m.Linear(3, 4, generator=Generator(1)), m.Tanh(), m.Linear(4, 2, generator=Generator(2))).to(
        dtype
    )


def stepped(chain: m.Sequential, clip: Any, steps: int = 3) -> m.Sequential:
    """Steps of plain SGD by hand, with the gradients clipped between backward and update."""
    loss = m.MSELoss()
    for _ in range(steps):
        chain.zero_grad()
        loss(chain(X), Y)
        chain.backward(loss.backward())
        clip(list(chain.parameters()))
        chain.update_parameters(0.1)
    return chain


def assert_same(ours: m.Module, theirs: m.Module) -> None:
    for name, array in ours.state_dict().items():
        np.testing.assert_array_equal(array, theirs.state_dict()[name])


OPTIONS = [
    ({"clip_grad_norm": 0.5}, lambda listed: clip_grad_norm_(listed, 0.5)),
    ({"clip_grad_value": 0.2}, lambda listed: clip_grad_value_(listed, 0.2)),
]


@pytest.mark.parametrize(("options", "clip"), OPTIONS, ids=["norm", "value"])
def test_a_step_clips_between_backward_and_update(options: dict[str, float], clip: Any) -> None:
    optim = m.Optim(network(), m.MSELoss(), 0.1, **options)
    for _ in range(3):
        optim.step(X, Y)
    assert_same(optim.network, stepped(network(), clip))
    assert not np.allclose(optim.network[0].weight.data, stepped(network(), list)[0].weight.data)  # type: ignore[index]


@pytest.mark.parametrize(("options", "clip"), OPTIONS, ids=["norm", "value"])
def test_fit_and_sgd_clip_too(options: dict[str, float], clip: Any) -> None:
    expected = stepped(network(), clip)
    given: dict[str, Any] = {"batch_size": 6, "epochs": 3, "shuffle": False, "engine": "numpy", "progress": False}
    chain = network()
    m.fit(chain, m.MSELoss(), X, Y, rule=0.1, **options, **given)
    assert_same(chain, expected)
    optim = m.Optim(network(), m.MSELoss(), 0.1, **options)
    m.fit(optim, X, Y, **given)
    assert_same(optim.network, expected)
    optim = m.Optim(network(), m.MSELoss(), 0.1, **options)
    m.sgd(optim, X, Y, batch_size=6, epochs=3)
    for name, array in optim.network.state_dict().items():
        np.testing.assert_allclose(array, expected.state_dict()[name], rtol=1e-4)  # rows summed in another order


def test_the_norm_goes_over_all_groups_of_the_rule_and_no_frozen_parameter() -> None:
    chain = network("float64")
    first, *others = chain.parameters()
    others[0].requires_grad = False
    rule = m.SGD([{"params": [first], "lr": 1.0}, {"params": others}], lr=1.0)
    before = {name: array.copy() for name, array in chain.state_dict().items()}
    m.Optim(chain, m.MSELoss(), rule, clip_grad_norm=0.25).step(X, Y)
    moves = [array - before[name] for name, array in chain.state_dict().items()]
    assert naive_norm(moves, 2) == pytest.approx(0.25, rel=1e-6)
    assert not moves[1].any()
    assert all(move.any() for place, move in enumerate(moves) if place != 1)


@pytest.mark.parametrize("engine", ["numpy", "auto"])
def test_a_limit_changed_in_a_callback_holds_from_the_next_step(engine: str) -> None:
    def norms(state: m.train.State) -> None:
        grads = [p.grad for p in state.network.parameters() if p.grad is not None]
        seen.append(naive_norm(grads, 2))
        state.optim.clip_grad_norm = [0.25, 0.125, None][len(seen) - 1]

    seen: list[float] = []
    optim = m.Optim(network("float64"), m.MSELoss(), 1e-3, clip_grad_norm=0.5)
    m.fit(optim, X, Y, batch_size=6, epochs=3, callbacks=norms, engine=engine, progress=False)
    assert seen == [pytest.approx(limit, rel=1e-5) for limit in (0.5, 0.25, 0.125)]
    assert optim.clip_grad_norm is None
    optim.step(X, Y)
    assert naive_norm([p.grad for p in optim.network.parameters() if p.grad is not None], 2) > 1


def test_the_limits_are_seen_checked_and_copied() -> None:
    plain = m.Optim(network(), m.MSELoss(), 0.1)
    assert (plain.clip_grad_norm, plain.clip_grad_value) == (None, None)
    assert "clip" not in repr(plain)
    optim = m.Optim(network(), m.MSELoss(), 0.1, clip_grad_norm=np.float32(2))  # type: ignore[arg-type]
    assert type(optim.clip_grad_norm) is float
    assert repr(optim) == f"{repr(plain)[:-1]}, clip_grad_norm=2.0)"
    assert copy.deepcopy(optim).clip_grad_norm == 2.0
    for wrong in (0, -1.0, math.nan, math.inf, True, "1"):
        for name in ("clip_grad_norm", "clip_grad_value"):
            with pytest.raises(ValueError, match=rf"Optim: expected {name} to be a number > 0 and finite, or None"):
                setattr(plain, name, wrong)
    with pytest.raises(ValueError, match="expected clip_grad_norm or clip_grad_value, got both"):
        optim.clip_grad_value = 1.0
    assert (optim.clip_grad_norm, optim.clip_grad_value) == (2.0, None)
    optim.clip_grad_norm = None
    optim.clip_grad_value = 1
    assert repr(optim) == f"{repr(plain)[:-1]}, clip_grad_value=1.0)"
