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

_CODES = {np.dtype(kind).newbyteorder("<").str for kind in np.typecodes["AllInteger"] + "efd?"}
"""The dtypes of arrays and numbers, as NumPy writes them."""


class Encoder:
    """What JSON has no word for becomes an object of one key that says what it is.

    module: describes a Module. tensors: where arrays go whose place begins with "maillon/", by that name; all others
    are written out. generators: each stands once, and is pointed at by its number.
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
        return {"scalar": [_code(value, where), self(value.item(), where)]}

    def number(self, generator: Generator) -> int:
        """The generator's place in the list."""
        for place, known in enumerate(self.generators):
            if known is generator:
                return place
        self.generators.append(generator)
        return len(self.generators) - 1

    def _array(self, value: Array, where: str) -> Any:
        code = _code(value, where)
        if self.tensors is not None and where.startswith("maillon/"):
            while where in self.tensors:  # keys such as 1 and "1" are written alike
                where += "'"
            self.tensors[where] = value
            return {"tensor": where}
        data = base64.b64encode(value.astype(code).tobytes()).decode()
        return {"array": [code, list(value.shape), data]}


def _code(value: Any, where: str) -> str:
    """The dtype of an array or NumPy's number."""
    code = value.dtype.newbyteorder("<").str
    if code not in _CODES:
        what = "an array of" if isinstance(value, np.ndarray) else "a"
        raise TypeError(f"save: {where} is {what} {value.dtype}, which a file cannot hold.")
    return str(code)


class Decoder:
    """The way back. FileError for what no Encoder writes.

    module: makes a Module of its description; generators: by their numbers.
    """

    def __init__(self, module: Callable[[Any], Module], tensors: Tensors, generators: list[Generator]) -> None:
        self._module = module
        self._tensors = tensors
        self._generators = generators
        self._given: set[str] = set()

    def __call__(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, list):
            return [self(part) for part in value]
        kind = next(iter(value), None)
        if len(value) != 1 or kind not in _KINDS:
            raise FileError(f"a value of the kinds {sorted(value)} is not known")
        content = value[kind]
        try:
            return getattr(self, f"_{kind}")(content)
        except FileError:
            raise
        except (KeyError, IndexError, TypeError, ValueError, ArithmeticError) as error:
            raise FileError(f"the {kind} {str(content)[:60]!r} is none ({error})") from None

    def _float(self, content: Any) -> float:
        return _INFINITE[content]

    def _tuple(self, content: Any) -> tuple[Any, ...]:
        return tuple(self(part) for part in _required(content, list))

    def _dict(self, content: Any) -> dict[Any, Any]:
        pairs = [(self(key), self(part)) for key, part in (_required(pair, list) for pair in _required(content, list))]
        made = dict(pairs)
        if len(made) < len(pairs):
            raise ValueError("a key stands twice")
        return made

    def _tensor(self, content: Any) -> Array:
        if not _required(content, str).startswith("maillon/"):
            raise KeyError("it is one of the network")
        if content in self._given:
            return self._tensors[content].copy()
        self._given.add(content)
        return self._tensors[content]

    def _array(self, content: Any) -> Array:
        code, shape, data = _required(content, list)
        raw = bytearray(base64.b64decode(_required(data, str), validate=True))
        array = np.frombuffer(raw, _known(code))
        if any(type(size) is not int or size < 0 for size in _required(shape, list)):
            raise ValueError("its shape is none")
        return array.astype(array.dtype.newbyteorder("="), copy=False).reshape(shape)

    def _scalar(self, content: Any) -> Any:
        code, value = _required(content, list)
        number = self(value)
        if type(number) not in (bool, int, float):
            raise ValueError("it is no number")
        with np.errstate(all="raise"):
            return _known(code).newbyteorder("=").type(number)

    def _generator(self, content: Any) -> Generator:
        if not 0 <= _required(content, int) < len(self._generators):
            raise IndexError("there is no such generator")
        return self._generators[content]

    def _link(self, content: Any) -> Module:
        return self._module(content)


def _required(value: Any, kind: type) -> Any:
    """The value; True and False are no int."""
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
    return value


def _known(code: Any) -> np.dtype[Any]:
    if _required(code, str) not in _CODES:
        raise ValueError(f"the dtype {code!r} is not known")
    return np.dtype(code)


_KINDS = ("float", "scalar", "tuple", "dict", "tensor", "array", "generator", "link")


def state_of(generator: Generator) -> Any:
    """A generator's state as JSON."""
    seed, words, position, following = generator.get_state()
    plain = np.frombuffer(words, np.uint32).astype("<u4").tobytes()
    return [seed, base64.b64encode(plain).decode(), position, following]


def set_state(generator: Generator, state: Any) -> None:
    """The way back; FileError for what is no state."""
    try:
        seed, words, position, following = state
        given = np.frombuffer(base64.b64decode(words, validate=True), "<u4").astype(np.uint32).tobytes()
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
    made = []
    for state in states:  # each is seen to be one before the next is made: it is larger than most values
        made.append(Generator(0))
        set_state(made[-1], state)
    return made


def part(description: Any, name: str, kind: type | tuple[type, ...]) -> Any:
    """One entry of a description; FileError where it is missing or of another kind. True and False are no int."""
    value = description.get(name) if isinstance(description, Mapping) else None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise FileError(f"its description has no {name!r} as it should")
    return value


def listed_names(description: Any, name: str) -> list[str]:
    """A list of names in a description, each of which stands there once."""
    return checked_names(name, part(description, name, list))


def checked_names(what: str, listed: Any) -> list[str]:
    """The list; FileError unless it holds names, each once."""
    fits = isinstance(listed, list) and all(isinstance(one, str) for one in listed)
    if not fits or len(set(listed)) < len(listed):
        raise FileError(f"its description has no {what!r} as it should")
    return listed
