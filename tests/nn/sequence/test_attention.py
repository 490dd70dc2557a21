"""What attention takes and refuses, and what the battery cannot see of it."""

from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon import MultiheadAttention
from maillon.nn import LinkDtypeError, LinkShapeError, LinkValueError, init
from maillon.random import Generator
from maillon.typing import Array


def numbers(*shape: int) -> Array:
    return Generator(1).normal(shape, dtype=np.float64)


def attention(*args: Any, **options: Any) -> MultiheadAttention:
    return MultiheadAttention(*(args or (4, 2)), dtype="float64", generator=Generator(2), **options)


@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        ((0, 1), {}, ValueError, "MultiheadAttention: expected embed_dim to be an integer ≥ 1, got 0."),
        ((4, 2.0), {}, ValueError, "MultiheadAttention: expected num_heads to be an integer ≥ 1, got 2.0."),
        ((4, 3), {}, ValueError, "MultiheadAttention: expected num_heads to divide embed_dim = 4, got 3."),
        ((4, 2, 1.5), {}, ValueError, "MultiheadAttention: expected dropout to be a number in [0, 1], got 1.5."),
        ((4, 2), {"kdim": 0}, ValueError, "MultiheadAttention: expected kdim to be an integer ≥ 1, got 0."),
        ((4, 2), {"vdim": "4"}, ValueError, "MultiheadAttention: expected vdim to be an integer ≥ 1, got '4'."),
        (
            (4, 2),
            {"device": "cuda"},
            NotImplementedError,
            "MultiheadAttention: device='cuda' is not supported: maillon computes on the CPU. Leave device out.",
        ),
        (
            (4, 2),
            {"dtype": "int64"},
            ValueError,
            "dtype: expected float32 or float64, got 'int64'. Links compute in these two.",
        ),
    ],
)
def test_options_that_make_no_sense(
    args: tuple[Any, ...], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        MultiheadAttention(*args, **options)
    assert str(caught.value) == message


X = numbers(3, 2, 4)
WHO = "MultiheadAttention(4, 2, dtype='float64'): "


@pytest.mark.parametrize(
    ("inputs", "named", "error", "message"),
    [
        (
            (numbers(3, 5), X, X),
            {},
            LinkShapeError,
            "expected query of shape (L, N, 4) or (L, 4), got (3, 5). The last dimension is embed_dim.",
        ),
        (
            (X, numbers(3, 3, 4), X),
            {},
            LinkShapeError,
            "expected key of shape (S, 2, 4), got (3, 3, 4). It has as many samples as query, and kdim = 4 features.",
        ),
        (
            (X[:, 0], X, X),
            {},
            LinkShapeError,
            "expected key of shape (S, 4), got (3, 2, 4). It has as many samples as query, and kdim = 4 features.",
        ),
        (
            (X, X, X[:2]),
            {},
            LinkShapeError,
            "expected value of shape (3, 2, 4), got (2, 2, 4). It has as many positions as key, and vdim = 4 features.",
        ),
        (
            (X, X, X),
            {"key_padding_mask": np.zeros((3, 2), bool)},
            LinkShapeError,
            "expected key_padding_mask of shape (2, 3), got (3, 2). There is one entry a key.",
        ),
        (
            (X, X, X),
            {"attn_mask": np.zeros((2, 3, 3), bool)},
            LinkShapeError,
            "expected attn_mask of shape (3, 3) or (4, 3, 3), got (2, 3, 3). (L, S), or (N · num_heads, L, S).",
        ),
        (
            (X, X, X),
            {"attn_mask": np.zeros((3, 3), int)},
            LinkDtypeError,
            "expected attn_mask to be a NumPy array of dtype bool or float64, got int64. "
            "True leaves a key out; numbers are added to the scores.",
        ),
        (
            (X, X, X),
            {"key_padding_mask": [[True]]},
            LinkDtypeError,
            "expected key_padding_mask to be a NumPy array of dtype bool or float64, got list. "
            "True leaves a key out; numbers are added to the scores.",
        ),
        (
            (X, X, X.astype(np.float32)),
            {},
            LinkDtypeError,
            "expected value of dtype float64, got float32. Convert it with value.astype('float64').",
        ),
        (
            (X, X, X),
            {"is_causal": True},
            LinkValueError,
            "expected attn_mask with is_causal=True, which only says what the mask is, got None. "
            "Give attn_mask=~numpy.tri(L, S, dtype=bool).",
        ),
    ],
)
def test_inputs_that_do_not_fit(inputs: Any, named: dict[str, Any], error: type[Exception], message: str) -> None:
    link = attention()
    with pytest.raises(error) as caught:
        link(*inputs, **named)
    assert str(caught.value) == WHO + message
    assert link.kept_output is None


def test_the_shapes_of_an_error_are_those_of_batch_first() -> None:
    link = attention(batch_first=True)
    with pytest.raises(LinkShapeError, match=r"expected query of shape \(N, L, 4\) or \(L, 4\), got \(4,\)\."):
        link(numbers(4), X, X)
    with pytest.raises(LinkShapeError, match=r"expected key of shape \(3, S, 4\), got \(2, 2, 4\)\."):
        link(X, X[:2], X)


@pytest.mark.parametrize(
    "shown",
    [
        "MultiheadAttention(4, 2)",
        "MultiheadAttention(6, 3, dropout=0.1, bias=False, batch_first=True)",
        "MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True, kdim=3, vdim=5, dtype='float64')",
    ],
)
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


def test_a_causal_mask_hides_what_comes_later() -> None:
    x, later = numbers(1, 5, 4), numbers(1, 5, 4)
    later[:, 3:] += 1
    link, mask = attention(batch_first=True), ~np.tri(5, dtype=bool)
    seen = [link(each, each, each, attn_mask=mask)[0] for each in (x, later)]
    np.testing.assert_array_equal(seen[0][:, :3], seen[1][:, :3])
    assert (seen[0][:, 3:] != seen[1][:, 3:]).all()
    _, weights = link(x, x, x, attn_mask=mask)
    assert not weights[0][mask].any()
    np.testing.assert_allclose(weights.sum(axis=2), 1)


def test_the_hint_stands_for_the_mask() -> None:
    x, mask = numbers(2, 5, 4), ~np.tri(5, dtype=bool)
    link = attention(batch_first=True)
    told = link(x, x, x, attn_mask=mask, need_weights=False, is_causal=True)[0]
    np.testing.assert_allclose(told, link(x, x, x, attn_mask=mask)[0], rtol=1e-12)


def test_padding_gets_no_weight_and_no_gradient() -> None:
    query, key, value = numbers(2, 3, 4), numbers(2, 5, 4) + 1, numbers(2, 5, 4) - 1
    padding = np.arange(5) >= np.array([[3], [5]])
    link = attention(batch_first=True)
    _, weights = link(query, key, value, key_padding_mask=padding)
    assert not weights[0, :, 3:].any()
    _, dkey, dvalue, dpadding = link.backward((numbers(2, 3, 4), numbers(*weights.shape)))
    assert dpadding is None
    for grad in (dkey, dvalue):
        assert not grad[0, 3:].any()
        assert grad[1, 3:].all()


def test_a_query_without_keys_gives_nan_or_without_weights_nothing() -> None:
    x, mask = numbers(2, 3, 4), np.zeros((3, 3), bool)
    mask[1] = True
    link = attention(batch_first=True, bias=False)
    with np.errstate(all="raise", under="ignore"):
        y, weights = link(x, x, x, attn_mask=mask)
        grads = link.backward((np.ones_like(y), None))
    for values in (y, weights):
        assert np.isnan(values[:, 1]).all()
        assert np.isfinite(values[:, [0, 2]]).all()
    assert all(np.isnan(grad).any() for grad in grads[:3])
    link.zero_grad()
    y, weights = link(x, x, x, attn_mask=mask, need_weights=False)
    assert weights is None
    assert not y[:, 1].any()
    assert all(np.isfinite(grad).all() for grad in link.backward((np.ones_like(y), None))[:3])
    assert all(np.isfinite(parameter.grad).all() for parameter in link.parameters())


def test_self_attention_gives_three_gradients_whose_sum_is_the_derivative() -> None:
    x, eps = numbers(1, 3, 4), 1e-6
    link = attention(batch_first=True)
    y, _ = link(x, x, x)
    toward, direction = numbers(*y.shape), numbers(*x.shape) ** 2
    grads = link.backward((toward, None))
    assert len(grads) == 3
    moved = [link(at, at, at)[0] for at in (x + eps * direction, x - eps * direction)]
    expected = ((moved[0] - moved[1]) * toward).sum() / (2 * eps)
    np.testing.assert_allclose((sum(grads) * direction).sum(), expected, rtol=1e-7)


def test_dropout_drops_weights_in_training_alone() -> None:
    x = numbers(3, 8, 4)
    link = attention(4, 2, 0.5, batch_first=True)
    _, weights = link(x, x, x, average_attn_weights=False)
    _, kept = link.eval()(x, x, x, average_attn_weights=False)
    dropped = weights == 0
    assert 0.35 < dropped.mean() < 0.65
    np.testing.assert_allclose(weights[~dropped], 2 * kept[~dropped], rtol=1e-12)
    assert (link.dropout, link.head_dim) == (0.5, 2)


def test_dropout_of_weights_has_a_derivative() -> None:
    link = MultiheadAttention(4, 2, 0.4, add_zero_attn=True)
    maillon.check.check_module(link.to("float64"), X, X + 1, X - 1)


def test_the_initial_weights_follow_the_seed() -> None:
    one, other = (MultiheadAttention(8, 2, add_bias_kv=True, generator=Generator(3)) for _ in range(2))
    other.reset_parameters(Generator(4))
    assert (one.in_proj_weight.data != other.in_proj_weight.data).any()
    other.reset_parameters(Generator(3))
    for name, value in one.state_dict().items():
        np.testing.assert_array_equal(value, other.state_dict()[name])


@pytest.mark.parametrize("law", [init.xavier_uniform_, init.xavier_normal_])
def test_xaviers_laws_want_a_weight(law: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{law.__name__}: expected a weight of shape \(out, in, …\), got \(3,\)\.$"):
        law(np.zeros(3))
    drawn = law(np.zeros((300, 100)), 2.0, generator=Generator(1))
    np.testing.assert_allclose(drawn.std(), 2 * np.sqrt(2 / 400), rtol=0.02)
