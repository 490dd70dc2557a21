"""Recurrent links with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.nn import Parameter
from maillon.random import Generator
from mutants.table import mutant

DRAW = Generator(17)
SHAPES = ((4, 2, 3), (1, 2, 2), (1, 2, 2))
SEQUENCES, STATE, CELLS = (DRAW.normal(shape, 0.2, 1.0, dtype=np.float64) for shape in SHAPES)
SAMPLES, ONE_STATE, ONE_CELL = SEQUENCES[0], STATE[0], CELLS[0]
BOTH_WAYS = DRAW.normal((4, 2, 6), dtype=np.float64), DRAW.normal((2, 2, 3), dtype=np.float64)


class RNN32(maillon.RNN):
    def __init__(self, **options: Any) -> None:
        super().__init__(3, 2, **options)


class LSTM32(maillon.LSTM):
    def __init__(self, **options: Any) -> None:
        super().__init__(3, 2, **options)


class GRU32(maillon.GRU):
    def __init__(self) -> None:
        super().__init__(3, 2)


# Through time


@mutant("RNN: gradient of the last step only", 1, SEQUENCES)
class LastStepOnly(RNN32):
    def _steps_backward(self, doutput: Any, *rest: Any) -> Any:
        last = np.zeros_like(doutput)
        last[-1] = doutput[-1]
        return super()._steps_backward(last, *rest)


@mutant("RNN: each step by itself, nothing sent to the one before", 1, SEQUENCES)
class NotThroughTime(RNN32):
    def _steps_backward(self, doutput: Any, dfinal: Any, states: Any, kept: Any, weights: Any) -> Any:
        nothing = weights._replace(hh=Parameter(np.zeros_like(weights.hh.data)))
        return super()._steps_backward(doutput, dfinal, states, kept, nothing)


@mutant("RNN: the state's gradient dropped", 1, SEQUENCES)
class StateDropped(RNN32):
    def _steps_backward(self, doutput: Any, dfinal: Any, *rest: Any) -> Any:
        return super()._steps_backward(doutput, [0 * part for part in dfinal], *rest)


@mutant("RNN: tanh's derivative of the input instead of the output", 1, SEQUENCES)
class TanhOfInput(RNN32):
    def _steps_backward(self, doutput: Any, dfinal: Any, states: Any, kept: Any, weights: Any) -> Any:
        inputs = states[0].copy()
        inputs[1:] = np.arctanh(inputs[1:])
        return super()._steps_backward(doutput, dfinal, (inputs,), kept, weights)


@mutant("RNN: the gradient of W_hh from the state after the step, not before it", 1, SEQUENCES)
class StateAfter(RNN32):
    def _run_backward(self, passed: Any, doutput: Any, dfinal: Any, weights: Any, wants_dx: bool = True) -> Any:
        da, _, _ = self._steps_backward(doutput, [d.copy() for d in dfinal], passed.states, passed.kept, weights)
        found = super()._run_backward(passed, doutput, dfinal, weights, wants_dx)
        weights.hh.accumulate(np.tensordot(da, passed.states[0][1:] - passed.states[0][:-1], ((0, 1), (0, 1))))
        return found


@mutant("RNN: the other direction's gradient not reversed", 1, SEQUENCES)
class NotReversed(RNN32):
    def __init__(self) -> None:
        super().__init__(bidirectional=True)

    def _run_backward(self, passed: Any, doutput: Any, dfinal: Any, weights: Any, wants_dx: bool = True) -> Any:
        way = -1 if weights.ih is self.weight_ih_l0_reverse else 1
        return super()._run_backward(passed, doutput[::way], dfinal, weights, wants_dx)


@mutant("RNN: W_hh transposed going back", 1, SEQUENCES)
class RecurrentTransposed(RNN32):
    def _steps_backward(self, doutput: Any, dfinal: Any, states: Any, kept: Any, weights: Any) -> Any:
        turned = weights._replace(hh=Parameter(np.ascontiguousarray(weights.hh.data.T)))
        return super()._steps_backward(doutput, dfinal, states, kept, turned)


@mutant("RNN: mask between layers not used going back", 1, SEQUENCES)
class MaskForgotten(RNN32):
    def __init__(self) -> None:
        super().__init__(num_layers=2, dropout=0.5)

    def forward(self, x: Any, hx: Any = None) -> Any:
        output = super().forward(x, hx)
        for layer in self.__dict__["_kept"][1][0][1:]:
            layer.dropout.keep(layer.dropout.kept_output, None)
        return output


@mutant("RNN: recurrent bias forgotten", 2, SEQUENCES)
class RecurrentBiasForgotten(RNN32):
    def backward(self, grad_output: Any) -> Any:
        held = self.bias_hh_l0.grad
        found = super().backward(grad_output)
        self.bias_hh_l0.grad = held
        return found


# Gates


@mutant("LSTM: gates in another order going back", 1, SEQUENCES)
class GateOrder(LSTM32):
    def _steps_backward(self, doutput: Any, dfinal: Any, states: Any, kept: Any, weights: Any) -> Any:
        parts, *rest = kept
        return super()._steps_backward(doutput, dfinal, states, (parts[:, :, [1, 0, 2, 3]], *rest), weights)


@mutant("LSTM: the cell's gradient does not go back through time", 1, SEQUENCES)
class CellForgotten(LSTM32):
    def _steps_backward(self, doutput: Any, dfinal: Any, states: Any, kept: Any, weights: Any) -> Any:
        (dh, dc), steps = dfinal, []
        for t in reversed(range(len(doutput))):
            of_step = tuple(part[t : t + 2] for part in states), tuple(part[t : t + 1] for part in kept)
            da, _, (dh, dc) = super()._steps_backward(doutput[t : t + 1], [dh, dc], *of_step, weights)
            dc = np.zeros_like(dc)
            steps.insert(0, da)
        return np.concatenate(steps), np.concatenate(steps), (dh, dc)


@mutant("LSTM: the projection's gradient of the last step only", 1, SEQUENCES)
class ProjectionOfLast(LSTM32):
    def __init__(self) -> None:
        super().__init__(proj_size=1)

    def _steps_backward(self, doutput: Any, dfinal: Any, states: Any, kept: Any, weights: Any) -> Any:
        parts, tanhs, outputs = kept
        last = np.zeros_like(outputs)
        last[-1] = outputs[-1]
        return super()._steps_backward(doutput, dfinal, states, (parts, tanhs, last), weights)


@mutant("LSTM: the gates that were kept are overwritten", 3, SEQUENCES)
class GatesOverwritten(LSTM32):
    def _steps_backward(self, doutput: Any, dfinal: Any, states: Any, kept: Any, weights: Any) -> Any:
        found = super()._steps_backward(doutput, dfinal, states, kept, weights)
        kept[0][...] = found[0].reshape(kept[0].shape)
        return found


@mutant("LSTM: the gradients of h and c not in a tuple of their own", 4, SEQUENCES, (STATE, CELLS))
class Flattened(LSTM32):
    def backward(self, grad_output: Any) -> Any:
        dx, (dh, dc) = super().backward(grad_output)
        return dx, dh, dc


@mutant("GRU: update gate the other way round going back", 1, SEQUENCES)
class UpdateExchanged(GRU32):
    def _steps_backward(self, doutput: Any, dfinal: Any, states: Any, kept: Any, weights: Any) -> Any:
        parts, candidates = kept
        other = parts.copy()
        other[:, :, 1] = 1 - other[:, :, 1]
        return super()._steps_backward(doutput, dfinal, states, (other, candidates), weights)


@mutant("GRU: reset gate before the product, as in the first paper, going back", 1, SEQUENCES)
class ResetBefore(GRU32):
    def _steps_backward(self, *given: Any) -> Any:
        da, _, dinitial = super()._steps_backward(*given)
        return da, da, dinitial


@mutant("GRU: no gradient of the initial state", 4, SEQUENCES, STATE)
class InitialForgotten(GRU32):
    def backward(self, grad_output: Any) -> Any:
        dx, _ = super().backward(grad_output)
        return dx, None


# Cells, and what a chain takes


@mutant("LSTMCell: gradient of c' dropped", 1, SAMPLES, (ONE_STATE, ONE_CELL))
class CellStateDropped(maillon.LSTMCell):
    def __init__(self) -> None:
        super().__init__(3, 2)

    def backward(self, grad_output: Any) -> Any:
        return super().backward((grad_output[0], None))


@mutant("GRUCell: dh' overwritten by what goes to h", 3, SAMPLES, ONE_STATE)
class GradOverwritten(maillon.GRUCell):
    def __init__(self) -> None:
        super().__init__(3, 2)

    def backward(self, grad_output: Any) -> Any:
        dx, dh = super().backward(grad_output)
        grad_output[...] = dh
        return dx, grad_output


@mutant("LastStep: gradient also to the output's last step", 1, BOTH_WAYS)
class Twice(maillon.LastStep):
    def backward(self, grad_output: Any) -> Any:
        doutput, dstate = super().backward(grad_output)
        doutput[-1] = grad_output
        return doutput, dstate


@mutant("LastStep: directions exchanged going back", 1, BOTH_WAYS)
class DirectionsExchanged(maillon.LastStep):
    def backward(self, grad_output: Any) -> Any:
        return super().backward(np.roll(grad_output, 3, axis=-1))
