"""One block, pre-norm or post-norm, told by the order in which it calls its parts."""

import torch

from gptlib.instruments.show.diagrams.sheet import Diagram, shown
from gptlib.train import evaluating

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
    post = is_post(calls)
    height = 5.4 if post else 5.3
    found = Diagram(f"a {'post' if post else 'pre'}-norm block: {', '.join(calls)}", 3.6, height)
    draw_block(found, calls, x, title, height)
    return found


def blocks_diagram(blocks, x):
    """Several blocks side by side, each as block_diagram draws it. blocks: {title: block}."""
    calls = {title: calls_of(block, x) for title, block in blocks.items()}
    words = "; ".join(f"{title}: {', '.join(names)}" for title, names in calls.items())
    found = Diagram(words, 3.9 * len(blocks), 5.4)
    for number, (title, names) in enumerate(calls.items()):
        draw_block(found, names, x, title, 5.4, left=3.9 * number)
    return found


def kinds_of(calls):
    """(what the box says, its kind) for each name in calls."""
    return [
        next(kind for prefix, kind in NAMES.items() if name.startswith(prefix)) for name in calls
    ]


def is_post(calls):
    """Whether a part is called before its norm."""
    return kinds_of(calls)[0][1] != "norm"


def draw_block(found, calls, x, title, height, left=0.0):
    """Draw a block whose parts are called in this order on x into a diagram, its left edge at left."""
    post, kinds = is_post(calls), kinds_of(calls)
    stream, branch = left + 1.0, left + 2.45
    title = title or ("post-norm" if post else "pre-norm")
    found.words(left + 1.8, height - 0.2, title, weight="bold")
    found.words(stream, 0.18, "x  " + shown(x.shape, "BTC"), fontsize=9)
    y = 0.35
    parts = [(name, kind) for name, kind in zip(calls, kinds) if kind[1] != "norm"]
    norms = [name for name, kind in zip(calls, kinds) if kind[1] == "norm"]
    for (name, (_, kind)), norm in zip(parts, norms):
        top = y + (1.55 if post else 2.0)
        found.arrow((stream, y), (stream, top), width=4, head=False)
        found.arrow((stream, y + 0.2), (branch, y + 0.2), (branch, y + (0.45 if post else 0.42)))
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
