"""Values on their way from Keras, which has channels last: how they lie here, and the links that lay them otherwise."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from maillon import nn
from maillon.interop.wiring import Wiring
from maillon.nn import Module
from maillon.typing import Array


class NotReadError(NotImplementedError):
    """A Keras model holds something that maillon has no link for."""


@dataclass(frozen=True)
class Value:
    """An address in the Graph.

    shape: Keras's, with its batch. first: whether the channels, last in Keras, come right after the batch here. order:
    for each feature of a flat value its place in Keras, None where the two agree. image: what it was flattened from,
    (C, pixels).
    """

    address: str
    shape: tuple[int | None, ...]
    first: bool = False
    order: Array | None = None
    image: tuple[int, int] | None = None

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def channels(self) -> int:
        """The last dimension, whose length Keras knows."""
        size = self.shape[-1]
        if size is None:
            raise NotReadError(f"from_keras: the last dimension of {self.address} has no length. Say it in its Input.")
        return size

    def axis(self, axis: int) -> int:
        """The place here of one of Keras's dimensions."""
        axis %= self.rank
        if not self.first or axis == 0:
            return axis
        return 1 if axis == self.rank - 1 else axis + 1

    def at(self, address: str, shape: tuple[int | None, ...] | None = None, **changes: Any) -> "Value":
        """The same layout elsewhere."""
        own = {"first": self.first, "order": self.order, "image": self.image}
        return Value(address, self.shape if shape is None else shape, **(own | changes))


def transposed(columns: int) -> Module:
    """(N, rows, columns) → (N, columns, rows): windows one row high over an image of one channel."""
    return nn.Sequential(nn.Unflatten(1, (1, -1)), nn.Unfold((1, columns)))


def channels_first(wiring: Wiring, value: Value) -> Value:
    """The value with its channels after the batch."""
    if value.first or value.rank < 3:
        return value
    assert value.rank == 3  # images have them there from the beginning
    return value.at(
        wiring.add(f"{value.address.split('.')[0]}_turned", transposed(value.channels), value.address), first=True
    )


def channels_last(wiring: Wiring, value: Value) -> Value:
    """A series with its features last, as Keras has it."""
    if not value.first or value.rank < 3:
        return value
    if value.rank > 3 or value.shape[1] is None:
        raise NotReadError(
            f"from_keras: {value.address} has its channels first, and cannot have them last: only series whose length "
            "is known can. Say the length in the Input."
        )
    link = transposed(value.shape[1])
    return value.at(wiring.add(f"{value.address.split('.')[0]}_turned", link, value.address), first=False)


def flat(wiring: Wiring, value: Value, name: str) -> Value:
    """(N, features): those of an image in the order that they have here, which the value remembers."""
    if value.rank == 2:
        return value
    sizes = value.shape[1:]
    if None in sizes:
        raise NotReadError(
            f"from_keras: {name} flattens {value.shape}, whose sizes are not known. Say them in the Input."
        )
    pixels = int(np.prod(sizes[:-1]))  # type: ignore[arg-type]
    features = pixels * value.channels
    address = wiring.add(name, nn.Flatten(), value.address)
    if not value.first or pixels == 1 or value.channels == 1:
        return Value(address, (value.shape[0], features))
    order = np.arange(features).reshape(pixels, value.channels).T.ravel()
    return Value(address, (value.shape[0], features), order=order, image=(value.channels, pixels))


def in_order(wiring: Wiring, value: Value) -> Value:
    """A flat value with its features in Keras's order."""
    if value.order is None:
        return value
    if value.image is None:
        raise NotReadError(
            f"from_keras: the features of {value.address} come from several images, and nothing that has a link puts "
            "them in order. A Dense after it could."
        )
    channels, pixels = value.image
    link = nn.Sequential(nn.Unflatten(1, (1, channels, pixels)), nn.Unfold((1, pixels)), nn.Flatten())
    return Value(wiring.add(f"{value.address.split('.')[0]}_ordered", link, value.address), value.shape)


def shaped(wiring: Wiring, value: Value, name: str, sizes: tuple[int, ...]) -> Value:
    """A flat value in Keras's order as series, (L, F), or as images, (H, W, C), with their channels first."""
    value = in_order(wiring, value)
    if len(sizes) == 1:
        return value.at(value.address, (value.shape[0], *sizes))
    if len(sizes) == 2:
        return Value(wiring.add(name, nn.Unflatten(1, sizes), value.address), (value.shape[0], *sizes))
    if len(sizes) != 3:
        raise NotReadError(f"from_keras: {name} makes values of {len(sizes) + 1} dimensions; links take up to four.")
    height, width, channels = sizes
    turn = (nn.Unflatten(1, (1, height * width, channels)), nn.Unfold((1, channels)), nn.Unflatten(2, (height, width)))
    return Value(wiring.add(name, nn.Sequential(*turn), value.address), (value.shape[0], *sizes), first=True)
