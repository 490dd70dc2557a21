"""Rules, schedules and the learning step."""

from maillon.optim.learner import NonFiniteLossError, Optim
from maillon.optim.lr_scheduler import LambdaLR
from maillon.optim.rules import SGD, Adam, Rule

__all__ = ["SGD", "Adam", "LambdaLR", "NonFiniteLossError", "Optim", "Rule"]
