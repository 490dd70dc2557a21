"""The neighbours, one file each: the core knows none of them, and what one needs is imported when it is used."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__)
