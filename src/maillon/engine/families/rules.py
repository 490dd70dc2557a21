"""The rules: one operation moves one parameter. What all parameters of a group share is worked out once a step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maillon.engine.table import Kind, declare
from maillon.nn import get_default_dtype
from maillon.optim import (
    ASGD,
    LBFGS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
    Rule,
)

Group = dict[str, Any]


def _moves(name: str, about: str, kept: tuple[str, ...], options: int, rates: int = 0, **more: Any) -> Kind:
    """A rule's row: the parameter, its gradient, what the rule keeps of it, the options and the numbers of the step."""
    operands = ["parameter: rw n", "grad: r n", *(f"{array}: rw n" for array in kept)]
    operands += [f"options: r float64 {options}", *([f"rates: r float64 {rates}"] * (rates > 0))]
    operands += more.pop("operands", ())
    sizes = ("n", "maximize<2", *more.pop("sizes", ()))
    return Kind(name, about, operands, sizes, work="10 * n", in_parts=True, **more)


def _rates(name: str, about: str, options: int, rates: int, *operands: str, sizes: tuple[str, ...] = ()) -> Kind:
    """The row of what depends on options and the number of steps alone."""
    given = (f"options: r float64 {options}", "count: r int64 1", *operands, f"rates: w float64 {rates}")
    return Kind(name, about, given, sizes, alone=True)


OPERATIONS = declare(
    Kind("count_step", "steps + 1", ("steps: rw int64 1",), (), alone=True),
    _moves(
        "sgd",
        "gradient descent; options: lr, momentum, dampening, weight decay",
        ("velocity?",),
        4,
        operands=("count?: r int64 1",),
        sizes=("nesterov<2",),
        must=("not velocity or count",),
        flops="2 * n",
    ),
    _rates("asgd_rates", "η and μ of this step, and those of the next", 6, 2, "next: rw float64 2"),
    _moves(
        "asgd",
        "averaged gradient descent; options: lr, λ, α, t0, weight decay, whether numbers are of 64 bits; rates: η, μ",
        ("average",),
        6,
        2,
        flops="9 * n",
    ),
    _moves("rprop", "resilient propagation; options: η⁻, η⁺, least, most", ("previous", "step_size"), 4, flops="8 * n"),
    _moves("lion", "Lion; options: lr, β₁, β₂, weight decay", ("mean",), 4, flops="9 * n"),
    _rates("adam_rates", "lr / (1 - β₁ᵗ) and 1 / √(1 - β₂ᵗ)", 5, 2),
    _moves(
        "adam",
        "Adam; options: lr, β₁, β₂, ε, weight decay",
        ("mean", "square", "largest?"),
        5,
        2,
        sizes=("decoupled<2",),
        flops="12 * n",
    ),
    _rates(
        "nadam_rates",
        "the factors of g and m, and 1 / (1 - β₂ᵗ); product: of the μ, of 64 bits or 32",
        6,
        3,
        "product: rw float64 1",
        sizes=("wide<2",),
    ),
    _moves(
        "nadam",
        "NAdam; options: lr, β₁, β₂, ε, weight decay, momentum decay",
        ("mean", "square"),
        6,
        3,
        sizes=("decoupled<2",),
        flops="14 * n",
    ),
    _rates("radam_rates", "lr / (1 - β₁ᵗ) and r √(1 - β₂ᵗ), 0 while ρ ≤ 5", 5, 2),
    _moves(
        "radam",
        "RAdam; options: lr, β₁, β₂, ε, weight decay",
        ("mean", "square"),
        5,
        2,
        sizes=("decoupled<2",),
        flops="12 * n",
    ),
    _rates("adamax_rates", "lr / (1 - β₁ᵗ)", 5, 1),
    _moves("adamax", "Adamax; options: lr, β₁, β₂, ε, weight decay", ("mean", "largest"), 5, 1, flops="9 * n"),
    _rates("adagrad_rates", "lr / (1 + (t - 1) η)", 4, 1),
    _moves("adagrad", "Adagrad; options: lr, η, weight decay, ε", ("sum",), 4, 1, flops="7 * n"),
    _moves(
        "rmsprop",
        "RMSprop; options: lr, α, ε, weight decay, momentum",
        ("square", "mean?", "velocity?"),
        5,
        flops="14 * n",
    ),
    _moves("adadelta", "Adadelta; options: lr, ρ, ε, weight decay", ("square", "moved"), 4, flops="14 * n"),
)


def _always(_group: Group) -> bool:
    return True


def _nothing(_rule: Rule, _group: Group) -> dict[str, float]:
    return {}


@dataclass(frozen=True)
class Known:
    """How a rule becomes operations.

    Parameters
    ----------
    kind : str
        The operation that moves a parameter; "" where the rule does that itself, in NumPy.
    options : callable
        From a group to the numbers that the operation reads, in its order.
    keeps : dict of str to str
        The arrays it is given, by their operand, with their key in the rule's state.
    together : tuple of str
        The keys that the rule's first step makes together: without them its steps count from 1.
    only_with : dict of str to callable
        The arrays that a group may do without.
    flags : dict of str to str
        The sizes that are a group's options.
    begins : callable
        From the rule and a group to what arrays are full of before the first step, by their operand; zeros otherwise.
    rates : int
        How many numbers its `…_rates` works out; 0: there is none.
    numbers : tuple of str
        What the rule's state keeps beside arrays and the number of steps.
    first_numbers : callable
        From a group to these, before the first step.
    counted : bool
        The state keeps the number of steps.
    """

    kind: str
    options: Callable[[Group], list[Any]]
    keeps: Mapping[str, str]
    together: tuple[str, ...] = ()
    only_with: Mapping[str, Callable[[Group], Any]] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=lambda: {"maximize": "maximize"})
    begins: Callable[[Any, Group], dict[str, float]] = _nothing
    rates: int = 0
    numbers: tuple[str, ...] = ()
    first_numbers: Callable[[Group], list[Any]] = lambda _group: []
    counted: bool = True


_MOMENTS = {"mean": "exp_avg", "square": "exp_avg_sq"}
_DECOUPLED = {"maximize": "maximize", "decoupled": "decoupled_weight_decay"}


def _adam_options(group: Group) -> list[Any]:
    return [group["lr"], *group["betas"], group["eps"], group["weight_decay"]]


def _adam(kind: str, **more: Any) -> Known:
    defaults: dict[str, Any] = {
        "options": _adam_options,
        "keeps": _MOMENTS,
        "together": tuple(_MOMENTS.values()),
        "flags": _DECOUPLED,
        "rates": 2,
    }
    return Known(kind, **(defaults | more))


RULES: dict[type[Rule], Known] = {
    SGD: Known(
        "sgd",
        lambda group: [group["lr"], group["momentum"], group["dampening"], group["weight_decay"]],
        {"velocity": "momentum_buffer"},
        together=("momentum_buffer",),
        only_with={"velocity": lambda group: group["momentum"]},
        flags={"nesterov": "nesterov", "maximize": "maximize"},
        counted=False,
    ),
    Adam: _adam(
        "adam",
        keeps={**_MOMENTS, "largest": "max_exp_avg_sq"},
        only_with={"largest": lambda group: group["amsgrad"]},
    ),
    NAdam: _adam(
        "nadam",
        options=lambda group: [*_adam_options(group), group["momentum_decay"]],
        rates=3,
        numbers=("mu_product",),
        first_numbers=lambda _group: [get_default_dtype().type(1)],
    ),
    RAdam: _adam("radam"),
    Adamax: _adam(
        "adamax",
        keeps={"mean": "exp_avg", "largest": "exp_inf"},
        together=("exp_avg", "exp_inf"),
        flags={"maximize": "maximize"},
        rates=1,
    ),
    Adagrad: Known(
        "adagrad",
        lambda group: [group["lr"], group["lr_decay"], group["weight_decay"], group["eps"]],
        {"sum": "sum"},
        together=("sum",),
        begins=lambda rule, _group: {"sum": rule.defaults["initial_accumulator_value"]},
        rates=1,
    ),
    RMSprop: Known(
        "rmsprop",
        lambda group: [group["lr"], group["alpha"], group["eps"], group["weight_decay"], group["momentum"]],
        {"square": "square_avg", "mean": "grad_avg", "velocity": "momentum_buffer"},
        only_with={"mean": lambda group: group["centered"], "velocity": lambda group: group["momentum"] > 0},
    ),
    Adadelta: Known(
        "adadelta",
        lambda group: [group["lr"], group["rho"], group["eps"], group["weight_decay"]],
        {"square": "square_avg", "moved": "acc_delta"},
        together=("square_avg", "acc_delta"),
    ),
    Rprop: Known(
        "rprop",
        lambda group: [*group["etas"], *group["step_sizes"]],
        {"previous": "prev", "step_size": "step_size"},
        together=("prev", "step_size"),
        begins=lambda _rule, group: {"step_size": group["lr"]},
    ),
    ASGD: Known(
        "asgd",
        lambda group: [
            *(group[name] for name in ("lr", "lambd", "alpha", "t0", "weight_decay")),
            float(get_default_dtype() == np.float64),
        ],
        {"average": "ax"},
        together=("ax",),
        rates=2,
        numbers=("eta", "mu"),
        first_numbers=lambda group: [float(get_default_dtype().type(group["lr"])), 1.0],
    ),
    Lion: Known(
        "lion",
        lambda group: [group["lr"], *group["betas"], group["weight_decay"]],
        {"mean": "exp_avg"},
        counted=False,
    ),
}
RULES[AdamW] = RULES[Adam]
RULES[LBFGS] = Known("", lambda _group: [], {}, flags={}, counted=False)
