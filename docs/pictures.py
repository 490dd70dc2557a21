"""The README's pictures: `python docs/pictures.py REPORT [EXAMPLES]`.

REPORT is the folder of a full `maillon report`, EXAMPLES the one that the examples in `examples/` wrote into (`--out`).
"""

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import maillon as m
from maillon.sklearn import TabularClassifier

IMAGES = Path(__file__).parent / "images"
FROM_REPORT = ("figure-12", "figure-17", "figure-18", "figure-21")


def first_network() -> None:
    """The README's first network: how it learnt, and what it predicts."""
    generator = m.manual_seed(0)
    x = generator.uniform((200, 1), -2, 2)
    y = np.sin(2 * x) + 0.1 * generator.randn((200, 1))
    network = m.Sequential(m.Linear(1, 16), m.Tanh(), m.Linear(16, 1))
    history = m.fit(network, m.MSELoss(), x, y, rule=m.Adam(lr=0.01), epochs=200, validation_split=0.2)
    with m.plot.use():
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        m.plot.history(history, ax=left)
        left.set(title="The loss, epoch by epoch", yscale="log")
        m.plot.regression(network, x, y, ax=right, label="network")
        right.set_title("What the network predicts")
        figure.savefig(IMAGES / "first_network.png", dpi=110)


def graph() -> None:
    """A network of two inputs and two outputs, as plot.network draws it."""
    nodes = {
        "seen": (m.Sequential(m.Flatten(), m.Linear(64, 8), m.Tanh()), "image"),
        "words": (m.Embedding(50, 16), "text"),
        "lstm": (m.LSTM(16, 8, batch_first=True), "words"),
        "last": (m.LastStep(), "lstm"),
        "both": (m.Concat(), "seen", "last"),
        "risk": (m.Linear(16, 1), "both"),
        "kind": (m.Sequential(m.Linear(16, 32), m.ReLU(), m.Linear(32, 5)), "both"),
    }
    network = m.Graph(["image", "text"], nodes, ["risk", "kind"])
    figure = Figure(figsize=m.plot.network_size(network), facecolor="white")
    m.plot.network(network, figure.add_axes((0, 0, 1, 1)), input_shape=((8, 8), (7,)), dtype=(None, "int64"))
    figure.savefig(IMAGES / "graph.png", dpi=80)
    taken_over(IMAGES / "graph.png")


def sweep() -> None:
    """The first sweep of docs/sweep.md: the score against each setting."""
    x, y = load_digits(return_X_y=True)

    def build(width: int, activation: type[m.Module], p: float) -> m.Module:
        return m.Sequential(m.Linear(64, width), activation(), m.Dropout(p), m.Linear(width, 10))

    space = {
        "width": [16, 32, 64], "activation": [m.ReLU, m.Tanh], "p": [0.0, 0.2, 0.4],
        "lr": loguniform(1e-4, 1e-1), "batch_size": [16, 32, 64],
    }  # fmt: skip
    data = (x[:1500] / 16).astype(np.float32), y[:1500]
    options: Any = {"n": 100, "epochs": 20, "validation_split": 0.2, "metrics": "accuracy", "monitor": "val_accuracy"}
    result = m.sweep(build, space, *data, loss=m.CrossEntropyLoss(), **options)
    with m.plot.use():
        figure = m.plot.sweep(result)[0].figure
        figure.set_size_inches(11, 2.8)
        figure.savefig(IMAGES / "sweep.png", dpi=90)
    taken_over(IMAGES / "sweep.png", Image.Quantize.FASTOCTREE)


def find_lr() -> None:
    """The two range tests of docs/find_lr.md: a network that learns, and noise."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    m.manual_seed(0)
    network = m.Sequential(m.Linear(64, 32), m.ReLU(), m.Linear(32, 10))
    by_lot = m.manual_seed(1).randint(0, 10, (len(y),))
    with m.plot.use():
        figure = Figure(figsize=(10, 3.6), layout="constrained")
        for ax, target, title in zip(figure.subplots(1, 2), (y, by_lot), ("Digits", "Labels by lot"), strict=True):
            found = m.find_lr(network, m.CrossEntropyLoss(), x, target, rule=m.Adam())
            m.plot.find_lr(found, ax)
            ax.set_title(f"{title}: {'no rate' if found.lr is None else f'a rate of {found.lr:.2g}'}", pad=22)
        figure.savefig(IMAGES / "find_lr.png", dpi=100)
    taken_over(IMAGES / "find_lr.png", Image.Quantize.FASTOCTREE)


def tables() -> None:
    """The table of docs/tables.md: which columns count, and the chance of survival by age."""
    path = files("sklearn.datasets.tests") / "data/openml/id_40945/data-v1-dl-16826755.arff.gz"
    names = ["class", "survived", "name", "sex", "age", "siblings", "parents", "ticket", "fare", "cabin", "port"]
    with path.open("rb") as file:
        table = pd.read_csv(file, compression="gzip", skiprows=17, names=names, usecols=range(11), na_values="?")
    table["deck"] = table["cabin"].str[0]
    x, y = table[["class", "sex", "age", "siblings", "parents", "fare", "port", "deck"]], table["survived"]
    x_train, _, y_train, _ = train_test_split(x, y, stratify=y, random_state=0)
    model = TabularClassifier(random_state=0).fit(x_train, y_train)
    with m.plot.use():
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        order = np.argsort(model.feature_importances_)
        left.barh(x.columns[order], model.feature_importances_[order])
        left.set(title="What counts", xlabel="fall of the accuracy when shuffled")
        ages = np.arange(0, 71, 2)
        for sex, style in (("female", "-"), ("male", "--")):
            for level, colour in ((1, "C0"), (3, "C1")):
                group = x[(x["sex"] == sex) & (x["class"] == level)]
                chances = [model.predict_proba(group.assign(age=age))[:, 1].mean() for age in ages]
                right.plot(ages, chances, style, color=colour, label=f"{sex}, class {level}")
        right.set(title="Chance of survival", xlabel="age in years", ylim=(0, 1))
        right.legend(fontsize="small", ncols=2)
        figure.savefig(IMAGES / "tables.png", dpi=110)
    taken_over(IMAGES / "tables.png", Image.Quantize.FASTOCTREE)


def taken_over(path: Path, method: Image.Quantize = Image.Quantize.MEDIANCUT) -> None:
    """A picture, no wider than a page shows it and in few colours, which makes its file small."""
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((1000, 1000))
    picture.quantize(128, method).save(IMAGES / path.name, optimize=True)


def main(report: Path, examples: Path | None = None) -> None:
    """Draw the pictures of the README and the pages, and take the figures of the report and the examples over."""
    IMAGES.mkdir(exist_ok=True)
    first_network()
    graph()
    sweep()
    find_lr()
    tables()
    for name in FROM_REPORT:
        taken_over(report / "figures" / f"{name}.png")
    for path in sorted(examples.glob("*.png")) if examples else ():
        taken_over(path, Image.Quantize.FASTOCTREE)  # keeps colours of which there is little


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
