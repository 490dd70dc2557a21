"""The memory that a training of each family takes."""

import pytest
import trainings

import maillon as m
from maillon.engine.memory import Memory
from maillon.engine.step import Batches, lower_training, rule_and_gradients
from maillon.nesting import leaves, mapped
from maillon.nn.support.outline import ALIGNMENT

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
    plan = lower_training(made.optim, Batches.of(x, y, None, rows, shuffle=False), rows, state, gradients, memory)
    packed = max(
        (o.operands["workspace"].array.nbytes for o in plan.operations if "workspace" in o.operands), default=0
    )
    given = sum(array.nbytes for array in leaves((x, y)) if array is not None)
    ends = ALIGNMENT * len(plan.buffers())

    assert gradients.whole.array.nbytes <= moved + ALIGNMENT * len(parameters)
    momenta = MOMENTA.get(name.removeprefix("rule: "), 2)
    assert sum(array.nbytes for array in state.arrays) <= momenta * moved + ends
    assert memory.bytes <= 2 * kept + packed + given + ends
