"""What may look on while a network learns, and end it early."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from maillon.messages import unknown_name
from maillon.nn import Module
from maillon.nn.support import arguments
from maillon.optim import Optim
from maillon.train.history import History, Number
from maillon.train.scores import GREATER_IS_BETTER


@dataclass
class State:
    """Where a training stands: what callbacks are given.

    Parameters
    ----------
    optim : Optim
        What trains; `optim.prediction` is the last step's output, before its update.
    history : History
        The epochs so far.
    epoch : int
        The current one, from 1 (0 before the first).
    batch : int
        The current step of the epoch, from 1.
    step : int
        The steps done in all epochs of this training.
    loss : float
        After a step that step's loss, after an epoch the epoch's.
    stopping : bool
        Whether `stop()` was called.
    """

    optim: Optim
    history: History
    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss: float = float("nan")
    stopping: bool = field(default=False, repr=False)

    @property
    def network(self) -> Module:
        return self.optim.network

    def stop(self) -> None:
        """End the training after the current step; the history is then marked `stopped_early`."""
        self.stopping = True


class Callback:
    """Override what you need; what you leave alone costs nothing.

    A callback sees parameters, gradients, the rule's state and the last prediction as the last step left them. What it
    changes (weights, links, the loss, the rule, its options and state …) holds from the next step on, in either engine.
    The history has the epoch's row when `on_epoch_end` is called. `on_train_end` is called after the last epoch,
    after `stop()` and after Ctrl-C, but not when an error ends the training. Of the callback itself a checkpoint keeps
    what `state_dict` gives; right after a training has gone on there are no gradients and no prediction.

    >>> class Patience(Callback):
    ...     def on_step_end(self, state):
    ...         if state.step == 3:
    ...             state.stop()
    """

    def on_train_begin(self, state: State) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, state: State) -> None:
        """Before the first step of an epoch."""

    def on_step_end(self, state: State) -> None:
        """After each update."""

    def on_epoch_end(self, state: State) -> None:
        """After each whole epoch, its validation included."""

    def epochs_ahead(self) -> int:
        """In how many epochs `on_epoch_end` has to be called next, at the latest: after each one, if 1.

        In the core as many pass without Python, where nothing else looks on. The history has the rows of all of them
        then, and the network may be some steps into the next one.
        """
        return 1

    def on_train_end(self, state: State) -> None:
        """After the last epoch."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it: numbers, texts, tuples, lists, dicts, arrays and Generators.

        Called between two steps, and once after `on_train_begin`, so that what a file cannot hold is told before any
        step.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take that back, after `on_train_begin`, when a training goes on."""


class EarlyStopping(Callback):
    """End the training when a column of the history has not improved for a while; go back to the best weights.

    Parameters
    ----------
    monitor : str
        The column.
    patience : int
        The epochs without improvement that end it, ≥ 1.
    min_delta : float
        What counts as improvement, in the unit of the column, ≥ 0.
    mode : str
        'min' for losses and errors, 'max' for scores.
    restore_best : bool
        Give the network back its state of the best epoch when the training ends, after patience, after all
        epochs or by Ctrl-C. The rule's own state (momenta) stays that of the last step.

    Raises
    ------
    ValueError
        Before any step, for a column that the history does not have.

    Notes
    -----
    `history.best_epoch` is the epoch chosen.

    Examples
    --------
    >>> EarlyStopping(patience=3).patience
    3
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        mode: str = "min",
        restore_best: bool = True,
    ) -> None:
        if not min_delta >= 0:
            raise ValueError(f"EarlyStopping: expected min_delta ≥ 0, got {min_delta!r}.")
        if mode not in ("min", "max"):
            raise ValueError(f"EarlyStopping: expected mode 'min' or 'max', got {mode!r}.")
        if mode == "min" and monitor.removeprefix("val_") in GREATER_IS_BETTER:
            raise ValueError(f"EarlyStopping: {monitor} is the better the greater it is. Pass mode='max'.")
        self.monitor = monitor
        self.patience = arguments.integer("EarlyStopping", "patience", patience)
        self.min_delta = min_delta
        self.mode = mode
        self.restore_best = restore_best

    def on_train_begin(self, state: State) -> None:
        if self.monitor not in state.history:
            message = unknown_name("EarlyStopping", "a column to monitor", self.monitor, state.history.columns)
            if self.monitor.startswith("val_"):
                message += " Columns with val_ need validation_data or validation_split."
            raise ValueError(message)
        self._best: Number = float("inf")
        self._best_epoch = 0
        self._best_state: dict[str, Any] | None = None

    def on_epoch_end(self, state: State) -> None:
        value = state.history[self.monitor][-1]
        cost = value if self.mode == "min" else -value
        if cost < self._best - self.min_delta:
            self._best = cost
            self._best_epoch = state.history.best_epoch = state.epoch
            if self.restore_best:
                self._best_state = state.network.state_dict()
        elif state.epoch - self._best_epoch >= self.patience:
            state.stop()

    def on_train_end(self, state: State) -> None:
        if self._best_state is not None:
            state.network.load_state_dict(self._best_state)
            self._best_state = None

    def state_dict(self) -> dict[str, Any]:
        """The best value so far, its epoch and its weights."""
        return {"best": self._best, "best_epoch": self._best_epoch, "best_state": self._best_state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._best, self._best_epoch, self._best_state = state["best"], state["best_epoch"], state["best_state"]


Hook = Callable[[State], None]


def listed(given: Any) -> list[Any]:
    """What may be given as one or as several."""
    return list(given) if isinstance(given, Iterable) and not callable(given) else [given]


class Hooks:
    """The hooks that the callbacks really have, in the order of the callbacks."""

    def __init__(self, callbacks: Callback | Callable[[State], Any] | Iterable[Any]) -> None:
        self.given = listed(callbacks)
        self.listeners = listeners = [_listener(callback) for callback in self.given]
        self.train_begin = _overridden(listeners, "on_train_begin")
        self.epoch_begin = _overridden(listeners, "on_epoch_begin")
        self.step_end = _overridden(listeners, "on_step_end")
        self.epoch_end = _overridden(listeners, "on_epoch_end")
        self.train_end = _overridden(listeners, "on_train_end")

    def epochs_ahead(self, left: int) -> int:
        """How many of the epochs that are left may pass before one of them is to be called."""
        wanted = (one.epochs_ahead() for one in self.listeners if _own(one, "on_epoch_end"))
        return 1 if self.epoch_begin or self.step_end else max(1, min([left, *wanted]))

    def without_state(self) -> list[str]:
        """The names of those of the user's that say nothing of their state; TypeError for half of what it takes."""
        names = []
        for given, listener in zip(self.given, self.listeners, strict=True):
            name = getattr(given, "__qualname__", type(given).__name__)
            gives, takes = (_own(listener, method) for method in ("state_dict", "load_state_dict"))
            if gives != takes:
                has, lacks = ("state_dict", "load_state_dict")[:: 1 if gives else -1]
                raise TypeError(f"fit: the callback {name} has {has}() and no {lacks}(). Give it both.")
            if not gives and not type(given).__module__.startswith("maillon."):
                names.append(name)
        return list(dict.fromkeys(names))


def _listener(callback: Any) -> Callback:
    if isinstance(callback, Callback):
        return callback
    if isinstance(callback, type) or not callable(callback):
        got = f"the class {callback.__name__}" if isinstance(callback, type) else type(callback).__name__
        raise TypeError(
            f"fit: expected each callback to be a Callback or a function of the state, got {got}. "
            "Pass an instance such as EarlyStopping(), or a function, which is called after each epoch."
        )
    listener = Callback()
    listener.on_epoch_end = callback  # type: ignore[method-assign]
    if hasattr(callback, "state_dict") and hasattr(callback, "load_state_dict"):
        listener.state_dict = callback.state_dict  # type: ignore[method-assign]
        listener.load_state_dict = callback.load_state_dict  # type: ignore[method-assign]
    return listener


def _overridden(listeners: list[Callback], name: str) -> list[Hook]:
    return [getattr(listener, name) for listener in listeners if _own(listener, name)]


def _own(listener: Callback, name: str) -> bool:
    """Whether the listener has a method of its own, and not Callback's."""
    method = getattr(listener, name)
    return getattr(method, "__func__", method) is not getattr(Callback, name)
