"""What recurrent layers and cells compute: each kind's step through time, its derivative right below it."""

import math
from typing import Any, NamedTuple

import numpy as np

from maillon import random
from maillon.nn import init
from maillon.nn.activations.basic import sigmoid
from maillon.nn.module import Module
from maillon.nn.parameter import Parameter
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import empty
from maillon.typing import Array, DTypeLike

States = tuple[Array, ...]
"""(h,), or (h, c) of an LSTM: at one step (N, ·), of all steps with the initial one in front (L + 1, N, ·)."""


class Weights(NamedTuple):
    """The Parameters of one layer in one direction, in the order of their initial draws."""

    ih: Parameter
    hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None
    hr: Parameter | None = None


class Pass(NamedTuple):
    """What a walk through time leaves for the walk back."""

    x: Array
    states: tuple[Array, ...]
    kept: tuple[Any, ...]


class Recurrent(Module):
    """One layer in one direction, over L steps of a batch of N; a kind adds its `_steps` and `_steps_backward`.

    The input's share of all gates at all steps is one product, x W_ihᵀ + b_ih; only the state's share needs the
    loop over time. Going back, the loop collects ∂loss/∂gates, and again one product each gives dW_ih, dW_hh, dx.
    """

    gates: int
    hidden_size: int
    input_size: int
    bias: bool
    proj_size: int = 0

    @property
    def _width(self) -> int:
        """The rows of the weights."""
        return self.gates * self.hidden_size

    def _sizes(self, input_size: int, hidden_size: int, bias: bool, device: None) -> None:
        """Check and store what layers and cells have in common."""
        owner = type(self).__name__
        errors.refuse(owner, device=(device, None, errors.CPU_ONLY))
        self.input_size = arguments.integer(owner, "input_size", input_size)
        self.hidden_size = arguments.integer(owner, "hidden_size", hidden_size)
        self.bias = arguments.flag(owner, "bias", bias)

    def _add_weights(self, names: tuple[str, ...], input_size: int, dtype: DTypeLike | None) -> None:
        """The Parameters of one layer in one direction, under these names, not yet drawn; no biases without `bias`."""
        rows, state = (self._width,), self._state_sizes()[0]
        shapes = ((*rows, input_size), (*rows, state), rows, rows, (self.proj_size, self.hidden_size))
        for name, shape in zip(names, shapes, strict=False):
            absent = len(shape) == 1 and not self.bias
            setattr(self, name, None if absent else Parameter(empty(shape, floating_dtype(dtype))))

    def reset_parameters(self, generator: random.Generator | None = None) -> None:
        """Draw the initial weights again: U(±√(1/hidden_size))."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound, generator=generator)

    def _state_sizes(self) -> tuple[int, ...]:
        """The features of each part of the state."""
        return (self.hidden_size,)

    def _run(self, x: Array, initial: list[Array], weights: Weights) -> Pass:
        steps, batch, features = x.shape
        x = np.ascontiguousarray(x)
        gates = x.reshape(steps * batch, features) @ weights.ih.data.T
        if weights.bias_ih is not None:
            gates += weights.bias_ih.data
        states = tuple(np.empty((steps + 1, *part.shape), x.dtype) for part in initial)
        for all_steps, part in zip(states, initial, strict=True):
            all_steps[0] = part
        return Pass(x, states, self._steps(gates.reshape(steps, batch, self._width), states, weights))

    def _run_backward(
        self, passed: Pass, doutput: Array, dfinal: list[Array], weights: Weights, wants_dx: bool = True
    ) -> tuple[Any, States]:
        """dx (None unless wanted) and the gradient of the initial state; the Parameters get theirs."""
        x, states, kept = passed
        dfinal = [part.copy() for part in dfinal]
        dgates, drecurrent, dinitial = self._steps_backward(doutput, dfinal, states, kept, weights)
        before = states[0][:-1]
        rows = len(x) * x.shape[1]
        dgates, drecurrent = (d.reshape(rows, self._width) for d in (dgates, drecurrent))
        weights.ih.accumulate(dgates.T @ x.reshape(rows, x.shape[2]))
        weights.hh.accumulate(drecurrent.T @ before.reshape(rows, before.shape[2]))
        if weights.bias_ih is not None and weights.bias_hh is not None:
            weights.bias_ih.accumulate(np.add.reduce(dgates, axis=0))
            weights.bias_hh.accumulate(np.add.reduce(drecurrent, axis=0))
        return (dgates @ weights.ih.data).reshape(x.shape) if wants_dx else None, dinitial

    def _steps(self, gates: Array, states: States, weights: Weights) -> tuple[Any, ...]:
        """Fill states[·][1:] from states[·][0] and gates (L, N, gates · H), the input's share; what is to be kept."""
        raise NotImplementedError

    def _steps_backward(
        self, doutput: Array, dfinal: list[Array], states: States, kept: tuple[Any, ...], weights: Weights
    ) -> tuple[Array, Array, States]:
        """∂loss/∂ the input's and the state's share of the gates at all steps, and ∂loss/∂ the initial state.

        doutput: that of h at every step; dfinal: that of the last state, arrays that may be overwritten.
        """
        raise NotImplementedError

    def _state_parts(self, hx: Any) -> list[Array]:
        """The state as a list of its parts, one a size."""
        wanted = len(self._state_sizes())
        parts = [hx] if wanted == 1 else list(hx) if isinstance(hx, tuple | list) else []
        if len(parts) != wanted:
            got = f"{len(parts)} of them" if parts else type(hx).__name__
            raise errors.LinkDtypeError(
                f"{self!r}: expected hx to be a tuple (h, c), got {got}. Leave it out for zeros."
            )
        return parts

    def _check_state(self, hx: Any, leading: tuple[int, ...], way_out: str) -> None:
        for place, (part, size) in enumerate(zip(self._state_parts(hx), self._state_sizes(), strict=True)):
            name = "hx" if len(self._state_sizes()) == 1 else f"hx[{place}]"
            errors.require_dtype(self, name, part, self.dtype)
            if part.shape != (*leading, size):
                raise errors.wrong_shape(self, name, (*leading, size), part.shape, way_out)


class Simple(Recurrent):
    """h' = f(a), a = W_ih x + b_ih + W_hh h + b_hh, with f = tanh or relu.

    Derivative: da = f'(a) dh', dh = W_hhᵀ da, where tanh' = 1 − h'² and relu' = 1 where h' > 0, else 0.
    """

    gates = 1
    nonlinearity: str

    def _steps(self, gates: Array, states: States, weights: Weights) -> tuple[Any, ...]:
        (hidden,) = states
        if weights.bias_hh is not None:
            gates += weights.bias_hh.data
        for t, a in enumerate(gates):
            h = hidden[t + 1]
            np.matmul(hidden[t], weights.hh.data.T, out=h)
            h += a
            if self.nonlinearity == "tanh":
                np.tanh(h, out=h)
            else:
                np.maximum(h, 0, out=h)
        return ()

    def _steps_backward(
        self, doutput: Array, dfinal: list[Array], states: States, kept: tuple[Any, ...], weights: Weights
    ) -> tuple[Array, Array, States]:
        (dh,) = dfinal
        h = states[0][1:]
        da = 1 - h * h if self.nonlinearity == "tanh" else (h > 0).astype(h.dtype)
        for t in reversed(range(len(da))):
            dh += doutput[t]
            da[t] *= dh
            np.matmul(da[t], weights.hh.data, out=dh)
        return da, da, (dh,)


class LongShortTerm(Recurrent):
    """c' = f c + i g, h' = o tanh c'; i, f, o = σ(a), g = tanh(a_g), where a = W_ih x + b_ih + W_hh h + b_hh.

    Derivative: dc' += o (1 − tanh² c') dh'; da_i = g i (1 − i) dc', da_f = c f (1 − f) dc', da_g = i (1 − g²) dc',
    da_o = tanh c' o (1 − o) dh'; dc = f dc', dh = W_hhᵀ da. With proj_size h' = W_hr (o tanh c').
    """

    gates = 4  # i, f, g, o

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.proj_size or self.hidden_size, self.hidden_size)

    def _steps(self, gates: Array, states: States, weights: Weights) -> tuple[Any, ...]:
        hidden, cells = states
        steps, batch, _ = gates.shape
        if weights.bias_hh is not None:
            gates += weights.bias_hh.data
        parts = gates.reshape(steps, batch, 4, self.hidden_size)
        tanhs = np.empty_like(cells[1:])
        outputs = hidden[1:] if weights.hr is None else np.empty_like(tanhs)
        recurrent = np.empty(gates.shape[1:], gates.dtype)
        for t in range(steps):
            a = gates[t]
            a += np.matmul(hidden[t], weights.hh.data.T, out=recurrent)
            i, f, g, o = parts[t].transpose(1, 0, 2)
            candidate = np.tanh(g)
            sigmoid(a, out=a)  # of g too: one call over memory that lies together is faster
            g[...] = candidate
            c = np.multiply(f, cells[t], out=cells[t + 1])
            c += np.multiply(i, g, out=candidate)
            np.multiply(o, np.tanh(c, out=tanhs[t]), out=outputs[t])
            if weights.hr is not None:
                np.matmul(outputs[t], weights.hr.data.T, out=hidden[t + 1])
        return parts, tanhs, outputs

    def _steps_backward(
        self, doutput: Array, dfinal: list[Array], states: States, kept: tuple[Any, ...], weights: Weights
    ) -> tuple[Array, Array, States]:
        parts, tanhs, outputs = kept
        dh, dc = dfinal
        i, f, g, o = parts.transpose(2, 0, 1, 3)
        dgates = parts * (1 - parts)  # first the slopes of c' in i, f, g and of h' in o; then times dc' and dh'
        dgates[:, :, 2] = 1 - g * g
        for place, factor in enumerate((g, states[1][:-1], i, tanhs)):
            dgates[:, :, place] *= factor
        through = o * (1 - tanhs * tanhs)
        dprojected = np.empty_like(states[0][1:])
        flat = dgates.reshape(*dgates.shape[:2], self._width)
        for t in reversed(range(len(flat))):
            dh += doutput[t]
            dprojected[t] = dh
            dmade = dh if weights.hr is None else dh @ weights.hr.data
            through[t] *= dmade
            dc += through[t]
            dgates[t, :, :3] *= dc[:, None]
            dgates[t, :, 3] *= dmade
            dc *= f[t]
            np.matmul(flat[t], weights.hh.data, out=dh)
        if weights.hr is not None:
            weights.hr.accumulate(np.tensordot(dprojected, outputs, ((0, 1), (0, 1))))
        return flat, flat, (dh, dc)


class Gated(Recurrent):
    """h' = n + z (h − n); r, z = σ(a + b), n = tanh(a_n + r b_n), where a = W_ih x + b_ih, b = W_hh h + b_hh.

    Derivative: da_n = (1 − n²)(1 − z) dh', da_z = z (1 − z)(h − n) dh', da_r = b_n r (1 − r) da_n, and db is the
    same but db_n = r da_n; dh = z dh' + W_hhᵀ db.
    """

    gates = 3  # r, z, n

    def _steps(self, gates: Array, states: States, weights: Weights) -> tuple[Any, ...]:
        (hidden,) = states
        steps, batch, width = gates.shape
        size = self.hidden_size
        recurrent = np.empty((batch, width), gates.dtype)
        candidates = np.empty_like(hidden[1:])  # b_n, which r lets through
        for t, a in enumerate(gates):
            np.matmul(hidden[t], weights.hh.data.T, out=recurrent)
            if weights.bias_hh is not None:
                recurrent += weights.bias_hh.data
            candidates[t] = recurrent[:, 2 * size :]
            rz, n = a[:, : 2 * size], a[:, 2 * size :]
            rz += recurrent[:, : 2 * size]
            sigmoid(rz, out=rz)
            n += rz[:, :size] * candidates[t]
            np.tanh(n, out=n)
            h = np.subtract(hidden[t], n, out=hidden[t + 1])
            h *= rz[:, size:]
            h += n
        return gates.reshape(steps, batch, 3, size), candidates

    def _steps_backward(
        self, doutput: Array, dfinal: list[Array], states: States, kept: tuple[Any, ...], weights: Weights
    ) -> tuple[Array, Array, States]:
        parts, candidates = kept
        (dh,) = dfinal
        r, z, n = parts.transpose(2, 0, 1, 3)
        dgates = parts * (1 - parts)  # first the slopes of h', then times dh'
        dgates[:, :, 2] = (1 - n * n) * (1 - z)
        dgates[:, :, 1] *= states[0][:-1] - n
        dgates[:, :, 0] *= candidates * dgates[:, :, 2]
        drecurrent = dgates.copy()
        drecurrent[:, :, 2] *= r
        dtotal = np.empty_like(candidates)
        flat = drecurrent.reshape(*dgates.shape[:2], self._width)
        for t in reversed(range(len(flat))):
            dh += doutput[t]
            dtotal[t] = dh
            drecurrent[t] *= dh[:, None]
            dh *= z[t]
            dh += flat[t] @ weights.hh.data
        dgates *= dtotal[:, :, None]
        return dgates, flat, (dh,)
