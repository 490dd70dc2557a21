"""The losses over classes."""

from typing import Any

import numpy as np
from beside import Case
from catalogue.rows import Draw, distribution, labels, normal

from sweeps.losses import each, far

PLACES: list[tuple[int, ...]] = [(4, 3), (3,), (1, 3), (2, 3, 4), (2, 3, 2, 2), (0, 3), (2, 3, 1, 2, 2)]
WEIGHTS = np.array([0.5, 2.0, 3.0])


def labelled(shape: tuple[int, ...]) -> Draw:
    return labels(3, *(shape[:1] * (len(shape) > 1)), *shape[2:])


def shares(shape: tuple[int, ...]) -> Draw:
    return distribution(1 if len(shape) > 1 else 0, *shape)


def some_ignored(generator: Any) -> Any:
    drawn = generator.randint(0, 3, (4,))
    drawn[1] = -100
    return drawn


def classes(name: str, *options: dict[str, Any]) -> list[Case]:
    """All options on a matrix, then one after the other on all shapes."""
    return [
        *(Case(name, (), chosen, (draw(4, 3), labelled((4, 3)))) for chosen in options for draw in (normal, far)),
        *(
            Case(name, (), chosen, (normal(*shape), labelled(shape)))
            for place, chosen in enumerate(options)
            for shape in (PLACES[place % 7], PLACES[(place + 3) % 7])
        ),
        *(
            Case(name, (), chosen, (normal(4, 3), some_ignored), note="one ignored")
            for chosen in options
            if chosen["ignore_index"] < 0
        ),
        *(
            Case(
                name,
                (),
                {"reduction": reduction, "ignore_index": 1},
                (normal(2, 3), np.array([1, 1])),
                note="all ignored",
            )
            for reduction in ("mean", "sum", "none")
        ),
    ]


CASES = [
    *classes("NLLLoss", *each(weight=(None, WEIGHTS), ignore_index=(-100, 1, 0))),
    *classes("CrossEntropyLoss", *each(weight=(None, WEIGHTS), ignore_index=(-100, 1), label_smoothing=(0.0, 0.2))),
    *(
        Case("CrossEntropyLoss", (), options, (normal(*shape), shares(shape)), note="to probabilities")
        for options in each(weight=(None, WEIGHTS), label_smoothing=(0.0, 0.2))
        for shape in PLACES[:4]
    ),
]
