"""Diagrams of models and shapes, drawn from real modules and tensors: boxes, arrows, the residual stream, matrices."""

import base64
import html
import io

import matplotlib
import torch
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle

from gptlib.instruments.files import NOTEBOOKS
from gptlib.instruments.models import pretrained
from gptlib.instruments.show.picture import INK, Picture
from gptlib.instruments.show.plots import COLOURS, visible
from gptlib.train import evaluating

LIT = "#D55E00"  # the part that a page is about
PALE = 0.16  # how much of its colour fills a box
KINDS = {  # what stands for what, in every diagram
    "text": "#666666",
    "embedding": "#56B4E9",
    "attention": COLOURS["query"],
    "feed-forward": COLOURS["value"],
    "norm": COLOURS["key"],
    "head": COLOURS["sample"],
}
SVG_STYLE = {"svg.hashsalt": "gptlib", "svg.fonttype": "path"}


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
        shape.set(
            facecolor=(colour, PALE), edgecolor=LIT if lit else colour, linewidth=3 if lit else 1.2
        )
        self.sheet.add_patch(shape)
        self.words(x, y, words, fontsize=fontsize, weight="bold" if lit else "normal")
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
        circle = Circle((x, y), 0.13, facecolor="#cccccc", edgecolor=LIT if lit else INK, zorder=4)
        circle.set_linewidth(2.5 if lit else 1.2)
        self.sheet.add_patch(circle)
        self.words(x, y, "+", fontsize=13, color="#222222", zorder=5)

    def matrix(self, x, y, rows, columns, words, colour, row_axis="", column_axis="", unit=0.07):
        """A matrix of rows × columns cells around (x, y), its name above and its axes beside it; returns its size."""
        width, height = max(columns * unit, 0.12), max(rows * unit, 0.12)
        corner = (x - width / 2, y - height / 2)
        self.sheet.add_patch(
            Rectangle(corner, width, height, facecolor=(colour, PALE), edgecolor=colour)
        )
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


def notebook(number):
    """The name of the notebook with this number, for a link; None if there is none."""
    return next((path.name for path in sorted(NOTEBOOKS.glob(f"{number}_*.ipynb"))), None)


def shapes_of(model, tokens):
    """{name: shape of what it returned} for every module that model runs on tokens (B, T), in their order."""
    found, hooks = {}, []
    for name, module in model.named_modules():

        def note(_, inputs, output, name=name):
            found[name] = tuple(output.shape)

        hooks.append(module.register_forward_hook(note))
    try:
        with torch.no_grad(), evaluating(model):
            model(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def shown(shape, letters):
    """(4, 8, 32), "BTC" -> "B 4 · T 8 · C 32"."""
    return " · ".join(f"{letter} {size}" for letter, size in zip(letters, shape, strict=True))


# ---- the whole GPT

# part: (number of the notebook that builds it, what the box says)
PARTS = {
    "tokens": ("01", "tokens"),
    "embeddings": ("04", "embeddings"),
    "attention": ("05", "attention"),
    "heads": ("06", "heads"),
    "feed-forward": ("07", "feed-forward"),
    "residual": ("08", "residual stream"),
    "norm": ("09", "norm"),
    "blocks": ("10", "block"),
    "lm_head": ("02", "lm_head"),
}


def gpt_map(model, tokens, lit=()):
    """The map of a GPT, with the shapes that its parts return for tokens (B, T); each part leads to its notebook.

    lit: the names of PARTS that the page is about.
    """
    lit = {lit} if isinstance(lit, str) else set(lit)
    shapes = shapes_of(model, tokens)
    words = f"a map of the GPT: {len(model.blocks)} blocks of attention and feed-forward"
    found, stream = Diagram(words, 9.9, 4.3), 1.35  # the height of the residual stream

    def part(name, x, y, width, height, kind, words=None):
        number, label = PARTS[name]
        found.box(x, y, width, height, words or label, kind, name in lit, notebook(number))

    part("tokens", 0.62, stream, 1.0, 0.6, "text")
    found.words(0.62, stream - 0.48, shown(tokens.shape, "BT"), fontsize=9)
    part("embeddings", 2.05, stream, 1.25, 0.6, "embedding", "token\nembedding")
    part("embeddings", 2.05, 0.42, 1.25, 0.5, "embedding", "position\nembedding")
    found.arrow((1.12, stream), (1.42, stream))
    colour = LIT if "residual" in lit else INK
    found.arrow((2.7, stream), (7.36, stream), colour=colour, width=4, head=False)
    found.arrow((2.68, 0.42), (3.0, 0.42), (3.0, stream - 0.13))
    found.plus(3.0, stream)
    draw_frame(found, 3.35, stream - 0.55, 3.75, 3.1, "blocks" in lit)
    found.words(5.22, 4.08, f"block, {len(model.blocks)} times", weight="bold")
    found.link(5.22, 4.08, 1.6, 0.3, notebook(PARTS["blocks"][0]), "block")
    found.link(5.22, stream - 0.32, 2.6, 0.25, notebook(PARTS["residual"][0]), "residual stream")
    heads = f"attention\n{model.config.n_head} heads"
    lit |= {"attention"} & lit or ({"attention"} if "heads" in lit else set())
    draw_branch(found, 4.1, stream, lambda *a: part("attention", *a, "attention", heads), part, lit)
    draw_branch(found, 5.9, stream, lambda *a: part("feed-forward", *a, "feed-forward"), part, lit)
    found.link(4.1, stream + 1.68, 1.25, 0.35, notebook(PARTS["heads"][0]), "heads")
    words = "residual stream  " + shown(shapes["blocks"], "BTC")
    found.words(5.22, stream - 0.32, words, fontsize=9, color=colour)
    part("norm", 7.72, stream, 0.7, 0.6, "norm")
    found.arrow((8.07, stream), (8.3, stream))
    part("lm_head", 8.82, stream, 1.0, 0.6, "head")
    found.words(8.82, stream - 0.48, shown(shapes["lm_head"], "BTV"), fontsize=9)
    found.arrow((8.82, stream + 0.3), (8.82, stream + 0.75))
    found.words(8.82, stream + 1.05, "softmax:\nwhat comes next?")
    return found


def series_map(*lit):
    """The map that every notebook shows: the pretrained GPT on the lecture's batch of 4 × 8 tokens, its own part lit.

    lit: names of PARTS. Each box leads to the notebook that builds it.
    """
    model, _ = pretrained.load()
    return gpt_map(model, torch.zeros(4, 8, dtype=torch.long), lit)


def draw_frame(found, left, bottom, width, height, lit=False):
    """A dashed frame around what belongs together."""
    frame = FancyBboxPatch((left, bottom), width, height, boxstyle="round,pad=0,rounding_size=0.1")
    frame.set(facecolor="#80808010", edgecolor=LIT if lit else INK, linestyle=(0, (4, 3)))
    frame.set_linewidth(2.5 if lit else 0.8)
    found.sheet.add_patch(frame)


def draw_branch(found, x, stream, draw_part, part, lit):
    """A branch of the residual stream at x: up through a norm and a part, and back by a plus sign."""
    part("norm", x, stream + 0.85, 0.75, 0.42, "norm")
    draw_part(x, stream + 1.85, 1.25, 0.7)
    found.arrow((x, stream), (x, stream + 0.64))
    found.arrow((x, stream + 1.06), (x, stream + 1.5))
    back = x + 0.95
    found.arrow((x, stream + 2.2), (x, stream + 2.38), (back, stream + 2.38), (back, stream + 0.13))
    found.plus(back, stream, "residual" in lit)


# ---- one block, pre-norm or post-norm

NAMES = {
    "ln": ("norm", "norm"),
    "norm": ("norm", "norm"),
    "attention": ("attention", "attention"),
    "ffwd": ("feed-forward", "feed-forward"),
}


def calls_of(block, x):
    """The names of block's parts in the order in which it calls them for x (B, T, C)."""
    calls, hooks = [], []
    for name, module in block.named_children():
        if not isinstance(module, torch.nn.Dropout | torch.nn.Identity):
            hooks.append(module.register_forward_pre_hook(lambda *_, name=name: calls.append(name)))
    try:
        with torch.no_grad(), evaluating(block):
            block(x)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def block_diagram(block, x, title=""):
    """A block as it runs on x (B, T, C): the residual stream upwards, its parts in the order of their calls.

    A norm that is called before its part stands in the branch (pre-norm), one called after it in the stream
    (post-norm).
    """
    calls = calls_of(block, x)
    kinds = [
        next(kind for prefix, kind in NAMES.items() if name.startswith(prefix)) for name in calls
    ]
    post = kinds[0][1] != "norm"
    height = 5.4 if post else 4.9
    found = Diagram(f"a {'post' if post else 'pre'}-norm block: {', '.join(calls)}", 3.6, height)
    stream, branch = 1.0, 2.45
    found.words(1.8, height - 0.2, title or ("post-norm" if post else "pre-norm"), weight="bold")
    found.words(stream, 0.18, "x  " + shown(x.shape, "BTC"), fontsize=9)
    y = 0.35
    parts = [(name, kind) for name, kind in zip(calls, kinds) if kind[1] != "norm"]
    norms = [name for name, kind in zip(calls, kinds) if kind[1] == "norm"]
    for (name, (_, kind)), norm in zip(parts, norms):
        top = y + (1.55 if post else 2.0)
        found.arrow((stream, y), (stream, top), width=4, head=False)
        found.arrow((stream, y + 0.2), (branch, y + 0.2), (branch, y + 0.42))
        if post:
            found.box(branch, y + 0.75, 1.5, 0.6, name, kind)
            found.arrow((branch, y + 1.05), (branch, top), (stream + 0.13, top))
            found.plus(stream, top)
            found.arrow((stream, top), (stream, top + 0.24), width=4, head=False)
            found.box(stream, top + 0.45, 1.0, 0.42, norm, "norm")
            y = top + 0.66
        else:
            found.box(branch, y + 0.63, 1.0, 0.42, norm, "norm")
            found.arrow((branch, y + 0.84), (branch, y + 1.1))
            found.box(branch, y + 1.4, 1.5, 0.6, name, kind)
            found.arrow((branch, y + 1.7), (branch, top), (stream + 0.13, top))
            found.plus(stream, top)
            y = top
    found.arrow((stream, y), (stream, height - 0.4), width=4)
    return found


# ---- shapes


def attention_diagram(attention, x):
    """What happens to the shapes in one head: x, then q, k and v, scores, mask and softmax, the weighted average.

    attention: a module with project_qkv; x (B, T, C). The first head of the first example is drawn, each matrix with
    its own number of rows and columns.
    """
    q, k, v = (
        part.flatten(0, -3)[0] if part.dim() > 2 else part for part in attention.project_qkv(x)
    )
    (T, D), C = q.shape, x.shape[-1]
    found = Diagram(f"the shapes of one head: T {T}, C {C}, D {D}", 9.9, 3.9)
    unit = min(0.075, 1.2 / max(T, D), 1.6 / C)

    def matrix(x, y, rows, columns, name, colour, axis):
        """Draw a matrix whose left edge is at x; returns where arrows arrive and leave."""
        width = max(columns * unit, 0.12)
        found.matrix(x + width / 2, y, rows, columns, name, colour, "T", axis, unit)
        return x - 0.42, x + width + 0.08

    _, right_of_x = matrix(0.5, 2.0, T, C, "x", KINDS["text"], "C")
    right = {}
    for y, name, part in ((3.2, "query", q), (2.0, "key", k), (0.8, "value", v)):
        left, right[name] = matrix(
            3.55, y, *part.shape, name[0] if name != "key" else "k", COLOURS[name], "D"
        )
        found.arrow((right_of_x, 2.0 + (y - 2.0) * 0.15), (left, y))
        beside = 0.17 if y > 1 else -0.17  # above the arrow, or below it
        height = 2.0 + (y - 2.0) * 0.575 + beside
        found.words((right_of_x + left) / 2 - 0.1, height, f"W {name[0]}", fontsize=9)
    left, right_of_scores = matrix(5.9, 2.6, T, T, "scores", INK, "T")
    found.arrow((right["query"], 3.1), (left, 2.72))
    found.arrow((right["key"], 2.1), (left, 2.48))
    found.words(left - 0.05, 3.1, "q kᵀ / √D", fontsize=9, ha="left")
    left, right_of_weights = matrix(7.75, 2.6, T, T, "weights", COLOURS["query"], "T")
    found.arrow((right_of_scores, 2.6), (left, 2.6))
    found.words((right_of_scores + left) / 2, 2.85, "mask,\nsoftmax", fontsize=9)
    left, _ = matrix(8.75, 0.8, T, D, "out", COLOURS["value"], "D")
    found.arrow((right_of_weights - 0.1 - T * unit / 2, 2.6 - T * unit / 2 - 0.28), (8.55, 1.15))
    found.arrow((right["value"], 0.8), (left, 0.8))
    found.words(7.5, 1.35, "weights · v", fontsize=9)
    return found


def heads_diagram(attention, x):
    """How x (B, T, C) is split over the heads of a CausalSelfAttention and merged again, with the shapes it has."""
    q, k, v = attention.project_qkv(x)
    B, H, T, D = q.shape
    C = x.shape[-1]
    found = Diagram(f"{C} channels split over {H} heads of {D}, and merged", 9.8, 2.6)
    steps = [
        ("x", x.shape, "BTC"),
        ("q, k or v", (B, T, H * D), "BTC"),
        ("view", (B, T, H, D), "BTHD"),
        ("transpose", tuple(q.shape), "BHTD"),
        ("attend", tuple(q.shape), "BHTD"),
        ("merge", tuple(attention.merge_heads(q).shape), "BTC"),
    ]
    palette = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"]
    for number, (words, shape, letters) in enumerate(steps):
        x0 = 0.2 + 1.62 * number
        found.words(x0 + 0.65, 2.4, words, weight="bold")
        found.words(x0 + 0.65, 0.2, shown(shape, letters), fontsize=8.5)
        apart = letters in ("BTHD", "BHTD")
        for head in range(H):
            gap = 0.06 if apart else 0.0
            if letters == "BHTD":
                height = (1.5 - gap * (H - 1)) / H
                corner = (x0 + 0.3, 2.1 - (head + 1) * height - head * gap)
                shape_of = Rectangle(corner, 0.7, height)
            else:
                width = (1.1 - gap * (H - 1)) / H
                shape_of = Rectangle((x0 + 0.1 + head * (width + gap), 0.6), width, 1.5)
            colour = "#888888" if number == 0 else palette[head % len(palette)]
            shape_of.set(facecolor=(colour, 0.35), edgecolor=colour, linewidth=0.8)
            found.sheet.add_patch(shape_of)
        if number:
            found.arrow((x0 - 0.33, 1.35), (x0 - 0.02, 1.35))
    return found


def shift_diagram(x, y, labels):
    """x (T,) shifted to y (T,): below each token the one that follows it, which it has to predict.

    labels: a function of an id that returns its label, such as lambda i: tokenizer.decode([i]).
    """
    T = len(x)
    found = Diagram(f"{T} tokens and what follows each", 1.2 + 0.62 * T, 1.75)
    for row, (name, tokens, kind) in enumerate((("x", x, "embedding"), ("y", y, "head"))):
        height = 1.35 - 0.95 * row
        found.words(0.35, height, name, weight="bold", fontsize=13)
        for t, token in enumerate(tokens.tolist()):
            words = "".join(visible(labels(token)))
            found.box(0.95 + 0.62 * t, height, 0.5, 0.46, words, kind, fontsize=12)
    for t in range(T):
        at = 0.95 + 0.62 * t
        found.arrow((at, 1.12), (at, 0.65))
        if t + 1 < T:  # the same token stands in x one place further on
            found.arrow((at + 0.14, 0.62), (at + 0.5, 1.14), width=0.7, head=False)
    return found
