"""The report's autoencoder against PyTorch: same seed, same permutations, same images, the same 20 epochs."""

import os
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import maillon
from maillon.typing import Array

WIDTHS = (784, 256, 64, 2, 64, 256, 784)
EPOCHS, BATCH, RATE, SEED, IMAGES = 20, 2048, 0.5, 10, 8000

pytestmark = pytest.mark.torch


def images() -> Array:
    """Fashion-MNIST as in the report where the folder is given, else made images with as many pixels."""
    if os.environ.get("MAILLON_DATA"):
        from maillon.data import fashion_mnist

        pixels = fashion_mnist().train_images[:IMAGES]
        return np.asarray(pixels, np.float32).reshape(IMAGES, 784) / np.float32(255)
    generator = maillon.Generator(1)
    return generator.rand((IMAGES, 1)) * generator.rand((1, 784)) * generator.rand((IMAGES, 784))


def chain(linear: Any, tanh: Any, sigmoid: Any) -> list[Any]:
    links = []
    for number, (width_in, width_out) in enumerate(pairwise(WIDTHS)):
        links += [linear(width_in, width_out), sigmoid() if number == len(WIDTHS) - 2 else tanh()]
    return links


def test_the_first_20_epochs_are_pytorchs(torch: Any) -> None:
    x = images()
    torch.manual_seed(SEED)
    theirs = torch.nn.Sequential(*chain(torch.nn.Linear, torch.nn.Tanh, torch.nn.Sigmoid))
    rule, loss, pixels = torch.optim.SGD(theirs.parameters(), lr=RATE), torch.nn.MSELoss(), torch.from_numpy(x)
    expected = []
    for _ in range(EPOCHS):
        total, order = 0.0, torch.randperm(IMAGES)
        for batch in order.split(BATCH):
            rule.zero_grad()
            value = loss(theirs(pixels[batch]), pixels[batch])
            value.backward()
            rule.step()
            total += value.item() * len(batch)
        expected.append(total / IMAGES)

    maillon.manual_seed(SEED)
    ours = maillon.Sequential(*chain(maillon.Linear, maillon.Tanh, maillon.Sigmoid))
    history = maillon.fit(ours, maillon.MSELoss(), x, x, rule=RATE, batch_size=BATCH, epochs=EPOCHS, progress=False)

    np.testing.assert_allclose(history["loss"], expected, rtol=1e-5, atol=0)
    for name, weight in ours.state_dict().items():
        np.testing.assert_allclose(weight, theirs.state_dict()[name].numpy(), rtol=0, atol=1e-5)
