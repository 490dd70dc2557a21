"""Autoencoder: the code, the way back, and that it learns what it should."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import maillon as m
from maillon.sklearn import Autoencoder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:500] / 16, LABELS[:500]


def test_a_linear_one_explains_what_pca_explains():
    model = Autoencoder((5,), activation="identity", solver="lbfgs", alpha=0, max_iter=2000, random_state=0).fit(DIGITS)
    explained = PCA(5).fit(DIGITS).explained_variance_ratio_.sum()
    assert model.score(DIGITS) == pytest.approx(explained, abs=1e-3)


def test_the_way_back_begins_where_the_code_ends():
    model = Autoencoder((32, 6), activation=["relu", "tanh"], max_iter=20, random_state=0).fit(DIGITS)
    assert [layer.out_features for layer in model.network_.modules() if isinstance(layer, m.Linear)] == [32, 6, 32, 64]
    code = model.transform(DIGITS)
    assert code.shape == (500, 6) and abs(code).max() <= 1  # tanh's
    np.testing.assert_allclose(model.inverse_transform(code), m.predict(model.network_, DIGITS))
    assert list(model.get_feature_names_out()) == [f"autoencoder{i}" for i in range(6)]
    assert model.history_.engine == "native"
    assert model.score(DIGITS, sample_weight=np.ones(500)) == pytest.approx(model.score(DIGITS))


def test_residual_layers_belong_to_the_encoder_or_to_the_decoder():
    model = Autoencoder((64, 64, 5), residual=True, norm="layer", max_iter=5, random_state=0).fit(DIGITS)
    assert model.transform(DIGITS).shape == (500, 5)
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(DIGITS)), m.predict(model.network_, DIGITS), rtol=1e-6
    )


def test_probabilities_of_features_from_0_to_1():
    model = Autoencoder((16,), loss="log_loss", learning_rate_init=0.01, early_stopping=True, random_state=0)
    again = model.fit(DIGITS).inverse_transform(model.transform(DIGITS))
    assert model.score(DIGITS) > 0.7
    assert again.min() > 0 and again.max() < 1
    assert model.best_validation_score_ == max(model.validation_scores_)
    with pytest.raises(
        ValueError, match=r"Autoencoder: expected features in \[0, 1\] with loss='log_loss', got 0 to 16"
    ):
        model.fit(DIGITS * 16)


def test_in_a_pipeline_and_a_search():
    model = make_pipeline(
        MinMaxScaler(),
        Autoencoder((12,), learning_rate_init=0.02, tol=1e-5, random_state=0),
        LogisticRegression(max_iter=2000),
    )
    assert model.fit(DIGITS, LABELS).score(DIGITS, LABELS) > 0.85
    search = GridSearchCV(Autoencoder(max_iter=20, random_state=0), {"hidden_layer_sizes": [(2,), (16,)]}, cv=3)
    assert search.fit(DIGITS).best_params_ == {"hidden_layer_sizes": (16,)}


def test_sparse_samples_and_those_that_weigh_nothing():
    weight = np.repeat([1.0, 0.0], 250)
    model = Autoencoder((4,), max_iter=5, random_state=0).fit(sparse.csr_array(DIGITS), sample_weight=weight)
    half = Autoencoder((4,), max_iter=5, random_state=0).fit(DIGITS[:250])
    np.testing.assert_allclose(model.coefs_[0], half.coefs_[0])
    assert model.score(sparse.csr_array(DIGITS)) == pytest.approx(model.score(DIGITS))


def test_what_will_not_do_is_refused():
    with pytest.raises(ValueError, match="expected hidden_layer_sizes of one layer at least, the code's, got none"):
        Autoencoder(()).fit(DIGITS)
    with pytest.raises(ValueError, match="inverse_transform: expected codes of 4 numbers, got 3"):
        Autoencoder((4,), max_iter=2).fit(DIGITS).inverse_transform(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="Autoencoder: expected loss to be 'squared_error' or 'log_loss', or a loss"):
        Autoencoder(loss="poisson").fit(DIGITS)
