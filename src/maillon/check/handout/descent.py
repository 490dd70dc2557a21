"""The rule of a handout's SGD: a function, or a method, that cuts the data into batches and learns from each."""

import contextlib
import copy
import inspect
import io
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from maillon.check.handout import storage
from maillon.check.handout.subject import Subject
from maillon.check.handout.training import RATES, Step, is_loss
from maillon.check.handout.verdict import HandoutError, raised
from maillon.check.words import Phrase, say
from maillon.typing import Array

NAMES: list[tuple[str, re.Pattern[str]]] = [
    ("batch_size", re.compile(r"batch(?!_?[xy]$)|lot", re.IGNORECASE)),
    ("epochs", re.compile(r"epo|iter|^n$|nb_it", re.IGNORECASE)),
    ("gradient_step", RATES),
    ("net", re.compile(r"net|model|reseau|réseau|module", re.IGNORECASE)),
    ("loss", re.compile(r"loss|cout|coût|crit|perte", re.IGNORECASE)),
    ("y", re.compile(r"(^|data|batch|train|_)_*(y|labels?|targets?|cibles?)(_?train)?$", re.IGNORECASE)),
    ("x", re.compile(r"(^|data|batch|train|_)_*(x|data|inputs?|donnees|données)(_?train)?$", re.IGNORECASE)),
]
"""What the arguments of SGD are called."""
DEFAULTS = {"batch_size": 4, "epochs": 3, "gradient_step": 0.05}


class Parts:
    """A network, a loss and a gradient_step, as an Optim keeps them."""

    def __init__(self, net: Any, loss: Any, eps: float) -> None:
        self.net, self.loss, self.eps = net, loss, eps


def descent_holds(
    function: Callable[..., Any], seed: int, tolerance: float, inputs: list[Array], given: Mapping[str, Any]
) -> tuple[str, list[Phrase]]:
    """Rule 9: each example once an epoch, with its own target, and a right step for each batch. Its name, and notes."""
    name = getattr(function, "__qualname__", type(function).__name__)
    arguments, roles = _arguments(function, name, copy.deepcopy(dict(given)), inputs)
    owner = getattr(function, "__self__", None)
    if owner is not None:
        owner = copy.deepcopy(owner)
        function = getattr(owner, function.__name__)
    net, loss, rate = _made_of(name, arguments, roles, owner)
    x, y = arguments[roles["x"]], arguments[roles["y"]]
    subject = Subject(Parts(net, loss, rate), seed, tolerance)
    subject.name = name
    batches = _recorded(subject, function, arguments, net, loss)
    if not batches:
        raise HandoutError(9, name, name, say("calls of the network and of the loss"), say("none"))
    uses = np.zeros(len(x), dtype=int)
    used = [_indices(subject, x, y, batch, targets, uses) for batch, targets in batches]
    _each_once(subject, used, len(x), arguments, roles)
    _steps(subject, used, x, y, net)
    epoch = np.concatenate(used)[: len(x)].tolist()
    if len(used[0]) < len(x) and epoch == sorted(epoch):
        subject.notes.append(say("the examples are not shuffled"))
    return name.rsplit(".", 1)[-1], subject.notes


def _arguments(
    function: Callable[..., Any], name: str, given: dict[str, Any], inputs: list[Array]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The arguments of the call by their own names, and which of them is x, y, batch_size …"""
    listed = inspect.signature(function).parameters
    unknown = [key for key in given if key not in listed]
    if unknown:
        raise TypeError(
            f"check_handout: expected arguments of {name}{inspect.signature(function)}, "
            f"got {unknown[0]!r}. Name them as it does."
        )
    roles: dict[str, str] = {}
    for key in listed:
        role = next((role for role, pattern in NAMES if pattern.search(key) and role not in roles), None)
        if role is not None:
            roles[role] = key
    known = {**DEFAULTS, **dict(zip(("x", "y"), inputs, strict=False))}
    arguments = dict(given)
    for role, key in roles.items():
        if key not in arguments and role in known:
            arguments[key] = known[role]
    missing = [
        key
        for key, p in listed.items()
        if p.default is p.empty and key not in arguments and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if missing or not {"x", "y"} <= {role for role in roles if roles[role] in arguments}:
        raise HandoutError(
            9,
            name,
            say("arguments"),
            say("net, loss, datax, datay, batch_size, epochs, eps, or the like"),
            ", ".join(listed),
            way_out=say("Give the others by name: check_handout({name}, x, y, …).", name=name),
        )
    return arguments, roles


def _made_of(name: str, arguments: dict[str, Any], roles: dict[str, str], owner: Any) -> tuple[Any, Any, float]:
    """The network, the loss and the gradient_step among the arguments, or those of the object that SGD belongs to."""
    values = [*arguments.values(), *([] if owner is None else vars(owner).values())]
    for value in [*values]:
        if callable(getattr(value, "step", None)):
            values += vars(value).values()
    losses = [value for value in values if is_loss(value)]
    nets = [value for value in values if callable(getattr(value, "forward", None)) and not is_loss(value)]
    rates = [arguments[roles["gradient_step"]]] if roles.get("gradient_step") in arguments else []
    holders = [value for value in [owner, *arguments.values()] if callable(getattr(value, "step", None))]
    rates += [
        value
        for holder in holders
        for key, value in vars(holder).items()
        if isinstance(value, float) and RATES.search(key)
    ]
    if not (losses and nets and rates):
        raise HandoutError(
            9, name, say("arguments"), say("a network, a loss and a gradient_step"), ", ".join(arguments)
        )
    return nets[0], losses[0], float(rates[0])


def _recorded(
    subject: Subject, function: Callable[..., Any], arguments: dict[str, Any], net: Any, loss: Any
) -> list[tuple[Array, Array]]:
    """Run it, and note the inputs of the network and the targets of the loss at each backward of the loss."""
    seen: list[Array] = []
    batches: list[tuple[Array, Array]] = []
    forward, backward = net.forward, loss.backward

    def seeing(x: Any, *more: Any, **named: Any) -> Any:
        seen.append(np.array(x))
        return forward(x, *more, **named)

    def noting(y: Any, yhat: Any, *more: Any, **named: Any) -> Any:
        batches.append((seen[-1], np.array(y)))
        return backward(y, yhat, *more, **named)

    before = {key: value.copy() for key, value in arguments.items() if isinstance(value, np.ndarray)}
    net.forward, loss.backward = seeing, noting
    try:
        with subject.quiet(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            function(**arguments)
    except Exception as error:
        raise HandoutError(9, subject.name, subject.name, say("a result"), raised(error)) from error
    finally:
        del net.forward, loss.backward
    for key, value in before.items():
        if not np.array_equal(value, arguments[key]):
            raise HandoutError(
                2,
                subject.name,
                say("{argument} after {method}", argument=key, method=subject.name),
                say("the same values"),
                say("other ones"),
                way_out=say("Shuffle a list of indices, not the data."),
            )
    return batches


def _indices(subject: Subject, x: Array, y: Array, batch: Array, targets: Array, uses: Array) -> Array:
    """Which examples a batch is made of, each with its own target; of equal ones the one that was used least so far."""
    if batch.ndim != x.ndim or batch.shape[1:] != x.shape[1:]:
        raise HandoutError(
            9,
            subject.name,
            say("a batch"),
            say("an array of shape {shape}", shape=("n", *x.shape[1:])),
            say("one of shape {shape}", shape=batch.shape),
        )
    found = []
    for row, target in zip(batch, np.reshape(targets, (len(batch), -1)), strict=True):
        places = [place for place, one in enumerate(x) if np.array_equal(one, row)]
        if not places:
            raise HandoutError(9, subject.name, say("a batch"), say("rows of x"), say("another one"))
        places = [place for place in places if np.array_equal(np.ravel(y[place]), target)]
        if not places:
            raise HandoutError(
                9,
                subject.name,
                say("the targets of a batch"),
                say("those of its examples"),
                say("others"),
                way_out=say("x and y are shuffled apart: use the same indices for both."),
            )
        found.append(min(places, key=lambda place: uses[place]))
        uses[found[-1]] += 1
    return np.array(found, dtype=int)


def _each_once(subject: Subject, used: list[Array], n: int, arguments: dict[str, Any], roles: dict[str, str]) -> None:
    size, epochs = (arguments.get(roles.get(role, "")) for role in ("batch_size", "epochs"))
    largest = max(len(batch) for batch in used)
    if size is not None and (largest > max(size, -(-n // max(1, n // size))) or largest < min(size, n) / 2):
        raise HandoutError(
            9,
            subject.name,
            say("the largest batch"),
            say("{count} examples", count=min(size, n)),
            say("{count} examples", count=largest),
            way_out=say("batch_size is not used."),
        )
    counts = np.bincount(np.concatenate(used), minlength=n)
    if epochs is None or (counts == epochs).all():
        return
    way_out: Phrase | str = say("In each epoch each example is to be used once.")
    if (counts == counts[0]).all():
        way_out = say("There are {count} epochs.", count=int(counts[0]))
    elif size and n % size and counts.sum() == epochs * (n - n % size):
        way_out = say("Is the last, smaller batch left out?")
    raise HandoutError(
        9,
        subject.name,
        say("uses of the examples 0 … {last}", last=n - 1),
        say("{count} each", count=epochs),
        ", ".join(map(str, counts)),
        way_out=way_out,
    )


def _steps(subject: Subject, used: list[Array], x: Array, y: Array, net: Any) -> None:
    """The parameters are what the steps by the right gradients make of them."""
    held = subject.held
    parts = Step(subject)
    places: dict[Any, Any] = {}
    start = subject.fresh().net
    for batch in used:
        gradients = parts.gradients(held, x[batch], y[batch])
        for place, gradient in gradients.items():
            places[place] = storage.get(held.net, place)
            places[place] -= parts.rate * gradient
    for place, expected in places.items():
        got = np.asarray(storage.get(net, place), dtype=np.float64)
        size = parts.rate * len(used) + float(np.linalg.norm(expected))
        if got.shape != expected.shape or float(np.linalg.norm(got - expected)) > 1e-6 * size:
            moved = say("It is not changed.") if np.array_equal(got, storage.get(start, place)) else ""
            raise HandoutError(
                9,
                subject.name,
                say("parameter {name} at the end", name=place),
                say("what {count} steps of size {step} by the right gradients give", count=len(used), step=parts.rate),
                say("something else"),
                way_out=moved,
            )
