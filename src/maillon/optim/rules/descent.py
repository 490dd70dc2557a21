"""Rules that move along the gradient itself: SGD and its average. Rprop and Lion take its signs alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from maillon.nn import Module, Parameter, get_default_dtype
from maillon.nn.support.arguments import number
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


class SGD(Rule):
    """Stochastic gradient descent: p ← p − lr · g.

    g is the gradient of the parameter p.
    With a momentum μ > 0 it is v ← μ v + (1 − dampening) g, p ← p − lr · v. The first v is g itself.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        Learning rate, ≥ 0.
    momentum : float
        μ ≥ 0: how much of the last move is kept.
    dampening : float
        How much of the new gradient is left out of v.
    weight_decay : float
        λ ≥ 0: g ← g + λ p before anything else (an L2 penalty).
    nesterov : bool
        Move by g + μ v instead of v. Needs a momentum and no dampening.
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
    Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum in deep learning", 2013. The
    form is PyTorch's.

    Examples
    --------
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
        **ways: Any,
    ) -> None:
        refuse_ways("SGD", ways)
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
        number("SGD", "dampening", options["dampening"])
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ValueError("SGD: nesterov=True needs momentum > 0 and dampening = 0.")

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        grad = descended(parameter, grad, group)
        if momentum := group["momentum"]:
            velocity = state.get("momentum_buffer")
            if velocity is None:
                state["momentum_buffer"] = velocity = np.array(grad)  # an array, even of a number
            else:
                velocity *= momentum
                velocity += (1 - group["dampening"]) * grad
            grad = grad + momentum * velocity if group["nesterov"] else velocity
        parameter.data -= group["lr"] * grad


class ASGD(Rule):
    """Averaged SGD: p ← (1 − λ η) p − η g, with an average of p beside it.

    g is the gradient of the parameter p, λ is `lambd`, t counts the steps.
    η = lr / (1 + λ lr t)^α, and the average is ax ← ax + μ (p − ax) with μ = 1 / max(1, t − t0): until t0 it is
    p itself.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        Learning rate, ≥ 0.
    lambd : float
        λ ≥ 0: the decay term.
    alpha : float
        α: the power with which η falls.
    t0 : float
        The step at which averaging begins.
    weight_decay : float
        Decay ≥ 0: g ← g + weight_decay · p first.
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
    The average is ``rule.state[p]["ax"]``. η and μ are numbers of the default dtype, as in PyTorch.

    References
    ----------
    Polyak, Juditsky, "Acceleration of stochastic approximation by averaging", 1992.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.optim.ASGD([p], lr=0.5, lambd=0.0).step(); p.data
    array([0.75])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        **ways: Any,
    ) -> None:
        refuse_ways("ASGD", {"foreach": foreach, **ways})
        super().__init__(params, lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, maximize=maximize)

    def check_options(self, options: Mapping[str, Any]) -> None:
        for name in ("lambd", "alpha", "t0"):
            require_number("ASGD", name, options[name])

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        number = get_default_dtype().type
        if not state:
            state |= {"step": 0, "eta": float(number(group["lr"])), "mu": 1.0, "ax": np.zeros_like(grad)}
        step, eta, mu, average = counted(state), state["eta"], state["mu"], state["ax"]
        grad = descended(parameter, grad, group)
        parameter.data *= 1 - group["lambd"] * eta
        parameter.data -= eta * grad
        if mu == 1:
            average[...] = parameter.data
        else:
            average += mu * (parameter.data - average)
        lr, decay = group["lr"], group["lambd"]
        state["eta"] = float(number(lr / (1 + decay * lr * step) ** group["alpha"]))
        state["mu"] = float(number(1 / max(1, step - group["t0"])))


class Rprop(Rule):
    """Resilient propagation: p ← p − Δ · sign g, with a step size Δ for each entry.

    g is the gradient of the parameter p.
    Where g keeps its sign, Δ grows by η⁺. Where g changes its sign, Δ shrinks by η⁻ and the entry does not move in this
    step. Δ begins at lr.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        The first step size, ≥ 0.
    etas : tuple of two float
        (η⁻, η⁺), with 0 < η⁻ < 1 < η⁺.
    step_sizes : tuple of two float
        The smallest and the largest Δ.
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
    Use it with the whole data set as one batch: between mini-batches signs change by chance.

    References
    ----------
    Riedmiller, Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm", 1993.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.optim.Rprop([p], lr=0.25).step(); p.data
    array([0.75])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        maximize: bool = False,
        **ways: Any,
    ) -> None:
        refuse_ways("Rprop", ways)
        super().__init__(params, lr=lr, etas=etas, step_sizes=step_sizes, maximize=maximize)

    def check_options(self, options: Mapping[str, Any]) -> None:
        for name in ("etas", "step_sizes"):
            pair = options[name]
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise ValueError(f"Rprop: expected {name} to be two numbers, got {pair!r}.")
            for place, value in enumerate(pair):
                number("Rprop", f"{name}[{place}]", value, 0)
        shrink, grow = options["etas"]
        if not 0 < shrink < 1 < grow:
            raise ValueError(f"Rprop: expected etas to be (η⁻, η⁺) with 0 < η⁻ < 1 < η⁺, got {options['etas']!r}.")

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        grad = -grad if group["maximize"] else grad
        if not state:
            state |= {"step": 0, "prev": np.zeros_like(grad), "step_size": np.full_like(grad, group["lr"])}
        counted(state)
        (shrink, grow), size = group["etas"], state["step_size"]
        agreement = grad * state["prev"]
        size *= np.where(agreement > 0, grow, np.where(agreement < 0, shrink, 1)).astype(size.dtype)
        np.clip(size, *group["step_sizes"], out=size)
        grad = np.where(agreement < 0, 0, grad).astype(grad.dtype)
        parameter.data -= np.sign(grad) * size
        state["prev"] = grad


class Lion(Rule):
    """Lion: p ← p − lr (sign(β₁ m + (1 − β₁) g) + λ p), then m ← β₂ m + (1 − β₂) g.

    g is the gradient of the parameter p, m a running mean of it.
    Every entry moves by lr. Choose a rate 3 to 10 times smaller than Adam's, and a weight decay as many times larger.

    Parameters
    ----------
    params : iterable of Parameter or of dict, optional
        The parameters, or groups of them, ``{"params": …, "lr": …}``, whose options override the rule's. None
        makes a recipe, which `Optim`, `fit` or `bind` binds later.
    lr : float
        Learning rate, ≥ 0.
    betas : tuple of two float
        (β₁, β₂), each in [0, 1).
    weight_decay : float
        λ ≥ 0, decoupled from the gradient.
    maximize : bool
        Climb instead of descending.

    Raises
    ------
    ValueError, TypeError
        For an option out of its range or unknown. Nothing is changed.

    Notes
    -----
    PyTorch does not have this rule.

    References
    ----------
    Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, algorithm 2.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.array([1.0]), grad=np.array([0.5]))
    >>> maillon.optim.Lion([p], lr=0.1).step(); p.data
    array([0.9])
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, weight_decay=weight_decay, maximize=maximize)

    def check_options(self, options: Mapping[str, Any]) -> None:
        require_betas("Lion", options["betas"])

    def update(self, parameter: Parameter, grad: Array, group: Group, state: dict[str, Any]) -> None:
        grad = -grad if group["maximize"] else grad
        mean = running(state, "exp_avg", grad)
        beta1, beta2 = group["betas"]
        step = np.sign(beta1 * mean + (1 - beta1) * grad)
        if decay := group["weight_decay"]:
            step = step + decay * parameter.data
        parameter.data -= group["lr"] * step
        mean *= beta2
        mean += (1 - beta2) * grad
