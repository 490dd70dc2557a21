"""The public names, each once, with its file."""

from maillon.optim.lr_scheduler.base import LRScheduler as LRScheduler
from maillon.optim.lr_scheduler.factors import (
    ConstantLR as ConstantLR,
    ExponentialLR as ExponentialLR,
    LambdaLR as LambdaLR,
    LinearLR as LinearLR,
    MultiplicativeLR as MultiplicativeLR,
    MultiStepLR as MultiStepLR,
    PolynomialLR as PolynomialLR,
    StepLR as StepLR,
)
from maillon.optim.lr_scheduler.plateau import ReduceLROnPlateau as ReduceLROnPlateau
from maillon.optim.lr_scheduler.several import ChainedScheduler as ChainedScheduler, SequentialLR as SequentialLR
from maillon.optim.lr_scheduler.waves import (
    CosineAnnealingLR as CosineAnnealingLR,
    CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts,
    CyclicLR as CyclicLR,
    OneCycleLR as OneCycleLR,
)
