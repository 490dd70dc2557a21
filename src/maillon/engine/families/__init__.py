"""The families of operations: their rows, and the lowering of links, losses and rules to them.

Importing this package fills the tables: OPERATIONS in `engine/table.py`, LINKS and LOSSES in `engine/builder.py`.
"""

from maillon.engine.families import (
    activations,
    convolution,
    dropout,
    gradients,
    joints,
    linear,
    losses,
    padding,
    pooling,
    rules,
)

FAMILIES = (linear, activations, joints, dropout, losses, rules, gradients, padding, pooling, convolution)
