"""A link or loss beside PyTorch's: the same constructor arguments, state and inputs, then all that comes of them."""

import inspect
import itertools
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from catalogue.rows import Draw, cast, drawn

import maillon
from maillon.nesting import leaves, rebuilt
from maillon.nn import Loss, Module
from maillon.random import Generator
from maillon.typing import Array

BESIDE_TORCH = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning"),  # a hint how PyTorch is fastest
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),  # of PyTorch's own speed
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides"),  # what KLDivLoss's mean means in PyTorch
    pytest.mark.filterwarnings("ignore:Fail to import hypothesis:ImportWarning"),  # its own tests could use it
]
"""The marks of tests that compare: PyTorch is needed, its hints are no news."""

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


@dataclass(frozen=True)
class Case:
    """A call of a constructor, and one of what it makes.

    name: in `torch.nn` and in `maillon.nn`. args, options: of the constructor. inputs, named: draws (or arrays) for
    forward's arguments. training: the mode. steps: forwards in training before the one compared (running statistics).
    drawn: whether a new link has PyTorch's numbers, "bits" or "near" (normal draws), None where nothing is drawn.
    """

    name: str
    args: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[Draw, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    training: bool = True
    steps: int = 0
    drawn: str | None = "bits"
    note: str = ""

    def __str__(self) -> str:
        told = [*map(short, self.args), *(f"{name}={short(value)}" for name, value in self.options.items())]
        told += [f"{name}={short(value)}" for name, value in self.named.items()]
        shapes = ",".join(short(array) for array in leaves(self.values("float64", 0)))
        return " ".join(filter(None, [f"{self.name}({', '.join(told)})", shapes, self._mode(), self.note]))

    def _mode(self) -> str:
        return ("" if self.training else "eval") + (f"after {self.steps}" if self.steps else "")

    @property
    def seed(self) -> int:
        return zlib.crc32(repr((self.name, self.args, sorted(self.options))).encode()) % 2**31

    def values(self, dtype: str, step: int) -> tuple[Any, ...]:
        generator = Generator(self.seed + step)
        return cast(tuple(drawn(_draws(draw), generator) for draw in self.inputs), dtype)


def short(value: Any) -> str:
    """A value in a case's name: of an array its shape."""
    if isinstance(value, tuple):
        return "(" + ",".join(map(short, value)) + ")"
    return "x".join(map(str, value.shape)) or "()" if hasattr(value, "shape") else str(value)


def _draws(value: Any) -> Draw:
    if isinstance(value, tuple):
        return tuple(map(_draws, value))
    return value if callable(value) else lambda _generator: value


def as_tensor(torch: ModuleType, array: Array) -> Any:
    return torch.from_numpy(np.array(array))


def as_tensors(torch: ModuleType, value: Any) -> Any:
    """Every array as a tensor, every case as PyTorch's link."""
    if isinstance(value, Case):
        return theirs_of(torch, value)
    if isinstance(value, tuple):
        return tuple(as_tensors(torch, part) for part in value)
    return as_tensor(torch, value) if isinstance(value, np.ndarray | np.generic) else value


def assert_close(ours: Any, theirs: Any, tolerance: float, what: str = "") -> None:
    """Within the tolerance, relative to the largest value."""
    expected = theirs.detach().numpy() if hasattr(theirs, "detach") else np.asarray(theirs)
    assert np.shape(ours) == expected.shape, what
    finite = expected[np.isfinite(expected)]
    size = max(1.0, float(np.max(np.abs(finite), initial=0.0)))
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance * size, err_msg=what)


def theirs_of(torch: ModuleType, case: Case) -> Any:
    options = {name: as_tensors(torch, value) for name, value in case.options.items()}
    return getattr(torch.nn, case.name)(*as_tensors(torch, case.args), **options)


def ours_of(case: Case) -> Module:
    """The arguments that are cases are links to be made first."""
    args = [ours_of(value) if isinstance(value, Case) else value for value in case.args]
    options = {name: ours_of(value) if isinstance(value, Case) else value for name, value in case.options.items()}
    made: Module = getattr(maillon.nn, case.name)(*args, **options)
    return made


def make(torch: ModuleType, case: Case) -> tuple[Module, Any]:
    """Ours and theirs, new, from the same seed: with the same state, as far as PyTorch's numbers can be drawn."""
    torch.manual_seed(case.seed)
    theirs = theirs_of(torch, case)
    maillon.manual_seed(case.seed)
    ours = ours_of(case)
    state, expected = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(expected)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    for name, value in expected.items():
        assert state[name].shape == tuple(value.shape), name
        if case.drawn == "bits":
            np.testing.assert_array_equal(state[name], value.numpy(), err_msg=name)
        elif case.drawn == "near":
            np.testing.assert_allclose(state[name], value.numpy(), rtol=1e-6, atol=1e-6, err_msg=name)
    return ours, theirs


def compare(torch: ModuleType, case: Case, dtype: str) -> None:
    """Values, all gradients, and the state afterwards."""
    ours, theirs = make(torch, case)
    theirs.to(getattr(torch, dtype)).train()
    ours.to(dtype).train()
    ours.load_state_dict(theirs.state_dict())
    named = cast_named(case.named, dtype)
    for step in range(case.steps):
        inputs = case.values(dtype, step + 1)
        ours(*inputs, **named)
        ours.forget()
        theirs(*as_tensors(torch, inputs), **{name: as_tensors(torch, value) for name, value in named.items()})
    theirs.train(case.training)
    ours.train(case.training)
    compare_made(torch, ours, theirs, case.values(dtype, 0), named, dtype)


def compare_made(
    torch: ModuleType, ours: Module, theirs: Any, inputs: tuple[Any, ...], named: dict[str, Any], dtype: str
) -> None:
    """The same of two that hold the same state already."""
    tolerance = TOLERANCE[dtype]
    tensors = as_tensors(torch, inputs)
    for tensor in leaves(tuple(part for part, yes in zip(tensors, _owed(ours), strict=False) if yes)):
        if _real(tensor):
            tensor.requires_grad_()
    by_name = {name: as_tensors(torch, value) for name, value in named.items()}
    after = list(inspect.signature(ours.forward).parameters)[len(inputs) :]  # its gradients are in this order
    others = [] if isinstance(ours, Loss) else leaves(tuple(by_name.get(name) for name in after))
    for tensor in others:
        if _real(tensor):
            tensor.requires_grad_()
    output = ours(*inputs, **named)
    expected = theirs(*tensors, **by_name)
    parts, expected_parts = _nested_alike(output, expected)
    grads = _grads(expected_parts, dtype)
    walked = [place for place, grad in enumerate(grads) if grad is not None]
    if walked:
        torch.autograd.backward(
            [expected_parts[place] for place in walked], [as_tensor(torch, grads[place]) for place in walked]
        )
    for place, (part, other) in enumerate(zip(parts, expected_parts, strict=True)):
        if other is not None:
            assert_close(part, other, tolerance, f"output {place}")
            assert str(part.dtype) == str(other.dtype).removeprefix("torch.")
    returned = ours.backward(rebuilt(output, iter(grads)))
    _compare_gradients(ours, theirs, returned, leaves(tensors), others, tolerance)
    for name, value in theirs.state_dict().items():
        assert_close(ours.state_dict()[name], value, tolerance, f"state {name}")


def cast_named(named: dict[str, Any], dtype: str) -> dict[str, Any]:
    return {name: cast(value, dtype) for name, value in named.items()}


def _nested_alike(output: Any, expected: Any) -> tuple[list[Any], list[Any]]:
    """The leaves of both outputs, after checking that they are nested alike."""
    assert isinstance(output, tuple) == isinstance(expected, tuple)
    if not isinstance(output, tuple):
        return [output], [expected]
    assert len(output) == len(expected)
    pairs = [_nested_alike(part, other) for part, other in zip(output, expected, strict=True)]
    return [leaf for ours, _ in pairs for leaf in ours], [leaf for _, theirs in pairs for leaf in theirs]


def _grads(expected: list[Any], dtype: str) -> list[Array | None]:
    generator = Generator(2)
    return [
        np.asarray(generator.normal(tuple(part.shape), dtype=np.float64), dtype)
        if part is not None and part.requires_grad
        else None
        for part in expected
    ]


def _owed(ours: Module) -> Iterable[bool]:
    """Whether backward owes each input a gradient: a loss owes none to its target, nor does PyTorch for some."""
    return ours.predicted if isinstance(ours, Loss) else itertools.repeat(True)


def _real(tensor: Any) -> bool:
    return hasattr(tensor, "is_floating_point") and tensor.is_floating_point()


def _compare_gradients(
    ours: Module, theirs: Any, returned: Any, inputs: list[Any], others: list[Any], tolerance: float
) -> None:
    """others: what was given by name, absent arguments and flags among it."""
    given, tensors = leaves(returned), [*inputs, *others]
    if not isinstance(ours, Loss):  # a loss may owe its target nothing
        arrays = [place for place, tensor in enumerate(inputs) if hasattr(tensor, "shape")]
        assert arrays[-1] < len(given) <= len(tensors)
        assert not any(map(_real, tensors[len(given) :]))
    assert given[0] is not None or not _real(tensors[0])
    for place, (grad, tensor) in enumerate(zip(given, tensors, strict=False)):
        if grad is None:
            assert isinstance(ours, Loss) or not _real(tensor) or tensor.grad is None
        elif tensor.grad is None:
            assert not grad.any()
        else:
            assert_close(grad, tensor.grad, tolerance, f"gradient of input {place}")
    for (name, parameter), (other, their) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        if their.grad is None:
            assert parameter.grad is None or not parameter.grad.any()
        else:
            assert_close(parameter.grad, their.grad, tolerance, f"gradient of {name}")
