"""Attention with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.random import Generator
from maillon.typing import Array
from mutants.table import mutant

DRAW = Generator(39)
QUERY, KEY, VALUE = DRAW.normal((3, 2, 3, 4), dtype=np.float64)
PADDING = np.array([[False, False, True], [False, True, False]])
NUMBERS = DRAW.normal((2, 3), dtype=np.float64)
INPUTS = (QUERY, KEY, VALUE)


class Attention42(maillon.MultiheadAttention):
    def __init__(self, **options: Any) -> None:
        super().__init__(4, 2, batch_first=True, **options)


@mutant("MultiheadAttention: mask forgotten in backward", 1, *INPUTS, PADDING)
class MaskForgotten(Attention42):
    def release(self, grad_output: Any) -> Any:
        inputs, q, k, *rest = super().release(grad_output)
        weights = self._softmax(q @ k.swapaxes(2, 3), 0)
        return inputs, q, k, rest[0], weights, weights, *rest[3:]


@mutant("MultiheadAttention: scale forgotten in the keys' gradient", 1, *INPUTS)
class ScaleForgotten(Attention42):
    def release(self, grad_output: Any) -> Any:
        inputs, q, *rest = super().release(grad_output)
        return inputs, 2 * q, *rest


@mutant("MultiheadAttention: softmax's derivative over the queries", 1, *INPUTS)
class SoftmaxOverQueries(Attention42):
    @staticmethod
    def _softmax_backward(weights: Array, dweights: Array) -> Array:
        return weights * (dweights - (weights * dweights).sum(axis=2, keepdims=True))


@mutant("MultiheadAttention: softmax's derivative without the mean", 1, *INPUTS)
class SoftmaxDiagonal(Attention42):
    @staticmethod
    def _softmax_backward(weights: Array, dweights: Array) -> Array:
        return weights * (1 - weights) * dweights


@mutant("MultiheadAttention: heads not transposed back", 1, *INPUTS)
class HeadsNotTransposed(Attention42):
    def _joined(self, heads: Array, ndim: int) -> Array:
        return heads.reshape(heads.shape[0], heads.shape[2], self.embed_dim)


@mutant("MultiheadAttention: gradient of the values dropped", 1, *INPUTS)
class ValuesDropped(Attention42):
    def _projected_backward(self, inputs: Any, grads: Any) -> Any:
        return super()._projected_backward(inputs, (grads[0], grads[1], np.zeros_like(grads[2])))


@mutant("MultiheadAttention: gradients of query and key exchanged", 1, *INPUTS)
class QueryAndKeyExchanged(Attention42):
    def _projected_backward(self, inputs: Any, grads: Any) -> Any:
        return super()._projected_backward(inputs, (grads[1], grads[0], grads[2]))


@mutant("MultiheadAttention: gradient of the returned weights ignored", 1, *INPUTS)
class WeightsIgnored(Attention42):
    def backward(self, grad_output: Any) -> Any:
        return super().backward((grad_output[0], None))


@mutant("MultiheadAttention: gradient of the mean weights not divided by the heads", 1, *INPUTS)
class MeanForgotten(Attention42):
    def backward(self, grad_output: Any) -> Any:
        dy, dweights = grad_output
        return super().backward((dy, None if dweights is None else self.num_heads * dweights))


@mutant("MultiheadAttention: the learnt key's gradient of the first sample only", 1, *INPUTS)
class FirstSampleOnly(Attention42):
    def __init__(self) -> None:
        super().__init__(add_bias_kv=True)

    def _without_extras(self, grad: Array, length: int, bias: Any) -> Array:
        bias.accumulate(grad[0, :, length].reshape(bias.shape))
        return grad[:, :, :length]


@mutant("MultiheadAttention: None for the gradient of an additive mask", 4, *INPUTS, NUMBERS)
class MaskWithoutGradient(Attention42):
    def backward(self, grad_output: Any) -> Any:
        return (*super().backward(grad_output)[:3], None)


@mutant("MultiheadAttention: one gradient where query, key and value are three inputs", 4, *INPUTS)
class OneGradient(Attention42):
    def backward(self, grad_output: Any) -> Any:
        return sum(super().backward(grad_output))


@mutant("MultiheadAttention: an additive mask that is changed by the next one", 3, *INPUTS, NUMBERS)
class MaskChanged(Attention42):
    def forward(self, query: Array, key: Array, value: Array, key_padding_mask: Any = None) -> Any:  # type: ignore[override]
        key_padding_mask += 1
        return super().forward(query, key, value, key_padding_mask)
