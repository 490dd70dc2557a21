"""The functions and methods of PyTorch that have a link, by their names in torch, torch.nn.functional and Tensor."""

from collections.abc import Callable
from typing import Any

from maillon import nn
from maillon.nn import Module

_SPATIAL = "kernel_size stride padding"

ONE_INPUT: dict[str, tuple[str, str]] = {
    "relu": ("ReLU", "inplace"),
    "relu_": ("ReLU", ""),
    "relu6": ("ReLU6", "inplace"),
    "leaky_relu": ("LeakyReLU", "negative_slope inplace"),
    "leaky_relu_": ("LeakyReLU", "negative_slope"),
    "elu": ("ELU", "alpha inplace"),
    "elu_": ("ELU", "alpha"),
    "selu": ("SELU", "inplace"),
    "selu_": ("SELU", ""),
    "celu": ("CELU", "alpha inplace"),
    "celu_": ("CELU", "alpha"),
    "gelu": ("GELU", "approximate"),
    "silu": ("SiLU", "inplace"),
    "mish": ("Mish", "inplace"),
    "sigmoid": ("Sigmoid", ""),
    "sigmoid_": ("Sigmoid", ""),
    "tanh": ("Tanh", ""),
    "tanh_": ("Tanh", ""),
    "softplus": ("Softplus", "beta threshold"),
    "softsign": ("Softsign", ""),
    "logsigmoid": ("LogSigmoid", ""),
    "tanhshrink": ("Tanhshrink", ""),
    "hardtanh": ("Hardtanh", "min_val max_val inplace"),
    "hardtanh_": ("Hardtanh", "min_val max_val"),
    "hardsigmoid": ("Hardsigmoid", "inplace"),
    "hardswish": ("Hardswish", "inplace"),
    "threshold": ("Threshold", "threshold value inplace"),
    "threshold_": ("Threshold", "threshold value"),
    "hardshrink": ("Hardshrink", "lambd"),
    "softshrink": ("Softshrink", "lambd"),
    "rrelu": ("RReLU", "lower upper training inplace"),
    "glu": ("GLU", "dim"),
    "softmax": ("Softmax", "dim _stacklevel dtype"),
    "softmin": ("Softmin", "dim _stacklevel dtype"),
    "log_softmax": ("LogSoftmax", "dim _stacklevel dtype"),
    "dropout": ("Dropout", "p training inplace"),
    "dropout1d": ("Dropout1d", "p training inplace"),
    "dropout2d": ("Dropout2d", "p training inplace"),
    "alpha_dropout": ("AlphaDropout", "p training inplace"),
    "feature_alpha_dropout": ("FeatureAlphaDropout", "p training inplace"),
    "max_pool1d": ("MaxPool1d", f"{_SPATIAL} dilation ceil_mode return_indices"),
    "max_pool2d": ("MaxPool2d", f"{_SPATIAL} dilation ceil_mode return_indices"),
    "max_pool1d_with_indices": ("MaxPool1d", f"{_SPATIAL} dilation ceil_mode return_indices"),
    "max_pool2d_with_indices": ("MaxPool2d", f"{_SPATIAL} dilation ceil_mode return_indices"),
    "avg_pool1d": ("AvgPool1d", f"{_SPATIAL} ceil_mode count_include_pad"),
    "avg_pool2d": ("AvgPool2d", f"{_SPATIAL} ceil_mode count_include_pad divisor_override"),
    "adaptive_max_pool1d": ("AdaptiveMaxPool1d", "output_size return_indices"),
    "adaptive_max_pool2d": ("AdaptiveMaxPool2d", "output_size return_indices"),
    "adaptive_max_pool1d_with_indices": ("AdaptiveMaxPool1d", "output_size return_indices"),
    "adaptive_max_pool2d_with_indices": ("AdaptiveMaxPool2d", "output_size return_indices"),
    "adaptive_avg_pool1d": ("AdaptiveAvgPool1d", "output_size"),
    "adaptive_avg_pool2d": ("AdaptiveAvgPool2d", "output_size"),
    "interpolate": ("Upsample", "size scale_factor mode align_corners recompute_scale_factor antialias"),
    "pixel_shuffle": ("PixelShuffle", "upscale_factor"),
    "pixel_unshuffle": ("PixelUnshuffle", "downscale_factor"),
    "local_response_norm": ("LocalResponseNorm", "size alpha beta k"),
    "unfold": ("Unfold", "kernel_size dilation padding stride"),
    "fold": ("Fold", "output_size kernel_size dilation padding stride"),
    "flatten": ("Flatten", "start_dim end_dim"),
    "unflatten": ("Unflatten", "dim sizes"),
}
"""A function's name: the link's, and what the function calls the arguments after its input, in its order."""

TWO_INPUTS: dict[str, tuple[str, str]] = {
    "cosine_similarity": ("CosineSimilarity", "dim eps"),
    "pairwise_distance": ("PairwiseDistance", "p eps keepdim"),
}
JOINS = {"add": "Add", "add_": "Add", "iadd": "Add", "mul": "Multiply", "mul_": "Multiply", "imul": "Multiply",
         "multiply": "Multiply"}  # fmt: skip
CATS = ("cat", "concat", "concatenate")
PASSED_ON = ("contiguous", "clone")
MADE_OF_ZEROS = ("zeros", "zeros_like", "new_zeros")
MOVED = ("to", "type_as", "requires_grad_", "requires_grad", "detach", "float", "double", "cpu", "cuda", "contiguous")
ALIASES = ("view", "reshape", "flatten", "unflatten", "contiguous", "getitem", "squeeze", "unsqueeze")
"""Functions whose result may be a part of their input's memory."""

_OTHERS = ("getitem", "reshape", "mean", "pad", "squeeze")
NAMES = {*ONE_INPUT, *TWO_INPUTS, *JOINS, *CATS, *PASSED_ON, *MADE_OF_ZEROS, *MOVED, *_OTHERS}
"""All names that are known, but for methods."""

_DEFAULTS: dict[str, dict[str, Any]] = {"flatten": {"start_dim": 0}}
_OTHERWISE = {"unflatten": {"sizes": "unflattened_size"}}


def changes_in_place(name: str, arguments: dict[str, Any]) -> bool:
    """Whether a call of the function writes into its first input."""
    return name.endswith("_") or name in ("iadd", "imul") or bool(arguments.get("inplace", False))


def named_arguments(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments after the inputs, by name; ValueError where they do not fit."""
    names = (ONE_INPUT | TWO_INPUTS)[name][1].split()
    if name in ("flatten", "unflatten") and len(args) > len(names):
        args = (*args[: len(names) - 1], args[len(names) - 1 :])
    if len(args) > len(names) or not set(kwargs) <= set(names):
        raise ValueError(f"expected the arguments {', '.join(names)}")
    return dict(zip(names, args, strict=False)) | kwargs


def link_of(name: str, arguments: dict[str, Any]) -> Module:
    """The link of a call; ValueError, TypeError, NotImplementedError where it makes none."""
    given = _DEFAULTS.get(name, {}) | arguments
    if name.endswith("_with_indices"):
        given["return_indices"] = True
    for settled in ("inplace", "training", "_stacklevel"):  # elsewhere
        given.pop(settled, None)
    for refused in ("dtype", "antialias"):
        if given.pop(refused, None):
            raise ValueError(f"it has {refused}")
    kind, _ = (ONE_INPUT | TWO_INPUTS)[name]
    renamed = _OTHERWISE.get(name, {})
    made: Module = getattr(nn, kind)(**{renamed.get(key, key): value for key, value in given.items()})
    return made


def padding(pad: Any, mode: str = "constant", value: float | None = None) -> Module:
    """The link of `torch.nn.functional.pad`."""
    if len(pad) not in (2, 4) or mode not in ("constant", "reflect", "replicate", "circular"):
        raise ValueError("expected to pad one or two dimensions")
    name = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}[mode]
    fill = (value or 0.0,) if mode == "constant" else ()
    made: Module = getattr(nn, f"{name}Pad{len(pad) // 2}d")(tuple(pad), *fill)
    return made


def reshape(kept: int, sizes: tuple[int, ...]) -> Module:
    """The link that keeps the first dimensions and makes the others (or all of them, in order) these."""
    if sizes == (-1,):
        return nn.Flatten(kept) if kept else nn.Flatten(0)
    return nn.Sequential(nn.Flatten(kept), nn.Unflatten(kept, sizes))


def mean(dims: tuple[int, ...], keepdim: bool, ndim: int | None) -> Module | None:
    """The mean over dimensions, as a pool; None where no pool is it, or where that depends on an unknown ndim."""
    if ndim is None:
        ndim = {(2,): 3, (2, 3): 4, (3, 2): 4}.get(dims)
    if ndim is None:
        return None
    over = tuple(sorted(dim % ndim for dim in dims))
    pools: dict[tuple[int, tuple[int, ...]], Callable[[], Module]] = {
        (3, (1,)): lambda: nn.AdaptiveAvgPool2d((1, None)),
        (3, (2,)): lambda: nn.AdaptiveAvgPool1d(1),
        (4, (2, 3)): lambda: nn.AdaptiveAvgPool2d(1),
    }
    if (ndim, over) not in pools:
        return None
    pool = pools[ndim, over]()
    return pool if keepdim else nn.Sequential(pool, nn.Flatten(1))
