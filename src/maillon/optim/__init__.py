"""Rules, schedules and the learning step."""

from maillon.optim.adagrad import Adadelta, Adagrad, RMSprop
from maillon.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from maillon.optim.lbfgs import LBFGS
from maillon.optim.learner import NonFiniteLossError, Optim
from maillon.optim.lr_scheduler import LambdaLR
from maillon.optim.rule import Rule
from maillon.optim.rules import ASGD, SGD, Lion, Rprop

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "LambdaLR",
    "Lion",
    "NAdam",
    "NonFiniteLossError",
    "Optim",
    "RAdam",
    "RMSprop",
    "Rprop",
    "Rule",
]
