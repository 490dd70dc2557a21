"""Linear, Bilinear, Identity, Flatten."""

import math
from typing import Any

from maillon import nn
from maillon.engine.builder import Builder, NotLoweredError, Tree, Value, lowers
from maillon.engine.plan import Buffer
from maillon.engine.table import Choice, Kind, declare
from maillon.nn import Module

ACTIVATION = Choice(
    "Activation",
    (
        *("none", "tanh", "sigmoid", "relu", "leaky_relu", "hardtanh", "elu", "gelu", "gelu_tanh", "silu", "mish"),
        *("softplus", "log_sigmoid", "softsign", "tanhshrink", "hardsigmoid", "hardswish", "threshold", "hardshrink"),
        "softshrink",
    ),
)
"""In the order of the functors in native/families/activations.cpp, which say what the numbers are."""

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
        "dW (+)= dyᵀ x, db (+)= Σ dy; passes: dW goes to the rule after it, part by part, and nowhere else",
        (
            "dy: r rows * outputs",
            "x: r rows * inputs",
            "dweight: rw (1 - passes) * outputs * inputs",
            "dbias?: rw outputs",
            "workspace: w product_workspace(outputs, inputs, rows)",
        ),
        ("rows", "inputs>0", "outputs>0", "keep<2", "zeros<2", "passes<2"),
        flops="2 * rows * inputs * outputs",
        must=("not (keep and passes)",),
    ),
    Kind(
        "bilinear",
        "y_k = x₁ᵀ W_k x₂ + b_k; half = x₁ᵀ W_k",
        (
            "x1: r rows * inputs1",
            "x2: r rows * inputs2",
            "weight: r outputs * inputs1 * inputs2",
            "bias?: r outputs",
            "y: w rows * outputs",
            "half: w rows * outputs * inputs2",
            "workspace: w product_workspace(rows, inputs2, inputs1)",
        ),
        ("rows", "inputs1>0", "inputs2>0", "outputs>0"),
        flops="2 * rows * outputs * inputs2 * (inputs1 + 1)",
    ),
    Kind(
        "bilinear_grad",
        "dx₁ = Σ_k W_k (dy_k x₂), dx₂ = Σ_k dy_k W_kᵀ x₁, dW_k (+)= Σ x₁ (dy_k x₂)ᵀ, db (+)= Σ dy",
        (
            "dy: r rows * outputs",
            "x1: r rows * inputs1",
            "x2: r rows * inputs2",
            "weight: r outputs * inputs1 * inputs2",
            "half: r rows * outputs * inputs2",
            "dx1?: w rows * inputs1",
            "dx2?: w rows * inputs2",
            "dweight?: rw outputs * inputs1 * inputs2",
            "dbias?: rw outputs",
            "products: w rows * outputs * inputs2",
            "workspace: w max(product_workspace(rows, inputs1, inputs2), product_workspace(inputs1, inputs2, rows))",
        ),
        ("rows", "inputs1>0", "inputs2>0", "outputs>0", "keep_weight<2", "keep_bias<2"),
        flops="rows * outputs * inputs2 * (4 * inputs1 + 3)",
    ),
)


Adding = tuple[Buffer | Value | None, bool]
"""Where a parameter's gradient goes, None where nobody wants it, and whether to add to what is there."""


def product_grads(
    b: Builder, dy: Value, x: Value, weight: Adding, bias: Adding, zeros: int, rows: int, inputs: int, outputs: int
) -> None:
    """The gradients of the weight and bias of a product x Wᵀ + b."""
    (dweight, keep), (dbias, keep_bias) = weight, bias
    parts = [(dweight, dbias, keep)]
    if dbias is not None and (dweight is None or keep_bias != keep):
        unwanted = b.local("dweight, unwanted", (outputs, inputs))
        parts = [(dweight, None, keep), (unwanted, dbias, keep_bias)]
    sizes = {"rows": rows, "inputs": inputs, "outputs": outputs, "zeros": zeros}
    for to_weight, to_bias, adds in parts:
        if to_weight is not None:
            b.add("linear_grad_weight", dy=dy, x=x, dweight=to_weight, dbias=to_bias, keep=int(adds), **sizes, passes=0)


@lowers("Linear")
def linear(b: Builder, link: "nn.Linear", x: Value) -> Value:
    if not x.shape or x.shape[-1] != link.in_features:
        raise NotLoweredError(f"{b.at(link)} does not take the shape {x.shape}")
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
        grads = b.parameter_grad(link.weight), b.parameter_grad(link.bias)
        product_grads(b, dy, x, *grads, zeros, rows, inputs, outputs)
        if b.wants(x):
            b.add("linear_grad_input", dy=dy, weight=weight, dx=b.grad(x), **sizes)

    b.differentiate(backward, y, (x,), (link.weight, link.bias))
    return y


@lowers("Bilinear")
def bilinear(b: Builder, link: "nn.Bilinear", x1: Value, x2: Value) -> Value:
    inputs1, inputs2, outputs = link.in1_features, link.in2_features, link.out_features
    if x1.shape[-1:] != (inputs1,) or x2.shape[-1:] != (inputs2,) or x1.shape[:-1] != x2.shape[:-1]:
        raise NotLoweredError(f"{b.at(link)} does not take the shapes {x1.shape} and {x2.shape}")
    rows = math.prod(x1.shape[:-1])
    sizes = {"rows": rows, "inputs1": inputs1, "inputs2": inputs2, "outputs": outputs}
    weight = b.parameter("weight", link.weight)
    bias = None if link.bias is None else b.parameter("bias", link.bias)
    y, half = b.local("y", (*x1.shape[:-1], outputs)), b.local("half", (rows, outputs, inputs2))
    b.add("bilinear", x1=x1, x2=x2, weight=weight, bias=bias, y=y, half=half, **sizes)

    def backward(dy: Value) -> None:
        dweight, keep_weight = b.parameter_grad(link.weight)
        dbias, keep_bias = b.parameter_grad(link.bias)
        dx1 = b.grad(x1) if b.wants(x1) else None
        dx2 = b.grad(x2) if b.wants(x2) else None
        given = {"dy": dy, "x1": x1, "x2": x2, "weight": weight, "half": half, "dx1": dx1, "dx2": dx2}
        keeps = {"keep_weight": int(keep_weight), "keep_bias": int(keep_bias)}
        products = b.local("products", half.shape)
        b.add("bilinear_grad", **given, dweight=dweight, dbias=dbias, products=products, **sizes, **keeps)

    b.differentiate(backward, y, (x1, x2), (link.weight, link.bias))
    return y


@lowers("Identity", trees=True)
def identity(b: Builder, link: Module, x: Tree) -> Tree:
    return x


@lowers("Unflatten")
def unflatten(b: Builder, link: "nn.Unflatten", x: Value) -> Value:
    dim = link.dim % len(x.shape) if x.shape else 0
    sizes = link.unflattened_size
    known = math.prod(part for part in sizes if part != -1)
    whole = x.shape[dim] if -len(x.shape) <= link.dim < len(x.shape) else -1
    sizes = tuple(whole // max(known, 1) if part == -1 else part for part in sizes)
    if math.prod(sizes) != whole:
        raise NotLoweredError(f"{b.at(link)} does not take the shape {x.shape}")
    return x.reshaped((*x.shape[:dim], *sizes, *x.shape[dim + 1 :]))


@lowers("Flatten")
def flatten(b: Builder, link: "nn.Flatten", x: Value) -> Value:
    start, end = link.dimensions(x.shape)
    return x.reshaped((*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))
