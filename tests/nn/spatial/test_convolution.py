"""What convolutions, Unfold and Fold take, refuse and show; their values are the battery's."""

import itertools
from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon import no_grad
from maillon.nn import LinkDtypeError, LinkShapeError
from maillon.nn.spatial import convolution
from maillon.random import Generator
from maillon.typing import Array


def normal(*shape: int) -> Array:
    return Generator(4).normal(shape, dtype=np.float64)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: maillon.Conv1d(0, 1, 1), "Conv1d: expected in_channels to be an integer ≥ 1, got 0."),
        (lambda: maillon.Conv2d(1, 2.0, 1), "Conv2d: expected out_channels to be an integer ≥ 1, got 2.0."),
        (
            lambda: maillon.Conv2d(1, 1, (3, 3, 3)),
            "Conv2d: expected kernel_size to be an integer ≥ 1 or 2 of them, got (3, 3, 3).",
        ),
        (lambda: maillon.Conv1d(1, 1, 0), "Conv1d: expected kernel_size to be an integer ≥ 1, got 0."),
        (lambda: maillon.Conv1d(1, 1, 3, stride=0), "Conv1d: expected stride to be an integer ≥ 1, got 0."),
        (
            lambda: maillon.Conv2d(1, 1, 3, dilation=(1, 0)),
            "Conv2d: expected dilation to be an integer ≥ 1 or 2 of them, got (1, 0).",
        ),
        (lambda: maillon.Conv1d(1, 1, 3, padding=-1), "Conv1d: expected padding to be an integer ≥ 0, got -1."),
        (
            lambda: maillon.Conv1d(1, 1, 3, padding="full"),
            "Conv1d: expected padding to be 'same' or 'valid', got 'full'.",
        ),
        (
            lambda: maillon.Conv2d(1, 1, 3, stride=(1, 2), padding="same"),
            "Conv2d: expected stride to be 1 with padding='same', got (1, 2).",
        ),
        (
            lambda: maillon.Conv1d(1, 1, 3, padding_mode="constant"),
            "Conv1d: expected padding_mode to be 'zeros', 'reflect', 'replicate' or 'circular', got 'constant'.",
        ),
        (
            lambda: maillon.Conv2d(4, 6, 3, groups=4),
            "Conv2d: expected out_channels to be a multiple of groups = 4, got 6.",
        ),
        (
            lambda: maillon.ConvTranspose1d(3, 6, 3, groups=2),
            "ConvTranspose1d: expected in_channels to be a multiple of groups = 2, got 3.",
        ),
        (
            lambda: maillon.ConvTranspose1d(1, 1, 3, padding="same"),
            "ConvTranspose1d: expected padding to be an integer ≥ 0, got 'same'.",
        ),
        (
            lambda: maillon.ConvTranspose2d(1, 1, 3, stride=2, output_padding=(0, 2)),
            "ConvTranspose2d: expected output_padding to be less than stride or dilation, got (0, 2).",
        ),
        (
            lambda: maillon.ConvTranspose2d(1, 1, 3, padding_mode="reflect"),
            "ConvTranspose2d: expected padding_mode to be 'zeros', got 'reflect'.",
        ),
        (lambda: maillon.Unfold(0), "Unfold: expected kernel_size to be an integer ≥ 1 or 2 of them, got 0."),
        (
            lambda: maillon.Unfold(2, padding=(0, -1)),
            "Unfold: expected padding to be an integer ≥ 0 or 2 of them, got (0, -1).",
        ),
        (
            lambda: maillon.Fold((4, 1), 2),
            "Fold: expected output_size to hold a window of extent (2, 2) with its padding, got (4, 1).",
        ),
    ],
)
def test_options_that_make_no_sense(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"])
def test_a_device_is_refused(name: str) -> None:
    with pytest.raises(NotImplementedError) as caught:
        getattr(maillon, name)(1, 1, 1, device="cuda")
    assert str(caught.value) == (
        f"{name}: device='cuda' is not supported: maillon computes on the CPU. Leave device out."
    )


@pytest.mark.parametrize(
    ("link", "shape", "message"),
    [
        (
            maillon.Conv2d(3, 8, 3),
            (5, 28, 28, 3),
            "Conv2d(3, 8, 3): expected x of shape (N, 3, H, W) or (3, H, W), got (5, 28, 28, 3). "
            "The channels come before the space: numpy.moveaxis(x, -1, -3).",
        ),
        (
            maillon.Conv2d(1, 8, 3, padding="same"),
            (64, 28, 28),
            "Conv2d(1, 8, 3, padding='same'): expected x of shape (N, 1, H, W) or (1, H, W), got (64, 28, 28). "
            "Give each sample its one channel: x[:, None].",
        ),
        (
            maillon.Conv1d(2, 1, 3),
            (4, 5),
            "Conv1d(2, 1, 3): expected x of shape (N, 2, L) or (2, L), got (4, 5). "
            "The channels, in_channels = 2, come right before L.",
        ),
        (
            maillon.Conv1d(2, 1, 3, dilation=2),
            (4, 2, 4),
            "Conv1d(2, 1, 3, dilation=2): expected x of shape (N, 2, L ≥ 5), got (4, 2, 4). "
            "The kernel and its padding need as much: take smaller ones.",
        ),
        (
            maillon.Conv2d(2, 1, 3, padding=(1, 2), padding_mode="reflect"),
            (2, 4, 2),
            "Conv2d(2, 1, 3, padding=(1, 2), padding_mode='reflect'): expected x of shape (2, H ≥ 2, W ≥ 3), "
            "got (2, 4, 2). The kernel and its padding need as much: take smaller ones.",
        ),
        (
            maillon.ConvTranspose1d(2, 1, 3, padding=4),
            (1, 2, 5),
            "ConvTranspose1d(2, 1, 3, padding=4): expected x of shape (N, 2, L ≥ 6), got (1, 2, 5). "
            "The padding crops more than there is.",
        ),
        (
            maillon.ConvTranspose2d(2, 1, 3),
            (1, 2, 0, 3),
            "ConvTranspose2d(2, 1, 3): expected x of shape (N, 2, H ≥ 1, W ≥ 1), got (1, 2, 0, 3). "
            "A kernel is laid down at each place of x.",
        ),
        (
            maillon.Unfold((3, 2)),
            (2, 4, 2, 5),
            "Unfold((3, 2)): expected x of shape (N, C, H ≥ 3, W ≥ 2), got (2, 4, 2, 5). "
            "The window needs as much: take a smaller one.",
        ),
        (
            maillon.Unfold(2),
            (4, 5),
            "Unfold(2): expected x of shape (N, C, H, W) or (C, H, W), got (4, 5). Channels and batch come first.",
        ),
        (
            maillon.Fold((4, 5), 2),
            (8, 11),
            "Fold((4, 5), 2): expected x of shape (N, C · 4, 12) or (C · 4, 12), got (8, 11). "
            "Unfold of output_size makes such columns.",
        ),
    ],
)
def test_shapes_that_do_not_fit(link: maillon.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LinkShapeError) as caught:
        link(np.zeros(shape, np.float32))
    assert str(caught.value) == message


def test_an_input_of_another_dtype_is_refused() -> None:
    with pytest.raises(LinkDtypeError) as caught:
        maillon.Conv1d(1, 1, 1)(np.zeros((1, 4)))
    assert str(caught.value) == (
        "Conv1d(1, 1, 1): expected x of dtype float32, got float64. "
        "Convert it with x.astype('float32'), or the link with .to('float64')."
    )


@pytest.mark.parametrize("size", [(10,), (13,), (2, 12), (2, 3, 4, 12)])
def test_an_output_size_that_the_stride_does_not_leave_open(size: tuple[int, ...]) -> None:
    link = maillon.ConvTranspose1d(2, 3, 3, stride=2, dtype="float64")
    with pytest.raises(LinkShapeError) as caught:
        link(normal(1, 2, 5), output_size=size)
    assert str(caught.value) == (
        f"ConvTranspose1d(2, 3, 3, stride=2, dtype='float64'): expected output_size of 1 sizes (11…12), got {size}. "
        "The stride leaves this choice for x of shape (1, 2, 5)."
    )


@pytest.mark.parametrize(
    "shown",
    [
        "Conv1d(2, 4, 3)",
        "Conv1d(2, 4, 3, stride=2, padding=1, dilation=2, groups=2, bias=False, padding_mode='circular')",
        "Conv2d(2, 4, (3, 1), padding='same', dtype='float64')",
        "Conv2d(2, 4, 3, stride=(2, 1), padding=(0, 1))",
        "ConvTranspose1d(4, 2, 3, stride=2, output_padding=1, groups=2)",
        "ConvTranspose2d(4, 2, (3, 2), stride=(2, 1), padding=1, output_padding=(1, 0), dilation=2, bias=False)",
        "Unfold(2)",
        "Unfold((2, 3), dilation=2, padding=(1, 0), stride=2)",
        "Fold((4, 5), 2, padding=1)",
    ],
)
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


def test_sizes_are_held_as_pytorch_holds_them() -> None:
    link = maillon.ConvTranspose2d(1, 1, 3, stride=[2, 1], padding=1)
    assert (link.kernel_size, link.stride, link.padding, link.output_padding) == ((3, 3), (2, 1), (1, 1), (0, 0))
    assert maillon.Conv2d(1, 1, 3, padding="same").padding == "same"


def test_a_generator_of_ones_own_leaves_the_global_one_alone() -> None:
    maillon.manual_seed(3)
    expected = maillon.Conv2d(2, 3, 3).state_dict()
    state = maillon.random.resolve(None).rand((1,))
    maillon.manual_seed(3)
    given = maillon.Conv2d(2, 3, 3, generator=Generator(3)).state_dict()
    maillon.Conv2d(2, 3, 3)
    np.testing.assert_array_equal(maillon.random.resolve(None).rand((1,)), state)
    for name, value in expected.items():
        np.testing.assert_array_equal(given[name], value)


@pytest.mark.parametrize(("kernel", "dilation"), [(2, 1), (4, 1), (4, 3), (3, 2)])
def test_same_padding_has_the_odd_value_after(kernel: int, dilation: int) -> None:
    link = maillon.Conv1d(2, 3, kernel, padding="same", dilation=dilation, dtype="float64")
    bare = maillon.Conv1d(2, 3, kernel, dilation=dilation, dtype="float64")
    bare.load_state_dict(link.state_dict())
    spare = dilation * (kernel - 1)
    around = maillon.ZeroPad1d((spare // 2, spare - spare // 2))
    np.testing.assert_array_equal(link(normal(2, 2, 7)), bare(around(normal(2, 2, 7))))


def test_a_transposed_convolution_is_a_convolutions_derivative() -> None:
    there = maillon.Conv2d(4, 6, (3, 2), (2, 1), 1, groups=2, bias=False, dtype="float64")
    back = maillon.ConvTranspose2d(6, 4, (3, 2), (2, 1), 1, groups=2, bias=False, dtype="float64")
    back.load_state_dict(there.state_dict())
    x = normal(2, 4, 7, 5)
    dy = np.cos(there(x))
    dx = there.backward(dy)
    np.testing.assert_array_equal(back(dy), dx)
    np.testing.assert_array_equal(back.backward(x), there(x))
    np.testing.assert_allclose(back.weight.grad, there.weight.grad, rtol=1e-13)


def test_fold_of_unfold_counts_the_windows() -> None:
    options: dict[str, Any] = {"kernel_size": (2, 3), "dilation": (2, 1), "padding": 1, "stride": (1, 2)}
    unfold, fold = maillon.Unfold(**options), maillon.Fold((5, 6), **options)
    x = normal(2, 3, 5, 6)
    often = fold(unfold(np.ones_like(x)))
    np.testing.assert_allclose(fold(unfold(x)), often * x, rtol=1e-13)
    assert often.min() >= 0


@pytest.mark.parametrize("name", ["Conv2d", "ConvTranspose2d"])
def test_the_size_of_the_blocks_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    link = getattr(maillon, name)(2, 4, 3, stride=2, padding=1, dtype="float64")
    x = normal(5, 2, 6, 7)
    seen = []
    for size in (1, 6000, 2**30):
        monkeypatch.setattr(convolution, "BLOCK", size)
        link.zero_grad()
        y = link(x)
        seen.append((y, link.backward(np.cos(y)), link.weight.grad, link.bias.grad))
    for one, other in itertools.pairwise(seen):
        for array, same in zip(one, other, strict=True):
            np.testing.assert_allclose(array, same, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ["Conv1d", "ConvTranspose1d"])
def test_a_learning_step_leaves_the_inputs_gradient_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    link = getattr(maillon, name)(2, 3, 3, dtype="float64")
    y = link(normal(2, 2, 6))
    link.backward(np.cos(y))
    expected = [parameter.grad for parameter in link.parameters()]
    link.zero_grad()
    y = link(normal(2, 2, 6))
    monkeypatch.setattr(link, "_products_dx" if name == "Conv1d" else "_products", None)
    link.backward_parameters(np.cos(y))
    for parameter, grad in zip(link.parameters(), expected, strict=True):
        np.testing.assert_array_equal(parameter.grad, grad)


def test_a_frozen_weight_costs_no_product(monkeypatch: pytest.MonkeyPatch) -> None:
    link = maillon.Conv1d(2, 3, 3, dtype="float64")
    link.weight.requires_grad = False
    monkeypatch.setattr(link, "_products_dw", None)
    y = link(normal(2, 2, 6))
    assert link.backward(y).shape == (2, 2, 6)
    assert link.weight.grad is None
    assert link.bias is not None
    assert link.bias.grad is not None


def test_columns_are_not_kept() -> None:
    link = maillon.Conv2d(4, 4, 3, padding=1)
    link(np.zeros((2, 4, 8, 8), np.float32))
    kept = [part for part in link.__dict__["_kept"][1] if isinstance(part, np.ndarray)]
    assert sum(part.size for part in kept) == 2 * 4 * 10 * 10
    link.forget()
    with no_grad():
        link(np.zeros((2, 4, 8, 8), np.float32))
    assert link.kept_output is None


@pytest.mark.parametrize("link", [maillon.Conv2d(1, 4, 3), maillon.ConvTranspose2d(1, 4, 3)])
def test_images_without_their_channel(link: Any) -> None:
    images = np.zeros((5, 8, 8), np.float32)
    with pytest.raises(ValueError) as caught:
        maillon.Sequential(link, maillon.Flatten())(images)
    assert str(caught.value) == (
        f"Sequential[0] {link!r}: expected x of shape (N, 1, H, W) or (1, H, W), got (5, 8, 8). "
        "Give each sample its one channel: x[:, None]."
    )
    assert link(images[:1]).ndim == 3  # one image, and no batch
