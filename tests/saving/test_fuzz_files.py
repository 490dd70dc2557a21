"""A few of the fuzzer's files, and whether it would see what it looks for."""

from pathlib import Path
from typing import Any

import fuzz_files
import pytest


def test_mutated_files_are_refused_or_whole() -> None:
    counts, found = fuzz_files.fuzz(400, seed=2)
    assert not found, "\n".join(found)
    assert sum(counts.values()) == 400
    for what in ("loaded: described", "loaded: noise", "refused: cut short", "refused: described", "refused: header"):
        assert counts[what], counts


LOADS: dict[str, tuple[str, str]] = {
    "another exception": ("raise KeyError('a')", "KeyError"),
    "what takes too long": ("while True: pass", "load took more than 2 s."),
    "memory": ("held = bytearray(2**25)", "load took"),
    "a generator that moves": ("maillon.Tanh(); maillon.manual_seed(3)", "the generator has moved."),
    "what is not whole": ("return maillon.Sequential(Opaque(1))", "expected an attribute 'size'"),
    "the end of a process": ("import os; os.abort()", "CRASH 0"),
}


@pytest.mark.parametrize("what", LOADS)
def test_it_sees(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body, said = LOADS[what]
    script = tmp_path / "fuzzed.py"
    script.write_text(f"""
import sys
import maillon
sys.path[:0] = [{str(Path(fuzz_files.__file__).parent)!r}]
class Opaque(maillon.Module):
    def __init__(self, size):
        pass
def load(*_, **__):
    {body}
maillon.load = load
import fuzz_files
sys.exit(fuzz_files.main())
""")
    monkeypatch.setattr(fuzz_files, "__file__", str(script))
    _, found = fuzz_files.fuzz(1, seed=0)
    assert len(found) == 1 and said in found[0], found


def test_the_same_number_gives_the_same_file() -> None:
    files: Any = fuzz_files.written()
    assert files == fuzz_files.written()
    assert [fuzz_files.mutant(files, 1, 400 + n) for n in range(20)] == [
        fuzz_files.mutant(files, 1, 400 + n) for n in range(20)
    ]
