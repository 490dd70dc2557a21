"""Adam and its kin: rules that divide a running mean of the gradient by a running size of it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from maillon.nn import Parameter, get_default_dtype
from maillon.nn.support.arguments import flag
from maillon.optim.rule import (
    Group,
    Rule,
    counted,
    descended,
    refuse_ways,
    require_betas,
    require_number,
    running,
)
from maillon.typing import Array


class _Adaptive(Rule):
    """What the family shares: β₁, β₂, ε, and a weight decay of the gradient or, decoupled, of the parameter."""

    def check_options(self, options: Mapping[str, Any]) -> None:
        name = type(self).__name__
        require_betas(name, options["betas"])
        require_number(name, "eps", options["eps"])

    @staticmethod
    def _decayed(parameter: Parameter, grad: Array, group: Group, decoupled: bool) -> Array:
        """The gradient to descend, after p ← (1 − lr λ) p where the decay is decoupled."""
        if not decoupled:
            return descended(parameter, grad, group)
        parameter.data *= 1 - group["lr"] * group["weight_decay"]
        return -grad if group["maximize"] else grad

    @staticmethod
    def _moments(grad: Array, group: Group, state: dict[str, Any]) -> tuple[int, Array, Array]:
        """This step's number t, m ← β₁ m + (1 − β₁) g and v ← β₂ v + (1 − β₂) g²."""
        if "exp_avg" not in state:
            state |= {"step": 0, "exp_avg": np.zeros_like(grad), "exp_avg_sq": np.zeros_like(grad)}
        beta1, beta2 = group["betas"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean *= beta1
        mean += (1 - beta1) * grad
        square *= beta2
        square += (1 - beta2) * (grad * grad)
        return counted(state), mean, square


class Adam(_Adaptive):
    """Adam: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², p ← p − lr · m̂ / (√v̂ + ε).

    g is the gradient of the parameter p, m and v the running means of g and g², zero at the beginning:
    m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) make up for that. t counts the steps from 1.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        Learning rate, ≥ 0.
    betas : tuple of two float
        (β₁, β₂), each in [0, 1): the decay of m and of v.
    eps : float
        ε ≥ 0, which keeps the denominator away from zero.
    weight_decay : float
        λ ≥ 0: g ← g + λ p first; with `decoupled_weight_decay` p ← (1 − lr λ) p instead.
    amsgrad : bool
        Divide by the largest v so far instead of the present one.
    maximize : bool
        Climb instead of descending.
    decoupled_weight_decay : bool
        Apply the weight decay to the parameters, not to the gradient, as AdamW does.
    **ways : None or False
        PyTorch's options `foreach`, `fused`, `capturable` and `differentiable`, so that a call written for PyTorch
        runs here too. None and False are accepted and change nothing; any other value is refused.

    Raises
    ------
    ValueError, TypeError
        For an option out of its range or unknown. Nothing is changed.

    References
    ----------
    Kingma, Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1. Reddi, Kale, Kumar, "On the Convergence
    of Adam and Beyond", 2018, for amsgrad. The form is PyTorch's.

    Examples
    --------
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
        decoupled_weight_decay: bool = False,
        **ways: Any,
    ) -> None:
        refuse_ways(type(self).__name__, ways)
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
            decoupled_weight_decay=decoupled_weight_decay,
        )

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        grad = self._decayed(parameter, grad, group, group["decoupled_weight_decay"])
        step, mean, square = self._moments(grad, group, state)
        if group["amsgrad"]:
            largest = running(state, "max_exp_avg_sq", grad)
            square = np.maximum(largest, square, out=largest)
        beta1, beta2 = group["betas"]
        root = np.sqrt(square)
        root /= math.sqrt(1 - beta2**step)
        root += group["eps"]
        parameter.data -= (group["lr"] / (1 - beta1**step)) * mean / root


class AdamW(Adam):
    """Adam with decoupled weight decay: p ← (1 − lr λ) p, then Adam's step on the plain gradient.

    p is a parameter, λ the weight decay. All weights shrink by the same factor, whatever the size of their gradients.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        Learning rate, ≥ 0.
    betas : tuple of two float
        (β₁, β₂), each in [0, 1): the decay of m and of v.
    eps : float
        ε ≥ 0, which keeps the denominator away from zero.
    weight_decay : float
        λ ≥ 0.
    amsgrad : bool
        Divide by the largest v so far instead of the present one.
    maximize : bool
        Climb instead of descending.
    decoupled_weight_decay : bool
        False gives Adam's own weight decay.
    **ways : None or False
        PyTorch's options `foreach`, `fused`, `capturable` and `differentiable`, so that a call written for PyTorch
        runs here too. None and False are accepted and change nothing; any other value is refused.

    Raises
    ------
    ValueError, TypeError
        For an option out of its range or unknown. Nothing is changed.

    References
    ----------
    Loshchilov, Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.optim.AdamW([p], lr=0.1, weight_decay=0.1).step(); p.data.round(6)
    array([0.89])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = True,
        **ways: Any,
    ) -> None:
        if not flag("AdamW", "decoupled_weight_decay", decoupled_weight_decay):
            raise ValueError("AdamW: expected decoupled_weight_decay=True, got False. That rule is Adam.")
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True, **ways
        )


class NAdam(_Adaptive):
    """Adam with Nesterov's momentum: p ← p − lr (c m + c' g) / d, d = √(v / (1 − β₂ᵗ)) + ε.

    μₜ = β₁ (1 − ½ · 0.96^(t ψ)), c = μₜ₊₁ / (1 − Π_{i ≤ t+1} μᵢ), c' = (1 − μₜ) / (1 − Π_{i ≤ t} μᵢ); m and v as
    Adam's, g the gradient of the parameter p, t the number of the step, from 1.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        Learning rate, ≥ 0.
    betas : tuple of two float
        (β₁, β₂), each in [0, 1): the decay of m and of v.
    eps : float
        ε ≥ 0, which keeps the denominator away from zero.
    weight_decay : float
        λ ≥ 0: g ← g + λ p first; with `decoupled_weight_decay` p ← (1 − lr λ) p instead.
    momentum_decay : float
        ψ ≥ 0: how fast μ grows to β₁.
    decoupled_weight_decay : bool
        Apply the weight decay to the parameters, not to the gradient, as AdamW does.
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
    The product of the μ is a number of the default dtype, as in PyTorch.

    References
    ----------
    Dozat, "Incorporating Nesterov Momentum into Adam", 2016.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.optim.NAdam([p], lr=0.1).step(); p.data.round(4)
    array([0.8944])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **ways: Any,
    ) -> None:
        refuse_ways("NAdam", ways)
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize,
        )

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """As any rule's; the product of the μ becomes a number of the parameter's dtype, as in PyTorch."""
        super().load_state_dict(state_dict)
        for parameter, own in self.state.items():
            if "mu_product" in own:
                own["mu_product"] = parameter.dtype.type(own["mu_product"])

    def check_options(self, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        require_number("NAdam", "momentum_decay", options["momentum_decay"])

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        grad = self._decayed(parameter, grad, group, group["decoupled_weight_decay"])
        step, mean, square = self._moments(grad, group, state)
        beta1, beta2 = group["betas"]
        here, next_one = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        before = state.get("mu_product", get_default_dtype().type(1))
        state["mu_product"] = before * type(before)(here)
        product = float(state["mu_product"])
        root = np.sqrt(square / (1 - beta2**step))
        root += group["eps"]
        parameter.data -= (group["lr"] * (1 - here) / (1 - product)) * grad / root
        parameter.data -= (group["lr"] * next_one / (1 - product * next_one)) * mean / root


class RAdam(_Adaptive):
    """Adam whose rate is reduced while v has seen few gradients: p ← p − lr m̂ r √(1 − β₂ᵗ) / (√v + ε).

    ρ∞ = 2 / (1 − β₂) − 1, ρ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ), r² = (ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ). While ρ ≤ 5
    the step is lr m̂ alone. m̂ = m / (1 − β₁ᵗ); m and v as Adam's, from the gradient of the parameter p; t counts
    the steps from 1.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        Learning rate, ≥ 0.
    betas : tuple of two float
        (β₁, β₂), each in [0, 1): the decay of m and of v.
    eps : float
        ε ≥ 0, which keeps the denominator away from zero.
    weight_decay : float
        λ ≥ 0: g ← g + λ p first; with `decoupled_weight_decay` p ← (1 − lr λ) p instead.
    decoupled_weight_decay : bool
        Apply the weight decay to the parameters, not to the gradient, as AdamW does.
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
    Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2020, algorithm 2.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.optim.RAdam([p], lr=0.1).step(); p.data.round(6)
    array([0.95])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
        **ways: Any,
    ) -> None:
        refuse_ways("RAdam", ways)
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            decoupled_weight_decay=decoupled_weight_decay,
            maximize=maximize,
        )

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        grad = self._decayed(parameter, grad, group, group["decoupled_weight_decay"])
        step, mean, square = self._moments(grad, group, state)
        beta1, beta2 = group["betas"]
        corrected = 1 - beta2**step
        move = (group["lr"] / (1 - beta1**step)) * mean
        most = 2 / (1 - beta2) - 1
        rho = most - 2 * step * beta2**step / corrected
        if rho > 5:
            rectified = (rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)
            move *= math.sqrt(rectified * corrected)
            move /= np.sqrt(square) + group["eps"]
        parameter.data -= move


class Adamax(_Adaptive):
    """Adam with the largest gradient as its scale: u ← max(β₂ u, |g| + ε), p ← p − lr / (1 − β₁ᵗ) · m / u.

    g is the gradient of the parameter p, m as Adam's; t counts the steps from 1.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        Learning rate, ≥ 0.
    betas : tuple of two float
        (β₁, β₂), each in [0, 1): the decay of m and of u.
    eps : float
        ε ≥ 0, which keeps the denominator away from zero.
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
    Kingma, Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 2.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.optim.Adamax([p], lr=0.1).step(); p.data.round(6)
    array([0.9])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        **ways: Any,
    ) -> None:
        refuse_ways("Adamax", {"foreach": foreach, **ways})
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize)

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        grad = descended(parameter, grad, group)
        if not state:
            state |= {"step": 0, "exp_avg": np.zeros_like(grad), "exp_inf": np.zeros_like(grad)}
        step, mean, largest = counted(state), state["exp_avg"], state["exp_inf"]
        beta1, beta2 = group["betas"]
        mean *= beta1
        mean += (1 - beta1) * grad
        largest *= beta2
        np.maximum(largest, np.abs(grad) + group["eps"], out=largest)
        parameter.data -= (group["lr"] / (1 - beta1**step)) * mean / largest
