"""TabularClassifier and TabularRegressor: what they learn, and among scikit-learn's tools."""

import io
import os
import re
import signal
import threading
import time

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_linnerud
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - what it makes possible is imported below
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from small_tables import BOTH, DIABETES, IRIS, KINDS, LABELS, X, Y, fitted, quick

import maillon as m
from maillon.sklearn import TabularClassifier, TabularRegressor, recipe

# What they learn


def test_a_table_as_it_is():
    model = fitted(TabularClassifier, epochs=60)
    assert model.score(X, LABELS) > 0.9
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.left_out_ == {"same": "all values are the same"}
    assert model.histories_[0].engine == "native"
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), probabilities)
    assert fitted(TabularRegressor, epochs=60).score(X, Y) > 0.8


def test_real_tables():
    x, y = load_breast_cancer(return_X_y=True)
    assert quick(TabularClassifier, hidden_sizes=(64, 64)).fit(x[:400], y[:400]).score(x[400:], y[400:]) > 0.94
    x, y = DIABETES
    assert quick(TabularRegressor, hidden_sizes=(64, 64)).fit(x[:340], y[:340]).score(x[340:], y[340:]) > 0.4


def test_an_ensemble_is_the_mean_of_its_networks():
    model = fitted(TabularClassifier, ensemble=3)
    inputs = model.prepare(X)
    assert [part.shape for part in inputs] == [(120, 2), (120, 5), (120, 1)]
    scores = [m.predict(network, inputs) for network in model.networks_]
    assert len(scores) == len(model.histories_) == 3
    mean = np.mean([m.Softmax(1)(each) for each in scores], axis=0)
    np.testing.assert_allclose(model.network_(*inputs), mean, atol=1e-6)
    np.testing.assert_array_equal(
        model.predict_proba(X), recipe.sharpened(m.predict(model.network_, inputs).astype(float))
    )
    assert not np.allclose(scores[0], scores[1])
    model = fitted(TabularRegressor, ensemble=2)
    mean = np.mean([m.predict(network, model.prepare(X)) for network in model.networks_], axis=0)
    np.testing.assert_allclose(model.predict(X), mean[:, 0] * model.target_scale_ + model.target_mean_, atol=1e-5)


def test_several_numbers():
    x, y = load_linnerud(return_X_y=True, as_frame=True)
    model = quick(TabularRegressor).fit(x, y)
    assert model.predict(x).shape == y.shape == (20, 3)
    assert model.target_mean_.shape == (3,)


@pytest.mark.parametrize("labels", [[0, 1, 5], [False, True, True], ["x", "y", "z"], [1.0, 2.0, 3.0], list("abc")])
def test_labels_of_any_kind(labels):
    y = np.array(labels, object if labels == list("abc") else None)[IRIS[1]]
    model = quick(TabularClassifier, epochs=60).fit(IRIS[0], y)
    assert model.predict(IRIS[0]).dtype == y.dtype
    assert np.mean(model.predict(IRIS[0]) == y) > 0.9


def test_the_best_epoch_is_kept():
    y = np.random.default_rng(1).normal(size=len(X))  # what follows from nothing is only learnt by heart
    model = quick(TabularRegressor, epochs=60).fit(X, y)
    (history,) = model.histories_
    best = min(history["val_loss"])
    assert history["val_loss"][history.best_epoch - 1] == best < history["val_loss"][-1] - 0.1
    ((_, held_out),) = recipe.parts(1, None, len(X), 0.2, np.random.RandomState(0))
    errors = (model.predict(X)[held_out] - y[held_out]) / model.target_scale_
    assert np.mean(errors**2) == pytest.approx(best, rel=1e-4)


def test_numbers_are_embedded():
    for x, inputs in ((X, 3), (X[["number"]], 2), (X[["flag"]], 1)):
        model = quick(TabularRegressor).fit(x, Y)
        (network,) = model.networks_
        (link,) = (link for link in network.modules() if isinstance(link, m.PeriodicEmbedding))
        assert link.frequency.shape[1] == recipe.WAVES
        assert len(model.network_.inputs) == inputs
        assert model.histories_[0].engine == "native"


def test_probabilities_are_without_the_smoothing_of_labels():
    true = np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]])
    found = recipe.sharpened(0.9 * true + 0.1 / 3)
    np.testing.assert_allclose(found, [true[0], np.array([1, 0.001, 0.001]) / 1.002], rtol=1e-12)
    many = recipe.sharpened(np.eye(1000)[:1] * 0.9 + 0.1 / 1000)
    assert many[0, 0] > 0.98


def test_folds_hold_out_each_row_once_and_have_their_part_of_each_class():
    classes = np.repeat([0, 1], [80, 20])
    parts = recipe.parts(7, classes, 100, 0.2, np.random.RandomState(0))
    for learnt, held_out in parts:
        assert np.bincount(classes[held_out]).tolist() == [16, 4]
        np.testing.assert_array_equal(np.sort([*learnt, *held_out]), np.arange(100))
    np.testing.assert_array_equal(np.sort(np.concatenate([held_out for _, held_out in parts[:5]])), np.arange(100))
    assert not np.array_equal(parts[0][1], parts[5][1])
    assert [len(held_out) for _, held_out in recipe.parts(2, None, 9, 0.2, np.random.RandomState(0))] == [0, 0]
    for members, rows in ((1, 20), (5, 20), (10, 10)):  # a fifth, and in a large ensemble less
        ((_, held_out), *_) = recipe.parts(members, None, 100, None, np.random.RandomState(0))
        assert len(held_out) == rows


def test_the_schedule_has_four_cycles():
    schedule = recipe.schedule_of(150)
    factors = [schedule.lr_lambda(step) for step in range(151)]
    valleys = [step for step in range(151) if factors[step] < 1e-6]
    np.testing.assert_allclose(valleys, [0, 10, 30, 70, 150])
    assert max(factors) == pytest.approx(1, abs=1e-3)


def test_rates_for_each_kind_of_parameter():
    (network,) = fitted(TabularClassifier).networks_
    groups = recipe.rule_of(network, 0.1).param_groups
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert len(rates) == len(list(network.parameters()))
    found = {name: rates[id(parameter)] for name, parameter in network.named_parameters()}
    assert found == pytest.approx({
        "numbers_embedded.frequency": 0.01, "numbers_embedded.phase": 0.01, "numbers_embedded.weight": 0.01,
        "numbers_embedded.bias": 0.01, "codes_embedded.0.weight": 0.1, "chain.0.weight": 0.6,
        "chain.1.weight": 0.1 / np.sqrt(21), "chain.1.bias": 0.01, "chain.3.weight": 0.1 / 4, "chain.3.bias": 0.01,
    })  # fmt: skip


# Bits


@BOTH
@pytest.mark.parametrize("ensemble", [1, 3])
def test_the_same_bits_for_any_number_of_threads(kind, ensemble):
    one, two = (fitted(kind, ensemble=ensemble, n_jobs=n_jobs) for n_jobs in (1, 2))
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    np.testing.assert_array_equal(one.network_(*one.prepare(X)), two.network_(*two.prepare(X)))
    assert not np.array_equal(fitted(kind, random_state=1).network_(*one.prepare(X)), one.network_(*one.prepare(X)))


def test_the_global_generators_are_not_touched():
    m.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - scikit-learn's
    fitted(TabularClassifier, ensemble=2)
    after = m.random.default_generator().rand(3), np.random.rand(3)  # noqa: NPY002
    m.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    np.testing.assert_array_equal(after[0], m.random.default_generator().rand(3))
    np.testing.assert_array_equal(after[1], np.random.rand(3))  # noqa: NPY002


# Weights


def test_weights_of_samples_and_classes():
    y = np.where(np.arange(len(Y)) < 90, "often", "seldom")
    random = np.random.default_rng(0)
    x = pd.DataFrame({"a": random.normal(size=len(Y)) + 0.7 * (y == "seldom")})
    plain, balanced = (
        quick(TabularClassifier, class_weight=weight).fit(x, y).predict_proba(x)[:, 1] for weight in (None, "balanced")
    )
    assert balanced.mean() > plain.mean() + 0.1
    weighted = quick(TabularClassifier).fit(x, y, np.where(y == "seldom", 3.0, 1.0)).predict_proba(x)[:, 1]
    np.testing.assert_array_equal(weighted, balanced)
    np.testing.assert_array_equal(
        quick(TabularClassifier).fit(x, y, np.full(len(y), 2.0)).predict_proba(x)[:, 1], plain
    )


@BOTH
def test_a_weight_of_0_leaves_a_row_out(kind):
    y = LABELS if kind is TabularClassifier else Y
    part = quick(kind).fit(X[:100], y[:100])
    weighted = quick(kind).fit(X, y, np.arange(len(y)) < 100)
    np.testing.assert_array_equal(part.predict(X), weighted.predict(X))


# Importances


@BOTH
def test_importances_find_the_columns_that_count(kind):
    model = fitted(kind, epochs=60, ensemble=2)
    importances = model.feature_importances_
    assert importances.shape == (5,)
    assert set(np.argsort(importances)[-2:]) == {0, 1}
    assert importances[4] == 0
    assert model.feature_importances_ is importances
    again = permutation_importance(model, X, LABELS if kind is TabularClassifier else Y, random_state=0)
    assert set(np.argsort(again.importances_mean)[-2:]) == {0, 1}
    chosen = SelectFromModel(quick(kind, epochs=60)).fit(X, LABELS if kind is TabularClassifier else Y)
    assert chosen.get_support()[:2].all()


def test_importances_need_rows_that_were_held_out():
    model = quick(TabularRegressor).fit(X[:8], Y[:8])
    with pytest.raises(AttributeError, match="feature_importances_ needs rows that were held out: at least 10"):
        _ = model.feature_importances_
    assert not hasattr(model, "feature_importances_")


# scikit-learn's tools


def test_columns_are_known_by_name():
    model = fitted(TabularRegressor)
    np.testing.assert_array_equal(model.feature_names_in_, X.columns)
    np.testing.assert_array_equal(model.predict(X[X.columns[::-1]]), model.predict(X))
    as_polars = pl.DataFrame(X.astype(object).where(X.notna(), None).to_dict("list"))
    np.testing.assert_array_equal(model.predict(as_polars[list(reversed(as_polars.columns))]), model.predict(X))
    np.testing.assert_array_equal(
        fitted(TabularRegressor).predict(X), quick(TabularRegressor).fit(as_polars, Y).predict(X)
    )
    with pytest.raises(ValueError, match="Feature names seen at fit time, yet now missing:\n- town"):
        model.predict(X.drop(columns="town"))
    with pytest.raises(ValueError, match="Feature names unseen at fit time:\n- more"):
        model.predict(X.assign(more=1))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X.to_numpy(object))


def test_a_pipeline_in_a_grid_search_in_two_processes():
    pipeline = make_pipeline(FunctionTransformer(feature_names_out="one-to-one"), quick(TabularClassifier))
    search = GridSearchCV(pipeline, {"tabularclassifier__epochs": [1, 60]}, cv=2, n_jobs=2).fit(X, LABELS)
    assert search.best_params_ == {"tabularclassifier__epochs": 60}
    assert search.best_score_ > 0.7
    scores = cross_validate(quick(TabularRegressor), X, Y, cv=2, n_jobs=2)
    assert len(scores["test_score"]) == 2


def test_halving_gives_the_most_epochs_to_the_best():
    space = {"learning_rate": [1e-6, 1e-5, 0.04]}
    search = HalvingRandomSearchCV(
        quick(TabularClassifier), space, resource="epochs", min_resources=10, max_resources=30, cv=2, random_state=0
    )
    best = search.fit(X, LABELS).best_estimator_
    assert (best.epochs, best.learning_rate) == (30, 0.04)


def test_copies_and_pickles(tmp_path):
    model = fitted(TabularClassifier, ensemble=2)
    assert clone(model).get_params() == model.get_params()
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    again = joblib.load(io.BytesIO(buffer.getvalue()))
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    for other in (again, mapped):
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(other.feature_importances_, model.feature_importances_)


def test_metadata_is_routed():
    weights = np.linspace(0.5, 2, len(Y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = quick(TabularRegressor).set_fit_request(sample_weight=True)
        routed = make_pipeline(model).fit(X, Y, sample_weight=weights)
    np.testing.assert_array_equal(routed.predict(X), quick(TabularRegressor).fit(X, Y, weights).predict(X))
    assert not np.array_equal(routed.predict(X), fitted(TabularRegressor).predict(X))


def test_tags():
    tags = [get_tags(kind()) for kind in KINDS]
    for tag in tags:
        assert tag.input_tags.allow_nan
        assert tag.input_tags.categorical
        assert tag.input_tags.string
        assert not tag.input_tags.sparse
    assert [tag.target_tags.multi_output for tag in tags] == [False, True]


def test_verbose_prints_a_line_for_each_network(capsys):
    fitted(TabularClassifier, ensemble=2, n_jobs=1, verbose=True)
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"1 of 2 networks, \d+\.\d s: epoch \d+ of 20, val_loss [\d.]+", first)
    assert second.startswith("2 of 2 networks, ")
    quick(TabularRegressor, verbose=1).fit(X[:5], Y[:5])
    assert re.fullmatch(r"1 of 1 networks, \d+\.\d s", capsys.readouterr().out.strip())


def test_ctrl_c_ends_the_trainings():
    before = threading.active_count()
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    begun = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        fitted(TabularRegressor, ensemble=4, epochs=10**6)
    assert time.perf_counter() - begun < 5
    for _ in range(100):
        if threading.active_count() <= before:
            break
        time.sleep(0.05)
    assert threading.active_count() <= before
