"""Laws of initial weights, as `torch.nn.init`: each fills a Parameter or an array in place and returns it.

Uniform numbers have PyTorch's bits under the same seed, normal ones are within 1e-6 of PyTorch's.
`generator=None` is the global one.
"""

import math
import warnings
from typing import Any, TypeVar

import numpy as np

from maillon import random
from maillon.nn.parameter import Parameter
from maillon.nn.support import arguments
from maillon.typing import Array

T = TypeVar("T", Parameter, Array)
Drawn = random.Generator | None

LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
GAINS = dict.fromkeys((*LINEAR, "sigmoid"), 1.0) | {"tanh": 5 / 3, "relu": math.sqrt(2.0), "selu": 3 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a layer's weights make up for the activation that follows.

    1 for 'linear', 'conv1d' … 'conv_transpose3d' and 'sigmoid', 5/3 for 'tanh', √2 for 'relu', 3/4 for 'selu' and
    √(2 / (1 + param²)) for 'leaky_relu'.

    Parameters
    ----------
    nonlinearity : str
        The activation.
    param : float, optional
        The slope of 'leaky_relu' below 0; None is 0.01.

    Returns
    -------
    float
        The gain.

    Raises
    ------
    ValueError
        For another name.

    Examples
    --------
    >>> from maillon.nn import init
    >>> init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else arguments.number("calculate_gain", "param", param)
        return math.sqrt(2.0 / (1 + slope**2))
    return GAINS[arguments.one_of("calculate_gain", "nonlinearity", nonlinearity, (*GAINS, "leaky_relu"))]


# Laws of single numbers


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Drawn = None) -> T:
    """Fill with U(a, b).

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.
    a : float
        The lower bound.
    b : float
        The upper bound.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.

    Raises
    ------
    ValueError
        Unless a ≤ b.
    """
    array = _real("uniform_", tensor)
    array[...] = random.resolve(generator).uniform(array.shape, a, b, dtype=array.dtype)
    return tensor


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Drawn = None) -> T:
    """Fill with N(mean, std²).

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.
    mean : float
        The mean.
    std : float
        The standard deviation, ≥ 0.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.

    Raises
    ------
    ValueError
        For std < 0.
    """
    array = _real("normal_", tensor)
    array[...] = random.resolve(generator).normal(array.shape, mean, std, dtype=array.dtype)
    return tensor


def trunc_normal_(
    tensor: T, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Drawn = None
) -> T:
    """Fill with N(mean, std²) held to [a, b]: what falls outside is drawn anew.

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.
    mean : float
        The mean before truncation.
    std : float
        The standard deviation before truncation, > 0.
    a : float
        The lower bound.
    b : float
        The upper bound.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.

    Raises
    ------
    ValueError
        For std ≤ 0.

    Warns
    -----
    UserWarning
        When mean lies more than 2 std outside [a, b].

    Notes
    -----
    Where less than 30 % of the normal law lies in [a, b], U(a, b) is drawn instead, and each number accepted with the
    probability that is its normal density over the largest one there (rejection sampling). Both as PyTorch does.
    """
    array = _real("trunc_normal_", tensor)
    arguments.number("trunc_normal_", "std", std, 0, above=True)
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            f"trunc_normal_: mean={mean} is more than 2 std outside [{a}, {b}]; the numbers come from a tail.",
            stacklevel=2,
        )
    inside = _below((b - mean) / std) - _below((a - mean) / std)
    drawn = random.resolve(generator)
    array[...] = (_redrawn if inside > 0.3 else _accepted)(array, mean, std, a, b, drawn)
    return tensor


def _below(x: float) -> float:
    """The probability that a normal number is below x."""
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _redrawn(like: Array, mean: float, std: float, a: float, b: float, generator: random.Generator) -> Array:
    """Normal numbers; all are drawn again, and taken where the last ones were outside, until none is."""
    numbers = generator.normal(like.shape, mean, std, dtype=like.dtype)
    while (outside := (numbers < like.dtype.type(a)) | (numbers > like.dtype.type(b))).any():
        numbers = np.where(outside, generator.normal(like.shape, mean, std, dtype=like.dtype), numbers)
    return numbers


def _accepted(like: Array, mean: float, std: float, a: float, b: float, generator: random.Generator) -> Array:
    """Uniform numbers; all are drawn again, and taken where the last ones were refused, until none is."""
    highest = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2  # of the normal law's logarithm in [a, b]
    numbers, refused = np.empty_like(like), np.ones(like.shape, bool)
    while refused.any():
        numbers = np.where(refused, generator.uniform(like.shape, a, b, dtype=like.dtype), numbers)
        with np.errstate(divide="ignore"):
            chance = np.log(generator.uniform(like.shape, dtype=like.dtype))
        refused &= chance > np.square((numbers - mean) / std) * -0.5 - highest
    return numbers


# Fixed numbers


def constant_(tensor: T, val: float) -> T:
    """Fill with one value.

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.
    val : float
        The value.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.
    """
    _array("constant_", tensor)[...] = val
    return tensor


def ones_(tensor: T) -> T:
    """Fill with 1.

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: T) -> T:
    """Fill with 0.

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.
    """
    return constant_(tensor, 0.0)


def eye_(tensor: T) -> T:
    """Make a matrix the identity, as far as it is square.

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.

    Raises
    ------
    ValueError
        Unless it has 2 dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from maillon.nn import init
    >>> init.eye_(np.empty((2, 3)))
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    array = _array("eye_", tensor)
    _require_dimensions("eye_", array, "2", (2,))
    array[...] = np.eye(*array.shape)
    return tensor


def dirac_(tensor: T, groups: int = 1) -> T:
    """Make a convolution's weight (out, in, *kernel) pass on its inputs, as many as it has outputs for.

    1 at the kernel's middle from input i to output i of each group, else 0.

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.
    groups : int
        Groups of channels, ≥ 1.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.

    Raises
    ------
    ValueError
        Unless it has 3, 4 or 5 dimensions of which the first divides by groups.
    """
    array = _array("dirac_", tensor)
    _require_dimensions("dirac_", array, "3, 4 or 5", (3, 4, 5))
    groups = arguments.integer("dirac_", "groups", groups)
    outputs, inputs, *kernel = array.shape
    if outputs % groups:
        raise ValueError(f"dirac_: expected the first dimension to divide by groups={groups}, got {outputs}.")
    array[...] = 0
    passed = np.arange(min(outputs // groups, inputs))
    for first in range(0, outputs, outputs // groups if outputs else 1):
        array[(first + passed, passed, *(size // 2 for size in kernel))] = 1
    return tensor


# Laws of a layer


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Drawn = None) -> T:
    """Fill a weight (out, in, *kernel) with U(±bound), bound = gain · √(6 / (fan_in + fan_out)).

    fan_in is the number of inputs of one output, in · Π kernel; fan_out that of outputs of one input.

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.
    gain : float
        The factor of `calculate_gain`, ≥ 0.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.

    Raises
    ------
    ValueError
        For fewer than 2 dimensions, gain < 0, or a fan of 0.

    References
    ----------
    Glorot, Bengio, "Understanding the Difficulty of Training Deep Feedforward Neural Networks", 2010.
    """
    bound = math.sqrt(3.0) * _xavier_std("xavier_uniform_", tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Drawn = None) -> T:
    """Fill a weight (out, in, *kernel) with N(0, std²), std = gain · √(2 / (fan_in + fan_out)).

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.
    gain : float
        The factor of `calculate_gain`, ≥ 0.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.

    Raises
    ------
    ValueError
        As `xavier_uniform_`.

    References
    ----------
    Glorot, Bengio, "Understanding the Difficulty of Training Deep Feedforward Neural Networks", 2010.
    """
    return normal_(tensor, 0.0, _xavier_std("xavier_normal_", tensor, gain), generator)


def _xavier_std(where: str, tensor: Parameter | Array, gain: float) -> float:
    fans = sum(_fans(where, _real(where, tensor)))
    if not fans:
        raise ValueError(f"{where}: expected a weight with inputs or outputs, got shape {tensor.shape}.")
    return arguments.number(where, "gain", gain, 0) * math.sqrt(2.0 / float(fans))


def kaiming_uniform_(
    tensor: T, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Drawn = None
) -> T:
    """Fill a weight (out, in, *kernel) with U(±bound), bound = √3 · gain / √fan.

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.
    a : float
        The slope below 0 of the LeakyReLU that follows; 0 is a ReLU.
    mode : str
        'fan_in' keeps the variance of what goes forward, 'fan_out' of what goes back.
    nonlinearity : str
        The activation that follows: gain = `calculate_gain(nonlinearity, a)`.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.

    Raises
    ------
    ValueError
        For fewer than 2 dimensions, another mode or nonlinearity.

    Notes
    -----
    A weight without numbers is left as it is. The bits are PyTorch's, hence the order of the operations.

    References
    ----------
    He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", 2015, equation 14.

    Examples
    --------
    >>> import numpy as np
    >>> from maillon.nn import init
    >>> weight = init.kaiming_uniform_(np.empty((100, 6)))
    >>> bool(0.9 < abs(weight).max() < 1)
    True
    """
    bound = math.sqrt(3.0) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: T, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Drawn = None
) -> T:
    """Fill a weight (out, in, *kernel) with N(0, std²), std = gain / √fan.

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.
    a : float
        The slope below 0 of the LeakyReLU that follows; 0 is a ReLU.
    mode : str
        'fan_in' or 'fan_out', as for `kaiming_uniform_`.
    nonlinearity : str
        The activation that follows.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.

    Raises
    ------
    ValueError
        As `kaiming_uniform_`.

    References
    ----------
    He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", 2015, equation 14.
    """
    return normal_(tensor, 0.0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


def _kaiming_std(where: str, tensor: Parameter | Array, a: float, mode: str, nonlinearity: str) -> float:
    array = _real(where, tensor)
    if not array.size:
        return 0.0  # there is nothing to draw
    lower = mode.lower() if isinstance(mode, str) else mode
    fans = dict(zip(("fan_in", "fan_out"), _fans(where, array), strict=True))
    fan = fans[arguments.one_of(where, "mode", lower, tuple(fans))]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def orthogonal_(tensor: T, gain: float = 1.0, generator: Drawn = None) -> T:
    """Fill a weight, its dimensions after the first taken together, with gain times an orthogonal matrix.

    W Wᵀ = gain² · 1 where there are fewer rows than columns, else Wᵀ W = gain² · 1.

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.
    gain : float
        The factor.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.

    Raises
    ------
    ValueError
        For fewer than 2 dimensions.

    Notes
    -----
    It is the Q of a normal matrix's QR, with the signs that make the diagonal of R positive.

    References
    ----------
    Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    2014.

    Examples
    --------
    >>> import numpy as np
    >>> from maillon.nn import init
    >>> weight = init.orthogonal_(np.empty((2, 5)), gain=2)
    >>> (weight @ weight.T).round(6) + 0
    array([[4., 0.],
           [0., 4.]])
    """
    array = _real("orthogonal_", tensor)
    _require_dimensions("orthogonal_", array, "2 or more", range(2, 65))
    if not array.size:
        return tensor
    rows, columns = array.shape[0], array.size // array.shape[0]
    drawn = random.resolve(generator).normal((rows, columns), dtype=array.dtype)
    q, r = np.linalg.qr(drawn.T if rows < columns else drawn)
    q = q * np.sign(np.diagonal(r))
    array[...] = gain * (q.T if rows < columns else q).reshape(array.shape)
    return tensor


def sparse_(tensor: T, sparsity: float, std: float = 0.01, generator: Drawn = None) -> T:
    """Fill a matrix with N(0, std²), of which in each column a share is 0.

    Parameters
    ----------
    tensor : Parameter or ndarray
        What is filled, in place.
    sparsity : float
        The share in [0, 1], rounded up to whole entries.
    std : float
        The standard deviation of the others.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Returns
    -------
    Parameter or ndarray
        The same object, filled.

    Raises
    ------
    ValueError
        Unless it has 2 dimensions, or for another sparsity.

    Notes
    -----
    The places of the zeros come from the same generator as the numbers (in PyTorch always from the global one).

    References
    ----------
    Martens, "Deep Learning via Hessian-Free Optimization", 2010.
    """
    array = _real("sparse_", tensor)
    _require_dimensions("sparse_", array, "2", (2,))
    rows, columns = array.shape
    zeros = math.ceil(arguments.number("sparse_", "sparsity", sparsity, 0, 1) * rows)
    drawn = random.resolve(generator)
    normal_(array, 0.0, std, drawn)
    for column in range(columns):
        array[drawn.randperm(rows)[:zeros], column] = 0
    return tensor


# What they are given


def _array(where: str, tensor: Any) -> Array:
    array = tensor.data if isinstance(tensor, Parameter) else tensor
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{where}: expected a Parameter or a NumPy array, got {type(tensor).__name__}.")
    return array


def _real(where: str, tensor: Any) -> Array:
    """An array of real numbers to draw."""
    array = _array(where, tensor)
    if array.dtype.char not in "fd":
        raise TypeError(f"{where}: expected an array of dtype float32 or float64, got {array.dtype}.")
    return array


def _fans(where: str, array: Array) -> tuple[int, int]:
    """The inputs of one output, and the outputs of one input."""
    if array.ndim < 2:
        raise ValueError(f"{where}: expected a weight of shape (out, in, …), got {array.shape}.")
    outputs, inputs, *kernel = array.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def _require_dimensions(where: str, array: Array, expected: str, allowed: Any) -> None:
    if array.ndim not in allowed:
        raise ValueError(f"{where}: expected {expected} dimensions, got shape {array.shape}.")
