"""Functions of each value, arithmetic that broadcasts, and matrix products of any rank."""

from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.nn.activations.pointwise import Pointwise
from maillon.nn.linear.distance import summed_to
from maillon.nn.module import Module
from maillon.nn.parameter import Parameter
from maillon.nn.support import errors
from maillon.typing import Array

Pair = tuple[Callable[[Array], Any], Callable[[Array], Any]]


def _erf(x: Array) -> Array:
    from scipy.special import erf

    y: Array = erf(x)
    return y


UNARY: dict[str, Pair] = {
    "Abs": (np.abs, np.sign),
    "Acos": (np.arccos, lambda x: -1 / np.sqrt(1 - x * x)),
    "Acosh": (np.arccosh, lambda x: 1 / np.sqrt(x * x - 1)),
    "Asin": (np.arcsin, lambda x: 1 / np.sqrt(1 - x * x)),
    "Asinh": (np.arcsinh, lambda x: 1 / np.sqrt(x * x + 1)),
    "Atan": (np.arctan, lambda x: 1 / (1 + x * x)),
    "Atanh": (np.arctanh, lambda x: 1 / (1 - x * x)),
    "Ceil": (np.ceil, np.zeros_like),
    "Cos": (np.cos, lambda x: -np.sin(x)),
    "Cosh": (np.cosh, np.sinh),
    "Erf": (_erf, lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x)),
    "Exp": (np.exp, np.exp),
    "Floor": (np.floor, np.zeros_like),
    "Log": (np.log, lambda x: 1 / x),
    "Neg": (np.negative, lambda x: -np.ones_like(x)),
    "Reciprocal": (lambda x: 1 / x, lambda x: -1 / (x * x)),
    "Round": (np.round, np.zeros_like),
    "Sign": (np.sign, np.zeros_like),
    "Sin": (np.sin, np.cos),
    "Sinh": (np.sinh, np.cosh),
    "Sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "Tan": (np.tan, lambda x: 1 + np.tan(x) ** 2),
}
"""Each function with its derivative; what goes in steps has the derivative 0."""


class Unary(Pointwise):
    """y = f(x) of each value, f one of ONNX's functions; dx = f'(x) dy.

    Parameters
    ----------
    operator : str
        ONNX's name of the function.
    """

    def __init__(self, operator: str) -> None:
        self.operator = operator

    def function(self, x: Array) -> Any:
        return np.asarray(UNARY[self.operator][0](x), x.dtype)

    def derivative(self, x: Array) -> Any:
        return UNARY[self.operator][1](x)


def _power(a: Array, b: Array) -> Array:
    return np.asarray(a**b)


def _power_b(a: Array, b: Array, y: Array) -> Array:
    """y log a; 0 where a ≤ 0, as PyTorch has it at 0."""
    return y * np.log(np.where(a > 0, a, 1))


BINARY: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = {
    "Add": (np.add, lambda a, b, y: np.ones_like(y), lambda a, b, y: np.ones_like(y)),
    "Sub": (np.subtract, lambda a, b, y: np.ones_like(y), lambda a, b, y: -np.ones_like(y)),
    "Mul": (np.multiply, lambda a, b, y: b, lambda a, b, y: a),
    "Div": (np.divide, lambda a, b, y: 1 / b, lambda a, b, y: -y / b),
    "Pow": (_power, lambda a, b, y: b * _power(a, b - 1), _power_b),
    "Max": (np.maximum, lambda a, b, y: _greater(a, b), lambda a, b, y: _greater(b, a)),
    "Min": (np.minimum, lambda a, b, y: _greater(b, a), lambda a, b, y: _greater(a, b)),
    "PRelu": (
        lambda a, b: np.where(a > 0, a, a * b),
        lambda a, b, y: np.where(a > 0, 1, b),
        lambda a, b, y: np.where(a > 0, 0, a),
    ),
}
"""y = f(a, b), ∂y/∂a and ∂y/∂b."""


def _greater(a: Array, b: Array) -> Array:
    """1 where a > b, a half where they are equal, as PyTorch shares it."""
    return np.where(a == b, 0.5, (a > b) * 1.0)


class _OfTwo(Module):
    """Two inputs, or one and a constant, which learns where `learnt`.

    Parameters
    ----------
    constant : array, optional
        The second input; None takes two.
    first : bool
        Whether the constant is the first input instead.
    learnt : bool
        Whether it is a Parameter.
    """

    def __init__(self, constant: Any = None, first: bool = False, learnt: bool = False) -> None:
        self.first, self.learnt = first, learnt
        self.weight: Parameter | None = None
        self.constant: Array | None
        if constant is not None and learnt:
            self.weight = constant if isinstance(constant, Parameter) else Parameter(constant)
            constant = None
        self.register_buffer("constant", None if constant is None else np.asarray(constant))

    def forward(self, *inputs: Array) -> Array:
        for place, x in enumerate(inputs):
            errors.require_floating(self, f"input {place}", x)
        held = self.weight.data if self.weight is not None else self.constant
        a, b = inputs if held is None else (held, inputs[0]) if self.first else (inputs[0], held)
        errors.require_dtype(self, "the other input", b, a.dtype)
        y = np.asarray(self.compute(a, b))
        return self.keep(y, a, b, y)

    def backward(self, grad_output: Array) -> Any:
        a, b, y = self.release(grad_output)
        da, db = self.derivatives(a, b, y, grad_output)
        if self.weight is not None:
            self.weight.accumulate(da if self.first else db)
        if self.weight is None and self.constant is None:
            return da, db
        return db if self.first else da

    def compute(self, a: Array, b: Array) -> Any:
        """y of both."""
        raise NotImplementedError

    def derivatives(self, a: Array, b: Array, y: Array, dy: Array) -> tuple[Array, Array]:
        """The gradients of both, each of its own shape."""
        raise NotImplementedError

    def _arguments(self) -> list[str]:
        held = self.weight.data if self.weight is not None else self.constant
        if held is None:
            return []
        return [*_shown(held), *(name for name in ("first=True", "learnt=True") if getattr(self, name.split("=")[0]))]


class Arithmetic(_OfTwo):
    """y = f(a, b), which broadcasts; da = ∂f/∂a dy and db = ∂f/∂b dy, summed over what they were spread over.

    Parameters
    ----------
    operator : str
        ONNX's name of the function.
    constant : array, optional
        The second input; None takes two.
    first : bool
        Whether the constant is the first input instead.
    learnt : bool
        Whether it is a Parameter.
    """

    def __init__(self, operator: str, constant: Any = None, first: bool = False, learnt: bool = False) -> None:
        self.operator = operator
        super().__init__(constant, first, learnt)

    def compute(self, a: Array, b: Array) -> Any:
        return np.asarray(BINARY[self.operator][0](a, b), a.dtype)

    def derivatives(self, a: Array, b: Array, y: Array, dy: Array) -> tuple[Array, Array]:
        _, slope_a, slope_b = BINARY[self.operator]
        da, db = (np.asarray(slope(a, b, y) * dy, dy.dtype) for slope in (slope_a, slope_b))
        return summed_to(a.shape, da), summed_to(b.shape, db)

    def _arguments(self) -> list[str]:
        return [repr(self.operator), *super()._arguments()]


class MatMul(_OfTwo):
    """y = a b, NumPy's matrix product: batches of matrices broadcast, a vector is a row or a column.

    Derivative: da = dy bᵀ, db = aᵀ dy, summed over what they were spread over.
    """

    def compute(self, a: Array, b: Array) -> Any:
        return a @ b

    def derivatives(self, a: Array, b: Array, y: Array, dy: Array) -> tuple[Array, Array]:
        wide_a = a[None] if a.ndim == 1 else a
        wide_b = b[:, None] if b.ndim == 1 else b
        wide = dy[..., None] if b.ndim == 1 else dy
        if a.ndim == 1:
            wide = wide[..., None, :]
        da = summed_to(wide_a.shape, wide @ wide_b.swapaxes(-1, -2))
        db = summed_to(wide_b.shape, wide_a.swapaxes(-1, -2) @ wide)
        return da.reshape(a.shape), db.reshape(b.shape)


COMPARISONS: dict[str, Callable[..., Any]] = {
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "IsNaN": np.isnan,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
}


class Compare(Module):
    """Whether a > b, say, for each value: a condition for Where, which has no derivative.

    Parameters
    ----------
    operator : str
        ONNX's name of the comparison.
    constant : array, optional
        The second input; None takes two, or the one of IsNaN.
    first : bool
        Whether the constant is the first input instead.
    """

    def __init__(self, operator: str, constant: Any = None, first: bool = False) -> None:
        self.operator, self.first = operator, first
        self.constant: Array | None
        self.register_buffer("constant", None if constant is None else np.asarray(constant))

    def forward(self, *inputs: Array) -> Array:
        if self.constant is not None:
            inputs = (self.constant, *inputs) if self.first else (*inputs, self.constant)
        return self.keep(np.asarray(COMPARISONS[self.operator](*inputs)), len(inputs) - (self.constant is not None))

    def backward(self, grad_output: Any) -> Any:
        (count,) = self.release(grad_output)
        return None if count == 1 else (None,) * count

    def _arguments(self) -> list[str]:
        return [repr(self.operator), *([] if self.constant is None else _shown(self.constant))]


class Where(Module):
    """y = a where the condition holds, else b; da is dy there and 0 elsewhere, db the other way round.

    Each of the three may be a constant; those that are not are the inputs, in this order. All broadcast.

    Parameters
    ----------
    condition : array, optional
        Of booleans.
    a : array, optional
        What is taken where it holds.
    b : array, optional
        What is taken elsewhere.
    """

    takes_integers = True

    def __init__(self, condition: Any = None, a: Any = None, b: Any = None) -> None:
        self.condition: Array | None
        self.a: Array | None
        self.b: Array | None
        for name, value in (("condition", condition), ("a", a), ("b", b)):
            self.register_buffer(name, None if value is None else np.asarray(value))

    def forward(self, *inputs: Array) -> Array:
        given = iter(inputs)
        condition, a, b = (next(given) if held is None else held for held in (self.condition, self.a, self.b))
        if condition.dtype != bool:
            raise errors.wrong_input(self, "condition", condition, np.dtype(bool))
        errors.require_floating(self, "a", a)
        errors.require_dtype(self, "b", b, a.dtype)
        return self.keep(np.where(condition, a, b), condition, a.shape, b.shape)

    def backward(self, grad_output: Array) -> Any:
        condition, shape_a, shape_b = self.release(grad_output)
        zero = np.zeros_like(grad_output)
        da = summed_to(shape_a, np.where(condition, grad_output, zero))
        db = summed_to(shape_b, np.where(condition, zero, grad_output))
        held = zip((self.condition, self.a, self.b), (None, da, db), strict=True)
        grads = tuple(grad for value, grad in held if value is None)
        return grads if len(grads) > 1 else grads[0]

    def _arguments(self) -> list[str]:
        held = {"condition": self.condition, "a": self.a, "b": self.b}
        return [f"{name}={_shown(value)[0]}" for name, value in held.items() if value is not None]


def _shown(value: Array) -> list[str]:
    return [repr(value.item()) if value.size == 1 else f"array of shape {value.shape}"]
