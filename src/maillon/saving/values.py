"""Arguments and states as JSON: numbers, texts, containers, arrays, generators and modules, and back."""

import base64
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from maillon.nn import Module
from maillon.random import Generator, GeneratorState
from maillon.saving.files import FileError
from maillon.typing import Array

Tensors = dict[str, Array]

_INFINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


class Encoder:
    """What JSON has no word for becomes an object of one key that says what it is.

    module: describes a Module. tensors: where arrays go, by a name made of the place; None writes them out.
    generators: each stands once, and is pointed at by its number.
    """

    def __init__(self, module: Callable[[Module], Any], tensors: Tensors | None = None) -> None:
        self.tensors = tensors
        self.generators: list[Generator] = []
        self._kinds: dict[type, Callable[[Any, str], Any]] = {
            list: self._list,
            tuple: lambda value, where: {"tuple": self._list(value, where)},
            dict: self._dict,
            np.ndarray: self._array,
            np.generic: self._scalar,
            Generator: lambda value, _where: {"generator": self.number(value)},
            Module: lambda value, _where: {"link": module(value)},
        }

    def __call__(self, value: Any, where: str) -> Any:
        """where: the value's place, for errors and for tensors' names."""
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        for kind, encoded in self._kinds.items():
            if type(value) is kind or (isinstance(value, kind) and kind not in (list, tuple, dict)):
                return encoded(value, where)
        raise TypeError(
            f"save: {where} is a {type(value).__name__}, which a file cannot hold. It holds numbers, texts, None, "
            "tuples, lists, dicts, arrays, Generators and links: let get_config() return those."
        )

    def _list(self, value: Any, where: str) -> list[Any]:
        return [self(part, f"{where}.{place}") for place, part in enumerate(value)]

    def _dict(self, value: Any, where: str) -> Any:
        return {"dict": [[self(key, where), self(part, f"{where}.{key}")] for key, part in value.items()]}

    def _scalar(self, value: Any, where: str) -> Any:
        """NumPy's numbers are not Python's: float32 times a float is a float32."""
        return {"scalar": [value.dtype.str, self(value.item(), where)]}

    def number(self, generator: Generator) -> int:
        """The generator's place in the list."""
        for place, known in enumerate(self.generators):
            if known is generator:
                return place
        self.generators.append(generator)
        return len(self.generators) - 1

    def _array(self, value: Array, where: str) -> Any:
        if value.dtype.kind not in "fiub":
            raise TypeError(f"save: {where} is an array of {value.dtype}, which a file cannot hold.")
        if self.tensors is not None and where.startswith("maillon/"):
            while where in self.tensors:  # keys such as 1 and "1" are written alike
                where += "'"
            self.tensors[where] = value
            return {"tensor": where}
        plain = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        data = base64.b64encode(plain.tobytes()).decode()
        return {"array": [plain.dtype.str, list(value.shape), data]}


class Decoder:
    """The way back. FileError for what no Encoder writes.

    module: makes a Module of its description; generators: by their numbers.
    """

    def __init__(self, module: Callable[[Any], Module], tensors: Tensors, generators: list[Generator]) -> None:
        self._module = module
        self._tensors = tensors
        self._generators = generators

    def __call__(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, list):
            return [self(part) for part in value]
        kind, content = next(iter(value.items()))
        found: Callable[[Any], Any] | None = getattr(self, f"_{kind}", None) if kind in _KINDS else None
        if len(value) != 1 or found is None:
            raise FileError(f"a value of the kinds {sorted(value)} is not known")
        try:
            return found(content)
        except FileError:
            raise
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise FileError(f"the {kind} {str(content)[:60]!r} is none ({error})") from None

    def _float(self, content: Any) -> float:
        return _INFINITE[content]

    def _tuple(self, content: Any) -> tuple[Any, ...]:
        return tuple(self(part) for part in content)

    def _dict(self, content: Any) -> dict[Any, Any]:
        return {self(key): self(part) for key, part in content}

    def _tensor(self, content: Any) -> Array:
        return self._tensors[content]

    def _array(self, content: Any) -> Array:
        code, shape, data = content
        if np.dtype(code).kind not in "fiub":
            raise ValueError("it holds no numbers")
        raw = bytearray(base64.b64decode(data, validate=True))
        return np.frombuffer(raw, code).astype(np.dtype(code).newbyteorder("="), copy=False).reshape(shape)

    def _scalar(self, content: Any) -> Any:
        code, value = content
        if np.dtype(code).kind not in "fiub":
            raise ValueError("it is no number")
        return np.dtype(code).type(self(value))

    def _generator(self, content: Any) -> Generator:
        if not 0 <= content < len(self._generators):
            raise IndexError("there is no such generator")
        return self._generators[content]

    def _link(self, content: Any) -> Module:
        return self._module(content)


_KINDS = ("float", "scalar", "tuple", "dict", "tensor", "array", "generator", "link")


def state_of(generator: Generator) -> Any:
    """A generator's state as JSON."""
    seed, words, position, following = generator.get_state()
    return [seed, base64.b64encode(words).decode(), position, following]


def set_state(generator: Generator, state: Any) -> None:
    """The way back; FileError for what is no state."""
    try:
        seed, words, position, following = state
        given = base64.b64decode(words, validate=True)
        numbers = all(type(value) is int for value in (seed, position)) and type(following) in (float, int, type(None))
        if not numbers or len(given) != 4 * 624 or not 0 <= position <= 624 or not 0 <= seed < 2**64:
            raise ValueError("its parts do not fit")
        generator.set_state(GeneratorState(seed, given, position, following))
    except (TypeError, ValueError) as error:
        raise FileError(f"the state of a generator is none ({error})") from None


def generators_made(states: Any) -> list[Generator]:
    """New generators in these states."""
    if not isinstance(states, list):
        raise FileError("the generators are no list")
    made = [Generator(0) for _ in states]
    for generator, state in zip(made, states, strict=True):
        set_state(generator, state)
    return made


def part(description: Any, name: str, kind: type | tuple[type, ...]) -> Any:
    """One entry of a description; FileError where it is missing or of another kind."""
    if not isinstance(description, Mapping) or not isinstance(description.get(name), kind):
        raise FileError(f"its description has no {name!r} as it should")
    return description[name]
