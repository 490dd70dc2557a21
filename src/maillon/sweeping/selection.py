"""Which networks of a sweep are good together."""

import copy
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from maillon.nn import Graph, Module, Parallel, Sequential, WeightedSum
from maillon.nn.support import arguments
from maillon.nn.support.modes import mode
from maillon.optim.door import Data
from maillon.sweeping.planners import Order
from maillon.sweeping.result import Trial
from maillon.sweeping.task import Task
from maillon.train.batches import VALIDATION_BATCH
from maillon.train.predict import predict
from maillon.train.scores import LossMean, named_metrics, score_or_nan
from maillon.typing import Array


def selected(trials: Sequence[Trial], task: Task, order: Order, size: int) -> Sequential | Graph:
    """The ensemble of so many choices among the networks that were kept."""
    size = arguments.integer("Sweep.ensemble", "size", size)
    kept = [trial for trial in trials if trial.networks]
    if not kept:
        raise ValueError("Sweep.ensemble: no network was kept. Give the sweep keep=50, say.")
    validations = [task.validation(network, task.loss, fold) for fold, network in enumerate(kept[0].networks)]
    data = [validation for validation in validations if validation is not None]
    if not data:
        raise ValueError(
            "Sweep.ensemble: there is no validation data to choose by. Give the sweep validation_data, "
            "validation_split or cv."
        )
    predictions = [
        [_predicted(network, part, task.engine) for network, part in zip(trial.networks, data, strict=True)]
        for trial in kept
    ]
    counts = chosen(predictions, _cost(task, data, order), size)
    members, weights = [], []
    for trial, count in zip(kept, counts, strict=True):
        members += [copy.deepcopy(network) for network in trial.networks] if count else []
        weights += [count / size / len(trial.networks)] * len(trial.networks) if count else []
    network = _together(members, weights, data[0].x)
    return network.eval() if not kept[0].networks[0].training else network


def _together(members: list[Module], weights: list[float], x: Any) -> Sequential | Graph:
    """The weighted sum of what the members put out, each for the input or for all inputs."""
    if isinstance(x, np.ndarray):
        return Sequential(Parallel(*members), WeightedSum(weights))
    first = members[0]
    order = first.inputs if isinstance(first, Graph) else inspect.signature(first.forward).parameters
    names = [name for name in order if name in x] if isinstance(x, dict) else [f"x{place}" for place in range(len(x))]
    nodes: dict[str, Any] = {f"members.{place}": (member, *names) for place, member in enumerate(members)}
    return Graph(names, nodes | {"members.mean": (WeightedSum(weights), *nodes)}, "members.mean")


def chosen(predictions: Sequence[list[Array]], cost: Callable[[list[Array]], float], size: int) -> list[int]:
    """How often each is chosen: greedily, with replacement; the better one alone where two do as well."""
    counts = [0] * len(predictions)
    total = [np.zeros_like(part, dtype=np.float64) for part in predictions[0]]
    for step in range(1, size + 1):
        costs = [
            cost([((sums + part) / step).astype(part.dtype) for sums, part in zip(total, parts, strict=True)])
            for parts in predictions
        ]
        best = int(np.argmin(np.where(np.isnan(costs), math.inf, costs)))
        counts[best] += 1
        total = [sums + part for sums, part in zip(total, predictions[best], strict=True)]
    return counts


def _predicted(network: Module, data: Data, engine: str) -> Array:
    output: Any = predict(network, data.x, VALIDATION_BATCH, engine)
    if not isinstance(output, np.ndarray):
        raise TypeError(
            f"Sweep.ensemble: expected networks of one output, got {type(output).__name__}. Average them yourself: "
            "sweep.ranking has the networks."
        )
    return output


def _cost(task: Task, data: list[Data], order: Order) -> Callable[[list[Array]], float]:
    """What is to be small of a mean prediction, one array for each fold: the column that the sweep looks at."""
    loss, name = task.loss, order.monitor.removeprefix("val_")
    metric = named_metrics("sweep", task.metrics, loss).get(name)

    def of_part(prediction: Array, part: Data) -> float:
        if metric is not None:
            return order.sign * score_or_nan(name, metric, prediction, part.y)
        mean = LossMean(loss)
        inputs = loss.arranged(prediction, part.y)
        with mode(loss, training=False):
            value = loss(*inputs) if part.weight is None else loss(*inputs, part.weight)
        loss.forget()
        mean.add(float(np.sum(value)))
        return order.sign * mean.value

    def cost(parts: list[Array]) -> float:
        return float(np.mean([of_part(part, each) for part, each in zip(parts, data, strict=True)]))

    return cost
