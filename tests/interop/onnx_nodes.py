"""ONNX's own tests of each operator, as far as a network can mean them, and what from_onnx makes of them.

`python tests/interop/onnx_nodes.py` writes the table of docs/interop_onnx.md.
"""

import functools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests

from maillon.interop.onnx import OnnxError
from maillon.interop.onnx.importing import network_of
from maillon.interop.onnx.operators import CONVERTERS
from maillon.nesting import leaves

ALL_LIVE = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "Concat", "MatMul"}
"""The operators all of whose inputs are data; of the others the first one is, and the rest are weights or options."""
LIVE = {"Where": (1, 2), "LSTM": (0, 5, 6), "GRU": (0, 5), "RNN": (0, 5)}
OPTIONAL = {"LayerNormalization", "BatchNormalization", "Dropout", "MaxPool"}
"""Their outputs beyond the first are for others than the next link: statistics, masks, places."""


@dataclass(frozen=True)
class Case:
    """A test of one operator: the model, its inputs and what should come out."""

    name: str
    operator: str
    model: Any
    inputs: list[Any]
    outputs: list[Any]
    rtol: float
    atol: float


def not_meant(case: Case) -> str:
    """Why no network can mean the test; nothing where one can."""
    data = case.inputs[1] if case.operator == "Where" else case.inputs[0]
    if any(np.asarray(part).dtype not in (np.float32, np.float64) for part in (data, case.outputs[0])):
        return "it is not of float or double"
    if "training" in case.name and "zero_ratio" not in case.name:
        return "it is a step of training by ONNX itself"
    return ""


@functools.cache
def cases() -> list[Case]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = load_model_tests(kind="node")
    made = []
    for test in found:
        nodes = test.model.graph.node
        if "_expanded" in test.name or len(nodes) != 1 or nodes[0].domain:
            continue
        inputs, outputs = ([_array(part) for part in parts] for parts in test.data_sets[0])
        made.append(
            Case(test.name.removeprefix("test_"), nodes[0].op_type, test.model, inputs, outputs, test.rtol, test.atol)
        )
    return made


def _array(part: Any) -> Any:
    return onnx.numpy_helper.to_array(part) if isinstance(part, onnx.TensorProto) else part


def bound(case: Case) -> tuple[Any, list[Any]]:
    """The model with its weights and options as initializers, and the data that is left."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph, node = model.graph, model.graph.node[0]
    if case.operator == "Pow" and case.inputs[1].dtype.kind != "f":
        graph.initializer.append(onnx.numpy_helper.from_array(case.inputs[1], node.input[1]))
        del graph.input[1]
        return model, case.inputs[:1]
    live = range(len(node.input)) if case.operator in ALL_LIVE else LIVE.get(case.operator, (0,))
    names = {node.input[place] for place in live if place < len(node.input)}
    if all(value.name not in names for value in graph.input):
        names = {graph.input[0].name}
    data = []
    kept = []
    for value, array in zip(list(graph.input), case.inputs, strict=True):
        if value.name in names:
            data.append(array)
            kept.append(value)
        else:
            graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), value.name))
    del graph.input[:]
    graph.input.extend(kept)
    if case.operator in OPTIONAL:
        del graph.output[1:]
    return model, data


def outcome(case: Case) -> str:
    """Nothing where the network gives what ONNX expects; else what is wrong."""
    model, data = bound(case)
    try:
        network = network_of(model).eval()
    except OnnxError as error:
        return str(error)
    with np.errstate(all="ignore"):
        found = leaves(network(*data))
    expected = case.outputs[: len(found)]
    if len(found) != len(model.graph.output):
        return f"{len(found)} outputs"
    for got, wanted in zip(found, expected, strict=True):
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            return f"shape {got.shape} {got.dtype}, expected {wanted.shape} {wanted.dtype}"
        if not np.allclose(got, wanted, rtol=case.rtol, atol=case.atol, equal_nan=True):
            return f"values differ by {np.max(np.abs(got - wanted))}"
    return ""


if __name__ == "__main__":
    for case in cases():
        if case.operator in CONVERTERS and not not_meant(case):
            if text := outcome(case):
                print(case.operator, case.name, "|", text)
