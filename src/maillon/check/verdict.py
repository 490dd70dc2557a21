"""What a check says: the rule that is broken and how to see it again, or all that holds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from maillon.check.words import in_language, say
from maillon.nn import Module

RULES = {
    1: say("backward is the exact derivative of forward"),
    2: say("backward adds to each Parameter.grad"),
    3: say("inputs, grad_output and what was kept are not changed"),
    4: say("gradients are nested, shaped and typed like the inputs"),
    5: say("one forward serves one backward"),
    6: say("backward works in eval mode too"),
    7: say("the reductions agree: mean · denominator = sum = Σ none"),
    8: say("backward() is backward(1)"),
}
"""The six rules of every link, and two more of every loss."""


class CheckError(AssertionError):
    """A rule of the contract is broken.

    Parameters
    ----------
    rule : int
        Its number in `RULES`.
    link : Module
        The link, or another object that was checked.
    what : str
        The parameter or input it is about.
    expected : object
        As the message shows it.
    got : object
        As the message shows it.
    relative_error : float, optional
        None where there is no number to compare.
    way_out : str
        What may help.

    Notes
    -----
    `replay` is a line of code that shows the same again, given the same `link` and `inputs`; `language` is that of the
    message.
    """

    rules: ClassVar[Mapping[int, str]] = RULES
    language = "en"

    def __init__(
        self,
        rule: int,
        link: Any,
        what: str,
        expected: object,
        got: object,
        *,
        relative_error: float | None = None,
        way_out: str = "",
    ) -> None:
        super().__init__(rule, what)
        self.rule = rule
        self.link = link
        self.what = what
        self.expected = expected
        self.got = got
        self.relative_error = relative_error
        self.way_out = way_out
        self.replay = ""

    def name(self) -> str:
        """The link, as the message shows it."""
        return repr(self.link)

    def __str__(self) -> str:
        def told(text: object) -> str:
            return in_language(text, self.language)

        number = f"{self.relative_error:.1e}" if self.relative_error is not None else ""
        error = told(say(" (relative error {number})", number=number)) if number else ""
        hint = f" {told(self.way_out)}" if self.way_out else ""
        again = f"\nReplay: {self.replay}" if self.replay else ""
        broken = say(
            "rule {rule}, {sentence}: broken by {link}.",
            rule=self.rule,
            sentence=self.rules[self.rule],
            link=self.name(),
        )
        found = say(
            "{what}: expected {expected}, got {got}{error}.",
            what=self.what,
            expected=self.expected,
            got=self.got,
            error=error,
        )
        return f"{told(broken)}\n{told(found)}{hint}{again}"


@dataclass(frozen=True)
class CheckReport:
    """What was checked and held.

    Parameters
    ----------
    link : str
        What the link looks like.
    rules : tuple of int
        The numbers of the rules.
    worst : float
        The largest relative error between backward and the finite differences.
    worst_at : str
        The input or parameter where it is.
    kinks : int
        How many derivatives took a smaller step, or inputs a little beside, because of a kink or a sharp bend.
    seed : int
        Of the directions.
    """

    link: str
    rules: tuple[int, ...]
    worst: float
    worst_at: str
    kinks: int
    seed: int

    def with_rules(self, *rules: int) -> Self:
        return replace(self, rules=tuple(sorted({*self.rules, *rules})))

    def joined(self, other: "CheckReport") -> "CheckReport":
        """The worse of two reports on one link, with the rules and kinks of both."""
        worse = max(self, other, key=lambda report: report.worst)
        return replace(worse, link=self.link, kinks=self.kinks + other.kinks).with_rules(*self.rules, *other.rules)

    def __repr__(self) -> str:
        first, last = self.rules[0], self.rules[-1]
        whole = self.rules == tuple(range(first, last + 1))
        rules = f"{first}–{last}" if whole and last > first else ", ".join(map(str, self.rules))
        hold = f"rule {rules} holds" if len(self.rules) == 1 else f"rules {rules} hold"
        kinks = f"{self.kinks} kinks or sharp bends stepped around" if self.kinks else "no kinks"
        where = f" in the {self.worst_at}" if self.worst_at else ""
        return f"<{self.link}: {hold}; relative error ≤ {self.worst:.1e}{where}; {kinks}>"


def one_line(link: Module) -> str:
    """The link's repr, a container's too, on one line."""
    shown = re.sub(r"\n\s*", " ", repr(link))
    return shown.replace("( ", "(").replace("({ ", "({").replace(", )", ")").replace(", })", "})")


def replay_line(function: str, seed: int, directions: int, tolerance: float) -> str:
    """The call that shows a failure again."""
    options: list[tuple[str, Any, Any]] = [("directions", directions, 3), ("tolerance", tolerance, 1e-7)]
    given = "".join(f", {name}={value!r}" for name, value, default in options if value != default)
    return f"maillon.check.{function}(link, *inputs, seed={seed}{given})"
