"""Files that safetensors.torch reads, and files that it wrote."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from beside import assert_close

import maillon as m

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def theirs(torch: ModuleType) -> Any:
    import safetensors.torch

    return safetensors.torch


def convolutional(nn: Any) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(27, 4, bias=False),
        nn.PReLU(),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_saved_network_in_pytorch(torch: ModuleType, theirs: Any, dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    network = convolutional(m).to(dtype)
    x = m.Generator(1).normal((5, 1, 6, 6), dtype=np.dtype(dtype))
    network(x)  # statistics
    network.eval()
    m.save(network, path)
    state = theirs.load_file(path)
    assert state.keys() == network.state_dict().keys()
    for name, array in network.state_dict().items():
        assert state[name].numpy().tobytes() == array.tobytes()
        assert state[name].numpy().dtype == array.dtype
    twin = convolutional(torch.nn).to(getattr(torch, dtype)).eval()
    twin.load_state_dict(state)
    assert_close(network(x), twin(torch.from_numpy(x)), 1e-12 if dtype == "float64" else 1e-5, "output")


def test_a_shared_parameter_in_pytorch(torch: ModuleType, theirs: Any, tmp_path: Path) -> None:
    """It stands under each of its names, as load_state_dict wants it."""
    path = tmp_path / "network.safetensors"
    first = m.Linear(3, 3)
    m.save(m.Sequential(first, m.Tanh(), first.share()), path)
    twin = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh(), torch.nn.Linear(3, 3))
    twin[2].weight, twin[2].bias = twin[0].weight, twin[0].bias
    twin.load_state_dict(theirs.load_file(path))
    assert twin[2].weight.detach().numpy().tobytes() == first.weight.data.tobytes()


def test_a_state_dict_of_pytorch(torch: ModuleType, theirs: Any, tmp_path: Path) -> None:
    path = tmp_path / "twin.safetensors"
    twin, network = convolutional(torch.nn).eval(), convolutional(m).eval()
    theirs.save_file(twin.state_dict(), path, metadata={"format": "pt"})
    network.load_state_dict(m.load(path))
    x = m.Generator(1).normal((5, 1, 6, 6))
    assert_close(network(x), twin(torch.from_numpy(x)), 1e-5, "output")


KINDS = [
    "float64",
    "float32",
    "float16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint64",
    "uint32",
    "uint16",
    "uint8",
    "bool",
]


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_of_each_dtype(torch: ModuleType, theirs: Any, kind: str, tmp_path: Path) -> None:
    tensors = {
        "a": torch.arange(-6, 6).reshape(3, 4).to(getattr(torch, kind)),
        "none": torch.zeros((0, 3), dtype=getattr(torch, kind)),
        "one": torch.tensor(1, dtype=getattr(torch, kind)),
    }
    theirs.save_file(tensors, tmp_path / "theirs")
    read = m.load(tmp_path / "theirs")
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == np.dtype(kind)
        assert read[name].shape == tuple(tensor.shape)
        assert read[name].tobytes() == tensor.numpy().tobytes()
    m.save(read, tmp_path / "ours")
    for name, tensor in theirs.load_file(tmp_path / "ours").items():
        assert tensor.dtype == tensors[name].dtype
        assert torch.equal(tensor, tensors[name])


def test_bfloat16(torch: ModuleType, theirs: Any, tmp_path: Path) -> None:
    values = torch.tensor([[1.0, -2.5, 3.14], [float("inf"), float("nan"), 1e-40]]).bfloat16()
    theirs.save_file({"a": values}, tmp_path / "theirs")
    read = m.load(tmp_path / "theirs")["a"]
    assert read.dtype == np.float32
    assert read.tobytes() == values.float().numpy().tobytes()


def test_half_precision_goes_into_a_network(torch: ModuleType, theirs: Any, tmp_path: Path) -> None:
    for kind in ("bfloat16", "float16"):
        twin, network = torch.nn.Linear(3, 2).to(getattr(torch, kind)), m.Linear(3, 2)
        theirs.save_file(twin.state_dict(), tmp_path / "theirs")
        network.load_state_dict(m.load(tmp_path / "theirs"))
        assert network.weight.dtype == np.float32
        assert network.weight.data.tobytes() == twin.weight.detach().float().numpy().tobytes()


@pytest.mark.parametrize(("kind", "called"), [("float8_e4m3fn", "F8_E4M3"), ("complex64", "C64")])
def test_dtypes_that_are_not_read(torch: ModuleType, theirs: Any, kind: str, called: str, tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    theirs.save_file({"a": torch.zeros(2).to(getattr(torch, kind))}, path)
    with pytest.raises(m.FileError) as caught:
        m.load(path)
    assert str(caught.value) == (
        f"load: 'a' in {str(path)!r} is of dtype {called}, which is not read here. Convert the file."
    )
