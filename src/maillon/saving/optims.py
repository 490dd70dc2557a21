"""An Optim as a description and tensors, and back: network, loss, rule and its state, gathered gradients."""

from typing import Any

import numpy as np

from maillon.nn import Loss, Parameter
from maillon.optim import Optim, Rule
from maillon.saving.files import FileError
from maillon.saving.networks import Builder, Describer
from maillon.saving.values import Tensors, listed_names, part

LOSS, STATE, GRAD = "maillon/loss/", "maillon/state", "maillon/grad/"
"""Where tensors stand that are not the network's."""

_OF_RULES = ("defaults", "param_groups", "state", "bound")


def describe_optim(optim: Optim, describer: Describer, tensors: Tensors) -> dict[str, Any]:
    """Put the tensors of an Optim into `tensors`, and describe the rest."""
    network, names = optim.network, _names(optim)
    for name, array in network.state_arrays().items():
        if name.startswith("maillon/"):
            raise ValueError(f"save: the name {name!r} is ours in a file with an Optim. Call that link otherwise.")
        tensors[name] = array
    tensors.update({LOSS + name: array for name, array in optim.loss.state_arrays().items()})
    gathered = {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}
    if not optim.waiting:
        moved = set(names.values())
        gathered = {name: grad for name, grad in gathered.items() if name not in moved}  # these add up over the steps
    tensors.update({GRAD + name: grad for name, grad in gathered.items()})
    return describer.class_of(optim) | {
        "network": describer.network(network),
        "loss": describer.network(optim.loss),
        "rule": _describe_rule(optim.rule, names, describer),
        "options": {
            name: describer.encode(getattr(optim, name), f"Optim.{name}")
            for name in ("clip_grad_norm", "clip_grad_value", "accumulate")
        },
        "gathered": describer.encode(optim.gathered, "Optim.gathered"),
    }


def _names(optim: Optim) -> dict[int, str]:
    """The names of the rule's parameters, by identity."""
    names = {id(parameter): name for name, parameter in optim.network.named_parameters()}
    moved = [parameter for group in optim.rule.param_groups for parameter in group["params"]]
    if any(id(parameter) not in names for parameter in moved):
        raise TypeError("save: the rule moves parameters that are not the network's, and a file has no names for them.")
    return {id(parameter): names[id(parameter)] for parameter in moved}


def _describe_rule(rule: Rule, names: dict[int, str], describer: Describer) -> dict[str, Any]:
    kind = type(rule).__name__
    if more := [name for name in vars(rule) if name not in _OF_RULES]:
        raise TypeError(
            f"save: {kind} has attributes of its own, {more}, which a file cannot hold. Keep them in .state."
        )
    encode = describer.encode
    groups = [
        {
            "params": [names[id(parameter)] for parameter in group["params"]],
            "options": {key: encode(value, f"{kind}.{key}") for key, value in group.items() if key != "params"},
        }
        for group in rule.param_groups
    ]
    state = {
        names[id(parameter)]: {
            key: encode(value, f"{STATE}/{names[id(parameter)]}/{key}") for key, value in own.items()
        }
        for parameter, own in rule.state.items()
        if id(parameter) in names
    }
    defaults = {key: encode(value, f"{kind}.{key}") for key, value in rule.defaults.items()}
    return describer.class_of(rule) | {"config": defaults, "groups": groups, "state": state}


def made_optim(record: Any, builder: Builder, tensors: Tensors) -> Optim:
    """The Optim of a record."""
    network = builder.network(
        part(record, "network", dict),
        {name: array for name, array in tensors.items() if not name.startswith("maillon/")},
    )
    inside = {name.removeprefix(LOSS): array for name, array in tensors.items() if name.startswith(LOSS)}
    loss = builder.network(part(record, "loss", dict), inside)
    if not isinstance(loss, Loss):
        raise FileError(f"{type(loss).__name__} is no loss")
    named = dict(network.named_parameters())
    rule = _made_rule(part(record, "rule", dict), named, builder)
    found, options = builder.class_of(record, Optim), builder.arguments(record, "options")
    optim = builder.make(record, lambda: found(network, loss, rule, **options))
    optim.gathered = _gathered(record, builder)
    _give_gradients(named, tensors)
    return optim


def restore_optim(optim: Optim, record: Any, builder: Builder, tensors: Tensors) -> None:
    """Give a like Optim the values of a record, in the arrays that it has. What is shared stays so."""
    own = {name: array for name, array in tensors.items() if not name.startswith("maillon/")}
    inside = {name.removeprefix(LOSS): array for name, array in tensors.items() if name.startswith(LOSS)}
    optim.network.load_state_dict(own)
    optim.loss.load_state_dict(inside)
    described = part(record, "network", dict)
    frozen, evaluating = set(part(described, "frozen", list)), set(part(described, "evaluating", list))
    for name, parameter in optim.network.named_parameters():
        parameter.requires_grad, parameter.grad = name not in frozen, None
    for name, module in optim.network.named_modules():
        module.training = name not in evaluating
    named = dict(optim.network.named_parameters())
    _copy_rule(_made_rule(part(record, "rule", dict), named, builder), optim.rule)
    options = builder.arguments(record, "options")
    optim.clip_grad_norm = optim.clip_grad_value = None  # only one may be set
    for name, value in options.items():
        setattr(optim, name, value)
    optim.gathered = _gathered(record, builder)
    _give_gradients(named, tensors)


def _gathered(record: Any, builder: Builder) -> tuple[int, float | None]:
    """How many mini-batches' gradients wait, and their divisor."""
    value = builder.decode(record.get("gathered"))
    if not isinstance(value, tuple) or list(map(type, value)) not in ([int, float], [int, type(None)]) or value[0] < 0:
        raise FileError("its description has no 'gathered' as it should")
    return value


def _copy_rule(source: Rule, rule: Rule) -> None:
    """Give a rule groups and state of another one, in the dicts that it has: a callback may have added groups."""
    groups, given = rule.param_groups, source.param_groups
    groups.extend({} for _ in given[len(groups) :])
    del groups[len(given) :]
    for own, other in zip(groups, given, strict=True):
        own.clear()
        own.update(other)
    rule.state.clear()
    rule.state.update(source.state)


def _give_gradients(named: dict[str, Parameter], tensors: Tensors) -> None:
    for name, grad in tensors.items():
        if name.startswith(GRAD):
            parameter = named.get(name.removeprefix(GRAD))
            if parameter is None or parameter.shape != grad.shape or parameter.dtype != grad.dtype:
                raise FileError(f"the gradient {name!r} fits no parameter")
            parameter.grad = grad


def _made_rule(record: Any, named: dict[str, Parameter], builder: Builder) -> Rule:
    found, defaults = builder.class_of(record, Rule), builder.arguments(record)
    groups = []
    for group in part(record, "groups", list):
        listed, options = listed_names(group, "params"), _options(group, builder)
        if not all(name in named for name in listed):
            raise FileError("the rule moves parameters that the network has not")
        groups.append(([named[name] for name in listed], options))
    checked = [
        {"params": params} | {key: value for key, value in options.items() if key in defaults}
        for params, options in groups
    ]
    rule = builder.make(record, lambda: found(checked, **defaults))
    for own, (_, options) in zip(rule.param_groups, groups, strict=True):
        own.update(options)
    _give_state(rule, record, named, builder)
    return rule


def _options(group: Any, builder: Builder) -> dict[str, Any]:
    options = builder.arguments(group, "options")
    if "params" in options:
        raise FileError("the rule moves parameters that the network has not")
    return options


def _give_state(rule: Rule, record: Any, named: dict[str, Parameter], builder: Builder) -> None:
    """Put what the rule keeps for each parameter in the place of what it has."""
    rule.state.clear()
    for name, own in part(record, "state", dict).items():
        if name not in named or not isinstance(own, dict):
            raise FileError(f"the rule's state is of a parameter {name!r} that the network has not")
        state = {key: builder.decode(value) for key, value in own.items()}
        for key, value in state.items():
            misfit = rule.like_parameters and isinstance(value, np.ndarray) and value.shape != named[name].shape
            if misfit:
                raise FileError(f"the rule's {key} of {name!r} does not fit it")
        rule.state[named[name]] = state
