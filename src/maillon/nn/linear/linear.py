"""Linear: every output a weighted sum of the inputs. Identity: the link that changes nothing."""

import math
from typing import Any

import numpy as np

from maillon import random
from maillon.nn import init
from maillon.nn.module import Module
from maillon.nn.parameter import Parameter
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import empty, outlined
from maillon.typing import Array, DTypeLike


class Linear(Module):
    """y = x Wᵀ + b.

    Derivative, with dy = ∂loss/∂y: dW = dyᵀ x, db = Σ dy over the batch, dx = dy W.

    Parameters
    ----------
    in_features : int
        Width of x, ≥ 1.
    out_features : int
        Width of y, ≥ 1.
    bias : bool
        Whether there is a bias.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    LinkShapeError
        When the last dimension is not in_features.
    LinkDtypeError
        When x is not of the weight's dtype.

    Notes
    -----
    x: (*, in_features) → y: (*, out_features), where * is any number of batch dimensions, also none. weight:
    (out_features, in_features); bias: (out_features). Initial weights: U(±√(1/in_features)) for both, weight drawn
    first (PyTorch's law and its bits).

    References
    ----------
    Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors", 1986.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.Linear(2, 1)
    >>> link.weight.data[:] = [[1, 2]]; link.bias.data[:] = 0.5
    >>> link(np.array([[1, 1], [0, 3]], dtype=np.float32))
    array([[3.5],
           [6.5]], dtype=float32)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        errors.refuse("Linear", device=(device, None, errors.CPU_ONLY))
        self.in_features = arguments.integer("Linear", "in_features", in_features)
        self.out_features = arguments.integer("Linear", "out_features", out_features)
        bias = arguments.flag("Linear", "bias", bias)
        self.weight = Parameter(empty((self.out_features, self.in_features), floating_dtype(dtype)))
        self.bias = Parameter(empty(self.out_features, floating_dtype(dtype))) if bias else None
        if not outlined():
            self.reset_parameters(generator)

    def reset_parameters(self, generator: random.Generator | None = None) -> None:
        """Draw the initial weights again."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator)
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound, generator=generator)

    def forward(self, x: Array) -> Array:
        weight = self.weight.data
        errors.require_dtype(self, "x", x, weight.dtype)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise errors.wrong_shape(self, "x", f"(*, {self.in_features})", x.shape, self._way_out(x.shape))
        y = x @ weight.T
        if self.bias is not None:
            y += self.bias.data
        return self.keep(y, x)

    def backward(self, grad_output: Array) -> Array:
        self.backward_parameters(grad_output)
        return grad_output @ self.weight.data

    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        dy = grad_output
        if dy.ndim != 2:
            dy, x = dy.reshape(-1, self.out_features), x.reshape(-1, self.in_features)
        self.weight.accumulate(dy.T @ x)
        if self.bias is not None:
            self.bias.accumulate(np.add.reduce(dy, axis=0))

    def _way_out(self, shape: tuple[int, ...]) -> str:
        if len(shape) > 2 and math.prod(shape[1:]) == self.in_features:
            return "Put Flatten() before it."
        if len(shape) == 1 and self.in_features == 1:
            return "Give one row a sample: x[:, None]."
        return f"The last dimension must be in_features = {self.in_features}."


class Identity(Module):
    """y = x, dx = dy: stands in for another link, with any arguments.

    Parameters
    ----------
    *args : Any
        Ignored.
    **kwargs : Any
        Ignored.

    Notes
    -----
    x: any shape → y: the same array.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, x: Array) -> Array:
        return self.keep(x)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output
