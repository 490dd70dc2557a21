"""A network that was saved is rebuilt: bits, structure, modes, what is shared, and the same file again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogue import LINKS, LOSSES, RULES

import maillon as m
from maillon.nesting import leaves
from maillon.typing import Array


def bits(state: dict[str, Array]) -> dict[str, tuple[bytes, str, tuple[int, ...]]]:
    return {name: (array.tobytes(), str(array.dtype), array.shape) for name, array in state.items()}


def kept(thing: Any, folder: Path, **links: type) -> Any:
    """Saved and loaded; saved again it gives the same file, and the generator has not moved."""
    state = m.random.default_generator().get_state()
    m.save(thing, folder / "a.safetensors")
    loaded = m.load(folder / "a.safetensors", links=links)
    m.save(loaded, folder / "b.safetensors")
    assert (folder / "a.safetensors").read_bytes() == (folder / "b.safetensors").read_bytes()
    assert m.random.default_generator().get_state() == state
    assert [path.name for path in sorted(folder.iterdir())] == ["a.safetensors", "b.safetensors"]
    return loaded


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", [*LINKS, *LOSSES], ids=lambda row: row.name)
def test_every_row_of_the_catalogue(row: Any, dtype: str, tmp_path: Path) -> None:
    """Outputs to the bit, in training mode, with what a forward before has left in statistics and generators."""
    link, inputs = row.link(dtype), row.inputs(dtype)
    link(*inputs)
    link.forget()
    loaded = kept(link, tmp_path)
    assert type(loaded) is type(link)
    assert repr(loaded) == repr(link)
    assert bits(loaded.state_dict()) == bits(link.state_dict())
    outputs = []
    for each in (link, loaded):
        m.manual_seed(4)
        outputs.append([np.asarray(leaf).tobytes() for leaf in leaves(each(*inputs))])
    assert outputs[0] == outputs[1]


def test_what_links_share_and_how_they_stand(tmp_path: Path) -> None:
    generator = m.Generator(7)
    norm = m.BatchNorm1d(3)
    drop = m.Dropout(0.5, generator=generator)
    network = m.Sequential(
        {
            "a": m.Linear(3, 3),
            "norm": norm,
            "drop": drop,
            "again": norm.share(),
            "b": m.Dropout(0.25, generator=generator),
        }
    )
    network["a"].weight.requires_grad = False
    network["norm"].eval()
    generator.rand((5,))
    loaded = kept(network, tmp_path)
    assert loaded["norm"].weight is loaded["again"].weight
    assert loaded["norm"].running_mean is loaded["again"].running_mean
    assert loaded["drop"].generator is loaded["b"].generator
    assert loaded["drop"].generator.get_state() == generator.get_state()
    assert [parameter.requires_grad for parameter in loaded.parameters()] == [False, True, True, True]
    assert [module.training for module in loaded.modules()] == [module.training for module in network.modules()]
    x = np.ones((4, 3), np.float32)
    for _ in range(3):
        assert loaded(x).tobytes() == network(x).tobytes()


class Swish(m.Module):
    """A link of a user's own: its attributes are called like its constructor's parameters."""

    def __init__(self, width: int, beta: float = 1.0) -> None:
        self.width, self.beta = width, beta
        self.fc = m.Linear(width, width)
        self.fc.bias.data[...] = 0  # type: ignore[union-attr]
        self.heads = [m.Linear(width, 2), m.Tanh()]

    def forward(self, x: Array) -> Array:
        return np.asarray(self.heads[0](self.fc(x * self.beta)))


def test_a_link_of_ones_own(tmp_path: Path) -> None:
    network = m.Sequential(Swish(3, beta=2.0), m.ReLU())
    loaded = kept(network, tmp_path, Swish=Swish)
    x = np.ones((4, 3), np.float32)
    assert loaded(x).tobytes() == network(x).tobytes()
    path = str(tmp_path / "a.safetensors")
    with pytest.raises(m.FileError) as caught:
        m.load(path)
    assert str(caught.value) == (
        f"load: {path!r}: the class 'Swish' is not known. Give it to load(…, links={{'Swish': Swish}})."
    )
    with pytest.raises(TypeError, match="expected links to be"):
        m.load(path, links={"Swish": network})  # type: ignore[dict-item]


def test_modules_inside_that_were_replaced(tmp_path: Path) -> None:
    """A head for another task, a probability of one layer: not what the constructor would make."""
    swish = Swish(3)
    swish.fc = m.Linear(3, 4)
    swish.heads[0] = m.Sequential(m.Linear(4, 5), m.Linear(5, 7))
    swish.heads.pop()
    with pytest.raises(TypeError) as caught:
        m.save(swish, tmp_path / "a.safetensors")
    assert str(caught.value) == (
        "save: the constructor of Swish makes other links than there are at ['heads.1']. Let get_config() return what "
        "makes it so."
    )
    swish.heads.append(m.Sigmoid())
    assert kept(swish, tmp_path, Swish=Swish)(np.ones((1, 3), np.float32)).shape == (1, 7)

    layer = m.TransformerEncoderLayer(4, 2, 8)
    layer.dropout1.p = 0.75
    encoder = m.TransformerEncoder(layer, 3)
    encoder.layers[1].dropout2.p = 0.3
    loaded = kept(m.Sequential(encoder), tmp_path)
    assert [inside.dropout1.p for inside in loaded[0].layers] == [0.75] * 3
    assert [inside.dropout2.p for inside in loaded[0].layers] == [0.1, 0.3, 0.1]


class Opaque(m.Module):
    def __init__(self, width: int) -> None:
        self.size = width

    def forward(self, x: Array) -> Array:
        return x


class Described(Opaque):
    def get_config(self) -> dict[str, Any]:
        return {"width": self.size}


def test_a_link_that_does_not_say_how_it_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(TypeError) as caught:
        m.save(Opaque(2), path)
    assert str(caught.value) == (
        "Opaque: expected an attribute 'width', the constructor's parameter. Keep what the constructor is given under "
        "its parameters' names, or let Opaque.get_config() return the arguments."
    )
    assert kept(Described(2), tmp_path, Described=Described).size == 2

    link: Any = m.Tanh()
    link.forward = lambda x: x
    with pytest.raises(TypeError, match="a forward of its own, set on the instance"):
        m.save(link, path)


class Grown(m.Module):
    def __init__(self, width: int) -> None:
        self.width = width
        self.weight = m.Parameter(np.zeros(width, np.float32))

    def forward(self, x: Array) -> Array:
        return x


def test_what_its_arguments_would_not_make_again(tmp_path: Path) -> None:
    link = Grown(2)
    link.weight = m.Parameter(np.zeros(3, np.float32))
    with pytest.raises(TypeError) as caught:
        m.save(m.Sequential(link), tmp_path / "a.safetensors")
    assert str(caught.value) == (
        "save: Sequential made anew of its constructor's arguments has other arrays than this one: ['0.weight']. "
        "Let get_config() return what makes it so."
    )


ORDERS: dict[str, Callable[[Array], Array]] = {
    "Fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "big endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "reversed": lambda a: a[::-1][::-1],
}


@pytest.mark.parametrize("order", ORDERS)
def test_arrays_in_any_order_of_memory_give_the_same_bytes(order: str, tmp_path: Path) -> None:
    plain = {
        "a": np.arange(12, dtype=np.float32).reshape(3, 4),
        "none": np.zeros((0, 3)),
        "one": np.array(2.5),
        "flags": np.array([True, False]),
        "labels": np.arange(3),
    }
    other = {name: ORDERS[order](array) if array.ndim else array for name, array in plain.items()}
    m.save(plain, tmp_path / "a.safetensors")
    m.save(dict(reversed(other.items())), tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    loaded = m.load(tmp_path / "b.safetensors")
    assert bits(loaded) == bits(dict(sorted(plain.items())))
    assert all(array.flags.writeable and array.flags.c_contiguous for array in loaded.values())


def test_a_parameter_in_another_order_of_memory(tmp_path: Path) -> None:
    network = m.Linear(3, 2)
    x = np.ones((1, 3), np.float32)
    m.save(network, tmp_path / "a.safetensors")
    network.weight.data = np.asfortranarray(network.weight.data)
    m.save(network, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    np.testing.assert_array_equal(m.load(tmp_path / "b.safetensors")(x), network(x))


def test_weights_alone(tmp_path: Path) -> None:
    network, other = m.Linear(3, 2), m.Linear(3, 2)
    m.save(network.state_dict(), tmp_path / "weights.safetensors")
    other.load_state_dict(m.load(tmp_path / "weights.safetensors"))
    assert bits(other.state_dict()) == bits(network.state_dict())
    m.save(network, tmp_path / "network.safetensors")
    with pytest.raises(TypeError, match=r"dtype complex128\. Convert them first\."):
        m.save({"a": np.zeros(2, complex)}, tmp_path / "weights.safetensors")
    with pytest.raises(TypeError, match="expected a network, an Optim or a dict of arrays"):
        m.save(3, tmp_path / "weights.safetensors")  # type: ignore[arg-type]
    assert m.load(tmp_path / "weights.safetensors").keys() == {"weight", "bias"}


def test_bfloat16_of_other_programs(tmp_path: Path) -> None:
    values = np.array([1.0, -2.5, 3.140625], np.float32)
    header = json.dumps({"a": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}).encode()
    data = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    np.testing.assert_array_equal(m.load(tmp_path / "a.safetensors")["a"], values)


@pytest.mark.parametrize("row", RULES, ids=lambda row: row.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_optim_goes_on_where_it_was(row: Any, dtype: str, tmp_path: Path) -> None:
    """Every rule: six steps equal three, a file, and three more."""
    x = m.Generator(1).normal((8, 3), dtype=np.dtype(dtype))
    y = x[:, :2].copy()

    def begun() -> m.Optim:
        generator = m.Generator(3)
        network = m.Sequential(
            m.Linear(3, 4, generator=generator),
            m.Tanh(),
            m.Dropout(0.25, generator=generator),
            m.Linear(4, 2, generator=generator),
        )
        groups = [{"params": network[0].parameters()}, {"params": network[3].parameters()}]
        if not row.rule.needs_closure:
            groups[1]["lr"] = 0.03
        rule = row.rule(groups if not row.rule.needs_closure else network.parameters(), **row.options)
        closure = row.rule.needs_closure
        return m.Optim(network.to(dtype), m.MSELoss(), rule, clip_grad_norm=1.0, accumulate=1 if closure else 2)

    straight, first = begun(), begun()
    for _ in range(3):
        straight.step(x, y)
        first.step(x, y)
    loaded = kept(first, tmp_path)
    for _ in range(3):
        assert straight.step(x, y) == loaded.step(x, y)
    assert bits(loaded.network.state_dict()) == bits(straight.network.state_dict())
    assert [group.keys() for group in loaded.rule.param_groups] == [
        group.keys() for group in straight.rule.param_groups
    ]
    assert repr(loaded) == repr(straight)
