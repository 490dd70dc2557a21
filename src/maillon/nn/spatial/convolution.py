"""Convolution and its transpose over one or two dimensions: matrix products over windows."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from maillon import random
from maillon.nn import init
from maillon.nn.module import Module
from maillon.nn.parameter import Parameter
from maillon.nn.spatial.padding import Widths, least_size, pad, pad_backward
from maillon.nn.spatial.windows import LETTERS, Windows, either, layout, one_for_all
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import empty, outlined
from maillon.typing import Array, DTypeLike

BLOCK = 2**20
"""Bytes of columns made at a time: so few stay in the processor's cache between the copy that makes them and the
product that reads them. All at once they are 9 times the input of a 3×3 kernel, and a network would hold those of all
its links; to make them again in backward is about a tenth of its time. What is kept is the padded input: without
padding the input itself, and with it hardly more."""


class _Convolution(Module):
    """What convolutions and their transposes share: weights, checks, and the products.

    The weight is that of a convolution, (outputs, inputs / groups, *kernel): `_products` is its value, the other two
    its derivatives. The transposed link is the same convolution walked backwards.
    """

    _dims: ClassVar[int]
    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    bias: Parameter | None

    def _set_sizes(
        self, in_channels: int, out_channels: int, groups: int, kernel_size: Any, stride: Any, dilation: Any
    ) -> None:
        owner, dims = type(self).__name__, self._dims
        self.in_channels = arguments.integer(owner, "in_channels", in_channels)
        self.out_channels = arguments.integer(owner, "out_channels", out_channels)
        self.groups = arguments.integer(owner, "groups", groups)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"{owner}: expected {name} to be a multiple of groups = {groups}, got {channels}.")
        self.kernel_size = arguments.integers(owner, "kernel_size", kernel_size, dims)
        self.stride = arguments.integers(owner, "stride", stride, dims, single=True)
        self.dilation = arguments.integers(owner, "dilation", dilation, dims, single=True)
        self.windows = Windows(self.kernel_size, self.stride, self.dilation)

    def _set_weights(
        self, channels: tuple[int, int], bias: bool, dtype: DTypeLike | None, generator: random.Generator | None
    ) -> None:
        bias = arguments.flag(type(self).__name__, "bias", bias)
        self.weight = Parameter(empty((*channels, *self.kernel_size), floating_dtype(dtype)))
        self.bias = Parameter(empty(self.out_channels, floating_dtype(dtype))) if bias else None
        if not outlined():
            self.reset_parameters(generator)

    def reset_parameters(self, generator: random.Generator | None = None) -> None:
        """Draw the initial weights again."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator)
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
            init.uniform_(self.bias, -bound, bound, generator=generator)

    # The products: G groups, K = inputs of one output, L = windows of one sample

    def _products(self, x: Array, counts: Sequence[int]) -> Array:
        """y = W · columns(x)."""
        weight = self._weight_matrices()
        y = np.empty((len(x), *weight.shape[:2], math.prod(counts)), x.dtype)
        for block, columns in self._columns(x, counts):
            np.matmul(weight, columns, out=y[block])
        return y.reshape(len(x), len(self.weight.data), *counts)

    def _products_dx(self, dy: Array, sizes: Sequence[int]) -> Array:
        """dx = Σ Wᵀ · dy, each column added where it was taken from."""
        weight, kernel = self._weight_matrices().transpose(0, 2, 1), self.kernel_size
        dx = np.zeros((len(dy), self.weight.shape[1] * self.groups, *sizes), dy.dtype)
        grouped = self._grouped(dy)
        for block in self._blocks(len(dy), weight[..., 0].size * grouped.shape[-1] * dy.itemsize):
            part = dx[block]
            columns = np.matmul(weight, grouped[block])
            self.windows.add_up(columns.reshape(*part.shape[:2], *kernel, *dy.shape[2:]), part)
        return dx

    def _products_dw(self, x: Array, dy: Array) -> Array:
        """dW = Σ dy · columns(x)ᵀ over the batch."""
        dw = np.zeros(self._weight_matrices().shape, dy.dtype)
        grouped = self._grouped(dy)
        for block, columns in self._columns(x, dy.shape[2:]):
            dw += np.add.reduce(np.matmul(grouped[block], columns.transpose(0, 1, 3, 2)), axis=0)
        return dw.reshape(self.weight.shape)

    def _weight_matrices(self) -> Array:
        """(G, outputs / G, K)."""
        weight = self.weight.data
        return weight.reshape(self.groups, len(weight) // self.groups, -1)

    def _grouped(self, dy: Array) -> Array:
        """(N, G, outputs / G, L)."""
        return dy.reshape(len(dy), self.groups, dy.shape[1] // self.groups, math.prod(dy.shape[2:]))

    def _columns(self, x: Array, counts: Sequence[int]) -> Iterator[tuple[slice, Array]]:
        """(block, G, K, L), block after block of the batch."""
        windows = self.windows.view(x, counts)
        inputs = math.prod(windows.shape[1 : 2 + self._dims])
        shape = (self.groups, inputs // self.groups, math.prod(counts))
        for block in self._blocks(len(x), inputs * shape[2] * x.itemsize):
            part = windows[block]
            yield block, part.reshape(len(part), *shape)

    @staticmethod
    def _blocks(samples: int, sample_bytes: int) -> Iterator[slice]:
        step = max(1, BLOCK // max(1, sample_bytes))
        return (slice(start, start + step) for start in range(0, samples, step))

    # What is done around the products

    def _with_bias(self, y: Array) -> Array:
        if self.bias is not None:
            y += self.bias.data.reshape(-1, *(1,) * self._dims)
        return y

    def _accumulate(self, padded: Array, outputs: Array, dy: Array) -> None:
        """The gradients of the weight, from both sides of its products, and of the bias."""
        if self.weight.requires_grad:
            self.weight.accumulate(self._products_dw(padded, outputs))
        if self.bias is not None:
            self.bias.accumulate(np.add.reduce(dy, axis=(0, *range(2, dy.ndim))))

    def _require_channels(self, shape: tuple[int, ...]) -> None:
        dims = self._dims
        if len(shape) not in (dims + 1, dims + 2) or shape[-dims - 1] != self.in_channels:
            raise errors.wrong_shape(self, "x", either(self.in_channels, dims), shape, self._way_out(shape))

    def _way_out(self, shape: tuple[int, ...]) -> str:
        dims = self._dims
        if len(shape) in (dims + 1, dims + 2) and shape[-1] == self.in_channels:
            return f"The channels come before the space: numpy.moveaxis(x, -1, {-dims - 1})."
        if len(shape) == dims + 1 and self.in_channels == 1:
            return "Give each sample its one channel: x[:, None]."
        return f"The channels, in_channels = {self.in_channels}, come right before {', '.join(LETTERS[dims])}."

    def _require_sizes(self, shape: tuple[int, ...], least: Sequence[int], way_out: str) -> None:
        if any(n < need for n, need in zip(shape[-self._dims :], least, strict=True)):
            before = f"N, {self.in_channels}" if len(shape) == self._dims + 2 else str(self.in_channels)
            raise errors.wrong_shape(self, "x", layout(before, least), shape, way_out)

    def _arguments(self) -> list[str]:
        """One number for a tuple of equal ones, and nothing for the default."""
        shown = [repr(self.in_channels), repr(self.out_channels), repr(one_for_all(self.kernel_size))]
        sizes = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1}
        given = {name: getattr(self, name, (default,)) for name, default in sizes.items()}
        plain = {name: value if isinstance(value, str) else one_for_all(value) for name, value in given.items()}
        shown += [f"{name}={value!r}" for name, value in plain.items() if value != sizes[name]]
        return shown + [part for part in arguments.shown(self)[3:] if part.split("=")[0] not in sizes]


class _Conv(_Convolution):
    """Each output from the window of its inputs."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        owner = type(self).__name__
        errors.refuse(owner, device=(device, None, errors.CPU_ONLY))
        self._set_sizes(in_channels, out_channels, groups, kernel_size, stride, dilation)
        if isinstance(padding, str):
            self.padding = arguments.one_of(owner, "padding", padding, ("same", "valid"))
        else:
            self.padding = arguments.integers(owner, "padding", padding, self._dims, 0, single=True)
        if padding == "same" and any(step != 1 for step in self.stride):
            raise ValueError(f"{owner}: expected stride to be 1 with padding='same', got {stride!r}.")
        modes = ("zeros", "reflect", "replicate", "circular")
        self.padding_mode = arguments.one_of(owner, "padding_mode", padding_mode, modes)
        self._set_weights((self.out_channels, self.in_channels // self.groups), bias, dtype, generator)

    @property
    def widths(self) -> Widths:
        if self.padding == "valid":
            return [(0, 0)] * self._dims
        if self.padding == "same":  # an odd number of values has one more after than before
            return [((extent - 1) // 2, extent // 2) for extent in self.windows.extent]
        return [(int(width), int(width)) for width in self.padding]

    def forward(self, x: Array) -> Array:
        errors.require_dtype(self, "x", x, self.weight.dtype)
        self.require_shape(x.shape)
        batch = x if x.ndim == self._dims + 2 else x[None]
        padded = pad(batch, self.widths, self.padding_mode)
        y = self._with_bias(self._products(padded, self.windows.counts(padded.shape[2:])))
        return self.keep(y if batch is x else y[0], padded, batch.shape)

    def backward(self, grad_output: Array) -> Array:
        padded, shape, dy = self._walk_back(grad_output)
        dpadded = self._products_dx(dy, padded.shape[2:])
        dx = pad_backward(dpadded, self.widths, self.padding_mode, shape)
        return dx if dy is grad_output else dx[0]

    def backward_parameters(self, grad_output: Array) -> None:
        self._walk_back(grad_output)

    def require_shape(self, shape: tuple[int, ...]) -> None:
        """LinkShapeError unless it takes x of this shape."""
        self._require_channels(shape)
        widths, extent, mode = self.widths, self.windows.extent, self.padding_mode
        least = [max(1, e - b - a, least_size(mode, b, a)) for e, (b, a) in zip(extent, widths, strict=True)]
        self._require_sizes(shape, least, "The kernel and its padding need as much: take smaller ones.")

    def _walk_back(self, grad_output: Array) -> tuple[Array, tuple[int, ...], Array]:
        """The gradients of the parameters; the padded input, the shape without padding, and dy, all as a batch."""
        padded, shape = self.release(grad_output)
        dy = grad_output if grad_output.ndim == padded.ndim else grad_output[None]
        self._accumulate(padded, dy, dy)
        return padded, shape, dy


class Conv1d(_Conv):
    """y = W ⋆ x + b over one dimension: each output is one window of x, weighted by one kernel.

    The sign ⋆ means that the kernel slides over x, unflipped:
    y[n, o, l] = b[o] + Σ_c Σ_k W[o, c, k] · x[n, c, l · stride + k · dilation − padding], c in the group of o.
    Derivative: dW[o, c, k] = Σ dy · x at those places, db = Σ dy over batch and places, dx = Σ_o Σ_k W[o, c, k] · dy.

    Parameters
    ----------
    in_channels : int
        Channels of x, ≥ 1.
    out_channels : int
        Channels of y, ≥ 1.
    kernel_size : int or tuple of int
        Size of the window, ≥ 1.
    stride : int or tuple of int
        Step from one window to the next, ≥ 1.
    padding : int, tuple of int or str
        ≥ 0 on both sides, 'valid' (0) or 'same' (L' = L, for stride 1).
    dilation : int or tuple of int
        Distance between two values of a window, ≥ 1.
    groups : int
        A divisor of both channels: each group of outputs sees its group of inputs.
    bias : bool
        Whether there is a bias.
    padding_mode : str
        'zeros', 'reflect', 'replicate' or 'circular', as the links ReflectionPad, ReplicationPad and
        CircularPad.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        For an argument that is not as described above, for channels that are no multiple of groups, and for
        padding='same' with a stride other than 1.
    LinkShapeError
        For an x that has not in_channels channels, or that is smaller, with its padding, than the kernel spans.

    Notes
    -----
    x: (N, in_channels, L) or (in_channels, L) → y: (…, out_channels, L'), L' = ⌊(L + 2 padding − dilation (kernel_size
    − 1) − 1) / stride⌋ + 1. weight: (out_channels, in_channels / groups, kernel_size); bias: (out_channels). Initial
    weights: U(±1/√fan) for both, fan = in_channels / groups · kernel_size (PyTorch's law and its bits).

    References
    ----------
    LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.Conv1d(1, 1, 2, bias=False, dtype="float64")
    >>> link.weight.data[...] = [[[-1, 1]]]
    >>> link(np.array([[1.0, 4.0, 9.0]]))
    array([[3., 5.]])
    """

    _dims = 1


class Conv2d(_Conv):
    """y = W ⋆ x + b over two dimensions: each output is one window of an image, weighted by one kernel.

    The sign ⋆ means that the kernel slides over x, unflipped:
    y[n, o, i, j] = b[o] + Σ_c Σ_k Σ_l W[o, c, k, l] · x[n, c, i', j'] with i' = i · stride + k · dilation − padding,
    j' = j · stride + l · dilation − padding, c in the group of o. Each of kernel_size, stride, padding and dilation may
    be a pair, one number for each dimension: the first for i and k, the second for j and l.
    Derivative: dW[o, c, k, l] = Σ dy · x at those places, db = Σ dy over batch and places,
    dx = Σ_o Σ_k Σ_l W[o, c, k, l] · dy.

    Parameters
    ----------
    in_channels : int
        Channels of x, ≥ 1.
    out_channels : int
        Channels of y, ≥ 1.
    kernel_size : int or tuple of int
        Size of the window, ≥ 1.
    stride : int or tuple of int
        Step from one window to the next, ≥ 1.
    padding : int, tuple of int or str
        ≥ 0 on both sides, 'valid' (0) or 'same' (H' = H and W' = W, for stride 1).
    dilation : int or tuple of int
        Distance between two values of a window, ≥ 1.
    groups : int
        A divisor of both channels: each group of outputs sees its group of inputs.
    bias : bool
        Whether there is a bias.
    padding_mode : str
        'zeros', 'reflect', 'replicate' or 'circular', as the links ReflectionPad, ReplicationPad and
        CircularPad.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        For an argument that is not as described above, for channels that are no multiple of groups, and for
        padding='same' with a stride other than 1.
    LinkShapeError
        For an x that has not in_channels channels, or that is smaller, with its padding, than the kernel spans.

    Notes
    -----
    x: (N, in_channels, H, W) or (in_channels, H, W) → y: (…, out_channels, H', W'), where
    H' = ⌊(H + 2 padding − dilation (k_h − 1) − 1) / stride⌋ + 1 for a kernel of k_h rows, and W' likewise for its k_w
    columns. weight: (out_channels, in_channels / groups, k_h, k_w); bias: (out_channels). Initial weights: U(±1/√fan)
    for both, fan = in_channels / groups · k_h · k_w (PyTorch's law and its bits).

    References
    ----------
    LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2))
    >>> link(np.zeros((4, 3, 28, 28), np.float32)).shape
    (4, 8, 14, 14)
    """

    _dims = 2


class _ConvTranspose(_Convolution):
    """Each input to the window of its outputs.

    With respect to the weight and the products, `y` is what a convolution takes, and `x` what it gives.
    """

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
        if not isinstance(padding_mode, str) or padding_mode != "zeros":
            raise ValueError(f"{owner}: expected padding_mode to be 'zeros', got {padding_mode!r}.")
        self.padding_mode = padding_mode
        self._set_sizes(in_channels, out_channels, groups, kernel_size, stride, dilation)
        self.padding = arguments.integers(owner, "padding", padding, self._dims, 0, single=True)
        added = arguments.integers(owner, "output_padding", output_padding, self._dims, 0, single=True)
        self.output_padding = added
        pairs = zip(self.stride, self.dilation, strict=True)
        if any(n >= max(pair) for n, pair in zip(self.output_padding, pairs, strict=True)):
            raise ValueError(
                f"{owner}: expected output_padding to be less than stride or dilation, got {output_padding!r}."
            )
        self._set_weights((self.in_channels, self.out_channels // self.groups), bias, dtype, generator)

    def forward(self, x: Array, output_size: Sequence[int] | None = None) -> Array:
        errors.require_dtype(self, "x", x, self.weight.dtype)
        batch = x if x.ndim == self._dims + 2 else x[None]
        sizes = self.output_sizes(x.shape, output_size)
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

    def output_sizes(self, shape: tuple[int, ...], wanted: Sequence[int] | None = None) -> list[int]:
        """(n − 1) stride − 2 padding + dilation (kernel_size − 1) + 1, and what is added after it.

        LinkShapeError unless it takes x of this shape.
        """
        self._require_channels(shape)
        given, dims = shape[-self._dims :], self._dims
        if 0 in given:
            self._require_sizes(shape, [1] * dims, "A kernel is laid down at each place of x.")
        smallest = [n - 2 * p for n, p in zip(self.windows.sizes(given), self.padding, strict=True)]
        if wanted is None:
            sizes = [n + more for n, more in zip(smallest, self.output_padding, strict=True)]
        else:
            sizes = self._wanted_sizes(shape, wanted, smallest)
        if min(sizes) < 0:
            missing = [max(0, -(size // stride)) for size, stride in zip(sizes, self.stride, strict=True)]
            least = [n + more if more else 1 for n, more in zip(given, missing, strict=True)]
            self._require_sizes(shape, least, "The padding crops more than there is.")
        return sizes

    def _wanted_sizes(self, shape: tuple[int, ...], wanted: Sequence[int], smallest: Sequence[int]) -> list[int]:
        dims = self._dims
        sizes = list(wanted)[-dims:]
        most = [n + stride - 1 for n, stride in zip(smallest, self.stride, strict=True)]
        fits = len(wanted) in (dims, len(shape)) and all(
            low <= n <= high for low, n, high in zip(smallest, sizes, most, strict=True)
        )
        if not fits:
            ranges = ", ".join(f"{low}…{high}" for low, high in zip(smallest, most, strict=True))
            raise errors.LinkShapeError(
                f"{self!r}: expected output_size of {dims} sizes ({ranges}), got {tuple(wanted)}. "
                f"The stride leaves this choice for x of shape {shape}."
            )
        return sizes


class ConvTranspose1d(_ConvTranspose):
    """The transpose of Conv1d: each value of x lays the kernel, weighted by itself, on its window of y.

    y[n, o, l · stride + k · dilation − padding] = b[o] + Σ_c W[c, o, k] · x[n, c, l], summed over all l and k that meet
    there, c in the group of o.
    Derivative: dx is Conv1d of dy with the same weight, dW[c, o, k] = Σ x · dy at those places, db = Σ dy.

    Parameters
    ----------
    in_channels : int
        Channels of x, ≥ 1.
    out_channels : int
        Channels of y, ≥ 1.
    kernel_size : int or tuple of int
        Size of the window, ≥ 1.
    stride : int or tuple of int
        Step from one window to the next, ≥ 1.
    padding : int or tuple of int
        ≥ 0: cropped on both sides.
    output_padding : int or tuple of int
        Added after the end, less than stride or dilation.
    groups : int
        A divisor of both channels: each group of outputs sees its group of inputs.
    bias : bool
        Whether there is a bias.
    dilation : int or tuple of int
        Distance between two values of a window, ≥ 1.
    padding_mode : str
        'zeros' only.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        For an argument that is not as described above, and for channels that are no multiple of groups.
    LinkShapeError
        For an x that has not in_channels channels, an x of which the padding crops more than there is, or an
        output_size that the stride does not leave a choice for.

    Notes
    -----
    x: (N, in_channels, L) or (in_channels, L) → y: (…, out_channels, L'), L' = (L − 1) stride − 2 padding + dilation
    (kernel_size − 1) + output_padding + 1; `forward(x, output_size)` gives L' (or y's shape) instead. weight:
    (in_channels, out_channels / groups, kernel_size); bias: (out_channels). Initial weights: U(±1/√fan) for both, fan =
    out_channels / groups · kernel_size (PyTorch's law and its bits).

    References
    ----------
    Zeiler et al., "Deconvolutional Networks", 2010.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.ConvTranspose1d(1, 1, 2, stride=2, bias=False, dtype="float64")
    >>> link.weight.data[...] = [[[1, 10]]]
    >>> link(np.array([[1.0, 2.0]]))
    array([[ 1., 10.,  2., 20.]])
    """

    _dims = 1


class ConvTranspose2d(_ConvTranspose):
    """The transpose of Conv2d: each value of x lays the kernel, weighted by itself, on its window of y.

    y[n, o, i', j'] = b[o] + Σ_c W[c, o, k, l] · x[n, c, i, j] with i' = i · stride + k · dilation − padding,
    j' = j · stride + l · dilation − padding, summed over all i, j, k and l that meet there, c in the group of o.
    Each of kernel_size, stride, padding, output_padding and dilation may be a pair, one number for each dimension: the
    first for i and k, the second for j and l.
    Derivative: dx is Conv2d of dy with the same weight, dW[c, o, k, l] = Σ x · dy at those places, db = Σ dy.

    Parameters
    ----------
    in_channels : int
        Channels of x, ≥ 1.
    out_channels : int
        Channels of y, ≥ 1.
    kernel_size : int or tuple of int
        Size of the window, ≥ 1.
    stride : int or tuple of int
        Step from one window to the next, ≥ 1.
    padding : int or tuple of int
        ≥ 0: cropped on both sides.
    output_padding : int or tuple of int
        Added after the end, less than stride or dilation.
    groups : int
        A divisor of both channels: each group of outputs sees its group of inputs.
    bias : bool
        Whether there is a bias.
    dilation : int or tuple of int
        Distance between two values of a window, ≥ 1.
    padding_mode : str
        'zeros' only.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        For an argument that is not as described above, and for channels that are no multiple of groups.
    LinkShapeError
        For an x that has not in_channels channels, an x of which the padding crops more than there is, or an
        output_size that the stride does not leave a choice for.

    Notes
    -----
    x: (N, in_channels, H, W) or (in_channels, H, W) → y: (…, out_channels, H', W'), where
    H' = (H − 1) stride − 2 padding + dilation (k_h − 1) + output_padding + 1 for a kernel of k_h rows, and W' likewise
    for its k_w columns; `forward(x, output_size)` gives (H', W') (or y's shape) instead. weight: (in_channels,
    out_channels / groups, k_h, k_w); bias: (out_channels). Initial weights: U(±1/√fan) for both,
    fan = out_channels / groups · k_h · k_w (PyTorch's law and its bits).

    References
    ----------
    Zeiler et al., "Deconvolutional Networks", 2010.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.ConvTranspose2d(8, 3, 4, stride=2, padding=1)
    >>> link(np.zeros((5, 8, 14, 14), np.float32)).shape
    (5, 3, 28, 28)
    """

    _dims = 2
