"""What training leaves behind: one row of numbers for each epoch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from maillon.messages import unknown_name

if TYPE_CHECKING:
    from pathlib import Path

Number = int | float
_SHOWN_ROWS = 12
_LAST_ROWS = 5


class History:
    """The course of a training, epoch by epoch: a table of numbers, one row for each whole epoch.

    ``history["loss"]`` is a column, ``len(history)`` the number of rows, iteration gives the rows as dicts. The columns
    are epoch (from 1), loss, the metrics, val_loss and val_… where there was validation data, lr (the learning rate of
    the first group) and seconds (validation included). In a notebook it shows the course of the loss and the last rows.

    Parameters
    ----------
    columns : sequence of str
        The names of the columns, in their order.

    Attributes
    ----------
    interrupted : bool
        Ctrl-C ended the training.
    stopped_early : bool
        A callback ended it.
    steps : int
        The steps done; those of an epoch that was cut short, which has no row, are counted too.
    seconds : float
        How long the training took as a whole.
    engine : str
        What carried out the steps: "native" or "numpy"; "native, numpy" where a callback changed something that the
        core does not know, and NumPy went on.

    Examples
    --------
    >>> history = History(["loss"])
    >>> history.append(loss=0.5)
    >>> history["loss"]
    [0.5]
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._values: dict[str, list[Number]] = {name: [] for name in columns}
        self.interrupted = False
        self.stopped_early = False
        self.steps = 0
        self.seconds = 0.0
        self.engine = "numpy"
        self._best_epoch: int | None = None

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self._values)

    @property
    def best_epoch(self) -> int | None:
        """The epoch, from 1, that EarlyStopping took for the best; without it that of the least val_loss or loss."""
        if self._best_epoch is not None or not len(self):
            return self._best_epoch
        losses = self._values.get("val_loss") or self["loss"]
        return min(range(len(self)), key=losses.__getitem__) + 1

    @best_epoch.setter
    def best_epoch(self, epoch: int) -> None:
        self._best_epoch = epoch

    def append(self, **row: Number) -> None:
        """Add the numbers of one epoch.

        Parameters
        ----------
        **row : int or float
            One number for each column.

        Raises
        ------
        ValueError
            For other columns.
        """
        if row.keys() != self._values.keys():
            raise ValueError(f"History.append: expected the columns {', '.join(self.columns)}, got {', '.join(row)}.")
        for name, value in row.items():
            self._values[name].append(value)

    def extend(self, **columns: list[Number]) -> None:
        """Add the numbers of several epochs.

        Parameters
        ----------
        **columns : list of int or float
            A list for each column, each as long as the others.

        Raises
        ------
        ValueError
            For other columns, or lists of several lengths.
        """
        if columns.keys() != self._values.keys():
            raise ValueError(
                f"History.extend: expected the columns {', '.join(self.columns)}, got {', '.join(columns)}."
            )
        if len({len(values) for values in columns.values()}) != 1:
            raise ValueError("History.extend: expected columns of equal length.")
        for name, values in columns.items():
            self._values[name] += values

    def __getitem__(self, name: str) -> list[Number]:
        """A column, as a list that may be changed without changing the history."""
        if name not in self._values:
            raise KeyError(unknown_name("History", "a column", name, self.columns))
        return list(self._values[name])

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __len__(self) -> int:
        return min((len(column) for column in self._values.values()), default=0)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[dict[str, Number]]:
        for row in zip(*self._values.values(), strict=True):
            yield dict(zip(self._values, row, strict=True))

    def to_dict(self) -> dict[str, list[Number]]:
        """The columns by name, copied: what `pandas.DataFrame` takes.

        Returns
        -------
        dict[str, list]
            A list for each column.
        """
        return {name: list(column) for name, column in self._values.items()}

    def state_dict(self) -> dict[str, Any]:
        """All that it knows, as plain values.

        Returns
        -------
        dict
            For `load_state_dict`.
        """
        return {**vars(self), "_values": self.to_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a history with the same columns gave.

        Parameters
        ----------
        state : mapping
            What `state_dict` returned.

        Raises
        ------
        ValueError
            For other columns.
        """
        if state.keys() != vars(self).keys():
            raise ValueError(f"History: expected the state of a history, got {sorted(map(str, state))}.")
        if list(state["_values"]) != self.columns:
            raise ValueError(f"History: expected the columns {self.columns}, got {list(state['_values'])}.")
        vars(self).update({**state, "_values": {name: list(column) for name, column in state["_values"].items()}})

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table into a file, with a header and all digits.

        The file is written beside its place and moved there when whole: an old one is never left half overwritten.

        Parameters
        ----------
        path : str or path-like
            The file, in a folder that exists.

        Returns
        -------
        Path
            The file's path.

        Raises
        ------
        OSError
            Where it cannot be written, with the reason.
        """
        import csv
        from pathlib import Path

        target = Path(path)
        try:
            with _replacing(target) as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(self.columns)
                writer.writerows(zip(*self._values.values(), strict=True))
        except OSError as error:
            raise OSError(
                f"History.to_csv: cannot write {str(target)!r}: {error.strerror or error}. "
                "Give the path of a file in a folder that exists and that you may write to."
            ) from error
        return target

    def table(self, rows: int | None = None) -> str:
        """The table as text.

        Parameters
        ----------
        rows : int, optional
            How many to show, half of them the first and half the last ones; None shows all.

        Returns
        -------
        str
            One line for each row, below the names of the columns.
        """
        cells = [[_shown(name, value) for name, value in row.items()] for row in self]
        if rows is not None and len(cells) > max(rows, 2):
            head = max(rows, 2) // 2
            cells = [*cells[:head], ["…"] * len(self._values), *cells[head - max(rows, 2) :]]
        lines = [self.columns, *cells]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self._values))]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
        )

    def __str__(self) -> str:
        return f"{self!r}\n{self.table(_SHOWN_ROWS)}" if len(self) else repr(self)

    def __repr__(self) -> str:
        parts = [f"{len(self)} epochs", f"{self.steps} steps", f"{self.seconds:.3g} s"]
        parts += [f"{name} {self[name][-1]:.4g}" for name in ("loss", "val_loss") if name in self and len(self)]
        parts += ["interrupted"] * self.interrupted + ["stopped early"] * self.stopped_early
        return f"History({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the course of the loss, and the last rows."""
        from maillon.html import block, paragraph, table
        from maillon.train.curve import curve_svg

        losses = {name: self[name] for name in ("loss", "val_loss") if name in self}
        rows = [[_shown(name, value) for name, value in row.items()] for row in self]
        last = table(self.columns, rows[-_LAST_ROWS:]) if rows else ""
        left_out = len(rows) - _LAST_ROWS
        more = paragraph(f"The last {_LAST_ROWS} of {len(rows)} epochs:") if left_out > 0 else ""
        return block(paragraph(repr(self)), curve_svg(losses, "loss"), more, last)


def _shown(name: str, value: Number) -> str:
    if name == "seconds":
        return f"{value:.2f}"
    return str(value) if isinstance(value, int) else f"{value:.5g}"


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """A text file that takes the place of `path` when all went well, and leaves no trace otherwise."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            yield file
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
