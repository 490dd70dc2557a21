"""The activations in the core: options and shapes beyond the catalogue's, numbers far out, and what products fuse."""

from collections.abc import Callable

import numpy as np
import pytest
from cores import TOLERANCE, close, threads, walk_alike, walked_by_core

import maillon as m
from maillon.engine import lower, processor
from maillon.engine.families.activations import CURVES
from maillon.engine.families.linear import ACTIVATION
from maillon.engine.memory import Memory
from maillon.engine.predictor import lower_prediction
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))

LINKS: dict[str, Callable[[], m.Module]] = {
    "Tanh": m.Tanh,
    "Sigmoid": m.Sigmoid,
    "ReLU": m.ReLU,
    "LeakyReLU": lambda: m.LeakyReLU(0.2),
    "LeakyReLU downwards": lambda: m.LeakyReLU(-0.3),
    "LeakyReLU flat": lambda: m.LeakyReLU(0.0),
    "Hardtanh": lambda: m.Hardtanh(-0.5, 2.0),
    "Hardtanh from 0": lambda: m.Hardtanh(0.0, 1.0),
    "ReLU6": m.ReLU6,
    "ELU": lambda: m.ELU(0.3),
    "ELU upwards": lambda: m.ELU(-1.5),
    "SELU": m.SELU,
    "CELU": lambda: m.CELU(0.3),
    "CELU upwards": lambda: m.CELU(-2.5),
    "GELU": m.GELU,
    "GELU tanh": lambda: m.GELU("tanh"),
    "SiLU": m.SiLU,
    "Mish": m.Mish,
    "Softplus": m.Softplus,
    "Softplus of 3": lambda: m.Softplus(3.0, 1.5),
    "Softplus of -2": lambda: m.Softplus(-2.0, 1.0),
    "LogSigmoid": m.LogSigmoid,
    "Softsign": m.Softsign,
    "Tanhshrink": m.Tanhshrink,
    "Hardsigmoid": m.Hardsigmoid,
    "Hardswish": m.Hardswish,
    "Threshold": lambda: m.Threshold(0.1, 20.0),
    "Threshold to 0": lambda: m.Threshold(-0.4, 0.0),
    "Hardshrink": m.Hardshrink,
    "Hardshrink of -1": lambda: m.Hardshrink(-1.0),
    "Softshrink": m.Softshrink,
    "Softshrink of 0": lambda: m.Softshrink(0.0),
    "RReLU in evaluation": lambda: m.RReLU(0.1, 0.5).eval(),
}


def normal(*shape: int, dtype: str = "float64", seed: int = 5, scale: float = 1.0) -> Array:
    return np.asarray((Generator(seed).normal(shape, dtype=np.float64) * scale).astype(dtype))


def test_every_activation_is_here_and_has_a_functor() -> None:
    assert {type(make()).__name__ for make in LINKS.values()} == {*CURVES, "RReLU"}
    names = {name if isinstance(name, str) else name(link()) for name, _ in CURVES.values() for link in (m.GELU,)}
    assert names | {"gelu_tanh", "leaky_relu", "none"} == set(ACTIVATION.values)


@both_dtypes
@pytest.mark.parametrize("name", LINKS)
def test_shapes_and_numbers_far_out(name: str, dtype: str) -> None:
    for shape in ((), (1,), (5,), (0, 3), (3, 7, 2), (67,)):
        walk_alike(LINKS[name], (normal(*shape, dtype=dtype, scale=2),), TOLERANCE[dtype])
    most = 50 if "upwards" in name else 1e4  # beyond it some grow to infinity
    far = np.concatenate([np.linspace(-9, 9, 301), np.linspace(-50, 50, 41), [most, -most]]).astype(dtype)
    walk_alike(LINKS[name], (far,), TOLERANCE[dtype])


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30, 1.0])


@both_dtypes
@pytest.mark.parametrize("name", LINKS)
def test_what_is_no_number_and_what_is_infinite(name: str, dtype: str) -> None:
    x = SPECIAL.astype(dtype)
    with np.errstate(all="ignore"):
        expected = LINKS[name]()(x)
    found = walked_by_core(LINKS[name](), (x,), np.ones_like(x)).output
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype])


@both_dtypes
@pytest.mark.parametrize("name", LINKS)
def test_after_and_before_a_product(name: str, dtype: str) -> None:
    """Where products apply them, and their derivatives: small ones, and large ones tile by tile."""
    for rows, width in ((1, 3), (5, 4), (9, 33), (70, 80)):

        def make(width: int = width) -> m.Module:
            generator = Generator(3)
            chain = [
                m.Linear(width, width, generator=generator),
                LINKS[name](),
                m.Linear(width, 2, generator=generator),
            ]
            return m.Sequential(*chain).to(dtype)

        x = normal(rows, width, dtype=dtype)
        walk_alike(make, (x,), TOLERANCE[dtype])
        network = make().eval()
        close("prediction", m.predict(network, x, engine="native"), network(x), TOLERANCE[dtype])


FUSED = {
    "ReLU6": (0, 0),  # its output tells the derivative
    "GELU": (1, 0),
    "SiLU": (1, 0),
    "Threshold to 0": (1, 0),
    "LeakyReLU downwards": (1, 0),
    "Hardtanh": (1, 1),  # of more than one number
    "ELU": (1, 1),
}


@pytest.mark.parametrize("name", FUSED)
def test_products_take_in_what_needs_one_number(name: str) -> None:
    network = m.Sequential(m.Linear(4, 4), LINKS[name](), m.Linear(4, 2))
    x = normal(5, 4, dtype="float32")
    plan = lower(m.Optim(network, m.MSELoss(), m.SGD(lr=0.1)), x, x[:, :2])
    kinds = [operation.kind for operation in plan.operations]
    assert (kinds.count("activation"), kinds.count("activation_grad")) == FUSED[name]
    alone = [operation.kind for operation in lower_prediction(network, x, Memory()).operations]
    assert ("activation" in alone) == (FUSED[name][1] == 1)


@both_dtypes
def test_many_elements_by_several_threads_have_the_same_bits(dtype: str) -> None:
    for name, make in LINKS.items():
        x = normal(701, 9, dtype=dtype, scale=3)
        found = []
        for number in (1, 2, 3):
            with threads(number, worth=0):
                found.append(m.predict(make(), x, engine="native"))
        assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes(), name


SHAPES_OF_PRELU: list[tuple[tuple[int, ...], int]] = [
    ((), 1),
    ((5,), 1),
    ((3, 4), 1),
    ((0, 4), 1),
    ((2, 5, 700), 1),
    ((6, 4), 4),
    ((1, 1), 1),
    ((3, 33), 33),
    ((70, 64), 64),
    ((2, 3, 5), 3),
    ((2, 2, 40, 41), 2),
    ((3, 2, 1, 1), 2),
    ((0, 3, 2), 3),
]


@both_dtypes
@pytest.mark.parametrize(("shape", "channels"), SHAPES_OF_PRELU)
def test_slopes_that_are_learnt(shape: tuple[int, ...], channels: int, dtype: str) -> None:
    def make() -> m.Module:
        link = m.PReLU(channels, dtype=dtype)
        link.weight.data[...] = normal(channels, dtype=dtype, seed=8)
        return link

    x = normal(*shape, dtype=dtype)
    x.reshape(-1)[:1] = 0
    for number in (1, 3):
        with threads(number, worth=0):
            walk_alike(make, (x,), TOLERANCE[dtype])

    def frozen() -> m.Module:
        link = make()
        link.weight.requires_grad = False
        return link

    walk_alike(frozen, (x,), TOLERANCE[dtype])


@both_dtypes
def test_slopes_shared_by_two_links_add_up(dtype: str) -> None:
    def make() -> m.Module:
        first = m.PReLU(3, dtype=dtype)
        return m.Sequential(first, m.Tanh(), first.share())

    walk_alike(make, (normal(4, 3, dtype=dtype),), TOLERANCE[dtype])


@both_dtypes
@pytest.mark.parametrize(("lower", "upper"), [(1 / 8, 1 / 3), (0.0, 1.0), (0.3, 0.3), (-1.0, 2.0)])
def test_slopes_that_are_drawn_are_numpys(lower: float, upper: float, dtype: str) -> None:
    for shape in ((3, 5), (9000,), (0, 2)):
        streams = []

        def make(streams: list[Generator] = streams) -> m.Module:
            streams.append(Generator(11))
            return m.Sequential(m.RReLU(lower, upper, generator=streams[-1]), m.RReLU(generator=streams[-1]))

        walk_alike(make, (normal(*shape, dtype=dtype),), TOLERANCE[dtype])
        *_, of_numpy, of_core = (repr(stream.get_state()) for stream in streams)
        assert of_numpy == of_core


@both_dtypes
@pytest.mark.parametrize(
    ("shape", "dim"),
    [((4, 6), -1), ((3, 4, 2), 1), ((8, 3), 0), ((2,), 0), ((70, 130), 1), ((2, 3, 4, 5), 2), ((0, 4), 1)],
)
def test_the_gated_unit(shape: tuple[int, ...], dim: int, dtype: str) -> None:
    for number in (1, 2):
        with threads(number, worth=0):
            walk_alike(lambda: m.GLU(dim), (normal(*shape, dtype=dtype),), TOLERANCE[dtype])


SOFTMAXES: dict[str, Callable[..., m.Module]] = {"Softmax": m.Softmax, "LogSoftmax": m.LogSoftmax, "Softmin": m.Softmin}


@both_dtypes
@pytest.mark.parametrize("name", SOFTMAXES)
def test_softmaxes_along_every_dimension(name: str, dtype: str) -> None:
    for shape in ((), (5,), (4, 3), (3, 40), (0, 3), (3, 0), (2, 3, 4), (2, 3, 4, 5)):
        for dim in (None, *range(-len(shape), len(shape))):
            walk_alike(lambda dim=dim: SOFTMAXES[name](dim), (normal(*shape, dtype=dtype),), TOLERANCE[dtype])


@both_dtypes
def test_softmax_of_channels(dtype: str) -> None:
    for shape in ((3, 2, 2), (2, 3, 4, 5)):
        walk_alike(m.Softmax2d, (normal(*shape, dtype=dtype),), TOLERANCE[dtype])


REFUSED: list[tuple[m.Module, Array]] = [
    (m.PReLU(3), normal(4, 2, dtype="float32")),
    (m.PReLU(3), normal(3, dtype="float32")),
    (m.GLU(), normal(4, 3, dtype="float32")),
    (m.GLU(4), normal(4, 4, dtype="float32")),
    (m.Softmax2d(), normal(4, 3, dtype="float32")),
    (m.Softmax(3), normal(4, 3, dtype="float32")),
]


@pytest.mark.parametrize("link", [link for link, _ in REFUSED], ids=repr)
def test_what_a_link_refuses_numpy_says(link: m.Module) -> None:
    x = next(x for one, x in REFUSED if one is link)
    with pytest.raises(RuntimeError, match=r"^engine='native': "):
        m.predict(link, x, engine="native")


@pytest.mark.parametrize("chosen", processor.core().instruction_sets()[1:] if processor.core() else ["none"])
def test_the_other_instruction_sets(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILLON_ISA", chosen)
    for name in LINKS:
        test_shapes_and_numbers_far_out(name, "float32")
    for shape, channels in SHAPES_OF_PRELU:
        test_slopes_that_are_learnt(shape, channels, "float64")
