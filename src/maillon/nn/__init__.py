"""The links: modules with an explicit forward and backward.

Each family is a package of this one, and its files open when one of their names is first asked for: the names stand,
once, in `__init__.pyi`.
"""

from maillon.public import attach

__getattr__, __dir__, __all__ = attach(__name__)
