"""What the perceptrons are given that they cannot learn from, or only just: clear errors, or sensible results."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

import maillon as m
from maillon.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
BOTH = pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])


def refused(estimator, *data, **options):
    """The error's text."""
    with pytest.raises((ValueError, TypeError)) as caught:
        estimator.fit(*data, **options)
    return str(caught.value)


@BOTH
@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        (np.where(X > 7, np.nan, X), Y, "Input X contains NaN"),
        (np.where(X > 7, np.inf, X), Y, "Input X contains infinity"),
        (X, np.where(Y > 1, np.nan, Y), "Input y contains NaN"),
        (X[:10], Y[:9], "inconsistent numbers of samples: [10, 9]"),
        (X[:0], Y[:0], "Found array with 0 sample(s)"),
        (X[:, :0], Y, "Found array with 0 feature(s)"),
        (pd.DataFrame(X[:0]), Y[:0], "Found array with 0 sample(s)"),
        (X[0], Y[:1], "Expected 2D array, got 1D array instead"),
        (X[:, :, None], Y, "Found array with dim 3"),
        (np.full((3, 2), "a"), Y[:3], "could not convert string to float"),
        (pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}), Y[:2], "could not convert string to float: 'x'"),
        (X * 1j, Y, "Complex data not supported"),
        (X, None, "requires y to be passed, but the target y is None"),
    ],
)
def test_data_that_are_no_data(kind, x, y, text):
    assert text in refused(kind(), x, y)


def test_targets_that_are_no_classes_and_no_numbers():
    assert "Unknown label type: continuous" in refused(MLPClassifier(), X, X[:, 0])
    assert "could not convert string to float" in refused(MLPRegressor(), X, np.full(150, "a"))
    assert "expected y ≥ 0 with loss='poisson', got -1" in refused(MLPRegressor(loss="poisson"), X, Y - 1.0)
    assert "Multioutput target data is not supported" in refused(MLPClassifier(), X, np.stack([Y, Y], axis=1))


@BOTH
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"hidden_layer_sizes": (5, 0)}, "hidden_layer_sizes must be > 0, got [5, 0]."),
        ({"hidden_layer_sizes": 2.5}, "hidden_layer_sizes must be > 0, got [2.5]."),
        ({"activation": "rellu"}, "got 'rellu'. Did you mean 'relu'?"),
        ({"activation": 3}, "activation: expected a name such as 'relu', a class or an instance of Module"),
        ({"activation": ["relu", "tanh"]}, "activation: expected 1, one for each hidden layer, got 2."),
        ({"solver": "newton"}, "expected solver to be 'adam', 'sgd', 'lbfgs' or a recipe"),
        ({"solver": m.Adam([m.Parameter(np.zeros(1))])}, "expected solver to be"),
        ({"alpha": -1}, "expected alpha to be a finite number ≥ 0, got -1."),
        ({"batch_size": 0}, "expected batch_size to be 'auto' or an integer ≥ 1, got 0."),
        ({"learning_rate": "fast"}, "expected learning_rate to be 'constant', 'invscaling' or 'adaptive', got 'fast'."),
        ({"learning_rate_init": 0}, "expected learning_rate_init to be a finite number > 0, got 0."),
        ({"power_t": None}, "expected power_t to be a finite number ≥ 0, got None."),
        ({"max_iter": 0}, "expected max_iter to be an integer ≥ 1, got 0."),
        ({"shuffle": "no"}, "expected shuffle to be True or False, got 'no'."),
        ({"tol": np.nan}, "expected tol to be a finite number ≥ 0, got nan."),
        ({"momentum": 1.5}, "expected momentum to be a number in [0, 1], got 1.5."),
        ({"validation_fraction": 1}, "expected validation_fraction to be a number in [0, 1), got 1."),
        ({"beta_1": 1.0}, "expected beta_1 to be a number in [0, 1), got 1.0."),
        ({"n_iter_no_change": 0.5}, "expected n_iter_no_change to be an integer ≥ 1 or numpy.inf, got 0.5."),
        ({"dropout": 1}, "expected dropout to be a number in [0, 1), got 1."),
        ({"norm": "group"}, "expected norm to be None, 'batch' or 'layer', got 'group'."),
        ({"n_jobs": 0}, "expected n_jobs to be None, -1 for all processors, or a number of threads ≥ 1, got 0."),
        ({"solver": "lbfgs", "dropout": 0.1}, "needs a loss that is the same each time, got dropout=0.1. Take 'adam'."),
        ({"loss": "hinge"}, "expected loss to be '"),
        ({"loss": m.L1Loss(reduction="sum")}, "loss: expected reduction='mean', got L1Loss(reduction='sum')"),
        ({"loss": m.Linear}, "loss: expected a name, or a class or an instance of maillon.nn.Loss, got <class"),
        ({"random_state": "x"}, "'x' cannot be used to seed a numpy.random.RandomState instance"),
    ],
)  # fmt: skip
def test_parameters_that_will_not_do(kind, options, text):
    assert text in refused(kind(**options), X, Y)


def test_losses_for_other_targets():
    several = np.eye(3, dtype=int)[Y]
    several[:, 0] = 1
    assert "takes one class a sample, and y has several" in refused(
        MLPClassifier(loss=m.CrossEntropyLoss()), X, several
    )
    assert "takes class labels. For numbers take HuberLoss" in refused(MLPRegressor(loss=m.CrossEntropyLoss()), X, Y)


@BOTH
def test_weights_of_samples_that_will_not_do(kind):
    assert "sample_weight: expected numbers ≥ 0, got -1.0 for sample 1." in refused(
        kind(), X, Y, np.r_[1, -1, np.ones(148)]
    )
    assert "at least one non-zero number" in refused(kind(), X, Y, np.zeros(150))
    assert "sample_weight.shape == (3,), expected (150,)" in refused(kind(), X, Y, np.ones(3))
    assert "Input sample_weight contains NaN" in refused(kind(), X, Y, np.full(150, np.nan))


def test_weights_of_classes_that_will_not_do():
    assert "class_weight" in refused(MLPClassifier(class_weight="even"), X, Y)
    nothing = MLPClassifier(class_weight={0: 0, 1: 0, 2: 0})
    assert "sample_weight: expected at least one number > 0, got only zeros" in refused(nothing, X, Y)
    with pytest.raises(ValueError, match="class_weight='balanced' needs all samples, which partial_fit has not"):
        MLPClassifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1, 2])


@pytest.mark.parametrize("options", [{}, {"solver": "lbfgs"}, {"early_stopping": True}, {"norm": "layer"}])
def test_constant_columns_are_no_harm(options):
    x = np.concatenate([X, np.zeros((150, 1)), np.full((150, 1), 1e6)], axis=1)
    x[:, 5] /= 1e6
    for model in (MLPClassifier(random_state=0, **options), MLPRegressor(random_state=0, **options)):
        assert np.isfinite(model.fit(x, Y).predict(x)).all()


@pytest.mark.parametrize("loss", ["log_loss", m.CrossEntropyLoss])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_one_class_is_always_that_class(solver, loss):
    model = MLPClassifier((3,), solver=solver, loss=loss, random_state=0).fit(X, np.full(150, "only"))
    assert set(model.predict(X)) == {"only"}
    assert model.predict_proba(X).shape == (150, len(model.classes_))
    np.testing.assert_array_equal(model.predict_proba(X), 1)


@BOTH
def test_one_row_is_enough(kind):
    for seed in range(5):
        model = kind(hidden_layer_sizes=(3,), random_state=seed)
        assert model.fit(X[:1], Y[:1]).predict(X[:1]).shape == (1,)
    text = (
        "norm='batch' needs mini-batches of two samples or more, got 1 samples in mini-batches of 1. Take norm='layer'."
    )
    assert text in refused(kind(norm="batch"), X[:1], Y[:1])
    with pytest.raises(ValueError, match="norm='batch' needs mini-batches of two"):
        kind(norm="batch", batch_size=1).fit(X, Y)
    with pytest.raises(ValueError, match="The validation set is too small"):
        kind(early_stopping=True).fit(X[:3], Y[:3])


def test_columns_of_one_name_twice_are_refused_by_their_name():
    frame = pd.DataFrame(X, columns=["a", "a", "b", "c"])
    with pytest.raises(Exception, match=r"Expected unique column names, got:\s*- 'a' 2 times"):
        MLPClassifier().fit(frame, Y)


def test_a_prediction_for_other_data_than_learnt_from():
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=3).fit(X, Y)
    with pytest.raises(ValueError, match="X has 3 features, but MLPRegressor is expecting 4 features as input"):
        model.predict(X[:, :3])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(np.full((1, 4), np.nan))
    with pytest.raises(ValueError, match="Found array with 0 sample"):
        model.predict(X[:0])


def test_labels_that_were_not_there_before():
    model = MLPClassifier((3,)).partial_fit(X[:100], Y[:100], classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"`y` has classes not in `self.classes_`. `self.classes_` has \[0 1 2\]"):
        model.partial_fit(X, Y + 1)
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(X, Y, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        MLPClassifier().partial_fit(X, Y)
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'"):
        MLPClassifier(solver="lbfgs").partial_fit(X, Y)


def test_going_on_with_another_network():
    model = MLPClassifier((3,), warm_start=True, max_iter=2).fit(X, Y)
    with pytest.raises(
        ValueError, match=r"expected layers of \[4, 3, 3\] units, those that are fitted, got \[4, 5, 3\]"
    ):
        model.set_params(hidden_layer_sizes=(5,)).fit(X, Y)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_numbers_that_grow_without_bound(solver):
    x = X * 1e200
    text = refused(MLPRegressor(solver=solver, random_state=0), x, Y)
    assert text.startswith("Solver produced non-finite parameter weights.")
    assert "in epoch 1, batch 1" in text
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        MLPRegressor(solver=solver, random_state=0).partial_fit(x, Y)


def test_the_best_network_is_kept_when_the_loss_grows_without_bound():
    model = MLPRegressor(activation="identity", solver="sgd", learning_rate_init=1, early_stopping=True, random_state=0)
    with pytest.warns(ConvergenceWarning, match="The best network so far is kept"):
        model.fit(X, Y)
    assert np.isfinite(model.predict(X)).all()
    assert len(model.validation_scores_) == len(model.loss_curve_) == model.n_iter_


def test_a_batch_size_larger_than_the_data_is_clipped():
    with pytest.warns(UserWarning, match="Got `batch_size`=500 larger than the 150 samples"):
        MLPClassifier(batch_size=500, max_iter=2).fit(X, Y)


def test_warnings_stand_at_the_users_line():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLPClassifier(max_iter=2, batch_size=500).fit(X, Y)
        MLPClassifier(solver="lbfgs", max_iter=2).fit(X, Y)
    assert [warning.filename for warning in caught] == [__file__] * 3
