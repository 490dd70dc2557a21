"""from_keras: a Keras model as a network of ours."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from maillon import random
from maillon.interop.keras.layers import Layers
from maillon.interop.keras.values import NotReadError, Value
from maillon.interop.wiring import Wiring
from maillon.messages import got
from maillon.nn import Module

Links = Mapping[str, Callable[[Any], Module]]
_SERIES = ("Conv1D", "Conv1DTranspose", "SeparableConv1D", "DepthwiseConv1D", "MaxPooling1D", "AveragePooling1D",
           "ZeroPadding1D", "Cropping1D", "UpSampling1D", "SpatialDropout1D")  # fmt: skip
_STEPS = ("LSTM", "GRU", "SimpleRNN", "Bidirectional", "Dense", "LayerNormalization", "RMSNormalization",
          "MultiHeadAttention", "TimeDistributed", "Flatten", "Reshape")  # fmt: skip


def from_keras(model: Any, links: Links | None = None) -> Module:
    """The same network in maillon: a Sequential where the model is a chain, else a Graph.

    It takes what the model takes with the **channels first**: images (N, C, H, W), and series (N, C, L) where the first
    layer that cares is a convolution or pool; series for recurrent layers, attention and Dense stay (N, L, features).
    It gives images and what convolutions make of series in that layout too. All else agrees: weights are laid
    otherwise, a Flatten's Dense gets its columns in our order, padding "same" with a stride becomes explicit.

    Parameters
    ----------
    model : keras.Model or path
        A built Sequential or functional model; of a path Keras loads it (`.keras`, `.h5`). Models inside are read too.
    links : dict, optional
        {a layer's class by its name: a function that makes your link of such a layer}, for what maillon does not have.
        It gets what the layer gets, channels first, and keeps the shape of its input but for the last dimension.

    Returns
    -------
    Module
        Nodes have the layers' names, an activation inside a layer those of both: "dense_relu". `requires_grad` is the
        weights' `trainable`.

    Raises
    ------
    NotImplementedError
        Naming the layer that has no link, or has it only with other options.

    Notes
    -----
    In evaluation mode the outputs are Keras's. In training BatchNorm's running variance is PyTorch's, with n − 1, and
    masks of dropout are other draws.

    Examples
    --------
    ::

        network = maillon.interop.keras.from_keras("model.keras")
        maillon.predict(network, images.transpose(0, 3, 1, 2))
    """
    keras = needed()
    if isinstance(model, str | os.PathLike):
        model = keras.saving.load_model(os.fspath(model), compile=False)
    if not isinstance(model, keras.Model):
        raise TypeError(f"from_keras: expected a keras.Model or the path of one, {got(model)}")
    with random.using(random.Generator(0)):  # links draw initial values, which are not kept
        return _Walk(keras, dict(links or {})).network(model)


def needed() -> Any:
    """Keras; ImportError that says how to get it, or its backend."""
    try:
        import keras
    except ImportError as error:
        if error.name == "keras":
            raise ImportError(
                "maillon.interop.keras needs Keras, which is not installed. Install the package with its extra: "
                "maillon[keras]."
            ) from error
        raise ImportError(
            f"maillon.interop.keras: Keras has no backend ({error}). Install one, and choose it before Keras is "
            "imported: KERAS_BACKEND=torch."
        ) from error
    return keras


class _Walk:
    """From the outputs of a model back to its inputs, each layer once it is met."""

    def __init__(self, keras: Any, links: dict[str, Callable[[Any], Module]]) -> None:
        self._wiring = Wiring()
        self._layers = Layers(keras, self._wiring)
        self._links = links
        self._keras = keras

    def network(self, model: Any) -> Module:
        """The whole."""
        _check(model, type(model).__name__)
        values = {id(one): self._input(model, one) for one in model.inputs}
        outputs = [self._value(model, one, values, "") for one in model.outputs]
        names = [self._layers.plain(value).address for value in outputs]
        if idle := self._wiring.unused_inputs(names):
            raise NotReadError(f"from_keras: no output of {model.name} depends on the input {', '.join(idle)}.")
        return self._wiring.network(names, several=len(names) > 1)

    def _input(self, model: Any, tensor: Any) -> Value:
        name = tensor.name.replace(".", "_")
        shape = tuple(tensor.shape)
        first = len(shape) > 3 or (len(shape) == 3 and self._is_for_convolutions(model, tensor))
        return Value(self._wiring.input(name), shape, first)

    def _is_for_convolutions(self, model: Any, tensor: Any) -> bool:
        """Whether the first layer that cares how a series lies wants its channels first."""
        waiting, seen = [(model, id(tensor))], set()
        while waiting:
            inside, wanted = waiting.pop(0)
            for layer in inside.layers:
                for node in vars(layer).get("_inbound_nodes", ()):
                    if not any(id(one) == wanted for one in node.input_tensors) or id(node) in seen:
                        continue
                    seen.add(id(node))
                    kind = type(layer).__name__
                    if kind in _SERIES or kind in _STEPS:
                        return kind in _SERIES
                    if isinstance(layer, self._keras.Model):
                        waiting += [(layer, id(one)) for one in layer.inputs]
                    waiting += [(inside, id(one)) for one in node.outputs]
        return False

    def _value(self, model: Any, tensor: Any, values: dict[int, Value], prefix: str) -> Value:
        """What stands for one of the model's tensors; those before it first."""
        waiting = [tensor]
        while waiting:
            one = waiting[-1]
            if id(one) in values:
                waiting.pop()
                continue
            layer, node_index, _ = vars(one)["_keras_history"]
            node = vars(layer)["_inbound_nodes"][node_index]
            missing = [source for source in node.input_tensors if id(source) not in values]
            if missing:
                waiting += missing
                continue
            self._call(layer, node, values, prefix)
        return values[id(tensor)]

    def _call(self, layer: Any, node: Any, values: dict[int, Value], prefix: str) -> None:
        given = [values[id(one)] for one in node.input_tensors]
        name = prefix + layer.name.replace(".", "_")
        if isinstance(layer, self._keras.Model) and type(layer).__name__ not in self._links:
            _check(layer, name)
            inside = {id(one): value for one, value in zip(layer.inputs, given, strict=True)}
            made = [self._value(layer, one, inside, f"{name}.") for one in layer.outputs]
        elif type(layer).__name__ in self._links:
            made = [self._own(layer, name, given, tuple(node.outputs[0].shape))]
        else:
            made = [self._layers.read(layer, node, name, given)]
        if len(made) != len(node.outputs):
            raise NotReadError(f"from_keras: {name}, a {type(layer).__name__}, gives several values; only one is read.")
        values.update({id(one): value for one, value in zip(node.outputs, made, strict=True)})

    def _own(self, layer: Any, name: str, given: list[Value], shape: tuple[int | None, ...]) -> Value:
        link = self._links[type(layer).__name__](layer)
        if not isinstance(link, Module):
            raise TypeError(f"from_keras: {name}: expected links to give a maillon.Module, {got(link)}")
        plain = [self._layers.plain(value) for value in given]
        return plain[0].at(self._wiring.place(name, link, *(value.address for value in plain)), shape)


def _check(model: Any, name: str) -> None:
    if not getattr(model, "inputs", None) or not hasattr(model, "layers") or not hasattr(model, "outputs"):
        built = "is not built: give it an Input" if type(model).__name__ == "Sequential" else "has no graph of layers"
        raise NotReadError(f"from_keras: {name} {built}. Sequential and functional models are read.")
