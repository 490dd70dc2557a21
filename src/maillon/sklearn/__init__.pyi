"""The public names, each once, with its file."""

from maillon.sklearn.autoencoder import Autoencoder as Autoencoder
from maillon.sklearn.perceptrons import MLPClassifier as MLPClassifier, MLPRegressor as MLPRegressor
from maillon.sklearn.tabular import TabularClassifier as TabularClassifier, TabularRegressor as TabularRegressor
