"""What Upsample, the pixel shuffles and Unflatten take and refuse, and what they undo."""

from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon.nn import LinkDtypeError, LinkShapeError
from maillon.random import Generator

M = maillon


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (M.Upsample, ValueError, "Upsample: expected one of size and scale_factor, got none."),
        (lambda: M.UpsamplingNearest2d(3, 2.0), ValueError,
         "UpsamplingNearest2d: expected one of size and scale_factor, got both."),
        (lambda: M.Upsample((2, 0)), ValueError, "Upsample: expected size to be an integer ≥ 1, got 0."),
        (lambda: M.Upsample(scale_factor=0), ValueError, "Upsample: expected scale_factor to be a number > 0, got 0."),
        (lambda: M.Upsample(2, mode="lanczos"), ValueError,
         "Upsample: expected mode to be 'nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear', 'bicubic' or "
         "'area', got 'lanczos'."),
        (lambda: M.Upsample(2, align_corners=True), ValueError,
         "Upsample: expected align_corners to be None with mode='nearest', got True."),
        (lambda: M.Upsample(2, recompute_scale_factor=True), ValueError,
         "Upsample: expected recompute_scale_factor to be None with size, got True."),
        (lambda: M.PixelShuffle(0), ValueError, "PixelShuffle: expected upscale_factor to be an integer ≥ 1, got 0."),
        (lambda: M.PixelUnshuffle(1.5), ValueError,
         "PixelUnshuffle: expected downscale_factor to be an integer ≥ 1, got 1.5."),
        (lambda: M.Unflatten(1.0, (2,)), ValueError, "Unflatten: expected dim to be an integer, got 1.0."),
        (lambda: M.Unflatten(1, (-1, -1)), ValueError,
         "Unflatten: expected unflattened_size to be integers ≥ 0, one of them perhaps -1, got (-1, -1)."),
        (lambda: M.Unflatten(1, 4), ValueError,
         "Unflatten: expected unflattened_size to be integers ≥ 0, one of them perhaps -1, got 4."),
        (lambda: M.Unflatten("C", (("A", 2), ("B", 3))), NotImplementedError,
         "Unflatten: dim='C' with (('A', 2), ('B', 3)) is not supported: an array's dimensions have no names. "
         "Give their numbers."),
    ],
)  # fmt: skip
def test_options_that_make_no_sense(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("link", "x", "error", "message"),
    [
        (M.Upsample(2, mode="linear"), np.zeros((2, 3, 4, 4)), LinkShapeError,
         "Upsample(size=2, mode='linear'): expected x of shape (N, C, L), got (2, 3, 4, 4). It takes the batch, the "
         "channels, and 1 dimension of space."),
        (M.Upsample(2), np.zeros((2, 3)), LinkShapeError,
         "Upsample(size=2): expected x of shape (N, C, L) or (N, C, H, W) or (N, C, D, H, W), got (2, 3). It takes the "
         "batch, the channels, and 1, 2 or 3 dimensions of space."),
        (M.Upsample((2, 3)), np.zeros((2, 3, 4)), LinkShapeError,
         "Upsample(size=(2, 3)): expected x of shape (N, C, H, W), got (2, 3, 4). "
         "One is given for each dimension of space."),
        (M.Upsample(2), np.zeros((2, 3, 0)), LinkShapeError,
         "Upsample(size=2): expected x of shape (N, C, L), got (2, 3, 0). Only the batch may be empty."),
        (M.Upsample(scale_factor=0.3), np.zeros((2, 3, 3)), LinkShapeError,
         "Upsample(scale_factor=0.3): expected x so large that the output is not empty, got shape (2, 3, 3). "
         "Take a larger scale_factor."),
        (M.Upsample(2), np.zeros((2, 3, 3), int), LinkDtypeError,
         "Upsample(size=2): expected x of dtype float32 or float64, got int64. Convert it with x.astype('float32')."),
        (M.PixelShuffle(2), np.zeros((2, 6, 2, 2)), LinkShapeError,
         "PixelShuffle(2): expected x of shape (*, C · 4, H, W), got (2, 6, 2, 2). 4 channels make one of larger "
         "images."),
        (M.PixelUnshuffle(2), np.zeros((2, 6, 2, 3)), LinkShapeError,
         "PixelUnshuffle(2): expected x of shape (*, C, H · 2, W · 2), got (2, 6, 2, 3). Pad it to multiples of 2."),
        (M.Unflatten(1, (2, 4)), np.zeros((4, 6)), LinkShapeError,
         "Unflatten(1, (2, 4)): expected x with 8 values along dimension 1, got shape (4, 6). "
         "The sizes must multiply to 6."),
        (M.Unflatten(1, (4, -1)), np.zeros((4, 6)), LinkShapeError,
         "Unflatten(1, (4, -1)): expected x with a multiple of 4 values along dimension 1, got shape (4, 6). "
         "The sizes must multiply to 6."),
        (M.Unflatten(2, (2, 4)), np.zeros((4, 6)), LinkShapeError,
         "Unflatten(2, (2, 4)): expected x with a dimension 2, got shape (4, 6). dim must be in -2…1."),
    ],
)  # fmt: skip
def test_inputs_that_make_no_sense(link: Any, x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        link(x)
    assert str(caught.value) == message
    assert link.kept_output is None


@pytest.mark.parametrize(
    "shown",
    [
        "Upsample(size=(3, 4))",
        "Upsample(scale_factor=(2, 1.5), mode='bilinear', align_corners=False, recompute_scale_factor=True)",
        "UpsamplingNearest2d(size=4)",
        "UpsamplingBilinear2d(scale_factor=1.5)",
        "PixelShuffle(3)",
        "PixelUnshuffle(3)",
        "Unflatten(-1, (2, -1))",
    ],
)
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


def test_every_mode_keeps_what_is_the_same_everywhere() -> None:
    for mode, *space in [("linear", 3), ("bicubic", 3, 5), ("area", 3, 5)]:
        y = M.Upsample(scale_factor=2.3, mode=mode)(np.ones((1, 1, *space)))
        np.testing.assert_allclose(y, np.ones_like(y), rtol=1e-14)  # sixteen weights, each rounded


def test_a_nan_spreads_as_far_as_weights_go_even_if_they_are_zero() -> None:
    x = np.array([[[1.0, np.nan, 2.0, 3.0]]])
    np.testing.assert_array_equal(M.Upsample(scale_factor=2)(x), [[[1, 1, np.nan, np.nan, 2, 2, 3, 3]]])
    y = M.Upsample(scale_factor=2, mode="linear")(x)
    np.testing.assert_array_equal(np.isnan(y), [[[True] * 5 + [False] * 3]])


def test_the_pixel_shuffles_undo_each_other() -> None:
    x = Generator(1).normal((2, 3, 12, 4, 5), dtype=np.float32)
    y = M.PixelShuffle(2)(x)
    assert y.shape == (2, 3, 3, 8, 10)
    np.testing.assert_array_equal(M.PixelUnshuffle(2)(y), x)
    np.testing.assert_array_equal(M.Flatten(1, 2)(M.Unflatten(1, (1, -1))(x)), x)
