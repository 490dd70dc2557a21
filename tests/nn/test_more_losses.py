"""What the losses beyond the basic ones take and refuse, and trainings with several predictions or no target."""

from typing import Any

import numpy as np
import pytest

import maillon
from maillon.check import check_loss
from maillon.nn import LinkDtypeError, LinkShapeError, LinkValueError, Loss, Module
from maillon.random import Generator
from maillon.typing import Array

X = Generator(5).normal((4, 3), dtype=np.float64)
POSITIVE = np.abs(X) + 0.1


class Laplace(Loss):
    """A loss of one's own, of two predictions."""

    predicted = (True, False, True)

    def forward(self, centre: Array, target: Array, scale: Array, sample_weight: Array | None = None) -> Any:  # type: ignore[override]
        return self.reduced((centre, target, scale), sample_weight)

    def elements(self, centre: Array, target: Array, scale: Array) -> tuple[Array, tuple[Any, ...]]:
        error = (centre - target) / scale
        return abs(error) + np.log(2 * scale), (error, scale)

    def elements_backward(self, grad_elements: Array, error: Array, scale: Array) -> tuple[Array, Array]:
        return np.sign(error) / scale * grad_elements, (1 - abs(error)) / scale * grad_elements


class Twice(Module):
    """A network of two outputs: the second positive."""

    def __init__(self) -> None:
        self.first = maillon.Linear(3, 1)
        self.second = maillon.Linear(3, 1)

    def forward(self, x: Array) -> Any:
        second = np.exp(self.second(x))
        return self.keep((self.first(x), second), second)

    def backward(self, grad_output: Any) -> Array:
        (second,) = self.release(grad_output)
        first, other = grad_output
        grad: Array = self.first.backward(first) + self.second.backward(other * second)
        return grad


def test_a_loss_of_ones_own_with_two_predictions() -> None:
    report = check_loss(Laplace(), X, X + 1, POSITIVE)
    assert report.rules == tuple(range(1, 9))
    assert check_loss(Laplace(reduction="sum"), X, X + 1, POSITIVE, np.array([1.0, 0.0, 2.0, 0.5])).worst <= 1e-7
    with pytest.raises(LinkShapeError) as caught:
        Laplace()(X, X, X[:, :1])
    assert str(caught.value) == (
        "Laplace(): expected scale of shape (4, 3), the centre's, got (4, 1). They are compared one by one."
    )


@pytest.mark.parametrize("loss", [Laplace(), maillon.GaussianNLLLoss()], ids=repr)
def test_a_network_of_two_outputs_learns_them_both(loss: Loss) -> None:
    generator = maillon.manual_seed(1)
    x = generator.normal((256, 3), dtype=np.float32)
    noise = generator.normal((256, 1), dtype=np.float32) * np.exp(x[:, :1])
    y = x @ np.array([[1.0], [-2.0], [0.5]], np.float32) + noise
    network = Twice()
    before = maillon.evaluate(network, loss, x, y)["loss"]
    weight = np.ones(256)
    history = maillon.fit(network, loss, x, y, rule=0.02, epochs=60, sample_weight=weight, validation_data=(x, y))
    after = maillon.evaluate(network, loss, x, y)["loss"]
    assert after == pytest.approx(history["val_loss"][-1])
    assert after < before - 0.3
    assert network.second.weight.data[0, 0] > 0.4  # the noise grows with the first input
    mean, spread = maillon.predict(network, x)
    assert maillon.Optim(network, loss, 0.1).step(x, y) == pytest.approx(float(loss(mean, y, spread)), rel=1e-5)


def test_a_network_of_one_output_is_refused_by_a_loss_of_two() -> None:
    with pytest.raises(LinkShapeError) as caught:
        maillon.Optim(maillon.Linear(3, 1), maillon.GaussianNLLLoss(), 0.1).step(X, X[:, :1])
    assert str(caught.value) == (
        "GaussianNLLLoss(): expected a tuple of 2 predictions (prediction, var), got one array. End the network in "
        "them."
    )


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (maillon.HuberLoss("sum", 2), "HuberLoss(reduction='sum', delta=2.0)"),
        (maillon.SmoothL1Loss(beta=0), "SmoothL1Loss(beta=0.0)"),
        (
            maillon.KLDivLoss(reduction="batchmean", log_target=True),
            "KLDivLoss(reduction='batchmean', log_target=True)",
        ),
        (
            maillon.PoissonNLLLoss(False, True, eps=0.1, reduction="none"),
            "PoissonNLLLoss(log_input=False, full=True, eps=0.1, reduction='none')",
        ),
        (
            maillon.GaussianNLLLoss(full=True, eps=0.5, reduction="sum"),
            "GaussianNLLLoss(full=True, eps=0.5, reduction='sum')",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_repr_rebuilds(loss: Loss, shown: str) -> None:
    assert repr(loss) == shown
    assert repr(eval(shown, vars(maillon))) == shown


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: maillon.HuberLoss(delta=0), "HuberLoss: expected delta to be a number > 0, got 0."),
        (lambda: maillon.SmoothL1Loss(beta=-1.0), "SmoothL1Loss: expected beta to be a number ≥ 0, got -1.0."),
        (lambda: maillon.GaussianNLLLoss(eps=0.0), "GaussianNLLLoss: expected eps to be a number > 0, got 0.0."),
        (lambda: maillon.PoissonNLLLoss(eps="a"), "PoissonNLLLoss: expected eps to be a number ≥ 0, got 'a'."),  # type: ignore[arg-type]
        (
            lambda: maillon.KLDivLoss(reduction="average"),
            "KLDivLoss: expected reduction to be 'mean', 'sum', 'none' or 'batchmean', got 'average'.",
        ),
        (
            lambda: maillon.HuberLoss("batchmean"),
            "HuberLoss: expected reduction to be 'mean', 'sum' or 'none', got 'batchmean'.",
        ),
    ],
)
def test_options_that_make_no_sense(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("loss", "inputs", "error", "message"),
    [
        (
            maillon.HuberLoss(),
            (X, X[:, 0]),
            LinkShapeError,
            "HuberLoss(): expected target of shape (4, 3), the prediction's, got (4,). They are compared one by one.",
        ),
        (
            maillon.KLDivLoss(),
            (X, X.astype(np.float32)),
            LinkDtypeError,
            "KLDivLoss(): expected target of dtype float64, got float32. Convert it with target.astype('float64').",
        ),
        (
            maillon.GaussianNLLLoss(),
            (X, X, POSITIVE[:2]),
            LinkShapeError,
            "GaussianNLLLoss(): expected var of shape (4, 3), the prediction's, got (2, 3). Give one variance an "
            "element, or a 1 in place of one dimension.",
        ),
        (
            maillon.GaussianNLLLoss(),
            (X, X, -POSITIVE),
            LinkValueError,
            f"GaussianNLLLoss(): expected var ≥ 0, got {-POSITIVE.max():.6g}. End the network's second output in "
            "Softplus().",
        ),
        (
            maillon.GaussianNLLLoss(),
            (X, X, None),
            LinkDtypeError,
            "GaussianNLLLoss(): expected var to be a NumPy array of dtype float64, got NoneType. Convert it with "
            "numpy.asarray(var, dtype='float64'); fit and predict do so themselves.",
        ),
    ],
)
def test_calls_that_make_no_sense(loss: Loss, inputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        loss(*inputs)
    assert str(caught.value) == message
    assert loss.kept_output is None


def test_a_variance_that_has_collapsed_can_grow_again() -> None:
    loss = maillon.GaussianNLLLoss(eps=0.1)
    assert loss(X, X + 1, np.zeros((4, 3))) == loss(X, X + 1, np.full((4, 3), 0.1))
    assert (loss.backward()[2] < 0).all()
    loss(X, X + 1, 0.1)
    assert loss.backward()[1:] == (None, None)


def test_counts_may_be_integers() -> None:
    loss, counts = maillon.PoissonNLLLoss(), np.array([[0, 1, 2]] * 4)
    assert loss(X, counts) == loss(X, counts.astype(np.float64))
