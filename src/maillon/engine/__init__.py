"""The engines that carry out training: NumPy, link by link, and the compiled core, whole epochs of a plan.

Both mean the same. `fit`, `predict` and `evaluate` take the core where it is installed and knows every link, the loss
and the rule; `lower` shows the plan it would run, `compile` prepares a network for calls with one sample at a time.
"""

import os
from typing import Any, overload

from maillon.engine.builder import NotLoweredError
from maillon.engine.families import load_usual
from maillon.engine.learner import Learner
from maillon.engine.plan import Plan, PlanError
from maillon.engine.predictor import Predictor
from maillon.engine.processor import core, get_num_threads, instruction_set, set_num_threads
from maillon.engine.step import Batches, plan_of
from maillon.nesting import leaves
from maillon.nn import Module
from maillon.optim import Optim
from maillon.optim.door import convert_batch

ENGINES = ("auto", "numpy", "native")
"""What `engine=` takes."""

_THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")

__all__ = [
    "ENGINES",
    "FallbackWarning",
    "Learner",
    "NotLoweredError",
    "Plan",
    "PlanError",
    "Predictor",
    "choose",
    "compile",
    "get_num_threads",
    "info",
    "lower",
    "set_num_threads",
]


core()  # loaded now, as the usual families are, so that the first training does not wait for them
load_usual()


class FallbackWarning(UserWarning):
    """A training runs in NumPy although the core is there: something in it is not among what the core knows."""


def choose(engine: str) -> str:
    """The engine that will run; "auto" takes the core where it is installed.

    Parameters
    ----------
    engine : str
        'auto', 'numpy' or 'native'.

    Returns
    -------
    str
        'native' or 'numpy'.

    Raises
    ------
    ValueError
        For a name that is no engine.
    RuntimeError
        For 'native' where there is no core.

    Examples
    --------
    >>> choose("numpy")
    'numpy'
    """
    if engine not in ENGINES:
        raise ValueError(f"engine: expected 'auto', 'numpy' or 'native', got {engine!r}.")
    if engine == "numpy" or core() is None:
        if engine == "native":
            raise RuntimeError(
                "engine='native': this installation of maillon has no compiled core. Install it where there is a C++ "
                "compiler, or pass engine='numpy', or 'auto', which takes the fastest engine there is."
            )
        return "numpy"
    instruction_set()  # a wrong MAILLON_ISA is to be told now
    return "native"


def info(engine: str = "auto") -> dict[str, Any]:
    """What an engine is here: its name, its instruction set and its threads.

    Parameters
    ----------
    engine : str
        'auto', 'numpy' or 'native'.

    Returns
    -------
    dict
        `engine`, `instruction_set` (None: NumPy's own choice) and `threads`.

    Raises
    ------
    ValueError, RuntimeError
        As `choose`.
    """
    if choose(engine) == "numpy":
        return {"engine": "numpy", "instruction_set": None, "threads": _numpy_threads()}
    return {"engine": "native", "instruction_set": instruction_set(), "threads": get_num_threads()}


@overload
def compile(network: Module) -> Predictor: ...
@overload
def compile(network: Optim) -> Learner: ...
def compile(network: Module | Optim) -> Predictor | Learner:
    """Prepare a network, or a whole Optim, for many calls at the least cost a call.

    Meant for loops of one's own: control, reinforcement learning, online learning. `predictor(x)` is a network's output
    in evaluation mode; a `learner` does a learning step a call, or a part of one. They follow later changes.

    Parameters
    ----------
    network : Module or Optim
        The network, or network, loss and rule.

    Returns
    -------
    Predictor or Learner
        What is prepared.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> from maillon.nn import Linear, Sequential, Tanh
    >>> network = Sequential(Linear(8, 64), Tanh(), Linear(64, 2))
    >>> predictor = compile(network)
    >>> predictor(np.zeros(8, np.float32)).shape
    (2,)
    >>> learner = compile(maillon.Optim(network, maillon.MSELoss(), 0.1))
    >>> loss = learner.step(np.zeros((1, 8), np.float32), np.ones((1, 2), np.float32))
    """
    if isinstance(network, Optim):
        return Learner(network)
    if not isinstance(network, Module):
        raise TypeError(f"compile: expected a Module or an Optim, got {type(network).__name__}.")
    return Predictor(network)


def lower(optim: Optim, x: Any, y: Any, sample_weight: Any = None) -> Plan:
    """The plan of a learning step on a mini-batch like x, y: what the core carries out. `print` shows it.

    Nothing runs, and nothing changes.

    Parameters
    ----------
    optim : Optim
        Network, loss and rule.
    x : array
        The inputs of a mini-batch.
    y : array
        Its targets.
    sample_weight : array, optional
        A factor for each sample.

    Returns
    -------
    Plan
        The operations, in order, and their buffers.

    Raises
    ------
    NotLoweredError
        With the reason, where NumPy would have to do the work.

    Examples
    --------
    >>> import numpy as np
    >>> from maillon.nn import Linear, MSELoss
    >>> plan = lower(Optim(Linear(1, 1), MSELoss(), 0.1), np.zeros((4, 1)), np.zeros((4, 1)))
    >>> [operation.kind for operation in plan.operations]
    ['linear', 'element_loss', 'linear_grad_weight', 'sgd', 'sgd']
    """
    inputs, target, weight = convert_batch(optim.network, optim.loss, x, y, sample_weight)
    batches = Batches.of(inputs, target, weight, len(leaves(inputs)[0]), shuffle=False)
    return plan_of(optim, batches)


def _numpy_threads() -> int:
    """The threads NumPy's matrix products may use: what the environment allows, else the processors there are."""
    for variable in _THREAD_VARIABLES:
        value = os.environ.get(variable, "")
        if value.isdecimal() and int(value) > 0:
            return int(value)
    return get_num_threads()
