"""The neighbours, each once."""

from maillon.interop import pytorch as pytorch, sklearn as sklearn
