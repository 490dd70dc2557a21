"""The operations of the normalisations, in training, and of dropout."""

from typing import Any

from maillon.costs.counts import Counts, Flops, per_value, size
from maillon.nn import (
    AlphaDropout,
    BatchNorm1d,
    BatchNorm2d,
    Dropout,
    Dropout1d,
    Dropout2d,
    FeatureAlphaDropout,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
)


def _normalized(centred: bool) -> Any:
    """x̂ = (x − μ) r, y = w x̂ + b; dx = r (dx̂ − mean dx̂ − x̂ mean(dx̂ x̂)), dw = Σ x̂ dy, db = Σ dy.

    Forward for each value: the sum for μ and x − μ where it is centred, the square and sum for σ², times r.
    """

    def count(link: Any, inputs: tuple[Any, ...], output: Any) -> Flops:
        n = size(output)
        weight, bias = int(link.weight is not None), int(link.bias is not None)
        forward = (5 if centred else 3) + weight + bias
        inputs_ = (7 if centred else 5) + weight
        return Flops(forward * n, inputs_ * n, (2 * weight + bias) * n)

    return count


def _local_response(link: LocalResponseNorm, inputs: tuple[Any, ...], output: Any) -> Flops:
    """x D^−β, D = k + α/n Σ x²: square, n sums, two for D, power, product; back two, n sums, five."""
    return Flops((link.size + 5) * size(output), (link.size + 7) * size(output))


NORMS: Counts = {
    BatchNorm1d: _normalized(centred=True),
    BatchNorm2d: _normalized(centred=True),
    InstanceNorm1d: _normalized(centred=True),
    InstanceNorm2d: _normalized(centred=True),
    LayerNorm: _normalized(centred=True),
    GroupNorm: _normalized(centred=True),
    RMSNorm: _normalized(centred=False),
    LocalResponseNorm: _local_response,
    Dropout: per_value(1, 1),
    Dropout1d: per_value(1, 1),
    Dropout2d: per_value(1, 1),
    AlphaDropout: per_value(2, 1),
    FeatureAlphaDropout: per_value(2, 1),
}
