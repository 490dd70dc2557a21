"""The losses."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.engine.builder import Builder, Losses, NotLoweredError, Value, lowers_loss
from maillon.engine.table import Choice, Kind, declare
from maillon.nn import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, HalfMSELoss, L1Loss, Loss, MSELoss, NLLLoss
from maillon.typing import Array

REDUCTION = Choice("Reduction", ("mean", "sum"))
ELEMENT_LOSS = Choice("ElementLoss", ("mse", "half_mse", "l1", "bce", "bce_logits"))
FROM_LOGITS, LIKELIHOOD = 1, 2  # flags of a class_loss

_TABLE = "rows * columns"
_SCORES = "outer * classes * inner"
_SAMPLES = "outer * inner"
_RESULT = ("result: w float64 2", "divisor?: rw float64 1")

OPERATIONS = declare(
    Kind(
        "element_loss",
        "the loss between numbers one by one, and its gradient",
        (
            f"prediction: r {_TABLE}",
            f"target: r {_TABLE}",
            f"weight?: r {_TABLE}",
            f"pos_weight?: r {_TABLE}",
            "sample_weight?: r rows",
            f"grad?: w {_TABLE}",
            "row_totals: w float64 max(1, rows)",
            *_RESULT,
        ),
        ("rows", "columns", "loss", "reduction"),
        choices={"loss": ELEMENT_LOSS, "reduction": REDUCTION},
        flops=f"5 * {_TABLE}",
        work=f"10 * {_TABLE}",
        decides=True,
    ),
    Kind(
        "class_loss",
        "the loss between scores of classes and labels or distributions, and its gradient",
        (
            f"scores: r {_SCORES}",
            f"labels?: r int64 {_SAMPLES}",
            f"distribution?: r {_SCORES}",
            "class_weight?: r classes",
            "sample_weight?: r outer",
            f"grad?: w {_SCORES}",
            f"row_totals: w float64 max(1, {_SAMPLES})",
            *_RESULT,
        ),
        ("outer", "classes>0", "inner", "reduction", "flags<4", "ignore_index±"),
        ("smoothing",),
        choices={"reduction": REDUCTION},
        flops=f"15 * {_SCORES}",
        work=f"20 * {_SCORES}",
        must=("labels != distribution", "labels or flags < 2"),
        decides=True,
    ),
)


def _reduction(loss: Loss) -> int:
    return REDUCTION["mean" if loss.reduction == "mean" else "sum"]


def _spread(b: Builder, loss: Loss, name: str, shape: tuple[int, ...]) -> Value | None:
    """A factor that broadcasts against the prediction, one number an element."""
    factor: Array | None = getattr(loss, name, None)
    if factor is None:
        return None
    try:
        return b.constant(name, np.broadcast_to(factor, shape))
    except ValueError:
        raise NotLoweredError(f"the {name} of {loss!r} does not broadcast to {shape}") from None


def _row_totals(b: Builder, rows: int) -> Value:
    return b.local("row totals", (max(1, rows),), np.float64)


def _element_loss(kind: str) -> Callable[[Builder, Any, Any, Any, Losses], None]:
    def lower(b: Builder, loss: Any, prediction: Value, target: Value, own: Losses) -> None:
        shape = prediction.shape
        if target.shape != shape or target.buffer.dtype != b.dtype:
            raise NotLoweredError(f"{loss!r} compares {shape} with a target of {target.shape}")
        rows = shape[0] if shape else 1
        b.add(
            "element_loss",
            prediction=prediction,
            target=target,
            weight=_spread(b, loss, "weight", shape),
            pos_weight=_spread(b, loss, "pos_weight", shape),
            grad=b.grad(prediction) if b.wants(prediction) else None,
            row_totals=_row_totals(b, rows),
            rows=rows,
            columns=math.prod(shape[1:]),
            loss=ELEMENT_LOSS[kind],
            reduction=_reduction(loss),
            **own,
        )

    return lower


def _class_loss(flags_of: Callable[[Any], int]) -> Callable[[Builder, Any, Any, Any, Losses], None]:
    def lower(b: Builder, loss: Any, prediction: Value, target: Value, own: Losses) -> None:
        shape, flags = prediction.shape, flags_of(loss)
        labels = target.buffer.dtype == np.int64
        outer = shape[0] if len(shape) > 1 else 1
        classes = shape[min(1, len(shape) - 1)] if shape else 0
        expected = shape if not labels else shape[:1] * (len(shape) > 1) + shape[2:]
        if not classes or target.shape != expected or (flags & LIKELIHOOD and not labels):
            raise NotLoweredError(f"{loss!r} compares {shape} with a target of {target.shape}")
        if not labels and loss.ignore_index >= 0:
            raise NotLoweredError(f"{loss!r} ignores a label, and the target holds probabilities")
        if own["sample_weight"] is not None and len(shape) < 2:
            raise NotLoweredError(f"{loss!r} takes no weights on a single sample")
        if not -(2**63) <= loss.ignore_index < 2**63:
            raise NotLoweredError(f"{loss!r} ignores a label that no target of 64 bits can hold")
        inner = math.prod(shape[2:])
        b.add(
            "class_loss",
            scores=prediction,
            labels=target if labels else None,
            distribution=None if labels else target,
            class_weight=None if loss.weight is None else b.constant("class weight", loss.weight),
            grad=b.grad(prediction) if b.wants(prediction) else None,
            row_totals=_row_totals(b, outer * inner),
            outer=outer,
            classes=classes,
            inner=inner,
            reduction=_reduction(loss),
            flags=flags,
            ignore_index=int(loss.ignore_index),
            smoothing=getattr(loss, "label_smoothing", 0.0),
            **own,
        )

    return lower


lowers_loss(MSELoss)(_element_loss("mse"))
lowers_loss(HalfMSELoss)(_element_loss("half_mse"))
lowers_loss(L1Loss)(_element_loss("l1"))
lowers_loss(BCELoss)(_element_loss("bce"))
lowers_loss(BCEWithLogitsLoss)(_element_loss("bce_logits"))
lowers_loss(CrossEntropyLoss)(_class_loss(lambda loss: FROM_LOGITS * loss.from_logits))
lowers_loss(NLLLoss)(_class_loss(lambda loss: LIKELIHOOD))
