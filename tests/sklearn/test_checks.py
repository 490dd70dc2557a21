"""scikit-learn's checks of estimators."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from maillon.sklearn import Autoencoder, MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
    pytest.mark.filterwarnings("ignore:A column-vector y was passed"),
]

ESTIMATORS = [
    MLPClassifier(max_iter=100),
    MLPClassifier((8, 8), solver="sgd", max_iter=50, norm="layer", residual=True, random_state=0),
    MLPClassifier(solver="lbfgs", alpha=1.0, max_iter=30, random_state=0),
    MLPRegressor(max_iter=100),
    MLPRegressor(solver="lbfgs", random_state=0),
    Autoencoder((8,), max_iter=30),
]


@parametrize_with_checks(ESTIMATORS)
def test_an_estimator_passes(estimator, check):
    check(estimator)
