"""Steps that take long may be left before their end: how far, and what is put back then."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from maillon.engine import processor
from maillon.engine.plan import PARTS, Plan, address, table
from maillon.random import Generator
from maillon.typing import Array

LONG = 2e8
"""What a program costs, in floating-point operations, from which it may be left: some milliseconds."""

ASK_S = 0.1
"""How long a program that may be left runs before it asks for that, and asks again."""

WORTH_COPIES = 400
"""Operations for each byte copied at its beginning, so that the copies take about a twentieth of its time at most."""


def program_of(plan: Plan, streams: Mapping[Generator, Any], keeping: Sequence[Array] | None = None) -> Any:
    """The plan as the core holds it, to be left before its end where it takes long.

    It is not left once all gradients are there. Where copies of what it changes before would cost too much, it is not
    left once it changes that. The links of the user's own have their own way back (`StepBegin`).

    keeping: arrays that are to be as they were, like the loss and the output, where a step fails; then it may be left
    whatever it takes. None: a step that fails is made good in another way.
    """
    program = _program(plan, [streams[generator] for generator in plan.streams])
    if program.work < LONG and keeping is None:
        return program
    stays, kept = PARTS[PARTS.index("backward") + 1 :], [] if plan.own else plan.changing
    if sum(array.nbytes for array in plan.changing) * WORTH_COPIES > program.work:
        stays, kept = PARTS[PARTS.index("loss") + 1 :], []
    if plan.result is not None:
        kept = [*kept, plan.result.array, *(buffer.array for buffer in plan.outputs), *(keeping or ())]
    count = next((n for n, one in enumerate(plan.operations) if one.part in stays), len(plan.operations))
    program.may_leave(count, [(address(array), array.nbytes) for array in kept])
    program.ask(None, ASK_S)
    return program


def writer_of(plan: Plan) -> Any:
    """What writes the gradients that the last step has passed on; None where all are there."""
    return _program(replace(plan, operations=plan.passing), []) if plan.passing else None


def _program(plan: Plan, streams: list[Any]) -> Any:
    wide = plan.dtype == np.float64
    return processor.core().Program(processor.instruction_set(), wide, plan.rows, table(plan), streams)
