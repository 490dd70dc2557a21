"""Learning steps prepared for loops of one's own: one step a call, at the least cost a call."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.engine import processor
from maillon.engine.builder import NotLoweredError
from maillon.engine.predictor import Key, key_of
from maillon.engine.prepared import Common, Pass, Step
from maillon.nesting import leaves, mapped
from maillon.optim import Optim
from maillon.optim.door import call, convert, convert_batch

_MOST_SHAPES = 16  # that a Learner has prepared at a time


class Learner:
    """An Optim prepared for many calls: one learning step, or a part of one, a call.

    Parameters
    ----------
    optim : Optim
        Network, loss and rule.

    Notes
    -----
    `step` does what `optim.step` does, with the same result. Where the loss is your own, `forward(x)` gives the output,
    `backward(grad_output)` takes ∂loss/∂output, adds to the gradients of the parameters and gives ∂loss/∂x, and
    `update()` lets the rule move the parameters by these gradients and forgets them; `zero_grad()` forgets them too.

    Each shape is prepared at its first call. Later changes of network, loss and rule are followed: a changed rate costs
    one slower call. After a call each `Parameter.grad` is a view of the core's own memory, which the next call writes
    anew: copy what you keep. Links of your own run in NumPy among the core's.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> generator = maillon.manual_seed(0)
    >>> learner = maillon.compile(maillon.Optim(maillon.Linear(1, 1), maillon.MSELoss(), 0.1))
    >>> x, y = np.float32([[1], [2]]), np.float32([[3], [5]])
    >>> losses = [learner.step(x, y) for _ in range(200)]
    >>> losses[-1] < 1e-3 < losses[0]
    True

    The same with a loss of one's own, (y - 3)² for instance:

    >>> prediction = learner.forward(x)
    >>> learner.backward(2 * (prediction - 3)).shape
    (2, 1)
    >>> learner.update()
    """

    def __init__(self, optim: Optim) -> None:
        self.optim = optim
        self._step: Any = _nothing
        self._pass: Pass | None = None
        self._common: Common | None = None
        self._known: dict[Key, Any] = {}
        self._steps: dict[Key, Step] = {}  # by the shapes of what `step` is given, where that needs no conversion
        self._in_numpy = False  # the last forward was NumPy's
        self._busy = threading.Lock()

    def __reduce__(self) -> Any:
        return type(self), (self.optim,)

    def __repr__(self) -> str:
        return f"compile({self.optim!r})"

    # Whole steps

    def step(self, x: Any, y: Any = None, sample_weight: Any = None) -> float:
        """One learning step on a mini-batch; returns the loss before it. As `Optim.step`.

        Parameters
        ----------
        x : array, or tuple or dict of arrays
            The inputs of a mini-batch.
        y : array, or tuple of arrays
            Its targets; None for a loss without a target.
        sample_weight : array, optional
            A factor for each sample.

        Returns
        -------
        float
            The loss.

        Raises
        ------
        LinkError, NonFiniteLossError
            As `Optim.step`, with nothing learnt.
        """
        if self._common is not None and self._common.in_use:
            self.zero_grad()  # as Optim.step, which begins from none
        done = NotImplemented if sample_weight is not None else self._step(x, y)
        if type(done) is float:
            return done
        if done is None:  # the numbers went wrong: NumPy says how
            return float(self.optim.learn(*convert_batch(self.optim.network, self.optim.loss, x, y)))
        given = (x, sample_weight) if y is x else (x, y, sample_weight)
        key: Key = (y is x, *map(key_of, given))
        try:
            step = self._steps.get(key)
        except TypeError:  # a list, say: it is to be converted
            step = None
        if step is not None:
            done = step.fast(*(leaf for leaf in leaves(given) if leaf is not None))
            if type(done) is float:
                self._step = step.fast if sample_weight is None and type(x) is np.ndarray is type(y) else _nothing
                return done
            if done is None:
                return float(self.optim.learn(*convert_batch(self.optim.network, self.optim.loss, x, y, sample_weight)))
        return self._step_slowly(x, y, sample_weight, key)

    def _step_slowly(self, x: Any, y: Any, sample_weight: Any, key: Key) -> float:
        """A first call with this shape, something to convert, or an error to raise."""
        optim = self.optim
        inputs, target, weight = convert_batch(optim.network, optim.loss, x, y, sample_weight)
        self._in_numpy = False
        data = (inputs, weight) if target is inputs else (inputs, target, weight)
        arrays = [leaf for leaf in leaves(data) if leaf is not None]
        done: Any = None
        try:
            made = self._prepared(
                ("step", target is inputs, *map(key_of, data)), lambda common: Step(common, inputs, target, weight)
            )
            done = made.run(*map(np.ascontiguousarray, arrays))
        except NotLoweredError:
            pass
        if type(done) is not float:
            return float(optim.learn(inputs, target, weight))
        given = [leaf for leaf in leaves((x, sample_weight) if y is x else (x, y, sample_weight)) if leaf is not None]
        if len(given) == len(arrays) and all(one is other for one, other in zip(given, arrays, strict=True)):
            while len(self._steps) >= _MOST_SHAPES:
                del self._steps[next(iter(self._steps))]
            self._steps[key] = made
        return done

    # Parts of a step

    def forward(self, x: Any) -> Any:
        """The network's output, in the network's mode; `backward` may follow.

        Parameters
        ----------
        x : array, or tuple or dict of arrays
            The inputs of a mini-batch.

        Returns
        -------
        array, nested as the network nests its output
            The output.

        Raises
        ------
        LinkError
            For what the network refuses.
        """
        if self._pass is not None and type(x) is np.ndarray:
            output = self._pass.forward(x)  # NotImplemented too where it does not lie in C order
            if output is not NotImplemented:
                return output
        network = self.optim.network
        inputs = convert(x, network.dtype, network=network)
        try:
            inputs = mapped(np.ascontiguousarray, inputs)
            made = self._prepared(("pass", key_of(inputs)), lambda common: Pass(common, inputs))
            output = made.forward(inputs)
        except NotLoweredError:
            output = NotImplemented
        self._in_numpy = output is NotImplemented
        if self._in_numpy:
            self._pass = None
            return call(network, inputs)
        self._pass = made
        return output

    def backward(self, grad_output: Any) -> Any:
        """∂loss/∂x from ∂loss/∂output, for the last `forward`; adds to the gradients of the parameters.

        Parameters
        ----------
        grad_output : array, nested like the output
            ∂loss/∂output; None where an output has no gradient.

        Returns
        -------
        array, nested like x
            ∂loss/∂x; None for integers and booleans.

        Raises
        ------
        LinkStateError
            Without a forward before.
        LinkShapeError
            When grad_output is not like the output.
        """
        if self._in_numpy or self._pass is None:
            return self.optim.network.backward(grad_output)
        return self._pass.backward(grad_output)

    def update(self) -> None:
        """Let the rule move the parameters by the gradients, clipped where the Optim says so, and forget these."""
        if self._in_numpy or self._pass is None or not self._pass.update():
            optim = self.optim
            optim.gathered = 1, None
            optim.flush()
            self.zero_grad()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        if self._common is not None:
            self._common.clear()
        self.optim.zero_grad()

    # What is prepared

    def _prepared(self, key: Key, make: Callable[[Common], Any]) -> Any:
        """What was made for this shape, or is made now; NotLoweredError where the core cannot."""
        if processor.core() is None:
            raise NotLoweredError("there is none")
        with self._busy:
            if self._common is None or not self._common.holds():
                if self.optim.waiting:
                    raise NotLoweredError("NumPy has begun to gather gradients")
                self._known.clear()
                self._steps.clear()
                self._step, self._pass = _nothing, None
                self._common = Common(self.optim)
            self._common.state.refresh()
            made = self._known.get(key)
            if made is None:
                while len(self._known) >= _MOST_SHAPES:
                    del self._known[next(iter(self._known))]
                made = self._known[key] = make(self._common)
            made.watch()
            return made


def _nothing(*_arrays: Any) -> Any:
    return NotImplemented
