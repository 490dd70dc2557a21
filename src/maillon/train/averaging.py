"""The running average of a network's weights: steadier than the last ones."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from maillon.nn import Module
from maillon.optim.rule import require_number
from maillon.train.callbacks import Callback, State
from maillon.typing import Array


class ExponentialMovingAverage(Callback):
    """After each step a ← d a + (1 − d) p for every parameter p; the first step makes a copy of p.

    As a callback of `fit` it follows by itself; in a loop of your own call `update()` after each step. `network` is the
    averaged network, in evaluation mode, to predict with; `averaged()` lends the averages to the original one.

    Parameters
    ----------
    network : Module
        What to average.
    decay : float
        d in [0, 1): about 1 / (1 − d) steps count.
    use_buffers : bool
        Average floating buffers too (running statistics); else they are copied, as integers always are.

    References
    ----------
    Polyak, Juditsky, "Acceleration of stochastic approximation by averaging", 1992. The form is that of PyTorch's
    AveragedModel with get_ema_avg_fn.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> network = maillon.Linear(1, 1)
    >>> average = maillon.train.ExponentialMovingAverage(network, decay=0.9)
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> history = maillon.fit(network, maillon.MSELoss(), x, 2 * x, rule=0.1, epochs=5, callbacks=average)
    >>> average.steps
    5
    """

    def __init__(self, network: Module, decay: float = 0.999, use_buffers: bool = False) -> None:
        if not isinstance(network, Module):
            raise TypeError(f"ExponentialMovingAverage: expected network to be a Module, got {network!r}.")
        require_number("ExponentialMovingAverage", "decay", decay, below=1)
        self.decay = decay
        self.use_buffers = use_buffers
        self.steps = 0
        self._behind = False
        self._followed = network
        self.network = copy.deepcopy(network).eval()
        self.network.zero_grad()

    def update(self) -> None:
        """Take the present weights into the average."""
        for average, array, is_buffer in self._pairs():
            if self.steps == 0 or array.dtype.kind != "f" or (is_buffer and not self.use_buffers):
                average[...] = array
            else:
                np.add(average, (1 - self.decay) * (array - average), out=average)
        self.steps += 1

    def on_step_end(self, state: State) -> None:
        if state.network is not self._followed:
            raise ValueError("ExponentialMovingAverage: it follows another network than the one that learns here.")
        self._behind = state.optim.waiting  # gradients that are only gathered have moved nothing yet
        if not self._behind:
            self.update()

    def on_epoch_end(self, state: State) -> None:
        if self._behind:  # what was left over has moved the weights since
            self._behind = False
            self.update()

    @contextmanager
    def averaged(self) -> Iterator[Module]:
        """In this block the original network has the averages; afterwards its own weights again."""
        own = [array.copy() for _, array, _ in self._pairs()]
        try:
            for average, array, _ in self._pairs():
                array[...] = average
            yield self._followed
        finally:
            for (_, array, _), before in zip(self._pairs(), own, strict=True):
                array[...] = before

    def state_dict(self) -> dict[str, Any]:
        """The averages and the number of steps in them."""
        return {"steps": self.steps, "behind": self._behind, "network": self.network.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.steps, self._behind = int(state["steps"]), bool(state.get("behind", False))

    def _pairs(self) -> list[tuple[Array, Array, bool]]:
        """Each average, what it follows, and whether that is a buffer."""
        parameters = zip(self.network.parameters(), self._followed.parameters(), strict=True)
        buffers = zip(self.network.buffers(), self._followed.buffers(), strict=True)
        pairs = [(np.asarray(average.data), parameter.data, False) for average, parameter in parameters]
        return pairs + [(average, buffer, True) for average, buffer in buffers]

    def __repr__(self) -> str:
        return f"ExponentialMovingAverage({self._followed!r}, decay={self.decay!r})"
