"""ModuleList and ModuleDict: PyTorch's ways to use them, and what they refuse."""

import pytest

import maillon
from maillon import Linear, Module, ModuleDict, ModuleList, ReLU, Sequential, Tanh


def test_a_list_of_links_changes_like_a_list() -> None:
    first, last = Linear(2, 3), Linear(3, 1)
    layers = ModuleList([first])
    assert layers.append(last) is layers
    layers.insert(1, tanh := Tanh())
    assert list(layers) == [first, tanh, last]
    assert [name for name, _ in layers.named_children()] == ["0", "1", "2"]
    assert layers[-1] is last
    assert list(layers[1:]) == [tanh, last]
    assert [name for name, _ in layers[1:].named_children()] == ["0", "1"]  # PyTorch numbers a slice anew
    layers[1] = relu = ReLU()
    del layers[0]
    assert list(layers) == [relu, last]
    assert layers.pop() is last
    layers += [tanh]
    longer = layers + ModuleList([first])
    assert list(longer) == [relu, tanh, first]
    assert len(layers) == 2
    assert len(ModuleList()) == 0
    assert list(Sequential(*layers)) == [relu, tanh]


def test_a_dict_of_links_changes_like_a_dict() -> None:
    ways = ModuleDict({"a": Linear(2, 3)})
    ways["b"] = Tanh()
    ways.update([("c", ReLU()), ("a", last := Linear(3, 1))])
    ways.update(ModuleDict({"d": Tanh()}))
    assert list(ways) == list(ways.keys()) == ["a", "b", "c", "d"]
    assert ways["a"] is last is ways.a
    assert list(ways.values()) == [link for _, link in ways.items()]
    assert ways.pop("a") is last
    del ways["b"]
    assert "b" not in ways
    assert "c" in ways
    assert len(ways) == 2
    ways.clear()
    assert len(ways) == 0
    assert list(ModuleDict([("x", Tanh())])) == ["x"]


def test_they_show_what_they_hold() -> None:
    assert repr(ModuleList([Tanh(), Linear(1, 2)])) == "ModuleList([\n  Tanh(),\n  Linear(1, 2),\n])"
    assert repr(ModuleList()) == "ModuleList()"
    assert repr(ModuleDict({"0": Tanh()})) == "ModuleDict({\n  '0': Tanh(),\n})"


def test_what_they_refuse() -> None:
    tanh = Tanh()
    with pytest.raises(TypeError, match=r"^ModuleList\[1\]: expected a Module, got 3\.$"):
        ModuleList([tanh, 3])
    with pytest.raises(ValueError, match=r"^ModuleList: the same Tanh\(\) stands at \[0\] and at \[1\], "):
        ModuleList([tanh] * 2)
    with pytest.raises(IndexError, match=r"^ModuleList: no link 1; there are 1\.$"):
        ModuleList([tanh])[1]
    with pytest.raises(KeyError, match=r"ModuleDict: no link 'b'; there are a\."):
        ModuleDict({"a": tanh})["b"]
    with pytest.raises(KeyError, match="there are none"):
        ModuleDict().pop("b")
    with pytest.raises(ValueError, match=r"^ModuleDict\[0\]: the name 'a\.b' is taken, empty, not a string or has"):
        ModuleDict({"a.b": tanh})
    with pytest.raises(NotImplementedError, match=r"ModuleList has no forward\(\)"):
        ModuleList([tanh])(1)


def test_links_in_them_are_found() -> None:
    class Held(Module):
        def __init__(self) -> None:
            self.layers = ModuleList([Linear(1, 2), Tanh()])
            self.heads = ModuleDict({"price": Linear(2, 1, bias=False)})

    held = Held()
    assert list(held.state_dict()) == ["layers.0.weight", "layers.0.bias", "heads.price.weight"]
    twin = held.share()
    assert twin.layers[0] is not held.layers[0]
    assert twin.layers[0].weight is held.layers[0].weight
    assert all(not module.training for module in held.eval().modules())
    assert held.to("float64").dtype == "float64"
    assert sum(parameter.size for parameter in maillon.nn.ModuleList([held, twin]).parameters()) == 6
