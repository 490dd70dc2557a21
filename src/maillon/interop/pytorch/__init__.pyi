"""The public names, each once, with its file."""

from maillon.interop.pytorch.reading import from_torch as from_torch
from maillon.interop.pytorch.writing import to_torch as to_torch
