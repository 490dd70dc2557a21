"""Who takes part, in which variants, and the parent's end of each one's process."""

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers.workloads import Workload

PAUSE = 0.3  # seconds before a side is timed: the threads of the one before still wait for work, spinning
CALIBRATION = 0.05  # seconds a variant is tried for
SMALL = 1e5  # FLOPs of a step below which a second thread is not tried


class PeerError(RuntimeError):
    """A peer cannot do what it was asked; the words say why."""


@dataclass(frozen=True)
class Variant:
    """One way to run a peer: what it is told, and the environment its process starts in."""

    options: dict[str, Any]
    environment: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        words = [f"{name}={value}" for name, value in (*self.options.items(), *self.environment)]
        return ", ".join(word for word in words if not word.startswith(("mode", "compiled", "engine", "XLA_FLAGS")))


@dataclass(frozen=True)
class Side:
    name: str
    module: str
    variants: Callable[[Workload], Iterable[Variant]]


def _threads(options: dict[str, Any], others: Iterable[dict[str, Any]] = ({},)) -> Callable[[Workload], list[Variant]]:
    """The options, with one thread and with all, in each of the other ways."""

    def variants(workload: Workload) -> list[Variant]:
        counts = (1,) if workload.flops < SMALL else sorted({1, cores()})
        return [Variant({**options, "threads": n, **other}) for other in others for n in counts]

    return variants


def _jax(mode: str) -> Callable[[Workload], list[Variant]]:
    def variants(workload: Workload) -> list[Variant]:
        counts = (1,) if workload.flops < SMALL else sorted({1, cores()})
        one = f"--xla_cpu_multi_thread_eigen=false {os.environ.get('XLA_FLAGS', '')}".strip()
        environments = [(("NPROC", str(n)), *((("XLA_FLAGS", one),) if n == 1 else ())) for n in counts]
        unrolls = (1, 4) if mode == "scan" and workload.kind != "grid" else (1,)
        return [Variant({"mode": mode, "unroll": u}, e) for e in environments for u in unrolls]

    return variants


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


NATIVE, NUMPY = "maillon, native", "maillon, NumPy"
EAGER, COMPILED = "PyTorch, eager", "PyTorch, compiled"
EPOCH, SCAN = "JAX, jitted per epoch", "JAX, one jitted scan"
SKLEARN, BY_HAND = "scikit-learn", "NumPy by hand"
SIDES = [
    Side(EAGER, "peers.by_torch", _threads({}, [{"fused": False}, {"fused": True}])),
    Side(COMPILED, "peers.by_torch", _threads({"compiled": True})),
    Side(EPOCH, "peers.by_jax", _jax("epoch")),
    Side(SCAN, "peers.by_jax", _jax("scan")),
    Side(SKLEARN, "peers.by_sklearn", _threads({})),
    Side(BY_HAND, "peers.by_numpy", _threads({})),
    Side(NUMPY, "peers.by_maillon", _threads({"engine": "numpy"})),
    Side(NATIVE, "peers.by_maillon", lambda _: [Variant({"engine": "native"})]),
]


class Process:
    """A peer's process. Started by the first question, ended with the `with` block of its `Table`."""

    def __init__(self, module: str, environment: tuple[tuple[str, str], ...] = ()) -> None:
        folder = Path(__file__).resolve().parents[1]
        path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (`end` closes it)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "peers.worker", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**_plain_environment(), "PYTHONPATH": path, **dict(environment)},
        )

    def ask(self, *question: Any) -> Any:
        """The answer; PeerError with the peer's words where it has none."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            pickle.dump(question, self.process.stdin)
            self.process.stdin.flush()
            outcome, answer = pickle.load(self.process.stdout)
        except (EOFError, OSError) as error:
            code = self.process.wait()
            raise PeerError(f"its process ended with code {code}: {self._last_words()}") from error
        if outcome == "failed":
            raise PeerError(answer)
        return answer

    def _last_words(self) -> str:
        self.errors.seek(0)
        return next(reversed(self.errors.read().decode(errors="replace").strip().splitlines()), "no word")

    def end(self) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
            self.process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.errors.close()


def _plain_environment() -> dict[str, str]:
    """The environment without what would set threads: each side sets its own."""
    set_elsewhere = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MAILLON_NUM_THREADS")
    set_elsewhere += ("PYTHONDONTWRITEBYTECODE",)  # nor without bytecode, which whoever installs a package has
    return {name: value for name, value in os.environ.items() if name not in set_elsewhere}


@dataclass
class Seat:
    """A side at one workload: its chosen variant, and what was measured."""

    side: Side
    variant: Variant | None = None
    missing: str | None = None
    epochs: int = 1
    tried: dict[str, float | str] = field(default_factory=dict)  # µs per step of each variant, or why not
    compilation_s: float = 0.0
    microseconds: list[float] = field(default_factory=list)
    loss: float | None = None


class Table:
    """The processes of all sides, for as long as the `with` block lasts."""

    def __init__(self, sides: list[Side], say: Callable[[str], None] = lambda words: None) -> None:
        self.sides = sides
        self.say = say  # is told what is being prepared
        self._processes: dict[tuple[str, Any], Process] = {}
        self._open: dict[tuple[str, Any], tuple[Variant, Workload]] = {}
        self._compiled = tempfile.TemporaryDirectory()  # nothing compiled before this run is found again

    def __enter__(self) -> "Table":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.end()
        self._compiled.cleanup()

    def process(self, side: Side, variant: Variant) -> Process:
        """The process of the side, one for each environment it needs; a new one for one that broke down."""
        key = (side.name, variant.environment)
        if key not in self._processes or self._processes[key].process.poll() is not None:
            self._open.pop(key, None)
            cache = ("TORCHINDUCTOR_CACHE_DIR", self._compiled.name)
            self._processes[key] = Process(side.module, (*variant.environment, cache))
        return self._processes[key]

    def versions(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for side in self.sides:
            try:
                found |= self.process(side, Variant({})).ask("versions")
            except PeerError as error:
                found[side.name] = f"missing ({error})"
        return found

    def measure(
        self, workload: Workload, repeats: int, target: float, beside: Callable[[], None] = lambda: None
    ) -> list[Seat]:
        """Each side's µs per step, its best variant, `repeats` times, in turn; and the loss it ends with.

        beside: what else is measured in each round.
        """
        seats = [self._seat(side, workload, target) for side in self.sides]
        for _ in range(repeats):
            time.sleep(PAUSE)
            beside()
            for seat in seats:
                self._attempt(seat, workload, self._round)
        for seat in seats:
            self._attempt(seat, workload, self._close)
        return seats

    def _seat(self, side: Side, workload: Workload, target: float) -> Seat:
        """The side with the fastest of its variants, opened."""
        seat = Seat(side)
        choice = []
        for variant in side.variants(workload):
            self.say(f"{workload.name}: {side.name} ({variant})")
            tried = Seat(side, variant)
            self._attempt(tried, workload, self._try)
            choice.append(tried)
            seat.tried[str(variant)] = tried.missing or round(tried.microseconds[0], 4)
        able = [tried for tried in choice if tried.missing is None]
        if not able:
            seat.missing = choice[0].missing
            return seat
        best = min(able, key=lambda tried: tried.microseconds[0])
        seat.variant, seat.compilation_s = best.variant, best.compilation_s
        self._attempt(seat, workload, lambda seat, process, _: self._calibrate(seat, process, target))
        return seat

    def _attempt(self, seat: Seat, workload: Workload, action: Callable[[Seat, Process, Workload], None]) -> None:
        """Do it, with the training open in the process of the seat's variant; or keep why the seat is empty."""
        if seat.missing is not None or seat.variant is None:
            return
        key = (seat.side.name, seat.variant.environment)
        try:
            process = self.process(seat.side, seat.variant)
            if self._open.get(key) != (seat.variant, workload):
                self._open.pop(key, None)
                seat.compilation_s = max(seat.compilation_s, process.ask("open", workload, seat.variant.options))
                self._open[key] = (seat.variant, workload)
            time.sleep(PAUSE)
            action(seat, process, workload)
        except PeerError as error:
            seat.missing = str(error)

    @staticmethod
    def _try(seat: Seat, process: Process, _: Workload) -> None:
        _, seconds = process.ask("calibrate", CALIBRATION)
        seat.microseconds.append(1e6 * seconds)

    @staticmethod
    def _calibrate(seat: Seat, process: Process, target: float) -> None:
        seat.epochs, _ = process.ask("calibrate", target)

    @staticmethod
    def _round(seat: Seat, process: Process, workload: Workload) -> None:
        seat.microseconds.append(1e6 * process.ask("run", seat.epochs) / seat.epochs / workload.steps)

    @staticmethod
    def _close(seat: Seat, process: Process, _: Workload) -> None:
        seat.loss = process.ask("learnt")
