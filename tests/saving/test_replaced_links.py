"""Links changed after a class of one's own has made them, and arrays that such links are made of."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.typing import Array


class Block(m.Sequential):
    def __init__(self, width: int) -> None:
        super().__init__(m.Linear(width, width), m.Dropout(0.2), m.Tanh())
        self.width = width


class Branch(m.Graph):
    def __init__(self, width: int) -> None:
        nodes = {"a": (m.Linear(width, width), "x"), "drop": (m.Dropout(0.2), "a"), "y": (m.Add(), "drop", "x")}
        super().__init__("x", nodes, "y")
        self.width = width


class Ways(m.ModuleDict):
    def __init__(self, width: int) -> None:
        super().__init__({"left": m.Linear(width, 1), "drop": m.Dropout(0.2)})
        self.width = width


def again(thing: Any, folder: Path, **links: type) -> Any:
    m.save(thing, folder / "a")
    loaded = m.load(folder / "a", links=links)
    m.save(loaded, folder / "b")
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
    return loaded


def test_in_a_chain_of_ones_own(tmp_path: Path) -> None:
    block = Block(3)
    block[1].p = 0.7
    block[2] = m.Sequential(m.Linear(3, 4), m.ReLU())
    block.append(m.Linear(4, 2))
    loaded = again(block, tmp_path, Block=Block)
    assert repr(loaded) == repr(block)
    assert "Dropout(0.7)" in repr(loaded)
    x = np.ones((2, 3), np.float32)
    m.manual_seed(0)
    y = block(x)
    m.manual_seed(0)
    assert loaded(x).tobytes() == y.tobytes()
    del block[3]
    assert len(again(block, tmp_path, Block=Block)) == 3


def test_in_a_chain_of_ones_own_that_has_become_shorter(tmp_path: Path) -> None:
    block = Block(3)
    del block[1:]
    assert repr(again(m.Sequential(block), tmp_path, Block=Block)[0]) == repr(block)


def test_in_a_graph_and_a_dict_of_ones_own(tmp_path: Path) -> None:
    branch, ways = Branch(3), Ways(3)
    branch["drop"].p = ways["drop"].p = 0.6
    ways["right"] = m.Linear(3, 2)
    loaded = again(m.Sequential({"branch": branch}), tmp_path, Branch=Branch)
    assert repr(loaded["branch"]) == repr(branch)
    assert repr(again(ways, tmp_path, Ways=Ways)) == repr(ways)


def test_a_link_where_the_constructor_leaves_none(tmp_path: Path) -> None:
    layer = m.TransformerEncoder(m.TransformerEncoderLayer(4, 2, 8), 2)
    layer.norm = m.LayerNorm(4)
    assert repr(again(layer, tmp_path)) == repr(layer)


def test_replace_child() -> None:
    class Held(m.Module):
        def __init__(self) -> None:
            self.one, self.none = m.Tanh(), None
            self.several, self.fixed = [m.Tanh(), m.Tanh()], (m.Tanh(),)
            self.named = {"a": m.Tanh(), 1: m.Tanh()}

    held = Held()
    names = ["one", "none", "several.1", "fixed.0", "named.a", "named.1"]
    for name in names:
        held.replace_child(name, m.ReLU())
    children = dict(held.named_children())
    assert [name for name in children if isinstance(children[name], m.ReLU)] == names
    held.replace_child("one", None)
    assert "one" not in dict(held.named_children())
    for name in ("several.2", "several.x", "forward", "_kept", "a b", "one.0"):
        with pytest.raises(ValueError, match=rf"^Held has no place '{name}' for a module\.$"):
            held.replace_child(name, m.ReLU())
    with pytest.raises(ValueError, match=r"^Graph: expected a node and a link for it, got 'z' and Tanh\(\)\.$"):
        Branch(2).replace_child("z", m.Tanh())


class Table(m.Module):
    """A link that is made of an array."""

    def __init__(self, table: Array) -> None:
        self.table = table

    def forward(self, x: Array) -> Array:
        return self.keep(x * self.table)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output * self.table


def test_arrays_of_several_links_in_an_optim(tmp_path: Path) -> None:
    tables = [np.arange(3, dtype=np.float32), np.ones(3, np.float32) * 7]
    network = m.Sequential(Table(tables[0]), m.Linear(3, 3), Table(tables[1]))
    optim = m.Optim(network, m.CrossEntropyLoss(weight=np.array([1.0, 2.0, 3.0])), m.SGD(lr=0.1, momentum=0.9))
    x, y = np.ones((2, 3), np.float32), np.array([0, 2])
    optim.step(x, y)
    loaded = again(optim, tmp_path, Table=Table)
    assert [link.table.tolist() for link in (loaded.network[0], loaded.network[2])] == [t.tolist() for t in tables]
    assert loaded.step(x, y) == optim.step(x, y)


class Passing(m.Dropout):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)


class Forgetful(m.Module):
    def __init__(self, scale: float = 3.0, generator: m.Generator | None = None) -> None:
        self._scale = scale


class Renamed(Passing):
    def get_config(self) -> dict[str, Any]:
        return {"p": self.p, "generator": self.generator}


def test_arguments_that_would_come_back_as_their_defaults_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError) as caught:
        m.save(Passing(0.7), tmp_path / "a")
    assert str(caught.value) == (
        "Passing: its constructor takes *args, which have no attributes. Let Passing.get_config() return all arguments "
        "by name, and from_config() take them."
    )
    with pytest.raises(TypeError) as caught:
        m.save(Forgetful(5.0), tmp_path / "a")
    assert str(caught.value) == (
        "Forgetful: expected an attribute 'scale', the constructor's parameter. Keep what the constructor is given "
        "under its parameters' names, or let Forgetful.get_config() return the arguments."
    )
    assert again(Renamed(0.7), tmp_path, Renamed=Renamed).p == 0.7
    with pytest.raises(TypeError) as caught:
        m.load(tmp_path / "a", links="Renamed")  # type: ignore[arg-type]
    assert str(caught.value) == "load: expected links to be {name: class}, got 'Renamed'."


class Wide(m.Module):
    """Of its own accord it makes more than it holds in the end."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.head = m.Linear(width, width)

    def forward(self, x: Array) -> Array:
        return np.asarray(self.head(x))


def test_what_takes_more_memory_to_make_than_to_hold_is_said_when_it_is_saved(tmp_path: Path) -> None:
    wide = Wide(2000)
    wide.head = m.Linear(2000, 1)
    with pytest.raises(TypeError) as caught:
        m.save(wide, tmp_path / "a")
    assert str(caught.value) == (
        "save: a Wide cannot be made of its arguments (its parameters and buffers take more memory than expected). "
        "Let get_config() return what the constructor takes."
    )
    small = Wide(1000)
    small.head = m.Linear(1000, 1)
    assert again(small, tmp_path, Wide=Wide).head.out_features == 1
