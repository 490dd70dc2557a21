"""Embedding, Bilinear and the distances in the core: all options, shapes that broadcast, rows that are shortened."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, same_for_both, threads, walk_alike, walked_by_core

import maillon as m
from maillon.engine import processor
from maillon.nn.support.errors import LinkValueError
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

SETS = processor.core().instruction_sets() if processor.core() is not None else ["none"]
every_set = pytest.mark.parametrize("chosen", SETS)
both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


@pytest.fixture(autouse=True)
def instruction_set(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "chosen" in request.fixturenames:
        monkeypatch.setenv("MAILLON_ISA", request.node.callspec.params["chosen"])


def numbers(seed: int, shape: tuple[int, ...], dtype: str) -> Array:
    return Generator(seed).normal(shape, dtype=np.float64).astype(dtype)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"padding_idx": 2},
    {"padding_idx": -1, "scale_grad_by_freq": True},
    {"scale_grad_by_freq": True, "max_norm": 0.5},
    {"max_norm": math.inf},
    *({"max_norm": 1.5, "norm_type": p} for p in (2.0, 1.0, 3.5, 0.5, math.inf, -math.inf, -2.0)),
    {"_freeze": True, "max_norm": 1.0},
]


@every_set
@both_dtypes
def test_embedding(dtype: str, chosen: str) -> None:
    for place, options in enumerate(OPTIONS):
        for rows, columns, shape in ((3, 1, (4,)), (9, 17, (6, 5)), (40, 70, (3, 2, 2)), (5, 8, (30,))):
            indices = Generator(place).randint(0, rows, shape)
            walk_alike(
                lambda rows=rows, columns=columns, options=options: m.Embedding(  # type: ignore[misc]
                    rows, columns, dtype=dtype, generator=Generator(rows), **options
                ),
                (indices,),
                TOLERANCE[dtype],
            )


def words(rows: int, shape: tuple[int, ...]) -> Array:
    return Generator(3).randint(0, rows, shape)


def reader(dtype: str = "float32", **options: Any) -> Callable[[], m.Optim]:
    def make() -> m.Optim:
        draw = Generator(7)
        links = [m.Embedding(11, 4, dtype=dtype, generator=draw, **options), m.Flatten()]
        links += [m.Linear(12, 2, dtype=dtype, generator=draw)]
        return m.Optim(m.Sequential(*links), m.MSELoss(), m.SGD(lr=0.3))

    return make


@both_dtypes
def test_trainings_with_embeddings(dtype: str) -> None:
    x, y = words(11, (50, 3)), numbers(2, (50, 2), dtype)
    for options in ({}, {"max_norm": 1.2}, {"padding_idx": 0}, {"scale_grad_by_freq": True, "max_norm": 0.9}):
        for more in ({}, {"validation_data": (x, y)}):
            same_for_both(reader(dtype, **options), x, y, 10 * TOLERANCE[dtype], batch_size=16, epochs=3, **more)


def test_a_table_that_another_link_reads_after_it_was_shortened_is_numpys() -> None:
    table, back = m.Embedding(6, 4, max_norm=0.8), m.Linear(4, 6, bias=False)
    back.weight = table.weight
    optim = m.Optim(m.Sequential(table, back), m.MSELoss(), m.SGD(lr=0.2))
    x, y = words(6, (8, 3)), np.zeros((8, 3, 6), np.float32)
    with pytest.raises(m.engine.NotLoweredError, match=r"0\.weight changes before another link uses it"):
        m.engine.lower(optim, x, y)
    table.max_norm = None
    assert "embedding" in str(m.engine.lower(optim, x, y))


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize("wrong", [-1, 11])
def test_an_index_out_of_range_ends_the_training_with_numpys_error(engine: str, wrong: int) -> None:
    x, y = words(11, (32, 3)), numbers(2, (32, 2), "float32")
    x[21, 1] = wrong
    optim, short = reader(max_norm=0.9)(), reader(max_norm=0.9)()
    options: dict[str, Any] = {"batch_size": 8, "epochs": 1, "shuffle": False, "engine": engine, "progress": False}
    with pytest.raises(LinkValueError, match="expected indices x in 0 … 10"):
        m.fit(optim, x, y, **options)
    m.fit(short, x[:16], y[:16], **options)
    for name, value in short.network.state_dict().items():
        np.testing.assert_array_equal(optim.network.state_dict()[name], value, err_msg=name)


def test_threads_share_the_rows_of_a_table() -> None:
    found = set()
    for number in (1, 2, 3):
        link = m.Embedding(90, 40, scale_grad_by_freq=True, max_norm=5.0, generator=Generator(1))
        x, dy = words(90, (60, 9)), numbers(2, (60, 9, 40), "float32")
        with threads(number, worth=0):
            walked = walked_by_core(link, (x,), dy)
        found.add(b"".join(array.tobytes() for array in (walked.output, *walked.arrays.values())))
    assert len(found) == 1


@every_set
@both_dtypes
def test_bilinear(dtype: str, chosen: str) -> None:
    for place, (rows, one, two, outputs) in enumerate(
        ((1, 1, 1, 1), (5, 3, 8, 2), (17, 20, 9, 5), (70, 70, 80, 2), (3, 40, 1, 9))
    ):
        batch = (rows,) if place % 2 else (rows, 2)
        walk_alike(
            lambda one=one, two=two, outputs=outputs, place=place: m.Bilinear(  # type: ignore[misc]
                one, two, outputs, bias=place % 3 != 1, dtype=dtype, generator=Generator(place)
            ),
            (numbers(1, (*batch, one), dtype), numbers(2, (*batch, two), dtype)),
            2 * TOLERANCE[dtype],
        )


PAIRS = [
    ((6, 5), (6, 5)),
    ((6, 5), (5,)),
    ((4, 1, 9), (3, 9)),
    ((2, 33, 3), (2, 33, 3)),
    ((7, 40, 21), (1, 40, 1)),
    ((1,), (3, 1)),
]


@every_set
@both_dtypes
def test_cosine_similarity(dtype: str, chosen: str) -> None:
    for one, two in PAIRS:
        x1, x2 = numbers(1, one, dtype), numbers(2, two, dtype)
        x1[(0,) * (x1.ndim - 1)] = 0
        for dim in range(-1, max(len(one), len(two))):
            for eps in (1e-8, 2.0):
                walk_alike(lambda dim=dim, eps=eps: m.CosineSimilarity(dim, eps), (x1, x2), 2 * TOLERANCE[dtype])  # type: ignore[misc]


@every_set
@both_dtypes
def test_pairwise_distance(dtype: str, chosen: str) -> None:
    for one, two in PAIRS:
        x1, x2 = numbers(1, one, dtype), numbers(2, two, dtype)
        for p in (2.0, 1.0, 3.0, 0.5, 0.0, 1.7, -2.0, math.inf, -math.inf):
            for keepdim in (False, True):
                walk_alike(
                    lambda p=p, keepdim=keepdim: m.PairwiseDistance(p, 1e-3, keepdim),  # type: ignore[misc]
                    (x1, x2),
                    2 * TOLERANCE[dtype],
                )


@both_dtypes
def test_distances_at_their_edges(dtype: str) -> None:
    x = numbers(1, (4, 5), dtype)
    for p in (2.0, 1.0, 0.5, 3.0, math.inf, -math.inf, -1.0):
        with np.errstate(all="ignore"):
            walk_alike(lambda p=p: m.PairwiseDistance(p, 0.0), (x, x.copy()), TOLERANCE[dtype])  # type: ignore[misc]
            other = x.copy()
            other[1:, 2] += 1
            other[2:, 3] -= 1
            walk_alike(lambda p=p: m.PairwiseDistance(p, 0.0), (x, other), TOLERANCE[dtype])  # type: ignore[misc]


def test_what_numpy_refuses_is_numpys() -> None:
    x = np.ones((4, 3), np.float32)
    cases: list[tuple[m.Module, tuple[Array, ...]]] = [
        (m.Embedding(3, 2), (x,)),
        (m.Bilinear(3, 2, 1), (x, x)),
        (m.CosineSimilarity(2), (x, x)),
        (m.CosineSimilarity(), (x, np.ones((2, 2), np.float32))),
        (m.PairwiseDistance(), (np.ones((), np.float32), np.ones((), np.float32))),
    ]
    for link, inputs in cases:
        with pytest.raises(m.engine.NotLoweredError, match=r"takes indices|does not take the shape"):
            walked_by_core(link, inputs, np.ones((4, 1), np.float32))
