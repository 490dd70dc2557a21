"""Random graphs, saved and loaded: the same outputs and gradients to the bit, and what they share still shared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_graphs import random_graph

import maillon as m
from maillon.nesting import leaves, rebuilt
from maillon.random import Generator, using


def learnt(network: m.Module, inputs: tuple[Any, ...]) -> list[bytes]:
    """The bits of the outputs, and of all gradients."""
    output = network(*inputs)
    grads = [Generator(3).normal(leaf.shape, dtype=np.float64) for leaf in leaves(output)]
    returned = network.backward(rebuilt(output, iter(grads)))
    own = [parameter.grad for parameter in network.parameters()]
    return [b"" if array is None else array.tobytes() for array in [*leaves(output), *leaves(returned), *own]]


@pytest.mark.sweep
@pytest.mark.parametrize("first", range(0, 500, 10), ids="graphs {}".format)
def test_random_graphs(first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)
    path = tmp_path / "a.safetensors"
    for seed in range(first, first + 10):
        with using(Generator(seed)):
            network, _ = random_graph(seed)
        frozen = np.random.default_rng(seed).random(50) < 0.2
        for parameter, still in zip(network.parameters(), frozen, strict=False):
            parameter.requires_grad = not still
        m.save(network, path)
        loaded = m.load(path)
        inputs = tuple(Generator(seed + place).normal((2, 3), dtype=np.float64) for place in range(len(network.inputs)))
        assert learnt(loaded, inputs) == learnt(network, inputs), seed
        assert repr(loaded) == repr(network)
        names, others = ([name for name, _ in each.named_parameters()] for each in (network, loaded))
        assert names == others
