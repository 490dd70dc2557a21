"""maillon's numbers beside PyTorch's, drawn as the test runs."""

import math

import numpy as np
import pytest

import maillon.random
from maillon.random import Generator

pytestmark = pytest.mark.torch

SEEDS = [0, 1, 10, 12345, 67280421310721, 2**64 - 1, -1, -(2**63), 987654321987]
DTYPES = ["float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (-1, 1), (-1 / 28, 1 / 28), (-(3**-0.5), 3**-0.5), (0, 50), (1e-8, 1), (-1e30, 1e-9), (5, 5)],
)
def test_uniform_bit_for_bit(torch, seed, dtype, low, high):
    torch.manual_seed(seed)
    generator = Generator(seed)
    for shape in [(0,), (1,), (7, 3), (20_000,)]:
        expected = torch.empty(shape, dtype=getattr(torch, dtype)).uniform_(low, high).numpy()
        drawn = generator.uniform(shape, low, high, dtype)
        assert drawn.dtype == expected.dtype
        np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_permutations_and_integers_bit_for_bit(torch, seed):
    torch.manual_seed(seed)
    generator = Generator(seed)
    for n in [0, 1, 2, 3, 100, 10_000]:
        np.testing.assert_array_equal(generator.randperm(n), torch.randperm(n).numpy())
        high = 2 ** (n % 60 + 1)
        np.testing.assert_array_equal(generator.randint(-3, high, (n, 2)), torch.randint(-3, high, (n, 2)).numpy())


@pytest.mark.parametrize("seed", SEEDS)
def test_normal_numbers_of_both_dtypes_in_one_stream(torch, seed):
    torch.manual_seed(seed)
    generator = Generator(seed)
    for shape in [(3,), (20,), (2, 1), (16,), (15,), (1,), (1000, 3), (0,), (1,)]:
        for dtype, tolerance in [("float32", 1e-6), ("float64", 1e-13)]:
            expected = torch.randn(shape, dtype=getattr(torch, dtype)).numpy()
            drawn = generator.randn(shape, dtype)
            np.testing.assert_allclose(drawn, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("fan_in", "fan_out"), [(1, 1), (2, 4), (784, 100), (64, 2)])
def test_a_linear_links_weights_and_biases_bit_for_bit(torch, dtype, fan_in, fan_out):
    torch.manual_seed(10)
    theirs = torch.nn.Linear(fan_in, fan_out, dtype=getattr(torch, dtype))
    generator = Generator(10)
    bound = math.sqrt(3.0) * (math.sqrt(2.0 / 6.0) / math.sqrt(fan_in))
    weight = generator.uniform((fan_out, fan_in), -bound, bound, dtype)
    bias = generator.uniform(fan_out, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in), dtype)
    np.testing.assert_array_equal(weight, theirs.weight.detach().numpy())
    np.testing.assert_array_equal(bias, theirs.bias.detach().numpy())


def test_both_seeds_are_shown_alike(torch):
    for seed in SEEDS:
        torch.manual_seed(seed)
        assert maillon.random.manual_seed(seed).initial_seed() == torch.initial_seed()
