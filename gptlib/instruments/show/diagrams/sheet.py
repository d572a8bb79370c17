"""The sheet that diagrams are drawn on: boxes, arrows, matrices, links; as SVG with a PNG beside it."""

import base64
import html
import io

import matplotlib
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from gptlib.instruments.show.picture import INK, Picture
from gptlib.instruments.show.plots import COLOURS

LIT = "#D55E00"  # the part that a page is about
DARK = "#222222"  # words in a box: its fill is pale on any page
PALE = 0.22  # how much of its colour fills a box, the rest is white
KINDS = {  # what stands for what, in every diagram
    "text": "#666666",
    "embedding": "#56B4E9",
    "attention": COLOURS["query"],
    "feed-forward": COLOURS["value"],
    "norm": COLOURS["key"],
    "head": COLOURS["sample"],
}
SVG_STYLE = {"svg.hashsalt": "gptlib", "svg.fonttype": "path"}


def shown(shape, letters):
    """(4, 8, 32), "BTC" -> "B 4 · T 8 · C 32"."""
    return " · ".join(f"{letter} {size}" for letter, size in zip(letters, shape, strict=True))


def pale(colour):
    """The opaque fill of a box in a colour; words on it read alike on a white page and on a dark one."""
    return tuple(1 - PALE * (1 - channel) for channel in to_rgb(colour))


class Diagram(Picture):
    """A Picture of boxes and arrows on a sheet of width × height units, an inch each; y grows upwards.

    In a notebook it is an SVG whose boxes lead to other notebooks, with a PNG beside it for places that show no SVG.
    """

    def __init__(self, alt_text, width, height):
        super().__init__(alt_text, width, height)
        self.set_layout_engine("none")
        self.sheet = self.add_axes((0, 0, 1, 1))
        self.sheet.set(xlim=(0, width), ylim=(0, height))
        self.sheet.axis("off")
        self.links = []  # (left, bottom, right, top, address, words)

    def box(self, x, y, width, height, words, kind="text", lit=False, link=None, fontsize=11):
        """A rounded box around (x, y); its words in the middle. kind: a key of KINDS. link: an address."""
        colour = KINDS[kind]
        corner = (x - width / 2, y - height / 2)
        shape = FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.08")
        shape.set(facecolor=pale(colour), edgecolor=LIT if lit else colour)
        shape.set_linewidth(3.5 if lit else 1.2)
        self.sheet.add_patch(shape)
        weight = "bold" if lit else "normal"
        self.words(x, y, words, fontsize=fontsize, weight=weight, color=DARK)
        self.link(x, y, width, height, link, words)

    def link(self, x, y, width, height, address, words):
        """Let the rectangle around (x, y) lead to address, unless that is None; words say where to."""
        if address:
            self.links.append(
                (x - width / 2, y - height / 2, x + width / 2, y + height / 2, address, words)
            )

    def words(self, x, y, words, **options):
        """Text around (x, y)."""
        options = {"ha": "center", "va": "center", "color": INK, "fontsize": 10} | options
        self.sheet.text(x, y, words, **options)

    def arrow(self, *points, colour=INK, width=1.4, head=True):
        """A line through points, with an arrow's head at the last."""
        for start, end in zip(points, points[1:]):
            last = head and end == points[-1]
            style = "-|>,head_length=5,head_width=2.5" if last else "-"
            line = FancyArrowPatch(start, end, arrowstyle=style, shrinkA=0, shrinkB=0)
            line.set(color=colour, linewidth=width, capstyle="round")
            self.sheet.add_patch(line)

    def plus(self, x, y, lit=False):
        """A circle with a plus sign, where something is added to the residual stream."""
        circle = Circle((x, y), 0.13, facecolor="#dddddd", edgecolor=LIT if lit else INK, zorder=4)
        circle.set_linewidth(2.5 if lit else 1.2)
        self.sheet.add_patch(circle)
        self.words(x, y, "+", fontsize=13, color=DARK, zorder=5)

    def matrix(self, x, y, rows, columns, words, colour, row_axis="", column_axis="", unit=0.07):
        """A matrix of rows × columns cells around (x, y), its name above and its axes beside it; returns its size."""
        width, height = max(columns * unit, 0.12), max(rows * unit, 0.12)
        corner = (x - width / 2, y - height / 2)
        shape = Rectangle(corner, width, height, facecolor=pale(colour), edgecolor=colour)
        self.sheet.add_patch(shape)
        self.words(x, y + height / 2 + 0.16, words, weight="bold")
        self.words(x, y - height / 2 - 0.15, f"{column_axis} {columns}", fontsize=9)
        self.words(corner[0] - 0.07, y, f"{row_axis} {rows}", fontsize=9, ha="right")
        return width, height

    def svg(self):
        """The diagram as the text of an SVG; the same text for the same diagram."""
        buffer = io.StringIO()
        with matplotlib.rc_context(SVG_STYLE):
            self.savefig(
                buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
            )
        return buffer.getvalue()

    def html(self):
        """The SVG as an image with the links laid over it."""
        width, height = self.get_size_inches()
        image = base64.b64encode(self.svg().encode()).decode("ascii")
        spots = "".join(
            f'<a href="{html.escape(address)}" title="{html.escape(words)}" aria-label="{html.escape(words)}" '
            f'style="position:absolute;left:{left / width:.2%};top:{1 - top / height:.2%};'
            f'width:{(right - left) / width:.2%};height:{(top - bottom) / height:.2%}"></a>'
            for left, bottom, right, top, address, words in self.links
        )
        return (
            f'<div style="position:relative;width:{self.size[0]}px;max-width:100%">'
            f'<img alt="{html.escape(self.alt_text)}" style="width:100%" src="data:image/svg+xml;base64,{image}">'
            f"{spots}</div>"
        )

    def _repr_mimebundle_(self, **_):
        data, size = super()._repr_mimebundle_()
        return {"text/html": self.html()} | data, size
