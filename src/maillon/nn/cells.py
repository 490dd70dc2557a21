"""RNNCell, LSTMCell, GRUCell: one step of the recurrent links, for loops of your own.

One forward serves one backward, so a loop that learns takes `cell.share()` for each step: a link of its own with the
same Parameters, whose gradients add up.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from maillon import random
from maillon.nn import arguments, errors
from maillon.nn.nesting import filled
from maillon.nn.recurrence import _Gated, _LongShortTerm, _Recurrent, _Simple, _Weights
from maillon.typing import Array, DTypeLike


class _Cell(_Recurrent):
    """A sequence of one step."""

    _names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

    def _build(self, dtype: DTypeLike | None, generator: random.Generator | None) -> None:
        self._add_weights(self._names, self.input_size, dtype)
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

    def _weights(self) -> _Weights:
        return _Weights(*(getattr(self, name) for name in self._names))


class RNNCell(_Cell, _Simple):
    """h' = f(W_ih x + b_ih + W_hh h + b_hh), with f = tanh or relu.

    Derivative: da = f'(a) dh'; dW_ih = da xᵀ, dW_hh = da hᵀ, db_ih = db_hh = da, dx = W_ihᵀ da, dh = W_hhᵀ da.

    x: (N, input_size) or (input_size,); hx, the state h: (N, hidden_size) or (hidden_size,), left out: zeros → h'.
    backward gives dx, or (dx, dh) when hx was given.
    weight_ih: (hidden_size, input_size), weight_hh: (hidden_size, hidden_size), bias_ih, bias_hh: (hidden_size).
    Initial weights: U(±√(1/hidden_size)), drawn in this order (PyTorch's law and its bits).
    Errors: LinkShapeError and LinkDtypeError for x and hx; ValueError for another nonlinearity.
    Source: Elman, "Finding Structure in Time", 1990.

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


class LSTMCell(_Cell, _LongShortTerm):
    """c' = f c + i g, h' = o tanh c', with i, f, o = σ(a), g = tanh(a), a = W_ih x + b_ih + W_hh h + b_hh.

    Derivative: dc' += o (1 − tanh² c') dh'; di = g dc', df = c dc', dg = i dc', do = tanh c' dh', da = σ' or tanh'
    times these; dc = f dc'; dh, dx and the weights as in RNNCell.

    x: (N, input_size) or (input_size,); hx: (h, c), each (N, hidden_size) or (hidden_size,), left out: zeros
    → (h', c'). backward takes (dh', dc'), either may be None, and gives dx, or (dx, (dh, dc)) when hx was given.
    weight_ih: (4 · hidden_size, input_size), weight_hh, bias_ih, bias_hh alike, rows in the order i, f, g, o.
    Initial weights and errors: as for RNNCell.
    Source: Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997.

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


class GRUCell(_Cell, _Gated):
    """h' = (1 − z) n + z h, with r, z = σ(a + b), n = tanh(a_n + r b_n), a = W_ih x + b_ih, b = W_hh h + b_hh.

    Derivative: da_n = (1 − n²)(1 − z) dh', da_z = z (1 − z)(h − n) dh', da_r = r (1 − r) b_n da_n; db = da but
    db_n = r da_n; dh = z dh' + W_hhᵀ db, dx = W_ihᵀ da.

    x, hx, backward, initial weights, errors: as for RNNCell.
    weight_ih: (3 · hidden_size, input_size), weight_hh, bias_ih, bias_hh alike, rows in the order r, z, n.
    Source: Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder", 2014, with the reset after the
    product, as cuDNN and PyTorch have it.

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
