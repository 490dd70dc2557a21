"""Ways that part and meet, with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.nn import Module
from maillon.typing import Array
from mutants.table import X, Y, mutant


class _Diamond(maillon.Graph):
    """x used by two nodes, one of which takes it twice."""

    def __init__(self) -> None:
        nodes = {
            "a": (maillon.Linear(3, 3), "x"),
            "b": (maillon.Tanh(), "a"),
            "y": (maillon.Multiply(), "b", "a", "a"),
        }
        super().__init__("x", nodes, "y")


@mutant("Graph: the gradient of a node used twice overwritten instead of added", 1)
class NodeOverwritten(_Diamond):
    def _add(self, values: Any, grads: Any, sources: Any, parts: Any) -> None:
        for (name, _), grad in zip(sources, parts, strict=True):
            grads[name] = grad


@mutant("Graph: a node's gradients for its inputs in the wrong order", 1)
class SourcesTurned(_Diamond):
    def _add(self, values: Any, grads: Any, sources: Any, parts: Any) -> None:
        super()._add(values, grads, sources, parts[::-1])


@mutant("Graph: the gradient of a part at the place of another part", 1)
class WrongPart(maillon.Graph):
    def __init__(self) -> None:
        nodes = {
            "ways": (maillon.Parallel(maillon.Tanh(), maillon.Sigmoid()), "x"),
            "y": (maillon.Sigmoid(), "ways.1"),
        }
        super().__init__("x", nodes, "y")

    def _add(self, values: Any, grads: Any, sources: Any, parts: Any) -> None:
        super()._add(values, grads, [(name, (0,) * len(path)) for name, path in sources], parts)


@mutant("Graph: an input that two nodes take has the gradient of both, twice", 1)
class InputTwice(_Diamond):
    def backward(self, grad_output: Array) -> Any:
        return 2 * super().backward(grad_output)


class _Residual(maillon.Residual):
    def __init__(self) -> None:
        super().__init__(maillon.Linear(3, 3), maillon.Linear(3, 3))


@mutant("Residual: the way around forgotten", 1)
class AroundForgotten(maillon.Residual):
    def __init__(self) -> None:
        super().__init__(maillon.Linear(3, 3))

    def backward(self, grad_output: Array) -> Array:
        return super().backward(grad_output) - grad_output


@mutant("Residual: the shortcut taken for the identity in backward", 2)
class ShortcutForgotten(_Residual):
    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return self.link.backward(grad_output) + grad_output


@mutant("Residual: the shortcut's gradient from the link's instead of from dy", 1)
class ShortcutChained(_Residual):
    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        dx = self.link.backward(grad_output)
        return dx + self.shortcut.backward(dx)


@mutant("Concat: the parts in the wrong order", 1, X, Y)
class PartsTurned(maillon.Concat):
    def part(self, dy: Array, *kept: Any) -> list[Array]:
        return super().part(dy, *kept)[::-1]


@mutant("Concat: cut at the wrong place", 4, X, Y)
class CutWrong(maillon.Concat):
    def part(self, dy: Array, *kept: Any) -> list[Array]:
        return np.split(dy, [2], axis=1)


@mutant("Concat: parts cut along the wrong axis and laid out anew", 1, X, Y)
class CutAcross(maillon.Concat):
    def part(self, dy: Array, *kept: Any) -> list[Array]:
        return [half.reshape(4, 3) for half in np.split(dy, 2, axis=0)]


@mutant("Multiply: its own factor instead of the others", 1, X, Y)
class OwnFactor(maillon.Multiply):
    def part(self, dy: Array, *kept: Any) -> list[Array]:
        return [dy * x for x in kept[0]]


@mutant("Multiply: the product of all instead of the others", 1, X, Y)
class AllFactors(maillon.Multiply):
    def part(self, dy: Array, *kept: Any) -> list[Array]:
        return [dy * np.prod(kept[0], axis=0)] * 2


@mutant("Add: the gradient shared out among the inputs", 1, X, Y)
class SharedOut(maillon.Add):
    def part(self, dy: Array, *kept: Any) -> list[Array]:
        return [dy / kept[0]] * kept[0]


class _Weighted(maillon.WeightedSum):
    def __init__(self) -> None:
        super().__init__((0.5, -2.0))


@mutant("WeightedSum: the weights in the wrong order", 1, X, Y)
class WeightsTurned(_Weighted):
    def part(self, dy: Array, *kept: Any) -> list[Array]:
        return super().part(dy, *kept)[::-1]


class _Fork(maillon.Parallel):
    def __init__(self) -> None:
        super().__init__(maillon.Linear(3, 2), maillon.Tanh())


@mutant("Parallel: one input's gradient that of the last link alone", 1)
class LastAlone(_Fork):
    def backward(self, grad_output: Any) -> Any:
        outputs, *_ = self.release(grad_output)
        grads = [maillon.nn.joints.back(*each) for each in zip(self, outputs, grad_output, strict=True)]
        return grads[-1]


@mutant("Parallel: a link without a gradient of its output left out", 4)
class LeftOut(_Fork):
    def backward(self, grad_output: Any) -> Any:
        self.release(grad_output)
        return sum(link.backward(dy) for link, dy in zip(self, grad_output, strict=True) if dy is not None)


@mutant("shared weights: the second use overwrites the gradient of the first", 2)
class SharedOverwritten(Module):
    def __init__(self) -> None:
        self.first = maillon.Linear(3, 3)
        self.second = self.first.share()

    def forward(self, x: Array) -> Array:
        return self.keep(self.second(self.first(x)))

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        dx = self.second.backward(grad_output)
        self.first.zero_grad()
        return self.first.backward(dx)
