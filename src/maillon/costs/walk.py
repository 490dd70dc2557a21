"""Which links a learning step walks back through, and from which it wants the gradient of the input."""

from maillon.nn import Graph, Module, Parallel, Residual, Sequential
from maillon.nn.graph import address


def wanted(network: Module, upstream: bool = False, place: str = "") -> dict[str, bool]:
    """For each link, by its place, whether something that learns waits for the gradient of its input.

    As `backward_parameters` walks: chains and graphs know who waits; what another link made of links does inside, it
    does in whole.
    """
    found = {place: upstream}
    dot, children = f"{place}." if place else "", dict(network.named_children())
    for name, needs in _inside(network, upstream).items():
        found |= wanted(children[name], needs, f"{dot}{name}")
    return found


def _inside(link: Module, upstream: bool) -> dict[str, bool]:
    children = dict(link.named_children())
    backward = type(link).backward_parameters
    if backward is Sequential.backward_parameters:
        waiting = upstream
        needs = {}
        for name, child in children.items():
            needs[name] = waiting
            waiting = waiting or child.trains()
        return needs
    if isinstance(link, Graph) and backward is Graph.backward_parameters:
        reached = dict.fromkeys(link.inputs, upstream)
        needs = {}
        for name, sources in link.sources.items():
            needs[name] = any(reached[address(source, reached)[0]] for source in sources)
            reached[name] = needs[name] or children[name].trains()
        return needs
    if backward in (Residual.backward_parameters, Parallel.backward_parameters):
        return dict.fromkeys(children, upstream)
    return dict.fromkeys(children, upstream or link.trains())
