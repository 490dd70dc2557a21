"""A recurrent network that learns to add
======================================

It adds as one does at school: digit by digit, with a carry that nobody told it of.

The idea. Two numbers are read together, the last digits first, and at each step the network writes a digit of the sum::

      step t    1 2 3                   38
      reads     8 3 0                 + 57
                7 5 0                 ----
      writes    5 9 0                   95

The digit to be written, (a + b + c) mod 10, depends on whether the step before left a carry c, and all that the network
knows of the steps before is its state. So it must find out that there is such a thing, keep it, and pass it on. An
LSTM's state is a pair, the cell c_t, which forgets by a factor f and takes in by a factor i, and what it shows of it::

    c_t = f c_{t−1} + i g,   h_t = o tanh c_t,   with i, f, o = σ(a), g = tanh(a), a = W x_t + U h_{t−1} + b     LSTM
    logits of the digit = V h_t + d                                                                             Linear

where x_t holds the two digits, each one-hot. The loss is the mean cross-entropy of all digits written. The gradient of
a wrong digit walks back through time, dc_{t−1} = f dc_t: so the step that left the carry learns from the one that
missed it, and as long as f is near 1 the way back may be long.

Has it learnt to add, or by heart? It learns from numbers of up to 4 digits. It is asked for sums it has never seen, of
numbers of up to 200 digits, and for 99…9 + 1, where one carry goes all the way: four 9 are the most it can have met.
The right answers are Python's own integers.

Source: Hochreiter, Schmidhuber, "Long Short-Term Memory", 1997, whose section 5.4 has another adding problem.

To run it::

    python examples/recurrent_addition.py [--quick] [--out FOLDER] [--seed N]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import maillon as m
from maillon.data import one_hot
from maillon.typing import Array

HIDDEN = 16
DIGITS = 4  # of the numbers it learns from
LENGTHS = (1, 2, 4, 8, 16, 32, 64, 200)  # of those it is asked for


# %%
# The network
# -----------


class ClassesSecond(m.Module):
    """(N, L, C) → (N, C, L), the order that CrossEntropyLoss wants; dx is dy in the old order."""

    def forward(self, x: Array) -> Array:
        return self.keep(x.swapaxes(1, 2))

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output.swapaxes(1, 2)


def adder() -> m.Sequential:
    return m.Sequential(m.LSTM(20, HIDDEN, batch_first=True), m.EveryStep(), m.Linear(HIDDEN, 10), ClassesSecond())


# Numbers as the network sees them, and as it writes them

Pairs = list[tuple[int, int]]


# %%
# Sums as sequences of digits, and back
# -------------------------------------


def drawn(count: int, digits: int, generator: m.Generator) -> Pairs:
    """Pairs of numbers of up to so many digits, each as likely as any other."""
    rows = generator.randint(0, 10, (count, 2, digits))
    return [(number(first), number(second)) for first, second in rows]


def number(digits: Array) -> int:
    return int("".join(map(str, digits)))


def as_digits(numbers: list[int], steps: int) -> Array:
    """(n, steps): the decimal digits, the last one first, then zeros."""
    return np.array([[int(digit) for digit in reversed(f"{value:0{steps}d}")] for value in numbers])


def as_input(pairs: Pairs, steps: int) -> Array:
    """(n, steps, 20)."""
    return np.concatenate([one_hot(as_digits(list(column), steps), 10) for column in zip(*pairs, strict=True)], axis=2)


def as_target(pairs: Pairs, steps: int) -> Array:
    """(n, steps): the digits of the sums."""
    return as_digits([a + b for a, b in pairs], steps)


# %%
# How good it is
# --------------


def add(network: m.Sequential, pairs: Pairs, digits: int) -> list[int]:
    """What the network says of each pair: the likeliest digit of each step, one step more than the numbers have."""
    written = m.predict(network, as_input(pairs, digits + 1)).argmax(axis=1)
    return [number(row[::-1]) for row in written]


def share_right(network: m.Sequential, pairs: Pairs, digits: int) -> float:
    """The share of sums without a wrong digit."""
    return float(np.mean([a + b == c for (a, b), c in zip(pairs, add(network, pairs, digits), strict=True)]))


def whole_sums(prediction: Array, target: Array) -> float:
    """The same as a metric for `fit`."""
    return float((prediction.argmax(axis=1) == target).all(axis=1).mean())


def longest_carry(network: m.Sequential) -> int:
    """The largest n up to 200 such that 9 + 1, 99 + 1, …, (n times 9) + 1 are all right."""
    for digits in range(1, 201):
        if share_right(network, [(10**digits - 1, 1)], digits) < 1:
            return digits - 1
    return 200


# %%
# Learning
# --------


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser(description="A recurrent network that learns to add.")
    parser.add_argument("--quick", action="store_true", help="3 000 sums, 10 epochs: some seconds")
    parser.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="where the picture goes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)

    generator = m.manual_seed(options.seed)
    count, epochs, batch_size = (3_000, 10, 50) if options.quick else (10_000, 20, 100)
    pairs = drawn(count, DIGITS, generator)
    seen = set(pairs)
    unseen = [pair for pair in drawn(1_000, DIGITS, generator) if pair not in seen]
    network = adder()
    print(f"{count} sums of numbers of up to {DIGITS} digits to learn from, {len(unseen)} others to test on")
    print(network)

    before = share_right(network, unseen, DIGITS)
    history = m.fit(
        network,
        m.CrossEntropyLoss(),
        as_input(pairs, DIGITS + 1),
        as_target(pairs, DIGITS + 1),
        rule=m.Adam(lr=0.02),
        schedule=m.optim.lr_scheduler.CosineAnnealingLR(T_max=epochs),
        batch_size=batch_size,
        epochs=epochs,
        validation_data=(as_input(unseen, DIGITS + 1), as_target(unseen, DIGITS + 1)),
        metrics=["accuracy", whole_sums],
    )
    after = share_right(network, unseen, DIGITS)
    print(f"sums never seen, all digits right: {before:.1%} before learning, {after:.1%} after {epochs} epochs")

    long_pairs = {digits: drawn(200, digits, generator) for digits in LENGTHS}
    by_length = {digits: share_right(network, some, digits) for digits, some in long_pairs.items()}
    for digits, share in by_length.items():
        print(f"  {digits:3d}-digit numbers: {share:6.1%} of 200 sums right")
    print(f"99…9 + 1 is right up to {longest_carry(network)} times 9 (200 tried)")
    for digits in (2, 2, 4, 8, 16):
        show(network, drawn(1, digits, generator), digits)
    draw(network, history, by_length, long_pairs[16], options.out / "recurrent_addition.png")
    return {"before": before, "after": after, "200 digits": by_length[200]}


def show(network: m.Sequential, pair: Pairs, digits: int) -> None:
    ((a, b),), (said,) = pair, add(network, pair, digits)
    print(f"  {a} + {b} = {said}" + ("" if said == a + b else f"   wrong: {a + b}"))


# %%
# The picture
# -----------


def draw(network: m.Sequential, history: m.History, by_length: dict[int, float], pairs: Pairs, path: Path) -> None:
    """How it learnt, how far it carries, and where in its state the carry is."""
    with m.plot.use():
        figure = Figure(figsize=(10.5, 3.3), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        epochs = range(1, len(history) + 1)
        left.plot(epochs, np.multiply(100, history["val_accuracy"]), label="digits")
        left.plot(epochs, np.multiply(100, history["val_whole_sums"]), "--", label="whole sums")
        left.set(title=f"Unseen sums of {DIGITS} digits", xlabel="epoch", ylabel="right in %", ylim=(-3, 103))
        left.locator_params(axis="x", integer=True)
        left.legend()

        middle.semilogx(list(by_length), np.multiply(100, list(by_length.values())), "o-", clip_on=False)
        middle.axvline(DIGITS, color="grey", linestyle=":", label=f"learnt from, up to {DIGITS}")
        middle.set_xticks(LENGTHS, [str(digits) for digits in LENGTHS])
        middle.minorticks_off()
        middle.set(
            title="Longer numbers", xlabel="digits of the numbers", ylabel="whole sums right in %", ylim=(-3, 103)
        )
        middle.legend(loc="lower left")
        where_the_carry_is(network, pairs, right)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=80)
    print(f"wrote {path}")


def where_the_carry_is(network: m.Sequential, pairs: Pairs, ax: Axes) -> None:
    """The values of the one number of the state that goes with the carry most closely."""
    steps = len(str(max(max(pairs)))) + 1
    first, second = (as_digits(list(column), steps) for column in zip(*pairs, strict=True))
    carried = (as_target(pairs, steps) - first - second) % 10  # into each step, 0 or 1
    states = m.predict(network[:2], as_input(pairs, steps))[:, :-1]
    carry = carried[:, 1:].astype(bool)  # out of each step
    together = [abs(np.corrcoef(states[:, :, unit].ravel(), carry.ravel())[0, 1]) for unit in range(HIDDEN)]
    unit = int(np.argmax(together))
    bins = np.linspace(-1, 1, 41)
    ax.hist(states[:, :, unit][~carry], bins, label="no carry", alpha=0.8)
    ax.hist(states[:, :, unit][carry], bins, label="a carry", alpha=0.8, hatch="///", edgecolor="white", linewidth=0)
    ax.set(title="Where in its state the carry is", xlabel=f"h[{unit}]", ylabel="steps")
    ax.legend()


if __name__ == "__main__":
    main()
