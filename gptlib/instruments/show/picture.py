"""A picture: a matplotlib figure that shows itself, says in words what it is, and can redraw its data fast."""

import io
import json

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SAMPLES = 9  # of what is drawn, in a description
CHUNK = "gptlib"  # the name under which a PNG carries its description


class Picture(Figure):
    """A matplotlib figure that shows itself in a notebook, says in words what it is, and can redraw its data fast.

    alt_text: the picture in a line, for whoever cannot see it. draw_data: a function of the new data that changes the
    artists in `moving` and nothing else; where there are several plots in the picture, draw_each has one such function
    for each.
    """

    def __init__(self, alt_text, width=7.0, height=3.5, **options):
        super().__init__(figsize=(width, height), dpi=100, layout="constrained", **options)
        FigureCanvasAgg(self)
        self.alt_text = alt_text
        self.moving = []
        self.draw_data = None
        self.draw_each = []
        self._background = None

    def __repr__(self):
        return f"[picture: {self.alt_text}]"

    def _repr_png_(self):
        return self.png()

    def png(self):
        """The whole picture as PNG bytes, its description in them; the same bytes for the same data."""
        return encode(self._render(), self.description())

    def png_of(self, data):
        """The picture with new data, as PNG bytes. Only what moves is drawn again: several times faster than png."""
        if self._background is None:
            for artist in self.moving:
                artist.set_visible(False)
            self._render()
            self._background = self.canvas.copy_from_bbox(self.bbox)
            for artist in self.moving:
                artist.set_visible(True)
        self.draw_data(data)
        self.canvas.restore_region(self._background)
        for artist in self.moving:
            artist.axes.draw_artist(artist)
        return encode(np.asarray(self.canvas.buffer_rgba()), self.description())

    def _render(self):
        self.canvas.draw()
        return np.asarray(self.canvas.buffer_rgba())

    def description(self):
        """What is drawn, as plain data: a dict for each plot in the picture, see described."""
        return [described(axes) for axes in self.axes]


def described(axes):
    """One plot as plain data: its words, its legend with colours, and samples of the numbers that are drawn.

    Two pictures of the same thing with slightly other numbers have descriptions that differ in these numbers alone.
    """
    legend = axes.get_legend()
    return {
        "words": [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()],
        "ticks": [fixed_labels(axis) for axis in (axes.xaxis, axes.yaxis)],
        "texts": [text.get_text() for text in axes.texts if text.get_visible()],
        "legend": legend
        and [
            [text.get_text(), to_hex(handle_colour(handle))]
            for text, handle in zip(legend.get_texts(), legend.legend_handles)
        ],
        "lines": [
            [*style_of(line), to_hex(line.get_color())]
            + [sampled(values) for values in line.get_data()]
            for line in axes.lines
        ],
        "bars": [
            [to_hex(p.get_facecolor()), *sampled(p.get_bbox().bounds)]
            for p in axes.patches
            if hasattr(p, "get_bbox")
        ],
        "images": [
            [list(image.get_array().shape), coarse(image.get_array())] for image in axes.images
        ],
        "points": [
            sampled(np.asarray(c.get_offsets()).ravel())
            for c in axes.collections
            if len(c.get_offsets())
        ],
    }


def style_of(line):
    """A line's name, if it was given one, its dashes and its marks."""
    name = line.get_label()
    return "" if name.startswith("_") else name, line.get_linestyle(), line.get_marker()


def handle_colour(handle):
    """The colour of a legend's handle: a line's or a patch's."""
    return handle.get_color() if hasattr(handle, "get_color") else handle.get_facecolor()


def fixed_labels(axis):
    """The labels that were put beside an axis; none for one that numbers itself."""
    fixed = isinstance(axis.get_major_locator(), FixedLocator)
    return [label.get_text() for label in axis.get_ticklabels()] if fixed else []


def sampled(values):
    """Up to SAMPLES of values, from the first to the last, with four digits."""
    values = np.asarray(values, dtype=float).ravel()
    if len(values) > SAMPLES:
        values = values[np.linspace(0, len(values) - 1, SAMPLES).round().astype(int)]
    return [float(f"{value:.4g}") if np.isfinite(value) else str(value) for value in values]


def coarse(array):
    """The mean of each ninth of a matrix, row by row."""
    array = np.ma.filled(np.ma.asarray(array, dtype=float), np.nan)
    parts = [part for rows in np.array_split(array, 3) for part in np.array_split(rows, 3, axis=1)]
    return sampled(
        [part[np.isfinite(part)].mean() if np.isfinite(part).any() else np.nan for part in parts]
    )


def encode(rgba, description=None):
    """(H, W, 4) bytes -> PNG bytes, without a date or a version in them; description: what JSON can hold."""
    info = PngInfo()
    if description is not None:
        info.add_itxt(CHUNK, json.dumps(description, ensure_ascii=False), zip=True)
    buffer = io.BytesIO()
    Image.fromarray(rgba).convert("RGB").save(buffer, "PNG", compress_level=6, pnginfo=info)
    return buffer.getvalue()


def description_in(png):
    """The description that PNG bytes carry, or None."""
    words = getattr(Image.open(io.BytesIO(png)), "text", {}).get(CHUNK)
    return words and json.loads(words)
