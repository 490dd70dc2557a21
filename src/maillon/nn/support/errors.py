"""What goes wrong in a link, worded in one place: where, expected, got, and the way out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from maillon.typing import Array, DType


class LinkError(Exception):
    """Something that a link cannot do with what it was given.

    A container that lets the error through adds its own name and the link's place, so the message begins with where in
    the network it happened: ``Sequential[0] Linear(784, 100): expected x of shape …``.

    Parameters
    ----------
    problem : str
        What was expected, what came, and the way out.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.container = ""
        self.path = ""

    def within(self, container: str, key: str) -> Self:
        """The same error, seen from the container around the link."""
        self.container = container
        self.path = f"[{key}]{self.path}"
        return self

    def __str__(self) -> str:
        return f"{self.container}{self.path} {self.problem}" if self.path else self.problem


@contextmanager
def inside(container: object, key: str) -> Iterator[None]:
    """For links made of links: an error of the link called `key` says where in the container it happened."""
    try:
        yield
    except LinkError as error:
        error.within(type(container).__name__, key)
        raise


class LinkShapeError(LinkError, ValueError):
    """An array has a shape that the link cannot take.

    Parameters
    ----------
    problem : str
        What was expected, what came, and the way out.
    """


class LinkValueError(LinkError, ValueError):
    """An array has the right shape and dtype but holds values that the link cannot take.

    Parameters
    ----------
    problem : str
        What was expected, what came, and the way out.
    """


class LinkDtypeError(LinkError, TypeError):
    """An array has a dtype that the link cannot take, or is no array at all.

    Parameters
    ----------
    problem : str
        What was expected, what came, and the way out.
    """


class LinkStateError(LinkError, RuntimeError):
    """`backward` was called without a `forward` to be the derivative of.

    Parameters
    ----------
    problem : str
        What was expected, what came, and the way out.
    """


class StateDictError(LinkError, RuntimeError):
    """A state_dict does not fit the network; nothing was loaded.

    Parameters
    ----------
    problem : str
        What was expected, what came, and the way out.
    """


def shown(link: object) -> str:
    """The link in an error's one line: those that take several lines to show by their class alone."""
    text = repr(link)
    return text if "\n" not in text else f"{type(link).__name__}(…)"


def wrong_shape(link: object, name: str, expected: object, got: Sequence[int], way_out: str) -> LinkShapeError:
    return LinkShapeError(f"{shown(link)}: expected {name} of shape {expected}, got {tuple(got)}. {way_out}")


def too_few_dimensions(link: object, expected: str, got: Sequence[int], way_out: str) -> LinkShapeError:
    return LinkShapeError(f"{shown(link)}: expected x with {expected}, got shape {tuple(got)}. {way_out}")


def wrong_input(link: object, name: str, got: object, dtype: DType | None = None) -> LinkDtypeError:
    """`got` is no array of the floating dtype that the link computes in."""
    wanted = "float32 or float64" if dtype is None else str(dtype)
    if isinstance(got, tuple):
        return LinkDtypeError(
            f"{shown(link)}: expected {name} to be one NumPy array of dtype {wanted}, got a tuple of {len(got)}. Give "
            "one of them: in a Graph the outputs of a link have the names 'link.0', 'link.1', …"
        )
    if not isinstance(got, np.ndarray):
        return LinkDtypeError(
            f"{shown(link)}: expected {name} to be a NumPy array of dtype {wanted}, got {type(got).__name__}. "
            f"Convert it with numpy.asarray({name}, dtype={wanted.split()[0]!r}); fit and predict do so themselves."
        )
    way_out = f"Convert it with {name}.astype({wanted.split()[0]!r})"
    if name == "x" and dtype is not None and got.dtype.kind == "f":
        way_out += f", or the link with .to({str(got.dtype)!r})"
    return LinkDtypeError(f"{shown(link)}: expected {name} of dtype {wanted}, got {got.dtype}. {way_out}.")


def no_forward(link: object) -> LinkStateError:
    return LinkStateError(
        f"{shown(link)}: backward() without a forward() before it. Call forward first; each forward serves one "
        "backward, and under no_grad() or predict() nothing is kept."
    )


def wrong_grad_output(link: object, output: Any, grad_output: Any) -> LinkError:
    if not isinstance(grad_output, np.ndarray):
        return wrong_input(link, "grad_output", grad_output, output.dtype)
    if grad_output.shape != output.shape:
        return wrong_shape(
            link,
            "grad_output",
            output.shape,
            grad_output.shape,
            "It must have the shape of forward's output.",
        )
    return wrong_input(link, "grad_output", grad_output, output.dtype)


def require_floating(link: object, name: str, x: Array) -> None:
    """The links compute in float32 and float64; anything else is converted at the door, not in a link."""
    if not isinstance(x, np.ndarray) or x.dtype.char not in "fd":
        raise wrong_input(link, name, x)


def require_dtype(link: object, name: str, x: Array, dtype: DType) -> None:
    """A link with parameters computes in their dtype."""
    if not isinstance(x, np.ndarray) or x.dtype != dtype:
        raise wrong_input(link, name, x, dtype)


def refuse(link: str, **unsupported: tuple[object, object, str]) -> None:
    """Raise for a PyTorch parameter that has no meaning here, unless it was left at its default.

    Each keyword names a parameter and gives (the value passed, its default, the reason).
    """
    for name, (value, default, reason) in unsupported.items():
        if value is not default and value != default:
            raise NotImplementedError(f"{link}: {name}={value!r} is not supported: {reason}")


CPU_ONLY = "maillon computes on the CPU. Leave device out."
NOT_IN_PLACE = "a link never changes its input, which backward may need. Leave inplace out."
USE_REDUCTION = "it was replaced by reduction='mean', 'sum' or 'none'."
