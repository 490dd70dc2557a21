"""How networks learn a table: links, first weights, rates, schedule, which epoch is kept, who is held out.

The links, first weights, rates and the schedule are RealMLP's: Holzmüller, Grinsztajn, Steinwart, "Better by Default:
Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data", 2024. Instead of one network of 3 × 256 units for 256 epochs
there are five of 3 × 96 for 160, each of which holds out another fifth of the rows: less than half of the arithmetic,
and better predictions on the tables of benchmarks/tables.py that it was developed on.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maillon import nn
from maillon.nn import Embedding, Graph, Linear, Loss, Module, PeriodicEmbedding, Scale, Sequential
from maillon.optim import Adam, Rule
from maillon.optim.lr_scheduler import LambdaLR
from maillon.sklearn.preparing import Preparation
from maillon.train import Callback, State
from maillon.typing import Array

ENSEMBLE = 5
HIDDEN_SIZES = (96, 96, 96)
EPOCHS = 160
BATCH_SIZE = 256
MOST_HELD_OUT = 0.2
"""The part of the rows that a network of a small ensemble holds out; in one of k > 5 networks each holds out 1/k."""
EMBEDDING = 8
"""Numbers that an embedded category becomes."""
SCALE_FACTOR = 6.0
"""The scales in front learn so much faster than the rest,"""
BIAS_FACTOR = 0.1
"""the biases so much slower."""
PERIODIC = 4
"""Numbers that a number becomes, itself among them,"""
WAVES = 16
"""made of so many waves;"""
SIGMA = 0.1
"""the spread of their first frequencies,"""
PERIODIC_FACTOR = 0.1
"""and how much slower all that learns."""
BETAS = (0.9, 0.95)
CYCLES = 4
LABEL_SMOOTHING = 0.1
LEAST_PROBABILITY = 1e-3
"""Before probabilities are made to add up to 1 again; of more than ten classes 0.01/K."""
FEWEST_ROWS = 10
"""With fewer rows none are held out."""


@dataclass(frozen=True)
class Recipe:
    """What differs between classes and numbers. loss: makes one."""

    rate: float
    activation: Callable[[], Module]
    loss: Callable[[], Loss]


CLASSES = Recipe(0.04, nn.SELU, lambda: nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING))
NUMBERS = Recipe(0.07, nn.Mish, nn.MSELoss)


def sharpened(shares: Array) -> Array:
    """Probabilities of classes, from what a network learns from labels that are smoothed.

    Of targets (1 − ε) p + ε/K over K classes that is q = (1 − ε) p + ε/K, and p = (q − ε/K) / (1 − ε).
    """
    classes = shares.shape[1]
    least = min(LEAST_PROBABILITY, 0.01 / classes)
    found = np.maximum((shares - LABEL_SMOOTHING / classes) / (1 - LABEL_SMOOTHING), least)
    whole: Array = found / found.sum(axis=1, keepdims=True)
    return whole


def network(recipe: Recipe, prepared: Preparation, hidden_sizes: Sequence[int], outputs: int) -> Module:
    """A network whose first weights are drawn from the default generator.

    Linear layers have the neural-tangent parametrisation in effect: weights N(0, 1/inputs), biases N(0, 1), and rates
    that `rule_of` divides. The last one begins at 0.
    """
    fronts: dict[str, tuple[Module | None, int]] = {
        "numbers": (None, prepared.numbers),
        "flags": (None, prepared.flags),
        "codes": (_embedding(prepared), EMBEDDING * len(prepared.sizes)),
    }
    if prepared.numbers:
        waves = PeriodicEmbedding(prepared.numbers, WAVES, PERIODIC, SIGMA)
        fronts["numbers"] = waves, PERIODIC * prepared.numbers
    width = sum(fronts[name][1] for name in prepared.inputs)
    links: list[Module] = [Scale(width)]
    for units in hidden_sizes:
        links += [_drawn(Linear(width, units)), recipe.activation()]
        width = units
    last = Linear(width, outputs)
    for parameter in last.parameters():
        parameter.data[...] = 0
    chain = Sequential(*links, last)
    given = {name: fronts[name][0] for name in prepared.inputs}
    if len(given) == 1:
        (front,) = given.values()
        return chain if front is None else Sequential(front, *chain)
    nodes: dict[str, Any] = {f"{name}_embedded": (front, name) for name, front in given.items() if front is not None}
    sources = [name if front is None else f"{name}_embedded" for name, front in given.items()]
    return Graph(prepared.inputs, nodes | {"all": (nn.Concat(), *sources), "chain": (chain, "all")}, "chain")


def _embedding(prepared: Preparation) -> Module | None:
    """Of the codes, the numbers of each column one after the other."""
    return Sequential(Embedding(sum(prepared.sizes), EMBEDDING), nn.Flatten()) if prepared.sizes else None


def _drawn(layer: Linear) -> Linear:
    nn.init.normal_(layer.weight, 0.0, 1 / math.sqrt(layer.in_features))
    assert layer.bias is not None
    nn.init.normal_(layer.bias, 0.0, 1.0)
    return layer


def rule_of(network: Module, rate: float) -> Rule:
    """Adam, with rates for each kind of parameter."""
    groups = []
    for link in network.modules():
        if isinstance(link, Scale):
            groups.append({"params": [link.weight], "lr": rate * SCALE_FACTOR})
        elif isinstance(link, PeriodicEmbedding):
            groups.append({"params": list(link.parameters()), "lr": rate * PERIODIC_FACTOR})
        elif isinstance(link, Embedding):
            groups.append({"params": [link.weight], "lr": rate})
        elif isinstance(link, Linear):
            groups.append({"params": [link.weight], "lr": rate / math.sqrt(link.in_features)})
            groups.append({"params": [link.bias], "lr": rate * BIAS_FACTOR})
    return Adam(groups, lr=rate, betas=BETAS)


def schedule_of(steps: int) -> LambdaLR:
    """½ (1 − cos 2π log₂(1 + 15 t)) at the part t of all steps: four cycles, each twice as long as the one before."""
    most = 2**CYCLES - 1

    def factor(step: int) -> float:
        return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + most * min(step / steps, 1.0))))

    return LambdaLR(lr_lambda=factor)


class BestEpoch(Callback):
    """Keeps the network of the epoch whose loss on the rows held out is least, and gives it back at the end."""

    def on_train_begin(self, state: State) -> None:
        self._loss, self._state = math.inf, state.network.state_dict()

    def on_epoch_end(self, state: State) -> None:
        loss = state.history["val_loss"][-1]
        if loss < self._loss:
            self._loss, self._state = loss, state.network.state_dict()
            state.history.best_epoch = state.epoch

    def on_train_end(self, state: State) -> None:
        state.network.load_state_dict(self._state)


Rows = tuple[Array, Array]
"""The rows that one member learns from, and those that are held out."""


def parts(
    members: int, classes: Array | None, rows: int, part: float | None, random: np.random.RandomState
) -> list[Rows]:
    """Who learns from which rows: folds of a cross-validation, shuffled anew when all have been used.

    Parameters
    ----------
    members : int
        Networks of the ensemble.
    classes : array or None
        (rows,), the class of each: every fold has its part of each class.
    rows : int
        How many there are.
    part : float or None
        To hold out, in (0, 1); None says it by the number of members.
    random : numpy.random.RandomState
        Where orders come from.

    Returns
    -------
    list of tuple
        Of each member, two sorted arrays of places. With few rows none are held out.
    """
    everything = np.arange(rows)
    if rows < FEWEST_ROWS:
        return [(everything, everything[:0])] * members
    part = min(MOST_HELD_OUT, 1 / members) if part is None else part
    folds = min(max(2, round(1 / part)), rows)
    made: list[Rows] = []
    while len(made) < members:
        order = random.permutation(rows)
        if classes is not None:
            order = order[np.argsort(classes[order], kind="stable")]
        fold = np.empty(rows, np.intp)
        fold[order] = everything % folds
        made += [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(folds)]
    return made[:members]
