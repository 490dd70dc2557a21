"""A transformer that learns to compress samples, and to make them again from that."""

from typing import Any, Self

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from maillon import train
from maillon.sklearn import checking, wording
from maillon.sklearn.fitting import Samples
from maillon.sklearn.inputs import dense, threads, weights_of
from maillon.sklearn.networks import before_layer
from maillon.sklearn.perceptron import Perceptron
from maillon.sklearn.scikit_callbacks import with_callbacks
from maillon.sklearn.tasks import Reconstruction, Task, regression
from maillon.typing import Array


@wording.worded(layers=wording.LAYERS, learning=wording.LEARNING, beyond=wording.BEYOND, attributes=wording.ATTRIBUTES)
class Autoencoder(Perceptron):
    """A network that gives back its input through a narrow layer: the code, which is what `transform` gives.

    The decoder is the encoder mirrored: ``hidden_layer_sizes=(64, 8)`` on 100 features makes a network of 100, 64, 8,
    64 and 100 units. A linear one, activation='identity', learns the plane of a PCA.

    Parameters
    ----------
    {layers}
    {learning}
    loss : str, type or Loss
        'squared_error', ½ (x̂ − x)²; 'log_loss', for features in [0, 1], with a Sigmoid at the end; or a loss of maillon
        or of your own.
    {beyond}

    Attributes
    ----------
    {attributes}

    Notes
    -----
    The last of `hidden_layer_sizes` is the code's, and a list of activations has one for each of them: the decoder
    takes them in the reverse order. A sparse X is made dense as a whole.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from maillon.sklearn import Autoencoder
    >>> X = load_digits().data / 16
    >>> model = Autoencoder((64, 16), learning_rate_init=0.003, tol=1e-4, random_state=0).fit(X)
    >>> code = model.transform(X)
    >>> code.shape, model.inverse_transform(code).shape, model.score(X) > 0.7
    ((1797, 16), (1797, 64), True)
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (32,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        loss: Any = "squared_error",
        dropout: float = 0.0,
        norm: str | None = None,
        residual: bool = False,
        schedule: Any = None,
        callbacks: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        checking.keep(self, locals())

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn to give back the samples.

        Parameters
        ----------
        X : array_like, sparse matrix or DataFrame of shape (n_samples, n_features)
            The samples.
        y : object, optional
            Not looked at: pipelines pass it.
        sample_weight : array_like of shape (n_samples,), optional
            Factors ≥ 0 on the samples' losses.

        Returns
        -------
        Autoencoder
            Itself.
        """
        return self._fit(X, None, sample_weight)

    def _read(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> Samples:
        self._require_loss("squared_error", "log_loss")
        X = dense(validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=reset))
        if self.loss == "log_loss" and (X.min() < 0 or X.max() > 1):
            raise ValueError(
                f"Autoencoder: expected features in [0, 1] with loss='log_loss', got {X.min():g} to {X.max():g}. Put "
                "a MinMaxScaler before it."
            )
        return Samples(X, X, weights_of(sample_weight, None, X, X))

    def _hidden_sizes(self) -> list[int]:
        sizes = super()._hidden_sizes()
        if not sizes:
            raise ValueError("Autoencoder: expected hidden_layer_sizes of one layer at least, the code's, got none.")
        return [*sizes, *sizes[-2::-1]]

    def _activations(self) -> Any:
        given = self.activation
        return [*given, *given[-2::-1]] if isinstance(given, list | tuple) else given

    @property
    def _encoder_layers(self) -> int:
        """How many Linears lead to the code."""
        return self.n_layers_ // 2

    def _task(self) -> Task:
        return regression(self.loss, self.n_features_in_, Reconstruction)

    def inverse_transform(self, X: Any) -> Array:
        """Samples of codes.

        Parameters
        ----------
        X : array_like of shape (n_samples, units of the code)
            What `transform` gave, or other codes.

        Returns
        -------
        array of shape (n_samples, n_features)
            The samples.
        """
        check_is_fitted(self)
        self._take_weights()
        codes = check_array(X, dtype=(np.float64, np.float32))
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"Autoencoder.inverse_transform: expected codes of {self._n_features_out} numbers, got "
                f"{codes.shape[1]}."
            )
        with threads(self.n_jobs):
            return train.predict(self.network_[before_layer(self.network_, self._encoder_layers) :], codes)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """How much of the samples' variance is given back, R²: 1 − Σ (x̂ − x)² / Σ (x − mean)².

        Parameters
        ----------
        X : array_like, sparse matrix or DataFrame of shape (n_samples, n_features)
            The samples.
        y : object, optional
            Not looked at.
        sample_weight : array_like of shape (n_samples,), optional
            How much each sample counts.

        Returns
        -------
        float
            At most 1.
        """
        again = self._outputs(X)
        samples = dense(validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False))
        return float(r2_score(samples, again, sample_weight=sample_weight, multioutput="variance_weighted"))
