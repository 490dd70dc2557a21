"""The operations of the weighted sums, distances, looked-up vectors and of links for tables."""

import math
from typing import Any

import numpy as np

from maillon.costs.counts import Counts, Flops, nothing, per_value, rows, size
from maillon.nn import (
    Bilinear,
    CosineSimilarity,
    Embedding,
    Flatten,
    Identity,
    Linear,
    PairwiseDistance,
    PeriodicEmbedding,
    Scale,
    Unflatten,
)


def _linear(link: Linear, inputs: tuple[Any, ...], output: Any) -> Flops:
    """y = x Wᵀ, dx = dy W, dW = dyᵀ x: three products of one size."""
    product = 2 * rows(inputs[0], link.in_features) * link.in_features * link.out_features
    return Flops(product, product, product)


def _bilinear(link: Bilinear, inputs: tuple[Any, ...], output: Any) -> Flops:
    """y_k = (x₁ᵀ W_k) x₂; dx₁ = (dy ⊗ x₂) Wᵀ, dx₂ = dy (x₁ᵀ W), dW = x₁ ⊗ (dy ⊗ x₂)."""
    count = rows(inputs[0], link.in1_features)
    outer = count * link.out_features * link.in2_features
    product = 2 * link.in1_features * outer
    return Flops(product + 2 * outer, product + 2 * outer, product, both=outer)


def _embedding(link: Embedding, inputs: tuple[Any, ...], output: Any) -> Flops:
    """Rows are looked up; going back each adds its gradient to its row."""
    return Flops(0, 0, size(output))


def _pairs(inputs: tuple[Any, ...]) -> int:
    return math.prod(np.broadcast_shapes(inputs[0].shape, inputs[1].shape))


def _cosine(link: CosineSimilarity, inputs: tuple[Any, ...], output: Any) -> Flops:
    """Σ x² and u = x / ‖x‖ and the direction of both, u₁ · u₂; back again u₁ · u₂, and four for each."""
    return Flops(10 * _pairs(inputs), 10 * _pairs(inputs))


def _distance(link: PairwiseDistance, inputs: tuple[Any, ...], output: Any) -> Flops:
    """(Σ |x₁ − x₂ + ε|^p)^(1/p): −, +, | |, quotient by the largest, power, sum; back as many."""
    return Flops(6 * _pairs(inputs), 6 * _pairs(inputs))


def _periodic(link: PeriodicEmbedding, inputs: tuple[Any, ...], output: Any) -> Flops:
    """2π w x + p, cos, V h + c; back −sin ⊙ Vᵀ dv, 2π Σ w da + dy₀ and, added up, x da, da, dv hᵀ and dv."""
    values, outputs = size(inputs[0]), link.out - 1
    waves = values * link.hidden
    forward = waves * (4 + 2 * outputs)
    return Flops(forward, 2 * waves + values, waves * (3 + 2 * outputs) + values * outputs, waves * (1 + 2 * outputs))


LINEAR: Counts = {
    Linear: _linear,
    Bilinear: _bilinear,
    Embedding: _embedding,
    CosineSimilarity: _cosine,
    PairwiseDistance: _distance,
    Scale: per_value(1, 1, 2),  # w x; w dy; x dy, added up
    PeriodicEmbedding: _periodic,
    Identity: nothing,
    Flatten: nothing,
    Unflatten: nothing,
}
