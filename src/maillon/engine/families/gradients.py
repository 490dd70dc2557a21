"""What is done to all gradients together before a rule uses them. They lie side by side, with zeros between them."""

from maillon.engine.table import Kind, declare

OPERATIONS = declare(
    Kind(
        "clip_norm",
        "all gradients, scaled down to the norm options[0] where theirs is larger",
        ("gradients: rw n", "options: r float64 1"),
        ("n",),
        flops="3 * n",
        alone=True,
    ),
    Kind(
        "clip_value",
        "each gradient, into ±options[0]",
        ("gradients: rw n", "options: r float64 1"),
        ("n",),
        flops="2 * n",
        alone=True,
    ),
    Kind("clear", "gradients = 0", ("gradients: w n",), ("n",), work="5 * n"),
    Kind(
        "divide",
        "gradients / divisor, which is then forgotten",
        ("gradients: rw n", "divisor: rw float64 1"),
        ("n",),
        flops="n",
        work="5 * n",
    ),
)
