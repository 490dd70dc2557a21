"""Mutated files through `load`: `python tests/saving/fuzz_files.py --files 10000 --seed 0`.

Random bytes, cuts, headers and descriptions changed here and there: whatever a file holds, `load` gives a thing that is
whole, or a FileError. Anything else is reported: another exception, more than two seconds, more memory than three times
the file and 16 MB, and the end of a process.
"""

import argparse
import contextlib
import faulthandler
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import file_edits as edits
import numpy as np

import maillon as m

SECONDS = 2
MORE = 16 * 2**20


class FoundError(Exception):
    """What the fuzzer is there to find."""


class Swish(m.Module):
    """A link of a user's own, which makes others inside."""

    def __init__(self, width: int, depth: int = 2, beta: float = 1.0) -> None:
        self.width, self.depth, self.beta = width, depth, beta
        self.layers = [m.Linear(width, width) for _ in range(depth)]

    def forward(self, x: Any) -> Any:
        return x


def own() -> m.Module:
    network = m.Sequential(Swish(2), m.GRU(2, 3, num_layers=2), m.LastStep())
    network[0].layers[1] = m.Linear(2, 5)
    return network


def several() -> m.Module:
    """Links of many kinds, with arguments of many kinds."""
    return m.Sequential(
        m.Unflatten(1, (2, 3, 4)), m.Conv2d(2, 4, (3, 2), padding="same"), m.AdaptiveAvgPool2d((None, 2)),
        m.ConstantPad2d((1, 0, 2, 1), 0.5), m.Upsample(size=(4, 4), mode="bilinear"), m.MaxPool2d(2, 2, 0), m.Flatten(),
        m.LayerNorm((4, 4)), m.Embedding(5, 3, padding_idx=1, max_norm=2.0), m.LearnedPositionalEncoding(4, 7),
        m.MultiheadAttention(4, 2, bias=False), m.Fold((4, 5), 2), m.PixelShuffle(2), m.Softplus(threshold=3),
        m.CTCLoss(), m.MultiMarginLoss(weight=np.ones(3)),
    )  # fmt: skip


SAMPLES: dict[str, Callable[[], Any]] = {**edits.SAMPLES, "links of one's own": own, "several links": several}
WORDS: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 10**4, 2**20, 2**31, 2**63 - 1, 2**64, 10**30, 0.5, -0.5, 1e-300, 1e308,
    "", "0", "weight", "x", "a.0", "same", "Tanh", "Linear", "Sequential", "Graph", "Swish", "Module", "forward",
    "\udc80", "語", [], {}, [[]], [0], [1, 2, 3], {"tuple": [3, 3]}, {"tuple": [10**9, 10**9]}, {"dict": []},
    {"dict": [["a", 1]]}, {"float": "inf"}, {"float": "nan"}, {"scalar": ["<f4", 1.5]}, {"scalar": ["<i8", 2**70]},
    {"generator": 0}, {"generator": True}, {"array": ["<f4", [2], "AACAPwAAgD8="]}, {"array": ["<f4", [2**40], ""]},
    {"tensor": "a.weight"}, {"tensor": "maillon/state/0.weight/exp_avg"}, {"link": {"class": "Tanh", "config": {}}},
    {"class": "Tanh", "config": {}},
    {"link": {"class": "Linear", "config": {"in_features": 10**9, "out_features": 10**9}}},
    {"link": {"class": "LSTM", "config": {"input_size": 1, "hidden_size": 1, "num_layers": 10**9}}},
    {"class": "Sequential", "config": {"links": {"dict": []}}},
    {"class": "Swish", "own": True, "config": {"width": 10**5}},
    {"class": "Swish", "own": True, "config": {"width": 1, "depth": 10**9}},
]  # fmt: skip


def written() -> dict[str, bytes]:
    """The files that are mutated."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        files = {}
        for name, make in SAMPLES.items():
            m.manual_seed(0)
            m.save(make(), path)
            files[name] = path.read_bytes()
        m.save(m.Linear(2, 1).state_dict(), path)
        return files | {"weights alone": path.read_bytes()}


def mutant(files: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """File `number`, and what was done to it: the cuts of a small one first, then what chance gives."""
    small = files["weights alone"]
    if number < len(small):
        return "cut short", small[:number]
    rng = random.Random(f"{seed} {number}")
    name = rng.choice(list(files))
    how = rng.choice([noise, noise, cut, header, described, described, described, described, text, several_edits])
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(50_000)  # for what changes deep descriptions, not for what reads them
    try:
        return f"{how.__name__.replace('_', ' ')} of {name}", how(rng, files[name])
    finally:
        sys.setrecursionlimit(limit)


def noise(rng: random.Random, content: bytes) -> bytes:
    """Some bytes are others."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5, 50])):
        end = rng.choice([8, 60, len(changed)])
        changed[rng.randrange(end)] = rng.choice([rng.randrange(256), 0, 255, ord(rng.choice('"{}[],:0129\\'))])
    return bytes(changed)


def cut(rng: random.Random, content: bytes) -> bytes:
    """A piece is missing, or stands twice, or stands elsewhere."""
    first, end = sorted(rng.choices(range(len(content) + 1), k=2))
    piece = content[first:end]
    doubled = content[:end] + piece + content[end:]
    return rng.choice([content[:first], content[:first] + content[end:], content + piece, doubled, piece])


def header(rng: random.Random, content: bytes) -> bytes:
    """A part of the header is something else."""
    entries, data = edits.split(content)
    place = rng.choice([place for place in edits.places(entries) if place])
    return edits.joined(edited(rng, entries, place), data)


def described(rng: random.Random, content: bytes) -> bytes:
    """A part of the description is something else."""
    return changed_description(rng, content, 1)


def several_edits(rng: random.Random, content: bytes) -> bytes:
    return changed_description(rng, content, rng.choice([2, 3, 8]))


def changed_description(rng: random.Random, content: bytes, times: int) -> bytes:
    if b"__metadata__" not in content:
        return noise(rng, content)
    known = edits.description(content)
    for _ in range(times):
        places = list(edits.places(known))
        known = edited(rng, known, rng.choice(places))
    return edits.described(content, known)


def edited(rng: random.Random, value: Any, place: edits.Path) -> Any:
    """Something else at one place: a word, another part of the same, a number nearby, an entry more or less."""
    old = edits.at(value, place)
    kind = rng.randrange(5)
    new = rng.choice(WORDS)
    if kind == 0:
        new = edits.at(value, rng.choice(list(edits.places(value))))
    elif kind == 1 and isinstance(old, int | float):
        new = rng.choice([old + 1, old - 1, -old, old * 2, old * 10**6, float(old)])
    elif kind == 2 and isinstance(old, list):
        new = rng.choice([old[1:], old[::-1], old + old, [*old, new], [old]])
    elif kind == 2 and isinstance(old, dict) and old:
        key = rng.choice(list(old))
        less = {name: part for name, part in old.items() if name != key}
        new = rng.choice([less, {**old, "x": new}, {**less, str(new)[:8]: old[key]}, {**old, "replaced": {key: new}}])
    elif kind == 3:
        for _ in range(rng.choice([1, 30, 100, 300])):
            old = rng.choice([[old], {"tuple": [old]}, {"link": {"class": "Sequential", "config": {"links": old}}}])
        new = old
    return edits.changed(value, place, new)


def text(rng: random.Random, content: bytes) -> bytes:
    """The description's text is cut, or has other letters."""
    if b"__metadata__" not in content:
        return cut(rng, content)
    known = json.dumps(edits.description(content))
    place = rng.randrange(len(known))
    return edits.described(
        content,
        rng.choice([known[:place], known[:place] + rng.choice('"{}[],:0-9eE.ntf\\ ') + known[place + 1 :], known * 2]),
    )


def late(*_: Any) -> None:
    raise FoundError(f"load took more than {SECONDS} s.")


def try_one(content: bytes, path: Path) -> str:
    """What load makes of it; FoundError for what it must not do."""
    path.write_bytes(content)
    states = m.random.default_generator().get_state()
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        loaded, happened = m.load(path, links={"Swish": Swish}), "loaded"
    except m.FileError as error:
        loaded, happened = None, "refused"
        str(error).encode("utf-8", "backslashreplace")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    taken = tracemalloc.get_traced_memory()[1] - before
    if taken > 3 * len(content) + MORE:
        raise FoundError(f"load took {taken} bytes for a file of {len(content)}.")
    if m.random.default_generator().get_state() != states:
        raise FoundError("the generator has moved.")
    if happened == "loaded":
        require_whole(loaded, path)
    return happened


def require_whole(loaded: Any, path: Path) -> None:
    """What was loaded shows itself, and is saved and loaded again."""
    repr(loaded)
    try:
        m.save(loaded, path)
    except UnicodeEncodeError:  # half a letter in a name
        return
    again = path.read_bytes()
    m.save(m.load(path, links={"Swish": Swish}), path)
    if path.read_bytes() != again:
        raise FoundError("what was loaded, saved and loaded is another thing.")


@contextlib.contextmanager
def watched() -> Iterator[Path]:
    """A folder in memory where there is one; what a process takes is measured and bounded."""
    signal.signal(signal.SIGALRM, late)
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 2**30, resource.RLIM_INFINITY))
    os.fsync = lambda handle: None
    tracemalloc.start()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder) / "a"


def try_many(seed: int, first: int, end: int) -> int:
    """What a process of its own does: a line before each file, so that the last one tells what ended it."""
    faulthandler.enable()
    counts: Counter[str] = Counter()
    found = 0
    with watched() as path:
        files = written()
        for number in range(first, end):
            what, content = mutant(files, seed, number)
            sys.stdout.write(f"file {number}\n")
            sys.stdout.flush()
            try:
                happened = try_one(content, path)
                counts[f"{happened}: {what.partition(' of ')[0]}"] += 1
            except Exception as error:
                found += 1
                sys.stdout.write(f"FOUND {number} ({what}): {type(error).__name__}: {str(error)[:300]!r}\n")
    for what, number in counts.items():
        sys.stdout.write(f"COUNT {number} {what}\n")
    sys.stdout.write("DONE\n")
    return found


def fuzz(files: int, seed: int, batch: int = 2500, limit_s: float = 1200) -> tuple[Counter[str], list[str]]:
    """So many files, each batch of them in a process: what happened, and what was found."""
    counts: Counter[str] = Counter()
    found: list[str] = []
    first = 0
    while first < files:
        end = min(first + batch, files)
        command = [sys.executable, __file__, "--seed", str(seed), "--part", str(first), str(end)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
        lines = done.stdout.splitlines()
        found += [line for line in lines if line.startswith("FOUND")]
        for line in lines:
            if line.startswith("COUNT"):
                _, count, what = line.split(" ", 2)
                counts[what] += int(count)
        if done.returncode not in (0, 1) or lines[-1:] != ["DONE"]:
            numbers = [line for line in lines if line.startswith("file ")]
            last = int(numbers[-1].split()[1]) if numbers else first
            found.append(f"CRASH {last}: {done.returncode}\n{done.stderr[-4000:]}")
            end = max(first, last) + 1  # the rest of the batch goes to a new process
        first = end
    return counts, found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="one file, in this process, with its traceback")
    parser.add_argument("--part", type=int, nargs=2, help="files from … to, in this process")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.part is not None:
        return int(try_many(given.seed, *given.part) > 0)
    if given.only is not None:
        with watched() as path:
            what, content = mutant(written(), given.seed, given.only)
            sys.stdout.write(f"{what}\n{content!r}\n{try_one(content, path)}\n")
        return 0
    begun = time.perf_counter()
    counts, found = fuzz(given.files, given.seed)
    for what, count in sorted(counts.items()):
        sys.stdout.write(f"{count:7} {what}\n")
    seconds = time.perf_counter() - begun
    sys.stdout.write(f"{given.files} files, seed {given.seed}, {seconds:.0f} s, {len(found)} found\n")
    sys.stdout.write("\n".join(found) + "\n" * bool(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
