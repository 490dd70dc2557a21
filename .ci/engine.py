"""Fails where maillon's engine is not the expected one: engine.py native|numpy."""

import sys

from maillon import engine


def main(expected: str) -> int:
    info = engine.info()
    print(f"engine: {info}")
    if info["engine"] == expected:
        return 0
    print(f"expected the engine {expected!r}, got {info['engine']!r}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
