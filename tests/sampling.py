"""A fixed sample of the sweeps, the tests of hundreds or thousands of cases: MAILLON_SAMPLE=8 runs every eighth.

Which cases those are is decided by a hash of their names, so that they are the same on every machine; and of each
kind (the first word of a case's name: Conv2d, Adam, …) at least one runs. The end of the output tells how many ran.
"""

import os
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

SETTING = "MAILLON_SAMPLE"
left_out = pytest.StashKey[dict[str, tuple[int, int]]]()
"""Of each sweep: how many cases run, of how many."""


def kind(case: str) -> str:
    word = re.match(r"\w+", case)
    return word.group() if word else ""


def sampled(cases: list[str], every: int) -> Iterator[bool]:
    """Whether each of the cases is in the sample."""
    chosen = [zlib.crc32(case.encode()) % every == 0 for case in cases]
    met = {kind(case) for case, yes in zip(cases, chosen, strict=True) if yes}
    for case, yes in zip(cases, chosen, strict=True):
        yield yes or kind(case) not in met
        met.add(kind(case))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    every = int(os.environ.get(SETTING) or 1)
    if every <= 1:
        return
    sweeps: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sweep"):
            sweeps[item.nodeid.partition("[")[0]].append(item)
    dropped = {
        item
        for swept in sweeps.values()
        for item, yes in zip(swept, sampled([item.callspec.id for item in swept], every), strict=True)
        if not yes
    }
    missing = Counter(item.nodeid.partition("[")[0] for item in dropped)
    config.stash[left_out] = {name: (len(all_) - missing[name], len(all_)) for name, all_ in sweeps.items()}
    config.hook.pytest_deselected(items=list(dropped))
    items[:] = [item for item in items if item not in dropped]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its counts to the process that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(left_out, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[left_out] = getattr(node, "workeroutput", {}).get("left_out", {})


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for name, (run, all_) in sorted(config.stash.get(left_out, {}).items()):
        terminalreporter.write_line(f"a sample, {SETTING}={os.environ[SETTING]}: {run} of {all_} cases of {name}")
