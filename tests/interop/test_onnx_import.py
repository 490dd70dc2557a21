"""from_onnx: what to_onnx has written, networks that train on, and files that are none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from catalogue import Row
from onnx import TensorProto, helper, numpy_helper
from test_onnx_export import EXPORTED, arrays_of, assert_as_in_onnxruntime, export, network

import maillon as M
from maillon.interop.onnx import OnnxError, from_onnx, to_onnx
from maillon.nesting import leaves

NO_DERIVATIVE = "its output has no derivative: no link before it could learn."
EXTRA_KEYS = next(row.name for row in EXPORTED if "add_bias_kv" in row.name)
UNREAD = {
    "MaxPool1d 3 stride=2 padding=1 dilation=2 return_indices=True ceil_mode=True": "maillon's link does not give it.",
    "MaxPool2d 3 stride=2 padding=1 return_indices=True": "maillon's link does not give it.",
    "AdaptiveMaxPool1d 3 return_indices=True": f"(ArgMax): {NO_DERIVATIVE}",
    "AdaptiveMaxPool2d (None, 8) return_indices=True": f"(ArgMax): {NO_DERIVATIVE}",
    "MaxUnpool1d 2": "expected numbers of float or double as input 0, got int64.",
    "MaxUnpool1d 3 2 1": "expected numbers of float or double as input 0, got int64.",
    "MaxUnpool2d 2": "expected numbers of float or double as input 0, got int64.",
    "MaxUnpool2d (3, 2) (2, 1)": "expected numbers of float or double as input 0, got int64.",
    EXTRA_KEYS: "(Concat): its input 1 does not depend on the data, which maillon has no link for.",
    "LastStep": "no output depends on the input 'x0'. Export the network without it.",
    "LastStep of an LSTM in both directions": "no output depends on the input 'x0'. Export the network without it.",
    "EveryStep": "no output depends on the input 'x1'. Export the network without it.",
}
"""The rows that are written and not read again, with the end of the reason."""


def same(one: Any, other: Any, tolerance: float = 1e-6) -> None:
    for part, expected in zip(leaves(one), [leaf for leaf in leaves(other) if leaf is not None], strict=True):
        np.testing.assert_allclose(part, expected, rtol=0, atol=tolerance * max(1, np.max(np.abs(expected))))


READ = [row for row in EXPORTED if row.name not in UNREAD]


@pytest.mark.parametrize("row", READ, ids=lambda row: row.name)
def test_what_was_written_is_read_again(row: Row, tmp_path: Path) -> None:
    link = export(row, "float32", tmp_path / "link.onnx")
    inputs = row.inputs("float32")
    same(from_onnx(tmp_path / "link.onnx").eval()(*arrays_of(inputs)), link(*inputs))


@pytest.mark.parametrize("row", [row for row in EXPORTED if row.name in UNREAD], ids=lambda row: row.name)
def test_what_is_not_read_again_says_why(row: Row, tmp_path: Path) -> None:
    export(row, "float32", tmp_path / "link.onnx")
    with pytest.raises(OnnxError) as raised:
        from_onnx(tmp_path / "link.onnx")
    assert str(raised.value).endswith(UNREAD[row.name])


def test_most_are_read_again() -> None:
    assert len(READ) == 262


# Training on


def classes(count: int, *shape: int) -> tuple[Any, Any]:
    """Images (or sequences) of two classes, which differ in their mean."""
    generator = M.random.Generator(3)
    y = generator.randint(0, 2, (count,))
    x = generator.normal((count, *shape)) + (2 * y - 1).reshape(-1, *(1,) * len(shape)).astype(np.float32) / 4
    return x.astype(np.float32), y


def convolutional() -> M.Sequential:
    return M.Sequential(
        *(M.Conv2d(1, 4, 3, padding=1), M.BatchNorm2d(4), M.ReLU(), M.MaxPool2d(2), M.Dropout(0.2)),
        *(M.Flatten(), M.Linear(4 * 16, 8), M.Tanh(), M.Linear(8, 2)),
    )


def recurrent() -> M.Sequential:
    return M.Sequential(M.LSTM(3, 6, batch_first=True, bidirectional=True), M.LastStep(), M.Linear(12, 2))


@pytest.mark.parametrize(("made", "shape"), [(convolutional, (1, 8, 8)), (recurrent, (5, 3))], ids=["cnn", "lstm"])
def test_a_trained_network_there_and_back_trains_on(
    made: Callable[[], M.Module], shape: tuple[int, ...], tmp_path: Path
) -> None:
    link, path = made(), tmp_path / "network.onnx"
    x, y = classes(256, *shape)
    loss = M.CrossEntropyLoss()
    before = M.fit(link, loss, x, y, rule=M.Adam(lr=0.003), epochs=3, engine="numpy")
    to_onnx(link, path, shape)
    again = from_onnx(path)
    assert repr(again) == repr(link)
    assert all(module.training for module in again.modules())
    same(M.predict(again, x), M.predict(link, x))
    assert_as_in_onnxruntime(again.eval(), (x[:7],), path, 1e-5)
    again.train()
    after = M.fit(again, loss, x, y, rule=M.Adam(lr=0.003), epochs=3, engine="numpy")
    losses = [*before["loss"], *after["loss"]]
    assert losses == sorted(losses, reverse=True)
    to_onnx(again, path, shape)
    same(M.predict(from_onnx(path), x), M.predict(again, x))


def test_layers_of_a_recurrent_network_are_read_as_links_of_one_layer(tmp_path: Path) -> None:
    link = M.Sequential(M.GRU(3, 4, num_layers=2, batch_first=True, dropout=0.3), M.LastStep(), M.Linear(4, 1))
    to_onnx(link, tmp_path / "a.onnx", (5, 3))
    again = from_onnx(tmp_path / "a.onnx")
    assert [repr(child) for child in again.children()] == [
        *("GRU(3, 4, batch_first=True)", "EveryStep()", "Dropout(0.3)"),
        *("GRU(4, 4, batch_first=True)", "LastStep()", "Linear(4, 1)"),
    ]
    x = M.random.Generator(0).normal((6, 5, 3))
    same(again.eval()(x), link.eval()(x))


def test_a_shared_weight_stays_shared(tmp_path: Path) -> None:
    first = M.Linear(3, 3)
    to_onnx(M.Sequential(first, M.Tanh(), first.share()), tmp_path / "a.onnx", (3,))
    again = from_onnx(tmp_path / "a.onnx")
    assert len(list(again.parameters())) == 2
    assert again[0].weight is again[2].weight  # type: ignore[index]


def test_a_graph_keeps_its_inputs_and_outputs(tmp_path: Path) -> None:
    nodes = {"a": (M.Linear(3, 4), "left"), "b": (M.Linear(2, 4), "right"), "y": (M.Add(), "a", "b")}
    link = M.Graph(["left", "right"], nodes, ["y", "a"])
    to_onnx(link, tmp_path / "a.onnx", [(3,), (2,)])
    again = from_onnx(tmp_path / "a.onnx")
    assert isinstance(again, M.Graph)
    assert again.inputs == ("left", "right")
    x = {"left": np.ones((5, 3), np.float32), "right": np.ones((5, 2), np.float32)}
    same(again(**x), link(**x))


def test_float64_stays_float64(tmp_path: Path) -> None:
    link = M.Sequential(M.Linear(3, 4), M.GELU(), M.LayerNorm(4)).to("float64")
    to_onnx(link, tmp_path / "a.onnx", (3,))
    again = from_onnx(tmp_path / "a.onnx")
    x = M.random.Generator(0).normal((5, 3), dtype="float64")
    assert again.dtype == np.float64
    same(again(x), link(x), 1e-12)


def test_the_generator_does_not_move(tmp_path: Path) -> None:
    to_onnx(network(), tmp_path / "a.onnx", (1, 4, 4))
    before = M.random.default_generator().get_state()
    from_onnx(tmp_path / "a.onnx")
    assert np.array_equal(M.random.default_generator().get_state(), before)


# Files made by hand

FLOAT = TensorProto.FLOAT


def model_of(
    *nodes: Any, weights: dict[str, Any] | None = None, shape: Any = ("N", 3), opset: int = 18, **more: Any
) -> Any:
    """A model from x to y."""
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()]
    inputs = [helper.make_tensor_value_info("x", more.pop("kind", FLOAT), shape)]
    outputs = [helper.make_tensor_value_info("y", FLOAT, ["anything"])]
    graph = helper.make_graph(list(nodes), "graph", inputs, outputs, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *more.pop("domains", [])], **more)


def saved(model: Any, folder: Path) -> Path:
    (folder / "model.onnx").write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return folder / "model.onnx"


def relu(**more: Any) -> Any:
    return helper.make_node("Relu", ["x"], ["y"], name="act", **more)


def weight(**more: Any) -> Any:
    """An initializer that stands outside the file."""
    tensor = numpy_helper.from_array(np.ones((3, 3), np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in more.items():
        tensor.external_data.add(key=key, value=str(value))
    model = model_of(helper.make_node("MatMul", ["x", "w"], ["y"], name="product"))
    model.graph.initializer.append(tensor)
    return model


def cut_short() -> Any:
    model = model_of(helper.make_node("MatMul", ["x", "w"], ["y"]), weights={"w": np.ones((3, 3), np.float32)})
    model.graph.initializer[0].raw_data = b"1234"
    return model


VERSIONS = f"expected operators of opset 13 to {onnx.defs.onnx_opset_version()}, got"
HUGE = np.array([2**40], np.int64)
BAD: list[tuple[str, Callable[[], Any], str]] = [
    ("text", lambda: b"no onnx", "'model.onnx' is no ONNX file, or is cut off: "),
    ("empty", lambda: b"", "'model.onnx' is no ONNX file, or is cut off: it holds no graph."),
    ("old", lambda: model_of(relu(), opset=12), f"{VERSIONS} 12. onnx.version_converter changes the version; a newer"),
    ("new", lambda: model_of(relu(), opset=99), f"{VERSIONS} 99. onnx.version_converter changes the version; a newer"),
    (
        "domain",
        lambda: model_of(relu(domain="com.acme"), domains=[helper.make_opsetid("com.acme", 1)]),
        "node 'act' (Relu): expected an operator of ONNX itself, got one of the domain 'com.acme'. Export the network "
        "without operators of its own.",
    ),
    (
        "unknown operator",
        lambda: model_of(helper.make_node("Frobnicate", ["x"], ["y"], name="act")),
        "node 'act' (Frobnicate): opset 18 of ONNX has no such operator.",
    ),
    (
        "operator without a link",
        lambda: model_of(helper.make_node("Det", ["x"], ["y"], name="act"), shape=("N", 3, 3)),
        "node 'act' (Det): maillon has no link for it.",
    ),
    (
        "missing weight",
        lambda: model_of(helper.make_node("MatMul", ["x", "w"], ["y"], name="product")),
        "node 'product' (MatMul): its input 'w' is no input of the network, no initializer, and no node makes it. The "
        "file is incomplete.",
    ),
    (
        "order",
        lambda: model_of(helper.make_node("Tanh", ["a"], ["y"]), helper.make_node("Relu", ["x"], ["a"])),
        "node 'y' (Tanh): its input 'a' is made after it. Put them in order.",
    ),
    (
        "no output",
        lambda: model_of(helper.make_node("Relu", ["x"], ["z"])),
        "no node makes the output 'y'. The file is",
    ),
    (
        "texts",
        lambda: model_of(relu(), weights={"words": np.array(["a"], object)}),
        "initializer 'words': expected numbers, got texts (a string tensor).",
    ),
    (
        "input of texts",
        lambda: model_of(relu(), kind=TensorProto.STRING),
        "input 'x': expected numbers of float or double, got STRING.",
    ),
    (
        "half precision",
        lambda: model_of(helper.make_node("MatMul", ["x", "w"], ["y"]), weights={"w": np.ones((3, 3), np.float16)}),
        "initializer 'w': expected float or double, got FLOAT16.",
    ),
    ("short data", cut_short, "'model.onnx' breaks the rules of ONNX: "),
    (
        "no place",
        lambda: weight(offset=0),
        "initializer 'w': expected its data in the folder of the file, got the path ''",
    ),
    (
        "outside",
        lambda: weight(location="../secret"),
        "initializer 'w': expected its data in the folder of the file, got the path '../secret', which leads outside.",
    ),
    (
        "absolute",
        lambda: weight(location="/etc/passwd"),
        "initializer 'w': expected its data in the folder of the file, got the path '/etc/passwd', which leads "
        "outside.",
    ),
    (
        "not there",
        lambda: weight(location="weights.bin"),
        "initializer 'w': its data should be in 'weights.bin' beside the file, which is not there.",
    ),
    (
        "much memory",
        lambda: model_of(
            helper.make_node("ConstantOfShape", ["n"], ["c"], name="fill"),
            helper.make_node("Add", ["x", "c"], ["y"]),
            weights={"n": HUGE},
        ),
        f"node 'fill' (ConstantOfShape): it asks for {2**40} values, more than the {2**26} that one node may make.",
    ),
    (
        "much padding",
        lambda: model_of(
            helper.make_node("Pad", ["x", "p"], ["y"], name="pad"), weights={"p": np.array([0, 0, 0, 2**40])}
        ),
        "node 'pad' (Pad): it asks for ",
    ),
    (
        "much input",
        lambda: model_of(relu(), shape=("N", 2**40)),
        "input 'x': its shape ['N', 1099511627776] is larger than",
    ),
    (
        "shapes that do not fit",
        lambda: model_of(
            helper.make_node("MatMul", ["x", "w"], ["y"], name="p"), weights={"w": np.ones((4, 2), np.float32)}
        ),
        "node 'p' (MatMul): its input does not fit: Linear(4, 2, bias=False): expected x of shape (*, 4), got (2, 3).",
    ),
    (
        "no data",
        lambda: model_of(helper.make_node("Identity", ["c"], ["y"]), weights={"c": np.ones(3, np.float32)}),
        "the output 'y' does not depend on the data. What is it for?",
    ),
    (
        "an attribute of another kind",
        lambda: model_of(helper.make_node("Softmax", ["x"], ["y"], name="act", axis=7)),
        "node 'act' (Softmax): its input does not fit: Softmax(dim=7): expected x with a dimension 7, got shape (2, "
        "3). dim must be in -2…1.",
    ),
    (
        "quantised",
        lambda: model_of(
            helper.make_node("QuantizeLinear", ["x", "s"], ["q"], name="q"),
            helper.make_node("DequantizeLinear", ["q", "s"], ["y"]),
            weights={"s": np.array(0.1, np.float32)},
        ),
        "node 'q' (QuantizeLinear): it computes in integers, which do not learn: export the network before it is "
        "quantised.",
    ),
    (
        "decided by the data",
        lambda: model_of(helper.make_node("Reshape", ["x", "x"], ["y"], name="shape")),
        "node 'shape' (Reshape): its shape must not depend on the data.",
    ),
]


@pytest.mark.parametrize(("make", "message"), [pair[1:] for pair in BAD], ids=[pair[0] for pair in BAD])
def test_a_file_that_is_no_network_is_told(make: Callable[[], Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(OnnxError) as raised:
        from_onnx(saved(make(), tmp_path))
    text = str(raised.value)
    assert text.startswith(f"from_onnx: {message}"), text
    assert text[-1] in ".?"
    assert "\n" not in text


def test_control_flow_is_refused_by_name(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["b"])], "b", [], [helper.make_tensor_value_info("b", FLOAT, ["anything"])]
    )
    node = helper.make_node("If", ["c"], ["y"], name="branch", then_branch=branch, else_branch=branch)
    model = model_of(node, weights={"c": np.array(True)}, shape=("N", 3))
    with pytest.raises(OnnxError) as raised:
        from_onnx(saved(model, tmp_path))
    assert str(raised.value) == "from_onnx: node 'branch' (If): control flow, which no chain of links has."


def test_a_folder_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(OnnxError, match="expected path to be a file, got the folder"):
        from_onnx(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.onnx"):
        from_onnx(tmp_path / "none.onnx")


def test_data_behind_a_link_that_leads_outside_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(36))
    try:
        (folder / "weights.bin").symlink_to(tmp_path / "secret")
    except OSError:
        pytest.skip("this system makes no symbolic links")
    with pytest.raises(OnnxError, match="which leads outside"):
        from_onnx(saved(weight(location="weights.bin"), folder))


def test_data_beside_the_file_are_read(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(np.arange(9, dtype=np.float32).tobytes())
    link = from_onnx(saved(weight(location="weights.bin", offset=0, length=36), tmp_path))
    np.testing.assert_array_equal(link(np.eye(3, dtype=np.float32)), np.arange(9).reshape(3, 3))
    with pytest.raises(OnnxError, match="breaks the rules of ONNX"):
        from_onnx(saved(weight(location="weights.bin", offset=10**9, length=36), tmp_path))


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    to_onnx(M.Sequential(M.Linear(2, 2), M.ReLU()), tmp_path / "a.onnx", (2,))
    data = (tmp_path / "a.onnx").read_bytes()
    for length in range(len(data)):
        try:
            link = from_onnx(saved(data[:length], tmp_path))
        except OnnxError:
            continue
        assert repr(link) == repr(from_onnx(tmp_path / "a.onnx"))  # only words about the file were cut off


@pytest.mark.parametrize("seed", range(4))
def test_a_changed_file_is_read_or_refused(seed: int, tmp_path: Path) -> None:
    """Random bytes changed, left out and put in: never another error, never much memory."""
    to_onnx([convolutional, recurrent][seed % 2](), tmp_path / "a.onnx", [(1, 8, 8), (5, 3)][seed % 2])
    data = (tmp_path / "a.onnx").read_bytes()
    random = np.random.default_rng(seed)
    refused = 0
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(random.integers(1, 4)):
            place, length = int(random.integers(len(changed))), int(random.integers(1, 9))
            more = random.integers(0, 256, int(random.integers(0, 9)), dtype=np.uint8)
            changed[place : place + length] = bytes(more)
        try:
            from_onnx(saved(bytes(changed), tmp_path))
        except OnnxError:
            refused += 1
    assert refused > 50


# What other programs write


def test_the_shape_of_a_view_is_folded(tmp_path: Path) -> None:
    """Shape, Gather, Unsqueeze, Concat, Reshape: x.view(x.size(0), -1)."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Unsqueeze", ["n", "axes"], ["row"]),
        helper.make_node("Concat", ["row", "rest"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    ]
    weights = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1])}
    link = from_onnx(saved(model_of(*nodes, weights=weights, shape=("N", 2, 3)), tmp_path))
    assert repr(link) == "Sequential(\n  Flatten(),\n)"


@pytest.mark.parametrize(
    ("target", "shape", "shown"),
    [
        ([0, -1], ("N", 2, 3), "Flatten()"),
        ([4, -1], (4, 2, 3), "Flatten()"),  # PyTorch's, of a fixed batch
        ([-1, 6], ("N", 2, 3), "Flatten()"),
        ([0, 2, 3], ("N", 6), "Unflatten(1, (2, 3))"),
        ([-1, 3], ("N", 2, 3), "Flatten(0, 1)"),
        ([0, 3, 2], ("N", 2, 3), "Reshape((0, 3, 2))"),
    ],
)
def test_a_reshape_is_a_flatten_where_it_is_one(target: list[int], shape: Any, shown: str, tmp_path: Path) -> None:
    node = helper.make_node("Reshape", ["x", "t"], ["y"])
    link = from_onnx(saved(model_of(node, weights={"t": np.array(target)}, shape=shape), tmp_path))
    assert repr(link) == f"Sequential(\n  {shown},\n)"


def test_matmul_and_add_are_a_linear(tmp_path: Path) -> None:
    w, b = np.arange(6, dtype=np.float32).reshape(3, 2), np.array([1.0, 2.0], np.float32)
    nodes = helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Add", ["b", "p"], ["y"])
    link = from_onnx(saved(model_of(*nodes, weights={"w": w, "b": b}), tmp_path))
    assert repr(link) == "Sequential(\n  Linear(3, 2),\n)"
    np.testing.assert_array_equal(link(np.ones((1, 3), np.float32)), [w.sum(axis=0) + b])


def test_a_product_with_a_weight_for_each_feature_is_a_scale(tmp_path: Path) -> None:
    w = np.array([0.5, -1.0, 2.0], np.float32)
    for factors in (["w", "x"], ["x", "w"]):
        link = from_onnx(saved(model_of(helper.make_node("Mul", factors, ["y"]), weights={"w": w}), tmp_path))
        assert repr(link) == "Sequential(\n  Scale(3),\n)"
        np.testing.assert_array_equal(link(np.ones((2, 3), np.float32)), [w, w])


def test_single_numbers_and_constants_do_not_learn(tmp_path: Path) -> None:
    scale = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.ones(3, np.float32)))
    nodes = [
        scale,
        helper.make_node("Mul", ["x", "c"], ["a"]),
        helper.make_node("Mul", ["a", "half"], ["b"]),
        helper.make_node("Add", ["b", "shift"], ["y"]),
    ]
    weights = {"half": np.array(0.5, np.float32), "shift": np.ones(3, np.float32)}
    link = from_onnx(saved(model_of(*nodes, weights=weights), tmp_path))
    assert [repr(child) for child in link.children()] == [
        "Arithmetic('Mul', array of shape (3,))",
        "Arithmetic('Mul', 0.5)",
        "Arithmetic('Add', array of shape (3,), learnt=True)",
    ]
    assert len(list(link.parameters())) == 1


def test_functions_of_the_file_are_resolved(tmp_path: Path) -> None:
    body = [helper.make_node("Relu", ["a"], ["b"])]
    function = helper.make_function("own", "Act", ["a"], ["b"], body, [helper.make_opsetid("", 18)])
    node = helper.make_node("Act", ["x"], ["y"], domain="own")
    model = model_of(node, domains=[helper.make_opsetid("own", 1)])
    model.functions.append(function)
    assert repr(from_onnx(saved(model, tmp_path))) == "Sequential(\n  ReLU(),\n)"


@pytest.mark.parametrize("opset", [13, 14, 16, 18, 20, 22, 24, 26, onnx.defs.onnx_opset_version()])
def test_every_opset_from_13_on_is_read(opset: int, tmp_path: Path) -> None:
    link = from_onnx(saved(model_of(relu(), opset=opset), tmp_path))
    assert repr(link) == "Sequential(\n  ReLU(),\n)"
