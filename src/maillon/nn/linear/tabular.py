"""Links for tables, whose columns are features of their own: Scale, PeriodicEmbedding."""

import math

import numpy as np

from maillon import random
from maillon.nn import init
from maillon.nn.module import Module
from maillon.nn.parameter import Parameter
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import empty, outlined
from maillon.typing import Array, DTypeLike


def _require_features(link: "Scale | PeriodicEmbedding", x: Array) -> None:
    """Raise unless x is (*, num_features), of the parameters' dtype."""
    errors.require_dtype(link, "x", x, link.weight.dtype)
    if x.ndim == 0 or x.shape[-1] != link.num_features:
        way_out = f"The last dimension must be num_features = {link.num_features}."
        raise errors.wrong_shape(link, "x", f"(*, {link.num_features})", x.shape, way_out)


class Scale(Module):
    """y = w ⊙ x: each feature times a number of its own, which learns how much the feature counts.

    Derivative: dw = Σ dy ⊙ x over all but the last dimension, dx = w ⊙ dy.

    Parameters
    ----------
    num_features : int
        Width of x, ≥ 1.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.

    Raises
    ------
    LinkShapeError
        When the last dimension is not num_features.
    LinkDtypeError
        When x is not of the weight's dtype.

    Notes
    -----
    x: (*, num_features) → y: the same shape. weight: (num_features), at first 1.

    References
    ----------
    Holzmüller, Grinsztajn, Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data",
    2024: the scaling layer of RealMLP.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.Scale(2)
    >>> link.weight.data[:] = [1, 10]
    >>> link(np.array([[1, 2], [3, 4]], dtype=np.float32))
    array([[ 1., 20.],
           [ 3., 40.]], dtype=float32)
    """

    def __init__(self, num_features: int, device: None = None, dtype: DTypeLike | None = None) -> None:
        errors.refuse("Scale", device=(device, None, errors.CPU_ONLY))
        self.num_features = arguments.integer("Scale", "num_features", num_features)
        self.weight = Parameter(empty(self.num_features, floating_dtype(dtype)))
        if not outlined():
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale by 1."""
        init.ones_(self.weight)

    def forward(self, x: Array) -> Array:
        _require_features(self, x)
        return self.keep(x * self.weight.data, x)

    def backward(self, grad_output: Array) -> Array:
        self.backward_parameters(grad_output)
        return grad_output * self.weight.data

    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.accumulate(np.add.reduce((grad_output * x).reshape(-1, self.num_features), axis=0))


class PeriodicEmbedding(Module):
    """y = (x, V cos(2π w x + p) + c) for each feature x: waves of learnt frequencies w and phases p, and sums of them.

    A network learns steep and wavy functions of a number more easily from its embedding than from the number alone.

    Derivative, with dy = (dy₀, dv): h = cos(2π w x + p), da = −sin(2π w x + p) ⊙ Vᵀ dv, dx = dy₀ + 2π Σ w da over
    the waves; over the rows dw = 2π Σ x da, dp = Σ da, dV = Σ dv hᵀ, dc = Σ dv.

    Parameters
    ----------
    num_features : int
        Width of x, ≥ 1.
    hidden : int
        Waves of each feature, ≥ 1.
    out : int
        Numbers that each feature becomes, itself the first of them, ≥ 2.
    sigma : float
        Standard deviation of the frequencies at first, in turns per unit of x, ≥ 0.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    LinkShapeError
        When the last dimension is not num_features.
    LinkDtypeError
        When x is not of the parameters' dtype.

    Notes
    -----
    x: (*, num_features) → y: (*, num_features · out), feature by feature. frequency w, phase p: (num_features, hidden);
    weight V: (num_features, out − 1, hidden); bias c: (num_features, out − 1). At first, in the order in which they are
    drawn: w is N(0, sigma²), p is U(±π), V and c are U(±1/√hidden).

    References
    ----------
    Holzmüller, Grinsztajn, Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data",
    2024, of which these are the embeddings PBLD; after Gorishniy, Rubachev, Babenko, "On Embeddings for Numerical
    Features in Tabular Deep Learning", 2022.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.PeriodicEmbedding(1, hidden=1, out=2)
    >>> link.frequency.data[:] = 0.25; link.phase.data[:] = 0; link.weight.data[:] = 3; link.bias.data[:] = 1
    >>> link(np.array([[0], [2], [4]], dtype=np.float32))
    array([[ 0.,  4.],
           [ 2., -2.],
           [ 4.,  4.]], dtype=float32)
    """

    def __init__(
        self,
        num_features: int,
        hidden: int = 16,
        out: int = 4,
        sigma: float = 0.1,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        errors.refuse("PeriodicEmbedding", device=(device, None, errors.CPU_ONLY))
        self.num_features = arguments.integer("PeriodicEmbedding", "num_features", num_features)
        self.hidden = arguments.integer("PeriodicEmbedding", "hidden", hidden)
        self.out = arguments.integer("PeriodicEmbedding", "out", out, 2)
        self.sigma = float(arguments.number("PeriodicEmbedding", "sigma", sigma, 0, finite=True))
        made, features, outputs = floating_dtype(dtype), self.num_features, self.out - 1
        self.frequency = Parameter(empty((features, self.hidden), made))
        self.phase = Parameter(empty((features, self.hidden), made))
        self.weight = Parameter(empty((features, outputs, self.hidden), made))
        self.bias = Parameter(empty((features, outputs), made))
        if not outlined():
            self.reset_parameters(generator)

    def reset_parameters(self, generator: random.Generator | None = None) -> None:
        """Draw the initial values again."""
        init.normal_(self.frequency, std=self.sigma, generator=generator)
        init.uniform_(self.phase, -math.pi, math.pi, generator=generator)
        bound = 1 / math.sqrt(self.hidden)
        init.uniform_(self.weight, -bound, bound, generator=generator)
        init.uniform_(self.bias, -bound, bound, generator=generator)

    def forward(self, x: Array) -> Array:
        _require_features(self, x)
        columns = x.reshape(-1, self.num_features).T[:, :, None]  # (features, rows, 1)
        turns = columns * self.frequency.data[:, None]
        turns -= np.rint(turns)  # whole turns change nothing, and small angles are exact to their last digits
        angle = turns * (2 * math.pi) + self.phase.data[:, None]
        h = np.cos(angle)
        y = np.empty((*columns.shape[1::-1], self.out), x.dtype)
        y[..., 0] = columns[..., 0].T
        y[..., 1:] = (h @ self.weight.data.swapaxes(1, 2) + self.bias.data[:, None]).swapaxes(0, 1)
        return self.keep(y.reshape(*x.shape[:-1], self.num_features * self.out), columns, angle, h)

    def backward(self, grad_output: Array) -> Array:
        columns, angle, h = self.release(grad_output)
        dy = grad_output.reshape(-1, self.num_features, self.out).swapaxes(0, 1)
        dv = dy[..., 1:]
        da = -np.sin(angle) * (dv @ self.weight.data)
        self.frequency.accumulate(2 * math.pi * np.add.reduce(columns * da, axis=1))
        self.phase.accumulate(np.add.reduce(da, axis=1))
        self.weight.accumulate(dv.swapaxes(1, 2) @ h)
        self.bias.accumulate(np.add.reduce(dv, axis=1))
        dx = dy[..., 0] + 2 * math.pi * (da @ self.frequency.data[:, :, None])[..., 0]
        return np.ascontiguousarray(dx.T).reshape(*grad_output.shape[:-1], self.num_features)
