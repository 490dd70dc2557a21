"""The public names, each once, with its file."""

from maillon.sklearn.autoencoder import Autoencoder as Autoencoder
from maillon.sklearn.perceptrons import MLPClassifier as MLPClassifier, MLPRegressor as MLPRegressor
