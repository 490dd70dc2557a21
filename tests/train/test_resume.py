"""A training that was ended anywhere and resumed leaves the same bits as one that was not."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogue import RULES
from resuming import EndedError, Made, Make, differences, ended_at, ended_in_writing, left, resumed, train

import maillon as m
from maillon.data import batches
from maillon.optim import lr_scheduler as schedules
from maillon.saving import FileError
from maillon.train import Callback, EarlyStopping, ExponentialMovingAverage, State
from maillon.typing import Array

NUMBERS = np.random.default_rng(3)
X = NUMBERS.normal(size=(23, 4))
LABELS = np.arange(23) % 3
Y = np.stack([X @ [1.0, -1.0, 0.5, 0.0], np.sin(X[:, 0])], axis=1)

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
pytestmark = [
    pytest.mark.filterwarnings("ignore::maillon.engine.FallbackWarning"),
    pytest.mark.filterwarnings("ignore::maillon.train.NoStateWarning"),
]


def links(dtype: str, outputs: int = 2, *more: m.Module, generator: m.Generator | None = None) -> m.Sequential:
    """A small chain that draws from the generator of the training, or from another one."""
    own = m.Generator(5)
    made = [m.Linear(4, 6, generator=own), m.Tanh(), *more, m.Dropout(0.3, generator=generator)]
    return m.Sequential(*made, m.Linear(6, outputs, generator=own)).to(dtype)


def regression(dtype: str, rule: Any = 0.1, **options: Any) -> Made:
    m.manual_seed(7)
    optim = m.Optim(links(dtype), m.MSELoss(), rule)
    return Made(optim, (X, Y), {"batch_size": 5, "epochs": 4, **options})


def classes(dtype: str, *more: m.Module, loss: m.Loss | None = None, rule: Any = None, **options: Any) -> Made:
    m.manual_seed(7)
    optim = m.Optim(links(dtype, 3, *more), loss or m.CrossEntropyLoss(), rule or m.Adam(lr=0.05))
    return Made(optim, (X, LABELS), {"batch_size": 5, "epochs": 4, **options})


def holds(make: Make, folder: Path, every: Any = 2, keep: int = 1) -> dict[str, Any]:
    """Ended in the middle of epochs, between two, and before and after a writing; what one never ended leaves."""
    wanted = train(make())
    ends = [
        ended_at(1),
        ended_at(4),
        ended_in_writing(2, after=True),
        ended_at(9),
        ended_in_writing(1, after=False),
        ended_at(13),
        ended_in_writing(3, after=True),
    ]
    found = resumed(make, folder / "run.safetensors", ends, every, keep)
    assert differences(found, wanted) == []
    return wanted


# Rules


@pytest.mark.sweep
@dtypes
@pytest.mark.parametrize("row", RULES, ids=lambda row: row.name)
def test_every_rule(row: Any, dtype: str, tmp_path: Path) -> None:
    holds(lambda: regression(dtype, row.rule(**row.options)), tmp_path, every=3)


@dtypes
@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs(search: str | None, dtype: str, tmp_path: Path) -> None:
    holds(lambda: regression(dtype, m.LBFGS(lr=0.1, max_iter=4, line_search_fn=search)), tmp_path)


class Heavy(m.optim.Rule):
    """A rule of the user's own, whose state has an array, a number and a list."""

    def __init__(self, params: Any = None, lr: float = 0.1, beta: float = 0.9) -> None:
        super().__init__(params, lr=lr, beta=beta)

    def update(self, parameter: m.Parameter, grad: Array, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["count"] = state.get("count", 0) + 1
        state["last"] = [*state.get("last", []), float(grad.sum())][-3:]
        state["heavy"] = group["beta"] * state.get("heavy", 0 * grad) + grad
        parameter.data -= group["lr"] / state["count"] * state["heavy"] * (1 + 0.01 * np.tanh(state["last"][0]))


@dtypes
def test_a_rule_of_ones_own(dtype: str, tmp_path: Path) -> None:
    holds(lambda: regression(dtype, Heavy()), tmp_path)


@dtypes
def test_groups_of_a_rule(dtype: str, tmp_path: Path) -> None:
    def make() -> Made:
        made = regression(dtype)
        first, second = made.optim.network[0], made.optim.network[3]
        groups = [{"params": first.parameters()}, {"params": [second.weight], "lr": 0.02, "momentum": 0.0}]
        made.optim.rule = m.SGD(groups, lr=0.1, momentum=0.9)
        made.options["schedule"] = schedules.LambdaLR(lr_lambda=[lambda epoch: 0.9**epoch, lambda epoch: 0.5**epoch])
        return made  # the second bias learns nothing: its gradient adds up

    wanted = holds(make, tmp_path)
    assert [name for name, value in wanted["gradients"] if value != "None"] == ["'3.bias'"]


# Schedules


class Bounce(m.optim.LRScheduler):
    """A schedule of the user's own, with a state."""

    def __init__(self, optimizer: Any = None, last_epoch: int = -1) -> None:
        self.direction = 1.0
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        self.direction *= -1.0
        return [rate * (1 + 0.5 * self.direction) for rate in self.base_lrs]


class Counting:
    """A factor that counts, as an object that is called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, epoch: int) -> float:
        self.calls += 1
        return float(0.9**self.calls)


def chained(**_: Any) -> m.optim.LRScheduler:
    return schedules.ChainedScheduler([schedules.ExponentialLR(gamma=0.9), schedules.StepLR(step_size=3)])


def sequential() -> m.optim.LRScheduler:
    several = [
        schedules.LinearLR(start_factor=0.3, total_iters=2),
        schedules.MultiStepLR(milestones=[1, 2, 2]),
        schedules.CosineAnnealingLR(T_max=5),
    ]
    return schedules.SequentialLR(schedulers=several, milestones=[2, 5])


SCHEDULES: dict[str, Callable[[], Any]] = {
    "a function": lambda: lambda epoch: 0.9**epoch,
    "an object": lambda: schedules.LambdaLR(lr_lambda=Counting()),
    "LambdaLR": lambda: schedules.LambdaLR(lr_lambda=lambda epoch: 0.9**epoch),
    "MultiplicativeLR": lambda: schedules.MultiplicativeLR(lr_lambda=lambda epoch: 0.9),
    "StepLR": lambda: schedules.StepLR(step_size=2),
    "MultiStepLR": lambda: schedules.MultiStepLR(milestones=[1, 3, 3]),
    "ConstantLR": lambda: schedules.ConstantLR(total_iters=2),
    "LinearLR": lambda: schedules.LinearLR(total_iters=3),
    "ExponentialLR": lambda: schedules.ExponentialLR(gamma=0.8),
    "PolynomialLR": lambda: schedules.PolynomialLR(total_iters=6, power=1.5),
    "CosineAnnealingLR": lambda: schedules.CosineAnnealingLR(T_max=3),
    "CosineAnnealingWarmRestarts": lambda: schedules.CosineAnnealingWarmRestarts(T_0=2, T_mult=2),
    "CyclicLR": lambda: schedules.CyclicLR(base_lr=0.01, max_lr=0.1, step_size_up=3),
    "OneCycleLR": lambda: schedules.OneCycleLR(max_lr=0.1, total_steps=21),
    "ChainedScheduler": chained,
    "SequentialLR": sequential,
    "Bounce": Bounce,
}


@pytest.mark.sweep
@pytest.mark.parametrize("by", ["epoch", "step"])
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_every_schedule(schedule: Callable[[], Any], by: str, tmp_path: Path) -> None:
    def make() -> Made:
        rule = m.SGD(lr=0.1, momentum=0.9)
        return regression("float32", rule, schedule=schedule(), schedule_by=by, accumulate=None)

    holds(make, tmp_path)


def test_there_is_a_case_for_every_schedule() -> None:
    assert set(schedules.__all__) - {"LRScheduler", "ReduceLROnPlateau"} <= set(SCHEDULES)


@dtypes
def test_a_plateau_of_the_validation_loss(dtype: str, tmp_path: Path) -> None:
    schedule = partial(schedules.ReduceLROnPlateau, patience=0, threshold=0.1)
    holds(lambda: regression(dtype, 0.2, schedule=schedule(), validation_split=0.3, epochs=6), tmp_path)


def test_a_schedule_bound_to_the_rule_and_steps_that_gather(tmp_path: Path) -> None:
    def make() -> Made:
        made = regression("float64", m.SGD(lr=0.1, momentum=0.5))
        made.optim.accumulate = 2
        made.options |= {"schedule": schedules.StepLR(made.optim.rule, 2), "schedule_by": "step"}
        return made

    holds(make, tmp_path, every=1)


# What a training may have beside


def shared_generator(dtype: str) -> Made:
    made = regression(dtype)
    generator = m.Generator(11)
    made.optim.network = links(dtype, 2, m.Dropout(0.2, generator=generator), generator=generator)
    made.optim = m.Optim(made.optim.network, m.MSELoss(), m.SGD(lr=0.1, momentum=0.9))
    return made


def one_generator(dtype: str) -> Made:
    generator = m.Generator(12)
    made = regression(dtype, generator=generator)
    made.optim = m.Optim(links(dtype, 2, generator=generator), m.MSELoss(), 0.1)
    return made


def averaged(dtype: str) -> Made:
    made = classes(dtype, m.BatchNorm1d(6), accumulate=None)
    made.optim.accumulate = 2
    average = ExponentialMovingAverage(made.optim.network, decay=0.8, use_buffers=True)
    made.options["callbacks"] = average
    made.watched = [average, average.network]
    return made


def frozen(dtype: str) -> Made:
    made = classes(dtype)
    made.optim.network[0].requires_grad_(False)
    return made


def one_weight_twice(dtype: str) -> Made:
    m.manual_seed(7)
    inner = m.Linear(4, 4, generator=m.Generator(3))
    network = m.Sequential(inner, m.Tanh(), inner.share(), m.Linear(4, 2, generator=m.Generator(4))).to(dtype)
    optim = m.Optim(network, m.MSELoss(), m.Adam(lr=0.05, amsgrad=True))
    return Made(optim, (X, Y), {"batch_size": 5, "epochs": 4})


class Gate(m.Module):
    """A link of the user's own, with a parameter and a buffer that it changes: y = x σ(a)."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.start = start
        self.gate = m.Parameter(np.full(1, start, np.float32))
        self.register_buffer("seen", np.zeros((), np.int64))

    def forward(self, x: Array) -> Array:
        self.seen += len(x)
        s = (1 / (1 + np.exp(-self.gate.data))).astype(x.dtype)
        return self.keep(x * s, x, s)

    def backward(self, grad_output: Array) -> Array:
        x, s = self.release(grad_output)
        self.gate.accumulate((grad_output * x).sum().reshape(1) * s * (1 - s))
        return grad_output * s


class Noisy(m.Module):
    """A link of the user's own that draws from a generator which is none of its arguments: y = x + noise."""

    def __init__(self) -> None:
        super().__init__()
        self.source = m.Generator(77)

    def forward(self, x: Array) -> Array:
        noise = self.source.normal(x.shape, dtype=np.float64) if self.training else np.zeros(x.shape)
        return self.keep(x + noise.astype(x.dtype), None)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output


class Cubic(m.Loss):
    """A loss of the user's own: the mean of |p − y|³."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def elements(self, prediction: Array, target: Array) -> Any:
        errors = prediction - target
        return self.scale * np.abs(errors) ** 3, (errors,)

    def elements_backward(self, grad_elements: Array, errors: Array) -> Array:
        return self.scale * 3 * errors * np.abs(errors) * grad_elements


FEATURES: dict[str, Callable[[str], Made]] = {
    "nothing drawn": lambda dtype: regression(dtype, shuffle=False),
    "a generator of two links": shared_generator,
    "a generator of the training": lambda dtype: regression(dtype, generator=m.Generator(9)),
    "one generator of all": one_generator,
    "drop_last": lambda dtype: regression(dtype, drop_last=True),
    "one mini-batch": lambda dtype: regression(dtype, batch_size=100, epochs=20),
    "validation": lambda dtype: classes(dtype, validation_data=(X[:7], LABELS[:7], X[:7, 0] ** 2), metrics="accuracy"),
    "sums of metrics": lambda dtype: classes(dtype, metrics=["accuracy", partial(m.train.accuracy, threshold=0.3)]),
    "metrics of epochs": lambda dtype: classes(dtype, metrics=["f1_macro", "accuracy", "balanced_accuracy"]),
    "top_k": lambda dtype: classes(dtype, metrics=partial(m.train.top_k_accuracy_score, k=2)),
    "errors": lambda dtype: regression(dtype, metrics=["mse", "mae", "rmse", "r2"], validation_split=0.2),
    "weights of samples": lambda dtype: regression(dtype, sample_weight=np.linspace(0, 2, 23)),
    "weights of classes": lambda dtype: classes(dtype, class_weight={0: 1, 1: 0.5, 2: 3.0}),
    "balanced": lambda dtype: classes(dtype, class_weight="balanced", sample_weight=np.linspace(0, 2, 23)),
    "weights in the loss": lambda dtype: classes(dtype, loss=m.CrossEntropyLoss(weight=[1.0, 2.0, 0.5])),
    "clipped norm": lambda dtype: regression(dtype, m.SGD(lr=0.3, momentum=0.9)),
    "batch norm": lambda dtype: classes(dtype, m.BatchNorm1d(6)),
    "an average": averaged,
    "frozen": frozen,
    "a weight used twice": one_weight_twice,
    "a generator inside a link": lambda dtype: classes(dtype, Noisy(), validation_split=0.2),
    "a link of ones own": lambda dtype: classes(dtype, Gate(0.5)),
}


def of_options(optim: m.Optim, **options: Any) -> m.Optim:
    return m.Optim(optim.network, optim.loss, optim.rule, **options)


@dtypes
@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
def test_whatever_a_training_has(feature: Callable[[str], Made], dtype: str, tmp_path: Path) -> None:
    holds(lambda: feature(dtype), tmp_path)


@dtypes
@pytest.mark.parametrize("options", [{"clip_grad_norm": 0.5}, {"clip_grad_value": 0.02}, {"accumulate": 3}], ids=str)
def test_options_of_the_optim(options: dict[str, Any], dtype: str, tmp_path: Path) -> None:
    """Gradients are gathered in the middle of an epoch, and left over at its end: 5 steps, by 3."""

    def make() -> Made:
        made = classes(dtype, metrics=["accuracy", "f1_macro"], class_weight={0: 1, 1: 0.5, 2: 3.0})
        made.optim = of_options(made.optim, **options)
        return made

    holds(make, tmp_path, every=1)


@dtypes
def test_a_loss_of_ones_own(dtype: str, tmp_path: Path) -> None:
    def make() -> Made:
        made = regression(dtype)
        made.optim = m.Optim(made.optim.network, Cubic(2.0), m.Adam(lr=0.02))
        return made

    holds(make, tmp_path)


@dtypes
def test_binary_with_weights_in_the_loss(dtype: str, tmp_path: Path) -> None:
    def make() -> Made:
        made = classes(dtype)
        loss = m.BCEWithLogitsLoss(pos_weight=[2.0, 1.0, 0.5])
        made.optim = m.Optim(made.optim.network, loss, m.Adam(lr=0.05))
        made.data = (X, np.eye(3)[LABELS])
        return made

    holds(make, tmp_path)


class Two(m.Module):
    """Two inputs, by place or by name."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = m.Linear(4, 2, generator=m.Generator(1)), m.Linear(2, 2, generator=m.Generator(2))

    def forward(self, a: Array, b: Array) -> Array:
        return self.left(a) + self.right(b)

    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        return self.left.backward(grad_output), self.right.backward(grad_output)


@dtypes
@pytest.mark.parametrize("x", [(X, Y), {"a": X, "b": Y}], ids=["tuple", "dict"])
def test_several_inputs(x: Any, dtype: str, tmp_path: Path) -> None:
    def make() -> Made:
        m.manual_seed(7)
        options = {"batch_size": 5, "epochs": 4, "metrics": "r2", "validation_split": 0.2}
        return Made(m.Optim(Two().to(dtype), m.MSELoss(), m.Adam(lr=0.05)), (x, Y), options)

    holds(make, tmp_path)


@pytest.mark.parametrize("every", ["epoch", 1, 2, 7, np.int64(3), 1000])
def test_however_often_it_is_written(every: Any, tmp_path: Path) -> None:
    make = partial(classes, "float32", metrics=["accuracy", "f1_macro"], validation_split=0.2)
    wanted = train(make())
    ends = [ended_at(step) for step in (3, 6, 11, 12, 14)]
    assert differences(resumed(make, tmp_path / "run.safetensors", ends, every), wanted) == []


# Callbacks


def stopping(dtype: str, patience: int = 2, **options: Any) -> Made:
    made = classes(dtype, rule=m.SGD(lr=1.5), validation_split=0.3, epochs=30, **options)
    made.options["callbacks"] = EarlyStopping(patience=patience)
    return made


@dtypes
def test_early_stopping_gives_the_best_weights_back(dtype: str, tmp_path: Path) -> None:
    make = partial(stopping, dtype)
    wanted = holds(make, tmp_path)
    steps, early, best, _ = wanted["ends"]
    assert early
    assert best < steps / 4
    again = train(make(), resume=tmp_path / "run.safetensors")  # it had ended: nothing is left to do
    assert differences(again, wanted) == []
    grown = train(make(), resume=tmp_path / "run.safetensors", epochs=60)
    assert differences(grown, wanted) == []


class Noise(Callback):
    """Moves the weights by what it draws and counts; it has a generator, an array and a nested state."""

    def __init__(self) -> None:
        self.generator = m.Generator(21)
        self.count, self.sums, self.seen = 0, np.zeros(2), {1: [], "1": ()}

    def on_step_end(self, state: State) -> None:
        self.count += 1
        noise = self.generator.normal((2,), dtype=np.float64)
        self.sums += noise
        self.seen[1].append(float(noise[0]))
        state.network[-1].bias.data += (0.01 * self.count * noise).astype(state.network.dtype)

    def on_epoch_begin(self, state: State) -> None:
        self.count *= 2

    def state_dict(self) -> dict[str, Any]:
        kept = {"a.b": self.sums, "a": {"b": self.sums + 1}, 1: self.sums + 2, "1": self.sums + 3}
        return {"count": self.count, "seen": self.seen, "generator": self.generator, "arrays": kept}

    def load_state_dict(self, state: Any) -> None:
        self.count, self.seen, self.generator = state["count"], state["seen"], state["generator"]
        self.sums = state["arrays"]["a.b"]
        for key, more in (("1", 3), (1, 2)):
            np.testing.assert_array_equal(state["arrays"][key], self.sums + more)
        np.testing.assert_array_equal(state["arrays"]["a"]["b"], self.sums + 1)


@dtypes
def test_a_callback_with_a_state(dtype: str, tmp_path: Path) -> None:
    def make() -> Made:
        made = regression(dtype)
        made.options["callbacks"] = noise = Noise()
        made.watched = [noise]
        return made

    holds(make, tmp_path)


class Called:
    """A function with a state: an object that is called after each epoch."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def __call__(self, state: State) -> None:
        group = state.optim.rule.param_groups[0]
        self.rates.append(group["lr"])
        group["lr"] = 0.1 / (1 + len(self.rates))

    def state_dict(self) -> dict[str, Any]:
        return {"rates": self.rates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rates = state["rates"]


def test_a_function_with_a_state(tmp_path: Path) -> None:
    def make() -> Made:
        made = regression("float32")
        made.options["callbacks"] = called = Called()
        made.watched = [called]
        return made

    holds(make, tmp_path)


def change(state: State) -> None:
    """All that a callback may change in the course of a training."""
    network, optim = state.network, state.optim
    network[2].p = 0.1 * state.epoch
    optim.loss.label_smoothing = 0.05 * state.epoch
    optim.clip_grad_norm = None
    optim.clip_grad_value = 0.5 / state.epoch
    if state.epoch == 2:
        optim.rule.add_param_group({"params": network[0].parameters(), "lr": 0.01})
        network[0].requires_grad_(True)
        network[1].eval()


@dtypes
def test_what_callbacks_change_in_links_loss_rule_and_optim(dtype: str, tmp_path: Path) -> None:
    def make() -> Made:
        made = classes(dtype)
        made.optim.network[0].requires_grad_(False)
        rule = m.SGD(made.optim.network[3].parameters(), lr=0.1, momentum=0.9)
        made.optim = m.Optim(made.optim.network, m.CrossEntropyLoss(), rule, clip_grad_norm=1.0)
        made.options["callbacks"] = change
        return made

    wanted = holds(make, tmp_path)
    assert "Dropout(0.4)" in wanted["links"]


class OwnFlush(Callback):
    """After two epochs the Optim has a method of its own; it has it again when the training goes on."""

    def on_train_begin(self, state: State) -> None:
        self.optim, self.done = state.optim, False

    def on_epoch_end(self, state: State) -> None:
        if state.epoch == 2:
            self.replace()

    def replace(self) -> None:
        self.done = True
        self.optim.flush = partial(m.Optim.flush, self.optim)  # type: ignore[method-assign]

    def state_dict(self) -> dict[str, Any]:
        return {"done": self.done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["done"]:
            self.replace()


def test_a_training_that_numpy_went_on_with(tmp_path: Path, engine: str) -> None:
    """A callback changes what the core does not know: NumPy goes on, after the resume too."""

    def make() -> Made:
        return classes("float32", rule=m.Adam(lr=0.05, weight_decay=0.1), callbacks=OwnFlush(), epochs=5)

    wanted = holds(make, tmp_path)
    assert wanted["ends"][-1] == ("native, numpy" if engine == "native" else "numpy")


def other_link(state: State) -> None:
    state.network[1].__class__ = m.Sigmoid


def other_rule(state: State) -> None:
    state.optim.rule = m.Adam(state.network.parameters())


REPLACED = {
    other_link: "a callback has replaced links of Sequential, which is not done again. load() gives the Optim as it "
    "was.",
    other_rule: "a callback has put Adam in the place of SGD, which is not done again.",
}


@pytest.mark.parametrize("replace", REPLACED)
def test_links_and_rules_that_callbacks_replace_are_not_put_back(replace: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    train(regression("float32", callbacks=replace, epochs=1), checkpoint=m.train.Checkpoint(path))
    made = regression("float32", callbacks=replace)
    before = left(made, m.History(["loss", "seconds"]))
    with pytest.raises(FileError) as caught:
        train(made, resume=path)
    assert str(caught.value) == f"resume: {str(path)!r}: {REPLACED[replace]}"
    assert left(made, m.History(["loss", "seconds"])) == before


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("step", [7, 10])
def test_stopped_by_a_callback(step: int, accumulate: int, tmp_path: Path) -> None:
    """In the middle of an epoch, or at its end; what it has gathered moves the parameters once, not at each resume."""

    class Stop(Callback):
        def on_step_end(self, state: State) -> None:
            if state.step == step:
                state.stop()

    def make() -> Made:
        made = classes("float32", callbacks=Stop())
        made.optim = of_options(made.optim, accumulate=accumulate)
        return made

    wanted, path = train(make()), tmp_path / "run.safetensors"
    assert wanted["ends"][:2] == (step, True)
    assert differences(resumed(make, path, [ended_at(3)]), wanted) == []
    assert differences(train(make(), resume=path), wanted) == []
    assert differences(train(make(), resume=path, epochs=9), wanted) == []


# Ctrl-C


def pressing(*steps: int) -> Callable[[], Callback]:
    """Makes callbacks that press Ctrl-C at these steps of their process."""

    class Press(Callback):
        def on_step_end(self, state: State) -> None:
            if state.step in steps:
                signal.raise_signal(signal.SIGINT)

    return Press


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("every", ["epoch", 1, 1000])
def test_ctrl_c_and_on(every: Any, accumulate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice in the middle of an epoch, once at its end. What is given back has been moved by what had been gathered."""
    path = tmp_path / "run.safetensors"

    def make(*presses: int) -> Made:
        made = classes("float32", metrics="f1_macro")
        made.optim = of_options(made.optim, accumulate=accumulate)
        made.options["callbacks"] = pressing(*presses)()
        return made

    wanted = train(make())
    options = {"checkpoint": m.train.Checkpoint(path, every), "resume": path}
    for press in (2, 9, 10):
        monkeypatch.setattr("maillon.train.interrupt._pressed", float("-inf"))
        made = make(press)
        history = m.fit(made.optim, *made.data, progress=False, **{**made.options, **options})
        assert (history.interrupted, history.steps, len(history)) == (True, press, press // 5)
        assert not made.optim.waiting
    found = train(make(), **options)
    assert differences(found, wanted) == []


def test_ctrl_c_where_nobody_looks_on(tmp_path: Path) -> None:
    """The core does many epochs at a time then, and stops within one: at once all the same."""
    path = tmp_path / "run.safetensors"

    def make() -> Made:
        m.manual_seed(7)
        optim = m.Optim(m.Linear(4, 2), m.MSELoss(), m.SGD(lr=0.01, momentum=0.9))
        return Made(optim, (X, Y), {"batch_size": 5})

    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    made, begun = make(), time.monotonic()
    options = {"checkpoint": m.train.Checkpoint(path, 10**9), "resume": path}
    history = m.fit(made.optim, *made.data, **made.options, **options, epochs=10**8, progress=False)
    assert history.interrupted
    assert time.monotonic() - begun < 60
    epochs = len(history) + 1
    assert differences(train(make(), **options, epochs=epochs), train(make(), epochs=epochs)) == []


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end"])
def test_ctrl_c_between_two_epochs(hook: str, tmp_path: Path) -> None:
    class Press(Callback):
        press = False

    def pressed(self: Press, state: State) -> None:
        if self.press and state.epoch == 2:
            signal.raise_signal(signal.SIGINT)

    setattr(Press, hook, pressed)

    def make(press: bool) -> Made:
        made = regression("float32", schedule=lambda epoch: 0.5**epoch)
        made.options["callbacks"] = callback = Press()
        callback.press = press
        return made

    wanted, path = train(make(False)), tmp_path / "run.safetensors"
    train(make(True), checkpoint=m.train.Checkpoint(path, 1000))
    assert differences(train(make(False), resume=path), wanted) == []


# Mini-batches that are given


class Stateful:
    """Mini-batches in a random order of its own, from any place on."""

    def __init__(self) -> None:
        self.generator, self.order, self.done = m.Generator(31), [], 0

    def __iter__(self) -> Iterator[Any]:
        if not self.order:
            self.order = self.generator.randperm(5).tolist()
        while self.done < len(self.order):
            self.done += 1
            place = self.order[self.done - 1]
            yield X[5 * place : 5 * place + 5], Y[5 * place : 5 * place + 5]
        self.order, self.done = [], 0

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator, "order": self.order, "done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator, self.order, self.done = state["generator"], state["order"], state["done"]


class Reading:
    """Mini-batches without a length, which draw their order at each beginning, from a generator of NumPy's."""

    def __init__(self) -> None:
        self.numbers = np.random.default_rng(5)

    def __iter__(self) -> Iterator[Any]:
        for place in self.numbers.permutation(5):
            yield X[5 * place : 5 * place + 5], Y[5 * place : 5 * place + 5], np.ones(len(X[5 * place : 5 * place + 5]))


class Lying:
    """It says that it is shorter than it is."""

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Any]:
        yield from batches(X, Y, batch_size=5)


GIVEN: dict[str, Callable[[], Any]] = {
    "a list": lambda: list(batches(X, Y, batch_size=5)),
    "an object with a state": Stateful,
    "an order of its own": Reading,
    "an order of the training's generator": lambda: batches(X, Y, batch_size=5, shuffle=True),
    "a length that is wrong": Lying,
}


@pytest.mark.parametrize("every", ["epoch", 1, 5])
@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_mini_batches_given(given: Callable[[], Any], every: Any, tmp_path: Path) -> None:
    def make() -> Made:
        made = regression("float32", m.Adam(lr=0.05), metrics="r2")
        del made.options["batch_size"]
        made.data = (given(),)
        return made

    holds(make, tmp_path, every)


def test_a_generator_that_serves_once(tmp_path: Path) -> None:
    def make() -> Made:
        made = regression("float32", epochs=1)
        made.data = (batch for batch in list(batches(X, Y, batch_size=2)))
        made.data = (made.data,)
        return made

    holds(make, tmp_path)


REFUSED = (
    "resume: batch {} is not the one after which the checkpoint was written, so the mini-batches do not come again as "
    "they did. Give them in the same order, or by an object with state_dict() and load_state_dict()."
)


@pytest.mark.parametrize(
    ("steps", "change_", "batch"),
    [
        (3, lambda given: given[1:] + given[:1], 3),
        (3, lambda given: given[:2], 3),
        (5, lambda given: given[:4], 5),
        (5, lambda given: [*given, given[0]], 5),
        (7, lambda given: given[:1], 2),
        (10, lambda given: [*given[:-1], given[0]], 5),
    ],
)
def test_other_mini_batches_are_refused(steps: int, change_: Any, batch: int, tmp_path: Path) -> None:
    path, given = tmp_path / "run.safetensors", list(batches(X, Y, batch_size=5))

    def made(batches_: Any) -> Made:
        made = regression("float32")
        made.data = (batches_,)
        return made

    with pytest.raises(EndedError), ended_at(steps):
        train(made(given), checkpoint=m.train.Checkpoint(path, every=1))
    other = made(change_(given))
    before = left(other, m.History(["loss", "seconds"]))
    with pytest.raises(ValueError) as caught:
        train(other, resume=path)
    assert str(caught.value) == REFUSED.format(batch)
    assert left(other, m.History(["loss", "seconds"])) == before


# From one training to the next


def test_epochs_may_grow_after_the_end(tmp_path: Path) -> None:
    make = partial(classes, "float64", metrics="accuracy", schedule=lambda epoch: 0.9**epoch)
    path = tmp_path / "run.safetensors"
    wanted = train(make(), epochs=9)
    for epochs in (2, 5, 9):
        found = train(make(), epochs=epochs, checkpoint=m.train.Checkpoint(path), resume=path)
    assert differences(found, wanted) == []


def test_a_finished_training_has_nothing_left_to_do(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    options = {"checkpoint": m.train.Checkpoint(path), "resume": path}
    wanted = train(classes("float32", metrics="accuracy"), **options)
    file = path.read_bytes()
    with ended_at(0):
        assert differences(train(classes("float32", metrics="accuracy"), **options), wanted) == []
    assert path.read_bytes() == file


def test_two_trainings_of_one_optim_in_a_script(tmp_path: Path) -> None:
    """The script is started again and again; the second training begins with the rule's state of the first."""

    def script(**options: Any) -> list[dict[str, Any]]:
        made, found = classes("float32"), []
        for name in ("one", "two"):
            path = tmp_path / f"{name}.safetensors"
            kept = {"checkpoint": m.train.Checkpoint(path, 3), "resume": path} if options else {}
            found.append(train(made, **kept))
        return found

    wanted = script()
    for step in (8, 17, 4, 13):
        with pytest.raises(EndedError), ended_at(step):
            script(kept=True)
    found = script(kept=True)
    assert [differences(*pair) for pair in zip(found, wanted, strict=True)] == [[], []]


def test_from_an_older_checkpoint_into_another_file(tmp_path: Path) -> None:
    make, path = partial(classes, "float32"), tmp_path / "run.safetensors"
    wanted = train(make(), checkpoint=m.train.Checkpoint(path, every=6, keep=3))
    older = tmp_path / "run-12.safetensors"
    other = m.train.Checkpoint(tmp_path / "other.safetensors", every=6, keep=2)
    assert differences(train(make(), checkpoint=other, resume=older), wanted) == []
    names = ["other-18.safetensors", "other.safetensors", "run-12.safetensors", "run-18.safetensors", "run.safetensors"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
