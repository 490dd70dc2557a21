"""The estimators among scikit-learn's tools: pipelines, searches, copies, frames, metadata, callbacks."""

import io
import re

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, load_wine
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - what it makes possible is imported below
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import maillon as m
from maillon.interop.sklearn import from_sklearn, to_sklearn
from maillon.sklearn import Autoencoder, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WINE = load_wine(return_X_y=True, as_frame=True)
IRIS = load_iris(return_X_y=True)


def scaled(**options):
    options = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.05, "max_iter": 30, "random_state": 0, **options}
    return make_pipeline(StandardScaler(), MLPClassifier(**options))


def test_a_pipeline_in_a_grid_search_in_two_processes():
    search = GridSearchCV(scaled(), {"mlpclassifier__alpha": [1e-4, 0.1]}, cv=3, n_jobs=2).fit(*WINE)
    assert search.best_score_ > 0.95
    assert search.best_estimator_[-1].history_.engine == "native"
    np.testing.assert_array_equal(search.best_estimator_.feature_names_in_, WINE[0].columns)


def test_halving_gives_the_most_epochs_to_the_best():
    space = {"alpha": [1e-4, 1e-2, 1.0], "learning_rate_init": [1e-3, 1e-2, 1e-1]}
    search = HalvingRandomSearchCV(
        MLPClassifier((8,), random_state=0), space, resource="max_iter", min_resources=5, max_resources=45, cv=3,
        random_state=0,
    )  # fmt: skip
    assert search.fit(*IRIS).best_estimator_.max_iter == 45


def test_cross_validation_in_two_processes_is_that_in_one():
    one = cross_validate(scaled(), *WINE, cv=3, n_jobs=1)["test_score"]
    two = cross_validate(scaled(), *WINE, cv=3, n_jobs=2)["test_score"]
    np.testing.assert_array_equal(one, two)
    assert cross_val_predict(scaled(), *WINE, cv=3, method="predict_proba").shape == (178, 3)
    assert learning_curve(scaled(), *WINE, cv=3, train_sizes=[0.3, 1.0], shuffle=True, random_state=0)[2].mean() > 0.9


@pytest.mark.parametrize(
    "outer",
    [
        lambda: VotingClassifier([("a", scaled()), ("b", LogisticRegression(max_iter=5000))], voting="soft"),
        lambda: StackingClassifier([("a", scaled()), ("b", scaled(random_state=1))], cv=3),
        lambda: CalibratedClassifierCV(scaled(), cv=3),
    ],
)
def test_estimators_of_estimators(outer):
    assert outer().fit(*WINE).score(*WINE) > 0.95


def test_many_outputs_by_one_estimator_each_and_importances():
    x, y = IRIS[0][:, :2], IRIS[0][:, 2:]
    each = MultiOutputRegressor(MLPRegressor(solver="lbfgs", random_state=0)).fit(x, y)
    assert each.predict(x).shape == (150, 2)
    model = scaled().fit(*WINE)
    assert permutation_importance(model, *WINE, n_repeats=2, random_state=0).importances.shape == (13, 2)


@pytest.mark.parametrize(
    "estimator",
    [
        MLPClassifier(
            solver=m.AdamW(lr=0.1), activation=[m.GELU(), "relu"], loss=m.CrossEntropyLoss(label_smoothing=0.1)
        ),
        MLPRegressor(loss=m.HuberLoss, schedule=m.optim.lr_scheduler.StepLR(step_size=3)),
        Autoencoder((5, 2), callbacks=[m.EarlyStopping("loss")]),
    ],
)
def test_a_clone_has_the_same_parameters(estimator):
    again = clone(estimator)
    assert again.get_params().keys() == estimator.get_params().keys()
    unnamed = [re.sub("0x[0-9a-f]+", "", repr(each)) for each in (again, estimator)]
    assert unnamed[0] == unnamed[1]
    assert not hasattr(again, "network_")


def test_joblib_keeps_a_fitted_estimator_and_what_partial_fit_needs():
    model = MLPClassifier((8,), random_state=0).fit(*IRIS)
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    again = joblib.load(file)
    np.testing.assert_array_equal(again.predict_proba(IRIS[0]), model.predict_proba(IRIS[0]))
    np.testing.assert_array_equal(
        again.partial_fit(*IRIS).predict_proba(IRIS[0]), model.partial_fit(*IRIS).predict_proba(IRIS[0])
    )


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_go_in_and_come_out(frame):
    names = ["a", "b", "c", "d"]
    x = frame(dict(zip(names, IRIS[0].T, strict=True)))
    y = (pd.Series if frame is pd.DataFrame else pl.Series)(np.array(["x", "y", "z"])[IRIS[1]])
    model = MLPClassifier((6,), random_state=0, max_iter=5).fit(x, y)
    assert list(model.feature_names_in_) == names
    assert set(model.predict(x)) <= {"x", "y", "z"}
    hidden = model.set_output(transform="pandas").transform(x)
    assert list(hidden.columns) == [f"mlpclassifier{i}" for i in range(6)]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(x[["b", "a", "c", "d"]])
    code = Autoencoder((2,), random_state=0, max_iter=5).set_output(transform="polars").fit_transform(x)
    assert code.columns == ["autoencoder0", "autoencoder1"]


def test_weights_of_samples_are_routed():
    rare = (WINE[1] == 2).to_numpy()
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            MLPClassifier((8,), random_state=0, max_iter=10)
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=True),
        )
        routed = pipeline.fit(*WINE, sample_weight=1.0 + rare)[-1]
        cross_validate(pipeline, *WINE, cv=3, params={"sample_weight": 1.0 + rare})
    alone = MLPClassifier((8,), random_state=0, max_iter=10)
    alone.fit(StandardScaler().fit_transform(WINE[0].to_numpy()), WINE[1], sample_weight=1.0 + rare)
    np.testing.assert_allclose(routed.coefs_[0], alone.coefs_[0])


# scikit-learn's callbacks, from its 1.9 on


class Noted:
    """What it is told, in order; stops after so many epochs."""

    def __init__(self, epochs):
        self.epochs, self.seen, self.scores = epochs, [], []

    def setup(self, estimator, context):
        self.seen.append("setup")

    def teardown(self, estimator, context):
        self.seen.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.seen.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.seen.append(f"end {context.task_name}")
        self.scores.append(fitted_estimator.score(X, y))
        return len(self.scores) == self.epochs


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_scikit_learns_callbacks_see_each_epoch_and_may_stop(solver):
    x, y = IRIS[0], np.array(["x", "y", "z"])[IRIS[1]]
    noted = Noted(epochs=3)
    model = MLPClassifier((8,), solver=solver, random_state=0).set_callbacks(noted).fit(x, y)
    epochs = ["begin epoch", "end epoch"] * 3
    assert noted.seen == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert model.n_iter_ == 3
    assert noted.scores[-1] == noted.scores[-2] == model.score(x, y)
    assert not hasattr(model, "_callback_fit_ctx")


def test_scikit_learns_scores_of_each_epoch():
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="r2")
    x, y = IRIS[0][:, :3], IRIS[0][:, 3]
    model = MLPRegressor(max_iter=4, random_state=0).set_callbacks(monitor).fit(x, y)
    scores = [row["r2"] for row in monitor.get_logs().data if row.get("task_name", "epoch") == "epoch"]
    assert scores[-1] == pytest.approx(model.score(x, y))


def test_a_network_is_read_from_either_kind_of_estimator():
    model = MLPClassifier((8,), max_iter=5, random_state=0).fit(*IRIS)
    np.testing.assert_array_equal(from_sklearn(model).eval()(IRIS[0]), model.network_.eval()(IRIS[0]))
    assert isinstance(from_sklearn(model, logits=True)[-1], m.Linear)
    theirs = to_sklearn(model.network_, classes=model.classes_)
    np.testing.assert_allclose(theirs.predict_proba(IRIS[0]), model.predict_proba(IRIS[0]))
    regressor = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, random_state=0).fit(IRIS[0], IRIS[0][:, 0])
    assert isinstance(from_sklearn(regressor, logits=True)[-1], m.Linear)
