"""Fails where a run of the report left something out: claims.py REPORT_DIR [--real].

--real: every chapter must have run on the report's own data, not on a stand-in.
"""

import json
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from maillon.report import CHAPTERS
from maillon.report.chapter import Claim, Verdict

FIELDS = {field.name for field in fields(Claim)}
VERDICTS = set(get_args(Verdict))
RUN_FIELDS = ("versions", "machine", "seed", "seconds", "chapters", "claims")
LEAST = 30


def faults_of_claims(claims: list[dict[str, Any]]) -> list[str]:
    faults = []
    for claim in claims:
        name = claim.get("id", claim)
        if set(claim) != FIELDS:
            faults.append(f"{name}: expected the fields {sorted(FIELDS)}, got {sorted(claim)}")
            continue
        empty = [field for field in sorted(FIELDS - {"unit"}) if claim[field] in (None, "", [])]
        if empty:
            faults.append(f"{name}: nothing in {empty}")
        if claim["verdict"] not in VERDICTS:
            faults.append(f"{name}: unknown verdict {claim['verdict']!r}")
    if len(claims) < LEAST:
        faults.append(f"expected at least {LEAST} claims, got {len(claims)}")
    counts = Counter(claim.get("id") for claim in claims)
    faults += [f"the claim {name} stands {count} times" for name, count in counts.items() if count > 1]
    missing = set(CHAPTERS) - {claim.get("chapter") for claim in claims}
    return faults + [f"no claim of the chapter {name}" for name in sorted(missing)]


def faults_of_chapters(chapters: list[dict[str, Any]], real: bool) -> list[str]:
    faults = [f"{chapter['name']} failed: {chapter['error']}" for chapter in chapters if chapter["error"]]
    if real:
        stand_ins = [chapter for chapter in chapters if chapter["stand_in"]]
        faults += [f"{chapter['name']} ran on a stand-in: {chapter['stand_in']}" for chapter in stand_ins]
    return faults


def faults_of_files(folder: Path) -> list[str]:
    faults = [] if (folder / "index.html").is_file() else ["there is no index.html"]
    figures = folder / "figures"
    names = {path.stem for path in figures.glob("*.svg")} | {path.stem for path in figures.glob("*.png")}
    if not names:
        faults.append("there are no figures")
    for name in sorted(names):
        for suffix in (".svg", ".png"):
            path = figures / (name + suffix)
            if not path.is_file() or path.stat().st_size == 0:
                faults.append(f"figure {name} has no {suffix}")
    return faults


def main(folder: Path, real: bool) -> int:
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    faults = [f"results.json has no {field!r}" for field in RUN_FIELDS if field not in results]
    faults += faults_of_chapters(results.get("chapters", []), real)
    faults += faults_of_claims(results.get("claims", [])) + faults_of_files(folder)
    for fault in faults:
        print(f"report: {fault}")
    verdicts = [claim.get("verdict") for claim in results.get("claims", [])]
    print(f"{len(verdicts)} claims: " + ", ".join(f"{verdicts.count(v)} {v}" for v in sorted(VERDICTS)))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "--real" in sys.argv[2:]))
