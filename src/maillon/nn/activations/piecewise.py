"""Activations made of straight pieces, applied value by value; at a kink the derivative is PyTorch's side."""

import numpy as np

from maillon.nn.activations.pointwise import NotInPlace, Pointwise
from maillon.nn.support import arguments, errors
from maillon.typing import Array

RENAMED = "it was renamed to {}."
SIXTH = float(np.float32(1 / 6))
"""PyTorch's slope of Hardsigmoid, which is rounded to float32 in float64 as well: 3e-8 above a sixth."""


class Hardtanh(NotInPlace):
    """y = min(max(x, min_val), max_val); dx = dy where min_val < x < max_val, else 0 (at the ends too).

    Parameters
    ----------
    min_val : float
        The lower end.
    max_val : float
        The upper end.
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.
    min_value : None
        PyTorch's old word for min_val: refused unless None.
    max_value : None
        PyTorch's old word for max_val: refused unless None.

    Raises
    ------
    ValueError
        Unless min_val < max_val.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    References
    ----------
    Collobert, "Large Scale Machine Learning", 2004.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Hardtanh(-1, 2)(np.array([-3.0, 0.5, 3.0]))
    array([-1. ,  0.5,  2. ])
    """

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: None = None,
        max_value: None = None,
    ) -> None:
        super().__init__(inplace)
        errors.refuse(
            "Hardtanh",
            min_value=(min_value, None, RENAMED.format("min_val")),
            max_value=(max_value, None, RENAMED.format("max_val")),
        )
        self.min_val = arguments.number("Hardtanh", "min_val", min_val)
        self.max_val = arguments.number("Hardtanh", "max_val", max_val)
        if not min_val < max_val:
            raise ValueError(f"Hardtanh: expected min_val < max_val, got {min_val!r} and {max_val!r}.")

    def function(self, x: Array) -> Array:
        return np.clip(x, self.min_val, self.max_val)

    def derivative(self, x: Array) -> Array:
        return ~((x <= self.min_val) | (x >= self.max_val))


class ReLU6(Hardtanh):
    """y = min(max(x, 0), 6); dx = dy where 0 < x < 6, else 0.

    Parameters
    ----------
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    References
    ----------
    Krizhevsky, "Convolutional Deep Belief Networks on CIFAR-10", 2010.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.ReLU6()(np.array([-1.0, 2.0, 9.0]))
    array([0., 2., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)


class Hardsigmoid(NotInPlace):
    """y = min(max(x/6 + ½, 0), 1); dx = dy/6 where −3 < x < 3, else 0.

    Parameters
    ----------
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape. The sixth of the derivative is PyTorch's, rounded to float32.

    References
    ----------
    Courbariaux, Bengio, David, "BinaryConnect", 2015. In this form Howard et al., "Searching for MobileNetV3", 2019.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Hardsigmoid()(np.array([-4.0, 0.0, 1.5]))
    array([0.  , 0.5 , 0.75])
    """

    def function(self, x: Array) -> Array:
        return np.clip(x + 3, 0, 6) / 6

    def derivative(self, x: Array) -> Array:
        return np.where((x > -3) & (x < 3), SIXTH, 0)


class Hardswish(NotInPlace):
    """y = x min(max(x/6 + ½, 0), 1); dx = 0 where x ≤ −3, dy where x ≥ 3, else (x/3 + ½) dy.

    Parameters
    ----------
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    References
    ----------
    Howard et al., "Searching for MobileNetV3", 2019.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Hardswish()(np.array([-4.0, 1.5, 4.0]))
    array([-0.   ,  1.125,  4.   ])
    """

    def function(self, x: Array) -> Array:
        return x * (np.clip(x + 3, 0, 6) / 6)

    def derivative(self, x: Array) -> Array:
        return np.where(x <= -3, 0, np.where(x < 3, x / 3 + 0.5, 1))


class Threshold(NotInPlace):
    """y = x where x > threshold, else value; dx = dy where x > threshold, else 0.

    Parameters
    ----------
    threshold : float
        Any real number.
    value : float
        Any real number.
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Threshold(0.1, 20)(np.array([0.0, 0.1, 0.2]))
    array([20. , 20. ,  0.2])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold = arguments.number("Threshold", "threshold", threshold)
        self.value = arguments.number("Threshold", "value", value)

    def function(self, x: Array) -> Array:
        return np.where(x <= self.threshold, self.value, x)

    def derivative(self, x: Array) -> Array:
        return ~(x <= self.threshold)


class _Shrink(Pointwise):
    """0 where |x| ≤ λ; dx = dy elsewhere: what Hardshrink and Softshrink share."""

    least = -np.inf

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = arguments.number(type(self).__name__, "lambd", lambd, self.least)

    def _small(self, x: Array) -> Array:
        return (x >= -self.lambd) & (x <= self.lambd)

    def derivative(self, x: Array) -> Array:
        return ~self._small(x)


class Hardshrink(_Shrink):
    """y = 0 where |x| ≤ λ, else x; dx = 0 where |x| ≤ λ, else dy.

    Parameters
    ----------
    lambd : float
        λ: any real number; with a λ below 0, y is x.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    References
    ----------
    Donoho, Johnstone, "Ideal spatial adaptation by wavelet shrinkage", 1994 (hard thresholding).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Hardshrink()(np.array([-2.0, 0.5, 0.75]))
    array([-2.  ,  0.  ,  0.75])
    """

    def function(self, x: Array) -> Array:
        return np.where(self._small(x), 0, x)


class Softshrink(_Shrink):
    """y = x − λ where x > λ, x + λ where x < −λ, else 0; dx = 0 where |x| ≤ λ, else dy.

    Parameters
    ----------
    lambd : float
        λ ≥ 0.

    Raises
    ------
    ValueError
        For λ < 0.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape.

    References
    ----------
    Donoho, Johnstone, "Ideal spatial adaptation by wavelet shrinkage", 1994 (soft thresholding).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Softshrink()(np.array([-2.0, 0.5, 0.75]))
    array([-1.5 ,  0.  ,  0.25])
    """

    least = 0.0

    def function(self, x: Array) -> Array:
        return x - np.clip(x, -self.lambd, self.lambd)
