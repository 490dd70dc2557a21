"""What the steps of a slice have predicted, kept for the metrics of an epoch."""

from typing import Any

import numpy as np

from maillon.engine.plan import Buffer, Plan, address
from maillon.engine.step import Batches
from maillon.engine.verify import verify_record
from maillon.typing import Array

_MOST_BYTES = 2**24  # of a slice

Seen = list[tuple[Any, Any, int]]
"""Of each step its prediction, its target and its rows."""


def recorded(plan: Plan, training: Any, rows: int, max_steps: int) -> Array | None:
    """Where the core puts what the next steps predict, in epochs of so many rows.

    None where the output is not one array with a row a sample: then it is looked at after each step.
    """
    output = plan.output
    if not isinstance(output, Buffer) or output.shape[:1] != (plan.rows,):
        return None
    bytes_a_step = output.array.nbytes
    steps = max(1, min(max_steps, _MOST_BYTES // max(1, bytes_a_step), -(-rows // plan.rows)))
    room = np.empty((steps * plan.rows, *output.shape[1:]), output.array.dtype)
    verify_record(plan, room, steps)
    training.record(address(room), address(output.array), bytes_a_step // plan.rows)
    return room


def seen(room: Array | None, prediction: Any, batches: Batches, order: Array, begun: int, steps: int) -> Seen:
    """The predictions, step by step, with their targets: what is recorded, or that of a single step.

    begun: the row of the epoch at which the first step began.
    """
    if room is None:
        return [(prediction, batches.part(batches.rows_at(begun, order))[1], batches.length(begun))][:steps]
    found: Seen = []
    done = 0
    for step in range(steps):
        row = begun + step * batches.size
        rows = batches.length(row)
        found.append((room[done : done + rows], batches.part(batches.rows_at(row, order))[1], rows))
        done += rows
    return found
