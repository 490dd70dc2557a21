"""The public names, each once, with its file."""

from maillon.sweeping.planners import Halving as Halving
from maillon.sweeping.result import Sweep as Sweep, Trial as Trial
from maillon.sweeping.sweep import sweep as sweep
