"""Module: what every link is."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from maillon.nn.parameter import Parameter
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import as_array, floating_dtype, get_default_dtype
from maillon.tracebacks import shorten
from maillon.typing import Array, DType, DTypeLike

_HOLDING = (list, tuple, dict)  # what may hold modules
_HOLDING_NONE = frozenset({Parameter, np.ndarray, bool, int, float, str, type(None)})  # most of a link's attributes

_keeping: ContextVar[bool] = ContextVar("keeping", default=True)


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside this block `forward` keeps nothing for `backward`: less memory, for predictions.

    >>> import numpy as np, maillon
    >>> with maillon.no_grad():
    ...     y = maillon.Tanh()(np.zeros((2, 3)))
    """
    token = _keeping.set(False)
    try:
        yield
    finally:
        _keeping.reset(token)


def owners_of_buffers(*roots: "Module") -> "list[tuple[Module, tuple[str, ...]]]":
    """All modules in these with registered buffers, and their names, at the least cost: every learning step asks."""
    modules = [*roots]
    owners = []
    for each in modules:
        if each._buffer_names:
            owners.append((each, each._buffer_names))
        for value in each.__dict__.values():
            if type(value) in _HOLDING_NONE:
                continue
            if isinstance(value, Module):
                modules.append(value)
            elif isinstance(value, _HOLDING):
                held = value.values() if isinstance(value, dict) else value
                modules += [inside for inside in held if isinstance(inside, Module)]
    return owners


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` left alone."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """A link of the chain: `forward` gives its output, `backward` the gradient of the loss with respect to its input.

    Attributes that are Parameters or Modules (or lists, tuples, dicts of Modules) are found by themselves; arrays that
    belong to the state without being learnt are named by `register_buffer`.

    Examples
    --------
    A link of your own defines the two, and says with `keep` what the derivative needs:

    >>> import numpy as np, maillon
    >>> class Square(maillon.Module):
    ...     def forward(self, x):
    ...         return self.keep(x * x, x)
    ...     def backward(self, grad_output):
    ...         (x,) = self.release(grad_output)
    ...         return 2 * x * grad_output
    >>> square = Square()
    >>> square(np.array([1.0, 3.0]))
    array([1., 9.])
    >>> square.backward(np.ones(2))
    array([2., 6.])
    """

    takes_integers: bool = False  # whether forward takes some, or masks, which fit and predict then leave as they are
    training: bool = True
    _called: ClassVar[str] = "input"  # what PyTorch calls the first of forward's arguments
    _buffer_names: tuple[str, ...] = ()
    _passing: tuple[str, ...] = ()  # the buffers that state_dict leaves out

    def forward(self, *inputs: Any, **named: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def backward(self, grad_output: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no backward()")

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if named and not inputs and self._called in named:
            inputs = (named.pop(self._called),)
        try:
            return self.forward(*inputs, **named)
        except Exception as error:
            shorten(error, door=False)
            raise

    def backward_parameters(self, grad_output: Any) -> None:
        """`backward` for its effect on the parameters alone: what a learning step needs of a network.

        A link whose input's gradient costs something of its own overrides this to leave it out.
        """
        self.backward(grad_output)

    # What forward leaves for backward

    def keep(self, output: Any, *values: Any) -> Any:
        """Remember `values` for the backward of this forward; returns `output`."""
        if _keeping.get():
            self.__dict__["_kept"] = (output, values)
        return output

    def release(self, grad_output: Any) -> tuple[Any, ...]:
        """Give back what `keep` remembered, once, after checking that `grad_output` is like the output."""
        kept = self.__dict__.get("_kept")
        if kept is None:
            raise errors.no_forward(self)
        output, values = kept
        self._check_grad_output(output, grad_output)
        del self.__dict__["_kept"]
        return values

    def _check_grad_output(self, output: Any, grad_output: Any) -> None:
        if isinstance(output, tuple):
            if not isinstance(grad_output, tuple) or len(grad_output) != len(output):
                got = f"{len(grad_output)} of them" if isinstance(grad_output, tuple) else type(grad_output).__name__
                raise errors.LinkShapeError(
                    f"{errors.shown(self)}: expected grad_output to be a tuple of {len(output)}, like the output, got "
                    f"{got}. Give None where there is no gradient."
                )
            for part, grad_part in zip(output, grad_output, strict=True):
                if grad_part is not None:
                    self._check_grad_output(part, grad_part)
        elif (
            not isinstance(grad_output, np.ndarray)
            or grad_output.shape != output.shape
            or grad_output.dtype != output.dtype
        ):
            raise errors.wrong_grad_output(self, output, grad_output)

    def forget(self) -> None:
        """Drop whatever the links keep for a backward that will not come."""
        for module in self.modules():
            module.__dict__.pop("_kept", None)

    @property
    def kept_output(self) -> Any:
        """The output of the last forward while its backward is to come, else None."""
        return self.__dict__.get("_kept", (None,))[0]

    # What a module is made of

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(self.__dict__.get(name), Parameter) and not isinstance(value, Parameter | None):
            raise TypeError(
                f"{self!r}: expected .{name} to stay a Parameter, got {type(value).__name__}. "
                f"Change its values with .{name}.data[...] = …, or assign a Parameter."
            )
        object.__setattr__(self, name, value)

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly inside this one, with the names that state_dict gives them."""
        for name, value in vars(self).items():
            if type(value) in _HOLDING_NONE:
                continue
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, _HOLDING) and name != "_kept":
                for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                    if isinstance(item, Module):
                        yield f"{name}.{key}", item

    def replace_child(self, name: str, child: "Module | None") -> None:
        """Let a module stand where `named_children` calls it so; None takes it away. ValueError where none may be."""
        attribute, _, key = name.partition(".")
        held = vars(self).get(attribute)
        if attribute == "_kept":
            pass  # what forward leaves there
        elif isinstance(held, list | tuple | dict):
            keys = {str(known): known for known in (held if isinstance(held, dict) else range(len(held)))}
            if key in keys:
                inside: Any = held.copy() if isinstance(held, dict) else list(held)
                inside[keys[key]] = child
                object.__setattr__(self, attribute, tuple(inside) if isinstance(held, tuple) else inside)
                return
        elif isinstance(held, Module | None) and getattr(type(self), attribute, None) is None and name.isidentifier():
            object.__setattr__(self, attribute, child)
            return
        raise ValueError(f"{type(self).__name__} has no place {name!r} for a module.")

    def children(self) -> Iterator["Module"]:
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """This module and all inside it, depth first, in the order of the chain."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator["Module"]:
        """As `named_modules`, without the names."""
        yield self
        for _, child in self.named_children():
            yield from child.modules()

    def apply(self, change: Callable[["Module"], Any]) -> Self:
        """Call `change` on every module inside, then on this one: to draw weights by a law of your own, say."""
        for child in self.children():
            child.apply(change)
        change(self)
        return self

    def get_submodule(self, target: str) -> "Module":
        """The module that `named_modules` calls so: ``"encoder.layers.0"``; '' is this one."""
        for name, module in self.named_modules():
            if name == target:
                return module
        raise AttributeError(f"{type(self).__name__}: expected the name of a module inside, got {target!r}.")

    def get_parameter(self, target: str) -> Parameter:
        """The Parameter that `state_dict` calls so: ``"encoder.layers.0.linear1.weight"``."""
        path, _, name = target.rpartition(".")
        found = vars(self.get_submodule(path)).get(name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"{type(self).__name__}: expected the name of a Parameter inside, got {target!r}.")
        return found

    def _own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Parameter))

    def named_parameters(self, *, recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every Parameter once, under its first name; with recurse=False without those of the modules inside."""
        seen: set[int] = set()
        for prefix, module in self.named_modules() if recurse else [("", self)]:
            for name, parameter in module._own_parameters():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield (f"{prefix}.{name}" if prefix else name), parameter

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every Parameter once: a shared one counts once."""
        seen: set[int] = set()
        for module in self.modules() if recurse else (self,):
            for value in vars(module).values():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield value

    def trains(self) -> bool:
        """Whether anything in this module learns."""
        for value in self.__dict__.values():  # every learning step asks: first what is cheap
            if isinstance(value, Parameter) and value.requires_grad:
                return True
        return any(child.trains() for child in self.children())

    def register_buffer(self, name: str, value: Array | None, persistent: bool = True) -> None:
        """Make the array an attribute that belongs to the state (running statistics, say) but is not learnt.

        persistent: False leaves it out of `state_dict`: what can be computed again.
        """
        if not name.isidentifier() or (hasattr(self, name) and name not in self._buffer_names):
            raise ValueError(f"{type(self).__name__}.register_buffer: {name!r} is taken or not a name.")
        if name not in self._buffer_names:
            self._buffer_names = (*self._buffer_names, name)
        self._passing = tuple(other for other in self._passing if other != name) + (name,) * (not persistent)
        setattr(self, name, value)

    @property
    def buffer_names(self) -> tuple[str, ...]:
        """The attributes of this very module that `register_buffer` has named and `state_dict` holds."""
        return tuple(name for name in self._buffer_names if name not in self._passing)

    def named_buffers(self) -> Iterator[tuple[str, Array]]:
        for prefix, module in self.named_modules():
            for name in module._buffer_names:
                if (value := getattr(module, name)) is not None:
                    yield (f"{prefix}.{name}" if prefix else name), value

    def buffers(self) -> Iterator[Array]:
        return (value for _, value in self.named_buffers())

    @property
    def dtype(self) -> DType:
        """The dtype of the parameters; the default dtype where there are none."""
        return next((parameter.dtype for parameter in self.parameters()), get_default_dtype())

    def output_link(self) -> "Module":
        """The link whose output is this module's output."""
        return self

    # State

    def state_arrays(self) -> dict[str, Array]:
        """The arrays themselves, in PyTorch's order: own parameters, own buffers, then the children's."""
        state: dict[str, Array] = {}
        for prefix, module in self.named_modules():
            dot = f"{prefix}." if prefix else ""
            state |= {dot + name: parameter.data for name, parameter in module._own_parameters()}
            buffers = {name: getattr(module, name) for name in module.buffer_names}
            state |= {dot + name: value for name, value in buffers.items() if value is not None}
        return state

    def state_dict(self) -> dict[str, Array]:
        """A copy of all parameters and buffers, under PyTorch's names (``0.weight``)."""
        return {name: value.copy() for name, value in self.state_arrays().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy the values into the existing arrays, which keep their dtype and identity.

        An array that is shared has several names, and may come under any of them. StateDictError, with nothing changed,
        lists what is mis-shaped and, when strict, missing or unexpected.
        """
        own = self.state_arrays()
        given = {name: as_array(value) for name, value in state.items()}
        there = {id(own[name]) for name in given if name in own}
        missing = [name for name, array in own.items() if id(array) not in there]
        unexpected = [name for name in given if name not in own]
        misfit = [
            f"{name}: expected shape {own[name].shape}, got {value.shape}"
            if value.dtype.kind in "fiub"
            else f"{name}: expected real numbers, got dtype {value.dtype}"
            for name, value in given.items()
            if name in own and (value.shape != own[name].shape or value.dtype.kind not in "fiub")
        ]
        problems = [f"missing {missing}"] * bool(strict and missing)
        problems += [f"unexpected {unexpected}"] * bool(strict and unexpected)
        problems += misfit
        if problems:
            way_out = " Give strict=False to load what fits by name." if strict and not misfit else ""
            raise errors.StateDictError(f"{type(self).__name__}.load_state_dict: {'; '.join(problems)}.{way_out}")
        for name in own.keys() & given.keys():
            own[name][...] = given[name]
        return IncompatibleKeys(missing, unexpected)

    # Learning

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every gradient to None, or with set_to_none=False those that are there to zeros."""
        for parameter in self.parameters():
            parameter.grad = None if set_to_none or parameter.grad is None else np.zeros_like(parameter.grad)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze every Parameter with requires_grad=False; let them learn again with True."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def update_parameters(self, lr: float) -> None:
        """The plain gradient step: p ← p − lr · ∂loss/∂p, in place."""
        for parameter in self.parameters():
            if parameter.requires_grad and parameter.grad is not None:
                parameter.data -= lr * parameter.grad

    def train(self, mode: bool = True) -> Self:
        """Training mode, or with mode=False evaluation mode, for this module and all inside it."""
        for module in self.modules():
            if module.training is not mode:
                module.training = mode
        return self

    def eval(self) -> Self:
        """Evaluation mode: Dropout lets everything through, for instance."""
        return self.train(False)

    def to(self, dtype: DTypeLike) -> Self:
        """Convert parameters, their gradients and floating buffers to float32 or float64."""
        if dtype is None:
            raise ValueError(f"{type(self).__name__}.to: expected float32 or float64, got None.")
        wanted = floating_dtype(dtype)
        for parameter in self.parameters():
            parameter.data = parameter.data.astype(wanted)
            parameter.grad = None if parameter.grad is None else parameter.grad.astype(wanted)
        converted: dict[int, tuple[Array, Array]] = {}  # by identity: one array for all links that share a buffer
        for module in self.modules():
            for name in module._buffer_names:
                value = getattr(module, name)
                if value is not None and value.dtype.kind == "f":
                    _, new = converted.setdefault(id(value), (value, value.astype(wanted)))
                    setattr(module, name, new)
        return self

    def share(self) -> Self:
        """A link of its own with the **same** Parameters and buffers: it may stand elsewhere in the network.

        They stay the same through `to`, copy.deepcopy and pickle of the network that holds both links.
        """
        twin = copy.copy(self)
        for name, value in vars(self).items():
            if name != "_kept":
                vars(twin)[name] = _map_modules(value, Module.share)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_kept"}

    # How it is made

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments that make such a module, by name: what `maillon.save` writes down of it.

        Numbers, texts, None, tuples, lists, dicts, arrays, Generators and modules. Each is the attribute of the
        parameter's name; TypeError where there is none. A link of your own that calls its attributes otherwise
        overrides this.
        """
        return arguments.config(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The module that `get_config` describes, with initial values: `maillon.load` replaces them by those saved."""
        return cls(**config)

    # What it shows of itself

    _shown: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        """The call that makes such a module, as far as it differs from the defaults."""
        return f"{type(self).__name__}({', '.join(self._arguments())})"

    def _repr_html_(self) -> str:
        """What a notebook shows: a table of the links."""
        from maillon.nn.support.summary import network_html

        return network_html(self)

    def _arguments(self) -> list[str]:
        """The attributes that `_shown` names, or else the constructor's parameters, as far as they differ."""
        return [repr(getattr(self, name)) for name in self._shown] or arguments.shown(self)


def _map_modules(value: Any, change: Callable[[Module], Module]) -> Any:
    if isinstance(value, Module):
        return change(value)
    if type(value) in (list, tuple):
        return type(value)(_map_modules(item, change) for item in value)
    if type(value) is dict:
        return {key: _map_modules(item, change) for key, item in value.items()}
    return value
