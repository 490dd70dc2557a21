"""Attention and transformers in the core: their options, masks and dropouts."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, one_step, threads, walk_alike, walked_by_core

import maillon as m
from maillon.nesting import mapped
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")


def normal(seed: int, *shape: int, dtype: str = "float64") -> Array:
    return Generator(seed).normal(shape, dtype=np.float64).astype(dtype)


def made(kind: str, *args: Any, dtype: str = "float64", **options: Any) -> Callable[[], Any]:
    """Its dropouts draw from one generator of their own."""

    def make() -> Any:
        generator = Generator(5)
        with m.random.using(Generator(3)):
            link = getattr(m, kind)(*args, generator=generator, **options).to(dtype)
        for number, parameter in enumerate(link.parameters()):  # biases are not 0 either
            parameter.data[...] = normal(20 + number, *parameter.shape) / 2
        return link

    return make


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_sizes_around_the_tiles_of_a_product(dtype: str) -> None:
    for width, heads, queries, keys in ((1, 1, 1, 1), (6, 3, 5, 17), (64, 2, 13, 33), (34, 2, 40, 3), (8, 8, 2, 70)):
        inputs = (normal(1, 2, queries, width), normal(2, 2, keys, width), normal(3, 2, keys, width))
        inputs = mapped(lambda x: x.astype(dtype), inputs)
        walk_alike(
            made("MultiheadAttention", width, heads, batch_first=True, dtype=dtype), inputs, 10 * TOLERANCE[dtype]
        )


WIDTHS: tuple[dict[str, int], ...] = ({}, {"kdim": 3, "vdim": 5})


@pytest.mark.parametrize("batch", [(3,), ()], ids=str)
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_options(batch: tuple[int, ...], widths: dict[str, int]) -> None:
    for bias, learnt, zero, first, weights, averaged in itertools.product((True, False), repeat=6):
        options: dict[str, Any] = {
            "bias": bias,
            "add_bias_kv": learnt,
            "add_zero_attn": zero,
            "batch_first": first,
            **widths,
        }

        def positions(seed: int, count: int, width: int, first: bool = first) -> Array:
            return normal(seed, *((*batch, count) if first else (count, *batch)), width)

        inputs = (positions(1, 4, 6), positions(2, 5, widths.get("kdim", 6)), positions(3, 5, widths.get("vdim", 6)))
        walk_alike(
            made("MultiheadAttention", 6, 2, **options),
            (*inputs, None, weights, None, averaged),
            TOLERANCE["float64"],
        )


@pytest.mark.parametrize("learnt", [True, False])
@pytest.mark.parametrize("padding", [None, "bool", "float"])
@pytest.mark.parametrize("mask", [None, "bool", "float", "bool of each head", "float of each head"])
def test_masks(mask: str | None, padding: str | None, learnt: bool) -> None:
    def of(kind: str | None, shape: tuple[int, ...]) -> Any:
        if kind is None:
            return None
        return normal(5, *shape) > 0.6 if kind.startswith("bool") else normal(6, *shape)

    shape = (4, 3, 5) if mask is not None and "each" in mask else (3, 5)
    inputs = (normal(1, 2, 3, 4), normal(2, 2, 5, 4), normal(3, 2, 5, 4))
    make = made("MultiheadAttention", 4, 2, batch_first=True, add_bias_kv=learnt, add_zero_attn=learnt)
    for weights in (True, False):
        walk_alike(make, (*inputs, of(padding, (2, 5)), weights, of(mask, shape)), TOLERANCE["float64"])


@pytest.mark.parametrize("weights", [True, False])
def test_the_causal_hint_and_queries_that_see_nothing(weights: bool) -> None:
    x = normal(1, 2, 4, 6)
    causal = np.triu(np.ones((4, 4), bool), 1)
    make = made("MultiheadAttention", 6, 3, batch_first=True)
    walk_alike(make, (x, x, x, None, weights, causal, True, True), TOLERANCE["float64"])
    if not weights:  # their weights are 0, else NaN
        causal[1] = True
        walk_alike(make, (x, x, x, None, weights, causal), TOLERANCE["float64"])
    else:
        causal[1] = True
        with np.errstate(invalid="ignore"):
            expected = make()(x, x, x, attn_mask=causal)
        found = walked_by_core(make(), (x, x, x, None, True, causal), expected).output
        assert (np.isnan(found[1]) == np.isnan(expected[1])).all()
        assert np.isnan(found[1][:, 1]).all()


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("same", [(0, 0, 0), (0, 1, 1), (0, 1, 0)], ids=str)
def test_one_value_for_several_inputs(same: tuple[int, ...], dtype: str) -> None:
    """Their gradients add up, and what is made of one value is made by one product."""

    names = [f"x{place}" for place in same]

    def make() -> m.Module:
        attention = made("MultiheadAttention", 6, 2, batch_first=True, dtype=dtype)()
        return m.Graph(sorted(set(names)), {"attention": (attention, *names)}, "attention.0")

    given = tuple(normal(1 + place, 2, 3, 6, dtype=dtype) for place in sorted(set(same)))
    walk_alike(make, given, TOLERANCE[dtype])


@pytest.mark.parametrize("p", [0.3, 1.0])
@pytest.mark.parametrize("weights", [True, False])
def test_dropout_draws_the_same_words(p: float, weights: bool) -> None:
    x = normal(1, 2, 4, 6)
    make = made("MultiheadAttention", 6, 2, p, batch_first=True, add_zero_attn=True)
    walk_alike(make, (x, x, x, None, weights), TOLERANCE["float64"])
    walk_alike(lambda: make().eval(), (x, x, x, None, weights), TOLERANCE["float64"])


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_layers_with_dropout(first: bool, activation: str) -> None:
    for batch_first in (True, False):
        options: dict[str, Any] = {"norm_first": first, "batch_first": batch_first, "activation": activation}
        x, memory = normal(1, 3, 3, 6), normal(2, 3, 3, 6)
        walk_alike(made("TransformerEncoderLayer", 6, 2, 7, 0.3, **options), (x,), TOLERANCE["float64"])
        walk_alike(made("TransformerDecoderLayer", 6, 2, 7, 0.3, **options), (x, memory), TOLERANCE["float64"])


def test_empty_batches() -> None:
    x = normal(1, 0, 4, 6)
    walk_alike(made("MultiheadAttention", 6, 2, batch_first=True, add_bias_kv=True), (x, x, x), TOLERANCE["float64"])


def network() -> m.Optim:
    with m.random.using(Generator(3)):
        layer = m.TransformerEncoderLayer(8, 2, 16, 0.1, batch_first=True, generator=Generator(5))
        links = [m.Linear(3, 8), m.LearnedPositionalEncoding(8, 7), m.TransformerEncoder(layer, 2), m.Linear(8, 2)]
        chain = m.Sequential(*links).to("float64")
    return m.Optim(chain, m.MSELoss(), m.SGD(lr=0.1, momentum=0.9))


def test_a_step_of_a_network() -> None:
    one_step(network, normal(1, 9, 5, 3), normal(2, 9, 5, 2), None, TOLERANCE["float64"])


@pytest.mark.parametrize("frozen", ["in_proj_weight", "in_proj_bias", "out_proj.weight"])
def test_frozen_weights(frozen: str) -> None:
    def make() -> m.Optim:
        optim = network()
        dict(optim.network.named_parameters())[f"2.layers.0.self_attn.{frozen}"].requires_grad = False
        return optim

    one_step(make, normal(1, 9, 5, 3), normal(2, 9, 5, 2), None, TOLERANCE["float64"])


def test_threads_change_no_bit() -> None:
    x = normal(1, 6, 33, 24, dtype="float32")
    make = made("MultiheadAttention", 24, 3, 0.2, batch_first=True, add_bias_kv=True, dtype="float32")
    grad = (normal(2, 6, 33, 24, dtype="float32"), normal(3, 6, 33, 34, dtype="float32"))
    found = []
    for number in (1, 2, 3):
        with threads(number):
            walked = walked_by_core(make(), (x, x, x), grad)
        found.append([one.tobytes() for one in (*walked.grads, *walked.arrays.values()) if one is not None])
    assert found[0] == found[1] == found[2]
