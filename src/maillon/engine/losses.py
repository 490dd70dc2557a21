"""Losses to operations: a table keyed by exact type, like that of the links."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.engine.lowering import Builder, NotLoweredError, Value
from maillon.engine.operations import ELEMENT_LOSSES, FROM_LOGITS, LIKELIHOOD, REDUCTIONS
from maillon.engine.plan import Buffer
from maillon.nn import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, HalfMSELoss, L1Loss, Loss, MSELoss, NLLLoss
from maillon.typing import Array


def lower_loss(
    builder: Builder, loss: Loss, prediction: Value, target: Buffer, weight: Buffer | None
) -> tuple[Buffer, Buffer | None]:
    """Adds the loss; returns its result (value, denominator) and ∂loss/∂prediction, None where nothing trains."""
    row = LOSSES.get(type(loss))
    if row is None:
        raise NotLoweredError(f"{loss!r} is not among the losses it knows")
    grad = None
    if builder.training:
        grad = builder.derivative(prediction.buffer, prediction.shape)
    result = builder.buffer("loss", (2,), np.float64)
    around = {"target": target, "sample_weight": weight, "grad": grad, "result": result}
    if builder.gradients is not None and builder.gradients.gathers and loss.averages:
        around["divisor"] = builder.gradients.divisor
    row(builder, loss, prediction, around)
    return result, grad


def _reduction(loss: Loss) -> int:
    return REDUCTIONS.index("mean" if loss.reduction == "mean" else "sum")


def _row_totals(builder: Builder, rows: int) -> Buffer:
    return builder.buffer("row totals", (max(1, rows),), np.float64)


def _spread(builder: Builder, loss: Loss, name: str, shape: tuple[int, ...]) -> Buffer | None:
    """A factor that broadcasts against the prediction, one number an element."""
    factor: Array | None = getattr(loss, name, None)
    if factor is None:
        return None
    try:
        return builder.constant(name, np.broadcast_to(factor, shape))
    except ValueError:
        raise NotLoweredError(f"the {name} of {loss!r} does not broadcast to {shape}") from None


def _element_loss(kind: str) -> Callable[..., None]:
    def lower(builder: Builder, loss: Loss, prediction: Value, around: dict[str, Any]) -> None:
        shape, target = prediction.shape, around["target"]
        if target.shape != shape or target.array.dtype != builder.dtype:
            raise NotLoweredError(f"{loss!r} compares {shape} with a target of {target.shape}")
        rows = shape[0] if shape else 1
        operands = around | {
            "prediction": prediction.buffer,
            "weight": _spread(builder, loss, "weight", shape),
            "pos_weight": _spread(builder, loss, "pos_weight", shape),
            "row_totals": _row_totals(builder, rows),
        }
        columns = math.prod(shape[1:])
        builder.add("element_loss", "loss", operands, (rows, columns, ELEMENT_LOSSES.index(kind), _reduction(loss)))

    return lower


def _class_loss(flags_of: Callable[[Any], int]) -> Callable[..., None]:
    def lower(builder: Builder, loss: Any, prediction: Value, around: dict[str, Any]) -> None:
        shape, target, flags = prediction.shape, around.pop("target"), flags_of(loss)
        labels = target.array.dtype == np.int64
        outer = shape[0] if len(shape) > 1 else 1
        classes = shape[min(1, len(shape) - 1)] if shape else 0
        expected = shape if not labels else shape[:1] * (len(shape) > 1) + shape[2:]
        if not classes or target.shape != expected or (flags & LIKELIHOOD and not labels):
            raise NotLoweredError(f"{loss!r} compares {shape} with a target of {target.shape}")
        if not labels and loss.ignore_index >= 0:
            raise NotLoweredError(f"{loss!r} ignores a label, and the target holds probabilities")
        if around["sample_weight"] is not None and len(shape) < 2:
            raise NotLoweredError(f"{loss!r} takes no weights on a single sample")
        if not -(2**63) <= loss.ignore_index < 2**63:
            raise NotLoweredError(f"{loss!r} ignores a label that no target of 64 bits can hold")
        inner = math.prod(shape[2:])
        weight = loss.weight
        operands = around | {
            "scores": prediction.buffer,
            "labels" if labels else "distribution": target,
            "class_weight": None if weight is None else builder.constant("class weight", weight),
            "row_totals": _row_totals(builder, outer * inner),
        }
        sizes = (outer, classes, inner, _reduction(loss), flags, int(loss.ignore_index))
        smoothing = getattr(loss, "label_smoothing", 0.0)
        builder.add("class_loss", "loss", operands, sizes, smoothing=smoothing)

    return lower


LOSSES: dict[type, Callable[..., None]] = {
    MSELoss: _element_loss("mse"),
    HalfMSELoss: _element_loss("half_mse"),
    L1Loss: _element_loss("l1"),
    BCELoss: _element_loss("bce"),
    BCEWithLogitsLoss: _element_loss("bce_logits"),
    CrossEntropyLoss: _class_loss(lambda loss: FROM_LOGITS * loss.from_logits),
    NLLLoss: _class_loss(lambda loss: LIKELIHOOD),
}
