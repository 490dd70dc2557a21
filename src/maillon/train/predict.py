"""What a network says of data, in mini-batches, with nothing kept and nothing drawn."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from maillon import engine as engines
from maillon.engine import NotLoweredError
from maillon.engine.predictor import Outputs
from maillon.nn import Loss, Module, no_grad
from maillon.nn.support import arguments
from maillon.nn.support.modes import mode
from maillon.optim.door import Data, call, check, check_channel, common_length, convert, cut
from maillon.tracebacks import short_traceback
from maillon.train.scores import LossMean, Metric, joined, named_metrics, score, score_or_nan

OutputOf = Callable[[Any], Any]
"""From a mini-batch of x to the network's output."""

Measured = Callable[[str, Metric, Any, Any], float]
"""From a metric and its name, predictions and targets to its value."""


@short_traceback
def predict(network: Module, x: Any, batch_size: int = 1024, engine: str = "auto") -> Any:
    """The network's output for every row of x, in evaluation mode.

    Parameters
    ----------
    network : Module
        The network.
    x : array_like, or tuple or dict of them
        An array, list, DataFrame or tensor; several for a network of several inputs. Real numbers are converted
        to the network's dtype. No rows give an output of no rows.
    batch_size : int
        Rows computed at a time, ≥ 1: it bounds the memory and changes nothing else.
    engine : str
        'auto' takes the compiled core where it can; 'numpy' and 'native' force one. `network(x)` is always
        NumPy.

    Returns
    -------
    array, or tuple of arrays
        Nested as the network's output. Each link's mode is afterwards what it was before.

    Examples
    --------
    >>> import maillon
    >>> maillon.predict(maillon.Sequential(maillon.Linear(2, 3), maillon.ReLU()), [[1, 2], [3, 4]]).shape
    (2, 3)
    """
    _require_network("predict", network)
    size = arguments.integer("predict", "batch_size", batch_size)
    inputs = convert(x, network.dtype, network=network)
    rows = common_length("predict", ("x", inputs), least=0)
    check_channel("predict", network, inputs, "x", x)
    with mode(network, training=False), no_grad():
        outputs = outputs_of(network, engine)
        return joined([outputs(cut(inputs, i, min(i + size, rows))) for i in range(0, max(rows, 1), size)])


@short_traceback
def evaluate(
    network: Module,
    loss: Loss,
    x: Any,
    y: Any = None,
    metrics: str | Metric | Iterable[str | Metric] = (),
    batch_size: int = 1024,
    sample_weight: Any = None,
    engine: str = "auto",
) -> dict[str, float]:
    """The loss and the metrics of the network on data, in evaluation mode.

    Parameters
    ----------
    network : Module
        The network.
    loss : Loss
        The value returned is that of all samples under its own reduction: 'mean' over all, else the total.
    x : array_like, or tuple or dict of them
        The inputs.
    y : array_like, or tuple of them
        The targets; None for a loss without.
    metrics : str, callable or list of them
        Names ('accuracy', 'f1', 'roc_auc', 'mse', 'r2' …) or functions of (prediction, target). Each is taken
        once, over all predictions, unweighted.
    batch_size : int
        Rows computed at a time, ≥ 1: it bounds the memory and changes nothing else.
    sample_weight : array_like, optional
        n factors ≥ 0 on the samples' losses.
    engine : str
        'auto' takes the compiled core where it can; 'numpy' and 'native' force one. `network(x)` is always
        NumPy.

    Returns
    -------
    dict of str to float
        'loss' and the metrics, by their names.

    Raises
    ------
    UndefinedMetricError
        Where a metric is not defined on these data.

    Examples
    --------
    >>> import maillon
    >>> network = maillon.Linear(1, 1)
    >>> sorted(maillon.evaluate(network, maillon.MSELoss(), [[1.0], [2.0]], [[2.0], [4.0]], metrics=["mae"]))
    ['loss', 'mae']
    """
    _require_network("evaluate", network)
    size = arguments.integer("evaluate", "batch_size", batch_size)
    chosen = named_metrics("evaluate", metrics, loss)
    data = check("evaluate", network, loss, x, y, sample_weight)
    return evaluated(network, loss, data, chosen, size, outputs_of(network, engine), score)


def evaluated(
    network: Module,
    loss: Loss,
    data: Data,
    metrics: dict[str, Metric],
    batch_size: int,
    outputs: OutputOf,
    measured: Measured = score_or_nan,
) -> dict[str, float]:
    """As `evaluate`, of data already opened; in a training a metric that is not defined is nan."""
    mean = LossMean(loss)
    predictions = []
    with mode(network, training=False), no_grad():
        for x, y, weight in data.batches(batch_size):
            prediction = outputs(x)
            inputs = loss.arranged(prediction, y)
            value = loss(*inputs) if weight is None else loss(*inputs, weight)
            mean.add(float(value if loss.reduction != "none" else np.sum(value)))
            if metrics:
                predictions.append(prediction)
    whole = joined(predictions) if metrics else None
    return {"loss": mean.value} | {name: measured(name, metric, whole, data.y) for name, metric in metrics.items()}


def outputs_of(network: Module, engine: str) -> OutputOf:
    """The function from a mini-batch of x to the network's output, by the engine that can."""

    def in_numpy(x: Any) -> Any:
        return call(network, x)

    if engines.choose(engine) == "numpy":
        return in_numpy
    outputs = Outputs(network)

    def in_core(x: Any) -> Any:
        try:
            return outputs(x)
        except NotLoweredError as reason:
            if engine == "native":
                raise RuntimeError(
                    f"engine='native': {reason}. Pass engine='auto' to compute in NumPy where it must."
                ) from None
            return in_numpy(x)

    return in_core


def _require_network(where: str, network: object) -> None:
    if not isinstance(network, Module):
        raise TypeError(f"{where}: expected a Module, got {type(network).__name__}. Give the network: optim.network.")
