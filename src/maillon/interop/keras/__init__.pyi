"""The public names, each once, with its file."""

from maillon.interop.keras.reading import from_keras as from_keras
