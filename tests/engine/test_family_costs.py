"""What a training of each family takes beside its arithmetic: memory, and the time until its first step is done."""

import time
from collections.abc import Callable

import numpy as np
import pytest
import trainings
from cores import threads

import maillon as m
from maillon.engine.memory import ALIGNMENT, Memory
from maillon.engine.step import Batches, lower_training, rule_and_gradients
from maillon.nesting import leaves, mapped
from maillon.random import Generator

pytestmark = pytest.mark.usefixtures("core")

BY_STEPS = [name for name in trainings.PROBLEMS if name != "rule: LBFGS"]
MOMENTA = {
    **{"SGD": 0, "SGD, Nesterov": 1, "AdamW": 3, "Adagrad": 1, "Adadelta": 2, "RMSprop": 3, "Rprop": 2},
    **{"ASGD": 1, "Lion": 1},
}
"""Numbers that a rule keeps for each of a parameter; 2 for Adam and those like it."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BY_STEPS)
def test_the_memory_of_a_training(name: str, dtype: str) -> None:
    """Parameters, gradients, what the rule keeps, twice the activations, what products pack, and the mini-batch."""
    made = trainings.training(name, dtype)
    rows = made.options["batch_size"]
    x, y = mapped(lambda array: array[:rows], made.data)
    seen = m.summary(made.optim.network, x)
    kept = seen.activation_bytes + sum(output.nbytes for output in leaves(m.predict(made.optim.network, x)))
    parameters = list(made.optim.network.parameters())
    moved = sum(parameter.data.nbytes for parameter in parameters)

    state, gradients = rule_and_gradients(made.optim)
    memory = Memory()
    plan = lower_training(made.optim, Batches.of(x, y, None, rows, shuffle=False), rows, state, gradients, memory).plan
    packed = max(
        (o.operands["workspace"].array.nbytes for o in plan.operations if "workspace" in o.operands), default=0
    )
    given = sum(array.nbytes for array in leaves((x, y)) if array is not None)
    ends = ALIGNMENT * len(plan.buffers())

    assert gradients.whole.array.nbytes <= moved + ALIGNMENT * len(parameters)
    momenta = MOMENTA.get(name.removeprefix("rule: "), 2)
    assert sum(array.nbytes for array in state.arrays) <= momenta * moved + ends
    assert memory.bytes <= 2 * kept + packed + given + ends


def chain(*links: m.Module) -> m.Module:
    return m.Sequential(*links)


FIRST: dict[str, tuple[Callable[[], m.Module], tuple[int, ...]]] = {
    "BatchNorm and Dropout": (
        lambda: chain(m.Linear(32, 64), m.BatchNorm1d(64), m.ReLU(), m.Dropout(0.1), m.Linear(64, 3)),
        (128, 32),
    ),
    "LayerNorm and GELU": (lambda: chain(m.Linear(32, 64), m.LayerNorm(64), m.GELU(), m.Linear(64, 3)), (128, 32)),
    "Conv2d": (
        lambda: chain(
            *(m.Conv2d(1, 8, 3, padding=1), m.ReLU(), m.MaxPool2d(2)),
            *(m.Conv2d(8, 16, 3, padding=1), m.ReLU(), m.MaxPool2d(2), m.Flatten(), m.Linear(784, 10)),
        ),
        (32, 1, 28, 28),
    ),
    "Conv2d and BatchNorm2d": (
        lambda: chain(
            *(m.Conv2d(3, 16, 3, padding=1), m.BatchNorm2d(16), m.ReLU()),
            *(m.Conv2d(16, 16, 3, padding=1), m.BatchNorm2d(16), m.ReLU()),
            *(m.AdaptiveAvgPool2d(1), m.Flatten(), m.Linear(16, 10)),
        ),
        (32, 3, 16, 16),
    ),
    "Conv1d": (
        lambda: chain(
            *(m.Conv1d(4, 32, 5, padding=2), m.ReLU(), m.MaxPool1d(2), m.Conv1d(32, 32, 5, padding=2), m.ReLU()),
            *(m.AdaptiveAvgPool1d(1), m.Flatten(), m.Linear(32, 10)),
        ),
        (32, 4, 64),
    ),
    "LSTM": (lambda: chain(m.LSTM(16, 64, batch_first=True), m.LastStep(), m.Linear(64, 10)), (32, 32, 16)),
    "GRU": (lambda: chain(m.GRU(8, 32, batch_first=True), m.LastStep(), m.Linear(32, 10)), (32, 20, 8)),
    "transformer": (
        lambda: m.TransformerEncoder(m.TransformerEncoderLayer(32, 4, 64, 0.1, batch_first=True), 2),
        (16, 32, 32),
    ),
}
"""Networks, and a mini-batch of each."""


@pytest.mark.parametrize("name", FIRST)
def test_the_first_step_is_soon_done(name: str) -> None:
    """10 ms after `fit` is called: by the clock of the one thread that does it, the fastest of several."""
    make, shape = FIRST[name]
    x = Generator(1).randn(shape)
    y = np.zeros_like(m.predict(make(), x, engine="numpy"))
    seconds: list[float] = []

    class Note(m.Callback):
        def on_step_end(self, state: m.train.State) -> None:
            seconds.append(time.thread_time() - begun)
            state.stopping = True

    with threads(1):
        for _ in range(7):
            network = make()
            begun = time.thread_time()
            m.fit(network, m.MSELoss(), x, y, rule=m.Adam(), batch_size=shape[0], callbacks=Note(), engine="native")
    assert min(seconds) < 0.01
