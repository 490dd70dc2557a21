"""ONNX Runtime: the network as an ONNX model, for single samples."""

from collections.abc import Callable
from typing import Any

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from peers.workloads import POLICY, Array

VERSIONS = ("onnxruntime", "onnx")


def policy(_: dict[str, Any]) -> tuple[Callable[[int], None], Array]:
    """A session on one thread, asked for one row."""
    weights, nodes, name = [], [], "x"
    pairs = list(zip(POLICY.weights()[::2], POLICY.weights()[1::2], strict=True))
    for k, (weight, bias) in enumerate(pairs):
        weights += [numpy_helper.from_array(weight, f"w{k}"), numpy_helper.from_array(bias, f"b{k}")]
        nodes.append(helper.make_node("Gemm", [name, f"w{k}", f"b{k}"], [f"z{k}"], transB=1))
        name = f"z{k}"
        if k < len(pairs) - 1:
            nodes.append(helper.make_node("Tanh", [name], [f"h{k}"]))
            name = f"h{k}"
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, POLICY.sizes[0]])
    answered = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, POLICY.sizes[-1]])
    graph = helper.make_graph(nodes, "policy", [given], [answered], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x = POLICY.data()[0][:1]

    def loop(n: int) -> None:
        for _ in range(n):
            session.run(None, {"x": x})

    return loop, session.run(None, {"x": x})[0][0]
