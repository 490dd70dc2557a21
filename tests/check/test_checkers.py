"""check_gradients, check_module, check_loss on links that are right, and what they leave alone."""

import copy
from typing import Any

import mutants.activations
import mutants.contract
import mutants.linear.linear
import mutants.losses.elements
import mutants.norms.dropout
import numpy as np
import pytest

import maillon
import maillon.check
from maillon.check import CheckError, CheckReport, check_gradients, check_loss, check_module
from maillon.nn import Module, Parameter
from maillon.random import Generator
from maillon.typing import Array

X = Generator(5).normal((4, 3), dtype=np.float64)


class Affine(Module):
    """A user's link without keep and release, its own parameter and a constant."""

    def __init__(self) -> None:
        self.scale = Parameter(np.array([0.5, -1.0, 2.0]))
        self.x: Any = None

    def forward(self, x: Array) -> Array:
        self.x = x
        return self.scale.data * x

    def backward(self, grad_output: Array) -> Array:
        if self.x is None:
            raise RuntimeError("Affine: backward without a forward")
        x, self.x = self.x, None
        self.scale.accumulate((grad_output * x).sum(axis=0))
        return grad_output * self.scale.data


class Cell(Module):
    """Nested inputs and outputs: y, (h, c) from x, (h, c)."""

    def forward(self, x: Array, state: Any = None) -> Any:
        h, c = state if state is not None else (np.zeros_like(x), np.zeros_like(x))
        c = c + x * h
        y = np.tanh(c) + x
        return self.keep((y, (y * h, c)), x, h, y, np.tanh(c), state is None)

    def backward(self, grad_output: Any) -> Any:
        x, h, y, t, absent = self.release(grad_output)
        dy, states = grad_output
        dh, dc = (None, None) if states is None else states
        dy = np.zeros_like(x) if dy is None else dy
        dh_in = np.zeros_like(x)
        if dh is not None:
            dy, dh_in = dy + dh * h, dh * y
        dc = (1 - t * t) * dy + (0 if dc is None else dc)
        return dy + dc * h, None if absent else (dh_in + dc * x, dc)


class Noise(Module):
    """Draws from the generator in force."""

    def forward(self, x: Array) -> Array:
        factor = maillon.random.default_generator().randn(x.shape, x.dtype)
        return self.keep(x * factor, factor)

    def backward(self, grad_output: Array) -> Array:
        (factor,) = self.release(grad_output)
        return grad_output * factor


class Abs(Module):
    def forward(self, x: Array) -> Array:
        return self.keep(np.abs(x), np.sign(x))

    def backward(self, grad_output: Array) -> Array:
        (sign,) = self.release(grad_output)
        return grad_output * sign


class Root(Module):
    """Defined for x ≥ 0 only; raises outside."""

    def forward(self, x: Array) -> Array:
        if (x < 0).any():
            raise ValueError("Root: expected x ≥ 0")
        return self.keep(np.sqrt(x), np.sqrt(x))

    def backward(self, grad_output: Array) -> Array:
        (y,) = self.release(grad_output)
        return grad_output / (2 * y)


class Weierstrass(Module):
    """Continuous, nowhere smooth."""

    def forward(self, x: Array) -> Array:
        waves = sum(0.5**n * np.cos(3**n * 40 * x) for n in range(25))
        return self.keep(waves)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output * 0


def test_a_users_link_without_keep_passes() -> None:
    report = check_module(Affine(), X)
    assert report.rules == (1, 2, 3, 4, 5, 6)
    assert report.worst < 1e-10
    assert report.kinks == 0


def test_nested_inputs_and_outputs() -> None:
    h, c = Generator(6).normal((2, 4, 3), dtype=np.float64)
    assert check_module(Cell(), X, (h, c)).worst < 1e-9
    assert check_module(Cell(), X, None).worst < 1e-9
    assert check_module(mutants.contract.TwoOutputs(), X).worst < 1e-9


def test_nested_gradients_of_another_nesting_break_rule_4() -> None:
    class Flat(Cell):
        def backward(self, grad_output: Any) -> Any:
            dx, (dh, _) = super().backward(grad_output)
            return dx, dh

    with pytest.raises(CheckError, match=r"returned, part 1: expected a tuple of 2, one for each input, got ndarray\."):
        check_module(Flat(), X, (X, X))


def test_integer_inputs_have_no_gradient() -> None:
    assert check_module(mutants.contract.Gather(), X, np.array([1, 1, 3])).rules == (1, 2, 3, 4, 5, 6)
    assert check_module(mutants.contract.Product(), X, X).rules == (1, 2, 3, 4, 5, 6)


def test_links_inside_links_and_shared_parameters() -> None:
    first = maillon.Linear(3, 3)
    network = maillon.Sequential(first, maillon.Tanh(), maillon.Sequential(first.share(), maillon.ReLU()))
    report = check_module(network, X)
    assert report.worst <= 1e-7
    assert repr(report).startswith(
        "<Sequential(Linear(3, 3), Tanh(), Sequential(Linear(3, 3), ReLU())): rules 1–6 hold; relative error ≤ "
    )


def test_frozen_and_unused_parameters() -> None:
    class Idle(Affine):
        def __init__(self) -> None:
            super().__init__()
            self.unused = Parameter(np.ones(2))

    frozen = Affine()
    frozen.scale.requires_grad = False
    assert "scale" not in check_module(frozen, X).worst_at
    check_module(Idle(), X)


def test_batches_of_none_and_numbers_without_dimensions() -> None:
    assert check_module(maillon.Linear(3, 2), np.zeros((0, 3))).worst == 0
    assert check_module(maillon.Identity(), np.array(2.0)).worst < 1e-9
    assert check_gradients(maillon.Tanh(), np.zeros((0, 3))).worst_at == ""


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
def test_values_of_any_size(size: float) -> None:
    target = size * Generator(8).normal((4, 3), dtype=np.float64)
    assert check_loss(maillon.MSELoss(), size * X, target).worst <= 1e-7
    assert check_module(maillon.Linear(3, 3), size * X).worst <= 1e-7
    assert check_module(maillon.Tanh(), size * X).worst <= 1e-7


# Kinks


@pytest.mark.parametrize("link", [maillon.ReLU(), maillon.LeakyReLU(), Abs()], ids=repr)
def test_a_kink_at_exactly_zero_is_stepped_around(link: Module) -> None:
    report = check_module(link, np.array([[0.0, 1.0], [-1.0, 0.0]]))
    assert report.kinks > 0
    assert report.worst <= 1e-7


def test_a_kink_beside_takes_a_smaller_step() -> None:
    beside = check_gradients(maillon.ReLU(), np.array([2e-4, 1.0, -3e-4]))
    assert 0 < beside.kinks <= 3
    assert check_gradients(maillon.ReLU(), np.array([2.0, 1.0, -3.0])).kinks == 0


def test_l1_loss_of_a_perfect_prediction() -> None:
    report = check_loss(maillon.L1Loss(), X, X.copy())
    assert report.kinks > 0
    assert report.worst <= 1e-7
    assert repr(report).endswith(f"; {report.kinks} kinks or sharp bends stepped around>")


def test_a_mistake_is_seen_beside_a_kink() -> None:
    with pytest.raises(CheckError, match="rule 1"):
        check_gradients(mutants.activations.SlopeForgotten(), np.array([[0.0, -1.0], [2.0, 0.0]]))


def test_a_kink_of_the_weights_is_stepped_around() -> None:
    network = maillon.Sequential(maillon.Linear(3, 3), maillon.ReLU())
    network[0].weight.data[...] = 0
    network[0].bias.data[...] = 0
    report = check_module(network, X)
    assert report.kinks > 0
    assert not network[0].weight.data.any()


def test_the_domain_of_a_link_is_respected() -> None:
    report = check_gradients(Root(), np.array([1e-3, 0.5, 3.0]))
    assert report.kinks > 0
    assert report.worst <= 1e-7
    assert check_loss(maillon.BCELoss(), np.array([1e-3, 0.999]), np.array([0.0, 1.0])).worst <= 1e-7


class Log(Module):
    """Gives NaN outside its domain."""

    def forward(self, x: Array) -> Array:
        with np.errstate(invalid="ignore"):
            return self.keep(np.log(x), x)

    def backward(self, grad_output: Array) -> Array:
        (x,) = self.release(grad_output)
        return grad_output / x


class Narrow(Abs):
    """A kink in the middle of a narrow domain."""

    def forward(self, x: Array) -> Array:
        if (np.abs(x) > 4e-3).any():
            raise ValueError("Narrow: expected |x| ≤ 0.004")
        return super().forward(x)


def test_values_at_the_edge_of_the_domain() -> None:
    assert check_module(Log(), np.array([3e-3, 0.5])).worst <= 1e-7
    edge = np.array([[0.9996, 4e-4], [4e-4, 0.9996]])
    assert check_loss(maillon.BCELoss(), edge, np.array([[0.0, 1.0], [0.5, 1.0]])).worst <= 1e-7
    report = check_gradients(Narrow(), np.zeros(2))
    assert report.kinks > 0
    assert report.worst <= 1e-7


def test_wrong_inputs_are_the_callers_own_error() -> None:
    with pytest.raises(ValueError, match="Root: expected x ≥ 0"):
        check_gradients(Root(), np.array([-1.0]))
    with pytest.raises(maillon.nn.LinkShapeError, match=r"expected x of shape \(\*, 3\), got \(4, 2\)"):
        check_module(maillon.Linear(3, 3), X[:, :2])
    with pytest.raises(TypeError, match="takes 2 positional arguments but 3 were given"):
        check_module(maillon.Tanh(), X, X)
    with pytest.raises(TypeError, match=r"check_loss: expected a Loss, got Tanh\(\)\. Use check_module"):
        check_loss(maillon.Tanh(), X)


def test_a_function_without_derivatives_is_given_up() -> None:
    with pytest.raises(CheckError, match="expected a differentiable function near the inputs, got one without"):
        check_gradients(Weierstrass(), X)


def test_values_that_are_not_finite_are_named() -> None:
    with pytest.raises(CheckError, match="output of forward: expected finite values, got NaN or infinity"):
        check_gradients(maillon.Tanh(), np.array([np.nan]))


# Draws


@pytest.mark.parametrize(
    "link",
    [
        Noise(),
        maillon.Dropout(0.5),
        maillon.Dropout(0.5, generator=Generator(2)),
        maillon.Sequential(Noise(), maillon.Dropout(0.5, generator=Generator(2)), Noise()),
    ],
    ids=["default", "dropout", "own generator", "both"],
)
def test_links_that_draw_get_the_same_draws_every_time(link: Module) -> None:
    assert check_module(link, X).worst <= 1e-7


def test_generators_are_left_where_they_were() -> None:
    own = Generator(2)
    default = maillon.random.default_generator()
    states = own.get_state(), default.get_state()
    check_module(maillon.Sequential(maillon.Dropout(0.5, generator=own), Noise()), X)
    with pytest.raises(CheckError):
        check_module(mutants.norms.dropout.MaskRedrawn(), X)
    check_loss(maillon.MSELoss(), X, X + 1)
    assert (own.get_state(), default.get_state()) == states


# What the caller holds


def test_the_link_and_the_inputs_are_left_alone() -> None:
    network = maillon.Sequential(maillon.Linear(3, 2), maillon.Dropout(0.5)).train()
    network[0].weight.grad = np.ones((2, 3), np.float32)
    x = X.astype(np.float32)
    output = network(x)
    before = copy.deepcopy(network.state_dict())
    held = x.copy()
    check_module(network, x)
    assert network.training
    assert network[1].training
    assert network.dtype == np.float32
    assert network[0].weight.grad.tolist() == [[1.0] * 3] * 2
    assert network[0].bias.grad is None
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    np.testing.assert_array_equal(x, held)
    network.backward(np.ones_like(output))  # what it kept is still there


def test_a_failed_check_leaves_everything_alone_too() -> None:
    link, x = mutants.contract.InputChanged(), X.copy()
    with pytest.raises(CheckError):
        check_module(link, x)
    np.testing.assert_array_equal(x, X)
    loss = mutants.losses.elements.TargetChanged()
    with pytest.raises(CheckError):
        check_loss(loss, x, x + 1)
    assert loss.reduction == "mean"


# Losses


def test_a_loss_is_checked_under_all_reductions() -> None:
    loss = maillon.CrossEntropyLoss(weight=[1.0, 2.0, 0.5], label_smoothing=0.1, ignore_index=2)
    labels = np.array([0, 1, 2, 1])
    assert check_loss(loss, X, labels).rules == tuple(range(1, 9))
    assert check_loss(loss, X, labels, np.array([1.0, 0.0, 2.0, 0.5])).worst <= 1e-7
    assert check_module(loss, X, labels) == check_loss(loss, X, labels)


def test_a_mistake_of_another_reduction_is_found() -> None:
    class SumForgotten(maillon.MSELoss):
        def elements_backward(self, grad_elements: Array, error: Array) -> Array:
            return (1 if self.reduction == "sum" else 2) * error * grad_elements

    with pytest.raises(CheckError, match=r"broken by SumForgotten\(reduction='sum'\)") as caught:
        check_loss(SumForgotten(), X, X + 1)
    assert caught.value.rule == 1


def test_check_gradients_alone_names_shapes_too() -> None:
    for mutant, rule, message in [
        (
            mutants.contract.LeftFlat(),
            4,
            r"gradient of input x: expected an array of shape \(2, 3, 2\), got \(2, 6\)\.",
        ),
        (
            mutants.linear.linear.BiasNotSummed(),
            2,
            r"gradient of parameter bias: expected an array of shape \(3,\), got \(4, 3\)\.",
        ),
    ]:
        inputs = np.ones((2, 3, 2)) if rule == 4 else X
        with pytest.raises(CheckError, match=message) as caught:
            check_gradients(mutant, inputs)
        assert caught.value.rule == rule


def test_a_gradient_that_changes_its_shape_is_another_one() -> None:
    class Shrinks(Affine):
        def backward(self, grad_output: Array) -> Array:
            first = self.__dict__.setdefault("seen", 0) == 0
            self.seen += 1
            grad = super().backward(grad_output)
            return grad if first else grad[:1]

    with pytest.raises(CheckError, match="gradient of input x, after an earlier forward and backward"):
        check_module(Shrinks(), X)


# What is said


def test_the_message_verbatim() -> None:
    class WrongSign(maillon.Linear):
        def backward(self, grad_output: Array) -> Array:
            return -super().backward(grad_output)

    with pytest.raises(CheckError) as caught:
        check_module(WrongSign(1, 1), np.ones((1, 1)), seed=4, directions=2, tolerance=1e-6)
    error = caught.value
    assert str(error) == (
        "rule 1, backward is the exact derivative of forward: broken by WrongSign(1, 1).\n"
        f"gradient of input x: expected {error.expected}, got {error.got} (relative error 2.0e+00). "
        "The sign is wrong.\n"
        "Replay: maillon.check.check_module(link, *inputs, seed=4, directions=2, tolerance=1e-06)"
    )
    expected, got = float(str(error.expected).split()[0]), float(str(error.got).split()[0])
    assert expected == pytest.approx(-got, rel=1e-6)
    assert (error.rule, error.what, error.relative_error) == (1, "gradient of input x", pytest.approx(2))
    assert error.link.__class__ is WrongSign


@pytest.mark.parametrize(
    ("mutant", "inputs", "hint"),
    [
        (
            mutants.losses.elements.FactorMissing,
            (X, X + 1),
            "It is 0.5 times what it should be. A factor 2 is missing.",
        ),
        (
            mutants.linear.linear.FactorTwo,
            (X,),
            "It is 2 times what it should be. A factor 2 too much, or added twice.",
        ),
    ],
)
def test_a_constant_factor_is_pointed_out(mutant: type[Module], inputs: Any, hint: str) -> None:
    with pytest.raises(CheckError) as caught:
        check_gradients(mutant(), *inputs)
    assert caught.value.way_out == hint


def test_a_gradient_of_zeros_is_pointed_out() -> None:
    class Nothing(maillon.Tanh):
        def backward(self, grad_output: Array) -> Array:
            return 0 * super().backward(grad_output)

    with pytest.raises(CheckError, match=r"got 0 from backward \(.*\)\. It is zero in every direction"):
        check_gradients(Nothing(), X)


def test_a_gradient_of_nan_is_no_gradient() -> None:
    class NaN(maillon.Tanh):
        def backward(self, grad_output: Array) -> Array:
            return np.nan * super().backward(grad_output)

    with pytest.raises(CheckError, match="got nan from backward"):
        check_gradients(NaN(), X)


@pytest.mark.sweep
@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_the_replay_line_replays(mutant: mutants.Mutant) -> None:
    link, inputs = mutant.make(), mutant.inputs
    with pytest.raises(CheckError) as first:
        check_module(link, *inputs, seed=9, directions=2)
    names = {"maillon": maillon, "link": link, "inputs": inputs}
    with pytest.raises(CheckError) as again:
        eval(first.value.replay, names)
    assert str(again.value) == str(first.value)


def test_names_of_inputs_without_names() -> None:
    class Sum(Module):
        def forward(self, *parts: Array) -> Array:
            return self.keep(sum(parts[1:], parts[0]), len(parts))

        def backward(self, grad_output: Array) -> Any:
            (count,) = self.release(grad_output)
            return (grad_output,) * (count - 1) + (2 * grad_output,)

    with pytest.raises(CheckError, match="gradient of input 1: expected"):
        check_gradients(Sum(), X, X)


def test_reports_join_and_show_what_held() -> None:
    one = CheckReport("Tanh()", (1,), 1e-9, "gradient of input x", 0, 3)
    other = CheckReport("Tanh(copy)", (1, 3), 2e-9, "gradient of input y", 2, 3)
    assert repr(one) == "<Tanh(): rule 1 holds; relative error ≤ 1.0e-09 in the gradient of input x; no kinks>"
    assert repr(one.joined(other)) == (
        "<Tanh(): rules 1, 3 hold; relative error ≤ 2.0e-09 in the gradient of input y; "
        "2 kinks or sharp bends stepped around>"
    )
