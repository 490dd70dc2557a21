"""A file of ONNX, read and looked through before anything is built of it."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from maillon.interop.onnx.errors import OnnxError, onnx_package

OLDEST = 13
MOST = 2**26
"""Values that a constant or a single output may have while a file is read: few bytes must not ask for all memory."""
DOMAINS = ("", "ai.onnx")


def opened(path: str | os.PathLike[str]) -> Any:
    """The model, whole and without functions of its own; OnnxError for what is none."""
    onnx = onnx_package("from_onnx")
    file = Path(path)
    data = _bytes(file)
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception as error:  # protobuf's own, which has no common name among its versions
        raise OnnxError(f"from_onnx: {_shown(file)} is no ONNX file, or is cut off: {_line(error)}") from None
    if not model.HasField("graph") or not model.opset_import:
        raise OnnxError(f"from_onnx: {_shown(file)} is no ONNX file, or is cut off: it holds no graph.")
    _check_texts(model.graph, file)
    if model.functions:
        model = _inlined(onnx, model, file)
    _check_versions(onnx, model)
    _check_tensors(onnx, model, file)
    _check_names(model.graph)
    try:
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for _, tensor in tensors(model)):
            onnx.external_data_helper.load_external_data_for_model(model, str(file.parent))
        onnx.checker.check_model(model)
    except Exception as error:  # the checker's, and whatever a lie about offsets leads to
        raise OnnxError(f"from_onnx: {_shown(file)} breaks the rules of ONNX: {_line(error)}") from None
    return model


def _bytes(file: Path) -> bytes:
    mode = file.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "folder" if stat.S_ISDIR(mode) else "device"
        raise OnnxError(f"from_onnx: expected path to be a file, got the {kind} {str(file)!r}.")
    return file.read_bytes()


def _shown(file: Path) -> str:
    return repr(file.name)


def _line(error: Exception) -> str:
    """The first line of the error's text, a sentence."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
    return text if text.endswith(".") else f"{text}."


def _check_texts(graph: Any, file: Path) -> None:
    """Protobuf gives bytes where a name is no UTF-8."""
    held = (*graph.initializer, *graph.input, *graph.output)
    names = [thing.name for thing in (*held, *graph.node)]
    for node in graph.node:
        names += [node.op_type, node.domain, *node.input, *node.output, *(entry.name for entry in node.attribute)]
    if any(isinstance(name, bytes) for name in names):
        raise OnnxError(f"from_onnx: {_shown(file)} is no ONNX file, or is damaged: it has names that are no UTF-8.")


def _inlined(onnx: Any, model: Any, file: Path) -> Any:
    try:
        from onnx import inliner

        return inliner.inline_local_functions(model)
    except Exception as error:
        raise OnnxError(f"from_onnx: the functions of {_shown(file)} cannot be resolved: {_line(error)}") from None


def title(node: Any) -> str:
    """What messages call a node: its name or that of its first output, and its operator."""
    name = node.name or next((name for name in node.output if name), "")
    return f"node {name!r} ({node.op_type})"


def _check_versions(onnx: Any, model: Any) -> None:
    """Operators of ONNX itself, of opset 13 or later."""
    for node in model.graph.node:
        if node.domain not in DOMAINS:
            raise OnnxError(
                f"from_onnx: {title(node)}: expected an operator of ONNX itself, got one of the domain "
                f"{node.domain!r}. Export the network without operators of its own."
            )
    newest = onnx.defs.onnx_opset_version()
    versions = [entry.version for entry in model.opset_import if entry.domain in DOMAINS]
    if len(versions) != 1 or not OLDEST <= versions[0] <= newest:
        got = versions[0] if len(versions) == 1 else versions or "none"
        raise OnnxError(
            f"from_onnx: expected operators of opset {OLDEST} to {newest}, got {got}. "
            "onnx.version_converter changes the version; a newer package onnx knows newer ones."
        )
    for node in model.graph.node:
        if not onnx.defs.has(node.op_type, "") or not _is_in(onnx, node.op_type, versions[0]):
            raise OnnxError(f"from_onnx: {title(node)}: opset {versions[0]} of ONNX has no such operator.")


def _is_in(onnx: Any, operator: str, version: int) -> bool:
    try:
        schema = onnx.defs.get_schema(operator, version, "")
    except onnx.defs.SchemaError:
        return False
    return not schema.deprecated


def opset(model: Any) -> int:
    """The version of the operators."""
    return next(int(entry.version) for entry in model.opset_import if entry.domain in DOMAINS)


def tensors(model: Any) -> Iterator[tuple[str, Any]]:
    """All that the file holds, each with what it is called; those of inner graphs too."""
    yield from _of_graph(model.graph)


def _of_graph(graph: Any) -> Iterator[tuple[str, Any]]:
    for tensor in graph.initializer:
        yield f"initializer {tensor.name!r}", tensor
    for node in graph.node:
        for attribute in node.attribute:
            for tensor in (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors):
                yield title(node), tensor
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _of_graph(inner)


def _check_tensors(onnx: Any, model: Any, file: Path) -> None:
    """No texts, and no data from outside the folder."""
    if model.graph.sparse_initializer:
        name = model.graph.sparse_initializer[0].values.name
        raise OnnxError(f"from_onnx: initializer {name!r}: expected dense numbers, got a sparse tensor.")
    for name, tensor in tensors(model):
        if tensor.data_type == onnx.TensorProto.STRING:
            raise OnnxError(f"from_onnx: {name}: expected numbers, got texts (a string tensor).")
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            places = [entry.value for entry in tensor.external_data if entry.key == "location"]
            _check_location(name, places[0] if places else "", file.parent)


def _check_location(name: str, location: str, folder: Path) -> None:
    """External data lies beside the file or below, after every link is followed."""
    target = folder / location
    inside = bool(location) and target.resolve().is_relative_to(folder.resolve())
    if not inside or Path(location).is_absolute():
        raise OnnxError(
            f"from_onnx: {name}: expected its data in the folder of the file, got the path {location!r}, which leads "
            "outside."
        )
    if not target.is_file():
        raise OnnxError(f"from_onnx: {name}: its data should be in {location!r} beside the file, which is not there.")


def _check_names(graph: Any) -> None:
    """Every input of a node is made before it."""
    known = {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input}
    made = _made(graph.node)
    for node in graph.node:
        for name in node.input:
            if name and name not in known:
                if name in made:
                    raise OnnxError(
                        f"from_onnx: {title(node)}: its input {name!r} is made after it. Put them in order."
                    )
                raise OnnxError(
                    f"from_onnx: {title(node)}: its input {name!r} is no input of the network, no initializer, and no "
                    "node makes it. The file is incomplete."
                )
        known.update(node.output)
    for value in graph.output:
        if value.name not in known:
            raise OnnxError(f"from_onnx: no node makes the output {value.name!r}. The file is incomplete.")


def _made(nodes: Iterable[Any]) -> set[str]:
    return {name for node in nodes for name in node.output}
