"""check_handout: the public function."""

import inspect
from typing import Any

import numpy as np

from maillon.check.differences import KinkError
from maillon.check.handout.containers import container_holds, modules_of
from maillon.check.handout.descent import descent_holds
from maillon.check.handout.inputs import fitting
from maillon.check.handout.losses import loss_holds
from maillon.check.handout.modules import module_holds
from maillon.check.handout.subject import Subject
from maillon.check.handout.training import is_loss, step_holds
from maillon.check.handout.verdict import HandoutError, HandoutReport
from maillon.check.verdict import CheckError
from maillon.check.words import check_language, say
from maillon.messages import got
from maillon.nn import Loss, Module
from maillon.nn.support import arguments
from maillon.typing import Array

NUDGES = (0.0, 1e-2, 3e-3, 1e-3)
"""How far beside its input a module is looked at when it stands on a kink."""


def check_handout(
    module: Any,
    *inputs: Any,
    like: Module | None = None,
    reduction: str | None = None,
    seed: int = 0,
    tolerance: float = 1e-6,
    language: str = "en",
    **given: Any,
) -> HandoutReport:
    """Prove a class of a course's handout as it is: nothing of maillon need be inherited or stored.

    French courses build networks from classes with `forward(X)`, `backward_delta(input, delta)`,
    `backward_update_gradient(input, delta)`, `zero_grad()` and `update_parameters(gradient_step)`; losses with
    `forward(y, yhat)` and `backward(y, yhat)`; networks of modules in a row; `Optim` with `step(batch_x, batch_y)`; and
    a function SGD. With δ = `delta`, the gradient of the loss with respect to the output, backward_delta must return
    ∂⟨δ, forward(x)⟩/∂x, and backward_update_gradient add ∂⟨δ, forward(x)⟩/∂w to what is kept for each parameter w.

    Parameters
    ----------
    module : object, or function
        A module, a loss, a network, an Optim, or a function (or method) that trains by batches. It is copied; yours is
        left alone.
    *inputs : array, optional
        For a module or network its input; for a loss y and yhat, in this order; for Optim and SGD x and y. An input
        that fits is made up where none is given (not for SGD).
    like : Module, optional
        A link or loss of maillon with the same meaning: forward must give its values too. The weights are copied into
        it, in whatever layout they are kept.
    reduction : {"sum", "mean"}, optional
        Of a loss that returns a value for each example: what backward is the derivative of. By default both are right.
    seed : int
        Of the random inputs and of delta.
    tolerance : float
        The largest relative error of a gradient.
    language : {"en", "fr"}
        Of the report and of the error's message.
    **given : object
        For a function: its other arguments by its own names, such as ``net=`` and ``loss=``.

    Returns
    -------
    HandoutReport
        The methods that were called and hold, the largest relative error, and notes.

    Raises
    ------
    HandoutError
        For a broken rule of `HANDOUT_RULES`: what was expected, what came, and the likely cause where arithmetic
        proves one.
    TypeError, ValueError
        For a wrong call, and for an object that cannot be copied.

    Notes
    -----
    Parameters are found, not declared: arrays in attributes, lists, tuples, dicts or inner modules that forward reacts
    to. What backward_update_gradient changes is a gradient, paired with its parameter by name and shape. Derivatives
    are taken by central differences in float64, element by element. forward is always called before backward, so a
    module may keep what it needs. Numbers from `numpy.random` are the same for each call.

    Examples
    --------
    >>> import numpy as np
    >>> from maillon.check import check_handout
    >>> class Tanh:
    ...     def forward(self, X):
    ...         return np.tanh(X)
    ...     def backward_delta(self, input, delta):
    ...         return delta * (1 - np.tanh(input) ** 2)
    >>> check_handout(Tanh())  # doctest: +ELLIPSIS
    <Tanh: forward, backward_delta right; relative error ≤ ...>
    >>> class Forgotten(Tanh):
    ...     def backward_delta(self, input, delta):
    ...         return delta * (1 - np.tanh(input))
    >>> check_handout(Forgotten(), [[0.5, -1.0]], language="fr")
    Traceback (most recent call last):
    maillon.check.handout.verdict.HandoutError: ...
    """
    check_language("check_handout", language)
    if isinstance(module, type):
        raise TypeError(f"check_handout: expected an object, {got(module)}")
    seed = arguments.integer("check_handout", "seed", seed, least=0)
    tolerance = arguments.number("check_handout", "tolerance", tolerance, 0.0, above=True, finite=True)
    if reduction not in (None, "sum", "mean"):
        raise ValueError(f"check_handout: expected reduction 'sum', 'mean' or None, {got(reduction)}")
    if like is not None and not isinstance(like, Module):
        raise TypeError(f"check_handout: expected like a link or a loss of maillon, {got(like)}")
    if given and not inspect.isroutine(module):
        raise TypeError(
            f"check_handout: expected no argument {next(iter(given))!r}: those by other names are for a function that "
            "trains. Take like, reduction, seed, tolerance or language."
        )
    arrays = [_numbers(one) for one in inputs]
    try:
        if inspect.isroutine(module):
            name, notes = descent_holds(module, seed, tolerance, arrays, given)
            return HandoutReport(name, (2, 9), 0.0, "", 0, seed, (name,), tuple(notes), language)
        subject = Subject(module, seed, tolerance)
        worst, worst_at, methods = _held(subject, arrays, like, reduction)
    except CheckError as error:
        error.language = language
        raise
    return HandoutReport(
        subject.name, _rules(methods), worst, worst_at, 0, seed, tuple(methods), tuple(subject.notes), language
    )


def _numbers(given: Any) -> Array:
    """An input as an array of its own; floats in float64."""
    try:
        array = np.array(given)
    except ValueError:
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"check_handout: expected inputs that are arrays of numbers, {got(given)}")
    if not array.size:
        raise ValueError(f"check_handout: expected inputs with at least one example, {got(array)}")
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _rules(methods: list[str]) -> tuple[int, ...]:
    if methods == ["step"]:
        return (2, 8)
    if methods == ["forward", "backward"]:
        return (1, 2, 7)
    return tuple(range(1, 7)) if "update_parameters" in methods else (1, 2, 3)


def _held(
    subject: Subject, inputs: list[Array], like: Module | None, reduction: str | None
) -> tuple[float, str, list[str]]:
    """Whatever it is: a loss, an Optim, a network or a module."""
    first, second = (*inputs, None, None)[:2]
    pairs = is_loss(subject.held) or callable(getattr(subject.held, "step", None))
    if len(inputs) not in ((0, 2) if pairs else (0, 1)):
        owed = "y and yhat of a loss, or x and y of an Optim" if pairs else "one input of a module or network"
        arrays = "1 array" if len(inputs) == 1 else f"{len(inputs)} arrays"
        raise TypeError(f"check_handout: expected {owed}, got {arrays}.")
    if is_loss(subject.held):
        if like is not None and not isinstance(like, Loss):
            raise TypeError(f"check_handout: expected like a loss of maillon, got {like!r}.")
        return loss_holds(subject, first, second, like, reduction)
    if callable(getattr(subject.held, "step", None)):
        return step_holds(subject, first, second)
    if isinstance(like, Loss):
        raise TypeError(f"check_handout: expected like a link of maillon, got {like!r}.")
    if not subject.has("forward"):
        raise HandoutError(1, subject.name, "forward", say("a method"), say("none"))
    x = fitting(subject) if first is None else first
    for nudge in NUDGES:
        beside = x + nudge * np.cos(np.arange(x.size)).reshape(x.shape) if nudge else x
        try:
            return (
                container_holds(subject, beside, like)
                if modules_of(subject.held)
                else module_holds(subject, beside, like)
            )
        except KinkError:
            continue
    raise HandoutError(1, subject.name, "forward", say("a differentiable function near the input"), say("none"))
