"""The latent space on the page: a scatter that shows, under the pointer, the image behind each point."""

import base64
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from importlib.resources import files

import numpy as np

from maillon.plot.style import COLOURS, MARKERS
from maillon.typing import Array

WIDTH, HEIGHT = 640, 500
LEFT, RIGHT, TOP, BOTTOM = 84, 608, 36, 438
SPRITE_COLUMNS = 40
SHAPES = {
    "o": '<circle r="3.4"/>',
    "s": '<rect x="-3" y="-3" width="6" height="6"/>',
    "^": '<path d="M0,-4 3.8,3 -3.8,3Z"/>',
    "D": '<path d="M0,-4.4 4.4,0 0,4.4 -4.4,0Z"/>',
}
"""How the page draws the first of matplotlib's markers."""


def latent_fragment(
    codes: Array,
    labels: Array,
    images: Array,
    class_names: Sequence[str],
    groups: Mapping[str, Sequence[int]],
) -> str:
    """The HTML, style and script of the interactive latent space, all in one and asking for nothing outside.

    Parameters
    ----------
    codes
        Latent coordinates, shape `(n, 2)`.
    labels
        Class of each image, shape `(n,)`.
    images
        Grey values in [0, 1], shape `(n, side, side)`.
    class_names
        A name for each class.
    groups
        Name and classes of each group, at most four; every class stands in one.

    Returns
    -------
    str
        An HTML fragment. Its points carry `data-latent-point`, and number 0 is the most isolated of them,
        so that no other covers it.

    Raises
    ------
    ValueError
        If there are more groups than shapes.

    Examples
    --------
    >>> fragment = latent_fragment(
    ...     np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1]), np.zeros((2, 8, 8)),
    ...     ["Coat", "Bag"], {"tops": [0], "bags": [1]},
    ... )
    >>> fragment.count("data-latent-point="), "http" in fragment
    (2, False)
    """
    if len(groups) > len(SHAPES):
        raise ValueError(f"latent_fragment: expected at most {len(SHAPES)} groups, got {len(groups)}.")
    import jinja2

    order = _most_isolated_first(codes)
    codes, labels, images = codes[order].astype(float), labels[order], images[order]
    group_of = {label: index for index, members in enumerate(groups.values()) for label in members}
    x_low, x_high = _limits(codes[:, 0])
    y_low, y_high = _limits(codes[:, 1])
    across = LEFT + (codes[:, 0] - x_low) / (x_high - x_low) * (RIGHT - LEFT)
    up = BOTTOM - (codes[:, 1] - y_low) / (y_high - y_low) * (BOTTOM - TOP)
    points = [
        {"x": f"{x:.1f}", "y": f"{y:.1f}", "group": group_of[int(label)]}
        for x, y, label in zip(across, up, labels, strict=True)
    ]
    data = {
        "side": images.shape[1],
        "columns": SPRITE_COLUMNS,
        "sprite": "data:image/png;base64," + base64.b64encode(sprite_png(images)).decode(),
        "classes": list(class_names),
        "labels": labels.tolist(),
        "codes": np.round(codes, 4).tolist(),
    }
    template = files("maillon.report").joinpath("templates/latent.html").read_text(encoding="utf-8")
    page: str = jinja2.Template(template).render(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=RIGHT,
        top=TOP,
        bottom=BOTTOM,
        x_ticks=_ticks(x_low, x_high, LEFT, RIGHT),
        y_ticks=_ticks(y_low, y_high, BOTTOM, TOP),
        shapes=[SHAPES[marker] for marker in MARKERS[: len(groups)]],
        groups=_legend(groups),
        points=points,
        side=images.shape[1],
        data=json.dumps(data).replace("</", "<\\/"),  # no text may end the script element that holds it
    )
    return page


def sprite_png(images: Array) -> bytes:
    """All images in one PNG of 16 greys, `SPRITE_COLUMNS` in a row.

    16 greys take a third of the bytes of 256, and in a picture of 28 × 28 nobody sees the difference.
    """
    n, height, width = images.shape
    rows = -(-n // SPRITE_COLUMNS)
    padded = np.zeros((rows * SPRITE_COLUMNS, height, width))
    padded[:n] = images
    sheet = padded.reshape(rows, SPRITE_COLUMNS, height, width).transpose(0, 2, 1, 3)
    greys = np.rint(np.clip(sheet, 0, 1) * 15).astype(np.uint8).reshape(rows * height, SPRITE_COLUMNS * width)
    packed = greys[:, 0::2] << 4 | greys[:, 1::2]  # two pixels a byte: SPRITE_COLUMNS is even
    lines = np.concatenate([np.zeros((len(packed), 1), np.uint8), packed], axis=1)  # 0: the line is unfiltered
    header = struct.pack(">IIBBBBB", greys.shape[1], greys.shape[0], 4, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _most_isolated_first(codes: Array) -> Array:
    from scipy.spatial import cKDTree

    order = np.arange(len(codes))
    if len(codes) > 1:
        distances, _ = cKDTree(codes).query(codes, k=2)
        loneliest = int(np.asarray(distances)[:, 1].argmax())
        order[[0, loneliest]] = order[[loneliest, 0]]
    return order


def _limits(values: Array) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def _ticks(low: float, high: float, start: float, end: float) -> list[tuple[float, str]]:
    """Place and text of the round numbers between low and high, about five."""
    raw = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * min((factor for factor in (1, 2, 5, 10) if factor * power >= raw), default=10)
    values = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return [
        (round(start + (value - low) / (high - low) * (end - start), 1), f"{value + 0.0:g}".replace("-", "−"))
        for value in values
    ]


def _legend(groups: Mapping[str, Sequence[int]]) -> list[dict[str, object]]:
    """Name, colour and place of each group, side by side above the plot; a letter takes at most 11 units."""
    entries: list[dict[str, object]] = []
    place = float(LEFT + 6)
    for name, colour in zip(groups, COLOURS, strict=False):
        entries.append({"name": name, "colour": colour, "legend": place})
        place += 34 + 11 * len(name)
    return entries
