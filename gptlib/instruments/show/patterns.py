"""Attention patterns as pictures: tokens on both axes, grid lines, one color scale from 0 to 1."""

import matplotlib
import numpy as np
from matplotlib.patches import Rectangle

from gptlib.instruments.show.picture import INK, Picture
from gptlib.instruments.show.plots import draw_heatmap

SQUARE = 0.34  # inches a token takes, up to LARGEST for all of them
LARGEST = 5.2
SHADES = matplotlib.colormaps["Blues"].resampled(
    48
)  # few enough for a small file without other colors


def pattern(weights, tokens, title="", keys=None, numbers=None, marked=()):
    """One attention pattern. weights (T, S): row = query, column = key; tokens: T labels, such as the text itself.

    keys: S labels where they are not tokens. numbers: a format such as ".2f" writes the weights in. marked: pairs
    (row, column) that get a frame.
    """
    found = patterns({title: weights}, tokens, keys, numbers)
    for row, column in marked:
        found.axes[0].add_patch(frame(row, column))
    return found


def patterns(weights, tokens, keys=None, numbers=None):
    """Several attention patterns of the same tokens side by side, on one scale. weights: {title: (T, S)}."""
    weights = {title: np.asarray(one, dtype=float) for title, one in weights.items()}
    keys = tokens if keys is None else keys
    side = min(LARGEST / len(weights) ** 0.5, SQUARE * max(len(tokens), len(keys)) + 0.4)
    names = ", ".join(title for title in weights if title) or "attention pattern"
    picture = Picture(
        f"{names}: {len(tokens)} queries × {len(keys)} keys",
        1.6 + (side + 0.3) * len(weights),
        1.3 + side * len(tokens) / max(len(tokens), len(keys)),
    )
    for number, (title, one) in enumerate(weights.items()):
        axes = picture.add_subplot(1, len(weights), number + 1)
        rows = list(tokens) if number == 0 else [""] * len(tokens)
        draw_heatmap(picture, axes, one, rows, list(keys), numbers, top=1)
        axes.images[0].set_cmap(SHADES)
        axes.set_aspect("equal")
        draw_grid(axes, one.shape)
        axes.set_title(title, fontsize=11)
        axes.set_xlabel("key")
        axes.set_ylabel("query" if number == 0 else "")
    bar = picture.colorbar(axes.images[0], ax=picture.axes, shrink=0.8, aspect=24, pad=0.02)
    bar.set_label("attention weight", color=INK)
    bar.ax.tick_params(colors=INK, labelsize=9)
    bar.outline.set_alpha(0.5)
    painters = picture.draw_each
    picture.draw_data = lambda new: [paint(one) for paint, one in zip(painters, many(new))]
    return picture


def many(new):
    """New weights as a list of patterns: one (T, S), several, or {title: (T, S)}."""
    if isinstance(new, dict):
        return list(new.values())
    return [new] if np.ndim(new) == 2 else list(new)


def draw_grid(axes, shape):
    """Thin lines between the squares."""
    rows, columns = shape
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=INK, alpha=0.25, linewidth=0.6)
    axes.tick_params(which="minor", length=0)


def frame(row, column):
    """A frame around one square."""
    return Rectangle(
        (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#D55E00", linewidth=2, zorder=5
    )
