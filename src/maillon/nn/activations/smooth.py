"""Smooth activations: exponential, Gaussian and logistic ones, applied value by value."""

import math

import numpy as np

from maillon.nn.activations.basic import sigmoid
from maillon.nn.activations.pointwise import NotInPlace, Pointwise
from maillon.nn.support import arguments
from maillon.typing import Array

FAR = 40.0
"""Beyond ±40 a Gaussian's tail is 0 and a hyperbolic tangent ±1 in float64: powers of x need go no further."""


class _ExponentialUnit(NotInPlace):
    """y = scale · x where x > 0, else scale · α (e^(r x) − 1); dx = scale · dy, or scale · α r e^(r x) dy (at 0 too).

    The family of ELU, SELU and CELU, which differ in the three numbers.
    """

    alpha: float = 1.0
    scale: float = 1.0
    rate: float = 1.0
    rate_back: float = 1.0
    """The rate in the derivative, where PyTorch rounds it otherwise."""

    def function(self, x: Array) -> Array:
        with np.errstate(over="ignore"):  # a negative rate grows without bound
            curved = self.scale * self.alpha * np.expm1(np.minimum(x, 0) * self.rate)
        return np.where(x <= 0, curved, self.scale * x)

    def derivative(self, x: Array) -> Array:
        with np.errstate(over="ignore"):
            curved = self.scale * self.alpha * self.rate_back * np.exp(np.minimum(x, 0) * self.rate_back)
        return np.where(x <= 0, curved, self.scale)


class ELU(_ExponentialUnit):
    """y = x where x > 0, else α (eˣ − 1); dx = dy where x > 0, else α eˣ dy (at 0 too).

    Parameters
    ----------
    alpha : float
        α: any real number.
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape, > −α.

    References
    ----------
    Clevert, Unterthiner, Hochreiter, "Fast and Accurate Deep Network Learning by Exponential Linear Units", 2016.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.ELU(2.0)(np.array([-1e4, 0.0, 3.0]))
    array([-2.,  0.,  3.])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = arguments.number("ELU", "alpha", alpha, finite=True)


class SELU(_ExponentialUnit):
    """y = λ x where x > 0, else λ α (eˣ − 1); dx = λ dy where x > 0, else λ α eˣ dy (at 0 too).

    λ = 1.0507…, α = 1.6732…. With these numbers mean 0 and variance 1 are a fixed point of a layer with
    normal weights of variance 1/fan_in.

    Parameters
    ----------
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape, > −λ α.

    References
    ----------
    Klambauer, Unterthiner, Mayr, Hochreiter, "Self-Normalizing Neural Networks", 2017.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.SELU()(np.array([0.0, 1.0])).round(4)
    array([0.    , 1.0507])
    """

    alpha = 1.6732632423543772848170429916717
    scale = 1.0507009873554804934193349852946


class CELU(_ExponentialUnit):
    """y = x where x > 0, else α (e^(x/α) − 1); dx = dy where x > 0, else e^(x/α) dy: continuous for every α.

    Parameters
    ----------
    alpha : float
        α: any real number but 0.
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.

    Raises
    ------
    ValueError
        For alpha = 0, or an alpha that is 0 or infinite in float32.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape, > −α for a positive α. In the derivative α is rounded to
    float32 first, in float64 too, as in PyTorch: an α such as 0.3 gives gradients that differ from the exact ones by up
    to 6e-8.

    References
    ----------
    Barron, "Continuously Differentiable Exponential Linear Units", 2017.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.CELU(0.5)(np.array([-1e4, 2.0]))
    array([-0.5,  2. ])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = arguments.number("CELU", "alpha", alpha)
        if not 1e-37 < abs(alpha) < 1e37:
            raise ValueError(f"CELU: expected alpha to be other than 0 and a number of float32, got {alpha!r}.")
        self.rate, self.rate_back = 1 / self.alpha, 1 / float(np.float32(self.alpha))


class GELU(Pointwise):
    """y = x Φ(x), Φ the normal distribution function; dx = (Φ(x) + x φ(x)) dy, φ its density.

    Parameters
    ----------
    approximate : str
        'none', or 'tanh' for ½ (1 + tanh u), u = √(2/π) (x + 0.044715 x³), in the place of Φ(x); then dx = (½
        (1 + tanh u) + ½ x (1 − tanh² u) u') dy.

    Raises
    ------
    ValueError
        For another approximate.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    References
    ----------
    Hendrycks, Gimpel, "Gaussian Error Linear Units", 2016.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.GELU()(np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1587,  0.    ,  0.8413])
    """

    ROOT, CUBIC = math.sqrt(2 / math.pi), 0.044715

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = arguments.one_of("GELU", "approximate", approximate, ("none", "tanh"))

    def function(self, x: Array) -> Array:
        return x * self._share(x)

    def derivative(self, x: Array) -> Array:
        near = np.clip(x, -FAR, FAR)
        if self.approximate == "none":
            density = np.exp(-0.5 * near * near) / math.sqrt(2 * math.pi)
        else:
            share = self._share(x)
            density = 2 * share * (1 - share) * self.ROOT * (1 + 3 * self.CUBIC * near * near)
        return self._share(x) + x * density

    def _share(self, x: Array) -> Array:
        """Φ(x), or what stands for it."""
        from scipy.special import ndtr

        if self.approximate == "none":
            share: Array = ndtr(x)
            return share
        near = np.clip(x, -FAR, FAR)
        return sigmoid(2 * self.ROOT * (near + self.CUBIC * near * near * near))


class SiLU(NotInPlace):
    """y = x σ(x), σ the logistic function; dx = σ(x) (1 + x (1 − σ(x))) dy. Also called swish.

    Parameters
    ----------
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    References
    ----------
    Elfwing, Uchibe, Doya, "Sigmoid-Weighted Linear Units for Neural Network Function Approximation in Reinforcement
    Learning", 2018.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.SiLU()(np.array([-1e4, 0.0, 1e4]))
    array([   -0.,     0., 10000.])
    """

    def function(self, x: Array) -> Array:
        return x * sigmoid(x)

    def derivative(self, x: Array) -> Array:
        share = sigmoid(x)
        return share * (1 + x * (1 - share))


class Mish(NotInPlace):
    """y = x tanh(s), s = log(1 + eˣ); dx = (tanh(s) + x (1 − tanh² s) σ(x)) dy, σ the logistic function.

    Parameters
    ----------
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    References
    ----------
    Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2020.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Mish()(np.array([-1e4, 0.0, 1e4]))
    array([   -0.,     0., 10000.])
    """

    def function(self, x: Array) -> Array:
        return x * np.tanh(np.logaddexp(0, x))

    def derivative(self, x: Array) -> Array:
        share = np.tanh(np.logaddexp(0, x))
        return share + x * (1 - share * share) * sigmoid(x)


class Softplus(Pointwise):
    """y = x where β x > threshold, else log(1 + e^(β x)) / β; dx = dy where β x > threshold, else σ(β x) dy.

    Parameters
    ----------
    beta : float
        β, the sharpness of the bend: any number but 0.
    threshold : float
        Beyond it the two differ by less than a rounding, as long as it is about 20 or more.

    Raises
    ------
    ValueError
        For beta = 0.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    References
    ----------
    Dugas, Bengio, Bélisle, Nadeau, Garcia, "Incorporating Second-Order Functional Knowledge for Better Option Pricing",
    2000.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Softplus()(np.array([-1e4, 0.0, 1e4])).round(4)
    array([0.000e+00, 6.931e-01, 1.000e+04])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = arguments.number("Softplus", "beta", beta, finite=True)
        self.threshold = arguments.number("Softplus", "threshold", threshold)
        if beta == 0:
            raise ValueError("Softplus: expected beta, which the logarithm is divided by, to be other than 0, got 0.")

    def function(self, x: Array) -> Array:
        scaled = self._scaled(x)
        return np.where(scaled > self.threshold, x, np.logaddexp(0, scaled) / self.beta)

    def derivative(self, x: Array) -> Array:
        scaled = self._scaled(x)
        return np.where(scaled > self.threshold, 1, sigmoid(scaled))

    def _scaled(self, x: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(x * self.beta)


class LogSigmoid(Pointwise):
    """y = log σ(x) = −log(1 + e⁻ˣ), σ the logistic function; dx = σ(−x) dy.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape, < 0.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.LogSigmoid()(np.array([-1e4, 0.0, 1e4])).round(4)
    array([-1.000e+04, -6.931e-01, -0.000e+00])
    """

    def function(self, x: Array) -> Array:
        return -np.logaddexp(0, -x)

    def derivative(self, x: Array) -> Array:
        return sigmoid(-x)


class Softsign(Pointwise):
    """y = x / (1 + |x|); dx = dy / (1 + |x|)².

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape, in (−1, 1).

    References
    ----------
    Bergstra, Desjardins, Lamblin, Bengio, "Quadratic Polynomials Learn Better Image Features", 2009.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Softsign()(np.array([-1.0, 0.0, 3.0]))
    array([-0.5 ,  0.  ,  0.75])
    """

    def function(self, x: Array) -> Array:
        return x / (1 + np.abs(x))

    def derivative(self, x: Array) -> Array:
        share = 1 / (1 + np.abs(x))
        return share * share


class Tanhshrink(Pointwise):
    """y = x − tanh x; dx = tanh² x dy.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Tanhshrink()(np.array([-1e4, 0.0, 1.0])).round(4)
    array([-9.999e+03,  0.000e+00,  2.384e-01])
    """

    def function(self, x: Array) -> Array:
        return x - np.tanh(x)

    def derivative(self, x: Array) -> Array:
        return np.square(np.tanh(x))
