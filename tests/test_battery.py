"""One battery over all rows of the catalogue."""

import copy
import inspect
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import catalogue
import numpy as np
import pytest
from catalogue import LINKS, ROWS, RULES, Row, RuleRow, cast, drawn, listed
from families import FAMILIES

import maillon
from maillon.check import check_module
from maillon.check.probe import generators, is_real
from maillon.nesting import leaves, rebuilt
from maillon.nn import LinkDtypeError, LinkError, LinkShapeError, Loss, Module, Parameter
from maillon.optim import Rule
from maillon.random import Generator

FIXTURES = Path(__file__).parent / "fixtures"
DTYPES = ["float64", "float32"]
TIGHT = {"float64": 1e-12, "float32": 2e-5}
STEPS = 10

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
every_rule = pytest.mark.parametrize("row", RULES, ids=lambda row: row.name)
both_dtypes = pytest.mark.parametrize("dtype", DTYPES)


def start(output: Any) -> Any:
    """A gradient to walk back from, nested like the output; None for what is not real."""
    drawn_from = Generator(7)
    parts = [
        np.asarray(drawn_from.normal(np.shape(leaf), dtype=np.float64), leaf.dtype) if is_real(leaf) else None
        for leaf in leaves(output)
    ]
    return rebuilt(output, iter(parts))


def run(link: Module, inputs: tuple[Any, ...]) -> tuple[Any, Any, dict[str, Any]]:
    """The output, the gradient of the input, and those of the parameters."""
    output = link(*inputs)
    grad_input = link.backward(start(output))
    return output, grad_input, {name: parameter.grad for name, parameter in link.named_parameters()}


def assert_close(one: Any, other: Any, tolerance: float) -> None:
    """The same numbers, nested alike, None where the other is None."""
    parts, others = leaves(one), leaves(other)
    assert [part is None for part in parts] == [part is None for part in others]
    for part, expected in zip(parts, others, strict=True):
        if part is not None:
            assert np.shape(part) == np.shape(expected)
            np.testing.assert_allclose(part, expected, rtol=tolerance, atol=tolerance)


def assert_same(one: Any, other: Any, tolerance: float) -> None:
    """The same outputs and gradients."""
    assert_close(one[0], other[0], tolerance)
    assert_close(one[1], other[1], tolerance)
    assert one[2].keys() == other[2].keys()
    for name, grad in one[2].items():
        assert_close(grad, other[2][name], tolerance)


def changed(value: Any, change: Any) -> Any:
    """Every array of the nested tuple changed, all else as it is."""
    parts = (change(leaf) if isinstance(leaf, np.ndarray | np.generic) else leaf for leaf in leaves(value))
    return rebuilt(value, iter(list(parts)))


def names(values: list[Any]) -> list[str]:
    return [value.name for value in values]


# The catalogue itself


def test_every_link_loss_and_rule_has_a_row() -> None:
    def public(base: type) -> set[type]:
        found = [getattr(room, name) for room in (maillon, maillon.nn, maillon.optim) for name in room.__all__]
        return {value for value in found if inspect.isclass(value) and issubclass(value, base)}

    rows = {type(row.link()) for row in ROWS}
    held_only = {maillon.nn.ModuleList, maillon.nn.ModuleDict}  # they compute nothing
    assert public(Module) - {Module, Loss} - held_only == rows
    assert public(Rule) - {Rule, maillon.LBFGS} == {row.rule for row in RULES}


def test_rows_have_names_of_their_own_and_reasons_for_loose_tolerances() -> None:
    listed = names(ROWS) + names(RULES)
    assert len(set(listed)) == len(listed)
    assert [row.name for row in ROWS if row.tolerance > 1e-7 and not row.reason] == []


def test_rows_without_pytorch_are_those_it_lacks() -> None:
    beyond = {type(row.link()).__name__ for row in ROWS if row.torch is None and len(row.draws) < 3}
    assert beyond == set(listed("BEYOND_TORCH"))


# Values and gradients


@both_dtypes
@every_row
def test_the_value_is_that_of_the_naive_formula(row: Row, dtype: str) -> None:
    inputs = row.inputs(dtype)
    output = row.link(dtype)(*inputs)
    assert all(leaf.dtype == dtype for leaf in leaves(output) if is_real(leaf))
    assert_close(output, row.formula(row.link(dtype), *inputs), TIGHT[dtype])


@every_row
def test_the_gradient_is_the_derivative_and_the_rules_hold(row: Row) -> None:
    link = row.link()
    report = check_module(link, *row.inputs(), seed=row.seed % 1000, tolerance=row.tolerance)
    assert report.worst <= row.tolerance
    assert report.rules == tuple(range(1, 9 if isinstance(link, Loss) else 7))


@every_row
def test_float32_gives_the_float64_gradients(row: Row) -> None:
    assert_same(run(row.link("float32"), row.inputs("float32")), run(row.link(), row.inputs()), 5e-5)


def layouts(value: Any) -> Iterator[Any]:
    """The same values laid out in other ways, whatever they are nested in."""
    parts = zip(*map(_layouts, leaves(value)), strict=True)
    return (rebuilt(value, iter(part)) for part in parts)


def _layouts(array: Any) -> Iterator[Any]:
    if not isinstance(array, np.ndarray | np.generic):
        yield from [array] * 4
        return
    array = np.asarray(array)
    yield np.array(array, order="F")
    spread = np.zeros(tuple(2 * n for n in array.shape), array.dtype)
    strided = spread[(..., *(slice(None, None, 2) for _ in array.shape))]
    strided[...] = array
    yield strided
    yield array[..., ::-1].copy()[..., ::-1] if array.ndim else array.copy()
    frozen = array.copy()
    frozen.flags.writeable = False
    yield frozen


@both_dtypes
@every_row
def test_the_layout_of_the_inputs_does_not_matter(row: Row, dtype: str) -> None:
    expected = run(row.link(dtype), row.inputs(dtype))
    grad_outputs = list(layouts(start(expected[0])))
    for place, inputs in enumerate(layouts(row.inputs(dtype))):
        link = row.link(dtype)
        output = link(*inputs)
        grad_input = link.backward(grad_outputs[place - 1])  # each with another layout than the inputs
        grads = {name: parameter.grad for name, parameter in link.named_parameters()}
        assert_same((output, grad_input, grads), expected, TIGHT[dtype])


@both_dtypes
@pytest.mark.parametrize("row", [row for row in ROWS if row.batched], ids=lambda row: row.name)
def test_batches_of_one(row: Row, dtype: str) -> None:
    inputs = changed(row.inputs(dtype), lambda array: array[:1])
    assert_close(row.link(dtype)(*inputs), row.formula(row.link(dtype), *inputs), TIGHT[dtype])
    run(row.link(dtype), inputs)


@both_dtypes
@pytest.mark.parametrize("row", [row for row in ROWS if row.batched], ids=lambda row: row.name)
def test_batches_of_none(row: Row, dtype: str) -> None:
    link, inputs = row.link(dtype), changed(row.inputs(dtype), lambda array: array[:0])
    output, grad_input, grads = run(link, inputs)
    for array, grad in zip(leaves(inputs), leaves(grad_input), strict=False):  # a loss owes none to its target
        assert grad is None or (grad.shape, grad.dtype) == (array.shape, np.dtype(dtype))
    for name, parameter in link.named_parameters():
        assert grads[name].shape == parameter.shape
        assert not grads[name].any()
    if not isinstance(link, Loss):
        assert all(leaf.shape[0] == 0 for leaf in leaves(output) if leaf is not None)
    elif link.averages:
        assert np.isnan(output)  # the mean of nothing
    else:
        assert not np.sum(output)


@every_row
def test_copies_and_pickles_are_the_same_link(row: Row) -> None:
    expected = run(row.link(), row.inputs())
    used = row.link()
    used(*row.inputs())  # what it keeps for a backward does not travel
    for generator in generators(used):
        generator.manual_seed(5)
    for copied in (copy.copy(row.link()), copy.deepcopy(used), pickle.loads(pickle.dumps(used))):
        assert repr(copied) == repr(used)
        with pytest.raises(LinkError, match=r"backward\(\) without a forward\(\)"):
            copied.backward(start(expected[0]))
        assert_same(run(copied, row.inputs()), expected, 0)


@every_row
def test_a_deep_copy_has_parameters_of_its_own(row: Row) -> None:
    link = row.link()
    copied = copy.deepcopy(link)
    assert len(list(copied.parameters())) == len(list(link.parameters()))
    assert not {id(p) for p in copied.parameters()} & {id(p) for p in link.parameters()}


# Wrong calls


@pytest.mark.parametrize("row", [row for row in ROWS if row.wrong], ids=lambda row: row.name)
def test_wrong_shapes_are_refused(row: Row) -> None:
    for draws in row.wrong:
        link = row.link()
        with pytest.raises(LinkShapeError, match="expected"):
            link(*drawn(draws, Generator(0)))
        assert link.kept_output is None


@every_row
def test_a_grad_output_of_another_shape_or_dtype_is_refused(row: Row) -> None:
    link = row.link()
    grad_output = start(link(*row.inputs()))
    with pytest.raises(LinkShapeError, match="expected grad_output of shape"):
        link.backward(changed(grad_output, lambda array: np.stack([array, array])))
    if not isinstance(link, Loss):  # a loss takes 1 as well as an array
        with pytest.raises(LinkDtypeError, match="expected grad_output of dtype float64, got float32"):
            link.backward(changed(grad_output, lambda array: array.astype(np.float32)))
    link.backward(grad_output)


@pytest.mark.parametrize("row", LINKS, ids=lambda row: row.name)
def test_integers_are_refused_where_a_link_computes(row: Row) -> None:
    integers = changed(row.inputs(), lambda array: np.ones(array.shape, np.int64))
    if row.integers:
        assert row.link()(*integers) is not None
    else:
        with pytest.raises(LinkDtypeError, match="got int64"):
            row.link()(*integers)


# Far out


@both_dtypes
@pytest.mark.parametrize("row", [row for row in ROWS if row.logits], ids=lambda row: row.name)
def test_scores_of_ten_thousand_give_finite_values_and_gradients(row: Row, dtype: str) -> None:
    scores, *rest = row.inputs(dtype)
    signs = np.where(np.arange(scores.size).reshape(scores.shape) % 2, 1, -1).astype(dtype)
    for far in (1e4 * signs, -1e4 * signs, 1e4 * scores, np.full_like(scores, 1e4), np.zeros_like(scores)):
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            output, grad_input, _ = run(row.link(dtype), (np.asarray(far, dtype), *rest))
        assert np.isfinite(output).all()
        assert np.isfinite(grad_input).all()


@both_dtypes
def test_probabilities_of_zero_and_one_give_finite_values_and_gradients(dtype: str) -> None:
    certain = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], dtype)
    for loss, target in [
        (maillon.BCELoss(), 1 - certain),
        (maillon.BCELoss(reduction="sum", weight=[50.0, 1.0, 1.0]), certain),
        (maillon.CrossEntropyLoss(from_logits=False, reduction="sum", weight=[50.0, 1.0, 1.0]), np.array([0, 1])),
        (maillon.CrossEntropyLoss(from_logits=False, label_smoothing=0.1), np.array([0, 1])),
    ]:
        output = loss(certain, target)
        assert np.isfinite(output)
        assert np.isfinite(loss.backward()).all()


# PyTorch


@pytest.fixture(scope="module")
def golden() -> Any:
    held: dict[str, Any] = {}
    for family in FAMILIES:
        with np.load(FIXTURES / f"torch_{family}.npz") as file:
            held |= file
    return held


@pytest.mark.parametrize("row", [row for row in ROWS if row.torch], ids=lambda row: row.name)
def test_pytorch_gives_the_same_values_and_gradients(row: Row, golden: dict[str, Any]) -> None:
    held = {key.removeprefix(f"{row.name}/"): value for key, value in golden.items() if key.startswith(f"{row.name}/")}
    link, inputs = row.link(), row.inputs()
    link.load_state_dict({key[6:]: value for key, value in held.items() if key.startswith("state/")})
    output = link(*inputs)
    grads = [held.get(f"grad_output/{place}") for place in range(len(leaves(output)))]
    grad_input = link.backward(rebuilt(output, iter(grads)))
    for name, got in (("output", output), ("grad_input", grad_input)):
        for place, leaf in enumerate(leaves(got)):
            if leaf is None:
                assert isinstance(link, Loss) or f"{name}/{place}" not in held
            else:
                np.testing.assert_allclose(leaf, held[f"{name}/{place}"], rtol=1e-12, atol=1e-14)
    for name, parameter in link.named_parameters():
        np.testing.assert_allclose(parameter.grad, held[f"grad/{name}"], rtol=1e-12, atol=1e-14)
    for name, buffer in link.named_buffers():
        np.testing.assert_allclose(buffer, held[f"after/{name}"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("row", [row for row in RULES if row.in_torch], ids=lambda row: row.name)
def test_pytorch_moves_the_parameters_alike(row: RuleRow, golden: dict[str, Any]) -> None:
    moved = after_ten_steps(row, "float64")
    for place, parameter in enumerate(moved):
        np.testing.assert_allclose(parameter.data, golden[f"{row.name}/{place}"], rtol=1e-12, atol=1e-14)


# Rules


def after_ten_steps(row: RuleRow, dtype: str, rule: Rule | None = None) -> list[Parameter]:
    parameters, grads = catalogue.rule_problem(STEPS)
    moved = [Parameter(*cast((array,), dtype)) for array in parameters]
    bound = row.rule(moved, **row.options) if rule is None else rule.bind(moved)
    for step in grads:
        for parameter, grad in zip(moved, step, strict=True):
            parameter.grad = grad.astype(dtype)
        bound.step()
    return moved


@both_dtypes
@every_rule
def test_ten_steps_are_those_of_the_naive_formula(row: RuleRow, dtype: str) -> None:
    parameters, grads = catalogue.rule_problem(STEPS)
    for place, moved in enumerate(after_ten_steps(row, dtype)):
        assert moved.dtype == dtype
        for index in np.ndindex(moved.shape):
            series = [float(step[place][index]) for step in grads]
            expected = row.formula(float(parameters[place][index]), series, **row.options)
            np.testing.assert_allclose(moved.data[index], expected, rtol=TIGHT[dtype], atol=TIGHT[dtype])


@every_rule
def test_a_recipe_serves_again_and_again(row: RuleRow) -> None:
    recipe = row.rule(**row.options)
    expected = after_ten_steps(row, "float64")
    for _ in range(2):
        for parameter, other in zip(after_ten_steps(row, "float64", recipe), expected, strict=True):
            np.testing.assert_array_equal(parameter.data, other.data)


@every_rule
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda rule: pickle.loads(pickle.dumps(rule))], ids=["deep", "pickle"]
)
def test_a_copied_rule_goes_on_where_it_was(row: RuleRow, copied: Any) -> None:
    parameters, grads = catalogue.rule_problem(STEPS)
    rule = row.rule([Parameter(array.copy()) for array in parameters], **row.options)
    for number, step in enumerate(grads):
        if number == STEPS // 2:
            rule = copied(rule)
        for parameter, grad in zip(rule.param_groups[0]["params"], step, strict=True):
            parameter.grad = grad
        rule.step()
    for parameter, other in zip(rule.param_groups[0]["params"], after_ten_steps(row, "float64"), strict=True):
        np.testing.assert_array_equal(parameter.data, other.data)
