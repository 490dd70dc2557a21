"""The families of operations: their rows, and the lowering of links, losses and rules to them.

Importing this package fills the tables: OPERATIONS in `engine/table.py`, LINKS and LOSSES in `engine/builder.py`.
"""

from maillon.engine.families import (
    activations,
    attention,
    convolution,
    distances,
    dropout,
    embedding,
    gradients,
    joints,
    linear,
    losses,
    norms,
    padding,
    pooling,
    recurrent,
    rules,
    transformer as transformer,
)

FAMILIES = (
    linear,
    activations,
    joints,
    dropout,
    norms,
    embedding,
    distances,
    padding,
    pooling,
    convolution,
    recurrent,
    attention,
    losses,
    rules,
    gradients,
)
