"""Links for tables, whose columns are features of their own: Scale."""

import numpy as np

from maillon.nn import init
from maillon.nn.module import Module
from maillon.nn.parameter import Parameter
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import empty, outlined
from maillon.typing import Array, DTypeLike


def require_features(link: "Scale", x: Array) -> None:
    """Raise unless x is (*, num_features), of the weight's dtype."""
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
        require_features(self, x)
        return self.keep(x * self.weight.data, x)

    def backward(self, grad_output: Array) -> Array:
        self.backward_parameters(grad_output)
        return grad_output * self.weight.data

    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.accumulate(np.add.reduce((grad_output * x).reshape(-1, self.num_features), axis=0))
