"""MultiheadAttention: every output a weighted mean of values, the weights found by comparing queries with keys."""

import math
from typing import Any, ClassVar

import numpy as np

from maillon import random
from maillon.nn import init
from maillon.nn.linear.linear import Linear
from maillon.nn.module import Module
from maillon.nn.norms.dropout import Dropout
from maillon.nn.parameter import Parameter
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import empty, outlined
from maillon.typing import Array, DType, DTypeLike


class TakesMasks(Module):
    """A link whose forward takes sequences and, after them, what may be left out: masks and flags.

    backward returns a gradient for each argument of forward up to the last mask that was given (not None), by place
    or by name: that of a sequence or an additive mask, None for anything else. Without masks there are those of the
    sequences alone, and a single one is no tuple. Flags do not count: no gradient can belong to them.
    """

    sequences: ClassVar[int] = 1
    takes_integers = True

    def _owed(self, *masks: Any) -> int:
        """How many of forward's arguments get a gradient; masks: what comes after the sequences, None for flags."""
        last = max((place for place, mask in enumerate(masks, 1) if mask is not None), default=0)
        return self.sequences + last

    @staticmethod
    def _nested(owed: int, *grads: Array | None) -> Any:
        """The gradients of the first `owed` arguments; alone when it is one."""
        return grads[0] if owed == 1 else grads[:owed]


class MultiheadAttention(TakesMasks):
    """A = softmax(Q Kᵀ / √d + mask), y = concat(A V) W_oᵀ + b_o, joined over the heads.

    Each head has its own part of Q, K and V: Q = query W_qᵀ + b_q, K = key W_kᵀ + b_k, V = value W_vᵀ + b_v;
    d = embed_dim / num_heads.

    Derivative of a head, with dC the gradient of C = A V: dV = Aᵀ dC, dA = dC Vᵀ, dS = A ⊙ (dA − Σ dA ⊙ A) along the
    keys, dQ = dS K / √d, dK = dSᵀ Q / √d; the projections and W_o as Linear. backward takes (dy, dweights or None) and
    returns (dquery, dkey, dvalue), for query, key and value are three inputs even where they are one array. Where masks
    were given, more follow, one for each argument of forward up to the last mask: for masks that are added dS, summed
    over what they are spread over, None for boolean masks and for flags.

    Parameters
    ----------
    embed_dim : int
        The width of query and y, a multiple of num_heads.
    num_heads : int
        The number of heads.
    dropout : float
        Probability in [0, 1] of dropping a weight of the attention, in training.
    bias : bool
        Whether all four projections have a bias.
    add_bias_kv : bool
        Add one learnt key and value (bias_k, bias_v: (1, 1, embed_dim)) after the others.
    add_zero_attn : bool
        Add one key and value of zeros.
    kdim : int, optional
        The width of key; None is embed_dim.
    vdim : int, optional
        The width of value; None is embed_dim.
    batch_first : bool
        Sequences are (N, L, …) instead of (L, N, …).
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        Unless num_heads divides embed_dim.
    LinkShapeError, LinkDtypeError
        For inputs and masks that do not fit.

    Notes
    -----
    query: (L, N, embed_dim), key: (S, N, kdim), value: (S, N, vdim), with batch_first (N, L, …), unbatched (L, …) → (y,
    weights): y like query; weights (N, L, S), the mean over the heads (average_attn_weights=False: (N, num_heads, L,
    S)), or None with need_weights=False.

    key_padding_mask: (N, S), unbatched (S); attn_mask: (L, S) or (N · num_heads, L, S): boolean, True leaves the key
    out, or additive numbers. A query whose keys are all left out gives NaN; with need_weights=False its mean is 0.
    is_causal: a hint that attn_mask, which must be given, is the causal one.

    in_proj_weight: (3 · embed_dim, embed_dim), query's rows first; with other widths q_, k_ and v_proj_weight;
    in_proj_bias: (3 · embed_dim); out_proj: Linear(embed_dim, embed_dim). Initial weights: out_proj.weight as Linear's,
    then Xavier's uniform law for each projection (the joined one as one array), biases 0, bias_k and bias_v Xavier's
    normal law. Masks of dropout are drawn for (N, num_heads, L, S).

    References
    ----------
    Vaswani et al., "Attention Is All You Need", 2017, section 3.2.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.MultiheadAttention(4, 2, batch_first=True)
    >>> x = np.ones((3, 5, 4), dtype=np.float32)
    >>> y, weights = link(x, x, x)
    >>> y.shape, weights.shape, round(float(weights[0, 0, 0]), 6)
    ((3, 5, 4), (3, 5, 5), 0.2)
    """

    sequences = 3

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        owner = "MultiheadAttention"
        errors.refuse(owner, device=(device, None, errors.CPU_ONLY))
        self.embed_dim = width = arguments.integer(owner, "embed_dim", embed_dim)
        self.num_heads = arguments.integer(owner, "num_heads", num_heads)
        if width % self.num_heads:
            raise ValueError(f"{owner}: expected num_heads to divide embed_dim = {width}, got {num_heads}.")
        self.kdim = width if kdim is None else arguments.integer(owner, "kdim", kdim)
        self.vdim = width if vdim is None else arguments.integer(owner, "vdim", vdim)
        p = arguments.number(owner, "dropout", dropout, 0, 1)
        self._dropout = Dropout(p, generator=arguments.generator(owner, generator))
        options = {"bias": bias, "add_bias_kv": add_bias_kv, "add_zero_attn": add_zero_attn, "batch_first": batch_first}
        self.bias, self.add_bias_kv, self.add_zero_attn, self.batch_first = arguments.flags(owner, **options)
        joined = self.kdim == self.vdim == width
        made = floating_dtype(dtype)
        self.q_proj_weight = None if joined else Parameter(empty((width, width), made))
        self.k_proj_weight = None if joined else Parameter(empty((width, self.kdim), made))
        self.v_proj_weight = None if joined else Parameter(empty((width, self.vdim), made))
        self.in_proj_weight = Parameter(empty((3 * width, width), made)) if joined else None
        self.in_proj_bias = Parameter(empty(3 * width, made)) if self.bias else None
        self.bias_k = Parameter(empty((1, 1, width), made)) if self.add_bias_kv else None
        self.bias_v = Parameter(empty((1, 1, width), made)) if self.add_bias_kv else None
        self.out_proj = Linear(width, width, bias, dtype=made, generator=generator)
        if not outlined():
            self._draw(generator)

    def reset_parameters(self, generator: random.Generator | None = None) -> None:
        """Draw the initial weights again."""
        self.out_proj.reset_parameters(generator)
        self._draw(generator)

    def _draw(self, generator: random.Generator | None) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight, generator=generator)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                bias.data[...] = 0
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra, generator=generator)

    @property
    def dropout(self) -> float:
        return self._dropout.p

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, the generator among them."""
        return super().get_config() | {"generator": self._dropout.generator}

    @property
    def head_dim(self) -> int:
        """The features of one head."""
        return self.embed_dim // self.num_heads

    def forward(
        self,
        query: Array,
        key: Array,
        value: Array,
        key_padding_mask: Array | None = None,
        need_weights: bool = True,
        attn_mask: Array | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Array, Array | None]:
        self._check(query, key, value)
        self._check_masks(query, key, key_padding_mask, attn_mask, is_causal)
        hinted = is_causal and key_padding_mask is None and not need_weights
        q, k, v = map(self._projected, (query, key, value), *self._projections())
        q *= 1 / math.sqrt(q.shape[-1])
        length = k.shape[2]
        k, v = self._with_extras(k, self.bias_k), self._with_extras(v, self.bias_v)
        scores = q @ k.swapaxes(2, 3)
        if hinted:
            scores += _additive(np.triu(np.ones(scores.shape[2:], bool), 1), scores.dtype)
        elif attn_mask is not None:
            by_head = attn_mask if attn_mask.ndim == 2 else attn_mask.reshape(*scores.shape[:3], length)
            scores[..., :length] += _additive(by_head, scores.dtype)
        if key_padding_mask is not None:
            scores[..., :length] += _additive(key_padding_mask, scores.dtype).reshape(len(scores), 1, 1, length)
        weights = self._softmax(scores, np.nan if need_weights else 0)
        dropped = self._dropout(weights)
        y = self.out_proj(self._joined(dropped @ v, query.ndim))
        shown = None
        if need_weights:
            shown = dropped.mean(axis=1) if average_attn_weights else dropped
            shown = shown[0] if query.ndim == 2 else shown
        masks, owed = (key_padding_mask, None if hinted else attn_mask), self._owed(key_padding_mask, None, attn_mask)
        return self.keep((y, shown), (query, key, value), q, k, v, weights, dropped, average_attn_weights, masks, owed)

    def backward(self, grad_output: tuple[Array | None, Array | None]) -> Any:
        inputs, q, k, v, weights, dropped, averaged, masks, owed = self.release(grad_output)
        dy, dshown = grad_output
        dcontext = self._split(self.out_proj.backward(np.zeros_like(inputs[0]) if dy is None else dy))
        dv = dropped.swapaxes(2, 3) @ dcontext
        dweights = dcontext @ v.swapaxes(2, 3)
        if dshown is not None:
            batch, heads, *square = weights.shape
            dweights += dshown.reshape(batch, 1, *square) / heads if averaged else dshown.reshape(weights.shape)
        dscores = self._softmax_backward(weights, self._dropout.backward(dweights))
        dq = dscores @ k
        dq *= 1 / math.sqrt(q.shape[-1])
        dk = dscores.swapaxes(2, 3) @ q
        length = k.shape[2] - self._extras
        dk, dv = self._without_extras(dk, length, self.bias_k), self._without_extras(dv, length, self.bias_v)
        grads = self._projected_backward(inputs, (dq, dk, dv))
        if owed == self.sequences:
            return grads
        dpadding, dmask = _masks_grad(masks, dscores[..., :length])
        return self._nested(owed, *grads, dpadding, None, dmask)

    @staticmethod
    def _softmax(scores: Array, nothing: float) -> Array:
        """The softmax over the keys, written over the scores; `nothing` where every score is −∞."""
        largest = np.maximum.reduce(scores, axis=3, keepdims=True, initial=-np.inf)
        empty = largest == -np.inf
        scores -= np.where(empty, 0, largest)
        np.exp(scores, out=scores)
        scores /= np.where(empty, 1, np.add.reduce(scores, axis=3, keepdims=True))
        return np.where(empty, scores.dtype.type(nothing), scores) if nothing and empty.any() else scores

    @staticmethod
    def _softmax_backward(weights: Array, dweights: Array) -> Array:
        dscores = weights * dweights
        dscores -= weights * np.add.reduce(dscores, axis=3, keepdims=True)
        return dscores

    # The projections, and the heads that they are cut into: (N, num_heads, L, head_dim)

    def _projections(self) -> tuple[list[Array], list[Any]]:
        """The weights and the biases of query, key and value."""
        if self.in_proj_weight is not None:
            weights = np.split(self.in_proj_weight.data, 3)
        else:
            weights = [weight.data for weight in self._widths_of_their_own()]
        return weights, [None] * 3 if self.in_proj_bias is None else np.split(self.in_proj_bias.data, 3)

    def _widths_of_their_own(self) -> list[Parameter]:
        own = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        return [weight for weight in own if weight is not None]

    def _projected(self, x: Array, weight: Array, bias: Array | None) -> Array:
        y = x.reshape(-1, x.shape[-1]) @ weight.T
        if bias is not None:
            y += bias
        return self._split(y.reshape(*x.shape[:-1], self.embed_dim))

    def _projected_backward(self, inputs: tuple[Array, ...], grads: tuple[Array, ...]) -> tuple[Array, ...]:
        rows = [self._joined(grad, 3).reshape(-1, self.embed_dim) for grad in grads]
        flat = [x.reshape(-1, x.shape[-1]) for x in inputs]
        dweights = [dy.T @ x for dy, x in zip(rows, flat, strict=True)]
        if self.in_proj_weight is not None:
            self.in_proj_weight.accumulate(np.concatenate(dweights))
        for weight, dweight in zip(self._widths_of_their_own(), dweights, strict=False):
            weight.accumulate(dweight)
        if self.in_proj_bias is not None:
            self.in_proj_bias.accumulate(np.concatenate([np.add.reduce(dy, axis=0) for dy in rows]))
        weights, _ = self._projections()
        return tuple((dy @ w).reshape(x.shape) for dy, w, x in zip(rows, weights, inputs, strict=True))

    def _split(self, x: Array) -> Array:
        """Every position's vector cut into heads; a single sequence is a batch of one."""
        by_sample = self.batch_first and x.ndim == 3
        positions = x.shape[:2] if x.ndim == 3 else (len(x), 1)
        heads = x.reshape(*positions, self.num_heads, self.head_dim)
        return np.ascontiguousarray(heads.transpose((0, 2, 1, 3) if by_sample else (1, 2, 0, 3)))

    def _joined(self, heads: Array, ndim: int) -> Array:
        """The vectors of the heads side by side again, in the order of the input."""
        by_sample = self.batch_first and ndim == 3
        y = heads.transpose((0, 2, 1, 3) if by_sample else (2, 0, 1, 3))
        return y.reshape((*y.shape[:2], self.embed_dim) if ndim == 3 else (len(y), self.embed_dim))

    # What stands after the keys: one that is learnt, one of zeros

    @property
    def _extras(self) -> int:
        return self.add_bias_kv + self.add_zero_attn

    def _with_extras(self, heads: Array, bias: Parameter | None) -> Array:
        batch, count, _, width = heads.shape
        parts = [heads]
        if bias is not None:
            parts.append(np.broadcast_to(bias.data.reshape(count, 1, width), (batch, count, 1, width)))
        if self.add_zero_attn:
            parts.append(np.zeros((batch, count, 1, width), heads.dtype))
        return np.concatenate(parts, axis=2) if len(parts) > 1 else heads

    def _without_extras(self, grad: Array, length: int, bias: Parameter | None) -> Array:
        if bias is not None:
            bias.accumulate(np.add.reduce(grad[:, :, length], axis=0).reshape(bias.shape))
        return grad[:, :, :length]

    # What the inputs must look like

    def _check(self, query: Array, key: Array, value: Array) -> None:
        for name, x in (("query", query), ("key", key), ("value", value)):
            errors.require_dtype(self, name, x, self.out_proj.weight.dtype)
        batched = "(N, L, {})" if self.batch_first else "(L, N, {})"
        if query.ndim not in (2, 3) or query.shape[-1] != self.embed_dim:
            expected = f"{batched.format(self.embed_dim)} or (L, {self.embed_dim})"
            raise errors.wrong_shape(self, "query", expected, query.shape, "The last dimension is embed_dim.")
        axis = 0 if self.batch_first else 1
        batch = query.shape[axis] if query.ndim == 3 else None
        if key.ndim != query.ndim or key.shape[-1] != self.kdim or (batch is not None and key.shape[axis] != batch):
            expected = f"(S, {self.kdim})"
            if batch is not None:
                expected = f"({batch}, S, {self.kdim})" if self.batch_first else f"(S, {batch}, {self.kdim})"
            way_out = f"It has as many samples as query, and kdim = {self.kdim} features."
            raise errors.wrong_shape(self, "key", expected, key.shape, way_out)
        if value.shape != (*key.shape[:-1], self.vdim):
            way_out = f"It has as many positions as key, and vdim = {self.vdim} features."
            raise errors.wrong_shape(self, "value", (*key.shape[:-1], self.vdim), value.shape, way_out)

    def _check_masks(
        self, query: Array, key: Array, key_padding_mask: Array | None, attn_mask: Array | None, is_causal: bool
    ) -> None:
        after = 1 if self.batch_first and query.ndim == 3 else 0
        batch = query.shape[1 - after] if query.ndim == 3 else 1
        target, source = query.shape[after], key.shape[after]
        each = (batch * self.num_heads, target, source)
        for name, mask, shapes in (
            ("key_padding_mask", key_padding_mask, [(batch, source) if query.ndim == 3 else (source,)]),
            ("attn_mask", attn_mask, [(target, source), each]),
        ):
            if mask is None:
                continue
            if not isinstance(mask, np.ndarray) or mask.dtype not in (np.bool_, query.dtype):
                raise _wrong_mask(self, name, mask, query.dtype)
            if mask.shape not in shapes:
                way_out = "There is one entry a key." if len(shapes) == 1 else "(L, S), or (N · num_heads, L, S)."
                raise errors.wrong_shape(self, name, " or ".join(map(str, shapes)), mask.shape, way_out)
        if is_causal and attn_mask is None:
            raise errors.LinkValueError(
                f"{self!r}: expected attn_mask with is_causal=True, which only says what the mask is, got None. "
                "Give attn_mask=~numpy.tri(L, S, dtype=bool)."
            )

    def _arguments(self) -> list[str]:
        return [
            part for part in arguments.shown(self) if part not in (f"kdim={self.embed_dim}", f"vdim={self.embed_dim}")
        ]


def _additive(mask: Array, dtype: DType) -> Array:
    """A boolean mask as numbers to add to the scores: −∞ where it is True."""
    return np.where(mask, -np.inf, 0).astype(dtype) if mask.dtype == bool else mask


def _masks_grad(masks: tuple[Array | None, Array | None], dscores: Array) -> tuple[Array | None, Array | None]:
    """The gradients of the masks that are added to the scores."""
    padding, mask = masks
    dpadding = dmask = None
    if padding is not None and padding.dtype != bool:
        dpadding = dscores.sum(axis=(1, 2)).reshape(padding.shape)
    if mask is not None and mask.dtype != bool:
        dmask = (dscores.sum(axis=(0, 1)) if mask.ndim == 2 else dscores).reshape(mask.shape)
    return dpadding, dmask


def _wrong_mask(link: object, name: str, mask: object, dtype: DType) -> errors.LinkDtypeError:
    got = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
    return errors.LinkDtypeError(
        f"{link!r}: expected {name} to be a NumPy array of dtype bool or {dtype}, got {got}. "
        "True leaves a key out; numbers are added to the scores."
    )
