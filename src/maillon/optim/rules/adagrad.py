"""Rules that divide the gradient by the root of its squares so far: Adagrad, RMSprop, Adadelta."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from maillon.nn import Parameter
from maillon.optim.rule import Group, Rule, counted, descended, refuse_ways, require_number, running
from maillon.typing import Array


class Adagrad(Rule):
    """Adagrad: s ← s + g², p ← p − lr / (1 + (t − 1) η) · g / (√s + ε).

    g is the gradient of the parameter p, s the sum of its squares so far; t counts the steps from 1.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        Learning rate, ≥ 0.
    lr_decay : float
        η ≥ 0: how the rate falls with the steps t.
    weight_decay : float
        λ ≥ 0: g ← g + λ p before anything else (an L2 penalty).
    initial_accumulator_value : float
        ≥ 0: where s begins, in all groups.
    eps : float
        ε ≥ 0, which keeps the denominator away from zero.
    foreach : None
        PyTorch's, which stands in this place there: refused unless None or False.
    maximize : bool
        Climb instead of descending.
    **ways : None or False
        PyTorch's options `foreach`, `fused`, `capturable` and `differentiable`, so that a call written for PyTorch
        runs here too. None and False are accepted and change nothing; any other value is refused.

    Raises
    ------
    ValueError, TypeError
        For an option out of its range or unknown. Nothing is changed.

    Notes
    -----
    The state is there from the beginning, as in PyTorch.

    References
    ----------
    Duchi, Hazan, Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.optim.Adagrad([p], lr=0.1).step(); p.data.round(6)
    array([0.9])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        **ways: Any,
    ) -> None:
        refuse_ways("Adagrad", {"foreach": foreach, **ways})
        super().__init__(
            params,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
            maximize=maximize,
        )

    def check_options(self, options: Mapping[str, Any]) -> None:
        for name in ("lr_decay", "initial_accumulator_value", "eps"):
            require_number("Adagrad", name, options[name])

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for parameter in self.param_groups[-1]["params"]:
            self.state[parameter] = self._at_start(parameter.data)

    def _at_start(self, data: Array) -> dict[str, Any]:
        return {"step": 0, "sum": np.full_like(data, self.defaults["initial_accumulator_value"])}

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        grad = descended(parameter, grad, group)
        if not state:
            state |= self._at_start(grad)
        step, total = counted(state), state["sum"]
        total += grad * grad
        rate = group["lr"] / (1 + (step - 1) * group["lr_decay"])
        parameter.data -= rate * grad / (np.sqrt(total) + group["eps"])


class RMSprop(Rule):
    """RMSprop: v ← α v + (1 − α) g², p ← p − lr · g / (√v + ε).

    g is the gradient of the parameter p, v the running mean of its square.
    With a momentum μ > 0 it is b ← μ b + g / (√v + ε), p ← p − lr · b.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        Learning rate, ≥ 0.
    alpha : float
        α ≥ 0: the decay of v.
    eps : float
        ε ≥ 0, which keeps the denominator away from zero.
    weight_decay : float
        λ ≥ 0: g ← g + λ p before anything else (an L2 penalty).
    momentum : float
        μ ≥ 0.
    centered : bool
        Take the running mean ḡ ← α ḡ + (1 − α) g out: √(v − ḡ²) in the place of √v.
    capturable : bool
        PyTorch's, which stands in this place there: refused unless False.
    foreach : None
        PyTorch's, which stands in this place there: refused unless None or False.
    maximize : bool
        Climb instead of descending.
    **ways : None or False
        PyTorch's options `foreach`, `fused`, `capturable` and `differentiable`, so that a call written for PyTorch
        runs here too. None and False are accepted and change nothing; any other value is refused.

    Raises
    ------
    ValueError, TypeError
        For an option out of its range or unknown. Nothing is changed.

    References
    ----------
    Tieleman, Hinton, "Lecture 6.5: RMSProp", 2012. Graves, "Generating Sequences With Recurrent Neural Networks", 2013,
    for the centered form.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.optim.RMSprop([p], lr=0.01).step(); p.data.round(6)
    array([0.9])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        **ways: Any,
    ) -> None:
        refuse_ways("RMSprop", {"capturable": capturable, "foreach": foreach, **ways})
        super().__init__(
            params,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
            maximize=maximize,
        )

    def check_options(self, options: Mapping[str, Any]) -> None:
        for name in ("alpha", "eps", "momentum"):
            require_number("RMSprop", name, options[name])

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        grad = descended(parameter, grad, group)
        counted(state)
        alpha, momentum = group["alpha"], group["momentum"]
        square = running(state, "square_avg", grad)
        square *= alpha
        square += (1 - alpha) * (grad * grad)
        if group["centered"]:
            mean = running(state, "grad_avg", grad)
            mean += (1 - alpha) * (grad - mean)
            square = square - mean * mean
        root = np.sqrt(square)
        root += group["eps"]
        move = grad / root
        if momentum > 0:
            velocity = running(state, "momentum_buffer", grad)
            velocity *= momentum
            velocity += move
            move = velocity
        parameter.data -= group["lr"] * move


class Adadelta(Rule):
    """Adadelta: v ← ρ v + (1 − ρ) g², Δ = g √(u + ε) / √(v + ε), p ← p − lr Δ, u ← ρ u + (1 − ρ) Δ².

    g is the gradient of the parameter p, v and u the running means of g² and Δ².
    The steps have the parameter's unit, so the rate can stay 1.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        Learning rate, ≥ 0.
    rho : float
        ρ in [0, 1]: the decay of v and u.
    eps : float
        ε ≥ 0.
    weight_decay : float
        λ ≥ 0: g ← g + λ p before anything else (an L2 penalty).
    foreach : None
        PyTorch's, which stands in this place there: refused unless None or False.
    maximize : bool
        Climb instead of descending.
    **ways : None or False
        PyTorch's options `foreach`, `fused`, `capturable` and `differentiable`, so that a call written for PyTorch
        runs here too. None and False are accepted and change nothing; any other value is refused.

    Raises
    ------
    ValueError, TypeError
        For an option out of its range or unknown. Nothing is changed.

    References
    ----------
    Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012, algorithm 1.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.optim.Adadelta([p], rho=0.0, eps=0.25).step(); p.data.round(4)
    array([0.6464])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        **ways: Any,
    ) -> None:
        refuse_ways("Adadelta", {"foreach": foreach, **ways})
        super().__init__(params, lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize)

    def check_options(self, options: Mapping[str, Any]) -> None:
        require_number("Adadelta", "eps", options["eps"])
        require_number("Adadelta", "rho", options["rho"])
        if options["rho"] > 1:
            raise ValueError(f"Adadelta: expected rho to be a number in [0, 1], got {options['rho']!r}.")

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        grad = descended(parameter, grad, group)
        if not state:
            state |= {"step": 0, "square_avg": np.zeros_like(grad), "acc_delta": np.zeros_like(grad)}
        counted(state)
        rho, eps, square, moved = group["rho"], group["eps"], state["square_avg"], state["acc_delta"]
        square *= rho
        square += (1 - rho) * (grad * grad)
        move = np.sqrt(moved + eps) / np.sqrt(square + eps) * grad
        moved *= rho
        moved += (1 - rho) * (move * move)
        parameter.data -= group["lr"] * move
