"""Files that earlier releases have written are read, and do what they did then."""

import importlib.util
from pathlib import Path
from types import ModuleType

import file_edits as edits
import numpy as np
import pytest
import safetensors.numpy

import maillon as m
from maillon.saving.saving import FORMAT

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
FORMATS = range(1, FORMAT + 1)


@pytest.fixture(scope="module")
def make_saved() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_saved", FIXTURES / "make_saved.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def file(number: int, kind: str) -> Path:
    return FIXTURES / f"format_{number}_{kind}.safetensors"


@pytest.mark.parametrize("number", FORMATS)
def test_they_do_what_they_did(number: int, make_saved: ModuleType) -> None:
    network, optim = m.load(file(number, "network")), m.load(file(number, "optim"))
    expected = m.load(file(number, "after"))
    told = make_saved.after(network, optim)
    assert told.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(told[name], values, rtol=1e-6, atol=1e-6 * np.abs(values).max(), err_msg=name)


@pytest.mark.parametrize("number", FORMATS)
def test_all_that_they_hold_is_there(number: int, make_saved: ModuleType) -> None:
    network, optim = m.load(file(number, "network")), m.load(file(number, "optim"))
    tensors = safetensors.numpy.load_file(file(number, "network"))
    assert {name: array.tobytes() for name, array in network.state_dict().items()} == {
        name: array.tobytes() for name, array in tensors.items()
    }
    like = make_saved.network()
    assert repr(network) == repr(like)
    assert network["a"].weight is network["again"].weight
    assert [p.requires_grad for p in network.parameters()] == [p.requires_grad for p in like.parameters()]
    assert [each.training for each in network.modules()] == [each.training for each in like.modules()]
    assert network["drop"].generator.initial_seed() == 2

    tensors = safetensors.numpy.load_file(file(number, "optim"))
    state = {
        f"maillon/state/{name}/{key}": value.tobytes()
        for name, parameter in optim.network.named_parameters()
        for key, value in optim.rule.state.get(parameter, {}).items()
        if isinstance(value, np.ndarray)
    }
    assert len(state) == 8
    assert state == {name: array.tobytes() for name, array in tensors.items() if name.startswith("maillon/state/")}
    assert repr(optim) == repr(make_saved.optim())
    assert [group["lr"] for group in optim.rule.param_groups] == [0.01, 0.003]
    assert optim.gathered[0] == 1


@pytest.mark.parametrize("kind", ["network", "optim"])
def test_the_same_version_writes_the_same_bytes(kind: str, tmp_path: Path) -> None:
    """Another one writes its own number, and otherwise the same."""
    content = file(FORMAT, kind).read_bytes()
    m.save(m.load(file(FORMAT, kind)), tmp_path / "again")
    again = (tmp_path / "again").read_bytes()
    if edits.description(content)["version"] == m.__version__:
        assert again == content
    assert edits.description(again) == edits.description(content) | {"version": m.__version__}
    assert edits.split(again)[1] == edits.split(content)[1]
