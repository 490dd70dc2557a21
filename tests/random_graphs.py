"""Graphs nobody has thought of."""

import numpy as np

from maillon import Add, Concat, Graph, Linear, Module, Multiply, Parallel, Residual, Sequential, Sigmoid, Tanh


def random_graph(seed: int) -> tuple[Graph, dict[str, tuple[str, list[str]]]]:
    """A graph of up to a dozen nodes, each of what stands before it, in any order; and what each node does."""
    numbers = np.random.default_rng(seed)
    known, nodes, told = ["x", "z"], {}, {}
    held: list[str] = []
    for place in range(int(numbers.integers(3, 13))):
        kinds = ["linear", "tanh", "sigmoid", "add", "multiply", "fork", "join", "shared", "residual"]
        kind = str(numbers.choice(kinds))
        if kind == "shared" and not held:
            kind = "linear"
        count = {"add": 3, "multiply": 2, "join": 2}.get(kind, 1)
        sources = [str(numbers.choice(known[-4:])) for _ in range(count)]
        name = f"n{place}"
        about = kind
        if kind == "shared":
            original = str(numbers.choice(held))
            link, about = nodes[original][0].share(), f"shared {original}"
        else:
            link = made(kind)
        held += [name] * (kind == "linear")
        nodes[name], told[name] = (link, *sources), (about, sources)
        known += [f"{name}.0", f"{name}.1"] if kind == "fork" else [name]
    used = {source.split(".")[0] for _, *sources in nodes.values() for source in sources}
    unused = [name for name in nodes if name not in used]
    outputs = [f"{name}.1" if told[name][0] == "fork" else name for name in unused]
    inputs = [name for name in ("x", "z") if name in used]
    order = numbers.permutation(list(nodes)).tolist()
    return Graph(inputs, {name: nodes[name] for name in order}, outputs).to("float64"), told


def made(kind: str) -> Module:
    return {
        "linear": lambda: Linear(3, 3),
        "tanh": Tanh,
        "sigmoid": Sigmoid,
        "add": Add,
        "multiply": Multiply,
        "fork": lambda: Parallel(Linear(3, 3), Tanh()),
        "join": lambda: Sequential(Concat(), Linear(6, 3)),
        "residual": lambda: Residual(Sequential(Linear(3, 3), Tanh())),
    }[kind]()
