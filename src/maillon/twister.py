"""NumPy's Mersenne Twister: its 624 words from a seed, and the words as they are now."""

import ctypes
import functools
import sys
from typing import Any

import numpy as np

from maillon.typing import Array

TWISTER_WORDS = 624
_MASK = 2**32 - 1
_SEEDING = "_legacy_seeding"  # NumPy's name for init_genrand


def made() -> "np.random.MT19937":
    """A new one, whose words are to be set."""
    from maillon.unseeded import UNSEEDED

    seed: Any = UNSEEDED
    return np.random.MT19937(seed)


def seed(twister: "np.random.MT19937", number: int) -> None:
    """Start the stream of a seed, of which the low 32 bits count."""
    if _seeds_directly():
        getattr(twister, _SEEDING)(number & _MASK)
    else:
        twister.state = state(_initial_words(number), TWISTER_WORDS)


def _initial_words(number: int) -> Array:
    """The 624 words that a seed sets: init_genrand of Matsumoto and Nishimura's mt19937ar.c."""
    word = number & _MASK
    words = [word]
    for i in range(1, TWISTER_WORDS):
        word = (1812433253 * (word ^ (word >> 30)) + i) & _MASK
        words.append(word)
    return np.array(words, dtype=np.uint32)


@functools.cache
def _seeds_directly() -> bool:
    """Whether this NumPy sets the same words by itself, in a fiftieth of the time."""
    twister = np.random.MT19937(0)
    if not hasattr(twister, _SEEDING):
        return False
    getattr(twister, _SEEDING)(5489)
    return _told(twister) == (_initial_words(5489).tobytes(), TWISTER_WORDS)


def words_of(twister: "np.random.MT19937") -> tuple[bytes, int]:
    """The words, and how many of them are used up."""
    return (_read if is_readable() else _told)(twister)


def _told(twister: "np.random.MT19937") -> tuple[bytes, int]:
    """As NumPy tells them: word by word, which takes a while."""
    told = twister.state["state"]
    return told["key"].tobytes(), int(told["pos"])


def _read(twister: "np.random.MT19937") -> tuple[bytes, int]:
    """The same from where NumPy keeps them, one after the other."""
    kept = ctypes.string_at(twister.ctypes.state_address, 4 * TWISTER_WORDS + 4)
    return kept[:-4], int.from_bytes(kept[-4:], sys.byteorder)


@functools.cache
def is_readable() -> bool:
    """Whether this NumPy keeps them so."""
    twister = np.random.MT19937(0)
    fresh = _read(twister) == _told(twister)
    twister.random_raw(3)
    return fresh and _read(twister) == _told(twister)


def state(words: Array, position: int) -> Any:
    """What NumPy takes as a twister's state."""
    return {"bit_generator": "MT19937", "state": {"key": words, "pos": position}}
