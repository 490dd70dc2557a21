"""The README's pictures: `python docs/pictures.py REPORT`, where REPORT is the folder of a full `maillon report`."""

import shutil
import sys
from pathlib import Path

from matplotlib.figure import Figure

import maillon as m
from maillon.data import train_test_split, two_clusters

IMAGES = Path(__file__).parent / "images"
FROM_REPORT = {
    "fashion-network": "autoencoder",
    "reconstructions": "fig17",
    "latent": "fig21",
    "digits": "fig12",
}


def first_network() -> None:
    """The README's first network: how it learnt, and what it would answer everywhere."""
    m.manual_seed(0)
    x, y = two_clusters(100)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2)
    network = m.Sequential(m.Linear(2, 4), m.Tanh(), m.Linear(4, 1), m.Sigmoid())
    history = m.fit(network, m.BCELoss(), x_train, y_train, rule=0.1, batch_size=10, epochs=50)
    with m.plot.use():
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        m.plot.history(history, ax=left)
        left.set_title("Loss on the training points")
        m.plot.decision_regions(network, x_test, y_test, ax=right)
        right.set_title("Test points on what the network answers")
        figure.savefig(IMAGES / "first_network.png", dpi=110)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    first_network()


if __name__ == "__main__":
    main()
