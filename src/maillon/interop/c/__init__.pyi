"""The public names, each once, with its file."""

from maillon.interop.c.export import Header as Header, to_c as to_c
