"""What depends on constants and shapes alone is computed at once, by ONNX's own reference."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from maillon.interop.onnx.reader import Node, Reader

FOLDED = frozenset(
    """
    Abs Add And Cast CastLike Ceil Clip Concat Constant ConstantOfShape Cos CumSum DequantizeLinear Div Equal Exp Expand
    EyeLike Flatten Floor Gather GatherElements GatherND Greater GreaterOrEqual Identity Less LessOrEqual Log MatMul Max
    Min Mod Mul Neg NonZero Not OneHot Or Pad Pow Range Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    Reshape Round ScatterElements ScatterND Shape Sign Sin Size Slice Split Sqrt Squeeze Sub Tile Transpose Trilu
    Unsqueeze Where
    """.split()  # noqa: SIM905 - so many words are read easier so
)
"""The operators that may be computed while a file is read: none that draws, loops, or says what a network does."""
LAYOUTS = ("Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten")
"""A weight seen through one of these is still that weight."""


def evaluated(reader: "Reader", node: "Node", also: str = "") -> Any:
    """The outputs of the node, for both batches; also: one more operator that may be computed."""
    from maillon.interop.onnx.reader import Known

    if node.operator not in FOLDED and node.operator != also:
        raise node.refusal(reader.refused.get(node.operator, "it has no input that depends on the data"))
    pairs: list[Any] = []
    for place in (0, 1):
        given = [None if value is None else value.samples[place] for value in node.inputs]
        _check_size(node, given)
        pairs.append(_run(reader, node, given))
        if place == 0 and all(isinstance(value, Known) and value.is_constant for value in node.inputs if value):
            pairs.append(pairs[0])
            break
    found = tuple(Known(pair) for pair in zip(*pairs, strict=True))
    source = node.inputs[0] if node.inputs else None
    if node.operator in LAYOUTS and isinstance(source, Known) and source.name is not None:
        tag = "" if node.operator == "Identity" else f"{source.tag}:{node.operator}{node.attributes}"
        found[0].name, found[0].tag = source.name, tag
    return found


def _check_size(node: "Node", given: list[Any]) -> None:
    """A few bytes of a file must not ask for all memory."""
    wanted = 0
    if node.operator in ("ConstantOfShape", "Expand"):
        wanted = math.prod(int(n) for n in given[-1].reshape(-1))
    elif node.operator == "Tile":
        wanted = given[0].size * math.prod(int(n) for n in given[1].reshape(-1))
    elif node.operator == "Range":
        start, limit, delta = (float(np.reshape(part, -1)[0]) for part in given)
        wanted = math.ceil(abs(limit - start) / abs(delta)) if delta else 0
    elif node.operator == "OneHot":
        wanted = given[0].size * int(np.reshape(given[1], -1)[0])
    elif node.operator == "Pad":
        wanted = math.prod(n + 2 * int(np.max(np.abs(given[1]), initial=0)) for n in given[0].shape)
    elif node.operator in ("Add", "Sub", "Mul", "Div", "Pow", "Where", "Max", "Min", "MatMul"):
        wanted = math.prod(
            max(part.shape[::-1][axis] if axis < part.ndim else 1 for part in given) for axis in range(8)
        )
    node.room(wanted)


def _run(reader: "Reader", node: "Node", given: list[Any]) -> list["Any"]:
    onnx = reader.onnx
    from onnx.reference import ReferenceEvaluator

    helper = onnx.helper
    proto = onnx.NodeProto()
    proto.CopyFrom(node.proto)
    named = {name: value for name, value in zip(proto.input, given, strict=True) if value is not None}
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in named.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in proto.output if name]
    graph = helper.make_graph([proto], "fold", infos, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", reader.opset)])
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(model).run(None, named)
    except Exception as error:  # whatever the reference raises for inputs that make no sense
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise node.refusal(f"it cannot be computed: {text.rstrip('.')}") from None
    computed = iter(results)
    return [np.asarray(next(computed)) if name else None for name in proto.output]
