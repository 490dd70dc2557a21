"""Each layer of Keras as links: its options, its weights laid otherwise, and what its value becomes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from maillon import nn
from maillon.interop.keras import activations, windows
from maillon.interop.keras.recurrent import recurrent
from maillon.interop.keras.values import (
    NotReadError,
    Value,
    channels_first,
    channels_last,
    flat,
    in_order,
    shaped,
)
from maillon.interop.wiring import Wiring
from maillon.nn import Module, Parameter
from maillon.typing import Array

POINTWISE: dict[str, Callable[[Any], Module | None]] = {
    "LeakyReLU": lambda layer: nn.LeakyReLU(float(layer.negative_slope)),
    "ELU": lambda layer: nn.ELU(float(layer.alpha)),
    "ReLU": activations.of_relu,
    "Dropout": lambda layer: nn.Dropout(layer.rate) if layer.noise_shape is None else None,
    "AlphaDropout": lambda layer: nn.AlphaDropout(layer.rate) if layer.noise_shape is None else None,
    "Identity": lambda layer: nn.Identity(),
    "ActivityRegularization": lambda layer: nn.Identity(),
}
"""Layers that treat each number alike, wherever it lies."""


class Layers:
    """Reads one layer after the other into the nodes of a Graph; a layer that is called again shares its links."""

    def __init__(self, keras: Any, wiring: Wiring) -> None:
        self.keras, self.wiring = keras, wiring
        self._made: dict[tuple[int, str], Module] = {}
        self._parameters: dict[tuple[int, str], Parameter] = {}
        self._orders: dict[int, Any] = {}  # of the features that a Dense is given
        self._as_they_are = slice(None)
        self._rules: dict[str, Callable[[Any, Any, str, list[Value]], Value]] = {
            "Dense": self._dense, "Embedding": self._embedding, "Flatten": self._flatten, "Reshape": self._reshape,
            "Permute": self._permute, "TimeDistributed": self._each_step, "Activation": self._activation,
            "Softmax": self._softmax, "PReLU": self._prelu, "BatchNormalization": self._batch_norm,
            "LayerNormalization": self._last_norm, "RMSNormalization": self._last_norm,
            "GroupNormalization": self._group_norm, "MultiHeadAttention": self._attention,
            "Add": self._joined, "Multiply": self._joined, "Concatenate": self._concatenate,
        }  # fmt: skip
        self._rules |= dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "Bidirectional"), self._recurrent)
        self._rules |= dict.fromkeys(windows.KINDS, self._windows)
        self._rules |= dict.fromkeys(POINTWISE, self._pointwise)

    def read(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        """The value of a call of the layer."""
        kind = type(layer).__name__
        if kind not in self._rules:
            raise NotReadError(
                f"from_keras: {name} is a {kind}, for which maillon has no link. Replace it, or give one of your own: "
                f"links={{{kind!r}: …}}."
            )
        told = [key for key, value in node.arguments.kwargs.items() if value not in (None, False) and key != "training"
                and not self.keras.backend.is_keras_tensor(value)]  # fmt: skip
        if told:
            raise self.refusal(layer, name, f"is called with {', '.join(told)}")
        return self._rules[kind](layer, node, name, given)

    def refusal(self, layer: Any, name: str, problem: str) -> NotReadError:
        """The error for a layer with an option that has no link."""
        kind = type(layer).__name__
        return NotReadError(
            f"from_keras: {name}, a {kind}, {problem}, which no link does. Give one of your own: links={{{kind!r}: …}}."
        )

    def plain(self, value: Value) -> Value:
        """The value as the outside sees it: features in Keras's order."""
        return in_order(self.wiring, value)

    # Links and their weights

    def link(self, layer: Any, name: str, make: Callable[[], Module], kind: str = "") -> Module:
        """The link of this layer: made once, shared where it is called again."""
        if (made := self._made.get((id(layer), kind))) is not None:
            return made.share()
        try:
            made = make()
        except (ValueError, TypeError, NotImplementedError) as error:
            raise NotReadError(f"from_keras: {name}, a {type(layer).__name__}: {error}") from error
        self._made[id(layer), kind] = made
        return made

    def add(self, value: Value, name: str, link: Module, **changes: Any) -> Value:
        """The value after one more link."""
        return value.at(self.wiring.place(name, link, value.address), **changes)

    def parameter(self, variable: Any, array: Array, part: str = "") -> Parameter:
        """The Parameter of a variable, or of a part of it: one, however often it is asked for; frozen where that is."""
        made = Parameter(np.ascontiguousarray(array), requires_grad=bool(variable.trainable))
        return self._parameters.setdefault((id(variable), part), made)

    def array(self, variable: Any, name: str) -> Array:
        """The values of a weight."""
        found = np.array(self.keras.ops.convert_to_numpy(variable))
        if found.dtype.char not in "fd":
            raise NotReadError(
                f"from_keras: {name} has weights of dtype {variable.dtype}. Links compute in float32 and float64: save "
                "the model in one of them."
            )
        return found

    def activated(self, value: Value, function: Any, name: str) -> Value:
        """The value after the activation that a layer was given."""
        if isinstance(function, self.keras.Layer):
            return self._rules[type(function).__name__](function, None, f"{name}_{function.name}", [value])
        called = getattr(function, "__name__", "")
        link = activations.of_function(function, value.axis(-1), name)
        if link is None:
            return value
        value = self.plain(value) if called in ("softmax", "log_softmax", "glu") else value
        shape = (*value.shape[:-1], value.channels // 2) if called == "glu" else value.shape
        return self.add(value, f"{name}_{called}", link, shape=shape)

    # Layers

    def _pointwise(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        link = POINTWISE[type(layer).__name__](layer)
        if link is None:
            raise self.refusal(layer, name, "has options together")
        return self.add(given[0], name, link)

    def _activation(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        return self.activated(given[0], layer.activation, name)

    def _softmax(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        if not isinstance(layer.axis, int):
            raise self.refusal(layer, name, f"has axis={layer.axis}")
        value = self.plain(given[0])
        return self.add(value, name, nn.Softmax(value.axis(layer.axis)))

    def _prelu(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        value = channels_first(self.wiring, self.plain(given[0]))
        slopes = self.array(layer.alpha, name)
        if slopes.size not in (1, value.channels) or slopes.size != slopes.shape[-1]:
            raise self.refusal(layer, name, "has a slope for each place, not for each channel (shared_axes)")
        link = self.link(layer, name, lambda: nn.PReLU(slopes.size))
        vars(link)["weight"] = self.parameter(layer.alpha, slopes.ravel())
        return self.add(value, name, link)

    def weigh(self, link: Any, layer: Any, name: str, **weights: tuple[Any, Callable[[Array], Array]]) -> None:
        """Give the link its weights: for each the layer's variable (or None) and how it is laid here."""
        for key, (variable, laid) in weights.items():
            if variable is not None:
                setattr(link, key, self.parameter(variable, laid(self.array(variable, name))))

    def _dense(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        (value,) = given
        inputs, units, bias = value.channels, int(layer.units), layer.bias is not None
        makers: dict[int, Callable[[], Module]] = {
            3: lambda: nn.Conv1d(inputs, units, 1, bias=bias),
            4: lambda: nn.Conv2d(inputs, units, 1, bias=bias),
        }
        window = (1,) * (value.rank - 2) if value.first else ()
        columns: Any = self._as_they_are if value.order is None else value.order
        link = self.link(layer, name, makers[value.rank] if value.first else lambda: nn.Linear(inputs, units, bias))
        if self._orders.setdefault(id(layer), columns) is not columns:
            raise self.refusal(layer, name, "is given features in two orders")

        def laid(array: Array) -> Array:
            return array.T[:, columns].reshape(units, inputs, *window)

        self.weigh(link, layer, name, weight=(layer.kernel, laid), bias=(layer.bias, np.asarray))
        made = self.add(value, name, link, shape=(*value.shape[:-1], units), order=None, image=None)
        return self.activated(made, layer.activation, name)

    def _each_step(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        inner = layer.layer
        if type(inner).__name__ not in ("Dense", "Activation", *POINTWISE) or given[0].rank < 3:
            raise self.refusal(layer, name, f"holds a {type(inner).__name__}")
        return self._rules[type(inner).__name__](inner, None, name, given)

    def _embedding(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        if layer.mask_zero:
            raise self.refusal(layer, name, "masks zeros (mask_zero=True)")
        link = self.link(layer, name, lambda: nn.Embedding(int(layer.input_dim), int(layer.output_dim)))
        self.weigh(link, layer, name, weight=(layer.embeddings, np.asarray))
        (value,) = given
        return Value(self.wiring.place(name, link, value.address), (*value.shape, int(layer.output_dim)))

    def _flatten(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        return flat(self.wiring, given[0], name)

    def _reshape(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        sizes = tuple(node.outputs[0].shape[1:])
        if None in sizes:
            raise self.refusal(layer, name, f"makes {tuple(node.outputs[0].shape)}")
        if given[0].shape[1:] == sizes:
            return given[0]
        return shaped(self.wiring, flat(self.wiring, given[0], f"{name}_flat"), name, sizes)

    def _permute(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        (value,) = given
        if tuple(layer.dims) == tuple(range(1, value.rank)):
            return value
        if value.rank != 3:
            raise self.refusal(layer, name, f"exchanges dimensions {tuple(layer.dims)} of images")
        rows, columns = value.shape[1:]  # the same array, read the other way
        return Value(value.address, (value.shape[0], columns, rows), first=not value.first)

    # Norms

    def _batch_norm(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        value = given[0]
        axis = layer.axis[0] if isinstance(layer.axis, list | tuple) else layer.axis
        if axis % value.rank != value.rank - 1 or getattr(layer, "renorm", False):
            raise self.refusal(layer, name, "does not norm the last dimension alone")
        value = channels_first(self.wiring, value)
        cls: Any = nn.BatchNorm2d if value.rank == 4 else nn.BatchNorm1d
        momentum, affine = 1 - float(layer.momentum), bool(layer.center or layer.scale)
        order = slice(None) if value.order is None else value.order
        link: Any = self.link(layer, name, lambda: cls(value.channels, float(layer.epsilon), momentum, affine=affine))
        self._scale_and_shift(link, layer, name, affine, order)
        for own, moving in ((link.running_mean, layer.moving_mean), (link.running_var, layer.moving_variance)):
            own[...] = self.array(moving, name)[order]
        link.to(str(self.array(layer.moving_mean, name).dtype))
        link.training = bool(layer.trainable)  # one that is not trainable norms by its running statistics
        return self.add(value, name, link)

    def _scale_and_shift(self, link: Any, layer: Any, name: str, affine: bool, order: Any = slice(None)) -> None:
        """gamma and beta; where there is only one of them the other is frozen at 1 or 0."""
        gamma = getattr(layer, "gamma", getattr(layer, "scale", None))
        beta = getattr(layer, "beta", None)
        for key, variable in (("weight", gamma), ("bias", beta)):
            if hasattr(variable, "trainable"):
                self.weigh(link, layer, name, **{key: (variable, lambda array: array[order])})
            elif affine and getattr(link, key, None) is not None:
                dtype = self.array(gamma if hasattr(gamma, "trainable") else beta, name).dtype
                getattr(link, key).data = getattr(link, key).data.astype(dtype)
                getattr(link, key).requires_grad = False

    def _last_norm(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        value = channels_last(self.wiring, self.plain(given[0]))
        axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
        places = sorted(axis % value.rank for axis in axes)
        if places != list(range(places[0], value.rank)) or places[0] == 0 or value.first:
            raise self.refusal(layer, name, f"norms over axis={layer.axis}")
        sizes = tuple(value.shape[places[0] :])
        if type(layer).__name__ == "RMSNormalization":
            link = self.link(layer, name, lambda: nn.RMSNorm(sizes, float(layer.epsilon)))  # type: ignore[arg-type]
            self._scale_and_shift(link, layer, name, True)
            return self.add(value, name, link)
        affine = bool(layer.center or layer.scale)
        link = self.link(layer, name, lambda: nn.LayerNorm(sizes, float(layer.epsilon), affine))  # type: ignore[arg-type]
        self._scale_and_shift(link, layer, name, affine)
        return self.add(value, name, link)

    def _group_norm(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        value = channels_first(self.wiring, self.plain(given[0]))
        if layer.axis % value.rank != value.rank - 1:
            raise self.refusal(layer, name, f"norms over axis={layer.axis}")
        groups = value.channels if layer.groups == -1 else int(layer.groups)
        affine = bool(layer.center or layer.scale)
        link = self.link(layer, name, lambda: nn.GroupNorm(groups, value.channels, float(layer.epsilon), affine))
        self._scale_and_shift(link, layer, name, affine)
        return self.add(value, name, link)

    # Sequences

    def _recurrent(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        if len(given) != 1:
            raise self.refusal(layer, name, "begins with a state that is given")
        value = channels_last(self.wiring, given[0])
        link, every, units = recurrent(self, layer, name, value.channels)
        whole = self.add(value, name, link)
        end, shape = (nn.EveryStep(), (*value.shape[:-1], units)) if every else (nn.LastStep(), (value.shape[0], units))
        return self.add(whole, f"{name}_{'every' if every else 'last'}", end, shape=shape)

    def _attention(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        query, value, *keys = (channels_last(self.wiring, one) for one in given)
        key = keys[0] if keys else value
        heads, width = int(layer.num_heads), query.channels
        if heads * int(layer.key_dim) != width or layer.value_dim != layer.key_dim or query.rank != 3:
            raise self.refusal(layer, name, f"has heads that are not {width} / {heads} wide")
        more = [key for key in ("output_shape", "use_gate", "sliding_window") if layer.get_config().get(key)]
        if more:
            raise self.refusal(layer, name, f"has {', '.join(more)}")
        bias = layer.query_dense.bias is not None
        link: Any = self.link(
            layer,
            name,
            lambda: nn.MultiheadAttention(
                width, heads, float(layer.dropout), bias, kdim=key.channels, vdim=value.channels, batch_first=True
            ),
        )
        parts = (layer.query_dense, layer.key_dense, layer.value_dense)
        weights = [self.array(one.kernel, name).reshape(one.kernel.shape[0], width).T for one in parts]
        variable = layer.query_dense.kernel
        if link.in_proj_weight is not None:
            link.in_proj_weight = self.parameter(variable, np.concatenate(weights), "joined")
        else:
            for key_name, weight in zip(("q_proj_weight", "k_proj_weight", "v_proj_weight"), weights, strict=True):
                setattr(link, key_name, self.parameter(variable, weight, key_name))
        out = layer.output_dense
        self.weigh(link.out_proj, layer, name, weight=(out.kernel, lambda array: array.reshape(width, width).T),
                   bias=(out.bias, np.asarray))  # fmt: skip
        if bias:
            joined = np.concatenate([self.array(one.bias, name).ravel() for one in parts])
            link.in_proj_bias = self.parameter(variable, joined, "biases")
        address = self.wiring.place(name, link, query.address, key.address, value.address)
        return Value(f"{address}.0", query.shape)

    # Joints

    def _joined(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        given = self._alike(given)
        if len(given) < 2 or len({one.shape[1:] for one in given}) > 1:
            raise self.refusal(layer, name, "joins values of several shapes, or numbers")
        link = nn.Add() if type(layer).__name__ == "Add" else nn.Multiply()
        return given[0].at(self.wiring.place(name, link, *(one.address for one in given)))

    def _concatenate(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        axis = layer.axis % given[0].rank
        if given[0].rank == 2 and axis == 1 and any(one.order is not None for one in given):
            orders, start = [], 0
            for one in given:
                orders.append(start + (np.arange(one.channels) if one.order is None else one.order))
                start += one.channels
            sources = [one.address for one in given]
            shape = (given[0].shape[0], start)
            return Value(self.wiring.place(name, nn.Concat(1), *sources), shape, order=np.concatenate(orders))
        given = self._alike(given)
        sizes = [one.shape[axis] for one in given]
        total = sum(size for size in sizes if size is not None) if None not in sizes else None
        joined = tuple(total if place == axis else size for place, size in enumerate(given[0].shape))
        link = nn.Concat(given[0].axis(axis))
        return given[0].at(self.wiring.place(name, link, *(one.address for one in given)), joined)

    def _alike(self, given: list[Value]) -> list[Value]:
        """The values in one layout."""
        if len({None if one.order is None else one.order.tobytes() for one in given}) > 1:
            given = [self.plain(one) for one in given]
        if len({one.first for one in given}) > 1:
            given = [channels_first(self.wiring, one) for one in given]
        return given

    def _windows(self, layer: Any, node: Any, name: str, given: list[Value]) -> Value:
        return windows.read(self, layer, node, name, channels_first(self.wiring, given[0]))
