"""A module of the user's own, by torch.fx: the calls that its forward makes, on what, by which line."""

import inspect
import linecache
import operator
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import fx

from maillon.interop.pytorch import functions
from maillon.interop.pytorch.reading import NotReadError, Reader, is_of_torch
from maillon.nn import Module

_OWN = (str(Path(torch.__file__).parent), str(Path(__file__).parent))


class _Value(fx.Proxy):
    """A value of the trace that notices a change in place, which torch.fx takes for a new value."""

    def __iadd__(self, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})

    def __imul__(self, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", operator.imul, (self, other), {})


class _Tracer(fx.Tracer):
    """Records the calls of the module's forward; those of modules that can be read by themselves as one."""

    def __init__(self, reader: Reader, module: Any, where: str) -> None:
        super().__init__()
        self.reader, self.where = reader, where
        inside = [(path, inner) for path, inner in module.named_modules() if path]
        self.whole = {id(inner): reader.alone(inner, f"{where}.{path}") for path, inner in inside}
        self.lines: dict[str, str] = {}

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Value(node, self)

    def create_args_for_root(self, root_fn: Any, is_module: bool, concrete_args: Any = None) -> Any:
        """The arguments without a default are the inputs; the others keep their default."""
        given = list(inspect.signature(self.root.forward).parameters.values())
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in given):
            raise NotReadError(f"from_torch: {self.where}: its forward takes any number of inputs. Name each of them.")
        needed = [p.name for p in given if p.default is p.empty]
        return root_fn, [self.root, *(self.create_proxy("placeholder", name, (), {}) for name in needed)]

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        frame = inspect.currentframe()
        while frame is not None and frame.f_code.co_filename.startswith(_OWN):
            frame = frame.f_back
        if frame is not None:
            name, line = frame.f_code.co_filename, frame.f_lineno
            self.lines[node.name] = f"{Path(name).name}:{line}: {linecache.getline(name, line).strip()}"
        return node

    def call_module(self, m: Any, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        path = self.path_of_module(m)
        refused = self.whole[id(m)]
        layer = is_of_torch(m) and not isinstance(m, torch.nn.Sequential)
        if refused is not None and layer:
            raise refused
        plain = not kwargs and all(isinstance(arg, fx.Proxy) for arg in args) and not writes_into_input(m)
        if layer or self.reader.is_named(m) or (plain and refused is None):
            return self.create_proxy("call_module", path, args, kwargs)
        return forward(*args, **kwargs)


def writes_into_input(module: Any) -> bool:
    """Whether the first layer of a module that does anything changes its input."""
    if isinstance(module, torch.nn.Sequential):
        for child in module:
            if writes_into_input(child):
                return True
            if not isinstance(child, torch.nn.Identity | torch.nn.Flatten | torch.nn.Unflatten):
                return False
    return bool(getattr(module, "inplace", False))


def trace(reader: Reader, module: Any, where: str) -> tuple[fx.Graph, dict[str, str]]:
    """The calls, the same in training and evaluation, and the line that makes each of them."""
    modes = [(inner, inner.training) for inner in module.modules()]
    try:
        found = []
        for training in (True, False):
            module.train(training)
            tracer = _Tracer(reader, module, where)
            found.append((tracer.trace(module), tracer.lines))
    except NotReadError:
        raise
    except Exception as error:
        raise NotReadError(
            f"from_torch: {where}: torch.fx cannot trace its forward ({type(error).__name__}: {error}). A forward that "
            f"branches or loops on its inputs has no fixed graph: give a link for {type(module).__name__} in links=."
        ) from error
    finally:
        for inner, training in modes:
            inner.training = training
    (training_graph, lines), (graph, _) = found
    for one, other in zip(training_graph.nodes, graph.nodes, strict=False):
        if _told(one) != _told(other):
            raise NotReadError(
                f"from_torch: {where}: its forward does one thing in training and another in evaluation, from "
                f"{lines.get(one.name, one.name)} on. Only layers that know their mode can be read."
            )
        if (_mode(one), _mode(other)) not in ((None, None), (True, False)):
            raise NotReadError(
                f"from_torch: {where}: {lines.get(one.name, one.name)} is the same in training and in evaluation. "
                "Say training=self.training, or use the layer."
            )
    if len(training_graph.nodes) != len(graph.nodes):
        raise NotReadError(f"from_torch: {where}: its forward does more in one mode than in the other.")
    return training_graph, lines


def _told(node: fx.Node) -> tuple[Any, ...]:
    """What a node does, but for the mode that it is told."""
    named = dict(node.kwargs)
    args = list(node.args)
    name = function_name(node)
    if name in functions.ONE_INPUT and "training" in functions.ONE_INPUT[name][1]:
        asked = named_arguments(name, node)
        args, named = args[:1], {key: value for key, value in asked.items() if key != "training"}
    return node.op, str(node.target), str(args), str(named)


def _mode(node: fx.Node) -> Any:
    """What a function is told of the mode: None where it knows of none."""
    name = function_name(node)
    if "training" not in functions.ONE_INPUT.get(name, ("", ""))[1].split():
        return None
    return named_arguments(name, node).get("training", "its default")


def named_arguments(name: str, node: fx.Node) -> dict[str, Any]:
    """What a call gives beside its input; nothing where that does not fit, which is told when the link is made."""
    try:
        return functions.named_arguments(name, node.args[1:], dict(node.kwargs))
    except ValueError:
        return {}


def function_name(node: fx.Node) -> str:
    """The name by which `functions` knows what the node calls; '' where it is none of PyTorch's."""
    if node.op == "call_method":
        return "" if node.target == "unfold" else str(node.target)  # another one than the function
    if node.target is getattr:
        return "getattr"
    return _NAMES.get(node.target, "") if node.op == "call_function" else ""


_HOMES = (operator, torch, torch.nn.functional)
_NAMES = {getattr(home, name): name for home in _HOMES for name in functions.NAMES if hasattr(home, name)}


def check_in_place(graph: fx.Graph, lines: dict[str, str], where: str, root: Any, nested: bool) -> None:
    """Refuse a change in place of a value that is read again: here every value stays what it was."""
    place = {node: number for number, node in enumerate(graph.nodes)}
    base: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        name = function_name(node)
        first = node.args[0] if node.args and isinstance(node.args[0], fx.Node) else None
        changes = first is not None and _changes(node, name, root)
        passed = changes or name in functions.ALIASES or _is_alias(node, root)
        base[node] = base[first] if passed and first is not None else node
        if not changes or first is None:
            continue
        late = [
            user for old in place if place[old] < place[node] and base[old] is base[first] for user in old.users
            if place[user] > place[node]
        ]  # fmt: skip
        if late or (nested and base[first].op == "placeholder"):
            reader = lines.get(late[0].name, late[0].name) if late else "whoever calls it"
            raise NotReadError(
                f"from_torch: {where}: {lines.get(node.name, node.name)} changes in place what {reader} reads later. "
                "Leave inplace out there."
            )


def _changes(node: fx.Node, name: str, root: Any) -> bool:
    if node.op == "call_module":
        return writes_into_input(root.get_submodule(str(node.target)))
    if name in functions.ONE_INPUT:
        return functions.changes_in_place(name, named_arguments(name, node))
    return name in functions.JOINS and functions.changes_in_place(name, {})


def _is_alias(node: fx.Node, root: Any) -> bool:
    if node.op != "call_module":
        return False
    name = type(root.get_submodule(str(node.target))).__name__
    return name in ("Identity", "Flatten", "Unflatten") or "Dropout" in name


def traced(reader: Reader, module: Any, where: str, example: tuple[Any, ...] | None) -> Module:
    """The module's forward as a Graph, or a Sequential where it is a chain."""
    from maillon.interop.pytorch.graphs import Nodes

    graph, lines = trace(reader, module, where)
    check_in_place(graph, lines, where, module, reader.nested)
    return Nodes(reader, module, where, graph, lines, _dimensions(module, graph, example)).network()


def _dimensions(module: Any, graph: fx.Graph, example: tuple[Any, ...] | None) -> dict[str, int]:
    """Of each value its number of dimensions, when the module is given the example."""
    if example is None:
        return {}
    found: dict[str, int] = {}

    class Watched(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            if isinstance(value, torch.Tensor):
                found[n.name] = value.dim()
            return value

    modes = [(inner, inner.training) for inner in module.modules()]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            Watched(fx.GraphModule(module.eval(), graph)).run(*example)
    finally:
        for inner, training in modes:
            inner.training = training
    return found


def names_before(paths: Iterable[str]) -> set[str]:
    """The paths, and all that they begin with."""
    return {".".join(path.split(".")[: end + 1]) for path in paths for end in range(path.count(".") + 1)}
