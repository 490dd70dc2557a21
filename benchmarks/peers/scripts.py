"""Twenty small programs as users of scikit-learn write them around its perceptrons, on data that it ships.

Each takes the module that its import would name, and a seed, and returns a score: the greater the better.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

Script = Callable[[Any, int], float]

split = train_test_split


@cache
def digits() -> tuple[Any, Any]:
    x, y = datasets.load_digits(return_X_y=True)
    return x / 16, y


def digits_by_adam(mlp: Any, seed: int) -> float:
    """The defaults on the digits."""
    x, x_test, y, y_test = split(*digits(), random_state=seed)
    return mlp.MLPClassifier(random_state=seed).fit(x, y).score(x_test, y_test)


def digits_by_sgd(mlp: Any, seed: int) -> float:
    """As in scikit-learn's example of MNIST weights: one layer, SGD, few epochs."""
    x, x_test, y, y_test = split(*digits(), random_state=seed)
    model = mlp.MLPClassifier((40,), solver="sgd", alpha=1e-4, learning_rate_init=0.2, max_iter=40, random_state=seed)
    return model.fit(x, y).score(x_test, y_test)


def breast_cancer_in_a_pipeline(mlp: Any, seed: int) -> float:
    """Scaled, three layers of 30."""
    x, x_test, y, y_test = split(*datasets.load_breast_cancer(return_X_y=True), random_state=seed)
    model = make_pipeline(StandardScaler(), mlp.MLPClassifier((30, 30, 30), max_iter=500, random_state=seed))
    return model.fit(x, y).score(x_test, y_test)


def wine_cross_validated(mlp: Any, seed: int) -> float:
    """Ten folds of scaled wine."""
    model = make_pipeline(StandardScaler(), mlp.MLPClassifier((13, 13), max_iter=400, random_state=seed))
    return cross_val_score(model, *datasets.load_wine(return_X_y=True), cv=10).mean()


def grid_search_of_digits(mlp: Any, seed: int) -> float:
    """Sizes and alpha."""
    x, x_test, y, y_test = split(*digits(), random_state=seed)
    grid = {"hidden_layer_sizes": [(32,), (64,)], "alpha": [1e-4, 1e-2]}
    search = GridSearchCV(mlp.MLPClassifier(max_iter=100, random_state=seed), grid, cv=3)
    return search.fit(x, y).score(x_test, y_test)


def random_search_of_breast_cancer(mlp: Any, seed: int) -> float:
    """Eight settings of rate, alpha, activation."""
    x, x_test, y, y_test = split(*datasets.load_breast_cancer(return_X_y=True), random_state=seed)
    space = {
        "mlpclassifier__alpha": [1e-5, 1e-3, 1e-1, 1.0],
        "mlpclassifier__learning_rate_init": [1e-3, 1e-2],
        "mlpclassifier__activation": ["relu", "tanh", "logistic"],
    }
    model = make_pipeline(StandardScaler(), mlp.MLPClassifier((50,), random_state=seed))
    search = RandomizedSearchCV(model, space, n_iter=8, cv=3, random_state=seed)
    return search.fit(x, y).score(x_test, y_test)


def learning_curve_of_digits(mlp: Any, seed: int) -> float:
    """Three sizes of the training set."""
    model = mlp.MLPClassifier((50,), max_iter=100, random_state=seed)
    curve = learning_curve(model, *digits(), train_sizes=[0.2, 0.5, 1.0], cv=3, shuffle=True, random_state=seed)
    return curve[2].mean()


def faces_like_autoencoding(mlp: Any, seed: int) -> float:
    """MLPRegressor learns to give back the digits' images through eight units."""
    x = digits()[0]
    x, x_test = split(x[:, x.std(axis=0) > 0.05], random_state=seed)  # R² wants columns that vary
    model = mlp.MLPRegressor(hidden_layer_sizes=(64, 8, 64), activation="tanh", max_iter=150, random_state=seed)
    return model.fit(x, x).score(x_test, x_test)


def diabetes(mlp: Any, seed: int) -> float:
    """Regression with a scaled target."""
    x, x_test, y, y_test = split(*datasets.load_diabetes(return_X_y=True), random_state=seed)
    network = mlp.MLPRegressor(
        hidden_layer_sizes=(32,), alpha=1.0, early_stopping=True, max_iter=500, random_state=seed
    )
    model = TransformedTargetRegressor(make_pipeline(StandardScaler(), network), transformer=StandardScaler())
    return model.fit(x, y).score(x_test, y_test)


def friedman(mlp: Any, seed: int) -> float:
    """Two thousand rows of Friedman's first function."""
    x, y = datasets.make_friedman1(2000, noise=0.5, random_state=seed)
    x, x_test, y, y_test = split(x, y, random_state=seed)
    model = mlp.MLPRegressor(hidden_layer_sizes=(64, 64), learning_rate_init=0.003, random_state=seed)
    return model.fit(x, y).score(x_test, y_test)


def several_labels(mlp: Any, seed: int) -> float:
    """Labels that go together; the F₁ of all."""
    x, y = datasets.make_multilabel_classification(1000, random_state=0)
    x, x_test, y, y_test = split(x, y, random_state=seed)
    return f1_score(y_test, mlp.MLPClassifier((50,), random_state=seed).fit(x, y).predict(x_test), average="micro")


def a_stream(mlp: Any, seed: int) -> float:
    """partial_fit, a hundred samples at a time, five times over."""
    x, x_test, y, y_test = split(*digits(), random_state=seed)
    model = mlp.MLPClassifier((64,), learning_rate_init=0.005, random_state=seed)
    for _ in range(5):
        for start in range(0, len(x), 100):
            model.partial_fit(x[start : start + 100], y[start : start + 100], classes=np.arange(10))
    return model.score(x_test, y_test)


def epoch_by_epoch(mlp: Any, seed: int) -> float:
    """warm_start and one epoch a fit, the score noted after each; the best."""
    x, x_test, y, y_test = split(*digits(), random_state=seed)
    model = mlp.MLPClassifier((64,), max_iter=1, warm_start=True, random_state=seed)
    return max(model.fit(x, y).score(x_test, y_test) for _ in range(60))


def early_stopping(mlp: Any, seed: int) -> float:
    """A larger network, ended by what is held out."""
    x, y = datasets.make_classification(4000, 40, n_informative=15, n_classes=4, random_state=seed)
    x, x_test, y, y_test = split(x, y, random_state=seed)
    return mlp.MLPClassifier((100, 50), early_stopping=True, random_state=seed).fit(x, y).score(x_test, y_test)


def iris_many_seeds(mlp: Any, seed: int) -> float:
    """Ten networks of ten units, each with a seed of its own."""
    x, x_test, y, y_test = split(*datasets.load_iris(return_X_y=True), random_state=seed)
    return np.mean([
        mlp.MLPClassifier((10,), max_iter=500, learning_rate_init=0.01, random_state=10 * seed + i)
        .fit(x, y)
        .score(x_test, y_test)
        for i in range(10)
    ])  # fmt: skip


def moons(mlp: Any, seed: int) -> float:
    """Two moons, by L-BFGS at five strengths of alpha, and the plane's probabilities for a picture."""
    x, y = datasets.make_moons(400, noise=0.25, random_state=seed)
    x, x_test, y, y_test = split(x, y, random_state=seed)
    plane = np.stack(np.meshgrid(np.arange(-3, 3, 0.02), np.arange(-3, 3, 0.02)), axis=-1).reshape(-1, 2)
    scores = []
    for alpha in np.logspace(-1, 1, 5):
        network = mlp.MLPClassifier((10, 10), solver="lbfgs", alpha=alpha, max_iter=2000, random_state=seed)
        model = make_pipeline(StandardScaler(), network).fit(x, y)
        model.predict_proba(plane)
        scores.append(model.score(x_test, y_test))
    return max(scores)


def a_spectrum(mlp: Any, seed: int) -> float:
    """A noisy sum of sines, by L-BFGS."""
    numbers = np.random.RandomState(seed)
    x = np.linspace(-3, 3, 400)[:, None]
    y = np.sin(2 * x[:, 0]) + 0.5 * np.cos(5 * x[:, 0]) + 0.1 * numbers.normal(size=400)
    model = mlp.MLPRegressor(
        hidden_layer_sizes=(40, 40), activation="tanh", solver="lbfgs", alpha=0.01, max_iter=1000, random_state=seed
    )
    return model.fit(x[::2], y[::2]).score(x[1::2], y[1::2])


def counts_of_words(mlp: Any, seed: int) -> float:
    """A sparse matrix as of words: the digits' brightness in 16 steps each, one-hot."""
    x, y = digits()
    words = OneHotEncoder(handle_unknown="ignore").fit_transform(np.round(x * 16).astype(int))
    x, x_test, y, y_test = split(words, y, random_state=seed)
    return mlp.MLPClassifier((50,), max_iter=50, random_state=seed).fit(x, y).score(x_test, y_test)


def committees(mlp: Any, seed: int) -> float:
    """Voting, stacking, bagging and calibration around one network each; their mean."""
    x, x_test, y, y_test = split(*datasets.load_wine(return_X_y=True), random_state=seed)
    network = make_pipeline(StandardScaler(), mlp.MLPClassifier((20,), max_iter=300, random_state=seed))
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    models = [
        VotingClassifier([("network", network), ("linear", linear)], voting="soft"),
        StackingClassifier([("network", network), ("linear", linear)], cv=3),
        BaggingClassifier(network, 5, random_state=seed),
        CalibratedClassifierCV(network, cv=3),
    ]
    return np.mean([model.fit(x, y).score(x_test, y_test) for model in models])


def out_of_fold_probabilities(mlp: Any, seed: int) -> float:
    """cross_val_predict on twenty features of two classes; the part that is right."""
    x, y = datasets.make_classification(2000, random_state=seed)
    model = make_pipeline(MinMaxScaler(), mlp.MLPClassifier((60,), random_state=seed))
    return (cross_val_predict(model, x, y, cv=5, method="predict_proba").argmax(axis=1) == y).mean()


SCRIPTS: list[Script] = [
    digits_by_adam, digits_by_sgd, breast_cancer_in_a_pipeline, wine_cross_validated, grid_search_of_digits,
    random_search_of_breast_cancer, learning_curve_of_digits, faces_like_autoencoding, diabetes, friedman,
    several_labels, a_stream, epoch_by_epoch, early_stopping, iris_many_seeds, moons, a_spectrum, counts_of_words,
    committees, out_of_fold_probabilities,
]  # fmt: skip
