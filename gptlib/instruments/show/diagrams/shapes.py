"""The shapes of attention, heads split and merged, x shifted to y, a text in pieces: drawn from the real thing."""

from matplotlib.patches import Rectangle

from gptlib.instruments.show.diagrams.sheet import INK, KINDS, Diagram, pale, shown
from gptlib.instruments.show.plots import COLOURS, visible


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
        found.words((right_of_x + left) / 2 - 0.1, height, f"$W_{name[0]}$", fontsize=10)
    left, right_of_scores = matrix(5.9, 2.6, T, T, "scores", INK, "T")
    found.arrow((right["query"], 3.1), (left, 2.72))
    found.arrow((right["key"], 2.1), (left, 2.48))
    found.words(left - 0.35, 3.22, "q kᵀ / √D", fontsize=9)
    left, right_of_weights = matrix(7.75, 2.6, T, T, "weights", COLOURS["query"], "T")
    found.arrow((right_of_scores, 2.6), (left, 2.6))
    found.words((right_of_scores + left) / 2, 2.85, "mask,\nsoftmax", fontsize=9)
    left, _ = matrix(8.75, 0.8, T, D, "out", COLOURS["value"], "D")
    found.arrow((right_of_weights - 0.1 - T * unit / 2, 2.6 - T * unit / 2 - 0.28), (8.55, 1.15))
    found.arrow((right["value"], 0.8), (left, 0.8))
    found.words(7.5, 1.35, "weights @ v", fontsize=9)
    return found


def heads_diagram(attention, x):
    """How a CausalSelfAttention splits q, k and v of x (B, T, C) over its heads and merges what they write.

    A box is as high as T and as wide as its channels in every step; only q, k, v and out have a part for each head.
    """
    q, k, v = attention.project_qkv(x)
    B, H, T, D = q.shape
    C = x.shape[-1]
    found = Diagram(f"q, k and v: {C} channels split over {H} heads of {D}, and merged", 9.9, 2.6)
    steps = [
        ("x", x.shape, "BTC"),
        ("q, k or v", (B, T, H * D), "BTC"),
        ("view", (B, T, H, D), "BTHD"),
        ("transpose", tuple(q.shape), "BHTD"),
        ("attend", tuple(q.shape), "BHTD"),
        ("concatenate", (B, T, H * D), "BTC"),
        ("Wo", tuple(attention.merge_heads(q).shape), "BTC"),
    ]
    palette = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"]
    width, height = 0.88 / H, 1.15
    for number, (words, shape, letters) in enumerate(steps):
        x0 = 0.1 + 1.4 * number
        found.words(x0 + 0.6, 2.4, words, weight="bold")
        lines = [shown(shape[:-2], letters[:-2]), shown(shape[-2:], letters[-2:])]
        below = " ·\n".join(lines) if len(shape) == 4 else " · ".join(lines)
        found.words(x0 + 0.6, 0.25, below, fontsize=8.5)
        mixed = number in (0, len(steps) - 1)  # every channel belongs to all heads
        for head in range(1 if mixed else H):
            left = x0 + 0.16 + head * width
            left += 0.16 / H * (head - (H - 1) / 2) if letters != "BTC" else 0.0
            # heads that are matrices of their own stand apart
            top = 2.1 - (0.36 * head / max(H - 1, 1) if letters == "BHTD" else 0.0)
            top -= 0.18 if letters != "BHTD" else 0.0
            box = Rectangle((left, top - height), H * width if mixed else width, height)
            colour = "#888888" if mixed else palette[head % len(palette)]
            box.set(facecolor=pale(colour), edgecolor=colour, linewidth=1.2)
            found.sheet.add_patch(box)
        if number:
            found.arrow((x0 - 0.24, 1.35), (x0 - 0.02, 1.35))
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


def pieces_diagram(rows, lit=None):
    """The pieces that a text is cut into, a row for each way, every piece as wide as its characters.

    rows: {name: pieces}; lit: {name: the piece that stands out in that row}.
    """
    longest = max(sum(map(len, pieces)) for pieces in rows.values())
    left, unit = 0.25 + 0.09 * max(map(len, rows)), min(0.43, 8.2 / longest)
    height = 0.2 + 0.6 * len(rows)
    names = ", ".join(rows)
    found = Diagram(f"the pieces of a text: {names}", left + unit * longest + 0.1, height)
    for row, (name, pieces) in enumerate(rows.items()):
        x, y = left, height - 0.4 - 0.6 * row
        found.words(0.05, y, name, ha="left", weight="bold")
        for piece in pieces:
            width, stands_out = unit * len(piece), piece == (lit or {}).get(name)
            words = "".join(visible(piece))
            found.box(x + width / 2, y, width - 0.05, 0.44, words, "embedding", stands_out)
            x += width
    return found
