"""The transformer: layers of attention and a feed-forward block, stacks of them, and encoder and decoder together."""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from maillon import random
from maillon.messages import got
from maillon.nesting import added, padded
from maillon.nn import init
from maillon.nn.activations.basic import ReLU
from maillon.nn.activations.smooth import GELU
from maillon.nn.linear.linear import Identity, Linear
from maillon.nn.module import Module
from maillon.nn.norms.dropout import Dropout
from maillon.nn.norms.normalization import LayerNorm
from maillon.nn.sequence.attention import MultiheadAttention, TakesMasks
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import outlined
from maillon.typing import Array, DTypeLike

_ACTIVATIONS: dict[str, type[Module]] = {"relu": ReLU, "gelu": GELU}


class _Layer(TakesMasks):
    """Blocks one after the other: attentions, then the feed-forward block linear2(dropout(activation(linear1(x)))).

    Each is added to what comes in: normᵢ(x + dropoutᵢ(blockᵢ(x))), or with norm_first x + dropoutᵢ(blockᵢ(normᵢ(x))).
    A layer names its attentions, and walks its blocks forward and backward.
    """

    attentions: ClassVar[tuple[str, ...]] = ("self_attn",)
    self_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[..., Any] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        owner = type(self).__name__
        errors.refuse(owner, device=(device, None, errors.CPU_ONLY))
        width = arguments.integer(owner, "d_model", d_model)
        if width % arguments.integer(owner, "nhead", nhead):
            raise ValueError(f"{owner}: expected nhead to divide d_model = {width}, got {nhead}.")
        inner = arguments.integer(owner, "dim_feedforward", dim_feedforward)
        p = arguments.number(owner, "dropout", dropout, 0, 1)
        eps = arguments.number(owner, "layer_norm_eps", layer_norm_eps, 0, finite=True)
        arguments.flags(owner, batch_first=batch_first, norm_first=norm_first, bias=bias)
        arguments.generator(owner, generator)
        blocks = range(1, len(self.attentions) + 2)
        for name in self.attentions:
            attention = MultiheadAttention(
                width, nhead, p, bias, batch_first=batch_first, dtype=dtype, generator=generator
            )
            setattr(self, name, attention)
        self.linear1 = Linear(width, inner, bias, dtype=dtype, generator=generator)
        self.dropout = Dropout(p, generator=generator)
        self.linear2 = Linear(inner, width, bias, dtype=dtype, generator=generator)
        self.norm_first = bool(norm_first)
        for number in blocks:
            setattr(self, f"norm{number}", LayerNorm(width, eps, bias=bias, dtype=dtype))
        for number in blocks:
            setattr(self, f"dropout{number}", Dropout(p, generator=generator))
        self.activation = _activation(owner, activation)

    def _run(self, name: str, *inputs: Any) -> Any:
        """The output of the child; its errors say where it stands."""
        with errors.inside(self, name):
            return getattr(self, name)(*inputs)

    def _child_backward(self, name: str, grad_output: Any) -> Any:
        return getattr(self, name).backward(grad_output)

    def _block(self, number: int, x: Array, block: Callable[[Array], Array]) -> Array:
        """x + block(x), with the dropout and the norm of this number."""
        norm, dropout = f"norm{number}", f"dropout{number}"
        if self.norm_first:
            return x + self._run(dropout, block(self._run(norm, x)))
        return self._run(norm, x + self._run(dropout, block(x)))

    def _block_backward(self, number: int, dy: Array, block_backward: Callable[[Array], tuple[Any, ...]]) -> Any:
        """dx, and what else the block's backward gives."""
        norm, dropout = f"norm{number}", f"dropout{number}"
        around = dy if self.norm_first else self._child_backward(norm, dy)
        through, *others = block_backward(self._child_backward(dropout, around))
        return around + (self._child_backward(norm, through) if self.norm_first else through), *others

    def _attend(self, name: str, query: Array, source: Array, mask: Any, padding: Any, is_causal: bool) -> Array:
        y, _ = self._run(name, query, source, source, padding, False, mask, True, is_causal)
        return y

    def _attend_backward(self, name: str, dy: Array) -> tuple[Array, Array, Any, Any]:
        """The gradients of query, source, mask and padding."""
        dquery, dkey, dvalue, dpadding, _, dmask = padded(self._child_backward(name, (dy, None)), 6)
        return dquery, dkey + dvalue, dmask, dpadding

    def _feed_forward(self, x: Array) -> Array:
        for name in ("linear1", "activation", "dropout", "linear2"):
            x = self._run(name, x)
        return x

    def _feed_forward_backward(self, dy: Array) -> tuple[Array]:
        for name in ("linear2", "dropout", "activation", "linear1"):
            dy = self._child_backward(name, dy)
        return (dy,)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as the links inside have them."""
        attention = self.self_attn
        inside = {
            name: value for name, value in attention.get_config().items() if name in ("bias", "batch_first", "dtype")
        }
        return inside | {
            "d_model": attention.embed_dim,
            "nhead": attention.num_heads,
            "dim_feedforward": self.linear1.out_features,
            "dropout": self.dropout.p,
            "activation": self.activation,
            "layer_norm_eps": vars(self)["norm1"].eps,
            "norm_first": self.norm_first,
            "generator": self.dropout.generator,
        }

    def _arguments(self) -> list[str]:
        attention, activation = self.self_attn, repr(self.activation)
        options = (
            ("dim_feedforward", self.linear1.out_features, 2048),
            ("dropout", self.dropout.p, 0.1),
            ("layer_norm_eps", vars(self)["norm1"].eps, 1e-5),
            ("batch_first", attention.batch_first, False),
            ("norm_first", self.norm_first, False),
            ("bias", attention.bias, True),
        )
        shown = [f"{name}={value!r}" for name, value, default in options if value != default]
        shown += [f"activation={activation}"] * (activation != "ReLU()")
        dtype = [part for part in arguments.shown(attention) if part.startswith("dtype=")]
        return [str(attention.embed_dim), str(attention.num_heads), *shown, *dtype]


def _activation(owner: str, activation: Any) -> Module:
    """The link between the two linear ones; of functions those called relu and gelu are known."""
    if isinstance(activation, Module):
        return activation
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", "")
    if name in _ACTIVATIONS:
        return _ACTIVATIONS[name]()
    if callable(activation):
        reason = "a function has no backward. Give a link, maillon.Tanh() for instance."
        raise NotImplementedError(f"{owner}: activation={activation!r} is not supported: {reason}")
    raise ValueError(f"{owner}: expected activation to be 'relu', 'gelu' or a link, got {activation!r}.")


def _required_link(owner: str, name: str, link: Any) -> Module:
    if not isinstance(link, Module):
        raise TypeError(f"{owner}: expected {name} to be a Module, {got(link)}")
    return link


class _Stack(TakesMasks):
    """Layers one after the other, each given the output of the one before and the same masks; then a norm, if any."""

    layer_name: ClassVar[str]
    """What the constructor calls the layer."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        owner = type(self).__name__
        _required_link(owner, self.layer_name, layer)
        if norm is not None:
            _required_link(owner, "norm", norm)
        count = arguments.integer(owner, "num_layers", num_layers)
        drawn = [value for module in layer.modules() for value in vars(module).values()]
        shared = {id(value): value for value in drawn if isinstance(value, random.Generator)}
        self.layers = [copy.deepcopy(layer, dict(shared)) for _ in range(count)]  # masks of their own, one generator
        self.num_layers = count
        self.norm = norm

    def _through(self, owed: int, x: Array, *others: Any) -> Array:
        for number, layer in enumerate(self.layers):
            with errors.inside(self, f"layers.{number}"):
                x = layer(x, *others)
        if self.norm is not None:
            with errors.inside(self, "norm"):
                x = self.norm(x)
        y: Array = self.keep(x, owed)
        return y

    def backward(self, grad_output: Array) -> Any:
        (owed,) = self.release(grad_output)
        dx = grad_output if self.norm is None else self.norm.backward(grad_output)
        shared: tuple[Any, ...] = ()
        for layer in reversed(self.layers):
            dx, *others = padded(layer.backward(dx), owed)
            shared = tuple(map(added, shared, others)) if shared else tuple(others)
        return self._nested(owed, dx, *shared)

    def get_config(self) -> dict[str, Any]:
        """{"layers": the layers themselves, which may have come to differ}, and the other arguments."""
        return {"layers": list(self.layers)} | {
            name: getattr(self, name)
            for name in inspect.signature(type(self).__init__).parameters
            if name not in ("self", self.layer_name, "num_layers")
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        made = cls(Identity(), 1, **{name: value for name, value in config.items() if name != "layers"})
        made.layers = [_required_link(cls.__name__, "layers", layer) for layer in config["layers"]]
        made.num_layers = arguments.integer(cls.__name__, "num_layers", len(made.layers))
        return made

    def _arguments(self) -> list[str]:
        norm = [] if self.norm is None else [f"norm={self.norm!r}"]
        return [repr(self.layers[0]), str(self.num_layers), *norm]


class TransformerEncoderLayer(_Layer):
    """x₁ = norm1(x + dropout1(self_attn(x, x, x))), y = norm2(x₁ + dropout2(f(x₁))).

    The feed-forward block is f(x) = linear2(dropout(activation(linear1(x)))). With norm_first:
    x₁ = x + dropout1(self_attn(n, n, n)) of n = norm1(x), y = x₁ + dropout2(f(norm2(x₁))).

    Derivative, with f' the backward of f: du = norm2'(dy), dx₁ = du + f'(dropout2'(du)), dv = norm1'(dx₁), dx = dv + Σ
    self_attn'(dropout1'(dv)), over its three inputs: around each block the gradients of both ways add up; with
    norm_first du = dy, dx₁ = du + norm2'(f'(dropout2'(du))), and so on. backward returns dsrc, and where masks were
    given a tuple with theirs (None for boolean ones).

    Parameters
    ----------
    d_model : int
        The width, a multiple of nhead.
    nhead : int
        The number of attention heads.
    dim_feedforward : int
        The width between the two linear links of the feed-forward block.
    dropout : float
        Probability in [0, 1] of dropping a value, in all places.
    activation : str, callable or Module
        'relu', 'gelu', a function of one of these names, or a link.
    layer_norm_eps : float
        ε ≥ 0 of the norms.
    batch_first : bool
        Sequences are (N, L, …) instead of (L, N, …).
    norm_first : bool
        Put each norm before its block: x + dropout(block(norm(x))).
    bias : bool
        Whether all linear links and norms have a bias.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        For options that make no sense. Errors of the links inside say where they stand.

    Notes
    -----
    src: (S, N, d_model), with batch_first (N, S, d_model), unbatched (S, d_model) → y: the same shape. src_mask: (S, S)
    or (N · nhead, S, S); src_key_padding_mask: (N, S), unbatched (S): as of MultiheadAttention. A position that may
    attend to nothing takes the attention's bias alone. is_causal: a hint that src_mask, which must be given, is the
    causal one. Initial weights: those of the links, drawn in the order of state_dict.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", 2017. norm_first: Xiong et al., "On Layer Normalization in the
    Transformer Architecture", 2020.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> layer = maillon.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    >>> layer(np.zeros((3, 5, 4), dtype=np.float32)).shape
    (3, 5, 4)
    """

    def forward(
        self,
        src: Array,
        src_mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        is_causal: bool = False,
    ) -> Array:
        def attend(x: Array) -> Array:
            return self._attend("self_attn", x, x, src_mask, src_key_padding_mask, is_causal)

        x = self._block(1, src, attend)
        owed = self._owed(src_mask, src_key_padding_mask)
        y: Array = self.keep(self._block(2, x, self._feed_forward), owed)
        return y

    def backward(self, grad_output: Array) -> Any:
        (owed,) = self.release(grad_output)

        def attend_backward(dy: Array) -> tuple[Any, ...]:
            dquery, dsource, dmask, dpadding = self._attend_backward("self_attn", dy)
            return dquery + dsource, dmask, dpadding

        (dx,) = self._block_backward(2, grad_output, self._feed_forward_backward)
        dsrc, dmask, dpadding = self._block_backward(1, dx, attend_backward)
        return self._nested(owed, dsrc, dmask, dpadding)


class TransformerEncoder(_Stack):
    """y = norm(layerₙ(… layer₁(x))): num_layers deep copies of one layer, which therefore begin with the same weights.

    Derivative, with f' the backward of f: dx = layer₁'(… layerₙ'(norm'(dy))); gradients of masks add up over the
    layers. backward returns dsrc, and where masks were given a tuple with theirs (None for boolean ones).

    Parameters
    ----------
    encoder_layer : Module
        A TransformerEncoderLayer, or a link that takes (x, mask, padding mask, is_causal) and gives the
        gradients of these four.
    num_layers : int
        ≥ 1.
    norm : Module, optional
        A link after the last layer.
    enable_nested_tensor : bool
        No effect here; it tells PyTorch how to be fast.
    mask_check : bool
        No effect here.

    Notes
    -----
    src, mask, src_key_padding_mask, y: as src, src_mask, … of TransformerEncoderLayer. is_causal: a hint.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> encoder = maillon.TransformerEncoder(maillon.TransformerEncoderLayer(4, 2, 8), 2, norm=maillon.LayerNorm(4))
    >>> encoder(np.zeros((5, 3, 4), dtype=np.float32)).shape
    (5, 3, 4)
    """

    layer_name = "encoder_layer"

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        options = {"enable_nested_tensor": enable_nested_tensor, "mask_check": mask_check}
        self.enable_nested_tensor, self.mask_check = arguments.flags("TransformerEncoder", **options)
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Array,
        mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        is_causal: bool | None = None,
    ) -> Array:
        return self._through(self._owed(mask, src_key_padding_mask), src, mask, src_key_padding_mask, bool(is_causal))


class TransformerDecoderLayer(_Layer):
    """x₁ = norm1(x + dropout1(self_attn(x, x, x))), x₂ = norm2(x₁ + dropout2(multihead_attn(x₁, memory, memory))).

    y = norm3(x₂ + dropout3(f(x₂))), f(x) = linear2(dropout(activation(linear1(x)))).

    Derivative, with f' the backward of f: du = norm3'(dy), dx₂ = du + f'(dropout3'(du)), dv = norm2'(dx₂),
    (dq, dk, ds) = multihead_attn'(dropout2'(dv)), dx₁ = dv + dq, dmemory = dk + ds, dw = norm1'(dx₁),
    dx = dw + Σ self_attn'(dropout1'(dw)): around each block the gradients of both ways add up. backward returns
    (dtgt, dmemory), and after them, where masks were given, theirs (None for boolean ones).

    Parameters
    ----------
    d_model : int
        The width, a multiple of nhead.
    nhead : int
        The number of attention heads.
    dim_feedforward : int
        The width between the two linear links of the feed-forward block.
    dropout : float
        Probability in [0, 1] of dropping a value, in all places.
    activation : str, callable or Module
        'relu', 'gelu', a function of one of these names, or a link.
    layer_norm_eps : float
        ε ≥ 0 of the norms.
    batch_first : bool
        Sequences are (N, L, …) instead of (L, N, …).
    norm_first : bool
        Put each norm before its block: x + dropout(block(norm(x))).
    bias : bool
        Whether all linear links and norms have a bias.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        As TransformerEncoderLayer.

    Notes
    -----
    tgt: (T, N, d_model), memory: (S, N, d_model), with batch_first (N, …, d_model), unbatched (…, d_model) → y: the
    shape of tgt. tgt_mask: (T, T) or (N · nhead, T, T), memory_mask: (T, S) or (N · nhead, T, S), tgt_key_padding_mask:
    (N, T), memory_key_padding_mask: (N, S): as of MultiheadAttention. tgt_is_causal, memory_is_causal: hints that the
    mask, which must be given, is the causal one. Initial weights: those of the links, drawn in the order of state_dict.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", 2017.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> layer = maillon.TransformerDecoderLayer(4, 2, 8, batch_first=True)
    >>> layer(np.zeros((3, 2, 4), dtype=np.float32), np.zeros((3, 5, 4), dtype=np.float32)).shape
    (3, 2, 4)
    """

    sequences = 2
    attentions = ("self_attn", "multihead_attn")
    multihead_attn: MultiheadAttention

    def forward(
        self,
        tgt: Array,
        memory: Array,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Array:
        def attend(x: Array) -> Array:
            return self._attend("self_attn", x, x, tgt_mask, tgt_key_padding_mask, tgt_is_causal)

        def remember(x: Array) -> Array:
            return self._attend("multihead_attn", x, memory, memory_mask, memory_key_padding_mask, memory_is_causal)

        x = self._block(1, tgt, attend)
        x = self._block(2, x, remember)
        owed = self._owed(tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        y: Array = self.keep(self._block(3, x, self._feed_forward), owed)
        return y

    def backward(self, grad_output: Array) -> Any:
        (owed,) = self.release(grad_output)

        def attend_backward(dy: Array) -> tuple[Any, ...]:
            dquery, dsource, dmask, dpadding = self._attend_backward("self_attn", dy)
            return dquery + dsource, dmask, dpadding

        def remember_backward(dy: Array) -> tuple[Any, ...]:
            return self._attend_backward("multihead_attn", dy)

        (dx,) = self._block_backward(3, grad_output, self._feed_forward_backward)
        dx, dmemory, dmemory_mask, dmemory_padding = self._block_backward(2, dx, remember_backward)
        dtgt, dmask, dpadding = self._block_backward(1, dx, attend_backward)
        return self._nested(owed, dtgt, dmemory, dmask, dmemory_mask, dpadding, dmemory_padding)


class TransformerDecoder(_Stack):
    """y = norm(layerₙ(… layer₁(x, memory) …, memory)): num_layers deep copies of one layer, all given the same memory.

    Derivative, with f' the backward of f: (dx, dmemory) = layer₁'(… layerₙ'(norm'(dy))); the gradients of memory and
    masks add up over the layers.
    backward returns (dtgt, dmemory), and after them, where masks were given, theirs (None for boolean ones).

    Parameters
    ----------
    decoder_layer : Module
        A TransformerDecoderLayer, or a link that takes its eight arguments and gives the gradients of all.
    num_layers : int
        ≥ 1.
    norm : Module, optional
        A link after the last layer.

    Notes
    -----
    tgt, memory, the masks, y: as of TransformerDecoderLayer.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> decoder = maillon.TransformerDecoder(maillon.TransformerDecoderLayer(4, 2, 8), 2)
    >>> decoder(np.zeros((2, 3, 4), dtype=np.float32), np.zeros((5, 3, 4), dtype=np.float32)).shape
    (2, 3, 4)
    """

    sequences = 2
    layer_name = "decoder_layer"

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Array,
        memory: Array,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Array:
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        return self._through(self._owed(*masks), tgt, memory, *masks, bool(tgt_is_causal), memory_is_causal)


class Transformer(TakesMasks):
    """y = decoder(tgt, encoder(src)), each a stack of layers with a LayerNorm.

    Derivative, with f' the backward of f: (dtgt, dmemory) = decoder'(dy), dsrc = encoder'(dmemory). backward returns
    (dsrc, dtgt), and after them, where masks were given, theirs (None for boolean ones).

    Parameters
    ----------
    d_model : int
        The width, a multiple of nhead.
    nhead : int
        The number of attention heads.
    num_encoder_layers : int
        Layers of the encoder.
    num_decoder_layers : int
        Layers of the decoder.
    dim_feedforward : int
        The width between the two linear links of the feed-forward block.
    dropout : float
        Probability in [0, 1] of dropping a value, in all places.
    activation : str, callable or Module
        'relu', 'gelu', a function of one of these names, or a link.
    custom_encoder : Module, optional
        A link in the place of the encoder; it gets the encoder's arguments by place.
    custom_decoder : Module, optional
        A link in the place of the decoder.
    layer_norm_eps : float
        ε ≥ 0 of the norms.
    batch_first : bool
        Sequences are (N, L, …) instead of (L, N, …).
    norm_first : bool
        Put each norm before its block: x + dropout(block(norm(x))).
    bias : bool
        Whether all linear links and norms have a bias.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Notes
    -----
    src: (S, N, d_model), tgt: (T, N, d_model), with batch_first (N, …, d_model), unbatched (…, d_model) → y: like tgt.
    src_mask: (S, S), tgt_mask: (T, T), memory_mask: (T, S), or one a sample and head: (N · nhead, …);
    src_key_padding_mask and memory_key_padding_mask: (N, S), tgt_key_padding_mask: (N, T). …_is_causal: hints. Initial
    weights: Xavier's uniform law for every matrix, drawn in the order of state_dict when all is built.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", 2017.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> transformer = maillon.Transformer(4, 2, 1, 1, 8, batch_first=True)
    >>> transformer(np.zeros((3, 5, 4), dtype=np.float32), np.zeros((3, 2, 4), dtype=np.float32)).shape
    (3, 2, 4)
    """

    sequences = 2

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[..., Any] = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        errors.refuse("Transformer", device=(device, None, errors.CPU_ONLY))
        for name, count in (("num_encoder_layers", num_encoder_layers), ("num_decoder_layers", num_decoder_layers)):
            arguments.integer("Transformer", name, count)
        for name, custom in (("custom_encoder", custom_encoder), ("custom_decoder", custom_decoder)):
            if custom is not None:
                _required_link("Transformer", name, custom)
        layer = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self._custom = tuple(
            name for name, link in (("encoder", custom_encoder), ("decoder", custom_decoder)) if link is not None
        )
        if custom_encoder is None:
            encoder_layer = TransformerEncoderLayer(*layer, dtype=dtype, generator=generator)
            custom_encoder = TransformerEncoder(encoder_layer, num_encoder_layers, norm())
        self.encoder = custom_encoder
        if custom_decoder is None:
            decoder_layer = TransformerDecoderLayer(*layer, dtype=dtype, generator=generator)
            custom_decoder = TransformerDecoder(decoder_layer, num_decoder_layers, norm())
        self.decoder = custom_decoder
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        if not outlined():
            self.reset_parameters(generator)

    def reset_parameters(self, generator: random.Generator | None = None) -> None:
        """Draw the initial matrices again."""
        for parameter in self.parameters():
            if parameter.data.ndim > 1:
                init.xavier_uniform_(parameter, generator=generator)

    def forward(
        self,
        src: Array,
        tgt: Array,
        src_mask: Array | None = None,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Array:
        with errors.inside(self, "encoder"):
            memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        with errors.inside(self, "decoder"):
            y = self.decoder(tgt, memory, *masks, tgt_is_causal, memory_is_causal)
        given = (src_mask, tgt_mask, memory_mask)
        paddings = (src_key_padding_mask, tgt_key_padding_mask, memory_key_padding_mask)
        kept: Array = self.keep(y, self._owed(*given, *paddings))
        return kept

    def backward(self, grad_output: Array) -> Any:
        (owed,) = self.release(grad_output)
        decoded = padded(self.decoder.backward(grad_output), 6)
        dtgt, dmemory, dtgt_mask, dmemory_mask, dtgt_padding, dmemory_padding = decoded[:6]
        dsrc, dsrc_mask, dsrc_padding = padded(self.encoder.backward(dmemory), 3)[:3]
        masks = (dsrc_mask, dtgt_mask, dmemory_mask, dsrc_padding, dtgt_padding, dmemory_padding)
        return self._nested(owed, dsrc, dtgt, *masks)

    def get_config(self) -> dict[str, Any]:
        """Both stacks, those that were given among them, and the other arguments."""
        config: dict[str, Any] = {name: getattr(self, name) for name in ("d_model", "nhead", "batch_first")}
        return config | {"encoder": self.encoder, "decoder": self.decoder, "custom": list(self._custom)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        names = ("encoder", "decoder")
        stacks: Any = {f"custom_{name}": _required_link("Transformer", name, config[name]) for name in names}
        made = cls(config["d_model"], config["nhead"], batch_first=config["batch_first"], **stacks)
        made._custom = tuple(arguments.one_of(cls.__name__, "custom", one, made._custom) for one in config["custom"])
        return made

    def _arguments(self) -> list[str]:
        made = {name: vars(self)[name] for name in ("encoder", "decoder") if name not in self._custom}
        shown = [f"num_{name}_layers={stack.num_layers}" for name, stack in made.items() if stack.num_layers != 6]
        shown += [part for stack in list(made.values())[:1] for part in stack.layers[0]._arguments()[2:]]
        shown += [f"custom_{name}={vars(self)[name]!r}" for name in self._custom]
        return [str(self.d_model), str(self.nhead), *shown]

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: None = None, dtype: DTypeLike | None = None) -> Array:
        """The causal mask of sz positions, to add: −∞ where a later position would be seen, else 0."""
        errors.refuse("generate_square_subsequent_mask", device=(device, None, errors.CPU_ONLY))
        return np.triu(np.full((sz, sz), -np.inf, floating_dtype(dtype)), 1)
