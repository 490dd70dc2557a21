"""Activations whose lower piece has a slope that is learnt or drawn, and the gated unit."""

import numpy as np

from maillon import random
from maillon.nn.activations.basic import sigmoid
from maillon.nn.module import Module
from maillon.nn.parameter import Parameter
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import empty, outlined
from maillon.typing import Array, DTypeLike


class PReLU(Module):
    """y = x where x > 0, else w x; dx = dy where x > 0, else w dy (at 0 too); dw = Σ x dy over the x ≤ 0.

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels: a slope for each.
    init : float
        The initial slope.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.

    Raises
    ------
    LinkShapeError
        When there are not num_parameters channels.
    LinkDtypeError
        For another dtype than the weight's.

    Notes
    -----
    x: any shape; with num_parameters > 1: (N, num_parameters, *) → y: the same shape. weight: (num_parameters).

    References
    ----------
    He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", 2015.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.PReLU(dtype="float64")(np.array([-2.0, 0.0, 3.0]))
    array([-0.5,  0. ,  3. ])
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: None = None, dtype: DTypeLike | None = None
    ) -> None:
        errors.refuse("PReLU", device=(device, None, errors.CPU_ONLY))
        self.num_parameters = arguments.integer("PReLU", "num_parameters", num_parameters)
        self.init = arguments.number("PReLU", "init", init, finite=True)
        self.weight = Parameter(empty(self.num_parameters, floating_dtype(dtype)))
        if not outlined():
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin again with the initial slope."""
        self.weight.data[...] = self.init

    def forward(self, x: Array) -> Array:
        errors.require_dtype(self, "x", x, self.weight.dtype)
        if self.num_parameters > 1 and (x.ndim < 2 or x.shape[1] != self.num_parameters):
            raise errors.wrong_shape(
                self, "x", f"(N, {self.num_parameters}, *)", x.shape, "PReLU(1) takes any shape: one slope for all."
            )
        slope = self.weight.data.reshape((-1, *(1,) * (x.ndim - 2)) if self.num_parameters > 1 else ())
        return self.keep(np.where(x > 0, x, slope * x), x, slope)

    def backward(self, grad_output: Array) -> Array:
        x, slope = self.release(grad_output)
        dslope = np.where(x > 0, 0, x * grad_output)
        axes = tuple(axis for axis in range(x.ndim) if axis != 1 or self.num_parameters == 1)
        self.weight.accumulate(np.add.reduce(dslope, axis=axes).reshape(self.weight.shape))
        return np.where(x > 0, grad_output, slope * grad_output)


class RReLU(Module):
    """y = x where x > 0, else r x; dx = dy where x > 0, else r dy (at 0 too).

    In training r is drawn from U(lower, upper) for each value. In evaluation r is the mean of lower and upper.

    Parameters
    ----------
    lower : float
        The least slope.
    upper : float
        The largest slope.
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        Unless lower ≤ upper.

    Notes
    -----
    x: any shape, float32 or float64 → y: the same shape. The slopes are drawn for the x ≤ 0 in their order, as in
    PyTorch.

    References
    ----------
    Xu, Wang, Chen, Li, "Empirical Evaluation of Rectified Activations in Convolutional Network", 2015.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.RReLU(0.25, 0.75).eval()(np.array([-2.0, 0.0, 3.0]))
    array([-1.,  0.,  3.])
    """

    def __init__(
        self,
        lower: float = 1 / 8,
        upper: float = 1 / 3,
        inplace: bool = False,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        errors.refuse("RReLU", inplace=(inplace, False, errors.NOT_IN_PLACE))
        self.lower = arguments.number("RReLU", "lower", lower)
        self.upper = arguments.number("RReLU", "upper", upper)
        if lower > upper:
            raise ValueError(f"RReLU: expected lower ≤ upper, got {lower!r} and {upper!r}.")
        self.generator = arguments.generator("RReLU", generator)

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        slopes, below = np.ones_like(x), x <= 0
        if self.training:
            count = int(np.count_nonzero(below))
            slopes[below] = random.resolve(self.generator).uniform(count, self.lower, self.upper, dtype=np.float64)
        else:
            slopes[below] = (self.lower + self.upper) / 2
        return self.keep(np.asarray(slopes * x), slopes)

    def backward(self, grad_output: Array) -> Array:
        (slopes,) = self.release(grad_output)
        return np.asarray(slopes * grad_output)


class GLU(Module):
    """y = a σ(b), a and b the halves of x along `dim`; da = σ(b) dy, db = a σ(b) (1 − σ(b)) dy.

    Parameters
    ----------
    dim : int
        The dimension to halve.

    Raises
    ------
    LinkShapeError
        For an odd dimension, or one that x does not have.

    Notes
    -----
    x: any shape whose dimension `dim` is even → y: the same shape with half of it.

    References
    ----------
    Dauphin, Fan, Auli, Grangier, "Language Modeling with Gated Convolutional Networks", 2017.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.GLU()(np.array([[4.0, 2.0, 0.0, 1e4]]))
    array([[2., 2.]])
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = arguments.integer("GLU", "dim", dim, None)

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        if not -x.ndim <= self.dim < x.ndim:
            way_out = f"dim must be in {-x.ndim}…{x.ndim - 1}." if x.ndim else "A single number has no halves."
            raise errors.too_few_dimensions(self, f"a dimension {self.dim}", x.shape, way_out)
        if x.shape[self.dim] % 2:
            raise errors.too_few_dimensions(
                self, f"an even dimension {self.dim}", x.shape, "One half of it gates the other."
            )
        a, b = np.split(x, 2, axis=self.dim)
        gate = sigmoid(b)
        return self.keep(a * gate, a, gate)

    def backward(self, grad_output: Array) -> Array:
        a, gate = self.release(grad_output)
        da = gate * grad_output
        return np.concatenate((da, a * (1 - gate) * da), axis=self.dim)
