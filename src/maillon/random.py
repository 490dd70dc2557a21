"""Random numbers, drawn exactly as PyTorch's CPU generator draws them.

The source of every number is the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998); what is made of
its 32-bit words follows PyTorch, so that `manual_seed(s)` gives the same weights and permutations in both.
"""

import contextlib
import contextvars
import math
import operator
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self, SupportsIndex, TypeAlias

import numpy as np

from maillon import twister
from maillon.typing import Array, DType, DTypeLike

Shape: TypeAlias = SupportsIndex | Sequence[SupportsIndex]

DEFAULT_SEED = 67280421310721  # PyTorch's default, a prime
MASK_24, MASK_32, MASK_53 = 2**24 - 1, 2**32 - 1, 2**53 - 1
BOX_MULLER_BLOCK = 16
LARGEST_PERMUTATION = MASK_32 // 20  # beyond it PyTorch draws permutations in another way
_ASK_AGAIN_S = 0.01  # how long to wait for a lock before saying again that it is wanted
WIDE_RANGE = 2**28  # from here on PyTorch draws integers from two words


class GeneratorState(NamedTuple):
    """What decides all that a `Generator` draws next: comparable, hashable, picklable.

    Parameters
    ----------
    seed : int
        The seed that the stream began with.
    words : bytes
        The state of the Mersenne Twister.
    position : int
        How many of its words are used up.
    next_normal : float or None
        The second half of a pair of normal numbers.
    """

    seed: int
    words: bytes
    position: int
    next_normal: float | None


class Generator:
    """A stream of random numbers, bit for bit `torch.Generator` on the CPU.

    Parameters
    ----------
    seed : int, optional
        From −2⁶³ to 2⁶⁴ − 1; the low 32 bits decide, as in PyTorch. None takes one from the operating system.

    Raises
    ------
    TypeError
        For a seed that is not an integer.
    ValueError
        For a seed outside that range.

    References
    ----------
    PyTorch's ATen/core/MT19937RNGEngine.h and DistributionsHelper.h.

    Examples
    --------
    >>> generator = Generator(10)
    >>> generator.rand(3)
    array([0.45808464, 0.48285657, 0.31249833], dtype=float32)
    >>> generator.randperm(5)
    array([2, 1, 4, 0, 3])
    """

    def __init__(self, seed: int | None = None) -> None:
        self._open()
        self.manual_seed(int.from_bytes(os.urandom(8), "little") if seed is None else seed)

    def manual_seed(self, seed: int) -> Self:
        """Start the stream of `seed` from its beginning; returns the generator."""
        checked = _checked_seed(seed)
        self._tell(None)
        with self._locked():
            twister.seed(self._twister, checked)
            self._seed = checked
            self._next_normal: float | None = None
        return self

    def initial_seed(self) -> int:
        """The seed the stream began with, as the unsigned 64-bit integer PyTorch shows."""
        return self._seed

    @property
    def bit_generator(self) -> "np.random.MT19937":  # as text: `numpy.random` is imported when first drawn from
        """The NumPy bit generator that the words come from: whoever draws from it draws from this stream."""
        return self._twister

    @property
    def twister(self) -> int:
        """The address of the Mersenne Twister's 624 words, after which stands how many are used up; 0 where unknown."""
        return int(self._twister.ctypes.state_address) if twister.is_readable() else 0

    @property
    def wanted(self) -> Array:
        """One uint32: not 0 while a thread waits for the lock, which a training in the core then gives away."""
        return self._wanted

    def _open(self) -> None:
        self._twister = twister.made()
        self._wanted = np.zeros(1, np.uint32)
        self._seed, self._next_normal = 0, None
        _alive[id(self)] = self

    def _lock(self) -> None:
        """Take the bit generator's lock."""
        lock = self._twister.lock
        if lock.acquire(blocking=False):
            return
        self._wanted[0] = 1
        while not lock.acquire(timeout=_ASK_AGAIN_S):
            self._wanted[0] = 1
        self._wanted[0] = 0

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else draws meanwhile."""
        self._lock()
        try:
            yield
        finally:
            self._twister.lock.release()

    def get_state(self) -> GeneratorState:
        """What decides all further draws; `set_state` takes it back."""
        self._lock()
        try:
            words, position = twister.words_of(self._twister)
            return GeneratorState(self._seed, words, position, self._next_normal)
        finally:
            self._twister.lock.release()

    def set_state(self, state: GeneratorState) -> Self:
        """Go back (or on) to the place where `state` was taken; returns the generator."""
        if not isinstance(state, GeneratorState):
            raise TypeError(
                f"Generator.set_state: expected a GeneratorState, got {type(state).__name__}."
                " Pass what get_state() gave."
            )
        words = twister.state(np.frombuffer(state.words, np.uint32), state.position)
        self._tell(None)
        with self._locked():
            self._twister.state = words
            self._seed, self._next_normal = state.seed, state.next_normal
        return self

    def has_drawn(self, words: int, since: GeneratorState) -> bool:
        """Whether exactly so many words were drawn since then, by whomever."""
        expected = Generator(0).set_state(since)
        expected.bit_generator.random_raw(words, output=False)
        return expected.get_state()[:3] == self.get_state()[:3]

    def _tell(self, words: int | None) -> None:
        """Say to whoever listens that so many words are drawn now; None: that the stream goes elsewhere."""
        drawn = _listening.get()
        while drawn is not None:
            drawn.note(self, words)
            drawn = drawn.outer

    __getstate__ = get_state

    def __setstate__(self, state: GeneratorState) -> None:
        self._open()
        self.set_state(state)

    def __repr__(self) -> str:
        return f"Generator(seed={self._seed})"

    def random_raw(self, n: int) -> Array:
        """The next `n` words of the Mersenne Twister, uint32."""
        count = _checked_count(n, "random_raw")
        self._tell(count)
        with self._locked():
            pass  # it is free now, and NumPy takes it itself
        words: Array = self._twister.random_raw(count)
        return words.astype(np.uint32)

    def rand(self, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
        """Numbers uniform on [0, 1), as `torch.rand`: one word each in float32, two in float64."""
        return self.uniform(shape, dtype=dtype)

    def uniform(self, shape: Shape, low: float = 0.0, high: float = 1.0, dtype: DTypeLike = np.float32) -> Array:
        """Numbers uniform on [low, high), as `torch.empty(shape).uniform_(low, high)`.

        The formula: u · (high - low) + low with u uniform on [0, 1).
        The product and the sum are rounded once, together, as by a fused multiply-add.
        Raises ValueError unless low ≤ high and both, and high - low, are finite in `dtype`.
        """
        real, sizes = _checked_dtype(dtype, "uniform"), _checked_shape(shape, "uniform")
        low, width = _checked_interval(low, high, real)
        unit = self._unit(math.prod(sizes), real)
        if (low, width) != (0.0, 1.0):
            unit = _scaled32(unit, width, low) if real == np.float32 else _scaled64(unit, width, low)
        return unit.reshape(sizes)

    def randn(self, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
        """Numbers of the law N(0, 1), as `torch.randn` to within 1e-6."""
        return self.normal(shape, dtype=dtype)

    def normal(self, shape: Shape, mean: float = 0.0, std: float = 1.0, dtype: DTypeLike = np.float32) -> Array:
        """Numbers of the law N(mean, std²), as `torch.empty(shape).normal_(mean, std)`, by Box and Muller.

        Sixteen numbers or more come in blocks of 16, fewer come in pairs whose second half waits for the next
        call, as in PyTorch. Raises ValueError unless mean and std are finite and std ≥ 0.
        """
        real, sizes = _checked_dtype(dtype, "normal"), _checked_shape(shape, "normal")
        if not (math.isfinite(mean) and math.isfinite(std) and std >= 0):
            raise ValueError(
                f"Generator.normal: expected a finite mean and a finite std ≥ 0, got mean={mean}, std={std}."
                " std is the standard deviation, not the variance."
            )
        n = math.prod(sizes)
        standard = self._normal_pairs(n) if n < BOX_MULLER_BLOCK else self._normal_blocks(n, real)
        return (standard * std + mean).astype(real).reshape(sizes)

    def randperm(self, n: int) -> Array:
        """The integers 0 … n-1 in random order, int64, as `torch.randperm` (Fisher and Yates' shuffle)."""
        n = _checked_count(n, "randperm")
        if n >= LARGEST_PERMUTATION:
            raise ValueError(f"Generator.randperm: expected n < {LARGEST_PERMUTATION}, got {n}. Permute in parts.")
        steps = self.random_raw(max(n - 1, 0)) % np.arange(n, 1, -1, dtype=np.uint32)
        order = list(range(n))
        for i, j in enumerate((steps + np.arange(steps.size, dtype=np.uint32)).tolist()):
            order[i], order[j] = order[j], order[i]
        return np.array(order, dtype=np.int64)

    def randint(self, low: int, high: int, shape: Shape) -> Array:
        """Integers low ≤ k < high, int64, as `torch.randint`: low + word mod (high - low)."""
        low, high = operator.index(low), operator.index(high)
        if not -(2**63) <= low < high <= 2**63 - 1:
            raise ValueError(
                f"Generator.randint: expected low < high, both within int64, got low={low}, high={high}."
                " high itself is never drawn."
            )
        sizes, width = _checked_shape(shape, "randint"), high - low
        n = math.prod(sizes)
        words = self._double_words(n) if width >= WIDE_RANGE else self.random_raw(n)
        steps = words.astype(np.uint64) % np.uint64(width)
        # Unsigned sums wrap around, which is what a negative `low` needs.
        return (steps + np.uint64(low % 2**64)).view(np.int64).reshape(sizes)

    def _double_words(self, n: int) -> Array:
        """`n` words of 64 bits, the high half drawn first."""
        pairs = self.random_raw(2 * n).astype(np.uint64).reshape(n, 2)
        return (pairs[:, 0] << np.uint64(32)) | pairs[:, 1]

    def _unit(self, n: int, real: DType) -> Array:
        """`n` numbers on [0, 1): the low bits of the words, as many as the significand of `real` holds."""
        if real == np.float32:
            return (self.random_raw(n) & np.uint32(MASK_24)).astype(np.float32) * np.float32(2.0**-24)
        return (self._double_words(n) & np.uint64(MASK_53)).astype(np.float64) * 2.0**-53

    def _normal_blocks(self, n: int, real: DType) -> Array:
        """16 normal numbers of 16 uniform ones, cosines then sines; a short last block is drawn anew."""
        unit, whole = self._unit(n, real), n - n % BOX_MULLER_BLOCK
        normal = np.empty(n)
        normal[:whole] = _box_muller(unit[:whole])
        if whole < n:
            normal[-BOX_MULLER_BLOCK:] = _box_muller(self._unit(BOX_MULLER_BLOCK, real))
        return normal

    def _normal_pairs(self, n: int) -> Array:
        """Few normal numbers, in float64, the sine of each pair kept for the next one."""
        normal = np.empty(n)
        self._tell(0)
        for i in range(n):
            if self._next_normal is not None:
                normal[i], self._next_normal = self._next_normal, None
                continue
            turn, depth = self._unit(2, np.dtype(np.float64)).tolist()
            radius, angle = math.sqrt(-2.0 * math.log1p(-depth)), 2.0 * math.pi * turn
            normal[i], self._next_normal = radius * math.cos(angle), radius * math.sin(angle)
        return normal


class Drawn:
    """What is drawn in this thread or task until `close`, by whatever generators, so as to be taken back."""

    __slots__ = ("_streams", "_token", "outer")

    def __init__(self) -> None:
        self._streams: dict[Generator, tuple[GeneratorState, int | None]] = {}
        self.outer = _listening.get()
        self._token = _listening.set(self)

    def note(self, generator: Generator, words: int | None) -> None:
        """The generator is about to draw so many words; None: to begin another stream."""
        before, known = self._streams.get(generator) or (generator.get_state(), 0)
        self._streams[generator] = before, None if words is None or known is None else known + words

    def words(self, generator: Generator) -> int | None:
        """How many were drawn so far; None where the generator has begun another stream."""
        return self._streams.get(generator, (None, 0))[1]

    def begin_anew(self) -> None:
        """Forget what was drawn so far."""
        self._streams.clear()

    def close(self) -> None:
        _listening.reset(self._token)

    def take_back(self) -> None:
        """Let every stream be where it was.

        Where another thread has drawn from one meanwhile there is no going back: it would draw its words a second time.
        """
        for generator, (before, words) in self._streams.items():
            if words is None or generator.has_drawn(words, before):
                generator.set_state(before)


_listening: contextvars.ContextVar[Drawn | None] = contextvars.ContextVar("listening", default=None)


def _box_muller(unit: Array) -> Array:
    """Normal numbers in float64 from uniform ones whose count is a multiple of 16.

    Only the angle keeps the precision of `unit`: PyTorch rounds it so, and sine and cosine show it.
    """
    blocks = unit.reshape(-1, 2, BOX_MULLER_BLOCK // 2)
    radius = np.sqrt(-2.0 * np.log(1.0 - blocks[:, 0].astype(np.float64)))
    angle = (unit.dtype.type(2.0 * math.pi) * blocks[:, 1]).astype(np.float64)
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1).reshape(-1)


def _scaled32(unit: Array, width: float, low: float) -> Array:
    """unit · width + low rounded once to float32, all three being float32 numbers.

    The product of two float32 numbers is exact in float64. Their sum is not: rounded to odd there, it still
    rounds to the right float32.
    """
    return _sum_to_odd(unit.astype(np.float64) * width, np.float64(low)).astype(np.float32)


def _scaled64(unit: Array, width: float, low: float) -> Array:
    """unit · width + low rounded once to float64, as Boldo and Melquiond (2008) emulate the multiply-add."""
    product, product_error = _exact_product(unit, width)
    small, small_error = _exact_sum(product_error, np.float64(low))
    large, large_error = _exact_sum(product, small)
    return large + _sum_to_odd(small_error, large_error)


def _exact_sum(a: Array, b: Array | np.float64) -> tuple[Array, Array]:
    """a + b rounded, and what the rounding lost (Knuth's two-sum)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _exact_product(unit: Array, width: float) -> tuple[Array, Array]:
    """unit · width rounded, and what the rounding lost (Dekker): halves of 27 and 26 bits."""
    significand, exponent = math.frexp(width)
    shifted = significand * (2.0**27 + 1)
    width_high = math.ldexp(shifted - (shifted - significand), exponent)
    width_low = width - width_high
    unit_high = np.floor(unit * 2.0**27) * 2.0**-27
    unit_low = unit - unit_high
    product = unit * width
    error = unit_high * width_high - product
    return product, ((error + unit_high * width_low) + unit_low * width_high) + unit_low * width_low


def _sum_to_odd(a: Array, b: Array | np.float64) -> Array:
    """a + b, where inexact the neighbour whose last bit is 1: a later rounding then cannot go wrong."""
    total, error = _exact_sum(a, b)
    even = (error != 0) & ((total.view(np.int64) & 1) == 0)
    total[even] = np.nextafter(total[even], np.copysign(np.inf, error[even]))
    return total


def _checked_seed(seed: int) -> int:
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(
            f"manual_seed: expected an integer seed, got {seed!r} of type {type(seed).__name__}."
            " Pass an integer such as 10."
        ) from None
    if not -(2**63) <= number < 2**64:
        raise ValueError(
            f"manual_seed: expected a seed from -2**63 to 2**64 - 1, got {number}."
            f" Only the low 32 bits count: pass {number & MASK_32}."
        )
    return number % 2**64


def _checked_count(n: int, where: str) -> int:
    try:
        count = operator.index(n)
    except TypeError:
        raise TypeError(
            f"Generator.{where}: expected an integer n, got {n!r} of type {type(n).__name__}."
            " Pass len(data) or the like."
        ) from None
    if count < 0:
        raise ValueError(f"Generator.{where}: expected n ≥ 0, got {count}. Pass how many there are to draw.")
    return count


def _checked_dtype(dtype: DTypeLike, where: str) -> DType:
    real = np.dtype(dtype)
    if real not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(
            f"Generator.{where}: expected dtype float32 or float64, got {real}. Draw in one of these and convert."
        )
    return real


def _checked_shape(shape: Shape, where: str) -> tuple[int, ...]:
    try:
        sizes = tuple(operator.index(size) for size in (shape if isinstance(shape, Sequence) else (shape,)))
    except TypeError:
        raise TypeError(
            f"Generator.{where}: expected a shape of integers, got {shape!r}. Pass n or a tuple such as (n, 2)."
        ) from None
    if any(size < 0 for size in sizes):
        raise ValueError(
            f"Generator.{where}: expected a shape of sizes ≥ 0, got {shape!r}. A size may be 0, never negative."
        )
    return sizes


def _checked_interval(low: float, high: float, real: DType) -> tuple[float, float]:
    """`low` and the width, as numbers of `real`."""
    with np.errstate(over="ignore", invalid="ignore"):
        first, last = real.type(low), real.type(high)
        width = last - first
    if not (low <= high and np.isfinite(width)):
        raise ValueError(
            f"Generator.uniform: expected low ≤ high with a width finite in {real},"
            f" got low={low}, high={high}. Swap the bounds or narrow them."
        )
    return float(first), float(width)


_alive: "weakref.WeakValueDictionary[int, Generator]" = weakref.WeakValueDictionary()  # by id
_forking = threading.Lock()
_kept: list[Generator] = []  # locked while the process forks


def _before_fork() -> None:
    """Take every lock: a child would wait for ever for one that a thread holds which it does not have."""
    _forking.acquire()
    for _, generator in sorted(_alive.items()):
        generator._lock()
        _kept.append(generator)


def _after_fork() -> None:
    """In the parent and in the child."""
    while _kept:
        _kept.pop().bit_generator.lock.release()
    _forking.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)

_made: dict[int, Generator] = {}  # the global generator, by its seed
_current: contextvars.ContextVar[Generator | None] = contextvars.ContextVar("maillon_generator", default=None)


def _global() -> Generator:
    """The global generator, made by the first who asks: `numpy.random` takes longer to import than all of maillon.

    Of two threads that ask at once, both get the one that `setdefault` keeps.
    """
    return _made.get(DEFAULT_SEED) or _made.setdefault(DEFAULT_SEED, Generator(DEFAULT_SEED))


def manual_seed(seed: int) -> Generator:
    """Start the global generator's stream of `seed`, as `torch.manual_seed` does.

    Parameters
    ----------
    seed : int
        As for `Generator`.

    Returns
    -------
    Generator
        The global one.

    Examples
    --------
    >>> manual_seed(10)
    Generator(seed=10)
    """
    return _global().manual_seed(seed)


def default_generator() -> Generator:
    """The generator used where none is passed: the global one, or the one that `using` has put in place."""
    return _current.get() or _global()


def resolve(generator: Generator | None) -> Generator:
    """The generator to draw from: `generator` itself, or the default one for None.

    Parameters
    ----------
    generator : Generator or None
        What was given.

    Returns
    -------
    Generator
        The one to draw from.

    Raises
    ------
    TypeError
        For anything else.
    """
    if generator is None:
        return default_generator()
    if not isinstance(generator, Generator):
        raise TypeError(
            f"generator: expected a maillon.random.Generator or None, got {type(generator)}. Pass Generator(seed)."
        )
    return generator


@contextlib.contextmanager
def using(generator: Generator | None) -> Iterator[Generator]:
    """Make `generator` the default one inside the `with` block, in this thread or task.

    Parameters
    ----------
    generator : Generator or None
        The one to use; None changes nothing.

    Yields
    ------
    Generator
        The default one inside the block.

    Examples
    --------
    >>> with using(Generator(10)):
    ...     default_generator()
    Generator(seed=10)
    """
    token = _current.set(resolve(generator))
    try:
        yield resolve(generator)
    finally:
        _current.reset(token)
