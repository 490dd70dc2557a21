"""What carries out a training, a slice of steps at a time: what both engines' steppers have in common."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from maillon.typing import Array

SLICE_S = 0.1
"""How long a slice may take before somebody looks at Ctrl-C and the progress bar."""


def never() -> bool:
    """The answer where nobody interrupts a training."""
    return False


@dataclass
class Slice:
    """What a slice did.

    steps: how many. epochs: a row for each that ended: Σ loss · size, Σ size, seconds since the slice began.
    seen: of each step its prediction (before the update), its target and its rows, where they were wanted.
    rates: the first group's at the beginning of each epoch but the one that the slice began in, where a schedule has
    changed it within the slice. error: a KeyboardInterrupt or the like that the next step has raised: it cannot wait.
    """

    steps: int
    epochs: Array
    seen: list[tuple[Any, Any, int]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    error: BaseException | None = None


class Place(NamedTuple):
    """Where a training stands, for another stepper to go on from there.

    order, row: the rows of the epoch under way, None as they come, and how many of them are done. total, size: the
    sums of that epoch's loss so far.
    """

    loss: float
    steps: int
    batch: int
    order: Array | None
    row: int
    total: float
    size: float


class Schedule(Protocol):
    """What changes a rule's options: after each update, or between two epochs of a slice."""

    by_step: bool

    def step(self) -> None:
        """Another step, now."""

    def ahead(self, most: int, read: Callable[[], list[float]]) -> list[list[float]]:
        """What `read` gives after each of the next steps, `most` of them or fewer; nothing has changed then."""

    def went(self, steps: int) -> list[float]:
        """So many of these steps have been made; the first group's rate after each of them."""


class Stepper(Protocol):
    """One engine's way to do the steps of a training. It knows nothing of who looks on.

    Before each slice it takes in whatever has changed since the last one; NotLoweredError, with nothing done, where
    its engine cannot go on from there. After each slice the parameters, the rule's state, the prediction and the
    generators are those of the last step; the gradients are so after `show`.
    """

    @property
    def engine(self) -> str:
        """Its engine's name."""

    loss: float
    """The last step's."""
    steps: int
    """Done so far, in all epochs."""
    batch: int
    """The last step's number in its epoch; 0 when an epoch's first step has failed."""

    @property
    def between_epochs(self) -> bool:
        """Whether the next step is the first one of an epoch."""

    @property
    def place(self) -> Place:
        """Where the training stands."""

    def go_to(self, place: Place) -> None:
        """Go on from there with the next slice, be it this stepper's place or another one's."""

    def run(self, max_steps: int, max_epochs: int, record: bool = False, schedule: Schedule | None = None) -> Slice:
        """Go on until one of the limits is reached, or SLICE_S is over.

        record: give what the steps have predicted. schedule: goes on after each update, or between two epochs of the
        slice; after its last epoch it is the caller's.
        """

    def flush(self) -> bool:
        """Move the parameters by gradients gathered for a larger mini-batch; whether there were any.

        To be called at the end of an epoch, for its last mini-batches; `run` does so between those of one slice.
        """

    def show(self) -> None:
        """Let Python see everything that the last step has left."""
