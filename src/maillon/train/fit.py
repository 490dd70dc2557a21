"""The loop you use."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from maillon.nn import Loss, Module
from maillon.nn.support import arguments
from maillon.optim import Adam, Optim, Rule
from maillon.optim.door import Data, check, dry_run
from maillon.random import Generator, resolve, using
from maillon.train.batches import VALIDATION_BATCH, ArrayBatches, GivenBatches
from maillon.train.callbacks import Callback, Hooks, State
from maillon.train.history import History
from maillon.train.progress import wanted
from maillon.train.scheduling import Schedule, Scheduling
from maillon.train.scores import Metric, named_metrics
from maillon.train.training import Training


def fit(
    network: Module | Optim,
    loss: Any = None,
    x: Any = None,
    y: Any = None,
    *,
    rule: float | Rule | Optim | None = None,
    batch_size: int = 32,
    epochs: int = 1,
    shuffle: bool = True,
    validation_data: tuple[Any, ...] | None = None,
    validation_split: float = 0.0,
    metrics: str | Metric | Iterable[str | Metric] = (),
    callbacks: Callback | Callable[[State], Any] | Iterable[Callback | Callable[[State], Any]] = (),
    schedule: Schedule | None = None,
    schedule_by: str | None = None,
    sample_weight: Any = None,
    clip_grad_norm: float | None = None,
    clip_grad_value: float | None = None,
    accumulate: int | None = None,
    generator: Generator | None = None,
    engine: str = "auto",
    progress: bool | None = None,
) -> History:
    """Let the network learn from data: fit(network, loss, x, y, …), or fit(optim, x, y, …) to continue an Optim.

    x, y: arrays, lists, DataFrames or tensors with n rows each; a tuple or dict of them for a network of several
    inputs, called as network(*x) or network(**x). Or x is an iterable of mini-batches (x, y) or (x, y, weight), gone
    through once for each epoch, and y is left out; batch_size and shuffle then say nothing. A loss of several
    predictions takes a network of as many outputs; one without a target (TripletMarginLoss) takes arrays x alone.
    rule: a number (the rate of plain SGD), a recipe, a bound rule, or the Optim to continue; None is Adam().
    batch_size: rows a step, ≥ 1; the last mini-batch of an epoch may be short. epochs: ≥ 0. shuffle: a new order for
    each epoch, one `generator.randperm(n)`.
    validation_data: (x, y) or (x, y, sample_weight), evaluated after each epoch, in evaluation mode. Or
    validation_split in [0, 1): the last round(n · split) rows, taken before shuffling, are not learnt from.
    metrics: names ("accuracy", "mse", "mae", "rmse", "r2" …) or functions of (prediction, target). On the training
    data they run along with the steps, each mini-batch counted by its rows; on validation data they are exact.
    callbacks: `Callback`s, such as EarlyStopping(), or functions of the `State`, called after each epoch.
    schedule: a function of the epoch, from 0, giving the factor on each group's initial rate; or one of
    `maillon.optim.lr_scheduler`, without its rule. schedule_by: "epoch" or "step", when it goes on; None leaves it to
    the schedule. ReduceLROnPlateau looks at the validation loss where there is one, else at the loss.
    sample_weight: n factors ≥ 0 on the samples' losses; a mean still divides by their unweighted number.
    clip_grad_norm: in each step the gradients are scaled down together to at most this norm; or clip_grad_value: each
    of their entries is brought into [−value, value]. Both > 0. An Optim given has its own.
    accumulate: the parameters move once in so many steps, as if mini-batches were so many times as large, but for what
    looks at a whole mini-batch (BatchNorm, Dropout's masks, a loss that couples rows); what is left over moves them at
    the end of the epoch. None is 1. An Optim given has its own.
    generator: where the order, and what links such as Dropout draw, come from; None is the global one.
    engine: "auto" runs whole epochs in the compiled core where that is installed and knows every link, the loss and
    the rule, else it runs in NumPy; "numpy" forces that, "native" raises RuntimeError where the core cannot do it.
    progress: show a bar on the error stream; None shows it on a terminal.

    Returns the `History`. Ctrl-C ends the training after the current step, the history then marked `interrupted`;
    pressed twice it raises KeyboardInterrupt at once. Afterwards each link's mode is what it was.
    Errors: ValueError and TypeError, with nothing changed, for a wrong call; NonFiniteLossError, with its epoch,
    batch and history, before the step that would have spoilt the parameters.

    >>> import numpy as np, maillon
    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> history = maillon.fit(maillon.Linear(1, 1), maillon.MSELoss(), x, 2 * x, rule=0.1, epochs=50)
    >>> len(history), history["loss"][-1] < 1e-4
    (50, True)
    """
    batch_size = arguments.integer("fit", "batch_size", batch_size)
    epochs = arguments.integer("fit", "epochs", epochs, least=0)
    optim, x, y = _learner_and_data(
        network, loss, x, y, rule, clip_grad_norm=clip_grad_norm, clip_grad_value=clip_grad_value, accumulate=accumulate
    )
    chosen = named_metrics("fit", metrics, optim.loss)
    given = (sample_weight, validation_data, validation_split)
    batches, validation = _batches(optim, x, y, *given, epochs=epochs, batch_size=batch_size, shuffle=shuffle)
    training = Training(
        optim,
        batches,
        epochs,
        validation=validation,
        metrics=chosen,
        hooks=Hooks(callbacks),
        scheduling=Scheduling(schedule, schedule_by, optim),
        progress=wanted(progress),
        engine=engine,
    )
    with using(resolve(generator)):
        return training.run()


def _learner_and_data(network: Any, loss: Any, x: Any, y: Any, rule: Any, **options: Any) -> tuple[Optim, Any, Any]:
    """The Optim to train and its data, of either way to call `fit`; options: of the Optim, None where not given."""
    options = {name: value for name, value in options.items() if value is not None}
    beside = [f"{name}={value!r}" for name, value in options.items()]
    if beside and (isinstance(network, Optim) or isinstance(rule, Optim)):
        raise TypeError(
            f"fit: an Optim has its own attributes, got {beside[0]} beside it. Give it to the Optim: "
            f"Optim(network, loss, rule, {beside[0]})."
        )
    if isinstance(network, Optim):
        given = [value for value in (loss, x, y) if value is not None]
        if rule is not None or isinstance(loss, Loss) or len(given) > 2:
            raise TypeError(
                "fit: an Optim has its network, loss and rule already. Call fit(optim, x, y, …) without others."
            )
        x, y = [*given, None, None][:2]
        optim = network
    elif isinstance(rule, Optim):
        if rule.network is not network or rule.loss is not loss:
            raise ValueError(
                "fit: the Optim given as rule trains another network or loss. Give it the ones it was made with, or "
                "call fit(optim, x, y, …)."
            )
        optim = rule
    else:
        optim = Optim(network, loss, Adam() if rule is None else rule, **options)
    if x is None:
        raise TypeError("fit: expected data in x, got none. Call fit(network, loss, x, y, …) or fit(optim, x, y, …).")
    return optim, x, y


def _batches(
    optim: Optim,
    x: Any,
    y: Any,
    weight: Any,
    held_out: Any,
    split: float,
    *,
    epochs: int,
    batch_size: int,
    shuffle: bool,
) -> tuple[ArrayBatches | GivenBatches, Data | None]:
    """What to learn from, in mini-batches, and what to validate with."""
    if y is None and optim.loss.targets:
        return _given_batches(x, optim, epochs, weight, split), _validation(optim, held_out)
    data, validation = _held_out(optim, check("fit", optim.network, optim.loss, x, y, weight), held_out, split)
    dry_run("fit", optim.network, optim.loss, data, batch_size)
    return ArrayBatches(data, batch_size, shuffle), validation


def _given_batches(x: Any, optim: Optim, epochs: int, sample_weight: Any, validation_split: float) -> GivenBatches:
    if hasattr(x, "__array__") or isinstance(x, dict) or not isinstance(x, Iterable):
        raise TypeError(
            "fit: expected y beside x, got none. "
            f"Without y, x is an iterable of mini-batches (x, y), not {type(x).__name__}."
        )
    if sample_weight is not None:
        raise ValueError("fit: with mini-batches given, weights belong into them: (x, y, sample_weight).")
    if validation_split:
        raise ValueError("fit: mini-batches given cannot be split. Pass validation_data=(x, y).")
    return GivenBatches("fit", x, optim.loss, optim.network, epochs)


def _held_out(optim: Optim, data: Data, given: Any, split: float) -> tuple[Data, Data | None]:
    """What to learn from and what to validate with."""
    if not isinstance(split, int | float) or not 0 <= split < 1:
        raise ValueError(f"fit: expected validation_split in [0, 1), got {split!r}.")
    if not split:
        return data, _validation(optim, given)
    if given is not None:
        raise ValueError("fit: expected validation_data or validation_split, got both. Leave one out.")
    learnt, validation = data.split("fit", split)
    validation = replace(validation, prefix="validation_split ")
    return learnt, _tried(optim, validation)


def _validation(optim: Optim, given: Any) -> Data | None:
    if given is None:
        return None
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        got = f"{len(given)} parts" if isinstance(given, tuple | list) else type(given).__name__
        raise TypeError(f"fit: expected validation_data to be (x, y) or (x, y, sample_weight), got {got}.")
    x, y, weight = (*given, None)[:3]
    return _tried(optim, check("fit", optim.network, optim.loss, x, y, weight, "validation_data "))


def _tried(optim: Optim, validation: Data) -> Data:
    dry_run("fit", optim.network, optim.loss, validation, VALIDATION_BATCH, training=False)
    return validation
