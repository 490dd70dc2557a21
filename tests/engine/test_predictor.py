"""A prepared network: `maillon.compile`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, close, without_core

import maillon as m
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


class Mine(m.Tanh):
    """A link of a user's own, which no table knows."""


def policy(dtype: str = "float32", *more: m.Module) -> m.Sequential:
    generator = Generator(1)
    links = [m.Linear(8, 16, generator=generator), m.Tanh(), m.Dropout(0.5), m.Linear(16, 2, generator=generator)]
    return m.Sequential(*links, *more).to(dtype)


def expected(network: m.Module, x: Array) -> Array:
    """The network's own output in evaluation mode; its mode stays."""
    modes = [(link, link.training) for link in network.modules()]
    output = network.eval()(x)
    for link, training in modes:
        link.training = training
    return output


def numbers(*shape: int, dtype: str = "float32") -> Array:
    return Generator(2).normal(shape, dtype=np.float64).astype(dtype)


@both_dtypes
def test_samples_and_batches_in_any_order(dtype: str) -> None:
    network = policy(dtype)
    predictor = m.compile(network)
    for _ in range(2):
        for shape in ((8,), (1, 8), (5, 8), (2, 3, 8), (0, 8), (8,)):
            x = numbers(*shape, dtype=dtype)
            found = predictor(x)
            close(str(shape), found, expected(network, x), TOLERANCE[dtype])
            assert found.flags.owndata
            assert found.flags.writeable
    assert network.training
    assert repr(predictor) == f"compile({network!r})"


def test_more_shapes_than_are_kept() -> None:
    network = policy()
    predictor = m.compile(network)
    for rows in [*range(1, 40), 1, 2, 3]:
        x = numbers(rows, 8)
        close(str(rows), predictor(x), expected(network, x), 1e-5)
    assert len(predictor._known) <= 16


def test_each_output_is_an_array_of_its_own() -> None:
    predictor = m.compile(policy())
    first = predictor(numbers(8))
    kept = first.copy()
    predictor(2 * numbers(8))
    np.testing.assert_array_equal(first, kept)


FORMS: dict[str, Callable[[Array], Any]] = {
    "float64": lambda x: x.astype(np.float64),
    "float16": lambda x: x.astype(np.float16),
    "integers": lambda x: np.arange(x.size).reshape(x.shape),
    "lists": lambda x: x.tolist(),
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: x[::-1, ::-1],
    "another byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "not aligned": lambda x: np.frombuffer(b"0" + x.tobytes(), x.dtype, offset=1).reshape(x.shape),
}


@pytest.mark.parametrize("form", FORMS)
def test_whatever_holds_the_numbers(form: str) -> None:
    network = policy()
    predictor = m.compile(network)
    predictor(numbers(3, 8))
    x = FORMS[form](numbers(3, 8))
    close(form, predictor(x), expected(network, np.asarray(x).astype(np.float32)), 1e-5)


@pytest.mark.parametrize("shape", [(7,), (3, 7), (8, 3), (), (0,), (3, 8, 1)])
def test_a_wrong_shape_is_told_as_the_link_tells_it(shape: tuple[int, ...]) -> None:
    network = policy()
    predictor = m.compile(network)
    predictor(numbers(3, 8))
    with pytest.raises(m.nn.LinkShapeError) as theirs:
        network(numbers(*shape))
    with pytest.raises(m.nn.LinkShapeError) as ours:
        predictor(numbers(*shape))
    assert str(ours.value) == str(theirs.value)
    close("after it", predictor(numbers(3, 8)), expected(network, numbers(3, 8)), 1e-5)


CHANGES: dict[str, Callable[[m.Sequential], Any]] = {
    "in place": lambda network: np.negative(network[0].weight.data, out=network[0].weight.data),
    "replaced": lambda network: setattr(network[3].bias, "data", network[3].bias.data + 1),
    "loaded": lambda network: network.load_state_dict({k: 2 * v for k, v in network.state_dict().items()}),
    "trained": lambda network: m.fit(network, m.MSELoss(), numbers(9, 8), numbers(9, 2), rule=0.1),
    "trained in NumPy": lambda network: m.Optim(network, m.MSELoss(), 0.1).step(numbers(9, 8), numbers(9, 2)),
    "another dtype": lambda network: network.to("float64"),
    "in evaluation mode": lambda network: network.eval(),
    "Fortran's order": lambda network: setattr(
        network[0].weight, "data", np.asfortranarray(network[0].weight.data * 3)
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_follows_changes_of_the_parameters(change: str) -> None:
    network = policy()
    predictor = m.compile(network)
    before = [predictor(numbers(8)), predictor(numbers(5, 8))]
    CHANGES[change](network)
    for x, old in zip((numbers(8), numbers(5, 8)), before, strict=True):
        wanted = expected(network, x.astype(network.dtype))
        for _ in range(2):
            close(change, predictor(x), wanted, 1e-5)
        assert (change in ("another dtype", "in evaluation mode")) == np.allclose(old, wanted)


def test_what_the_core_does_not_know_runs_in_numpy() -> None:
    network = policy("float32", Mine())
    predictor = m.compile(network)
    for _ in range(2):
        assert predictor(numbers(8)).tobytes() == expected(network, numbers(8)).tobytes()
    assert network.training
    with without_core():
        predictor = m.compile(policy())
        assert predictor(numbers(8)).tobytes() == expected(policy(), numbers(8)).tobytes()


def test_a_thing_that_is_no_network_is_refused() -> None:
    with pytest.raises(TypeError) as caught:
        m.compile(m.Optim(policy(), m.MSELoss(), 0.1))  # type: ignore[arg-type]
    assert str(caught.value) == "compile: expected a Module, got Optim. Give the network: optim.network."
