"""The loop you use."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from maillon import engine as engines
from maillon.engine import NotLoweredError
from maillon.engine.lowering import output_shape
from maillon.engine.orders import Shuffle
from maillon.engine.step import Beginning
from maillon.messages import got, shown
from maillon.nn import Loss, Module
from maillon.nn.support import arguments
from maillon.optim import Adam, Optim, Rule
from maillon.optim.door import Data, check, dry_run
from maillon.random import Generator, resolve, using
from maillon.tracebacks import short_traceback
from maillon.train.batches import VALIDATION_BATCH, ArrayBatches, GivenBatches
from maillon.train.callbacks import Callback, Hooks, State
from maillon.train.checkpoint import Checkpoint
from maillon.train.class_weights import ClassWeights
from maillon.train.history import History
from maillon.train.modes import learning
from maillon.train.progress import wanted
from maillon.train.scheduling import Schedule, Scheduling
from maillon.train.scores import Metric, named_metrics
from maillon.train.training import Training


@short_traceback
def fit(
    network: Module | Optim,
    loss: Any = None,
    x: Any = None,
    y: Any = None,
    *,
    rule: float | Rule | Optim | None = None,
    batch_size: int = 32,
    epochs: int = 1,
    shuffle: Shuffle = True,
    drop_last: bool = False,
    validation_data: tuple[Any, ...] | None = None,
    validation_split: float = 0.0,
    metrics: str | Metric | Iterable[str | Metric] = (),
    callbacks: Callback | Callable[[State], Any] | Iterable[Callback | Callable[[State], Any]] = (),
    schedule: Schedule | None = None,
    schedule_by: str | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    clip_grad_norm: float | None = None,
    clip_grad_value: float | None = None,
    accumulate: int | None = None,
    generator: Generator | None = None,
    engine: str = "auto",
    progress: bool | None = None,
    checkpoint: Checkpoint | None = None,
    resume: str | os.PathLike[str] | None = None,
    resume_exact: bool = True,
) -> History:
    """Let the network learn from data: fit(network, loss, x, y, …), or fit(optim, x, y, …) to continue an Optim.

    Parameters
    ----------
    network : Module or Optim
        What learns; an `Optim` has its own loss and rule, and goes on where it stopped.
    loss : Loss
        What is made small. A loss of several predictions takes a network of as many outputs.
    x : array_like, tuple, dict or iterable
        Inputs: an array, list, DataFrame or tensor with n rows, one for each sample; a tuple or dict of them for a
        network of several inputs, called as ``network(*x)`` or ``network(**x)``. Or an iterable of mini-batches
        (x, y) or (x, y, sample_weight), gone through once for each epoch; y is then left out, and batch_size, shuffle
        and drop_last mean nothing.
    y : array_like or tuple, optional
        Targets, n rows. A pandas or polars Series is one column; any other target has the shape of the network's
        output. Integers are class labels, (n,), where the loss takes labels. None for a loss without a target
        (TripletMarginLoss).
    rule : float, Rule or Optim, optional
        The rate of plain SGD, a recipe such as ``Adam(lr=1e-3)``, a bound rule, or the Optim to continue; `Adam()` by
        default.
    batch_size : int
        Rows of a mini-batch, at least 1. The last one of an epoch may be short.
    epochs : int
        How often to go through the data, at least 0.
    shuffle : bool or callable
        Whether to draw a new order for each epoch, one ``generator.randperm(n)``; or a function of n that gives the n
        rows of an epoch, which may repeat some and leave out others. Of the function a checkpoint keeps nothing.
    drop_last : bool
        Whether to leave out a short last mini-batch of each epoch. Shuffled, each epoch leaves out other rows.
    validation_data : tuple, optional
        (x, y) or (x, y, sample_weight), evaluated after each epoch, in evaluation mode.
    validation_split : float
        The part in [0, 1) of the rows to validate with instead: the last round(n · part) rows, taken before shuffling,
        are not learnt from.
    metrics : str, callable or list of them
        Names ("accuracy", "f1", "roc_auc", "mse", "r2" …) or functions of (prediction, target). On the training data
        they are those of the predictions that each step began with, over the whole epoch. For accuracy, top_k, mse, mae
        and rmse sums are kept; for all others the predictions and targets of the epoch stay in memory until its end.
        Where one is not defined (roc_auc with rows of one class only) it is nan, with a warning.
    callbacks : Callback, callable or list of them
        Callbacks, such as `EarlyStopping()`, or functions of the `State`, called after each epoch.
    schedule : callable or LRScheduler, optional
        A function of the epoch, from 0, that gives the factor on each group's initial rate; or one of
        `maillon.optim.lr_scheduler`, without its rule. ReduceLROnPlateau looks at the validation loss where there is
        one, else at the loss.
    schedule_by : str, optional
        "epoch" or "step": when the schedule goes on. By default the schedule says so.
    sample_weight : array_like, optional
        n factors ≥ 0 on the samples' losses; a mean still divides by the unweighted number.
    class_weight : dict, array_like or str, optional
        A factor ≥ 0 on the losses of each class's samples: {class: weight}, one weight for each class, or "balanced",
        n / (classes · count of the class), over the classes that occur. Together with sample_weight both count. For
        labels, for probabilities of classes (which take the mean of the weights under them), and for one column of
        zeros and ones. Validation is not weighted by it.
    clip_grad_norm : float, optional
        In each step the gradients are scaled down together to at most this norm, > 0. An Optim given has its own.
    clip_grad_value : float, optional
        In each step each entry of the gradients is brought into [−value, value], value > 0. An Optim given has its own.
    accumulate : int, optional
        The parameters move once in so many steps, as if mini-batches were so many times as large, but for what
        looks at a whole mini-batch (BatchNorm, Dropout's masks, a loss that couples rows). What is left over moves them
        at the end of the epoch. 1 by default. An Optim given has its own.
    generator : Generator, optional
        Where the order, and what links such as Dropout draw, come from; the global one by default.
    engine : str
        "auto" runs whole epochs in the compiled core where that is installed. A link or loss that the core does not
        know runs in NumPy and the rest in the core; with a rule that it does not know all runs in NumPy; a
        FallbackWarning says which. "numpy" runs all in NumPy. "native" raises RuntimeError where "auto" would run all
        in NumPy.
    progress : bool, optional
        Whether to show a bar on the error stream; by default on a terminal and in a notebook, unless the environment
        has tqdm's own TQDM_DISABLE.
    checkpoint : Checkpoint, optional
        When and where to write what it takes to go on after the program was ended, in whatever way.
    resume : str or path, optional
        A checkpoint to go on from. Where there is no such file the training begins. It ends with the same bits as one
        that was never ended, the history included but for the seconds. What is called must be the same training:
        epochs alone may grow.
    resume_exact : bool
        False goes on from a checkpoint of another version (of NumPy too) or engine as well, with other bits.

    Returns
    -------
    History
        One row of numbers for each epoch. Afterwards each link's mode is what it was.

    Raises
    ------
    ValueError, TypeError
        For a wrong call, before the first step. The network may have run forward on the first mini-batch; its
        parameters are unchanged.
    NonFiniteLossError
        With its epoch, batch and history, before the step that would have spoilt the parameters.

    Notes
    -----
    Ctrl-C ends the training. A step or a validation that is under way may be broken off: the parameters and the rule
    are then what they were before it. The history is returned; its `interrupted` is True, and one line on the error
    stream says which training it was. Ctrl-C pressed twice within a second raises KeyboardInterrupt, which ends the
    program.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> history = maillon.fit(maillon.Linear(1, 1), maillon.MSELoss(), x, 2 * x, rule=0.1, epochs=50)
    >>> len(history), history["loss"][-1] < 1e-4
    (50, True)
    """
    with using(resolve(generator)):
        return training_of(
            network,
            loss,
            x,
            y,
            rule=rule,
            batch_size=batch_size,
            epochs=epochs,
            shuffle=shuffle,
            drop_last=drop_last,
            validation_data=validation_data,
            validation_split=validation_split,
            metrics=metrics,
            callbacks=callbacks,
            schedule=schedule,
            schedule_by=schedule_by,
            sample_weight=sample_weight,
            class_weight=class_weight,
            clip_grad_norm=clip_grad_norm,
            clip_grad_value=clip_grad_value,
            accumulate=accumulate,
            engine=engine,
            progress=progress,
            checkpoint=checkpoint,
            resume=resume,
            resume_exact=resume_exact,
        ).run()


def training_of(
    network: Module | Optim,
    loss: Any,
    x: Any,
    y: Any,
    *,
    rule: float | Rule | Optim | None = None,
    batch_size: int = 32,
    epochs: int = 1,
    shuffle: Shuffle = True,
    drop_last: bool = False,
    validation_data: tuple[Any, ...] | None = None,
    validation_split: float = 0.0,
    metrics: str | Metric | Iterable[str | Metric] = (),
    callbacks: Callback | Callable[[State], Any] | Iterable[Callback | Callable[[State], Any]] = (),
    schedule: Schedule | None = None,
    schedule_by: str | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    clip_grad_norm: float | None = None,
    clip_grad_value: float | None = None,
    accumulate: int | None = None,
    engine: str = "auto",
    progress: bool | None = None,
    checkpoint: Checkpoint | None = None,
    resume: str | os.PathLike[str] | None = None,
    resume_exact: bool = True,
) -> Training:
    """The training that `fit` would run, checked and ready; it draws from the default generator."""
    batch_size = arguments.integer("fit", "batch_size", batch_size)
    epochs = arguments.integer("fit", "epochs", epochs, least=0)
    optim, x, y = learner_and_data(
        "fit",
        network,
        loss,
        x,
        y,
        rule,
        clip_grad_norm=clip_grad_norm,
        clip_grad_value=clip_grad_value,
        accumulate=accumulate,
    )
    chosen = named_metrics("fit", metrics, optim.loss)
    given = (x, y, sample_weight, class_weight, validation_data, validation_split)
    cut = {"shuffle": shuffle, "drop_last": drop_last}
    batches, validation = _batches(optim, *given, epochs, batch_size, engine, cut)
    return Training(
        optim,
        batches,
        epochs,
        validation=validation,
        metrics=chosen,
        hooks=Hooks(callbacks),
        scheduling=Scheduling(schedule, schedule_by, optim),
        progress=wanted(progress),
        engine=engine,
        checkpoint=_checkpoint(checkpoint),
        resume=_resumed(resume),
        resume_exact=arguments.flag("fit", "resume_exact", resume_exact),
    )


def _resumed(given: Any) -> Any:
    if given is not None and not isinstance(given, str | os.PathLike):
        hint = " Give its path." if isinstance(given, Checkpoint) else ""
        raise TypeError(f"fit: expected resume to be a file's name, {got(given)}{hint}")
    return given


def _checkpoint(given: Any) -> Checkpoint | None:
    if given is not None and not isinstance(given, Checkpoint):
        raise TypeError(f"fit: expected checkpoint to be a Checkpoint, {got(given)} Give Checkpoint(path).")
    return given


def _batches(
    optim: Optim,
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Any,
    given: Any,
    split: float,
    epochs: int,
    batch_size: int,
    engine: str,
    cut: dict[str, Any],
) -> tuple[ArrayBatches | GivenBatches, Data | None]:
    """What to learn from, in mini-batches, and what to validate with."""
    by_class = None if class_weight is None else ClassWeights("fit", class_weight, optim.loss)
    if y is None and optim.loss.targets:
        return _given_batches(optim, x, epochs, sample_weight, by_class, given, split, engine)
    data = check("fit", optim.network, optim.loss, x, y, sample_weight)
    data, validation = _held_out(optim, data, given, split, engine)
    return _array_batches(optim, data, by_class, batch_size, engine, **cut), validation


def learner_and_data(
    where: str, network: Any, loss: Any, x: Any, y: Any, rule: Any, **options: Any
) -> tuple[Optim, Any, Any]:
    """The Optim to train and its data, of either way to call `fit`, or another function that is called alike.

    options: of the Optim, None where not given.
    """
    options = {name: value for name, value in options.items() if value is not None}
    beside = [f"{name}={value!r}" for name, value in options.items()]
    if beside and (isinstance(network, Optim) or isinstance(rule, Optim)):
        raise TypeError(
            f"{where}: an Optim has its own attributes, got {beside[0]} beside it. Give it to the Optim: "
            f"Optim(network, loss, rule, {beside[0]})."
        )
    if isinstance(network, Optim):
        given = [value for value in (loss, x, y) if value is not None]
        if rule is not None or isinstance(loss, Loss) or len(given) > 2:
            raise TypeError(
                f"{where}: an Optim has its network, loss and rule already. Call {where}(optim, x, y, …) without "
                "others."
            )
        x, y = [*given, None, None][:2]
        optim = network
    elif isinstance(rule, Optim):
        if rule.network is not network or rule.loss is not loss:
            raise ValueError(
                f"{where}: the Optim given as rule trains another network or loss. Give it the ones it was made with, "
                f"or call {where}(optim, x, y, …)."
            )
        optim = rule
    else:
        if loss is None or hasattr(loss, "shape") or isinstance(loss, list | tuple | dict):
            given = [shown(value) for value in (loss, x, y) if value is not None]
            raise TypeError(
                f"{where}: the loss is missing: expected it after the network, got {' and '.join(given) or 'nothing'}. "
                f"Call {where}(network, loss, x, y, …): with MSELoss() for numbers, CrossEntropyLoss() for labels."
            )
        optim = Optim(network, loss, Adam() if rule is None else rule, **options)
    if x is None:
        raise TypeError(
            f"{where}: expected data in x, got none. Call {where}(network, loss, x, y, …) or {where}(optim, x, y, …)."
        )
    return optim, x, y


def _array_batches(
    optim: Optim,
    data: Data,
    by_class: ClassWeights | None,
    batch_size: int,
    engine: str,
    *,
    shuffle: Shuffle,
    drop_last: bool,
) -> ArrayBatches:
    """The mini-batches of arrays, after a dry run."""
    beginning, shape = _beginning(optim, data, batch_size, engine, drop_last=drop_last)
    prediction = dry_run("fit", optim.network, optim.loss, data, batch_size, drop_last=drop_last, output_shape=shape)
    if by_class is not None:
        classes = prediction.shape[1] if np.ndim(prediction) > 1 else None
        data = replace(data, weight=by_class.times(data, optim.network.dtype, classes))
    return ArrayBatches(data, batch_size, shuffle, drop_last, beginning)


def _beginning(
    optim: Optim, data: Data, batch_size: int, engine: str, *, drop_last: bool
) -> tuple[Beginning | None, tuple[int, ...] | None]:
    """The training lowered as far as the network's output, and its shape, where the core knows it: to compute it would
    only keep NumPy's threads busy, which spin on for a while after a product.

    None too where it does not take the last mini-batch, should that be a single row: NumPy says so. And where gradients
    wait that `fit` will forget.
    """
    if engines.choose(engine) == "numpy" or not isinstance(data.x, np.ndarray) or optim.waiting:
        return None, None
    try:
        with learning(optim.network):
            beginning = Beginning(optim)
            shape, *_ = [beginning.output_shape(data.x, rows) for rows in _looked_at(data, batch_size, drop_last)]
        return beginning, shape
    except NotLoweredError:
        return None, None


def _looked_at(data: Data, batch_size: int, drop_last: bool = False) -> list[int]:
    """The rows of the first mini-batch, and of the last one where it is a single row."""
    lone = data.rows > batch_size and data.rows % batch_size == 1 and not drop_last
    return [min(batch_size, data.rows)] + [1] * lone


def _given_batches(
    optim: Optim,
    x: Any,
    epochs: int,
    sample_weight: Any,
    by_class: ClassWeights | None,
    held_out: Any,
    split: float,
    engine: str,
) -> tuple[GivenBatches, Data | None]:
    """Mini-batches that an iterable gives, and what to validate with."""
    if hasattr(x, "__array__") or isinstance(x, dict) or not isinstance(x, Iterable):
        raise TypeError(
            "fit: expected y beside x, got none. "
            f"Without y, x is an iterable of mini-batches (x, y), not {type(x).__name__}."
        )
    if sample_weight is not None:
        raise ValueError("fit: with mini-batches given, weights belong into them: (x, y, sample_weight).")
    if by_class is not None and by_class.balanced:
        raise ValueError(
            "fit: class_weight='balanced' counts the classes of all samples, which mini-batches given one by one do "
            "not show. Give the weights as a dict or an array."
        )
    if split:
        raise ValueError("fit: mini-batches given cannot be split. Pass validation_data=(x, y).")
    return GivenBatches("fit", x, optim.loss, optim.network, epochs, by_class), _validation(optim, held_out, engine)


def _held_out(optim: Optim, data: Data, given: Any, split: float, engine: str) -> tuple[Data, Data | None]:
    """What to learn from and what to validate with."""
    if not isinstance(split, int | float) or not 0 <= split < 1:
        raise ValueError(f"fit: expected validation_split in [0, 1), got {split!r}.")
    if not split:
        return data, _validation(optim, given, engine)
    if given is not None:
        raise ValueError("fit: expected validation_data or validation_split, got both. Leave one out.")
    learnt, validation = data.split("fit", split)
    validation = replace(validation, prefix="validation_split ")
    return learnt, _tried(optim, validation, engine)


def _validation(optim: Optim, given: Any, engine: str) -> Data | None:
    if given is None:
        return None
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        got = f"{len(given)} parts" if isinstance(given, tuple | list) else type(given).__name__
        raise TypeError(f"fit: expected validation_data to be (x, y) or (x, y, sample_weight), got {got}.")
    x, y, weight = (*given, None)[:3]
    return _tried(optim, check("fit", optim.network, optim.loss, x, y, weight, "validation_data "), engine)


def _tried(optim: Optim, validation: Data, engine: str) -> Data:
    shape = None
    if engines.choose(engine) != "numpy" and isinstance(validation.x, np.ndarray):
        with suppress(NotLoweredError):
            looked_at = _looked_at(validation, VALIDATION_BATCH)
            shape, *_ = [output_shape(optim.network, validation.x[:rows]) for rows in looked_at]
    dry_run("fit", optim.network, optim.loss, validation, VALIDATION_BATCH, training=False, output_shape=shape)
    return validation
