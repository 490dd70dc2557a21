"""A generative adversarial network
================================

Two networks play against each other until one of them can forge the data.

The idea. The generator G, here the forger, turns noise z ~ N(0, 1) into points; the discriminator D, here the judge,
says of a point how likely it is that it came from the data. D learns to tell the two apart, G learns to be taken for
the data. When neither can gain any more, G's points have the data's law and D says ½ everywhere. The data are the
report's two clusters, without their labels: nobody tells G that there are two of them.

With D(x) = sigmoid(d(x)), both losses are binary cross-entropies of d, and each step of the game is two of learning::

    D:  make small   −log D(x) − log(1 − D(G(z)))      real points called 1, forged ones 0
    G:  make small   −log D(G(z))                      what D calls 1, through D

The gradient that G learns from is what D's backward returns, ∂loss/∂x at the forged points: where to move them to look
truer. The chain rule by hand, with no tape and no "detach": to learn, D is handed points; to teach, it hands back dx::

    z → G → x → D → loss          dz ← G ← dx ← D ← dloss

What is reported is the mean of G's last weights (a running average), for the game goes in circles around its end.
The energy distance 2 E|X − Y| − E|X − X'| − E|Y − Y'| says how far the forged points' law is from the data's: it is 0
for one and the same law; two samples of the data, of the same size, show what chance alone makes of that 0.

Source: Goodfellow et al., "Generative Adversarial Nets", 2014, with G's loss of its section 3; Székely, Rizzo, "Energy
statistics", 2013.

To run it::

    python examples/gan_two_clusters.py [--quick] [--out FOLDER] [--seed N]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.spatial.distance import cdist

import maillon as m
from maillon.data import two_clusters
from maillon.typing import Array

NOISE, HIDDEN, BATCH = 4, 32, 128
CENTRES = np.array([[1.0, 2.0], [3.0, 5.0]], np.float32)  # of two_clusters, each with a standard deviation of 1


# %%
# The players and a round of the game
# -----------------------------------


def mlp(inputs: int, outputs: int) -> m.Sequential:
    """Two hidden layers: either player."""
    return m.Sequential(
        m.Linear(inputs, HIDDEN),
        m.LeakyReLU(0.2),
        m.Linear(HIDDEN, HIDDEN),
        m.LeakyReLU(0.2),
        m.Linear(HIDDEN, outputs),
    )


class Game:
    """The two players, their rules, and one round of the game."""

    def __init__(self, data: Array, generator: m.Generator) -> None:
        self.data, self.draw = data, generator
        self.forger, self.judge = mlp(NOISE, 2), mlp(2, 1)
        self.loss = m.BCEWithLogitsLoss()
        # Prepared for a loop of one's own: each does its steps, or parts of them, in the compiled core.
        self.forging = m.compile(m.Optim(self.forger, self.loss, m.Adam(lr=5e-4, betas=(0.5, 0.9))))
        self.judging = m.compile(m.Optim(self.judge, self.loss, m.Adam(lr=2e-3, betas=(0.5, 0.9))))
        self.average = m.train.ExponentialMovingAverage(self.forger, decay=0.995)
        self.called_real, self.called_forged = np.ones((BATCH, 1), np.float32), np.zeros((BATCH, 1), np.float32)

    def round(self) -> tuple[float, float]:
        """The judge learns from as many real points as forged ones, then the forger from the judge; their losses."""
        real = self.data[self.draw.randint(0, len(self.data), (BATCH,))]
        forged = self.forging.forward(self.draw.randn((BATCH, NOISE)))
        judged = self.judging.step(
            np.concatenate([real, forged]), np.concatenate([self.called_real, self.called_forged])
        )

        value = self.loss(self.judging.forward(forged), self.called_real)
        self.forging.backward(self.judging.backward(self.loss.backward()))
        self.judging.zero_grad()  # its own gradients are not used
        self.forging.update()
        self.average.update()
        return judged, float(value)

    def forged(self, z: Array) -> Array:
        """The points that the mean forger makes of noise."""
        points: Array = m.predict(self.average.network, z)
        return points


# %%
# How far the forged points are from the data
# -------------------------------------------


def energy_distance(x: Array, y: Array) -> float:
    """2 E|X − Y| − E|X − X'| − E|Y − Y'|, each mean over all pairs."""
    return float(2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean())


def described(points: Array) -> list[str]:
    """Share, means and standard deviations of the points nearest to each centre."""
    nearest = cdist(points, CENTRES).argmin(axis=1)
    lines = []
    for label in range(len(CENTRES)):
        own = points[nearest == label]
        if len(own) < 2:
            lines.append(f"{len(own) / len(points):4.0%}")
            continue
        (a, b), (c, d) = own.mean(axis=0), own.std(axis=0)
        lines.append(f"{len(own) / len(points):4.0%} at ({a:5.2f}, {b:5.2f}) ± ({c:.2f}, {d:.2f})")
    return lines


# %%
# The game
# --------


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description="A GAN on two clusters.")
    parser.add_argument("--quick", action="store_true", help="1 500 rounds: some seconds")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where the picture goes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)

    generator = m.manual_seed(options.seed)
    data, _ = two_clusters(1000)
    unseen, _ = two_clusters(1000)
    game, rounds = Game(data, generator), 1500 if options.quick else 6000
    print(f"{len(data)} points to learn from, {len(unseen)} others to compare with")
    print(f"forger {game.forger}\njudge {game.judge}")

    chance = energy_distance(data, unseen)
    z = generator.randn((2000, NOISE))  # the same each time: only the forger changes
    first = game.forged(z)
    course = [(0, energy_distance(first, unseen))]
    for done in range(1, rounds + 1):
        judged, forged = game.round()
        if done % (rounds // 20) == 0:
            course.append((done, energy_distance(game.forged(z), unseen)))
            print(f"round {done:5d}: judge's loss {judged:.3f}, forger's {forged:.3f}, distance {course[-1][1]:.4f}")
    last, distance = game.forged(z), course[-1][1]

    print("points nearest to (1, 2) | points nearest to (3, 5), each with its mean ± standard deviation")
    for name, points in (("data", unseen), ("forged at first", first), ("forged at last", last)):
        print(f"  {name:<16} {' | '.join(described(points))}")
    print(
        f"energy distance to unseen data: {course[0][1]:.4f} at first, {distance:.4f} at last; {chance:.4f} by chance"
    )
    draw(game, unseen, last, course, chance, options.out / "gan_two_clusters.png")
    return {"before": course[0][1], "after": distance, "chance": chance}


# %%
# The picture
# -----------


def draw(game: Game, data: Array, forged: Array, course: list[tuple[int, float]], chance: float, path: Path) -> None:
    """Data, forged points, the judge's surface under both, and how the distance fell."""
    blue, vermilion = m.plot.COLOURS[:2]
    with m.plot.use():
        figure = Figure(figsize=(8.6, 6.8), layout="constrained")
        (first, second), (third, fourth) = figure.subplots(2, 2)
        clouds = ((first, data, blue, "o", "The data"), (second, forged, vermilion, "^", "Forged points"))
        for ax, points, colour, marker, title in clouds:
            ax.scatter(*points[:1000].T, s=10, color=colour, marker=marker, alpha=0.6, linewidths=0)
            plane(ax, title)
        surface(game, third)
        third.scatter(*data[:150].T, s=10, color=blue, marker="o", linewidths=0, label="data")
        third.scatter(*forged[:150].T, s=10, color=vermilion, marker="^", linewidths=0, label="forged")
        third.legend(loc="lower right", frameon=True)

        rounds, distances = zip(*course, strict=True)
        fourth.plot(rounds, distances, color=vermilion, marker="^", markersize=4, label="forged points")
        fourth.axhline(chance, color=blue, linestyle="--", label="other points of the data: chance")
        fourth.set(title="Distance to unseen data", xlabel="round", ylabel="energy distance", yscale="log")
        fourth.legend(loc="upper right")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=80)
    print(f"wrote {path}")


def plane(ax: Axes, title: str) -> None:
    ax.plot(*CENTRES.T, "k+", markersize=11, markeredgewidth=1.8)
    ax.set(title=title, xlabel="$x_1$", ylabel="$x_2$", xlim=(-2.5, 6.5), ylim=(-1.5, 8.5))


def surface(game: Game, ax: Axes) -> None:
    """What the judge believes everywhere in the plane: the probability that a point there is real."""
    x1, x2 = np.meshgrid(np.linspace(-2.5, 6.5, 120), np.linspace(-1.5, 8.5, 120))
    grid = np.column_stack([x1.ravel(), x2.ravel()])
    believed = m.predict(m.Sequential(game.judge, m.Sigmoid()), grid).reshape(x1.shape)
    filled = ax.contourf(x1, x2, believed, levels=np.linspace(0.25, 0.75, 11), cmap="gray", extend="both")
    ax.contour(x1, x2, believed, levels=[0.5], colors="black", linewidths=1.2)
    ax.figure.colorbar(filled, ax=ax, label="D(x): probability of being real", ticks=[0.25, 0.5, 0.75])
    plane(ax, "The judge's surface; on the line D = ½")


if __name__ == "__main__":
    main()
