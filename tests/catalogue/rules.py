"""The rules. LBFGS needs a closure, and has tests of its own."""

from collections.abc import Callable
from typing import Any

from naive import rules as naive

from catalogue.rows import rule_row
from maillon import optim
from maillon.optim import Rule

SGD_OPTIONS: list[dict[str, Any]] = [
    {},
    {"lr": 0.1},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
    {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    {"lr": 0.1, "weight_decay": 0.2},
    {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.2, "maximize": True},
    {"lr": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.01, "maximize": True},
    {"lr": 0.0, "momentum": 0.5},
]
ADAM_OPTIONS: list[dict[str, Any]] = [
    {},
    {"lr": 0.1},
    {"lr": 0.1, "betas": (0.5, 0.9)},
    {"lr": 0.1, "betas": (0.0, 0.0), "eps": 0.5},
    {"lr": 0.1, "eps": 0.1},
    {"lr": 0.1, "weight_decay": 0.2},
    {"lr": 0.1, "amsgrad": True},
    {"lr": 0.1, "amsgrad": True, "betas": (0.5, 0.6), "weight_decay": 0.1, "maximize": True},
]

CLIMB = {"weight_decay": 0.1, "maximize": True}
DECOUPLED = {"weight_decay": 0.1, "decoupled_weight_decay": True}

OPTIONS: list[tuple[type[Rule], Callable[..., float], list[dict[str, Any]]]] = [
    (
        optim.AdamW,
        naive.adam_w,
        [{}, {"lr": 0.1, "amsgrad": True}, {"lr": 0.1, "betas": (0.5, 0.6), **CLIMB}, {"lr": 0.1, "eps": 0.1}],
    ),
    (
        optim.NAdam,
        naive.nadam,
        [{}, {"lr": 0.1, "momentum_decay": 0.5}, {"lr": 0.1, "betas": (0.5, 0.6), **CLIMB}, {"lr": 0.1, **DECOUPLED}],
    ),
    (
        optim.RAdam,
        naive.radam,
        [{}, {"lr": 0.1, "betas": (0.5, 0.9)}, {"lr": 0.1, "betas": (0.5, 0.99), **CLIMB}, {"lr": 0.1, **DECOUPLED}],
    ),
    (optim.Adamax, naive.adamax, [{}, {"lr": 0.1, "betas": (0.5, 0.6), "eps": 0.1}, {"lr": 0.1, **CLIMB}]),
    (
        optim.Adagrad,
        naive.adagrad,
        [{}, {"lr": 0.1, "lr_decay": 0.3}, {"lr": 0.1, "initial_accumulator_value": 0.4, "eps": 0.1}, CLIMB],
    ),
    (optim.Adadelta, naive.adadelta, [{}, {"lr": 0.3, "rho": 0.5}, {"eps": 0.1, **CLIMB}]),
    (
        optim.RMSprop,
        naive.rmsprop,
        [
            {},
            {"lr": 0.1, "alpha": 0.5, "momentum": 0.9},
            {"lr": 0.1, "alpha": 0.9, "centered": True, "eps": 0.1},
            {"lr": 0.1, "momentum": 0.5, "centered": True, "eps": 0.1, **CLIMB},
        ],
    ),
    (
        optim.Rprop,
        naive.rprop,
        [{}, {"lr": 0.1, "etas": (0.3, 1.5)}, {"lr": 0.1, "step_sizes": (0.05, 0.2), "maximize": True}],
    ),
    (optim.ASGD, naive.asgd, [{}, {"lr": 0.1, "lambd": 0.5, "alpha": 0.5}, {"lr": 0.1, "t0": 3, **CLIMB}]),
    (optim.Lion, naive.lion, [{}, {"lr": 0.1, "betas": (0.5, 0.6)}, {"lr": 0.1, **CLIMB}]),
]

RULES = [
    *(rule_row(optim.SGD, options, naive.sgd) for options in SGD_OPTIONS),
    *(rule_row(optim.Adam, options, naive.adam) for options in ADAM_OPTIONS),
    *(
        rule_row(rule, options, formula, in_torch=rule is not optim.Lion)
        for rule, formula, listed in OPTIONS
        for options in listed
    ),
]
