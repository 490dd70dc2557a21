"""The operations that summary counts beside those that PyTorch's own counter sees."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from beside import BESIDE_TORCH

import maillon as m
from maillon.costs.counts import Flops
from maillon.costs.table import counted

pytestmark = BESIDE_TORCH

LINEAR = [((3, 4), {}, (5, 3)), ((7, 2), {"bias": False}, (2, 6, 7)), ((1, 1), {}, (1, 1)), ((3, 4), {}, (3,))]
CONVOLUTIONS = [
    ("Conv1d", (2, 4, 3), {"stride": 2, "padding": 1}, (5, 2, 9)),
    ("Conv2d", (2, 4, 3), {"padding": 1}, (3, 2, 6, 7)),
    ("Conv2d", (4, 6, (2, 3)), {"groups": 2, "dilation": 2, "bias": False}, (3, 4, 8, 9)),
    ("Conv2d", (4, 4, 3), {"groups": 4, "padding": "same"}, (2, 4, 5, 5)),
    ("Conv2d", (1, 2, 5), {"padding": 2, "padding_mode": "reflect"}, (2, 1, 6, 6)),
    ("ConvTranspose1d", (3, 5, 4), {"stride": 2, "padding": 1}, (2, 3, 6)),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "output_padding": 1}, (2, 4, 5, 3)),
]
RECURRENT = [
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {"num_layers": 2}),
    ("LSTM", {"proj_size": 3}),
    ("GRU", {"bidirectional": True, "num_layers": 2}),
]


def torch_flops(torch: ModuleType, module: Any, *shapes: tuple[int, ...]) -> tuple[int, int]:
    """Those of a forward, and of a forward and a backward that reaches the input too, and the states after it."""
    from torch.utils.flop_counter import FlopCounterMode

    inputs = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    if isinstance(module, torch.nn.LSTM):
        inputs = [inputs[0], tuple(inputs[1:])]
    module = module.double()
    with FlopCounterMode(display=False) as forward:
        output = module(*inputs)
    with FlopCounterMode(display=False) as step:
        output = module(*inputs)
        first = output[0] if isinstance(output, tuple) else output
        first.sum().backward()
    return forward.get_total_flops(), step.get_total_flops()


def our_flops(link: m.Module, *shapes: tuple[int, ...]) -> Flops:
    inputs = tuple(np.zeros(shape, np.float32) for shape in shapes)
    found = counted(link, inputs, link(*inputs))
    assert found is not None
    return found


@pytest.mark.parametrize(("args", "options", "shape"), LINEAR)
def test_linear(torch: ModuleType, args: Any, options: Any, shape: Any) -> None:
    ours = our_flops(m.Linear(*args, **options), shape)
    forward, step = torch_flops(torch, torch.nn.Linear(*args, **options), shape)
    assert (ours.forward, sum(ours)) == (forward, step)


@pytest.mark.parametrize(("name", "args", "options", "shape"), CONVOLUTIONS)
def test_convolutions(torch: ModuleType, name: str, args: Any, options: Any, shape: Any) -> None:
    ours = our_flops(getattr(m, name)(*args, **options), shape)
    forward, step = torch_flops(torch, getattr(torch.nn, name)(*args, **options), shape)
    more = options.get("groups", 1) - 1  # it counts the gradient of a weight in groups as that of a whole one
    assert (ours.forward, sum(ours) + more * ours.parameters) == (forward, step)


@pytest.mark.parametrize(("name", "options"), RECURRENT)
def test_recurrent(torch: ModuleType, name: str, options: Any) -> None:
    """Without the gates, which PyTorch does not count."""
    from maillon.costs.sequence import GATES

    size, hidden, shape = 5, 7, (6, 3, 5)
    link = getattr(m, name)(size, hidden, **options)
    _, gates, back = GATES[type(link)]
    layers = link.num_layers * (1 + link.bidirectional)
    values = 6 * 3 * hidden * layers
    ours = our_flops(link, shape)
    states = [(layers, 3, options.get("proj_size", hidden)), (layers, 3, hidden)][: 1 + (name == "LSTM")]
    forward, step = torch_flops(torch, getattr(torch.nn, name)(size, hidden, **options), shape, *states)
    assert (ours.forward - gates * values, sum(ours) - (gates + back) * values) == (forward, step)


@pytest.mark.parametrize("options", [{}, {"kdim": 6, "vdim": 4}, {"add_bias_kv": True, "add_zero_attn": True}])
def test_attention(torch: ModuleType, options: Any) -> None:
    """Without scaling and softmax, which PyTorch does not count; with the projection of the output."""
    shapes = (4, 3, 8), (5, 3, options.get("kdim", 8)), (5, 3, options.get("vdim", 8))
    link = m.MultiheadAttention(8, 2, **options)
    ours, out = our_flops(link, *shapes), our_flops(link.out_proj, (4, 3, 8))
    weights, scaled = 3 * 2 * 4 * (5 + 2 * bool(options.get("add_bias_kv"))), 4 * 3 * 8
    forward, step = torch_flops(torch, torch.nn.MultiheadAttention(8, 2, **options), *shapes)
    assert ours.forward + out.forward - 5 * weights - scaled == forward
    assert sum(ours) + sum(out) - 9 * weights - 2 * scaled == step


def test_a_learning_step_of_a_chain(torch: ModuleType) -> None:
    """Where nothing waits for a gradient neither of them computes it."""
    ours = m.Sequential(m.Conv2d(1, 4, 3), m.Flatten(), m.Linear(4 * 36, 10), m.Linear(10, 3))
    ours[2].requires_grad_(False)
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 10), torch.nn.Linear(10, 3)
    )
    theirs[2].requires_grad_(False)
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as step:
        theirs(torch.zeros(5, 1, 8, 8)).sum().backward()
    assert m.summary(ours, (5, 1, 8, 8)).step_flops == step.get_total_flops()
