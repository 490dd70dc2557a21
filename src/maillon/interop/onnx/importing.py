"""from_onnx: a network of maillon's links from a file of another program."""

import math
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from maillon import random
from maillon.interop.onnx.errors import OnnxError, onnx_package
from maillon.interop.onnx.model import MOST, opened, opset
from maillon.interop.onnx.operators import CONVERTERS, REFUSED
from maillon.interop.onnx.reader import Known, Live, Reader
from maillon.nn.containers import Sequential
from maillon.nn.graph import Graph
from maillon.nn.linear.linear import Identity
from maillon.nn.module import Module

OPEN = ((2, 3), (5, 7), (11, 13), (17, 19))
"""Two sizes for each dimension that a file leaves open, the batch first."""


def from_onnx(path: str | os.PathLike[str]) -> Module:
    """Read a network that trains on from an ONNX file, of opset 13 or later.

    Initializers of real numbers become Parameters, or buffers where a link has buffers (running statistics); what
    the file computes from constants and shapes is computed at once. The batch is open where the file allows it. As
    every new network the result is in training mode; `predict` and `eval()` put it into evaluation.

    Parameters
    ----------
    path : str or Path
        The file. Its external data, if any, lie in its folder.

    Returns
    -------
    Module
        A Sequential where each link takes what the one before it gives, else a Graph, whose inputs have the file's
        names.

    Raises
    ------
    OnnxError
        For a file that is no network of links that maillon has, naming the node and its operator.
    ImportError
        Without the package onnx.

    Examples
    --------
    >>> import maillon, tempfile
    >>> from maillon.interop.onnx import from_onnx, to_onnx
    >>> network = maillon.Sequential(maillon.Linear(4, 8), maillon.ReLU(), maillon.Linear(8, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_onnx(network, f"{folder}/network.onnx", input_shape=(4,))
    ...     from_onnx(f"{folder}/network.onnx")
    Sequential(
      Linear(4, 8),
      ReLU(),
      Linear(8, 2),
    )
    """
    with random.using(random.Generator(0)):  # what links draw when they are made is overwritten
        return network_of(opened(path))


def network_of(model: Any) -> Module:
    """The network of a checked model: with an open batch, or where that fails as large as the file says."""
    if _fixed_batch(model) is not None:
        try:
            return _network(model, open_batch=True)
        except OnnxError:
            pass
    return _network(model, open_batch=False)


def _fixed_batch(model: Any) -> int | None:
    """The first size of all inputs, where it is one number."""
    firsts = {_sizes(value)[0] if _sizes(value) else None for value in _inputs(model)}
    only = firsts.pop() if len(firsts) == 1 else None
    return only if isinstance(only, int) else None


def _network(model: Any, open_batch: bool) -> Module:
    onnx = onnx_package("from_onnx")
    reader = Reader(onnx, opset(model), CONVERTERS, REFUSED, declared_batch=_fixed_batch(model) if open_batch else None)
    for node in model.graph.node:
        for name in node.input:
            reader.users[name] = reader.users.get(name, 0) + 1
    for value in model.graph.output:
        reader.users[value.name] = reader.users.get(value.name, 0) + 1
    _read_initializers(reader, model)
    inputs = _read_inputs(reader, model, open_batch)
    for node in model.graph.node:
        reader.read(node)
    outputs = []
    for value in model.graph.output:
        found = reader.values.get(value.name)
        if not isinstance(found, Live):
            raise OnnxError(f"from_onnx: the output {value.name!r} does not depend on the data. What is it for?")
        outputs.append(found.source)
    return _built(reader, inputs, outputs)


def _inputs(model: Any) -> list[Any]:
    """The inputs without those that have a value in the file."""
    held = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in held]


def _read_initializers(reader: Reader, model: Any) -> None:
    for tensor in model.graph.initializer:
        try:
            array = np.array(reader.onnx.numpy_helper.to_array(tensor))
        except Exception as error:  # fewer bytes than its shape wants, say
            text = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            raise OnnxError(f"from_onnx: initializer {tensor.name!r} cannot be read: {text}.") from None
        kind = reader.onnx.TensorProto.DataType.Name(tensor.data_type)
        if array.dtype.kind not in "fiub" or (array.dtype.itemsize == 2 and array.dtype.kind == "f"):
            raise OnnxError(f"from_onnx: initializer {tensor.name!r}: expected float or double, got {kind}.")
        reader.values[tensor.name] = Known((array, array), tensor.name if array.dtype.kind == "f" else None)


def _sizes(value: Any) -> list[Any]:
    """An integer, or the name of what is open, for each dimension; nothing where the rank is open too."""
    if not value.type.tensor_type.HasField("shape"):
        return []
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else f"{dim.dim_param or i}" for i, dim in enumerate(dims)]


def _read_inputs(reader: Reader, model: Any, open_batch: bool) -> list[str]:
    """Each input for two sizes of what is open; returns their names as a Graph takes them."""
    pairs: dict[Any, tuple[int, int]] = {}
    names: list[str] = []
    for value in _inputs(model):
        kind = value.type.WhichOneof("value")
        element = value.type.tensor_type.elem_type if kind == "tensor_type" else 0
        shown = reader.onnx.TensorProto.DataType.Name(element)
        if shown not in ("FLOAT", "DOUBLE", "INT64", "INT32", "BOOL"):
            raise OnnxError(f"from_onnx: input {value.name!r}: expected numbers of float or double, got {shown}.")
        if not value.type.tensor_type.HasField("shape"):
            raise OnnxError(f"from_onnx: input {value.name!r}: expected a shape, with an open batch at most, got none.")
        sizes = _sizes(value)
        if open_batch:
            sizes[0] = "the batch"
        shapes = []
        for n in sizes:
            if isinstance(n, str) and n not in pairs:
                if len(pairs) == len(OPEN):
                    raise OnnxError(f"from_onnx: input {value.name!r}: expected an open batch, got the shape {sizes}.")
                pairs[n] = OPEN[len(pairs)]
            shapes.append(pairs[n] if isinstance(n, str) else (n, n))
        if math.prod(pair[1] for pair in shapes) > MOST:
            raise OnnxError(f"from_onnx: input {value.name!r}: its shape {sizes} is larger than {MOST} values.")
        dtype = reader.onnx.helper.tensor_dtype_to_np_dtype(element)
        one, other = (np.zeros([pair[place] for pair in shapes], dtype) for place in (0, 1))
        names.append(_input_name(value.name, names))
        reader.taken.add(names[-1])
        reader.values[value.name] = Live(names[-1], (one, other))
    if not names:
        raise OnnxError("from_onnx: expected a network with an input, got none.")
    return names


def _input_name(name: str, taken: Iterable[str]) -> str:
    """The file's name, without the dots that a Graph has another use for."""
    name = name.replace(".", "_") or "x"
    while name in taken:
        name += "_"
    return name


def _built(reader: Reader, inputs: list[str], outputs: list[str]) -> Module:
    """What leads to the outputs, as a chain where it is one."""
    needed = {source.split(".")[0] for source in outputs}
    for name, (_, sources) in reversed(reader.nodes.items()):
        if name in needed:
            needed.update(source.split(".")[0] for source in sources)
    idle = [name for name in inputs if name not in needed]
    if idle:
        raise OnnxError(f"from_onnx: no output depends on the input {idle[0]!r}. Export the network without it.")
    nodes = {name: node for name, node in reader.nodes.items() if name in needed}
    before = inputs[0]
    for name, (_, sources) in nodes.items():
        if sources != (before,):
            break
        before = name
    else:
        if len(inputs) == 1 and outputs == [before]:
            return Sequential(*(link for link, _ in nodes.values()))
    wired = {name: (link, *sources) for name, (link, sources) in nodes.items()}
    if not wired:
        wired = {"same": (Identity(), inputs[0])}
        outputs = ["same"] * len(outputs)
    return Graph(inputs, wired, outputs[0] if len(outputs) == 1 else outputs)
