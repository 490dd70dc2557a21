"""How well the texts of a figure are seen."""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyBboxPatch


def brightness(colour):
    """The relative luminance of WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def least_contrast(ax):
    """Of each text with what lies behind it: the last box that holds its middle, else the page."""
    ax.figure.draw_without_rendering()
    page = ax.figure.get_facecolor()
    page = "white" if page[3] == 0 else page
    held = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch) and patch.get_facecolor()[3] > 0]
    extents = [box.get_window_extent() for box in held]
    found = []
    for text in ax.texts:
        if not text.get_text():
            continue
        extent = text.get_window_extent()
        middle = (extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2
        inside = zip(held, extents, strict=True)
        behind = [box.get_facecolor() for box, around in inside if around.contains(*middle)]
        one, other = brightness(text.get_color()), brightness(behind[-1] if behind else page)
        found.append((max(one, other) + 0.05) / (min(one, other) + 0.05))
    return min(found)
