"""What check_handout says and leaves alone, and what it does not take."""

import re
from typing import Any

import numpy as np
import pytest
from answers.base import SGD, CrossEntropy, Linear, Module, MSELoss, Optim, ReLU, Sequential, Softmax, Tanh
from answers.table import X, normal

import maillon
import maillon.check
from maillon.check import CheckError, HandoutError, check_handout
from maillon.check.handout import storage


def said(*arguments: Any, **options: Any) -> str:
    with pytest.raises(HandoutError) as caught:
        check_handout(*arguments, **options)
    return str(caught.value)


def test_a_report_names_the_methods_that_hold() -> None:
    report = check_handout(Linear())
    assert re.fullmatch(
        r"<Linear: forward, backward_delta, backward_update_gradient, zero_grad, update_parameters right;"
        r" relative error ≤ \d\.\de-\d\d>",
        repr(report),
    )
    assert report.rules == (1, 2, 3, 4, 5, 6)
    assert check_handout(Tanh()).rules == (1, 2, 3)
    assert check_handout(MSELoss()).rules == (1, 2, 7)
    assert check_handout(Optim()).rules == (2, 8)
    assert repr(check_handout(Tanh(), language="fr")).startswith(
        "<Tanh: forward, backward_delta justes; erreur relative ≤ "
    )


def test_an_overflow_is_a_note_where_no_link_is_given() -> None:
    class Naive(Softmax):
        def forward(self, X: Any) -> Any:
            return np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)

    (note,) = check_handout(Naive()).notes
    assert note.startswith("forward is not finite for inputs of 1000: exp overflows")
    assert repr(check_handout(Naive())).endswith(f"; {note}>")


def test_the_whole_message_in_both_languages() -> None:
    class NoSquare(Tanh):
        def backward_delta(self, input: Any, delta: Any) -> Any:
            return delta * (1 - np.tanh(input))

    english, french = said(NoSquare(), X), said(NoSquare(), X, language="fr")
    numbers = re.search(r"expected (\S+) at (\[.*?\]), by finite differences, got (\S+) from .*error (\S+)\)", english)
    assert numbers is not None
    expected, where, got, error = numbers.groups()
    assert english == (
        "rule 3, backward_delta is the gradient with respect to the input: broken by NoSquare.\n"
        f"gradient of the input: expected {expected} at {where}, by finite differences, got {got} from backward_delta"
        f" (relative error {error}). It is delta · (1 − y); delta · (1 − y²) is right."
    )
    assert french == (
        "règle 3, backward_delta est le gradient par rapport à l'entrée : NoSquare ne la respecte pas.\n"
        f"gradient par rapport à l'entrée : attendu {expected} en {where}, par différences finies, obtenu {got} par"
        f" backward_delta (erreur relative {error}). C'est delta · (1 − y) ; il faut delta · (1 − y²)."
    )


def test_what_is_checked_is_left_alone() -> None:
    layer, x = Linear(), X.copy()
    before = {name: value.copy() for name, value in layer._parameters.items()}
    state = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]  # noqa: NPY002
    check_handout(layer, x)
    assert all(np.array_equal(layer._parameters[name], value) for name, value in before.items())
    assert not any(gradient.any() for gradient in layer._gradient.values())
    assert np.array_equal(x, X)
    assert np.array_equal(np.random.get_state()[1], state)  # type: ignore[index]  # noqa: NPY002


def test_an_error_of_the_class_is_shown_with_its_line() -> None:
    class Breaks(Linear):
        def backward_delta(self, input: Any, delta: Any) -> Any:
            return delta @ self._parameters["poids"].T

    assert said(Breaks()) == (
        "rule 3, backward_delta is the gradient with respect to the input: broken by Breaks.\n"
        "backward_delta: expected a result, got KeyError: 'poids' (return delta @ self._parameters[\"poids\"].T)."
    )


def test_what_is_not_written_yet() -> None:
    class Empty(Module):
        def forward(self, X: Any) -> Any:
            raise NotImplementedError

        def backward_delta(self, input: Any, delta: Any) -> Any:
            raise NotImplementedError

    assert said(Empty()).endswith("got NotImplementedError (raise NotImplementedError). forward is not written yet.")
    with pytest.raises(HandoutError) as caught:
        check_handout(Empty())
    assert isinstance(caught.value.__cause__, NotImplementedError)


def test_an_input_that_does_not_fit() -> None:
    class Picky(Tanh):
        def forward(self, X: Any) -> Any:
            assert X.shape == (1, 17), "seventeen"
            return np.tanh(X)

    assert said(Picky()).endswith("Give an input that it takes: check_handout(module, x).")
    assert check_handout(Picky(), np.ones((1, 17))).worst < 1e-9


def test_an_input_on_a_kink_is_moved() -> None:
    assert check_handout(ReLU(), np.array([[0.0, 1.0], [-1.0, 0.0]])).worst < 1e-9

    class Rough(Tanh):
        def forward(self, X: Any) -> Any:
            return sum(0.5**n * np.cos(3**n * 40 * X) for n in range(25))

    assert "a differentiable function near the input, got none" in said(Rough(), X)


def test_infinite_values() -> None:
    class Infinite(Tanh):
        def forward(self, X: Any) -> Any:
            return X / 0.0

    assert "forward: expected finite values, got NaN or infinity." in said(Infinite(), X)


def test_the_reduction_of_values_for_each_example() -> None:
    class Summed(MSELoss):
        def forward(self, y: Any, yhat: Any) -> Any:
            return np.sum((yhat - y) ** 2, axis=1)

        def backward(self, y: Any, yhat: Any) -> Any:
            return 2 * (yhat - y)

    assert check_handout(Summed()).worst < 1e-9
    assert check_handout(Summed(), reduction="sum").worst < 1e-9
    assert "forward is divided by 5, the number of examples" in said(Summed(), reduction="mean")


def test_like_must_be_of_the_kind() -> None:
    with pytest.raises(TypeError, match=r"^check_handout: expected like a loss of maillon, got Tanh\(\)\.$"):
        check_handout(MSELoss(), like=maillon.Tanh())


def test_a_parameter_that_the_link_has_and_the_class_has_not() -> None:
    class Bare(Linear):
        def __init__(self) -> None:
            super().__init__()
            del self._parameters["bias"], self._gradient["bias"]

        def forward(self, X: Any) -> Any:
            return X @ self._parameters["weight"]

        def backward_update_gradient(self, input: Any, delta: Any) -> None:
            self._gradient["weight"] += input.T @ delta

    assert said(Bare(), like=maillon.Linear(3, 2)).endswith(
        "parameters: expected one for each of Linear(3, 2), got _parameters['weight'] (3, 2). There is none for bias."
    )
    assert check_handout(Bare(), like=maillon.Linear(3, 2, bias=False)).worst < 1e-9


def test_labels_and_probabilities_are_found_for_a_loss() -> None:
    class Numbers(CrossEntropy):
        def forward(self, y: Any, yhat: Any) -> Any:
            return -np.log(yhat[np.arange(len(y)), y.ravel()])

        def backward(self, y: Any, yhat: Any) -> Any:
            made = np.zeros_like(yhat)
            made[np.arange(len(y)), y.ravel()] = -1 / yhat[np.arange(len(y)), y.ravel()]
            return made

    assert check_handout(Numbers()).worst < 1e-9
    assert check_handout(Numbers(), np.array([1, 0]), np.array([[0.2, 0.8], [0.5, 0.5]])).worst < 1e-9


def test_an_optim_without_its_parts() -> None:
    class Nothing:
        def __init__(self) -> None:
            self.net = Sequential()

        def step(self, x: Any, y: Any) -> None:
            """Nothing."""

    assert "attributes: expected a loss, got net." in said(Nothing())


def test_a_network_without_a_backward_pass() -> None:
    class Forward:
        def __init__(self) -> None:
            self.modules = [Tanh(), Tanh()]

        def forward(self, X: Any) -> Any:
            return self.modules[1].forward(self.modules[0].forward(X))

    assert "expected a method backward, or backward_delta and backward_update_gradient, got none." in said(Forward(), X)


def test_missing_methods_of_a_module_with_parameters() -> None:
    class Some:
        def __init__(self) -> None:
            self._parameters, self._gradient = normal(3, 2), np.zeros((3, 2))

        def forward(self, X: Any) -> Any:
            return X @ self._parameters

        def backward_update_gradient(self, input: Any, delta: Any) -> None:
            self._gradient += input.T @ delta

        def backward_delta(self, input: Any, delta: Any) -> Any:
            return delta @ self._parameters.T

    assert "zero_grad: expected a method, got none." in said(Some())

    class More(Some):
        def zero_grad(self) -> None:
            self._gradient[:] = 0

    assert "update_parameters: expected a method, got none." in said(More())


def test_arguments_of_sgd_by_name() -> None:
    data = normal(10, 3), normal(10, 2)
    with pytest.raises(
        TypeError, match=r"^check_handout: expected arguments of SGD\(net: Any, .*, got 'network'\. Name"
    ):
        check_handout(SGD, *data, network=Sequential())
    assert "expected net, loss, datax, datay, batch_size, epochs, eps, or the like, got net, loss" in said(SGD, *data)

    def unclear(quoi: Any, x: Any, y: Any) -> None:
        """Takes what nobody knows."""

    assert said(unclear, *data).endswith(
        "Give the others by name: check_handout({name}, x, y, …).".format(
            name="test_arguments_of_sgd_by_name.<locals>.unclear"
        )
    )

    def idle(net: Any, loss: Any, x: Any, y: Any, batch_size: int, epochs: int, eps: float) -> None:
        """Learns nothing."""

    options = {"net": Sequential(), "loss": MSELoss()}
    assert "expected calls of the network and of the loss, got none" in said(idle, *data, **options)

    def breaks(net: Any, loss: Any, x: Any, y: Any, batch_size: int, epochs: int, eps: float) -> None:
        raise ZeroDivisionError("here")

    assert 'expected a result, got ZeroDivisionError: here (raise ZeroDivisionError("here")).' in said(
        breaks, *data, **options
    )


def test_the_notes_of_sgd() -> None:
    def in_order(net: Any, loss: Any, x: Any, y: Any, batch_size: int, epochs: int, eps: float = 0.1) -> None:
        optim = Optim(net, loss, eps)
        for _ in range(epochs):
            for start in range(0, len(x), batch_size):
                optim.step(x[start : start + batch_size], y[start : start + batch_size])

    data = normal(10, 3), normal(10, 2)
    report = check_handout(in_order, *data, net=Sequential(), loss=MSELoss())
    assert report.rules == (2, 9)
    assert repr(report) == "<in_order: in_order right; the examples are not shuffled>"


def test_adam_is_told_from_descent() -> None:
    class Signs(Optim):
        def step(self, batch_x: Any, batch_y: Any) -> None:
            yhat = self.net.forward(batch_x)
            self.net.zero_grad()
            self.net.backward(self.loss.backward(batch_y, yhat))
            for module in self.net.modules:
                for name in module._parameters or {}:
                    module._parameters[name] -= self.eps * np.sign(module._gradient[name])

    assert "That is Adam or another rule, not plain descent." in said(Signs())


def test_a_gradient_that_is_not_there_before_zero_grad() -> None:
    class Late(Linear):
        def __init__(self, *shape: int) -> None:
            super().__init__(*shape)
            del self._gradient

        def zero_grad(self) -> None:
            self._gradient = {name: np.zeros_like(value) for name, value in self._parameters.items()}

    assert check_handout(Late()).worst < 1e-9

    class NoZero(Optim):
        def step(self, batch_x: Any, batch_y: Any) -> None:
            yhat = self.net.forward(batch_x)
            self.net.backward(self.loss.backward(batch_y, yhat))
            self.net.update_parameters(self.eps)

    assert said(NoZero(Sequential(Late(3, 4), Tanh(), Late(4, 2)))).endswith("call zero_grad in step.")


def test_places_of_arrays() -> None:
    class Held:
        def __init__(self) -> None:
            self._parameters = {"W": normal(2, 2)}
            self.pair = (normal(2), [normal(3).astype(np.float32)])
            self.again = self._parameters["W"]

    held = Held()
    places = {str(place): place for place in storage.arrays(held)}
    assert set(places) == {"_parameters['W']", "pair[0]", "pair[1][0]"}
    assert places["_parameters['W']"].stem == "w"
    storage.in_double(held)
    assert held.pair[1][0].dtype == np.float64
    storage.put(held, places["pair[0]"], np.ones(2))
    assert np.array_equal(held.pair[0], np.ones(2))
    assert held.again is held._parameters["W"]
    assert storage.get(held, storage.Place(((".", "none"),))) is None


def test_a_language_that_is_not_there() -> None:
    with pytest.raises(
        ValueError, match=r"^check_handout: expected language 'en' or 'fr', got 'de'\. Take one of those\.$"
    ):
        check_handout(Tanh(), language="de")


def test_a_class_in_the_place_of_its_object() -> None:
    message = r"^check_handout: expected an object, got the class Tanh\. Did you mean Tanh\(\)\?$"
    with pytest.raises(TypeError, match=message):
        check_handout(Tanh)


def test_it_is_a_check_error_with_its_rule() -> None:
    with pytest.raises(CheckError) as caught:
        check_handout(Tanh(), X, tolerance=1e-20)
    assert caught.value.rule == 3
    assert maillon.check.HANDOUT_RULES[3] == "backward_delta is the gradient with respect to the input"
