"""Figures of networks, trainings and data; every function draws on `ax` and returns it.

matplotlib is imported when something is drawn, not before.
"""

from maillon.plot.classification import confusion_matrix, decision_regions
from maillon.plot.history import history
from maillon.plot.images import image_grid, image_rows, probability_bars
from maillon.plot.latent import latent_scatter
from maillon.plot.network import network, network_size
from maillon.plot.regression import regression
from maillon.plot.style import COLOURS, STYLE, use

__all__ = [
    "COLOURS",
    "STYLE",
    "confusion_matrix",
    "decision_regions",
    "history",
    "image_grid",
    "image_rows",
    "latent_scatter",
    "network",
    "network_size",
    "probability_bars",
    "regression",
    "use",
]
