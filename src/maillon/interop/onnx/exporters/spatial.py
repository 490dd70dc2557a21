"""Convolutions, pools, padding, images of another size."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from maillon.interop.onnx.trace import Exporter, Trace, Value
from maillon.nn.spatial import (
    convolution as conv,
    fold,
    padding as pads,
    pixels,
    pooling as pool,
    upsampling as up,
    window_steps as steps,
)
from maillon.nn.support import arguments
from maillon.typing import Array

MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge"}
"""ONNX's names of the paddings; wrap (circular) is younger than opset 18."""


# Convolution


def convolution(t: Trace, link: Any, x: Value) -> Any:
    rank = len(link.kernel_size)
    widths = _widths(link)
    batch, unbatched = t.batched(x, rank + 2)
    if link.padding_mode != "zeros" and any(map(any, widths)):
        batch = padded(t, batch, x.sizes(rank), widths, link.padding_mode)
        widths = [(0, 0)] * rank
    return unbatched(
        t.op(
            "Conv",
            batch,
            link.weight,
            link.bias,
            kernel_shape=link.kernel_size,
            strides=link.stride,
            dilations=link.dilation,
            group=link.groups,
            pads=[before for before, _ in widths] + [after for _, after in widths],
        )
    )


def _widths(link: Any) -> list[tuple[int, int]]:
    if link.padding == "valid":
        return [(0, 0)] * len(link.kernel_size)
    if link.padding == "same":
        spans = [d * (k - 1) for k, d in zip(link.kernel_size, link.dilation, strict=True)]
        return [(span // 2, span - span // 2) for span in spans]
    return [(width, width) for width in link.padding]


def transposed(t: Trace, link: Any, x: Value) -> Any:
    """An output_padding as large as the stride (which a dilation allows) onnxruntime refuses: less is cropped instead.

    Where nothing is cropped, zeros follow, and the bias comes after them.
    """
    rank = len(link.kernel_size)
    batch, unbatched = t.batched(x, rank + 2)
    more = list(link.output_padding)
    ends = list(link.padding)
    for axis, (added, stride) in enumerate(zip(link.output_padding, link.stride, strict=True)):
        if added >= stride:
            more[axis], ends[axis] = 0, ends[axis] - added
    beyond = [max(-end, 0) for end in ends]
    y = t.op(
        "ConvTranspose",
        batch,
        link.weight,
        None if any(beyond) else link.bias,
        kernel_shape=link.kernel_size,
        strides=link.stride,
        dilations=link.dilation,
        group=link.groups,
        pads=[*link.padding, *(max(end, 0) for end in ends)],
        output_padding=more,
    )
    if any(beyond):
        y = t.op("Pad", y, [0] * rank + beyond, 0.0, list(range(-rank, 0)))
        if link.bias is not None:
            y = t.op("Add", y, t.weight(link.bias, lambda b: b.reshape(-1, *(1,) * rank), f".{rank}"))
    return unbatched(y)


# Padding


def pad(mode: str) -> Exporter:
    def export(t: Trace, link: Any, x: Value) -> Any:
        sides = link.padding
        widths = [(sides[i], sides[i + 1]) for i in range(len(sides) - 2, -1, -2)]
        return padded(t, x, x.sizes(len(widths)), widths, mode, float(link.value))

    return export


def padded(
    t: Trace, x: Any, sizes: Sequence[int], widths: Sequence[tuple[int, int]], mode: str, value: float = 0.0
) -> Any:
    """The last dimensions, of these sizes, padded; where ONNX has no such mode, taken place by place."""
    rank = len(widths)
    if mode == "zeros" or (mode in MODES and min(map(min, widths)) >= 0):
        amounts = [before for before, _ in widths] + [after for _, after in widths]
        border = value if mode == "zeros" else None
        return t.op("Pad", x, amounts, border, list(range(-rank, 0)), mode=MODES[mode])
    for axis, (size, (before, after)) in enumerate(zip(sizes, widths, strict=True), -rank):
        if before or after:
            x = t.op("Gather", x, pads.SOURCES[mode](size, before, after).astype(np.int64), axis=axis)
    return x


# Pools


def _geometry(link: Any, sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Along each axis size, number of windows, kernel, stride, padding, dilation."""
    rank = len(sizes)
    found: list[tuple[int, ...]] = []
    given = {name: getattr(link, name) for name in ("kernel_size", "stride", "padding", "dilation")}
    each = [arguments.integers(type(link).__name__, name, v, rank, 0, single=True) for name, v in given.items()]
    for size, kernel, stride, padding, dilation in zip(sizes, *each, strict=True):
        room = size + 2 * padding - dilation * (kernel - 1) - 1
        outputs = (room + (stride - 1 if link.ceil_mode else 0)) // stride + 1
        if link.ceil_mode and (outputs - 1) * stride >= size + padding:
            outputs -= 1
        found.append((size, outputs, kernel, stride, padding, dilation))
    return found


def _rank(link: Any) -> int:
    return 1 if type(link).__name__.endswith("1d") else 2


def max_pool(t: Trace, link: Any, x: Value) -> Any:
    rank = _rank(link)
    axes = _geometry(link, x.sizes(rank))
    batch, unbatched = t.batched(x, rank + 2)
    ends = [(n - 1) * s + d * (k - 1) + 1 - size - p for size, n, k, s, p, d in axes]
    options: dict[str, Any] = {
        "kernel_shape": [k for _, _, k, *_ in axes],
        "strides": [s for _, _, _, s, *_ in axes],
        "dilations": [d for *_, d in axes],
        "pads": [p for *_, p, _ in axes] + [max(end, 0) for end in ends],
    }
    if not link.return_indices:
        return unbatched(t.op("MaxPool", batch, **options))
    y, indices = t.op("MaxPool", batch, outputs=2, **options)  # counted through the whole array
    return unbatched(y), unbatched(t.op("Mod", indices, math.prod(x.sizes(rank))))


def average_pool(t: Trace, link: Any, x: Value) -> Any:
    rank = _rank(link)
    axes = _geometry(link, x.sizes(rank))
    override = link.divisor_override
    if any((n - 1) * s + k > size + 2 * p for size, n, k, s, p, _ in axes):
        return averaged(t, link, x, axes)
    batch, unbatched = t.batched(x, rank + 2)
    y = t.op(
        "AveragePool",
        batch,
        kernel_shape=[k for _, _, k, *_ in axes],
        strides=[s for _, _, _, s, *_ in axes],
        pads=[p for *_, p, _ in axes] * 2,
        count_include_pad=int(link.count_include_pad or override is not None),
    )
    if override is not None:
        y = t.op("Mul", y, math.prod(k for _, _, k, *_ in axes) / override)
    return unbatched(y)


def averaged(t: Trace, link: Any, x: Value, axes: list[tuple[int, ...]]) -> Any:
    """Where ceil_mode lets a window hang over the end, what counts differs from ONNX's: sums, by products."""
    windows = [steps.sliding(size, n, k, s, p) for size, n, k, s, p, _ in axes]
    y = _summed(t, x, [(found, size, n) for found, (size, n, *_) in zip(windows, axes, strict=True)])
    if link.divisor_override is not None:
        return t.op("Div", y, float(link.divisor_override))
    counts = []
    for found, (size, n, k, s, p, _) in zip(windows, axes, strict=True):
        inside = steps.total(np.ones(size), -1, found, n)
        counts.append(np.minimum(k, size + p - (np.arange(n) * s - p)) if link.count_include_pad else inside)
    return t.op("Div", y, functools.reduce(np.multiply.outer, counts).astype(t.dtype))


def _summed(t: Trace, x: Any, axes: Sequence[tuple[steps.Steps, int, int]]) -> Any:
    """The sum over each window, along one axis after the other."""
    for axis, (found, size, outputs) in enumerate(axes, -len(axes)):
        matrix = np.zeros((size, outputs), t.dtype)
        for outs, ins in found:
            matrix[np.arange(size)[ins], np.arange(outputs)[outs]] += 1
        x = t.op("MatMul", x, matrix) if axis == -1 else t.op("MatMul", np.ascontiguousarray(matrix.T), x)
    return x


def _wanted(link: Any, sizes: Sequence[int]) -> list[int]:
    given = link.output_size
    parts = given if isinstance(given, tuple | list) else (given,) * len(sizes)
    return [size if part is None else part for size, part in zip(sizes, parts, strict=True)]


def adaptive_average(t: Trace, link: Any, x: Value) -> Any:
    sizes = x.sizes(_rank(link))
    wanted = _wanted(link, sizes)
    if all(size % n == 0 for size, n in zip(sizes, wanted, strict=True) if n) and all(wanted):
        batch, unbatched = t.batched(x, len(sizes) + 2)
        if set(wanted) == {1}:
            return unbatched(t.op("GlobalAveragePool", batch))
        kernel = [size // n for size, n in zip(sizes, wanted, strict=True)]
        return unbatched(t.op("AveragePool", batch, kernel_shape=kernel, strides=kernel))
    found = [(steps.adaptive(size, n), size, n) for size, n in zip(sizes, wanted, strict=True)]
    counts = [steps.total(np.ones(size), -1, windows, n) for windows, size, n in found]
    return t.op("Div", _summed(t, x, found), functools.reduce(np.multiply.outer, counts).astype(t.dtype))


def adaptive_greatest(t: Trace, link: Any, x: Value) -> Any:
    """Every window as a row of the places that it sees, filled up with its first: the greatest of each row."""
    sizes = x.sizes(_rank(link))
    wanted = _wanted(link, sizes)
    table = _seen(sizes, wanted)
    front = x.shape[: x.ndim - len(sizes)]
    rows = t.op("Gather", t.reshape(x, (*front, math.prod(sizes))), table, axis=-1)
    y = t.reshape(t.op("ReduceMax", rows, [-1], keepdims=0), (*front, *wanted))
    if not link.return_indices:
        return y
    best = t.op("ArgMax", rows, axis=-1, keepdims=0)
    flat = t.op("Add", best, np.arange(len(table), dtype=np.int64) * table.shape[1])
    return y, t.reshape(t.op("Gather", table.reshape(-1), flat, axis=0), (*front, *wanted))


def _seen(sizes: Sequence[int], wanted: Sequence[int]) -> Array:
    """(windows, most places of one): the flat places that each window sees."""
    windows: list[list[int]] = [[0]]
    for size, n in zip(sizes, wanted, strict=True):
        start, end = steps.adaptive_bounds(size, n)
        along = [range(*pair) for pair in zip(start, end, strict=True)]
        windows = [[place * size + i for place in seen for i in part] for seen in windows for part in along]
    most = max(map(len, windows))
    return np.array([seen + [seen[0]] * (most - len(seen)) for seen in windows], np.int64)


def unpool(t: Trace, link: Any, x: Value, indices: Value) -> Any:
    """Each value to its place in an array of zeros."""
    rank = _rank(link)
    names = ("kernel_size", "stride", "padding")
    each = [arguments.integers(type(link).__name__, name, getattr(link, name), rank, 0) for name in names]
    sizes = [(n - 1) * s + k - 2 * p for n, k, s, p in zip(x.sizes(rank), *each, strict=True)]
    front, count = x.shape[: x.ndim - rank], math.prod(x.sizes(rank))
    flat, places = (t.reshape(value, (*front, count)) for value in (x, indices))
    shape = t.op("Concat", t.op("Shape", x, end=x.ndim - rank), [math.prod(sizes)], axis=0)
    zeros = t.op("Expand", 0.0, shape)
    return t.reshape(t.op("ScatterElements", zeros, places, flat, axis=x.ndim - rank), (*front, *sizes))


# Columns and pixels


def unfold(t: Trace, link: Any, x: Value) -> Any:
    """Every column's places in the padded image, flat."""
    kernel, stride, dilation, border = _pairs(link)
    wide = [n + 2 * b for n, b in zip(x.sizes(2), border, strict=True)]
    counts = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(wide, kernel, stride, dilation, strict=True)]
    each = zip(kernel, stride, dilation, counts, strict=True)
    rows, columns = (np.arange(k)[:, None] * d + np.arange(n) * s for k, s, d, n in each)
    table = rows[:, None, :, None] * wide[1] + columns[None, :, None, :]
    values, windows = math.prod(kernel), math.prod(counts)
    front = x.shape[: x.ndim - 3]
    wider = padded(t, x, x.sizes(2), [(b, b) for b in border], "zeros") if any(border) else x
    channels = x.sizes(3)[0]
    flat = t.reshape(wider, (*front, channels, math.prod(wide)))
    taken = t.op("Gather", flat, table.reshape(values, windows).astype(np.int64), axis=-1)
    return t.reshape(taken, (*front, channels * values, windows))


def folded(t: Trace, link: Any, x: Value) -> Any:
    """A transposed convolution with a kernel for each place of the window, 1 there and 0 elsewhere."""
    kernel, stride, dilation, border = _pairs(link)
    sizes = arguments.integers("Fold", "output_size", link.output_size, 2)
    spans = [n + 2 * b - d * (k - 1) - 1 for n, b, k, d in zip(sizes, border, kernel, dilation, strict=True)]
    counts = [span // s + 1 for span, s in zip(spans, stride, strict=True)]
    left = [span % s for span, s in zip(spans, stride, strict=True)]
    values = math.prod(kernel)
    rows, _ = x.sizes(2)
    images = t.reshape(x, (-1 if x.shape[:-2] else rows // values, values, *counts))
    ones = np.eye(values, dtype=t.dtype).reshape(values, 1, *kernel)
    y = t.op(
        "ConvTranspose",
        images,
        ones,
        strides=stride,
        dilations=dilation,
        pads=[*border, *border],
        output_padding=left,
    )
    return t.reshape(y, (*x.shape[:-2], rows // values, *sizes))


def _pairs(link: Any) -> list[tuple[int, ...]]:
    names = ("kernel_size", "stride", "dilation", "padding")
    return [arguments.integers(type(link).__name__, name, getattr(link, name), 2, 0) for name in names]


def shuffle(t: Trace, link: Any, x: Value) -> Any:
    r = link.upscale_factor
    if x.ndim == 4:
        return t.op("DepthToSpace", x, blocksize=r, mode="CRD")
    channels, height, width = x.sizes(3)
    n, front = x.ndim - 3, x.shape[:-3]
    blocks = t.reshape(x, (*front, channels // r**2, r, r, height, width))
    blocks = t.op("Transpose", blocks, perm=[*range(n + 1), n + 3, n + 1, n + 4, n + 2])
    return t.reshape(blocks, (*front, channels // r**2, height * r, width * r))


def unshuffle(t: Trace, link: Any, x: Value) -> Any:
    r = link.downscale_factor
    channels, height, width = x.sizes(3)
    n, front = x.ndim - 3, x.shape[:-3]
    blocks = t.reshape(x, (*front, channels, height // r, r, width // r, r))
    blocks = t.op("Transpose", blocks, perm=[*range(n + 1), n + 2, n + 4, n + 1, n + 3])
    return t.reshape(blocks, (*front, channels * r**2, height // r, width // r))


# Images of another size


def upsample(t: Trace, link: Any, x: Value) -> Any:
    rank = x.ndim - 2
    sizes = x.sizes(rank)
    given = link.size if link.scale_factor is None else link.scale_factor
    parts = tuple(given) if arguments.is_sequence(given) else (given,) * rank
    by_scale = link.scale_factor is not None
    outputs = [int(n * float(part)) if by_scale else int(part) for n, part in zip(sizes, parts, strict=True)]
    if link.mode == "area":
        found = [(steps.adaptive(size, n), size, n) for size, n in zip(sizes, outputs, strict=True)]
        return resampled(t, x, [_area(*along) for along in found])
    if "nearest" in link.mode and any(n % size for size, n in zip(sizes, outputs, strict=True)):
        for axis, size in enumerate(sizes, -rank):
            x = t.op("Gather", x, nearest_places(link, rank, axis, size), axis=axis)
        return x
    scales = [float(part) for part in parts] if by_scale and not link.recompute_scale_factor else None
    return resized(t, link, x, outputs, scales)


def resized(t: Trace, link: Any, x: Value, outputs: list[int], scales: list[float] | None) -> Any:
    rank = x.ndim - 2
    coordinates = "align_corners" if link.align_corners else "half_pixel"
    options: dict[str, Any] = {"mode": {"bicubic": "cubic"}.get(link.mode, "linear"), "cubic_coeff_a": -0.75}
    if "nearest" in link.mode:
        coordinates, scales = "asymmetric", None
        options = {"mode": "nearest", "nearest_mode": "floor"}
    options |= {"coordinate_transformation_mode": coordinates, "axes": list(range(2, 2 + rank))}
    if scales is not None:
        return t.op("Resize", x, None, np.array(scales, np.float32), **options)
    return t.op("Resize", x, None, None, outputs, **options)


def nearest_places(link: Any, rank: int, axis: int, size: int) -> Array:
    """Where the link takes its values along the axis: it tells so itself, asked with the places as values."""
    shape = [1] * rank
    shape[axis] = size
    places = np.arange(size, dtype=np.float64).reshape(1, 1, *shape)
    given = link.size if link.scale_factor is None else link.scale_factor
    parts = tuple(given) if arguments.is_sequence(given) else (given,) * rank
    only = [1 if link.scale_factor is None else 1.0] * rank
    only[axis] = parts[axis]
    alone: dict[str, Any] = {"size": tuple(only)} if link.scale_factor is None else {"scale_factor": tuple(only)}
    asked = up.Upsample(mode=link.mode, recompute_scale_factor=link.recompute_scale_factor, **alone)
    return asked(places).reshape(-1).astype(np.int64)


def _area(found: steps.Steps, size: int, outputs: int) -> Array:
    matrix = np.zeros((size, outputs))
    for outs, ins in found:
        matrix[np.arange(size)[ins], np.arange(outputs)[outs]] += 1
    return matrix / matrix.sum(axis=0)


def resampled(t: Trace, x: Any, matrices: list[Array]) -> Any:
    """Along each axis of space one product, the axis brought to the end for it."""
    ndim = len(matrices) + 2
    for axis, matrix in enumerate(matrices, 2):
        order = [*range(axis), *range(axis + 1, ndim), axis]
        back = [*range(axis), ndim - 1, *range(axis, ndim - 1)]
        turned = x if axis == ndim - 1 else t.op("Transpose", x, perm=order)
        x = t.op("MatMul", turned, matrix.astype(t.dtype))
        x = x if axis == ndim - 1 else t.op("Transpose", x, perm=back)
    return x


PADS = {
    mode: [getattr(pads, f"{kind}Pad{rank}d") for rank in (1, 2)]
    for kind, mode in (("Reflection", "reflect"), ("Replication", "replicate"), ("Circular", "circular"))
} | {"zeros": [getattr(pads, f"{kind}Pad{rank}d") for kind in ("Constant", "Zero") for rank in (1, 2)]}

EXPORTERS: dict[type, Exporter] = {
    conv.Conv1d: convolution,
    conv.Conv2d: convolution,
    conv.ConvTranspose1d: transposed,
    conv.ConvTranspose2d: transposed,
    fold.Unfold: unfold,
    fold.Fold: folded,
    **{link: pad(mode) for mode, links in PADS.items() for link in links},
    pool.MaxPool1d: max_pool,
    pool.MaxPool2d: max_pool,
    pool.AvgPool1d: average_pool,
    pool.AvgPool2d: average_pool,
    pool.AdaptiveAvgPool1d: adaptive_average,
    pool.AdaptiveAvgPool2d: adaptive_average,
    pool.AdaptiveMaxPool1d: adaptive_greatest,
    pool.AdaptiveMaxPool2d: adaptive_greatest,
    pool.MaxUnpool1d: unpool,
    pool.MaxUnpool2d: unpool,
    pixels.PixelShuffle: shuffle,
    pixels.PixelUnshuffle: unshuffle,
    up.Upsample: upsample,
    up.UpsamplingNearest2d: upsample,
    up.UpsamplingBilinear2d: upsample,
}
