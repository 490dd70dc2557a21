"""Linear, Identity, Flatten, Unflatten."""

from naive.linear import linear as naive
from naive.values import same

import maillon as M
from catalogue.rows import Row, normal

WRONG = ((normal(4, 5),), (normal(),), (normal(3, 4),))

# fmt: off
LINKS = [
    Row("Linear", lambda: M.Linear(3, 4), (normal(5, 3),), naive.linear, lambda t: t.nn.Linear(3, 4),
        wrong=WRONG),
    Row("Linear bias=False", lambda: M.Linear(3, 2, bias=False), (normal(5, 3),), naive.linear,
        lambda t: t.nn.Linear(3, 2, bias=False), wrong=WRONG),
    Row("Linear square", lambda: M.Linear(3, 3), (normal(3, 3),), naive.linear, lambda t: t.nn.Linear(3, 3)),
    Row("Linear of one sample", lambda: M.Linear(3, 4), (normal(3),), naive.linear, lambda t: t.nn.Linear(3, 4),
        batched=False),
    Row("Linear of sequences", lambda: M.Linear(3, 4), (normal(2, 5, 3),), naive.linear, lambda t: t.nn.Linear(3, 4)),
    Row("Identity", M.Identity, (normal(4, 3),), same, lambda t: t.nn.Identity(), integers=True),
    Row("Flatten", M.Flatten, (normal(4, 2, 3),), naive.flattened(-1, 6), lambda t: t.nn.Flatten(),
        wrong=((normal(4),),), integers=True),
    Row("Flatten 0", lambda: M.Flatten(0), (normal(4, 2, 3),), naive.flattened(-1), lambda t: t.nn.Flatten(0),
        integers=True),
    Row("Flatten 1 2", lambda: M.Flatten(1, 2), (normal(2, 3, 2, 2),), naive.flattened(-1, 6, 2),
        lambda t: t.nn.Flatten(1, 2), wrong=((normal(4, 3),),), integers=True),
    Row("Flatten -2 -1", lambda: M.Flatten(-2, -1), (normal(2, 3, 2, 2),), naive.flattened(-1, 3, 4),
        lambda t: t.nn.Flatten(-2, -1), integers=True),
    Row("Unflatten", lambda: M.Unflatten(1, (2, -1)), (normal(4, 6),), naive.flattened(-1, 2, 3),
        lambda t: t.nn.Unflatten(1, (2, -1)), wrong=((normal(4),), (normal(4, 5),)), integers=True),
    Row("Unflatten -2", lambda: M.Unflatten(-2, [3, 1, 2]), (normal(2, 6, 2),), naive.flattened(-1, 3, 1, 2, 2),
        lambda t: t.nn.Unflatten(-2, [3, 1, 2]), wrong=((normal(4),), (normal(4, 5, 2),)), integers=True),
]
# fmt: on
