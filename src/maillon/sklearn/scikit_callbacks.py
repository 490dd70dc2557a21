"""scikit-learn's callbacks (`set_callbacks`, from its 1.9 on), told of each epoch, or of each iteration of L-BFGS."""

from collections.abc import Callable, Mapping
from typing import Any

from maillon.train import Callback, State

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """scikit-learn has no callbacks yet."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """The method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "Tasks", "with_callbacks"]

Attributes = Callable[[], Mapping[str, Any]]
"""What makes an estimator that is fitted as far as this one is now."""


class Tasks(Callback):
    """Tells scikit-learn's callbacks when the fit and its epochs begin and end; stops when one of them says so.

    Parameters
    ----------
    estimator : estimator
        Whose callbacks they are.
    context : sklearn.callback.CallbackContext
        That of the fit.
    told : mapping
        X, y and metadata of the fit.
    attributes : callable
        The fitted attributes of the network as it is.
    """

    def __init__(self, estimator: Any, context: Any, told: Mapping[str, Any], attributes: Attributes) -> None:
        self.estimator, self.context, self.told, self.attributes = estimator, context, told, attributes
        self._epoch: Any = None

    def on_train_begin(self, _state: State | None) -> None:
        self.context.call_on_fit_task_begin(estimator=self.estimator, **self.told)

    def on_epoch_begin(self, _state: State | None) -> None:
        self._epoch = self.context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(
            estimator=self.estimator, **self.told, reconstruction_attributes=self.attributes
        )

    def on_epoch_end(self, state: State) -> None:
        if self.epoch_ended():
            state.stop()

    def epoch_ended(self) -> bool:
        """Tell them that an epoch or iteration has ended; whether one of them wants to stop."""
        return bool(
            self._epoch.call_on_fit_task_end(
                estimator=self.estimator, **self.told, reconstruction_attributes=self.attributes
            )
        )

    def iteration(self) -> bool:
        """An iteration that has just been done, begun and ended; whether one of them wants to stop."""
        self.on_epoch_begin(None)
        return self.epoch_ended()

    def on_train_end(self, _state: State | None) -> None:
        self.context.call_on_fit_task_end(
            estimator=self.estimator, **self.told, reconstruction_attributes=self.attributes
        )
