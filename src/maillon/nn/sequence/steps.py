"""LastStep, EveryStep: what a chain takes of a recurrent layer, whose output comes with its state.

Sequential(LSTM(3, 8, batch_first=True), LastStep(), Linear(8, 1)) makes a number of each sequence; with EveryStep it
makes one of each step. `fit` and `predict` cut the data along their first dimension, hence batch_first=True. In a Graph
the state is at hand by itself: "lstm.1".
"""

from typing import Any

import numpy as np

from maillon.nesting import filled
from maillon.nn.module import Module
from maillon.nn.support import errors
from maillon.typing import Array


class _OfSequences(Module):
    """What takes the pair (output, state) of a recurrent layer, so that a chain can go on."""

    def _check(self, x: Any) -> tuple[Array, Array]:
        """The output at every step, and of the state h_n."""
        if not isinstance(x, tuple) or len(x) != 2:
            got = f"{len(x)} of them" if isinstance(x, tuple) else type(x).__name__
            raise errors.LinkDtypeError(
                f"{self!r}: expected x to be a tuple (output, state), got {got}. Put it after an RNN, LSTM or GRU."
            )
        output, state = x
        hidden = state[0] if isinstance(state, tuple) else state
        for name, part in (("x[0]", output), ("x[1]", hidden)):
            errors.require_floating(self, name, part)
        return output, hidden


class LastStep(_OfSequences):
    """y = h_n[−1], the last layer of a recurrent layer's state after its last step: a sequence as one vector.

    Derivative: dh_n[−1] = dy, zero in the other layers; bidirectional, a half of dy in each of the last layer's two
    rows.

    Raises
    ------
    LinkDtypeError
        When x is no such pair.
    LinkShapeError
        When its parts do not fit each other.

    Notes
    -----
    x: what RNN, LSTM or GRU give, (output, h_n) or (output, (h_n, c_n)) → y: (N, D · features), of one sequence (D ·
    features). With one direction that is output at its last step. With two it is the end of either walk: what the first
    has made of the sequence at its last step, beside what the second has at its first.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> pair = maillon.GRU(3, 4, batch_first=True)(np.ones((2, 5, 3), np.float32))
    >>> bool((maillon.LastStep()(pair) == pair[0][:, -1]).all())
    True
    """

    def forward(self, x: Any) -> Array:
        output, hidden = self._check(x)
        features, width = hidden.shape[-1:], output.shape[-1:]
        directions = 2 if width != features else 1
        if width != tuple(directions * n for n in features) or output.ndim != hidden.ndim or len(hidden) < directions:
            expected = f"(layers · D, …, {' '.join(map(str, width)) or 'features'} / D)"
            raise errors.wrong_shape(self, "h_n", expected, hidden.shape, "D is 1, or 2 when bidirectional.")
        return self.keep(np.concatenate(hidden[-directions:], axis=-1), x, directions)

    def backward(self, grad_output: Array) -> Any:
        x, directions = self.release(grad_output)
        doutput, dstate = filled(x, None)
        dhidden = dstate[0] if isinstance(dstate, tuple) else dstate
        dhidden[-directions:] = np.split(grad_output, directions, axis=-1)
        return doutput, dstate


class EveryStep(_OfSequences):
    """y = output, of the (output, state) of a recurrent layer: a sequence, for the next recurrent layer or Linear.

    Derivative: doutput = dy; the state gets zero.

    Raises
    ------
    LinkDtypeError
        When x is no such pair.

    Notes
    -----
    x: what RNN, LSTM or GRU give → y: its first part.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> network = maillon.Sequential(maillon.GRU(3, 4), maillon.EveryStep(), maillon.Linear(4, 2))
    >>> network(np.ones((5, 1, 3), np.float32)).shape
    (5, 1, 2)
    """

    def forward(self, x: Any) -> Array:
        output, _ = self._check(x)
        return self.keep(output, x)

    def backward(self, grad_output: Array) -> Any:
        (x,) = self.release(grad_output)
        return filled(x, (grad_output, None))
