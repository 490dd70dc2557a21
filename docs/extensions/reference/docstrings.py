"""What docstrings say in plain text, made ready for reStructuredText."""

import re
from typing import Any

SECTION = re.compile(r"^[A-Z][A-Za-z ]+$")
KEPT = re.compile(r"((?::[a-z:]+:)?(?:``.*?``|`[^`]+`)_?)")
MARKS = re.compile(r"(?<!\\)([*|]|_(?=\W|$))")


def process(app: Any, what: str, name: str, value: object, options: Any, lines: list[str]) -> None:
    """Rewrite the lines of a docstring in place, before numpydoc reads its sections."""
    section = ""
    for place, line in enumerate(lines):
        if SECTION.match(line) and place + 1 < len(lines) and set(lines[place + 1].strip()) == {"-"}:
            section = line.strip()
        described = section in ("", "Notes", "References", "Raises", "Warns") or line.startswith(" ")
        if described and section not in ("Examples", "See Also"):
            lines[place] = escaped(line)


def escaped(line: str) -> str:
    """Marks that reStructuredText would take for its own, outside of what is in backquotes."""
    parts = KEPT.split(line)
    for place in range(0, len(parts), 2):
        text = MARKS.sub(r"\\\1", parts[place])
        parts[place] = f"\\ {text}" if place and text[:1].isalnum() else text
    return "".join(parts)
