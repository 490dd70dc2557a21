"""Rules: how a gradient moves a parameter."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np

from maillon.nn import Module, Parameter
from maillon.typing import Array

Group = dict[str, Any]


class Rule:
    """A recipe, or a recipe bound to parameters.

    ``SGD(lr=0.1)`` is a recipe: options without state, to use as often as one likes. ``SGD(parameters, lr=0.1)``,
    or ``recipe.bind(parameters)``, is bound: it has `step()`, `param_groups` and its own state. Parameters may be
    given in groups, ``[{"params": …, "lr": …}, …]``, whose options override the rule's.

    A rule of your own gives its options to ``super().__init__`` and defines `update`.
    """

    def __init__(self, params: Any, **options: Any) -> None:
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

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        self._require_bound("step")
        state = self.state
        for group in self.param_groups:
            for parameter in group["params"]:
                grad = parameter.grad
                if grad is not None and parameter.requires_grad:
                    self.update(parameter, grad, group, state.setdefault(parameter, {}))

    def zero_grad(self) -> None:
        """Set every gradient to None."""
        self._require_bound("zero_grad")
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def add_param_group(self, group: Group) -> None:
        """Take more parameters, with options of their own or else the rule's."""
        name = type(self).__name__
        params = group.get("params")
        if params is None:
            raise ValueError(f"{name}: expected a group with a key 'params', got keys {sorted(group)}.")
        listed = [params] if isinstance(params, Parameter) else list(params)
        for parameter in listed:
            if not isinstance(parameter, Parameter):
                raise TypeError(f"{name}: expected Parameters, got {type(parameter).__name__}. {_WAY_OUT}")
        taken = {id(parameter) for known in self.param_groups for parameter in known["params"]}
        if any(id(parameter) in taken for parameter in listed):
            raise ValueError(f"{name}: a parameter stands in more than one group. Give each to one group.")
        if unknown := group.keys() - self.defaults.keys() - {"params"}:
            known = ", ".join(self.defaults)
            raise ValueError(f"{name}: unknown options {sorted(unknown)} in a group; there are {known}.")
        options = {**self.defaults, **{key: value for key, value in group.items() if key != "params"}}
        self._check(options)
        unique = list({id(parameter): parameter for parameter in listed}.values())
        self.param_groups.append({"params": unique, **options})

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

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a like rule gave; ValueError, with nothing changed, when it does not fit."""
        self._require_bound("load_state_dict")
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
                if isinstance(value, np.ndarray) and value.shape != parameter.shape:
                    raise ValueError(
                        f"{name}.load_state_dict: expected {key} of parameter {number} to have shape "
                        f"{parameter.shape}, got {value.shape}."
                    )
            loaded[parameter] = own
        for group in state["param_groups"]:
            self._check({**self.defaults, **group})
        for group, other in zip(self.param_groups, state["param_groups"], strict=True):
            group.update({key: value for key, value in other.items() if key in self.defaults})
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
        # PyTorch takes (name, parameter) pairs too: what named_parameters() gives
        return [{"params": [entry[1] if isinstance(entry, tuple) else entry for entry in listed]}]

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
            require_number(name, key, options[key])
        self.check_options(options)

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.defaults.items())
        count = sum(len(group["params"]) for group in self.param_groups)
        return f"{type(self).__name__}({f'<{count} parameters>, ' if self.bound else ''}{options})"


_WAY_OUT = "Give network.parameters(), or leave it out for a recipe."


def require_number(rule: str, name: str, value: Any, below: float = math.inf) -> None:
    """ValueError unless 0 ≤ value < below."""
    real = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not real or not 0 <= value < below:
        limit = f"in [0, {below:g})" if below < math.inf else "≥ 0 and finite"
        raise ValueError(f"{rule}: expected {name} to be a number {limit}, got {value!r}.")


def _loaded(value: Any, parameter: Parameter) -> Any:
    """A copy in the parameter's dtype; a tensor (PyTorch's counts are tensors too) as an array or a number."""
    if hasattr(value, "detach"):
        value = np.asarray(value.detach())
    if isinstance(value, np.ndarray):
        return value.astype(parameter.dtype) if value.ndim or not parameter.data.ndim else value.item()
    return value


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


class SGD(Rule):
    """Stochastic gradient descent: p ← p − lr · g; with momentum μ, v ← μ v + (1 − dampening) g, p ← p − lr · v.

    params: None for a recipe, else parameters or groups of them. lr: the rate, ≥ 0. momentum μ ≥ 0; the first v is
    g itself. nesterov: moves by g + μ v instead of v. weight_decay λ ≥ 0: g ← g + λ p first. maximize: climbs.
    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013; the form
    is PyTorch's.

    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.SGD([p], lr=0.1).step(); p.data
    array([0.95])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        if isinstance(params, Module) and not isinstance(lr, int | float):
            raise TypeError(
                "SGD is the rule that moves the parameters; the loop over mini-batches is sgd, in small letters: "
                "sgd(Optim(network, loss, 0.01), x, y, batch_size=…, epochs=…)."
            )
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
        )

    def check_options(self, options: Mapping[str, Any]) -> None:
        require_number("SGD", "momentum", options["momentum"])
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ValueError("SGD: nesterov=True needs momentum > 0 and dampening = 0.")

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        if group["maximize"]:
            grad = -grad
        if decay := group["weight_decay"]:
            grad = grad + decay * parameter.data
        if momentum := group["momentum"]:
            velocity = state.get("momentum_buffer")
            if velocity is None:
                state["momentum_buffer"] = velocity = np.array(grad)  # an array, even of a number
            else:
                velocity *= momentum
                velocity += (1 - group["dampening"]) * grad
            grad = grad + momentum * velocity if group["nesterov"] else velocity
        parameter.data -= group["lr"] * grad


class Adam(Rule):
    """Adam: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², p ← p − lr · m̂ / (√v̂ + ε).

    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) make up for the start at zero; amsgrad takes the largest v so far.

    params: None for a recipe, else parameters or groups of them. lr: the rate, ≥ 0. betas: (β₁, β₂) in [0, 1).
    eps ε ≥ 0. weight_decay λ ≥ 0: g ← g + λ p first. maximize: climbs.
    Source: Kingma, Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1; Reddi, Kale, Kumar 2018
    for amsgrad; the form is PyTorch's.

    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.Adam([p], lr=0.1).step(); p.data.round(6)
    array([0.9])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize
        )

    def check_options(self, options: Mapping[str, Any]) -> None:
        if len(options["betas"]) != 2:
            raise ValueError(f"Adam: expected betas to be two numbers, got {options['betas']!r}.")
        for place, beta in enumerate(options["betas"]):
            require_number("Adam", f"betas[{place}]", beta, below=1)
        require_number("Adam", "eps", options["eps"])

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        if group["maximize"]:
            grad = -grad
        if decay := group["weight_decay"]:
            grad = grad + decay * parameter.data
        if not state:
            state |= {"step": 0, "exp_avg": np.zeros_like(grad), "exp_avg_sq": np.zeros_like(grad)}
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = np.zeros_like(grad)
        beta1, beta2 = group["betas"]
        state["step"] = step = int(state["step"]) + 1
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean *= beta1
        mean += (1 - beta1) * grad
        square *= beta2
        square += (1 - beta2) * (grad * grad)
        if group["amsgrad"]:
            square = np.maximum(state["max_exp_avg_sq"], square, out=state["max_exp_avg_sq"])
        root = np.sqrt(square)
        root /= math.sqrt(1 - beta2**step)
        root += group["eps"]
        parameter.data -= (group["lr"] / (1 - beta1**step)) * mean / root
