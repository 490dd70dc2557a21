"""Nodes as they are read from a neighbour's network, and the Graph or Sequential that they make in the end."""

from collections.abc import Iterable
from typing import Any

from maillon import nn
from maillon.nn import Module


class Wiring:
    """Inputs and nodes of a Graph to come: {name: (link, source, …)}; no two with the same name.

    reserved: names that are free for those who ask for exactly them with `place`.
    """

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.inputs: list[str] = []
        self.nodes: dict[str, tuple[Any, ...]] = {}
        self._taken = set(reserved)

    def input(self, name: str) -> str:
        """A new input; its name."""
        self.inputs.append(self._free(name))
        return self.inputs[-1]

    def add(self, name: str, link: Module, *sources: str) -> str:
        """A new node, called so or alike; its name."""
        name = self._free(name)
        self.nodes[name] = (link, *sources)
        return name

    def place(self, path: str, link: Module, *sources: str) -> str:
        """A new node for a call of the layer at this path: the first call has its name, the next ones name_1, …"""
        name, call = path, 0
        while name in self.nodes or (call and name in self._taken):
            name, call = f"{path}_{call + 1}", call + 1
        self._taken.add(name)
        self.nodes[name] = (link, *sources)
        return name

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def node_of(self, address: str) -> str:
        """The node that an address such as "lstm.1.0" is a part of; "" of an input."""
        parts = address.split(".")
        return next((n for end in range(len(parts), 0, -1) if (n := ".".join(parts[:end])) in self.nodes), "")

    def network(self, outputs: list[str], several: bool) -> Module:
        """A Sequential where each node takes the one before it, else a Graph; without nodes that lead to no output."""
        nodes = self._used(outputs)
        before = [*self.inputs, *nodes]
        chained = all(sources == [one] for one, (_, *sources) in zip(before, nodes.values(), strict=False))
        plain = len(self.inputs) == 1 and not several and before[-1] == outputs[0]
        if nodes and plain and chained and not any("." in name for name in nodes):
            return nn.Sequential({name: link for name, (link, *_) in nodes.items()})
        inputs = self.inputs if len(self.inputs) > 1 else self.inputs[0]
        return nn.Graph(inputs, nodes, outputs if several else outputs[0])

    def unused_inputs(self, outputs: list[str]) -> list[str]:
        """The inputs that no output depends on."""
        sources = {source for _, *taken in self._used(outputs).values() for source in taken}
        return [name for name in self.inputs if name not in {*sources, *outputs}]

    def _used(self, outputs: list[str]) -> dict[str, tuple[Any, ...]]:
        waiting, used = [*outputs], set()
        while waiting:
            name = self.node_of(waiting.pop())
            if name and name not in used:
                used.add(name)
                waiting += self.nodes[name][1:]
        return {name: node for name, node in self.nodes.items() if name in used}
