"""What check_handout says."""

import traceback
from dataclasses import dataclass

from maillon.check.verdict import CheckError, CheckReport
from maillon.check.words import Phrase, in_language, say

HANDOUT_RULES = {
    1: say("forward is a function of its input and the parameters"),
    2: say("what is given is not changed"),
    3: say("backward_delta is the gradient with respect to the input"),
    4: say("backward_update_gradient adds the gradient with respect to the parameters"),
    5: say("zero_grad sets the gradients to zero"),
    6: say("update_parameters takes one step against the gradient"),
    7: say("backward of a loss is the derivative of its forward with respect to yhat"),
    8: say("a learning step is forward, loss, backward, update"),
    9: say("each epoch uses each example once"),
}
"""The rules of the handout's classes: 1–6 of a module, 1, 2 and 7 of a loss, 8 of Optim, 9 of SGD."""


class HandoutError(CheckError):
    """A rule of the handout is broken.

    Parameters
    ----------
    rule : int
        Its number in `HANDOUT_RULES`.
    link : object or str
        What was checked, or the name of its class.
    what : str
        The method, parameter or gradient it is about.
    expected : object
        As the message shows it.
    got : object
        As the message shows it.
    relative_error : float, optional
        None where there is no number to compare.
    way_out : str
        The likely cause.

    Notes
    -----
    `language` is that of the message: the one that the check was asked for.
    """

    rules = HANDOUT_RULES

    def name(self) -> str:
        return self.link if isinstance(self.link, str) else type(self.link).__name__


@dataclass(frozen=True)
class HandoutReport(CheckReport):
    """What was checked and held, of a class of the handout.

    Parameters
    ----------
    link : str
        The name of the class.
    rules : tuple of int
        The numbers of the rules, in `HANDOUT_RULES`.
    worst : float
        The largest relative error between the gradients and the finite differences.
    worst_at : str
        The method where it is.
    kinks : int
        Always 0: an input on a kink is moved without a word.
    seed : int
        Of the inputs and of delta.
    methods : tuple of str
        What was called.
    notes : tuple of str
        What is not wrong, but good to know.
    language : str
        Of the notes and of what is shown.
    """

    methods: tuple[str, ...] = ()
    notes: tuple[Phrase, ...] = ()
    language: str = "en"

    def __repr__(self) -> str:
        right = say("right")
        error = say("relative error ≤ {error}", error=f"{self.worst:.1e}")
        parts = [f"{self.link}: {', '.join(self.methods)} {in_language(right, self.language)}"]
        if self.methods and self.worst_at:
            parts.append(in_language(error, self.language))
        parts += [in_language(note, self.language) for note in self.notes]
        return "<" + "; ".join(parts) + ">"


def raised(error: BaseException) -> str:
    """An error of a student's own, with the line where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame for frame in reversed(frames) if "maillon/check" not in frame.filename.replace("\\", "/")), None)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if line is None or not line.line:
        return text
    return f"{text} ({line.line.strip()})"
