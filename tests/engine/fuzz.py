"""Random and mutated plans through the verifier and the core: `python tests/engine/fuzz.py --plans 10000 --seed 0`.

Every plan has its buffers laid into one array, guards between them. What a run may change are the bytes that its
operations write by the table of operations; any other byte that changed is reported, as is any difference between one,
two and three threads, between a valid plan and NumPy's step, and the end of a process. Under the AddressSanitizer the
guards may not even be read.
"""

import argparse
import faulthandler
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import fuzz_operations
import fuzz_trainings
import numpy as np
from fuzz_memory import Arena
from fuzz_mutants import mutate

import maillon
from maillon.engine import processor
from maillon.engine.builder import NotLoweredError
from maillon.engine.plan import Plan, PlanError, stream_of, table
from maillon.engine.step import Batches
from maillon.engine.verify import verify
from maillon.random import Generator

CARRIED = "carried out: "
carried: Counter[str] = Counter()
"""How many plans that the core carried out had each kind of operation."""


class FoundError(Exception):
    """What the fuzzer is there to find."""


def carry_out(arena: Arena, plan: Plan, generators: list[Generator], threads: int, isa: str) -> bool:
    """The plan once, by so many threads; FoundError when a byte changed that none of its operations writes."""
    core = processor.core()
    before = arena.bytes.copy()
    streams = [stream_of(generator) for generator in generators]
    program = core.Program(isa, plan.dtype == np.float64, plan.rows, table(plan), streams)
    arena.poison(True)
    try:
        fine: bool = program.run(threads)
    finally:
        arena.poison(False)
    changed = np.flatnonzero((arena.bytes != before) & ~arena.writable(plan))
    if changed.size:
        raise FoundError(f"{threads} threads changed {changed.size} bytes outside, the first at {changed[0]}.")
    return fine


def every_way(arena: Arena, plan: Plan, isa: str) -> bool:
    """By one, two and three threads, from the same bytes and words, to the same bytes; the first one's stay."""
    carried.update({operation.kind for operation in plan.operations})
    generators = list(plan.streams)
    states = [generator.get_state() for generator in generators]
    before, results = arena.bytes.copy(), []
    for threads in (3, 2, 1):
        arena.bytes[:] = before
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        results.append((carry_out(arena, plan, generators, threads, isa), arena.bytes.copy()))
    fine, one = results[-1]
    if any(other != fine for other, _ in results):
        raise FoundError(f"3, 2, 1 threads said {[other for other, _ in results]}.")
    same = arena.writable(plan, ("workspace",))
    if fine and any(((other != one) & ~same).any() for _, other in results):
        raise FoundError("the bytes depend on the number of threads.")
    return fine


def load(plan: Plan, data: Batches) -> None:
    for (_, rows), buffer in zip(data.feeds(), plan.inputs, strict=True):
        buffer.array[...] = rows.reshape(buffer.array.shape)


def ill_conditioned(sample: fuzz_trainings.Sample) -> bool:
    """Whether rounding may decide: sums at the end of float32, and logarithms of what is 0 or 1 but for rounding."""
    loss, p = sample.optim.loss, sample.optim.prediction
    largest = np.abs(sample.batches.x).max(initial=0)
    if largest > 1e30 or not isinstance(loss, maillon.BCELoss | maillon.CrossEntropyLoss):
        return bool(largest > 1e30)
    if p is None or getattr(loss, "from_logits", False):
        return False
    near = 1e-9 if p.dtype == np.float64 else 1e-4
    return bool(((p < near) | (p > 1 - near)).any())


def compare(arena: Arena, sample: fuzz_trainings.Sample, fine: bool) -> str:
    """NumPy's step beside the core's."""
    plan, optim, data = arena.plan, sample.optim, sample.batches
    for generator, state in sample.states.items():
        generator.set_state(state)
    with np.errstate(all="ignore"):
        try:
            loss = optim.learn(data.x, data.y, data.weight)
            if optim.gathered[1] == 0:
                return "not compared"  # a training divides by nothing
            optim.flush()  # the whole of a plan is a gathering of one mini-batch
        except (FloatingPointError, ValueError) as error:
            if fine and ill_conditioned(sample):
                return "not compared"
            if fine:
                raise FoundError(f"the core went through, NumPy raised {error}.") from None
            return "refused by both"
    if not fine:
        raise FoundError(f"the core gave up, NumPy's loss is {loss}.")
    if ill_conditioned(sample):
        return "not compared"
    tolerance = 1e-9 if plan.dtype == np.float64 else 2e-3
    assert plan.result is not None
    pairs: list[tuple[str, Any, Any]] = [
        ("loss", plan.result.array[0], loss),
        ("output", plan.output.array, optim.prediction),
    ]
    named = [(name, p.data) for name, p in optim.network.named_parameters()]
    pairs += [(name, arena.moved[id(data)], data) for name, data in named if id(data) in arena.moved]
    for name, native, numpy in pairs:
        values = np.asarray(numpy, np.float64)
        scale = max(1.0, float(np.abs(values, where=np.isfinite(values), out=np.zeros_like(values)).max(initial=0)))
        if not np.allclose(np.reshape(native, values.shape) / scale, values / scale, tolerance, tolerance, True):
            raise FoundError(f"{name}: {np.asarray(native).ravel()[:4]}, NumPy {values.ravel()[:4]}.")
    return "as NumPy"


def instruction_set(number: int) -> str:
    """One of those this processor has; what else is drawn does not depend on how many there are."""
    sets: list[str] = processor.core().instruction_sets()
    return sets[number % len(sets)]


def try_one(seed: int, number: int) -> tuple[str, str]:
    """Plan `number`: what happened to it, and what it was."""
    rng = np.random.default_rng([seed, number])
    isa = instruction_set(int(rng.integers(2**31)))
    source = rng.random()
    if source < 0.5:
        return try_operations(rng, isa)
    if source < 0.6:
        return try_prediction(rng, isa)
    sample = fuzz_trainings.training(rng)
    try:
        plan = fuzz_trainings.plan(sample)
    except PlanError:
        raise
    except NotLoweredError as reason:
        return "not lowered", str(reason)
    arena = Arena(plan, rng)
    load(arena.plan, sample.batches)
    verify(arena.plan)
    if rng.random() < 0.3:
        return f"valid, {compare(arena, sample, every_way(arena, arena.plan, isa))}", str(plan)
    return try_mutant(arena, rng, isa)


def try_operations(rng: np.random.Generator, isa: str) -> tuple[str, str]:
    """Any operation of the table, any link of the catalogue, any family: as made, or mutated."""
    source = rng.random()
    if source < 0.5:
        kind = fuzz_operations.KINDS[int(rng.integers(len(fuzz_operations.KINDS)))]
        try:
            plan = fuzz_operations.any_plan(rng, kind, (np.float32, np.float64)[int(rng.integers(2))])
            verify(plan)
        except (NotLoweredError, ZeroDivisionError) as reason:
            return "sizes that must not be", str(reason)
    elif source < 0.9:
        plan = fuzz_operations.link_plan(rng)
    else:
        plan = fuzz_operations.training_plan(rng)
    arena = Arena(plan, rng)
    if rng.random() < 0.7:
        return try_mutant(arena, rng, isa)
    every_way(arena, arena.plan, isa)
    return "valid, within its buffers", str(plan)


def try_prediction(rng: np.random.Generator, isa: str) -> tuple[str, str]:
    network, x = fuzz_trainings.prediction(rng)
    try:
        plan = fuzz_trainings.prediction_plan(network, x.shape)
    except PlanError:
        raise
    except NotLoweredError as reason:
        return "not lowered", str(reason)
    arena = Arena(plan, rng)
    arena.plan.inputs[0].array[...] = x.reshape(-1)
    if rng.random() < 0.7:
        return try_mutant(arena, rng, isa)
    every_way(arena, arena.plan, isa)
    with np.errstate(all="ignore"):
        expected = network.eval()(x)
    got = arena.plan.output.array.reshape(arena.plan.output.shape)
    tolerance = 1e-10 if plan.dtype == np.float64 else 1e-3
    if not np.allclose(got, expected, tolerance, tolerance, True):
        raise FoundError(f"{got.ravel()[:4]}, NumPy has {expected.ravel()[:4]}.")
    return "valid, as NumPy", str(plan)


def try_mutant(arena: Arena, rng: np.random.Generator, isa: str) -> tuple[str, str]:
    plan, told = mutate(arena, rng)
    sys.stdout.write(f"  {told}\n")
    try:
        verify(plan)
    except PlanError as error:
        return "mutant, rejected", str(error)
    return f"mutant, ran {'through' if every_way(arena, plan, isa) else 'until a loss stopped it'}", told


def try_many(seed: int, first: int, end: int) -> int:
    """What a process of its own does: a line before each plan, so that the last one tells what ended it."""
    faulthandler.enable()
    counts: Counter[str] = Counter()
    found = 0
    for number in range(first, end):
        sys.stdout.write(f"plan {number}\n")
        sys.stdout.flush()
        try:
            counts[try_one(seed, number)[0]] += 1
        except Exception as error:
            found += 1
            sys.stdout.write(f"FOUND {number}: {type(error).__name__}: {error}\n")
    counts.update({CARRIED + kind: count for kind, count in carried.items()})
    for what, count in counts.items():
        sys.stdout.write(f"COUNT {count} {what}\n")
    return found


def fuzz(plans: int, seed: int, batch: int = 250, limit_s: float = 1200) -> tuple[Counter[str], list[str]]:
    """So many plans, each batch of them in a process: what happened, and what was found."""
    counts: Counter[str] = Counter()
    found: list[str] = []
    first = 0
    while first < plans:
        end = min(first + batch, plans)
        command = [sys.executable, __file__, "--seed", str(seed), "--part", str(first), str(end)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
            lines, status, trace = done.stdout.splitlines(), done.returncode, done.stderr
        except subprocess.TimeoutExpired as late:
            output = late.stdout or b""
            lines, status, trace = output.decode().splitlines(), "time is up", ""
        found += [line for line in lines if line.startswith("FOUND")]
        for line in lines:
            if line.startswith("COUNT"):
                _, count, what = line.split(" ", 2)
                counts[what] += int(count)
        numbers = [line for line in lines if line.startswith("plan ")]
        if status not in (0, 1) or not numbers or "COUNT" not in lines[-1]:
            last = int(numbers[-1].split()[1]) if numbers else first
            found.append(f"CRASH {last}: {status}: {lines[-1:]}\n{trace[-4000:]}")
            end = max(first, last) + 1  # the rest of the batch goes to a new process
        elif "runtime error" in trace:
            found.append(f"UNDEFINED in {first} … {end}: {trace[:4000]}")
        first = end
    return counts, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=250)
    parser.add_argument("--only", type=int, help="one plan, in this process")
    parser.add_argument("--part", type=int, nargs=2, help="plans from … to, in this process")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.only is not None:
        sys.stdout.write("{}\n{}\n".format(*try_one(given.seed, given.only)))
        return 0
    if given.part is not None:
        return int(try_many(given.seed, *given.part) > 0)
    begun = time.perf_counter()
    counts, found = fuzz(given.plans, given.seed, given.batch)
    for what, count in sorted(counts.items()):
        if not what.startswith(CARRIED):
            sys.stdout.write(f"{count:7} {what}\n")
    fewest = sorted((counts[CARRIED + kind.name], kind.name) for kind in fuzz_operations.KINDS)
    sys.stdout.write(f"carried out least often: {', '.join(f'{kind} ({count})' for count, kind in fewest[:9])}\n")
    seconds = time.perf_counter() - begun
    sys.stdout.write(f"{given.plans} plans, seed {given.seed}, {seconds:.0f} s, {len(found)} found\n")
    sys.stdout.write("\n".join(found) + "\n" * bool(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
