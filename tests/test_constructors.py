"""What every constructor says to an argument of the wrong kind: our error, naming the class and the parameter."""

import inspect
import math
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.optim import LRScheduler, Rule, lr_scheduler

WRONG: dict[str, Any] = {
    "text": "x",
    "None": None,
    "True": True,
    "1.5": 1.5,
    "-1": -1,
    "nan": math.nan,
    "inf": math.inf,
    "[1]": [1],
    "[]": [],
    "{}": {},
    "class": int,
    "array": np.ones(2),
}

STEP = {"step_size": 1}
NEEDED: dict[str, Any] = {
    "Unflatten": {"dim": 1, "unflattened_size": (2, -1)},
    "MultiheadAttention": {"embed_dim": 4, "num_heads": 2},
    "TransformerEncoderLayer": {"d_model": 4, "nhead": 2},
    "TransformerDecoderLayer": {"d_model": 4, "nhead": 2},
    "TransformerEncoder": {"encoder_layer": m.TransformerEncoderLayer(4, 2, 8), "num_layers": 1},
    "TransformerDecoder": {"decoder_layer": m.TransformerDecoderLayer(4, 2, 8), "num_layers": 1},
    "Transformer": {
        "d_model": 4, "nhead": 2, "num_encoder_layers": 1, "num_decoder_layers": 1, "dim_feedforward": 8
    },
    "SinusoidalPositionalEncoding": {"embed_dim": 4},
    "LearnedPositionalEncoding": {"embed_dim": 4, "max_len": 3},
    "Fold": {"output_size": 4, "kernel_size": 2},
    "Upsample": {"size": 2},
    "UpsamplingNearest2d": {"size": 2},
    "UpsamplingBilinear2d": {"size": 2},
    "Graph": {"inputs": "x", "nodes": {"y": (m.Tanh(), "x")}, "outputs": "y"},
    "Residual": {"link": m.Tanh()},
    "WeightedSum": {"weights": (0.5, 0.5)},
    "StepLR": STEP,
    "MultiStepLR": {"milestones": [2]},
    "ExponentialLR": {"gamma": 0.1},
    "CosineAnnealingLR": {"T_max": 3},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "LambdaLR": {"lr_lambda": lambda epoch: 1.0},
    "MultiplicativeLR": {"lr_lambda": lambda epoch: 1.0},
    "CyclicLR": {"base_lr": 0.1, "max_lr": 1.0},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": 10},
    "SequentialLR": {"schedulers": [lr_scheduler.StepLR(step_size=1), lr_scheduler.StepLR(step_size=1)],
                     "milestones": [1]},
    "ChainedScheduler": {"schedulers": [lr_scheduler.StepLR(step_size=1)]},
}  # fmt: skip
"""What those are given whose required arguments are not all 2."""

LEGAL: list[tuple[str, str]] = [
    # dimensions and labels are counted from the end, padding crops; -1 is where schedules begin
    (r".*\.(dim|start_dim|end_dim|padding_idx|ignore_index|last_epoch|divisor_override)", "-1"),
    (r"(Circular|Constant|Reflection|Replication|Zero)Pad\dd\.padding", "-1"),
    (r"LocalResponseNorm\.(alpha|beta|k)|PairwiseDistance\.eps|TripletMarginLoss\.eps", "-1"),
    (r"CELU\.alpha|ELU\.alpha|PReLU\.init|Softplus\.beta|Hardtanh\.min_val|RReLU\.lower", "-1"),
    (r".*\.(gamma|eta_min|dampening)|(Batch|Instance)Norm\dd\.momentum", "-1"),
    # where infinity is the limit of larger and larger numbers
    (
        r"ConstantPad\dd\.value|Threshold\..*value|(Threshold|Softplus)\.threshold|Hardshrink\.lambd|LeakyReLU\.negative_slope",
        "-1 inf",
    ),
    (r".*EmbeddingLoss\.margin|MarginRankingLoss\.margin|MultiMarginLoss\.margin", "-1 inf"),
    (r"Embedding\.norm_type|PairwiseDistance\.p|TripletMarginLoss\.p|SGD\.dampening", "-1 inf"),
    (
        r"Embedding\.max_norm|Hardtanh\.max_val|RReLU\.upper|Softshrink\.lambd|HuberLoss\.delta|SmoothL1Loss\.beta",
        "inf",
    ),
    (r"TripletMarginLoss\.margin|.*Encoding\.base|PolynomialLR\.power|ReduceLROnPlateau\.(threshold|eps)", "inf"),
    (r"CyclicLR\.step_size_(up|down)|OneCycleLR\.(final_)?div_factor", "inf"),
    (r"(Batch|Instance)Norm\dd\.momentum|Adaptive.*\.output_size", "None"),
    # a sequence of one
    (r"WeightedSum\.weights", "[1]"),
    (r"Adaptive.*1d\.output_size|(Layer|RMS)Norm\.normalized_shape|Unflatten\.unflattened_size|Upsampl.*\.size", "[1]"),
    (r"(Avg|Max)Pool\dd\.(kernel_size|stride|padding|dilation)|MaxUnpool1d\.(kernel_size|stride|padding)", "[1]"),
    (r"Conv\w*\.(stride|padding|dilation)|Conv(Transpose)?1d\.kernel_size", "[1]"),
    # anything that is an array of numbers
    (r"(CrossEntropy|NLL|MultiMargin)Loss\.weight|MultiStepLR\.milestones", "[1] []"),
    (r"(CrossEntropy|NLL|MultiMargin)Loss\.weight", "array"),
    (r"(BCE|BCEWithLogits|MultiLabelSoftMargin)Loss\.(pos_)?weight", "True 1.5 -1 [1] [] array"),
    # one a group of parameters
    (r"(CyclicLR|OneCycleLR)\.(base|max)_(lr|momentum)|ReduceLROnPlateau\.min_lr", "-1 [1] []"),
    (r"(Lambda|Multiplicative)LR\.lr_lambda", "[] class"),
    (r"CyclicLR\.scale_fn", "class"),
    (r"SequentialLR\.milestones", "[1]"),
    (r"Module(Dict|List)\.modules", "[] {}"),
    (r"Graph\.inputs|ReduceLROnPlateau\.monitor", "text"),
    (r"RMSprop\.capturable", "None"),
]
"""What passes beside the parameter's default, True for a flag and 1.5 for a float: PyTorch takes it as well."""

ILLEGAL: list[tuple[str, str]] = [
    (r".*Dropout\w*\.p|.*\.(dropout|label_smoothing|pct_start|rho|factor|start_factor|end_factor)", "1.5"),  # in [0, 1]
    (r".*\.(betas|etas|step_sizes|lr_lambda|scale_fn|weights)", "1.5"),
    (r"Hardtanh\.min_val|RReLU\.lower", "1.5"),  # not below the other end
    (r"Upsampl.*\.scale_factor", "1.5"),  # beside size
    (r"Upsampl.*\.size|OneCycleLR\.total_steps", "None"),  # without what could stand for it
    (r".*\.(inplace|sparse|capturable|nesterov)", "True"),  # not supported, or not without a momentum
]
"""What a parameter does not take although its default and its type look so."""

SAID = {
    "optimizer": "rule", "params": "parameters", "modules": "module", "schedulers": "schedule", "nodes": "node",
    "inputs": "input|the name", "outputs": "output",
}  # fmt: skip
"""What errors call some parameters."""


def classes() -> Iterator[type]:
    for package in (m.nn, m.optim):
        for name in package.__all__:
            made = getattr(package, name)
            if isinstance(made, type) and issubclass(made, m.Module | Rule | LRScheduler):
                yield made


CLASSES = [
    made
    for made in dict.fromkeys(classes())
    if made not in (m.Module, m.Loss, Rule, LRScheduler, m.Identity, m.Sequential, m.Parallel)
]


def given(made: type) -> dict[str, Any]:
    if made.__name__ in NEEDED:
        return dict(NEEDED[made.__name__])
    parameters = inspect.signature(made).parameters.values()
    return {
        p.name: 2 for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


def legal(made: type, parameter: inspect.Parameter) -> set[str]:
    """The kinds among WRONG that this parameter takes."""
    found = {"None"} if parameter.default is None else set()
    if isinstance(parameter.default, bool):
        found.add("True")
    if "float" in str(parameter.annotation):
        found.add("1.5")
    for pattern, kinds in LEGAL:
        if re.fullmatch(pattern, f"{made.__name__}.{parameter.name}"):
            found |= set(kinds.split())
    for pattern, kinds in ILLEGAL:
        if re.fullmatch(pattern, f"{made.__name__}.{parameter.name}"):
            found -= set(kinds.split())
    return found


@pytest.mark.parametrize("made", CLASSES, ids=lambda made: made.__name__)
def test_a_constructor_refuses_what_makes_no_sense(made: type) -> None:
    name, base = made.__name__, given(made)
    parameters = inspect.signature(made).parameters.values()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made(**base)
        for parameter in parameters:
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                continue
            passed = set()
            for kind, value in WRONG.items():
                try:
                    made(**{**base, parameter.name: value})
                except (ValueError, TypeError, NotImplementedError) as error:
                    says = str(error)
                    called = SAID.get(parameter.name, re.escape(parameter.name))
                    assert says.startswith((name, "dtype:", "generator:")), f"{parameter.name}={value!r}: {says}"
                    assert re.search(called, says, re.IGNORECASE), f"{parameter.name}={value!r}: {says}"
                else:
                    passed.add(kind)
            assert passed == legal(made, parameter), parameter.name
