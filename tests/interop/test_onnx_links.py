"""The links that only files of ONNX need, proved like every link; their values are ONNX's (test_onnx_nodes.py)."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import maillon as M
from maillon.check import check_module
from maillon.interop.onnx.links import arithmetic, recurrent, shapes, spatial
from maillon.nn import LinkDtypeError, LinkShapeError

Proof = tuple[Any, tuple[Any, ...]]


def normal(*shape: int) -> Any:
    return M.random.Generator(sum(shape)).normal(shape, 0.1, 1.2, dtype="float64")


def positive(*shape: int, seed: int = 1) -> Any:
    """In [1.1, 1.9], where every function here has a derivative."""
    return M.random.Generator(seed).uniform(shape, 1.1, 1.9, dtype="float64")


def peephole() -> M.Module:
    link = recurrent.PeepholeLSTM(3, 2)
    link.weight_p.data[...] = np.linspace(-1, 1, 6)
    return link


def proofs() -> list[Proof]:
    far = ("Acosh", "Log", "Sqrt", "Reciprocal")
    cases: list[Proof] = [
        (lambda name=name: arithmetic.Unary(name), (positive(3, 2) if name in far else normal(3, 2).clip(-0.9, 0.9),))
        for name in arithmetic.UNARY
    ]
    for name in arithmetic.BINARY:
        more = [
            (lambda name=name: arithmetic.Arithmetic(name), (positive(3, 2), positive(3, 2, seed=2))),
            (lambda name=name: arithmetic.Arithmetic(name), (positive(2, 3, 2), positive(3, 1, seed=2))),
            (lambda name=name: arithmetic.Arithmetic(name, positive(2, seed=2)), (positive(3, 2),)),
            (
                lambda name=name: arithmetic.Arithmetic(name, positive(4, 3, 2, seed=2), first=True, learnt=True),
                (positive(3, 2),),
            ),
        ]
        cases += more
    for a, b in (((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((3,), (2, 3, 4)), ((2, 2, 3), (3,)), ((3,), (3,))):
        cases.append((arithmetic.MatMul, (normal(*a), normal(*b))))
    for name in ("Sum", "Mean", "Prod", "Max", "Min", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"):
        for keepdims in (True, False):
            make = lambda name=name, keepdims=keepdims: shapes.Reduce(name, (0, 2), keepdims)  # noqa: E731
            cases.append((make, (positive(2, 3, 4),)))
    for mode in ("constant", "reflect", "edge", "wrap"):
        cases.append((lambda mode=mode: shapes.Pad(((0, 0), (1, 2), (2, 0)), mode, 1.5), (normal(2, 3, 4),)))
    for kind in ("Max", "Average", "Lp"):
        images = ((3, 2), (2, 1), (1, 2), ((1, 0), (0, 1)), True, True, 3)
        cases.append((lambda kind=kind, images=images: spatial.Pool(kind, *images), (normal(2, 2, 5, 4),)))
        volumes = ((2, 2, 2), (1, 1, 1), (1, 1, 1), ((0, 1),) * 3)
        cases.append((lambda kind=kind, volumes=volumes: spatial.Pool(kind, *volumes), (normal(1, 2, 3, 3, 3),)))
    others: list[Proof] = [
        (lambda: arithmetic.MatMul(normal(2, 3), first=True, learnt=True), (normal(5, 3, 4),)),
        (lambda: arithmetic.Where([True, False]), (normal(3, 2), normal(3, 1))),
        (lambda: arithmetic.Where(a=1.5), (np.array([[True], [False]]), normal(2, 3))),
        (lambda: arithmetic.Where([True, False], b=np.zeros(2)), (normal(3, 2),)),
        (lambda: shapes.Reduce("Sum", (), True), (normal(2, 3),)),
        (lambda: shapes.Reshape((0, -1)), (normal(2, 3, 4),)),
        (lambda: shapes.Permute((2, 0, 1)), (normal(2, 3, 4),)),
        (lambda: shapes.Expand((2, 3, 4)), (normal(3, 1),)),
        (lambda: shapes.Tile((2, 1, 3)), (normal(2, 3, 2),)),
        (lambda: shapes.Slice((0, -1), (2, -100), (1, 2), (1, -2)), (normal(2, 3, 4),)),
        (lambda: shapes.Take(np.array([[0, -1], [1, 1]]), 1), (normal(2, 3, 4),)),
        (lambda: shapes.Take(np.array(-1), 0), (normal(2, 3, 4),)),
        (lambda: shapes.Split((1, 2), 1), (normal(2, 3, 4),)),
        (lambda: shapes.Pad(((0, 0), (-1, 2), (2, -1))), (normal(2, 3, 4),)),
        (lambda: spatial.Conv3d(2, 4, 2, padding=1, groups=2), (normal(2, 2, 3, 3, 2),)),
        (lambda: spatial.ConvTranspose3d(2, 3, 2, 2), (normal(2, 2, 2, 3, 2),)),
        (lambda: spatial.Resample([None, None, normal(3, 4), normal(5, 2)]), (normal(2, 1, 4, 2),)),
        (lambda: recurrent.ResetFirstGRU(3, 2, 2, bidirectional=True), (normal(4, 3, 3),)),
        (lambda: recurrent.ResetFirstGRU(3, 2), (normal(4, 2, 3), normal(1, 2, 2))),
        (peephole, (normal(4, 2, 3), (normal(1, 2, 2), normal(1, 2, 2)))),
    ]
    return cases + others


every_proof = pytest.mark.parametrize(
    ("make", "inputs"), proofs(), ids=lambda value: repr(value()) if callable(value) else ""
)


@every_proof
def test_the_gradient_is_the_derivative_and_the_rules_hold(make: Any, inputs: tuple[Any, ...]) -> None:
    assert check_module(make().to("float64"), *inputs).rules == tuple(range(1, 7))


@every_proof
def test_a_copy_gives_the_same(make: Any, inputs: tuple[Any, ...]) -> None:
    link = make().to("float64")
    expected = link(*inputs)
    for other in (copy.deepcopy(link), pickle.loads(pickle.dumps(link))):
        assert repr(other) == repr(link)
        for one, two in zip(M.nesting.leaves(expected), M.nesting.leaves(other(*inputs)), strict=True):
            np.testing.assert_array_equal(one, two)


def test_a_condition_has_no_derivative() -> None:
    x = np.array([[1.0, -1.0], [np.nan, 2.0]])
    nodes = {
        "positive": (arithmetic.Compare("Greater", 0.0), "x"),
        "y": (arithmetic.Where(b=np.array(7.0)), "positive", "x"),
    }
    graph = M.Graph("x", nodes, "y")
    np.testing.assert_array_equal(graph(x), [[1, 7], [7, 2]])
    np.testing.assert_array_equal(graph.backward(np.ones((2, 2))), [[1, 0], [0, 1]])
    assert repr(graph["positive"]) == "Compare('Greater', 0.0)"
    assert repr(graph["y"]) == "Where(b=7.0)"


def test_cast_goes_back_in_the_dtype_it_came_in() -> None:
    link = shapes.Cast("float32")
    y = link(normal(2, 3))
    assert y.dtype == np.float32
    assert link.backward(y).dtype == np.float64


def test_equal_values_share_the_gradient_of_an_extreme() -> None:
    link = arithmetic.Arithmetic("Max")
    link(np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    np.testing.assert_array_equal(link.backward(np.ones(2)), ([0.5, 0.0], [0.5, 1.0]))
    whole = shapes.Reduce("Max", (0,), True)
    whole(np.array([2.0, 1.0, 2.0]))
    np.testing.assert_array_equal(whole.backward(np.ones(1)), [0.5, 0.0, 0.5])


@pytest.mark.parametrize(
    ("link", "shape", "message"),
    [
        (shapes.Reshape((0, 5)), (2, 3), "Reshape((0, 5)): expected x of shape 10 values in all, got (2, 3)"),
        (shapes.Permute((1, 0)), (2,), "Permute((1, 0)): expected x with 2 dimensions, got shape (2,)"),
        (
            shapes.Split((1, 1), 1),
            (2, 3),
            "Split((1, 1), 1): expected x with 2 values along dimension 1, got shape (2, 3)",
        ),
        (
            spatial.Pool("Max", (3,), (1,), (1,), ((0, 0),)),
            (1, 1, 2),
            "expected x with sizes that a window of (3,) fits",
        ),
        (spatial.Pool("Max", (3,), (1,), (1,), ((0, 0),)), (1, 2), "expected x with 3 dimensions, got shape (1, 2)"),
        (spatial.Resample([None, np.eye(2)]), (1, 3), "expected x of shape ('*', 2), got (1, 3)"),
    ],
)
def test_wrong_shapes_are_refused(link: M.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LinkShapeError) as raised:
        link(np.zeros(shape))
    assert message in str(raised.value)


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(LinkDtypeError, match="expected the other input of dtype float64, got float32"):
        arithmetic.Arithmetic("Add")(np.zeros(2), np.zeros(2, np.float32))
    with pytest.raises(LinkDtypeError, match="expected input 0 of dtype float32 or float64, got int64"):
        arithmetic.Arithmetic("Add", 1.0)(np.zeros(2, np.int64))
