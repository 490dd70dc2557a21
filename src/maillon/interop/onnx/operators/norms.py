"""Normalisation and dropout."""

from typing import Any

import numpy as np

from maillon.interop.onnx.links.arithmetic import Arithmetic, Unary
from maillon.interop.onnx.links.shapes import Reduce
from maillon.interop.onnx.reader import Converter, Live, Node, Reader
from maillon.nn.norms import batchnorm, dropout as drop, normalization as norm


def _parameters(reader: Reader, node: Node, link: Any, *places: tuple[str, int]) -> None:
    """Weight and bias from these inputs, in the link's shape."""
    for name, place in places:
        known = node.input(place)
        if known is not None:
            setattr(link, name, reader.parameter(known, node.constant(place).reshape(getattr(link, name).shape)))


def _eps(node: Node) -> float:
    return float(str(np.float32(node.get("epsilon", 1e-5))))


def batch_norm(reader: Reader, node: Node) -> Any:
    node.only(training_mode=0)
    x, mean = node.live(), node.constant(3)
    kinds = {2: batchnorm.BatchNorm1d, 3: batchnorm.BatchNorm1d, 4: batchnorm.BatchNorm2d}
    if x.ndim not in kinds:
        raise node.refusal(f"expected 2 to 4 dimensions, got {x.ndim}: maillon has no BatchNorm of volumes")
    momentum = float(str(np.float32(1 - np.float32(node.get("momentum", 0.9)))))
    link = kinds[x.ndim](mean.size, _eps(node), round(momentum, 6), dtype=mean.dtype)
    _parameters(reader, node, link, ("weight", 1), ("bias", 2))
    assert link.running_mean is not None
    assert link.running_var is not None
    link.running_mean[...], link.running_var[...] = mean, node.constant(4)
    return reader.link(node, link, x)


def instance_norm(reader: Reader, node: Node) -> Any:
    x, weight = node.live(), node.constant(1)
    kinds = {3: batchnorm.InstanceNorm1d, 4: batchnorm.InstanceNorm2d}
    if x.ndim not in kinds:
        raise node.refusal(f"expected 3 or 4 dimensions, got {x.ndim}: maillon has no InstanceNorm of volumes")
    link = kinds[x.ndim](weight.size, _eps(node), affine=True, dtype=weight.dtype)
    _parameters(reader, node, link, ("weight", 1), ("bias", 2))
    return reader.link(node, link, x)


def _last(node: Node, x: Live) -> tuple[int, ...]:
    """The dimensions from the axis on, which must be known."""
    sizes = x.shape[node.get("axis", -1) :]
    if None in sizes:
        raise node.refusal("it normalises over the batch")
    return tuple(int(n or 0) for n in sizes)


def layer_norm(reader: Reader, node: Node) -> Any:
    x, shape = node.live(), _last(node, node.live())
    bias = node.input(2) is not None
    link = norm.LayerNorm(shape, _eps(node), bias=bias, dtype=node.constant(1).dtype)
    return _scaled(reader, node, x, link, ("weight", 1), *([("bias", 2)] if bias else []))


def rms_norm(reader: Reader, node: Node) -> Any:
    link = norm.RMSNorm(_last(node, node.live()), _eps(node), dtype=node.constant(1).dtype)
    return _scaled(reader, node, node.live(), link, ("weight", 1))


def _scaled(reader: Reader, node: Node, x: Live, link: Any, *places: tuple[str, int]) -> Any:
    """The weights may be spread over the dimensions, which ours are not."""
    for name, place in places:
        if node.constant(place).size != getattr(link, name).size:
            raise node.refusal(
                f"expected input {place} of shape {getattr(link, name).shape}, got {node.constant(place).shape}"
            )
    _parameters(reader, node, link, *places)
    return reader.link(node, link, x)


def group_norm(reader: Reader, node: Node) -> Any:
    if node.version < 21:
        raise node.refusal("before opset 21 its weights are of groups, which ONNX has withdrawn")
    x, weight = node.live(), node.constant(1)
    link = norm.GroupNorm(node.get("num_groups"), weight.size, _eps(node), dtype=weight.dtype)
    _parameters(reader, node, link, ("weight", 1), ("bias", 2))
    return reader.link(node, link, x)


def local_response(reader: Reader, node: Node) -> Any:
    if node.get("size") % 2 == 0:
        raise node.refusal(
            f"size={node.get('size')} is not supported: of an even window ONNX and maillon have other ends"
        )
    numbers = (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    options = [float(str(np.float32(node.get(name, value)))) for name, value in numbers]
    return reader.link(node, norm.LocalResponseNorm(node.get("size"), *options), node.live())


def lp_norm(reader: Reader, node: Node) -> Any:
    """x / ‖x‖; where the norm is 0 the quotient is 0."""
    x, axis = node.live(), node.get("axis", -1)
    tiny = np.finfo(x.samples[0].dtype).tiny
    size = reader.link(node, Reduce(f"L{node.get('p', 2)}", (axis,), True), x)
    size = reader.link(node, Arithmetic("Max", np.asarray(tiny, x.samples[0].dtype)), size)
    return reader.link(node, Arithmetic("Div"), x, size)


def mean_variance(reader: Reader, node: Node) -> Any:
    """(x − μ) / (σ + 1e-9), as the reference has it."""
    x, axes = node.live(), tuple(node.get("axes", [0, 2, 3]))
    tiny = np.asarray(1e-9, x.samples[0].dtype)
    centred = reader.link(node, Arithmetic("Sub"), x, reader.link(node, Reduce("Mean", axes, True), x))
    square = reader.link(node, Arithmetic("Pow", np.asarray(2, tiny.dtype)), centred)
    variance = reader.link(node, Reduce("Mean", axes, True), square)
    deviation = reader.chain(node, variance, Unary("Sqrt"), Arithmetic("Add", tiny))
    return reader.link(node, Arithmetic("Div"), centred, deviation)


def dropout(reader: Reader, node: Node) -> Any:
    """Whether it drops is the network's mode to say."""
    ratio = node.input(1)
    p = 0.5 if ratio is None else float(np.reshape(node.constant(1), -1)[0])
    return reader.pointwise(node, drop.Dropout(float(str(np.float32(p)))), node.live())


CONVERTERS: dict[str, Converter] = {
    "BatchNormalization": batch_norm,
    "Dropout": dropout,
    "GroupNormalization": group_norm,
    "InstanceNormalization": instance_norm,
    "LRN": local_response,
    "LayerNormalization": layer_norm,
    "LpNormalization": lp_norm,
    "MeanVarianceNormalization": mean_variance,
    "RMSNormalization": rms_norm,
}
