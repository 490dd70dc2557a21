"""The losses beyond the basic ones, with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.typing import Array
from mutants.table import LABELS, P, Q, X, Y, mutant

SIGNS = np.array([1.0, -1.0, 1.0, -1.0])
ALL_SIGNS = np.array([[1.0, -1.0, 1.0]] * 4)
LISTS = np.array([[0, -1, 1], [2, 1, -1], [-1, 0, 0], [1, 1, 0]])
LOG_PROBS = maillon.LogSoftmax(-1)(np.stack([X, Y, P, Q, X + Y])[:, :3])
SPOKEN = (LOG_PROBS, np.array([[1, 2], [2, 2], [1, 0]]), np.array([5, 4, 5]), np.array([2, 2, 1]))


@mutant("HuberLoss: no line beyond the parabola in the gradient", 1, 3 * X, Y)
class NoLine(maillon.HuberLoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        return super().elements(prediction, target)[0], (prediction - target,)


@mutant("SmoothL1Loss: 1 / β missing in the gradient", 1, X, Y)
class BetaForgotten(maillon.SmoothL1Loss):
    def __init__(self) -> None:
        super().__init__(beta=2.0)

    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return self.beta * slope * grad_elements


@mutant("KLDivLoss: gradient with respect to the probability, not its logarithm", 1, np.log(P), Q)
class OfProbability(maillon.KLDivLoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        return super().elements(prediction, target)[0], (target / np.exp(prediction),)


@mutant("KLDivLoss: batchmean divides the value alone", 1, np.log(P), Q)
class BatchForgotten(maillon.KLDivLoss):
    def __init__(self) -> None:
        super().__init__(reduction="batchmean")

    def elements_backward(self, grad_elements: Array, share: Array) -> Array:
        return -share * grad_elements * (len(share) if self.reduction == "batchmean" else 1)


@mutant("KLDivLoss: batchmean over all elements", 7, np.log(P), Q)
class BatchOfElements(maillon.KLDivLoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        value, kept = super().elements(prediction, target)
        scale = 1 / value[0].size if self.reduction == "batchmean" else 1
        return value * scale, (kept[0] * scale,)


@mutant("PoissonNLLLoss: log-rate taken for the rate in the gradient", 1, X, Q)
class RateForgotten(maillon.PoissonNLLLoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        return super().elements(prediction, target)[0], (1 - target / np.exp(prediction),)


@mutant("GaussianNLLLoss: error not squared in the variance's gradient", 1, X, Y, P)
class NotSquared(maillon.GaussianNLLLoss):
    def elements_backward(self, grad_elements: Array, error: Array, var: Array, shape: Any) -> Any:
        dmean, _ = super().elements_backward(grad_elements, error, var, shape)
        return dmean, 0.5 * (1 / var - np.abs(error) / var**2) * grad_elements


@mutant("GaussianNLLLoss: variance's gradient not summed over what it was repeated for", 4, X, Y, P[:, :1])
class NotSummed(maillon.GaussianNLLLoss):
    def elements_backward(self, grad_elements: Array, error: Array, var: Array, shape: Any) -> Any:
        dmean, _ = super().elements_backward(grad_elements, error, var, shape)
        return dmean, 0.5 * (1 / var - (error / var) ** 2) * grad_elements


@mutant("GaussianNLLLoss: the target gets a gradient", 4, X, Y, P)
class TargetLearns(maillon.GaussianNLLLoss):
    def backward(self, grad_output: Any = None) -> Any:
        dmean, _, dvar = super().backward(grad_output)
        return dmean, -dmean, dvar


@mutant("GaussianNLLLoss: one array for two predictions", 4, X, Y, P)
class OneArray(maillon.GaussianNLLLoss):
    def backward(self, grad_output: Any = None) -> Any:
        return super().backward(grad_output)[0]


@mutant("GaussianNLLLoss: backward() leaves the variance alone", 8, X, Y, P)
class HalfByDefault(maillon.GaussianNLLLoss):
    def backward(self, grad_output: Any = None) -> Any:
        dmean, _, dvar = super().backward(grad_output)
        return dmean, None, dvar * (grad_output is not None)


@mutant("HingeEmbeddingLoss: the margin's side has the sign of the other", 1, P, ALL_SIGNS)
class BothSidesUp(maillon.HingeEmbeddingLoss):
    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return np.abs(slope) * grad_elements


@mutant("MarginRankingLoss: no margin in the gradient", 1, 0.3 * X, 0.3 * Y, ALL_SIGNS)
class MarginForgotten(maillon.MarginRankingLoss):
    def __init__(self) -> None:
        super().__init__(margin=1.0)

    def elements(self, input1: Array, input2: Array, target: Array) -> Any:
        value, _ = super().elements(input1, input2, target)
        return value, (target * (target * (input1 - input2) < 0),)


@mutant("MarginRankingLoss: the two gradients swapped", 1, X, Y, ALL_SIGNS)
class Swapped(maillon.MarginRankingLoss):
    def elements_backward(self, grad_elements: Array, slope: Array) -> Any:
        return super().elements_backward(grad_elements, slope)[::-1]


@mutant("SoftMarginLoss: sign of the target forgotten", 1, X, ALL_SIGNS)
class SignForgotten(maillon.SoftMarginLoss):
    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return np.abs(slope) * grad_elements


@mutant("MultiMarginLoss: nothing for the right class", 1, X, LABELS)
class RightForgotten(maillon.MultiMarginLoss):
    def elements_backward(self, grad_elements: Array, slope: Array, right: Array) -> Array:
        return slope * grad_elements[..., None]


@mutant("MultiMarginLoss: square without its 2", 1, X, LABELS)
class SquareHalved(maillon.MultiMarginLoss):
    def __init__(self) -> None:
        super().__init__(p=2)

    def elements_backward(self, grad_elements: Array, slope: Array, right: Array) -> Array:
        return super().elements_backward(grad_elements, slope / 2, right)


@mutant("MultiLabelMarginLoss: what stands behind the first −1 counts in the gradient", 1, X, LISTS)
class BehindTheEnd(maillon.MultiLabelMarginLoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        value, _ = super().elements(prediction, target)
        return value, super().elements(prediction, np.where(target < 0, 0, target))[1]


@mutant("MultiLabelSoftMarginLoss: gradient summed over the classes, value averaged", 1, X, Q)
class ClassesSummed(maillon.MultiLabelSoftMarginLoss):
    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return slope.shape[-1] * super().elements_backward(grad_elements, slope)


@mutant("CosineEmbeddingLoss: length taken for a constant", 1, X, Y, SIGNS)
class LengthConstant(maillon.CosineEmbeddingLoss):
    def elements_backward(self, grad_elements: Array, *kept: Array) -> Any:
        one, other, square, square2, length, cosine, slope = kept
        return super().elements_backward(grad_elements, one, other, square, square2, length, 0 * cosine, slope)


@mutant("TripletMarginLoss: the anchor moves for the positive alone", 1, X, Y, np.hstack([P, Q])[:, :3])
class AnchorHalf(maillon.TripletMarginLoss):
    def elements_backward(self, grad_elements: Array, near: Array, far: Array, swapped: Array) -> Any:
        _, positive, negative = super().elements_backward(grad_elements, near, far, swapped)
        return -positive, positive, negative


@mutant("TripletMarginLoss: swapped distance's gradient goes to the anchor", 1, X, Y, np.hstack([P, Q])[:, :3])
class SwapForgotten(maillon.TripletMarginLoss):
    def __init__(self) -> None:
        super().__init__(swap=True)

    def elements_backward(self, grad_elements: Array, near: Array, far: Array, swapped: Array) -> Any:
        return super().elements_backward(grad_elements, near, far + swapped, 0 * swapped)


@mutant("TripletMarginLoss: the gradient of the square of the distance", 1, X, Y, np.hstack([P, Q])[:, :3])
class NotNormed(maillon.TripletMarginLoss):
    def elements_backward(self, grad_elements: Array, near: Array, far: Array, swapped: Array) -> Any:
        return super().elements_backward(grad_elements, 2 * near, far, swapped)


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
