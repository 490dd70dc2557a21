"""Normalisation of each channel, over the batch or each instance, with running statistics for evaluation."""

import math
import warnings
from collections.abc import Sequence

import numpy as np

from maillon.nn.norms.normalization import Normalization
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import full
from maillon.nn.support.undo import changing
from maillon.typing import Array, DTypeLike


class _ChannelNorm(Normalization):
    """What BatchNorm and InstanceNorm share: channels in the second place, and running statistics of each.

    After a forward in training with mean μ and variance σ² over n values:
    running_mean ← (1 − m) running_mean + m μ, running_var ← (1 − m) running_var + m σ² n / (n − 1).
    """

    expected: str
    """The shapes of x, for errors."""
    dimensions: tuple[int, ...]
    """The numbers of dimensions that x can have."""

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: None,
        dtype: DTypeLike | None,
        bias: bool,
    ) -> None:
        name = type(self).__name__
        errors.refuse(name, device=(device, None, errors.CPU_ONLY))
        self.num_features = arguments.integer(name, "num_features", num_features)
        self.eps = float(arguments.number(name, "eps", eps, 0, finite=True))
        self.momentum = None if momentum is None else float(arguments.number(name, "momentum", momentum, finite=True))
        self.affine = arguments.flag(name, "affine", affine)
        self.track_running_stats = arguments.flag(name, "track_running_stats", track_running_stats)
        tracked = floating_dtype(dtype) if self.track_running_stats else None
        self.running_mean: Array | None
        self.running_var: Array | None
        self.num_batches_tracked: Array | None
        self.register_buffer("running_mean", tracked and full(self.num_features, 0, tracked))
        self.register_buffer("running_var", tracked and full(self.num_features, 1, tracked))
        self.register_buffer("num_batches_tracked", tracked and np.zeros((), np.int64))
        self._make_parameters((self.num_features,), self.affine, bias, dtype)

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batches seen."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean[...] = 0
            self.running_var[...] = 1
            self.num_batches_tracked[...] = 0

    def reset_parameters(self) -> None:
        """Scale by 1, shift by 0, and forget the running statistics."""
        self.reset_running_stats()
        super().reset_parameters()

    def _grid(self, x: Array, batched: bool) -> tuple[int, int, int]:
        """(N, C, L) of x, after its check."""
        self._require(x)
        if x.ndim not in self.dimensions or x.shape[batched] != self.num_features:
            shape = self.expected.replace("C", str(self.num_features))
            error = errors.wrong_shape(self, "x", shape, x.shape, self._way_out(x.shape))
            if x.ndim not in self.dimensions or self._counts():
                raise error
            warnings.warn(f"{error} Nothing here depends on it.", stacklevel=4)
        return (x.shape[0] if batched else 1), x.shape[batched], math.prod(x.shape[1 + batched :])

    def _counts(self) -> bool:
        """Whether it matters how many channels there are."""
        return True

    def _way_out(self, shape: Sequence[int]) -> str:
        if len(shape) + 1 in self.dimensions and self.num_features in shape[:1]:
            return "A single sample needs x[None]."
        return "Its channels must be num_features." if len(shape) in self.dimensions else "Reshape x."

    def _running(self) -> tuple[Array, Array] | None:
        """The statistics to use in evaluation, as a grid."""
        if self.training or self.running_mean is None or self.running_var is None:
            return None
        return self.running_mean.reshape(1, -1, 1), self.running_var.reshape(1, -1, 1)

    def _track(self, mean: Array, variance: Array, count: int, momentum: float) -> None:
        """Let the running statistics follow those of slices of `count` values; without values they stay."""
        if self.running_mean is None or self.running_var is None or not mean.size or not count:
            return
        unbiased = variance * (count / (count - 1))
        for running, seen in ((self.running_mean, mean), (self.running_var, unbiased)):
            changing(running)
            running[...] = (1 - momentum) * running + momentum * seen.mean(axis=0).reshape(-1)


class _BatchNorm(_ChannelNorm):
    axes = (0, 2)

    def forward(self, x: Array) -> Array:
        grid = samples, _, places = self._grid(x, batched=True)
        running = self._running()
        if running is None and samples * places == 1:
            raise errors.too_few_dimensions(
                self,
                "more than 1 value per channel when training",
                x.shape,
                "One value has no variance: give more samples, or call eval().",
            )
        y, mean, variance = self._normalize(x, grid, grid, running)
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            changing(self.num_batches_tracked)
            self.num_batches_tracked += 1
            momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
            self._track(mean, variance, samples * places, momentum)
        return y


class BatchNorm1d(_BatchNorm):
    """y = w x̂ + b, x̂ = (x − μ) / √(σ² + ε), with μ and σ² the mean and variance of a channel.

    Derivative, with dx̂ = w dy: in training, where μ and σ² are the batch's, dx = (dx̂ − mean dx̂ − x̂ mean(dx̂ x̂)) /
    √(σ² + ε), with means over samples and places; in evaluation, where they are running statistics,
    dx = dx̂ / √(σ² + ε). In both dw = Σ x̂ dy, db = Σ dy over samples and places.

    Parameters
    ----------
    num_features : int
        C, the number of channels, ≥ 1.
    eps : float
        ε ≥ 0.
    momentum : float, optional
        m of the running statistics; None is the mean of all batches so far (m = 1 / their number).
    affine : bool
        Whether there are a weight and a bias.
    track_running_stats : bool
        False takes the batch's statistics in evaluation too.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    bias : bool
        Whether there is a bias.

    Raises
    ------
    LinkShapeError
        When x does not have C channels, or has one value per channel to take the variance of.
    LinkDtypeError
        When x is not of the weight's dtype.

    Notes
    -----
    x: (N, C) or (N, C, L) → y: the same shape. weight, bias: (C), at first 1 and 0. Buffers: running_mean and
    running_var (C), at first 0 and 1, and num_batches_tracked. A forward in training moves them: running_mean ← (1 − m)
    running_mean + m μ, running_var alike by the unbiased variance Σ(x − μ)² / (n − 1).

    References
    ----------
    Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training", 2015.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.BatchNorm1d(2, dtype="float64")
    >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
    >>> link(x).round(3)
    array([[-1., -1.],
           [ 1.,  1.]])
    >>> link.running_mean, link.running_var
    (array([0.2, 2. ]), array([ 1.1, 20.9]))
    >>> link.eval()(x).round(3)
    array([[0.763, 1.75 ],
           [2.67 , 6.125]])
    """

    expected = "(N, C) or (N, C, L)"
    dimensions: tuple[int, ...] = (2, 3)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)


class BatchNorm2d(BatchNorm1d):
    """BatchNorm1d of images: the mean and variance of a channel are over all samples and pixels.

    y = w x̂ + b, x̂ = (x − μ) / √(σ² + ε). Derivative, with dx̂ = w dy: in training dx = (dx̂ − mean dx̂ − x̂ mean(dx̂
    x̂)) / √(σ² + ε), in evaluation dx = dx̂ / √(σ² + ε); in both dw = Σ x̂ dy, db = Σ dy.

    Parameters
    ----------
    num_features : int
        C, the number of channels, ≥ 1.
    eps : float
        ε ≥ 0.
    momentum : float, optional
        m of the running statistics; None is the mean of all batches so far (m = 1 / their number).
    affine : bool
        Whether there are a weight and a bias.
    track_running_stats : bool
        False takes the batch's statistics in evaluation too.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    bias : bool
        Whether there is a bias.

    Notes
    -----
    x: (N, C, H, W) → y: the same shape. Value, derivative, parameters, buffers and errors are BatchNorm1d's.

    References
    ----------
    Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training", 2015.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.BatchNorm2d(1)(np.array([[[[1, 1], [3, 3]]]], dtype=np.float32)).round(3)
    array([[[[-1., -1.],
             [ 1.,  1.]]]], dtype=float32)
    """

    expected = "(N, C, H, W)"
    dimensions: tuple[int, ...] = (4,)


class _InstanceNorm(_ChannelNorm):
    def _counts(self) -> bool:
        return self.weight is not None or self.running_mean is not None

    def forward(self, x: Array) -> Array:
        batched = x.ndim == max(self.dimensions)
        grid = *_, places = self._grid(x, batched)
        running = self._running()
        if running is None and places == 1:
            raise errors.too_few_dimensions(
                self,
                "more than 1 value per channel and sample",
                x.shape,
                "One value has no variance: give larger samples.",
            )
        y, mean, variance = self._normalize(x, grid, grid, running)
        if self.training:
            self._track(mean, variance, places, 0.0 if self.momentum is None else self.momentum)
        return y


class InstanceNorm1d(_InstanceNorm):
    """y = w x̂ + b, x̂ = (x − μ) / √(σ² + ε), with μ and σ² the mean and variance of one sample's channel.

    Derivative, with dx̂ = w dy and means over the places: dx = (dx̂ − mean dx̂ − x̂ mean(dx̂ x̂)) / √(σ² + ε), or with
    running statistics in evaluation dx = dx̂ / √(σ² + ε); dw = Σ x̂ dy, db = Σ dy over samples and places.

    Parameters
    ----------
    num_features : int
        C, the number of channels, ≥ 1.
    eps : float
        ε ≥ 0.
    momentum : float, optional
        m of the running statistics; None is the mean of all batches so far (m = 1 / their number).
    affine : bool
        Whether there are a weight and a bias.
    track_running_stats : bool
        Whether running_mean and running_var follow the samples' mean μ and unbiased variance in training, as in
        BatchNorm1d, and take their place in evaluation.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    bias : bool
        Whether there is a bias.

    Raises
    ------
    LinkShapeError
        When x does not have C channels (only a warning where there is neither weight nor running statistics, as in
        PyTorch), or has one place to take the variance of.
    LinkDtypeError
        When x is not of the weight's dtype.

    Notes
    -----
    x: (N, C, L), or (C, L) for one sample → y: the same shape. weight, bias: (C), at first 1 and 0, with affine=True.
    As in PyTorch num_batches_tracked stays 0, and momentum=None moves nothing.

    References
    ----------
    Ulyanov, Vedaldi, Lempitsky, "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.InstanceNorm1d(2, eps=0)(np.array([[[1.0, 3.0], [30.0, 10.0]]]))
    array([[[-1.,  1.],
            [ 1., -1.]]])
    """

    expected = "(N, C, L) or (C, L)"
    dimensions: tuple[int, ...] = (2, 3)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)


class InstanceNorm2d(InstanceNorm1d):
    """InstanceNorm1d of images: the mean and variance are over the pixels of one sample's channel.

    y = w x̂ + b, x̂ = (x − μ) / √(σ² + ε). Derivative, with dx̂ = w dy and means over the pixels:
    dx = (dx̂ − mean dx̂ − x̂ mean(dx̂ x̂)) / √(σ² + ε), dw = Σ x̂ dy, db = Σ dy.

    Parameters
    ----------
    num_features : int
        C, the number of channels, ≥ 1.
    eps : float
        ε ≥ 0.
    momentum : float, optional
        m of the running statistics; None is the mean of all batches so far (m = 1 / their number).
    affine : bool
        Whether there are a weight and a bias.
    track_running_stats : bool
        As for InstanceNorm1d.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    bias : bool
        Whether there is a bias.

    Notes
    -----
    x: (N, C, H, W), or (C, H, W) for one sample → y: the same shape. Value, derivative, parameters, buffers and errors
    are InstanceNorm1d's.

    References
    ----------
    Ulyanov, Vedaldi, Lempitsky, "Instance Normalization: The Missing Ingredient for Fast Stylization", 2016.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.InstanceNorm2d(1, eps=0)(np.array([[[1.0, 1.0], [3.0, 3.0]]]))
    array([[[-1., -1.],
            [ 1.,  1.]]])
    """

    expected = "(N, C, H, W) or (C, H, W)"
    dimensions: tuple[int, ...] = (3, 4)
