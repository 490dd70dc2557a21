"""Tables: accuracy or R², ranks, calibration and CPU seconds of maillon's tabular estimators and of eight others.

    python benchmarks/tables.py [--suite development|held-out] [--only NAMES] [--methods NAMES] [--seeds N]
                                [--again] [--report] [--cache FOLDER] [--out FILE]

Sixteen tables that were looked at while the estimators were made, or 27 that were not (`peers/table_suites.py` says
how they were chosen); every method at its defaults, on one thread (`peers/table_methods.py` says what each is given).
A quarter of each table is held out, by the seed, with the classes in proportion. Seconds are CPU time of this process,
after a first fit of some rows that imports what the method needs; predicting is one call on the held-out quarter.

The score of a table is the mean over the seeds. Normalised it is 0 where it is the dummy's (the likeliest class, the
mean) or worse, and 1 where it is the best of all methods.

Each fit is written down at once, and a fit that is written down is not done again (but with --again), so the run goes
on where it stopped, also beside another one.
"""

import argparse
import fcntl
import functools
import gc
import itertools
import json
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from peers.results import RESULTS, machine, version
from peers.table_methods import METHODS, PACKAGES
from peers.table_report import expected_calibration_error, lines, misses, summary
from peers.table_suites import CLASSES, SUITES, Table
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

import maillon

CACHE = Path(__file__).resolve().parents[1] / "build" / "tables"


def split(x: Any, y: Any, kind: str, seed: int) -> list[Any]:
    """Rows to learn from and rows to be asked for, x and y of each."""
    proportional = kind == CLASSES and np.bincount(y).min() > 1
    return train_test_split(x, y, test_size=0.25, random_state=seed, stratify=y if proportional else None)


def measured(method: str, kind: str, seed: int, parts: list[Any]) -> dict[str, Any]:
    """One fit: score, CPU seconds of fitting and predicting, and of a classifier log loss and calibration error."""
    x, asked, y, wanted = parts
    known, y = np.unique(y, return_inverse=True) if kind == CLASSES else (None, y)  # XGBoost wants 0, 1, … without gaps
    model = METHODS[method](kind, seed, x)
    gc.collect()  # not while another method is timed
    with threadpool_limits(1):
        begun = time.process_time()
        model.fit(x, y)
        fitted = time.process_time()
        predicted = model.predict(asked) if known is None else model.predict_proba(asked)
        done = time.process_time()
    found = {"fit": fitted - begun, "predict": done - fitted, "rows": len(x), "tested": len(asked)}
    found["load"] = os.getloadavg()[0]
    if known is None:
        return found | {"score": r2_score(wanted, np.ravel(predicted))}
    classes = np.arange(max(known.max(), wanted.max()) + 1)
    probabilities = np.zeros((len(asked), len(classes)))
    probabilities[:, known] = predicted
    probabilities /= probabilities.sum(axis=1, keepdims=True)  # float32's sums are 1 but for rounding
    return found | {
        "score": accuracy_score(wanted, probabilities.argmax(axis=1)),
        "log_loss": log_loss(wanted, probabilities, labels=classes),
        "ece": expected_calibration_error(probabilities, wanted),
    }


@functools.cache
def prepare(method: str, kind: str) -> None:
    """A fit of a few rows, which imports and compiles what the method needs."""
    table = Table("sklearn", "iris" if kind == CLASSES else "diabetes", kind, "target", rows=100)
    measured(method, kind, 0, split(*table.read(CACHE), kind, 0))
    gc.collect()
    gc.freeze()  # later collections look at what a fit leaves, not at what was imported


def attempt(method: str, kind: str, seed: int, parts: list[Any]) -> dict[str, Any]:
    """`measured`, or the error's words: one method that fails does not end the run."""
    try:
        prepare(method, kind)
        found = measured(method, kind, seed, parts)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    return {name: float(f"{value:.6g}") for name, value in found.items()}


class Record:
    """The results file. Several runs may write into it at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}

    def has(self, method: str, name: str, seed: int) -> bool:
        return "score" in self.read().get("fits", {}).get(method, {}).get(name, {}).get(str(seed), {})

    @contextmanager
    def change(self) -> Iterator[dict[str, Any]]:
        """What is written down, to be changed; it is written anew when the block ends."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            result = self.read()
            yield result
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            new.replace(self.path)
        finally:
            os.close(folder)

    def add(self, method: str, name: str, seed: int, fit: dict[str, Any]) -> None:
        with self.change() as result:
            result.setdefault("fits", {}).setdefault(method, {}).setdefault(name, {})[str(seed)] = fit

    def report(self, suite: str, tables: dict[str, Any], seeds: list[str]) -> list[str]:
        """Ranks, means and limits from the fits so far, into the file and as Markdown beside it."""
        versions = {name: number for name in PACKAGES if (number := version(name)) is not None}
        about = {"suite": suite, "machine": machine(), "versions": versions, "seeds": seeds, "tables": tables}
        with self.change() as result:
            found = summary(result.get("fits", {}), list(tables), seeds)
            result.update(about, **found, misses=misses(found["methods"]))
            result["fits"] = result.pop("fits", {})
        words = lines(result)
        self.path.with_suffix(".md").write_text("\n".join(words) + "\n", encoding="utf-8")
        return words


def chosen(names: str, known: Iterable[str]) -> list[str]:
    """The names asked for, with ; between; all where none is."""
    known = list(known)
    wanted = [name.strip() for name in names.split(";")] if names else known
    if unknown := set(wanted) - set(known):
        raise SystemExit(f"not known: {', '.join(sorted(unknown))}. There are: {'; '.join(known)}.")
    return wanted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=list(SUITES), default="development")
    parser.add_argument("--only", default="", help="some tables, by name, with ; between")
    parser.add_argument("--methods", default="", help="some methods, by name, with ; between")
    parser.add_argument("--seeds", type=int, default=3, help="how many splits of each table (default: 3)")
    parser.add_argument("--again", action="store_true", help="measure also what is written down")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the report of what there is")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"where data are kept (default: {CACHE})")
    parser.add_argument("--out", type=Path, help="(default: results/tables_SUITE.json)")
    arguments = parser.parse_args()
    record = Record(arguments.out or RESULTS / f"tables_{arguments.suite.replace('-', '_')}.json")
    suite = {table.name: table for table in SUITES[arguments.suite]}
    methods, names = chosen(arguments.methods, METHODS), chosen(arguments.only, suite)
    warnings.simplefilter("ignore")
    maillon.set_num_threads(1)
    about = {}
    for name in names:
        table = suite[name]
        x, y = table.read(arguments.cache)
        about[name] = {"package": table.package, "kind": table.kind, "rows": len(x), "columns": x.shape[1]}
        for seed, method in itertools.product(range(0 if arguments.report else arguments.seeds), methods):
            if record.has(method, name, seed) and not arguments.again:
                continue
            fit = attempt(method, table.kind, seed, split(x, y, table.kind, seed))
            record.add(method, name, seed, fit)
            print(f"{name}, seed {seed}, {method}: {fit.get('error') or fit['score']}", flush=True)
    print(*record.report(arguments.suite, about, [str(seed) for seed in range(arguments.seeds)]), sep="\n")


if __name__ == "__main__":
    main()
