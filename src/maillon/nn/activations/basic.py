"""The usual activations, applied value by value, and the softmaxes."""

from collections.abc import Sequence

import numpy as np

from maillon.nn.module import Module
from maillon.nn.support import arguments, errors
from maillon.typing import Array


def sigmoid(x: Array, out: Array | None = None) -> Array:
    """1 / (1 + e⁻ˣ); where e⁻ˣ is too large for the dtype the quotient is 0, as it should be."""
    y = np.asarray(np.negative(x, out=out))
    with np.errstate(over="ignore"):
        np.exp(y, out=y)
    y += 1
    return np.divide(1, y, out=y)


def log_softmax(x: Array, axis: int | None) -> Array:
    """x − log Σ eˣ along the axis; the maximum is taken out first, so nothing overflows."""
    if not x.size:
        return x.copy()
    shifted = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    return shifted - np.log(np.add.reduce(np.exp(shifted), axis=axis, keepdims=True))


class Tanh(Module):
    """y = tanh x, dx = (1 − y²) dy.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape, in (−1, 1).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Tanh()(np.array([-20.0, 0.0, 20.0]))
    array([-1.,  0.,  1.])
    """

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        y = np.asarray(np.tanh(x))
        return self.keep(y, y)

    def backward(self, grad_output: Array) -> Array:
        (y,) = self.release(grad_output)
        return np.asarray((1 - y * y) * grad_output)


class Sigmoid(Module):
    """y = 1 / (1 + e⁻ˣ), dx = y (1 − y) dy.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape, in (0, 1): a probability.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Sigmoid()(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        y = sigmoid(x)
        return self.keep(y, y)

    def backward(self, grad_output: Array) -> Array:
        (y,) = self.release(grad_output)
        return np.asarray(y * (1 - y) * grad_output)


class ReLU(Module):
    """y = max(x, 0), dx = dy where x > 0, else 0 (at 0 itself too, as in PyTorch).

    Parameters
    ----------
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    References
    ----------
    Nair, Hinton, "Rectified Linear Units Improve Restricted Boltzmann Machines", 2010.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        errors.refuse("ReLU", inplace=(inplace, False, errors.NOT_IN_PLACE))

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        y = np.asarray(np.maximum(x, 0))
        return self.keep(y, y)

    def backward(self, grad_output: Array) -> Array:
        (y,) = self.release(grad_output)
        return np.asarray((y > 0) * grad_output)


class LeakyReLU(Module):
    """y = x where x > 0, else negative_slope · x; dx = dy where x > 0, else negative_slope · dy.

    Parameters
    ----------
    negative_slope : float
        The slope below 0: any real number.
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    References
    ----------
    Maas, Hannun, Ng, "Rectifier Nonlinearities Improve Neural Network Acoustic Models", 2013.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.LeakyReLU(0.1)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        errors.refuse("LeakyReLU", inplace=(inplace, False, errors.NOT_IN_PLACE))
        self.negative_slope = arguments.number("LeakyReLU", "negative_slope", negative_slope)

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        return self.keep(np.where(x > 0, x, self.negative_slope * x), x)

    def backward(self, grad_output: Array) -> Array:
        (x,) = self.release(grad_output)
        return np.where(x > 0, grad_output, self.negative_slope * grad_output)

    _shown = ("negative_slope",)


class _AlongDim(Module):
    """What the softmaxes share: the dimension along which the outputs sum to 1."""

    def __init__(self, dim: int | None = None) -> None:
        if dim is not None and not arguments.is_integer(dim):
            raise ValueError(f"{type(self).__name__}: expected dim to be an integer or None, got {dim!r}.")
        self.dim = None if dim is None else int(dim)

    def axis(self, shape: Sequence[int]) -> int | None:
        """The axis of an input of this shape; None for a number, which is all there is to sum over."""
        dims = len(shape)
        axis = (0 if dims in (0, 1, 3) else 1) if self.dim is None else self.dim
        if dims == 0 and axis in (-1, 0):
            return None
        if not -dims <= axis < dims:
            raise errors.too_few_dimensions(self, f"a dimension {axis}", shape, f"dim must be in {-dims}…{dims - 1}.")
        return axis

    def _arguments(self) -> list[str]:
        return [] if self.dim is None else [f"dim={self.dim}"]


class Softmax(_AlongDim):
    """yᵢ = e^xᵢ / Σₖ e^xₖ along `dim`; dx = y (dy − Σₖ dyₖ yₖ).

    Parameters
    ----------
    dim : int, optional
        The dimension; None takes PyTorch's implicit one: 1 for a batch (N, C), 0 for 1 or 3 dimensions.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape, each slice along dim positive with sum 1.

    References
    ----------
    Bridle, "Probabilistic Interpretation of Feedforward Classification Network Outputs", 1990.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Softmax()(np.array([[1e4, 1e4]]))
    array([[0.5, 0.5]])
    """

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        axis = self.axis(x.shape)
        exponential = np.exp(x - np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf))
        y = np.asarray(exponential / np.add.reduce(exponential, axis=axis, keepdims=True))
        return self.keep(y, y, axis)

    def backward(self, grad_output: Array) -> Array:
        y, axis = self.release(grad_output)
        weighted = grad_output * y
        return np.asarray(weighted - y * np.add.reduce(weighted, axis=axis, keepdims=True))


class Softmin(Softmax):
    """yᵢ = e^−xᵢ / Σₖ e^−xₖ along `dim`, the Softmax of −x; dx = −y (dy − Σₖ dyₖ yₖ).

    Parameters
    ----------
    dim : int, optional
        The dimension; None takes PyTorch's implicit one: 1 for a batch (N, C), 0 for 1 or 3 dimensions.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape, each slice along dim positive with sum 1.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Softmin()(np.array([[0.0, 1e4]]))
    array([[1., 0.]])
    """

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        return super().forward(np.asarray(-x))

    def backward(self, grad_output: Array) -> Array:
        return np.asarray(-super().backward(grad_output))


class Softmax2d(Softmax):
    """The Softmax of the channels at each place of an image: yᵢ = e^xᵢ / Σₖ e^xₖ; dx = y (dy − Σₖ dyₖ yₖ).

    Raises
    ------
    LinkShapeError
        For other numbers of dimensions.

    Notes
    -----
    x: (N, C, H, W) or (C, H, W), float32 or float64 → y: the same shape, of sum 1 over C.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Softmax2d()(np.zeros((2, 1, 1))).ravel()
    array([0.5, 0.5])
    """

    def __init__(self) -> None:
        super().__init__(-3)

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        if x.ndim not in (3, 4):
            raise errors.wrong_shape(
                self, "x", "(N, C, H, W) or (C, H, W)", x.shape, "For other shapes there is Softmax(dim)."
            )
        return super().forward(x)

    def _arguments(self) -> list[str]:
        return []


class LogSoftmax(_AlongDim):
    """yᵢ = xᵢ − log Σₖ e^xₖ along `dim`; dx = dy − e^y Σₖ dyₖ.

    Parameters
    ----------
    dim : int, optional
        The dimension; None takes PyTorch's implicit one: 1 for a batch (N, C), 0 for 1 or 3 dimensions.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape, ≤ 0. It is more exact than the logarithm of a softmax:
    log-probabilities of −1e4 keep their digits.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.LogSoftmax()(np.array([[0.0, 1e4]]))
    array([[-10000.,      0.]])
    """

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        axis = self.axis(x.shape)
        y = np.asarray(log_softmax(x, axis))
        return self.keep(y, y, axis)

    def backward(self, grad_output: Array) -> Array:
        y, axis = self.release(grad_output)
        total = np.add.reduce(grad_output, axis=axis, keepdims=True)
        return np.asarray(grad_output - np.exp(y) * total)
