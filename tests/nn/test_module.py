"""What every Module does: parameters, buffers, state, modes, sharing, and links of one's own."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import maillon
from maillon.check import check_module
from maillon.nn import LinkDtypeError, LinkShapeError, LinkStateError, Module, Parameter, StateDictError
from maillon.random import Generator
from maillon.typing import Array


class Residual(Module):
    """A composite link of one's own: y = x + tanh(linear(x)); its children keep what it needs."""

    def __init__(self) -> None:
        self.inner = maillon.Linear(3, 3)
        self.bend = maillon.Tanh()

    def forward(self, x: Array) -> Array:
        return x + self.bend(self.inner(x))

    def backward(self, grad_output: Array) -> Array:
        return grad_output + self.inner.backward(self.bend.backward(grad_output))


class Collected(Module):
    """Modules in a list, a tuple and a dict."""

    def __init__(self) -> None:
        self.many = [maillon.Linear(1, 1), maillon.Tanh()]
        self.pair = (maillon.Linear(1, 2, bias=False),)
        self.named = {"a": maillon.Linear(2, 1, bias=False), "note": "not a module"}


class Counter(Module):
    """With a buffer and a parameter of no dimension."""

    def __init__(self) -> None:
        self.scale = Parameter(2.0)
        self.register_buffer("count", np.zeros(1, np.int64))
        self.register_buffer("mean", np.zeros(3, np.float32))
        self.register_buffer("absent", None)


@pytest.fixture
def network() -> maillon.Sequential:
    return maillon.Sequential(
        maillon.Linear(3, 4, generator=Generator(1)), maillon.Tanh(), maillon.Linear(4, 2, generator=Generator(2))
    )


# Parameters


def test_a_parameter_takes_any_numbers() -> None:
    assert Parameter([1, 2]).dtype == np.float32
    assert Parameter(np.ones(2, np.float16)).dtype == np.float32
    double = np.ones((2, 3))
    parameter = Parameter(double)
    assert parameter.data is double
    assert (parameter.shape, parameter.size, parameter.dtype) == ((2, 3), 6, np.float64)
    assert (parameter.grad, parameter.requires_grad) == (None, True)
    assert repr(Parameter(np.array([1.0, 2.5]))) == "Parameter([1. , 2.5])"
    assert repr(Parameter(np.zeros(1), requires_grad=False)) == "Parameter([0.], requires_grad=False)"


def test_gradients_add_up_without_changing_what_was_given() -> None:
    parameter, grad = Parameter(np.zeros(2)), np.ones(2)
    parameter.accumulate(grad)
    parameter.accumulate(grad)
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [2, 2]
    assert grad.tolist() == [1, 1]


def test_a_frozen_parameter_gets_no_gradient_and_does_not_move(network: maillon.Sequential) -> None:
    first = network[0]
    first.weight.requires_grad = False
    before = network.state_dict()
    network.backward(np.ones_like(network(Generator(3).randn((5, 3)))))
    assert first.weight.grad is None
    assert first.bias.grad is not None
    network.update_parameters(0.1)
    np.testing.assert_array_equal(first.weight.data, before["0.weight"])
    np.testing.assert_allclose(first.bias.data, before["0.bias"] - 0.1 * first.bias.grad, rtol=1e-6)
    assert network.trains()
    for parameter in network.parameters():
        parameter.requires_grad = False
    assert not network.trains()


def test_zero_grad_forgets_all_gradients(network: maillon.Sequential) -> None:
    network.backward(np.ones_like(network(Generator(3).randn((5, 3)))))
    assert all(parameter.grad is not None for parameter in network.parameters())
    network.zero_grad()
    assert all(parameter.grad is None for parameter in network.parameters())
    network.update_parameters(1.0)  # nothing to move by
    network.backward(np.ones_like(network(Generator(3).randn((5, 3)))))
    network[0].weight.grad = None
    network.zero_grad(set_to_none=False)
    assert network[0].weight.grad is None
    assert network[2].weight.grad.shape == (2, 4)
    assert not network[2].weight.grad.any()


def test_all_parameters_are_frozen_at_once(network: maillon.Sequential) -> None:
    assert network.requires_grad_(False) is network
    assert not network.trains()
    network[2].requires_grad_()
    assert [parameter.requires_grad for parameter in network.parameters()] == [False, False, True, True]


def test_a_parameter_is_replaced_only_by_a_parameter() -> None:
    link = maillon.Linear(2, 1)
    with pytest.raises(TypeError) as caught:
        link.weight = np.zeros((1, 2))
    assert str(caught.value) == (
        "Linear(2, 1): expected .weight to stay a Parameter, got ndarray. "
        "Change its values with .weight.data[...] = …, or assign a Parameter."
    )
    link.weight = Parameter(np.zeros((1, 2), np.float32))
    link.bias = None
    assert list(link.state_dict()) == ["weight"]


# Children


def test_modules_in_lists_tuples_and_dicts_are_found() -> None:
    link = Collected()
    assert [name for name, _ in link.named_children()] == ["many.0", "many.1", "pair.0", "named.a"]
    assert list(link.state_dict()) == ["many.0.weight", "many.0.bias", "pair.0.weight", "named.a.weight"]
    assert len(list(link.parameters())) == 4
    assert next(link.modules()) is link
    link.eval()
    assert not any(module.training for module in link.modules())
    twin = link.share()
    assert twin.many[0] is not link.many[0]
    assert twin.many[0].weight is link.many[0].weight
    assert twin.named["a"].weight is link.named["a"].weight
    assert twin.named["note"] == "not a module"
    assert twin.pair[0].weight is link.pair[0].weight


def test_a_function_is_applied_to_the_modules_inside_first(network: maillon.Sequential) -> None:
    met: list[Module] = []
    assert network.apply(met.append) is network
    assert met == [network[0], network[1], network[2], network]


def test_the_parameters_of_a_module_without_those_inside(network: maillon.Sequential) -> None:
    attention = maillon.MultiheadAttention(4, 2)
    assert [name for name, _ in attention.named_parameters(recurse=False)] == ["in_proj_weight", "in_proj_bias"]
    assert list(network[0].parameters(recurse=False)) == list(network[0].parameters())
    assert not list(network.parameters(recurse=False))


def test_modules_and_parameters_are_got_by_name() -> None:
    link = Collected()
    assert link.get_submodule("") is link
    assert link.get_submodule("many.0") is link.many[0]
    assert link.get_parameter("many.0.weight") is link.many[0].weight
    assert maillon.PReLU().get_parameter("weight").shape == (1,)
    with pytest.raises(AttributeError) as caught:
        link.get_submodule("many.2")
    assert str(caught.value) == "Collected: expected the name of a module inside, got 'many.2'."
    with pytest.raises(AttributeError) as caught:
        link.get_parameter("many.0.training")
    assert str(caught.value) == "Collected: expected the name of a Parameter inside, got 'many.0.training'."


def test_what_is_kept_is_no_child() -> None:
    class Keeper(Module):
        def forward(self, x: Array) -> Array:
            return self.keep(x, maillon.Tanh())

    keeper = Keeper()
    keeper(np.ones(2))
    assert list(keeper.children()) == []


def test_a_module_without_forward_or_backward_says_so() -> None:
    class Empty(Module):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty has no forward\(\)"):
        Empty()(1)
    with pytest.raises(NotImplementedError, match=r"Empty has no backward\(\)"):
        Empty().backward(1)
    assert repr(Empty()) == "Empty()"
    assert not Empty().trains()
    assert Empty().dtype == np.float32


def test_a_composite_link_of_ones_own() -> None:
    link = Residual()
    assert list(link.state_dict()) == ["inner.weight", "inner.bias"]
    assert check_module(link, Generator(2).normal((4, 3), dtype=np.float64)).rules == (1, 2, 3, 4, 5, 6)
    link.backward_parameters(np.ones_like(link(np.ones((4, 3), np.float32))))
    assert link.inner.weight.grad is not None
    assert link.output_link() is link


# Buffers


def test_buffers_belong_to_the_state_but_are_not_learnt() -> None:
    link = Counter()
    assert list(link.state_dict()) == ["scale", "count", "mean"]
    assert [name for name, _ in link.named_buffers()] == ["count", "mean"]
    assert len(list(link.buffers())) == 2
    assert [name for name, _ in link.named_parameters()] == ["scale"]
    link.register_buffer("count", np.ones(1, np.int64))  # the same name again
    assert link.count[0] == 1
    chain = maillon.Sequential(link)
    assert [name for name, _ in chain.named_buffers()] == ["0.count", "0.mean"]


@pytest.mark.parametrize("name", ["scale", "forward", "not a name", ""])
def test_a_buffers_name_must_be_free(name: str) -> None:
    with pytest.raises(ValueError, match=f"Counter.register_buffer: '{name}' is taken or not a name."):
        Counter().register_buffer(name, np.zeros(1))


def test_to_converts_parameters_gradients_and_floating_buffers() -> None:
    link = Counter()
    link.scale.accumulate(np.ones((), np.float32))
    assert link.to("float64") is link
    assert link.dtype == link.scale.grad.dtype == link.mean.dtype == np.float64
    assert link.count.dtype == np.int64
    assert link.absent is None
    for wrong, message in [
        (None, "Counter.to: expected float32 or float64, got None."),
        ("int64", "dtype: expected float32 or float64, got 'int64'. Links compute in these two."),
        ("nonsense", "dtype: expected float32 or float64, got 'nonsense'. Links compute in these two."),
    ]:
        with pytest.raises(ValueError) as caught:
            link.to(wrong)
        assert str(caught.value) == message
    assert link.dtype == np.float64


def test_the_default_dtype() -> None:
    try:
        maillon.set_default_dtype("float64")
        assert maillon.get_default_dtype() == maillon.Linear(1, 1).dtype == Parameter([1]).dtype == np.float64
        assert repr(maillon.Linear(1, 1, dtype="float32")) == "Linear(1, 1, dtype='float32')"
    finally:
        maillon.set_default_dtype("float32")
    with pytest.raises(ValueError, match="set_default_dtype: expected float32 or float64, got None"):
        maillon.set_default_dtype(None)


# State


def test_a_state_dict_is_a_copy(network: maillon.Sequential) -> None:
    state = network.state_dict()
    assert list(state) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    state["0.weight"][...] = 0
    assert network[0].weight.data.any()


def test_a_state_is_copied_into_the_arrays_that_are_there(network: maillon.Sequential) -> None:
    held = [parameter.data for parameter in network.parameters()]
    state = {name: np.full(value.shape, 3.0) for name, value in network.state_dict().items()}
    assert network.load_state_dict(state) == ([], [])
    for array, parameter in zip(held, network.parameters(), strict=True):
        assert parameter.data is array
        assert array.dtype == np.float32
        assert (array == 3).all()
    network.load_state_dict({"2.bias": [4, 5]}, strict=False)
    assert network[2].bias.data.tolist() == [4, 5]


def test_a_wrong_state_lists_everything_and_changes_nothing(network: maillon.Sequential) -> None:
    before = network.state_dict()
    wrong = {
        "0.weight": np.zeros((3, 4)),
        "2.bias": np.array(["a", "b"]),
        "3.weight": np.zeros(1),
        "2.weight": before["2.weight"] + 1,
    }
    with pytest.raises(StateDictError) as caught:
        network.load_state_dict(wrong)
    assert str(caught.value) == (
        "Sequential.load_state_dict: missing ['0.bias']; unexpected ['3.weight']; "
        "0.weight: expected shape (4, 3), got (3, 4); 2.bias: expected real numbers, got dtype <U1."
    )
    with pytest.raises(StateDictError, match=r"^Sequential.load_state_dict: 0.weight: expected shape"):
        network.load_state_dict(wrong, strict=False)
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_strict_names_the_way_out_and_the_other_way_reports(network: maillon.Sequential) -> None:
    state = network.state_dict() | {"extra": np.zeros(1)}
    del state["0.bias"]
    with pytest.raises(StateDictError) as caught:
        network.load_state_dict(state)
    assert str(caught.value) == (
        "Sequential.load_state_dict: missing ['0.bias']; unexpected ['extra']. "
        "Give strict=False to load what fits by name."
    )
    loaded = network.load_state_dict(state, strict=False)
    assert (loaded.missing_keys, loaded.unexpected_keys) == (["0.bias"], ["extra"])


# Sharing


def test_a_shared_link_has_the_same_parameters_and_memory_of_its_own() -> None:
    first = maillon.Linear(3, 3, generator=Generator(1))
    x = Generator(2).randn((4, 3))
    first(x)
    second = first.share()
    assert second.weight is first.weight
    assert second.kept_output is None
    network = maillon.Sequential(first, maillon.Tanh(), second)
    assert len(list(network.parameters())) == 2
    assert list(network.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    hidden = network[:2](x)
    network[:2].forget()
    output = network(x)
    network.backward(np.ones_like(output))
    alone = first.share()
    alone.weight, alone.bias = copy.deepcopy(first.weight), copy.deepcopy(first.bias)
    alone.zero_grad()
    alone(hidden)
    grad = alone.backward(np.ones_like(output))
    alone(x)
    alone.backward((1 - hidden**2) * grad)
    np.testing.assert_allclose(first.weight.grad, alone.weight.grad, rtol=1e-5)
    before = first.weight.data.copy()
    network.update_parameters(0.5)
    np.testing.assert_allclose(first.weight.data, before - 0.5 * alone.weight.grad, rtol=1e-5)  # once, not twice


# What forward leaves for backward


def test_under_no_grad_nothing_is_kept() -> None:
    link = maillon.Tanh()
    with maillon.no_grad():
        y = link(np.zeros(2))
        assert link.kept_output is None
        with pytest.raises(LinkStateError):
            link.backward(y)
    link(np.zeros(2))
    with maillon.no_grad():
        link(np.ones(2))
    assert link.kept_output.tolist() == [0, 0]  # the backward to come is that of the first
    assert link.backward(np.ones(2)).tolist() == [1, 1]


def test_no_grad_ends_with_an_error_too() -> None:
    with pytest.raises(LinkDtypeError), maillon.no_grad():
        maillon.Tanh()([1.0])
    link = maillon.Tanh()
    link(np.zeros(1))
    assert link.kept_output is not None


def test_forget_drops_what_all_links_keep(network: maillon.Sequential) -> None:
    y = network(np.zeros((1, 3), np.float32))
    network.forget()
    with pytest.raises(LinkStateError) as caught:
        network.backward(y)
    assert str(caught.value) == (
        "Sequential[2] Linear(4, 2): backward() without a forward() before it. Call forward first; each forward "
        "serves one backward, and under no_grad() or predict() nothing is kept."
    )


class Split(Module):
    def forward(self, x: Array) -> Any:
        return self.keep((x[:1], (x[1:], 2 * x)))

    def backward(self, grad_output: Any) -> Any:
        self.release(grad_output)
        return grad_output[0]


def test_a_nested_grad_output_is_checked_part_by_part() -> None:
    link, x = Split(), np.ones(3)
    a, (b, c) = link(x)
    with pytest.raises(LinkShapeError) as caught:
        link.backward(a)
    assert str(caught.value) == (
        "Split(): expected grad_output to be a tuple of 2, like the output, got ndarray. "
        "Give None where there is no gradient."
    )
    with pytest.raises(LinkShapeError, match=r"like the output, got 3 of them\."):
        link.backward((a, b, c))
    with pytest.raises(LinkShapeError, match=r"expected grad_output of shape \(2,\), got \(3,\)\."):
        link.backward((a, (c, c)))
    with pytest.raises(LinkDtypeError, match="expected grad_output to be a NumPy array of dtype float64, got list"):
        link.backward((a, ([1.0], None)))
    assert link.backward((a, None)) is a


def test_a_module_pickles_without_what_it_keeps(network: maillon.Sequential) -> None:
    network(np.zeros((1, 3), np.float32))
    assert copy.deepcopy(network)[0].kept_output is None
    assert network[0].kept_output is not None


def test_the_first_input_may_be_given_by_pytorchs_name() -> None:
    x = np.ones((2, 3), np.float32)
    link = maillon.Linear(3, 2)
    np.testing.assert_array_equal(link(input=x), link(x))
    loss = maillon.PoissonNLLLoss()
    assert loss(log_input=x, target=x) == loss(x, x) == loss(prediction=x, target=x)


def test_a_buffer_that_can_be_computed_again_is_not_saved() -> None:
    link = maillon.Identity()
    link.register_buffer("table", np.ones(3, np.float32), persistent=False)
    link.register_buffer("count", np.zeros(1, np.float32))
    assert list(link.state_dict()) == ["count"]
    assert [name for name, _ in link.named_buffers()] == ["table", "count"]
    assert link.to("float64").table.dtype == np.float64


class TestShared:
    """What `share` gives stays shared, whatever is done to the network that holds both."""

    @staticmethod
    def network() -> Any:
        norm = maillon.BatchNorm1d(3)
        return maillon.Parallel(norm, norm.share())

    @pytest.mark.parametrize(
        "change",
        [
            lambda network: network.to("float64"),
            lambda network: network.to("float64").to("float32").to("float64"),
            lambda network: copy.deepcopy(network).to("float64"),
            lambda network: pickle.loads(pickle.dumps(network)).to("float64"),
            lambda network: copy.deepcopy(network.to("float64")),
            lambda network: pickle.loads(pickle.dumps(network.to("float64"))),
        ],
    )
    def test_parameters_and_running_statistics_stay_shared(self, change: Any) -> None:
        network = change(self.network())
        one, other = network
        assert one.weight is other.weight
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            assert getattr(one, name) is getattr(other, name)
        one(np.arange(12.0).reshape(4, 3))
        other(np.ones((4, 3)))
        assert one.num_batches_tracked == 2
        np.testing.assert_array_equal(one.running_mean, other.running_mean)
        assert one.running_mean.dtype == np.float64

    def test_a_shared_weight_of_a_loss_stays_shared(self) -> None:
        losses = maillon.ModuleList([loss := maillon.NLLLoss(np.ones(2)), loss.share()]).to("float32")
        assert losses[0].weight is losses[1].weight  # type: ignore[union-attr]
        assert losses[0].weight.dtype == np.float32  # type: ignore[union-attr]


def test_a_shared_array_comes_under_any_of_its_names() -> None:
    first = maillon.Linear(3, 3)
    network = maillon.Sequential(first, maillon.Tanh(), first.share())
    weight, bias = np.ones((3, 3)), np.full(3, 2.0)
    assert network.load_state_dict({"0.weight": weight, "2.bias": bias}) == ([], [])
    np.testing.assert_array_equal(first.weight.data, weight)
    np.testing.assert_array_equal(first.bias.data, bias)
    with pytest.raises(StateDictError, match=r"missing \['0.bias', '2.bias'\]"):
        network.load_state_dict({"0.weight": weight})
