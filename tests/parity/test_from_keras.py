"""from_keras: each layer with its options, whole models, `.keras` files, and what is refused."""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from catalogue.rows import Draw, cast, drawn, labels, normal

import maillon
from maillon.interop.keras import from_keras
from maillon.interop.keras.windows import transposed_padding
from maillon.random import Generator, default_generator

NEAR = 1e-5
"""The largest difference, relative to the largest output; Keras multiplies matrices of float64 in float32 too."""


@pytest.fixture(scope="module")
def keras() -> Iterator[ModuleType]:
    os.environ["KERAS_BACKEND"] = "torch"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import keras as module
    except ImportError:
        if os.environ.get("MAILLON_REQUIRE_TORCH"):
            pytest.fail("Keras is required here (MAILLON_REQUIRE_TORCH is set) and is not installed.")
        pytest.skip("Keras is not installed.")
    yield module
    use(module, "float32")


pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:You might experience inconsistencies across backends when calling conv transp"),
]


def use(keras: ModuleType, dtype: str) -> None:
    """New layers have this dtype."""
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


def moved(keras: ModuleType, model: Any) -> Any:
    """The model away from its start: every weight, running statistics too, some number of its own."""
    generator = Generator(3)
    for weight in model.weights:
        if "seed" not in weight.path:
            new = generator.uniform(tuple(weight.shape), 0.1, 0.9, dtype="float64")
            signs = 1.0 if "variance" in weight.path else 2.0 * generator.randint(0, 2, tuple(weight.shape)) - 1
            weight.assign(new * signs)
    return model


def first(array: Any, channels_first: bool) -> Any:
    """The array with its channels after the batch."""
    return np.ascontiguousarray(np.moveaxis(array, -1, 1)) if channels_first else array


def assert_same(keras: ModuleType, model: Any, inputs: tuple[Any, ...], layouts: tuple[bool, ...]) -> Any:
    """layouts: of the inputs, then of the outputs, whether they have their channels first here."""
    network = from_keras(model).eval()
    expected = model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
    several = isinstance(expected, list | tuple)
    expected = [keras.ops.convert_to_numpy(one) for one in (expected if several else [expected])]
    got = network(*(first(one, yes) for one, yes in zip(inputs, layouts, strict=False)))
    assert isinstance(got, tuple) == several
    for one, other, yes in zip(got if several else (got,), expected, layouts[len(inputs) :], strict=True):
        wanted = first(other, yes)
        assert one.shape == wanted.shape
        np.testing.assert_allclose(one, wanted, rtol=0, atol=NEAR * np.abs(wanted).max())
    return network


IMAGE, SERIES, FLAT = (6, 7, 4), (9, 4), (5,)
LAYERS: dict[str, tuple[Any, tuple[int, ...], tuple[bool, bool]]] = {}


def case(name: str, make: Any, shape: tuple[int, ...], before: bool = False, after: bool | None = None) -> None:
    """A layer, or several; whether its input and output have their channels first here."""
    LAYERS[name] = make, shape, (before, before if after is None else after)


for activation in ("relu", "sigmoid", "tanh", "softmax", "log_softmax", "elu", "selu", "gelu", "silu", "softplus",
                   "softsign", "hard_sigmoid", "hard_silu", "mish", "relu6", "leaky_relu", "log_sigmoid", "hard_tanh",
                   "tanh_shrink", "soft_shrink", "hard_shrink", "celu", "linear"):  # fmt: skip
    case(f"Dense {activation}", lambda L, a=activation: L.Dense(4, activation=a), FLAT)
for activation in ("softmax", "glu", "relu"):
    case(f"Activation {activation} of images", lambda L, a=activation: L.Activation(a), IMAGE, True)
case("Dense without bias", lambda L: L.Dense(3, use_bias=False), FLAT)
case("Dense of series", lambda L: L.Dense(3, "relu"), SERIES)
case("Dense of images", lambda L: L.Dense(3, "softmax"), IMAGE, True)
case("TimeDistributed Dense", lambda L: L.TimeDistributed(L.Dense(3, "tanh")), SERIES)
case("Conv1D", lambda L: L.Conv1D(3, 3, activation="relu"), SERIES, True)
case("Conv1D causal", lambda L: L.Conv1D(3, 3, padding="causal", dilation_rate=2), SERIES, True)
case("Conv1D same", lambda L: L.Conv1D(3, 4, padding="same"), SERIES, True)
case("Conv1D same, stride", lambda L: L.Conv1D(3, 4, 2, padding="same", use_bias=False), SERIES, True)
case("Conv1D same, stride, even", lambda L: L.Conv1D(3, 3, 2, padding="same"), SERIES, True)
case("Conv2D", lambda L: L.Conv2D(3, (2, 3), activation="tanh"), IMAGE, True)
case("Conv2D same", lambda L: L.Conv2D(3, (2, 3), padding="same", dilation_rate=2), IMAGE, True)
case("Conv2D same, strides", lambda L: L.Conv2D(3, 3, (2, 3), padding="same"), IMAGE, True)
case("Conv2D same, strides, even", lambda L: L.Conv2D(3, (4, 2), 2, padding="same"), IMAGE, True)
case("Conv2D groups", lambda L: L.Conv2D(6, 3, strides=2, groups=2), IMAGE, True)
case("DepthwiseConv1D", lambda L: L.DepthwiseConv1D(3, padding="same"), SERIES, True)
case("DepthwiseConv2D", lambda L: L.DepthwiseConv2D(3, 2, "same", depth_multiplier=2, activation="relu"), IMAGE, True)
case("SeparableConv1D", lambda L: L.SeparableConv1D(5, 3, depth_multiplier=2), SERIES, True)
case(
    "SeparableConv2D", lambda L: L.SeparableConv2D(5, 3, padding="same", activation="relu", use_bias=False), IMAGE, True
)
case("Conv1DTranspose", lambda L: L.Conv1DTranspose(3, 3, 2), SERIES, True)
for k, s, d in ((3, 2, 1), (4, 2, 1), (2, 2, 1), (5, 3, 1), (3, 1, 2), (2, 3, 1)):
    for padding in ("valid", "same"):
        name = f"Conv2DTranspose {k} {s} {d} {padding}"
        case(name, lambda L, k=k, s=s, d=d, p=padding: L.Conv2DTranspose(3, k, s, p, dilation_rate=d), IMAGE, True)
case("Conv2DTranspose output_padding", lambda L: L.Conv2DTranspose(3, 3, 2, "same", output_padding=1), IMAGE, True)
case("MaxPooling1D", lambda L: L.MaxPooling1D(2), SERIES, True)
case("MaxPooling1D same", lambda L: L.MaxPooling1D(3, 2, "same"), SERIES, True)
case("MaxPooling2D", lambda L: L.MaxPooling2D((2, 3), 1), IMAGE, True)
case("MaxPooling2D same", lambda L: L.MaxPooling2D(2, padding="same"), IMAGE, True)
case("MaxPooling2D same, large", lambda L: L.MaxPooling2D(4, 3, padding="same"), IMAGE, True)
case("AveragePooling1D", lambda L: L.AveragePooling1D(3, 2), SERIES, True)
case("AveragePooling2D", lambda L: L.AveragePooling2D((2, 3)), IMAGE, True)
case("AveragePooling2D same", lambda L: L.AveragePooling2D(3, 1, "same"), IMAGE, True)
for kind in ("Max", "Average"):
    case(f"Global{kind}Pooling1D", lambda L, k=kind: getattr(L, f"Global{k}Pooling1D")(), SERIES, False, False)
    case(f"Global{kind}Pooling2D", lambda L, k=kind: getattr(L, f"Global{k}Pooling2D")(), IMAGE, True, False)
case("GlobalAveragePooling2D keepdims", lambda L: L.GlobalAveragePooling2D(keepdims=True), IMAGE, True)
case("ZeroPadding1D", lambda L: L.ZeroPadding1D((1, 2)), SERIES, True)
case("ZeroPadding2D", lambda L: L.ZeroPadding2D(((1, 0), (2, 3))), IMAGE, True)
case("Cropping1D", lambda L: L.Cropping1D((1, 2)), SERIES, True)
case("Cropping2D", lambda L: L.Cropping2D(((1, 0), (2, 1))), IMAGE, True)
case("UpSampling1D", lambda L: L.UpSampling1D(2), SERIES, True)
case("UpSampling2D", lambda L: L.UpSampling2D((2, 3)), IMAGE, True)
case("UpSampling2D bilinear", lambda L: L.UpSampling2D(2, interpolation="bilinear"), IMAGE, True)
case("BatchNormalization", lambda L: L.BatchNormalization(), FLAT)
case("BatchNormalization of images", lambda L: L.BatchNormalization(momentum=0.9, epsilon=0.1), IMAGE, True)
case("BatchNormalization of series", lambda L: [L.BatchNormalization(), L.Conv1D(2, 1)], SERIES, True)
case("BatchNormalization center only", lambda L: L.BatchNormalization(scale=False), IMAGE, True)
case("BatchNormalization scale only", lambda L: L.BatchNormalization(center=False), FLAT)
case("BatchNormalization alone", lambda L: L.BatchNormalization(center=False, scale=False), FLAT)
case("LayerNormalization", lambda L: L.LayerNormalization(epsilon=0.01), SERIES)
case("LayerNormalization of all", lambda L: L.LayerNormalization(axis=[1, 2]), SERIES)
case("LayerNormalization scale only", lambda L: L.LayerNormalization(center=False), FLAT)
case("LayerNormalization center only", lambda L: L.LayerNormalization(scale=False), FLAT)
case("LayerNormalization after Conv1D", lambda L: [L.Conv1D(3, 2), L.LayerNormalization()], SERIES, True, False)
case("GroupNormalization", lambda L: L.GroupNormalization(2, epsilon=0.01), IMAGE, True)
case("GroupNormalization of each", lambda L: L.GroupNormalization(-1, scale=False), IMAGE, True)
case("RMSNormalization", lambda L: L.RMSNormalization(epsilon=0.1), SERIES)
case("LSTM", lambda L: L.LSTM(3), SERIES)
case("LSTM of sequences", lambda L: L.LSTM(3, return_sequences=True, use_bias=False), SERIES)
case("GRU", lambda L: L.GRU(3), SERIES)
case("GRU of sequences", lambda L: [L.GRU(3, return_sequences=True), L.GRU(2, use_bias=False)], SERIES)
case("SimpleRNN", lambda L: L.SimpleRNN(3, activation="relu"), SERIES)
case("Bidirectional LSTM", lambda L: L.Bidirectional(L.LSTM(3)), SERIES)
case("Bidirectional GRU of sequences", lambda L: L.Bidirectional(L.GRU(3, return_sequences=True)), SERIES)
case("Dropouts", lambda L: [L.Dropout(0.5), L.AlphaDropout(0.1), L.Dense(2)], FLAT)
case("SpatialDropout", lambda L: [L.SpatialDropout2D(0.5), L.Identity()], IMAGE, True)
case("SpatialDropout1D", lambda L: L.SpatialDropout1D(0.5), SERIES, True)
case("ReLU", lambda L: L.ReLU(), FLAT)
case("ReLU max_value", lambda L: L.ReLU(max_value=0.5), FLAT)
case("ReLU negative_slope", lambda L: L.ReLU(negative_slope=0.3), FLAT)
case("LeakyReLU", lambda L: L.LeakyReLU(negative_slope=0.1), FLAT)
case("ELU", lambda L: L.ELU(alpha=0.5), FLAT)
case("PReLU", lambda L: L.PReLU(), FLAT)
case("PReLU of images", lambda L: L.PReLU(shared_axes=[1, 2]), IMAGE, True)
case("Softmax", lambda L: L.Softmax(), FLAT)
case("Softmax over rows", lambda L: L.Softmax(axis=1), IMAGE, True)
case("a layer as an activation", lambda L: L.Dense(3, activation=L.LeakyReLU(negative_slope=0.4)), FLAT)
case("Flatten", lambda L: L.Flatten(), IMAGE, True, False)
case("Flatten, Dense", lambda L: [L.Flatten(), L.Dense(3)], IMAGE, True, False)
case("Flatten, much, Dense", lambda L: [L.Flatten(), L.Dropout(0.5), L.BatchNormalization(), L.ReLU(), L.Dense(3)],
     IMAGE, True, False)  # fmt: skip
case("Flatten of series", lambda L: [L.Conv1D(3, 2), L.Flatten(), L.Dense(2)], SERIES, True, False)
case("Flatten of steps", lambda L: [L.LSTM(3, return_sequences=True), L.Flatten(), L.Dense(2)], SERIES)
case("Flatten, Softmax", lambda L: [L.Flatten(), L.Softmax()], IMAGE, True, False)
case("Reshape to images", lambda L: [L.Dense(24), L.Reshape((2, 3, 4)), L.Conv2D(2, 2)], FLAT, False, True)
case("Reshape to series", lambda L: [L.Dense(12), L.Reshape((3, 4)), L.LSTM(2)], FLAT)
case("Reshape of images", lambda L: [L.Conv2D(3, 2), L.Reshape((-1, 3)), L.GRU(2)], IMAGE, True, False)
case("Reshape to what it is", lambda L: [L.Reshape((5,)), L.Dense(2)], FLAT)
case("Reshape flat", lambda L: [L.Reshape((-1,)), L.Dense(2)], IMAGE, True, False)
case("Permute", lambda L: [L.Permute((2, 1)), L.LSTM(2)], SERIES)
case("Permute nothing", lambda L: [L.Permute((1, 2)), L.LSTM(2)], SERIES)
case("Conv1D, then LSTM", lambda L: [L.Conv1D(3, 2), L.MaxPooling1D(2), L.LSTM(2)], SERIES, True, False)
case("LSTM, then Conv1D", lambda L: [L.LSTM(3, return_sequences=True), L.Conv1D(2, 2)], SERIES, False, True)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer(keras: ModuleType, name: str) -> None:
    make, shape, layouts = LAYERS[name]
    use(keras, "float32")
    made = make(keras.layers)
    model = keras.Sequential([keras.Input(shape), *(made if isinstance(made, list) else [made])])
    x = drawn((normal(3, *shape),), Generator(1))[0].astype(np.float32)
    assert_same(keras, moved(keras, model), (x,), layouts)


# Whole models


def lenet(keras: ModuleType) -> Any:
    L = keras.layers
    return keras.Sequential([
        keras.Input((28, 28, 1)), L.Conv2D(6, 5, padding="same", activation="tanh"), L.AveragePooling2D(2),
        L.Conv2D(16, 5, activation="tanh"), L.AveragePooling2D(2), L.Flatten(), L.Dense(120, "tanh"),
        L.Dense(84, "tanh"), L.Dense(10, "softmax"),
    ])  # fmt: skip


def residual(keras: ModuleType) -> Any:
    L = keras.layers
    x = keras.Input((8, 8, 3), name="image")

    def block(x: Any, filters: int, strides: int) -> Any:
        y = L.Conv2D(filters, 3, strides, "same", use_bias=False)(x)
        y = L.ReLU()(L.BatchNormalization()(y))
        y = L.BatchNormalization()(L.Conv2D(filters, 3, padding="same", use_bias=False)(y))
        short = x if strides == 1 else L.Conv2D(filters, 1, strides)(x)
        return L.Activation("relu")(L.Add()([y, short]))

    y = block(block(L.Conv2D(4, 3, padding="same")(x), 4, 1), 8, 2)
    return keras.Model(x, L.Dense(5)(L.GlobalAveragePooling2D()(y)))


def two_images(keras: ModuleType) -> Any:
    """Two images through one encoder, flattened, joined, and two outputs."""
    L = keras.layers
    encoder = keras.Sequential([keras.Input((5, 5, 2)), L.Conv2D(3, 2), L.Flatten()], name="encoder")
    left, right = keras.Input((5, 5, 2)), keras.Input((5, 5, 2))
    both = L.Concatenate()([encoder(left), encoder(right)])
    return keras.Model([left, right], [L.Dense(3, name="joined")(both), L.Multiply()([encoder(left), encoder(right)])])


def text(keras: ModuleType) -> Any:
    L = keras.layers
    return keras.Sequential([
        keras.Input((7,), dtype="int32"), L.Embedding(20, 6), L.Conv1D(5, 3, activation="relu"), L.GlobalMaxPooling1D(),
        L.Dense(1, "sigmoid"),
    ])  # fmt: skip


def transformer(keras: ModuleType) -> Any:
    L = keras.layers
    words = keras.Input((6,), dtype="int32")
    x = L.Embedding(12, 8)(words)
    y = L.MultiHeadAttention(2, 4)(x, x)
    x = L.LayerNormalization()(x + y)
    y = L.Dense(8)(L.Dense(16, "gelu")(x))
    x = L.LayerNormalization()(L.Add()([x, y]))
    return keras.Model(words, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


def autoencoder(keras: ModuleType) -> Any:
    L = keras.layers
    encoder = keras.Sequential([
        keras.Input((8, 8, 1)), L.Conv2D(4, 3, 2, "same", activation="relu"), L.Conv2D(8, 3, 2, "same"), L.Flatten(),
        L.Dense(5),
    ], name="encoder")  # fmt: skip
    decoder = keras.Sequential([
        keras.Input((5,)), L.Dense(32, "relu"), L.Reshape((2, 2, 8)), L.Conv2DTranspose(4, 3, 2, "same"),
        L.Conv2DTranspose(1, 3, 2, "same", activation="sigmoid"),
    ], name="decoder")  # fmt: skip
    x = keras.Input((8, 8, 1))
    return keras.Model(x, decoder(encoder(x)))


def u_net(keras: ModuleType) -> Any:
    L = keras.layers
    x = keras.Input((8, 8, 2))
    first = L.Conv2D(3, 3, padding="same", activation="relu")(x)
    second = L.Conv2D(4, 3, padding="same", activation="relu")(L.MaxPooling2D()(first))
    up = L.Concatenate()([L.UpSampling2D()(second), first])
    return keras.Model(x, L.Conv2D(1, 1)(up))


def cross_attention(keras: ModuleType) -> Any:
    L = keras.layers
    query, value, key = keras.Input((4, 6)), keras.Input((5, 3)), keras.Input((5, 2))
    return keras.Model([query, value, key], L.MultiHeadAttention(3, 2, use_bias=False)(query, value, key))


def joined_layouts(keras: ModuleType) -> Any:
    """What convolutions and what recurrent layers make of one series, and a flat image beside features."""
    L = keras.layers
    x, image = keras.Input((6, 4)), keras.Input((2, 3, 2))
    inner = keras.Sequential([keras.Input((6, 4)), L.ReLU(), L.Conv1D(3, 3, padding="same")])
    y = L.Add()([inner(x), L.LSTM(3, return_sequences=True)(x)])
    z = L.Multiply()([L.Flatten()(image), L.Dense(12)(L.GlobalMaxPooling1D()(y))])
    return keras.Model([x, image], [y, z])


MODELS: dict[str, tuple[Any, tuple[Draw, ...], tuple[bool, ...]]] = {
    "LeNet-5": (lenet, (normal(2, 28, 28, 1),), (True, False)),
    "residual blocks": (residual, (normal(2, 8, 8, 3),), (True, False)),
    "one encoder for two images": (two_images, (normal(2, 5, 5, 2), normal(2, 5, 5, 2)), (True, True, False, False)),
    "convolutions over text": (text, (labels(20, 3, 7),), (False, False)),
    "transformer": (transformer, (labels(12, 3, 6),), (False, False)),
    "autoencoder": (autoencoder, (normal(2, 8, 8, 1),), (True, True)),
    "U-Net": (u_net, (normal(2, 8, 8, 2),), (True, True)),
    "two layouts joined": (joined_layouts, (normal(2, 6, 4), normal(2, 2, 3, 2)), (False, True, True, False)),
    "cross-attention": (cross_attention, (normal(2, 4, 6), normal(2, 5, 3), normal(2, 5, 2)), (False,) * 4),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model(keras: ModuleType, name: str) -> None:
    make, draws, layouts = MODELS[name]
    use(keras, "float32")
    keras.utils.set_random_seed(1)
    inputs = cast(drawn(draws, Generator(1)), "float32")
    assert_same(keras, make(keras), inputs, layouts)


def test_gradients_too(keras: ModuleType, torch: ModuleType) -> None:
    use(keras, "float32")
    model = lenet(keras)
    x = normal(2, 28, 28, 1)(Generator(1)).astype(np.float32)
    network = from_keras(model).eval()
    given = torch.from_numpy(x.copy()).requires_grad_()
    model(given, training=False).square().sum().backward()
    y = network(first(x, True))
    pairs = [(np.moveaxis(network.backward(2 * y), 1, -1), given.grad.numpy())]
    kernels = [(np.moveaxis(network[0].weight.grad, (0, 1), (-1, -2)), model.layers[0].kernel)]
    kernels += [(network["dense"].bias.grad, model.get_layer("dense").bias)] if "dense" in network.__dict__ else []
    for got, expected in [*pairs, *((grad, variable.value.grad.numpy()) for grad, variable in kernels)]:
        np.testing.assert_allclose(got, expected, rtol=0, atol=NEAR * np.abs(expected).max())


def test_float64_is_kept(keras: ModuleType) -> None:
    use(keras, "float64")
    L = keras.layers
    model = keras.Sequential([keras.Input((5, 5, 2)), L.Conv2D(3, 2), L.BatchNormalization(), L.ReLU()])
    network = from_keras(model)
    assert {str(array.dtype) for array in (*(p.data for p in network.parameters()), network[1].running_var)} == {
        "float64"
    }


def test_a_file(keras: ModuleType, tmp_path: Path) -> None:
    use(keras, "float32")
    model = lenet(keras)
    model.save(tmp_path / "model.keras")
    x = normal(2, 28, 28, 1)(Generator(1)).astype(np.float32)
    for path in (tmp_path / "model.keras", str(tmp_path / "model.keras")):
        got = from_keras(path).eval()(first(x, True))
        np.testing.assert_allclose(got, keras.ops.convert_to_numpy(model(x)), atol=1e-6)


# What is kept


def test_names_frozen_weights_and_the_generator(keras: ModuleType) -> None:
    use(keras, "float32")
    L = keras.layers
    model = keras.Sequential([
        keras.Input((4,)), L.Dense(3, "relu", name="a"), L.BatchNormalization(name="b"), L.Dense(2, name="c"),
    ])  # fmt: skip
    model.get_layer("a").trainable = model.get_layer("b").trainable = False
    before = default_generator().random_raw(1)
    default_generator().manual_seed(0)
    network = from_keras(model)
    np.testing.assert_array_equal(default_generator().random_raw(1), before)
    assert [name for name, _ in network.named_children()] == ["a", "a_relu", "b", "c"]
    assert [p.requires_grad for p in network.parameters()] == [False, False, False, False, True, True]
    assert [link.training for _, link in network.named_children()] == [True, True, False, True]
    assert (network["b"].momentum, network["b"].eps) == (pytest.approx(0.01), 1e-3)


def test_a_layer_that_is_called_twice_shares_its_weights(keras: ModuleType) -> None:
    use(keras, "float32")
    L = keras.layers
    x = keras.Input((4, 6))
    y = x
    for layer in (L.Dense(6, "tanh", name="d"), L.GRU(6, return_sequences=True, name="g"), L.MultiHeadAttention(2, 3)):
        several = isinstance(layer, L.MultiHeadAttention)
        for _ in range(2):
            y = layer(y, y) if several else layer(y)
    network = from_keras(keras.Model(x, y))
    names = [name for name, _ in network.named_children()]
    assert names[:6] == ["d", "d_tanh", "d_1", "d_tanh_1", "g", "g_every"]
    once = from_keras(keras.Sequential([x, L.Dense(6), L.GRU(6, return_sequences=True)]))
    assert len(list(network.parameters())) == len(list(once.parameters())) + 4
    assert_same(keras, keras.Model(x, y), cast(drawn((normal(2, 4, 6),), Generator(1)), "float32"), (False, False))


def test_a_backend_that_is_missing_is_named() -> None:
    code = "import maillon\ntry: maillon.interop.keras.from_keras(3)\nexcept ImportError as error: print(error)"
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert result.stdout.startswith("maillon.interop.keras: Keras has no backend (No module named ")
    assert result.stdout.strip().endswith("Install one, and choose it before Keras is imported: KERAS_BACKEND=torch.")


def test_it_trains_on(keras: ModuleType) -> None:
    use(keras, "float32")
    L = keras.layers
    model = keras.Sequential([keras.Input((4, 4, 1)), L.Conv2D(4, 2, activation="relu"), L.Flatten(), L.Dense(2)])
    x, y = Generator(1).normal((60, 1, 4, 4)), Generator(2).randint(0, 2, 60)
    history = maillon.fit(from_keras(model), maillon.CrossEntropyLoss(), x, y, rule=maillon.Adam(lr=0.02), epochs=30)
    assert history["loss"][-1] < 0.7 * history["loss"][0]


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_the_padding_of_a_transposed_convolution(torch: ModuleType, size: int, stride: int, dilation: int) -> None:
    """As the gradient of a convolution that pads "same": what TensorFlow and JAX mean."""
    extent, n = (size - 1) * dilation + 1, 5
    padding, added, cut = transposed_padding(size, stride, dilation, None, True)
    total = max(extent - stride, 0)
    x, kernel = torch.randn(1, 1, n, dtype=torch.float64), torch.randn(1, 1, size, dtype=torch.float64)
    image = torch.zeros(1, 1, n * stride, dtype=torch.float64, requires_grad=True)
    padded = torch.nn.functional.pad(image, (total // 2, total - total // 2))
    torch.nn.functional.conv1d(padded, kernel, stride=stride, dilation=dilation).backward(x)
    link = maillon.ConvTranspose1d(1, 1, size, stride, padding, added, 1, False, dilation, dtype="float64")
    link.weight.data[...] = kernel.numpy()
    got = maillon.ZeroPad1d((0, -cut))(link(x.numpy()))
    np.testing.assert_allclose(got, image.grad.numpy(), atol=1e-12)


# What is refused

OPTION = "which no link does. Give one of your own: links={"
REFUSED: dict[str, tuple[Any, tuple[int, ...], str]] = {
    "a layer": (
        lambda L: L.GaussianNoise(0.1, name="noise"),
        FLAT,
        "from_keras: noise is a GaussianNoise, for which maillon has no link. Replace it, or give one of your own: "
        "links={'GaussianNoise': …}.",
    ),
    "an activation": (
        lambda L: L.Dense(2, "exponential", name="d"),
        FLAT,
        "from_keras: d has the activation exponential, for which maillon has no link.",
    ),
    "an activation of one's own": (
        lambda L: L.Dense(2, lambda x: x * x, name="d"),
        FLAT,
        "from_keras: d has the activation <lambda>, for which maillon has no link.",
    ),
    "a GRU that resets before": (
        lambda L: L.GRU(2, reset_after=False, name="g"),
        SERIES,
        f"from_keras: g, a GRU, resets before the product (reset_after=False), {OPTION}'GRU': …}}.",
    ),
    "another activation of gates": (
        lambda L: L.LSTM(2, recurrent_activation="hard_sigmoid", name="l"),
        SERIES,
        f"from_keras: l, a LSTM, has the activation tanh and hard_sigmoid, {OPTION}'LSTM': …}}.",
    ),
    "another activation": (
        lambda L: L.SimpleRNN(2, "sigmoid", name="r"),
        SERIES,
        f"from_keras: r, a SimpleRNN, has the activation sigmoid, {OPTION}'SimpleRNN': …}}.",
    ),
    "dropout in a layer": (
        lambda L: L.LSTM(2, dropout=0.1, name="l"),
        SERIES,
        f"from_keras: l, a LSTM, drops the same inputs at every step, {OPTION}'LSTM': …}}.",
    ),
    "another merge": (
        lambda L: L.Bidirectional(L.LSTM(2), merge_mode="sum", name="b"),
        SERIES,
        "from_keras: b, a Bidirectional, has merge_mode='sum', or two layers that are not alike,, "
        f"{OPTION}'Bidirectional': …}}.",
    ),
    "masks": (
        lambda L: L.Embedding(3, 2, mask_zero=True, name="e"),
        FLAT,
        f"from_keras: e, a Embedding, masks zeros (mask_zero=True), {OPTION}'Embedding': …}}.",
    ),
    "an odd average": (
        lambda L: L.AveragePooling2D(2, 1, padding="same", name="p"),
        IMAGE,
        'from_keras: p, a AveragePooling2D, pads "same" by an odd number, which means another thing in each backend, '
        f"{OPTION}'AveragePooling2D': …}}.",
    ),
    "an interpolation": (
        lambda L: L.UpSampling2D(2, interpolation="bicubic", name="u"),
        IMAGE,
        f"from_keras: u, a UpSampling2D, has interpolation='bicubic', {OPTION}'UpSampling2D': …}}.",
    ),
    "a norm of channels in images": (
        lambda L: L.LayerNormalization(name="n"),
        IMAGE,
        "from_keras: ",
    ),
    "a norm of rows": (
        lambda L: L.BatchNormalization(axis=1, name="n"),
        IMAGE,
        "from_keras: n, a BatchNormalization, does not norm the last dimension alone, "
        f"{OPTION}'BatchNormalization': …}}.",
    ),
    "a slope each": (
        lambda L: L.PReLU(name="p"),
        IMAGE,
        "from_keras: p, a PReLU, has a slope for each place, not for each channel (shared_axes), "
        f"{OPTION}'PReLU': …}}.",
    ),
    "two options of ReLU": (
        lambda L: L.ReLU(max_value=1.0, negative_slope=0.1, name="r"),
        FLAT,
        f"from_keras: r, a ReLU, has options together, {OPTION}'ReLU': …}}.",
    ),
    "a threshold": (
        lambda L: L.ReLU(threshold=1.0, name="r"),
        FLAT,
        f"from_keras: r, a ReLU, has options together, {OPTION}'ReLU': …}}.",
    ),
    "images turned": (
        lambda L: L.Permute((2, 1, 3), name="p"),
        IMAGE,
        f"from_keras: p, a Permute, exchanges dimensions (2, 1, 3) of images, {OPTION}'Permute': …}}.",
    ),
    "convolutions in time": (
        lambda L: L.TimeDistributed(L.Conv1D(2, 2), name="t"),
        (3, 5, 2),
        f"from_keras: t, a TimeDistributed, holds a Conv1D, {OPTION}'TimeDistributed': …}}.",
    ),
    "channels first": (
        lambda L: L.MaxPooling2D(2, data_format="channels_first", name="p"),
        IMAGE,
        f"from_keras: p, a MaxPooling2D, has its channels first (data_format), {OPTION}'MaxPooling2D': …}}.",
    ),
    "several axes": (
        lambda L: L.Softmax(axis=(1, 2), name="s"),
        SERIES,
        f"from_keras: s, a Softmax, has axis=(1, 2), {OPTION}'Softmax': …}}.",
    ),
    "an unknown size": (
        lambda L: L.Conv2D(2, 3, 2, "same", name="c"),
        (None, None, 2),
        'from_keras: c, a Conv2D, pads "same" with a stride an input whose size is not known, '
        f"{OPTION}'Conv2D': …}}.",
    ),
    "an unknown size, flattened": (
        lambda L: L.Flatten(name="f"),
        (None, 2),
        "from_keras: f flattens (None, None, 2), whose sizes are not known. Say them in the Input.",
    ),
    "five dimensions": (
        lambda L: L.Reshape((1, 2, 2, 1), name="r"),
        (4,),
        "from_keras: r makes values of 5 dimensions; links take up to four.",
    ),
    "an unknown size, shaped": (
        lambda L: L.Reshape((-1, 2), name="r"),
        (None, 2, 2),
        "from_keras: r, a Reshape, makes (None, None, 2), which no link does. Give one of your own: links={'Reshape': "
        "…}.",
    ),
    "a norm of rows alone": (
        lambda L: L.LayerNormalization(axis=1, name="n"),
        SERIES,
        f"from_keras: n, a LayerNormalization, norms over axis=[1], {OPTION}'LayerNormalization': …}}.",
    ),
    "groups of rows": (
        lambda L: L.GroupNormalization(3, axis=1, name="n"),
        IMAGE,
        f"from_keras: n, a GroupNormalization, norms over axis=1, {OPTION}'GroupNormalization': …}}.",
    ),
    "an unknown length": (
        lambda L: [L.Conv1D(2, 3, name="c"), L.LSTM(2)],
        (None, 2),
        "from_keras: c has its channels first, and cannot have them last: only series whose length is known can. Say "
        "the length in the Input.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_link_is_refused_by_name(keras: ModuleType, name: str) -> None:
    make, shape, message = REFUSED[name]
    use(keras, "float32")
    made = make(keras.layers)
    model = keras.Sequential([keras.Input(shape), *(made if isinstance(made, list) else [made])])
    with pytest.raises(NotImplementedError) as caught:
        from_keras(model)
    assert str(caught.value) == message or (message == "from_keras: " and "cannot have them last" in str(caught.value))


def test_other_models_and_calls_are_refused(keras: ModuleType) -> None:
    use(keras, "float32")
    L = keras.layers

    class Mine(keras.Model):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            return x

    x, z, image = keras.Input((3,), name="x"), keras.Input((3,), name="z"), keras.Input((4, 2))
    y, _ = L.GRU(2, return_state=True, name="g")(image)
    attended = L.MultiHeadAttention(2, 3, name="a")(image, image)
    causal = L.MultiHeadAttention(1, 2, name="a")(image, image, use_causal_mask=True)
    picture = keras.Input((3, 3, 2))
    flat = [L.Flatten()(L.Conv2D(2, 2)(picture)) for _ in range(2)]
    dense = L.Dense(8, name="d")
    twice = L.Add()([dense(flat[0]), dense(dense(flat[0]))])
    state = L.GRU(2, name="g")(image, initial_state=L.Dense(2)(x))
    shaped = L.MultiHeadAttention(1, 2, output_shape=3, name="a")(image, image)
    refused = [
        (
            keras.Model(picture, L.Concatenate(name="c")(flat)),
            "the features of c come from several images, and nothing",
        ),
        (keras.Model(picture, twice), "from_keras: d, a Dense, is given features in two orders"),
        (keras.Model([image, x], state), "from_keras: g, a GRU, begins with a state that is given"),
        (keras.Model(image, shaped), "from_keras: a, a MultiHeadAttention, has output_shape"),
        (Mine(), "from_keras: Mine has no graph of layers. Sequential and functional models are read."),
        (keras.Sequential([L.Dense(2)]), "from_keras: Sequential is not built: give it an Input. Sequential and"),
        (keras.Model([x, z], L.Dense(2)(x)), "depends on the input z."),
        (keras.Model(x, L.Dense(2, name="d")(x + 1.0)), "joins values of several shapes, or numbers"),
        (keras.Model(image, y), "from_keras: g, a GRU, gives its state"),
        (keras.Model(image, attended), "from_keras: a, a MultiHeadAttention, has heads that are not 2 / 2 wide"),
        (keras.Model(image, causal), "from_keras: a, a MultiHeadAttention, is called with use_causal_mask"),
        (
            keras.Sequential([keras.Input((3,)), L.Dense(2, dtype="float16", name="d")]),
            "d has weights of dtype float16",
        ),
    ]
    for model, message in refused:
        with pytest.raises(NotImplementedError) as caught:
            from_keras(model)
        assert message in str(caught.value)
    with pytest.raises(TypeError, match=r"^from_keras: expected a keras.Model or the path of one, got 3.$"):
        from_keras(3)


def test_links_of_one_s_own(keras: ModuleType) -> None:
    use(keras, "float32")
    L = keras.layers
    model = keras.Sequential([keras.Input((4, 4, 2)), L.Rescaling(0.5, name="half"), L.Conv2D(2, 2)])
    network = from_keras(model, links={"Rescaling": lambda layer: maillon.LeakyReLU(layer.scale)})
    assert repr(network["half"]) == "LeakyReLU(0.5)"
    with pytest.raises(TypeError, match=r"^from_keras: half: expected links to give a maillon.Module, got 3.$"):
        from_keras(model, links={"Rescaling": lambda layer: 3})
