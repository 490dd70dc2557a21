"""Transposed convolution: a convolution walked backwards, so that its value is a convolution's derivative."""

from collections.abc import Sequence

from maillon import random
from maillon.nn import arguments, errors
from maillon.nn.convolution import _Convolution
from maillon.nn.padding import Widths, pad
from maillon.typing import Array, DTypeLike


class _ConvTranspose(_Convolution):
    """With respect to the weight and the products, `y` is what a convolution takes, and `x` what it gives."""

    padding: tuple[int, ...]
    output_padding: tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        padding_mode: str = "zeros",
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        owner = type(self).__name__
        errors.refuse(owner, device=(device, None, errors.CPU_ONLY))
        if padding_mode != "zeros":
            raise ValueError(f"{owner}: expected padding_mode to be 'zeros', got {padding_mode!r}.")
        self.padding_mode = padding_mode
        self._set_sizes(in_channels, out_channels, groups, kernel_size, stride, dilation)
        self.padding = arguments.integers(owner, "padding", padding, self._dims, 0)
        self.output_padding = arguments.integers(owner, "output_padding", output_padding, self._dims, 0)
        pairs = zip(self.stride, self.dilation, strict=True)
        if any(n >= max(pair) for n, pair in zip(self.output_padding, pairs, strict=True)):
            raise ValueError(
                f"{owner}: expected output_padding to be less than stride or dilation, got {output_padding!r}."
            )
        self._set_weights((self.in_channels, self.out_channels // self.groups), bias, dtype, generator)

    def forward(self, x: Array, output_size: Sequence[int] | None = None) -> Array:
        self._check(x)
        batch = x if x.ndim == self._dims + 2 else x[None]
        sizes = self._output_sizes(x, output_size)
        whole = self._products_dx(batch, [n + 2 * p for n, p in zip(sizes, self.padding, strict=True)])
        y = self._with_bias(pad(whole, self._widths(-1), "zeros"))
        return self.keep(y if batch is x else y[0], batch)

    def backward(self, grad_output: Array) -> Array:
        batch, dy, dwhole = self._walk_back(grad_output)
        dx = self._products(dwhole, batch.shape[2:])
        return dx if dy is grad_output else dx[0]

    def backward_parameters(self, grad_output: Array) -> None:
        self._walk_back(grad_output)

    def _walk_back(self, grad_output: Array) -> tuple[Array, Array, Array]:
        """The gradients of the parameters; the input, and the gradient of the output without and with its padding."""
        (batch,) = self.release(grad_output)
        dy = grad_output if grad_output.ndim == batch.ndim else grad_output[None]
        dwhole = pad(dy, self._widths(1), "zeros")
        self._accumulate(dwhole, batch, dy)
        return batch, dy, dwhole

    def _widths(self, sign: int) -> Widths:
        return [(sign * width, sign * width) for width in self.padding]

    def _output_sizes(self, x: Array, wanted: Sequence[int] | None) -> list[int]:
        """(n − 1) stride − 2 padding + dilation (kernel_size − 1) + 1, and what is added after it."""
        given, dims = x.shape[-self._dims :], self._dims
        if 0 in given:
            self._check_sizes(x, [1] * dims, "A kernel is laid down at each place of x.")
        smallest = [n - 2 * p for n, p in zip(self._windows.sizes(given), self.padding, strict=True)]
        if wanted is None:
            sizes = [n + more for n, more in zip(smallest, self.output_padding, strict=True)]
        else:
            sizes = self._wanted_sizes(x, wanted, smallest)
        if min(sizes) < 0:
            missing = [max(0, -(size // stride)) for size, stride in zip(sizes, self.stride, strict=True)]
            least = [n + more if more else 1 for n, more in zip(given, missing, strict=True)]
            self._check_sizes(x, least, "The padding crops more than there is.")
        return sizes

    def _wanted_sizes(self, x: Array, wanted: Sequence[int], smallest: Sequence[int]) -> list[int]:
        dims = self._dims
        sizes = list(wanted)[-dims:]
        most = [n + stride - 1 for n, stride in zip(smallest, self.stride, strict=True)]
        fits = len(wanted) in (dims, x.ndim) and all(
            low <= n <= high for low, n, high in zip(smallest, sizes, most, strict=True)
        )
        if not fits:
            ranges = ", ".join(f"{low}…{high}" for low, high in zip(smallest, most, strict=True))
            raise errors.LinkShapeError(
                f"{self!r}: expected output_size of {dims} sizes ({ranges}), got {tuple(wanted)}. "
                f"The stride leaves this choice for x of shape {x.shape}."
            )
        return sizes


class ConvTranspose1d(_ConvTranspose):
    """The transpose of Conv1d: each value of x lays the kernel, weighted by itself, on its window of y.

    y[n, o, l · stride + k · dilation − padding] = b[o] + Σ_c W[c, o, k] · x[n, c, l], summed over all l and k that
    meet there, c in the group of o.
    Derivative: dx is Conv1d of dy with the same weight, dW[c, o, k] = Σ x · dy at those places, db = Σ dy.

    x: (N, in_channels, L) or (in_channels, L) → y: (…, out_channels, L'),
    L' = (L − 1) stride − 2 padding + dilation (kernel_size − 1) + output_padding + 1.
    weight: (in_channels, out_channels / groups, kernel_size); bias: (out_channels).
    kernel_size, stride, dilation: integers ≥ 1. padding: an integer ≥ 0, cropped on both sides. output_padding: added
    after it, less than stride or dilation; `forward(x, output_size)` gives L' (or y's shape) instead.
    groups: a divisor of both channels.
    Initial weights: U(±1/√fan) for both, fan = out_channels / groups · kernel_size (PyTorch's law and its bits).
    Errors: ValueError for other arguments, LinkShapeError for other channels or a size that is not possible.
    Source: Zeiler et al., "Deconvolutional Networks", 2010.

    >>> import numpy as np, maillon
    >>> link = maillon.ConvTranspose1d(1, 1, 2, stride=2, bias=False, dtype="float64")
    >>> link.weight.data[...] = [[[1, 10]]]
    >>> link(np.array([[1.0, 2.0]]))
    array([[ 1., 10.,  2., 20.]])
    """

    _dims = 1


class ConvTranspose2d(_ConvTranspose):
    """The transpose of Conv2d: ConvTranspose1d's formulas with a pair for each place, size and option.

    x: (N, in_channels, H, W) or (in_channels, H, W) → y: (…, out_channels, H', W').
    weight: (in_channels, out_channels / groups, *kernel_size); bias: (out_channels).
    Parameters, initial weights and errors: as ConvTranspose1d; sizes and options one integer or two.

    >>> import numpy as np, maillon
    >>> maillon.ConvTranspose2d(8, 3, 4, stride=2, padding=1)(np.zeros((5, 8, 14, 14), np.float32)).shape
    (5, 3, 28, 28)
    """

    _dims = 2
