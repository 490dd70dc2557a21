"""A sequence of one number in the place of a number: taken where PyTorch takes it, refused where it refuses it."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import maillon as m

SIGNAL, IMAGE, COLUMNS = (2, 3, 8), (2, 3, 8, 8), (2, 27, 16)
POOL: dict[str, Any] = {"kernel_size": 3, "stride": 2, "padding": 1}
CONV = {"in_channels": 3, "out_channels": 4, **POOL, "dilation": 1}
CASES: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("AvgPool1d", POOL, SIGNAL),
    ("AvgPool2d", POOL, IMAGE),
    ("MaxPool1d", POOL | {"dilation": 1}, SIGNAL),
    ("MaxPool2d", POOL | {"dilation": 1}, IMAGE),
    ("Conv1d", CONV, SIGNAL),
    ("Conv2d", CONV, IMAGE),
    ("ConvTranspose1d", CONV | {"output_padding": 1}, SIGNAL),
    ("ConvTranspose2d", CONV | {"output_padding": 1}, IMAGE),
    ("Unfold", POOL | {"dilation": 1}, IMAGE),
    ("Fold", {"output_size": 8, **POOL, "dilation": 1}, COLUMNS),
    *[(f"Adaptive{kind}Pool1d", {"output_size": 3}, SIGNAL) for kind in ("Avg", "Max")],
    *[(f"Adaptive{kind}Pool2d", {"output_size": 3}, IMAGE) for kind in ("Avg", "Max")],
    *[(f"{kind}Pad1d", {"padding": 1}, SIGNAL) for kind in ("Reflection", "Replication", "Zero", "Circular")],
    *[(f"{kind}Pad2d", {"padding": 1}, IMAGE) for kind in ("Reflection", "Replication", "Zero", "Circular")],
    ("Upsample", {"size": 5}, SIGNAL),
    ("Upsample", {"scale_factor": 2.0}, IMAGE),
    ("LayerNorm", {"normalized_shape": 8}, SIGNAL),
    ("RMSNorm", {"normalized_shape": 8}, SIGNAL),
]


def output(package: Any, name: str, options: dict[str, Any], x: Any) -> Any:
    """The shape that comes out, None where it is refused."""
    try:
        y = getattr(package, name)(**options)(x)
    except (RuntimeError, ValueError, NotImplementedError):
        return None
    return tuple(y.shape)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("name", "options", "shape"), CASES)
def test_sizes_as_sequences(name: str, options: dict[str, Any], shape: tuple[int, ...], count: int) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    plain = output(m, name, options, x)
    assert plain is not None
    for option, value in options.items():
        if option.endswith("channels"):
            continue
        given = options | {option: (value,) * count}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = output(torch.nn, name, given, torch.tensor(x))
        found = output(m, name, given, x)
        assert found == (expected if expected == plain else None), option


def test_a_sequence_of_one_stands_for_all() -> None:
    x = np.random.default_rng(0).normal(size=IMAGE).astype(np.float32)
    np.testing.assert_array_equal(m.AvgPool2d((2,), (2,), padding=(1,))(x), m.AvgPool2d(2, 2, padding=1)(x))
    assert repr(m.Conv2d(3, 4, 3, stride=(2,))) == "Conv2d(3, 4, 3, stride=2)"
