"""Joints: Add, WeightedSum, Multiply and Concat make one output of several inputs, Residual and Parallel call links."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from maillon.messages import got
from maillon.nesting import added, leaves
from maillon.nn.containers import Links, handed
from maillon.nn.module import Module
from maillon.nn.support import arguments, errors
from maillon.typing import Array


class _Join(Module):
    """One output of several inputs: given as such, or as one tuple, and the gradient nested alike."""

    def forward(self, *inputs: Any) -> Any:
        parts, nested = _several(inputs)
        if not parts:
            raise errors.LinkShapeError(f"{self!r}: expected at least one input, got none.")
        errors.require_floating(self, "input 0", parts[0])
        for place, part in enumerate(parts[1:], 1):
            errors.require_dtype(self, f"input {place}", part, parts[0].dtype)
        self._check(parts)
        y, *kept = self.join(parts)
        return self.keep(np.asarray(y), nested, *kept)

    def backward(self, grad_output: Any) -> Any:
        nested, *kept = self.release(grad_output)
        return _nested(self.part(grad_output, *kept), nested)

    def join(self, inputs: tuple[Array, ...]) -> tuple[Any, ...]:
        """The output, and what its derivative needs."""
        raise NotImplementedError

    def part(self, dy: Array, *kept: Any) -> list[Array]:
        """∂loss/∂input for each input."""
        raise NotImplementedError

    def _check(self, inputs: tuple[Array, ...]) -> None:
        shape = inputs[0].shape
        for place, x in enumerate(inputs):
            if x.shape != shape:
                way_out = "Nothing is broadcast: bring both to one shape, with a Linear for instance."
                raise errors.wrong_shape(self, f"input {place}", f"{shape}, that of input 0", x.shape, way_out)


class Add(_Join):
    """y = x₁ + x₂ + …; dxᵢ = dy.

    Raises
    ------
    LinkShapeError
        When the shapes differ.
    LinkDtypeError
        When the dtypes differ.

    Notes
    -----
    x₁, x₂, …: one or more inputs of one shape and dtype, or one tuple of them → y: the same shape. Nothing is
    broadcast.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Add()(np.ones(2), np.array([2.0, 3.0]))
    array([3., 4.])
    """

    def join(self, inputs: tuple[Array, ...]) -> tuple[Any, ...]:
        return sum(inputs[1:], start=inputs[0]), len(inputs)

    def part(self, dy: Array, *kept: Any) -> list[Array]:
        (count,) = kept
        return [dy] * count


class WeightedSum(_Join):
    """y = w₁ x₁ + w₂ x₂ + … with constant weights; dxᵢ = wᵢ dy.

    For instance the mean of an ensemble: ``Sequential(Parallel(a, b, c), WeightedSum((0.5, 0.25, 0.25)))``.

    Parameters
    ----------
    weights : sequence of float
        One finite number for each input. They do not learn.

    Raises
    ------
    LinkShapeError
        For another number of inputs than of weights, or when the shapes differ.
    LinkDtypeError
        When the dtypes differ.
    ValueError
        Without a weight, or for one that is no finite number.

    Notes
    -----
    x₁, x₂, …: as many inputs of one shape and dtype as there are weights, or one tuple of them → y: the same shape.
    Nothing is broadcast.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> mean = maillon.WeightedSum((0.5, 0.25, 0.25))
    >>> mean(np.array([4.0, 0.0]), np.array([0.0, 8.0]), np.array([8.0, 0.0]))
    array([4., 2.])
    >>> mean.backward(np.ones(2))
    (array([0.5, 0.5]), array([0.25, 0.25]), array([0.25, 0.25]))
    """

    def __init__(self, weights: Sequence[float]) -> None:
        if not arguments.is_sequence(weights) or not weights:
            raise ValueError(f"WeightedSum: expected weights to be a sequence of at least one number, got {weights!r}.")
        self.weights = tuple(
            float(arguments.number("WeightedSum", f"weights[{place}]", weight, finite=True))
            for place, weight in enumerate(weights)
        )

    def join(self, inputs: tuple[Array, ...]) -> tuple[Any, ...]:
        first, *others = (weight * x for weight, x in zip(self.weights, inputs, strict=True))
        return (sum(others, start=first),)

    def part(self, dy: Array, *kept: Any) -> list[Array]:
        return [weight * dy for weight in self.weights]

    def _check(self, inputs: tuple[Array, ...]) -> None:
        if len(inputs) != len(self.weights):
            raise errors.LinkShapeError(
                f"{self!r}: expected {len(self.weights)} inputs, one for each weight, got {len(inputs)}."
            )
        super()._check(inputs)


class Multiply(_Join):
    """y = x₁ · x₂ · …, value by value; dxᵢ = dy · Πⱼ xⱼ over all j ≠ i.

    The products of the others are made from the left and from the right, never by division: zeros do no harm.

    Raises
    ------
    LinkShapeError
        When the shapes differ.
    LinkDtypeError
        When the dtypes differ.

    Notes
    -----
    x₁, x₂, …: one or more inputs of one shape and dtype, or one tuple of them → y: the same shape. Nothing is
    broadcast.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> gate = maillon.Multiply()
    >>> gate(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
    array([0., 3.])
    >>> gate.backward(np.ones(2))
    (array([2., 3.]), array([0., 1.]))
    """

    def join(self, inputs: tuple[Array, ...]) -> tuple[Any, ...]:
        y = inputs[0]
        for x in inputs[1:]:
            y = y * x
        return y, inputs

    def part(self, dy: Array, *kept: Any) -> list[Array]:
        (inputs,) = kept
        grads = [dy]  # dy times everything to the left, then times everything to the right
        for x in inputs[:-1]:
            grads.append(grads[-1] * x)
        right = inputs[-1]
        for place in range(len(inputs) - 2, -1, -1):
            grads[place] = grads[place] * right
            right = right * inputs[place]
        return grads


class Concat(_Join):
    """y = concat(x₁, x₂, …) along `dim`; (dx₁, dx₂, …) = split(dy), each the part that came from its x.

    Parameters
    ----------
    dim : int
        1 stands for the channels or features of a batch; negative ones count from the last dimension.

    Raises
    ------
    LinkShapeError
        When there is no such dimension, or the others differ.
    LinkDtypeError
        When the dtypes differ.

    Notes
    -----
    x₁, x₂, …: one or more inputs of one dtype, or one tuple of them, their shapes equal but for `dim` → y: as long
    along `dim` as all of them together.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Concat()(np.zeros((1, 2)), np.ones((1, 3)))
    array([[0., 0., 1., 1., 1.]])
    """

    def __init__(self, dim: int = 1) -> None:
        self.dim = arguments.integer("Concat", "dim", dim, None)

    def join(self, inputs: tuple[Array, ...]) -> tuple[Any, ...]:
        return np.concatenate(inputs, axis=self.dim), [x.shape[self.dim] for x in inputs]

    def part(self, dy: Array, *kept: Any) -> list[Array]:
        (lengths,) = kept
        return np.split(dy, np.cumsum(lengths[:-1], dtype=np.intp), axis=self.dim)

    def _check(self, inputs: tuple[Array, ...]) -> None:
        first = inputs[0]
        if not -first.ndim <= self.dim < first.ndim:
            raise errors.LinkShapeError(
                f"{self!r}: expected input 0 with a dimension {self.dim}, got shape {first.shape}. "
                "The first dimension is the batch."
            )
        wanted: list[Any] = list(first.shape)
        wanted[self.dim] = "*"
        for place, x in enumerate(inputs):
            others = list(x.shape)
            if x.ndim == first.ndim:
                others[self.dim] = wanted[self.dim]
            if others != wanted:
                shape = f"({', '.join(map(str, wanted))}{',' if len(wanted) == 1 else ''}), like input 0"
                way_out = f"All dimensions but dim = {self.dim} must agree."
                raise errors.wrong_shape(self, f"input {place}", shape, x.shape, way_out)


class Residual(Module):
    """y = link(x) + x, or link(x) + shortcut(x); dx = link'(dy) + dy, or link'(dy) + shortcut'(dy).

    The way around the link: the gradient reaches what stands before it undiminished.

    Parameters
    ----------
    link : Module
        Any link; without a shortcut it must keep the shape of x.
    shortcut : Module, optional
        Any link.

    Raises
    ------
    LinkShapeError
        When the two outputs differ in shape.

    Notes
    -----
    x: what both take → y: the shape of both their outputs, which must be the same.

    References
    ----------
    He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016, figure 2.

    Examples
    --------
    >>> import maillon
    >>> maillon.Residual(maillon.Linear(2, 3), shortcut=maillon.Linear(2, 3, bias=False))
    Residual(Linear(2, 3), shortcut=Linear(2, 3, bias=False))
    """

    def __init__(self, link: Module, shortcut: Module | None = None) -> None:
        self.link = _link("Residual", "link", link)
        self.shortcut = None if shortcut is None else _link("Residual", "shortcut", shortcut)

    def forward(self, x: Array) -> Array:
        with errors.inside(self, "link"):
            y = self.link(x)
        around = x
        if self.shortcut is not None:
            with errors.inside(self, "shortcut"):
                around = self.shortcut(x)
        errors.require_floating(self, "x", x)
        errors.require_floating(self, "the link's output", y)
        errors.require_dtype(self, "the shortcut's output", around, y.dtype)
        if y.shape != around.shape:
            way_out = "Give a shortcut that leads to the link's shape, a Linear for instance."
            if self.shortcut is not None:
                way_out = "Both ways must lead to one shape."
            expected = f"{around.shape}, that of {'x' if self.shortcut is None else 'the shortcut'}"
            raise errors.wrong_shape(self, "the link's output", expected, y.shape, way_out)
        return self.keep(np.asarray(y + around))

    def backward(self, grad_output: Array) -> Any:
        self.release(grad_output)
        dx = grad_output
        if self.shortcut is not None:
            with errors.inside(self, "shortcut"):
                dx = self.shortcut.backward(grad_output)
        with errors.inside(self, "link"):
            return added(self.link.backward(grad_output), dx)

    def backward_parameters(self, grad_output: Array) -> None:
        self.release(grad_output)
        for name, link in self.named_children():
            with errors.inside(self, name):
                back_parameters(link, grad_output, grad_output)


class Parallel(Links):
    """y = (link₁(x₁), link₂(x₂), …), each link with an input of its own, or with one x for all: (link₁(x), …).

    Derivative, with link' a link's backward: dxᵢ = linkᵢ'(dyᵢ); for one x it is dx = Σᵢ linkᵢ'(dyᵢ).

    Parameters
    ----------
    *links : Module, or one dict of str to Module
        The links, in order; ``Parallel({"name": link, …})`` names them.

    Raises
    ------
    LinkShapeError
        For another number of inputs.
    ValueError
        Without a link.

    Notes
    -----
    Inputs: as many as there are links, given as such or as one tuple, or a single one, which all links get. A tuple
    among them becomes several inputs of a link that takes several, as in Sequential. → a tuple of as many outputs, for
    Concat, Add or Multiply for instance.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> network = maillon.Sequential(maillon.Parallel(maillon.Tanh(), maillon.ReLU()), maillon.Concat())
    >>> network(np.array([[-20.0, 3.0]])).round(3)
    array([[-1.   ,  0.995,  0.   ,  3.   ]])
    >>> network.backward(np.ones((1, 4))).round(3)
    array([[0.  , 1.01]])
    """

    def __init__(self, *links: Module | Mapping[str, Module]) -> None:
        super().__init__(*links)
        if not self._links:
            raise ValueError("Parallel: expected at least one link, got none.")

    def forward(self, *inputs: Any) -> tuple[Any, ...]:
        parts, nested = _several(inputs)
        given = parts * len(self._links) if len(parts) == 1 else parts
        if len(given) != len(self._links):
            raise errors.LinkShapeError(
                f"{errors.shown(self)}: expected {len(self._links)} inputs, one for each link, or one for all, got "
                f"{len(parts)}."
            )
        outputs = []
        for x, (name, link) in zip(given, self._links.items(), strict=True):
            with errors.inside(self, name):
                outputs.append(handed(link, x))
        y: tuple[Any, ...] = self.keep(tuple(outputs), tuple(outputs), len(parts), nested)
        return y

    def backward(self, grad_output: tuple[Any, ...]) -> Any:
        outputs, count, nested = self.release(grad_output)
        grads = []
        for y, dy, (name, link) in zip(outputs, grad_output, self._links.items(), strict=True):
            with errors.inside(self, name):
                grads.append(back(link, y, dy))
        return _nested(grads if count > 1 else [reduce(added, grads)], nested)

    def backward_parameters(self, grad_output: tuple[Any, ...]) -> None:
        outputs, *_ = self.release(grad_output)
        for y, dy, (name, link) in zip(outputs, grad_output, self._links.items(), strict=True):
            with errors.inside(self, name):
                back_parameters(link, y, dy)


def back(link: Module, output: Any, grad: Any) -> Any:
    """`link.backward`, where None is a gradient of zero; None when nothing of its output has a gradient."""
    if not any(map(_real, leaves(output))):
        link.forget()
        return None
    return link.backward(_given(output, grad))


def back_parameters(link: Module, output: Any, grad: Any) -> None:
    """The same for what learns in the link, if anything does."""
    if link.trains() and any(map(_real, leaves(output))):
        link.backward_parameters(_given(output, grad))
    else:
        link.forget()


def whole_gradient(value: Any, grad: Any) -> Any:
    """The gradient with zeros wherever it is None; None where the value is no real array and has none."""
    if isinstance(value, tuple):
        parts = (None,) * len(value) if grad is None else grad
        return tuple(whole_gradient(part, grad_part) for part, grad_part in zip(value, parts, strict=True))
    return np.zeros_like(value) if grad is None and _real(value) else grad


def _given(output: Any, grad: Any) -> Any:
    """A link need not make sense of nothing but None."""
    return whole_gradient(output, None) if all(leaf is None for leaf in leaves(grad)) else grad


def _real(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind == "f"


def _several(inputs: tuple[Any, ...]) -> tuple[tuple[Any, ...], bool]:
    """The inputs, given as such or as one tuple, and whether their gradient is a tuple."""
    if len(inputs) == 1:
        return (inputs[0], True) if type(inputs[0]) is tuple else (inputs, False)
    return inputs, True


def _nested(grads: list[Any], nested: bool) -> Any:
    return tuple(grads) if nested else grads[0]


def _link(owner: str, name: str, link: Any) -> Module:
    if not isinstance(link, Module):
        raise TypeError(f"{owner}: expected {name} to be a Module, {got(link)}")
    return link
