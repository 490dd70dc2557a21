"""The neighbours, each once."""

from maillon.interop import keras as keras, pytorch as pytorch, sklearn as sklearn
