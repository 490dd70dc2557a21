"""ONNX's own tests of each operator, as far as a network can mean them, and what from_onnx makes of them.

`python tests/interop/onnx_nodes.py` writes the table of docs/interop_onnx.md.
"""

import contextlib
import functools
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests

from maillon.interop.onnx import OnnxError
from maillon.interop.onnx.fold import FOLDED
from maillon.interop.onnx.importing import network_of
from maillon.interop.onnx.links.arithmetic import COMPARISONS
from maillon.interop.onnx.model import OLDEST
from maillon.interop.onnx.operators import CONVERTERS, NO_LINK, REFUSED
from maillon.nesting import leaves

PAGE = Path(__file__).resolve().parents[2] / "docs" / "interop_onnx.md"
BEGIN, END = "<!-- written by tests/interop/onnx_nodes.py -->", "<!-- until here -->"
ALL_LIVE = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "Concat", "MatMul", *COMPARISONS}
"""The operators all of whose inputs are data; of the others the first one is, and the rest are weights or options."""
LIVE = {"Where": (0, 1, 2), "LSTM": (0, 5, 6), "GRU": (0, 5), "RNN": (0, 5)}
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
    if any(value.type.WhichOneof("value") != "tensor_type" for value in case.model.graph.input):
        return "it is not of float or double"
    data = case.inputs[1] if case.operator == "Where" else case.inputs[0]
    kinds = (np.float32, np.float64)
    if np.asarray(data).dtype not in kinds or np.asarray(case.outputs[0]).dtype not in (*kinds, bool):
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
        if wanted.dtype == bool and not np.array_equal(got, wanted):
            return "conditions differ"
        if wanted.dtype != bool and not np.allclose(got, wanted, rtol=case.rtol, atol=case.atol, equal_nan=True):
            return f"values differ by {np.max(np.abs(got - wanted))}"
    return ""


# Versions: the tests are of the newest one, and most of them are valid in older ones too


def versions(operator: str) -> list[int]:
    """Those of the operator from opset 13 on."""
    found = set()
    for opset in range(OLDEST, onnx.defs.onnx_opset_version() + 1):
        with contextlib.suppress(onnx.defs.SchemaError):
            found.add(int(onnx.defs.get_schema(operator, opset, "").since_version))
    return sorted(found)


def at(case: Case, version: int) -> Case | None:
    """The same test in that version of the operator; None where it had no such option yet."""
    opset = max(version, OLDEST)
    if case.operator == "GroupNormalization" and version < 21:
        return None  # its weights were of groups, and the tests' are of channels
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    model.opset_import[0].version = opset
    node, inputs = model.graph.node[0], case.inputs
    options = {attribute.name: attribute for attribute in node.attribute}
    if case.operator.startswith("Reduce") and case.operator != "ReduceSum" and version < 18:
        if "noop_with_empty_axes" in options or (len(inputs) > 1 and not inputs[1].size):
            return None
        if len(inputs) > 1:  # the axes were an attribute
            node.attribute.append(onnx.helper.make_attribute("axes", inputs[1].tolist()))
            del node.input[1:], model.graph.input[1:]
            inputs = inputs[:1]
    if case.operator == "Split" and version < 18 and "num_outputs" in options:
        if len({part.shape for part in case.outputs}) > 1:
            return None
        node.attribute.remove(options["num_outputs"])
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError:
        return None
    return Case(case.name, case.operator, model, inputs, case.outputs, case.rtol, case.atol)


def counted(operator: str) -> dict[int, tuple[int, int]]:
    """Of each version the tests that passed, and how many there are."""
    meant = [case for case in cases() if case.operator == operator and not not_meant(case)]
    found = {}
    for version in versions(operator):
        there = [old for case in meant if (old := at(case, version)) is not None]
        found[version] = (sum(not outcome(case) for case in there), len(there))
    return found


def table() -> str:
    """What docs/interop_onnx.md says of from_onnx."""
    lines = ["| operator | versions: tests passed / of how many | left out |", "|---|---|---|"]
    total = [0, 0]
    for operator in sorted(CONVERTERS):
        passed = {version: pair for version, pair in counted(operator).items() if pair[1]}
        if not passed or any(one != other for one, other in passed.values()):
            continue
        total = [total[place] + passed[max(passed)][place] for place in (0, 1)]
        shown = ", ".join(f"{version}: {one}/{other}" for version, (one, other) in passed.items())
        reasons = Counter(why for case in cases() if case.operator == operator and (why := not_meant(case)))
        lines.append(f"| {operator} | {shown} | {', '.join(f'{n} {why}' for why, n in sorted(reasons.items()))} |")
    head = f"{len(lines) - 2} operators; of their newest versions {total[0]} of {total[1]} tests pass."
    return "\n".join([head, "", *lines, "", *refused()])


def refused() -> list[str]:
    """The other operators of ONNX, each with the reason."""
    known = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    by_reason: dict[str, list[str]] = {}
    for name in sorted(known - CONVERTERS.keys()):
        reason = REFUSED.get(name, NO_LINK)
        reason = "only constants and shapes go through it" if name in FOLDED and name not in REFUSED else reason
        by_reason.setdefault(reason, []).append(name)
    rows = [f"| {', '.join(names)} | {reason} |" for reason, names in sorted(by_reason.items())]
    return ["| refused where it meets the data | reason |", "|---|---|", *rows]


def main() -> None:
    """Write the table into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
