"""Files that PyTorch's own exporter writes, read as networks: the same outputs, for batches of any size."""

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import maillon as M
from maillon.interop.onnx import from_onnx, to_onnx

OPSETS = (13, 17, 20)


def made(nn: Any) -> dict[str, tuple[Any, tuple[int, ...], int]]:
    """Each network with the shape of its input, and where in it the batch stands."""

    class View(nn.Module):  # type: ignore[misc]
        """Its flattening is a view, which the exporter writes with Shape, Gather, Concat and Reshape."""

        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.out = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Linear(64, 5)

        def forward(self, x: Any) -> Any:
            x = nn.functional.max_pool2d(nn.functional.relu(self.norm(self.conv(x))), 2)
            return self.out(x.view(x.size(0), -1)).log_softmax(1)

    class Block(nn.Module):  # type: ignore[misc]
        """A way around a layer."""

        def __init__(self) -> None:
            super().__init__()
            self.inner, self.norm, self.act = nn.Linear(6, 6), nn.LayerNorm(6), nn.GELU()

        def forward(self, x: Any) -> Any:
            return self.norm(x + self.act(self.inner(x))) * 0.5

    class Last(nn.Module):  # type: ignore[misc]
        """A number of each sequence."""

        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.layer = layer
            self.out = nn.Linear(layer.hidden_size * (2 if layer.bidirectional else 1), 2)

        def forward(self, x: Any) -> Any:
            y, _ = self.layer(x)
            return self.out(y[:, -1] if self.layer.batch_first else y[-1])

    perceptron = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(), nn.Linear(8, 3), nn.Softmax(1))
    convolutional = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 5))
    )
    grouped = nn.Sequential(
        *(nn.Conv1d(2, 4, 3), nn.GroupNorm(2, 4), nn.SiLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2))
    )
    upwards = nn.Sequential(
        *(nn.Upsample(scale_factor=2, mode="bilinear"), nn.ConvTranspose2d(2, 3, 3, 2, 1, 1)),
        *(nn.ELU(), nn.PReLU(3), nn.Sigmoid()),
    )
    return {
        "perceptron": (perceptron, (4, 6), 0),
        "convolutional": (convolutional, (3, 1, 8, 8), 0),
        "view": (View(), (2, 1, 8, 8), 0),
        "block": (Block(), (3, 6), 0),
        "grouped": (grouped, (2, 2, 9), 0),
        "upwards": (upwards, (2, 2, 4, 4), 0),
        "lstm": (Last(nn.LSTM(3, 4)), (5, 2, 3), 1),
        "lstm of two layers": (Last(nn.LSTM(3, 4, 2, batch_first=True)), (2, 5, 3), 0),
        "gru": (Last(nn.GRU(3, 4, bidirectional=True, batch_first=True)), (2, 5, 3), 0),
        "rnn": (Last(nn.RNN(3, 4, nonlinearity="relu")), (5, 2, 3), 1),
    }


NAMES = (
    *("perceptron", "convolutional", "view", "block", "grouped", "upwards"),
    *("lstm", "lstm of two layers", "gru", "rnn"),
)
CHAINS = ("perceptron", "convolutional", "view", "upwards", "lstm", "lstm of two layers", "gru", "rnn")


@pytest.fixture
def networks(torch: ModuleType) -> dict[str, tuple[Any, tuple[int, ...], int]]:
    torch.manual_seed(0)
    return made(torch.nn)


def written(torch: ModuleType, network: Any, x: Any, path: Path, opset: int, batch: int | None) -> None:
    axes = {} if batch is None else {"dynamic_axes": {"x": {batch: "N"}, "y": {0: "N"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it calls itself old
        torch.onnx.export(
            network, (x,), path, dynamo=False, opset_version=opset, input_names=["x"], output_names=["y"], **axes
        )


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("is_open", [True, False], ids=["open batch", "fixed batch"])
@pytest.mark.parametrize("name", NAMES)
def test_what_pytorch_exports_is_read(
    name: str, is_open: bool, opset: int, networks: Any, torch: ModuleType, tmp_path: Path
) -> None:
    network, shape, batch = networks[name]
    network.eval()
    path = tmp_path / "network.onnx"
    written(torch, network, torch.randn(*shape), path, opset, batch if is_open else None)
    ours = from_onnx(path).eval()
    assert isinstance(ours, M.Sequential) == (name in CHAINS)
    for count in (shape[batch], 7):
        x = torch.randn(*(count if axis == batch else n for axis, n in enumerate(shape)))
        expected = network(x).detach().numpy()
        np.testing.assert_allclose(ours(x.numpy()), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["perceptron", "convolutional", "block", "lstm"])
def test_what_pytorch_exports_in_training_trains_on(
    name: str, networks: Any, torch: ModuleType, tmp_path: Path
) -> None:
    """With the norms and dropouts in it, and the same gradients where nothing is drawn."""
    network, shape, _ = networks[name]
    path, x = tmp_path / "network.onnx", torch.randn(*shape)
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        training = torch.onnx.TrainingMode.PRESERVE
        torch.onnx.export(network.eval(), (x,), path, dynamo=False, opset_version=17, training=training)
    ours = from_onnx(path).eval()
    output = network(x)
    output.sum().backward()
    y = ours(x.numpy())
    ours.backward(np.ones_like(y))
    theirs = sorted(float(p.grad.abs().sum()) for p in network.parameters())
    np.testing.assert_allclose(
        sorted(float(np.abs(p.grad).sum()) for p in ours.parameters()), theirs, rtol=1e-4, atol=1e-5
    )


def test_pytorch_takes_the_weights_of_a_file_of_ours_by_their_names(torch: ModuleType, tmp_path: Path) -> None:
    import onnx

    link = M.Sequential(M.Conv2d(1, 2, 3), M.ReLU(), M.Flatten(), M.Linear(8, 3))
    to_onnx(link, tmp_path / "a.onnx", (1, 4, 4))
    held = onnx.load(tmp_path / "a.onnx").graph.initializer
    state = {tensor.name: torch.tensor(onnx.numpy_helper.to_array(tensor)) for tensor in held}
    nn = torch.nn
    theirs = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    theirs.load_state_dict(state)
    x = torch.randn(5, 1, 4, 4)
    np.testing.assert_allclose(theirs(x).detach().numpy(), link(x.numpy()), rtol=0, atol=1e-6)
