"""Options that no row of the catalogue and no test of ONNX has: written, read, or refused."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from test_onnx_export import assert_as_in_onnxruntime
from test_onnx_import import model_of, saved

import maillon as M
from maillon.interop.onnx import OnnxError, from_onnx, to_onnx


def normal(*shape: int) -> Any:
    return M.random.Generator(sum(shape)).normal(shape, dtype="float64").astype(np.float32)


WRITTEN: list[tuple[M.Module, tuple[int, ...], dict[str, Any]]] = [
    (M.CELU(-1.5), (4,), {}),
    (M.Hardshrink(-1.0), (4,), {}),
    (M.PReLU(), (), {"batched": False}),
    (M.Flatten(0), (), {"batched": False}),
    (M.Softmax(0), (), {"batched": False}),
    (M.ConvTranspose2d(2, 3, 3, stride=1, dilation=2, output_padding=1), (2, 4, 4), {}),
    (M.ConvTranspose1d(2, 3, 3, dilation=2, output_padding=1, bias=False), (2, 4), {}),
    (M.Conv2d(2, 3, 2, padding="valid"), (2, 4, 4), {}),
    (M.AvgPool2d(3, 2, ceil_mode=True, divisor_override=5), (2, 6, 6), {}),
    (M.PairwiseDistance(0.0), (3,), {}),
    (M.PairwiseDistance(-math.inf), (3,), {}),
    (M.Sequential(M.Dropout(0.5), M.Dropout(1.0), M.Identity()), (3,), {}),
    (M.ReflectionPad2d(0), (2, 3, 3), {}),
    (M.Residual(M.Sequential(M.Linear(4, 4), M.ReLU())), (4,), {}),
]


@pytest.mark.parametrize(("link", "shape", "options"), WRITTEN, ids=lambda value: repr(value)[:40])
def test_an_option_is_written(link: M.Module, shape: tuple[int, ...], options: dict[str, Any], tmp_path: Path) -> None:
    pair = isinstance(link, M.PairwiseDistance)
    to_onnx(link, tmp_path / "a.onnx", [shape, shape] if pair else shape, **options)
    whole = shape if options else (5, *shape)
    inputs = (normal(*whole), normal(*whole) + 1) if pair else (normal(*whole),)
    assert_as_in_onnxruntime(link.eval(), inputs, tmp_path / "a.onnx", 1e-5)


def test_rows_that_are_too_long_are_written_short(tmp_path: Path) -> None:
    link = M.Embedding(5, 3, max_norm=0.5)
    to_onnx(link, tmp_path / "a.onnx", (2,))
    assert (np.linalg.norm(link.weight.data, axis=1) > 0.5).all()
    assert_as_in_onnxruntime(link, (np.array([[0, 1], [4, 2]]),), tmp_path / "a.onnx", 1e-5)


def test_a_causal_mask_that_is_only_a_hint(tmp_path: Path) -> None:
    link = M.MultiheadAttention(4, 2, batch_first=True)
    mask = (3, 3)
    shapes = [(None, 3, 4), (None, 3, 4), (None, 3, 4), None, False, mask, True, True]
    to_onnx(link, tmp_path / "a.onnx", shapes, batched=False, input_dtype=[None] * 5 + ["bool", None, None])
    x = normal(2, 3, 4)
    expected, _ = link(x, x, x, None, False, ~np.tri(3, 3, dtype=bool), True, True)
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    got = session.run(None, dict(zip(names, (x, x, x, np.zeros((3, 3), bool)), strict=True)))[0]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)


def node(operator: str, *inputs: str, **attributes: Any) -> Any:
    return helper.make_node(operator, ["x", *inputs], ["y"], name="n", **attributes)


W = np.arange(6, dtype=np.float32).reshape(3, 2)
READ: list[tuple[Any, dict[str, Any], tuple[int, ...]]] = [
    (node("Gemm", "w", transA=1), {"w": W}, (3, 5)),
    (node("Gemm", "x", transB=1, alpha=2.0), {}, (4, 3)),
    (node("Gemm", "w", "x", beta=0.5), {"w": np.eye(3, dtype=np.float32)}, (4, 3)),
    (node("MatMul", "w"), {"w": normal(2, 3, 4)}, (2, 5, 3)),
    (node("Selu", alpha=2.0, gamma=0.5), {}, (4, 3)),
    (node("PRelu", "x"), {}, (4, 3)),
    (node("PRelu", "s"), {"s": normal(4, 3)}, (4, 3)),
    (node("Clip"), {}, (4, 3)),
    (node("GlobalMaxPool"), {}, (2, 2, 3, 3, 3)),
    (node("MaxPool", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1]), {}, (2, 2, 5, 5)),
    (node("Conv", "w", auto_pad="SAME_LOWER"), {"w": normal(3, 2, 2, 2)}, (2, 2, 5, 5)),
    (node("Conv", "w", auto_pad="VALID"), {"w": normal(3, 2, 2, 2)}, (2, 2, 5, 5)),
    (node("Conv", "w", pads=[0, 0, 0, 1, 1, 1]), {"w": normal(3, 2, 2, 2, 2)}, (2, 2, 3, 3, 3)),
    (node("Pad", "p", mode="reflect"), {"p": np.array([0, 0, 1, 2, 0, 0, 2, 1])}, (2, 2, 4, 4)),
    (node("Pad", "p", mode="edge"), {"p": np.array([1, 0, 0, 1])}, (2, 3)),
    (node("Expand", "s"), {"s": np.array([1, 3])}, (4, 3)),
    (node("LpNormalization", axis=0, p=1), {}, (4, 3)),
    (node("Mean", "x", "x"), {}, (4, 3)),
    (node("Sub", "z"), {"z": np.zeros(1, np.float32)}, (4, 3)),
    (node("Max", "s"), {"s": np.zeros((), np.float32)}, (4, 3)),
    (node("ReduceMax", "a", noop_with_empty_axes=1), {"a": np.array([], np.int64)}, (4, 3)),
]


@pytest.mark.parametrize(("one", "weights", "shape"), READ, ids=lambda value: getattr(value, "op_type", ""))
def test_an_option_is_read(one: Any, weights: dict[str, Any], shape: tuple[int, ...], tmp_path: Path) -> None:
    """As onnxruntime computes it."""
    path = saved(model_of(one, weights=weights, shape=shape), tmp_path)
    assert_as_in_onnxruntime(from_onnx(path).eval(), (normal(*shape),), path, 1e-5)


def test_a_swish_of_another_slope_is_read(tmp_path: Path) -> None:
    model = model_of(node("Swish", alpha=2.0), opset=24)
    (expected,) = ReferenceEvaluator(model).run(None, {"x": normal(4, 3)})
    np.testing.assert_allclose(from_onnx(saved(model, tmp_path))(normal(4, 3)), expected, rtol=0, atol=1e-6)


RECURRENT = {"w": normal(1, 16, 3), "r": normal(1, 16, 4)}
REFUSED: list[tuple[Any, dict[str, Any], Any, str]] = [
    (
        node("Shrink", lambd=0.5, bias=0.2),
        {},
        (4, 3),
        "bias=0.2 is not supported: it must be 0 (Hardshrink) or lambd=0.5 (So",
    ),
    (
        node("LRN", size=4),
        {},
        (2, 4, 3, 3),
        "size=4 is not supported: of an even window ONNX and maillon have other ends",
    ),
    (
        node("BatchNormalization", *"sbmv"),
        dict.fromkeys("sbmv", W[:2, 0]),
        (1, 2, 2, 2, 2),
        "expected 2 to 4 dimensions, got 5",
    ),
    (
        node("InstanceNormalization", *"sb"),
        dict.fromkeys("sb", W[:2, 0]),
        (1, 2, 2, 2, 2),
        "expected 3 or 4 dimensions, got",
    ),
    (node("LayerNormalization", "s", axis=0), {"s": W}, ("N", 3), "it normalises over the batch"),
    (node("LayerNormalization", "s"), {"s": W[0, :1]}, ("N", 3), "expected input 1 of shape (3,), got (1,)"),
    (
        node("LSTM", "w", "r", hidden_size=4, clip=1.0),
        RECURRENT,
        (5, "N", 3),
        "clip=1.0 is not supported: maillon has no link",
    ),
    (
        node("LSTM", "w", "r", hidden_size=4, activations=["Relu"] * 3),
        RECURRENT,
        (5, "N", 3),
        "activations=['relu', 'relu', ",
    ),
    (
        node("RNN", "w", "r", hidden_size=4, activations=["Elu"]),
        RECURRENT,
        (5, "N", 3),
        "activations=['elu'] is not supported: ",
    ),
    (
        node("Conv", "w"),
        {"w": normal(1, 1, 2, 2, 2, 2)},
        (1, 1, 3, 3, 3, 3),
        "expected 1 or 2 or 3 dimensions of space, got 4",
    ),
    (
        node("Conv", "w", auto_pad="SAME_UPPER"),
        {"w": normal(1, 1, 2)},
        (1, 1, "L"),
        "the sizes of its images are open: export",
    ),
    (node("Conv", "x"), {}, ("N", 1, 3, 3), "its input 1 must be a constant, and depends on the data"),
    (node("DepthToSpace", blocksize=2), {}, ("N", 4, 2), "expected images (N, C, H, W), got 3 dimensions"),
    (node("Resize", "", "s"), {"s": np.array([2, 1], np.float32)}, ("N", 3), "it resizes the batch"),
    (node("Split", axis=0, num_outputs=1), {}, ("N", 3), "it cuts the batch"),
    (node("Reshape", "s"), {"s": np.array([-1])}, ("N", "L", 3), ""),
    (node("Cast", to=10), {}, ("N", 3), "expected float or double to come out, got float16"),
    (node("Add", "w"), {"w": np.ones(3)}, ("N", 3), "expected both of one dtype, got float32 and float64"),
    (node("Max", "w"), {"w": W[:, 0]}, ("N", 3), ""),
    (
        node("Gather", "i", axis=1),
        {"i": np.array([5])},
        ("N", 3),
        "what it says makes no link: index 5 is out of bounds",
    ),
    (
        node("Softmax", axis=3),
        {},
        ("N", 3),
        "its input does not fit: Softmax(dim=3): expected x with a dimension 3, got shape",
    ),
]


@pytest.mark.parametrize(
    ("one", "weights", "shape", "message"), REFUSED, ids=lambda value: getattr(value, "op_type", "")
)
def test_an_option_is_refused(one: Any, weights: dict[str, Any], shape: Any, message: str, tmp_path: Path) -> None:
    path = saved(model_of(one, weights=weights, shape=shape), tmp_path)
    if not message:
        assert from_onnx(path) is not None
        return
    with pytest.raises(OnnxError) as raised:
        from_onnx(path)
    assert message in str(raised.value)


FOLDS: list[tuple[list[Any], dict[str, Any]]] = [
    ([helper.make_node(name, ["n"], ["c"], name="big") for name in ("ConstantOfShape",)], {"n": np.array([2**40])}),
    ([helper.make_node("Tile", ["t", "n"], ["c"], name="big")], {"t": np.ones(4, np.float32), "n": np.array([2**40])}),
    (
        [helper.make_node("Range", ["a", "n", "b"], ["c"], name="big")],
        {"a": np.array(0), "n": np.array(2**40), "b": np.array(1)},
    ),
    (
        [helper.make_node("OneHot", ["a", "n", "v"], ["c"], name="big")],
        {"a": np.array([0]), "n": np.array(2**40), "v": np.array([0.0, 1.0])},
    ),
    (
        [helper.make_node("Pad", ["t", "n"], ["c"], name="big")],
        {"t": np.ones(4, np.float32), "n": np.array([0, 2**40])},
    ),
    (
        [helper.make_node("Add", ["a", "b"], ["c"], name="big")],
        {"a": np.ones((2**14, 1), np.float32), "b": np.ones((1, 2**14), np.float32)},
    ),
]


@pytest.mark.parametrize(
    ("nodes", "weights"), FOLDS, ids=lambda value: value[0].op_type if isinstance(value, list) else ""
)
def test_a_few_bytes_do_not_ask_for_all_memory(nodes: list[Any], weights: dict[str, Any], tmp_path: Path) -> None:
    add = helper.make_node("Identity", ["x"], ["y"])
    with pytest.raises(
        OnnxError, match=r"^from_onnx: node 'big' \(\w+\): it asks for \d+ values, more than the 67108864"
    ):
        from_onnx(saved(model_of(*nodes, add, weights=weights), tmp_path))


def test_what_cannot_be_computed_is_told(tmp_path: Path) -> None:
    nodes = [helper.make_node("Gather", ["t", "i"], ["c"], name="part"), helper.make_node("Identity", ["x"], ["y"])]
    weights = {"t": np.ones(4, np.float32), "i": np.array([9])}
    with pytest.raises(OnnxError, match=r"^from_onnx: node 'part' \(Gather\): it cannot be computed: "):
        from_onnx(saved(model_of(*nodes, weights=weights), tmp_path))


def test_what_draws_is_not_computed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("RandomNormal", [], ["c"], name="draw", shape=[3]),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    with pytest.raises(OnnxError) as raised:
        from_onnx(saved(model_of(*nodes), tmp_path))
    reason = "it draws numbers, where a network's mode and generator should"
    assert str(raised.value) == f"from_onnx: node 'draw' (RandomNormal): {reason}."


def test_a_network_that_does_nothing(tmp_path: Path) -> None:
    link = from_onnx(saved(model_of(helper.make_node("Identity", ["x"], ["y"])), tmp_path))
    np.testing.assert_array_equal(link(np.ones((2, 3), np.float32)), np.ones((2, 3)))


def test_names_with_dots_are_names_of_a_graph(tmp_path: Path) -> None:
    model = model_of(helper.make_node("Add", ["x", "x"], ["y"], name="/block.0/add"))
    model.graph.input[0].name = "in.put"
    model.graph.node[0].input[:] = ["in.put", "in.put"]
    link = from_onnx(saved(model, tmp_path))
    assert isinstance(link, M.Graph)
    assert link.inputs == ("in_put",)
    assert link.sources == {"block_0_add": ("in_put", "in_put")}


def test_an_initializer_that_is_also_an_input_is_a_weight(tmp_path: Path) -> None:
    """As old exporters list them."""
    model = model_of(helper.make_node("MatMul", ["x", "w"], ["y"]), weights={"w": np.eye(3, dtype=np.float32)})
    model.graph.input.append(helper.make_tensor_value_info("w", 1, (3, 3)))
    assert repr(from_onnx(saved(model, tmp_path))) == "Sequential(\n  Linear(3, 3, bias=False),\n)"


def test_sparse_weights_are_refused(tmp_path: Path) -> None:
    model = model_of(helper.make_node("Relu", ["x"], ["y"]))
    values, places = numpy_helper.from_array(np.ones(1, np.float32), "s"), numpy_helper.from_array(np.array([0]), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [3]))
    with pytest.raises(OnnxError) as raised:
        from_onnx(saved(model, tmp_path))
    assert str(raised.value) == "from_onnx: initializer 's': expected dense numbers, got a sparse tensor."
