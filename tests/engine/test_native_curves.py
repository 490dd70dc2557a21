"""Loss curves of the core against NumPy's: over 1 000 steps where all is smooth, over 20 where kinks part the ways."""

from collections.abc import Callable

import numpy as np
import pytest

import maillon as m
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")


def chain(*sizes: int, link: Callable[[], m.Module], last: m.Module | None = None) -> m.Sequential:
    generator = Generator(6)
    links: list[m.Module] = []
    for i, size in enumerate(sizes[1:]):
        links += [m.Linear(sizes[i], size, generator=generator), link()]
    return m.Sequential(*links[:-1], *([] if last is None else [last]))


SMOOTH: dict[str, tuple[Callable[[], m.Sequential], Callable[[], m.Loss], float]] = {
    "Tanh 8-16-16-4 MSE": (lambda: chain(8, 16, 16, 4, link=m.Tanh), m.MSELoss, 0.05),
    "Tanh 8-32-4 cross-entropy": (lambda: chain(8, 32, 4, link=m.Tanh), m.CrossEntropyLoss, 0.1),
    "Sigmoid 8-16-4 BCE": (lambda: chain(8, 16, 4, link=m.Sigmoid, last=m.Sigmoid()), m.BCELoss, 0.5),
    "Sigmoid 8-8-8 autoencoder": (lambda: chain(8, 8, 8, link=m.Sigmoid, last=m.Sigmoid()), m.HalfMSELoss, 0.5),
}
KINKED: dict[str, tuple[Callable[[], m.Sequential], Callable[[], m.Loss], float]] = {
    "ReLU 8-16-16-4 MSE": (lambda: chain(8, 16, 16, 4, link=m.ReLU), m.MSELoss, 0.02),
    "LeakyReLU 8-16-4 cross-entropy": (lambda: chain(8, 16, 4, link=m.LeakyReLU), m.CrossEntropyLoss, 0.05),
    "Tanh 8-16-4 L1": (lambda: chain(8, 16, 4, link=m.Tanh), m.L1Loss, 0.02),
}


def data(loss: m.Loss, outputs: int, dtype: str) -> tuple[Array, Array]:
    generator = Generator(7)
    x = generator.normal((24, 8), dtype=np.float64).astype(dtype)
    if isinstance(loss, m.CrossEntropyLoss):
        return x, generator.randint(0, outputs, (24,))
    return x, generator.uniform((24, outputs), dtype=np.float64).astype(dtype)


def curves(make: Callable[[], m.Sequential], loss: m.Loss, rule: m.SGD, dtype: str, steps: int) -> tuple[Array, Array]:
    """The loss of each step, by the core and by NumPy."""
    found = []
    for engine in ("native", "numpy"):
        network = make().to(dtype)
        x, y = data(loss, network[-1 if isinstance(network[-1], m.Linear) else -2].out_features, dtype)
        history = m.fit(network, loss, x, y, rule=rule, batch_size=24, epochs=steps, shuffle=False, engine=engine)
        assert history.engine == engine
        found.append(np.array(history["loss"]))
    assert found[1][-1] < found[1][0]
    return found[0], found[1]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-11)])
@pytest.mark.parametrize("name", SMOOTH)
def test_a_thousand_steps_along_a_smooth_chain(name: str, dtype: str, tolerance: float) -> None:
    make, loss, rate = SMOOTH[name]
    found, expected = curves(make, loss(), m.SGD(lr=rate), dtype, 1000)
    apart = np.abs(found - expected) / np.abs(expected)
    assert apart.max() <= tolerance


def family(*links: m.Module) -> m.Sequential:
    return m.Sequential(*links, m.Flatten())


def gated() -> m.Module:
    """A value used three times, and two ways joined by a product."""
    nodes = {
        "a": (m.Linear(5, 5), "x"),
        "gate": (m.Sequential(m.Linear(5, 5), m.Sigmoid()), "x"),
        "product": (m.Multiply(), "a", "gate"),
        "pair": (m.Bilinear(5, 5, 4), "product", "x"),
        "y": (m.Concat(-1), "pair", "a"),
    }
    return m.Graph("x", nodes, "y")


def across() -> m.Module:
    """Attention of a sequence to another, and both of its outputs."""
    nodes = {
        "k": (m.Linear(5, 3), "x"),
        "seen": (m.MultiheadAttention(5, 1, kdim=3, vdim=3, batch_first=True), "x", "k", "k"),
        "y": (m.Concat(-1), "seen.0", "seen.1"),
    }
    return m.Graph("x", nodes, "y")


LAYER = {"dropout": 0.0, "activation": "gelu", "batch_first": True}
FAMILIES: dict[str, tuple[tuple[int, ...], Callable[[], m.Module]]] = {
    "convolutions of signals": ((3, 8), lambda: family(m.Conv1d(3, 4, 3, 2, 1), m.Tanh(), m.ConvTranspose1d(4, 2, 3))),
    "convolutions of images": (
        (2, 5, 5),
        lambda: family(m.Conv2d(2, 4, 3, padding=1, groups=2), m.GELU(), m.ConvTranspose2d(4, 1, 2, dilation=2)),
    ),
    "borders and windows": ((2, 4, 4), lambda: family(m.ReflectionPad2d(1), m.Unfold(3, stride=2), m.Linear(4, 3))),
    "pools and sizes": (
        (2, 6, 6),
        lambda: family(m.Conv2d(2, 4, 1), m.AvgPool2d(2), m.PixelShuffle(2), m.Upsample((5, 4), mode="bilinear")),
    ),
    "norms of a batch": ((4,), lambda: family(m.Linear(4, 6, bias=False), m.BatchNorm1d(6), m.SiLU(), m.Linear(6, 3))),
    "norms of a sample": (
        (4, 3),
        lambda: family(
            m.Linear(3, 4), m.LayerNorm(4), m.GroupNorm(2, 4), m.Mish(), m.RMSNorm(4), m.LocalResponseNorm(2)
        ),
    ),
    "dropouts": ((4, 3), lambda: family(m.Linear(3, 6), m.Dropout(0.2), m.AlphaDropout(0.1), m.Dropout1d(0.2))),
    "activations": (
        (4,),
        lambda: family(
            m.Linear(4, 6), m.Softplus(), m.Linear(6, 6), m.Softsign(), m.GLU(), m.LogSigmoid(), m.Softmax()
        ),
    ),
    "RNN": ((5, 3), lambda: family(m.RNN(3, 4, 2, batch_first=True, bidirectional=True), m.LastStep())),
    "LSTM": ((5, 3), lambda: family(m.LSTM(3, 4, batch_first=True, proj_size=2), m.EveryStep())),
    "GRU": ((5, 3), lambda: family(m.GRU(3, 4, 2, batch_first=True, dropout=0.2), m.LastStep())),
    "cells": ((3,), lambda: family(m.GRUCell(3, 4), m.RNNCell(4, 3))),
    "attention": ((4, 5), lambda: family(across())),
    "encoders": (
        (4, 4),
        lambda: family(m.LearnedPositionalEncoding(4, 4), m.TransformerEncoderLayer(4, 2, 6, **LAYER)),
    ),
    "joints": ((3, 5), lambda: family(m.Residual(m.Sequential(m.Linear(5, 5), m.Tanh())), gated())),
    "words": ((4,), lambda: family(m.Embedding(6, 3), m.Tanh())),
}


@pytest.mark.sweep
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("rule", [m.SGD(lr=0.05, momentum=0.5), m.AdamW(lr=1e-3, eps=1e-3)], ids=["SGD", "AdamW"])
def test_a_thousand_steps_of_each_family(name: str, rule: m.optim.Rule) -> None:
    """Each input stands there twice, with two targets: a loss that vanished would be nothing but rounding."""
    shape, make = FAMILIES[name]
    draw, found = Generator(8), []
    once = draw.randint(0, 6, (6, *shape)) if name == "words" else draw.normal((6, *shape), dtype=np.float64)
    x = np.concatenate([once, once])
    for engine in ("native", "numpy"):
        m.manual_seed(5)
        network = make().to("float64")
        with m.no_grad():
            width = network.eval()(x).shape[1]
        network = m.Sequential(network, m.Linear(width, 2, dtype="float64"))
        y = np.tanh(Generator(9).normal((12, 2), dtype=np.float64))
        options = {"batch_size": 6, "epochs": 500, "generator": Generator(2), "engine": engine}
        history = m.fit(network, m.MSELoss(), x, y, rule=rule, **options)
        assert (history.engine, history.steps) == (engine, 1000)
        found.append(np.array(history["loss"]))
    assert 0.05 < found[1][-1] < found[1][0]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-11)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-11)])
@pytest.mark.parametrize("name", KINKED)
def test_twenty_steps_with_momentum_along_a_kinked_chain(name: str, dtype: str, tolerance: float) -> None:
    make, loss, rate = KINKED[name]
    found, expected = curves(make, loss(), m.SGD(lr=rate, momentum=0.9), dtype, 20)
    np.testing.assert_allclose(found, expected, rtol=tolerance)
