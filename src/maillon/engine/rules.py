"""Rules to operations, and their state between Python and the core: arrays in place, options read anew each time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from maillon.engine.builder import Builder, NotLoweredError
from maillon.engine.families import gradients as gradients  # noqa: PLC0414 - its rows
from maillon.engine.families.rules import OPERATIONS, RULES, Group
from maillon.engine.memory import Gradients, aligned
from maillon.engine.plan import Buffer, Operation
from maillon.nn import Parameter
from maillon.optim import Optim
from maillon.typing import Array

_NOTHING: dict[str, Any] = {}
_NUMBERS: tuple[type, ...] = (float, np.float64, np.float32)


class _Place(NamedTuple):
    """Where a parameter's learning stands: its steps, and the numbers that the rule keeps of it, with their types."""

    steps: int
    numbers: tuple[Any, ...]
    types: tuple[type, ...]


_AT_ZERO, _AT_ONE = _Place(0, (), ()), _Place(1, (), ())


@dataclass
class _Company:
    """Parameters of one group that stand at one place: what depends on it is worked out once for all of them."""

    group: Group
    place: _Place
    options: Buffer
    count: Buffer
    numbers: Buffer
    rates: Buffer
    moves: bool = False


@dataclass
class Trained:
    """A parameter that the rule moves, and the arrays that the rule keeps of it, by operand.

    moves: a gradient reaches it; without one the rule passes it by.
    """

    name: str
    parameter: Parameter
    company: _Company
    arrays: dict[str, Buffer]
    found: dict[str, Any]
    moves: bool = True


class RuleState:
    """What a rule's operations need beside parameters and gradients, for as long as the plans live.

    `refresh` reads the options and the numbers of steps from the rule, `store` writes what the core has changed into
    `rule.state`; `holds` says whether what stands there is still what the plans work on.
    """

    def __init__(self, optim: Optim, names: dict[int, str]) -> None:
        self.optim = optim
        self.rule = optim.rule
        known = RULES.get(type(self.rule))
        if known is None:
            raise NotLoweredError(f"{self.rule!r} is not among the rules it knows")
        self._known = known
        groups = self.rule.param_groups
        self.options = aligned(sum(len(known.options(group)) for group in groups), np.dtype(np.float64))
        """Those of all groups, one after the other."""
        self._companies: list[_Company] = []
        self.trained: list[Trained] = []
        begin = 0
        for number, group in enumerate(groups):
            end = begin + len(known.options(group))
            options = Buffer(f"options of group {number}", self.options[begin:end], (end - begin,))
            begin = end
            for parameter in group["params"]:
                if parameter.requires_grad and id(parameter) in names:
                    self._take(names[id(parameter)], parameter, group, options)
        self._known_as = {id(each.parameter): each for each in self.trained}
        self.limit = self._buffer("limit of the gradients", 1)
        self._lowered: list[Operation] | None = None
        self.refresh()

    # What the plans are made of

    @staticmethod
    def _buffer(name: str, size: int, dtype: Any = np.float64) -> Buffer:
        return Buffer(name, aligned(size, np.dtype(dtype)), (size,))

    def _take(self, name: str, parameter: Parameter, group: Group, options: Buffer) -> None:
        known, place = self._known, self._place(name, parameter, group)
        company = next((one for one in self._companies if one.group is group and one.place == place), None)
        if company is None:
            count = self._buffer(f"steps of {name}", 1, np.int64)
            numbers = self._buffer(f"numbers of {name}", len(known.numbers))
            rates = self._buffer(f"rates of {name}", known.rates)
            company = _Company(group, place, options, count, numbers, rates)
            self._companies.append(company)
        keys = {
            operand: key
            for operand, key in known.keeps.items()
            if operand not in known.only_with or known.only_with[operand](group)
        }
        arrays = {operand: self._array(name, parameter, key) for operand, key in keys.items()}
        own = self._of(parameter)
        found = {key: own.get(key) for key in keys.values()}
        self.trained.append(Trained(name, parameter, company, arrays, found))

    def _of(self, parameter: Parameter) -> dict[str, Any]:
        return self.rule.state.get(parameter, _NOTHING)

    def _place(self, name: str, parameter: Parameter, group: Group) -> _Place:
        """NotLoweredError for what no step of the rule leaves so."""
        known, own = self._known, self._of(parameter)
        if not own and not known.numbers:  # as all begin, but for a few rules
            return _AT_ZERO if known.counted or known.together else _AT_ONE
        there = [own.get(key) is not None for key in known.together]
        if any(there) and not all(there):
            raise NotLoweredError(f"the state of {name} lacks some of {', '.join(known.together)}")
        try:
            fresh = bool(there) and not there[0]
            steps = int(own.get("step", 0)) if known.counted else 1
            first = known.first_numbers(group)
            numbers = tuple(own.get(key, value) for key, value in zip(known.numbers, first, strict=True))
        except (TypeError, ValueError, OverflowError):
            raise NotLoweredError(f"the state of {name} or an option is not a number") from None
        types = tuple(map(type, numbers))
        if not set(types) <= set(_NUMBERS):
            raise NotLoweredError(f"{', '.join(known.numbers)} of {name} are no numbers of 32 or 64 bits")
        return _Place(0 if fresh else steps, numbers, types)

    def _array(self, name: str, parameter: Parameter, key: str) -> Buffer:
        """The rule's own array, or a new one of zeros."""
        known = self._of(parameter).get(key)
        if known is None:
            known = aligned(parameter.size, parameter.dtype).reshape(parameter.shape)
        fits = isinstance(known, np.ndarray) and known.shape == parameter.shape and known.dtype == parameter.dtype
        if not fits or not (known.flags.c_contiguous and known.flags.aligned and known.flags.writeable):
            raise NotLoweredError(f"{key} of {name} is not an array like the parameter")
        return Buffer(f"{key} of {name}", known, parameter.shape)

    # Between two slices

    @property
    def arrays(self) -> list[Array]:
        """All that steps change here."""
        shared = [buffer.array for company in self._companies for buffer in (company.count, company.numbers)]
        return [buffer.array for each in self.trained for buffer in each.arrays.values()] + shared

    def moves(self, parameter: Parameter) -> bool:
        """Whether steps move it: it learns, and a gradient reaches it."""
        each = self._known_as.get(id(parameter))
        return each is not None and each.moves

    @property
    def holds(self) -> bool:
        """Whether the rule's arrays are those that the plans work on, or were not there from the beginning.

        And whether the parameters that stood at one place still do.
        """
        places: dict[int, _Place] = {}
        for each in self.trained:
            if not each.moves:
                continue
            own, company = self._of(each.parameter), each.company
            if any(own.get(key) is not array for key, array in each.found.items()):
                return False
            place = self._place(each.name, each.parameter, company.group)
            if places.setdefault(id(company), place) != place or place.types != company.place.types:
                return False
        for company in self._companies:
            company.place = places.get(id(company), company.place)
        return True

    def read_options(self) -> list[float]:
        """Those of all groups, one after the other."""
        options: Callable[[Group], list[Any]] = self._known.options
        return [value for group in self.rule.param_groups for value in options(group)]

    def refresh(self) -> None:
        """Take the options in force, and how many steps each parameter has had."""
        try:
            self.options[:] = self.read_options()
        except (TypeError, ValueError, OverflowError):
            raise NotLoweredError(f"an option of {self.rule!r} is not a number") from None
        for company in self._companies:
            company.count.array[0] = company.place.steps
            company.numbers.array[:] = company.place.numbers
        for each in self.trained:
            for operand, value in self._known.begins(self.rule, each.company.group).items():
                if each.found[self._known.keeps[operand]] is None:
                    each.arrays[operand].array[...] = value
        self.limit.array[0] = self.optim.clip_grad_norm or self.optim.clip_grad_value or 0.0

    def restart(self) -> None:
        """As if no step had been made: the rule keeps nothing yet."""
        self.rule.state.clear()
        for each in self.trained:
            each.found = dict.fromkeys(each.found)
            for buffer in each.arrays.values():
                buffer.array[...] = 0

    def store(self) -> None:
        """Let `rule.state` hold what it would after the same steps in NumPy."""
        known, state = self._known, self.rule.state
        if not known.kind:
            return
        for each in self.trained:
            if not each.moves:
                continue
            own, company = state.setdefault(each.parameter, {}), each.company
            if known.counted:
                own["step"] = int(company.count.array[0])
            for key, kind, value in zip(known.numbers, company.place.types, company.numbers.array, strict=True):
                own[key] = kind(value)
            for operand, buffer in each.arrays.items():
                key = known.keeps[operand]
                own[key] = each.found[key] = buffer.array

    def kept(self) -> list[tuple[dict[str, Any], str, int, type]]:
        """What Python and the core both keep of each parameter beside arrays: dictionary, key, address, type."""
        known = self._known
        rows: list[tuple[dict[str, Any], str, int, type]] = []
        for each in self.trained if known.kind else ():
            if not each.moves:
                continue
            own, company = self.rule.state[each.parameter], each.company
            if known.counted:
                rows.append((own, "step", company.count.address, int))
            for place, (key, kind) in enumerate(zip(known.numbers, company.place.types, strict=True)):
                rows.append((own, key, company.numbers.address + 8 * place, kind))
        return rows

    # Operations

    def lowered(self, b: Builder, gradients: Gradients) -> tuple[list[Operation], bool]:
        """The operations of `lower`, and whether another plan has them already.

        For any number of rows they are the same, so that several plans share them.
        """
        known = self._lowered is not None
        if self._lowered is None:
            begun = len(b.operations)
            self.lower(b, gradients)
            self._lowered = b.operations[begun:]
            del b.operations[begun:]
        return self._lowered, known

    def lower(self, b: Builder, gradients: Gradients) -> None:
        """Add the division of gathered gradients, the clipping and the updates."""
        whole = gradients.whole
        if gradients.gathers:
            b.part = "divide"
            b.add("divide", gradients=whole, divisor=gradients.divisor, n=whole.size)
        if not self.trained:
            return
        if self.optim.clip_grad_norm or self.optim.clip_grad_value:
            b.part = "clip"
            kind = "clip_norm" if self.optim.clip_grad_norm else "clip_value"
            b.add(kind, gradients=whole, options=self.limit, n=whole.size)
        b.part = "update"
        for each in self.trained:
            each.moves = b.reaches(each.parameter)
            each.company.moves |= each.moves
        if not self._known.kind:
            return
        self._lower_rates(b)
        names = OPERATIONS[self._known.kind].names
        for each in self.trained:
            if not each.moves:
                continue
            company = each.company
            shared = {"options": company.options, "count": company.count, "rates": company.rates}
            b.add(
                self._known.kind,
                parameter=b.parameter(each.name, each.parameter),
                grad=gradients.buffer(each.parameter),
                n=each.parameter.size,
                **each.arrays,
                **{name: buffer for name, buffer in shared.items() if name in names},
                **{size: int(company.group[option]) for size, option in self._known.flags.items()},
            )

    def _lower_rates(self, b: Builder) -> None:
        """What is worked out once for several parameters."""
        known = self._known
        for company in self._companies:
            if not company.moves:
                continue
            if known.counted or company.group.get("momentum"):
                b.add("count_step", steps=company.count)
            if not known.rates:
                continue
            kind = f"{known.kind}_rates"
            given: dict[str, Any] = {"options": company.options, "count": company.count, "rates": company.rates}
            spec = OPERATIONS[kind]
            given |= {operand.name: company.numbers for operand in spec.operands if operand.name not in given}
            given |= {"wide": int(np.float32 not in company.place.types)} if "wide" in spec.sizes else {}
            b.add(kind, **given)
