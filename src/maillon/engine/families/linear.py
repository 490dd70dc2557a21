"""Linear, Identity, Flatten."""

import math
from typing import Any

from maillon.engine.builder import Builder, NotLoweredError, Tree, Value, lowers
from maillon.engine.families.activations import ACTIVATION
from maillon.engine.table import Choice, Kind, declare
from maillon.nn import Flatten, Identity, Linear, Module, Unflatten

EPILOGUE = Choice("Epilogue", ACTIVATION.values)
"""The activations that a product can apply to its result, as long as they need but one number, `slope`."""

OPERATIONS = declare(
    Kind(
        "linear",
        "y = f(x Wᵀ + b)",
        (
            "x: r rows * inputs",
            "weight: r outputs * inputs",
            "bias?: r outputs",
            "y: w rows * outputs",
            "workspace: w product_workspace(rows, outputs, inputs)",
        ),
        ("rows", "inputs>0", "outputs>0", "activation", "zeros<2"),
        ("slope",),
        choices={"activation": EPILOGUE},
        flops="2 * rows * inputs * outputs",
        epilogue="y",
    ),
    Kind(
        "linear_grad_input",
        "dx = (dy W) f'(reference)",
        (
            "dy: r rows * outputs",
            "weight: r outputs * inputs",
            "reference?: r rows * inputs",
            "dx: w rows * inputs",
            "workspace: w product_workspace(rows, inputs, outputs)",
        ),
        ("rows", "inputs>0", "outputs>0", "activation"),
        ("slope",),
        choices={"activation": EPILOGUE},
        flops="2 * rows * inputs * outputs",
        must=("activation == 0 or reference",),
        epilogue="dx",
    ),
    Kind(
        "linear_grad_weight",
        "dW (+)= dyᵀ x, db (+)= Σ dy",
        (
            "dy: r rows * outputs",
            "x: r rows * inputs",
            "dweight: rw outputs * inputs",
            "dbias?: rw outputs",
            "workspace: w product_workspace(outputs, inputs, rows)",
        ),
        ("rows", "inputs>0", "outputs>0", "keep<2", "zeros<2"),
        flops="2 * rows * inputs * outputs",
    ),
)


@lowers(Linear)
def linear(b: Builder, link: Linear, x: Value) -> Value:
    if not x.shape or x.shape[-1] != link.in_features:
        raise NotLoweredError(f"[{b.scope}] {link!r} does not take the shape {x.shape}")
    return affine(b, link, x)


def affine(b: Builder, link: Any, x: Value) -> Value:
    """x Wᵀ + b along the last axis of x, for a link with a weight of as many values an output, and a bias or None."""
    inputs, outputs = x.shape[-1], len(link.weight.data)
    rows, zeros = math.prod(x.shape[:-1]), int(x.buffer in b.sparse)
    sizes = {"rows": rows, "inputs": inputs, "outputs": outputs}
    weight = b.parameter("weight", link.weight)
    bias = None if link.bias is None else b.parameter("bias", link.bias)
    y = b.local("y", (*x.shape[:-1], outputs))
    b.add("linear", x=x, weight=weight, bias=bias, y=y, zeros=zeros, **sizes)

    def backward(dy: Value) -> None:
        dweight, keep = b.parameter_grad(link.weight)
        dbias, keep_bias = b.parameter_grad(link.bias)
        parts = [(dweight, dbias, keep)]
        if dbias is not None and (dweight is None or keep_bias != keep):
            unwanted = b.local("dweight, unwanted", (outputs, inputs)).buffer
            parts = [(dweight, None, keep), (unwanted, dbias, keep_bias)]
        for to_weight, to_bias, adds in parts:
            if to_weight is not None:
                own = {"dy": dy, "x": x, "dweight": to_weight, "dbias": to_bias}
                b.add("linear_grad_weight", **own, keep=int(adds), zeros=zeros, **sizes)
        if b.wants(x):
            b.add("linear_grad_input", dy=dy, weight=weight, dx=b.grad(x), **sizes)

    b.differentiate(backward, y, (x,), (link.weight, link.bias))
    return y


@lowers(Identity, trees=True)
def identity(b: Builder, link: Module, x: Tree) -> Tree:
    return x


@lowers(Unflatten)
def unflatten(b: Builder, link: Unflatten, x: Value) -> Value:
    dim = link.dim % len(x.shape) if x.shape else 0
    sizes = link.unflattened_size
    known = math.prod(part for part in sizes if part != -1)
    whole = x.shape[dim] if -len(x.shape) <= link.dim < len(x.shape) else -1
    sizes = tuple(whole // max(known, 1) if part == -1 else part for part in sizes)
    if math.prod(sizes) != whole:
        raise NotLoweredError(f"[{b.scope}] {link!r} does not take the shape {x.shape}")
    return x.reshaped((*x.shape[:dim], *sizes, *x.shape[dim + 1 :]))


@lowers(Flatten)
def flatten(b: Builder, link: Flatten, x: Value) -> Value:
    start, end = link.dimensions(x.shape)
    return x.reshaped((*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))
