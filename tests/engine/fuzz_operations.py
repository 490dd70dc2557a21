"""Plans of every operation, for fuzz.py: alone with any sizes, of links of the catalogue, of a training of a family."""

from typing import Any

import numpy as np
import trainings
from catalogue import LINKS
from cores import lower_alone

from maillon.engine.memory import Memory
from maillon.engine.plan import Buffer, NotLoweredError, Operation, Plan
from maillon.engine.step import Batches, lower_training, rule_and_gradients
from maillon.engine.table import OPERATIONS, Kind
from maillon.nesting import mapped
from maillon.random import Generator

KINDS = [kind for name, kind in OPERATIONS.items() if name != "python"]
_LARGEST = 2**18  # elements of an operand


def any_plan(rng: np.random.Generator, kind: Kind, dtype: Any) -> Plan:
    """The operation alone, of any sizes, some of its optional operands absent, with numbers at random."""
    sizes = {size.name: int(rng.choice([0, 1, 1, 2, 3, 5, 9, 17])) % min(size.end, 2**40) for size in kind.bounds}
    operands = {}
    for operand, extent in zip(kind.operands, kind.extents(*sizes.values()), strict=True):
        if operand.optional and rng.random() < 0.4:
            continue
        if not 0 <= extent <= _LARGEST:
            raise NotLoweredError(f"{operand.name} of {extent} elements")
        own = np.dtype(dtype if operand.dtype is None else operand.dtype)
        values = rng.integers(-1, 4, extent) if own.kind == "i" else rng.choice([-1.0, 0.0, 0.5, 1.0, 3.0], extent)
        operands[operand.name] = Buffer(operand.name, values.astype(own), (extent,))
    numbers = {name: float(rng.choice([0.0, 0.5, 1.0, 3.0])) for name in kind.numbers}
    stream = 0 if kind.stream else None
    operation = Operation(kind.name, "loss", operands, sizes, numbers, stream)
    first = next(iter(operands.values()))
    return Plan((), np.dtype(dtype), 1, [operation], [], first, streams=[Generator(1)] if kind.stream else [])


def link_plan(rng: np.random.Generator) -> Plan:
    """A link of the catalogue, forward and backward."""
    row = LINKS[int(rng.integers(len(LINKS)))]
    dtype = ("float32", "float64")[int(rng.integers(2))]
    inputs = row.inputs(dtype)
    output = row.link(dtype)(*inputs)
    grad = mapped(lambda y: rng.normal(size=y.shape).astype(dtype) if y.dtype.kind == "f" else None, output)
    return lower_alone(row.link(dtype), inputs, grad).plan


def training_plan(rng: np.random.Generator) -> Plan:
    """A step of a training of one of the families, on a few rows."""
    names = [name for name in trainings.PROBLEMS if name != "rule: LBFGS"]  # whose steps are Python's
    name = names[int(rng.integers(len(names)))]
    made = trainings.training(name, ("float32", "float64")[int(rng.integers(2))])
    rows = trainings.ROWS if name == "loss: CTC" else int(rng.choice([2, 3, 5, 16]))
    x, y = mapped(lambda array: array[:rows], made.data)
    data = Batches.of(x, y, None, rows, shuffle=False)
    state, gradients = rule_and_gradients(made.optim)
    plan = lower_training(made.optim, data, rows, state, gradients, Memory())
    for (_, array), buffer in zip(data.feeds(), plan.inputs, strict=True):
        buffer.array[...] = array.reshape(buffer.array.shape)
    return plan
