"""Writes table1.json: PyTorch's side of Table 1. Needs torch: `python -m maillon.report.golden.make_table1`."""

import json

from maillon.report.table1 import GOLDEN, golden


def main() -> None:
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
