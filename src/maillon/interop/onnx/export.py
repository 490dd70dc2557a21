"""to_onnx: a network as a file that other programs run."""

import copy
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maillon.interop.onnx.errors import OnnxError
from maillon.interop.onnx.exporters import EXPORTERS, REFUSED
from maillon.interop.onnx.trace import BATCHES, OPSET, Trace, Value
from maillon.messages import got
from maillon.nesting import leaves, rebuilt
from maillon.nn.graph import Graph
from maillon.nn.loss import Loss
from maillon.nn.module import Module
from maillon.nn.support import arguments
from maillon.saving.files import replace_file
from maillon.typing import DTypeLike

IR_VERSION = 8
"""That of opset 18: a program that knows the opset reads the file."""
LARGEST = 2**31 - 1
"""Bytes that a protobuf message can have."""


def to_onnx(
    network: Module,
    path: str | os.PathLike[str],
    input_shape: Sequence[Any],
    *,
    batched: bool = True,
    input_dtype: DTypeLike | Sequence[Any] | None = None,
) -> None:
    """Write the network, as it is in evaluation, to an ONNX file of opset 18.

    The weights keep the network's dtype and their names (those of `state_dict`); a shared weight stands in the file
    once. The file is checked by `onnx.checker`, written beside `path` and then renamed: what stood there stays whole
    until the new file is.

    Parameters
    ----------
    network : Module
        Any network of maillon's links.
    path : str or Path
        The file, by habit one that ends in ".onnx".
    input_shape : sequence of int
        One sample's shape; the batch, of any size, comes before it. Where the batch comes later its place is None:
        (5, None, 3) for 5 steps of N samples with 3 features. For several inputs a list of shapes, nested as the
        network takes them, with None for an absent one, True or False for a flag.
    batched : bool
        False: the shape is the input's whole shape, and there is no batch.
    input_dtype : dtype, optional
        The dtype of the input, or a list of them, nested as `input_shape`. None: the network's dtype, int64 where an
        Embedding takes it.

    Raises
    ------
    OnnxError
        For a link that has no ONNX form, naming it and the reason.
    ImportError
        Without the package onnx.

    Examples
    --------
    >>> import maillon, tempfile
    >>> from maillon.interop.onnx import to_onnx
    >>> network = maillon.Sequential(maillon.Linear(4, 8), maillon.ReLU(), maillon.Linear(8, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_onnx(network, f"{folder}/network.onnx", input_shape=(4,))
    """
    if not isinstance(network, Module) or isinstance(network, Loss):
        raise TypeError(f"to_onnx: expected network to be a Module that is no loss, {got(network)}")
    network = copy.deepcopy(network).eval()
    trace = Trace(network, EXPORTERS, REFUSED)
    given = _inputs(trace, network, input_shape, arguments.flag("to_onnx", "batched", batched), input_dtype)
    output = trace.link("", network, *given)
    _write(trace, _model(trace, output), Path(path))


def _inputs(trace: Trace, network: Module, shapes: Any, batched: bool, dtypes: Any) -> tuple[Any, ...]:
    """Each input as a value of the graph, nested as the shapes."""
    several = arguments.is_sequence(shapes) and not _is_shape(shapes)
    listed = _as_tuples(shapes) if several else (_Shape(_checked(shapes)),)
    parts = leaves(listed)
    given = leaves(_as_tuples(dtypes)) if arguments.is_sequence(dtypes) else [dtypes] * len(parts)
    if len(given) != len(parts):
        raise ValueError(f"to_onnx: expected input_dtype nested as input_shape, got {len(given)} for {len(parts)}.")
    names = _names(network, len([part for part in parts if isinstance(part, _Shape)]))
    held = [parameter.dtype for parameter in network.parameters()] + [buffer.dtype for buffer in network.buffers()]
    floating = [dtype for dtype in (*held, *(np.dtype(d) for d in given if d is not None)) if dtype.kind == "f"]
    trace.dtype = floating[0] if floating else network.dtype
    values = []
    for part, dtype in zip(parts, given, strict=True):
        if not isinstance(part, _Shape):
            values.append(part)
            continue
        kind = trace.dtype if dtype is None else np.dtype(dtype)
        one, other = (np.zeros(part.sized(batch, batched), kind) for batch in BATCHES)
        values.append(trace.input(next(names), (one, other)))
    nested: tuple[Any, ...] = rebuilt(listed, iter(values))
    return nested


class _Shape:
    """A shape among the inputs, so that it is no tuple of inputs."""

    def __init__(self, sizes: tuple[int | None, ...]) -> None:
        self.sizes = sizes

    def sized(self, batch: int, batched: bool) -> tuple[int, ...]:
        """The shape for a batch of this size."""
        sizes = (None, *self.sizes) if batched and None not in self.sizes else self.sizes
        return tuple(batch if n is None else n for n in sizes)


def _is_shape(shape: Any) -> bool:
    """Sizes and None; a list that begins with None and holds shapes is no shape."""
    return all(n is None or arguments.is_integer(n) for n in shape) and (not shape or any(n is not None for n in shape))


def _checked(shape: Any) -> tuple[int | None, ...]:
    if not arguments.is_sequence(shape) or not _is_shape(shape) or any(n is not None and n < 0 for n in shape):
        raise ValueError(
            f"to_onnx: expected input_shape to be one sample's shape, such as (784,) or (1, 28, 28), {got(shape)}"
        )
    return tuple(None if n is None else int(n) for n in shape)


def _as_tuples(shapes: Any) -> Any:
    """Nested tuples, whose leaves are shapes (dtypes), None and flags."""
    if not arguments.is_sequence(shapes):
        return shapes
    if shapes and _is_shape(shapes):
        return _Shape(_checked(shapes))
    return _Shape(()) if not shapes else tuple(_as_tuples(part) for part in shapes)


def _names(network: Module, count: int) -> Iterator[str]:
    """Those of a Graph; else x, or x0, x1, …"""
    if isinstance(network, Graph) and len(network.inputs) == count:
        return iter(network.inputs)
    return iter(["x"] if count == 1 else [f"x{place}" for place in range(count)])


# The file


def _model(trace: Trace, output: Any) -> Any:
    """The whole as ONNX has it."""
    import maillon

    helper = trace.onnx.helper
    outputs = _outputs(trace, [leaf for leaf in leaves(output) if leaf is not None])
    nodes = _needed(trace.nodes, [value.name for value in outputs])
    used = {name for node in nodes for name in node.input}
    weights = [trace.onnx.numpy_helper.from_array(_plain(w), name) for name, w in trace.weights.items() if name in used]
    inputs = [_described(trace, value) for value in trace.inputs.values()]
    graph = helper.make_graph(nodes, "maillon", inputs, [_described(trace, v) for v in outputs], weights)
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(
        graph,
        opset_imports=opsets,
        ir_version=IR_VERSION,
        producer_name="maillon",
        producer_version=maillon.__version__,
    )


def _plain(array: Any) -> Any:
    return np.ascontiguousarray(array).reshape(array.shape)


def _outputs(trace: Trace, values: Sequence[Value]) -> list[Value]:
    """Each under a name of its own, y or y0, y1, …: an input may be an output too."""
    names = ["y"] if len(values) == 1 else [f"y{place}" for place in range(len(values))]
    taken = {name for node in trace.nodes for name in node.output} | trace.inputs.keys() | trace.weights.keys()
    made = []
    for name, value in zip(names, values, strict=True):
        while name in taken:
            name += "_"  # noqa: PLW2901
        node = trace.onnx.helper.make_node("Identity", [value.name], [name], name=name)
        trace.nodes.append(node)
        made.append(Value(name, value.samples))
    return made


def _needed(nodes: Iterable[Any], wanted: Iterable[str]) -> list[Any]:
    """The nodes that an output depends on, in their order."""
    names, kept = set(wanted), []
    for node in reversed(list(nodes)):
        if names.intersection(node.output):
            kept.append(node)
            names.update(node.input)
    return kept[::-1]


def _described(trace: Trace, value: Value) -> Any:
    """Name, dtype and shape; what the batch decides by a name: N, or 6N for six times as many."""
    helper = trace.onnx.helper
    sizes: list[Any] = list(value.shape)
    for axis, n in enumerate(sizes):
        if n is None:
            one, other = (sample.shape[axis] for sample in value.samples)
            times, rest = divmod(one, BATCHES[0])
            whole = not rest and times * BATCHES[1] == other
            sizes[axis] = f"{times if times > 1 else ''}N" if whole else f"{value.name}_{axis}"
    return helper.make_tensor_value_info(value.name, helper.np_dtype_to_tensor_dtype(value.dtype), sizes)


def _write(trace: Trace, model: Any, path: Path) -> None:
    size = model.ByteSize()
    if size > LARGEST:
        raise OnnxError(
            f"to_onnx: expected a network of at most {LARGEST} bytes, got {size}. A file of ONNX holds no more; save "
            "the weights with maillon's own format."
        )
    trace.onnx.checker.check_model(model, full_check=True)
    replace_file(path, model.SerializeToString(deterministic=True), "to_onnx")
