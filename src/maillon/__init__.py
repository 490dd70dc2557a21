"""maillon: neural networks one link at a time, with every derivative in the open.

The public names stand, once, in `__init__.pyi`; what learning does without opens when it is first asked for.
"""

from maillon import engine as engine, nn as nn, optim as optim, random as random, train as train
from maillon.public import attach
from maillon.version import __version__ as __version__

__getattr__, __dir__, __all__ = attach(__name__)
