"""Normalisation over the last axes, groups of channels, the batch, each instance."""

from collections.abc import Callable
from typing import Any

from naive.norms import normalization as naive

import maillon as M
from catalogue.rows import Row, normal, unit
from maillon.nn import Module


def moved(link: Any) -> Any:
    """The same link away from its start, where every weight is 1 and every bias 0."""
    for place, parameter in enumerate(link.parameters()):
        parameter.data[...] = normal(*parameter.shape)(M.random.default_generator()) + place
    return link


def evaluated(link: Any) -> Any:
    """In evaluation mode, with running statistics away from their start."""
    if link.running_mean is not None:
        link.running_mean[...] = normal(*link.running_mean.shape)(M.random.default_generator())
        link.running_var[...] = unit(*link.running_var.shape)(M.random.default_generator())
    return link.eval()


def torch_evaluated(torch: Any, link: Any, *shape: int) -> Any:
    """PyTorch's, in evaluation mode after a batch of the shape."""
    link(torch.randn(*shape))
    return link.eval()


def row(name: str, make: Callable[[], Module], formula: Any, torch: Any, *shape: int, **more: Any) -> Row:
    return Row(name, lambda: moved(make()), (normal(*shape),), formula, torch, **more)


LAST_WRONG = ((normal(4, 5),), (normal(),), (normal(3, 4),))
FEATURES_WRONG = ((normal(4),), (normal(3, 5),), (normal(4, 2, 3),), (normal(4, 3, 2, 2),))
ONE_EACH = ((normal(1, 3),), (normal(1, 3, 1),))  # of which there is no variance
CHANNELS_WRONG = ((normal(4),), (normal(3, 5),), (normal(4, 3, 2),))

# fmt: off
LINKS = [
    row("LayerNorm", lambda: M.LayerNorm(3), naive.layer, lambda t: t.nn.LayerNorm(3), 4, 3, wrong=LAST_WRONG),
    row("LayerNorm of two axes", lambda: M.LayerNorm((3, 2), 1e-3), naive.layer, lambda t: t.nn.LayerNorm((3, 2), 1e-3),
        4, 5, 3, 2, wrong=((normal(2),), (normal(4, 2, 3),))),
    row("LayerNorm bias=False", lambda: M.LayerNorm([5], bias=False), naive.layer,
        lambda t: t.nn.LayerNorm([5], bias=False), 2, 3, 5),
    row("LayerNorm elementwise_affine=False", lambda: M.LayerNorm(6, elementwise_affine=False), naive.layer,
        lambda t: t.nn.LayerNorm(6, elementwise_affine=False), 4, 6),
    row("LayerNorm of one sample", lambda: M.LayerNorm(5), naive.layer, lambda t: t.nn.LayerNorm(5), 5, batched=False),
    row("RMSNorm", lambda: M.RMSNorm(3), naive.root_mean_square, lambda t: t.nn.RMSNorm(3), 4, 3, wrong=LAST_WRONG),
    row("RMSNorm of two axes", lambda: M.RMSNorm((3, 2), 0.1), naive.root_mean_square,
        lambda t: t.nn.RMSNorm((3, 2), 0.1), 4, 3, 2),
    row("RMSNorm elementwise_affine=False", lambda: M.RMSNorm(3, elementwise_affine=False), naive.root_mean_square,
        lambda t: t.nn.RMSNorm(3, elementwise_affine=False), 2, 4, 3),
    row("GroupNorm", lambda: M.GroupNorm(2, 4), naive.group, lambda t: t.nn.GroupNorm(2, 4), 3, 4, 2, 3,
        wrong=CHANNELS_WRONG),
    row("GroupNorm of features", lambda: M.GroupNorm(2, 6, 1e-3), naive.group, lambda t: t.nn.GroupNorm(2, 6, 1e-3),
        4, 6),
    row("GroupNorm bias=False", lambda: M.GroupNorm(1, 3, bias=False), naive.group,
        lambda t: t.nn.GroupNorm(1, 3, bias=False), 2, 3, 4),
    row("GroupNorm affine=False", lambda: M.GroupNorm(3, 3, affine=False), naive.group,
        lambda t: t.nn.GroupNorm(3, 3, affine=False), 2, 3, 5),
    row("BatchNorm1d", lambda: M.BatchNorm1d(3), naive.batch, lambda t: t.nn.BatchNorm1d(3), 5, 3, batched=False,
        wrong=(*FEATURES_WRONG, *ONE_EACH)),
    row("BatchNorm1d of sequences", lambda: M.BatchNorm1d(3, 1e-3, 0.3), naive.batch,
        lambda t: t.nn.BatchNorm1d(3, 1e-3, 0.3), 4, 3, 5),
    row("BatchNorm1d momentum=None bias=False", lambda: M.BatchNorm1d(3, momentum=None, bias=False), naive.batch,
        lambda t: t.nn.BatchNorm1d(3, momentum=None, bias=False), 3, 3, 2),
    row("BatchNorm1d in eval mode", lambda: evaluated(M.BatchNorm1d(3)), naive.batch,
        lambda t: torch_evaluated(t, t.nn.BatchNorm1d(3), 6, 3), 5, 3, wrong=FEATURES_WRONG),
    row("BatchNorm1d track_running_stats=False in eval mode",
        lambda: evaluated(M.BatchNorm1d(3, affine=False, track_running_stats=False)), naive.batch,
        lambda t: t.nn.BatchNorm1d(3, affine=False, track_running_stats=False).eval(), 2, 3, 4),
    row("BatchNorm2d", lambda: M.BatchNorm2d(2), naive.batch, lambda t: t.nn.BatchNorm2d(2), 3, 2, 2, 3,
        wrong=((normal(3, 2, 2),), (normal(2, 3, 2, 2),), (normal(1, 2, 1, 1),))),
    row("BatchNorm2d affine=False in eval mode", lambda: evaluated(M.BatchNorm2d(2, affine=False)), naive.batch,
        lambda t: torch_evaluated(t, t.nn.BatchNorm2d(2, affine=False), 3, 2, 2, 2), 2, 2, 2, 2),
    row("InstanceNorm1d", lambda: M.InstanceNorm1d(3), naive.instance, lambda t: t.nn.InstanceNorm1d(3), 2, 3, 5,
        wrong=((normal(3),), (normal(2, 3, 1),), (normal(2, 3, 4, 4),))),
    row("InstanceNorm1d of one sample", lambda: M.InstanceNorm1d(3, affine=True), naive.one_instance,
        lambda t: t.nn.InstanceNorm1d(3, affine=True), 3, 4, batched=False, wrong=((normal(2, 5),),)),
    row("InstanceNorm1d track_running_stats=True in eval mode",
        lambda: evaluated(M.InstanceNorm1d(3, affine=True, track_running_stats=True)), naive.instance,
        lambda t: torch_evaluated(t, t.nn.InstanceNorm1d(3, affine=True, track_running_stats=True), 4, 3, 5), 2, 3, 4),
    row("InstanceNorm2d", lambda: M.InstanceNorm2d(2, affine=True, bias=False), naive.instance,
        lambda t: t.nn.InstanceNorm2d(2, affine=True, bias=False), 2, 2, 3, 2, wrong=((normal(2, 3, 3, 2),),)),
    row("InstanceNorm2d track_running_stats=True", lambda: M.InstanceNorm2d(2, 1e-3, 0.4, track_running_stats=True),
        naive.instance,
        lambda t: t.nn.InstanceNorm2d(2, 1e-3, 0.4, track_running_stats=True), 2, 2, 2, 2),
    row("LocalResponseNorm", lambda: M.LocalResponseNorm(3, 0.5), naive.local_response,
        lambda t: t.nn.LocalResponseNorm(3, 0.5), 2, 5, 3, wrong=((normal(4, 3),),)),
    row("LocalResponseNorm of an even size", lambda: M.LocalResponseNorm(4, 0.8, 0.5, 2.0), naive.local_response,
        lambda t: t.nn.LocalResponseNorm(4, 0.8, 0.5, 2.0), 2, 5, 2, 2),
]
# fmt: on
