"""Classes in the manner of a course's handout: right ones in many styles, wrong ones with the words that are owed."""

from answers import activations, linear, losses, networks, styles
from answers.table import MUTANTS, RIGHT, Mutant, Right

FILES = [linear, activations, losses, networks, styles]
"""Each enters its classes into the tables as it is imported."""

__all__ = ["FILES", "MUTANTS", "RIGHT", "Mutant", "Right"]
