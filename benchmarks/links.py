"""Links that the core does not know yet: forward and backward in NumPy against PyTorch, both on one thread.

    python benchmarks/links.py [--repeats N] [--out FILE]

Each side has a process of its own; they take turns. The same seed gives both the same weights, and the gradients of
the input must be of the same size before a time counts.
"""

import argparse
import time
from pathlib import Path
from typing import Any

from peers.links import LINKS
from peers.referee import PAUSE, PeerError, Process
from peers.results import RESULTS, heading, listed, machine, quartiles, short, table, write

LIMIT = 3.0  # times PyTorch's
SECONDS = 0.3  # of each turn
SIDES = {"PyTorch": "peers.by_torch", "maillon": "peers.by_maillon"}


def measure(processes: dict[str, Process], key: str, repeats: int) -> dict[str, Any]:
    """ms of both sides, and ours over theirs in each round."""
    times: dict[str, list[float]] = {name: [] for name in SIDES}
    sizes: dict[str, float] = {}
    result: dict[str, Any] = {"name": LINKS[key].title}
    for i in range(repeats + 1):
        for name, process in processes.items():
            time.sleep(PAUSE)
            try:
                seconds, sizes[name] = process.ask("ask", "link", key, SECONDS)
            except PeerError as error:
                result[name] = {"missing": str(error)}
                continue
            if i:  # the first round warms up
                times[name].append(1000 * seconds)
    if len(sizes) == len(SIDES) and abs(sizes["maillon"] / sizes["PyTorch"] - 1) > 1e-3:
        result["maillon"] = {"missing": f"its gradient is of size {sizes['maillon']}, not {sizes['PyTorch']}"}
        return result
    result |= {name: {"ms": quartiles(values)} for name, values in times.items() if values}
    if all(times.values()):
        pairs = zip(times["maillon"], times["PyTorch"], strict=True)
        result["ratio"] = quartiles([ours / theirs for ours, theirs in pairs])
    return result


def misses(links: list[dict[str, Any]]) -> list[str]:
    found = []
    for one in links:
        if "ratio" not in one:
            missing = [side["missing"] for side in (one.get(name, {}) for name in SIDES) if "missing" in side]
            found.append(f"{one['name']}: no limit can be held, {'; '.join(missing)}")
        elif one["ratio"]["median"] > LIMIT:
            found.append(f"{one['name']}: {short(one['ratio']['median'])} times PyTorch's time, limit {LIMIT:g}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="rounds, at least 2 (default: 9)")
    parser.add_argument("--out", type=Path, default=RESULTS / "links.json")
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error(f"expected --repeats ≥ 2, for quartiles, got {arguments.repeats}")
    processes = {name: Process(module) for name, module in SIDES.items()}
    versions = processes["PyTorch"].ask("versions") | processes["maillon"].ask("versions")
    links = [measure(processes, key, arguments.repeats) for key in LINKS]
    for process in processes.values():
        process.end()
    result = {"machine": machine(), "versions": versions, "repeats": arguments.repeats, "links": links}
    result["misses"] = misses(links)
    rows = []
    for one in links:
        cells = [short(one[name]["ms"]["median"]) if "ms" in one.get(name, {}) else "—" for name in SIDES]
        ratio = one.get("ratio")
        spread = f"{short(ratio['median'])} ({short(ratio['q1'])}–{short(ratio['q3'])})" if ratio else "—"
        rows.append([one["name"], *cells, spread])
    lines = heading("Links in NumPy, forward and backward, ms", result)
    lines += table(["float32, one thread", *SIDES, "times PyTorch's"], rows)
    lines += listed("Limits missed", result["misses"])
    write(arguments.out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
