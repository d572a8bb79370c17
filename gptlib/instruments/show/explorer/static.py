"""The explorer's picture for places without widgets: all heads by layer, and the chosen one with its characters."""

import numpy as np

from gptlib.instruments.show.picture import Picture

LARGEST = 96  # cells of one head in the grid, along a side
GAP = 0.08  # between heads, as a share of a head


def shrunk(maps):
    """maps (L, H, T, T) with at most LARGEST rows and columns; a cell keeps the largest weight that falls into it."""
    T = maps.shape[-1]
    starts = np.unique(np.arange(min(T, LARGEST)) * T // min(T, LARGEST))
    rows = np.maximum.reduceat(maps, starts, axis=-2)
    return np.maximum.reduceat(rows, starts, axis=-1)


def mosaic(maps):
    """maps (L, H, T, T) as one array, a layer a row and a head a column, NaN in between and where the mask is."""
    small = shrunk(maps)
    L, H, T, _ = small.shape
    if not np.triu(maps, 1).any():
        small = np.where(np.tri(T, dtype=bool), small, np.nan)
    step = T + max(1, round(GAP * T))
    whole = np.full((L * step, H * step), np.nan)
    for layer in range(L):
        for head in range(H):
            whole[layer * step :, head * step :][:T, :T] = small[layer, head]
    return whole, step


def draw_grid(axes, maps):
    """All heads of maps (L, H, T, T), small; numbered from 1."""
    L, H = maps.shape[:2]
    whole, step = mosaic(maps)
    axes.imshow(np.sqrt(whole), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    middle = (step - 1) / 2
    axes.set_xticks([middle + head * step for head in range(H)], range(1, H + 1))
    axes.set_yticks([middle + layer * step for layer in range(L)], range(1, L + 1))
    axes.set(xlabel="head", ylabel="layer")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def draw_head(axes, weights, labels, title):
    """One head's weights (T, T), large, with the tokens beside it if there is room."""
    T = len(labels)
    allowed = np.tri(T, dtype=bool) if not np.triu(weights, 1).any() else np.ones((T, T), bool)
    axes.patch.set(hatch="////", edgecolor="#dddddd")  # seen where the mask is
    axes.imshow(np.sqrt(np.where(allowed, weights, np.nan)), cmap="Blues", vmin=0, vmax=1)
    if T <= 48:
        size = 10 if T <= 24 else 7
        turn = 90 if max(map(len, labels)) > 1 else 0
        axes.set_xticks(range(T), labels, fontsize=size, rotation=turn)
        axes.set_yticks(range(T), labels, fontsize=size)
        axes.tick_params(length=0)
    axes.set(xlabel="attended-to character (key)", ylabel="attending character (query)")
    axes.set_title(title, fontsize=11)
    axes.spines[:].set_color("#bbbbbb")


def weights_and_title(maps, layer, head):
    """The weights (T, T) of a head of maps (L, H, T, T), or of a mean, and what they are called."""
    if layer == "mean":
        return maps.mean(axis=(0, 1)), "mean of all heads"
    if head == "mean":
        return maps[layer].mean(axis=0), f"layer {layer + 1} · mean of its heads"
    return maps[layer, head], f"layer {layer + 1} · head {head + 1}"


def picture(alt_text, maps, labels, heads):
    """A Picture of maps (L, H, T, T) with the tokens labels; heads: the (layer, head) to draw large, or means."""
    maps = np.asarray(maps, dtype=float)
    found = Picture(alt_text, 4.6 + 4.4 * len(heads), 5.0)
    draw_grid(found.add_subplot(1, 1 + len(heads), 1), maps)
    for number, (layer, head) in enumerate(heads):
        axes = found.add_subplot(1, 1 + len(heads), 2 + number)
        weights, title = weights_and_title(maps, layer, head)
        draw_head(axes, weights, labels, title)
    return found
