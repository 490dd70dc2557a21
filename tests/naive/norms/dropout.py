"""Dropout: which word of the generator decides about which values."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from maillon.nn import Module
from maillon.typing import Array
from naive.activations import selu

Formula = Callable[[Module, Array], Array]


def dropped(p: float, words: Callable[[int], list[int]]) -> Formula:
    """Word k of the generator decides about value k: dropped when its low 24 bits are below p."""

    def naive(_link: Module, x: Array) -> Array:
        kept = [(word % 2**24) / 2**24 >= np.float32(p) for word in words(x.size)]
        scale = 1 / (1 - p) if p < 1 else 0.0
        values = [value * scale if keep else 0.0 for value, keep in zip(x.ravel().tolist(), kept, strict=True)]
        return np.array(values).reshape(x.shape)

    return naive


def dropped_channels(p: float, words: Callable[[int], list[int]], channels: int, alpha: bool = False) -> Formula:
    """Word k of the generator decides about channel k, a channel being as many values as there are for each word.

    channels: how many of the first dimensions count them. alpha: dropped values go to SELU's lower end, and all
    are then scaled to mean 0 and variance 1, those of what goes in.
    """

    def naive(_link: Module, x: Array) -> Array:
        sizes: Sequence[int] = x.shape[:channels]
        kept = [(word % 2**24) / 2**24 >= np.float32(p) for word in words(math.prod(sizes))]
        output = np.empty(x.shape)
        low = selu(-1e3) if alpha else 0.0
        mean, variance = p * low, (1 - p) * (1 + p * low * low)  # of the values after dropping
        for index, keep in zip(itertools.product(*map(range, sizes)), kept, strict=True):
            chosen = np.array(x[index]) if keep else np.full(x.shape[channels:], low)
            output[index] = (chosen - mean) / math.sqrt(variance) if alpha else chosen / (1 - p)
        return output

    return naive
