"""A prepared network: `maillon.compile`."""

import copy
import gc
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, close, without_core

import maillon as m
from maillon.engine import predictor as predictors
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


class Mine(m.Tanh):
    """A link of a user's own, which no table knows."""


def policy(dtype: str = "float32", *more: m.Module) -> m.Sequential:
    generator = Generator(1)
    links = [m.Linear(8, 16, generator=generator), m.Tanh(), m.Dropout(0.5), m.Linear(16, 2, generator=generator)]
    return m.Sequential(*links, *more).to(dtype)


def expected(network: m.Module, x: Array) -> Array:
    """The network's own output in evaluation mode; its mode stays."""
    modes = [(link, link.training) for link in network.modules()]
    output = network.eval()(x)
    for link, training in modes:
        link.training = training
    return output


def numbers(*shape: int, dtype: str = "float32") -> Array:
    return Generator(2).normal(shape, dtype=np.float64).astype(dtype)


@both_dtypes
def test_samples_and_batches_in_any_order(dtype: str) -> None:
    network = policy(dtype)
    predictor = m.compile(network)
    for _ in range(2):
        for shape in ((8,), (1, 8), (5, 8), (2, 3, 8), (0, 8), (8,)):
            x = numbers(*shape, dtype=dtype)
            found = predictor(x)
            close(str(shape), found, expected(network, x), TOLERANCE[dtype])
            assert found.flags.owndata
            assert found.flags.writeable
    assert network.training
    assert repr(predictor) == f"compile({network!r})"


def test_more_shapes_than_are_kept() -> None:
    network = policy()
    predictor = m.compile(network)
    for rows in [*range(1, 40), 1, 2, 3]:
        x = numbers(rows, 8)
        close(str(rows), predictor(x), expected(network, x), 1e-5)
    assert len(predictor._known) <= 16


def test_each_output_is_an_array_of_its_own() -> None:
    predictor = m.compile(policy())
    first = predictor(numbers(8))
    kept = first.copy()
    predictor(2 * numbers(8))
    np.testing.assert_array_equal(first, kept)


FORMS: dict[str, Callable[[Array], Any]] = {
    "float64": lambda x: x.astype(np.float64),
    "float16": lambda x: x.astype(np.float16),
    "integers": lambda x: np.arange(x.size).reshape(x.shape),
    "lists": lambda x: x.tolist(),
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: x[::-1, ::-1],
    "another byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "not aligned": lambda x: np.frombuffer(b"0" + x.tobytes(), x.dtype, offset=1).reshape(x.shape),
}


@pytest.mark.parametrize("form", FORMS)
def test_whatever_holds_the_numbers(form: str) -> None:
    network = policy()
    predictor = m.compile(network)
    predictor(numbers(3, 8))
    x = FORMS[form](numbers(3, 8))
    close(form, predictor(x), expected(network, np.asarray(x).astype(np.float32)), 1e-5)


@pytest.mark.parametrize("shape", [(7,), (3, 7), (8, 3), (), (0,), (3, 8, 1)])
def test_a_wrong_shape_is_told_as_the_link_tells_it(shape: tuple[int, ...]) -> None:
    network = policy()
    predictor = m.compile(network)
    predictor(numbers(3, 8))
    with pytest.raises(m.nn.LinkShapeError) as theirs:
        network(numbers(*shape))
    with pytest.raises(m.nn.LinkShapeError) as ours:
        predictor(numbers(*shape))
    assert str(ours.value) == str(theirs.value)
    close("after it", predictor(numbers(3, 8)), expected(network, numbers(3, 8)), 1e-5)


CHANGES: dict[str, Callable[[m.Sequential], Any]] = {
    "in place": lambda network: np.negative(network[0].weight.data, out=network[0].weight.data),
    "replaced": lambda network: setattr(network[3].bias, "data", network[3].bias.data + 1),
    "loaded": lambda network: network.load_state_dict({k: 2 * v for k, v in network.state_dict().items()}),
    "trained": lambda network: m.fit(network, m.MSELoss(), numbers(9, 8), numbers(9, 2), rule=0.1),
    "trained in NumPy": lambda network: m.Optim(network, m.MSELoss(), 0.1).step(numbers(9, 8), numbers(9, 2)),
    "another dtype": lambda network: network.to("float64"),
    "in evaluation mode": lambda network: network.eval(),
    "Fortran's order": lambda network: setattr(
        network[0].weight, "data", np.asfortranarray(network[0].weight.data * 3)
    ),
    "another Parameter": lambda network: setattr(network[0], "weight", m.Parameter(numbers(16, 8) + 1)),
    "a bias less": lambda network: setattr(network[3], "bias", None),
    "a link more": lambda network: network.append(m.Linear(2, 3, generator=Generator(5))),
    "a link exchanged": lambda network: network.__setitem__(1, m.ReLU()),
    "a link out": lambda network: network.pop(1),
    "a link inside out": lambda network: network[4].pop(0),
    "an option": lambda network: setattr(network[4][0], "negative_slope", 0.75),
    "another dimension": lambda network: setattr(network[4][1], "dim", 0),
    "a link of another class": lambda network: setattr(network[1], "__class__", m.Sigmoid),
    "the network of another class": lambda network: setattr(network, "__class__", Backwards),
    "a forward of its own": lambda network: setattr(network[1], "forward", lambda x: x * x),
    "the network's forward": lambda network: setattr(network, "forward", lambda x: x[..., :1] * 2),
    "a Parameter of another kind": lambda network: setattr(network[3], "bias", Own(numbers(2))),
    "frozen": lambda network: network.requires_grad_(False),
    "read-only": lambda network: network[0].weight.data.setflags(write=False),
}
SAME = ("another dtype", "in evaluation mode", "frozen", "read-only")


class Own(m.Parameter):
    """A Parameter of a user's own."""


class Backwards(m.Sequential):
    """A container of a user's own."""

    def forward(self, x: Any, *more: Any) -> Any:
        return -super().forward(x, *more)


def changeable() -> m.Sequential:
    return policy("float32", m.Sequential(m.LeakyReLU(0.25), m.Softmax(-1)))


def predicted(network: m.Sequential) -> Callable[[Array], Array]:
    return lambda x: m.predict(network, x)


@pytest.mark.parametrize("way", [m.compile, predicted], ids=["compile", "predict"])
@pytest.mark.parametrize("change", CHANGES)
def test_it_follows_changes_of_the_network(change: str, way: Callable[..., Callable[[Array], Array]]) -> None:
    network = changeable()
    predictor = way(network)
    before = [predictor(numbers(1, 8)), predictor(numbers(5, 8))]
    CHANGES[change](network)
    for x, old in zip((numbers(1, 8), numbers(5, 8)), before, strict=True):
        wanted = expected(network, x.astype(network.dtype))
        for _ in range(2):
            close(change, predictor(x), wanted, 1e-5)
        assert (change in SAME) == (old.shape == wanted.shape and np.allclose(old, wanted))


def test_links_that_do_not_fit_any_more_are_told_as_the_network_tells_it() -> None:
    network = policy()
    predictor = m.compile(network)
    predictor(numbers(8))
    network.append(m.Linear(7, 1))
    with pytest.raises(m.nn.LinkShapeError) as theirs:
        network(numbers(8))
    with pytest.raises(m.nn.LinkShapeError) as ours:
        predictor(numbers(8))
    assert str(ours.value) == str(theirs.value)


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda predictor: pickle.loads(pickle.dumps(predictor)),
}


@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("how", COPIES)
def test_it_is_copied_and_pickled_at_any_time(how: str, called: bool) -> None:
    network = policy()
    predictor = m.compile(network)
    if called:
        predictor(numbers(8))
        predictor(numbers(3, 8))
    twin = COPIES[how](predictor)
    wanted = expected(network, numbers(8))
    close(how, twin(numbers(8)), wanted, 1e-5)
    assert (twin.network is network) == (how == "copy")
    twin.network[0].weight.data[...] = 0
    assert np.allclose(predictor(numbers(8)), wanted) == (how != "copy")


def test_copies_are_made_while_threads_call() -> None:
    network = policy()
    predictor = m.compile(network)
    wanted = {rows: expected(network, numbers(rows, 8)) for rows in range(1, 30)}
    wrong: list[Any] = []

    def work() -> None:
        try:
            for _ in range(3):
                for rows, output in wanted.items():
                    found = predictor(numbers(rows, 8))
                    again = pickle.loads(pickle.dumps(predictor))(numbers(rows, 8))
                    if not (np.allclose(found, output, 1e-5, 1e-6) and np.array_equal(found, again)):
                        wrong.append((rows, found, again))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_no_input_is_told_as_elsewhere() -> None:
    network = m.Sequential(m.Linear(2, 3))
    for predictor in (m.compile(network), m.compile(network)):
        for _ in range(2):
            with pytest.raises(m.nn.LinkDtypeError) as none:
                predictor(None)
            assert str(none.value) == (
                "Sequential[0] Linear(2, 3): expected x to be a NumPy array of dtype float32, got NoneType. Convert it "
                "with numpy.asarray(x, dtype='float32'); fit and predict do so themselves."
            )
            with pytest.raises(TypeError) as text:
                predictor("a")
            assert str(text.value) == (
                "x: expected real numbers, got dtype <U1. Convert dates, texts and categories to numbers first "
                "(one_hot, for instance)."
            )
            with pytest.raises(m.nn.LinkDtypeError, match="got a tuple of 2"):
                predictor((numbers(2), numbers(2)))
        predictor(numbers(2))


def test_several_inputs_are_a_tuple_or_a_dict() -> None:
    network = m.Bilinear(2, 3, 4)
    predictor = m.compile(network)
    a, b = numbers(5, 2), numbers(5, 3)
    for found in (predictor((a, b)), predictor(a, b), predictor({"input1": a, "input2": b})):
        close("the output", found, network(a, b), TOLERANCE["float32"])


def test_what_the_core_does_not_know_runs_in_numpy() -> None:
    network = policy("float32", Mine())
    predictor = m.compile(network)
    for _ in range(2):
        close("a link inside", predictor(numbers(8)), expected(network, numbers(8)), TOLERANCE["float32"])
    assert all(link.training for link in network.modules())
    whole = Mine()
    assert m.compile(whole)(numbers(8)).tobytes() == expected(whole, numbers(8)).tobytes()
    with without_core():
        predictor = m.compile(policy())
        assert predictor(numbers(8)).tobytes() == expected(policy(), numbers(8)).tobytes()


def test_a_thing_that_is_no_network_is_refused() -> None:
    with pytest.raises(TypeError) as caught:
        m.compile(3)  # type: ignore[call-overload]
    assert str(caught.value) == "compile: expected a Module or an Optim, got int."


def test_predict_keeps_a_plan_for_as_long_as_the_network_lives() -> None:
    network = policy()
    m.predict(network, numbers(1, 8))
    (kept,) = predictors._plans[network].values()
    m.predict(network, numbers(1, 8))
    assert list(predictors._plans[network].values()) == [kept]
    assert pickle.dumps(network) == pickle.dumps(copy.deepcopy(network))
    assert list(network.state_dict()) == list(policy().state_dict())
    network[0].weight.data = network[0].weight.data.copy()
    m.predict(network, numbers(1, 8))
    assert list(predictors._plans[network].values()) != [kept]
    alive = weakref.ref(network)
    del network, kept
    gc.collect()
    assert alive() is None


def test_what_predict_keeps_is_bounded() -> None:
    networks = [policy() for _ in range(40)]
    for network in networks:
        for rows in range(1, 12):
            close(str(rows), m.predict(network, numbers(rows, 8)), expected(network, numbers(rows, 8)), 1e-5)
    assert len(predictors._plans) <= 16
    assert all(len(plans) <= 8 for plans in predictors._plans.values())
    m.predict(networks[0], numbers(9000, 8), batch_size=9000)
    assert sum(plan.bytes for plans in predictors._plans.values() for plan in plans.values()) < 2**25


def test_threads_that_predict_with_one_network_do_not_disturb_each_other() -> None:
    network = policy().eval()
    inputs = [numbers(1, 8) * factor for factor in range(1, 6)]
    wanted = [network(x) for x in inputs]
    wrong: list[Any] = []

    def work(place: int) -> None:
        for _ in range(200):
            found = m.predict(network, inputs[place])
            if not np.allclose(found, wanted[place], 1e-5, 1e-6):
                wrong.append((place, found))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
