"""A layer as the other library's: both call classes, parameters of constructors and attributes alike."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from maillon.nn import Module

_NOT_ASKED = {"self", "device", "dtype", "generator", "inplace", "size_average", "reduce", "min_value", "max_value"}
_ELSEWHERE = {  # where PyTorch does not keep what its constructor took under the parameter's name
    ("MultiheadAttention", "bias"): "in_proj_bias",
    ("MultiheadAttention", "add_bias_kv"): "bias_k",
    ("PairwiseDistance", "p"): "norm",
}
_SIZES = ("kernel_size", "stride", "padding", "dilation", "output_padding")
Convert = Callable[[Any], Any]
"""A layer inside another one, as the other library's."""

Structure = tuple[Any, ...] | None
"""How an output is nested: None is one array, a tuple has a structure for each of its parts."""


def options(layer: Any, cls: type[Module]) -> dict[str, Any]:
    """The arguments that make such a layer, of either library, as far as they differ from the defaults; cls: ours."""
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(cls.__init__).parameters.items():
        if name in _NOT_ASKED or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        place = _ELSEWHERE.get((cls.__name__, name), name)
        value = getattr(layer, place, getattr(layer, name, parameter.default))
        if name in _SIZES and isinstance(value, tuple) and len(set(value)) == 1:
            value = value[0]  # PyTorch's may be (3, 3) where 3 was given
        if isinstance(parameter.default, bool) and not isinstance(value, bool):
            value = value is not None
        if value is not parameter.default and (parameter.default is None or value != parameter.default):
            found[name] = value
    return found


def structure(layer: Any) -> Structure:
    """How the output of a layer of either library is nested."""
    name = type(layer).__name__
    if name == "LSTM":
        return None, (None, None)
    several = name in ("RNN", "GRU", "LSTMCell", "MultiheadAttention") or getattr(layer, "return_indices", False)
    return (None, None) if several else None


def transformer_layer(cls: Any, layer: Any, convert: Convert) -> Any:
    """An encoder's or decoder's layer."""
    attention = layer.self_attn
    return cls(
        attention.embed_dim,
        attention.num_heads,
        layer.linear1.out_features,
        layer.dropout.p,
        _activation(layer.activation, convert),
        layer.norm1.eps,
        attention.batch_first,
        layer.norm_first,
        layer.linear1.bias is not None,
    )


def _activation(activation: Any, convert: Convert) -> Any:
    """By its name where PyTorch keeps a function, else as a layer."""
    if isinstance(activation, Module):
        return {"ReLU()": "relu", "GELU()": "gelu"}.get(repr(activation)) or convert(activation)
    return activation if not hasattr(activation, "named_children") else convert(activation)


def stack(cls: Any, layer: Any, convert: Convert) -> Any:
    """An encoder or decoder: layers over each other, which need not be alike."""
    layers = [convert(one) for one in layer.layers]
    norm = None if layer.norm is None else convert(layer.norm)
    more = {name: getattr(layer, name) for name in ("enable_nested_tensor", "mask_check") if hasattr(layer, name)}
    made = cls(layers[0], len(layers), norm, **more)
    made.layers = layers if isinstance(made, Module) else type(made.layers)(layers)
    return made


def transformer(cls: Any, layer: Any, convert: Convert) -> Any:
    """Encoder and decoder together, made as usual where both are, so that it shows itself so."""
    encoder, decoder = convert(layer.encoder), convert(layer.decoder)
    inner = getattr(layer.encoder, "layers", None)
    if inner is None or not hasattr(layer.decoder, "layers") or not hasattr(inner[0], "linear1"):
        return cls(layer.d_model, layer.nhead, custom_encoder=encoder, custom_decoder=decoder)
    first = inner[0]
    made = cls(
        layer.d_model,
        layer.nhead,
        len(inner),
        len(layer.decoder.layers),
        first.linear1.out_features,
        first.dropout.p,
        _activation(first.activation, convert),
        None,
        None,
        first.norm1.eps,
        layer.batch_first,
        first.norm_first,
        first.linear1.bias is not None,
    )
    made.encoder, made.decoder = encoder, decoder
    return made


MADE_OF_LAYERS: dict[str, Callable[[Any, Any, Convert], Any]] = {
    "TransformerEncoderLayer": transformer_layer,
    "TransformerDecoderLayer": transformer_layer,
    "TransformerEncoder": stack,
    "TransformerDecoder": stack,
    "Transformer": transformer,
}
"""What is made of other layers; the class is the other library's."""


def changed_part(made: Any, layer: Any, cls: Callable[[str], type[Module] | None]) -> str | None:
    """The name of the first layer inside that is no longer what the constructor made it; cls: ours of a name."""
    inside = dict(made.named_children())
    for name, part in layer.named_children():
        kind = cls(type(part).__name__.removeprefix("NonDynamicallyQuantizable"))
        if kind is None or name not in inside or options(part, kind) != options(inside[name], kind):
            return str(name)
    return None


def own_arrays(named: Iterable[tuple[str, Any]]) -> dict[tuple[str, str], Any]:
    """Parameters or buffers by the path of the layer that holds them, and their name there."""
    return {(path.rpartition(".")[0], path.rpartition(".")[2]): value for path, value in named}


def as_array(tensor: Any) -> Any:
    """A copy of a tensor's values."""
    return np.array(tensor.detach().cpu().numpy())
