"""Large square matrix products in float32: the core's own against NumPy's (OpenBLAS or whatever it was built with).

    python benchmarks/products.py [--repeats N] [--sizes 1024,2048] [--out FILE]

Both allocate their result; each has a process of its own, and they multiply in turn, on one thread and on all. The
core's result is compared with NumPy's before it counts.
"""

import argparse
import time
from pathlib import Path
from typing import Any

from peers.referee import PAUSE, PeerError, Process, cores
from peers.results import RESULTS, heading, listed, machine, quartiles, short, table, write

LIMIT = 95  # % of NumPy's
SIDES = {"NumPy": "peers.by_numpy", "maillon": "peers.by_maillon"}
FLOPS = 5e9  # multiplied in one turn, at least


def measure(processes: dict[str, Process], n: int, threads: int, repeats: int) -> dict[str, Any]:
    """GFLOP/s of both sides, and ours in percent of NumPy's in each round."""
    times = max(1, round(FLOPS / (2 * n**3)))
    speeds: dict[str, list[float]] = {name: [] for name in SIDES}
    result: dict[str, Any] = {"size": n, "threads": threads}
    for i in range(repeats + 1):
        for name, process in processes.items():
            time.sleep(PAUSE)
            try:
                seconds = process.ask("ask", "product", n, threads, times)
            except PeerError as error:
                result[name] = {"missing": str(error)}
                continue
            if i:  # the first round warms up
                speeds[name].append(2e-9 * n**3 / seconds)
    result |= {name: {"gflops": quartiles(values)} for name, values in speeds.items() if values}
    if all(speeds.values()):
        pairs = zip(speeds["maillon"], speeds["NumPy"], strict=True)
        result["percent"] = quartiles([100 * ours / theirs for ours, theirs in pairs])
    return result


def misses(products: list[dict[str, Any]]) -> list[str]:
    found = []
    for one in products:
        words = f"{one['size']}×{one['size']}, {one['threads']} threads"
        if "percent" not in one:
            found.append(f"{words}: no limit can be held, {one['maillon'].get('missing', 'NumPy failed')}")
        elif one["percent"]["median"] < LIMIT:
            found.append(f"{words}: {short(one['percent']['median'])} % of NumPy's, limit {LIMIT}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="rounds, at least 2 (default: 9)")
    parser.add_argument("--sizes", default="1024,2048,4096", help="rows of the matrices (default: 1024,2048,4096)")
    parser.add_argument("--out", type=Path, default=RESULTS / "products.json")
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error(f"expected --repeats ≥ 2, for quartiles, got {arguments.repeats}")
    processes = {name: Process(module) for name, module in SIDES.items()}
    versions = processes["NumPy"].ask("versions") | processes["maillon"].ask("versions")
    sizes = [int(size) for size in arguments.sizes.split(",")]
    products = [measure(processes, n, threads, arguments.repeats) for n in sizes for threads in sorted({1, cores()})]
    result = {"machine": machine(), "versions": versions, "repeats": arguments.repeats, "products": products}
    result["engine"] = processes["maillon"].ask("ask", "info")
    result["misses"] = misses(products)
    for process in processes.values():
        process.end()
    rows = []
    for one in products:
        speeds = [short(one[name]["gflops"]["median"]) if "gflops" in one[name] else "—" for name in SIDES]
        percent = short(one["percent"]["median"]) if "percent" in one else "—"
        rows.append([f"{one['size']}×{one['size']}", str(one["threads"]), *speeds, percent])
    lines = heading("Square products, GFLOP/s", result)
    lines += table(["float32", "threads", *SIDES, "% of NumPy's"], rows) + listed("Limits missed", result["misses"])
    write(arguments.out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
