"""check_handout: calls that it does not take, and answers that come close to fooling it."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from answers.base import SGD, Linear, LogSoftmax, Module, MSELoss, Optim, ReLU, Sequential, Softmax, Tanh
from answers.table import X

import maillon
from maillon.check import HandoutError, check_handout
from maillon.check.diagnosis.case import same
from maillon.typing import Array


def said(*given: Any, **options: Any) -> str:
    with pytest.raises(HandoutError) as caught:
        check_handout(*given, **options)
    return str(caught.value)


class Locked(Tanh):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


CALLS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a misspelt option": (
        lambda: check_handout(Linear(), langage="fr"),
        TypeError,
        "check_handout: expected no argument 'langage': those by other names are for a function that trains. Take "
        "like, reduction, seed, tolerance or language.",
    ),
    "two inputs of a module": (
        lambda: check_handout(Linear(), X, X),
        TypeError,
        "check_handout: expected one input of a module or network, got 2 arrays.",
    ),
    "targets without predictions": (
        lambda: check_handout(MSELoss(), X),
        TypeError,
        "check_handout: expected y and yhat of a loss, or x and y of an Optim, got 1 array.",
    ),
    "an input that is no array": (
        lambda: check_handout(Linear(), [[1.0], [1.0, 2.0]]),
        TypeError,
        "check_handout: expected inputs that are arrays of numbers, got [[1.0], [1.0, 2.0]].",
    ),
    "no example": (
        lambda: check_handout(Linear(), np.ones((0, 3))),
        ValueError,
        "check_handout: expected inputs with at least one example, got ndarray of shape (0, 3).",
    ),
    "the class of a link": (
        lambda: check_handout(Linear(), like=maillon.Linear),  # type: ignore[arg-type]
        TypeError,
        "check_handout: expected like a link or a loss of maillon, got the class Linear. Did you mean Linear()?",
    ),
    "a loss for a module": (
        lambda: check_handout(Linear(), like=maillon.MSELoss()),
        TypeError,
        "check_handout: expected like a link of maillon, got MSELoss().",
    ),
    "a reduction that there is not": (
        lambda: check_handout(MSELoss(), reduction="max"),
        ValueError,
        "check_handout: expected reduction 'sum', 'mean' or None, got 'max'.",
    ),
    "no tolerance": (
        lambda: check_handout(Linear(), tolerance=0.0),
        ValueError,
        "check_handout: expected tolerance to be a number > 0, got 0.0.",
    ),
    "a negative seed": (
        lambda: check_handout(Linear(), seed=-1),
        ValueError,
        "check_handout: expected seed to be an integer ≥ 0, got -1.",
    ),
}


@pytest.mark.parametrize("call, error, message", CALLS.values(), ids=CALLS.keys())
def test_a_wrong_call_is_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_what_cannot_be_copied_is_refused() -> None:
    with pytest.raises(TypeError) as caught:
        check_handout(Locked())
    assert str(caught.value).startswith(
        "check_handout: it looks at a copy, and this Locked cannot be copied: TypeError: cannot pickle"
    )
    assert str(caught.value).endswith("Give what cannot be a method __deepcopy__.")


def test_an_object_without_forward_is_told_so() -> None:
    assert said([1, 2]).endswith("forward: expected a method, got none.")


def test_an_output_without_numbers_is_refused() -> None:
    class Nothing(Tanh):
        def forward(self, X: Array) -> Any:
            return X[:0]

    assert said(Nothing()).endswith("forward: expected finite values, got none.")


def test_one_example_is_enough() -> None:
    class Plain(Module):
        """A gradient whose name does not say so, and which is delta itself for one example."""

        def __init__(self) -> None:
            self.b, self.sum = np.ones((1, 3)), np.zeros((1, 3))

        def zero_grad(self) -> None:
            self.sum = np.zeros((1, 3))

        def forward(self, X: Array) -> Any:
            return X + self.b

        def backward_update_gradient(self, input: Array, delta: Array) -> None:
            self.sum += delta.sum(axis=0, keepdims=True)

        def backward_delta(self, input: Array, delta: Array) -> Any:
            return delta

        def update_parameters(self, gradient_step: float = 1e-3) -> None:
            self.b -= gradient_step * self.sum

    assert "update_parameters" in check_handout(Plain(), [[1, 2, 3]]).methods


def test_a_list_of_rows_and_a_single_number_are_outputs_too() -> None:
    class Rows(Tanh):
        def forward(self, X: Array) -> Any:
            return np.tanh(X).tolist()

    class Total(Module):
        def forward(self, X: Array) -> Any:
            return np.sum(X)

        def backward_delta(self, input: Array, delta: Array) -> Any:
            return delta * np.ones_like(input)

    assert check_handout(Rows()).worst < 1e-6
    assert check_handout(Total(), X).worst < 1e-6


def test_a_row_of_factors_is_given_as_many_columns() -> None:
    class Scale(Module):
        def __init__(self) -> None:
            self._parameters, self._gradient = np.array([[1.0, 2.0, 3.0]]), np.zeros((1, 3))

        def zero_grad(self) -> None:
            self._gradient = np.zeros((1, 3))

        def forward(self, X: Array) -> Any:
            return X * self._parameters

        def backward_update_gradient(self, input: Array, delta: Array) -> None:
            self._gradient += np.sum(delta * input, axis=0, keepdims=True)

        def backward_delta(self, input: Array, delta: Array) -> Any:
            return delta * self._parameters

        def update_parameters(self, gradient_step: float = 1e-3) -> None:
            self._parameters -= gradient_step * self._gradient

    assert check_handout(Scale()).worst < 1e-6


def test_a_whole_number_is_a_gradient_step() -> None:
    optim = Optim()
    rate = next(name for name, value in vars(optim).items() if isinstance(value, float))
    setattr(optim, rate, 1)
    assert check_handout(optim).methods == ("step",)


def test_an_update_in_the_middle_of_the_backward_pass_is_seen() -> None:
    class Hasty(Linear):
        def backward_update_gradient(self, input: Array, delta: Array) -> None:
            self.update_parameters(0.01)
            super().backward_update_gradient(input, delta)

    class Scaling(Linear):
        def forward(self, X: Array) -> Any:
            self._parameters["weight"] /= np.linalg.norm(self._parameters["weight"])
            return super().forward(X)

    text = "parameter _parameters['weight'] after {}: expected the same values, got other ones. Only update_parameters"
    assert text.format("a second backward pass") in said(Hasty())
    assert text.format("forward") in said(Scaling())
    assert "paramètre _parameters['weight'] après forward" in said(Scaling(), language="fr")


def test_no_slip_is_claimed_of_gradients_that_are_not_known() -> None:
    class Hidden(Linear):
        """Its gradients have names that say nothing, so they are known once they change."""

        def __init__(self, *shape: int) -> None:
            super().__init__(*shape)
            self.sums = self._gradient
            del self._gradient

        def zero_grad(self) -> None:
            for total in self.sums.values():
                total[...] = 0

        def backward_update_gradient(self, input: Array, delta: Array) -> None:
            self.sums["weight"] += input.T @ delta
            self.sums["bias"] += delta.sum(axis=0, keepdims=True)

        def update_parameters(self, gradient_step: float = 1e-3) -> None:
            for name, total in self.sums.items():
                self._parameters[name] -= gradient_step * total

    class Idle:
        """A network that works out the deltas only."""

        def __init__(self) -> None:
            self.modules = [Hidden(3, 3), Tanh(), Hidden(3, 3)]
            self.values: list[Array] = []

        def zero_grad(self) -> None:
            for module in self.modules:
                module.zero_grad()

        def forward(self, X: Array) -> Any:
            self.values = [X]
            for module in self.modules:
                self.values.append(module.forward(self.values[-1]))
            return self.values[-1]

        def backward(self, delta: Array) -> Any:
            for module, value in zip(reversed(self.modules), reversed(self.values[:-1]), strict=True):
                delta = module.backward_delta(value, delta)
            return delta

    message = said(Idle())
    assert "got None" in message
    assert "in place of its input" not in message


def test_a_size_that_two_things_have_is_called_by_both() -> None:
    class Mean(Linear):
        shape = (4, 3)

        def weight_gradient(self, input: Array, delta: Array) -> Any:
            return super().weight_gradient(input, delta) / 3

    square = np.array(maillon.Generator(3).normal((3, 4), dtype=np.float64))
    assert said(Mean(), square).endswith(
        "It is divided by the number of examples in the batch or the number of outputs, 3: a mean in place of a sum."
    )
    assert said(Mean()).endswith("It is divided by the number of outputs, 3: a mean in place of a sum.")


def test_a_constant_input_explains_no_constant_error() -> None:
    class Shifted(Linear):
        def backward_delta(self, input: Array, delta: Array) -> Any:
            return super().backward_delta(input, delta) + 0.5

    assert "is added" not in said(Shifted(), np.ones((5, 3)))


def test_infinities_hide_no_difference() -> None:
    assert not same(np.array([np.inf, 1.0]), np.array([np.inf, 2.0]))
    assert same(np.array([np.inf, 1.0]), np.array([np.inf, 1.0]))
    assert not same(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]))


INPUTS = {
    "whole numbers": np.arange(15).reshape(5, 3) - 7,
    "zeros": np.zeros((5, 3)),
    "ones": np.ones((5, 3)),
    "saturated": 1e3 * X,
    "one example": X[:1],
}


@pytest.mark.parametrize("x", INPUTS.values(), ids=INPUTS.keys())
@pytest.mark.parametrize(
    "module, link",
    [
        (Linear(), maillon.Linear(3, 2)),
        (Tanh(), maillon.Tanh()),
        (Softmax(), maillon.Softmax()),
        (LogSoftmax(), maillon.LogSoftmax()),
    ],
    ids=lambda one: type(one).__name__,
)
def test_right_answers_are_right_at_any_input(module: Module, link: maillon.Module, x: Array) -> None:
    check_handout(module, x, like=link)


def loss(forward: Callable[[Array, Array], Any], backward: Callable[[Array, Array], Any]) -> Any:
    """A loss of two functions of (y, yhat)."""

    class Made:
        def forward(self, y: Array, yhat: Array) -> Any:
            return forward(y, yhat)

        def backward(self, y: Array, yhat: Array) -> Any:
            return backward(y, yhat)

    return Made()


def squares(y: Array, yhat: Array) -> Any:
    return np.sum((yhat - y) ** 2, axis=1)


def logarithm(y: Array, yhat: Array) -> Any:
    return -np.sum(y * np.log(yhat), axis=1)


def binary(y: Array, yhat: Array) -> Any:
    return -np.sum(y * np.log(yhat) + (1 - y) * np.log(1 - yhat), axis=1)


def scores(y: Array, yhat: Array) -> Any:
    return np.log(np.sum(np.exp(yhat), axis=1)) - np.sum(y * yhat, axis=1)


TAKEN: dict[str, tuple[Callable[[Array, Array], Any], str, str]] = {
    "-y": (lambda y, yhat: -y, "the division by yhat is missing", "logarithm"),
    "(yhat - y) yhat (1 - yhat)": (
        lambda y, yhat: (yhat - y) * yhat * (1 - yhat),
        "divide by yhat (1 − yhat) in place of multiplying",
        "binary",
    ),
    "|yhat - y|": (lambda y, yhat: 2 * np.abs(yhat - y), "the sign is lost", "squares"),
    "the value": (lambda y, yhat: (yhat - y) ** 2, "the value, not its derivative", "squares"),
    "2 yhat": (lambda y, yhat: 2 * yhat, "y is not subtracted", "squares"),
    "softmax": (
        lambda y, yhat: np.exp(yhat) / np.sum(np.exp(yhat), axis=1, keepdims=True),
        "y is not subtracted",
        "scores",
    ),
}


@pytest.mark.parametrize("forward", [squares, logarithm, binary, scores], ids=lambda one: one.__name__)
@pytest.mark.parametrize("backward, words, owner", TAKEN.values(), ids=TAKEN.keys())
def test_a_loss_is_told_only_what_is_wrong_with_it(
    forward: Callable[[Array, Array], Any], backward: Callable[[Array, Array], Any], words: str, owner: str
) -> None:
    assert (words in said(loss(forward, backward))) is (forward.__name__ == owner)


def test_a_kink_at_its_output_is_no_fault_of_forward() -> None:
    class Added(ReLU):
        def backward_delta(self, input: Array, delta: Array) -> Any:
            return delta + input

    assert "gradient of the input: expected" in said(Added())


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_examples_that_are_equal_are_no_mistake(batch_size: int) -> None:
    x = np.repeat([[0.0, 1.0, 0.5], [1.0, 0.0, 0.5]], 5, axis=0)
    net = Sequential()
    y = np.linspace(-1, 1, 10 * net.forward(x).shape[1]).reshape(10, -1)
    assert check_handout(SGD, x, y, net=net, loss=MSELoss(), batch_size=batch_size).notes == ()


def test_only_a_last_batch_that_is_missing_is_named() -> None:
    def again(net: Any, loss: Any, datax: Array, datay: Array, batch_size: int, epochs: int, eps: float = 0.05) -> None:
        """The first batch again and again."""
        for _ in range(3 * epochs):
            SGD(net, loss, datax[:batch_size], datay[:batch_size], batch_size, 1, eps)

    net = Sequential()
    x = np.array(maillon.Generator(1).normal((11, 3), dtype=np.float64))
    message = said(again, x, net.forward(x) + 1, net=net, loss=MSELoss())
    assert "the last, smaller batch" not in message
