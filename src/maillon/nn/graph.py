"""Graph: links joined in any way that has no circle, walked backwards by the chain rule."""

import heapq
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from maillon.messages import got
from maillon.nesting import added, counted_inputs
from maillon.nn.containers import handed, refuse_twice_among
from maillon.nn.joints import back, back_parameters, whole_gradient
from maillon.nn.module import Module
from maillon.nn.support import arguments, errors

_Source = tuple[str, tuple[int, ...]]
"""Where a value comes from: an input or node, and the place inside a nested output: "lstm.1.0" is ("lstm", (1, 0))."""


class Graph(Module):
    """Links as the named nodes of a directed graph: h = link(h₁, h₂, …) of what other nodes, or the inputs, give.

    Derivative: dh = Σ_u dh_u, the sum of what the backward of each user u of h returns for it; the nodes are walked in
    the reverse of the order in which they were evaluated. That is the chain rule, and needs no tape.

    Parameters
    ----------
    inputs : str or list of str
        The inputs' names, in the order of the arguments. forward takes them by place or by name.
    nodes : dict
        {name: (link, source, …)}: a source is the name of an input or of another node, and stands for one
        argument of the link's forward. Where a link returns a tuple, "lstm.0" is its first part, and "lstm.1.0"
        the first of its second. The order of the nodes does not matter, but of two that could both be next the
        first given is evaluated first. The children are called like their nodes: state_dict has "a.weight". A
        node's name may have dots, "blocks.0" and "blocks.1", unless what stands before one is a name as well.
    outputs : str or list of str
        The name (or "lstm.0") of the output; several names make the output a tuple.

    Raises
    ------
    ValueError
        Naming them, for a circle of nodes, an unknown source, nodes that lead to no output, inputs that no node takes,
        a link that stands twice (see `share`). Errors of a link say at which node it stands.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> network = maillon.Graph(
    ...     inputs="x",
    ...     nodes={
    ...         "a": (maillon.Linear(3, 4), "x"),
    ...         "b": (maillon.Tanh(), "a"),
    ...         "y": (maillon.Add(), "a", "b"),
    ...     },
    ...     outputs="y",
    ... )
    >>> network(np.zeros((2, 3), np.float32)).shape, network["a"], list(network.state_dict())
    ((2, 4), Linear(3, 4), ['a.weight', 'a.bias'])
    """

    def __init__(
        self,
        inputs: str | Sequence[str],
        nodes: Mapping[str, Sequence[Any]],
        outputs: str | Sequence[str],
    ) -> None:
        for name, given in (("inputs", inputs), ("outputs", outputs)):
            if not isinstance(given, str) and not arguments.is_sequence(given):
                raise TypeError(f"Graph: expected {name} to be a name or several, got {given!r}.")
        self.inputs = (inputs,) if isinstance(inputs, str) else tuple(inputs)
        self.outputs = outputs if isinstance(outputs, str) else tuple(outputs)
        _check_names(self.inputs, nodes)
        known = [*self.inputs, *nodes]
        sources = {name: _sources(name, node, known) for name, node in nodes.items()}
        wanted = [address(name, known) for name in ((outputs,) if isinstance(outputs, str) else self.outputs)]
        if not wanted:
            raise ValueError("Graph: expected at least one output, got none.")
        _check_known(known, sources, wanted)
        order = _in_order(sources)
        _check_used(self.inputs, order, sources, wanted)
        self._nodes: dict[str, Module] = {name: nodes[name][0] for name in order}
        self._sources = {name: sources[name] for name in order}
        self._wanted = wanted
        refuse_twice_among("Graph", self._nodes)

    def __call__(self, /, *inputs: Any, **named: Any) -> Any:
        own = "input" in self.inputs  # elsewhere it is PyTorch's name of what forward takes first
        return self.forward(*inputs, **named) if own else super().__call__(*inputs, **named)

    def forward(self, /, *inputs: Any, **named: Any) -> Any:
        values, name = self._bound(inputs, named), ""
        try:
            for name, link in self._nodes.items():
                given = [_at(values, source, link) for source in self._sources[name]]
                values[name] = link(*given) if len(given) > 1 else handed(link, given[0])
        except errors.LinkError as error:
            error.within(type(self).__name__, name)
            raise
        outputs = tuple(_at(values, source, self) for source in self._wanted)
        return self.keep(outputs[0] if isinstance(self.outputs, str) else outputs, values)

    def backward(self, grad_output: Any) -> Any:
        values, grads = self._walked_back(grad_output, dict.fromkeys([*self.inputs, *self._nodes], True))
        found = [whole_gradient(values[name], grads.get(name)) for name in self.inputs]
        return found[0] if len(found) == 1 else tuple(found)

    def backward_parameters(self, grad_output: Any) -> None:
        """As backward, without the gradients that nothing which learns is waiting for."""
        waiting = dict.fromkeys(self.inputs, False)
        for name, link in self._nodes.items():
            waiting[name] = any(waiting[source] for source, _ in self._sources[name]) or link.trains()
        self._walked_back(grad_output, waiting)

    def _walked_back(self, grad_output: Any, waiting: dict[str, bool]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values of inputs and nodes, and the gradients that reach the inputs, where these wait for one."""
        (values,) = self.release(grad_output)
        grads: dict[str, Any] = {}
        self._add(values, grads, self._wanted, (grad_output,) if isinstance(self.outputs, str) else grad_output)
        name = ""
        try:
            for name, link in reversed(self._nodes.items()):
                sources, grad = self._sources[name], grads.pop(name, None)
                if any(waiting[source] for source, _ in sources):
                    given = [_at(values, source, link) for source in sources]
                    self._add(values, grads, sources, _parts(link, back(link, values[name], grad), given))
                else:
                    back_parameters(link, values[name], grad)
        except errors.LinkError as error:
            error.within(type(self).__name__, name)
            raise
        return values, grads

    def _add(
        self, values: dict[str, Any], grads: dict[str, Any], sources: Sequence[_Source], parts: Sequence[Any]
    ) -> None:
        """Each part goes to the gradient of what it came from; what is used at several places has their sum."""
        for (name, path), grad in zip(sources, parts, strict=True):
            grads[name] = added(grads.get(name), _placed(values[name], path, grad))

    def _bound(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """Each input by its name."""
        if len(inputs) == 1 < len(self.inputs) and isinstance(inputs[0], tuple):
            inputs = inputs[0]
        bound = dict(zip(self.inputs, inputs, strict=False)) | named
        if len(inputs) + len(named) != len(self.inputs) or bound.keys() != set(self.inputs):
            got = [*(f"{len(inputs)} by place" for _ in inputs[:1]), *map(repr, named)]
            raise errors.LinkShapeError(
                f"{errors.shown(self)}: expected the inputs {_listed(self.inputs)}, got {' and '.join(got) or 'none'}. "
                "Give each once, in this order or by name."
            )
        return bound

    # What it is made of

    @property
    def nodes(self) -> dict[str, tuple[Any, ...]]:
        """{name: (link, source, …)}, in the order in which they are evaluated."""
        return {name: (link, *map(_shown, self._sources[name])) for name, link in self._nodes.items()}

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The links by their nodes' names, in the order in which they are evaluated."""
        yield from self._nodes.items()

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """What each node takes, as it was given: the names of inputs and nodes, "lstm.0" for a part of an output."""
        return {name: tuple(map(_shown, own)) for name, own in self._sources.items()}

    def replace_child(self, name: str, child: Module | None) -> None:
        if name not in self._nodes or child is None:
            raise ValueError(f"Graph: expected a node and a link for it, got {name!r} and {child!r}.")
        nodes = self._nodes | {name: child}
        refuse_twice_among("Graph", nodes)
        self._nodes = nodes

    def output_link(self) -> Module:
        name, path = self._wanted[0]
        alone = isinstance(self.outputs, str) and not path and name in self._nodes
        return self._nodes[name].output_link() if alone else self

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, name: str) -> Module:
        if name not in self._nodes:
            raise KeyError(f"Graph: no node {name!r}; there are {', '.join(self._nodes)}.")
        return self._nodes[name]

    def __repr__(self) -> str:
        lines = []
        for name, link in self._nodes.items():
            sources = ", ".join(map(repr, self.sources[name]))
            lines.append(f"    {name!r}: ({repr(link).replace(chr(10), chr(10) + '    ')}, {sources}),\n")
        inputs = self.inputs[0] if len(self.inputs) == 1 else list(self.inputs)
        outputs = self.outputs if isinstance(self.outputs, str) else list(self.outputs)
        listed = f"  inputs={inputs!r},\n  nodes={{\n{''.join(lines)}  }},\n  outputs={outputs!r},\n"
        return f"{type(self).__name__}(\n{listed})"


def _at(values: Mapping[str, Any], source: _Source, user: Module) -> Any:
    """The value that a source stands for."""
    name, path = source
    value = values[name]
    for place in path:
        if not isinstance(value, tuple) or place >= len(value):
            got = f"{len(value)} outputs" if isinstance(value, tuple) else "a single output"
            raise errors.LinkShapeError(
                f"{errors.shown(user)}: expected {_shown(source)!r} to be there, got {got} there from {name!r}. "
                "Places count from 0."
            )
        value = value[place]
    return value


def _parts(link: Module, returned: Any, inputs: Sequence[Any]) -> tuple[Any, ...]:
    """What a backward returned, for each of the inputs."""
    if returned is None:
        return (None,) * len(inputs)
    count = counted_inputs(inputs, returned)
    parts = (returned,) if count == 1 else returned
    if not isinstance(parts, tuple) or len(parts) != count:
        got = f"{len(parts)} of them" if isinstance(parts, tuple) else type(parts).__name__
        raise errors.LinkShapeError(
            f"{errors.shown(link)}: expected its backward to return a tuple of {count} gradients, one for each input, "
            f"got {got}."
        )
    return parts + (None,) * (len(inputs) - count)


def _placed(value: Any, path: tuple[int, ...], grad: Any) -> Any:
    """The gradient of a part as one of the whole, None elsewhere."""
    if not path or grad is None:
        return grad
    return tuple(_placed(part, path[1:], grad) if place == path[0] else None for place, part in enumerate(value))


def _shown(source: _Source) -> str:
    return ".".join((source[0], *map(str, source[1])))


def _listed(names: Iterable[str]) -> str:
    *first, last = map(repr, names)
    return f"{', '.join(first)} and {last}" if first else last


# What is wrong with a graph is told before it runs


def address(text: Any, known: Container[str]) -> _Source:
    """Of a source such as "lstm.1.0" the longest name that it begins with, and the places that follow: "lstm", (1, 0).

    known: the names of inputs and nodes.
    """
    parts = text.split(".") if isinstance(text, str) else ["", ""]
    named = next((end for end in range(len(parts), 1, -1) if ".".join(parts[:end]) in known), 1)
    name, places = ".".join(parts[:named]), parts[named:]
    if not name or not all(place.isdecimal() for place in places):
        raise ValueError(
            f"Graph: expected the name of an input or a node, or a place in its output such as 'lstm.0', got {text!r}."
        )
    return name, tuple(map(int, places))


def _check_names(inputs: Sequence[str], nodes: Any) -> None:
    if not isinstance(nodes, Mapping):
        raise TypeError(f"Graph: expected nodes to be {{name: (link, source, …)}}, got {type(nodes).__name__}.")
    seen: set[str] = set()
    for name in (*inputs, *nodes):
        if not isinstance(name, str) or not all(name.split(".")) or name in seen:
            raise ValueError(f"Graph: the name {name!r} is taken, empty or not a string, as a whole or between dots.")
        if name in inputs and "." in name:
            raise ValueError(f"Graph: the input {name!r} has a dot, and could not be given by name.")
        seen.add(name)
    for name in seen:
        parts = name.split(".")
        if before := [".".join(parts[:end]) for end in range(1, len(parts)) if ".".join(parts[:end]) in seen]:
            raise ValueError(
                f"Graph: the name {name!r} begins with that of {before[0]!r}, of which it would be a part. "
                "Call one of them otherwise."
            )
    if not inputs:
        raise ValueError("Graph: expected at least one input, got none.")


def _sources(name: str, node: Any, known: Sequence[str]) -> tuple[_Source, ...]:
    if not isinstance(node, tuple | list) or len(node) < 2:
        raise TypeError(f"Graph[{name}]: expected (link, source, …) with at least one source, got {node!r}.")
    link, *sources = node
    if not isinstance(link, Module):
        raise TypeError(f"Graph[{name}]: expected a Module first, {got(link)}")
    return tuple(address(source, known) for source in sources)


def _check_known(names: Sequence[str], sources: Mapping[str, Sequence[_Source]], wanted: Iterable[_Source]) -> None:
    known = set(names)
    users = [*((f"Graph[{name}]", "take", own) for name, own in sources.items()), ("Graph", "return", wanted)]
    for user, verb, addresses in users:
        for source, _ in addresses:
            if source not in known:
                raise ValueError(f"{user}: no input or node {source!r} to {verb}; there are {_listed(names)}.")


def _in_order(sources: Mapping[str, Sequence[_Source]]) -> list[str]:
    """The nodes, each after all it takes, otherwise as given."""
    places = {name: place for place, name in enumerate(sources)}
    missing = {name: {source for source, _ in own} & places.keys() for name, own in sources.items()}
    users: dict[str, list[str]] = {name: [] for name in sources}
    for name, wanted in missing.items():
        for source in wanted:
            users[source].append(name)
    ready = [(place, name) for name, place in places.items() if not missing[name]]
    order: list[str] = []
    while ready:
        name = heapq.heappop(ready)[1]
        order.append(name)
        for user in users[name]:
            missing[user].remove(name)
            if not missing[user]:
                heapq.heappush(ready, (places[user], user))
    if waiting := {name: own for name, own in sources.items() if missing[name]}:
        raise ValueError(
            f"Graph: the nodes form a circle, {_circle(waiting)}: none of them can be evaluated first. A value "
            "that comes back needs a recurrent link."
        )
    return order


def _circle(waiting: Mapping[str, Sequence[_Source]]) -> str:
    """A circle among nodes of which each takes another one, in the direction in which values flow."""
    path = [next(iter(waiting))]
    while path.count(path[-1]) == 1:
        path.append(next(source for source, _ in waiting[path[-1]] if source in waiting))
    circle = path[path.index(path[-1]) + 1 :][::-1]
    first = min(map(list(waiting).index, circle))
    start = circle.index(list(waiting)[first])
    return " → ".join([*circle[start:], *circle[:start], circle[start]])


def _check_used(
    inputs: Sequence[str], order: Sequence[str], sources: Mapping[str, Sequence[_Source]], wanted: Iterable[_Source]
) -> None:
    used = {name for name, _ in wanted}
    for name in reversed(order):
        if name in used:
            used.update(source for source, _ in sources[name])
    if idle := [name for name in order if name not in used]:
        raise ValueError(f"Graph: no output depends on {_listed(idle)}. Leave out what is not wanted.")
    if idle := [name for name in inputs if name not in used]:
        raise ValueError(f"Graph: no node takes the input {_listed(idle)}. Leave out what is not used.")
