"""An estimator of tables as a file: its network, as `maillon.save` writes it, and the rest in the description."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from maillon.nn import Graph
from maillon.saving.files import FileError, read_tensors, write_tensors
from maillon.saving.networks import Builder, Describer
from maillon.saving.saving import checked_kind, headed
from maillon.saving.values import generators_made, part
from maillon.sklearn.preparing import Preparation

_PART = "estimator"

Path = str | os.PathLike[str]


def write(
    path: Path,
    name: str,
    parameters: Mapping[str, Any],
    attributes: Mapping[str, Any],
    prepared: Preparation,
    network: Graph,
) -> None:
    """Write it, whole or not at all. TypeError for what a file cannot hold.

    Parameters
    ----------
    path : path
        Where to.
    name : str
        The class of the estimator.
    parameters, attributes : mapping
        Those of its constructor, and those that are set on it afterwards.
    prepared : Preparation
        What is before the network.
    network : Graph
        The network.
    """
    describer = Describer()
    record = {
        "class": name,
        "parameters": describer.encode(dict(parameters), "parameters"),
        "attributes": {key: _plain(value, describer, key) for key, value in attributes.items()},
        "prepared": describer.encode(prepared.describe(), "prepared"),
    }
    description = {"kind": "network", "network": describer.network(network), _PART: record}
    write_tensors(path, network.state_arrays(), headed(description | {"generators": describer.generators}))


def _plain(value: Any, describer: Describer, name: str) -> Any:
    """An array of texts as a list."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        listed = [describer.encode(each, name) for each in value.tolist()]
        return {"objects" if value.dtype.kind == "O" else "texts": listed}
    return {"value": describer.encode(value, name)}


def _array(value: Any, builder: Builder) -> Any:
    """The way back."""
    if "value" in value:
        return builder.decode(value["value"])
    if "objects" in value:
        made = np.empty(len(value["objects"]), object)
        made[:] = [builder.decode(each) for each in value["objects"]]
        return made
    return np.array([str(each) for each in value["texts"]], str)


def read(
    path: Path, name: str, attributes: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any], Preparation, Graph]:
    """The parameters, attributes, preparation and network of such a file.

    Parameters
    ----------
    path : path
        The file.
    name : str
        The class that is expected in it.
    attributes : collection of str
        What it may hold of these.

    Returns
    -------
    tuple
        As `write` takes them.

    Raises
    ------
    FileError
        For another file.
    """
    tensors, description = read_tensors(path)
    if not isinstance(description, Mapping) or _PART not in description:
        raise FileError(
            f"{name}.load: {os.fspath(path)!r} holds no estimator. maillon.load reads networks and tensors."
        )
    with fitting(path):
        checked_kind(description)
        record = part(description, _PART, dict)
        if (found := part(record, "class", str)) != name:
            raise FileError(f"it holds a {found}. Read it with {found}.load")
        builder = Builder({}, tensors, generators_made(part(description, "generators", list)))
        prepared = Preparation.described(builder.decode(record["prepared"]))
        kept = {key: _array(value, builder) for key, value in part(record, "attributes", dict).items()}
        if unknown := sorted(kept.keys() - set(attributes)):
            raise FileError(f"a {name} has no {unknown[0]!r}")
        network = builder.network(part(description, "network", dict), tensors)
        if not isinstance(network, Graph) or network.inputs != prepared.inputs:
            raise FileError(f"its network takes other inputs than {prepared.inputs}")
        return builder.decode(record["parameters"]), kept, prepared, network


@contextmanager
def fitting(path: Path) -> Iterator[None]:
    """What goes wrong inside is the file's fault."""
    try:
        yield
    except (FileError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).removesuffix(".")
        raise FileError(f"load: {os.fspath(path)!r}: {reason}.") from error
