"""What paddings take, refuse and show; their values are the battery's."""

from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon.nn import LinkDtypeError, LinkShapeError


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: maillon.ZeroPad1d(1.5),
            "ZeroPad1d: expected padding to be an integer or 2 of them (left, right), got 1.5.",
        ),
        (
            lambda: maillon.ConstantPad1d((1, 2, 3), 0.0),
            "ConstantPad1d: expected padding to be an integer or 2 of them (left, right), got (1, 2, 3).",
        ),
        (
            lambda: maillon.ReflectionPad2d((1, 2)),
            "ReflectionPad2d: expected padding to be an integer or 4 of them (left, right, top, bottom), got (1, 2).",
        ),
        (
            lambda: maillon.ReplicationPad1d("same"),
            "ReplicationPad1d: expected padding to be an integer or 2 of them (left, right), got 'same'.",
        ),
        (
            lambda: maillon.CircularPad2d(True),
            "CircularPad2d: expected padding to be an integer or 4 of them (left, right, top, bottom), got True.",
        ),
        (lambda: maillon.ConstantPad2d(1, "0"), "ConstantPad2d: expected value to be a number, got '0'."),
    ],
)
def test_options_that_make_no_sense(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("link", "shape", "message"),
    [
        (
            maillon.ReflectionPad1d((1, 3)),
            (2, 4, 3),
            "ReflectionPad1d((1, 3)): expected x of shape (N, C, L ≥ 4), got (2, 4, 3). "
            "A reflection leaves out the border itself: take a smaller padding.",
        ),
        (
            maillon.ReflectionPad2d(1),
            (2, 4),
            "ReflectionPad2d(1): expected x of shape (N, C, H, W) or (C, H, W), got (2, 4). "
            "Reshape x, or pad other dimensions.",
        ),
        (
            maillon.CircularPad2d((3, 0, 1, 2)),
            (4, 2, 2),
            "CircularPad2d((3, 0, 1, 2)): expected x of shape (C, H ≥ 2, W ≥ 3), got (4, 2, 2). "
            "It goes around no more than once: take a smaller padding.",
        ),
        (
            maillon.CircularPad1d((-1, 5)),
            (2, 5),
            "CircularPad1d((-1, 5)): expected x of shape (C, L ≥ 6), got (2, 5). "
            "It goes around no more than once: take a smaller padding.",
        ),
        (
            maillon.ReplicationPad1d(1),
            (2, 4, 0),
            "ReplicationPad1d(1): expected x of shape (N, C, L ≥ 1), got (2, 4, 0). "
            "A border that is repeated has to exist: take a smaller padding.",
        ),
        (
            maillon.ZeroPad1d((-2, -3)),
            (2, 4),
            "ZeroPad1d((-2, -3)): expected x of shape (*, L ≥ 5), got (2, 4). "
            "A negative padding crops no more than there is: take a smaller padding.",
        ),
        (
            maillon.ConstantPad2d(1, 0.5),
            (4,),
            "ConstantPad2d(1, 0.5): expected x of shape (*, H, W), got (4,). It pads H, W.",
        ),
    ],
)
def test_shapes_that_do_not_fit(link: maillon.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LinkShapeError) as caught:
        link(np.zeros(shape, np.float32))
    assert str(caught.value) == message


@pytest.mark.parametrize("link", [maillon.ZeroPad1d(1), maillon.CircularPad1d(1)], ids=repr)
def test_lists_are_refused(link: maillon.Module) -> None:
    with pytest.raises(LinkDtypeError, match="expected x to be a NumPy array") as caught:
        link([[1.0, 2.0]])
    assert repr(link) in str(caught.value)


@pytest.mark.parametrize(
    "shown",
    [
        "ZeroPad1d(1)",
        "ZeroPad2d((1, 2, 3, -4))",
        "ConstantPad1d((1, 2), 0.5)",
        "ConstantPad2d(2, -1)",
        "ReflectionPad1d((0, 1))",
        "ReflectionPad2d(1)",
        "ReplicationPad1d(3)",
        "ReplicationPad2d((1, 0, 0, 1))",
        "CircularPad1d(1)",
        "CircularPad2d((1, 2, 3, 4))",
    ],
)
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


def test_the_last_dimension_comes_first() -> None:
    link = maillon.ZeroPad2d([1, 2, 3, 4])
    assert link.padding == (1, 2, 3, 4)
    assert link(np.ones((1, 1, 1))).shape == (1, 3 + 1 + 4, 1 + 1 + 2)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (maillon.ReflectionPad1d(2), [2, 1, 0, 1, 2, 1, 0]),
        (maillon.ReplicationPad1d(2), [0, 0, 0, 1, 2, 2, 2]),
        (maillon.CircularPad1d(2), [1, 2, 0, 1, 2, 0, 1]),
        (maillon.ConstantPad1d(2, -1), [-1, -1, 0, 1, 2, -1, -1]),
    ],
)
def test_integers_stay_integers(link: maillon.Module, expected: list[int]) -> None:
    padded = link(np.arange(3)[None])
    assert padded.dtype == np.int64
    assert padded.tolist() == [expected]
