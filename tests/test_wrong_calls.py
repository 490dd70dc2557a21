"""What a user gets for a wrong call of a link or a loss."""

from pathlib import Path

import numpy as np
import pytest
from wrong_calls import Wrong, chain, linear, refused, twice

import maillon as m

LINKS = [
    Wrong(
        "forgotten Flatten",
        lambda b: chain(linear(784, 100), m.Tanh())(np.zeros((64, 28, 28), "f")),
        ValueError,
        ("Sequential[0] Linear(784, 100): expected x of shape (*, 784), got (64, 28, 28). Put Flatten() before it."),
    ),
    Wrong(
        "wrong width in a nested chain",
        lambda b: chain(m.Tanh(), chain(linear(6, 4)))(np.zeros((2, 5), "f")),
        ValueError,
        (
            "Sequential[1][0] Linear(6, 4): expected x of shape (*, 6), got (2, 5). The last dimension must "
            "be in_features = 6."
        ),
    ),
    Wrong(
        "one feature as a flat array",
        lambda b: linear(1, 1)(np.zeros(5, "f")),
        ValueError,
        "Linear(1, 1): expected x of shape (*, 1), got (5,). Give one row a sample: x[:, None].",
    ),
    Wrong(
        "float64 into float32",
        lambda b: b.network(b.x.astype(float)),
        TypeError,
        (
            "Sequential[0] Linear(6, 4): expected x of dtype float32, got float64. Convert it with "
            "x.astype('float32'), or the link with .to('float64')."
        ),
    ),
    Wrong(
        "integers into a link",
        lambda b: m.Tanh()(np.arange(3)),
        TypeError,
        "Tanh(): expected x of dtype float32 or float64, got int64. Convert it with x.astype('float32').",
    ),
    Wrong(
        "a list into a link",
        lambda b: b.network([[0.0] * 6]),
        TypeError,
        (
            "Sequential[0] Linear(6, 4): expected x to be a NumPy array of dtype float32, got list. Convert "
            "it with numpy.asarray(x, dtype='float32'); fit and predict do so themselves."
        ),
    ),
    Wrong(
        "backward before forward",
        lambda b: b.network.backward(np.zeros((8, 3), "f")),
        RuntimeError,
        (
            "Sequential[2] Linear(4, 3): backward() without a forward() before it. Call forward first; each "
            "forward serves one backward, and under no_grad() or predict() nothing is kept."
        ),
    ),
    Wrong(
        "backward twice",
        lambda b: twice(m.ReLU(), b.x),
        RuntimeError,
        (
            "ReLU(): backward() without a forward() before it. Call forward first; each forward serves one "
            "backward, and under no_grad() or predict() nothing is kept."
        ),
    ),
    Wrong(
        "grad_output of another shape",
        lambda b: (t := m.Tanh())(b.x).any() and t.backward(b.x[:2]),
        ValueError,
        ("Tanh(): expected grad_output of shape (8, 6), got (2, 6). It must have the shape of forward's output."),
    ),
    Wrong(
        "the same link twice",
        lambda b: chain(b.network[0], b.network[1], b.network[0]),
        ValueError,
        (
            "Sequential: the same Linear(6, 4) stands at [0] and at [2], and what it keeps for backward "
            "would be overwritten. Use link.share() for the second: a link of its own with the same "
            "Parameters."
        ),
    ),
    Wrong(
        "a class for a link",
        lambda b: chain(b.network, m.Tanh),  # type: ignore[arg-type]
        TypeError,
        ("Sequential[1]: expected a Module, got the class Tanh. Did you mean Tanh()?"),
    ),
    Wrong(
        "no output features",
        lambda b: m.Linear(3, 0),
        ValueError,
        "Linear: expected out_features to be an integer ≥ 1, got 0.",
    ),
    Wrong(
        "a device",
        lambda b: m.Linear(3, 1, device="cuda"),  # type: ignore[arg-type]
        NotImplementedError,
        "Linear: device='cuda' is not supported: maillon computes on the CPU. Leave device out.",
    ),
    Wrong(
        "in place",
        lambda b: m.ReLU(inplace=True),
        NotImplementedError,
        (
            "ReLU: inplace=True is not supported: a link never changes its input, which backward may need. "
            "Leave inplace out."
        ),
    ),
    Wrong(
        "half precision",
        lambda b: m.Linear(3, 1, dtype="float16"),
        ValueError,
        "dtype: expected float32 or float64, got 'float16'. Links compute in these two.",
    ),
    Wrong(
        "dropping more than all",
        lambda b: m.Dropout(1.5),
        ValueError,
        "Dropout: expected p, the probability of dropping a value, in [0, 1], got 1.5.",
    ),
    Wrong(
        "softmax along no dimension",
        lambda b: m.Softmax(dim=2)(b.x),
        ValueError,
        "Softmax(dim=2): expected x with a dimension 2, got shape (8, 6). dim must be in -2…1.",
    ),
    Wrong(
        "Flatten without a batch",
        lambda b: m.Flatten(1, 2)(b.x),
        ValueError,
        (
            "Flatten(1, 2): expected x with dimensions 1 to 2, got shape (8, 6). The first dimension is the "
            "batch: a single sample needs x[None]."
        ),
    ),
    Wrong(
        "a number for a Parameter",
        lambda b: setattr(b.network[0], "weight", 0),
        TypeError,
        (
            "Linear(6, 4): expected .weight to stay a Parameter, got int. Change its values with "
            ".weight.data[...] = …, or assign a Parameter."
        ),
    ),
    Wrong(
        "a state_dict that does not fit",
        lambda b: b.network.load_state_dict({"0.weight": b.x, "9.bias": b.x}),
        RuntimeError,
        (
            "Sequential.load_state_dict: missing ['0.bias', '2.weight', '2.bias']; unexpected ['9.bias']; "
            "0.weight: expected shape (4, 6), got (8, 6)."
        ),
    ),
    Wrong(
        "a link that is not there",
        lambda b: b.network[5],
        IndexError,
        "Sequential: no link 5; there are 3.",
    ),
]

LOSSES = [
    Wrong(
        "(n,) against (n, 1)",
        lambda b: m.MSELoss()(np.zeros((8, 1), "f"), np.zeros(8, "f")),
        ValueError,
        ("MSELoss(): expected target of shape (8, 1), the prediction's, got (8,). Reshape it: target[:, None]."),
    ),
    Wrong(
        "targets of another dtype",
        lambda b: m.L1Loss()(np.zeros(8, "f"), np.zeros(8)),
        TypeError,
        ("L1Loss(): expected target of dtype float32, got float64. Convert it with target.astype('float32')."),
    ),
    Wrong(
        "a label out of range",
        lambda b: b.optim.step(b.x, b.labels + 1),
        ValueError,
        ("CrossEntropyLoss(): expected labels in 0…2 (3 classes), got 3 at index (2,). Labels count from 0."),
    ),
    Wrong(
        "labels in a column",
        lambda b: b.optim.step(b.x, b.labels[:, None]),
        ValueError,
        ("CrossEntropyLoss(): expected class labels of shape (8,), got (8, 1). Reshape it: target.reshape(8,)."),
    ),
    Wrong(
        "labels as floats",
        lambda b: b.optim.step(b.x, b.labels / 1.0),
        ValueError,
        (
            "CrossEntropyLoss(): expected integer class labels, or probabilities of shape (8, 3), got "
            "float32 of shape (8,). Convert labels with target.astype('int64')."
        ),
    ),
    Wrong(
        "logits for probabilities",
        lambda b: m.BCELoss()(np.full(2, 1.5, "f"), np.ones(2, "f")),
        ValueError,
        (
            "BCELoss(): expected prediction in [0, 1], got 1.5 at index (0,). End the network in Sigmoid(), "
            "or use BCEWithLogitsLoss."
        ),
    ),
    Wrong(
        "class weights of the wrong number",
        lambda b: m.CrossEntropyLoss(weight=[1, 2])(b.x[:, :3], b.labels),
        ValueError,
        ("CrossEntropyLoss(weight=[1, 2]): expected weight of shape (3,), got (2,). Give one number a class."),
    ),
    Wrong(
        "an unknown reduction",
        lambda b: m.MSELoss(reduction="average"),
        ValueError,
        "MSELoss: expected reduction to be 'mean', 'sum' or 'none', got 'average'.",
    ),
    Wrong(
        "size_average",
        lambda b: m.MSELoss(size_average=True),  # type: ignore[arg-type]
        NotImplementedError,
        ("MSELoss: size_average=True is not supported: it was replaced by reduction='mean', 'sum' or 'none'."),
    ),
    Wrong(
        "smoothing above 1",
        lambda b: m.CrossEntropyLoss(label_smoothing=2),
        ValueError,
        "CrossEntropyLoss: expected label_smoothing in [0, 1], got 2.",
    ),
    Wrong(
        "Softmax before cross-entropy, Optim",
        lambda b: m.Optim(chain(b.network, m.Softmax()), b.loss, 0.1),
        ValueError,
        (
            "CrossEntropyLoss(): expected a network that ends in logits, got one that ends in Softmax(), "
            "which the loss would apply a second time. Leave the Softmax out, or use "
            "CrossEntropyLoss(from_logits=False)."
        ),
    ),
    Wrong(
        "Softmax before cross-entropy, fit",
        lambda b: m.fit(chain(b.network, m.Softmax()), b.loss, b.x, b.labels),
        ValueError,
        (
            "CrossEntropyLoss(): expected a network that ends in logits, got one that ends in Softmax(), "
            "which the loss would apply a second time. Leave the Softmax out, or use "
            "CrossEntropyLoss(from_logits=False)."
        ),
    ),
    Wrong(
        "Sigmoid before logits",
        lambda b: m.Optim(chain(m.Sigmoid()), m.BCEWithLogitsLoss(), 0.1),
        ValueError,
        (
            "BCEWithLogitsLoss(): expected a network that ends in logits, got one that ends in Sigmoid(), "
            "which the loss would apply a second time. Leave the Sigmoid out, or use BCELoss."
        ),
    ),
    Wrong(
        "Softmax before NLLLoss",
        lambda b: m.Optim(chain(b.network, m.Softmax()), m.NLLLoss(), 0.1),
        ValueError,
        (
            "NLLLoss(): expected a network that ends in log-probabilities, got one that ends in Softmax(). "
            "Use LogSoftmax, or CrossEntropyLoss on the logits."
        ),
    ),
]


@pytest.mark.parametrize("wrong", [*LINKS, *LOSSES], ids=lambda wrong: wrong.name)
def test_a_wrong_call_says_what_to_do_and_changes_nothing(wrong: Wrong, tmp_path: Path) -> None:
    refused(wrong, tmp_path)
