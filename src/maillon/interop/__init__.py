"""The neighbours: one file each, which opens when it is asked for and imports its package where it is needed."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__)
