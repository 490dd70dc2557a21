"""save and load: networks, losses, whole Optims, and plain tensors."""

import os
from collections.abc import Mapping
from typing import Any

from maillon import messages
from maillon.nn import Module
from maillon.optim import Optim
from maillon.saving.files import FileError, read_tensors, write_tensors
from maillon.saving.networks import Builder, Describer
from maillon.saving.optims import describe_optim, made_optim
from maillon.saving.values import Tensors, generators_made, part
from maillon.version import __version__

FORMAT = 1
"""The version of our description; docs/format.md says what stands in it."""


def save(thing: Module | Optim | Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a network, a loss, an Optim or a dict of arrays to one safetensors file, whole or not at all.

    Parameters
    ----------
    thing : Module, Optim or dict of str to array
        A network or loss is written with all that makes it anew: its links and their arguments, values, what they
        share, what is frozen, each link's mode and the generators it draws from. An Optim has its rule, the rule's
        state and gathered gradients beside. A dict, such as a `state_dict()`, is written as plain tensors.
    path : str or path
        Where to. A file that is there is replaced when the new one is whole and flushed to the disk.

    Raises
    ------
    TypeError
        For what a file cannot hold, naming it; a link of your own says with `get_config` what it is made of.
    OSError
        When it cannot be written. The file that was there is unchanged.

    See Also
    --------
    load : The way back.

    Notes
    -----
    The tensors have their names in the state_dict, so that other programs read them. The same network gives the same
    bytes. docs/format.md describes the rest.

    Examples
    --------
    >>> import maillon, os, tempfile
    >>> network = maillon.Sequential(maillon.Linear(2, 3), maillon.Tanh())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "network.safetensors")
    ...     maillon.save(network, path)
    ...     maillon.load(path)
    Sequential(
      Linear(2, 3),
      Tanh(),
    )
    """
    if isinstance(thing, Module | Optim):
        try:
            write_tensors(path, *_described(thing))
        except RecursionError:
            raise ValueError("save: its links, or what they hold, are nested too deeply for a file.") from None
    elif not isinstance(thing, Mapping):
        raise TypeError(f"save: expected a network, an Optim or a dict of arrays, {messages.got(thing)}")
    elif not all(isinstance(name, str) for name in thing):
        raise TypeError("save: expected names that are texts in a dict of arrays.")
    else:
        write_tensors(path, thing)


def _described(thing: Module | Optim) -> tuple[Tensors, dict[str, Any]]:
    """The tensors and the description."""
    if isinstance(thing, Module):
        describer = Describer()
        record = {"kind": "network", "network": describer.network(thing)}
        tensors = thing.state_arrays()
    else:
        tensors = {}
        describer = Describer(tensors)
        record = {"kind": "optim", "optim": describe_optim(thing, describer, tensors)}
    return tensors, headed(record | {"generators": describer.generators})


def headed(record: dict[str, Any]) -> dict[str, Any]:
    """A description with the format's version, and ours."""
    return {"format": FORMAT, "version": __version__} | record


def load(path: str | os.PathLike[str], links: Mapping[str, type] | None = None) -> Any:
    """Read what `save` or a checkpoint wrote, or the tensors of any safetensors file.

    Parameters
    ----------
    path : str or path
        The file.
    links : dict of str to type, optional
        The classes of your own that stand in it, by name: ``{"Swish": Swish}``.

    Returns
    -------
    Module, Optim or dict of str to array
        The network or loss as it was saved; the Optim, whose `network` it is (a checkpoint of `fit` gives its Optim,
        too); from a file of plain tensors a dict of arrays, for `load_state_dict`.

    Raises
    ------
    FileError
        For a file that is damaged, of a newer format, or whose parts do not fit together.
    OSError
        For one that is missing or cannot be read.

    Notes
    -----
    Only classes of the library, and those in `links`, are made; nothing in a file is ever run. No generator moves.
    """
    shown = os.fspath(path)
    tensors, description = read_tensors(path)
    if description is None:
        return tensors
    try:
        return _made(description, tensors, own_classes(links))
    except RecursionError:
        raise FileError(f"load: {shown!r}: its links are nested too deeply.") from None
    except FileError as error:
        reason = str(error).removesuffix(".")
        if len(reason) > 800:  # a file may hold very long values
            reason = f"{reason[:600]} … {reason[-100:]}"
        raise FileError(f"load: {shown!r}: {reason}.") from error.__cause__


def own_classes(links: Mapping[str, type] | None) -> dict[str, type]:
    """The user's classes, checked."""
    if links is not None and not isinstance(links, Mapping):
        raise TypeError(f"load: expected links to be {{name: class}}, {messages.got(links)}")
    given = dict(links or {})
    for name, kind in given.items():
        if not isinstance(name, str) or not isinstance(kind, type):
            raise TypeError(f"load: expected links to be {{name: class}}, got {name!r}: {kind!r}.")
    return given


def _made(description: Any, tensors: dict[str, Any], classes: dict[str, type]) -> Any:
    kind = checked_kind(description)
    builder = Builder(classes, tensors, generators_made(part(description, "generators", list)))
    if kind == "network":
        return builder.network(part(description, "network", dict), tensors)
    return made_optim(part(description, "optim", dict), builder, tensors)


def checked_kind(description: Any) -> str:
    """What the file holds; FileError for a newer format."""
    version = part(description, "format", int)
    if version < 1:
        raise FileError(f"it has format {version}, and the first is 1")
    if version > FORMAT:
        newer = description.get("version")
        raise FileError(
            f"it has format {version}, written by maillon {newer}; this version reads up to {FORMAT}. Update"
        )
    kind = part(description, "kind", str)
    if kind not in ("network", "optim", "checkpoint"):
        raise FileError(f"it holds a {kind!r}, which this version does not know")
    return kind
