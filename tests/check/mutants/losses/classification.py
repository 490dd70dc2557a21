"""Losses over classes with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.nn import Loss
from maillon.typing import Array
from mutants.table import LABELS, X, mutant


class _CrossEntropy(maillon.CrossEntropyLoss):
    """With all options, and a gradient that a mutant may compute with other ones."""

    def __init__(self) -> None:
        super().__init__(weight=[0.5, 2.0, 3.0], label_smoothing=0.2, ignore_index=1)

    def gradient_of(self, loss: Loss, grad_elements: Array) -> Array:
        loss.reduction = "none"
        loss(*self.seen)
        return loss.backward(np.broadcast_to(grad_elements, LABELS.shape).copy())

    def elements(self, prediction: Array, target: Array) -> Any:
        self.seen = (prediction, target)
        return super().elements(prediction, target)


@mutant("CrossEntropyLoss: label smoothing forgotten in the gradient", 1, X, LABELS)
class SmoothingForgotten(_CrossEntropy):
    def elements_backward(self, grad_elements: Array, *kept: Any) -> Array:
        plain = maillon.CrossEntropyLoss(weight=self.weight, ignore_index=1)
        return self.gradient_of(plain, grad_elements)


@mutant("CrossEntropyLoss: class weights ignored in the gradient", 1, X, LABELS)
class ClassWeightsIgnored(_CrossEntropy):
    def elements_backward(self, grad_elements: Array, *kept: Any) -> Array:
        plain = maillon.CrossEntropyLoss(label_smoothing=0.2, ignore_index=1)
        return self.gradient_of(plain, grad_elements)


@mutant("CrossEntropyLoss: ignored label counted in the gradient", 1, X, LABELS)
class IgnoredCounted(_CrossEntropy):
    def elements_backward(self, grad_elements: Array, *kept: Any) -> Array:
        plain = maillon.CrossEntropyLoss(weight=self.weight, label_smoothing=0.2)
        return self.gradient_of(plain, grad_elements)


@mutant("CrossEntropyLoss: gradient p instead of p − y", 1, X, LABELS)
class TargetForgotten(maillon.CrossEntropyLoss):
    def elements_backward(self, grad_elements: Array, q: Array, scores: Array, counted: Any) -> Array:
        return np.exp(scores) * grad_elements[..., None]


@mutant("NLLLoss: gradient where the label is not", 1, X, LABELS)
class WrongClass(maillon.NLLLoss):
    def elements_backward(self, grad_elements: Array, q: Array) -> Array:
        return np.roll(super().elements_backward(grad_elements, q), 1, axis=1)
