"""What to_onnx writes gives in onnxruntime what the network gives: every link of the catalogue."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from catalogue import LINKS, Row

import maillon as M
from maillon.interop.onnx import OnnxError, to_onnx
from maillon.nesting import leaves

TOLERANCE = {"float32": 1e-5, "float64": 1e-7}  # attributes are float32 in any file
NO_FLOAT64 = {
    "AveragePool",
    "Conv",
    "ConvTranspose",
    "Erf",
    "GRU",
    "InstanceNormalization",
    "LSTM",
    "RNN",
    "Resize",
}
"""The operators that onnxruntime 1.32 has in float32 alone."""
REFUSED = [row for row in LINKS if getattr(row.link(), "proj_size", 0)]
EXPORTED = [row for row in LINKS if row not in REFUSED]

by_name = {"ids": lambda row: row.name}


def described(value: Any, sample: bool) -> Any:
    """The shape, of one sample where `sample`, nested as the value."""
    if isinstance(value, tuple):
        return [described(part, sample) for part in value]
    return value if value is None or isinstance(value, bool) else value.shape[sample:]


def dtypes(value: Any) -> Any:
    if isinstance(value, tuple):
        return [dtypes(part) for part in value]
    return None if value is None or isinstance(value, bool) else value.dtype


def alone(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 and not isinstance(values[0], list) else values


def export(row: Row, dtype: str, path: Path) -> M.Module:
    inputs = row.inputs(dtype)
    link: M.Module = row.link(dtype)
    shapes = alone([described(value, row.batched) for value in inputs])
    to_onnx(link, path, shapes, batched=row.batched, input_dtype=alone([dtypes(value) for value in inputs]))
    return link.eval()


def run(path: Path, arrays: list[Any]) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is raised
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    assert len(names) == len(arrays)
    return session.run(None, dict(zip(names, arrays, strict=True)))  # type: ignore[no-any-return]


def arrays_of(inputs: tuple[Any, ...]) -> list[Any]:
    return [leaf for leaf in leaves(inputs) if isinstance(leaf, np.ndarray)]


def assert_as_in_onnxruntime(link: M.Module, inputs: tuple[Any, ...], path: Path, tolerance: float) -> None:
    expected = [leaf for leaf in leaves(link(*inputs)) if leaf is not None]
    got = run(path, arrays_of(inputs))
    assert [part.shape for part in got] == [part.shape for part in expected]
    for part, wanted in zip(got, expected, strict=True):
        if wanted.dtype.kind != "f":
            np.testing.assert_array_equal(part, wanted)
        else:
            assert part.dtype == wanted.dtype
            np.testing.assert_allclose(part, wanted, rtol=0, atol=tolerance * np.max(np.abs(wanted)))


@pytest.mark.parametrize("row", EXPORTED, **by_name)
def test_onnxruntime_gives_the_same(row: Row, tmp_path: Path) -> None:
    link = export(row, "float32", tmp_path / "link.onnx")
    inputs = row.inputs("float32")
    assert_as_in_onnxruntime(link, inputs, tmp_path / "link.onnx", TOLERANCE["float32"])
    if row.batched:
        first = tuple(_first(value) for value in inputs)
        assert_as_in_onnxruntime(link, first, tmp_path / "link.onnx", TOLERANCE["float32"])


def test_large_angles_are_those_of_the_network(tmp_path: Path) -> None:
    link, x = M.PeriodicEmbedding(3, generator=M.Generator(1)), 1e4 * M.Generator(2).randn((5, 3))
    to_onnx(link, tmp_path / "link.onnx", (3,))
    assert_as_in_onnxruntime(link, (x,), tmp_path / "link.onnx", 1e-6 / 1e4)


def _first(value: Any) -> Any:
    """The first sample, as a batch."""
    return tuple(map(_first, value)) if isinstance(value, tuple) else value[:1] if hasattr(value, "shape") else value


@pytest.mark.parametrize("row", EXPORTED, **by_name)
def test_onnxruntime_gives_the_same_in_float64_where_it_has_the_operators(row: Row, tmp_path: Path) -> None:
    path = tmp_path / "link.onnx"
    link = export(row, "float64", path)
    operators = {node.op_type for node in onnx.load(path).graph.node}
    if operators & NO_FLOAT64:
        with pytest.raises(Exception, match=r"NOT_IMPLEMENTED|not support double") as raised:
            run(path, arrays_of(row.inputs()))
        assert any(name in str(raised.value) for name in operators & NO_FLOAT64)
    else:
        assert_as_in_onnxruntime(link, row.inputs(), path, TOLERANCE["float64"])


def test_all_but_a_few_rows_are_exported() -> None:
    assert len(EXPORTED) == len(LINKS) - 2


@pytest.mark.parametrize("row", REFUSED, **by_name)
def test_an_lstm_with_a_projection_is_refused(row: Row, tmp_path: Path) -> None:
    with pytest.raises(OnnxError) as raised:
        export(row, "float32", tmp_path / "link.onnx")
    assert (
        str(raised.value)
        == f"to_onnx: {row.link('float32')!r} has no ONNX form: ONNX's LSTM has no projection (proj_size)."
    )
    assert not list(tmp_path.iterdir())


def network() -> M.Sequential:
    return M.Sequential(M.Conv2d(1, 2, 3), M.BatchNorm2d(2), M.ReLU(), M.Flatten(), M.Dropout(), M.Linear(8, 3))


def test_the_weights_keep_the_names_of_the_state_dict(tmp_path: Path) -> None:
    to_onnx(network(), tmp_path / "a.onnx", (1, 4, 4))
    graph = onnx.load(tmp_path / "a.onnx").graph
    names = [name for name in network().state_dict() if "num_batches" not in name]
    assert sorted(weight.name for weight in graph.initializer) == sorted(names)
    assert [node.op_type for node in graph.node] == [
        *("Conv", "BatchNormalization", "Relu", "Flatten", "Constant", "Dropout", "Gemm", "Identity")
    ]


def test_the_batch_is_open_and_all_else_is_known(tmp_path: Path) -> None:
    to_onnx(M.Sequential(M.Linear(3, 2), M.Flatten(0)), tmp_path / "a.onnx", (3,))
    graph = onnx.load(tmp_path / "a.onnx").graph

    def shape(value: Any) -> list[Any]:
        return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]

    assert shape(graph.input[0]) == ["N", 3]
    assert shape(graph.output[0]) == ["2N"]


def test_a_batch_that_comes_second(tmp_path: Path) -> None:
    link = M.Sequential(M.LSTM(3, 4, bidirectional=True), M.EveryStep())
    to_onnx(link, tmp_path / "a.onnx", (5, None, 3))
    x = M.random.Generator(0).normal((5, 7, 3))
    assert_as_in_onnxruntime(link, (x,), tmp_path / "a.onnx", 1e-5)


def test_a_shared_weight_is_written_once(tmp_path: Path) -> None:
    first = M.Linear(3, 3)
    to_onnx(M.Sequential(first, M.Tanh(), first.share()), tmp_path / "a.onnx", (3,))
    graph = onnx.load(tmp_path / "a.onnx").graph
    assert [weight.name for weight in graph.initializer] == ["0.weight", "0.bias"]


def test_indices_are_integers_without_a_word(tmp_path: Path) -> None:
    link = M.Sequential(M.Embedding(7, 3), M.Flatten(), M.Linear(12, 2))
    to_onnx(link, tmp_path / "a.onnx", (4,))
    indices = M.random.Generator(0).randint(0, 7, (5, 4))
    assert_as_in_onnxruntime(link, (indices,), tmp_path / "a.onnx", 1e-5)


def test_the_network_is_as_it_was(tmp_path: Path) -> None:
    link = network()
    before = link.state_dict()
    to_onnx(link, tmp_path / "a.onnx", (1, 4, 4))
    assert all(module.training for module in link.modules())
    assert all((value == before[name]).all() for name, value in link.state_dict().items())
    assert link.kept_output is None


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    link = network()
    for name in ("a", "b"):
        to_onnx(link, tmp_path / name, (1, 4, 4))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


class Own(M.Module):
    """A link of the user's."""

    def forward(self, x: Any) -> Any:
        return self.keep(x)


def refusals() -> list[tuple[Any, str]]:
    return [
        (
            lambda path: to_onnx(M.Sequential({"own": Own()}), path, (3,)),
            "to_onnx: Own() at 'own' has no ONNX form: to_onnx knows the links of maillon only.",
        ),
        (
            lambda path: to_onnx(M.ModuleList([M.ReLU()]), path, (3,)),
            "to_onnx: ModuleList(…) has no ONNX form: it computes nothing itself: export the link that holds it.",
        ),
        (
            lambda path: to_onnx(M.Linear(3, 2), path, 3),  # type: ignore[arg-type]
            "to_onnx: expected input_shape to be one sample's shape, such as (784,) or (1, 28, 28), got 3.",
        ),
        (
            lambda path: to_onnx(M.MSELoss(), path, (3,)),
            "to_onnx: expected network to be a Module that is no loss, got MSELoss().",
        ),
        (
            lambda path: to_onnx(M.Sequential(M.Linear(3, 2)), path, (4,)),
            "Sequential[0] Linear(3, 2): expected x of shape (*, 3), got (2, 4). The last dimension must be "
            "in_features = 3.",
        ),
        (
            lambda path: to_onnx(M.Add(), path, [(3,), (3,)], input_dtype=["float32"]),
            "to_onnx: expected input_dtype nested as input_shape, got 1 for 2.",
        ),
    ]


@pytest.mark.parametrize(("call", "message"), refusals())
def test_what_cannot_be_written_is_told(call: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises((OnnxError, ValueError, TypeError)) as raised:
        call(tmp_path / "a.onnx")
    assert str(raised.value) == message
    assert not list(tmp_path.iterdir())


def test_the_old_file_stays_whole_until_the_new_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        to_onnx(network(), path, (1, 4, 4))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name == "onnx":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        ImportError, match=r"to_onnx: needs the package onnx. Install it with: pip install 'onnx>=1.17'"
    ):
        to_onnx(network(), tmp_path / "a.onnx", (1, 4, 4))


def test_nodes_with_dots_in_their_names(tmp_path: Path) -> None:
    nodes = {
        "both.0": (M.Parallel(M.Linear(3, 2), M.Tanh()), "x"),
        "y": (M.Concat(), "both.0.0", "both.0.1"),
    }
    network, x = M.Graph("x", nodes, "y"), np.ones((4, 3), np.float32)
    to_onnx(network, tmp_path / "graph.onnx", (3,))
    (y,) = onnxruntime.InferenceSession(tmp_path / "graph.onnx").run(None, {"x": x})
    np.testing.assert_allclose(y, network(x), rtol=1e-5)
