"""PyTorch's own definitions of its modules' tests, wherever maillon has the module."""

from types import ModuleType
from typing import Any

import pytest
from beside import BESIDE_TORCH, TOLERANCE, Case, compare

import maillon

pytestmark = BESIDE_TORCH


def as_arrays(value: Any) -> Any:
    """Every tensor as an array."""
    if isinstance(value, tuple | list):
        return type(value)(map(as_arrays, value))
    if isinstance(value, dict):
        return {name: as_arrays(part) for name, part in value.items()}
    if type(value).__name__ == "TransformerEncoderLayer":
        return encoder_layer(value)
    return value.detach().numpy().copy() if hasattr(value, "detach") else value


def encoder_layer(layer: Any) -> Case:
    """What makes such a layer."""
    attention, options = layer.self_attn, {"norm_first": layer.norm_first, "activation": layer.activation}
    options |= {"batch_first": attention.batch_first, "bias": layer.linear1.bias is not None}
    args = (attention.embed_dim, attention.num_heads, layer.linear1.out_features, layer.dropout.p)
    return Case("TransformerEncoderLayer", args, options)


def cases(torch: ModuleType, dtype: str, training: bool) -> list[Case]:
    from torch.testing._internal.common_modules import module_db

    found = []
    for definition in module_db:
        name = definition.name.removeprefix("nn.")
        if not hasattr(maillon.nn, name):
            continue
        torch.manual_seed(0)
        for given in definition.module_inputs_func(
            definition, device="cpu", dtype=getattr(torch, dtype), requires_grad=False, training=training
        ):
            made, called = given.constructor_input, given.forward_input
            named = as_arrays(called.kwargs)
            inputs = (named.pop("input"),) if "input" in named else as_arrays(called.args)
            found.append(
                Case(
                    name,
                    as_arrays(made.args),
                    as_arrays(made.kwargs),
                    inputs,
                    named,
                    training,
                    drawn=None,
                    note=given.desc,
                )
            )
    return found


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_pytorchs_own_cases(torch: ModuleType, dtype: str, training: bool, subtests: pytest.Subtests) -> None:
    found = cases(torch, dtype, training)
    assert len(found) > 100
    for case in found:
        if case.options.get("dropout") and training:
            continue  # its masks are drawn otherwise
        with subtests.test(str(case)):
            compare(torch, case, dtype)
