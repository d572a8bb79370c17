"""A picture: a matplotlib figure that shows itself, says in words what it is, and can redraw its data fast."""

import base64
import io
import json

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator
from PIL import Image
from PIL.PngImagePlugin import PngInfo

INK = "#777777"  # words and axes: a grey that reads on white and on black, for the background is transparent
SHARP = 2  # pixels of the file for one on the page, along each side
STYLE = {
    name: INK
    for name in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
} | {"axes.facecolor": "none", "figure.facecolor": "none", "legend.frameon": False}
SAMPLES = 9  # of what is drawn, in a description
PNG = "image/png"
MOST = 256  # colours of a PNG: it has a palette
CHUNK = "gptlib"  # the name under which a PNG carries its description


class Picture(Figure):
    """A matplotlib figure that shows itself in a notebook, says in words what it is, and can redraw its data fast.

    alt_text: the picture in a line, for whoever cannot see it. draw_data: a function of the new data that changes the
    artists in `moving` and nothing else; where there are several plots in the picture, draw_each has one such function
    for each.
    """

    def __init__(self, alt_text, width=7.0, height=3.5, **options):
        with matplotlib.rc_context(STYLE):
            super().__init__(
                figsize=(width, height), dpi=100 * SHARP, layout="constrained", **options
            )
        FigureCanvasAgg(self)
        self.alt_text = alt_text
        self.moving = []
        self.draw_data = None
        self.draw_each = []
        self._background = None

    @property
    def size(self):
        """(width, height) on the page, in pixels."""
        return tuple(round(100 * inches) for inches in self.get_size_inches())

    def add_subplot(self, *place, **options):
        with matplotlib.rc_context(STYLE):
            return super().add_subplot(*place, **options)

    def __repr__(self):
        return f"[picture: {self.alt_text}]"

    def _repr_mimebundle_(self, **_):
        width, height = self.size
        data = {PNG: base64.b64encode(self.png()).decode("ascii"), "text/plain": repr(self)}
        return data, {PNG: {"width": width, "height": height}}

    def png(self):
        """The whole picture as PNG bytes, its description in them; the same bytes for the same data."""
        self._lay_out()
        self.canvas.draw()
        return encode(frequent_colours(self._pixels()), self.description())

    def png_of(self, data):
        """The picture with new data, as PNG bytes. Only what moves is drawn again: several times faster than png."""
        if self._background is None:
            self._lay_out()
            for artist in self.moving:
                artist.set_visible(False)
            self.canvas.draw()
            self._background = self.canvas.copy_from_bbox(self.bbox)
            for artist in self.moving:
                artist.set_visible(True)
        self.draw_data(data)
        self.canvas.restore_region(self._background)
        for artist in self.moving:
            artist.axes.draw_artist(artist)
        return encode(Image.fromarray(self._pixels()), self.description(), compress_level=1)

    def _lay_out(self):
        """Find everything its place, once: a second time some things would move by a pixel."""
        if self.get_layout_engine() is not None:
            self.draw_without_rendering()
            self.set_layout_engine("none")

    def _pixels(self):
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


def frequent_colours(rgba):
    """(H, W, 4) bytes as an image of their MOST frequent colours; a rarer one is drawn in the nearest of those."""
    rgba = np.where(rgba[..., 3:] == 0, np.uint8(0), rgba)  # what cannot be seen has no colour
    codes = np.ascontiguousarray(rgba).view(np.uint32)[..., 0]
    colours, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    colours = colours.view(np.uint8).reshape(-1, 4).astype(np.int32)
    kept = colours[np.argsort(-counts, kind="stable")[:MOST]]
    nearest = ((colours[:, None] - kept) ** 2).sum(axis=-1).argmin(axis=1).astype(np.uint8)
    image = Image.fromarray(nearest[places].reshape(codes.shape), "P")
    image.putpalette(kept.astype(np.uint8).tobytes(), "RGBA")
    return image


def encode(image, description=None, compress_level=9):
    """An image as PNG bytes, without a date or a version in them; description: what JSON can hold."""
    info = PngInfo()
    if description is not None:
        info.add_itxt(CHUNK, json.dumps(description, ensure_ascii=False), zip=True)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=compress_level, pnginfo=info)
    return buffer.getvalue()


def description_in(png):
    """The description that PNG bytes carry, or None."""
    words = getattr(Image.open(io.BytesIO(png)), "text", {}).get(CHUNK)
    return words and json.loads(words)
