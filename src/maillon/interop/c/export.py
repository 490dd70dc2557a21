"""to_c: from a network to a header."""

import copy
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maillon import __version__
from maillon.interop.c import checks, memory, names, render
from maillon.interop.c.inputs import SAMPLES, STEPS, Input, inputs_of
from maillon.interop.c.program import Program, Value
from maillon.interop.c.trace import IndicesWantedError, traced
from maillon.messages import got
from maillon.nn import Embedding, Graph, Module
from maillon.nn.support import errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.random import Generator
from maillon.saving.files import replace_file
from maillon.typing import DTypeLike


@dataclass(frozen=True)
class Header:
    """What `to_c` has written, and what a controller needs for it.

    Parameters
    ----------
    path : Path
        The file.
    signature : str
        The function, as C declares it.
    inputs : dict of str to tuple
        The shape of one sample behind each pointer that is read.
    outputs : dict of str to tuple
        The same of each pointer that is written.
    state : int
        Numbers that the caller keeps from one call to the next; 0 without a recurrent link.
    flash : int
        Bytes of constants: weights and tables.
    ram : int
        Bytes of the work arrays, which a call takes from the stack.
    """

    path: Path
    signature: str
    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]
    state: int
    flash: int
    ram: int

    def __str__(self) -> str:
        state = f", {self.state} numbers of state" if self.state else ""
        return (
            f"{self.path}: {self.signature}: {self.flash} bytes of flash, {self.ram} bytes of RAM on the stack{state}"
        )


def to_c(
    network: Module,
    path: str | os.PathLike[str],
    input_shape: Any,
    *,
    name: str | None = None,
    dtype: DTypeLike | None = None,
) -> Header:
    """Write the network as one C99 header: constants, and a function that computes one sample.

    The function is `static void name(const float *x, float *y)`, with several inputs or outputs one pointer each; with
    a recurrent link it has `float *state` between them, and computes one step. It allocates nothing, calls nothing but
    math.h, and holds no state of its own.

    Parameters
    ----------
    network : Module
        A chain or graph of links, which is written as it is in evaluation.
    path : path
        The file. It is replaced when the whole text is there.
    input_shape : int or tuple
        The shape of one sample, without the batch: 8, or (3, 32, 32). With an RNN, LSTM or GRU None is the number of
        steps: (None, 3). With several inputs a sequence of such shapes, or {name: shape} for those of a Graph.
    name : str, optional
        The function's name; None takes the file's.
    dtype : dtype, optional
        float32 (float) or float64 (double); None is the network's.

    Returns
    -------
    Header
        The signature, the shapes, and how much flash, RAM and state it needs.

    Raises
    ------
    ValueError
        When the name is none in C, or input_shape none of a sample.
    NotImplementedError
        When a link cannot be written in C; it says which and why. Nothing is written then.
    LinkError
        When the network does not take such an input.

    Examples
    --------
    >>> import tempfile, maillon
    >>> policy = maillon.Sequential(maillon.Linear(8, 64), maillon.Tanh(), maillon.Linear(64, 2), maillon.Tanh())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     header = maillon.interop.c.to_c(policy, f"{folder}/policy.h", 8)
    >>> header.signature, header.flash, header.ram
    ('static void policy(const float *x, float *y)', 2824, 256)
    """
    file = Path(path)
    if not isinstance(network, Module):
        raise TypeError(f"to_c: expected network to be a Module, {got(network)}")
    called = names.function(file, name)
    copied = copy.deepcopy(network).to("float64").eval()
    program = Program(called, network.dtype if dtype is None else floating_dtype(dtype), shown=_shown(network))
    inputs = inputs_of(copied, input_shape)
    program, outputs = written(copied, program, inputs)
    memory.give_outputs(program, outputs, _output_names(network, len(outputs)))
    memory.drop_unused(program)
    work = memory.place(program)
    header = _header(file, program, inputs, outputs, work)
    text = render.header(program, header.signature, _about(network, header), _macros(program), work)
    replace_file(file, text.encode("ascii"), "to_c")
    return header


def written(network: Module, program: Program, inputs: list[Input]) -> tuple[Program, list[Value]]:
    """The program with the steps of the network, and its outputs, after checking that they mean the network."""
    indices = min((link.num_embeddings for link in network.modules() if isinstance(link, Embedding)), default=1)
    program.stepwise = any(each.steps is not None for each in inputs)
    while True:
        begun, generator = copy.deepcopy(program), Generator(0)
        examples = [each.example(generator, indices) for each in inputs]
        ones = [each.part(example, 1, 1) for each, example in zip(inputs, examples, strict=True)]
        buffers = [
            begun.buffer(one.size, "input", each.name, each.integer) for each, one in zip(inputs, ones, strict=True)
        ]
        try:
            given = [(one, Value(buffer, one.shape)) for one, buffer in zip(ones, buffers, strict=True)]
            outputs = traced(network, begun, given)
            break
        except IndicesWantedError as wanted:
            inputs[wanted.place].integer = True
    held = list(zip(inputs, examples, strict=True))
    checks.check_samples(network, begun.shown, [(each.part(x, SAMPLES, 1), each.batch) for each, x in held])
    if program.stepwise:
        checks.check_steps(network, begun.shown, [(each.part(x, 1, STEPS), each.steps) for each, x in held])
    return begun, outputs


def _shown(network: Module) -> dict[str, str]:
    return {path: errors.shown(link) for path, link in network.named_modules()}


def _output_names(network: Module, count: int) -> list[str]:
    several = isinstance(network, Graph) and isinstance(network.outputs, tuple)
    return names.pointers("y", network.outputs if several and isinstance(network, Graph) else (), count)


def _header(file: Path, program: Program, inputs: list[Input], outputs: list[Value], work: list[int]) -> Header:
    state = sum(buffer.size for buffer in program.buffers if buffer.kind == "state")
    targets = {each.buffer.name: each.shape[1:] for each in outputs}
    if program.stepwise:
        targets = {name: shape[1:] if len(shape) > 1 and shape[0] == 1 else shape for name, shape in targets.items()}
    parameters = [f"const {'int' if each.integer else program.real} *{each.name}" for each in inputs]
    parameters += [f"{program.real} *state"] * bool(state) + [f"{program.real} *{name}" for name in targets]
    return Header(
        file,
        f"static void {program.name}({', '.join(parameters)})",
        {each.name: each.shown for each in inputs},
        targets,
        state,
        render.used_bytes(program),
        sum(work) * program.dtype.itemsize,
    )


def _macros(program: Program) -> dict[str, int]:
    """The sizes of the caller's arrays."""
    sizes: dict[str, int] = {}
    for buffer in program.buffers:
        if buffer.kind in ("input", "output", "state"):
            name = f"{program.name}_{'state' if buffer.kind == 'state' else buffer.name}".upper()
            sizes[name] = sizes.get(name, 0) + buffer.size
    return sizes


def _about(network: Module, header: Header) -> list[str]:
    """The comment at the top: how to call it, what it needs, what it is."""
    arrays = {**header.inputs, **header.outputs}
    called = header.signature.removeprefix("static void ").partition("(")[0]
    shown = [f"{name}: {' x '.join(map(str, shape)) or '1'}" for name, shape in arrays.items()]
    lines = [
        f"{called}: a network as C99, written by maillon {__version__}.",
        "",
        f"    {header.signature.removeprefix('static void ')};",
        "",
        f"{', '.join(shown)}; sizes are in the macros below. No two arrays may overlap.",
        *["state: zeros begin a sequence, and each call is one step of it."] * bool(header.state),
        "It may be called by several threads at once" + (", each with a state of its own." if header.state else "."),
        f"Flash: {header.flash} bytes of constants. RAM: {header.ram} bytes on the stack, beside these arrays.",
        "",
    ]
    return lines + repr(network).split("\n")
