"""scikit-learn's multi-layer perceptrons as networks of ours, and the other way."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from maillon import nn, random
from maillon.messages import got
from maillon.nn import Module, Parameter
from maillon.nn.support.errors import shown
from maillon.typing import Array

_ACTIVATIONS: dict[str, type[Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
}
_NO_EFFECT = (nn.Flatten, nn.Dropout)  # on rows of features, and in prediction


def from_sklearn(estimator: Any, logits: bool = False) -> nn.Sequential:
    """The network of a fitted MLPClassifier or MLPRegressor: what it gives is predict_proba, or predict.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        A fitted one, of scikit-learn's or of maillon.sklearn's; its weights are copied. `estimator.classes_` names the
        outputs.
    logits : bool
        Leave out the Softmax or Sigmoid at the end, for CrossEntropyLoss or BCEWithLogitsLoss.

    Returns
    -------
    Sequential
        (N, features) → (N, classes); of two classes (N, 1), the probability of the second; (N, targets) of a regressor.

    Raises
    ------
    ValueError
        When it is not fitted.
    TypeError
        For another estimator.
    NotImplementedError
        For an activation that is none of scikit-learn's four, or another output.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neural_network import MLPRegressor
    >>> from maillon.interop.sklearn import from_sklearn
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> mlp = MLPRegressor(hidden_layer_sizes=(3,), activation="tanh", solver="lbfgs").fit(x, x[:, 0] ** 2)
    >>> network = from_sklearn(mlp)
    >>> network[:2], bool(np.allclose(network(x)[:, 0], mlp.predict(x)))
    (Sequential(
      Linear(1, 3, dtype='float64'),
      Tanh(),
    ), True)
    """
    neural_network = _needed()
    if isinstance(getattr(estimator, "network_", None), nn.Sequential):  # of maillon.sklearn
        whole = copy.deepcopy(estimator.network_)
        return whole[:-1] if logits and isinstance(whole[-1], nn.Softmax | nn.Sigmoid) else whole
    if not isinstance(estimator, neural_network.MLPClassifier | neural_network.MLPRegressor):
        raise TypeError(f"from_sklearn: expected an MLPClassifier or MLPRegressor, {got(estimator)}")
    if not hasattr(estimator, "coefs_"):
        raise ValueError("from_sklearn: expected a fitted estimator, got one without coefs_. Call its fit first.")
    if estimator.activation not in _ACTIVATIONS:
        raise NotImplementedError(f"from_sklearn: there is no link for activation={estimator.activation!r}.")
    ends = {"softmax": nn.Softmax(1), "logistic": nn.Sigmoid(), "identity": None}
    if estimator.out_activation_ not in ends:
        raise NotImplementedError(f"from_sklearn: there is no link for the output {estimator.out_activation_!r}.")
    links: list[Module] = []
    for weight, bias in zip(estimator.coefs_, estimator.intercepts_, strict=True):
        links += [_linear(np.ascontiguousarray(weight.T), bias), _ACTIVATIONS[estimator.activation]()]
    end = ends[estimator.out_activation_]
    return nn.Sequential(*links[:-1], *([] if end is None or logits else [end]))


def _linear(weight: Array, bias: Array) -> nn.Linear:
    with random.using(random.Generator(0)):  # it draws weights, which are not kept
        link = nn.Linear(weight.shape[1], weight.shape[0])
    link.weight, link.bias = Parameter(weight.copy()), Parameter(np.array(bias))
    return link


def to_sklearn(network: Module, classes: Sequence[Any] | None = None, multilabel: bool = False) -> Any:
    """A fitted estimator of scikit-learn that predicts what the network does in evaluation mode.

    It is an MLPClassifier where the network ends in Softmax, LogSoftmax or Sigmoid, or where `classes` or `multilabel`
    say that it ends in logits, else an MLPRegressor. `predict`, `predict_proba`, `score`, `partial_fit` and pickling
    work as after `fit`; `sklearn.base.clone` makes one that is not fitted, of the same sizes.

    Parameters
    ----------
    network : Module
        A Linear, or a chain of them with the same activation after each but the last: none (or Identity), Sigmoid, Tanh
        or ReLU. Dropout and Flatten are left out.
    classes : sequence, optional
        What the outputs mean, in their order; by default 0, 1, …
    multilabel : bool
        Each output is a label of its own that may be there or not.

    Returns
    -------
    MLPClassifier or MLPRegressor
        Two classes have one output there: of a Softmax over two the difference is taken.

    Raises
    ------
    NotImplementedError
        Naming the link that scikit-learn's perceptrons do not have.
    ValueError
        When `classes` are not as many as the outputs, or one of them twice.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> from maillon.interop.sklearn import to_sklearn
    >>> network = maillon.Sequential(maillon.Linear(2, 8), maillon.Tanh(), maillon.Linear(8, 3), maillon.Softmax(1))
    >>> mlp = to_sklearn(network, classes=["a", "b", "c"])
    >>> mlp.hidden_layer_sizes, bool(mlp.predict(np.ones((1, 2), np.float32))[0] in mlp.classes_)
    ((8,), True)
    """
    neural_network = _needed()
    if not isinstance(network, Module):
        raise TypeError(f"to_sklearn: expected a maillon.Module, {got(network)}")
    layers, activation, end = _read(network)
    outputs = layers[-1].out_features
    sizes = tuple(layer.out_features for layer in layers[:-1])
    weights = [(layer.weight.data.T, np.zeros(layer.out_features) if layer.bias is None else layer.bias.data)
               for layer in layers]  # fmt: skip
    x = np.zeros((2, layers[0].in_features), network.dtype)
    multilabel = _is_multilabel(multilabel, end, outputs, classes)
    if end is None and classes is None and not multilabel:
        estimator = neural_network.MLPRegressor(hidden_layer_sizes=sizes, activation=activation)
        return _fitted(estimator, weights, x, np.zeros((2, outputs) if outputs > 1 else 2))
    estimator = neural_network.MLPClassifier(hidden_layer_sizes=sizes, activation=activation)
    if multilabel:
        return _fitted(estimator, weights, x, np.repeat([[0], [1]], outputs, axis=1), np.arange(outputs))
    if isinstance(end, nn.Sigmoid) and outputs > 1:
        raise ValueError("to_sklearn: a Sigmoid of several outputs is multi-label. Leave classes out, or use Softmax.")
    names = _checked_classes(classes, max(outputs, 2))
    weights[-1] = _of_classes(*weights[-1], np.argsort(names))
    return _fitted(estimator, weights, x, names[:2], names)


def _needed() -> Any:
    """scikit-learn's perceptrons; ImportError that says how to get them."""
    try:
        from sklearn import neural_network
    except ImportError as error:
        raise ImportError(
            "maillon.interop.sklearn needs scikit-learn, which is not installed. Install the package with its extra: "
            "maillon[sklearn]."
        ) from error
    return neural_network


def _chain(link: Module, where: str) -> Iterator[tuple[str, Module]]:
    """The links of a chain and of the chains inside, with their places."""
    if isinstance(link, nn.Sequential):
        for name, child in link.named_children():
            yield from _chain(child, f"{where}.{name}")
    else:
        yield where, link


def _read(network: Module) -> tuple[list[nn.Linear], str, Module | None]:
    """The Linears, the activation between them, and the link that makes probabilities at the end, if any."""
    links = [(where, link) for where, link in _chain(network, type(network).__name__)
             if not isinstance(link, _NO_EFFECT)]  # fmt: skip
    names = {kind: name for name, kind in _ACTIVATIONS.items()}
    layers: list[nn.Linear] = []
    between: list[tuple[str, str]] = []
    end: Module | None = None
    for place, (where, link) in enumerate(links):
        last = place == len(links) - 1
        if isinstance(link, nn.Linear):
            if len(layers) > len(between):
                between.append(("identity", where))
            layers.append(link)
        elif last and layers and _makes_probabilities(link):
            end = link
        elif type(link) in names and len(layers) == len(between) + 1 and not (last and type(link) is not nn.Identity):
            between += [(names[type(link)], where)] * (not last)
        else:
            raise NotImplementedError(
                f"to_sklearn: {where} is {shown(link)}, which scikit-learn's perceptrons do not have there: they are "
                "Linears with Sigmoid, Tanh, ReLU or nothing between them, and Softmax, Sigmoid or nothing at the end."
            )
    if not layers:
        raise NotImplementedError("to_sklearn: expected at least one Linear, got none.")
    for name, where in between:
        if name != between[0][0]:
            raise NotImplementedError(
                f"to_sklearn: the activation at {where} is {name}, the first one is {between[0][0]}: scikit-learn's "
                "perceptrons have the same after each layer."
            )
    return layers, between[0][0] if between else "relu", end


def _makes_probabilities(link: Module) -> bool:
    """Whether it makes probabilities of each row of scores, or their logarithms."""
    return isinstance(link, nn.Sigmoid) or (isinstance(link, nn.Softmax | nn.LogSoftmax) and link.dim in (None, 1, -1))


def _is_multilabel(asked: bool, end: Module | None, outputs: int, classes: Any) -> bool:
    """Whether each output is a label of its own."""
    if asked and (outputs < 2 or classes is not None or not isinstance(end, nn.Sigmoid | None)):
        raise ValueError(
            "to_sklearn: multilabel=True goes with several outputs that end in Sigmoid or logits, and without classes."
        )
    return asked or (isinstance(end, nn.Sigmoid) and outputs > 1 and classes is None)


def _checked_classes(classes: Sequence[Any] | None, count: int) -> Array:
    names = np.arange(count) if classes is None else np.asarray(classes)
    if names.shape != (count,) or len(np.unique(names)) != count:
        raise ValueError(f"to_sklearn: expected {count} different classes, one an output, got {names.tolist()}.")
    return names


def _of_classes(weight: Array, bias: Array, order: Array) -> tuple[Array, Array]:
    """The last layer for classes in scikit-learn's order, which is sorted; of two classes there is one output."""
    if weight.shape[1] == 1:
        return (weight, bias) if order[0] == 0 else (-weight, -bias)
    weight, bias = weight[:, order], bias[order]
    return (weight[:, 1:] - weight[:, :1], bias[1:] - bias[:1]) if len(order) == 2 else (weight, bias)


def _fitted(estimator: Any, weights: list[tuple[Array, Array]], x: Array, y: Array, classes: Any = None) -> Any:
    """The estimator as fit leaves it, with these weights: a step on nothing makes all else that it has."""
    with np.errstate(all="ignore"):
        estimator.partial_fit(x, y, **({} if classes is None else {"classes": classes}))
    for own, bias, (weight, given) in zip(estimator.coefs_, estimator.intercepts_, weights, strict=True):
        own[...], bias[...] = weight, given
    estimator.loss_curve_, estimator.loss_, estimator.best_loss_ = [], np.nan, np.inf
    estimator.t_ = estimator.n_iter_ = 0
    vars(estimator).pop("_optimizer", None)  # a training that goes on begins with a new one
    return estimator
