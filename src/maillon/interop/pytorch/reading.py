"""from_torch: a module of PyTorch as a network of ours."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from maillon import nn, random
from maillon.interop.pytorch.layers import MADE_OF_LAYERS, as_array, changed_part, options
from maillon.messages import got
from maillon.nn import Module, Parameter

Links = Mapping[type, Callable[[Any], Module]]
_NO_LAYERS = {"Module", "Loss", "Sequential", "ModuleList", "ModuleDict", "Graph", "Parameter"}


class NotReadError(NotImplementedError):
    """A module of PyTorch holds something that maillon has no link for."""


def from_torch(module: Any, example: Any = None, links: Links | None = None) -> Module:
    """The same network in maillon: outputs and gradients are PyTorch's.

    Layers become the links of their names, `nn.Sequential` a Sequential. A module of your own is traced with torch.fx
    and becomes a Graph (a Sequential where it is a chain) of its layers and of the functions that have a link: what
    joins values (add, multiply, cat), activations, pooling, flattening, the last step of a recurrent layer. Nothing is
    called with data but `example`, and nothing is drawn.

    Parameters
    ----------
    module : torch.nn.Module
        Its parameters are float32 or float64. They are copied, with `requires_grad`, running statistics, training or
        evaluation mode, and what is shared stays shared; hooks are refused.
    example : tensor or tuple of tensors, optional
        Inputs of the module, for a mean over a dimension: what it means depends on how many there are.
    links : dict, optional
        {a class of modules: a function that makes your link of such a module}, for what maillon does not have.

    Returns
    -------
    Module
        Its state_dict has PyTorch's names: ``network.load_state_dict(module.state_dict())``.

    Raises
    ------
    NotImplementedError
        Naming the layer, or the call and its line, for which there is no link.

    Notes
    -----
    `x.view(-1, K)` becomes a Flatten where a Linear of K inputs follows, which cannot be meant otherwise. Changes in
    place become values of their own, unless something reads the changed one later, which is refused.

    Examples
    --------
    ::

        network = maillon.interop.pytorch.from_torch(torchvision_like_module.eval())
        network = from_torch(module, links={Scale: lambda scale: MyScale(scale.factor)})
    """
    torch = needed()
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"from_torch: expected a torch.nn.Module, {got(module)}")
    given = {} if example is None else _inputs_of_all(torch, module, example)
    with random.using(random.Generator(0)):  # links draw initial values, which are not kept
        return Reader(module, dict(links or {}), given).read(module, type(module).__name__)


def needed() -> Any:
    """PyTorch; ImportError that says how to get it."""
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "maillon.interop.pytorch needs PyTorch, which is not installed. Install the package with its extra: "
            "maillon[torch]."
        ) from error
    return torch


def _inputs_of_all(torch: Any, module: Any, example: Any) -> dict[int, tuple[Any, ...]]:
    """What each module inside is given when the whole is given the example."""
    given: dict[int, tuple[Any, ...]] = {}
    hooks = [
        inner.register_forward_pre_hook(lambda one, inputs: given.setdefault(id(one), inputs) and None)
        for inner in module.modules()
    ]
    modes = [(inner, inner.training) for inner in module.modules()]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            module.eval()(*(example if isinstance(example, tuple) else (example,)))
    finally:
        for hook in hooks:
            hook.remove()
        for inner, training in modes:
            inner.training = training
    return given


@cache
def link_class(name: str) -> type[Module] | None:
    """Our layer or loss of PyTorch's name."""
    found = None if name in _NO_LAYERS else getattr(nn, name, None)
    return found if isinstance(found, type) and issubclass(found, Module) else None


class Reader:
    """What one reading knows: which of our Parameters and arrays stand for which tensors, and what was read already."""

    def __init__(self, root: Any, links: dict[type, Callable[[Any], Module]], inputs: dict[int, Any]) -> None:
        self._links = links
        self._inputs = inputs
        self._modes = {id(module): module.training for module in root.modules()}  # a trace tries both
        self.nested = False
        self._parameters: dict[int, Parameter] = {}
        self._buffers: dict[int, Any] = {}
        self._read: dict[int, Module] = {}
        self._failed: dict[int, NotReadError] = {}

    def read(self, module: Any, where: str) -> Module:
        """The module's link, and where it has been read before one that shares its Parameters."""
        if id(module) in self._read:
            return self._read[id(module)].share()
        link = self._made(module, where)
        link.training = self._modes[id(module)]
        self._read[id(module)] = link
        return link

    def alone(self, module: Any, where: str) -> NotReadError | None:
        """Why the module cannot be read by itself, though what is inside may still be; None where it can."""
        if id(module) not in self._read and id(module) not in self._failed:
            before, self.nested = self.nested, True
            try:
                self.read(module, where)
            except NotReadError as error:
                self._failed[id(module)] = error
            finally:
                self.nested = before
        return self._failed.get(id(module))

    def mode(self, module: Any) -> bool:
        """Whether the module is in training mode, which a trace changes for a while."""
        return self._modes[id(module)]

    def is_named(self, module: Any) -> bool:
        """Whether the user has said what becomes of such a module."""
        return type(module) in self._links

    def _made(self, module: Any, where: str) -> Module:
        torch = needed()
        if self.is_named(module):
            return self._own_link(module, where)
        for hooks in ("_forward_hooks", "_forward_pre_hooks"):
            if vars(module).get(hooks):
                way_out = "Remove it (of weight_norm or spectral_norm with torch.nn.utils)."
                raise NotReadError(f"from_torch: {where}, a {type(module).__name__}, has a forward hook. {way_out}")
        if type(module) in (torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict):
            inside = vars(module)["_modules"].items()  # a module that stands at two places at both of them
            links = {name: self.read(child, f"{where}.{name}") for name, child in inside}
            listed = type(module) is torch.nn.ModuleList
            made: Module = getattr(nn, type(module).__name__)(list(links.values()) if listed else links)
            return made
        if is_of_torch(module):
            return self._layer(module, where)
        from maillon.interop.pytorch.tracing import traced

        return traced(self, module, where, self._inputs.get(id(module)))

    def _own_link(self, module: Any, where: str) -> Module:
        link = self._links[type(module)](module)
        if not isinstance(link, Module):
            raise TypeError(f"from_torch: {where}: expected links to give a maillon.Module, {got(link)}")
        return link

    def _layer(self, module: Any, where: str) -> Module:
        name = type(module).__name__
        cls = link_class(name)
        if cls is None:
            raise NotReadError(
                f"from_torch: {where} is a {name}, for which maillon has no link. Replace it, or give one of your own: "
                f"links={{torch.nn.{name}: …}}."
            )
        try:
            if name in MADE_OF_LAYERS:
                link = MADE_OF_LAYERS[name](cls, module, lambda part: self._made(part, f"{where} ({name})"))
                if name.endswith("Layer") and (part := changed_part(link, module, link_class)) is not None:
                    raise NotImplementedError(f"its {part} is not as the constructor made it.")
            else:
                asked = options(module, cls)
                arrays = {key: as_array(value) for key, value in asked.items() if hasattr(value, "detach")}
                link = cls(**asked | arrays)
        except NotReadError:
            raise
        except (NotImplementedError, ValueError, TypeError) as error:
            raise NotReadError(f"from_torch: {where}, a {name}, cannot be a link of maillon: {error}") from error
        self._adopt(link, module, where)
        return link

    def _adopt(self, link: Module, module: Any, where: str) -> None:
        """Give the link the values of the module, and the same Parameter for the same parameter."""
        ours = dict(link.named_modules())
        for path, inner in module.named_modules(remove_duplicate=False):
            if path not in ours:  # an activation inside, which is a function here
                continue
            place = ours[path]
            place.train(self._modes[id(inner)])  # what is inside and no module there has its mode
            for name, parameter in inner.named_parameters(recurse=False, remove_duplicate=False):
                setattr(place, name, self._parameter(parameter, f"{where}.{path}".rstrip(".") + f".{name}"))
            for name, buffer in inner.named_buffers(recurse=False, remove_duplicate=False):
                if id(buffer) not in self._buffers:
                    self._buffers[id(buffer)] = buffer, as_array(buffer)
                setattr(place, name, self._buffers[id(buffer)][1])

    def _parameter(self, parameter: Any, where: str) -> Parameter:
        if id(parameter) not in self._parameters:
            dtype = str(parameter.dtype).removeprefix("torch.")
            if dtype not in ("float32", "float64") or parameter.is_meta:
                kind = "a device that holds no values" if parameter.is_meta else f"dtype {dtype}"
                way_out = "Links compute in float32 and float64: convert it with module.float() or .double()."
                raise NotReadError(f"from_torch: {where} is of {kind}. {way_out}")
            array = np.ascontiguousarray(as_array(parameter))
            self._parameters[id(parameter)] = Parameter(array, requires_grad=parameter.requires_grad)
        return self._parameters[id(parameter)]


def is_of_torch(module: Any) -> bool:
    """Whether it is one of PyTorch's own layers, and not a class made from one."""
    return type(module).__module__.startswith("torch.nn.")
