"""Recurrent layers: gates in another order, two biases for one."""

from typing import TYPE_CHECKING, Any

import numpy as np

from maillon import nn
from maillon.nn import Module
from maillon.typing import Array

if TYPE_CHECKING:
    from maillon.interop.keras.layers import Layers

_KINDS = {"LSTM": (nn.LSTM, 4, (0, 1, 2, 3)), "GRU": (nn.GRU, 3, (1, 0, 2)), "SimpleRNN": (nn.RNN, 1, (0,))}
"""The link, how many gates it has, and where ours are in Keras: LSTM i, f, g, o in both; GRU z, r, n there."""

_REFUSED = {
    "return_state": "gives its state",
    "go_backwards": "walks backwards",
    "stateful": "keeps its state",
    "dropout": "drops the same inputs at every step",
    "recurrent_dropout": "drops parts of its state",
}


def recurrent(layers: "Layers", layer: Any, name: str, features: int) -> tuple[Module, bool, int]:
    """The link of a recurrent layer, or of one in both directions; whether it gives every step; its features."""
    if type(layer).__name__ != "Bidirectional":
        link = _link(layers, layer, name, features, False)
        _weigh(layers, link, layer, name, "")
        return link, bool(layer.return_sequences), int(layer.units)
    forward, backward = layer.forward_layer, layer.backward_layer
    alike = ("units", "use_bias", "return_sequences")
    same = type(forward) is type(backward) and all(getattr(forward, one) == getattr(backward, one) for one in alike)
    if type(forward).__name__ not in _KINDS or not same or layer.merge_mode != "concat":
        raise layers.refusal(layer, name, f"has merge_mode={layer.merge_mode!r}, or two layers that are not alike,")
    link = _link(layers, forward, name, features, True)
    _check(layers, backward, name, backward=True)
    _weigh(layers, link, forward, name, "")
    _weigh(layers, link, backward, name, "_reverse")
    return link, bool(forward.return_sequences), 2 * int(forward.units)


def _link(layers: "Layers", layer: Any, name: str, features: int, bidirectional: bool) -> Module:
    _check(layers, layer, name)
    options: dict[str, Any] = {"bias": bool(layer.use_bias), "batch_first": True, "bidirectional": bidirectional}
    if type(layer).__name__ == "SimpleRNN":
        options["nonlinearity"] = layer.activation.__name__
    cls, _, _ = _KINDS[type(layer).__name__]
    return layers.link(layer, name, lambda: cls(features, int(layer.units), **options))


def _check(layers: "Layers", layer: Any, name: str, backward: bool = False) -> None:
    """Refuse what no link does."""
    kind = type(layer).__name__
    for option, problem in _REFUSED.items():
        if getattr(layer, option, False) and not (backward and option == "go_backwards"):
            raise layers.refusal(layer, name, problem)
    expected = ("tanh", "relu") if kind == "SimpleRNN" else ("tanh",)
    gates: Any = getattr(layer, "recurrent_activation", None)
    if layer.activation.__name__ not in expected or (kind != "SimpleRNN" and gates.__name__ != "sigmoid"):
        used = layer.activation.__name__ if gates is None else f"{layer.activation.__name__} and {gates.__name__}"
        raise layers.refusal(layer, name, f"has the activation {used}")
    if kind == "GRU" and not layer.reset_after:
        raise layers.refusal(layer, name, "resets before the product (reset_after=False)")


def _weigh(layers: "Layers", link: Any, layer: Any, name: str, suffix: str) -> None:
    """The weights of one direction."""
    _, count, order = _KINDS[type(layer).__name__]
    cell = layer.cell

    def rows(array: Array) -> Array:
        """Keras's columns, gate by gate, as rows in our order."""
        gates = np.split(array.T, count)
        return np.concatenate([gates[place] for place in order])

    layers.weigh(link, layer, name, **{
        f"weight_ih_l0{suffix}": (cell.kernel, rows),
        f"weight_hh_l0{suffix}": (cell.recurrent_kernel, rows),
    })  # fmt: skip
    if cell.bias is None:
        return
    bias = layers.array(cell.bias, name)
    for key, one in zip(("bias_ih", "bias_hh"), bias if bias.ndim == 2 else (bias, np.zeros_like(bias)), strict=True):
        setattr(link, f"{key}_l0{suffix}", layers.parameter(cell.bias, rows(one), key))
