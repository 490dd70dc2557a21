"""Optim: one learning step."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from maillon.messages import got
from maillon.nn import Loss, Module
from maillon.nn.containers import refuse_twice
from maillon.nn.loss import USUAL
from maillon.nn.support import arguments
from maillon.nn.support.undo import Undo
from maillon.nn.utils import clip_grad_norm_, clip_grad_value_
from maillon.optim.door import call, convert_batch
from maillon.optim.rule import Rule
from maillon.optim.rules.descent import SGD
from maillon.tracebacks import short_traceback
from maillon.typing import Array

NOTHING_AROUND = nullcontext()


class NonFiniteLossError(FloatingPointError):
    """The loss was NaN or infinite; the step was not applied, the parameters are those of the step before.

    Parameters
    ----------
    loss : float
        The loss.
    link : str
        The first link whose output was not finite.

    Notes
    -----
    `epoch` and `batch` (both from 1) and `history` are filled in by the loop that trains; they are None outside one.
    """

    def __init__(self, loss: float, link: str) -> None:
        super().__init__(loss, link)
        self.loss = loss
        self.link = link
        self.epoch: int | None = None
        self.batch: int | None = None
        self.history: Any = None

    def __str__(self) -> str:
        where = "" if self.epoch is None else f" in epoch {self.epoch}, batch {self.batch}"
        return (
            f"The loss became {self.loss}{where}. The first link whose output is not finite: {self.link}. The step was "
            "not applied. Lower the rate, normalise the data, or look at the parameters before this step."
        )


class Optim:
    """A network, a loss and a rule: `step(x, y)` does forward, backward and update, and returns the loss.

    Parameters
    ----------
    network : Module
        The network.
    loss : Loss
        What is to become small.
    rule : float or Rule
        A number (the rate of plain SGD), a recipe such as ``Adam(lr=1e-3)``, or a bound rule.
    clip_grad_norm : float, optional
        The norm > 0 to which the gradients of the rule's parameters, together, are scaled down before each
        update.
    clip_grad_value : float, optional
        The bound > 0 on each entry of the gradients.
    accumulate : int
        The parameters move once in so many steps, as of one mini-batch so many times as large.

    Raises
    ------
    ValueError
        When the network's last link and the loss do not go together (a Softmax before a cross-entropy on logits, for
        instance), one link stands twice in the network, or both clippings are given.

    Notes
    -----
    The clippings may be set later, as attributes, and hold from the next step on.

    With accumulate > 1 gradients of sums are added up and, where the loss is a mean, divided once by all that the means
    would have been divided by (`Loss.denominator`). Only what looks at a whole mini-batch still sees the small one:
    BatchNorm's statistics, Dropout's masks, a loss that couples rows. Until the update each `Parameter.grad` holds the
    sum. A mini-batch of which the loss ignores everything counts as none, with a loss of 0. `flush()` applies what is
    left over.

    `around` is a `with` block for forward and backward of each mini-batch that begins a sum: what is raised in the
    middle of these leaves no trace. `fit` lets Ctrl-C raise there.

    Examples
    --------
    >>> import maillon
    >>> generator = maillon.manual_seed(0)
    >>> optim = maillon.Optim(maillon.Linear(1, 1), maillon.MSELoss(), 0.1)
    >>> losses = [optim.step([[1.0], [2.0]], [[3.0], [5.0]]) for _ in range(200)]
    >>> losses[-1] < 1e-3 < losses[0]
    True
    """

    def __init__(
        self,
        network: Module,
        loss: Loss,
        rule: Rule | float,
        *,
        clip_grad_norm: float | None = None,
        clip_grad_value: float | None = None,
        accumulate: int = 1,
    ) -> None:
        if not isinstance(network, Module):
            raise TypeError(f"Optim: expected network to be a Module, got {type(network).__name__}.")
        if not isinstance(loss, Loss):
            raise TypeError(f"Optim: expected loss to be a Loss, {got(loss)}")
        refuse_twice("Optim", network.named_modules())
        loss.check_after(network.output_link())
        self.network = network
        self.loss = loss
        self.rule = _bound(rule, network)
        self.prediction: Any = None
        self._clip_norm: float | None = None
        self._clip_value: float | None = None
        self.clip_grad_norm = clip_grad_norm
        self.clip_grad_value = clip_grad_value
        self.accumulate = arguments.integer("Optim", "accumulate", accumulate)
        self.around: AbstractContextManager[Any] = NOTHING_AROUND
        self._gathered = 0  # mini-batches whose gradients wait for the update
        self._divisor: float | None = None  # what these are to be divided by, where they are those of sums
        if self.rule.needs_closure and self.accumulate > 1:
            raise ValueError(f"Optim: expected accumulate=1 with {type(self.rule).__name__}, which looks at one loss.")

    @property
    def clip_grad_norm(self) -> float | None:
        """The norm that all gradients together are scaled down to, before each update; None leaves them."""
        return self._clip_norm

    @clip_grad_norm.setter
    def clip_grad_norm(self, value: float | None) -> None:
        self._clip_norm = _limit("clip_grad_norm", value, self._clip_value)

    @property
    def clip_grad_value(self) -> float | None:
        """The bound on each entry of the gradients, before each update; None leaves them."""
        return self._clip_value

    @clip_grad_value.setter
    def clip_grad_value(self, value: float | None) -> None:
        self._clip_value = _limit("clip_grad_value", value, self._clip_norm)

    @short_traceback
    def step(self, x: Any, y: Any = None, sample_weight: Any = None) -> float:
        """One learning step on a mini-batch; returns the loss before it (its sum, for reduction='none').

        x, y: arrays, lists, data frames, tensors; a tuple or dict of them for a network with several inputs. A loss of
        several predictions takes the network's tuple of outputs; one without a target (TripletMarginLoss) no y.
        Errors: those of the links; NonFiniteLossError before the update. A step that raises has changed nothing:
        neither parameters nor buffers, and what was drawn is drawn again.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite raises by itself
            return self.learn(*convert_batch(self.network, self.loss, x, y, sample_weight))

    def learn(self, x: Any, y: Any, sample_weight: Array | None = None) -> float:
        """`step` on arrays that have passed the door already: no conversion, no cost.

        Where it raises, it has changed nothing: buffers, rows that were shortened and random streams are put back. Only
        the gradients are none, and nothing is gathered, after a backward that was not finished.
        """
        with Undo(self.network, self.loss):
            if self.rule.needs_closure:
                return self._learn_by_closure(x, y, sample_weight)
            total = self._walk(x, y, sample_weight, self.accumulate > 1 or self._gathered > 0)
            self._gathered += 1
            if self._gathered >= self.accumulate:
                self.flush()
            return total

    @property
    def waiting(self) -> bool:
        """Whether gradients are gathered that have not moved the parameters yet."""
        return self._gathered > 0

    @property
    def gathered(self) -> tuple[int, float | None]:
        """How many mini-batches' gradients wait, and what they are to be divided by: None, where all are of sums."""
        return self._gathered, self._divisor

    @gathered.setter
    def gathered(self, waiting: tuple[int, float | None]) -> None:
        self._gathered, self._divisor = waiting

    def zero_grad(self) -> None:
        """Forget all gradients, those that wait for an update too."""
        self._gathered, self._divisor = 0, None
        self.rule.zero_grad()

    def flush(self) -> None:
        """Move the parameters by the gradients gathered since the last update, if there are any.

        Errors: NonFiniteLossError where the loss has ignored everything gathered: the mean of nothing is not a number.
        """
        gathered, self._gathered = self._gathered, 0
        divisor, self._divisor = self._divisor, None
        if not gathered:
            return
        if divisor is not None:
            self._divide(divisor)
        if self._clip_norm is not None or self._clip_value is not None:
            self._clip()
        self.rule.step()

    def _divide(self, divisor: float) -> None:
        """From gradients of sums to those of the mean over all mini-batches gathered."""
        if not divisor:
            raise NonFiniteLossError(math.nan, f"the loss {self.loss!r}")
        for group in self.rule.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad = parameter.grad / divisor

    def _walk(self, x: Any, y: Any, sample_weight: Array | None, gather: bool = False) -> float:
        """Forward and backward; the loss. gather: the gradients of a mean are left undivided."""
        with NOTHING_AROUND if self._gathered else self.around:
            return self._walked(x, y, sample_weight, gather)

    def _walked(self, x: Any, y: Any, sample_weight: Array | None, gather: bool) -> float:
        network, loss = self.network, self.loss
        prediction = network.forward(x) if type(x) is np.ndarray else call(network, x)
        inputs = (prediction, y) if loss.predicted is USUAL else loss.arranged(prediction, y)
        value = loss.forward(*inputs if sample_weight is None else (*inputs, sample_weight))
        total = float(value) if loss.reduction != "none" else float(value.sum())
        divisor = float(loss.denominator) if gather and loss.averages else None
        if divisor == 0:  # all is ignored: the sum of nothing
            total = 0.0
        if not math.isfinite(total):
            self._gathered, self._divisor = 0, None
            raise self._non_finite(total, x)
        if not self._gathered:
            self.rule.zero_grad()
        grad = loss.backward() if divisor is None else loss.backward(divisor or 1.0)
        try:
            if divisor is not None:
                self._divisor = (self._divisor or 0.0) + divisor
            network.backward_parameters(grad if loss.predicted is USUAL else loss.of_predictions(grad))
        except BaseException:
            self.zero_grad()  # some gradients are those of this mini-batch, some are not
            raise
        self.prediction = prediction
        return total

    def _learn_by_closure(self, x: Any, y: Any, sample_weight: Array | None) -> float:
        """For rules that look at the loss several times; the prediction stays the one before the step."""
        first: list[Any] = []

        def closure() -> float:
            total = self._walk(x, y, sample_weight)
            if self._clip_norm is not None or self._clip_value is not None:
                self._clip()
            first.append(self.prediction)
            return total

        before = self.prediction
        try:
            total = float(self.rule.step(closure))
        except BaseException:
            self.prediction = before
            raise
        self.prediction = first[0]
        return total

    def _clip(self) -> None:
        parameters = [parameter for group in self.rule.param_groups for parameter in group["params"]]
        if self._clip_norm is not None:
            clip_grad_norm_(parameters, self._clip_norm)
        if self._clip_value is not None:
            clip_grad_value_(parameters, self._clip_value)

    def _non_finite(self, total: float, x: Any) -> NonFiniteLossError:
        """The error to raise; what the links and the loss keep for a backward that will not come is dropped."""
        error = NonFiniteLossError(total, self._first_not_finite(x))
        self.network.forget()
        self.loss.forget()
        return error

    def _first_not_finite(self, x: Any) -> str:
        """The first link, in the order of the chain, whose output is not finite, by its place and repr."""
        inputs = x if isinstance(x, tuple) else x.values() if isinstance(x, dict) else (x,)
        if not all(map(_finite, inputs)):
            return "none, x itself holds NaN or infinite values"
        for name, module in _inside_first(self.network):
            if not _finite(module.kept_output):
                place = "".join(f"[{key}]" for key in name.split(".") if key)
                return f"{type(self.network).__name__}{place} {module!r}" if place else repr(module)
        return f"the loss {self.loss!r}"

    def __repr__(self) -> str:
        clipping = {"clip_grad_norm": self.clip_grad_norm, "clip_grad_value": self.clip_grad_value}
        options = "".join(f", {name}={value!r}" for name, value in clipping.items() if value is not None)
        options += f", accumulate={self.accumulate}" * (self.accumulate > 1)
        return f"Optim({self.network!r}, {self.loss!r}, {self.rule!r}{options})"


def _inside_first(module: Module, name: str = "") -> Iterator[tuple[str, Module]]:
    """All modules with their names, in the order of the chain, each after those inside it."""
    for key, child in module.named_children():
        yield from _inside_first(child, f"{name}.{key}" if name else key)
    yield name, module


def _limit(name: str, value: Any, other: float | None) -> float | None:
    """One way to clip, checked; the other must then be off."""
    if value is None:
        return None
    if not arguments.is_number(value) or not 0 < value < math.inf:
        raise ValueError(f"Optim: expected {name} to be a number > 0 and finite, or None, got {value!r}.")
    if other is not None:
        raise ValueError(
            "Optim: expected clip_grad_norm or clip_grad_value, got both. Which comes first would matter: leave one "
            "out, or set it to None first. maillon.nn.utils has both, for a step of your own."
        )
    return float(value)


def _bound(rule: Any, network: Module) -> Rule:
    if isinstance(rule, Rule):
        return rule if rule.bound else rule.bind(network.parameters())
    if arguments.is_number(rule):
        return SGD(network.parameters(), lr=float(rule))
    raise TypeError(f"Optim: expected rule to be a number, a recipe or a bound rule, {got(rule)}")


def _finite(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_finite, value))
    return not isinstance(value, np.ndarray) or bool(np.isfinite(value).all())
