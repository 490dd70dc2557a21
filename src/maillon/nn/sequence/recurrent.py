"""Recurrent links: RNN, LSTM and GRU over whole sequences, layer over layer, and the cells of a single step."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from maillon import random
from maillon.nesting import filled
from maillon.nn.norms.dropout import Dropout
from maillon.nn.sequence.recurrence import Gated, LongShortTerm, Pass, Recurrent, Simple, Weights
from maillon.nn.support import arguments, errors
from maillon.nn.support.outline import outlined
from maillon.typing import Array, DTypeLike


class _LayerPass(NamedTuple):
    """What a layer leaves for the walk back: the dropout before it, the pass of each direction."""

    dropout: Dropout | None
    directions: list[Pass]


class _Layers(Recurrent):
    """Layers over each other, each in one direction or both; the output of one is the input of the next."""

    num_layers: int
    batch_first: bool
    dropout: float
    bidirectional: bool
    generator: random.Generator | None

    def _build(
        self,
        num_layers: int,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        dtype: DTypeLike | None,
        generator: random.Generator | None,
    ) -> None:
        """Check the arguments that only layers have; make and draw the weights."""
        owner = type(self).__name__
        self.num_layers = arguments.integer(owner, "num_layers", num_layers)
        self.batch_first = arguments.flag(owner, "batch_first", batch_first)
        self.dropout = arguments.number(owner, "dropout", dropout, 0, 1)
        self.bidirectional = arguments.flag(owner, "bidirectional", bidirectional)
        self.generator = arguments.generator(owner, generator)
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"{owner}: dropout={dropout} stands between layers, and there is only one. Leave dropout out, or give "
                "num_layers=2.",
                stacklevel=3,
            )
        directions = len(self._suffixes)
        for layer in range(self.num_layers):
            features = directions * self._state_sizes()[0] if layer else self.input_size
            for direction in range(directions):
                self._add_weights(self._names(layer, direction), features, dtype)
        if not outlined():
            self.reset_parameters(generator)

    @property
    def _suffixes(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def _names(self, layer: int, direction: int) -> tuple[str, ...]:
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh") + ("weight_hr",) * (self.proj_size > 0)
        return tuple(f"{kind}_l{layer}{self._suffixes[direction]}" for kind in kinds)

    def flatten_parameters(self) -> None:
        """Nothing to do: it is there for code that calls it, as PyTorch's links want on a GPU."""

    def _weights(self, layer: int, direction: int) -> Weights:
        return Weights(*(getattr(self, name) for name in self._names(layer, direction)))

    def forward(self, x: Array, hx: Any = None) -> Any:
        self._check(x, hx)
        batched, directions = x.ndim == 3, len(self._suffixes)
        y = _steps_first(x, batched, self.batch_first)
        initial = self._initial(y, hx, batched)
        layers: list[_LayerPass] = []
        for layer in range(self.num_layers):
            dropout = Dropout(self.dropout, generator=self.generator).train(self.training) if layer else None
            if dropout is not None:
                y = dropout(y)
            passes = []
            for direction in range(directions):
                start = [part[layer * directions + direction] for part in initial]
                passes.append(self._run(y[:: _way(direction)], start, self._weights(layer, direction)))
            y = np.concatenate([walk.states[0][1:][:: _way(place)] for place, walk in enumerate(passes)], axis=-1)
            layers.append(_LayerPass(dropout, passes))
        every = [walk for layer_pass in layers for walk in layer_pass.directions]
        final = tuple(np.stack([walk.states[place][-1] for walk in every]) for place in range(len(initial)))
        if not batched:
            y, final = y[:, 0], tuple(part[:, 0] for part in final)
        elif self.batch_first:
            y = y.transpose(1, 0, 2)
        return self.keep((y, final if len(final) > 1 else final[0]), layers, batched, hx is not None)

    def backward(self, grad_output: Any) -> Any:
        dx, dinitial, given = self._walk_back(grad_output, wants_dx=True)
        return (dx, dinitial if len(dinitial) > 1 else dinitial[0]) if given else dx

    def backward_parameters(self, grad_output: Any) -> None:
        self._walk_back(grad_output, wants_dx=False)

    def _walk_back(self, grad_output: Any, wants_dx: bool) -> tuple[Array | None, tuple[Array, ...], bool]:
        """The gradient of x (None unless wanted) and of the initial state, and whether that was given."""
        output = self.kept_output
        layers, batched, given = self.release(grad_output)
        doutput, dstate = filled(output, grad_output)
        dy: Any = _steps_first(doutput, batched, self.batch_first)
        dfinal = [part if batched else part[:, None] for part in self._state_parts(dstate)]
        dinitial = [np.empty_like(part) for part in dfinal]
        directions = len(self._suffixes)
        for layer in reversed(range(self.num_layers)):
            dropout, passes = layers[layer]
            parts = np.split(dy, directions, axis=-1)
            dy = None
            for direction, walk in enumerate(passes):
                row, way = layer * directions + direction, _way(direction)
                dinput, dstart = self._run_backward(
                    walk,
                    parts[direction][::way],
                    [part[row] for part in dfinal],
                    self._weights(layer, direction),
                    wants_dx or layer > 0,
                )
                for part, start in zip(dinitial, dstart, strict=True):
                    part[row] = start
                if dinput is not None:
                    dy = dinput[::way] if dy is None else dy + dinput[::way]
            if dropout is not None:
                dy = dropout.backward(dy)
        if not batched:
            dinitial = [part[:, 0] for part in dinitial]
        dx = None if dy is None else _steps_first(dy, True, self.batch_first) if batched else dy[:, 0]
        return dx, tuple(dinitial), given

    def _initial(self, y: Array, hx: Any, batched: bool) -> list[Array]:
        """The parts of the initial state, each (layers · directions, N, features)."""
        if hx is not None:
            return [part if batched else part[:, None] for part in self._state_parts(hx)]
        rows = self.num_layers * len(self._suffixes)
        return [np.zeros((rows, y.shape[1], size), y.dtype) for size in self._state_sizes()]

    def _check(self, x: Any, hx: Any) -> None:
        if type(x).__name__ == "PackedSequence":
            raise NotImplementedError(
                f"{self!r}: a PackedSequence is not supported: maillon takes arrays. Pad the sequences to one length, "
                "and take of each output the step that was its last."
            )
        errors.require_dtype(self, "x", x, self.dtype)
        batched = f"({'N, L' if self.batch_first else 'L, N'}, {self.input_size})"
        single = f"(L, {self.input_size})"
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            way_out = (
                "L steps of N sequences; batch_first says which comes first. The last dimension must be input_size = "
                f"{self.input_size}."
            )
            raise errors.wrong_shape(self, "x", f"{batched} or {single}", x.shape, way_out)
        if not x.shape[1 if self.batch_first and x.ndim == 3 else 0]:
            expected = f"{single if x.ndim == 2 else batched} with L ≥ 1"
            raise errors.wrong_shape(self, "x", expected, x.shape, "A sequence has at least one step.")
        if hx is not None:
            batch = () if x.ndim == 2 else (x.shape[0 if self.batch_first else 1],)
            rows = self.num_layers * len(self._suffixes)
            self._check_state(hx, (rows, *batch), "One row a layer and direction; batch_first is not for states.")


def _way(direction: int) -> int:
    return -1 if direction else 1


def _steps_first(x: Array, batched: bool, batch_first: bool) -> Array:
    """x as (L, N, features); and back, for batches."""
    if not batched:
        return x[:, None]
    return x.transpose(1, 0, 2) if batch_first else x


class RNN(_Layers, Simple):
    """hₜ = f(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh) at each step t, with f = tanh or relu (Elman's network).

    Derivative, backwards through time: dhₜ collects dyₜ and what step t + 1 sends, daₜ = f'(aₜ) dhₜ,
    dhₜ₋₁ = W_hhᵀ daₜ; dW_ih = Σ daₜ xₜᵀ, dW_hh = Σ daₜ hₜ₋₁ᵀ, db_ih = db_hh = Σ daₜ, dxₜ = W_ihᵀ daₜ.

    Parameters
    ----------
    input_size : int
        Features of x, ≥ 1.
    hidden_size : int
        Features of the state, ≥ 1.
    num_layers : int
        ≥ 1: each layer takes the output of the one below.
    nonlinearity : str
        'tanh' or 'relu'.
    bias : bool
        Whether there is a bias.
    batch_first : bool
        x and output are (N, L, …) instead of (L, N, …).
    dropout : float
        Probability in [0, 1] of dropping a value between two layers, in training.
    bidirectional : bool
        Add a second direction, which walks from the last step to the first.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    LinkShapeError, LinkDtypeError
        For x and hx that do not fit.
    NotImplementedError
        For a PackedSequence.

    Notes
    -----
    x: (L, N, input_size), with batch_first (N, L, input_size), or one sequence (L, input_size); L ≥ 1. hx: the initial
    state, (D · num_layers, N, hidden_size) whatever batch_first, or without N; left out: zeros. → (output, h_n): h of
    the last layer at every step (…, D · hidden_size), and of every layer at its last. D is 2 when bidirectional, else
    1. backward takes (doutput, dh_n), either may be None, and gives dx, or (dx, dhx) when hx was given.

    weight_ih_lk: (hidden_size, features), weight_hh_lk: (hidden_size, hidden_size), bias_ih_lk, bias_hh_lk:
    (hidden_size); those of the other direction end in _reverse. Initial weights: U(±√(1/hidden_size)), drawn in this
    order (PyTorch's law and its bits).

    References
    ----------
    Elman, "Finding Structure in Time", 1990. Werbos, "Backpropagation Through Time", 1990.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> output, h_n = maillon.RNN(3, 4, num_layers=2)(np.zeros((5, 1, 3), np.float32))
    >>> output.shape, h_n.shape
    ((5, 1, 4), (2, 1, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        self._sizes(input_size, hidden_size, bias, device)
        self.nonlinearity = arguments.one_of("RNN", "nonlinearity", nonlinearity, ("tanh", "relu"))
        self._build(num_layers, batch_first, dropout, bidirectional, dtype, generator)


class LSTM(_Layers, LongShortTerm):
    """cₜ = f cₜ₋₁ + i g, hₜ = o tanh cₜ, with i, f, o = σ(a), g = tanh(a), a = W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh.

    Derivative, backwards through time: dcₜ += o (1 − tanh² cₜ) dhₜ; di = g dcₜ, df = cₜ₋₁ dcₜ, dg = i dcₜ, do = tanh cₜ
    dhₜ; da_i = i (1 − i) di, da_f = f (1 − f) df, da_o = o (1 − o) do, da_g = (1 − g²) dg; dcₜ₋₁ = f dcₜ,
    dhₜ₋₁ = W_hhᵀ da; the weights as in RNN. With proj_size it is hₜ = W_hr (o tanh cₜ).

    Parameters
    ----------
    input_size : int
        Features of x, ≥ 1.
    hidden_size : int
        Features of the state, ≥ 1.
    num_layers : int
        ≥ 1: each layer takes the output of the one below.
    bias : bool
        Whether there is a bias.
    batch_first : bool
        x and output are (N, L, …) instead of (L, N, …).
    dropout : float
        Probability in [0, 1] of dropping a value between two layers, in training.
    bidirectional : bool
        Add a second direction, which walks from the last step to the first.
    proj_size : int
        0, or less than hidden_size: the features of h.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    LinkShapeError, LinkDtypeError, NotImplementedError
        As RNN.

    Notes
    -----
    x: (L, N, input_size), with batch_first (N, L, input_size), or one sequence (L, input_size); L ≥ 1. hx: (h_0, c_0),
    (D · num_layers, N, proj_size or hidden_size) and (D · num_layers, N, hidden_size), or without N. → (output, (h_n,
    c_n)), shaped as for RNN. backward takes (doutput, (dh_n, dc_n)), any may be None, and gives dx, or (dx, (dh_0,
    dc_0)) when hx was given.

    weight_ih_lk: (4 · hidden_size, features), weight_hh_lk, bias_ih_lk, bias_hh_lk alike, the gates' rows in the order
    i, f, g, o; weight_hr_lk: (proj_size, hidden_size). Initial weights as RNN's.

    References
    ----------
    Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997. The projection: Sak, Senior, Beaufays, 2014.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> network = maillon.Sequential(maillon.LSTM(3, 4, batch_first=True), maillon.LastStep(), maillon.Linear(4, 1))
    >>> network(np.zeros((2, 5, 3), np.float32)).shape
    (2, 1)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        self._sizes(input_size, hidden_size, bias, device)
        self.proj_size = arguments.integer("LSTM", "proj_size", proj_size, least=0)
        if self.proj_size >= self.hidden_size:
            raise ValueError(
                f"LSTM: expected proj_size to be less than hidden_size = {hidden_size}, got {proj_size}. "
                "Leave it out, or 0, for no projection."
            )
        self._build(num_layers, batch_first, dropout, bidirectional, dtype, generator)


class GRU(_Layers, Gated):
    """hₜ = (1 − z) n + z hₜ₋₁, with r, z = σ(a + b), n = tanh(a_n + r b_n), a = W_ih xₜ + b_ih, b = W_hh hₜ₋₁ + b_hh.

    Derivative, backwards through time: da_n = (1 − n²)(1 − z) dhₜ, da_z = z (1 − z)(hₜ₋₁ − n) dhₜ,
    da_r = r (1 − r) b_n da_n; db = da but db_n = r da_n; dhₜ₋₁ = z dhₜ + W_hhᵀ db; dW_ih, db_ih, dx of da as in RNN,
    dW_hh, db_hh of db.

    Parameters
    ----------
    input_size : int
        Features of x, ≥ 1.
    hidden_size : int
        Features of the state, ≥ 1.
    num_layers : int
        ≥ 1: each layer takes the output of the one below.
    bias : bool
        Whether there is a bias.
    batch_first : bool
        x and output are (N, L, …) instead of (L, N, …).
    dropout : float
        Probability in [0, 1] of dropping a value between two layers, in training.
    bidirectional : bool
        Add a second direction, which walks from the last step to the first.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    LinkShapeError, LinkDtypeError, NotImplementedError
        As RNN.

    Notes
    -----
    x, hx, output, h_n and initial weights: as for RNN. weight_ih_lk: (3 · hidden_size, features), weight_hh_lk,
    bias_ih_lk, bias_hh_lk alike, rows in the order r, z, n.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder", 2014, with the reset after the product, as
    cuDNN and PyTorch have it.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> output, h_n = maillon.GRU(3, 4, bidirectional=True)(np.zeros((5, 1, 3), np.float32))
    >>> output.shape, h_n.shape
    ((5, 1, 8), (2, 1, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        self._sizes(input_size, hidden_size, bias, device)
        self._build(num_layers, batch_first, dropout, bidirectional, dtype, generator)


class _Cell(Recurrent):
    """A sequence of one step."""

    _names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

    def _build(self, dtype: DTypeLike | None, generator: random.Generator | None) -> None:
        self._add_weights(self._names, self.input_size, dtype)
        if not outlined():
            self.reset_parameters(generator)

    def forward(self, x: Array, hx: Any = None) -> Any:
        errors.require_dtype(self, "x", x, self.dtype)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            expected = f"(N, {self.input_size}) or ({self.input_size},)"
            raise errors.wrong_shape(
                self, "x", expected, x.shape, f"The last dimension must be input_size = {self.input_size}."
            )
        batch = x.shape[:-1]
        if hx is None:
            initial = [np.zeros((*batch, size), x.dtype) for size in self._state_sizes()]
        else:
            self._check_state(hx, batch, "One state for each row of x; without hx they are zeros.")
            initial = self._state_parts(hx)
        passed = self._run(np.atleast_2d(x)[None], [np.atleast_2d(part) for part in initial], self._weights())
        final = self._unpacked([part[1] for part in passed.states], batch)
        return self.keep(final, passed, batch, hx is not None)

    def backward(self, grad_output: Any) -> Any:
        output = self.kept_output
        passed, batch, given = self.release(grad_output)
        dfinal = [np.atleast_2d(part) for part in self._state_parts(filled(output, grad_output))]
        nothing = np.zeros_like(passed.states[0][1:])
        dx, dinitial = self._run_backward(passed, nothing, dfinal, self._weights())
        dx = np.reshape(dx, (*batch, self.input_size))
        return (dx, self._unpacked(dinitial, batch)) if given else dx

    def _unpacked(self, parts: Sequence[Array], batch: tuple[int, ...]) -> Any:
        """The state as forward gives it: without the batch that a single sample was made into, a tuple of several."""
        state = tuple(part.reshape(*batch, part.shape[-1]) for part in parts)
        return state if len(state) > 1 else state[0]

    def _weights(self) -> Weights:
        return Weights(*(getattr(self, name) for name in self._names))


class RNNCell(_Cell, Simple):
    """h' = f(W_ih x + b_ih + W_hh h + b_hh), with f = tanh or relu: one step of an RNN.

    Derivative: da = f'(a) dh'; dW_ih = da xᵀ, dW_hh = da hᵀ, db_ih = db_hh = da, dx = W_ihᵀ da, dh = W_hhᵀ da.

    Parameters
    ----------
    input_size : int
        Features of x, ≥ 1.
    hidden_size : int
        Features of the state, ≥ 1.
    bias : bool
        Whether there is a bias.
    nonlinearity : str
        'tanh' or 'relu'.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    LinkShapeError, LinkDtypeError
        For x and hx that do not fit.
    ValueError
        For another nonlinearity.

    Notes
    -----
    x: (N, input_size) or (input_size,); hx, the state h: (N, hidden_size) or (hidden_size,), left out: zeros → h'.
    backward gives dx, or (dx, dh) when hx was given.

    weight_ih: (hidden_size, input_size), weight_hh: (hidden_size, hidden_size), bias_ih, bias_hh: (hidden_size).
    Initial weights: U(±√(1/hidden_size)), drawn in this order (PyTorch's law and its bits).

    One forward serves one backward, so a loop that learns takes `share()` of the cell for each step.

    References
    ----------
    Elman, "Finding Structure in Time", 1990.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.RNNCell(3, 4)(np.zeros((2, 3), np.float32)).shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        self._sizes(input_size, hidden_size, bias, device)
        self.nonlinearity = arguments.one_of("RNNCell", "nonlinearity", nonlinearity, ("tanh", "relu"))
        self._build(dtype, generator)


class LSTMCell(_Cell, LongShortTerm):
    """c' = f c + i g, h' = o tanh c', with i, f, o = σ(a), g = tanh(a), a = W_ih x + b_ih + W_hh h + b_hh.

    Derivative: dc' += o (1 − tanh² c') dh'; di = g dc', df = c dc', dg = i dc', do = tanh c' dh'; da_i = i (1 − i) di,
    da_f = f (1 − f) df, da_o = o (1 − o) do, da_g = (1 − g²) dg; dc = f dc'; dh, dx and the weights as in RNNCell.

    Parameters
    ----------
    input_size : int
        Features of x, ≥ 1.
    hidden_size : int
        Features of the state, ≥ 1.
    bias : bool
        Whether there is a bias.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    LinkShapeError, LinkDtypeError
        As RNNCell.

    Notes
    -----
    x: (N, input_size) or (input_size,); hx: (h, c), each (N, hidden_size) or (hidden_size,), left out: zeros → (h',
    c'). backward takes (dh', dc'), either may be None, and gives dx, or (dx, (dh, dc)) when hx was given.

    weight_ih: (4 · hidden_size, input_size), weight_hh, bias_ih, bias_hh alike, rows in the order i, f, g, o. Initial
    weights as RNNCell's.

    References
    ----------
    Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> h, c = maillon.LSTMCell(3, 4)(np.zeros((2, 3), np.float32))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        self._sizes(input_size, hidden_size, bias, device)
        self._build(dtype, generator)


class GRUCell(_Cell, Gated):
    """h' = (1 − z) n + z h, with r, z = σ(a + b), n = tanh(a_n + r b_n), a = W_ih x + b_ih, b = W_hh h + b_hh.

    Derivative: da_n = (1 − n²)(1 − z) dh', da_z = z (1 − z)(h − n) dh', da_r = r (1 − r) b_n da_n; db = da but
    db_n = r da_n; dh = z dh' + W_hhᵀ db, dx = W_ihᵀ da.

    Parameters
    ----------
    input_size : int
        Features of x, ≥ 1.
    hidden_size : int
        Features of the state, ≥ 1.
    bias : bool
        Whether there is a bias.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    LinkShapeError, LinkDtypeError
        As RNNCell.

    Notes
    -----
    x, hx, backward and initial weights: as for RNNCell. weight_ih: (3 · hidden_size, input_size), weight_hh, bias_ih,
    bias_hh alike, rows in the order r, z, n.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder", 2014, with the reset after the product, as
    cuDNN and PyTorch have it.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.GRUCell(3, 4)(np.zeros(3, np.float32)).shape
    (4,)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        self._sizes(input_size, hidden_size, bias, device)
        self._build(dtype, generator)
