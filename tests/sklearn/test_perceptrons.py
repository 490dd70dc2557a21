"""The perceptrons beside scikit-learn's, and what they can do beyond."""

import copy
import pickle
import signal
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import neural_network as scikit
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import r2_score

import maillon as m
from maillon.sklearn import MLPClassifier, MLPRegressor, inputs, tasks

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIGITS = load_digits(return_X_y=True)
DIGITS = (DIGITS[0][:600] / 16, DIGITS[1][:600])
IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
DIABETES = (DIABETES[0][:400] * 20, (DIABETES[1][:400] - 150) / 80)
TWO = (DIABETES[0], np.stack([DIABETES[1], DIABETES[1] ** 2], axis=1))
COUNTS = (DIABETES[0], np.round(np.exp(DIABETES[1])))
LABELS = make_multilabel_classification(200, random_state=0)


def weights(estimator):
    return [*estimator.coefs_, *estimator.intercepts_]


def apart(ours, theirs):
    return max(float(abs(one - other).max()) for one, other in zip(weights(ours), weights(theirs), strict=True))


# Beside scikit-learn


@pytest.mark.parametrize(
    ("name", "data", "options"),
    [
        ("MLPClassifier", DIGITS, {}),
        ("MLPClassifier", DIGITS, {"activation": "logistic", "alpha": 0.1, "nesterovs_momentum": False}),
        ("MLPClassifier", DIGITS, {"learning_rate": "invscaling", "learning_rate_init": 0.5}),
        ("MLPClassifier", DIGITS, {"learning_rate": "adaptive", "learning_rate_init": 0.1, "tol": 0.02,
                                   "n_iter_no_change": 2}),
        ("MLPClassifier", DIGITS, {"early_stopping": True, "learning_rate_init": 0.1, "tol": 0.01, "alpha": 0}),
        ("MLPClassifier", DIGITS, {"shuffle": False, "momentum": 0.0, "batch_size": 50}),
        ("MLPClassifier", (IRIS[0], IRIS[1] > 0), {"activation": "relu", "learning_rate_init": 0.01}),
        ("MLPClassifier", LABELS, {"learning_rate_init": 0.01}),
        ("MLPRegressor", DIABETES, {"hidden_layer_sizes": (8, 4)}),
        ("MLPRegressor", TWO, {"activation": "identity"}),
        ("MLPRegressor", COUNTS, {"loss": "poisson"}),
        ("MLPRegressor", DIABETES, {"early_stopping": True, "validation_fraction": 0.5}),
        ("MLPRegressor", DIABETES, {"hidden_layer_sizes": ()}),
    ],
)  # fmt: skip
def test_sgd_ends_with_scikit_learns_weights(name, data, options):
    options = {"activation": "tanh", "solver": "sgd", "max_iter": 40, "random_state": 3, **options}
    theirs = getattr(scikit, name)(**options).fit(*data)
    ours = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name](**options).fit(*data)
    assert ours.history_.engine == "native"
    assert apart(ours, theirs) < 1e-12
    assert (ours.n_iter_, ours.t_, ours.n_layers_, ours.n_outputs_, ours.out_activation_) == (
        theirs.n_iter_, theirs.t_, theirs.n_layers_, theirs.n_outputs_, theirs.out_activation_,
    )  # fmt: skip
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=2e-4)
    if options.get("early_stopping"):
        np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_)
        assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_)
        assert len(ours.validation_loss_curve_) == ours.n_iter_
    np.testing.assert_allclose(ours.predict(data[0]), theirs.predict(data[0]), rtol=1e-9)
    assert ours.score(*data) == pytest.approx(theirs.score(*data))
    if name == "MLPClassifier":
        np.testing.assert_allclose(ours.predict_proba(data[0]), theirs.predict_proba(data[0]), rtol=1e-9)
        np.testing.assert_allclose(ours.predict_log_proba(data[0]), theirs.predict_log_proba(data[0]), rtol=1e-8)


def test_adam_differs_from_scikit_learns_by_its_epsilon_alone():
    options = {"activation": "tanh", "max_iter": 20, "random_state": 0, "epsilon": 1e-14, "alpha": 0.0}
    data = (DIABETES[0][:, [0, 2, 3]], DIABETES[1])
    theirs = scikit.MLPRegressor(**options).fit(*data)
    assert apart(MLPRegressor(**options).fit(*data), theirs) < 1e-9


@pytest.mark.parametrize(
    ("name", "data", "loss"),
    [
        ("MLPClassifier", DIGITS, None),
        ("MLPClassifier", (IRIS[0], IRIS[1] > 0), None),
        ("MLPRegressor", COUNTS, "poisson"),
    ],
)
def test_lbfgs_takes_scikit_learns_steps(name, data, loss):
    options = {"solver": "lbfgs", "activation": "tanh", "random_state": 1, "alpha": 0.5, "max_iter": 15}
    options |= {} if loss is None else {"loss": loss}
    theirs = getattr(scikit, name)(**options).fit(*data)
    ours = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name](**options).fit(*data)
    assert apart(ours, theirs) < 1e-6
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.loss_ == pytest.approx(theirs.loss_)


def test_lbfgs_computes_float32_in_float64():
    x, options = DIABETES[0].astype(np.float32), {"solver": "lbfgs", "activation": "tanh", "max_iter": 10}
    model = MLPRegressor(random_state=0, **options).fit(x, DIABETES[1])
    wide = MLPRegressor(random_state=0, **options).fit(x.astype(np.float64), DIABETES[1])
    assert model.coefs_[0].dtype == model.predict(x).dtype == np.float32
    np.testing.assert_allclose(model.predict(x), wide.predict(x), atol=1e-4)


def test_lbfgs_minimises_the_sum_over_several_columns():
    separate = [
        MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=1, tol=1e-9, random_state=0).fit(TWO[0], TWO[1][:, i])
        for i in range(2)
    ]
    both = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=1, tol=1e-9, random_state=0).fit(*TWO)
    for i, one in enumerate(separate):
        np.testing.assert_allclose(both.coefs_[0][:, i], one.coefs_[0][:, 0], atol=1e-3)


def test_partial_fit_goes_through_what_fit_goes_through():
    options = {"solver": "sgd", "activation": "tanh", "shuffle": False, "learning_rate_init": 0.05}
    whole = MLPClassifier(max_iter=5, random_state=0, **options).fit(*DIGITS)
    steps = MLPClassifier(random_state=0, **options)
    theirs = scikit.MLPClassifier(random_state=0, **options)
    for _ in range(5):
        steps.partial_fit(*DIGITS, classes=np.arange(10))
        theirs.partial_fit(*DIGITS, classes=np.arange(10))
    assert apart(steps, whole) < 1e-12
    assert apart(steps, theirs) < 1e-12
    assert steps.t_ == theirs.t_ == 3000
    np.testing.assert_allclose(steps.loss_curve_, theirs.loss_curve_, rtol=1e-4)


def test_a_fit_goes_on_where_the_last_one_ended():
    options = {"solver": "sgd", "warm_start": True, "max_iter": 3, "random_state": 0, "activation": "tanh"}
    ours, theirs = MLPClassifier(**options), scikit.MLPClassifier(**options)
    for _ in range(3):
        ours.fit(*DIGITS)
        theirs.fit(*DIGITS)
    assert apart(ours, theirs) < 1e-12
    assert len(ours.loss_curve_) == 9


def test_weights_of_samples_are_those_of_repeated_samples():
    x, y = DIABETES[0][:60], DIABETES[1][:60]
    counts = np.random.RandomState(0).randint(0, 4, 60)
    options = {"solver": "sgd", "random_state": 0, "max_iter": 30, "activation": "tanh", "alpha": 0.3}
    weighted = MLPRegressor(**options).fit(x, y, sample_weight=counts)
    repeated = MLPRegressor(**options).fit(np.repeat(x, counts, axis=0), np.repeat(y, counts))
    assert apart(weighted, repeated) < 1e-12
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-3)


# Beyond


@pytest.mark.parametrize("activation", ["gelu", "SELU", m.Mish, m.LeakyReLU(0.2), m.PReLU, ["relu", m.SiLU()]])
def test_an_activation_is_a_name_a_class_an_instance_or_one_a_layer(activation):
    model = MLPClassifier((12, 12), activation=activation, max_iter=30, learning_rate_init=0.02, random_state=0)
    model.fit(*DIGITS)
    assert model.score(*DIGITS) > 0.9
    assert model.history_.engine == "native"
    assert len({id(link) for link in model.network_.modules()}) == len(list(model.network_.modules()))


@pytest.mark.parametrize("norm", ["batch", "layer"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_norms_residuals_and_dropout_stand_in_the_network(norm, solver):
    dropout = 0.2 if solver == "adam" else 0.0
    model = MLPClassifier(
        (16, 16), solver=solver, norm=norm, residual=True, dropout=dropout, max_iter=40, learning_rate_init=0.02,
        random_state=0,
    )  # fmt: skip
    model.fit(*DIGITS)
    kinds = [type(link).__name__ for link in model.network_.modules()]
    assert kinds.count({"batch": "BatchNorm1d", "layer": "LayerNorm"}[norm]) == 2
    assert kinds.count("Residual") == 1  # 64 → 16 has none
    assert kinds.count("Dropout") == (2 if dropout else 0)
    assert model.score(*DIGITS) > 0.9
    assert model.transform(DIGITS[0]).shape == (600, 16)


def test_a_last_mini_batch_of_one_sample_is_left_out_for_batch_norm():
    x, y = DIGITS[0][:101], DIGITS[1][:101]
    model = MLPClassifier((8,), norm="batch", batch_size=50, max_iter=5, random_state=0).fit(x, y)
    assert model.history_.steps == 10
    model.partial_fit(x, y)
    assert np.isfinite(model.predict_proba(x)).all()


@pytest.mark.parametrize("loss", [m.HuberLoss(delta=0.5), m.L1Loss, m.SmoothL1Loss()])
def test_a_regressor_takes_any_loss_of_numbers(loss):
    model = MLPRegressor(loss=loss, learning_rate_init=0.02, random_state=0).fit(*DIABETES)
    assert model.score(*DIABETES) > 0.5
    assert model.history_.engine == "native"


class Cubed(m.Loss):
    """|ŷ − y|³, a loss of one's own."""

    def elements(self, prediction, target):
        error = prediction - target
        return np.abs(error) ** 3, (error,)

    def elements_backward(self, grad_elements, error):
        return 3 * error * np.abs(error) * grad_elements


@pytest.mark.filterwarnings("ignore:fit runs .*in NumPy")
def test_a_loss_of_ones_own_runs_in_numpy_among_the_core():
    model = MLPRegressor(loss=Cubed, learning_rate_init=0.01, random_state=0, max_iter=100).fit(*DIABETES)
    assert model.history_.engine == "native, with NumPy for: Cubed"
    assert model.score(*DIABETES) > 0.4


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("loss", [m.CrossEntropyLoss(label_smoothing=0.1), m.MultiMarginLoss(), m.BCEWithLogitsLoss])
def test_a_classifier_takes_losses_of_labels_and_of_outputs(loss, classes):
    x, y = IRIS[0][: 50 * classes], np.array(["b", "a", "c"])[IRIS[1][: 50 * classes]]
    model = MLPClassifier((8,), loss=loss, learning_rate_init=0.05, random_state=0).fit(x, y)
    assert model.score(x, y) > 0.9
    assert model.predict_proba(x).shape == (len(x), classes)
    assert list(model.classes_) == ["a", "b", "c"][:classes]


def test_weights_of_classes_are_those_of_samples():
    x, y = IRIS[0], np.where(IRIS[1] == 0, "rare", "common")
    options = {"solver": "lbfgs", "random_state": 0, "max_iter": 20, "alpha": 0}
    balanced = MLPClassifier(class_weight="balanced", **options).fit(x, y)
    weighted = MLPClassifier(**options).fit(x, y, sample_weight=np.where(y == "rare", 1.5, 0.75))
    given = MLPClassifier(class_weight={"rare": 2, "common": 1}, **options).fit(x, y)
    assert apart(balanced, weighted) < 1e-9
    assert apart(balanced, given) < 1e-9


def test_a_recipe_of_a_rule_is_a_solver():
    model = MLPClassifier((16,), solver=m.AdamW(lr=0.02, weight_decay=0.01), max_iter=40, random_state=0).fit(*DIGITS)
    assert model.score(*DIGITS) > 0.95
    assert model.history_["lr"][0] == 0.02
    model.partial_fit(*DIGITS)
    assert model.solver.bound is False


def test_a_schedule_and_callbacks_are_those_of_fit():
    seen = []
    model = MLPClassifier(
        (8,), schedule=lambda epoch: 0.5**epoch, callbacks=[lambda state: seen.append(state.epoch)], max_iter=4
    ).fit(*DIGITS)
    assert seen == [1, 2, 3, 4]
    assert model.history_["lr"] == [0.001, 0.0005, 0.00025, 0.000125]
    watching = m.EarlyStopping(patience=2, restore_best=False)
    model = MLPClassifier((8,), early_stopping=True, callbacks=watching, n_iter_no_change=1000, max_iter=2000,
                          learning_rate_init=0.1, random_state=0)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)  # the callback has ended it: nothing to warn of
        model.fit(*DIGITS)
    assert model.history_.stopped_early and model.n_iter_ < 2000
    assert model.validation_loss_curve_ == pytest.approx(model.history_["val_loss"])


def test_the_history_has_the_rates_of_scikit_learns_schedules():
    model = MLPClassifier(solver="sgd", learning_rate="invscaling", power_t=0.25, max_iter=3, random_state=0)
    model.fit(*DIGITS)
    assert model.history_["lr"] == [0.001, 0.001 / 601**0.25, 0.001 / 1201**0.25]
    model = MLPClassifier(solver="sgd", learning_rate="adaptive", tol=0.5, max_iter=3000, random_state=0)
    model.fit([[3, 2], [1, 6]], [1, 0])
    assert 1e-6 / 5 < model.history_["lr"][-1] <= 1e-6


def test_features_of_the_last_hidden_layer():
    model = MLPClassifier((12, 6), activation="tanh", max_iter=5, random_state=0).fit(*DIGITS)
    hidden = np.tanh(DIGITS[0] @ model.coefs_[0] + model.intercepts_[0])
    hidden = np.tanh(hidden @ model.coefs_[1] + model.intercepts_[1])
    np.testing.assert_allclose(model.transform(DIGITS[0]), hidden)
    assert list(model.get_feature_names_out()) == [f"mlpclassifier{i}" for i in range(6)]


@pytest.mark.parametrize("n_jobs", [1, 2, -1])
def test_threads_change_no_bit_and_are_put_back(n_jobs):
    before = m.get_num_threads()
    one = MLPClassifier((64,), max_iter=3, random_state=0).fit(*DIGITS)
    other = MLPClassifier((64,), max_iter=3, random_state=0, n_jobs=n_jobs).fit(*DIGITS)
    assert apart(one, other) == 0
    assert m.get_num_threads() == before


def test_the_network_is_the_librarys(tmp_path):
    model = MLPClassifier((8,), max_iter=5, random_state=0).fit(*DIGITS)
    np.testing.assert_allclose(m.predict(model.network_, DIGITS[0]), model.predict_proba(DIGITS[0]))
    assert "Softmax" in str(m.summary(model.network_, (1, 64)))
    m.save(model.network_, tmp_path / "network")
    np.testing.assert_array_equal(m.load(tmp_path / "network")(DIGITS[0]), model.network_.eval()(DIGITS[0]))


def test_weights_that_are_set_are_the_networks():
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, random_state=0).fit(*DIABETES)
    model.coefs_[0][...] = 0
    model.intercepts_ = [np.zeros(4), np.array([7.0])]
    np.testing.assert_array_equal(model.predict(DIABETES[0][:3]), [7, 7, 7])
    model.coefs_[1] = np.zeros((3, 1))
    with pytest.raises(ValueError, match=r"expected coefs_ and intercepts_ of shapes .*, got "):
        model.predict(DIABETES[0])


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_predict_and_go_on(copied):
    model = MLPClassifier((8,), max_iter=5, random_state=0).fit(*DIGITS)
    model.partial_fit(*DIGITS)
    again = copied(model)
    np.testing.assert_array_equal(again.predict_proba(DIGITS[0]), model.predict_proba(DIGITS[0]))
    assert again.coefs_[0].base is again.network_[0].weight.data
    if copied is not copy.copy:
        again.partial_fit(*DIGITS)
        assert apart(model, again) > 0
        assert apart(model.partial_fit(*DIGITS), again) == 0


def test_what_is_drawn_is_drawn_from_the_random_state_alone():
    options = {"hidden_layer_sizes": (16,), "dropout": 0.5, "max_iter": 3}
    m.manual_seed(0)
    words = m.random.default_generator().get_state()
    first = MLPClassifier(random_state=1, **options).fit(*DIGITS)
    m.manual_seed(5)
    assert apart(MLPClassifier(random_state=1, **options).fit(*DIGITS), first) == 0
    assert apart(MLPClassifier(random_state=2, **options).fit(*DIGITS), first) > 0
    m.manual_seed(0)
    MLPClassifier(random_state=1, **options).fit(*DIGITS)
    assert m.random.default_generator().get_state() == words


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_a_sparse_matrix_is_as_good_as_a_dense_one(kind):
    x, y = kind(DIGITS[0]), DIGITS[1]
    for options in ({}, {"solver": "lbfgs"}, {"early_stopping": True}):
        model = MLPClassifier((8,), max_iter=5, random_state=0, **options).fit(x, y)
        assert apart(model, MLPClassifier((8,), max_iter=5, random_state=0, **options).fit(*DIGITS)) < 1e-12
        np.testing.assert_array_equal(model.predict(x), model.predict(DIGITS[0]))
    model.set_params(early_stopping=False).partial_fit(x, y)


@pytest.mark.filterwarnings("ignore:fit runs .*in NumPy")
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"norm": "batch", "batch_size": 599}])
def test_a_large_sparse_matrix_is_made_dense_by_mini_batches(monkeypatch, options):
    expected = MLPClassifier((8,), max_iter=5, random_state=0, **options).fit(*DIGITS)
    monkeypatch.setattr(inputs, "DENSE_BYTES", 1000)
    model = MLPClassifier((8,), max_iter=5, random_state=0, **options).fit(sparse.csr_array(DIGITS[0]), DIGITS[1])
    assert model.history_.engine == "numpy"
    assert apart(model, expected) < 1e-9


def test_what_is_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        MLPClassifier().predict(DIGITS[0])
    with pytest.raises(NotFittedError):
        MLPRegressor().transform(DIGITS[0])


@pytest.mark.parametrize("weight", [None, np.linspace(0.1, 2, 400)])
def test_the_score_of_an_epoch_is_scikit_learns(weight):
    numbers = np.random.RandomState(0)
    y = np.column_stack([numbers.normal(size=(400, 2)), np.full(400, 3.0), np.zeros(400)])
    outputs = y + np.column_stack([numbers.normal(size=(400, 3)), np.zeros(400)])
    for kind, over_columns in ((tasks.Task, "uniform_average"), (tasks.Reconstruction, "variance_weighted")):
        task = tasks.regression(m.L1Loss, 4, kind)
        expected = r2_score(y, outputs, sample_weight=weight, multioutput=over_columns)
        assert task.score(outputs, y, weight) == pytest.approx(expected)
    assert np.isnan(tasks.regression(m.L1Loss, 4).score(np.full((400, 4), np.inf), y, weight))


def test_ctrl_c_keeps_what_is_learnt(capsys):
    def press(state):
        if state.epoch == 3:
            signal.raise_signal(signal.SIGINT)

    model = MLPClassifier((8,), callbacks=press, random_state=0)
    with pytest.warns(UserWarning, match=r"Training interrupted by user\."):
        model.fit(*DIGITS)
    assert model.n_iter_ == 3 and len(model.loss_curve_) == 3
    assert model.predict(DIGITS[0]).shape == (600,)
    assert "epoch" in capsys.readouterr().err


def test_verbose_prints_what_scikit_learn_prints(capsys):
    options = {"solver": "sgd", "activation": "tanh", "max_iter": 8, "random_state": 0, "verbose": True, "alpha": 0}
    options |= {"learning_rate": "adaptive", "tol": 10, "n_iter_no_change": 1, "early_stopping": True}
    printed = []
    for kind in (MLPClassifier, scikit.MLPClassifier):
        kind(**options).fit(*DIGITS)
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "Setting learning rate to" in printed[0] and "Validation score:" in printed[0]


def test_lbfgs_leaves_batch_norms_with_the_statistics_of_all_samples():
    model = MLPRegressor(hidden_layer_sizes=(6,), solver="lbfgs", norm="batch", max_iter=30, random_state=0)
    model.fit(*DIABETES)
    first, norm = model.network_[0], model.network_[1]
    np.testing.assert_allclose(norm.running_mean, first(DIABETES[0]).mean(axis=0))
    np.testing.assert_allclose(norm.running_var, first(DIABETES[0]).var(axis=0, ddof=1))
    assert norm.momentum == 0.1
