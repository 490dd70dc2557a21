"""Rules, schedules and the learning step."""

from maillon.optim import lr_scheduler
from maillon.optim.adagrad import Adadelta, Adagrad, RMSprop
from maillon.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from maillon.optim.lbfgs import LBFGS
from maillon.optim.learner import NonFiniteLossError, Optim
from maillon.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
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
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "Lion",
    "MultiStepLR",
    "MultiplicativeLR",
    "NAdam",
    "NonFiniteLossError",
    "OneCycleLR",
    "Optim",
    "PolynomialLR",
    "RAdam",
    "RMSprop",
    "ReduceLROnPlateau",
    "Rprop",
    "Rule",
    "SequentialLR",
    "StepLR",
    "lr_scheduler",
]
