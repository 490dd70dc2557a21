"""Files taken apart and put together again, changed: for the tests of bad files and the fuzzer."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

import maillon as m

Path = tuple[Any, ...]


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the data of a safetensors file."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def joined(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def description(content: bytes) -> Any:
    return json.loads(split(content)[0]["__metadata__"]["maillon"])


def described(content: bytes, text: Any) -> bytes:
    """The same tensors with another description, as a text or what JSON makes one of."""
    header, data = split(content)
    text = text if isinstance(text, str) else json.dumps(text)
    return joined({**header, "__metadata__": {"maillon": text}}, data)


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where each part of a JSON value stands."""
    yield path
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(part, (*path, key))


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def changed(value: Any, path: Path, new: Any) -> Any:
    """A copy with something else at this place."""
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = changed(value[path[0]], path[1:], new)
    return value


def chain() -> m.Module:
    generator = m.Generator(3)
    network = m.Sequential(
        {
            "a": m.Linear(3, 3),
            "norm": m.BatchNorm1d(3),
            "drop": m.Dropout(0.5, generator=generator),
            "c": m.Linear(3, 3),
        }
    )
    network["c"].weight = network["a"].weight
    network["norm"].weight.requires_grad = False
    network["norm"].eval()
    return network


def graph() -> m.Module:
    nodes = {
        "a": (m.Linear(3, 2), "x"),
        "p": (m.Parallel(m.Linear(3, 2), m.Tanh()), "z"),
        "s": (m.Add(), "a", "p.0"),
    }
    return m.Graph(["x", "z"], nodes, ["s", "p.1"])


def optim() -> m.Optim:
    made = m.Optim(m.Sequential(m.Linear(3, 2)), m.CrossEntropyLoss(np.ones(2)), m.Adam(lr=0.1), accumulate=2)
    for _ in range(3):
        made.step(np.ones((4, 3), np.float32), np.array([0, 1, 1, 0]))
    return made


SAMPLES = {
    "a chain": chain,
    "a graph": graph,
    "a transformer": lambda: m.Transformer(4, 2, 1, 1, 8, bias=False),
    "a loss": lambda: m.CrossEntropyLoss(weight=np.ones(3)),
    "an Optim": optim,
}
