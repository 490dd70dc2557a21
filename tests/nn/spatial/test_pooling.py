"""What pools take and refuse, which of equals they choose, and what becomes of NaN."""

from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon.nn import LinkDtypeError, LinkShapeError, LinkValueError

M = maillon
X1, X2 = np.zeros((2, 3, 8)), np.zeros((2, 3, 8, 6))
INDICES = np.zeros((2, 3, 8), np.int64)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: M.MaxPool1d(0), "MaxPool1d: expected kernel_size to be an integer ≥ 1, got 0."),
        (lambda: M.MaxPool2d((2, 3, 4)), "MaxPool2d: expected kernel_size to be an integer ≥ 1 or 2 of them, "
         "got (2, 3, 4)."),
        (lambda: M.MaxPool2d(2, stride=0), "MaxPool2d: expected stride to be an integer ≥ 1 or 2 of them, got 0."),
        (lambda: M.MaxPool1d(2, padding=-1), "MaxPool1d: expected padding to be an integer ≥ 0, got -1."),
        (lambda: M.MaxPool1d(2, dilation=1.5), "MaxPool1d: expected dilation to be an integer ≥ 1, got 1.5."),
        (lambda: M.MaxPool2d((2, 4), padding=2),
         "MaxPool2d: expected padding to be at most half of kernel_size (2, 4), got 2."),
        (lambda: M.AvgPool1d(3, padding=2), "AvgPool1d: expected padding to be at most half of kernel_size 3, got 2."),
        (lambda: M.AvgPool2d(2, divisor_override=0),
         "AvgPool2d: expected divisor_override to be an integer ≠ 0, got 0."),
        (lambda: M.MaxUnpool2d(2, 1.0), "MaxUnpool2d: expected stride to be an integer ≥ 1 or 2 of them, got 1.0."),
        (lambda: M.AdaptiveAvgPool1d((2, 3)),
         "AdaptiveAvgPool1d: expected output_size to be an integer ≥ 0 or None, the size of x, got (2, 3)."),
        (lambda: M.AdaptiveMaxPool2d((2, "half")),
         "AdaptiveMaxPool2d: expected output_size to be an integer ≥ 0 or None, the size of x, or 2 of these, "
         "got (2, 'half')."),
        (lambda: M.AdaptiveAvgPool2d(-1),
         "AdaptiveAvgPool2d: expected output_size to be an integer ≥ 0 or None, the size of x, or 2 of these, got -1."),
    ],
)  # fmt: skip
def test_options_that_make_no_sense(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("link", "inputs", "error", "message"),
    [
        (M.MaxPool1d(2), (np.zeros(4),), LinkShapeError,
         "MaxPool1d(2): expected x of shape (N, C, L) or (C, L), got (4,). A single channel needs x[None]."),
        (M.AvgPool1d(2), (X2,), LinkShapeError,
         "AvgPool1d(2): expected x of shape (N, C, L) or (C, L), got (2, 3, 8, 6). A batch comes before the channels."),
        (M.AvgPool2d(2), (np.zeros((4, 4)),), LinkShapeError,
         "AvgPool2d(2): expected x of shape (N, C, H, W) or (C, H, W), got (4, 4). A single channel needs x[None]."),
        (M.AdaptiveAvgPool2d(2), (np.zeros((1, 1, 0, 4)),), LinkShapeError,
         "AdaptiveAvgPool2d(2): expected x of shape (N, C, H, W) or (C, H, W), got (1, 1, 0, 4). "
         "Only the batch may be empty."),
        (M.MaxPool2d(3, dilation=3, padding=1), (np.zeros((1, 7, 4)),), LinkShapeError,
         "MaxPool2d(3, padding=1, dilation=3): expected x with at least 5 values where its sizes are (7, 4), got 4. "
         "Take a smaller kernel_size or more padding."),
        (M.MaxPool1d(2, padding=1, dilation=5, return_indices=True), (np.zeros((1, 4)),), LinkShapeError,
         "MaxPool1d(2, padding=1, dilation=5, return_indices=True): expected windows that each see something of x, for "
         "the indices, got sizes (4,). Give a smaller dilation, or return_indices=False."),
        (M.AdaptiveMaxPool1d(2), (INDICES,), LinkDtypeError,
         "AdaptiveMaxPool1d(2): expected x of dtype float32 or float64, got int64. Convert it with x.astype('float32')."
         ),
        (M.MaxUnpool1d(2), (X1, X1), LinkDtypeError,
         "MaxUnpool1d(2): expected indices of dtype int64, got float64. Convert it with indices.astype('int64')."),
        (M.MaxUnpool1d(2), (X1, INDICES[:1]), LinkShapeError,
         "MaxUnpool1d(2): expected indices of shape (2, 3, 8), that of x, got (1, 3, 8). One for each value."),
        (M.MaxUnpool1d(2), (X1, INDICES + 16), LinkValueError,
         "MaxUnpool1d(2): expected indices in 0…15, got 16…16. Give output_size, the shape of what was pooled."),
        (M.MaxUnpool1d(2), (X1, INDICES, (18,)), LinkShapeError,
         "MaxUnpool1d(2): expected output_size to be 1 integers less than the stride away from (16,), got (18,). "
         "Give the shape of what was pooled."),
        (M.MaxUnpool1d(2, padding=2), (X1[..., :1], INDICES[..., :1]), LinkShapeError,
         "MaxUnpool1d(2, padding=2): expected an output that is not empty, got sizes (-2,). Give output_size."),
    ],
)  # fmt: skip
def test_inputs_that_make_no_sense(link: Any, inputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        link(*inputs)
    assert str(caught.value) == message
    assert link.kept_output is None


@pytest.mark.parametrize(
    "shown",
    [
        "MaxPool1d(2)",
        "MaxPool2d((3, 2), stride=2, padding=1, dilation=2, return_indices=True, ceil_mode=True)",
        "AvgPool1d(2, stride=1, ceil_mode=True, count_include_pad=False)",
        "AvgPool2d(2, divisor_override=3)",
        "MaxUnpool2d(2, stride=1)",
        "AdaptiveAvgPool1d(3)",
        "AdaptiveMaxPool2d((None, 3), return_indices=True)",
    ],
)
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


def test_the_stride_is_the_kernel_unless_given() -> None:
    assert (M.MaxPool2d((2, 3)).stride, M.AvgPool1d(4).stride, M.MaxPool2d(2, 1).stride) == ((2, 3), 4, 1)


@pytest.mark.parametrize("make", [lambda: M.MaxPool2d(2, return_indices=True), lambda: M.AdaptiveMaxPool2d(1, True)])
def test_of_equals_the_first_row_is_chosen_and_then_the_first_column(make: Any) -> None:
    x = np.array([[[0.0, 1.0], [1.0, 1.0]]])
    link = make()
    y, indices = link(x)
    assert (y.item(), indices.item(), indices.dtype) == (1, 1, np.int64)
    np.testing.assert_array_equal(link.backward((np.ones_like(y), None)), [[[0, 1], [0, 0]]])
    nothing = np.full((1, 2, 2), -np.inf)
    assert [part.item() for part in link(nothing)] == [-np.inf, 0]
    np.testing.assert_array_equal(link.backward((np.ones_like(y), None)), [[[1, 0], [0, 0]]])
    link(x)
    np.testing.assert_array_equal(link.backward((None, None)), np.zeros_like(x))


def test_a_nan_spreads_to_the_windows_it_lies_in() -> None:
    x = np.array([[1.0, np.nan, 2.0, np.nan, 3.0, 5.0]])
    link = M.MaxPool1d(3, 1, return_indices=True)
    y, indices = link(x)
    np.testing.assert_array_equal(y, [[np.nan, np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(indices, [[1, 3, 3, 3]])
    np.testing.assert_array_equal(link.backward((np.ones_like(y), None)), [[0, 1, 0, 3, 0, 0]])
    np.testing.assert_array_equal(M.AvgPool1d(2)(x), [[np.nan, np.nan, 4]])
    np.testing.assert_array_equal(M.AdaptiveAvgPool1d(4)(x), [[np.nan, np.nan, np.nan, 4]])


def test_unpooling_brings_the_maxima_back() -> None:
    x = maillon.random.Generator(1).normal((2, 3, 7, 6), dtype=np.float64)
    pool, back = M.MaxPool2d(2, return_indices=True), M.MaxUnpool2d(2)
    y, indices = pool(x)
    z = back(y, indices, output_size=x.shape)
    assert z.shape == x.shape
    np.testing.assert_array_equal(z[z != 0], x[z != 0])
    assert np.count_nonzero(z) == y.size
    np.testing.assert_array_equal(back(y[0], indices[0], output_size=x[0].shape), z[0])
    back(y, indices, x.shape)
    dy, dindices = back.backward(x)
    np.testing.assert_array_equal(dy, y)
    assert dindices is None


def test_an_adaptive_signal_may_keep_its_length_or_lose_it_all() -> None:
    x = maillon.random.Generator(1).normal((3, 7), dtype=np.float64)
    assert [part.shape for part in M.AdaptiveMaxPool1d(0, return_indices=True)(x)] == [(3, 0), (3, 0)]
    for make in (M.AdaptiveAvgPool1d, M.AdaptiveMaxPool1d):
        np.testing.assert_array_equal(make(None)(x), x)
        link = make(0)
        assert link(x).shape == (3, 0)
        np.testing.assert_array_equal(link.backward(np.zeros((3, 0))), np.zeros_like(x))


def test_windows_of_a_network_follow_the_attributes() -> None:
    link = M.AvgPool2d(2)
    link.stride = (1, 2)
    assert link(X2).shape == (2, 3, 7, 3)
