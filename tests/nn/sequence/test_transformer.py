"""What transformers and positional encodings take and refuse, and what the battery cannot see of them."""

import copy
from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon import (
    LearnedPositionalEncoding,
    SinusoidalPositionalEncoding,
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from maillon.nn import LinkDtypeError, LinkShapeError, LinkStateError, LinkValueError, Module
from maillon.random import Generator
from maillon.typing import Array


def numbers(*shape: int) -> Array:
    return Generator(1).normal(shape, dtype=np.float64)


def encoder_layer(**options: Any) -> TransformerEncoderLayer:
    return TransformerEncoderLayer(4, 2, 6, dtype="float64", generator=Generator(2), batch_first=True, **options)


def decoder_layer(**options: Any) -> TransformerDecoderLayer:
    return TransformerDecoderLayer(4, 2, 6, dtype="float64", generator=Generator(2), batch_first=True, **options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: TransformerEncoderLayer(4, 3),
            ValueError,
            "TransformerEncoderLayer: expected nhead to divide d_model = 4, got 3.",
        ),
        (
            lambda: TransformerDecoderLayer(4, 0),
            ValueError,
            "TransformerDecoderLayer: expected nhead to be an integer ≥ 1, got 0.",
        ),
        (
            lambda: TransformerEncoderLayer(4, 2, 0),
            ValueError,
            "TransformerEncoderLayer: expected dim_feedforward to be an integer ≥ 1, got 0.",
        ),
        (
            lambda: TransformerDecoderLayer(4, 2, dropout=-0.1),
            ValueError,
            "TransformerDecoderLayer: expected dropout to be a number in [0, 1], got -0.1.",
        ),
        (
            lambda: TransformerEncoderLayer(4, 2, activation="tanh"),
            ValueError,
            "TransformerEncoderLayer: expected activation to be 'relu', 'gelu' or a link, got 'tanh'.",
        ),
        (
            lambda: TransformerEncoderLayer(4, 2, activation=np.tanh),
            NotImplementedError,
            "TransformerEncoderLayer: activation=<ufunc 'tanh'> is not supported: a function has no backward. "
            "Give a link, maillon.Tanh() for instance.",
        ),
        (
            lambda: TransformerEncoderLayer(4, 2, layer_norm_eps=-1.0),
            ValueError,
            "TransformerEncoderLayer: expected layer_norm_eps to be a number ≥ 0, got -1.0.",
        ),
        (
            lambda: TransformerEncoderLayer(4, 2, device="cuda"),
            NotImplementedError,
            "TransformerEncoderLayer: device='cuda' is not supported: maillon computes on the CPU. Leave device out.",
        ),
        (
            lambda: TransformerEncoder(encoder_layer(), 0),
            ValueError,
            "TransformerEncoder: expected num_layers to be an integer ≥ 1, got 0.",
        ),
        (
            lambda: TransformerDecoder(TransformerDecoderLayer, 2),  # type: ignore[arg-type]
            TypeError,
            "TransformerDecoder: expected decoder_layer to be a Module, got the class TransformerDecoderLayer. Did you "
            "mean TransformerDecoderLayer()?",
        ),
        (
            lambda: Transformer(4, 2, device="cuda"),
            NotImplementedError,
            "Transformer: device='cuda' is not supported: maillon computes on the CPU. Leave device out.",
        ),
        (
            lambda: SinusoidalPositionalEncoding(0),
            ValueError,
            "SinusoidalPositionalEncoding: expected embed_dim to be an integer ≥ 1, got 0.",
        ),
        (
            lambda: SinusoidalPositionalEncoding(4, base=0),
            ValueError,
            "SinusoidalPositionalEncoding: expected base to be a number > 0, got 0.",
        ),
        (
            lambda: LearnedPositionalEncoding(4, 0),
            ValueError,
            "LearnedPositionalEncoding: expected max_len to be an integer ≥ 1, got 0.",
        ),
        (
            lambda: LearnedPositionalEncoding(4, 8, dropout=2),
            ValueError,
            "LearnedPositionalEncoding: expected dropout to be a number in [0, 1], got 2.",
        ),
    ],
)
def test_options_that_make_no_sense(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


ATTENTION = "MultiheadAttention(4, 2, dropout=0.1, batch_first=True, dtype='float64'): "
X = numbers(2, 3, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: encoder_layer()(numbers(2, 3, 5)),
            LinkShapeError,
            f"TransformerEncoderLayer[self_attn] {ATTENTION}expected query of shape (N, L, 4) or (L, 4), "
            "got (2, 3, 5). The last dimension is embed_dim.",
        ),
        (
            lambda: TransformerEncoder(encoder_layer(), 2)(X, is_causal=True),
            LinkValueError,
            f"TransformerEncoder[layers.0][self_attn] {ATTENTION}expected attn_mask with is_causal=True, which only "
            "says what the mask is, got None. Give attn_mask=~numpy.tri(L, S, dtype=bool).",
        ),
        (
            lambda: TransformerEncoder(encoder_layer(), 2, maillon.LayerNorm(3, dtype="float64"))(X),
            LinkShapeError,
            "TransformerEncoder[norm] LayerNorm((3,), dtype='float64'): expected x of shape (*, 3), got (2, 3, 4). "
            "Its last dimensions must be (3,).",
        ),
        (
            lambda: TransformerDecoder(decoder_layer(), 1)(X, numbers(3, 3, 4)),
            LinkShapeError,
            f"TransformerDecoder[layers.0][multihead_attn] {ATTENTION}expected key of shape (2, S, 4), got (3, 3, 4). "
            "It has as many samples as query, and kdim = 4 features.",
        ),
        (
            lambda: Transformer(4, 2, 1, 1, 6, 0.1, batch_first=True, dtype="float64")(X, X, np.ones((2, 2), bool)),
            LinkShapeError,
            f"Transformer[encoder][layers.0][self_attn] {ATTENTION}expected attn_mask of shape (3, 3) or (4, 3, 3), "
            "got (2, 2). (L, S), or (N · num_heads, L, S).",
        ),
        (
            lambda: encoder_layer().backward(X),
            LinkStateError,
            "TransformerEncoderLayer(4, 2, dim_feedforward=6, batch_first=True, dtype='float64'): backward() without a "
            "forward() before it. Call forward first; each forward serves one backward, and under no_grad() or "
            "predict() nothing is kept.",
        ),
        (
            lambda: SinusoidalPositionalEncoding(4)(numbers(3, 5)),
            LinkShapeError,
            "SinusoidalPositionalEncoding(4): expected x of shape (N, L, 4) or (L, 4), got (3, 5). "
            "The last dimension is embed_dim.",
        ),
        (
            lambda: LearnedPositionalEncoding(4, 2, dtype="float64")(numbers(3, 4)),
            LinkShapeError,
            "LearnedPositionalEncoding(4, 2, dtype='float64'): expected x of shape (N, L, 4) with L ≤ 2, got (3, 4). "
            "Make max_len as large as the longest sequence.",
        ),
        (
            lambda: LearnedPositionalEncoding(4, 3)(numbers(3, 4)),
            LinkDtypeError,
            "LearnedPositionalEncoding(4, 3): expected x of dtype float32, got float64. Convert it with "
            "x.astype('float32'), or the link with .to('float64').",
        ),
    ],
)
def test_inputs_that_do_not_fit(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "shown",
    [
        "TransformerEncoderLayer(4, 2)",
        "TransformerEncoderLayer(4, 2, dim_feedforward=8, dropout=0.0, layer_norm_eps=0.001, batch_first=True, "
        "norm_first=True, bias=False, activation=GELU(), dtype='float64')",
        "TransformerDecoderLayer(6, 3, dim_feedforward=8)",
        "TransformerEncoder(TransformerEncoderLayer(4, 2, dim_feedforward=8), 2, norm=LayerNorm((4,)))",
        "TransformerDecoder(TransformerDecoderLayer(4, 2, dim_feedforward=8), 1)",
        "Transformer(4, 2, num_encoder_layers=1, num_decoder_layers=2, dim_feedforward=8)",
        "Transformer(4, 2, num_decoder_layers=1, dim_feedforward=8, custom_encoder=Identity())",
        "SinusoidalPositionalEncoding(4, dropout=0.1)",
        "LearnedPositionalEncoding(4, 7, dtype='float64')",
    ],
)
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


def relu(x: Array) -> Array:
    """One of the functions that are known by their names."""
    return np.maximum(x, 0)


def test_activations_are_links_known_names_and_functions_of_these_names() -> None:
    assert isinstance(encoder_layer(activation=relu).activation, maillon.ReLU)
    assert isinstance(encoder_layer(activation="gelu").activation, maillon.GELU)
    learnt = encoder_layer(activation=maillon.PReLU(dtype="float64"))
    assert list(learnt.state_dict())[-1] == "activation.weight"
    learnt(X)
    learnt.backward(X)
    assert learnt.activation.weight.grad is not None


def test_the_layers_of_a_stack_are_copies_that_begin_alike() -> None:
    layer = encoder_layer()
    encoder = TransformerEncoder(layer, 3)
    first, second = (list(each.parameters()) for each in encoder.layers[:2])
    for parameter, other, given in zip(first, second, layer.parameters(), strict=True):
        assert len({id(parameter), id(other), id(given)}) == 3
        np.testing.assert_array_equal(parameter.data, other.data)
    encoder(X)
    encoder.backward(X)
    assert layer.linear1.weight.grad is None
    assert (first[0].grad != second[0].grad).any()


def test_the_layers_of_a_stack_draw_masks_of_their_own_from_the_one_generator() -> None:
    generator = Generator(2)
    encoder = TransformerEncoder(TransformerEncoderLayer(4, 2, 6, 0.5, generator=generator), 2)
    assert {id(each.dropout1.generator) for each in encoder.layers} == {id(generator)}
    masks = [each.dropout1(np.ones(50)) for each in encoder.layers]
    assert (masks[0] != masks[1]).any()


def test_a_shared_norm_is_the_one_that_was_given() -> None:
    norm = maillon.LayerNorm(4, dtype="float64")
    encoder = TransformerEncoder(encoder_layer(), 1, norm)
    assert encoder.norm is norm
    assert list(encoder.state_dict())[-2:] == ["norm.weight", "norm.bias"]


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_causal_mask_hides_what_comes_later_through_all_layers(norm_first: bool) -> None:
    mask, later = Transformer.generate_square_subsequent_mask(3, dtype="float64"), X.copy()
    later[:, 2] += 1
    encoder = TransformerEncoder(encoder_layer(norm_first=norm_first), 2).eval()
    seen = [encoder(each, mask, is_causal=True) for each in (X, later)]
    np.testing.assert_array_equal(seen[0][:, :2], seen[1][:, :2])
    assert (seen[0][:, 2] != seen[1][:, 2]).all()


def test_the_causal_mask_is_added() -> None:
    mask = Transformer.generate_square_subsequent_mask(3)
    assert mask.dtype == np.float32
    np.testing.assert_array_equal(mask == -np.inf, ~np.tri(3, dtype=bool))
    assert not mask[np.tri(3, dtype=bool)].any()


def test_evaluation_and_no_grad_give_what_training_without_dropout_gives() -> None:
    plain = TransformerEncoder(encoder_layer(dropout=0.0), 2)
    dropping = TransformerEncoder(encoder_layer(dropout=0.5), 2).eval()
    padding = np.array([[False, False, True], [False, False, False]])
    expected = plain(X, None, padding)
    np.testing.assert_array_equal(dropping(X, None, padding), expected)
    dropping.forget()
    with maillon.no_grad():
        np.testing.assert_array_equal(dropping(X, None, padding), expected)
    assert all(module.kept_output is None for module in dropping.modules())


def test_dropout_everywhere_has_a_derivative() -> None:
    for made, inputs in ((TransformerEncoderLayer, (X,)), (TransformerDecoderLayer, (X, X + 1))):
        maillon.check.check_module(made(4, 2, 6, 0.3, "gelu", batch_first=True, dtype="float64"), *inputs)
    maillon.check.check_module(SinusoidalPositionalEncoding(4, 0.4), X)
    maillon.check.check_module(LearnedPositionalEncoding(4, 5, 0.4, dtype="float64"), X)


def test_each_argument_up_to_the_last_mask_has_a_gradient_or_none() -> None:
    mask, padding = numbers(3, 3), numbers(2, 3)
    encoder = TransformerEncoder(encoder_layer(), 2)
    y = encoder(X, mask, padding, False)
    assert [grad.shape for grad in encoder.backward(y)] == [(2, 3, 4), (3, 3), (2, 3)]
    assert [grad.shape for grad in encoder.backward(encoder(X, mask=mask))] == [(2, 3, 4), (3, 3)]
    decoder = TransformerDecoder(decoder_layer(), 2)
    assert len(decoder.backward(decoder(X, X, tgt_mask=mask))) == 3
    assert decoder.backward(decoder(X, X, mask > 0, mask))[2] is None


class Doubling(Module):
    """A layer of one's own, in the place of an encoder."""

    def forward(self, x: Array, mask: Any = None, padding: Any = None, is_causal: Any = None) -> Array:
        y: Array = self.keep(2 * x)
        return y

    def backward(self, grad_output: Array) -> Any:
        self.release(grad_output)
        return 2 * grad_output, None, None, None


def test_an_encoder_of_ones_own() -> None:
    own = Transformer(4, 2, 6, 1, 6, 0.0, custom_encoder=Doubling(), batch_first=True, dtype="float64")
    decoder = copy.deepcopy(own.decoder)
    np.testing.assert_array_equal(own(X, X + 1), decoder(X + 1, 2 * X))
    dsrc, dtgt = own.backward(X)
    expected = decoder.backward(X)
    np.testing.assert_array_equal(dsrc, 2 * expected[1])
    np.testing.assert_array_equal(dtgt, expected[0])
    stacked = TransformerEncoder(Doubling(), 3)
    np.testing.assert_array_equal(stacked(X), 8 * X)
    np.testing.assert_array_equal(stacked.backward(X), 8 * X)


def test_transformers_are_drawn_again_alike() -> None:
    one, other = (Transformer(4, 2, 1, 1, 6, generator=Generator(3)) for _ in range(2))
    one.reset_parameters(Generator(5))
    other.reset_parameters(Generator(5))
    for name, value in one.state_dict().items():
        np.testing.assert_array_equal(value, other.state_dict()[name])


def test_learnt_positions_begin_small_and_follow_the_seed() -> None:
    link = LearnedPositionalEncoding(64, 100, generator=Generator(3))
    np.testing.assert_allclose(link.weight.data.std(), 0.02, rtol=0.05)
    before = link.weight.data.copy()
    link.reset_parameters(Generator(3))
    np.testing.assert_array_equal(link.weight.data, before)


def test_positions_beyond_the_sequence_get_no_gradient() -> None:
    link = LearnedPositionalEncoding(4, 5, dtype="float64")
    link(X)
    link.backward(X)
    np.testing.assert_allclose(link.weight.grad[:3], X.sum(axis=0))
    assert not link.weight.grad[3:].any()


def test_a_sinusoid_shifts_by_a_rotation() -> None:
    p = SinusoidalPositionalEncoding(8)(np.zeros((50, 8)))
    frequencies = 10000.0 ** (-np.arange(0, 8, 2) / 8)
    sin, cos = np.sin(7 * frequencies), np.cos(7 * frequencies)
    np.testing.assert_allclose(p[7:, 0::2], p[:-7, 0::2] * cos + p[:-7, 1::2] * sin, atol=1e-13)
    np.testing.assert_allclose(p[7:, 1::2], p[:-7, 1::2] * cos - p[:-7, 0::2] * sin, atol=1e-13)
