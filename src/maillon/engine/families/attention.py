"""Attention."""

import math
from collections.abc import Mapping
from typing import Any

from maillon import nn, random
from maillon.engine.builder import Builder, NotLoweredError, Tree, Value, floating, lowers
from maillon.engine.families.linear import product_grads
from maillon.engine.table import Kind, declare
from maillon.engine.walk import lower_child

_ALL = "(keys + learnt + zero)"
_SQUARES = f"batch * heads * queries * {_ALL}"
_QUERIES, _KEYS = "batch * queries", "batch * keys"
_SHOWN = f"batch * (1 if averaged else heads) * queries * {_ALL}"
_MASK = "(batch * heads if mask_each else 1) * queries * keys"
_SIZES = (
    "batch",
    "heads>0",
    "width>0",
    "queries",
    "keys",
    "learnt<2",
    "zero<2",
    "by_sample<2",
    "averaged<2",
    "q_row",
    "q_at",
    "k_row",
    "k_at",
    "v_row",
    "v_at",
)
# Where k is absent, q holds it too; where v is absent, it is where k is.
_MUST = (
    "k or (keys == queries and k_row == q_row)",
    "v or (v_row == k_row if k else keys == queries and v_row == q_row)",
    "q_at + heads * width <= q_row",
    "k_at + heads * width <= k_row",
    "v_at + heads * width <= v_row",
    "bias_k == bias_v == learnt",
)

OPERATIONS = declare(
    Kind(
        "attention",
        "weights = softmax(scale Q Kᵀ + masks), context = (weights kept / (1 - p)) V, head by head",
        (
            f"q: r {_QUERIES} * q_row",
            f"k?: r {_KEYS} * k_row",
            f"v?: r {_KEYS} * v_row",
            "bias_k?: r heads * width",
            "bias_v?: r heads * width",
            f"mask?: r {_MASK}",
            f"padding?: r {_KEYS}",
            f"kept?: r bool {_SQUARES}",
            f"weights: w {_SQUARES}",
            f"context: w {_QUERIES} * heads * width",
            f"shown?: w {_SHOWN}",
            f"workspace: w dropping * {_SQUARES}",
        ),
        (*_SIZES, "mask_each<2", "causal<2", "empty_is_nan<2", "dropping<2"),
        ("scale", "p"),
        flops=f"4 * {_SQUARES} * width + 20 * {_SQUARES}",
        must=(*_MUST, "kept == dropping"),
    ),
    Kind(
        "attention_grad",
        "the gradients of q, k, v (in dq, where absent), of the learnt key and value, and of the masks",
        (
            f"dcontext?: r {_QUERIES} * heads * width",
            f"dshown?: r {_SHOWN}",
            f"q: r {_QUERIES} * q_row",
            f"k?: r {_KEYS} * k_row",
            f"v?: r {_KEYS} * v_row",
            "bias_k?: r heads * width",
            "bias_v?: r heads * width",
            f"weights: r {_SQUARES}",
            f"kept?: r bool {_SQUARES}",
            f"dscores: w {_SQUARES}",
            f"dq: w {_QUERIES} * q_row",
            f"dk?: w {_KEYS} * k_row",
            f"dv?: w {_KEYS} * v_row",
            "dbias_k?: rw heads * width",
            "dbias_v?: rw heads * width",
            f"dmask?: w {_MASK}",
            f"dpadding?: w {_KEYS}",
            "workspace: w 2 * learnt * batch * heads * width",
        ),
        (*_SIZES, "mask_each<2", "keep_k<2", "keep_v<2"),
        ("scale", "p"),
        flops=f"8 * {_SQUARES} * width + 10 * {_SQUARES}",
        must=(*_MUST, "k == dk", "v == dv", "learnt or not (dbias_k or dbias_v)"),
    ),
    Kind(
        "keep_mask",
        "kept = whether a random number is at least p. One word for each element, in order",
        ("kept: w bool n",),
        ("n",),
        ("p",),
        work="5 * n",
        stream=True,
        alone=True,
    ),
    Kind("additive", "y = -∞ where x, else 0", ("x: r bool n", "y: w n"), ("n",), work="5 * n"),
)


# The projections


class _Projection:
    """y = x Wᵀ + b, of some rows of the weight: for one, two or all three of queries, keys and values."""

    def __init__(self, b: Builder, link: "nn.MultiheadAttention", x: Value, name: str, parts: range) -> None:
        """parts: which of the three; name: the weight's."""
        self.b, self.x, self.name, self.parts = b, x, name, len(parts)
        width = link.embed_dim
        self.outputs, self.inputs = len(parts) * width, x.shape[-1]
        self.first_weight = parts.start * width * self.inputs if name == "in_proj_weight" else 0
        self.first_bias = parts.start * width
        self.weight = b.slice(b.parameter(name, getattr(link, name)), self.first_weight, (self.outputs, self.inputs))
        self.y = b.local(f"{name}, y", (*x.shape[:-1], self.outputs))
        bias = link.in_proj_bias
        start = None if bias is None else b.slice(b.parameter("in_proj_bias", bias), self.first_bias, (self.outputs,))
        b.add("linear", x=x, weight=self.weight, bias=start, y=self.y, **self._sizes())

    def _sizes(self) -> dict[str, int]:
        return {"rows": math.prod(self.x.shape[:-1]), "inputs": self.inputs, "outputs": self.outputs}

    def backward(self, dy: Value, dweight: Any, dbias: Any) -> None:
        """dweight, dbias: of the whole weight and bias, as `parameter_grad` gives them."""
        part = self._part
        weight = part(dweight, self.first_weight, (self.outputs, self.inputs)), dweight[1]
        bias = part(dbias, self.first_bias, (self.outputs,)), dbias[1]
        product_grads(self.b, dy, self.x, weight, bias, 0, **self._sizes())
        if self.b.wants(self.x):
            self.b.add("linear_grad_input", dy=dy, weight=self.weight, dx=self.b.grad(self.x), **self._sizes())

    def _part(self, grad: Any, start: int, shape: tuple[int, ...]) -> Value | None:
        return None if grad[0] is None else self.b.slice(Value(grad[0], grad[0].shape), start, shape)


def _projections(b: Builder, link: "nn.MultiheadAttention", inputs: tuple[Value, Value, Value]) -> list[_Projection]:
    """As few products as the inputs allow: one for those of queries, keys and values that are made from one value."""
    query, key, value = inputs
    if link.in_proj_weight is None:
        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        return [_Projection(b, link, x, names[part], range(part, part + 1)) for part, x in enumerate(inputs)]
    if query == key == value:
        cuts = [range(3)]
    else:
        cuts = [range(1), range(1, 3)] if key == value else [range(1), range(1, 2), range(2, 3)]
    return [_Projection(b, link, inputs[cut.start], "in_proj_weight", cut) for cut in cuts]


# The heads


class _Heads:
    """What stands between the projections and the sum over the heads.

    mask, padding: as they were given, mask None where `causal` says it; averaged: of the weights that are shown, None
    where none are.
    """

    def __init__(
        self,
        b: Builder,
        link: "nn.MultiheadAttention",
        projections: list[_Projection],
        mask: Value | None,
        padding: Value | None,
        averaged: bool | None,
    ) -> None:
        self.b, self.link, self.projections = b, link, projections
        self.mask, self.padding, self.averaged = mask, padding, averaged
        query, key = projections[0].x.shape, projections[min(1, len(projections) - 1)].x.shape
        batched = len(query) == 3
        first = int(batched and link.batch_first)
        self.batch = query[1 - first] if batched else 1
        sizes = {"batch": self.batch, "heads": link.num_heads, "width": link.head_dim, "queries": query[first]}
        sizes |= {"keys": key[first], "learnt": int(link.add_bias_kv), "zero": int(link.add_zero_attn)}
        sizes |= {"by_sample": first, "averaged": int(averaged is True)}
        sizes |= {"mask_each": int(mask is not None and len(mask.shape) == 3)}
        self.sizes, self.numbers = sizes, {"scale": 1 / math.sqrt(link.head_dim), "p": 0.0}
        self.given: dict[str, Value | None] = {}
        parts = [(projection, part) for projection in projections for part in range(projection.parts)]
        for name, (projection, part) in zip("qkv", parts, strict=True):
            sizes |= {f"{name}_row": projection.outputs, f"{name}_at": part * link.embed_dim}
            if not part:
                self.given[name] = projection.y
        for name in ("bias_k", "bias_v"):
            if (extra := getattr(link, name)) is not None:
                self.given[name] = b.parameter(name, extra)
        all_keys = sizes["keys"] + sizes["learnt"] + sizes["zero"]
        self.square = (self.batch, link.num_heads, sizes["queries"], all_keys)
        self.given["kept"] = self._kept()
        self.weights = b.local("weights", self.square)

    def _kept(self) -> Value | None:
        """Which weights the dropout keeps, if it drops any here."""
        dropout: Any = dict(self.link.named_children())["_dropout"]
        if not (self.b.training and dropout.training) or dropout.p == 0:
            return None
        self.numbers["p"] = dropout.p
        kept, stream = self.b.local("kept", self.square, bool), self.b.stream(random.resolve(dropout.generator))
        self.b.add("keep_mask", stream, kept=kept, n=kept.size, p=dropout.p)
        return kept

    def _added(self, mask: Value | None) -> Value | None:
        """A mask as numbers to add to the scores."""
        if mask is None or mask.real:
            return mask
        y = self.b.local("mask", mask.shape)
        self.b.add("additive", x=mask, y=y, n=mask.size)
        return y

    def forward(self, causal: bool) -> tuple[Value, Value | None]:
        """The heads' means side by side, and the weights that are shown."""
        b, shown = self.b, None
        if self.averaged is not None:
            shown = b.local("shown", (self.batch, *self.square[2:]) if self.averaged else self.square)
        context = b.local("context", self.projections[0].x.shape)
        own: dict[str, Any] = {"mask": self._added(self.mask), "padding": self._added(self.padding), "shown": shown}
        own |= {"weights": self.weights, "context": context, "causal": int(causal)}
        own |= {"empty_is_nan": int(shown is not None), "dropping": int(self.given["kept"] is not None)}
        b.add("attention", **self.given, **own, **self.sizes, **self.numbers)
        return context, shown

    def backward(self, dcontext: Value | None, dshown: Value | None = None) -> None:
        b, link = self.b, self.link
        grads = [b.local("dprojected", projection.y.shape) for projection in self.projections]
        own: dict[str, Any] = {f"d{name}": grad for name, grad in zip(self._separate(), grads, strict=True)}
        for name in ("bias_k", "bias_v"):
            own[f"d{name}"], keep = b.parameter_grad(getattr(link, name))
            own[f"keep_{name[-1]}"] = int(keep)
        for name, mask in (("dmask", self.mask), ("dpadding", self.padding)):
            own[name] = b.grad(mask) if mask is not None and b.wants(mask) else None
        own |= {"dcontext": dcontext, "dshown": dshown, "weights": self.weights}
        b.add(
            "attention_grad", dscores=b.local("dscores", self.square), **self.given, **own, **self.sizes, **self.numbers
        )
        names = dict.fromkeys(projection.name for projection in self.projections)
        dweights = {name: b.parameter_grad(getattr(link, name)) for name in names}
        dbias = b.parameter_grad(link.in_proj_bias)
        for projection, grad in zip(self.projections, grads, strict=True):
            projection.backward(grad, dweights[projection.name], dbias)

    def _separate(self) -> list[str]:
        """Which of q, k and v have a buffer of their own."""
        return [name for name in "qkv" if name in self.given]


@lowers("MultiheadAttention", trees=True)
def multihead(
    b: Builder,
    link: "nn.MultiheadAttention",
    query: Tree,
    key: Tree,
    value: Tree,
    key_padding_mask: Value | None = None,
    need_weights: bool = True,
    attn_mask: Value | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Tree:
    inputs = floating(link, query), floating(link, key), floating(link, value)
    _require(link, *inputs)
    if is_causal and attn_mask is None:
        raise NotLoweredError(f"{link!r} takes is_causal with a mask only")
    causal = is_causal and key_padding_mask is None and not need_weights
    mask, averaged = None if causal else attn_mask, average_attn_weights if need_weights else None
    heads = _Heads(b, link, _projections(b, link, inputs), mask, key_padding_mask, averaged)
    _require_masks(link, key_padding_mask, attn_mask, heads.sizes)
    context, shown = heads.forward(causal)
    outputs = (context,) if shown is None else (context, shown)
    b.differentiate(heads.backward, outputs, (*inputs, mask, key_padding_mask), link.parameters())
    y = lower_child(b, link.out_proj, "out_proj", context)
    if shown is not None and len(context.shape) == 2:
        shown = shown.reshaped(shown.shape[1:])
    return y, shown


def _require(link: "nn.MultiheadAttention", query: Value, key: Value, value: Value) -> None:
    """NotLoweredError for shapes that do not fit."""
    axis = 0 if link.batch_first else 1
    shapes = [query.shape, key.shape, value.shape]
    fits = all(x.real and len(x.shape) == len(query.shape) for x in (query, key, value))
    fits = fits and len(query.shape) in (2, 3) and key.shape[:-1] == value.shape[:-1]
    fits = fits and [shape[-1] for shape in shapes] == [link.embed_dim, link.kdim, link.vdim]
    if not fits or (len(query.shape) == 3 and query.shape[axis] != key.shape[axis]):
        raise NotLoweredError(f"{link!r} does not take the shapes {shapes}")


def _require_masks(
    link: "nn.MultiheadAttention", padding: Value | None, mask: Value | None, sizes: Mapping[str, int]
) -> None:
    """The same for masks."""
    batch, keys, square = sizes["batch"], sizes["keys"], (sizes["queries"], sizes["keys"])
    if padding is not None and padding.shape not in ((batch, keys), (keys,)):
        raise NotLoweredError(f"{link!r} does not take a key_padding_mask of {padding.shape}")
    if mask is not None and mask.shape not in (square, (batch * link.num_heads, *square)):
        raise NotLoweredError(f"{link!r} does not take an attn_mask of {mask.shape}")
    for given in (padding, mask):
        if given is not None and not given.real and given.buffer.dtype != bool:
            raise NotLoweredError(f"{link!r} does not take a mask of {given.buffer.dtype}")
