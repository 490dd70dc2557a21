"""A network in both libraries: the same outputs, gradients and state after a step, in float64 and in float32."""

from types import ModuleType
from typing import Any

import numpy as np
from beside import as_tensors

import maillon
from maillon.nesting import leaves, rebuilt
from maillon.nn import Loss, Module
from maillon.random import Generator
from maillon.typing import Array

NEAR = {"float64": 1e-10, "float32": 1e-5}
"""The largest difference, relative to the largest number of its kind."""


def assert_near(ours: list[Array], theirs: list[Any], dtype: str, what: str) -> None:
    expected = [one.detach().numpy() if hasattr(one, "detach") else np.asarray(one) for one in theirs]
    assert [np.shape(one) for one in ours] == [one.shape for one in expected], what
    real = [one[np.isfinite(one)] for one in expected if one.size]
    largest = max((float(np.abs(one).max(initial=0)) for one in real), default=0.0)
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=NEAR[dtype] * largest, err_msg=what)


def assert_same(torch: ModuleType, ours: Module, theirs: Any, inputs: tuple[Any, ...], dtype: str) -> None:
    """Outputs, gradients of parameters and inputs, and the state afterwards, of two that say they are the same."""
    tensors = as_tensors(torch, inputs)
    owed = ours.predicted if isinstance(ours, Loss) else [True] * len(tensors)
    wanted = leaves(tuple(one for one, yes in zip(tensors, owed, strict=False) if yes))
    floating = [one for one in wanted if hasattr(one, "is_floating_point") and one.is_floating_point()]
    for tensor in floating:
        tensor.requires_grad_()
    torch.manual_seed(3)
    maillon.manual_seed(3)
    expected = leaves(_tuples(theirs(*tensors)))
    output = ours(*inputs)
    got = leaves(output)
    kept = [place for place, one in enumerate(expected) if one is not None]
    assert_near([got[place] for place in kept], [expected[place] for place in kept], dtype, "outputs")
    generator = Generator(2)
    walked = [one is not None and one.requires_grad for one in expected]
    grads = [
        np.asarray(generator.normal(one.shape, dtype=np.float64), dtype) if yes else None
        for one, yes in zip(got, walked, strict=True)
    ]
    pairs = [(one, torch.from_numpy(grad)) for one, grad in zip(expected, grads, strict=True) if grad is not None]
    if not pairs:
        return
    torch.autograd.backward([one for one, _ in pairs], [grad for _, grad in pairs])
    returned = ours.backward(rebuilt(output, iter(grads)))
    _same_gradients(ours, theirs, returned, leaves(tensors), dtype)
    state = ours.state_dict()
    names = [name for name, _ in theirs.state_dict().items() if name in state]
    assert_near([state[name] for name in names], [theirs.state_dict()[name] for name in names], dtype, "state")


def _same_gradients(ours: Module, theirs: Any, returned: Any, tensors: list[Any], dtype: str) -> None:
    wanted = dict(theirs.named_parameters())
    own = dict(ours.named_parameters())
    assert set(own) == set(wanted)
    assert all(own[name].requires_grad == wanted[name].requires_grad for name in own)
    learnt = [name for name in own if wanted[name].grad is not None]
    assert all(own[name].grad is None or not own[name].grad.any() for name in own.keys() - learnt)
    assert_near([own[name].grad for name in learnt], [wanted[name].grad for name in learnt], dtype, "gradients")
    given = leaves(returned)
    assert isinstance(ours, Loss) or len(given) <= len(tensors)
    pairs = [
        (grad, tensor.grad)
        for grad, tensor in zip(given, tensors, strict=False)
        if grad is not None and getattr(tensor, "grad", None) is not None
    ]
    assert len(pairs) == sum(getattr(tensor, "grad", None) is not None for tensor in tensors) or isinstance(ours, Loss)
    assert_near([grad for grad, _ in pairs], [grad for _, grad in pairs], dtype, "gradients of inputs")


def _tuples(value: Any) -> Any:
    """Lists, which PyTorch returns as well, as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, tuple | list) else value
