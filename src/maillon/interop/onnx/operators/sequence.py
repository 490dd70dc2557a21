"""Recurrent layers."""

from typing import Any

import numpy as np

from maillon.interop.onnx.links.recurrent import PeepholeLSTM, ResetFirstGRU
from maillon.interop.onnx.links.shapes import Slice
from maillon.interop.onnx.reader import Converter, Known, Live, Node, Reader, State, whole
from maillon.nn.joints import Parallel
from maillon.nn.linear.linear import Identity
from maillon.nn.sequence.recurrent import GRU, LSTM, RNN
from maillon.nn.sequence.steps import EveryStep
from maillon.typing import Array

GATES = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}
"""Where our gates stand among ONNX's: i f g o of i o f c; r z n of z r h."""
ACTIVATIONS = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"]}
FAR = -(2**62)


def recurrent(reader: Reader, node: Node) -> Any:
    _check(node)
    x, ways = node.live(), 2 if node.get("direction", "forward") == "bidirectional" else 1
    batchwise, backwards = bool(node.get("layout", 0)), node.get("direction") == "reverse"
    turned = None if batchwise or backwards or x.permuted is None else x.permuted
    first = batchwise or (turned is not None and turned[1] == (1, 0, 2))
    link = _link(reader, node, ways, first)
    source = turned[0] if first and turned is not None and not batchwise else x
    steps = 1 if batchwise else 0
    if backwards:
        source = reader.link(node, Slice((-1,), (FAR,), (steps,), (-1,)), source)
    initial = _initial(reader, node, batchwise)
    output, state = reader.link(node, link, source, *initial)
    both = whole((output, state))
    every = reader.link(node, EveryStep(), both)
    if backwards:
        every = reader.link(node, Slice((-1,), (FAR,), (steps,), (-1,)), every)
    last = None if backwards else State(both, ways)
    return (_steps(reader, node, every, ways, batchwise, first), *_states(reader, node, state, last, batchwise))


def _check(node: Node) -> None:
    """What is not said in a way that a link of maillon has."""
    node.only(clip=None, input_forget=0, activation_alpha=None, activation_beta=None)
    lengths = node.constant(4)
    steps = node.live().samples[0].shape[1 if node.get("layout", 0) else 0]
    if lengths is not None and any(n != steps for n in lengths.reshape(-1).tolist()):
        raise node.refusal("sequence_lens is not supported: maillon's sequences of a batch are of one length")
    given = [name.lower() for name in node.get("activations") or []]
    if node.operator in ACTIVATIONS:
        usual = ACTIVATIONS[node.operator]
        if given and given != usual * (len(given) // len(usual)):
            raise node.refusal(f"activations={given} is not supported: maillon has {usual}")
    elif given and (len(set(given)) != 1 or given[0] not in ("tanh", "relu")):
        raise node.refusal(f"activations={given} is not supported: maillon has tanh and relu")


def _link(reader: Reader, node: Node, ways: int, batch_first: bool) -> Any:
    weight, recurrent_weight, bias = node.constant(1), node.constant(2), node.constant(3)
    sizes = (weight.shape[2], recurrent_weight.shape[2])
    options: dict[str, Any] = {"bias": bias is not None, "batch_first": batch_first}
    peepholes = node.constant(7)
    if peepholes is not None and ways == 2:
        raise node.refusal("peepholes in both directions are not supported")
    if peepholes is not None:
        link: Any = PeepholeLSTM(*sizes, **options).to(weight.dtype)
        i, o, f = np.split(peepholes[0], 3)
        link.weight_p = reader.parameter(node.input(7), np.concatenate([i, f, o]), ":i,f,o")
    else:
        if node.operator == "RNN":
            options["nonlinearity"] = (node.get("activations") or ["Tanh"])[0].lower()
        kinds: dict[str, Any] = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
        if node.operator == "GRU" and not node.get("linear_before_reset", 0):
            kinds["GRU"] = ResetFirstGRU
        link = kinds[node.operator](*sizes, bidirectional=ways == 2, dtype=weight.dtype, **options)
    for way, end in enumerate(("", "_reverse")[:ways]):
        parts = {"weight_ih": (1, weight[way]), "weight_hh": (2, recurrent_weight[way])}
        if bias is not None:
            parts |= {"bias_ih": (3, bias[way][: bias.shape[1] // 2]), "bias_hh": (3, bias[way][bias.shape[1] // 2 :])}
        for name, (place, array) in parts.items():
            ours = _reordered(array, GATES[node.operator])
            setattr(link, f"{name}_l0{end}", reader.parameter(node.input(place), ours, f":{name}{end}"))
    return link


def _reordered(array: Array, order: tuple[int, ...]) -> Array:
    parts = np.split(array, len(order))
    return np.concatenate([parts[place] for place in order])


def _initial(reader: Reader, node: Node, batchwise: bool) -> list[Live]:
    """The initial state, left out where it is zero."""
    given = [node.input(place) for place in ((5, 6) if node.operator == "LSTM" else (5,))]
    if all(part is None or (isinstance(part, Known) and not any(map(np.any, part.samples))) for part in given):
        return []
    if not all(isinstance(part, Live) for part in given):
        raise node.refusal("an initial state must be zero, or an input of the network with all its parts")
    parts = [reader.permuted(node, part, (1, 0, 2)) if batchwise else part for part in given]
    return [whole(reader.link(node, Parallel(Identity(), Identity()), *parts))] if len(parts) == 2 else parts


def _steps(reader: Reader, node: Node, every: Live, ways: int, batchwise: bool, first: bool) -> Live:
    """(L, ways, N, hidden) as ONNX has it, or (N, L, ways, hidden), of what our link gives."""
    if ways == 1:
        every = reader.permuted(node, every, (1, 0, 2)) if first and not batchwise else every
        one, other = (np.expand_dims(part, 2 if batchwise else 1) for part in every.samples)
        return reader.reshaped(node, every, (one, other))
    one, other = (part.reshape(*part.shape[:2], 2, -1) for part in every.samples)
    cut = reader.reshaped(node, every, (one, other))
    if batchwise:
        return cut
    return reader.permuted(node, cut, (1, 2, 0, 3) if first else (0, 2, 1, 3))


def _states(reader: Reader, node: Node, state: Any, last: State | None, batchwise: bool) -> list[Live]:
    parts = list(state) if isinstance(state, tuple) else [state]
    if batchwise:
        return [reader.permuted(node, part, (1, 0, 2)) for part in parts]
    parts[0].state = last
    return parts


CONVERTERS: dict[str, Converter] = {"GRU": recurrent, "LSTM": recurrent, "RNN": recurrent}
