"""Fails where the tests take fewer than 95 % of the branches: branches.py COVERAGE.json."""

import json
import sys
from pathlib import Path

WANTED = 95.0


def main(report: Path) -> int:
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    counts = [file["summary"] for file in files.values()]
    covered = sum(count["covered_branches"] for count in counts)
    branches = sum(count["num_branches"] for count in counts)
    percent = 100 * covered / branches
    print(f"branches taken by the tests: {covered} of {branches}, {percent:.1f} % (wanted: {WANTED:.0f} %)")
    if percent >= WANTED:
        return 0
    worst = sorted(files.items(), key=lambda item: -item[1]["summary"]["missing_branches"])
    for name, file in worst[:10]:
        print(f"  {file['summary']['missing_branches']:4d} missing in {name}")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
