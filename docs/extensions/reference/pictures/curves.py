"""Pictures of functions of one number: activations, and the losses of one element."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import maillon as m
from reference.pictures.style import curves

Made = tuple[Callable[[], Figure], str]

SPECIAL: dict[str, tuple[Callable[[], Any], float, float]] = {
    "ReLU6": (m.ReLU6, -4, 9),
    "Hardtanh": (m.Hardtanh, -3, 3),
    "LeakyReLU": (lambda: m.LeakyReLU(0.1), -4, 4),
    "Threshold": (lambda: m.Threshold(0.5, -1.0), -3, 3),
    "RReLU": (lambda: m.RReLU().eval(), -4, 4),
    "Softshrink": (m.Softshrink, -2, 2),
    "Hardshrink": (m.Hardshrink, -2, 2),
    "PReLU": (lambda: m.PReLU(dtype="float64"), -4, 4),
    "Tanhshrink": (m.Tanhshrink, -4, 4),
    "Softsign": (m.Softsign, -8, 8),
}
ACTIVATIONS = (
    "Tanh Sigmoid LogSigmoid SiLU GELU Mish Softplus Softsign ELU SELU CELU Tanhshrink ReLU ReLU6 LeakyReLU PReLU RReLU"
    " Hardtanh Hardsigmoid Hardswish Threshold Hardshrink Softshrink"
)


def activations() -> dict[str, Made]:
    """Each function of one number with its derivative."""
    return {name: _activation(name) for name in ACTIVATIONS.split(" ")}


def _activation(name: str) -> Made:
    make, low, high = SPECIAL.get(name, (getattr(m, name), -5, 5))
    link = make()
    where = f"between −{-low:g} and {high:g}"
    alt = f"{_called(name, link)} {where}: the value as a solid line, its derivative as a dashed one."

    def draw() -> Figure:
        x = np.linspace(low, high, 2001)
        y = link(x)
        return curves(x, y, link.backward(np.ones_like(y)), "x", ("y", "dx for dy = 1"))

    return draw, alt


def _called(name: str, link: Any) -> str:
    """A link with the options of its picture."""
    return name if name in ("PReLU", "RReLU") else repr(link).removesuffix("()")


def losses() -> dict[str, Made]:
    """Each loss of one element with its derivative, against what is predicted."""
    error = np.linspace(-3, 3, 1201)[:, None]
    score = np.linspace(-4, 4, 1201)[:, None]
    zero, one = np.zeros_like(error), np.ones_like(error)
    others = np.zeros((len(score), 3))
    others[:, :1] = score
    labels = np.zeros(len(score), np.int64)
    share = np.linspace(0.1, 1.0, 1201)[:, None]
    return {
        "MSELoss": _loss(m.MSELoss(reduction="sum"), error, (zero,), "ŷ − y"),
        "HalfMSELoss": _loss(m.HalfMSELoss(reduction="sum"), error, (zero,), "ŷ − y"),
        "L1Loss": _loss(m.L1Loss(reduction="sum"), error, (zero,), "ŷ − y"),
        "HuberLoss": _loss(m.HuberLoss(reduction="sum"), error, (zero,), "ŷ − y, with δ = 1"),
        "SmoothL1Loss": _loss(m.SmoothL1Loss(reduction="sum", beta=0.5), error, (zero,), "ŷ − y, with β = 0.5"),
        "GaussianNLLLoss": _loss(
            m.GaussianNLLLoss(reduction="sum"), error, (zero, one), "μ − y, with a variance of 1", letter="μ"
        ),
        "PoissonNLLLoss": _loss(m.PoissonNLLLoss(reduction="sum"), error, (2 * one,), "x = log λ, for a count y = 2"),
        "BCEWithLogitsLoss": _loss(m.BCEWithLogitsLoss(reduction="sum"), score, (one,), "logit x, for y = 1"),
        "MultiLabelSoftMarginLoss": _loss(
            m.MultiLabelSoftMarginLoss(reduction="sum"), score, (one,), "logit x of one label, for y = 1"
        ),
        "BCELoss": _loss(
            m.BCELoss(reduction="sum"), share, (np.ones_like(share),), "probability p, for y = 1", letter="p"
        ),
        "KLDivLoss": _loss(m.KLDivLoss(reduction="sum"), score, (0.5 * one,), "x = log p, for y = ½"),
        "CrossEntropyLoss": _loss(
            m.CrossEntropyLoss(reduction="sum"),
            others,
            (labels,),
            "logit z of the right class, the two others being 0",
            "z",
        ),
        "NLLLoss": _loss(m.NLLLoss(reduction="sum"), others, (labels,), "z = log p of the right class", "z"),
        "SoftMarginLoss": _loss(m.SoftMarginLoss(reduction="sum"), score, (one,), "score x, for y = 1"),
        "HingeEmbeddingLoss": _loss(
            m.HingeEmbeddingLoss(reduction="sum"), score[600:], (-one[600:],), "distance x, for y = −1 and Δ = 1"
        ),
        "MultiMarginLoss": _loss(
            m.MultiMarginLoss(reduction="sum"),
            others,
            (labels,),
            "score of the right class, the two others being 0",
            "xₜ",
        ),
        "MarginRankingLoss": _loss(
            m.MarginRankingLoss(reduction="sum", margin=1.0),
            score,
            (zero[: len(score)], one[: len(score)]),
            "x₁ − x₂, for y = 1 and Δ = 1",
            "x₁",
        ),
    }


def _loss(loss: Any, prediction: Any, rest: tuple[Any, ...], across: str, letter: str = "") -> Made:
    letter = letter or ("ŷ" if across.startswith("ŷ") else "x")
    alt = f"{type(loss).__name__} against {across}: the loss as a solid line, its derivative as a dashed one."

    def draw() -> Figure:
        loss(prediction, *rest)
        slope = loss.backward()
        slope = slope[0] if isinstance(slope, tuple) else slope
        each = type(loss)(**{**_options(loss), "reduction": "none"})
        value = np.asarray(each(prediction, *rest)).reshape(len(prediction), -1)[:, 0]
        return curves(prediction[:, 0], value, slope[:, 0], across, ("l", f"d{letter} for dl = 1"))

    return draw, alt


def _options(loss: Any) -> dict[str, Any]:
    return {name: getattr(loss, name) for name in ("beta", "margin", "delta") if hasattr(loss, name)}
