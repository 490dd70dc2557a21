"""What joins values: sums, products."""

from maillon.engine.table import Kind, declare

OPERATIONS = declare(
    Kind("add", "out = a + b", ("a: r n", "b: r n", "out: w n in a"), ("n",), flops="n", work="5 * n"),
    Kind("multiply", "out = a b", ("a: r n", "b: r n", "out: w n in a"), ("n",), flops="n", work="5 * n"),
)
