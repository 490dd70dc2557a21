"""The losses: value and gradients in one operation each."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon import nn
from maillon.engine.builder import Builder, Losses, NotLoweredError, Tree, Value, lowers_loss
from maillon.engine.families.distances import norm_of
from maillon.engine.families.loss_rows import ELEMENT_LOSS, FROM_LOGITS, LIKELIHOOD, OPERATIONS as OPERATIONS, REDUCTION  # noqa: PLC0414 - the family's
from maillon.nn import Loss
from maillon.nn.support.errors import LinkError
from maillon.typing import Array


def _checked(b: Builder, loss: Loss, prediction: Tree, target: Tree) -> tuple[Value, ...]:
    """The loss's arguments in order, once it takes arrays of their shapes and dtypes."""
    try:
        values = loss.arranged(prediction, target)
        if not all(isinstance(value, Value) for value in values):
            raise NotLoweredError(f"{loss!r} is given something else than arrays")
        if any(value.real and value.buffer.dtype != b.dtype for value in values):
            raise NotLoweredError(f"{loss!r} is given arrays of another dtype than {b.dtype}")
        loss.check(*(np.broadcast_to(value.buffer.dtype.type(value.real), value.shape) for value in values))
    except LinkError as error:
        raise NotLoweredError(str(error).removesuffix(".")) from None
    return values


def _around(
    b: Builder, loss: Loss, own: Losses, elements: tuple[int, ...], rows: int, **grads: Value
) -> dict[str, Any]:
    """The operands and sizes of every loss; elements: the shape of its values; grads: of which predictions they are."""
    weight = own["sample_weight"]
    if weight is not None and (not elements or weight.shape != elements[:1]):
        raise NotLoweredError(f"{loss!r} of {elements} values takes no sample_weight of {weight.shape}")
    wanted = {name: b.grad(value) if b.wants(value) else None for name, value in grads.items()}
    totals = b.local("row totals", (max(1, rows),), np.float64)
    return {"row_totals": totals, "reduction": REDUCTION["mean" if loss.averages else "sum"], **wanted, **own}


def _spread(b: Builder, loss: Loss, name: str, shape: tuple[int, ...]) -> Value | None:
    """A factor that broadcasts against the prediction, one number an element."""
    factor: Array | None = getattr(loss, name, None)
    if factor is None:
        return None
    try:
        return b.constant(name, np.broadcast_to(factor, shape))
    except ValueError:
        raise NotLoweredError(f"the {name} of {loss!r} does not broadcast to {shape}") from None


def _class_weight(b: Builder, loss: Any) -> Value | None:
    return None if loss.weight is None else b.constant("class weight", loss.weight)


# ── Element by element ──────────────────────────────────────────────────────────────────────────────────────────────

_ELEMENTS: dict[str, Callable[[Any], tuple[str, float]]] = {
    "MSELoss": lambda loss: ("mse", 0),
    "HalfMSELoss": lambda loss: ("half_mse", 0),
    "L1Loss": lambda loss: ("l1", 0),
    "BCELoss": lambda loss: ("bce", 0),
    "BCEWithLogitsLoss": lambda loss: ("bce_logits", 0),
    "HuberLoss": lambda loss: ("huber", loss.delta),
    "SmoothL1Loss": lambda loss: ("smooth_l1", loss.beta) if loss.beta else ("l1", 0),
    "KLDivLoss": lambda loss: ("kl_div_log" if loss.log_target else "kl_div", 0),
    "PoissonNLLLoss": lambda loss: (f"poisson{'_log' * loss.log_input}{'_full' * loss.full}", loss.eps),
    "HingeEmbeddingLoss": lambda loss: ("hinge_embedding", loss.margin),
    "SoftMarginLoss": lambda loss: ("soft_margin", 0),
}
"""The kind of each loss, and its option."""


def _add_elements(
    b: Builder, loss: Any, values: tuple[Value, ...], around: dict[str, Any], kind: str, option: float, count: int
) -> None:
    """count: what the mean divides by."""
    shape = values[0].shape
    b.add(
        "element_loss",
        prediction=values[0],
        target=values[-1],
        weight=_spread(b, loss, "weight", shape),
        pos_weight=_spread(b, loss, "pos_weight", shape),
        rows=_rows(shape),
        columns=math.prod(shape[1:]),
        loss=ELEMENT_LOSS[kind],
        option=option,
        denominator=count,
        **around,
    )


def _rows(shape: tuple[int, ...]) -> int:
    return shape[0] if shape else 1


@lowers_loss(*_ELEMENTS)
def element_loss(b: Builder, loss: Any, prediction: Tree, target: Tree, own: Losses) -> None:
    values = _checked(b, loss, prediction, target)
    shape = values[0].shape
    around = _around(b, loss, own, shape, _rows(shape), grad=values[0])
    count = _rows(shape) if loss.reduction == "batchmean" else values[0].size
    _add_elements(b, loss, values, around, *_ELEMENTS[type(loss).__name__](loss), count)


@lowers_loss("MultiLabelSoftMarginLoss")
def multi_label_soft_margin(b: Builder, loss: Any, prediction: Tree, target: Tree, own: Losses) -> None:
    values = _checked(b, loss, prediction, target)
    shape = values[0].shape
    if not shape[-1]:
        raise NotLoweredError(f"{loss!r} is given no labels")
    around = _around(b, loss, own, shape[:-1], _rows(shape), grad=values[0])
    count = math.prod(shape[:-1])
    _add_elements(b, loss, values, around, "multi_label_soft_margin", shape[-1], count)


@lowers_loss("MarginRankingLoss")
def margin_ranking(b: Builder, loss: Any, prediction: Tree, target: Tree, own: Losses) -> None:
    values = _checked(b, loss, prediction, target)
    first, other, _ = values
    around = _around(b, loss, own, first.shape, _rows(first.shape), grad=first, grad_other=other)
    _add_elements(b, loss, values, {**around, "other": other}, "margin_ranking", loss.margin, first.size)


@lowers_loss("GaussianNLLLoss")
def gaussian(b: Builder, loss: Any, prediction: Tree, target: Tree, own: Losses) -> None:
    mean, aim, var = _checked(b, loss, prediction, target)
    target_size, target_inner = _stretched(aim.shape, mean.shape)
    var_size, var_inner = _stretched(var.shape, mean.shape)
    b.add(
        "gaussian_loss",
        prediction=mean,
        target=aim,
        var=var,
        rows=_rows(mean.shape),
        columns=math.prod(mean.shape[1:]),
        target_size=target_size,
        target_inner=target_inner,
        var_size=var_size,
        var_inner=var_inner,
        full=int(loss.full),
        eps=loss.eps,
        **_around(b, loss, own, mean.shape, _rows(mean.shape), grad=mean, grad_var=var),
    )


def _stretched(shape: tuple[int, ...], whole: tuple[int, ...]) -> tuple[int, int]:
    """The dimension of `whole` that the shape has 1 for, or lacks at the end, and what lies inside it; else 1, 1."""
    if shape == whole:
        return 1, 1
    if shape == whole[:-1]:
        return whole[-1], 1
    axis = next(axis for axis, size in enumerate(shape) if size != whole[axis])
    return whole[axis], math.prod(whole[axis + 1 :])


# ── Classes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@lowers_loss("CrossEntropyLoss", "NLLLoss")
def class_loss(b: Builder, loss: Any, prediction: Tree, target: Tree, own: Losses) -> None:
    scores, aim = _checked(b, loss, prediction, target)
    if not -(2**63) <= loss.ignore_index < 2**63:
        raise NotLoweredError(f"{loss!r} ignores a label that no target of 64 bits can hold")
    shape, labels = scores.shape, not aim.real
    axis = min(1, len(shape) - 1)
    samples = shape[:axis] + shape[axis + 1 :]
    if not shape[axis]:
        raise NotLoweredError(f"{loss!r} is given no classes")
    b.add(
        "class_loss",
        scores=scores,
        labels=aim if labels else None,
        distribution=None if labels else aim,
        class_weight=_class_weight(b, loss),
        outer=shape[0] if axis else 1,
        classes=shape[axis],
        inner=math.prod(shape[2:]),
        flags=LIKELIHOOD if type(loss) is nn.NLLLoss else FROM_LOGITS * loss.from_logits,
        ignore_index=int(loss.ignore_index),
        smoothing=getattr(loss, "label_smoothing", 0.0),
        **_around(b, loss, own, samples, math.prod(samples), grad=scores),
    )


@lowers_loss("MultiMarginLoss", "MultiLabelMarginLoss")
def class_margins(b: Builder, loss: Any, prediction: Tree, target: Tree, own: Losses) -> None:
    scores, labels = _checked(b, loss, prediction, target)
    lists = type(loss) is nn.MultiLabelMarginLoss
    shape = scores.shape or (1,)
    if not shape[-1]:
        raise NotLoweredError(f"{loss!r} is given no classes")
    rows = math.prod(shape[:-1])
    samples = scores.shape[:-1] if lists else labels.shape
    own_sizes = {} if lists else {"squares": int(loss.p == 2), "margin": loss.margin}
    b.add(
        "multi_label_margin_loss" if lists else "multi_margin_loss",
        scores=scores,
        labels=labels,
        rows=rows,
        classes=shape[-1],
        **({} if lists else {"class_weight": _class_weight(b, loss)}),
        **own_sizes,
        **_around(b, loss, own, samples, rows, grad=scores),
    )


# ── Vectors ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@lowers_loss("CosineEmbeddingLoss")
def cosine(b: Builder, loss: Any, prediction: Tree, target: Tree, own: Losses) -> None:
    first, second, aim = _checked(b, loss, prediction, target)
    shape = first.shape
    rows = math.prod(shape[:-1])
    b.add(
        "cosine_loss",
        input1=first,
        input2=second,
        target=aim,
        rows=rows,
        columns=shape[-1],
        margin=loss.margin,
        **_around(b, loss, own, shape[:-1], rows, grad1=first, grad2=second),
    )


@lowers_loss("TripletMarginLoss")
def triplet(b: Builder, loss: Any, prediction: Tree, target: Tree, own: Losses) -> None:
    anchor, positive, negative = _checked(b, loss, prediction, target)
    shape = anchor.shape
    if not shape[-1]:
        raise NotLoweredError(f"{loss!r} is given vectors of no numbers")
    rows, samples = math.prod(shape[:-1]), _rows(shape[:-1])
    grads = {"grad_anchor": anchor, "grad_positive": positive, "grad_negative": negative}
    b.add(
        "triplet_loss",
        anchor=anchor,
        positive=positive,
        negative=negative,
        samples=samples,
        each=math.prod(shape[1:-1]),
        columns=shape[-1],
        swap=int(loss.swap),
        margin=loss.margin,
        eps=loss.eps,
        **norm_of(loss.p),
        **_around(b, loss, own, shape[:-1], rows, **grads),
    )


# ── Sequences ───────────────────────────────────────────────────────────────────────────────────────────────────────


@lowers_loss("CTCLoss")
def ctc(b: Builder, loss: Any, prediction: Tree, target: Tree, own: Losses) -> None:
    log_probs, labels, *lengths = _sequences(b, loss, prediction, target)
    shape = log_probs.shape
    time, classes = shape[0], shape[-1]
    samples = shape[1] if len(shape) == 3 else 1
    if loss.blank >= classes:
        raise NotLoweredError(f"{loss!r} has a blank that is no class")
    if any(each.size != samples for each in lengths) or (len(labels.shape) == 2 and labels.shape[0] != samples):
        raise NotLoweredError(f"{loss!r} is given labels or lengths of other samples than {samples}")
    b.add(
        "ctc_loss",
        log_probs=log_probs,
        targets=labels,
        input_lengths=lengths[0],
        target_lengths=lengths[1],
        time=time,
        samples=samples,
        classes=classes,
        labels=labels.shape[-1],
        joined=int(len(labels.shape) == 1),
        blank=loss.blank,
        zero_infinity=int(loss.zero_infinity),
        **_around(b, loss, own, shape[1:-1], samples, grad=log_probs),
    )


def _sequences(b: Builder, loss: Any, prediction: Tree, target: Tree) -> list[Value]:
    """The arguments of CTCLoss."""
    try:
        values: list[Any] = list(loss.arranged(prediction, target))
    except LinkError as error:
        raise NotLoweredError(str(error).removesuffix(".")) from None
    if not all(isinstance(value, Value) for value in values):
        raise NotLoweredError(f"{loss!r} is given something else than arrays")
    log_probs, labels, *lengths = values
    if log_probs.buffer.dtype != b.dtype or len(log_probs.shape) not in (2, 3) or not log_probs.size:
        raise NotLoweredError(f"{loss!r} is given log_probs of {log_probs.buffer.dtype} {log_probs.shape}")
    if any(part.buffer.dtype != np.int64 for part in (labels, *lengths)) or len(labels.shape) not in (1, 2):
        raise NotLoweredError(f"{loss!r} is given labels of {labels.buffer.dtype} {labels.shape}, or lengths not whole")
    return values
