"""The README's pictures: `python docs/pictures.py REPORT`, where REPORT is the folder of a full `maillon report`."""

import sys
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

import maillon as m
from maillon.data import train_test_split, two_clusters

IMAGES = Path(__file__).parent / "images"
FROM_REPORT = ("figure-12", "figure-17", "figure-18", "figure-21")


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


def main(report: Path) -> None:
    """Draw the first network, and take the report's figures over, no wider than a page shows them."""
    IMAGES.mkdir(exist_ok=True)
    first_network()
    for name in FROM_REPORT:
        picture = Image.open(report / "figures" / f"{name}.png").convert("RGB")
        picture.thumbnail((1000, 1000))
        picture.quantize(128).save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
