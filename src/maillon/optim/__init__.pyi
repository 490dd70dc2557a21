"""The public names, each once, with its file."""

from maillon.optim import lr_scheduler as lr_scheduler
from maillon.optim.learner import NonFiniteLossError as NonFiniteLossError, Optim as Optim
from maillon.optim.lr_scheduler import (
    ChainedScheduler as ChainedScheduler,
    ConstantLR as ConstantLR,
    CosineAnnealingLR as CosineAnnealingLR,
    CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts,
    CyclicLR as CyclicLR,
    ExponentialLR as ExponentialLR,
    LambdaLR as LambdaLR,
    LinearLR as LinearLR,
    LRScheduler as LRScheduler,
    MultiplicativeLR as MultiplicativeLR,
    MultiStepLR as MultiStepLR,
    OneCycleLR as OneCycleLR,
    PolynomialLR as PolynomialLR,
    ReduceLROnPlateau as ReduceLROnPlateau,
    SequentialLR as SequentialLR,
    StepLR as StepLR,
)
from maillon.optim.rule import Rule as Rule
from maillon.optim.rules.adagrad import Adadelta as Adadelta, Adagrad as Adagrad, RMSprop as RMSprop
from maillon.optim.rules.adam import Adam as Adam, Adamax as Adamax, AdamW as AdamW, NAdam as NAdam, RAdam as RAdam
from maillon.optim.rules.descent import ASGD as ASGD, SGD as SGD, Lion as Lion, Rprop as Rprop
from maillon.optim.rules.lbfgs import LBFGS as LBFGS
