"""The neighbours, each once."""

from maillon.interop import c as c
