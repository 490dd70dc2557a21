"""Products and sums: Gemm, MatMul, arithmetic, reductions."""

from functools import reduce
from typing import Any

import numpy as np

from maillon.interop.onnx.links.arithmetic import COMPARISONS, Arithmetic, Compare, MatMul, Where
from maillon.interop.onnx.links.shapes import Permute, Reduce
from maillon.interop.onnx.reader import Converter, Known, Live, Node, Reader
from maillon.nn.joints import Add, Multiply
from maillon.nn.linear.linear import Linear
from maillon.nn.linear.tabular import Scale
from maillon.nn.module import Module


def linear(reader: Reader, known: Known, weight: Any, tag: str) -> Linear:
    """A Linear with this (out, in) weight and no bias yet."""
    link = Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
    link.weight = reader.parameter(known, np.ascontiguousarray(weight), tag)
    return link


def gemm(reader: Reader, node: Node) -> Any:
    """alpha · A B + beta · C; a Linear where B is a weight and C a bias."""
    x, known = node.live(), node.input(1)
    alpha, beta = (float(np.float32(node.get(name, 1.0))) for name in ("alpha", "beta"))
    if node.get("transA", 0):
        x = reader.link(node, Permute((1, 0)), x)
    if not isinstance(known, Known):
        y = node.live(1)
        y = reader.link(node, Permute((1, 0)), y) if node.get("transB", 0) else y
        product = reader.link(node, MatMul(), x, y)
        product = product if alpha == 1 else reader.link(node, _times(product, alpha), product)
        return _plus(reader, node, product, beta)
    weight = node.constant(1)
    weight = weight if node.get("transB", 0) else weight.T
    link = linear(reader, known, weight if alpha == 1 else alpha * weight, ":out,in" + f"*{alpha}" * (alpha != 1))
    bias = node.input(2)
    if (
        isinstance(bias, Known)
        and bias.is_constant
        and bias.samples[0].shape in ((weight.shape[0],), (1, weight.shape[0]))
    ):
        values = bias.samples[0].reshape(-1) * beta if beta != 1 else bias.samples[0].reshape(-1)
        link.bias = reader.parameter(bias, values, ":bias" + f"*{beta}" * (beta != 1))
        return reader.link(node, link, x)
    return _plus(reader, node, reader.link(node, link, x), beta)


def _times(x: Live, factor: float) -> Arithmetic:
    return Arithmetic("Mul", np.asarray(factor, x.samples[0].dtype))


def _plus(reader: Reader, node: Node, product: Live, beta: float) -> Any:
    """With beta · C, of any shape."""
    other = node.input(2)
    if other is None:
        return product
    if isinstance(other, Live):
        scaled = other if beta == 1 else reader.link(node, _times(other, beta), other)
        return _two(reader, node, "Add", product, scaled)
    held = Known((other.samples[0] * beta, other.samples[1] * beta), other.name, f"*{beta}")
    return _two(reader, node, "Add", product, held)


def matmul(reader: Reader, node: Node) -> Any:
    a, b = node.input(0), node.input(1)
    if isinstance(a, Live) and isinstance(b, Known) and b.name is not None and b.samples[0].ndim == 2:
        return reader.link(node, linear(reader, b, node.constant(1).T, ":out,in"), node.live())
    if isinstance(a, Live) and isinstance(b, Live):
        return reader.link(node, MatMul(), node.live(0), node.live(1))
    first = isinstance(a, Known)
    known = a if first else b
    held = node.constant(0 if first else 1)
    learnt = known.name is not None
    link = MatMul(reader.parameter(known, held) if learnt else held, first, learnt)
    return reader.link(node, link, node.live(1 if first else 0))


def arithmetic(operator: str) -> Converter:
    return lambda reader, node: _two(reader, node, operator, *_reals(node))


def _reals(node: Node) -> list[Any]:
    """The inputs, the first of which is real or constant."""
    return [node.live(place) if isinstance(value, Live) else value for place, value in enumerate(node.inputs)]


JOINTS: dict[str, type[Module]] = {"Add": Add, "Mul": Multiply}
"""The links of two inputs of one shape."""


def _two(reader: Reader, node: Node, operator: str, a: Any, b: Any) -> Any:
    if isinstance(a, Live) and isinstance(b, Live):
        alike = all(one.shape == other.shape for one, other in zip(a.samples, b.samples, strict=True))
        joint: Module = (
            {"Add": Add, "Mul": Multiply}[operator]() if alike and operator in ("Add", "Mul") else Arithmetic(operator)
        )
        return reader.link(node, joint, a, b)
    first = isinstance(a, Known)
    known, x = (a, b) if first else (b, a)
    if not known.is_constant:
        raise node.refusal("its constant depends on the size of the batch")
    held = known.samples[0]
    if operator == "Pow":
        held = held.astype(x.samples[0].dtype)
    if held.dtype != x.samples[0].dtype:
        raise node.refusal(f"expected both of one dtype, got {x.samples[0].dtype} and {held.dtype}")
    if operator == "Add" and (biased := _with_bias(reader, node, x, known)) is not None:
        return biased
    if operator in ("Add", "Sub") and held.size == 1 and not held.any() and held.ndim <= x.ndim and not first:
        return x
    learnt = known.name is not None and held.size > 1
    if operator == "Mul" and learnt and held.shape == x.samples[0].shape[-1:]:
        link = Scale(held.size, dtype=held.dtype)
        link.weight = reader.parameter(known, held)
        return reader.link(node, link, x)
    return reader.link(node, Arithmetic(operator, reader.parameter(known, held) if learnt else held, first, learnt), x)


def _with_bias(reader: Reader, node: Node, x: Live, known: Known) -> Live | None:
    """A bias that follows the product of a Linear without one goes into it, where nothing else uses the product."""
    link, _ = reader.nodes.get(x.source, (None, ()))
    names = [name for name, value in zip(node.proto.input, node.inputs, strict=True) if value is x]
    if not isinstance(link, Linear) or link.bias is not None or known.name is None or len(names) != 1:
        return None
    if (
        known.samples[0].shape != (link.out_features,)
        or reader.users.get(names[0]) != 1
        or x.source != x.source.split(".")[0]
    ):
        return None
    link.bias = reader.parameter(known, known.samples[0])
    return x


def several(operator: str) -> Converter:
    """Of any number of inputs."""

    def convert(reader: Reader, node: Node) -> Any:
        found = reduce(lambda a, b: _two(reader, node, operator, a, b), _reals(node))
        if node.operator == "Mean" and len(node.inputs) > 1:
            return reader.link(node, _times(found, 1 / len(node.inputs)), found)
        return found

    return convert


def compared(reader: Reader, node: Node) -> Any:
    """A condition for Where."""
    held = [place for place, value in enumerate(node.inputs) if isinstance(value, Known)]
    constant = node.constant(held[0]) if held else None
    lives = [node.live(place) for place in range(len(node.inputs)) if place not in held]
    return reader.link(node, Compare(node.operator, constant, first=held == [0]), *lives)


def where(reader: Reader, node: Node) -> Any:
    parts = [node.constant(place) if isinstance(node.input(place), Known) else None for place in range(3)]
    lives = [value for value in node.inputs if isinstance(value, Live)]
    return reader.link(node, Where(*parts), *lives)


def reduced(reader: Reader, node: Node) -> Any:
    x, axes = node.live(), node.integers(1, "axes")
    if not axes and node.get("noop_with_empty_axes", 0):
        if node.operator in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd"):
            return x
        axes = []
    elif not axes:
        axes = list(range(x.ndim))
    link = Reduce(node.operator.removeprefix("Reduce"), axes, bool(node.get("keepdims", 1)))
    return reader.link(node, link, x)


REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
CONVERTERS: dict[str, Converter] = {
    "Gemm": gemm,
    "MatMul": matmul,
    "Where": where,
    **dict.fromkeys(COMPARISONS, compared),
    **{name: arithmetic(name) for name in ("Add", "Sub", "Mul", "Div", "Pow")},
    **{name: several(operator) for name, operator in (("Sum", "Add"), ("Mean", "Add"), ("Max", "Max"), ("Min", "Min"))},
    **{f"Reduce{name}": reduced for name in REDUCTIONS},
}
