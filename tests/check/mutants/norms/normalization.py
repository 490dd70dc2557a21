"""Normalisations with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.random import Generator
from maillon.typing import Array
from mutants.table import mutant

DRAW = Generator(37)
GROUPS = DRAW.normal((3, 4, 2), dtype=np.float64)


def moved(link: Any) -> Any:
    """The weights away from 1: some mistakes show only there."""
    link.weight.data[...] = np.linspace(0.5, 2, link.weight.size).reshape(link.weight.shape)
    return link


def backward_as_if(link: Any, grad_output: Array, **differing: Any) -> Any:
    """backward with attributes that forward did not have."""
    vars(link).update(differing)
    try:
        return super(type(link), link).backward(grad_output)
    finally:
        for name in differing:
            del vars(link)[name]


class LayerNorm3(maillon.LayerNorm):
    def __init__(self) -> None:
        super().__init__(3, eps=0.1)
        moved(self)


class BatchNorm3(maillon.BatchNorm1d):
    def __init__(self) -> None:
        super().__init__(3)
        moved(self)


@mutant("LayerNorm: the mean of dx̂ missing in dx", 1)
class MeanMissing(LayerNorm3):
    def backward(self, grad_output: Array) -> Array:
        return backward_as_if(self, grad_output, centred=False)


@mutant("LayerNorm: the variance taken for a constant in dx", 1)
class VarianceConstant(LayerNorm3):
    def backward(self, grad_output: Array) -> Array:
        _, r, *_ = self._kept[1]
        super().backward(grad_output)
        dx_hat = grad_output * self.weight.data
        return (dx_hat - dx_hat.mean(axis=1, keepdims=True)) * r[:, 0]


@mutant("LayerNorm: dx's means over the batch as well", 1)
class MeansOverTheBatch(LayerNorm3):
    def backward(self, grad_output: Array) -> Array:
        return backward_as_if(self, grad_output, axes=(0, 2))


@mutant("LayerNorm: weight forgotten in dx", 1)
class WeightForgotten(LayerNorm3):
    def backward(self, grad_output: Array) -> Array:
        held = self.weight.data
        self.weight.data = np.ones_like(held)
        dx = super().backward(grad_output)
        self.weight.data = held
        return dx


@mutant("LayerNorm: weight gradient without x̂", 1)
class WeightGradientOfBias(LayerNorm3):
    def backward(self, grad_output: Array) -> Array:
        dx = super().backward(grad_output)
        self.weight.grad = self.bias.grad.copy()
        return dx


@mutant("LayerNorm: ε outside the root in dx", 1)
class EpsOutside(LayerNorm3):
    def backward(self, grad_output: Array) -> Array:
        output, (x_hat, r, *rest) = self._kept
        self.keep(output, x_hat, 1 / (np.sqrt(1 / r**2 - self.eps) + self.eps), *rest)
        return super().backward(grad_output)


@mutant("LayerNorm: weight gradient summed over the wrong axis", 2)
class SummedWrong(LayerNorm3):
    def backward(self, grad_output: Array) -> Array:
        x_hat = self._kept[1][0][:, 0]
        dx = super().backward(grad_output)
        self.weight.grad = (grad_output * x_hat).sum(axis=1)
        return dx


@mutant("RMSNorm: a mean taken out of dx that was not taken out of x", 1)
class MeanTooMany(maillon.RMSNorm):
    def __init__(self) -> None:
        super().__init__(3)

    def backward(self, grad_output: Array) -> Array:
        return backward_as_if(self, grad_output, centred=True)


@mutant("GroupNorm: deviations of the other group", 1, GROUPS)
class OtherGroup(maillon.GroupNorm):
    def __init__(self) -> None:
        super().__init__(2, 4)

    def backward(self, grad_output: Array) -> Array:
        output, (x_hat, r, *rest) = self._kept
        self.keep(output, x_hat, r[:, ::-1], *rest)
        return super().backward(grad_output)


@mutant("InstanceNorm1d: dx's means over the batch as well", 1, GROUPS)
class InstanceOverTheBatch(maillon.InstanceNorm1d):
    def __init__(self) -> None:
        super().__init__(4)

    def backward(self, grad_output: Array) -> Array:
        return backward_as_if(self, grad_output, axes=(0, 2))


@mutant("BatchNorm1d: the batch's statistics taken for constants in training", 1)
class BatchConstant(BatchNorm3):
    def forward(self, x: Array) -> Array:
        y = super().forward(x)
        return self.keep(y, *self._kept[1][:-1], False)


@mutant("BatchNorm1d: running statistics taken to move with x in evaluation", 6)
class RunningMoves(BatchNorm3):
    def forward(self, x: Array) -> Array:
        y = super().forward(x)
        return self.keep(y, *self._kept[1][:-1], True)


@mutant("BatchNorm1d: the batch's deviations in evaluation's backward", 6)
class BatchInEvaluation(BatchNorm3):
    def forward(self, x: Array) -> Array:
        y = super().forward(x)
        x_hat, _, *rest = self._kept[1]
        return self.keep(y, x_hat, 1 / np.sqrt(x.var(axis=0) + self.eps)[None, :, None], *rest)


@mutant("BatchNorm1d: running statistics move in backward", 3)
class MovesInBackward(BatchNorm3):
    def backward(self, grad_output: Array) -> Array:
        self.running_mean *= 0.9
        self.running_mean += 0.1
        return super().backward(grad_output)


class LocalResponse2(maillon.LocalResponseNorm):
    def __init__(self) -> None:
        super().__init__(2, 0.5)


@mutant("LocalResponseNorm: the window of backward not turned round", 1, GROUPS)
class WindowNotTurned(LocalResponse2):
    def backward(self, grad_output: Array) -> Array:
        x, y, d = self.release(grad_output)
        around = self._window(grad_output * y / d, self.size // 2)
        return grad_output * d**-self.beta - 2 * self.alpha * self.beta / self.size * x * around


@mutant("LocalResponseNorm: the neighbours' part of dx forgotten", 1, GROUPS)
class NeighboursForgotten(LocalResponse2):
    def backward(self, grad_output: Array) -> Array:
        _, _, d = self.release(grad_output)
        return grad_output * d**-self.beta
