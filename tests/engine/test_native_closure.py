"""LBFGS: the core evaluates the loss and its gradients, and does the two loops; the rule itself is NumPy's."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from cores import TOLERANCE, close, threads
from own_links import PLACES, Own, OwnLoss, arm, global_stream, own_of, state

import maillon as m
from maillon.engine import FallbackWarning, closure, processor
from maillon.engine.closure import ClosureRunner
from maillon.optim.rules.lbfgs import two_loops
from maillon.random import Generator
from maillon.train import State
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))
X, Y = (Generator(seed).normal((22, width), dtype=np.float64) for seed, width in ((1, 4), (2, 3)))


def made(dtype: str = "float64", *more: m.Module, clipping: dict[str, Any] | None = None, **options: Any) -> m.Optim:
    generator = Generator(3)
    links = [m.Linear(4, 5, generator=generator), m.Tanh(), *more, m.Linear(5, 3, generator=generator)]
    network = m.Sequential(*links).to(dtype)
    return m.Optim(network, m.MSELoss(), m.LBFGS(**{"lr": 0.1, "max_iter": 4, **options}), **(clipping or {}))


def alike(make: Callable[[], m.Optim], x: Array, y: Array, tolerance: float, **options: Any) -> None:
    """By both engines: losses, parameters, gradients, the last prediction, counts, rates and generators."""
    ends = []
    for engine in ("native", "numpy"):
        optim, generator = make(), Generator(4)
        history = m.fit(optim, x, y, engine=engine, generator=generator, epochs=2, progress=False, **options)
        assert history.engine == engine
        own, named = state_of(optim), dict(optim.network.named_parameters())
        arrays: dict[str, Any] = {name: parameter.data for name, parameter in named.items()}
        arrays |= {f"∂{name}": parameter.grad for name, parameter in named.items()}
        arrays |= {"losses": np.array(history["loss"]), "prediction": optim.prediction}
        ends.append((arrays, own["n_iter"], own["func_evals"], history["lr"], repr(generator.get_state())))
    assert ends[0][1:] == ends[1][1:]
    steepest = max(abs(value).max() for name, value in ends[1][0].items() if name.startswith("∂"))
    for name, value in ends[1][0].items():
        close(name, ends[0][0][name], value, tolerance, steepest if name.startswith("∂") else 0.0)


def state_of(optim: m.Optim) -> dict[str, Any]:
    return optim.rule.state[next(iter(optim.network.parameters()))]


OPTIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "a short memory": {"history_size": 2, "max_iter": 6},
    "searching": {"line_search_fn": "strong_wolfe"},
    "one iteration": {"max_iter": 1},
    "no iteration": {"max_iter": 0},
    "few evaluations": {"max_eval": 2},
    "clipped": {"clipping": {"clip_grad_norm": 0.05}, "max_iter": 2, "lr": 0.01},
    "clipped values": {"clipping": {"clip_grad_value": 0.2}, "max_iter": 2, "lr": 0.01},
}


@pytest.mark.parametrize("case", OPTIONS)
@both_dtypes
def test_trainings(case: str, dtype: str) -> None:
    x, y = X.astype(dtype), Y.astype(dtype)
    for options in ({"batch_size": 22}, {"batch_size": 8}, {"batch_size": 8, "drop_last": True}, {"shuffle": False}):
        tolerance = 1e-2 if dtype == "float32" else 1e-8
        alike(lambda: made(dtype, **OPTIONS[case]), x, y, tolerance, **options)


def test_the_state_is_what_numpy_leaves() -> None:
    ends = []
    for engine in ("native", "numpy"):
        optim = made()
        m.fit(optim, X, Y, batch_size=22, epochs=2, engine=engine, shuffle=False)
        ends.append((optim, state_of(optim)))
    (optim, found), (_, expected) = ends
    assert found.keys() == expected.keys()
    assert found["n_iter"] == expected["n_iter"] == 8
    assert found["func_evals"] == expected["func_evals"]
    for one, other in zip(found["old_dirs"], expected["old_dirs"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)
    assert all(parameter.grad.base is None for parameter in optim.network.parameters())


def test_random_links_and_metrics_and_schedules() -> None:
    """What each evaluation draws is what NumPy draws."""
    for options in (
        {"metrics": ["mae"]},
        {"schedule": lambda epoch: 0.8**epoch},
        {"schedule": m.optim.ExponentialLR(gamma=0.9), "schedule_by": "step"},
        {"callbacks": lambda state: None},
        {"validation_split": 0.3},
    ):
        alike(lambda: made("float64", m.Dropout(0.3)), X, Y, 1e-6, batch_size=8, **options)


def test_a_loss_that_is_not_finite_leaves_everything_as_it_was() -> None:
    y = Y.copy()
    y[9] = 1e200
    ends = []
    for engine in ("native", "numpy"):
        optim, generator = made("float64", m.Dropout(0.3)), Generator(4)
        with np.errstate(all="ignore"), pytest.raises(m.NonFiniteLossError) as caught:
            m.fit(optim, X, y, batch_size=8, epochs=2, engine=engine, shuffle=False, generator=generator)
        ends.append((optim.network.state_dict(), caught.value.batch, repr(generator.get_state()), state_of(optim)))
    assert ends[0][1:3] == ends[1][1:3] == (2, ends[1][2])
    assert ends[0][3]["func_evals"] == ends[1][3]["func_evals"]
    for name, value in ends[1][0].items():
        np.testing.assert_allclose(ends[0][0][name], value, rtol=1e-9, atol=1e-12)


def test_a_step_whose_later_evaluation_fails_is_not_made() -> None:
    """The rate is far too large: the second evaluation is not finite."""
    ends = []
    for engine in ("native", "numpy"):
        optim = made(lr=1e200)
        before = optim.network.state_dict()
        with np.errstate(all="ignore"), pytest.raises(m.NonFiniteLossError):
            m.fit(optim, X, Y, batch_size=22, epochs=1, engine=engine)
        ends.append({name: (value == before[name]).all() for name, value in optim.network.state_dict().items()})
    assert ends[0] == ends[1]
    assert all(ends[0].values())


def test_ctrl_c_in_an_evaluation_puts_the_step_back() -> None:
    optim = made()
    before = optim.network.state_dict()
    count = 0

    def loops(self: closure.TwoLoops, *pairs: Any) -> Any:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return two_loops(*pairs)

    with patch.object(closure.TwoLoops, "__call__", loops), pytest.raises(KeyboardInterrupt):
        m.fit(optim, X, Y, batch_size=22, epochs=3, engine="native", shuffle=False)
    assert all((value == before[name]).all() for name, value in optim.network.state_dict().items())


def pairs_of(count: int, size: int, dtype: str) -> tuple[list[Array], list[Array], list[float], Array]:
    generator = Generator(7)
    steps = [generator.normal((size,), dtype=np.float64).astype(dtype) for _ in range(count)]
    changes = [(s * 1.3 + 0.1 * generator.normal((size,), dtype=np.float64)).astype(dtype) for s in steps]
    weights = [1 / float(y @ s) for y, s in zip(changes, steps, strict=True)]
    return changes, steps, weights, generator.normal((size,), dtype=np.float64).astype(dtype)


def in_core(known: Any, changes: list[Any], steps: list[Any], weights: Any, q: Array, threads: int = 1) -> bool:
    done: bool = known.two_loops(changes, steps, list(map(float, weights)), 0.7, q, threads, False)
    return done


def no_pairs(name: str = "") -> Any:
    return processor.core().PairProducts(name or processor.instruction_set())


@both_dtypes
@pytest.mark.parametrize("size", [1, 7, 64, 300, 1000, 3000])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_the_two_loops(count: int, size: int, dtype: str) -> None:
    *pairs, grad = pairs_of(count, size, dtype)
    expected = two_loops(*pairs, 0.7, grad)
    sets = processor.core().instruction_sets()
    found = []
    for name in sets:
        for number in (1, 2, 3):
            q: Array = -grad
            assert in_core(no_pairs(name), *pairs, q, number)
            close("direction", q, expected, 100 * TOLERANCE[dtype])
            found.append((name == "baseline", q.tobytes()))
    assert len({bits for old, bits in found if not old}) <= 1
    assert len({bits for old, bits in found if old}) <= 1


@both_dtypes
def test_products_that_are_kept_give_the_same_bits(dtype: str) -> None:
    changes, steps, weights, grad = pairs_of(12, 300, dtype)
    known = no_pairs()
    # One more pair, the oldest gone, several new ones, fewer, the same again, others altogether, those of before.
    for part in (*[slice(0, end) for end in range(1, 6)], slice(1, 6), slice(2, 7), slice(2, 12), slice(2, 9)):
        for given in (part, part, slice(9, 12) if part == slice(2, 7) else part):
            found = []
            for products in (known, no_pairs()):
                q: Array = -grad
                assert in_core(products, changes[given], steps[given], weights[given], q)
                found.append(q.tobytes())
            assert found[0] == found[1]


def test_the_two_loops_refuse_arrays_that_are_not_alike() -> None:
    like, q, known = np.ones(3), np.ones(3), no_pairs()
    for other in (np.ones(4), np.ones(3, np.float32), np.ones(6)[::2], "no array"):
        for _ in range(2):
            assert not in_core(known, [like], [other], [1], q)
    assert not in_core(known, [], [], [], q)
    assert not in_core(known, [like], [like], [1, 1], q)
    assert not in_core(known, [like, like], [like], [1, 1], q)
    assert (q == 1).all()
    from_a_file = np.ones(3).astype(np.dtype("<f8").newbyteorder("<"))
    assert in_core(known, [like], [from_a_file], [1], q)
    assert not in_core(known, [like], [from_a_file], [1], np.ones(4))
    assert not in_core(known, [like], [from_a_file], [1], np.ones(3, np.float32))


@both_dtypes
def test_bits_do_not_depend_on_threads(dtype: str) -> None:
    found = set()
    for number in (1, 2, 3):
        with threads(number, worth=0):
            optim = made(dtype)
            m.fit(optim, X.astype(dtype), Y.astype(dtype), batch_size=8, epochs=2, engine="native", shuffle=False)
            found.add(tuple(value.tobytes() for value in optim.network.state_dict().values()))
    assert len(found) == 1


@pytest.mark.parametrize("first", ["LBFGS", "SGD"])
def test_numpy_goes_on_when_the_rule_becomes_another_kind(first: str) -> None:
    def change(state: State) -> None:
        if state.epoch == 1:
            other = m.SGD(lr=0.1) if first == "LBFGS" else m.LBFGS(max_iter=2)
            state.optim.rule = other.bind(state.network.parameters())

    def make() -> m.Optim:
        optim = made(max_iter=2)
        if first == "SGD":
            optim.rule = m.SGD(optim.network.parameters(), lr=0.1)
        return optim

    optim, expected = make(), make()
    with pytest.warns(FallbackWarning, match="has taken the place of a rule that looks at the loss "):
        history = m.fit(optim, X, Y, batch_size=8, epochs=3, shuffle=False, callbacks=change)
    assert history.engine == "native, numpy"
    m.fit(expected, X, Y, batch_size=8, epochs=3, shuffle=False, callbacks=change, engine="numpy")
    for name, value in expected.network.state_dict().items():
        np.testing.assert_allclose(optim.network.state_dict()[name], value, rtol=1e-8, atol=1e-10)


@pytest.mark.filterwarnings("ignore::maillon.engine.FallbackWarning")
@pytest.mark.parametrize("search", [None, "strong_wolfe"])
@pytest.mark.parametrize("options", [{"batch_size": 8}, {"batch_size": 22, "shuffle": False}])
def test_links_and_losses_of_ones_own(search: str | None, options: dict[str, Any]) -> None:
    ends = []
    for engine in ("numpy", "native"):
        optim = made("float64", m.Dropout(0.2), Own(5, noisy=True), m.BatchNorm1d(5), line_search_fn=search)
        optim.loss = OwnLoss()
        with global_stream(2):
            history = m.fit(optim, X, Y, engine=engine, epochs=2, generator=Generator(4), **options)
        ends.append((optim, own_of(optim).calls, state_of(optim)["func_evals"], history["loss"]))
    assert history.engine == "native, with NumPy for: Own, OwnLoss"
    assert ends[0][1:3] == ends[1][1:3]
    np.testing.assert_allclose(ends[1][3], ends[0][3], rtol=1e-8)
    for name, value in ends[0][0].network.state_dict().items():
        np.testing.assert_allclose(ends[1][0].network.state_dict()[name], value, rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.filterwarnings("ignore::maillon.engine.FallbackWarning")
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("at", [4, 6])
def test_what_they_raise_in_the_middle_of_a_step_leaves_nothing_behind(where: str, at: int) -> None:
    left = []
    for engine in ("numpy", "native"):
        optim = made("float64", m.Dropout(0.2), Own(5, noisy=True), max_iter=4)
        optim.loss = OwnLoss()
        trap = arm(optim, where, at, ValueError("planted"))
        with global_stream(2), pytest.raises(ValueError, match="planted") as caught:
            m.fit(optim, X, Y, engine=engine, epochs=2, batch_size=8, generator=Generator(4))
        assert caught.value is trap.error
        assert trap.met == at + 1
        left.append(state(optim))
    for name, value in left[0].items():
        if value.dtype != object:
            np.testing.assert_allclose(left[1][name], value, rtol=1e-8, atol=1e-12, err_msg=name)


def test_it_runs_in_the_core() -> None:
    with patch.object(ClosureRunner, "run", autospec=True, side_effect=ClosureRunner.run) as calls:
        m.fit(made(), X, Y, batch_size=8, epochs=2, engine="native")
    assert calls.call_count == 6
