"""The nodes that neighbours are read into: names, addresses, and what they become."""

import pytest

from maillon import Add, Graph, Linear, Parallel, Sequential, Tanh
from maillon.interop.wiring import Wiring


def test_a_chain_becomes_a_sequential_without_what_leads_nowhere() -> None:
    wiring = Wiring()
    x = wiring.input("x")
    a = wiring.add("a", Linear(2, 3), x)
    wiring.add("idle", Tanh(), a)
    b = wiring.add("b", Tanh(), a)
    network = wiring.network([b], several=False)
    assert isinstance(network, Sequential)
    assert [name for name, _ in network.named_children()] == ["a", "b"]


@pytest.mark.parametrize("several", [True, False])
def test_all_else_becomes_a_graph(several: bool) -> None:
    wiring = Wiring(["blocks.0", "blocks"])
    x = wiring.input("blocks")
    a = wiring.place("blocks.0", Linear(2, 2), x)
    b = wiring.place("blocks.0", Linear(2, 2), a)
    ways = wiring.add("blocks", Parallel(Tanh(), Tanh()), b)
    y = wiring.add("y", Add(), f"{ways}.0", f"{ways}.1", x)
    assert (x, a, b, ways) == ("blocks_", "blocks.0", "blocks.0_1", "blocks__")
    assert [wiring.node_of(address) for address in (f"{ways}.1", "blocks.0", x)] == [ways, "blocks.0", ""]
    network = wiring.network([y], several)
    assert isinstance(network, Graph)
    assert network.outputs == (("y",) if several else "y")


def test_inputs_that_nothing_needs_are_told() -> None:
    wiring = Wiring()
    x, z = wiring.input("x"), wiring.input("z")
    y = wiring.add("y", Tanh(), x)
    assert wiring.unused_inputs([y]) == ["z"]
    assert wiring.unused_inputs([y, z]) == []
