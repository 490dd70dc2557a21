"""The rules of a handout's loss: forward(y, yhat) and backward(y, yhat)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from maillon.check.diagnosis.case import Case, same, told_apart
from maillon.check.diagnosis.diagnose import diagnose, how_large
from maillon.check.differences import KinkError, jacobian
from maillon.check.handout.subject import Subject
from maillon.check.handout.values import reduced, why_value
from maillon.check.handout.verdict import HandoutError
from maillon.check.words import Phrase, say
from maillon.nn import Loss
from maillon.random import Generator
from maillon.typing import Array

CLASSES, EXAMPLES = 3, 5


def data(seed: int, name: str, like: Loss | None = None) -> Iterator[tuple[Array, Array]]:
    """Targets and predictions that a loss may take, the likeliest first."""
    draw = Generator(seed)
    labels = np.array([0, 2, 1, 2, 0])
    hot = np.eye(CLASSES)[labels]
    share = draw.uniform((EXAMPLES, CLASSES), 0.1, 0.9, dtype=np.float64)
    real = draw.normal((2, EXAMPLES, CLASSES), dtype=np.float64)
    squares = any(word in name.lower() for word in ("mse", "square", "quad", "carr", "l1", "l2", "mae", "huber"))
    pairs: list[tuple[Any, Any]] = [(hot, share), (labels, share), (labels[:, None], share), (real[0], real[1])]
    yield from ([pairs[3], *pairs[:3]] if squares else pairs)


def loss_holds(
    subject: Subject, y: Array | None, yhat: Array | None, like: Loss | None, reduction: str | None
) -> tuple[float, str, list[str]]:
    """Rules 1, 2 and 7: the largest relative error, where it is, and the methods that were called."""
    if y is None or yhat is None:
        y, yhat = suitable(subject, like)
    value = values(subject, y, yhat)
    if not same(value, values(subject, y, yhat)):
        raise HandoutError(1, subject.name, "forward", say("the same for the same input"), say("two different ones"))
    if not np.isfinite(value).all():
        raise HandoutError(1, subject.name, "forward", say("finite values"), say("NaN or infinity"))
    _shaped(subject, yhat, value)
    if like is not None:
        _like_holds(subject, y, yhat, value, like)
    worst = _derivative(subject, y, yhat, value, reduction)
    if len(yhat) > 1:
        _derivative(subject, y[:1], yhat[:1], values(subject, y[:1], yhat[:1]), reduction)
    return worst, "backward", ["forward", "backward"]


def _shaped(subject: Subject, yhat: Array, value: Array) -> None:
    """Rule 1: one number, one for each example, or one for each element."""
    if value.size == 1 or value.shape in ((len(yhat),), (len(yhat), 1), yhat.shape):
        return
    broadcast = value.shape == (len(yhat), len(yhat))
    way_out = say("A row and a column were added: (N,) and (N, 1) give (N, N). Use keepdims for both or for none.")
    raise HandoutError(
        1,
        subject.name,
        "forward",
        say("one number, one for each example or one for each element"),
        say("an array of shape {shape}", shape=value.shape),
        way_out=way_out if broadcast else "",
    )


def suitable(subject: Subject, like: Loss | None) -> tuple[Array, Array]:
    """The first targets and predictions that forward takes; the error of the first when it takes none."""
    first: HandoutError | None = None
    for y, yhat in data(subject.seed, subject.name + (type(like).__name__ if like else ""), like):
        try:
            if np.isfinite(values(subject, y, yhat)).all():
                return y, yhat
        except HandoutError as error:
            if error.rule == 2 or isinstance(error.__cause__, NotImplementedError) or error.got == "None":
                raise
            first = first or error
    if first is not None:
        raise first
    raise HandoutError(1, subject.name, "forward", say("finite values"), say("NaN or infinity"))


def values(subject: Subject, y: Array, yhat: Array) -> Array:
    return subject.array(subject.call(subject.fresh(), "forward", y.copy(), yhat.copy()), "forward")


def _derivative(subject: Subject, y: Array, yhat: Array, value: Array, reduction: str | None) -> float:
    """Rule 7: backward is the derivative of the value, or of the sum or the mean of the values of the examples."""

    def moved(displacement: Array) -> Array:
        held = subject.fresh()
        with subject.quiet():
            return np.ravel(np.asarray(held.forward(y.copy(), yhat + displacement), dtype=np.float64))

    held = subject.fresh()
    subject.call(held, "forward", y.copy(), yhat.copy())
    got = subject.array(subject.call(held, "backward", y.copy(), yhat.copy()), "backward")
    try:
        slopes = jacobian(moved, yhat, min(subject.tolerance, 1e-7)).reshape(*yhat.shape, *value.shape)
    except KinkError:
        yhat = yhat + 1e-3
        return _derivative(subject, y, yhat, values(subject, y, yhat), reduction)
    if value.size > 1 and any(
        slopes[one][..., other, :].any() if value.ndim > 1 else slopes[one][..., other].any()
        for one in range(len(yhat))
        for other in range(len(yhat))
        if one != other
    ):
        way_out = say("The examples are mixed: a sum, mean or maximum runs over axis 0.")
        raise HandoutError(
            1,
            subject.name,
            "forward",
            say("a value for each example, of that example alone"),
            say("values that depend on others"),
            way_out=way_out,
        )
    total = np.asarray(slopes.sum(axis=tuple(range(yhat.ndim, slopes.ndim))))
    allowed = _scales(value, reduction)
    for scale in allowed:
        error = _error(got, total / scale)
        if error <= subject.tolerance:
            return error
    expected = total / allowed[0]
    case = Case(
        slopes / allowed[0],
        np.ones(value.shape),
        got,
        {"y": y, "yhat": yhat},
        value,
        yhat,
        target=hot(y, yhat),
        name="1",
    )
    raise _wrong(subject, got, expected, diagnose(case) or "")


def hot(y: Array, yhat: Array) -> Array | None:
    """The targets in the shape of the predictions; labels as rows with a one."""
    if y.shape == yhat.shape:
        return y.astype(np.float64)
    if y.size != len(yhat) or yhat.ndim < 2:
        return None
    return np.eye(yhat.shape[-1])[np.ravel(y).astype(int)].reshape(yhat.shape)


def _scales(value: Array, reduction: str | None) -> list[float]:
    """By what the sum of the values may be divided: values of single examples can be put together in several ways."""
    if (value.size == 1 and value.ndim == 0) or value.size <= 1:
        return [1.0]
    per_example = float(len(value))
    if reduction == "sum":
        return [1.0]
    if reduction == "mean":
        return [float(value.size)]
    return [1.0, per_example, float(value.size), float(value.size) / per_example]


def _error(got: Array, expected: Array) -> float:
    if got.shape != expected.shape:
        return np.inf
    size = max(float(np.linalg.norm(got)), float(np.linalg.norm(expected)))
    error = float(np.linalg.norm(got - expected)) / size if size else 0.0
    return np.inf if np.isnan(error) else error


def _wrong(subject: Subject, got: Array, expected: Array, way_out: Phrase | str) -> HandoutError:
    what = say("gradient of yhat")
    if got.shape != expected.shape:
        return HandoutError(
            7,
            subject.name,
            what,
            say("an array of shape {shape}", shape=expected.shape),
            say("one of shape {shape}", shape=got.shape),
            way_out=way_out,
        )
    wrong = np.abs(got - expected)
    place = np.unravel_index(int(np.argmax(np.where(np.isnan(wrong), np.inf, wrong))), wrong.shape)
    where = [int(index) for index in place]
    return HandoutError(
        7,
        subject.name,
        what,
        say("{number} at {where}, by finite differences", number=f"{expected[place]:.6g}", where=where),
        say("{number} from {method}", number=f"{got[place]:.6g}", method="backward"),
        relative_error=_error(got, expected),
        way_out=way_out or how_large(got, expected) or "",
    )


def _like_holds(subject: Subject, y: Array, yhat: Array, value: Array, like: Loss) -> None:
    """Rule 1: the value of one of maillon's losses."""
    target = y if y.dtype.kind in "iu" else y.astype(np.float64)
    target = np.ravel(target) if target.ndim == 2 and target.shape[1] == 1 and target.dtype.kind in "iu" else target
    elements = reduced(like, yhat, target, "none")
    whole = reduced(like, yhat, target, like.reduction)
    assert whole is not None
    allowed = [whole] if value.ndim == 0 or elements is None else [elements]
    if value.ndim and elements is not None and elements.ndim > 1:
        axes = tuple(range(1, elements.ndim))
        allowed += [elements.sum(axis=axes), elements.mean(axis=axes)]
    flat = np.squeeze(value)
    if any(same(flat, np.squeeze(one)) for one in allowed):
        return
    expected = next((one for one in allowed if np.squeeze(one).shape == flat.shape), allowed[0])
    if expected.size == 1 and value.size == 1:
        shown: tuple[Any, Any] = (
            say("{number}, as {link} gives", number=f"{float(expected):.6g}", link=repr(like)),
            f"{float(value):.6g}",
        )
        way_out = _value_factor(float(flat), float(expected), yhat)
    elif expected.shape == value.shape:
        place = np.unravel_index(int(np.argmax(np.abs(value - expected))), expected.shape)
        where = [int(index) for index in place]
        shown = (
            say("{number} at {where}, as {link} gives", number=f"{expected[place]:.6g}", where=where, link=repr(like)),
            f"{value[place]:.6g}",
        )
        way_out = why_value(value, expected, yhat)
    else:
        shown = (say("an array of shape {shape}", shape=expected.shape), say("one of shape {shape}", shape=value.shape))
        way_out = ""
    raise HandoutError(1, subject.name, "forward", *shown, way_out=way_out)


def _value_factor(got: float, expected: float, yhat: Array) -> Phrase | str:
    factor = got / expected if expected else 0.0
    n, size = len(yhat), yhat.size
    if abs(factor + 1) < 1e-6:
        return say("The sign is wrong.")
    counts = [(n, say("the number of examples")), (size // n, say("the number of outputs"))]
    if size != n:
        counts.append((size, say("the number of all elements")))
    for count, name in told_apart(counts):
        if count > 1 and abs(factor - count) < 1e-6 * count:
            return say("It is not divided by {count}, {name}: a sum in place of a mean.", count=count, name=name)
        if count > 1 and abs(factor * count - 1) < 1e-6:
            return say("It is divided by {count}, {name}: a mean in place of a sum.", count=count, name=name)
    if abs(factor - 0.5) < 1e-6 or abs(factor - 2) < 1e-6:
        return say("It is {factor} times what it should be.", factor=f"{factor:.4g}")
    if expected > 0 and abs(got - expected**0.5) < 1e-6 * expected:
        return say("It is the square root of what it should be.")
    return ""
