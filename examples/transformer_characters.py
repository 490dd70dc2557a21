"""A tiny transformer on characters
================================

It writes like the manual of Python, character by character.

The text is what `help("if")` and its like print: chapters of the reference manual, from the standard library's
`pydoc_data.topics`. It is wherever Python is, and long enough to learn spelling, brackets and layout from; the Zen of
Python, in `this`, has no more than 856 characters. Many paragraphs stand in several chapters: each is taken once, and
every tenth is held out, so that no paragraph of the test text has been learnt from.

The idea. Given the characters so far, x_1 … x_t, say how likely each character is to come next. In a window of L
characters the network answers at all L places at once; the loss is the mean of −log p(x_{t+1} | x_1 … x_t), in nats
(/ log 2: in bits). Each place begins with the vector of its character and of where it stands; then each layer lets the
places look at one another, ::

    A = softmax(Q Kᵀ / √d + mask),   x ← x + A V         what place t takes from place s, for each head
    x ← x + W₂ relu(W₁ x)                                what each place makes of it

with Q, K, V linear in the (normalised) x. The mask is −∞ for s > t: no place sees what comes after it, or the answer
would be in the question. Going back, the gradient of place t reaches all places it has looked at.

Is it any good? A table of how often each character comes (unigram), and of how often each comes after each other
(bigram), counted in the same text, are what it has to beat; one who knows nothing of C characters pays log C.

Source: Vaswani et al., "Attention Is All You Need", 2017; on characters: Al-Rfou et al., "Character-Level Language
Modeling with Deeper Self-Attention", 2019.

To run it::

    python examples/transformer_characters.py [--quick] [--out FOLDER] [--seed N]
"""

import argparse
import math
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
from matplotlib.figure import Figure

import maillon as m
from maillon.typing import Array

LENGTH = 64  # characters in a window


# %%
# The network
# -----------


class CausalMask(m.Module):
    """x: (N, L, E) → (L, L), True where a place must not look: at those after it. It does not depend on x: dx = 0."""

    def forward(self, x: Array) -> Array:
        return self.keep(np.triu(np.ones((x.shape[1], x.shape[1]), bool), 1), x.shape, x.dtype)

    def backward(self, grad_output: None) -> Array:
        return np.zeros(*self.release(grad_output))


class ClassesSecond(m.Module):
    """(N, L, C) → (N, C, L), the order that CrossEntropyLoss wants; dx is dy in the old order."""

    def forward(self, x: Array) -> Array:
        return self.keep(x.swapaxes(1, 2))

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output.swapaxes(1, 2)


def transformer(characters: int, width: int, layers: int) -> m.Graph:
    layer = m.TransformerEncoderLayer(
        width, nhead=4, dim_feedforward=4 * width, dropout=0.0, batch_first=True, norm_first=True
    )
    return m.Graph(
        inputs="characters",
        nodes={
            "x": (m.Sequential(m.Embedding(characters, width), m.SinusoidalPositionalEncoding(width)), "characters"),
            "mask": (CausalMask(), "x"),
            "read": (m.TransformerEncoder(layer, layers, norm=m.LayerNorm(width)), "x", "mask"),
            "next": (m.Sequential(m.Linear(width, characters), ClassesSecond()), "read"),
        },
        outputs="next",
    )


# %%
# The text
# --------


def manual() -> tuple[str, str]:
    """The text to learn from, and the text to test on; a paragraph is the same if its letters and digits are."""
    parts = [part.strip("\n") for topic in topics.values() for part in topic.split("\n\n")]
    paragraphs = list({"".join(filter(str.isalnum, part)): part for part in parts}.values())
    held_out = paragraphs[::10]
    del paragraphs[::10]
    return "\n\n".join(paragraphs), "\n\n".join(held_out)


def windows(text: Array) -> tuple[Array, Array]:
    """Every character of the text once: windows, and for each place the character that comes next."""
    count = (len(text) - 1) // LENGTH
    return text[: count * LENGTH].reshape(count, LENGTH), text[1 : count * LENGTH + 1].reshape(count, LENGTH)


# %%
# What it has to beat, and what it writes
# ---------------------------------------


def tables(train: Array, test: Array, characters: int) -> dict[str, float]:
    """Nats per character of the test text for who has only counted; one is added to each count, so that none is 0."""
    single = np.bincount(train, minlength=characters) + 1.0
    pairs = np.ones((characters, characters))
    np.add.at(pairs, (train[:-1], train[1:]), 1)
    share = pairs / pairs.sum(axis=1, keepdims=True)
    return {
        "nothing known": math.log(characters),
        "unigram": float(-np.log(single / single.sum())[test[1:]].mean()),
        "bigram": float(-np.log(share)[test[:-1], test[1:]].mean()),
    }


def written(network: m.Graph, start: Array, count: int, generator: m.Generator, temperature: float = 0.7) -> Array:
    """The start and `count` more characters, each drawn from p^(1/temperature): below 1, the likely more likely."""
    text = list(start)
    for _ in range(count):
        logits = m.predict(network, np.array([text[-LENGTH:]]))[0, :, -1] / temperature
        share = np.exp(logits - logits.max()).cumsum()
        text.append(int(np.searchsorted(share, share[-1] * generator.rand(()))))
    return np.array(text)


# %%
# Learning
# --------


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description="A tiny transformer on the characters of Python's manual.")
    parser.add_argument("--quick", action="store_true", help="less text, fewer steps, a smaller network: some seconds")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where the picture goes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)

    generator = m.manual_seed(options.seed)
    text, test_text = manual()
    if options.quick:
        text, test_text = text[:100_000], test_text[:10_000]
    alphabet = sorted({*text, *test_text})
    place = {character: i for i, character in enumerate(alphabet)}
    train, test = (np.array([place[character] for character in part]) for part in (text, test_text))
    width, layers, epochs, batch_size = (32, 1, 5, 16) if options.quick else (64, 2, 12, 32)
    network, loss = transformer(len(alphabet), width, layers), m.CrossEntropyLoss()
    print(f"{len(train)} characters to learn from, {len(test)} to test on, {len(alphabet)} different ones")
    print(network)
    print(f"{sum(parameter.data.size for parameter in network.parameters())} parameters")

    x, y = windows(train)
    history = m.fit(
        network,
        loss,
        x,
        y,
        rule=m.AdamW(),
        schedule=m.optim.lr_scheduler.OneCycleLR(
            max_lr=4e-3, epochs=epochs, steps_per_epoch=-(-len(x) // batch_size), pct_start=0.1, cycle_momentum=False
        ),
        clip_grad_norm=1.0,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=windows(test),
    )
    scores = tables(train, test, len(alphabet)) | {"transformer": history["val_loss"][-1]}

    print("on the test text, per character:   nats   bits")
    for name, value in scores.items():
        print(f"  {name:<30} {value:6.3f} {value / math.log(2):6.3f}")
    begin = "The statement "
    sample = written(network, np.array([place[c] for c in begin]), 150 if options.quick else 500, generator)
    print("what it writes:")
    print("".join(alphabet[i] for i in sample))
    draw(history, scores, options.out / "transformer_characters.png")
    return scores


# %%
# The picture
# -----------


def draw(history: m.History, scores: dict[str, float], path: Path) -> None:
    """The loss, epoch by epoch, above what counting gives."""
    with m.plot.use():
        figure = Figure(figsize=(6.5, 3.6), layout="constrained")
        ax = m.plot.history(history, ax=figure.add_subplot())
        for name, line in (("unigram", ":"), ("bigram", "-.")):
            ax.axhline(scores[name], color="grey", linestyle=line, label=f"{name}, test text")
        ax.set(title="How surprised it is by the next character", ylabel="loss in nats per character")
        ax.legend()
        bits = ax.secondary_yaxis("right", functions=(lambda nats: nats / math.log(2), lambda bit: bit * math.log(2)))
        bits.set_ylabel("in bits per character")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=80)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
