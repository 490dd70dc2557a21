"""Rules to operations, and their state between Python and the core: momenta in place, options read anew each time."""

from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.engine.builder import Builder, NotLoweredError
from maillon.engine.memory import Gradients, aligned
from maillon.engine.plan import Buffer, Operation
from maillon.nn import Parameter
from maillon.optim import SGD, Adam, Optim, Rule
from maillon.typing import Array

Group = dict[str, Any]


class RuleState:
    """What a rule's operations need beside parameters and gradients, for as long as the plans live.

    `refresh` reads the options and the numbers of steps from the rule, `store` writes what the core has changed into
    `rule.state`; `holds` says whether the arrays there are still those that the plans work on.
    """

    def __init__(self, optim: Optim, names: dict[int, str]) -> None:
        self.optim = optim
        self.rule = optim.rule
        known = RULES.get(type(self.rule))
        if known is None:
            raise NotLoweredError(f"{self.rule!r} is not among the rules it knows")
        self._own, self._options, self._size, self._update = known
        self._counts = type(self.rule) is Adam
        self.trained: list[tuple[str, Parameter, Group, Buffer]] = []
        self._groups: list[tuple[Group, Buffer]] = []
        for number, group in enumerate(self.rule.param_groups):
            options = self._buffer(f"options of group {number}", self._size, np.float64)
            self._groups.append((group, options))
            for parameter in group["params"]:
                if parameter.requires_grad and id(parameter) in names:
                    self.trained.append((names[id(parameter)], parameter, group, options))
        self.state = {
            id(parameter): self._own(self, name, parameter, group) for name, parameter, group, _ in self.trained
        }
        self.counts = {
            id(parameter): self._buffer(f"steps of {name}", 1, np.int64) for name, parameter, _, _ in self.trained
        }
        self._kept = [
            (parameter, _STATE_KEYS[key], buffer.array)
            for _, parameter, _, _ in self.trained
            for key, buffer in self.state[id(parameter)].items()
        ]
        self._found = [self._of(parameter).get(key) for parameter, key, _ in self._kept]
        self.limit = self._buffer("limit of the gradients", 1, np.float64)
        self._lowered: list[Operation] | None = None
        self.refresh()

    @staticmethod
    def _buffer(name: str, size: int, dtype: Any) -> Buffer:
        return Buffer(name, aligned(size, np.dtype(dtype)), (size,))

    def _count(self, own: dict[str, Any]) -> int:
        """The steps that a parameter's moments have had; for SGD whether it has a velocity."""
        if not self._counts:
            return int(own.get("momentum_buffer") is not None)
        return int(own.get("step", 0)) if "exp_avg" in own else 0

    def _of(self, parameter: Parameter) -> dict[str, Any]:
        return self.rule.state.get(parameter, _NOTHING)

    @property
    def arrays(self) -> list[Array]:
        """All that steps change here."""
        return [array for _, _, array in self._kept] + [count.array for count in self.counts.values()]

    def array(self, name: str, parameter: Parameter, key: str) -> Buffer:
        """A momentum: the rule's own array, or a new one of zeros."""
        known = self._of(parameter).get(key)
        if known is None:
            known = aligned(parameter.size, parameter.dtype).reshape(parameter.shape)
        fits = isinstance(known, np.ndarray) and known.shape == parameter.shape and known.dtype == parameter.dtype
        if not fits or not (known.flags.c_contiguous and known.flags.aligned and known.flags.writeable):
            raise NotLoweredError(f"{key} of {name} is not an array like the parameter")
        return Buffer(f"{key} of {name}", known, parameter.shape)

    @property
    def holds(self) -> bool:
        """Whether the rule's arrays are those that the plans work on, or were not there from the beginning."""
        state = self.rule.state
        return all(
            state.get(parameter, _NOTHING).get(key) is found
            for (parameter, key, _), found in zip(self._kept, self._found, strict=True)
        )

    def refresh(self) -> None:
        """Take the options in force, and how many steps each parameter has had."""
        try:
            for group, options in self._groups:
                options.array[:] = self._options(group)
            for _, parameter, _, _ in self.trained:
                self.counts[id(parameter)].array[0] = self._count(self._of(parameter))
        except (TypeError, ValueError, OverflowError):
            raise NotLoweredError(f"an option or a count of {self.rule!r} is not a number") from None
        self.limit.array[0] = self.optim.clip_grad_norm or self.optim.clip_grad_value or 0.0

    def store(self) -> None:
        """Let `rule.state` hold what it would after the same steps in NumPy."""
        state = self.rule.state
        for _, parameter, _, _ in self.trained:
            own = state.setdefault(parameter, {})
            if self._counts:
                own["step"] = int(self.counts[id(parameter)].array[0])
        for parameter, key, array in self._kept:
            state[parameter][key] = array
        self._found = [array for _, _, array in self._kept]

    def lower_once(self, builder: Builder, gradients: Gradients) -> None:
        """As `lower`: for any number of rows the operations are the same, so that several plans share them."""
        if self._lowered is None:
            begun = len(builder.operations)
            self.lower(builder, gradients)
            self._lowered = builder.operations[begun:]
        else:
            builder.operations += self._lowered

    def lower(self, builder: Builder, gradients: Gradients) -> None:
        """Add the division of gathered gradients, the clipping and the updates."""
        whole = gradients.whole
        if gradients.gathers:
            builder.part = "divide"
            builder.add("divide", gradients=whole, divisor=gradients.divisor, n=whole.size)
        if not self.trained:
            return
        if self.optim.clip_grad_norm or self.optim.clip_grad_value:
            builder.part = "clip"
            kind = "clip_norm" if self.optim.clip_grad_norm else "clip_value"
            builder.add(kind, gradients=whole, options=self.limit, n=whole.size)
        builder.part = "update"
        for name, parameter, group, options in self.trained:
            fields = {
                "parameter": builder.parameter(name, parameter),
                "grad": gradients.buffer(parameter),
                "options": options,
                "count": self.counts[id(parameter)],
                "n": parameter.size,
                **self.state[id(parameter)],
            }
            self._update(builder, fields, group)


_NOTHING: dict[str, Any] = {}

_STATE_KEYS = {
    "velocity": "momentum_buffer",
    "mean": "exp_avg",
    "square": "exp_avg_sq",
    "largest": "max_exp_avg_sq",
}


def _sgd_state(state: RuleState, name: str, parameter: Parameter, group: Group) -> dict[str, Buffer]:
    return {"velocity": state.array(name, parameter, "momentum_buffer")} if group["momentum"] else {}


def _sgd_options(group: Group) -> list[Any]:
    return [group["lr"], group["momentum"], group["dampening"], group["weight_decay"]]


def _sgd_update(builder: Builder, fields: dict[str, Any], group: Group) -> None:
    builder.add("sgd", nesterov=int(group["nesterov"]), maximize=int(group["maximize"]), **fields)


def _adam_state(state: RuleState, name: str, parameter: Parameter, group: Group) -> dict[str, Buffer]:
    own = state.rule.state.get(parameter, {})
    keys = ["mean", "square"] + ["largest"] * bool(group["amsgrad"])
    if ("exp_avg" in own) != ("exp_avg_sq" in own):
        raise NotLoweredError(f"the state of {name} lacks one of its moments")
    if group["decoupled_weight_decay"]:
        raise NotLoweredError("it does not know Adam with decoupled weight decay")
    return {key: state.array(name, parameter, _STATE_KEYS[key]) for key in keys}


def _adam_options(group: Group) -> list[Any]:
    return [group["lr"], *group["betas"], group["eps"], group["weight_decay"]]


def _adam_update(builder: Builder, fields: dict[str, Any], group: Group) -> None:
    builder.add("adam", maximize=int(group["maximize"]), **fields)


RULES: dict[type[Rule], tuple[Callable[..., dict[str, Buffer]], Callable[[Group], list[Any]], int, Callable[..., None]]]
RULES = {
    SGD: (_sgd_state, _sgd_options, 4, _sgd_update),
    Adam: (_adam_state, _adam_options, 5, _adam_update),
}
