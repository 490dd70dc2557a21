"""The same bits for any number of threads, any run and any register, of a training of each family."""

import hashlib
import os

import pytest
import resuming
import trainings
from cores import threads

from maillon import engine
from maillon.engine import processor
from maillon.engine.table import OPERATIONS
from maillon.nesting import mapped

pytestmark = pytest.mark.usefixtures("core")

WORTH_SHARING = 20e3  # native/arena.cpp
RUNS = int(os.environ.get("MAILLON_RUNS", "1"))
"""How many by each number of threads and each instruction set; `make fuzz` takes 7."""

every_training = pytest.mark.parametrize("name", trainings.PROBLEMS)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def digest(name: str, dtype: str, number: int) -> str:
    """Of all that the training leaves: parameters, buffers, the rule's state, losses, generators."""
    with threads(number, worth=0):
        left = resuming.train(trainings.training(name, dtype))
    assert left["ends"][-1] == "native"
    return hashlib.sha256(repr(left).encode()).hexdigest()


def test_threads_share_every_operation_in_one_of_them() -> None:
    work = dict.fromkeys((name for name, kind in OPERATIONS.items() if not kind.alone), 0.0)
    for name in trainings.PROBLEMS:
        made = trainings.training(name, "float32")
        if made.optim.rule.needs_closure:
            continue
        size = made.options["batch_size"]
        plan = engine.lower(made.optim, *mapped(lambda rows: rows[:size], made.data))  # noqa: B023
        for operation in plan.operations:
            kind = OPERATIONS[operation.kind]
            if not kind.alone:
                work[operation.kind] = max(work[operation.kind], kind.work(*operation.sizes.values()))
    assert {name: found for name, found in work.items() if found < WORTH_SHARING} == {}


@pytest.mark.sweep
@both_dtypes
@every_training
def test_neither_threads_nor_runs_nor_registers_change_a_bit(
    name: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for chosen in processor.core().instruction_sets():
        monkeypatch.setenv("MAILLON_ISA", chosen)
        found[chosen] = {digest(name, dtype, number) for number in (1, 2, 4) * RUNS}
    assert {chosen: len(digests) for chosen, digests in found.items()} == dict.fromkeys(found, 1)
    if found.pop("baseline", None) and found:  # it fuses nothing
        assert len(set.union(*found.values())) == 1
