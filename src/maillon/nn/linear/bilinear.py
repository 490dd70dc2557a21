"""Bilinear: every output a weighted sum of the products of two inputs' values."""

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


class Bilinear(Module):
    """y_k = x₁ᵀ W_k x₂ + b_k.

    Derivative, with dy = ∂loss/∂y: dW_k = Σ dy_k x₁ x₂ᵀ and db = Σ dy over the batch, dx₁ = Σ_k dy_k W_k x₂,
    dx₂ = Σ_k dy_k W_kᵀ x₁.

    Parameters
    ----------
    in1_features : int
        Width of x₁, ≥ 1.
    in2_features : int
        Width of x₂, ≥ 1.
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
        When the last dimensions are not in1_features and in2_features, or the others differ.
    LinkDtypeError
        When an input is not of the weight's dtype.

    Notes
    -----
    input1: (*, in1_features), input2: (*, in2_features), with the same * → y: (*, out_features). weight: (out_features,
    in1_features, in2_features); bias: (out_features). Initial weights: U(±√(1/in1_features)) for both, weight drawn
    first (PyTorch's law and its bits).

    References
    ----------
    Tenenbaum, Freeman, "Separating Style and Content with Bilinear Models", 2000.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.Bilinear(2, 2, 1, bias=False, dtype="float64")
    >>> link.weight.data[:] = [[[1, 0], [0, 10]]]
    >>> link(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([83.])
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        errors.refuse("Bilinear", device=(device, None, errors.CPU_ONLY))
        self.in1_features = arguments.integer("Bilinear", "in1_features", in1_features)
        self.in2_features = arguments.integer("Bilinear", "in2_features", in2_features)
        self.out_features = arguments.integer("Bilinear", "out_features", out_features)
        bias = arguments.flag("Bilinear", "bias", bias)
        shape = (self.out_features, self.in1_features, self.in2_features)
        self.weight = Parameter(empty(shape, floating_dtype(dtype)))
        self.bias = Parameter(empty(self.out_features, floating_dtype(dtype))) if bias else None
        if not outlined():
            self.reset_parameters(generator)

    def reset_parameters(self, generator: random.Generator | None = None) -> None:
        """Draw the initial weights again."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound, generator=generator)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound, generator=generator)

    def forward(self, input1: Array, input2: Array) -> Array:
        self._check(input1, input2)
        x1, x2 = input1.reshape(-1, self.in1_features), input2.reshape(-1, self.in2_features)
        half = (x1 @ self._matrix()).reshape(len(x1), self.out_features, self.in2_features)  # x₁ᵀ W_k
        y = np.matmul(half, x2[:, :, None])[..., 0]
        if self.bias is not None:
            y += self.bias.data
        shape = (*input1.shape[:-1], self.out_features)
        return self.keep(y.reshape(shape), x1, x2, half, input1.shape, input2.shape)

    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        x1, x2, half, shape1, shape2 = self.release(grad_output)
        dy = grad_output.reshape(len(x1), self.out_features)
        dx2 = np.matmul(dy[:, None, :], half)
        products = (dy[:, :, None] * x2[:, None, :]).reshape(len(x1), self.out_features * self.in2_features)
        dx1 = products @ self._matrix().T
        dw = (x1.T @ products).reshape(self.in1_features, self.out_features, self.in2_features)
        self.weight.accumulate(np.ascontiguousarray(dw.transpose(1, 0, 2)))
        if self.bias is not None:
            self.bias.accumulate(np.add.reduce(dy, axis=0))
        return dx1.reshape(shape1), dx2.reshape(shape2)

    def _matrix(self) -> Array:
        """The weight as (in1_features, out_features · in2_features)."""
        return self.weight.data.transpose(1, 0, 2).reshape(self.in1_features, -1)

    def _check(self, input1: Array, input2: Array) -> None:
        for name, x, features in (("input1", input1, self.in1_features), ("input2", input2, self.in2_features)):
            errors.require_dtype(self, name, x, self.weight.dtype)
            if x.ndim == 0 or x.shape[-1] != features:
                way_out = f"The last dimension must be {name.replace('put', '')}_features = {features}."
                raise errors.wrong_shape(self, name, f"(*, {features})", x.shape, way_out)
        if input1.shape[:-1] != input2.shape[:-1]:
            expected = (*input1.shape[:-1], self.in2_features)
            raise errors.wrong_shape(self, "input2", expected, input2.shape, "The batches of both must be alike.")
