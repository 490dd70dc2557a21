"""The rows of the losses' operations."""

from typing import Any

from maillon.engine.families.distances import NORM
from maillon.engine.table import Choice, Kind, declare

REDUCTION = Choice("Reduction", ("mean", "sum"))
ELEMENT_LOSS = Choice(
    "ElementLoss",
    (
        "mse",
        "half_mse",
        "l1",
        "bce",
        "bce_logits",
        "multi_label_soft_margin",
        "huber",
        "smooth_l1",
        "kl_div",
        "kl_div_log",
        "poisson",
        "poisson_full",
        "poisson_log",
        "poisson_log_full",
        "hinge_embedding",
        "soft_margin",
        "margin_ranking",
    ),
)
FROM_LOGITS, LIKELIHOOD = 1, 2  # flags of a class_loss

_TABLE = "rows * columns"
_SCORES = "outer * classes * inner"
_SAMPLES = "outer * inner"
_ROWS = "rows * classes"
_VECTORS = "samples * each * columns"
_STEPS = "time * samples * classes"


def _results(rows: str) -> tuple[str, ...]:
    """What every loss leaves; row_totals: the weighted values of the rows."""
    return f"row_totals: w float64 max(1, {rows})", "result: w float64 2", "divisor?: rw float64 1"


def _kind(
    name: str,
    about: str,
    operands: tuple[str, ...],
    sizes: tuple[str, ...],
    numbers: tuple[str, ...] = (),
    choices: dict[str, Choice] | None = None,
    **more: Any,
) -> Kind:
    own = {**(choices or {}), "reduction": REDUCTION}
    return Kind(name, about, operands, sizes, numbers, choices=own, decides=True, **more)


OPERATIONS = declare(
    _kind(
        "element_loss",
        "the loss between numbers one by one, or of pairs of them (prediction − other), and its gradients",
        (
            f"prediction: r {_TABLE}",
            f"other?: r {_TABLE}",
            f"target: r {_TABLE}",
            f"weight?: r {_TABLE}",
            f"pos_weight?: r {_TABLE}",
            "sample_weight?: r rows",
            f"grad?: w {_TABLE}",
            f"grad_other?: w {_TABLE}",
            *_results("rows"),
        ),
        ("rows", "columns", "loss", "reduction"),
        ("option", "denominator"),
        {"loss": ELEMENT_LOSS},
        flops=f"5 * {_TABLE}",
        work=f"10 * {_TABLE}",
        must=(f"other or loss != {ELEMENT_LOSS['margin_ranking']}",),
    ),
    _kind(
        "gaussian_loss",
        "½ (log v + (μ − y)² / v) and its gradients; y and v may lack a dimension `size` of (outer, size, inner)",
        (
            f"prediction: r {_TABLE}",
            f"target: r {_TABLE} // target_size",
            f"var: r {_TABLE} // var_size",
            "sample_weight?: r rows",
            f"grad?: w {_TABLE}",
            f"grad_var?: w {_TABLE} // var_size",
            f"workspace: w {_TABLE} if var_size > 1 else 0",
            *_results("rows"),
        ),
        ("rows", "columns", "target_size>0", "target_inner>0", "var_size>0", "var_inner>0", "full<2", "reduction"),
        ("eps",),
        flops=f"12 * {_TABLE}",
        work=f"20 * {_TABLE}",
        must=(
            f"target_size == 1 or {_TABLE} % (target_size * target_inner) == 0",
            f"var_size == 1 or {_TABLE} % (var_size * var_inner) == 0",
        ),
    ),
    _kind(
        "class_loss",
        "the loss between scores of classes and labels or distributions, and its gradient",
        (
            f"scores: r {_SCORES}",
            f"labels?: r int64 {_SAMPLES}",
            f"distribution?: r {_SCORES}",
            "class_weight?: r classes",
            "sample_weight?: r outer",
            f"grad?: w {_SCORES}",
            *_results(_SAMPLES),
        ),
        ("outer", "classes>0", "inner", "reduction", "flags<4", "ignore_index±"),
        ("smoothing",),
        flops=f"15 * {_SCORES}",
        work=f"20 * {_SCORES}",
        must=("labels != distribution", "labels or flags < 2"),
    ),
    _kind(
        "multi_margin_loss",
        "w / C Σ_j max(0, Δ − x_t + x_j), j ≠ t, or of squares, and its gradient",
        (
            f"scores: r {_ROWS}",
            "labels: r int64 rows",
            "class_weight?: r classes",
            "sample_weight?: r rows",
            f"grad?: w {_ROWS}",
            *_results("rows"),
        ),
        ("rows", "classes>0", "squares<2", "reduction"),
        ("margin",),
        flops=f"6 * {_ROWS}",
        work=f"10 * {_ROWS}",
    ),
    _kind(
        "multi_label_margin_loss",
        "1 / C Σ_t Σ_i max(0, 1 − x_t + x_i), the labels t up to the first −1, all classes i but those; its gradient",
        (
            f"scores: r {_ROWS}",
            f"labels: r int64 {_ROWS}",
            "sample_weight?: r rows",
            f"grad?: w {_ROWS}",
            f"workspace: w {_ROWS}",
            *_results("rows"),
        ),
        ("rows", "classes>0", "reduction"),
        flops=f"5 * {_ROWS} * classes",
    ),
    _kind(
        "cosine_loss",
        "1 − cos(x₁, x₂) where y = 1, max(0, cos(x₁, x₂) − Δ) where y = −1, and the gradients of x₁ and x₂",
        (
            f"input1: r {_TABLE}",
            f"input2: r {_TABLE}",
            "target: r rows",
            "sample_weight?: r rows",
            f"grad1?: w {_TABLE}",
            f"grad2?: w {_TABLE}",
            *_results("rows"),
        ),
        ("rows", "columns", "reduction"),
        ("margin",),
        flops=f"14 * {_TABLE}",
        work=f"20 * {_TABLE}",
    ),
    _kind(
        "triplet_loss",
        "max(0, Δ + d(a, p) − d(a, n)), d(x, y) = ‖x − y + ε‖_p, and its gradients; `each` triplets share a weight",
        (
            f"anchor: r {_VECTORS}",
            f"positive: r {_VECTORS}",
            f"negative: r {_VECTORS}",
            "sample_weight?: r samples",
            f"grad_anchor?: w {_VECTORS}",
            f"grad_positive?: w {_VECTORS}",
            f"grad_negative?: w {_VECTORS}",
            *_results("samples * each"),
        ),
        ("samples", "each", "columns>0", "norm", "swap<2", "reduction"),
        ("margin", "p", "eps"),
        {"norm": NORM},
        flops=f"20 * {_VECTORS}",
        work=f"60 * {_VECTORS}",
    ),
    _kind(
        "ctc_loss",
        "−log Σ over all paths that read as the target, and its gradient; joined: targets one after the other",
        (
            f"log_probs: r {_STEPS}",
            "targets: r int64 labels if joined else samples * labels",
            "input_lengths: r int64 samples",
            "target_lengths: r int64 samples",
            "sample_weight?: r samples",
            f"grad?: w {_STEPS}",
            "workspace: w float64 samples * ((time + 3) * (2 * labels + 5) + 2 * time + classes)",
            *_results("samples"),
        ),
        ("time", "samples", "classes>0", "labels", "joined<2", "blank", "zero_infinity<2", "reduction"),
        flops=f"20 * {_STEPS} + 60 * time * samples * (2 * labels + 1)",
        must=("blank < classes",),
    ),
)


# ── What all losses need ────────────────────────────────────────────────────────────────────────────────────────────
