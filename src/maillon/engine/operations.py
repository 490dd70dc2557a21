"""The operations a plan is made of: what each reads, writes and costs. The core in `native/` carries them out.

A row of OPERATIONS is the contract between both sides: the kind's number is its place in `Kind` of native/program.hpp,
and the order of operands, sizes and numbers is the one native/operations.hpp takes apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Sizes = Mapping[str, int]
Extent = Callable[[Sizes], int]

ACTIVATIONS = ("none", "tanh", "sigmoid", "relu", "leaky_relu")
ELEMENT_LOSSES = ("mse", "half_mse", "l1", "bce", "bce_logits")
REDUCTIONS = ("mean", "sum")
FROM_LOGITS, LIKELIHOOD = 1, 2  # flags of a class_loss


@dataclass(frozen=True)
class Operand:
    """A buffer an operation touches: access is "r", "w" or "rw"; extent, in elements, of the sizes.

    kind: "real" is the plan's dtype, else the dtype's name. optional: it may be absent. within: the operand that it
    may be the same buffer as, element by element; with no other may what is written overlap.
    """

    name: str
    access: str
    extent: Extent
    kind: str = "real"
    optional: bool = False
    within: str | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of operation. limits: the sizes that are choices or flags, and how many values each may have."""

    operands: tuple[Operand, ...]
    sizes: tuple[str, ...]
    flops: Callable[[Sizes], int]
    numbers: tuple[str, ...] = ()
    limits: tuple[tuple[str, int], ...] = ()
    stream: bool = False


def _elements(s: Sizes) -> int:
    return s["n"]


def _x(s: Sizes) -> int:
    return s["rows"] * s["inputs"]


def _y(s: Sizes) -> int:
    return s["rows"] * s["outputs"]


def _weight(s: Sizes) -> int:
    return s["inputs"] * s["outputs"]


def _outputs(s: Sizes) -> int:
    return s["outputs"]


def _block(s: Sizes) -> int:
    return s["outer"] * s["size"] * s["inner"]


def _scores(s: Sizes) -> int:
    return s["outer"] * s["classes"] * s["inner"]


def _samples(s: Sizes) -> int:
    return s["outer"] * s["inner"]


def _table(s: Sizes) -> int:
    return s["rows"] * s["columns"]


def _count(number: int) -> Extent:
    return lambda _sizes: number


def product_workspace(m: int, n: int, k: int) -> int:
    """The elements that a product (m × k)·(k × n) packs its factors into; native/gemm.hpp lays them out."""
    return 0 if m <= 12 or m * n * k <= 2**18 else (m + n + 128) * min(k, 384)


def _forward_space(s: Sizes) -> int:
    return product_workspace(s["rows"], s["outputs"], s["inputs"])


def _input_space(s: Sizes) -> int:
    return product_workspace(s["rows"], s["inputs"], s["outputs"])


def _weight_space(s: Sizes) -> int:
    return product_workspace(s["outputs"], s["inputs"], s["rows"])


def _product(s: Sizes) -> int:
    return 2 * s["rows"] * s["inputs"] * s["outputs"]


_LAYER = ("rows", "inputs", "outputs")
_ACTIVATION = (("activation", len(ACTIVATIONS)),)

OPERATIONS: dict[str, Kind] = {
    "linear": Kind(
        (
            Operand("x", "r", _x),
            Operand("weight", "r", _weight),
            Operand("bias", "r", _outputs, optional=True),
            Operand("y", "w", _y),
            Operand("workspace", "w", _forward_space),
        ),
        (*_LAYER, "activation", "zeros"),
        _product,
        ("slope",),
        (*_ACTIVATION, ("zeros", 2)),
    ),
    "linear_grad_input": Kind(
        (
            Operand("dy", "r", _y),
            Operand("weight", "r", _weight),
            Operand("reference", "r", _x, optional=True),
            Operand("dx", "w", _x),
            Operand("workspace", "w", _input_space),
        ),
        (*_LAYER, "activation"),
        _product,
        ("slope",),
        _ACTIVATION,
    ),
    "linear_grad_weight": Kind(
        (
            Operand("dy", "r", _y),
            Operand("x", "r", _x),
            Operand("dweight", "rw", _weight),
            Operand("dbias", "rw", _outputs, optional=True),
            Operand("workspace", "w", _weight_space),
        ),
        (*_LAYER, "keep", "zeros"),
        _product,
        limits=(("keep", 2), ("zeros", 2)),
    ),
    "activation": Kind(
        (Operand("x", "r", _elements), Operand("y", "w", _elements, within="x")),
        ("n", "activation"),
        lambda s: 10 * s["n"],
        ("slope",),
        _ACTIVATION,
    ),
    "activation_grad": Kind(
        (
            Operand("dy", "r", _elements),
            Operand("reference", "r", _elements),
            Operand("dx", "w", _elements, within="dy"),
        ),
        ("n", "activation"),
        lambda s: 3 * s["n"],
        ("slope",),
        _ACTIVATION,
    ),
    "softmax": Kind(
        (Operand("x", "r", _block), Operand("y", "w", _block, within="x")),
        ("outer", "size", "inner", "log"),
        lambda s: 12 * _block(s),
        limits=(("log", 2),),
    ),
    "softmax_grad": Kind(
        (Operand("dy", "r", _block), Operand("y", "r", _block), Operand("dx", "w", _block, within="dy")),
        ("outer", "size", "inner", "log"),
        lambda s: 4 * _block(s),
        limits=(("log", 2),),
    ),
    "dropout": Kind(
        (
            Operand("x", "r", _elements),
            Operand("y", "w", _elements, within="x"),
            Operand("mask", "w", _elements),
        ),
        ("n",),
        lambda s: s["n"],
        ("p",),
        stream=True,
    ),
    "multiply": Kind(
        (Operand("a", "r", _elements), Operand("b", "r", _elements), Operand("out", "w", _elements, within="a")),
        ("n",),
        lambda s: s["n"],
    ),
    "element_loss": Kind(
        (
            Operand("prediction", "r", _table),
            Operand("target", "r", _table),
            Operand("weight", "r", _table, optional=True),
            Operand("pos_weight", "r", _table, optional=True),
            Operand("sample_weight", "r", lambda s: s["rows"], optional=True),
            Operand("grad", "w", _table, optional=True),
            Operand("row_totals", "w", lambda s: max(1, s["rows"]), "float64"),
            Operand("result", "w", _count(2), "float64"),
            Operand("divisor", "rw", _count(1), "float64", optional=True),
        ),
        ("rows", "columns", "loss", "reduction"),
        lambda s: 5 * _table(s),
        limits=(("loss", len(ELEMENT_LOSSES)), ("reduction", 2)),
    ),
    "class_loss": Kind(
        (
            Operand("scores", "r", _scores),
            Operand("labels", "r", _samples, "int64", optional=True),
            Operand("distribution", "r", _scores, optional=True),
            Operand("class_weight", "r", lambda s: s["classes"], optional=True),
            Operand("sample_weight", "r", lambda s: s["outer"], optional=True),
            Operand("grad", "w", _scores, optional=True),
            Operand("row_totals", "w", lambda s: max(1, _samples(s)), "float64"),
            Operand("result", "w", _count(2), "float64"),
            Operand("divisor", "rw", _count(1), "float64", optional=True),
        ),
        ("outer", "classes", "inner", "reduction", "flags", "ignore_index"),
        lambda s: 15 * _scores(s),
        ("smoothing",),
        limits=(("reduction", 2), ("flags", 4)),
    ),
    "sgd": Kind(
        (
            Operand("parameter", "rw", _elements),
            Operand("grad", "r", _elements),
            Operand("velocity", "rw", _elements, optional=True),
            Operand("options", "r", _count(4), "float64"),
            Operand("count", "rw", _count(1), "int64"),
        ),
        ("n", "nesterov", "maximize"),
        lambda s: 2 * s["n"],
        limits=(("nesterov", 2), ("maximize", 2)),
    ),
    "adam": Kind(
        (
            Operand("parameter", "rw", _elements),
            Operand("grad", "r", _elements),
            Operand("mean", "rw", _elements),
            Operand("square", "rw", _elements),
            Operand("largest", "rw", _elements, optional=True),
            Operand("options", "r", _count(5), "float64"),
            Operand("count", "rw", _count(1), "int64"),
        ),
        ("n", "maximize"),
        lambda s: 12 * s["n"],
        limits=(("maximize", 2),),
    ),
    "clip_norm": Kind(
        (Operand("gradients", "rw", _elements), Operand("options", "r", _count(1), "float64")),
        ("n",),
        lambda s: 3 * s["n"],
    ),
    "clip_value": Kind(
        (Operand("gradients", "rw", _elements), Operand("options", "r", _count(1), "float64")),
        ("n",),
        lambda s: 2 * s["n"],
    ),
    "clear": Kind((Operand("gradients", "w", _elements),), ("n",), lambda s: 0),
    "divide": Kind(
        (Operand("gradients", "rw", _elements), Operand("divisor", "rw", _count(1), "float64")),
        ("n",),
        lambda s: s["n"],
    ),
}
NUMBER_OF = {name: number for number, name in enumerate(OPERATIONS)}
