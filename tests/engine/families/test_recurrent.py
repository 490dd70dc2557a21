"""Recurrent layers and cells in the core: their options, and steps of networks that hold them."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, one_step, threads, walk_alike, walked_by_core

import maillon as m
from maillon.engine.step import Batches, plan_of
from maillon.nesting import leaves, mapped
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

KINDS = ("RNN", "LSTM", "GRU")


def normal(seed: int, *shape: int, dtype: str = "float64") -> Array:
    return Generator(seed).normal(shape, dtype=np.float64).astype(dtype)


def made(kind: str, *args: Any, dtype: str = "float64", **options: Any) -> Callable[[], Any]:
    def make() -> Any:
        with m.random.using(Generator(3)):
            return getattr(m, kind)(*args, **options).to(dtype)

    return make


def state(kind: str, dtype: str, *shapes: tuple[int, ...]) -> Any:
    parts = tuple(normal(7 + place, *shape, dtype=dtype) for place, shape in enumerate(shapes))
    return parts if kind.startswith("LSTM") else parts[0]


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("kind", KINDS)
def test_sizes_around_the_tiles_of_a_product(kind: str, dtype: str) -> None:
    for units, batch, steps in ((1, 1, 1), (5, 13, 3), (16, 2, 2), (17, 4, 1), (32, 25, 2), (33, 1, 6), (70, 3, 2)):
        x = normal(1, steps, batch, 3, dtype=dtype)
        given = (x, state(kind, dtype, (1, batch, units), (1, batch, units)))
        for inputs in ((x,), given):
            walk_alike(made(kind, 3, units, dtype=dtype), inputs, TOLERANCE[dtype])


KINDS_OF_STEP: tuple[tuple[str, dict[str, Any]], ...] = (
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 2}),
    ("GRU", {}),
)


@pytest.mark.parametrize(("kind", "more"), KINDS_OF_STEP, ids=str)
@pytest.mark.parametrize("batch", [(2,), ()], ids=str)
def test_options_of_layers(kind: str, more: dict[str, Any], batch: tuple[int, ...]) -> None:
    for layers, bias, first, both, given in itertools.product((1, 3), *[(True, False)] * 4):
        sizes: dict[str, Any] = {"num_layers": layers, "bias": bias, "batch_first": first, "bidirectional": both}
        x = normal(1, *(*batch, 4) if first else (4, *batch), 3)
        features, rows = more.get("proj_size", 5), layers * (1 + both)
        hx = (state(kind, "float64", (rows, *batch, features), (rows, *batch, 5)),) if given else ()
        walk_alike(made(kind, 3, 5, **sizes, **more), (x, *hx), TOLERANCE["float64"])


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_samples_as_steps(kind: str) -> None:
    walk_alike(made(kind, 3, 4, num_layers=2, batch_first=True), (normal(1, 3, 3, 3),), TOLERANCE["float64"])


@pytest.mark.parametrize("p", [0.4, 1.0])
@pytest.mark.parametrize("first", [True, False])
def test_dropout_between_layers_draws_the_same_words(p: float, first: bool) -> None:
    def make() -> Any:
        made_link = made("GRU", 3, 4, num_layers=3, bidirectional=True, batch_first=first, dropout=p)()
        made_link.generator = Generator(5)
        return made_link

    walk_alike(make, (normal(1, 4, 2, 3),), TOLERANCE["float64"])
    walk_alike(lambda: make().eval(), (normal(1, 4, 2, 3),), TOLERANCE["float64"])


@pytest.mark.parametrize("kind", KINDS)
def test_empty_batches(kind: str) -> None:
    walk_alike(made(kind, 3, 4, num_layers=2), (normal(1, 5, 0, 3),), TOLERANCE["float64"])
    walk_alike(made(f"{kind}Cell", 3, 4), (normal(1, 0, 3),), TOLERANCE["float64"])


def network(kind: str, **options: Any) -> Callable[[], m.Optim]:
    def make() -> m.Optim:
        with m.random.using(Generator(3)):
            layer = getattr(m, kind)(3, 6, num_layers=2, batch_first=True, **options)
            last = m.Linear(6 * (1 + layer.bidirectional), 2)
            chain = m.Sequential(layer, m.LastStep(), last).to("float64")
        return m.Optim(chain, m.MSELoss(), m.SGD(lr=0.1, momentum=0.9))

    return make


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}], ids=str)
def test_a_step_of_a_network(kind: str, options: dict[str, Any]) -> None:
    one_step(network(kind, **options), normal(1, 20, 7, 3), normal(2, 20, 2), None, TOLERANCE["float64"])


@pytest.mark.parametrize("frozen", ["weight_ih_l0", "weight_hh_l1", "bias_hh_l0", "bias_ih_l1"])
def test_frozen_weights(frozen: str) -> None:
    def make() -> m.Optim:
        optim = network("LSTM")()
        dict(optim.network.named_parameters())[f"0.{frozen}"].requires_grad = False
        return optim

    one_step(make, normal(1, 4, 7, 3), normal(2, 4, 2), None, TOLERANCE["float64"])


def test_layers_over_each_other_and_weights_used_twice() -> None:
    def make() -> m.Optim:
        with m.random.using(Generator(3)):
            layer = m.GRU(4, 4, batch_first=True)
        chain = m.Sequential(layer, m.EveryStep(), layer.share(), m.EveryStep()).to("float64")
        return m.Optim(chain, m.MSELoss(), m.SGD(lr=0.1))

    one_step(make, normal(1, 6, 5, 4), normal(2, 6, 5, 4), None, TOLERANCE["float64"])


@pytest.mark.parametrize("kind", KINDS)
def test_threads_change_no_bit(kind: str) -> None:
    make, x = made(kind, 24, 40, dtype="float32"), normal(1, 20, 33, 24, dtype="float32")
    grad = mapped(lambda leaf: normal(2, *leaf.shape, dtype="float32"), make()(x))
    found = []
    for number in (1, 2, 3):
        with threads(number):
            walked = walked_by_core(make(), (x,), grad)
        found.append([one.tobytes() for one in (*walked.grads, *walked.arrays.values()) if one is not None])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("kind", KINDS)
def test_infinite_and_missing_numbers_go_the_same_way(kind: str) -> None:
    link = made(kind, 3, 4)()
    link.weight_hh_l0.data[0, 0] = np.inf
    x = normal(1, 3, 2, 3)
    x[1, 0, 0] = np.nan
    with np.errstate(invalid="ignore"):
        expected = link(x)
    found = walked_by_core(link, (x,), expected).output
    for one, other in zip(leaves(found), leaves(expected), strict=True):
        assert (np.isnan(one) == np.isnan(other)).all()
        assert np.isnan(one).any()


def test_what_nobody_reads_is_not_written() -> None:
    for following, written in ((m.LastStep(), {"last"}), (m.EveryStep(), {"y"})):
        optim = m.Optim(m.Sequential(m.LSTM(3, 4, batch_first=True), following), m.MSELoss(), m.SGD(lr=0.1))
        x = np.zeros((2, 5, 3), np.float32)
        plan = plan_of(optim, Batches.of(x, optim.network(x), None, 2, shuffle=False))
        (lstm,) = (one for one in plan.operations if one.kind == "lstm")
        assert lstm.operands.keys() & {"y", "last", "last_cell"} == written
