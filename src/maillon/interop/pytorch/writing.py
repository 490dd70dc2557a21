"""to_torch: a network of ours as a module of PyTorch."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from maillon import nn
from maillon.interop.pytorch.layers import MADE_OF_LAYERS, options
from maillon.interop.pytorch.reading import link_class, needed
from maillon.messages import got
from maillon.nn import Module
from maillon.nn.support.errors import shown

Layers = Mapping[type[Module], Callable[[Any], Any]]
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def to_torch(network: Module, links: Layers | None = None) -> Any:
    """The same network in PyTorch: outputs and gradients are ours.

    Links and losses become the layers of their names, a Sequential of such an `nn.Sequential`. What PyTorch has no
    layer for, joints and graphs among it, becomes the code of one module's forward, an `fx.GraphModule`: `module.code`
    shows it, `module.to_folder("net", "Net")` writes it as a Python file that needs no maillon.

    Parameters
    ----------
    network : Module
        A network, a link or a loss. Its values are copied, with `requires_grad`, running statistics and training or
        evaluation mode; shared Parameters stay shared.
    links : dict, optional
        {a class of links: a function that makes PyTorch's module of such a link}, for links of your own.

    Returns
    -------
    torch.nn.Module
        Its state_dict has the network's names.

    Raises
    ------
    NotImplementedError
        Naming the link that PyTorch has nothing for.

    Examples
    --------
    ::

        module = maillon.interop.pytorch.to_torch(network)
        module.load_state_dict(module.state_dict())
    """
    if not isinstance(network, Module):
        raise TypeError(f"to_torch: expected a maillon.Module, {got(network)}")
    needed()
    writer = Writer(dict(links or {}))
    module = writer.direct(network, type(network).__name__)
    if module is None:
        from maillon.interop.pytorch.emitting import emitted

        module = emitted(writer, network)
    _same_modes(module, network)
    return module


class NotWrittenError(NotImplementedError):
    """A network holds a link that PyTorch has nothing for."""


class Writer:
    """What one writing knows: which tensors stand for our Parameters and arrays."""

    def __init__(self, links: dict[type[Module], Callable[[Any], Any]]) -> None:
        self.torch = needed()
        self._links = links
        self._tensors: dict[int, tuple[Any, Any]] = {}

    def direct(self, link: Module, where: str) -> Any:
        """The module of the same name, or None where PyTorch has none that does the same."""
        nn_of_torch = self.torch.nn
        if type(link) in self._links:
            return self._links[type(link)](link)
        if type(link) in _CONTAINERS:
            inside = {name: self.direct(child, f"{where}.{name}") for name, child in link.named_children()}
            if None in inside.values() or (isinstance(link, nn.Sequential) and not self._passes_arrays(link)):
                return None
            if isinstance(link, nn.ModuleList):
                return nn_of_torch.ModuleList(inside.values())
            kind = nn_of_torch.Sequential if isinstance(link, nn.Sequential) else nn_of_torch.ModuleDict
            made = kind()
            for name, module in inside.items():
                if hasattr(made, name):
                    self.refuse_name(f"{where}.{name}", name)
                made.add_module(name, module)
            return made
        name = type(link).__name__
        cls = getattr(nn_of_torch, name, None)
        if cls is None or link_class(name) is not type(link):
            return None
        return self._layer(cls, link, where)

    def _passes_arrays(self, chain: nn.Sequential) -> bool:
        """Whether each link gives the next one array: PyTorch's Sequential hands no tuple on as several inputs."""
        from maillon.interop.pytorch.graphs import output_structure

        return all(output_structure(link) is None for link in list(chain)[:-1])

    def _layer(self, cls: Any, link: Module, where: str) -> Any:
        name = type(link).__name__
        try:
            if name in MADE_OF_LAYERS:
                made = MADE_OF_LAYERS[name](cls, link, lambda part: self._part(part, where))
            else:
                asked = options(link, type(link))
                known = inspect.signature(cls.__init__).parameters.values()
                if not any(p.kind is p.VAR_KEYWORD for p in known) and (
                    beyond := asked.keys() - {p.name for p in known}
                ):
                    raise ValueError(f"that has no {', '.join(sorted(beyond))}.")
                arrays = {key: self.torch.tensor(one) for key, one in asked.items() if isinstance(one, np.ndarray)}
                made = cls(**asked | arrays)
        except NotWrittenError:
            raise
        except (TypeError, ValueError) as error:
            raise NotWrittenError(f"to_torch: {where} is {shown(link)}, which cannot be PyTorch's: {error}") from error
        self._adopt(made, link)
        return made

    def _part(self, link: Module, where: str) -> Any:
        made = self.direct(link, where)
        if made is None:
            raise self.refusal(where, link)
        return made

    def refusal(self, where: str, link: Module) -> NotWrittenError:
        """The error for a link that nothing can be made of."""
        name = type(link).__name__
        return NotWrittenError(
            f"to_torch: {where} is {shown(link)}, for which PyTorch has no layer. Say what becomes of it: "
            f"links={{{name}: …}}."
        )

    @staticmethod
    def refuse_name(where: str, name: str) -> None:
        """Raise for a link with a name that PyTorch's module needs for something of its own."""
        raise NotWrittenError(
            f"to_torch: {where}: PyTorch's modules have something else called {name!r}. Call the link otherwise."
        )

    def _adopt(self, module: Any, link: Module) -> None:
        """Give the module the link's values, and the same parameter for the same Parameter."""
        ours = dict(link.named_modules())
        for path, inner in module.named_modules(remove_duplicate=False):
            if path not in ours:
                continue
            for name, parameter in ours[path].named_parameters(recurse=False):
                setattr(inner, name, self.parameter(parameter))
            for name, _ in inner.named_buffers(recurse=False, remove_duplicate=False):
                setattr(inner, name, self._kept(vars(ours[path])[name], self.torch.from_numpy))

    def parameter(self, parameter: nn.Parameter) -> Any:
        """PyTorch's parameter for ours."""
        grad = parameter.requires_grad
        made = self._kept(parameter.data, lambda array: self.torch.nn.Parameter(self.torch.from_numpy(array), grad))
        return made

    def _kept(self, array: Any, make: Callable[[Any], Any]) -> Any:
        """One tensor for one array, however many hold it."""
        if id(array) not in self._tensors:
            self._tensors[id(array)] = array, make(np.array(array))
        return self._tensors[id(array)][1]


def _same_modes(module: Any, network: Module) -> None:
    """Training or evaluation, link by link."""
    module.train(network.training)
    ours = dict(network.named_modules())
    for path, inner in module.named_modules(remove_duplicate=False):
        if path in ours:
            inner.training = ours[path].training
