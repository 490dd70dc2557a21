"""Perceptrons of scikit-learn: the same predictions both ways, and an estimator that lives as a fitted one does."""

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

import maillon
from maillon import Dropout, Flatten, Identity, Linear, LogSoftmax, ReLU, Sequential, Sigmoid, Softmax, Tanh
from maillon.interop.sklearn import from_sklearn, to_sklearn
from maillon.random import Generator, default_generator

pytestmark = pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}")
X = Generator(1).normal((60, 4), dtype=np.float64)
TARGETS = {
    "binary": (X[:, 0] > 0.2).astype(int),
    "binary names": np.where(X[:, 0] > 0.2, "yes", "no"),
    "three classes": np.argmax(X[:, :3], axis=1) * 2 + 1,
    "multi-label": (X[:, :3] > 0.1).astype(int),
    "one number": X[:, 0] - X[:, 1],
    "several numbers": X[:, :2] * X[:, 2:],
}
ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]


def fitted(target: str, activation: str = "tanh", sizes: Any = (5, 3), dtype: str = "float64") -> Any:
    kind = MLPRegressor if "number" in target else MLPClassifier
    options = {"hidden_layer_sizes": sizes, "activation": activation, "max_iter": 15, "random_state": 2}
    estimator = kind(**options, learning_rate_init=0.02)
    return estimator.fit(X.astype(dtype), TARGETS[target])


def expected(estimator: Any, x: Any) -> Any:
    """What the network should give: of two classes the second's probability, of one number a column."""
    if isinstance(estimator, MLPRegressor):
        return estimator.predict(x).reshape(len(x), -1)
    probabilities = estimator.predict_proba(x)
    return probabilities[:, 1:] if len(estimator.classes_) == 2 and probabilities.shape[1] == 2 else probabilities


@pytest.mark.parametrize("sizes", [(5, 3), (4,), ()], ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("target", TARGETS)
def test_there_and_back(target: str, activation: str, sizes: Any) -> None:
    estimator = fitted(target, activation, sizes)
    network = from_sklearn(estimator)
    np.testing.assert_allclose(network(X), expected(estimator, X), rtol=1e-12, atol=1e-12)
    names = list(estimator.classes_) if "names" in target or "three" in target else None
    back = to_sklearn(network, classes=names)
    assert (back.hidden_layer_sizes, type(back)) == (sizes, type(estimator))
    assert back.out_activation_ == estimator.out_activation_
    assert not sizes or back.activation == activation
    np.testing.assert_array_equal(back.predict(X), estimator.predict(X))
    for own, other in zip([*back.coefs_, *back.intercepts_], [*estimator.coefs_, *estimator.intercepts_], strict=True):
        np.testing.assert_array_equal(own, other)
    assert back.score(X, TARGETS[target]) == estimator.score(X, TARGETS[target])
    if isinstance(estimator, MLPClassifier):
        np.testing.assert_array_equal(back.predict_proba(X), estimator.predict_proba(X))
        np.testing.assert_array_equal(back.classes_, estimator.classes_)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_is_kept_and_nothing_is_drawn(dtype: str) -> None:
    before = default_generator().random_raw(1)
    default_generator().manual_seed(0)
    estimator = fitted("three classes", dtype=dtype)
    network = from_sklearn(estimator)
    assert network.dtype == dtype
    assert to_sklearn(network).coefs_[0].dtype == dtype
    np.testing.assert_array_equal(default_generator().random_raw(1), before)
    network[0].weight.data[...] = 0
    assert np.abs(estimator.coefs_[0]).min() > 0


def test_logits_for_a_training_that_goes_on() -> None:
    estimator = fitted("three classes")
    network = from_sklearn(estimator, logits=True)
    assert isinstance(network[-1], Linear)
    labels = np.searchsorted(estimator.classes_, TARGETS["three classes"])
    history = maillon.fit(network, maillon.CrossEntropyLoss(), X, labels, rule=maillon.Adam(lr=0.02), epochs=10)
    assert history["loss"][-1] < history["loss"][0]
    again = to_sklearn(network, classes=[1, 3, 5])
    np.testing.assert_allclose(again.predict_proba(X), Softmax(1)(network(X)), rtol=1e-12, atol=1e-12)


CLASSIFIERS: dict[str, tuple[Any, Any]] = {
    "softmax of two": (lambda: (Linear(4, 2), Softmax(1)), None),
    "softmax of two, names the other way round": (lambda: (Linear(4, 5), ReLU(), Linear(5, 2), Softmax()), ["z", "a"]),
    "softmax of three, names in disorder": (lambda: (Linear(4, 3), Softmax(-1)), ["b", "c", "a"]),
    "log-softmax": (lambda: (Linear(4, 3, bias=False), LogSoftmax(1)), None),
    "sigmoid, names the other way round": (lambda: (Linear(4, 1), Sigmoid()), [5, 2]),
    "logits": (lambda: (Linear(4, 3),), ["a", "b", "c"]),
    "logits of two classes in one number": (lambda: (Linear(4, 1), Identity()), ["a", "b"]),
    "dropout, flatten and chains inside": (
        lambda: (Flatten(), Sequential(Linear(4, 5), Tanh(), Dropout(0.5)), Linear(5, 3), Softmax(1)),
        None,
    ),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_network_as_a_classifier(name: str) -> None:
    make, classes = CLASSIFIERS[name]
    network = Sequential(*make()).to("float64").eval()
    estimator = to_sklearn(network, classes)
    output = network(X)
    if isinstance(network[-1], LogSoftmax):
        output = np.exp(output)
    elif not isinstance(network[-1], Softmax | Sigmoid):
        output = Softmax(1)(output) if output.shape[1] > 1 else Sigmoid()(output)
    if output.shape[1] == 1:
        output = np.hstack([1 - output, output])
    names = np.arange(output.shape[1]) if classes is None else np.array(classes)
    np.testing.assert_allclose(estimator.predict_proba(X), output[:, np.argsort(names)], rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(estimator.predict(X), names[output.argmax(1)])
    assert list(estimator.classes_) == sorted(names)


def test_several_labels_from_logits() -> None:
    network = Sequential(Linear(4, 6), Sigmoid(), Linear(6, 3)).to("float64")
    estimator = to_sklearn(network, multilabel=True)
    np.testing.assert_allclose(estimator.predict_proba(X), Sigmoid()(network(X)), rtol=1e-12)
    np.testing.assert_array_equal(estimator.predict(X), (network(X) > 0).astype(int))


def test_it_lives_as_a_fitted_one() -> None:
    network = Sequential(Linear(4, 6), Tanh(), Linear(6, 2)).to("float64")
    estimator = to_sklearn(network)
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.predict(X), estimator.predict(X))
    np.testing.assert_allclose(estimator.predict(X), network(X), rtol=1e-12)
    fresh = clone(estimator)
    assert (fresh.hidden_layer_sizes, fresh.activation, hasattr(fresh, "coefs_")) == ((6,), "tanh", False)
    with pytest.raises(ValueError, match="4 features"):
        estimator.predict(X[:, :3])
    before = estimator.score(X, TARGETS["several numbers"])
    for _ in range(30):
        estimator.partial_fit(X, TARGETS["several numbers"])
    assert estimator.score(X, TARGETS["several numbers"]) > before
    assert len(estimator.loss_curve_) == 30


REFUSED: dict[str, tuple[Any, str]] = {
    "another link": (
        lambda: Sequential(Linear(2, 3), maillon.GELU(), Linear(3, 1)),
        "to_sklearn: Sequential.1 is GELU(), which scikit-learn's perceptrons do not have there: they are Linears with "
        "Sigmoid, Tanh, ReLU or nothing between them, and Softmax, Sigmoid or nothing at the end.",
    ),
    "one activation too many": (
        lambda: Sequential(Linear(2, 3), Sequential(Tanh(), Tanh()), Linear(3, 1)),
        "to_sklearn: Sequential.1.1 is Tanh(), which scikit-learn's perceptrons do not have there: they are Linears "
        "with Sigmoid, Tanh, ReLU or nothing between them, and Softmax, Sigmoid or nothing at the end.",
    ),
    "an activation at the end": (
        lambda: Sequential(Linear(2, 3), ReLU()),
        "to_sklearn: Sequential.1 is ReLU(), which scikit-learn's perceptrons do not have there: they are Linears with "
        "Sigmoid, Tanh, ReLU or nothing between them, and Softmax, Sigmoid or nothing at the end.",
    ),
    "two activations": (
        lambda: Sequential(Linear(2, 3), Tanh(), Linear(3, 3), ReLU(), Linear(3, 1)),
        "to_sklearn: the activation at Sequential.3 is relu, the first one is tanh: scikit-learn's perceptrons have "
        "the same after each layer.",
    ),
    "none in one place": (
        lambda: Sequential(Linear(2, 3), Tanh(), Linear(3, 3), Linear(3, 1)),
        "to_sklearn: the activation at Sequential.3 is identity, the first one is tanh: scikit-learn's perceptrons "
        "have the same after each layer.",
    ),
    "nothing": (lambda: Sequential(Dropout(0.5)), "to_sklearn: expected at least one Linear, got none."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(NotImplementedError) as caught:
        to_sklearn(make())
    assert str(caught.value) == message


def test_wrong_classes() -> None:
    network = Sequential(Linear(2, 3), Softmax(1))
    for classes in (["a", "b"], [1, 1, 2]):
        with pytest.raises(ValueError, match=r"^to_sklearn: expected 3 different classes, one an output, got \["):
            to_sklearn(network, classes)
    with pytest.raises(ValueError, match=r"^to_sklearn: multilabel=True goes with several outputs that end in Sigmoid"):
        to_sklearn(network, multilabel=True)
    with pytest.raises(
        ValueError, match=r"^to_sklearn: a Sigmoid of several outputs is multi-label. Leave classes out"
    ):
        to_sklearn(Sequential(Linear(2, 3), Sigmoid()), [1, 2, 3])


def test_wrong_estimators() -> None:
    with pytest.raises(TypeError, match=r"^from_sklearn: expected an MLPClassifier or MLPRegressor, got LogisticRegr"):
        from_sklearn(LogisticRegression())
    with pytest.raises(
        ValueError, match=r"^from_sklearn: expected a fitted estimator, got one without coefs_. Call its"
    ):
        from_sklearn(MLPClassifier())
    with pytest.raises(TypeError, match=r"^to_sklearn: expected a maillon.Module, got the class Tanh. Did you mean"):
        to_sklearn(Tanh)  # type: ignore[arg-type]
    estimator = fitted("one number")
    estimator.out_activation_ = "exp"
    with pytest.raises(NotImplementedError, match=r"^from_sklearn: there is no link for the output 'exp'.$"):
        from_sklearn(estimator)
    estimator.activation = "softsign"
    with pytest.raises(NotImplementedError, match=r"^from_sklearn: there is no link for activation='softsign'.$"):
        from_sklearn(estimator)


@pytest.mark.parametrize(
    ("neighbour", "package", "name", "extra"),
    [
        ("sklearn", "sklearn", "scikit-learn", "sklearn"),
        ("pytorch", "torch", "PyTorch", "torch"),
        ("keras", "keras", "Keras", "keras"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(neighbour: str, package: str, name: str, extra: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None; import maillon; room = maillon.interop.{neighbour}\n"
        f"try: room.from_{extra}(3)\nexcept ImportError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == (
        f"maillon.interop.{neighbour} needs {name}, which is not installed. Install the package with its extra: "
        f"maillon[{extra}]."
    )
