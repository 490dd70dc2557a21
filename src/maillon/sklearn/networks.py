"""Multi-layer perceptrons as networks: how they are built, their first weights, and scikit-learn's view of them."""

import copy
import functools
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from maillon import nn
from maillon.messages import unknown_name
from maillon.nn import Linear, Module, Parameter, Residual, Sequential, activations, no_grad
from maillon.random import Generator, using
from maillon.typing import Array, DType

_OF_ROWS = {"GLU", "LogSoftmax", "Softmax", "Softmax2d", "Softmin", "Threshold"}  # or without a default
_SCIKIT = {"identity": nn.Identity, "logistic": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


@functools.cache
def _activations() -> dict[str, type[Module]]:
    """Those that a name may mean: scikit-learn's four, and all that work on each element, in small letters."""
    found = {}
    for name in set(dir(nn)) - _OF_ROWS:
        kind = getattr(nn, name)
        if isinstance(kind, type) and issubclass(kind, Module) and kind.__module__.startswith(activations.__name__):
            found[name.lower()] = kind
    return found | _SCIKIT


def activation_of(given: Any) -> Module:
    """The activation that a name, a class or an instance means: a new one each time.

    Raises
    ------
    ValueError, TypeError
        For an unknown name, or something else.
    """
    if isinstance(given, str):
        known = _activations()
        if given.lower() not in known:
            raise ValueError(unknown_name("activation", "an activation", given, sorted(known)))
        return known[given.lower()]()
    if isinstance(given, type) and issubclass(given, Module):
        return given()
    if isinstance(given, Module):
        return copy.deepcopy(given)
    raise TypeError(
        f"activation: expected a name such as 'relu', a class or an instance of Module, or a list of these, one for "
        f"each hidden layer, got {given!r}."
    )


def activations_of(given: Any, layers: int) -> list[Module]:
    """One activation for each hidden layer."""
    several = list(given) if isinstance(given, list | tuple) else [given] * layers
    if len(several) != layers:
        raise ValueError(
            f"activation: expected {layers}, one for each hidden layer, got {len(several)}. One that is not in a list "
            "is taken for all."
        )
    return [activation_of(each) for each in several]


def perceptron(
    sizes: Sequence[int], between: Sequence[Module], *, dropout: float, norm: str | None, residual: bool, dtype: DType
) -> Sequential:
    """A chain of Linears from size to size, with normalisation, activation and dropout after each but the last.

    Parameters
    ----------
    sizes : sequence of int
        Features, units of each hidden layer, outputs.
    between : sequence of Module
        The activation of each hidden layer.
    dropout : float
        The part of its outputs that is dropped in training.
    norm : str or None
        'batch' or 'layer': what stands before the activation.
    residual : bool
        Add a hidden layer's input to its output where they are of one size.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    Sequential
        It ends with a Linear. Its weights are to be drawn yet.
    """
    links: list[Module] = []
    with using(Generator(0)):  # what Linear draws is not kept
        for (before, after), activation in zip(pairwise(sizes[:-1]), between, strict=True):
            layer: list[Module] = [Linear(before, after)]
            if norm is not None:
                layer.append(nn.BatchNorm1d(after) if norm == "batch" else nn.LayerNorm(after))
            layer.append(activation)
            if dropout:
                layer.append(nn.Dropout(dropout))
            links += [Residual(Sequential(*layer))] if residual and before == after else layer
        links.append(Linear(sizes[-2], sizes[-1]))
    network = Sequential(*links)
    network.to(dtype)
    return network


def layers_of(network: Module) -> list[Linear]:
    """The Linears, from the input to the output."""
    return [link for link in network.modules() if isinstance(link, Linear)]


def before_layer(chain: Sequential, layer: int) -> int:
    """Where in the chain the links begin that hold its Linear of that number, from 0."""
    seen = 0
    for place, link in enumerate(chain):
        seen += len(layers_of(link))
        if seen > layer:
            return place
    raise ValueError(f"expected a chain of more than {layer} Linears, got {seen}.")


def draw(network: Module, between: Sequence[Module], random_state: np.random.RandomState) -> None:
    """First weights and biases: uniform within ±√(6 / (in + out)), √(2 / (in + out)) beside a Sigmoid.

    Glorot and Bengio, 2010; the same numbers as scikit-learn's for the same random state.
    """
    layers = layers_of(network)
    for layer, beside in zip(layers, [*between, between[-1] if between else None], strict=True):
        bound = math.sqrt((2 if isinstance(beside, nn.Sigmoid) else 6) / (layer.in_features + layer.out_features))
        layer.weight.data[...] = random_state.uniform(-bound, bound, (layer.in_features, layer.out_features)).T
        _bias(layer).data[...] = random_state.uniform(-bound, bound, layer.out_features)


def settle(network: Module, x: Array) -> None:
    """Let each BatchNorm have the mean and variance of these samples, instead of an average over steps."""
    norms = [link for link in network.modules() if isinstance(link, nn.BatchNorm1d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        network.train()
        with no_grad():
            network(x)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


def _bias(layer: Linear) -> Parameter:
    assert layer.bias is not None
    return layer.bias


def views(network: Module) -> tuple[list[Array], list[Array]]:
    """scikit-learn's coefs_ and intercepts_: the arrays of the network itself, (in, out) and (out,) for each Linear."""
    layers = layers_of(network)
    return [layer.weight.data.T for layer in layers], [_bias(layer).data for layer in layers]
