"""SGD and Adam."""

from typing import Any

import naive

import maillon
from catalogue.rows import rule_row

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

RULES = [rule_row(maillon.SGD, options, naive.sgd) for options in SGD_OPTIONS]
RULES += [rule_row(maillon.Adam, options, naive.adam) for options in ADAM_OPTIONS]
