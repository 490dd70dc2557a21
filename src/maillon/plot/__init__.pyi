"""The public names, each once, with its file."""

from maillon.plot.classification import confusion_matrix as confusion_matrix, decision_regions as decision_regions
from maillon.plot.find_lr import find_lr as find_lr
from maillon.plot.history import history as history
from maillon.plot.images import image_grid as image_grid, image_rows as image_rows, probability_bars as probability_bars
from maillon.plot.latent import latent_scatter as latent_scatter
from maillon.plot.network import network as network, network_size as network_size
from maillon.plot.regression import regression as regression
from maillon.plot.style import COLOURS as COLOURS, STYLE as STYLE, use as use
from maillon.plot.sweep import sweep as sweep, sweep_curves as sweep_curves, sweep_parallel as sweep_parallel
