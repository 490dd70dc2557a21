"""Dropouts with one mistake each."""

import numpy as np

import maillon
from maillon import random
from maillon.nn import Module
from maillon.random import Generator
from maillon.typing import Array
from mutants.table import mutant

SIGNALS = Generator(4).normal((3, 4, 5), dtype=np.float64)


@mutant("Dropout: mask drawn anew in backward", 1)
class MaskRedrawn(maillon.Dropout):
    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        mask = random.resolve(self.generator).rand(grad_output.shape) >= self.p
        return grad_output * mask / (1 - self.p)


@mutant("Dropout: scale forgotten in backward", 1)
class ScaleForgotten(maillon.Dropout):
    def backward(self, grad_output: Array) -> Array:
        (mask,) = self.release(grad_output)
        return grad_output if mask is None else grad_output * (mask > 0)


@mutant("Dropout: numbers from a generator of nobody's", 1)
class OwnNumbers(Module):
    drawn = np.random.RandomState(0)

    def forward(self, x: Array) -> Array:
        mask = self.drawn.rand(*x.shape) < 0.5
        return self.keep(x * mask, mask)

    def backward(self, grad_output: Array) -> Array:
        (mask,) = self.release(grad_output)
        return grad_output * mask


@mutant("Dropout: mask used in eval mode's backward", 6)
class MaskInEval(maillon.Dropout):
    def forward(self, x: Array) -> Array:
        mask = (random.resolve(self.generator).rand(x.shape) >= self.p).astype(x.dtype)
        return self.keep(x * mask if self.training else x, mask)


# Channels dropped


@mutant("Dropout1d: the next channel's mask on the way back", 1, SIGNALS)
class NextChannel(maillon.Dropout1d):
    def backward(self, grad_output: Array) -> Array:
        (factor,) = self.release(grad_output)
        return grad_output if factor is None else grad_output * np.roll(factor, 1, axis=1)


@mutant("Dropout2d: the first sample's mask for all", 1, SIGNALS)
class FirstMask(maillon.Dropout2d):
    def backward(self, grad_output: Array) -> Array:
        (factor,) = self.release(grad_output)
        return grad_output if factor is None else grad_output * factor[:1]


@mutant("AlphaDropout: gradient let through where it was dropped", 1)
class DroppedLearn(maillon.AlphaDropout):
    def backward(self, grad_output: Array) -> Array:
        (factor,) = self.release(grad_output)
        return grad_output if factor is None else grad_output * factor.max()


@mutant("AlphaDropout: scaled in eval mode's backward", 6)
class ScaledInEval(maillon.AlphaDropout):
    def backward(self, grad_output: Array) -> Array:
        (factor,) = self.release(grad_output)
        return grad_output * (0.5 if factor is None else factor)
