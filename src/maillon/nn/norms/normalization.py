"""Normalisation: values brought to mean 0 and variance 1 over some axes, then scaled and shifted by what is learnt."""

import math
from collections.abc import Sequence

import numpy as np

from maillon.nn.module import Module
from maillon.nn.parameter import Parameter
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import empty, outlined
from maillon.typing import Array, DTypeLike

Grid = tuple[int, int, int]
"""The shape in which an array is looked at: samples, what they are divided into, places."""
PLACES = (2,)
FAR = 64
"""Where a squared mean is more than so many variances, the mean is taken out twice."""


def mean_over(axes: tuple[int, ...], a: Array, b: Array | None = None) -> Array:
    """The mean of a, or of a · b without making the product, over the axes of a grid, which stay with length 1."""
    samples, parts, places = a.shape
    if axes != PLACES:
        total = np.add.reduce(a, axis=axes) if b is None else np.einsum("ncl,ncl->c", a, b)
        return np.asarray(total[None, :, None] / max(1, samples * places))
    ones = np.ones(places, a.dtype)  # a matrix product sums rows faster than a sum does
    total = a.reshape(samples * parts, places) @ ones if b is None else np.vecdot(a, b)
    return np.asarray(total.reshape(samples, parts, 1) / max(1, places))


class Normalization(Module):
    """y = w x̂ + b, x̂ = (x − μ) r, r = 1 / √(σ² + ε), with μ and σ² the mean and variance over some axes of x.

    Derivative, with dx̂ = w dy and means over the same axes: dx = r (dx̂ − mean dx̂ − x̂ mean(dx̂ x̂)), dw = Σ x̂ dy,
    db = Σ dy. Where μ and σ² are given instead (running statistics) they do not move with x: dx = r dx̂.

    An array is looked at in two ways: as `slices`, whose mean is taken over the `axes`, and as `channels` (N, C, L),
    in which w and b hold one value for each of C. A link says which these are.
    """

    eps: float | None
    weight: Parameter | None
    bias: Parameter | None
    axes: tuple[int, ...] = PLACES
    centred = True
    """Whether the mean is taken out; where not (RMSNorm) σ² is the mean square, and mean dx̂ no part of dx."""

    def _make_parameters(self, shape: tuple[int, ...], affine: bool, bias: bool, dtype: DTypeLike | None) -> None:
        made, biased = floating_dtype(dtype), arguments.flag(type(self).__name__, "bias", bias)
        self.weight = Parameter(empty(shape, made)) if affine else None
        self.bias = Parameter(empty(shape, made)) if affine and biased else None
        if not outlined():
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale by 1 and shift by 0."""
        if self.weight is not None:
            self.weight.data[...] = 1
        if self.bias is not None:
            self.bias.data[...] = 0

    def _require(self, x: Array) -> None:
        """Raise unless x is an array of the dtype of the state; without state, of float32 or float64."""
        held = getattr(self, "running_mean", None) if self.weight is None else self.weight.data
        if held is None:
            errors.require_floating(self, "x", x)
        else:
            errors.require_dtype(self, "x", x, held.dtype)

    def _normalize(
        self, x: Array, slices: Grid, channels: Grid, given: tuple[Array, Array] | None = None
    ) -> tuple[Array, Array, Array]:
        """y with the mean and the variance that it was made with."""
        x_hat = x.reshape(slices)
        mean = np.zeros((), x.dtype)
        if self.centred:
            mean = mean_over(self.axes, x_hat) if given is None else given[0]
            x_hat = x_hat - mean
        variance = mean_over(self.axes, x_hat, x_hat) if given is None else given[1]
        if self.centred and given is None and not (mean * mean <= FAR * variance).all():
            x_hat -= mean_over(self.axes, x_hat)  # what rounding has left of a mean far from 0
            variance = mean_over(self.axes, x_hat, x_hat)
        r = 1 / np.sqrt(variance + (float(np.finfo(x.dtype).eps) if self.eps is None else self.eps))
        x_hat = np.multiply(x_hat, r, out=x_hat if self.centred else None)
        y = x_hat.reshape(channels)
        if self.weight is not None:
            y = y * self.weight.data.reshape(-1, 1)
        if self.bias is not None:
            y += self.bias.data.reshape(-1, 1)
        return self.keep(y.reshape(x.shape), x_hat, r, channels, given is None), mean, variance

    def backward(self, grad_output: Array) -> Array:
        x_hat, r, channels, moving = self.release(grad_output)
        dy = dx_hat = grad_output.reshape(channels)
        if self.bias is not None:
            db = np.ones(len(dy), dy.dtype) @ dy.reshape(len(dy), channels[1] * channels[2])
            self.bias.accumulate(db.reshape(channels[1:]).sum(axis=1).reshape(self.bias.shape))
        if self.weight is not None:
            dw = np.einsum("ncl,ncl->c", dy, x_hat.reshape(channels))
            self.weight.accumulate(dw.reshape(self.weight.shape))
            dx_hat = dy * self.weight.data.reshape(-1, 1)
        dx_hat = dx_hat.reshape(x_hat.shape)
        if not moving:
            return np.asarray(dx_hat * r).reshape(grad_output.shape)
        dx = x_hat * -mean_over(self.axes, dx_hat, x_hat)
        dx += dx_hat
        if self.centred:
            dx -= mean_over(self.axes, dx_hat)
        dx *= r
        return dx.reshape(grad_output.shape)

    def _arguments(self) -> list[str]:
        parts = arguments.shown(self)
        return [part for part in parts if part != "bias=False"] if self.weight is None else parts


class _LastAxes(Normalization):
    """What LayerNorm and RMSNorm share: each sample's last dimensions are one slice, with a weight for each value."""

    eps_may_be_none = False

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None,
        elementwise_affine: bool,
        bias: bool,
        device: None,
        dtype: DTypeLike | None,
    ) -> None:
        name = type(self).__name__
        errors.refuse(name, device=(device, None, errors.CPU_ONLY))
        count = len(normalized_shape) if arguments.is_sequence(normalized_shape) else 1
        if not count:
            raise ValueError(f"{name}: expected normalized_shape to have a dimension, got {normalized_shape!r}.")
        self.normalized_shape = arguments.integers(name, "normalized_shape", normalized_shape, count)
        if eps is None and not self.eps_may_be_none:
            raise ValueError(f"{name}: expected eps to be a number ≥ 0, got None.")
        self.eps = None if eps is None else float(arguments.number(name, "eps", eps, 0, finite=True))
        self.elementwise_affine = arguments.flag(name, "elementwise_affine", elementwise_affine)
        self._make_parameters(self.normalized_shape, self.elementwise_affine, bias, dtype)

    def forward(self, x: Array) -> Array:
        self._require(x)
        shape = self.normalized_shape
        if x.shape[-len(shape) :] != shape:
            expected = f"(*, {', '.join(map(str, shape))})"
            raise errors.wrong_shape(self, "x", expected, x.shape, f"Its last dimensions must be {shape}.")
        n = math.prod(shape)
        return self._normalize(x, (x.size // n, 1, n), (x.size // n, n, 1))[0]


class LayerNorm(_LastAxes):
    """y = w x̂ + b, x̂ = (x − μ) / √(σ² + ε), with μ and σ² the mean and variance of a sample's last dimensions.

    Derivative, with dx̂ = w dy: dx = (dx̂ − mean dx̂ − x̂ mean(dx̂ x̂)) / √(σ² + ε); dw = Σ x̂ dy and db = Σ dy over
    the samples. The variance is Σ(x − μ)² / n. Evaluation changes nothing.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The last dimensions, each ≥ 1.
    eps : float
        ε ≥ 0.
    elementwise_affine : bool
        Whether there are a weight and a bias.
    bias : bool
        Whether there is a bias.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.

    Raises
    ------
    LinkShapeError
        When the last dimensions are not normalized_shape.
    LinkDtypeError
        When x is not of the weight's dtype.

    Notes
    -----
    x: (*, *normalized_shape) → y: the same shape. weight, bias: normalized_shape, at first 1 and 0.

    References
    ----------
    Ba, Kiros, Hinton, "Layer Normalization", 2016.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.LayerNorm(4, eps=0, dtype="float64")(np.array([[1.0, 1.0, 3.0, 3.0], [0.0, 8.0, 0.0, 8.0]]))
    array([[-1., -1.,  1.,  1.],
           [-1.,  1., -1.,  1.]])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, bias, device, dtype)


class RMSNorm(_LastAxes):
    """y = w x̂, x̂ = x / √(ε + mean x²), with the mean over a sample's last dimensions.

    Derivative, with dx̂ = w dy: dx = (dx̂ − x̂ mean(dx̂ x̂)) / √(ε + mean x²); dw = Σ x̂ dy over the samples.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The last dimensions, each ≥ 1.
    eps : float, optional
        ε ≥ 0; None is the distance from 1 to the next number of x's dtype.
    elementwise_affine : bool
        Whether there is a weight.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.

    Raises
    ------
    LinkShapeError, LinkDtypeError
        As LayerNorm.

    Notes
    -----
    x: (*, *normalized_shape) → y: the same shape. weight: normalized_shape, at first 1.

    References
    ----------
    Zhang, Sennrich, "Root Mean Square Layer Normalization", 2019.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.RMSNorm(2, dtype="float64")(np.array([[2.0, -2.0], [1.0, 7.0]]))
    array([[ 1. , -1. ],
           [ 0.2,  1.4]])
    """

    centred = False
    eps_may_be_none = True

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, False, device, dtype)


class GroupNorm(Normalization):
    """y = w x̂ + b, x̂ = (x − μ) / √(σ² + ε), with μ and σ² the mean and variance of a sample's group of channels.

    Derivative, with dx̂ = w dy and means over the group: dx = (dx̂ − mean dx̂ − x̂ mean(dx̂ x̂)) / √(σ² + ε);
    dw = Σ x̂ dy and db = Σ dy over samples and places.

    Parameters
    ----------
    num_groups : int
        A divisor of num_channels.
    num_channels : int
        C ≥ 1.
    eps : float
        ε ≥ 0.
    affine : bool
        Whether there are a weight and a bias.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    bias : bool
        Whether there is a bias.

    Raises
    ------
    LinkShapeError
        When x does not have C channels.
    LinkDtypeError
        When x is not of the weight's dtype.

    Notes
    -----
    x: (N, C, *) → y: the same shape. weight, bias: (C), at first 1 and 0.

    References
    ----------
    Wu, He, "Group Normalization", 2018.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.GroupNorm(2, 4, eps=0, dtype="float64")(np.array([[1.0, 3.0, -5.0, -9.0]]))
    array([[-1.,  1.,  1., -1.]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        errors.refuse("GroupNorm", device=(device, None, errors.CPU_ONLY))
        self.num_groups = arguments.integer("GroupNorm", "num_groups", num_groups)
        self.num_channels = arguments.integer("GroupNorm", "num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise ValueError(
                f"GroupNorm: expected num_channels to be a multiple of num_groups = {num_groups}, got {num_channels}."
            )
        self.eps = float(arguments.number("GroupNorm", "eps", eps, 0, finite=True))
        self.affine = arguments.flag("GroupNorm", "affine", affine)
        self._make_parameters((self.num_channels,), self.affine, bias, dtype)

    def forward(self, x: Array) -> Array:
        self._require(x)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            lacks_batch = x.shape[:1] == (self.num_channels,)
            way_out = "A single sample needs x[None]." if lacks_batch else "Channels come second."
            raise errors.wrong_shape(self, "x", f"(N, {self.num_channels}, *)", x.shape, way_out)
        samples, places = x.shape[0], math.prod(x.shape[2:])
        of_group = self.num_channels // self.num_groups * places
        return self._normalize(x, (samples, self.num_groups, of_group), (samples, self.num_channels, places))[0]


class LocalResponseNorm(Module):
    """y = x D^−β, D = k + (α / n) Σ x², summed over the n channels around each one.

    Derivative: dx = dy D^−β − (2 α β / n) x Σ dy x D^(−β−1), summed over the channels whose window holds this one.

    Parameters
    ----------
    size : int
        n ≥ 1, the number of channels.
    alpha : float
        α: any number for which D stays positive.
    beta : float
        β: the same.
    k : float
        k: the same.

    Raises
    ------
    LinkShapeError
        When x has fewer dimensions.

    Notes
    -----
    x: (N, C, *), at least 3 dimensions → y: the same shape. The window of channel c reaches from c − ⌊n/2⌋ to c +
    ⌊(n−1)/2⌋; outside there is nothing to add.

    References
    ----------
    Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.LocalResponseNorm(1, alpha=3.0, beta=0.5)(np.array([[[1.0], [0.0]]]))
    array([[[0.5],
            [0. ]]])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size = arguments.integer("LocalResponseNorm", "size", size)
        self.alpha = float(arguments.number("LocalResponseNorm", "alpha", alpha, finite=True))
        self.beta = float(arguments.number("LocalResponseNorm", "beta", beta, finite=True))
        self.k = float(arguments.number("LocalResponseNorm", "k", k, finite=True))

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        if x.ndim < 3:
            raise errors.wrong_shape(self, "x", "(N, C, *)", x.shape, "At least one dimension follows the channels.")
        d = self.k + self.alpha / self.size * self._window(x * x, self.size // 2)
        y = x * d**-self.beta
        return self.keep(y, x, y, d)

    def backward(self, grad_output: Array) -> Array:
        x, y, d = self.release(grad_output)
        dy = grad_output
        around = self._window(dy * y / d, (self.size - 1) // 2)
        return np.asarray(dy * d**-self.beta - 2 * self.alpha * self.beta / self.size * x * around)

    def _window(self, a: Array, before: int) -> Array:
        """The sums over `size` channels, `before` of them before each one."""
        padding = [(0, 0)] * a.ndim
        padding[1] = (before, self.size - 1 - before)
        padded, total = np.pad(a, padding), np.zeros_like(a)
        for start in range(self.size):
            total += padded[:, start : start + a.shape[1]]
        return total
