"""Links of a student's own with keep and release: convolution, pooling, recurrence, attention, and one mistake each."""

from typing import Any, NamedTuple

import numpy as np

from maillon.nn import Module, Parameter
from maillon.random import Generator
from maillon.typing import Array

DRAW = Generator(17)
IMAGES = DRAW.normal((3, 2, 7, 6), dtype=np.float64)
SERIES = DRAW.normal((3, 4, 2), dtype=np.float64)
TOKENS = DRAW.normal((3, 2, 4, 4), dtype=np.float64)


class WrongLink(NamedTuple):
    name: str
    rule: int
    words: str
    make: type[Module]
    inputs: tuple[Array, ...]


WRONG_LINKS: list[WrongLink] = []


def link(name: str, rule: int, words: str, *inputs: Array) -> Any:
    def enter(made: type[Module]) -> type[Module]:
        WRONG_LINKS.append(WrongLink(name, rule, words, made, inputs))
        return made

    return enter


def drawn(*shape: int) -> Parameter:
    return Parameter(Generator(3).normal(shape, dtype=np.float64))


class Conv(Module):
    """A convolution by loops over the kernel: x (N, 2, H, W) → y (N, 3, H', W'), kernel 3, stride 2, padding 1."""

    stride, padding = 2, 1

    def __init__(self) -> None:
        self.weight, self.bias = drawn(3, 2, 3, 3), drawn(3)

    def forward(self, x: Array) -> Any:
        p, s = self.padding, self.stride
        padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        h, w = (padded.shape[2] - 3) // s + 1, (padded.shape[3] - 3) // s + 1
        y = np.zeros((len(x), 3, h, w), x.dtype) + self.bias.data[:, None, None]
        for i in range(3):
            for j in range(3):
                seen = padded[:, :, i : i + s * h : s, j : j + s * w : s]
                y += np.einsum("nchw,oc->nohw", seen, self.weight.data[:, :, i, j])
        return self.keep(y, padded)

    def backward(self, grad_output: Array) -> Any:
        (padded,) = self.release(grad_output)
        self.weight.accumulate(self.dw(padded, grad_output))
        self.bias.accumulate(self.db(grad_output))
        return self.crop(self.dx(padded, grad_output))

    def dw(self, padded: Array, dy: Array) -> Any:
        dw, (h, w), s = np.zeros_like(self.weight.data), dy.shape[2:], self.stride
        for i in range(3):
            for j in range(3):
                dw[:, :, i, j] = np.einsum("nchw,nohw->oc", padded[:, :, i : i + s * h : s, j : j + s * w : s], dy)
        return dw

    def db(self, dy: Array) -> Any:
        return dy.sum(axis=(0, 2, 3))

    def dx(self, padded: Array, dy: Array, kernel: Array | None = None, stride: int | None = None) -> Any:
        kernel, s = self.weight.data if kernel is None else kernel, stride or self.stride
        dx, (h, w) = np.zeros_like(padded), dy.shape[2:]
        for i in range(3):
            for j in range(3):
                dx[:, :, i : i + s * h : s, j : j + s * w : s] += np.einsum("nohw,oc->nchw", dy, kernel[:, :, i, j])
        return dx

    def crop(self, dx: Array) -> Any:
        p = self.padding
        return dx[:, :, p:-p, p:-p]


@link("Conv: the kernel flipped in the input's gradient", 1, "weight is flipped along axes 2, 3", IMAGES)
class KernelFlipped(Conv):
    def dx(self, padded, dy, kernel=None, stride=None):
        return super().dx(padded, dy, self.weight.data[:, :, ::-1, ::-1])


@link("Conv: the kernel's gradient flipped", 1, "a convolution in place of a cross-correlation", IMAGES)
class GradientFlipped(Conv):
    def dw(self, padded, dy):
        return super().dw(padded, dy)[:, :, ::-1, ::-1]


@link("Conv: height and width of the kernel exchanged", 1, "Its axes 2, 3 are exchanged.", IMAGES)
class KernelTurned(Conv):
    def dw(self, padded, dy):
        return super().dw(padded, dy).transpose(0, 1, 3, 2)


@link("Conv: stride ignored in the backward", 1, "The stride of 2 is ignored", IMAGES)
class StrideIgnored(Conv):
    padding = 0

    def dx(self, padded, dy, kernel=None, stride=None):
        return super().dx(padded, dy, stride=1)

    def crop(self, dx):
        return dx


@link("Conv: bias gradient summed over the batch only", 2, "It is not summed over", IMAGES)
class BiasOverBatch(Conv):
    def db(self, dy):
        return dy.sum(axis=(0, 2))


@link("Conv: bias gradient averaged", 1, "a mean in place of a sum", IMAGES)
class BiasMean(Conv):
    def db(self, dy):
        return dy.sum(axis=(2, 3)).mean(axis=0)


@link("Conv: the padded gradient returned", 4, "float64 of shape (3, 2, 9, 8)", IMAGES)
class NotCropped(Conv):
    def crop(self, dx):
        return dx


@link("Conv: the last example left out", 1, "The share of the last place of axis 0 of the output is missing.", IMAGES)
class LastExample(Conv):
    def dw(self, padded, dy):
        return super().dw(padded[:-1], dy[:-1])


@link("Conv: the last column left out", 1, "The share of the last place of axis 3 of the output is missing.", IMAGES)
class LastColumn(Conv):
    def dx(self, padded, dy, kernel=None, stride=None):
        dy = dy.copy()
        dy[..., -1] = 0
        return super().dx(padded, dy)


@link("Conv: sign", 1, "The sign is wrong.", IMAGES)
class ConvSign(Conv):
    def dx(self, padded, dy, kernel=None, stride=None):
        return -super().dx(padded, dy)


@link("Conv: gradient overwritten", 2, "the new gradient alone", IMAGES)
class ConvOverwritten(Conv):
    def backward(self, grad_output):
        self.weight.grad = None
        return super().backward(grad_output)


class Pool(Module):
    """The largest of windows of 3, one further each: they overlap."""

    def forward(self, x: Array) -> Any:
        windows = np.lib.stride_tricks.sliding_window_view(x, 3, axis=3)
        return self.keep(windows.max(axis=-1), x, windows.argmax(axis=-1))

    def backward(self, grad_output: Array) -> Any:
        x, best = self.release(grad_output)
        dx = np.zeros_like(x)
        n, c, h, _ = np.indices(best.shape)
        self.give(dx, (n, c, h, best + np.arange(best.shape[3])), grad_output)
        return dx

    def give(self, dx: Array, where: Any, dy: Array) -> None:
        np.add.at(dx, where, dy)


@link(
    "Pool: overlapping windows overwrite", 1, "Where windows overlap, a later share overwrites an earlier one", IMAGES
)
class PoolOverwrites(Pool):
    def give(self, dx, where, dy):
        dx[where] = dy


@link("Pool: without delta", 1, "It is not multiplied by grad_output.", IMAGES)
class PoolNoDelta(Pool):
    def give(self, dx, where, dy):
        np.add.at(dx, where, 1.0)


@link("Pool: the last window left out", 1, "The share of the last place of axis 3 of the output is missing.", IMAGES)
class PoolLast(Pool):
    def give(self, dx, where, dy):
        np.add.at(dx, tuple(part[..., :-1] for part in where), dy[..., :-1])


class Recurrent(Module):
    """h_t = tanh(x_t A + h_{t−1} B), every h_t is put out: x (N, T, 2) → h (N, T, 3)."""

    def __init__(self) -> None:
        self.A, self.B = drawn(2, 3), drawn(3, 3)

    def forward(self, x: Array) -> Any:
        h, states = np.zeros((len(x), 3), x.dtype), []
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ self.A.data + h @ self.B.data)
            states.append(h)
        return self.keep(np.stack(states, axis=1), x, np.stack(states, axis=1))

    def backward(self, grad_output: Array) -> Any:
        x, states = self.release(grad_output)
        dx, dh = np.zeros_like(x), np.zeros_like(states[:, 0])
        for t in reversed(range(x.shape[1])):
            dz = self.through(grad_output[:, t], dh, states[:, t])
            before = states[:, t - 1] if t else np.zeros_like(dh)
            self.A.accumulate(x[:, t].T @ dz)
            self.B.accumulate(self.recurrent(before, states[:, t], dz))
            dx[:, t] = dz @ self.A.data.T
            dh = self.back(dz)
        return dx

    def through(self, dy: Array, dh: Array, h: Array) -> Any:
        return (dy + dh) * (1 - h**2)

    def recurrent(self, before: Array, after: Array, dz: Array) -> Any:
        return before.T @ dz

    def back(self, dz: Array) -> Any:
        return dz @ self.B.data.T


@link("Recurrent: nothing goes back through time", 1, "Nothing flows from one place of axis 1 to another", SERIES)
class NoTime(Recurrent):
    def back(self, dz):
        return np.zeros_like(dz)


@link("Recurrent: B transposed going back", 1, "elements are wrong, by up to", SERIES)
class Transposed(Recurrent):
    def back(self, dz):
        return dz @ self.B.data


@link("Recurrent: gradient of the last step only", 1, "the last place of axis 1 of the output only", SERIES)
class LastOnly(Recurrent):
    def backward(self, grad_output):
        last = np.zeros_like(grad_output)
        last[:, -1] = grad_output[:, -1]
        return super().backward(last)


@link("Recurrent: the state of the step itself for B", 1, "elements are wrong, by up to", SERIES)
class StateAfter(Recurrent):
    def recurrent(self, before, after, dz):
        return after.T @ dz


@link("Recurrent: B's gradient transposed", 1, "It is transposed.", SERIES)
class BTransposed(Recurrent):
    def recurrent(self, before, after, dz):
        return dz.T @ before


@link("Recurrent: the state of the last call goes on", 1, "two different ones", SERIES)
class NotReset(Recurrent):
    calls = 0

    def forward(self, x):
        NotReset.calls += 1
        return super().forward(x + 0.1 * NotReset.calls)


class Attention(Module):
    """softmax(q kᵀ / √d) v: q, k, v (N, T, 4) → y (N, T, 4)."""

    def forward(self, q: Array, k: Array, v: Array) -> Any:
        scores = q @ k.transpose(0, 2, 1) / 2.0
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = weights / weights.sum(axis=-1, keepdims=True)
        return self.keep(weights @ v, q, k, v, weights)

    def backward(self, grad_output: Array) -> Any:
        q, k, v, weights = self.release(grad_output)
        ds = self.softmax(weights, grad_output @ v.transpose(0, 2, 1))
        return self.queries(ds, k), self.keys(ds, q), self.values(weights, grad_output)

    def values(self, weights: Array, dy: Array) -> Any:
        return weights.transpose(0, 2, 1) @ dy

    def softmax(self, p: Array, dp: Array) -> Any:
        return p * (dp - (p * dp).sum(axis=-1, keepdims=True))

    def queries(self, ds: Array, k: Array) -> Any:
        return ds @ k / 2.0

    def keys(self, ds: Array, q: Array) -> Any:
        return ds.transpose(0, 2, 1) @ q / 2.0


@link("Attention: the scale 1/√d forgotten going back", 1, "the division by the square root of 4 is missing", *TOKENS)
class NoScale(Attention):
    def queries(self, ds, k):
        return ds @ k


@link("Attention: gradients of queries and keys exchanged", 1, "the gradient of input k: are the two", *TOKENS)
class QueriesKeys(Attention):
    def backward(self, grad_output):
        dq, dk, dv = super().backward(grad_output)
        return dk, dq, dv


@link("Attention: the softmax without its cross terms", 1, "elements are wrong, by up to", *TOKENS)
class AttentionDiagonal(Attention):
    def softmax(self, p, dp):
        return p * (1 - p) * dp


@link("Attention: the softmax's sum over the queries", 1, "elements are wrong, by up to", *TOKENS)
class AttentionAxis(Attention):
    def softmax(self, p, dp):
        return p * (dp - (p * dp).sum(axis=1, keepdims=True))


@link("Attention: weights not transposed for the values", 1, "elements are wrong, by up to", *TOKENS)
class ValuesTurned(Attention):
    def values(self, weights, dy):
        return weights @ dy


@link("Attention: no gradient of the keys", 1, "gradient of input k: expected", *TOKENS)
class NoKeys(Attention):
    def keys(self, ds, q):
        return np.zeros_like(q)


RIGHT_LINKS: list[tuple[type[Module], tuple[Array, ...]]] = [
    (Conv, (IMAGES,)),
    (Pool, (IMAGES,)),
    (Recurrent, (SERIES,)),
    (Attention, tuple(TOKENS)),
]
"""What the wrong ones are made from."""
