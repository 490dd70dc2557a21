"""CTCLoss with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.typing import Array
from mutants.table import P, Q, X, Y, mutant

LOG_PROBS = maillon.LogSoftmax(-1)(np.stack([X, Y, P, Q, X + Y])[:, :3])
SPOKEN = (LOG_PROBS, np.array([[1, 2], [2, 2], [1, 0]]), np.array([5, 4, 5]), np.array([2, 2, 1]))


class Spoken(maillon.CTCLoss):
    """Some of what CTCLoss keeps, changed."""

    def changed(self, **kept: Any) -> dict[str, Any]:
        return kept

    def elements_backward(self, grad_elements: Array, *kept: Any) -> Array:
        names = ("p", "states", "onto", "emitted", "alpha", "log_likelihood", "ends", "lengths", "shares", "shape")
        changed = self.changed(**dict(zip(names, kept, strict=True)))
        return super().elements_backward(grad_elements, **changed)


@mutant("CTCLoss: a path may skip the blank between two equal labels", 1, *SPOKEN)
class BlankSkipped(Spoken):
    def changed(self, onto: Array, **kept: Any) -> dict[str, Any]:
        return kept | {"onto": onto | (np.arange(onto.shape[-1]) % 2 == 1)}


@mutant("CTCLoss: every sequence walked back from the last time", 1, *SPOKEN)
class EndsForgotten(Spoken):
    def changed(self, ends: Array, **kept: Any) -> dict[str, Any]:
        return kept | {"ends": np.full_like(ends, len(kept["p"]))}


@mutant("CTCLoss: targets walked back from the end of the padding", 1, *SPOKEN)
class PaddingRead(Spoken):
    def changed(self, lengths: Array, **kept: Any) -> dict[str, Any]:
        return kept | {"lengths": np.full_like(lengths, 2)}


@mutant("CTCLoss: the gradient that belongs to raw probabilities", 1, *SPOKEN)
class NotNormalised(Spoken):
    def changed(self, p: Array, **kept: Any) -> dict[str, Any]:
        return kept | {"p": 0 * p}


@mutant("CTCLoss: the target's length divides the value alone", 1, *SPOKEN)
class LengthForgotten(Spoken):
    def changed(self, shares: Any, **kept: Any) -> dict[str, Any]:
        return kept | {"shares": 1.0}
