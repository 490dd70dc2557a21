"""Convolutions, pools, padding, images of another size."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from maillon.interop.onnx.fold import evaluated
from maillon.interop.onnx.links import shapes as shaped, spatial as links
from maillon.interop.onnx.links.arithmetic import Arithmetic
from maillon.interop.onnx.reader import Converter, Known, Live, Node, Reader
from maillon.nn.module import Module
from maillon.nn.spatial import convolution as conv, padding as pads, pixels, pooling as pool, upsampling as up
from maillon.nn.spatial.windows import one_for_all

CONVOLUTIONS: dict[int, Any] = {1: conv.Conv1d, 2: conv.Conv2d, 3: links.Conv3d}
TRANSPOSES: dict[int, Any] = {1: conv.ConvTranspose1d, 2: conv.ConvTranspose2d, 3: links.ConvTranspose3d}
Widths = list[tuple[int, int]]


def _space(node: Node, x: Live) -> list[int]:
    """The sizes of space, which must not be open."""
    sizes = x.shape[2:]
    if None in sizes:
        raise node.refusal("the sizes of its images are open: export the network with fixed ones")
    return [int(n or 0) for n in sizes]


def _rank_of(node: Node, x: Live, known: dict[int, Any]) -> int:
    rank = x.ndim - 2
    if rank not in known:
        raise node.refusal(f"expected {' or '.join(map(str, known))} dimensions of space, got {rank}")
    return rank


def _widths(node: Node, x: Live, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Widths:
    """(before, after) of each dimension of space, as pads or auto_pad say."""
    rank, auto = len(kernel), node.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        given = node.get("pads") or [0] * 2 * rank
        wider = [
            n + before + after for n, before, after in zip(x.samples[1].shape[2:], given, given[rank:], strict=False)
        ]
        node.room(*x.samples[1].shape[:2], *wider)
        return list(zip(given[:rank], given[rank:], strict=True))
    if auto == "VALID":
        return [(0, 0)] * rank
    widths = []
    for n, k, s, d in zip(_space(node, x), kernel, strides, dilations, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        less = total // 2
        widths.append((less, total - less) if auto == "SAME_UPPER" else (total - less, less))
    return widths


def _padded(reader: Reader, node: Node, x: Live, widths: Widths) -> tuple[Live, list[int]]:
    """x and the padding that a link can add itself; where both sides differ it comes first."""
    if all(before == after for before, after in widths):
        return x, [before for before, _ in widths]
    sides = [side for pair in reversed(widths) for side in pair]
    zeros: dict[int, Any] = {1: pads.ZeroPad1d, 2: pads.ZeroPad2d}
    rank = len(widths)
    link = zeros[rank](sides) if rank in zeros else shaped.Pad([(0, 0), (0, 0), *widths])
    return reader.link(node, link, x), [0] * rank


def convolution(reader: Reader, node: Node) -> Any:
    x, known, weight = node.live(), node.input(1), node.constant(1)
    rank = _rank_of(node, x, CONVOLUTIONS)
    kernel, groups = weight.shape[2:], node.get("group", 1)
    strides, dilations = node.get("strides") or [1] * rank, node.get("dilations") or [1] * rank
    widths = _widths(node, x, kernel, strides, dilations)
    x, padding = _padded(reader, node, x, widths)
    bias = node.input(2)
    link = CONVOLUTIONS[rank](
        weight.shape[1] * groups,
        weight.shape[0],
        kernel,
        strides,
        padding,
        dilations,
        groups,
        bias is not None,
        dtype=weight.dtype,
    )
    return _weighted(reader, node, link, known, x)


def _weighted(reader: Reader, node: Node, link: Any, known: Known, x: Live) -> Any:
    link.weight = reader.parameter(known, node.constant(1))
    if link.bias is not None:
        link.bias = reader.parameter(node.input(2), node.constant(2))
    return reader.link(node, link, x)


def transposed(reader: Reader, node: Node) -> Any:
    """Sides that differ: the link crops the smaller of both, and what is left is cropped after it."""
    x, known, weight = node.live(), node.input(1), node.constant(1)
    rank = _rank_of(node, x, TRANSPOSES)
    kernel, groups = weight.shape[2:], node.get("group", 1)
    strides, dilations = node.get("strides") or [1] * rank, node.get("dilations") or [1] * rank
    more = list(node.get("output_padding") or [0] * rank)
    widths = _transposed_widths(node, x, kernel, strides, dilations, more)
    padding = [max(min(before, after), 0) for before, after in widths]
    spread = zip(x.samples[1].shape[2:], strides, kernel, dilations, more, strict=True)
    node.room(x.samples[1].shape[0], weight.shape[1] * groups, *(n * s + k * d + o for n, s, k, d, o in spread))
    link = TRANSPOSES[rank](
        weight.shape[0],
        weight.shape[1] * groups,
        kernel,
        strides,
        padding,
        more,
        groups,
        node.input(2) is not None,
        dilations,
        dtype=weight.dtype,
    )
    y = _weighted(reader, node, link, known, x)
    rest = [(p - before, p - after) for p, (before, after) in zip(padding, widths, strict=True)]
    if any(map(any, rest)):
        if any(side > 0 for pair in rest for side in pair):
            raise node.refusal(f"pads={[p for p, _ in widths] + [p for _, p in widths]} add to the output")
        y = reader.link(node, shaped.Pad([(0, 0), (0, 0), *rest]), y)
    return y


def _transposed_widths(
    node: Node, x: Live, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], more: list[int]
) -> Widths:
    rank, auto, wanted = len(kernel), node.get("auto_pad", "NOTSET"), node.get("output_shape")
    if auto in ("NOTSET", "VALID", "") and not wanted:
        given = node.get("pads") or [0] * 2 * rank
        return list(zip(given[:rank], given[rank:], strict=True))
    sizes = _space(node, x)
    wanted = wanted[-rank:] if wanted else [n * s for n, s in zip(sizes, strides, strict=True)]
    widths = []
    for axis, (n, s, k, d) in enumerate(zip(sizes, strides, kernel, dilations, strict=True)):
        total = s * (n - 1) + more[axis] + (k - 1) * d + 1 - wanted[axis]
        if total < 0:  # ONNX then extends the end
            more[axis], total = more[axis] - total, 0
        less = total // 2
        widths.append((less, total - less) if auto == "SAME_UPPER" else (total - less, less))
    return widths


# Pools


def pooled(reader: Reader, node: Node) -> Any:
    x, kernel = node.live(), node.get("kernel_shape")
    rank = len(kernel)
    strides, dilations = node.get("strides") or [1] * rank, node.get("dilations") or [1] * rank
    ceil = bool(node.get("ceil_mode", 0))
    widths = _widths(node, x, kernel, strides, dilations)
    kind = {"MaxPool": "Max", "AveragePool": "Average", "LpPool": "Lp"}[node.operator]
    counted, p = bool(node.get("count_include_pad", 0)), node.get("p", 2)
    general = links.Pool(kind, kernel, strides, dilations, widths, ceil, counted, p)
    link = _known_pool(reader, node, x, general)
    return reader.link(node, general if link is None else link, x)


def _known_pool(reader: Reader, node: Node, x: Live, general: links.Pool) -> Module | None:
    """The link of `maillon.nn` that does the same, if there is one."""
    rank = len(general.kernel)
    before, after = zip(*general.pads, strict=True)
    longer = all(a >= b for b, a in general.pads) and before != after
    if (
        rank > 2
        or any(2 * b > k for b, k in zip(before, general.kernel, strict=True))
        or (before != after and not longer)
    ):
        return None
    kernel, strides, padding = (one_for_all(tuple(part)) for part in (general.kernel, general.strides, before))
    ceil = general.ceil_mode or longer
    if general.kind == "Max":
        make: Any = (pool.MaxPool1d, pool.MaxPool2d)[rank - 1]
        link: Module = make(kernel, strides, padding, one_for_all(general.dilations), ceil_mode=ceil)
    elif general.kind == "Average" and not longer and set(general.dilations) == {1}:
        make = (pool.AvgPool1d, pool.AvgPool2d)[rank - 1]
        link = make(kernel, strides, padding, ceil, general.count_include_pad)
    else:
        return None
    if longer:  # what was made longer by ceil_mode: the same where it gives as much
        made, wanted = (reader.computed(node, one, x) for one in (link, general))
        return link if all(a.shape == b.shape for a, b in zip(made, wanted, strict=True)) else None
    return link


def global_pool(kind: str) -> Converter:
    def convert(reader: Reader, node: Node) -> Any:
        x = node.live()
        rank = x.ndim - 2
        if rank in (1, 2):
            return reader.link(node, getattr(pool, f"Adaptive{kind}Pool{rank}d")(1), x)
        axes = tuple(range(2, x.ndim))
        return reader.link(node, shaped.Reduce({"Avg": "Mean"}.get(kind, kind), axes, True), x)

    return convert


# Padding and pixels


def pad(reader: Reader, node: Node) -> Any:
    x, given = node.live(), [int(n) for n in node.constant(1)]
    axes = node.integers(3, "axes") or list(range(len(given) // 2))
    widths: Widths = [(0, 0)] * x.ndim
    for axis, before, after in zip(axes, given[: len(axes)], given[len(axes) :], strict=True):
        widths[axis] = (before, after)
    node.room(*(max(n + sum(width), 0) for n, width in zip(x.samples[1].shape, widths, strict=True)))
    value = node.constant(2)
    number = 0.0 if value is None else float(np.reshape(value, -1)[0])
    mode = node.get("mode", "constant")
    names = {"constant": "Constant", "reflect": "Reflection", "edge": "Replication", "wrap": "Circular"}
    for rank in (1, 2):
        if x.ndim in (rank + 1, rank + 2) and not any(map(any, widths[: x.ndim - rank])) and any(map(any, widths)):
            sides = [side for pair in reversed(widths[-rank:]) for side in pair]
            make = getattr(pads, f"{names[mode]}Pad{rank}d")
            return reader.link(node, make(sides, number) if mode == "constant" else make(sides), x)
    return reader.link(node, shaped.Pad(widths, mode, number), x)


def depth_to_space(reader: Reader, node: Node) -> Any:
    x, r = node.live(), node.get("blocksize")
    if node.get("mode", "DCR") == "CRD":
        return reader.link(node, pixels.PixelShuffle(r), x)
    channels, height, width = _image(node, x)
    steps = (
        shaped.Reshape((0, r, r, channels // r**2, height, width)),
        shaped.Permute((0, 3, 4, 1, 5, 2)),
        shaped.Reshape((0, channels // r**2, height * r, width * r)),
    )
    return reader.chain(node, x, *steps)


def space_to_depth(reader: Reader, node: Node) -> Any:
    x, r = node.live(), node.get("blocksize")
    if node.get("mode", "DCR") == "CRD":
        return reader.link(node, pixels.PixelUnshuffle(r), x)
    channels, height, width = _image(node, x)
    steps = (
        shaped.Reshape((0, channels, height // r, r, width // r, r)),
        shaped.Permute((0, 3, 5, 1, 2, 4)),
        shaped.Reshape((0, channels * r**2, height // r, width // r)),
    )
    return reader.chain(node, x, *steps)


def _image(node: Node, x: Live) -> list[int]:
    if x.ndim != 4 or x.shape[1] is None:
        raise node.refusal(f"expected images (N, C, H, W), got {x.ndim} dimensions")
    return [int(x.shape[1]), *_space(node, x)]


# Images of another size


def resize(reader: Reader, node: Node) -> Any:
    """An Upsample where it is one; else a matrix for each dimension, made by ONNX's reference itself."""
    x = node.live()
    scales, sizes = _amounts(node, x)
    node.room(*(sizes or [math.ceil(n * s) for n, s in zip(x.samples[1].shape, scales or [], strict=True)]))
    link = _upsample(node, x)
    if link is not None:
        return reader.link(node, link, x)
    matrices = _matrices(reader, node, x)
    y = reader.link(node, links.Resample(matrices), x)
    value = node.get("extrapolation_value", 0.0)
    if not value or node.get("coordinate_transformation_mode") != "tf_crop_and_resize":
        return y
    inside = [np.ones(1) if matrix is None else (matrix.sum(axis=1) != 0) * 1.0 for matrix in matrices]
    beyond = value * (1 - functools.reduce(np.multiply.outer, inside))
    return reader.link(node, Arithmetic("Add", beyond.astype(y.samples[0].dtype)), y)


def _amounts(node: Node, x: Live) -> tuple[list[float] | None, list[int] | None]:
    """The scale, or the new size, of each dimension of x."""
    scales, sizes = node.constant(2), node.input(3)
    axes = [axis % x.ndim for axis in node.get("axes") or range(x.ndim)]
    if scales is not None and scales.size:
        given = dict(zip(axes, scales.tolist(), strict=True))
        return [float(given.get(axis, 1.0)) for axis in range(x.ndim)], None
    if not isinstance(sizes, Known):
        raise node.refusal("its sizes must not depend on the data")
    given = {}
    for axis, one, other in zip(axes, sizes.samples[0].tolist(), sizes.samples[1].tolist(), strict=True):
        kept = (one, other) == tuple(part.shape[axis] for part in x.samples)
        if one != other and not kept:
            raise node.refusal("its sizes depend on the size of the batch")
        if not kept:
            given[axis] = int(one)
    return None, [int(given.get(axis, x.samples[0].shape[axis])) for axis in range(x.ndim)]


def _upsample(node: Node, x: Live) -> Module | None:
    rank = x.ndim - 2
    scales, sizes = _amounts(node, x)
    amounts: Sequence[Any] = scales or sizes or []
    same = [1.0, 1.0] if scales else list(x.samples[0].shape[:2])
    plain = not node.get("antialias", 0) and not node.get("exclude_outside", 0)
    plain = plain and node.get("keep_aspect_ratio_policy", "stretch") == "stretch"
    plain = plain and node.get("coordinate_transformation_mode") != "tf_crop_and_resize"
    if not 1 <= rank <= 3 or list(amounts[:2]) != same or not plain or None in x.shape[1:]:
        return None
    mode, where = node.get("mode", "nearest"), node.get("coordinate_transformation_mode", "half_pixel")
    options: dict[str, Any] = {}
    if mode == "nearest":
        whole = (
            [float(s).is_integer() for s in scales]
            if scales
            else [n % old == 0 for n, old in zip(amounts, x.samples[0].shape, strict=True)]
        )
        if where != "asymmetric" or node.get("nearest_mode", "round_prefer_floor") != "floor" or not all(whole):
            return None
    elif mode == "linear" or (node.get("cubic_coeff_a", -0.75) == -0.75 and rank == 2):
        if where not in ("half_pixel", "align_corners"):
            return None
        options["mode"] = "bicubic" if mode == "cubic" else ("linear", "bilinear", "trilinear")[rank - 1]
        options["align_corners"] = True if where == "align_corners" else None
        new = [n * s for n, s in zip(x.samples[0].shape, scales, strict=True)] if scales else []
        if where == "align_corners" and not all(float(n).is_integer() for n in new):
            return None  # ONNX then aligns the ends of a size that is a fraction
    else:
        return None
    amount: Any = one_for_all(tuple(amounts[2:]))
    return up.Upsample(None if scales else amount, amount if scales else None, **options)


def _matrices(reader: Reader, node: Node, x: Live) -> list[Any]:
    """Each dimension is resized for itself: what a unit matrix becomes is the matrix. None where nothing changes."""
    scales, sizes = _amounts(node, x)
    final = None if sizes is None else _new_sizes(node, x, sizes)
    axes = [axis % x.ndim for axis in node.get("axes") or range(x.ndim)]
    roi = node.constant(1) if node.get("coordinate_transformation_mode") == "tf_crop_and_resize" else None
    matrices: list[Any] = []
    for axis, old in enumerate(x.shape):
        part: tuple[float, ...] = (0.0, 1.0)
        if roi is not None and axis in axes:
            part = tuple(float(roi[axes.index(axis) + after]) for after in (0, len(axes)))
        scale = 1.0 if scales is None else scales[axis]
        if scale == 1 and (final is None or final[axis] == x.samples[0].shape[axis]) and part == (0.0, 1.0):
            matrices.append(None)
            continue
        if old is None:
            raise node.refusal("it resizes the batch")
        amount = np.array([1, scale], np.float32) if final is None else np.array([old, final[axis]], np.int64)
        matrices.append(_matrix(reader, node, old, amount, part))
    return matrices


def _matrix(reader: Reader, node: Node, old: int, amount: Any, part: tuple[float, ...]) -> Any:
    """Of one dimension, of which `part` is resized by the scale or to the size given."""
    corners = np.array([0, part[0], 1, part[1]], np.float32)
    by_scale = amount.dtype == np.float32
    given = [np.eye(old), corners, amount] if by_scale else [np.eye(old), corners, None, amount]
    names = ["x", "roi", "scales", "sizes"][: len(given)]
    left_out = ("axes", "keep_aspect_ratio_policy", "extrapolation_value")
    attributes = {name: value for name, value in node.attributes.items() if name not in left_out}
    present = [name if value is not None else "" for name, value in zip(names, given, strict=True)]
    proto = reader.onnx.helper.make_node("Resize", present, ["y"], **attributes)
    inputs = [None if value is None else Known((value, value)) for value in given]
    made = evaluated(reader, Node(proto, attributes, inputs, node.version, ["y"]), also="Resize")
    return made[0].samples[0].T


def _new_sizes(node: Node, x: Live, sizes: list[int]) -> list[int]:
    """With the aspect ratio kept all axes named are scaled alike."""
    policy = node.get("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return sizes
    axes = [axis % x.ndim for axis in node.get("axes") or range(x.ndim)]
    ratios = [sizes[axis] / x.samples[0].shape[axis] for axis in axes]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return [math.floor(x.samples[0].shape[axis] * scale + 0.5) if axis in axes else n for axis, n in enumerate(sizes)]


CONVERTERS: dict[str, Converter] = {
    "AveragePool": pooled,
    "Conv": convolution,
    "ConvTranspose": transposed,
    "DepthToSpace": depth_to_space,
    "GlobalAveragePool": global_pool("Avg"),
    "GlobalMaxPool": global_pool("Max"),
    "LpPool": pooled,
    "MaxPool": pooled,
    "Pad": pad,
    "Resize": resize,
    "SpaceToDepth": space_to_depth,
}
