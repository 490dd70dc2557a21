"""Keeping what was trained: one safe file that rebuilds a network, an Optim, or a training under way."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__)
