"""A seed for NumPy's bit generators that is none: to work out words from one takes longer than all else of making them.

A file of its own, for it opens `numpy.random`.
"""

from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence


class Unseeded(ISeedSequence):
    """Zeros, in the place of which a state is to be set."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
        """So many zeros."""
        return np.zeros(n_words, dtype)


UNSEEDED: Any = Unseeded()  # NumPy takes it, and its annotations do not know
