"""summary: a network as a table of its links, what each puts out, holds, computes and keeps, and who runs it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from maillon import engine as engines
from maillon.costs.trace import Seen, traced
from maillon.costs.walk import wanted
from maillon.engine import NotLoweredError
from maillon.engine.memory import Memory
from maillon.engine.predictor import lower_prediction
from maillon.engine.walk import is_known, own_links, why_own
from maillon.html import block, paragraph, table
from maillon.messages import got, metric
from maillon.nesting import leaves, mapped
from maillon.nn import LinkError, Module
from maillon.nn.support import arguments
from maillon.nn.support.summary import Listed, listed
from maillon.optim.door import real_numbers
from maillon.tracebacks import short_traceback
from maillon.typing import DTypeLike

_LONGEST = 44  # characters of a link's repr
_COLUMNS = ("", "link", "output", "parameters", "trainable", "FLOPs", "step FLOPs", "kept", "engine")
_OF_INPUTS = frozenset({"output", "FLOPs", "step FLOPs", "kept"})
_LEFT = frozenset({"", "link", "output", "engine"})


@dataclass(frozen=True)
class SummaryRow:
    """A link of the network; of links made of links without what those inside are and do.

    Parameters
    ----------
    place : str
        Where it stands, as `named_modules` and `state_dict` have it: "2.link.0"; "" is the network itself.
    label : str
        The end of it, indented by how deep the link stands.
    link : str
        Its repr; of a link made of links the name of its class.
    parameters : int
        The numbers that it holds to learn. Those shared with a link before it are counted there.
    trainable : int
        How many of them are not frozen.
    parameter_bytes : int
        The memory of the parameters.
    output_shape : tuple or None
        The shape of its output, nested as the output is; None where it was not called, or no input was given.
    flops : int or None
        The operations of its forward; None where nobody knows them.
    step_flops : int or None
        The operations of its share of a learning step: forward, and the gradients that something waits for.
    activation_bytes : int or None
        What it keeps from forward to backward; arrays that a link done before it keeps too are counted there.
    engine : str
        'core' or 'NumPy'.
    reason : str
        Why this link keeps the network from the core; '' for all others.
    """

    place: str
    label: str
    link: str
    parameters: int
    trainable: int
    parameter_bytes: int
    output_shape: Any
    flops: int | None
    step_flops: int | None
    activation_bytes: int | None
    engine: str
    reason: str


@dataclass(frozen=True)
class Summary(Sequence[SummaryRow]):
    """What `summary` found: a sequence of rows, one a link, and their totals. `print` and notebooks show a table.

    Parameters
    ----------
    rows : tuple of SummaryRow
        The links, those inside another after it; the first is the network itself.
    network : str
        The class of the network.
    dtype : str
        That of its parameters.
    input_shape : tuple, dict or None
        The shapes that it was given, nested as the input is.
    input_bytes : int
        Their memory.
    training : bool
        Whether the links were measured in training mode; if not, one of them refused the input there.
    engine : str
        What runs the network: 'core' or 'NumPy'.
    reason : str
        Why it is not the core, or ''.

    Notes
    -----
    Totals are sums over the rows: `parameters`, `trainable`, `parameter_bytes`, `flops`, `step_flops` and
    `activation_bytes`. Where the operations of a link are not known, they are those of all others, and `unknown` names
    its place.
    """

    rows: tuple[SummaryRow, ...]
    network: str
    dtype: str
    input_shape: Any
    input_bytes: int
    training: bool
    engine: str
    reason: str

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[SummaryRow]:
        return iter(self.rows)

    @overload
    def __getitem__(self, index: int | str) -> SummaryRow: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[SummaryRow, ...]: ...
    def __getitem__(self, index: int | str | slice) -> SummaryRow | tuple[SummaryRow, ...]:
        """A row by its number or its place."""
        if not isinstance(index, str):
            return self.rows[index]
        found = next((row for row in self.rows if row.place == index), None)
        if found is None:
            raise KeyError(f"Summary: no link at {index!r}; the places are those of named_modules().")
        return found

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def trainable(self) -> int:
        return sum(row.trainable for row in self.rows)

    @property
    def parameter_bytes(self) -> int:
        return sum(row.parameter_bytes for row in self.rows)

    @property
    def flops(self) -> int:
        return sum(row.flops or 0 for row in self.rows)

    @property
    def step_flops(self) -> int:
        return sum(row.step_flops or 0 for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        return sum(row.activation_bytes or 0 for row in self.rows)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The places of the links whose operations nobody knows."""
        return tuple(row.place for row in self.rows if row.flops is None and row.output_shape is not None)

    def __str__(self) -> str:
        columns, cells = self._table()
        widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        sides = ["<" if name in _LEFT else ">" for name in columns]
        lines = [
            "  ".join(f"{cell:{side}{n}}" for cell, side, n in zip(line, sides, widths, strict=True)).rstrip()
            for line in (columns, *cells)
        ]
        rule = "─" * max(map(len, lines))
        return "\n".join([self._head(), rule, lines[0], rule, *lines[1:], rule, *self._totals()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        columns, cells = self._table()
        left = next(place for place, name in enumerate(columns) if name not in _LEFT)
        return block(paragraph(self._head()), table(columns, cells, left), *map(paragraph, self._totals()))

    def _head(self) -> str:
        given = "" if self.input_shape is None else f", input {_shown(self.input_shape)}"
        return f"{self.network}, {self.dtype}{given}"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        """The columns' names and the cells; without an input the columns that are known without one."""
        known = _COLUMNS if self.input_shape is not None else [name for name in _COLUMNS if name not in _OF_INPUTS]
        rows = self.rows if len(self.rows) == 1 or _says_something(self.rows[0]) else self.rows[1:]
        return list(known), [[_cells(row)[name] for name in known] for row in rows]

    def _totals(self) -> list[str]:
        frozen = self.parameters - self.trainable
        learnt = f", of which {self.trainable:,} learn and {frozen:,} are frozen" if frozen else ", all of them learn"
        lines = [f"parameters: {self.parameters:,} ({metric(self.parameter_bytes)}B){learnt * bool(self.parameters)}"]
        if self.input_shape is not None:
            least = "at least " * bool(self.unknown)
            lines.append(
                f"{least}{metric(self.flops)}FLOP forward, {least}{metric(self.step_flops)}FLOP a learning step"
            )
            mode = "" if self.training else ", measured in evaluation mode, for in training it refuses this input"
            kept = f"{metric(self.activation_bytes)}B from forward to backward{mode}"
            lines.append(f"kept: {kept}; input: {metric(self.input_bytes)}B")
        if self.unknown:
            places = ", ".join(f"[{place}]" if place else self.network for place in self.unknown)
            lines.append(f"unknown FLOPs: {places}; a link of your own says them in flops(self, inputs, output)")
        why = "the core lacks what is marked *" if any(row.reason for row in self.rows) else "not the core"
        some = "; NumPy does what is marked *" * any(row.reason for row in self.rows)
        lines.append(f"engine: {self.engine}" + (f"; {why}: {self.reason}" if self.reason else some))
        return lines


def _cells(row: SummaryRow) -> dict[str, str]:
    called = row.output_shape is not None
    cut = row.link if len(row.link) <= _LONGEST else row.link[: _LONGEST - 1] + "…"
    return {
        "": row.label,
        "link": cut,
        "output": _shown(row.output_shape) if called else "",
        "parameters": f"{row.parameters:,}" if row.parameters else "",
        "trainable": f"{row.trainable:,}" if row.parameters else "",
        "FLOPs": _flops(row.flops) if called else "",
        "step FLOPs": _flops(row.step_flops) if called else "",
        "kept": f"{metric(row.activation_bytes)}B" if row.activation_bytes else "",
        "engine": f"{row.engine} *" if row.reason else row.engine,
    }


def _says_something(row: SummaryRow) -> bool:
    """Whether the row of the network itself tells more than its links' rows."""
    own = (row.parameters, row.flops, row.step_flops, row.activation_bytes)
    return any(own) or (row.flops is None and row.output_shape is not None)


def _flops(count: int | None) -> str:
    return "?" if count is None else metric(count).rstrip() if count else ""


def _shown(shape: Any) -> str:
    """(64, 10), or several of them."""
    if isinstance(shape, dict):
        return ", ".join(f"{name}: {_shown(part)}" for name, part in shape.items())
    if shape is None or not isinstance(shape, tuple):
        return str(shape)
    if all(isinstance(part, int) for part in shape):
        return str(shape)
    return ", ".join(f"({_shown(part)})" if _nested(part) else _shown(part) for part in shape)


def _nested(shape: Any) -> bool:
    return isinstance(shape, tuple) and not all(isinstance(part, int) for part in shape)


# What it is made from


@short_traceback
def summary(network: Module, input_shape: Any = None, dtype: Any = None) -> Summary:
    """A table of the network's links: output, parameters, operations, memory, and which engine runs them.

    The shapes, and the memory kept, are those of one forward in training mode that leaves no trace: nothing is kept,
    drawn, learnt or counted in running statistics.

    Parameters
    ----------
    network : Module
        Any link or network.
    input_shape : tuple of int, array, or tuple or dict of them, optional
        The shape of the input **with the batch in front**: (64, 784) are 64 rows. Several inputs are a tuple of
        shapes, by name a dict. An array, where values matter, is given as it is, real numbers in the network's dtype.
        None lists what is known without an input: links, parameters, engine.
    dtype : dtype, or tuple or dict of them, optional
        Of the input: 'int64' for indices, which are zeros. None is the network's own.

    Returns
    -------
    Summary
        A sequence of rows, one a link, with totals; `print` shows it.

    Raises
    ------
    LinkError
        When the network does not take such an input.
    ValueError
        When `input_shape` is no shape.

    Notes
    -----
    A multiplication, an addition, a comparison and a function (exp, tanh) count as one operation each; a product of k
    terms as 2 k, with which its bias rides along. A learning step is the forward and those gradients that something
    waits for: of the parameters that are not frozen, and of the input where a link before it learns. What the loss and
    the rule compute is not in it. Memory kept is what the NumPy links hold from forward to backward, outputs and the
    network's input included, each array once.

    Examples
    --------
    >>> import maillon
    >>> network = maillon.Sequential(maillon.Linear(784, 100), maillon.Tanh(), maillon.Linear(100, 10))
    >>> found = maillon.summary(network, (64, 784))
    >>> found.parameters, found.flops, found[-1].output_shape, found["0"].step_flops == 2 * found["0"].flops
    (79510, 10169600, (64, 10), True)
    """
    if not isinstance(network, Module):
        raise TypeError(f"summary: expected a Module, {got(network)}")
    inputs = None if input_shape is None else _inputs("summary", network, input_shape, dtype)
    seen, training = ({}, True) if inputs is None else _tried("summary", network, inputs)
    reason, refused = _why_not_the_core(network, inputs)
    reason = reason or refused.get(network, "")
    own = {inner for link in (*own_links(network), *refused) for inner in link.modules()}
    needs = wanted(network)
    shapes = None if inputs is None else mapped(np.shape, inputs)
    places = [(one, bool(reason) or one.link in own) for one in listed(network)]
    return Summary(
        rows=tuple(_row(one, seen.get(one.place), needs[one.place], numpy, refused) for one, numpy in places),
        network=type(network).__name__,
        dtype=str(network.dtype),
        input_shape=shapes,
        input_bytes=sum(getattr(part, "nbytes", 0) for part in leaves(inputs)),
        training=training,
        engine="NumPy" if reason else "core",
        reason=reason,
    )


def output_shapes(where: str, network: Module, input_shape: Any, dtype: Any) -> dict[str, Any]:
    """The shape of what each link puts out, by its place; input_shape, dtype: as of `summary`."""
    seen, _ = _tried(where, network, _inputs(where, network, input_shape, dtype))
    return {place: mapped(np.shape, shown.output) for place, shown in seen.items()}


def _row(one: Listed, seen: Seen | None, upstream: bool, in_numpy: bool, refused: Mapping[Module, str]) -> SummaryRow:
    flops = None if seen is None or seen.flops is None else seen.flops
    step = None
    if flops is not None:
        learns = one.link.trains()
        own = one.link.trains() and any(parameter.requires_grad for parameter in one.link.parameters(recurse=False))
        step = flops.forward + upstream * flops.inputs + own * flops.parameters + (upstream or learns) * flops.both
    return SummaryRow(
        place=one.place,
        label=one.label,
        link=one.title,
        parameters=one.parameters,
        trainable=one.trainable,
        parameter_bytes=one.nbytes,
        output_shape=None if seen is None else mapped(np.shape, seen.output),
        flops=None if flops is None else flops.forward,
        step_flops=step,
        activation_bytes=None if seen is None else seen.kept,
        engine="NumPy" if in_numpy else "core",
        reason=refused.get(one.link, "" if not in_numpy or is_known(one.link) else why_own(one.link)),
    )


def _why_not_the_core(network: Module, inputs: Any) -> tuple[str, Mapping[Module, str]]:
    """'' where the core computes the network, else the reason. And the links that run in NumPy all the same."""
    if engines.choose("auto") == "numpy":
        return "this installation has none", {}
    try:
        return "", {} if inputs is None else lower_prediction(network, inputs, Memory()).own
    except NotLoweredError as reason:
        return str(reason), {}


def _tried(where: str, network: Module, inputs: Any) -> tuple[dict[str, Seen], bool]:
    """What the forward shows, in training mode; in evaluation mode where only that takes the input."""
    try:
        return traced(network, inputs, training=True), True
    except LinkError as error:
        refused = error
    except Exception as error:  # of a link of the user's own
        error.add_note(f"{where}: in the forward of an input of {_told(inputs)}")
        raise
    try:
        return traced(network, inputs, training=False), False
    except LinkError:
        text = f"{where}: the network does not take an input of {_told(inputs)}: {refused}"
        if isinstance(inputs, np.ndarray) and inputs.dtype.kind == "f" and _takes_integers(network):
            text += " Give dtype='int64' for indices."
        refused.problem, refused.container, refused.path = text, "", ""
    raise refused from None


def _takes_integers(network: Module) -> bool:
    return any(link.takes_integers for link in network.modules())


def _told(inputs: Any) -> str:
    shapes = _shown(mapped(np.shape, inputs))
    dtypes = {str(part.dtype) for part in leaves(inputs) if isinstance(part, np.ndarray)}
    return f"shape {shapes} and dtype {' and '.join(sorted(dtypes))}"


# The input


def _inputs(where: str, network: Module, given: Any, dtype: Any, name: str = "input_shape") -> Any:
    """Zeros of the shapes; arrays as they are, and among several inputs what is absent, and flags."""
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, Mapping):
        return {key: _inputs(where, network, part, _of(dtype, key), f"{name}[{key!r}]") for key, part in given.items()}
    if arguments.is_sequence(given) and not _is_shape(given) and any(map(_stands_alone, given)):
        return tuple(_inputs(where, network, part, _of(dtype, i), f"{name}[{i}]") for i, part in enumerate(given))
    if arguments.is_sequence(given) or arguments.is_integer(given) or not hasattr(given, "dtype"):
        return np.zeros(_shape(where, given, name), network.dtype if dtype is None else np.dtype(dtype))
    array = real_numbers(given, name)
    if dtype is None and (array.dtype.kind != "f" or next(network.parameters(), None) is None):
        return array
    return array.astype(network.dtype if dtype is None else dtype, copy=False)


def _of(dtype: Any, key: Any) -> DTypeLike | None:
    """That of one of several inputs."""
    return dtype[key] if isinstance(dtype, tuple | list | dict) else dtype


def _is_shape(given: Sequence[Any]) -> bool:
    return all(arguments.is_integer(part) for part in given)


def _stands_alone(part: Any) -> bool:
    return arguments.is_sequence(part) or isinstance(part, Mapping) or hasattr(part, "dtype")


def _shape(where: str, given: Any, name: str) -> tuple[int, ...]:
    if not arguments.is_sequence(given) or not _is_shape(given) or any(n < 0 for n in given):
        way_out = "Give the shape with the batch in front: (64, 784), or a tuple of shapes for several inputs."
        if arguments.is_sequence(given) and None in given:
            way_out = "Give a number of rows for None."
        elif arguments.is_integer(given):
            way_out = f"The batch comes in front: (1, {given})."
        raise ValueError(f"{where}: expected {name} to be a shape, {got(given)} {way_out}")
    return tuple(map(int, given))
