"""Linear, shapes, Embedding, links for tables and what compares two vectors."""

import math
from typing import Any

import numpy as np

from maillon.interop.onnx.trace import Exporter, Trace, Value
from maillon.nn.linear import bilinear, distance, embedding, flatten, linear as lin, tabular
from maillon.typing import Array


def linear(t: Trace, link: Any, x: Any) -> Any:
    return product(t, x, link.weight, link.bias)


def product(t: Trace, x: Any, weight: Any, bias: Any) -> Any:
    """x Wᵀ + b: Gemm for a batch of vectors, MatMul for all else; the name of a weight stands for its transpose."""
    if isinstance(x, Value) and x.ndim == 2:
        return t.op("Gemm", x, weight, bias, transB=1)
    turned = weight if isinstance(weight, str) else t.weight(weight, lambda w: np.ascontiguousarray(w.T), ".T")
    y = t.op("MatMul", x, turned)
    return y if bias is None else t.op("Add", y, bias)


def identity(t: Trace, link: Any, x: Value) -> Any:
    return x


def flattened(t: Trace, link: Any, x: Value) -> Any:
    start, end = link.dimensions(x.samples[0].shape)
    if x.ndim == 0:
        return t.op("Unsqueeze", x, [0])
    if start == 1 and end == x.ndim - 1:
        return t.op("Flatten", x, axis=1)
    joined = None if None in x.shape[start : end + 1] else math.prod(x.sizes(x.ndim - start)[: end + 1 - start])
    return t.reshape(x, (*x.shape[:start], joined, *x.shape[end + 1 :]))


def unflattened(t: Trace, link: Any, x: Value) -> Any:
    dim = link.dim % x.ndim
    sizes = [-1 if n == -1 else n for n in link.unflattened_size]
    shape: list[Any] = [0 if n is None else n for n in x.shape]  # 0 copies what the batch decides
    return t.op("Reshape", x, [*shape[:dim], *sizes, *shape[dim + 1 :]])


def looked_up(t: Trace, link: Any, x: Value) -> Any:
    if link.max_norm is None:
        return t.op("Gather", link.weight, x, axis=0)
    return t.op("Gather", t.made_weight("weight", _shortened(link)), x, axis=0)


def _shortened(link: Any) -> Array:
    """The rows as they would be taken: none longer than max_norm."""
    weight = link.weight.data
    norms = np.linalg.norm(weight, ord=link.norm_type, axis=1, keepdims=True)
    scale = np.where(norms > link.max_norm, link.max_norm / (norms + 1e-7), 1)
    return np.asarray(weight * scale.astype(weight.dtype))


def bilinear_form(t: Trace, link: Any, x1: Value, x2: Value) -> Any:
    """x₁ᵀ W as one product, (*, out, in2), times x₂ as a column."""
    outs, wide = link.out_features, link.in2_features
    w = t.weight(link.weight, lambda w: np.ascontiguousarray(w.transpose(1, 0, 2).reshape(w.shape[1], -1)), ".columns")
    half = t.op("Reshape", t.op("MatMul", x1, w), [*_copied(x1)[:-1], outs, wide])
    y = t.op("Squeeze", t.op("MatMul", half, t.op("Unsqueeze", x2, [-1])), [-1])
    return y if link.bias is None else t.op("Add", y, link.bias)


def _copied(x: Value) -> list[int]:
    return [0 if n is None else n for n in x.shape]


def scaled(t: Trace, link: Any, x: Value) -> Any:
    return t.op("Mul", x, link.weight)


def periodic(t: Trace, link: Any, x: Value) -> Any:
    column = t.op("Unsqueeze", x, [-1])
    turns = t.op("Mul", column, link.frequency)
    turns = t.op("Sub", turns, t.op("Round", turns))
    waves = t.op("Cos", t.op("Add", t.op("Mul", turns, 2 * math.pi), link.phase))
    sums = t.op("Squeeze", t.op("MatMul", link.weight, t.op("Unsqueeze", waves, [-1])), [-1])
    y = t.op("Concat", column, t.op("Add", sums, link.bias), axis=-1)
    return t.reshape(y, (*x.shape[:-1], link.num_features * link.out))


def cosine(t: Trace, link: Any, x1: Value, x2: Value) -> Any:
    """The unit vectors are made before they are broadcast only where both have the dimension whole."""
    ndim = max(x1.ndim, x2.ndim)
    shape = [t.op("Shape", t.op("Add", x1, x2))] if x1.shape != x2.shape else []
    units = []
    for x in (x1, x2):
        wide = t.op("Expand", x, shape[0]) if shape else x
        norm = t.op("Sqrt", t.op("ReduceSum", t.op("Mul", wide, wide), [link.dim % ndim], keepdims=1))
        units.append(t.op("Div", wide, t.op("Max", norm, float(link.eps))))
    return t.op("ReduceSum", t.op("Mul", *units), [link.dim % ndim], keepdims=0)


def pairwise(t: Trace, link: Any, x1: Value, x2: Value) -> Any:
    p, keep = link.p, int(link.keepdim)
    d = t.op("Add", t.op("Sub", x1, x2), float(link.eps))
    if p == 2:
        return t.op("ReduceL2", d, [-1], keepdims=keep)
    size = t.op("Abs", d)
    if p == 1:
        return t.op("ReduceSum", size, [-1], keepdims=keep)
    if math.isinf(p):
        return t.op("ReduceMax" if p > 0 else "ReduceMin", size, [-1], keepdims=keep)
    if p == 0:
        return t.op("ReduceSum", t.op("Sign", size), [-1], keepdims=keep)
    total = t.op("ReduceSum", t.op("Pow", size, float(p)), [-1], keepdims=keep)
    return t.op("Pow", total, 1 / p)


EXPORTERS: dict[type, Exporter] = {
    lin.Linear: linear,
    lin.Identity: identity,
    flatten.Flatten: flattened,
    flatten.Unflatten: unflattened,
    embedding.Embedding: looked_up,
    bilinear.Bilinear: bilinear_form,
    tabular.Scale: scaled,
    tabular.PeriodicEmbedding: periodic,
    distance.CosineSimilarity: cosine,
    distance.PairwiseDistance: pairwise,
}
