"""find_lr: what it leaves alone, what it finds, and when it says that there is nothing to find."""

import copy
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon import random
from maillon.typing import Array

Data = tuple[Array, Array]


def sine(rows: int = 200) -> Data:
    numbers = np.random.default_rng(3)
    x = numbers.normal(size=(rows, 3))
    y = np.sin(2 * x[:, :1]) + 0.1 * numbers.normal(size=(rows, 1))
    return x.astype(np.float32), y.astype(np.float32)


def network(outputs: int = 1, **options: Any) -> m.Sequential:
    generator = m.Generator(7)
    return m.Sequential(
        m.Linear(3, 16, generator=generator, **options), m.Tanh(), m.Linear(16, outputs, generator=generator, **options)
    )


def comes_to(lr: float, rule: Callable[..., Any] = m.Adam, **options: Any) -> float:
    learner = network()
    history = m.fit(learner, m.MSELoss(), *sine(), rule=rule(lr=lr, **options), epochs=40, generator=m.Generator(0))
    return float(history["loss"][-1])


# What it leaves alone


def everything(optim: m.Optim) -> list[Any]:
    arrays = [*optim.network.state_dict().values()]
    arrays += [p.grad for p in optim.network.parameters() if p.grad is not None]
    arrays += [value for own in optim.rule.state_dict()["state"].values() for value in own.values()]
    modes = [link.training for link in optim.network.modules()]
    groups = optim.rule.state_dict()["param_groups"]
    return [[np.asarray(a).tobytes() for a in arrays], modes, groups, optim.gathered, repr(optim)]


def test_network_loss_and_rule_stay_as_they_are() -> None:
    own = m.Generator(3)
    learner = m.Sequential(
        m.Linear(3, 8), m.BatchNorm1d(8), m.Dropout(0.2), m.Dropout(0.1, generator=own), m.Linear(8, 1)
    )
    optim = m.Optim(learner, m.MSELoss(), m.Adam(lr=0.01), accumulate=2)
    x, y = sine()
    for _ in range(3):  # the last one waits for its update
        optim.step(x[:8], y[:8])
    learner[2].eval()
    before, streams = everything(optim), [repr(random.default_generator().get_state()), repr(own.get_state())]
    data = x.tobytes(), y.tobytes()

    m.find_lr(optim, x, y)

    assert everything(optim) == before
    assert [repr(random.default_generator().get_state()), repr(own.get_state())] == streams
    assert (x.tobytes(), y.tobytes()) == data


def test_the_same_call_finds_the_same() -> None:
    one, other = (m.find_lr(network(), m.MSELoss(), *sine()) for _ in range(2))
    assert (one.lr, one.losses.tobytes(), one.reason) == (other.lr, other.losses.tobytes(), other.reason)
    generator = m.Generator(5)
    third = m.find_lr(network(), m.MSELoss(), *sine(), generator=generator)
    fourth = m.find_lr(network(), m.MSELoss(), *sine(), generator=generator)  # it has been drawn from
    assert third.losses.tobytes() != one.losses.tobytes()
    assert third.losses.tobytes() != fourth.losses.tobytes()


def test_both_engines_find_the_same_rate(engine: str) -> None:
    found = m.find_lr(network(), m.MSELoss(), *sine())
    numpy = m.find_lr(network(), m.MSELoss(), *sine(), engine="numpy")
    assert found.lr == numpy.lr
    np.testing.assert_allclose(found.start, numpy.start, rtol=1e-5)


# What it finds


@pytest.mark.parametrize("rule", [m.SGD, m.Adam, m.AdamW, m.RMSprop, m.Adagrad, m.NAdam, m.Lion])
def test_a_rate_of_each_rule_trains_nearly_as_well_as_the_best(rule: Callable[..., Any]) -> None:
    found = m.find_lr(network(), m.MSELoss(), *sine(), rule=rule(lr=1.0))
    assert found.lr is not None
    best = min(comes_to(lr, rule) for lr in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3))
    assert comes_to(found.lr, rule) < best + 0.05 * 0.5  # the loss of a constant is 0.5


def test_what_it_says_is_so() -> None:
    found = m.find_lr(network(), m.MSELoss(), *sine())
    at = list(found.lrs).index(found.lr)
    best = found.losses_again[at]
    assert best <= np.nanmin(found.losses_again[np.isfinite(found.losses_again)]) + 0.02
    assert found.losses.shape == found.losses_again.shape == found.lrs.shape == found.batch_losses.shape[:1]
    assert (np.diff(found.lrs) > 0).all()
    assert np.isinf(found.losses[-1]) and np.isinf(found.batch_losses[-1]).all()  # 100 blows up
    assert np.isfinite(found.losses_again).sum() == 3
    assert found.steps == 50 and 500 < found.total_steps < 1500
    middle = found.batch_losses[at]
    assert middle.min() <= found.losses[at] <= middle.max()
    pattern = (
        r"At (\S+) the loss falls furthest, from (\S+) to (\S+) in 100 steps\. The network then predicts rows it has "
        r"not seen \d+\.\d standard deviations better than by chance\."
    )
    rate, _, end = re.fullmatch(pattern, found.reason).groups()  # type: ignore[union-attr]
    assert (rate, end) == (f"{found.lr:.2g}", f"{best:.3g}")
    assert repr(found) == (
        f"LRRange(lr={found.lr:.2g}, {len(found.lrs)} rates, {found.total_steps} steps)\n{found.reason}"
    )


def test_groups_of_parameters_keep_their_ratio() -> None:
    seen: set[float] = set()

    class Seen(m.SGD):
        def update(self, parameter: Any, grad: Array, group: Any, state: Any) -> None:
            other = self.param_groups[1]["lr"] / self.param_groups[0]["lr"]
            seen.add(round(other, 9))
            super().update(parameter, grad, group, state)

    learner = network()
    first, last = learner[0].parameters(), learner[2].parameters()
    rule = Seen([{"params": first, "lr": 0.5}, {"params": last, "lr": 0.05}])
    found = m.find_lr(learner, m.MSELoss(), *sine(), rule=rule)
    assert found.lr is not None
    assert seen == {0.1}
    assert [group["lr"] for group in rule.param_groups] == [0.5, 0.05]


def test_a_number_is_plain_gradient_descent() -> None:
    one = m.find_lr(network(), m.MSELoss(), *sine(), rule=0.3)
    other = m.find_lr(network(), m.MSELoss(), *sine(), rule=m.SGD(lr=1e-9))
    assert one.lr == other.lr


def test_clipping_counts() -> None:
    x, y = sine()
    plain = m.find_lr(m.Optim(network(), m.MSELoss(), m.SGD(lr=1.0)), x, 100 * y)
    clipped = m.find_lr(m.Optim(network(), m.MSELoss(), m.SGD(lr=1.0), clip_grad_norm=1.0), x, 100 * y)
    assert plain.lr is not None and clipped.lr is not None
    assert clipped.lr > 5 * plain.lr


def test_a_network_of_two_inputs_with_integers() -> None:
    numbers = np.random.default_rng(0)
    words, x = numbers.integers(9, size=200), numbers.normal(size=(200, 2)).astype(np.float32)
    labels = (words % 3 + (x[:, 0] > 0)) % 3
    nodes = {
        "e": (m.Embedding(9, 6), "words"),
        "both": (m.Concat(), "e", "x"),
        "out": (m.Sequential(m.Linear(8, 32), m.ReLU(), m.Linear(32, 3)), "both"),
    }
    m.manual_seed(0)
    graph = m.Graph(["words", "x"], nodes, "out")
    found = m.find_lr(graph, m.CrossEntropyLoss(), (words, x), labels)
    assert found.lr is not None and 0.003 < found.lr < 1


def test_a_loss_without_a_target() -> None:
    numbers = np.random.default_rng(0)
    anchor = numbers.normal(size=(120, 3)).astype(np.float32)
    near, far = anchor + 0.1, numbers.normal(size=(120, 3)).astype(np.float32)

    class Three(m.Module):
        def __init__(self) -> None:
            super().__init__()
            self.links = m.ModuleList([(first := network(2)), first.share(), first.share()])

        def forward(self, *parts: Array) -> Any:
            return self.keep(tuple(link(part) for link, part in zip(self.links, parts, strict=True)))

        def backward(self, grad_output: Any) -> Any:
            self.release(grad_output)
            return tuple(link.backward(grad) for link, grad in zip(self.links, grad_output, strict=True))

    found = m.find_lr(Three(), m.TripletMarginLoss(), (anchor, near, far))
    assert found.lr is not None
    assert found.reason.endswith(
        "Whether more than a constant is learnt cannot be told from so few rows, or without a target."
    )


def test_links_and_losses_of_your_own() -> None:
    class Twice(m.Module):
        def forward(self, x: Array) -> Any:
            return self.keep(2 * x)

        def backward(self, grad_output: Array) -> Array:
            self.release(grad_output)
            return 2 * grad_output

    class Quartic(m.Loss):
        def elements(self, *inputs: Array) -> tuple[Array, tuple[Array]]:
            error = inputs[0] - inputs[1]
            return error**4, (error,)

        def elements_backward(self, grad_elements: Array, *kept: Array) -> Array:
            return 4 * kept[0] ** 3 * grad_elements

    found = m.find_lr(m.Sequential(*network(), Twice()), Quartic(), *sine())
    assert found.lr is not None and 0.003 < found.lr < 0.5


def test_weights_count() -> None:
    x, y = sine(300)
    y[::2] = np.random.default_rng(5).normal(size=(150, 1))  # every other target is drawn by lot
    weight = np.tile([0.0, 1.0], 150)
    assert m.find_lr(network(), m.MSELoss(), x, y, sample_weight=1 - weight).lr is None
    assert m.find_lr(network(), m.MSELoss(), x, y, sample_weight=weight).lr is not None


def test_few_rows_are_not_asked() -> None:
    x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    m.manual_seed(0)
    found = m.find_lr(m.Sequential(m.Linear(2, 8), m.Tanh(), m.Linear(8, 1)), m.MSELoss(), x, y)
    assert found.lr is not None
    assert found.reason.endswith(
        "Whether more than a constant is learnt cannot be told from so few rows, or without a target."
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_any_mini_batch(dtype: str, batch_size: int) -> None:
    found = m.find_lr(network(dtype=dtype), m.MSELoss(), *sine(), batch_size=batch_size)
    assert found.lr is not None and 0.001 < found.lr < 0.5


def test_more_steps_where_few_show_nothing() -> None:
    learner = m.Sequential(m.Linear(3, 8, bias=False), m.Tanh(), m.Linear(8, 1, bias=False))
    for i, parameter in enumerate(learner.parameters()):
        parameter.data[...] = 1e-4 * np.random.default_rng(i).normal(size=parameter.shape)  # beside a saddle
    found = m.find_lr(learner, m.MSELoss(), *sine(), steps=20, rule=m.SGD(lr=1.0, momentum=0.5))
    assert found.lr is not None
    assert found.steps == 80


def test_a_spike_does_not_hide_the_valley() -> None:
    x, y = sine()
    y[11] = 40.0
    found = m.find_lr(network(), m.MSELoss(), x, y)
    assert found.lr is not None and comes_to(found.lr) < 0.15


# Where there is nothing to find

NOTHING = (
    r"In 400 steps the loss falls from \S+ to \S+, but the network predicts rows it has not seen no better than by "
    r"chance\. y has little to do with x, or it takes more steps\."
)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("middle", [0.0, 5.0])
def test_no_rate_from_noise(seed: int, middle: float) -> None:
    x, _ = sine()
    y = middle + np.random.default_rng(seed).normal(size=(200, 1))
    found = m.find_lr(network(), m.MSELoss(), x, y)
    assert found.lr is None
    assert re.fullmatch(NOTHING, found.reason)


def test_no_rate_from_labels_by_lot() -> None:
    x, _ = sine()
    found = m.find_lr(network(3), m.CrossEntropyLoss(), x, np.random.default_rng(0).integers(3, size=200))
    assert found.lr is None
    assert re.fullmatch(NOTHING, found.reason)


class Same(m.Loss):
    def elements(self, *inputs: Array) -> tuple[Array, tuple[Array]]:
        return np.full_like(inputs[0], 2), (inputs[0],)

    def elements_backward(self, grad_elements: Array, *kept: Array) -> Array:
        return 0 * kept[0] * grad_elements


def test_a_constant_loss() -> None:
    found = m.find_lr(network(), Same(), *sine())
    assert found.lr is None
    assert (
        found.reason
        == "The loss stays 2 at every rate, up to 1e+02. Look whether it depends on any parameter that the "
        "rule moves, or raise max_lr."
    )


def test_a_network_at_its_optimum() -> None:
    x, _ = sine()
    y = x @ np.float32([[1], [2], [3]])
    learner = m.Linear(3, 1)
    learner.weight.data[...], learner.bias.data[...] = [[1, 2, 3]], 0
    y += 0.1 * np.random.default_rng(0).normal(size=y.shape).astype(np.float32)
    m.fit(learner, m.MSELoss(), x, y, rule=m.LBFGS(lr=1.0), batch_size=200, epochs=10)
    found = m.find_lr(learner, m.MSELoss(), x, y, rule=m.SGD(lr=1.0))
    assert found.lr is None
    pattern = (
        r"In 400 steps the loss, \S+, falls clearly at no rate: at most by \S+, \d+\.\d standard errors\. The network "
        r"is trained already, or y has little to do with x, or it takes more steps\."
    )
    assert re.fullmatch(pattern, found.reason)


RANGES = [
    (
        1.0,
        100.0,
        "The loss blows up at every rate from 1 to 1e+02. Lower min_lr, or bring the columns of x to a common scale.",
    ),
    (1e-6, 0.005, "The loss falls furthest at the largest rate, 0.005. Raise max_lr."),
    (0.06, 100.0, "The loss falls furthest at the smallest rate, 0.06. Lower min_lr."),
]


@pytest.mark.parametrize(("least", "most", "reason"), RANGES)
def test_a_range_without_the_valley(least: float, most: float, reason: str) -> None:
    x, _ = sine()
    y = x @ np.float32([[1], [2], [3]])
    found = m.find_lr(m.Linear(3, 1), m.MSELoss(), 3 * x, y, rule=m.SGD(lr=1.0), min_lr=least, max_lr=most)
    assert (found.lr, found.reason) == (None, reason)


def test_a_range_of_rates_that_do_nothing() -> None:
    found = m.find_lr(network(), m.MSELoss(), *sine(), min_lr=1e-8, max_lr=1e-7)
    assert found.lr is None
    assert len(found.lrs) == 5
    pattern = (
        r"In 400 steps the loss, \S+, falls clearly at no rate: at most by \S+, \d+\.\d standard errors\. That is at "
        r"the largest rate: raise max_lr\."
    )
    assert re.fullmatch(pattern, found.reason)


def test_divergence_at_once_ends_at_once() -> None:
    x, y = sine()
    found = m.find_lr(m.Linear(3, 1), m.MSELoss(), 1e9 * x, y, rule=m.SGD(lr=1.0))
    assert found.lr is None
    assert np.isinf(found.losses).all()
    assert found.total_steps < 200


def test_a_copy_of_a_trained_network_goes_on_from_there() -> None:
    optim = m.Optim(network(), m.MSELoss(), m.Adam(lr=0.01))
    m.fit(optim, *sine(), epochs=20)
    state = copy.deepcopy(optim.rule.state_dict())
    found = m.find_lr(optim, *sine())
    assert found.start < 0.3
    assert math.isfinite(found.start)
    assert repr(optim.rule.state_dict()) == repr(state)
