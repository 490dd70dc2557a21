"""How much each column of a table counts: by how much the score falls where its values are shuffled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from maillon import train
from maillon.nn import Module
from maillon.sklearn.preparing import Preparation
from maillon.typing import Array

MOST_ROWS = 2000
"""Kept of what all members were not shown."""
REPEATS = 5

Score = Callable[[Array, Array], float]
"""Of outputs and targets; the greater the better."""


@dataclass(frozen=True)
class HeldOut:
    """Rows that a member of an ensemble has not learnt from: for each one its inputs and targets."""

    rows: list[tuple[tuple[Array, ...], Array]]

    @classmethod
    def of(cls, inputs: tuple[Array, ...], targets: Array, held_out: Sequence[Array]) -> Self:
        """The first ones of each member's, MOST_ROWS in all."""
        most = -(-MOST_ROWS // len(held_out))
        places = [rows[:most] for rows in held_out]
        return cls([(tuple(part[rows] for part in inputs), targets[rows]) for rows in places if len(rows)])


def importances(
    networks: Sequence[Module], held_out: HeldOut, prepared: Preparation, features: int, score: Score
) -> Array:
    """By how much the score falls on rows held out, the mean over the members and five shuffles of each column.

    Parameters
    ----------
    networks : sequence of Module
        The members.
    held_out : HeldOut
        Of each of them.
    prepared : Preparation
        Says which inputs come of which column.
    features : int
        The columns of the table.
    score : callable
        Of a member's outputs and the targets.

    Returns
    -------
    array of shape (features,)
        0 for a column that is left out; less than 0 where shuffling did no harm.
    """
    random = np.random.RandomState(0)
    falls = np.zeros(features)
    for network, (inputs, targets) in zip(networks, held_out.rows, strict=True):
        whole = score(_outputs(network, inputs), targets)
        for feature in range(features):
            places = [np.flatnonzero(own == feature) for own in prepared.features]
            if not any(map(len, places)):
                continue
            for _ in range(REPEATS):
                order = random.permutation(len(targets))
                shuffled = tuple(part.copy() for part in inputs)
                for part, own in zip(shuffled, places, strict=True):
                    part[:, own] = part[np.ix_(order, own)]
                falls[feature] += whole - score(_outputs(network, shuffled), targets)
    return falls / (len(networks) * REPEATS)


def _outputs(network: Module, inputs: tuple[Array, ...]) -> Array:
    outputs: Array = train.predict(network, inputs[0] if len(inputs) == 1 else inputs)
    return outputs
