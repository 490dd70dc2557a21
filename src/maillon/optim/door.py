"""The door: what users hold becomes arrays of the network's dtype, is checked, and is tried on the network once."""

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from maillon.nesting import leaf_names, leaves, mapped
from maillon.nn import (
    BatchNorm1d,
    InstanceNorm1d,
    Loss,
    Module,
    Sequential,
    no_grad,
)
from maillon.nn.support import arguments
from maillon.nn.support.dtypes import as_array
from maillon.nn.support.errors import LinkError, LinkShapeError
from maillon.nn.support.modes import mode
from maillon.optim.frames import REAL, from_frame, from_objects, is_frame, is_series
from maillon.typing import Array, DType

_BY_BATCH = (BatchNorm1d, InstanceNorm1d)
"""The links that in training look at the mini-batch itself: they refuse what in evaluation they take."""


# Convert


def convert(x: Any, dtype: DType, name: str = "x", network: Module | None = None) -> Any:
    """Real numbers as an array of `dtype`; a tuple or dict of them, for several inputs, stays one.

    Arrays that have the dtype already are passed through, not copied.
    network: where one of its links takes integers or masks (`takes_integers`: Embedding, for instance), integers
    become int64 and booleans stay what they are, for the link that wants them.
    Raises TypeError when `x` holds no real numbers, ValueError for missing ones and those too large for the dtype.
    """
    if isinstance(x, tuple):
        return tuple(convert(part, dtype, f"{name}[{i}]", network) for i, part in enumerate(x))
    if isinstance(x, dict):
        return {key: convert(part, dtype, f"{name}[{key!r}]", network) for key, part in x.items()}
    array = real_numbers(x, name)
    if network is not None and array.dtype.kind in "iub" and any(link.takes_integers for link in network.modules()):
        return array if array.dtype.kind == "b" else array.astype(np.int64, copy=False)
    return _to_dtype(array, dtype, name)


def convert_target(y: Any, loss: Loss, dtype: DType, name: str = "y") -> Any:
    """As `convert`; but integers are class labels, int64, where the loss takes labels, and None stays None.

    None is what a loss without a target is given; any other refuses it. Of several targets, one that is a tuple of
    integers (the lengths that CTCLoss takes) is an array.
    """
    if y is None and not loss.targets:
        return None
    if isinstance(y, tuple):
        parts = [np.array(part) if _integers(part) else part for part in y]
        return tuple(convert_target(part, loss, dtype, f"{name}[{i}]") for i, part in enumerate(parts))
    array = real_numbers(y, name)
    if loss.takes_labels and array.dtype.kind in "iub":
        return array.astype(np.int64, copy=False)
    return _to_dtype(array, dtype, name)


def _integers(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(map(arguments.is_integer, value))


def convert_batch(
    network: Module, loss: Loss, x: Any, y: Any, weight: Any = None, prefix: str = ""
) -> tuple[Any, Any, Array | None]:
    """Inputs, targets and sample weights for this network and loss; y is x's array where they were one object.

    A series as target of a network with one output is a column.
    """
    dtype = network.dtype
    inputs = convert(x, dtype, f"{prefix}x", network)
    target = inputs if y is x and not loss.takes_labels else convert_target(y, loss, dtype, f"{prefix}y")
    if is_series(y):
        target = _column_where_needed(network, inputs, target)
    if weight is not None:
        weight = convert(list(weight) if isinstance(weight, tuple) else weight, dtype, f"{prefix}sample_weight")
    return inputs, target, weight


def real_numbers(value: Any, name: str) -> Array:
    """Any array-like of real numbers as an array."""
    if type(value) is not np.ndarray:
        frame = from_frame(value, name)
        try:
            value = as_array(value) if frame is None else frame
        except ValueError as error:
            raise ValueError(f"{name}: expected rows of equal length, got a ragged list ({error}).") from None
    value = from_objects(value)
    if value.dtype.kind not in REAL:
        raise TypeError(
            f"{name}: expected real numbers, got dtype {value.dtype}. "
            "Convert dates, texts and categories to numbers first (one_hot, for instance)."
        )
    return value


def _to_dtype(array: Array, dtype: DType, name: str) -> Array:
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    if array.dtype.kind == "f" and array.dtype.itemsize > dtype.itemsize:
        lost = np.isinf(converted) & np.isfinite(array)
        if lost.any():
            at = tuple(map(int, np.unravel_index(np.argmax(lost), array.shape)))
            raise ValueError(
                f"{name}: {array[at]:.6g} at index {at} is too large for the network's {dtype}. "
                "Normalise the data, or convert the network with .to('float64')."
            )
    return converted


def _column_where_needed(network: Module, x: Any, target: Array) -> Array:
    """The target as a column, where that is what the network gives for the first two rows."""
    if target.ndim != 1 or target.dtype.kind in "iub":
        return target
    rows = cut(x, 0, 2)
    try:
        with mode(network, training=False), no_grad(), np.errstate(all="ignore"):
            prediction = call(network, rows)
    except LinkError:  # for the caller, who says it with the data's names
        return target
    one = isinstance(prediction, np.ndarray) and prediction.shape == (min(2, len(target)), 1)
    return target[:, None] if one else target


# Check


@dataclass(frozen=True)
class Data:
    """Inputs, targets (None for a loss without) and weights in the network's dtype, with as many rows each.

    prefix: what stands before x and y in messages, "validation_data " for instance; given: x and y as they came.
    """

    x: Any
    y: Any
    weight: Array | None
    rows: int
    prefix: str = ""
    given: tuple[Any, Any] = (None, None)

    def split(self, where: str, fraction: float) -> tuple["Data", "Data"]:
        """The first rows, and the last `fraction` of them."""
        held_out = round(self.rows * fraction)
        if not 0 < held_out < self.rows:
            raise ValueError(
                f"{where}: validation_split={fraction} of {self.rows} rows leaves {self.rows - held_out} to learn from "
                f"and {held_out} to validate with. Both need at least one."
            )
        return self.part(0, self.rows - held_out), self.part(self.rows - held_out, self.rows)

    def part(self, start: int, stop: int) -> "Data":
        """The rows from start to stop, as views."""
        x = cut(self.x, start, stop)
        y = x if self.y is self.x else cut(self.y, start, stop)
        weight = None if self.weight is None else self.weight[start:stop]
        return Data(x, y, weight, stop - start, self.prefix, self.given)

    def take(self, rows: Array) -> "Data":
        """The rows with these indices, copied."""
        x = mapped(lambda array: array.take(rows, axis=0), self.x)
        y = x if self.y is self.x else mapped(lambda array: array.take(rows, axis=0), self.y)
        return Data(x, y, None if self.weight is None else self.weight.take(rows), len(rows))

    def batches(self, batch_size: int) -> Iterator[tuple[Any, Any, Array | None]]:
        """Mini-batches in order, the last one short where it must be."""
        x, y, weight = self.x, self.y, self.weight
        if weight is None and isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
            for start in range(0, self.rows, batch_size):
                stop = start + batch_size
                yield x[start:stop], y[start:stop], None
        else:
            for start in range(0, self.rows, batch_size):
                part = self.part(start, min(start + batch_size, self.rows))
                yield part.x, part.y, part.weight

    @property
    def row_bytes(self) -> int:
        return sum(array.nbytes for array in (*leaves(self.x), *leaves(self.y)) if array is not None) // self.rows


def check(where: str, network: Module, loss: Loss, x: Any, y: Any, weight: Any = None, prefix: str = "") -> Data:
    """Convert the data for the network; ValueError or TypeError, naming the array, for what cannot be learnt from."""
    inputs, target, weight = convert_batch(network, loss, x, y, weight, prefix)
    rows = common_length(where, (f"{prefix}x", inputs), (f"{prefix}y", target))
    if weight is not None:
        _check_weights(where, f"{prefix}sample_weight", weight, rows)
    _check_finite(where, f"{prefix}x", inputs)
    if target is not inputs:
        _check_finite(where, f"{prefix}y", target)
    check_channel(where, network, inputs, f"{prefix}x", x)
    return Data(inputs, target, weight, rows, prefix, (x, y))


def common_length(where: str, *named: tuple[str, Any], least: int = 1) -> int:
    """The number of rows that all arrays have, at least `least`."""
    arrays = [leaf for name, data in named for leaf in _named(name, data)]
    if not arrays:
        raise ValueError(f"{where}: expected at least one array in {named[0][0]}, got none.")
    for name, array in arrays:
        if array.ndim == 0:
            raise ValueError(f"{where}: expected {name} to have rows, got a single number. Pass an array.")
    first, rows = arrays[0][0], len(arrays[0][1])
    for name, array in arrays[1:]:
        if len(array) != rows:
            raise ValueError(
                f"{where}: expected as many rows in {name} as in {first}, got {len(array)} and {rows}. "
                "Row i of each belongs to sample i."
            )
    if rows < least:
        raise ValueError(f"{where}: expected at least one sample, got {first} of shape {arrays[0][1].shape}.")
    return rows


def _is_convolution(link: Module) -> bool:
    """Nothing is one as long as nobody has opened their file, which learning does without."""
    file = sys.modules.get("maillon.nn.spatial.convolution")
    return file is not None and isinstance(
        link, file.Conv1d | file.Conv2d | file.ConvTranspose1d | file.ConvTranspose2d
    )


def check_channel(where: str, network: Module, x: Any, name: str, given: Any) -> None:
    """Refuse images without a channel before a convolution: it would take all samples for the channels of one."""
    if not isinstance(x, np.ndarray) or x.ndim not in (2, 3) or not len(x):
        return
    chain = list(_chain(network))
    at = next((i for i, (_, link) in enumerate(chain) if _is_convolution(link)), None)
    if at is None:
        return
    path, link = chain[at]
    before = [link for _, link in chain[:at]]
    letters = "H, W" if len(link.kernel_size) == 2 else "L"
    try:
        with mode(network, training=False), no_grad(), np.errstate(all="ignore"):
            reaching = functools.reduce(lambda value, link: link(value), before, x[:2])
    except LinkError:  # for the dry run, or the first mini-batch, to say
        return
    channels = link.in_channels
    if np.ndim(reaching) != len(letters.split(", ")) + 1:
        return
    if reaching.shape[1:] != x.shape[1:]:
        way_out = "Let the links before it give each sample its channels."
    elif channels == 1:
        way_out = f"Add the channel: {_as_column('x', given)}."
    elif len(x) == channels:
        way_out = "Rows are samples; a single one needs x[None]."
    else:
        way_out = f"Rows are samples: give each its {channels} channels."
    raise LinkShapeError(
        f"{where}: expected {name} to reach {path}{link!r} with shape (N, {channels}, {letters}), got (N, "
        f"{', '.join(map(str, reaching.shape[1:]))}). {way_out}"
    )


def _chain(network: Module, path: str = "") -> Iterator[tuple[str, Any]]:
    """The links of a chain, and of the chains in it, each with its place in messages."""
    if type(network).forward is not Sequential.forward:
        yield f"{path} " if path else "", network
        return
    for name, link in network.named_children():
        yield from _chain(link, f"{path or type(network).__name__}[{name}]")


def _check_weights(where: str, name: str, weight: Array, rows: int) -> None:
    """One for each row, finite, not negative."""
    if weight.shape != (rows,):
        raise ValueError(
            f"{where}: expected {name} of shape ({rows},), got {weight.shape}. Give one weight for each row of x."
        )
    _check_finite(where, name, weight)
    if (weight < 0).any():
        i = int(np.argmax(weight < 0))
        raise ValueError(f"{where}: expected {name} ≥ 0, got {weight[i]} at [{i}]. A weight of 0 leaves a sample out.")


def _check_finite(where: str, name: str, data: Any) -> None:
    """Refuse NaN and infinity, saying how many there are and where the first one stands."""
    for leaf, array in _named(name, data):
        if array.dtype.kind != "f":
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            # One pass without a temporary array: a finite sum has only finite terms.
            if np.isfinite(array.sum()):
                continue
        bad = ~np.isfinite(array)
        if not bad.any():
            continue
        first = tuple(int(i) for i in np.unravel_index(np.argmax(bad), array.shape))
        place = ", ".join(map(str, first))
        raise ValueError(
            f"{where}: expected finite numbers in {leaf}, got {np.count_nonzero(bad)} that are NaN or infinite, the "
            f"first ({array[first]}) at [{place}]. Replace them or leave their rows out."
        )


def _named(name: str, data: Any) -> list[tuple[str, Array]]:
    """Each array in tuples and dicts of arrays, with its name: x, x[0], x['image']; none of None."""
    named = zip(leaf_names(data, name), leaves(data), strict=True)
    return [(leaf, array) for leaf, array in named if array is not None]


# Dry run


def dry_run(
    where: str,
    network: Module,
    loss: Loss,
    data: Data,
    batch_size: int,
    *,
    training: bool = True,
    drop_last: bool = False,
    output_shape: tuple[int, ...] | None = None,
) -> Any:
    """Try the first mini-batch, so that what does not fit together shows before any step; returns its prediction.

    The network computes the rows of the first mini-batch, and where the last one has a single row that as well; the
    loss checks all targets against the shape of its output. Nothing is kept, drawn or learnt. In training the links
    that normalise by the mini-batch do so; all others are in evaluation mode.
    output_shape: of the first mini-batch, where it is known that the network takes the data; it need not compute then.
    """
    first = min(batch_size, data.rows)
    if drop_last and first < batch_size:
        raise ValueError(
            f"{where}: drop_last=True leaves nothing to learn from: a mini-batch of {batch_size} rows needs more than "
            f"the {data.rows} there are. Take a smaller batch_size."
        )
    if output_shape is not None:
        prediction = np.broadcast_to(network.dtype.type(0), output_shape)
        _check_targets(where, loss, data, prediction)
        return prediction
    prediction = _tried(where, network, data, first, training=training)
    if isinstance(prediction, np.ndarray) and prediction.shape[:1] == (first,):
        _check_targets(where, loss, data, prediction)
    if data.rows > batch_size and data.rows % batch_size == 1 and not drop_last:
        try:
            _tried(where, network, data, 1, training=training, last="the last mini-batch, one row, of ")
        except LinkError as error:
            way_out = "Pass drop_last=True to leave it out, or take another batch_size."
            if not training:
                way_out = f"It is evaluated {batch_size} rows at a time: leave one out, or add one."
            raise _reworded(error, f"{error} {way_out}") from None
    return prediction


def _tried(where: str, network: Module, data: Data, rows: int, *, training: bool, last: str = "") -> Any:
    """What the network gives for the first rows; an error of a link says which data it was."""
    try:
        with _only_looking(network, training):
            return call(network, cut(data.x, 0, rows))
    except LinkError as error:
        named = _named(f"{data.prefix}x", data.x)
        shapes = ", ".join(f"{name} of shape {array.shape}" for name, array in named)
        shapes += f" in mini-batches of {rows}" if rows < data.rows and not last else ""
        text = f"{where}: the network does not take {last}{shapes}: {error}"
        given = data.given[0]
        if not isinstance(given, tuple | dict) and named[0][1].ndim == 1 and type(given) is not np.ndarray:
            text += f" From a {type(given).__name__}: {_as_column('x', given)}."
        raise _reworded(error, text) from None


@contextmanager
def _only_looking(network: Module, training: bool) -> Iterator[None]:
    """Let the network compute without a trace: nothing kept, nothing drawn, its statistics put back."""
    by_batch = [link for link in network.modules() if isinstance(link, _BY_BATCH)] if training else []
    with mode(network, training=bool(by_batch)), no_grad(), np.errstate(all="ignore"):
        statistics = []
        for link in network.modules() if by_batch else ():
            link.training = link.training and link in by_batch
            if link.training:
                statistics += [(buffer, buffer.copy()) for buffer in link.buffers()]
        try:
            yield
        finally:
            for buffer, before in statistics:
                buffer[...] = before


def _check_targets(where: str, loss: Loss, data: Data, prediction: Array) -> None:
    """Let the loss check all targets, as far as it does not compute with them in a way of its own.

    So a label out of range at the end of the data does not leave a network half trained.
    """
    if type(loss).forward is not Loss.forward:
        return
    whole = (data.rows, *prediction.shape[1:])
    try:
        loss.check(np.broadcast_to(prediction[:1], whole), data.y)
    except LinkError as error:
        name, shape = f"{data.prefix}y", np.shape(data.y)
        text = f"{where}: the loss does not take {name} of shape {shape}: {error}"
        if isinstance(error, LinkShapeError) and whole == (*shape, 1) and not loss.takes_labels:
            text = (
                f"{where}: expected {name} of shape {whole}, as the network's output, got {shape}. "
                f"Give a column: {_as_column('y', data.given[1])}."
            )
        elif isinstance(error, LinkShapeError) and shape == (data.rows, 1) and loss.takes_labels:
            text = (
                f"{where}: expected {name} to be class labels of shape {shape[:1]}, got {shape}. "
                f"Give one label a row: {_as_row('y', data.given[1])}."
            )
        raise _reworded(error, text) from None


def _as_column(name: str, given: Any) -> str:
    """How to write what was given as a column."""
    if is_series(given):
        return f"{name}.to_frame()"
    return f"{name}[:, None]" if hasattr(given, "ndim") else f"numpy.asarray({name})[:, None]"


def _as_row(name: str, given: Any) -> str:
    """How to write a column that was given as one number a row."""
    if is_frame(given):
        return f"{name}.iloc[:, 0]" if hasattr(given, "iloc") else f"{name}.to_series()"
    return f"{name}[:, 0]" if hasattr(given, "ndim") else f"numpy.asarray({name})[:, 0]"


def _reworded(error: LinkError, text: str) -> LinkError:
    """The same error with another text."""
    error.problem, error.container, error.path = text, "", ""
    return error


# Nested arrays


def call(network: Module, x: Any) -> Any:
    """The network's output for one input, or for a tuple or dict of several."""
    if isinstance(x, tuple):
        return network(*x)
    return network(**x) if isinstance(x, dict) else network(x)


def cut(data: Any, start: int, stop: int) -> Any:
    """The rows from start to stop of an array, or of each array in a tuple or dict: views."""
    return mapped(lambda array: array[start:stop], data)
