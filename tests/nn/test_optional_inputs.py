"""What backward returns depends on what forward was given, never on whether it was given by place or by name."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.check import check_module
from maillon.nesting import leaves, rebuilt

X, Y = np.random.default_rng(0).normal(size=(2, 2, 3, 4))
MASK, PADDING = np.random.default_rng(1).normal(size=(3, 3)), np.random.default_rng(2).normal(size=(2, 3))
HIDDEN = np.random.default_rng(3).normal(size=(1, 2, 5))
LATER = np.triu(np.ones((3, 3), bool), 1)
IMAGE = np.random.default_rng(4).normal(size=(1, 1, 4, 4))
POOLED, PLACES = m.MaxPool2d(2, return_indices=True)(IMAGE)
BATCH: Any = {"batch_first": True, "dtype": "float64"}
ENCODED = m.TransformerEncoderLayer(4, 2, 6, 0.0, **BATCH)
DECODED = m.TransformerDecoderLayer(4, 2, 6, 0.0, **BATCH)


def graph() -> m.Graph:
    nodes = {"a": (m.Multiply(), "one", "two"), "y": (m.Add(), "a", "one")}
    return m.Graph(inputs=["one", "two"], nodes=nodes, outputs="y")


LINKS: dict[str, tuple[Callable[[], m.Module], dict[str, Any]]] = {
    "MultiheadAttention": (
        lambda: m.MultiheadAttention(4, 2, **BATCH),
        {
            "query": X, "key": Y, "value": Y, "key_padding_mask": PADDING, "need_weights": False, "attn_mask": MASK,
            "average_attn_weights": False, "is_causal": False,
        },
    ),
    "TransformerEncoderLayer": (
        lambda: m.TransformerEncoderLayer(4, 2, 6, 0.0, **BATCH),
        {"src": X, "src_mask": MASK, "src_key_padding_mask": PADDING, "is_causal": False},
    ),
    "TransformerEncoder": (
        lambda: m.TransformerEncoder(ENCODED, 2),
        {"src": X, "mask": LATER, "src_key_padding_mask": PADDING, "is_causal": False},
    ),
    "TransformerDecoderLayer": (
        lambda: m.TransformerDecoderLayer(4, 2, 6, 0.0, **BATCH),
        {
            "tgt": X, "memory": Y, "tgt_mask": MASK, "memory_mask": MASK, "tgt_key_padding_mask": PADDING,
            "memory_key_padding_mask": PADDING, "tgt_is_causal": False, "memory_is_causal": False,
        },
    ),
    "TransformerDecoder": (
        lambda: m.TransformerDecoder(DECODED, 2),
        {
            "tgt": X, "memory": Y, "tgt_mask": LATER, "memory_mask": MASK, "tgt_key_padding_mask": PADDING,
            "memory_key_padding_mask": PADDING,
        },
    ),
    "Transformer": (
        lambda: m.Transformer(4, 2, 1, 1, 6, 0.0, **BATCH),
        {
            "src": X, "tgt": Y, "src_mask": MASK, "tgt_mask": LATER, "memory_mask": MASK,
            "src_key_padding_mask": PADDING, "tgt_key_padding_mask": PADDING, "memory_key_padding_mask": PADDING,
            "src_is_causal": False,
        },
    ),
    "RNN": (lambda: m.RNN(4, 5, **BATCH), {"x": X, "hx": HIDDEN}),
    "GRU": (lambda: m.GRU(4, 5, **BATCH), {"x": X, "hx": HIDDEN}),
    "LSTM": (lambda: m.LSTM(4, 5, **BATCH), {"x": X, "hx": (HIDDEN, HIDDEN)}),
    "RNNCell": (lambda: m.RNNCell(4, 5, dtype="float64"), {"x": X[:, 0], "hx": HIDDEN[0]}),
    "GRUCell": (lambda: m.GRUCell(4, 5, dtype="float64"), {"x": X[:, 0], "hx": HIDDEN[0]}),
    "LSTMCell": (lambda: m.LSTMCell(4, 5, dtype="float64"), {"x": X[:, 0], "hx": (HIDDEN[0], HIDDEN[0])}),
    "Bilinear": (lambda: m.Bilinear(4, 4, 2, dtype="float64"), {"input1": X, "input2": Y}),
    "CosineSimilarity": (lambda: m.CosineSimilarity(), {"x1": X, "x2": Y}),
    "PairwiseDistance": (lambda: m.PairwiseDistance(), {"x1": X, "x2": Y}),
    "MaxUnpool2d": (lambda: m.MaxUnpool2d(2), {"x": POOLED, "indices": PLACES, "output_size": (5, 4)}),
    "ConvTranspose2d": (
        lambda: m.ConvTranspose2d(1, 1, 2, stride=2, dtype="float64"), {"x": IMAGE, "output_size": (9, 8)},
    ),
    "Graph": (graph, {"one": X, "two": Y}),
    "Sequential": (lambda: m.Sequential(graph(), m.Tanh()), {"one": X, "two": Y}),
}  # fmt: skip


def calls(link: m.Module, arguments: dict[str, Any]) -> Iterator[tuple[frozenset[str], list[Any], dict[str, Any]]]:
    """What is given, and all ways to give it: the first by place and the others by name; what may be left out, left out
    or given as None.
    """
    parameters = inspect.signature(link.forward).parameters
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    optional = [name for name in arguments if name in defaults]
    mixed = not isinstance(link, m.Sequential)
    for left_out in ([], *([name] for name in optional), optional):
        given = {name: value for name, value in arguments.items() if name not in left_out}
        what = frozenset(given)
        for place in range(len(given) + 1) if mixed else (0, len(given)):
            first = list(given)[:place]
            if first == list(arguments)[:place]:
                yield what, [given[name] for name in first], {n: v for n, v in given.items() if n not in first}
        if optional:
            yield what, list((dict.fromkeys(arguments) | defaults | given).values()), {}


def nesting(value: Any) -> Any:
    return tuple(map(nesting, value)) if isinstance(value, tuple) else getattr(value, "shape", None)


@pytest.mark.parametrize("name", LINKS)
def test_the_gradient_does_not_tell_how_the_inputs_were_given(name: str) -> None:
    made, arguments = LINKS[name]
    link, seen = made(), {}
    ways = list(calls(link, arguments))
    for what, inputs, named in ways:
        output = link(*inputs, **named)
        parts = [None if part is None else np.ones_like(part) for part in leaves(output)]
        found = nesting(link.backward(rebuilt(output, iter(parts))))
        assert seen.setdefault(what, found) == found
    assert len(ways) > len(seen)


def test_the_gradients_reach_to_the_last_mask_that_was_given() -> None:
    link = m.MultiheadAttention(4, 2, **BATCH)
    for inputs, named, parts in (
        ((X, Y, Y), {}, [True] * 3),
        ((X, Y, Y), {"need_weights": False}, [True] * 3),
        ((X, Y, Y, None, False), {}, [True] * 3),
        ((X, Y, Y), {"key_padding_mask": PADDING}, [True] * 4),
        ((X, Y, Y), {"attn_mask": MASK}, [True, True, True, False, False, True]),
        ((X, Y, Y), {"attn_mask": MASK > 1}, [True, True, True, False, False, False]),
        ((X, Y, Y, None, False, MASK, True, False), {}, [True, True, True, False, False, True]),
    ):
        y, weights = link(*inputs, **named)  # type: ignore[arg-type]
        grads = link.backward((np.ones_like(y), None if weights is None else np.ones_like(weights)))
        assert [grad is not None for grad in grads] == parts


def test_masks_by_name_have_the_gradients_of_masks_by_place() -> None:
    link = m.TransformerEncoder(ENCODED, 2)
    link(X, MASK, PADDING)
    by_place = link.backward(X)
    link(X, src_key_padding_mask=PADDING, mask=MASK)
    for one, other in zip(by_place, link.backward(X), strict=True):
        np.testing.assert_array_equal(one, other)
    link(X, is_causal=False)
    assert link.backward(X).shape == X.shape


def test_a_call_that_fails_leaves_nothing_for_the_next() -> None:
    link = m.MultiheadAttention(4, 2, **BATCH)
    with pytest.raises(ValueError, match="expected key_padding_mask of shape"):
        link(X, Y, Y, PADDING.T, True, MASK)
    y, _ = link.forward(X, Y, Y)
    assert len(link.backward((y, None))) == 3
    assert "_placed" not in vars(link)


def test_an_absent_input_has_no_part_in_a_graph() -> None:
    def with_mask() -> m.Graph:
        nodes = {"y": (m.TransformerEncoderLayer(4, 2, 6, 0.0, **BATCH), "x", "mask", "padding")}
        return m.Graph(["x", "mask", "padding"], nodes, "y")

    network = with_mask()
    for mask, padding in ((None, None), (MASK, None), (None, PADDING), (MASK > 1, PADDING)):
        y = network(X, mask, padding)
        dx, dmask, dpadding = network.backward(y)
        assert dx.shape == X.shape
        assert (dmask is None) == (mask is None or mask.dtype == bool)
        assert (dpadding is None) == (padding is None)
    recurrent = m.Graph(["x", "hx"], {"y": (m.GRU(4, 5, **BATCH), "x", "hx")}, "y.0")
    assert recurrent.backward(recurrent(X, None))[1] is None


def test_the_contract_holds_where_an_input_is_absent() -> None:
    check_module(m.GRU(4, 5, **BATCH), X, None)
    check_module(m.TransformerEncoderLayer(4, 2, 6, 0.0, **BATCH), X, None, PADDING, False)
