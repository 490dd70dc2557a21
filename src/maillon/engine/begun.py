"""What a slice of steps began from, for a step that is as if it had not been tried."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from maillon.random import Generator, GeneratorState
from maillon.typing import Array


@dataclass(frozen=True)
class Begun:
    """What a slice began from.

    streams: of the generators. arrays: each with its values. sums: of the epoch under way, the core's position, total,
    size and gathered.
    """

    training: Any
    streams: dict[Generator, GeneratorState]
    arrays: list[tuple[Array, Array]]
    sums: tuple[int, float, float, int]

    @classmethod
    def of(cls, training: Any, generators: Iterable[Generator], arrays: list[Array]) -> "Begun":
        """The state now of the core's training, of what it draws from and of what it changes."""
        return cls(
            training,
            {generator: generator.get_state() for generator in generators},
            [(array, array.copy()) for array in arrays],
            (training.position, training.total, training.size, training.gathered),
        )

    def draw_back(self, streams: Mapping[Generator, Any], *, to_step: bool = False) -> bool:
        """Let the words drawn since then be drawn again; False where another thread has drawn some of them.

        streams: the core's, which count their words. to_step: not those of the slice's whole steps.
        """
        drawn = self.streams.items()
        if not all(drawn_alone(streams[generator], generator, state) for generator, state in drawn):
            return False
        for generator, state in drawn:
            generator.set_state(state)
            if to_step:
                generator.bit_generator.random_raw(int(streams[generator].begun), output=False)
        return True

    def put_back(self) -> None:
        """Let arrays and sums be what they were."""
        for array, values in self.arrays:
            array[...] = values
        training = self.training
        training.position, training.total, training.size, training.gathered = self.sums


def drawn_alone(stream: Any, generator: Generator, since: GeneratorState) -> bool:
    """Whether nobody but the core has drawn from the generator since it stood there and its stream began to count."""
    alone: bool | None = stream.alone
    return generator.has_drawn(int(stream.drawn), since) if alone is None else alone
