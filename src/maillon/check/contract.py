"""check_module and check_loss: the rules of the contract, one function a rule."""

import copy
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from maillon.check.causes import cause
from maillon.check.gradients import gradients_hold, rule_1_a_function
from maillon.check.probe import (
    Gradients,
    Probe,
    Spot,
    generators,
    is_real,
    parameters,
    signed,
)
from maillon.check.reductions import rule_7_reductions_agree, rule_8_backward_of_nothing
from maillon.check.verdict import CheckError, CheckReport, replay_line
from maillon.check.words import Phrase, check_language, say
from maillon.nesting import leaf_names, leaves, rebuilt
from maillon.nn import Loss, Module
from maillon.random import Generator
from maillon.typing import Array


def check_module(
    link: Module, *inputs: Any, seed: int = 0, directions: int = 3, tolerance: float = 1e-7, language: str = "en"
) -> CheckReport:
    """Prove a link: its gradients as `check_gradients` does, and the rest of the contract's six rules.

    1. backward is the exact derivative of forward; 2. it adds to each Parameter.grad; 3. nothing else is changed; 4.
    gradients are nested, shaped and typed like the inputs, in float32 as in float64; 5. one forward serves one
    backward; 6. eval mode works too. Rules that explain others are looked at first: 4, 3, 2, 5, 1, 6. A loss is handed
    on to `check_loss`.

    Parameters
    ----------
    link : Module
        The link, in the mode to check it in.
    *inputs : array, or tuple of arrays
        What forward takes; integers and None have no gradient.
    seed : int
        Of the directions and the draws.
    directions : int
        How many random directions are tried, ≥ 1.
    tolerance : float
        The largest relative error.
    language : {"en", "fr"}
        Of the error's message.

    Returns
    -------
    CheckReport
        What was checked, and the largest relative error.

    Raises
    ------
    CheckError
        For a broken rule: its number, the input or parameter, what was expected and what came, the likely cause where
        arithmetic proves one, and the call that shows it again.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> from maillon.check import check_module
    >>> class Square(maillon.Module):
    ...     def forward(self, x):
    ...         return self.keep(x * x, x)
    ...     def backward(self, grad_output):
    ...         (x,) = self.release(grad_output)
    ...         return 2 * x * grad_output
    >>> check_module(Square(), np.array([[1.0, -2.0], [0.5, 3.0]]))  # doctest: +ELLIPSIS
    <Square(): rules 1–6 hold; relative error ≤ ... in the gradient of input x; no kinks>
    """
    if isinstance(link, Loss):
        return check_loss(link, *inputs, seed=seed, directions=directions, tolerance=tolerance, language=language)
    check_language("check_module", language)
    try:
        return _rules_1_to_6(link, inputs, seed, directions, tolerance)
    except CheckError as error:
        error.language = language
        error.replay = replay_line("check_module", seed, directions, tolerance)
        raise


def check_loss(
    loss: Loss, *inputs: Any, seed: int = 0, directions: int = 3, tolerance: float = 1e-7, language: str = "en"
) -> CheckReport:
    """Prove a loss under each of its reductions: the six rules of `check_module`, and two more.

    7. mean · denominator = sum = Σ none; 8. backward() is backward(1), or of ones with reduction='none'.

    Parameters
    ----------
    loss : Loss
        The loss.
    *inputs : array
        Prediction, target and, if need be, sample weights. The predictions alone have a gradient.
    seed : int
        Of the directions and the draws.
    directions : int
        How many random directions are tried, ≥ 1.
    tolerance : float
        The largest relative error.
    language : {"en", "fr"}
        Of the error's message.

    Returns
    -------
    CheckReport
        What was checked, and the largest relative error.

    Raises
    ------
    CheckError
        For a broken rule: its number, the input or parameter, what was expected and what came, the likely cause where
        arithmetic proves one, and the call that shows it again.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> from maillon.check import check_loss
    >>> check_loss(maillon.MSELoss(), np.array([1.0, 3.0]), np.array([0.0, 1.0]))  # doctest: +ELLIPSIS
    <MSELoss(): rules 1–8 hold; relative error ≤ ... in the gradient of input prediction; no kinks>
    """
    if not isinstance(loss, Loss):
        raise TypeError(f"check_loss: expected a Loss, got {loss!r}. Use check_module for other links.")
    check_language("check_loss", language)
    try:
        reports = []
        for reduction in sorted(loss.reductions, key=lambda name: name != loss.reduction):
            reduced = copy.deepcopy(loss)
            reduced.reduction = reduction
            reports.append(_rules_1_to_6(reduced, inputs, seed, directions, tolerance))
            rule_8_backward_of_nothing(Probe(reduced, inputs, np.float64, seed), reduction)
        rule_7_reductions_agree(Probe(loss, inputs, np.float64, seed))
    except CheckError as error:
        error.language = language
        error.replay = replay_line("check_loss", seed, directions, tolerance)
        raise
    return functools.reduce(CheckReport.joined, reports).with_rules(7, 8)


def _rules_1_to_6(link: Module, inputs: tuple[Any, ...], seed: int, directions: int, tolerance: float) -> CheckReport:
    probe = Probe(link, inputs, np.float64, seed)
    rule_1_a_function(probe)
    rule_4_like_the_inputs(probe)
    rule_4_like_the_inputs(Probe(link, inputs, np.float32, seed))
    rule_4_absent_gradients(probe)
    rule_3_nothing_changed(probe)
    rule_2_added_up(probe)
    rule_5_once(probe)
    report = gradients_hold(probe, directions, tolerance)
    report = report.joined(rule_6_eval(probe, directions, tolerance))
    return report.with_rules(1, 2, 3, 4, 5, 6)


def rule_2_added_up(probe: Probe) -> None:
    """backward adds to what each Parameter.grad holds, and leaves frozen ones alone."""
    grad_output, gradients = probe.gradients(Generator(probe.seed))
    once = gradients.parameters
    spots = [Spot("parameter", place, name) for place, (name, _) in enumerate(probe.link.named_parameters())]
    link, inputs = probe.fresh()
    held = []
    for parameter in parameters(link):
        held.append(signed(Generator(probe.seed), parameter.shape))
        parameter.grad = held[-1].copy() if parameter.requires_grad else None
    with probe.draws():
        probe.backward(link, probe.grad_output(link(*inputs), Generator(probe.seed)))
    names = [say("gradient of parameter {name}", name=name) for name, _ in link.named_parameters()]
    for name, parameter, before, grad, spot in zip(names, parameters(link), held, once, spots, strict=True):
        if not parameter.requires_grad:
            if parameter.grad is not None or grad is not None:
                raise CheckError(2, probe.shown, name, say("None, for it is frozen"), say("an array"))
            continue
        for shape in (getattr(array, "shape", None) for array in (grad, parameter.grad) if array is not None):
            if shape != parameter.shape:
                raise CheckError(
                    2,
                    probe.shown,
                    name,
                    say("an array of shape {shape}", shape=parameter.shape),
                    say("one of shape {shape}", shape=shape),
                    way_out=cause(probe, spot, grad_output, grad) or "",
                )
        if parameter.grad is None or not _close(parameter.grad, before if grad is None else before + grad):
            raise CheckError(
                2,
                probe.shown,
                name,
                say("what was there plus the new gradient"),
                _not_added(parameter.grad, before, grad),
                way_out=say("Use parameter.accumulate(grad)."),
            )


def _not_added(grad: Array | None, before: Array, new: Array | None) -> Phrase:
    """What came in place of the sum of two gradients."""
    if grad is None:
        return say("the new gradient alone")
    one = np.zeros_like(before) if new is None else new
    known = [
        (one, say("the new gradient alone")),
        (before, say("what was there alone")),
        (before + 2 * one, say("what was there plus the new gradient twice")),
        (2 * before + one, say("what was there twice plus the new gradient")),
        (before - one, say("what was there less the new gradient")),
    ]
    return next((sentence for sum_, sentence in known if _close(grad, sum_)), say("something else"))


def rule_3_nothing_changed(probe: Probe) -> None:
    """forward leaves its inputs as they were; backward these, grad_output, what was kept, and the parameters."""
    link, inputs = probe.fresh()
    with probe.draws():
        output = link(*inputs)
        _same(probe, _named(inputs, probe.names), probe.inputs, "forward")
        grad_output = probe.grad_output(output, Generator(probe.seed))
        held = [*_named(inputs, probe.names), *_named((output,), leaf_names(output, "output"))]
        held += [*_named((grad_output,), leaf_names(grad_output, "grad_output")), *_held(link)]
        before = [copy.deepcopy(value) for _, value in held]
        probe.backward(link, grad_output)
    _same(probe, held, before, "backward")


def rule_4_like_the_inputs(probe: Probe) -> None:
    """The gradient of each input has its nesting, shape and dtype, and is None where the input is not real."""
    grad_output, gradients = probe.gradients(Generator(probe.seed))
    listed = zip(probe.names, probe.inputs, probe.differentiable(), gradients.inputs, strict=True)
    for place, (name, value, owed, grad) in enumerate(listed):
        what = say("gradient of input {name}", name=name)
        if not owed:
            if grad is not None:
                expected = say("None, for the input is {kind}", kind=_kind(value))
                raise CheckError(4, probe.shown, what, expected, _kind(grad))
        elif not isinstance(grad, np.ndarray | np.generic) or grad.shape != value.shape or grad.dtype != value.dtype:
            shaped = getattr(grad, "shape", value.shape) != value.shape
            way_out = cause(probe, Spot("input", place, name), grad_output, grad) if shaped else None
            raise CheckError(4, probe.shown, what, _kind(value), _kind(grad), way_out=way_out or "")
    for (name, parameter), grad in zip(probe.link.named_parameters(), gradients.parameters, strict=True):
        if isinstance(grad, np.ndarray) and grad.shape == parameter.shape and grad.dtype != parameter.dtype:
            what = say("gradient of parameter {name}", name=name)
            raise CheckError(4, probe.shown, what, _kind(parameter.data), _kind(grad))


def rule_4_absent_gradients(probe: Probe) -> None:
    """With several outputs, None for the gradient of one means zero."""
    link, inputs = probe.fresh()
    with probe.draws():
        output = link(*inputs)
    if not isinstance(output, tuple):
        return
    grad_output = probe.grad_output(output, Generator(probe.seed))
    for place, part in enumerate(output):
        zeros = rebuilt(part, iter([np.zeros_like(leaf) if is_real(leaf) else None for leaf in leaves(part)]))
        given = [_run(probe, (*grad_output[:place], absent, *grad_output[place + 1 :])) for absent in (None, zeros)]
        _same_gradients(probe, 4, given[1], given[0], say("with None for the gradient of output {place}", place=place))


def rule_5_once(probe: Probe) -> None:
    """A backward without its own forward raises, naming the link; a forward's gradients are never an earlier one's."""
    link, inputs = probe.fresh()
    generator = Generator(probe.seed)
    with probe.draws():
        grad_output = probe.grad_output(link(*inputs), generator)
        link, inputs = probe.fresh()
        _raises(probe, link, grad_output, say("backward without a forward"))
    states = [(drawn, drawn.get_state()) for drawn in generators(link)]
    with probe.draws():
        link(*inputs)
        probe.backward(link, copy.deepcopy(grad_output))
        _raises(probe, link, grad_output, say("a second backward after one forward"))
    for drawn, state in states:
        drawn.set_state(state)
    link.zero_grad()
    beside = _beside(probe)
    with probe.draws():
        output = link(*beside.fresh()[1])
        grad_output = probe.grad_output(output, generator)
        again = beside.collect(link, probe.backward(link, copy.deepcopy(grad_output)))
    _same_gradients(probe, 5, _run(probe, grad_output, beside), again, say("after an earlier forward and backward"))


def rule_6_eval(probe: Probe, directions: int, tolerance: float) -> CheckReport:
    """In eval mode backward is the derivative of what forward does then."""
    evaluated = copy.copy(probe)
    evaluated.link = copy.deepcopy(probe.link).eval()
    try:
        rule_4_like_the_inputs(evaluated)
        rule_3_nothing_changed(evaluated)
        return gradients_hold(evaluated, directions, tolerance)
    except CheckError as error:
        raise CheckError(
            6,
            probe.shown,
            say("in eval mode, {what}", what=error.what),
            error.expected,
            error.got,
            relative_error=error.relative_error,
            way_out=error.way_out,
        ) from error


def _beside(probe: Probe) -> Probe:
    """Other inputs for the same link; the same ones when there is no place beside them."""
    beside = probe.nudged(1e-3, Generator(probe.seed))
    beside.link = probe.link
    try:
        beside.output()
    except Exception:  # whatever a link raises outside its domain
        return probe
    return beside


def _run(probe: Probe, grad_output: Any, at: Probe | None = None) -> Gradients:
    """The gradients of a link that has done nothing before."""
    link, inputs = (at or probe).fresh()
    with probe.draws():
        link(*inputs)
        return probe.collect(link, probe.backward(link, copy.deepcopy(grad_output)))


def _raises(probe: Probe, link: Module, grad_output: Any, what: Phrase) -> None:
    expected = say("an error that names the link")
    way_out = say("self.keep(…) in forward and self.release(grad_output) in backward see to it.")
    try:
        link.backward(copy.deepcopy(grad_output))
    except Exception as error:
        classes = {named for module in link.modules() for named in type(module).__mro__}
        names = [named.__name__ for named in classes - {object, Module, Loss}]
        if any(name in str(error) for name in names):
            return
        raise CheckError(5, probe.shown, what, expected, f"{type(error).__name__}: {error}", way_out=way_out) from error
    raise CheckError(5, probe.shown, what, expected, say("no error"), way_out=way_out)


def _same_gradients(probe: Probe, rule: int, expected: Gradients, got: Gradients, when: Phrase) -> None:
    names = [say("gradient of input {name}", name=name) for name in probe.names]
    names += [say("gradient of parameter {name}", name=name) for name, _ in probe.link.named_parameters()]
    for name, one, other in zip(names, [*expected[0], *expected[1]], [*got[0], *got[1]], strict=True):
        if (one is None) != (other is None) or (one is not None and not _close(one, other)):
            what = say("{what}, {when}", what=name, when=when)
            raise CheckError(rule, probe.shown, what, say("that of this forward"), say("another one"))


def _close(one: Array, other: Array) -> bool:
    if np.shape(one) != np.shape(other):
        return False
    size = float(np.max(np.abs(one), initial=0.0))
    return bool(np.allclose(one, other, rtol=1e-9, atol=1e-9 * size))


def _named(value: Any, names: list[str]) -> list[tuple[str, Any]]:
    return list(zip(names, leaves(value), strict=True))


def _same(probe: Probe, held: list[tuple[str, Any]], before: list[Any], method: str) -> None:
    for (name, value), old in zip(held, before, strict=True):
        if isinstance(value, np.ndarray) and not _identical(value, old):
            raise CheckError(
                3,
                probe.shown,
                name,
                say("the same values after {method}", method=method),
                say("other ones"),
                way_out=say("Make a new array: a *= b changes a, a = a * b does not."),
            )


def _identical(value: Array, old: Array) -> bool:
    return value.shape == old.shape and bool(np.array_equal(value, old, equal_nan=value.dtype.kind == "f"))


def _held(link: Module) -> Iterator[tuple[str, Array]]:
    """Every array that the link and those inside it hold: what was kept, parameters, buffers."""
    for place, module in link.named_modules():
        for name, value in vars(module).items():
            label = "what was kept" if name == "_kept" else f"{place}.{name}".lstrip(".")
            for array in _arrays(value):
                yield label, array
    for name, parameter in link.named_parameters():
        yield f"parameter {name}", parameter.data


def _arrays(value: Any) -> Iterator[Array]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _arrays(part)
    elif isinstance(value, dict):
        yield from _arrays(list(value.values()))


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return say("{dtype} of shape {shape}", dtype=value.dtype, shape=value.shape)
    return "None" if value is None else type(value).__name__
