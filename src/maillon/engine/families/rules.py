"""The rules: one operation moves one parameter."""

from maillon.engine.table import Kind, declare

OPERATIONS = declare(
    Kind(
        "sgd",
        "gradient descent; options: lr, momentum, dampening, weight decay",
        ("parameter: rw n", "grad: r n", "velocity?: rw n", "options: r float64 4", "count: rw int64 1"),
        ("n", "nesterov<2", "maximize<2"),
        flops="2 * n",
        work="10 * n",
    ),
    Kind(
        "adam",
        "Adam; options: lr, β₁, β₂, ε, weight decay",
        (
            "parameter: rw n",
            "grad: r n",
            "mean: rw n",
            "square: rw n",
            "largest?: rw n",
            "options: r float64 5",
            "count: rw int64 1",
        ),
        ("n", "maximize<2"),
        flops="12 * n",
        work="10 * n",
    ),
)
