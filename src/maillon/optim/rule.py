"""Rule: how a gradient moves a parameter, and what all rules do alike."""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np

from maillon.nn import Module, Parameter
from maillon.nn.support import errors
from maillon.nn.support.arguments import flag, is_number
from maillon.typing import Array

Group = dict[str, Any]
Closure = Callable[[], Any]


class Rule:
    """How a gradient moves a parameter: a recipe, or a recipe bound to parameters.

    ``SGD(lr=0.1)`` is a recipe: options without state, to use as often as you like. ``SGD(parameters, lr=0.1)``, or
    ``recipe.bind(parameters)``, is bound: it has `step()`, `param_groups` and its own state. A rule of your own gives
    its options to ``super().__init__`` and defines `update`.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    **options : Any
        The rule's options, by name, with the values that hold for all groups.
    """

    needs_closure: bool = False
    """Whether `step` evaluates the loss several times, and must be given a closure."""

    like_parameters: bool = True
    """Whether the arrays of a parameter's state have its shape."""

    def __init__(self, params: Any, **options: Any) -> None:
        options = {name: _plain(value) for name, value in options.items()}
        self._check(options)
        self.defaults = options
        self.param_groups: list[Group] = []
        self.state: dict[Parameter, dict[str, Any]] = {}
        self.bound = params is not None
        if self.bound:
            for group in self._groups(params):
                self.add_param_group(group)

    # What a rule defines

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        """Move `parameter.data`, in place; `state` is this parameter's own, empty at first."""
        raise NotImplementedError(f"{type(self).__name__} has no update()")

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise for options that make no sense."""

    # What every rule does

    def bind(self, params: Any) -> Self:
        """This recipe's options, bound to parameters (or groups of them): a rule with a state of its own."""
        return type(self)(params, **self.defaults)

    def step(self, closure: Closure | None = None) -> Any:
        """Move every parameter that has a gradient.

        closure: computes the loss and the gradients first; its value is returned, as in PyTorch.
        """
        self._require_bound("step")
        loss = None if closure is None else closure()
        state = self.state
        for group in self.param_groups:
            for parameter in group["params"]:
                grad = parameter.grad
                if grad is not None and parameter.requires_grad:
                    self.update(parameter, grad, group, state.setdefault(parameter, {}))
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every gradient to None; set_to_none=False: to zeros, those that are there."""
        self._require_bound("zero_grad")
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none or parameter.grad is None:
                    parameter.grad = None
                else:
                    parameter.grad = np.zeros_like(parameter.grad)

    def add_param_group(self, param_group: Group) -> None:
        """Take more parameters, with options of their own or else the rule's.

        Pairs (name, parameter), as `named_parameters()` gives, leave the names in the group, as `param_names`.
        """
        name = type(self).__name__
        if not isinstance(param_group, dict):
            raise TypeError(f"{name}: expected a group, {{'params': …}}, got {type(param_group).__name__}.")
        given = param_group.get("params")
        if given is None:
            raise ValueError(f"{name}: expected a group with a key 'params', got keys {sorted(param_group)}.")
        listed, names = _named([given] if isinstance(given, Parameter) else list(given), name)
        taken = {id(parameter) for known in self.param_groups for parameter in known["params"]}
        if any(id(parameter) in taken for parameter in listed):
            raise ValueError(f"{name}: a parameter stands in more than one group. Give each to one group.")
        if self.param_groups and ("param_names" in self.param_groups[0]) != bool(names):
            raise ValueError(f"{name}: expected all groups of parameters with names, or all without, got both.")
        if unknown := param_group.keys() - self.defaults.keys() - {"params"}:
            known = ", ".join(self.defaults)
            raise ValueError(f"{name}: unknown options {sorted(unknown)} in a group; there are {known}.")
        own = {key: _plain(value) for key, value in param_group.items() if key != "params"}
        options = {**self.defaults, **own}
        if own or self.param_groups:  # those of the first group may be the rule's, which are checked
            self._check(options)
        first: dict[Parameter, int] = {}
        for place, parameter in enumerate(listed):
            first.setdefault(parameter, place)
        if len(first) < len(listed):
            warnings.warn(f"{name}: a parameter group with duplicate parameters; each moves once.", stacklevel=3)
        group = {"params": list(first), **options}
        self.param_groups.append(
            group | {"param_names": [names[place] for place in first.values()]} if names else group
        )

    def state_dict(self) -> dict[str, Any]:
        """State and options as plain values: parameters are numbered in the order of the groups, as in PyTorch."""
        self._require_bound("state_dict")
        numbers = self._numbers()
        state = {
            numbers[parameter]: {key: _copied(value) for key, value in own.items()}
            for parameter, own in self.state.items()
            if own
        }
        groups = [
            {**group, "params": [numbers[parameter] for parameter in group["params"]]} for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a like rule gave; ValueError, with nothing changed, when it does not fit."""
        self._require_bound("load_state_dict")
        state = state_dict
        if not isinstance(state, Mapping) or not {"state", "param_groups"} <= state.keys():
            got = sorted(map(str, state)) if isinstance(state, Mapping) else type(state).__name__
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: expected the keys 'state' and 'param_groups', got {got}. "
                "Give what a rule's state_dict() returned, not a network's."
            )
        name = type(self).__name__
        sizes = [len(group["params"]) for group in self.param_groups]
        given = [len(group["params"]) for group in state["param_groups"]]
        if sizes != given:
            raise ValueError(f"{name}.load_state_dict: expected groups of {sizes} parameters, got {given}.")
        parameters = list(self._numbers())
        # the state's numbers, in the order of its groups, stand for our parameters in the order of ours
        order = [number for group in state["param_groups"] for number in group["params"]]
        loaded: dict[Parameter, dict[str, Any]] = {}
        for number, parameter in zip(order, parameters, strict=True):
            own = {key: _loaded(value, parameter) for key, value in state["state"].get(number, {}).items()}
            for key, value in own.items():
                if self.like_parameters and isinstance(value, np.ndarray) and value.shape != parameter.shape:
                    raise ValueError(
                        f"{name}.load_state_dict: expected {key} of parameter {number} to have shape "
                        f"{parameter.shape}, got {value.shape}."
                    )
            loaded[parameter] = own
        for group in state["param_groups"]:
            self._check({**self.defaults, **group})
        for group, other in zip(self.param_groups, state["param_groups"], strict=True):
            group.update({key: value for key, value in other.items() if key in self.defaults or key in _SCHEDULED})
        self.state = loaded

    def _groups(self, params: Any) -> list[Group]:
        name = type(self).__name__
        if isinstance(params, Module):
            raise TypeError(f"{name}: expected parameters, got a network. {_WAY_OUT}")
        if isinstance(params, int | float):
            raise TypeError(f"{name}: expected parameters, got {params!r}. Name the rate: {name}(lr={params!r}).")
        if isinstance(params, Parameter) or not isinstance(params, Iterable):
            raise TypeError(f"{name}: expected several parameters, got {type(params).__name__}. {_WAY_OUT}")
        listed = list(params)
        if not listed:
            raise ValueError(f"{name}: expected parameters, got none. The network has nothing to learn.")
        if all(isinstance(entry, dict) for entry in listed):
            return listed
        return [{"params": listed}]

    def _numbers(self) -> dict[Parameter, int]:
        listed = [parameter for group in self.param_groups for parameter in group["params"]]
        return {parameter: number for number, parameter in enumerate(listed)}

    def _require_bound(self, method: str) -> None:
        if not self.bound:
            raise RuntimeError(
                f"{self!r} is a recipe without parameters: .{method}() needs a bound rule. "
                f"Bind it: rule = {self!r}.bind(network.parameters())."
            )

    def _check(self, options: Mapping[str, Any]) -> None:
        name = type(self).__name__
        for key in ("lr", "weight_decay"):
            if key in options:
                require_number(name, key, options[key])
        for key in _FLAGS & options.keys():
            flag(name, key, options[key])
        self.check_options(options)

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.defaults.items())
        count = sum(len(group["params"]) for group in self.param_groups)
        return f"{type(self).__name__}({f'<{count} parameters>, ' if self.bound else ''}{options})"


def _named(listed: list[Any], rule: str) -> tuple[list[Parameter], list[str]]:
    """The parameters and their names, none where they come without."""
    pairs = [entry if isinstance(entry, tuple) and len(entry) == 2 else (None, entry) for entry in listed]
    for _, parameter in pairs:
        if not isinstance(parameter, Parameter):
            raise TypeError(f"{rule}: expected Parameters, got {type(parameter).__name__}. {_WAY_OUT}")
    names = [name for name, _ in pairs if name is not None]
    if names and len(names) < len(pairs):
        raise ValueError(f"{rule}: expected all parameters with names, or all without, got both. {_WAY_OUT}")
    return [parameter for _, parameter in pairs], names


_FLAGS = {"maximize", "amsgrad", "nesterov", "centered", "decoupled_weight_decay"}
"""The options that are True or False, whatever the rule."""

_SCHEDULED = ("initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum")
"""What schedules keep in the groups."""

_WAY_OUT = "Give network.parameters(), or leave it out for a recipe."


def require_number(rule: str, name: str, value: Any, below: float = math.inf) -> None:
    """ValueError unless 0 ≤ value < below."""
    if not is_number(value) or not 0 <= value < below:
        limit = f"in [0, {below:g})" if below < math.inf else "≥ 0 and finite"
        raise ValueError(f"{rule}: expected {name} to be a number {limit}, got {value!r}.")


def require_betas(rule: str, betas: Any) -> None:
    """ValueError unless betas are two numbers in [0, 1)."""
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise ValueError(f"{rule}: expected betas to be two numbers, got {betas!r}.")
    for place, beta in enumerate(betas):
        require_number(rule, f"betas[{place}]", beta, below=1)


def refuse_ways(rule: str, ways: Mapping[str, Any]) -> None:
    """Take PyTorch's words for *how* a step is computed where they ask for nothing, and refuse them elsewhere."""
    if unknown := ways.keys() - _WAYS.keys():
        raise TypeError(f"{rule}: unknown options {sorted(unknown)}. See help({rule}) for those it has.")
    errors.refuse(
        rule, **{name: (None if value is False else value, None, _WAYS[name]) for name, value in ways.items()}
    )


_WAYS = dict.fromkeys(("foreach", "fused", "capturable"), "it chooses among PyTorch's kernels. Leave it out.")
_WAYS["differentiable"] = "a step has no derivative here. Leave it out."


def descended(parameter: Parameter, grad: Array, group: Group) -> Array:
    """The gradient to descend: g, or −g where the group climbs, plus λ p."""
    if group["maximize"]:
        grad = -grad
    if decay := group["weight_decay"]:
        grad = grad + decay * parameter.data
    return grad


def counted(state: dict[str, Any]) -> int:
    """This step's number, from 1, which the state keeps."""
    state["step"] = step = int(state.get("step", 0)) + 1
    return step


def running(state: dict[str, Any], name: str, grad: Array) -> Array:
    """The array that a rule keeps under this name for the parameter: zeros at first."""
    kept = state.get(name)
    if kept is None:
        state[name] = kept = np.zeros_like(grad)
    return kept


def _plain(value: Any) -> Any:
    """A number, where an array or a tensor of one is given; also in a pair of them."""
    if isinstance(value, tuple) and all(hasattr(part, "item") for part in value):
        return tuple(map(_plain, value))
    return value.item() if hasattr(value, "item") and math.prod(getattr(value, "shape", (2,))) == 1 else value


def _loaded(value: Any, parameter: Parameter) -> Any:
    """A copy in the parameter's dtype; a tensor (PyTorch's counts are tensors too) as an array or a number."""
    if isinstance(value, list):
        return [_loaded(part, parameter) for part in value]
    if hasattr(value, "detach"):
        value = np.asarray(value.detach())
    if isinstance(value, np.ndarray):
        return value.astype(parameter.dtype) if value.ndim or not parameter.data.ndim else value.item()
    return value


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(part) for part in value]
    return value.copy() if isinstance(value, np.ndarray) else value
