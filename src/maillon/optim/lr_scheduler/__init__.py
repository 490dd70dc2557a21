"""Schedules: how the rates change from epoch to epoch, or from step to step."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__, now=True)
