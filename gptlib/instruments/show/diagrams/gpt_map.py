"""The map of a whole GPT, with the shapes its parts return and a link from each part to its notebook."""

import torch
from matplotlib.patches import FancyBboxPatch

from gptlib.instruments.files import NOTEBOOKS
from gptlib.instruments.models import pretrained
from gptlib.instruments.show.diagrams.sheet import INK, LIT, Diagram, shown
from gptlib.train import evaluating

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
    found.words(5.22, 4.08, f"block × {len(model.blocks)}", weight="bold")
    found.link(5.22, 4.08, 1.6, 0.3, notebook(PARTS["blocks"][0]), "block")
    found.link(5.22, stream - 0.32, 2.6, 0.25, notebook(PARTS["residual"][0]), "residual stream")
    heads = f"attention\n{model.config.n_head} heads"
    lit |= {"attention"} & lit or ({"attention"} if "heads" in lit else set())
    draw_branch(found, 4.1, stream, lambda *a: part("attention", *a, "attention", heads), part, lit)
    draw_branch(found, 5.9, stream, lambda *a: part("feed-forward", *a, "feed-forward"), part, lit)
    found.link(4.1, stream + 1.68, 1.25, 0.35, notebook(PARTS["heads"][0]), "heads")
    words = "residual stream  " + shown(shapes["blocks"], "BTC")
    weight = "bold" if "residual" in lit else "normal"
    found.words(5.22, stream - 0.32, words, fontsize=9, weight=weight)
    part("norm", 7.72, stream, 0.7, 0.6, "norm")
    found.arrow((8.07, stream), (8.3, stream))
    part("lm_head", 8.82, stream, 1.0, 0.6, "head")
    found.words(8.82, stream - 0.48, shown(shapes["lm_head"], "BTV"), fontsize=9)
    found.arrow((8.82, stream + 0.3), (8.82, stream + 0.75))
    found.words(8.82, stream + 1.05, "softmax:\nwhat comes next?")
    return found


def series_map(*lit):
    """The map that every notebook shows: the pretrained GPT on the lecture's batch of 4 × 8 tokens, its own part lit.

    lit: names of PARTS. Each box leads to the notebook where it first comes up.
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
