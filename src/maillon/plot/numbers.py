"""The numbers of one sample: what flows forward through a network and back, and how little of it is written down."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maillon.messages import got
from maillon.nesting import leaves
from maillon.nn import Graph, Loss, Module, Parallel, Residual, Sequential
from maillon.nn.graph import address
from maillon.nn.loss import USUAL
from maillon.optim.door import call, convert, convert_batch
from maillon.typing import Array

MOST_LINKS = 12
MOST = 5  # numbers in a line, and lines of a matrix
_FIRST = 3  # of what is longer, before the dots
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass
class Numbers:
    """What one sample's forward and backward gave, by the places of the links; "" is the network itself."""

    values: dict[str, Any] = field(default_factory=dict)
    grads: dict[str, Any] = field(default_factory=dict)
    """∂L/∂value, where there is a loss."""
    back: dict[str, Any] = field(default_factory=dict)
    """What each backward returned."""
    terms: dict[str, list[Any]] = field(default_factory=dict)
    """Of the nodes of a Graph that are used several times: the gradients that are added up."""
    inputs: tuple[Any, ...] = ()
    network: Module | None = None
    loss: float | None = None
    target: Any = None
    symbols: dict[str, str] = field(default_factory=dict)
    """What the output of each link is called."""

    def of_input(self, number: int, name: str) -> tuple[list[str], list[str]]:
        """The lines of an input and of its gradient."""
        back = self.back.get("")
        grad = back if back is None or len(self.inputs) == 1 else back[number]
        return _flow(name, self.inputs[number], grad, self.terms.get(name, []))

    def of_link(self, place: str) -> tuple[list[str], list[str]]:
        """The lines of a link's output and of the gradient that comes back to it."""
        symbol = self.symbols.get(place, place)
        return _flow(symbol, self.values[place], self.grads.get(place), self.terms.get(place, []))

    def of_loss(self) -> list[str]:
        """The lines of the loss and the target."""
        value = [] if self.loss is None else [f"L = {figure(self.loss)}"]
        return value + ([] if self.target is None else _after("target y =", rows(self.target)))

    def parameters(self, place: str) -> list[tuple[str, Array, Array | None]]:
        """Name, value and gradient of each parameter of the link there; none of a link that is made of links."""
        assert self.network is not None
        link = self.network.get_submodule(place)
        return [] if made_of_links(link) else [(name, p.data, p.grad) for name, p in link.named_parameters()]


def record(net: Module, loss: Loss | None, x: Any, y: Any) -> Numbers:
    """Forward, and with a loss backward, of one sample through a copy of the network in evaluation mode."""
    _require(net, loss, y)
    links = sum(not any(_inside(link)) for _, link in _walked(net))
    if links > MOST_LINKS:
        raise ValueError(
            f"network: expected at most {MOST_LINKS} links to write their numbers, got {links}. Leave x out, or draw a "
            "part of the network."
        )
    own, own_loss = copy.deepcopy(net).eval(), copy.deepcopy(loss)
    own.forget()
    own.zero_grad()
    if own_loss is None:
        given, target = convert(x, own.dtype, "x", own), None
    else:
        given, target, _ = convert_batch(own, own_loss, x, y)
    for part in leaves(given):
        if part.ndim == 0 or len(part) != 1:
            raise ValueError(f"network: expected x to be one sample, shape (1, …), got {part.shape}. Give x[:1].")
    found = Numbers(inputs=_inputs(own, given), network=own, target=target, symbols=_symbols(own))
    for place, link in own.named_modules():
        _listen(link, place, found)
    prediction = call(own, given)
    if own_loss is None:
        return found
    arguments = (prediction, target) if own_loss.predicted is USUAL else own_loss.arranged(prediction, target)
    found.loss = float(np.sum(own_loss.forward(*arguments)))
    ones = np.ones_like(own_loss.kept_output) if own_loss.reduction == "none" else None
    own.backward(own_loss.of_predictions(own_loss.backward(ones)))
    found.terms = {_end(own, place): terms for place, terms in _terms(own, found)}
    return found


def _require(net: Module, loss: Loss | None, y: Any) -> None:
    if not isinstance(net, Module):
        raise TypeError(f"network: expected net to be a Module, {got(net)}")
    if loss is not None and not isinstance(loss, Loss):
        raise TypeError(f"network: expected loss to be a Loss, {got(loss)}")
    if loss is not None and loss.targets and y is None:
        raise TypeError("network: expected y beside x and loss, got none. Give the sample's target, or leave loss out.")
    if loss is None and y is not None:
        raise TypeError("network: expected loss beside y, got none. Give the loss that compares them, or leave y out.")


def _inputs(net: Module, given: Any) -> tuple[Any, ...]:
    """What each input of the picture stands for: those of a Graph by their names, else all together."""
    if not isinstance(net, Graph):
        return (tuple(given.values()) if isinstance(given, dict) else given,)
    if isinstance(given, dict):
        return tuple(given[name] for name in net.inputs)
    return given if isinstance(given, tuple) else (given,)


def made_of_links(link: Module) -> bool:
    """Whether links are inside it, drawn or not."""
    return next(link.children(), None) is not None


def _inside(link: Module) -> Iterator[tuple[str, Module]]:
    """The links that are drawn inside this one; any other is one box, whatever it is made of."""
    if isinstance(link, Sequential | Graph | Residual | Parallel):
        yield from link.named_children()


def _walked(link: Module, place: str = "") -> Iterator[tuple[str, Module]]:
    """The links that are drawn, each after those inside it."""
    for name, child in _inside(link):
        yield from _walked(child, f"{place}.{name}" if place else name)
    yield place, link


def _end(net: Module, place: str) -> str:
    """The place of the link whose output is that of the link there: the last one of a chain."""
    if place not in dict(net.named_modules()):
        return place  # an input
    link = net.get_submodule(place)
    while isinstance(link, Sequential) and len(link):
        name, link = list(link.named_children())[-1]
        place = f"{place}.{name}" if place else name
    return place


def _symbols(net: Module) -> dict[str, str]:
    """The names of nodes, else h₁, h₂ …, and ŷ for the end of a chain."""
    symbols: dict[str, str] = {}
    for place, link in _walked(net):
        name = place.rpartition(".")[2]
        part = isinstance(net.get_submodule(place.rpartition(".")[0]), Residual)  # "link" or "shortcut", no names
        if name and not name.isdecimal() and not part:
            symbols[_end(net, place)] = name
        elif isinstance(link, Residual) or not any(_inside(link)):
            symbols[place] = ""
    for number, place in enumerate((place for place, name in symbols.items() if not name), start=1):
        symbols[place] = "h" + str(number).translate(_SUBSCRIPTS)
    return symbols if isinstance(net, Graph | Parallel) else symbols | {_end(net, ""): "ŷ"}


def _listen(link: Module, place: str, found: Numbers) -> None:
    """Let the link write down what goes through it."""
    forward: Callable[..., Any] = link.forward
    backward: Callable[..., Any] = link.backward

    def listening_forward(*inputs: Any, **named: Any) -> Any:
        found.values[place] = output = forward(*inputs, **named)
        return output

    def listening_backward(grad_output: Any) -> Any:
        found.grads[place] = grad_output
        found.back[place] = grad = backward(grad_output)
        return grad

    vars(link).update(forward=listening_forward, backward=listening_backward)


def _terms(net: Module, found: Numbers) -> Iterator[tuple[str, list[Any]]]:
    for place, graph in net.named_modules():
        if not isinstance(graph, Graph):
            continue
        dot = f"{place}." if place else ""
        wanted = (graph.outputs,) if isinstance(graph.outputs, str) else graph.outputs
        uses = [(name, dot + name, at) for name, own in graph.sources.items() for at in range(len(own))]
        taken = [(graph.sources[name][at], _argument(found.back.get(user), at)) for name, user, at in uses]
        whole = found.grads.get(place)
        taken += [
            (source, whole if isinstance(graph.outputs, str) else _argument(whole, at))
            for at, source in enumerate(wanted)
        ]
        names = (*graph.inputs, *graph.sources) if not place else tuple(graph.sources)
        for name in names:
            parts = [(address(source, names)[1], grad) for source, grad in taken if address(source, names)[0] == name]
            if len(parts) > 1 and all(not path and isinstance(grad, np.ndarray) for path, grad in parts):
                yield f"{dot}{name}", [grad for _, grad in parts]


def _argument(grad: Any, at: int) -> Any:
    return grad[at] if isinstance(grad, tuple) else grad


# In letters


def figure(value: Any) -> str:
    """A number with three digits that count, and a real minus."""
    return f"{value + 0.0:.3g}".replace("-", "−")  # -0.0 + 0.0 is 0.0


def rows(value: Any) -> list[str]:
    """An array in lines, without the dimensions of length 1 before the others.

    A vector is one line, a matrix one line a row; more than five numbers in a line, or five lines, are cut to the first
    three and the last; an array of more dimensions is its shape and its norm.
    """
    if isinstance(value, tuple):
        return [line for part in leaves(value) if part is not None for line in rows(part)]
    array = np.asarray(value)
    while array.ndim > 1 and len(array) == 1:
        array = array[0]
    if array.ndim > 2:
        size = " × ".join(map(str, array.shape))
        return [f"{size}, norm {figure(np.linalg.norm(array.astype(np.float64)))}"]
    lines = [_cut([figure(number) for number in line], "…") for line in np.atleast_2d(array)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    told = [", ".join(f"{text:\u2007>{n}}" for text, n in zip(line, widths, strict=True)) for line in lines]
    return _cut([f"({line})" for line in told] if len(widths) > 1 else told, "…")


def _cut(texts: list[str], dots: str) -> list[str]:
    return texts if len(texts) <= MOST else [*texts[:_FIRST], dots, texts[-1]]


def _flow(symbol: str, value: Any, grad: Any, terms: list[Any]) -> tuple[list[str], list[str]]:
    """The lines of a value and of its gradient, a sum where there are terms."""
    values = _after(f"{symbol} =", rows(value))
    if grad is None or all(leaf is None for leaf in leaves(grad)):
        return values, []
    whole = rows(grad)
    if not terms:
        return values, _after(f"∂L/∂{symbol} =", whole)
    first, *others = (rows(term) for term in terms)
    lines = _after(f"∂L/∂{symbol} =", first)
    for other in others:
        lines += _after("   +", other)
    return values, lines + _after("   =", whole)


def _after(name: str, lines: list[str]) -> list[str]:
    """The lines, the name before a single one or above several."""
    return [f"{name} {lines[0]}"] if len(lines) == 1 else [name, *lines]
