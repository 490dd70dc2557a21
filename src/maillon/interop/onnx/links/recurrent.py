"""Recurrent layers whose formulas ONNX allows and PyTorch's links do not have."""

from typing import Any

import numpy as np

from maillon.nn.activations.basic import sigmoid
from maillon.nn.parameter import Parameter
from maillon.nn.sequence.recurrence import States, Weights
from maillon.nn.sequence.recurrent import GRU, LSTM
from maillon.typing import Array


class ResetFirstGRU(GRU):
    """A GRU whose reset comes before the product: h' = n + z (h − n), n = tanh(a_n + W_n (r h) + b_n).

    Derivative: as GRU's, but with s = r h: ds = W_nᵀ da_n, da_r = h r (1 − r) ds, dW_n = Σ da_n sᵀ, dh += r ds.
    Parameters, shapes and the order of the gates (r, z, n) are GRU's.
    """

    def _steps(self, gates: Array, states: States, weights: Weights) -> tuple[Any, ...]:
        (hidden,) = states
        size = self.hidden_size
        if weights.bias_hh is not None:
            gates += weights.bias_hh.data
        into_rz, into_n = weights.hh.data[: 2 * size].T, weights.hh.data[2 * size :].T
        for t, a in enumerate(gates):
            rz, n = a[:, : 2 * size], a[:, 2 * size :]
            rz += hidden[t] @ into_rz
            sigmoid(rz, out=rz)
            n += (rz[:, :size] * hidden[t]) @ into_n
            np.tanh(n, out=n)
            hidden[t + 1] = n + rz[:, size:] * (hidden[t] - n)
        return (gates,)

    def _steps_backward(
        self, doutput: Array, dfinal: list[Array], states: States, kept: tuple[Any, ...], weights: Weights
    ) -> tuple[Array, Array, States]:
        (gates,) = kept
        (dh,) = dfinal
        hidden, size = states[0], self.hidden_size
        into_rz, into_n = weights.hh.data[: 2 * size], weights.hh.data[2 * size :]
        dgates, dn_hh = np.empty_like(gates), np.zeros_like(into_n)
        for t in reversed(range(len(gates))):
            r, z, n = np.split(gates[t], 3, axis=1)
            h = hidden[t]
            dh = dh + doutput[t]
            da_n = (1 - n * n) * (1 - z) * dh
            ds = da_n @ into_n
            dn_hh += da_n.T @ (r * h)
            dgates[t] = np.concatenate([h * r * (1 - r) * ds, z * (1 - z) * (h - n) * dh, da_n], axis=1)
            dh = z * dh + r * ds + dgates[t, :, : 2 * size] @ into_rz
        # W_n saw r h, not h: its gradient is added here, and its rows are left out of what the layer adds
        weights.hh.accumulate(np.concatenate([np.zeros_like(into_rz), dn_hh]))
        recurrent = dgates.copy()
        recurrent[..., 2 * size :] = 0
        if weights.bias_hh is not None:
            db = np.add.reduce(dgates[..., 2 * size :], axis=(0, 1))
            weights.bias_hh.accumulate(np.concatenate([np.zeros(2 * size, db.dtype), db]))
        return dgates, recurrent, (dh,)


class PeepholeLSTM(LSTM):
    """An LSTM whose gates see the cell: a_i += p_i c, a_f += p_f c, a_o += p_o c', of one layer in one direction.

    Derivative: as LSTM's, with dc' += p_o da_o and dc += p_i da_i + p_f da_f; dp_i = Σ da_i c, dp_f = Σ da_f c,
    dp_o = Σ da_o c'. weight_p: (3 · hidden_size), in the order i, f, o, at first 0.

    Parameters
    ----------
    input_size : int
        Features of x, ≥ 1.
    hidden_size : int
        Features of the state, ≥ 1.
    bias : bool
        Whether there is a bias.
    batch_first : bool
        x and output are (N, L, …) instead of (L, N, …).
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, batch_first: bool = False) -> None:
        super().__init__(input_size, hidden_size, bias=bias, batch_first=batch_first)
        self.weight_p = Parameter(np.zeros(3 * hidden_size))

    def _steps(self, gates: Array, states: States, weights: Weights) -> tuple[Any, ...]:
        hidden, cells = states
        p_i, p_f, p_o = np.split(self.weight_p.data, 3)
        if weights.bias_hh is not None:
            gates += weights.bias_hh.data
        tanhs = np.empty_like(cells[1:])
        for t in range(len(gates)):
            gates[t] += hidden[t] @ weights.hh.data.T
            i, f, g, o = np.split(gates[t], 4, axis=1)
            i[...] = sigmoid(i + p_i * cells[t])
            f[...] = sigmoid(f + p_f * cells[t])
            g[...] = np.tanh(g)
            cells[t + 1] = f * cells[t] + i * g
            o[...] = sigmoid(o + p_o * cells[t + 1])
            tanhs[t] = np.tanh(cells[t + 1])
            hidden[t + 1] = o * tanhs[t]
        return gates, tanhs

    def _steps_backward(
        self, doutput: Array, dfinal: list[Array], states: States, kept: tuple[Any, ...], weights: Weights
    ) -> tuple[Array, Array, States]:
        gates, tanhs = kept
        dh, dc = dfinal
        cells = states[1]
        p_i, p_f, p_o = np.split(self.weight_p.data, 3)
        dgates, dp = np.empty_like(gates), np.zeros_like(self.weight_p.data)
        for t in reversed(range(len(gates))):
            i, f, g, o = np.split(gates[t], 4, axis=1)
            dh = dh + doutput[t]
            da_o = dh * tanhs[t] * o * (1 - o)
            dc = dc + dh * o * (1 - tanhs[t] ** 2) + da_o * p_o
            da_i, da_f = dc * g * i * (1 - i), dc * cells[t] * f * (1 - f)
            dgates[t] = np.concatenate([da_i, da_f, dc * i * (1 - g * g), da_o], axis=1)
            seen = (da_i * cells[t], da_f * cells[t], da_o * cells[t + 1])
            dp += np.concatenate([np.add.reduce(part, axis=0) for part in seen])
            dc = dc * f + da_i * p_i + da_f * p_f
            dh = dgates[t] @ weights.hh.data
        self.weight_p.accumulate(dp)
        return dgates, dgates, (dh, dc)
