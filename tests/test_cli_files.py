"""`maillon show` and `maillon convert`: files of every kind, and every way of mistyping, word for word."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import maillon as m
from maillon import cli
from maillon.interop.onnx import from_onnx

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def network() -> m.Sequential:
    return m.Sequential(m.Linear(3, 4, generator=m.Generator(1)), m.Tanh(), m.Linear(4, 2, generator=m.Generator(2)))


def test_show_a_network(command: Run, network: m.Sequential) -> None:
    m.save(network, "network.safetensors")
    code, out, err = command("show", "network.safetensors", "--input", "3")
    assert (code, err) == (0, "")
    assert out == f"{m.summary(network, (1, 3))}\n"
    assert command("show", "network.safetensors") == (0, f"{m.summary(network)}\n", "")


def test_show_an_optim_and_a_checkpoint(command: Run, network: m.Sequential) -> None:
    optim = m.Optim(network, m.MSELoss(), m.Adam(lr=0.01))
    m.save(optim, "optim.safetensors")
    code, out, _ = command("show", "optim.safetensors")
    assert code == 0
    assert out.startswith(f"loss: MSELoss()\nrule: {optim.rule!r}\nSequential")
    m.fit(optim, np.ones((4, 3)), np.ones((4, 2)), checkpoint=m.Checkpoint("run.safetensors"))
    assert command("show", "run.safetensors")[1].startswith("loss: MSELoss()\nrule: Adam(<4 parameters>")


def test_show_plain_tensors(command: Run, network: m.Sequential) -> None:
    m.save(network.state_dict() | {"count": np.array(3)}, "weights.safetensors")
    assert command("show", "weights.safetensors") == (
        0,
        "tensor    dtype    shape   numbers\n"
        "0.bias    float32  (4,)    4\n"
        "0.weight  float32  (4, 3)  12\n"
        "2.bias    float32  (2,)    2\n"
        "2.weight  float32  (2, 4)  8\n"
        "count     int64    ()      1\n"
        "5 tensors, 112 bytes\n",
        "",
    )


def test_convert_there_and_back(command: Run, network: m.Sequential, tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3)
    m.save(m.Optim(network, m.MSELoss(), 0.1), "optim.safetensors")
    assert command("convert", "optim.safetensors", "a.onnx", "--input", "3") == (0, "a.onnx\n", "")
    np.testing.assert_allclose(from_onnx("a.onnx")(x), network(x), rtol=1e-6, atol=1e-6)
    assert command("show", "a.onnx")[1].startswith("Sequential")
    assert command("convert", "a.onnx", "b.safetensors") == (0, "b.safetensors\n", "")
    np.testing.assert_allclose(m.load("b.safetensors")(x), network(x), rtol=1e-6, atol=1e-6)
    assert command("convert", "b.safetensors", "policy.h", "--input", "3") == (0, "policy.h\n", "")
    assert "static void policy(const float *x, float *y)" in (tmp_path / "policy.h").read_text()


MISTAKES = [
    ("show", "maillon show: the following arguments are required: FILE. See maillon show -h."),
    ("show none.safetensors", "maillon show: load: there is no file 'none.safetensors'."),
    ("show broken.safetensors", "maillon show: load: 'broken.safetensors' is not a whole safetensors file"),
    ("show broken.onnx", "maillon show: "),
    ("show n.safetensors --input 3,x", "maillon show: argument --input: expected a shape such as 3,32,32, got '3,x'."),
    ("show n.safetensors --inptu 3", "maillon show: There is no option '--inptu'. Did you mean '--input'?"),
    ("convert n.safetensors n.pt", "maillon convert: Expected TO to end in .safetensors, .onnx or .h, got 'n.pt'."),
    (
        "convert n.safetensors n.onnx",
        "maillon convert: A .onnx file needs one sample's shape. Give it: --input 3,32,32, for instance.",
    ),
    (
        "convert weights.safetensors n.onnx --input 3",
        "maillon convert: 'weights.safetensors' holds plain tensors, and no network to write.",
    ),
    ("convert n.safetensors folder/n.onnx --input 3", "maillon convert: "),
    ("convert n.safetensors n.onnx --input 5", "maillon convert: "),
    ("convert n.safetensors 1.h --input 3", "maillon convert: "),
]


@pytest.mark.parametrize(("words", "told"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_a_mistake_is_one_line_and_code_2(command: Run, network: m.Sequential, words: str, told: str) -> None:
    m.save(network, "n.safetensors")
    m.save(network.state_dict(), "weights.safetensors")
    for name in ("broken.safetensors", "broken.onnx"):
        Path(name).write_bytes(b"no such thing")
    before = sorted(path.name for path in Path().iterdir())
    code, out, err = command(*words.split())
    assert (code, out) == (2, "")
    assert err.startswith(told)
    assert err.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == before
