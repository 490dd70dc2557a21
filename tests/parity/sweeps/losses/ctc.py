"""CTCLoss."""

import numpy as np
from beside import Case
from catalogue.rows import Draw, distribution

from sweeps.losses import each


def log_shares(*shape: int) -> Draw:
    return lambda generator: np.log(distribution(-1, *shape)(generator))


def words(classes: int, *shape: int, blank: int = 0) -> Draw:
    """Labels that are not the blank."""
    return lambda generator: (generator.randint(1, classes, shape) + blank) % classes


def sequences() -> list[Case]:
    """Padded and joined targets, single samples; lengths of each kind; too short for the target at times."""
    found = []
    for options in each(blank=(0, 3), zero_infinity=(False, True)):
        blank = options["blank"]
        batch, padded, joined = log_shares(9, 3, 5), words(5, 3, 4, blank=blank), words(5, 7, blank=blank)
        single, word = log_shares(9, 5), words(5, 3, blank=blank)
        ways = [
            (batch, padded, (9, 9, 9), (4, 3, 1)), (batch, padded, np.array([9, 7, 3]), np.array([4, 3, 1])),
            (batch, padded, (9, 5, 1), (0, 2, 0)), (batch, joined, (9, 8, 7), (3, 4, 0)),
            (batch, joined, np.array([9, 9, 9]), np.array([1, 3, 3])), (batch, padded, (9, 2, 1), (4, 4, 2)),
            (single, word, (9,), (3,)), (single, word, np.array(7), np.array(3)), (single, word, (2,), (3,)),
        ]  # fmt: skip
        found += [Case("CTCLoss", (), options, way) for way in ways]
    return found


CASES = sequences()
