"""A network as one C99 header: weights and a function, for a controller or a simulation."""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__)
