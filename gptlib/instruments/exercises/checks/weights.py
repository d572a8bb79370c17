"""Checks of notebooks 03 and 04: weights on the past. A slow twin and PyTorch's own attention are the answers."""

import torch
import torch.nn.functional as F

from gptlib.instruments.exercises.checks.judging import Check
from gptlib.instruments.exercises.checks.making import case
from gptlib.instruments.exercises.checks.reading import Wrong, kind

INFINITE = float("-inf")


def tril(T, diagonal=0):
    """(T, T): True from the first position up to diagonal steps past one's own."""
    return torch.ones(T, T, dtype=torch.bool).tril(diagonal)


def hide(scores, diagonal=0, value=INFINITE):
    """Scores with value where the position is more than diagonal steps later than the one that asks."""
    return scores.masked_fill(~tril(scores.shape[-1], diagonal), value)


def softmax(scores):
    """Softmax over the last axis."""
    return F.softmax(scores, dim=-1)


def qk(q, k, divisor=None):
    """q·k for all pairs, divided by √D unless another divisor is given."""
    return q @ k.transpose(-2, -1) / (divisor or q.shape[-1] ** 0.5)


# ---- 03: a window on the past


def ages(T):
    """(T, T): how many steps before the row's position the column's lies."""
    return torch.arange(T)[:, None] - torch.arange(T)


def window_by_loop(T, width):
    """One row after the other, each entry by itself."""
    rows = [[1.0 if 0 <= t - s < width else 0.0 for s in range(T)] for t in range(T)]
    return torch.tensor([[entry / sum(row) for entry in row] for row in rows])


def allowed(T, width):
    """(T, T): True for a position itself and the width − 1 before it."""
    return (ages(T) >= 0) & (ages(T) < width)


window = Check(
    right=window_by_loop,
    wrong={
        "the window is one too wide: with distance ≤ width it holds width + 1 positions": lambda T, w: (
            window_by_loop(T, w + 1)
        ),
        "the window is one too narrow: with itself it has to hold width positions": lambda T, w: (
            window_by_loop(T, w - 1) if w > 1 else torch.full((T, T), torch.nan)
        ),
        "every row is divided by width, and the first rows have fewer positions: divide by their number": lambda T, w: (
            allowed(T, w) / w
        ),
        "the window sees the future: hide distance < 0 as well": lambda T, w: softmax(
            torch.zeros(T, T).masked_fill(ages(T) >= w, INFINITE)
        ),
        "the mask is 0, a score like any other: it has to be −∞": lambda T, w: torch.full(
            (T, T), 1 / T
        ),
        "softmax runs over the wrong axis, so columns add to one: dim=-1": lambda T, w: F.softmax(
            torch.zeros(T, T).masked_fill(~allowed(T, w), INFINITE), dim=0
        ),
        "everybody sees the whole past: where does width come in?": lambda T, w: softmax(
            hide(torch.zeros(T, T))
        ),
    },
    cases=(lambda: (7, 3), lambda: (5, 1), lambda: (4, 4)),
    well="rows add to one, the window ends where it should, and width 1 is the identity",
)


# ---- 04: a head set by hand


def heard(query):
    """A function that gives whom each of nine letters listens to, and whether it gives them nearly all, for a query."""
    if not isinstance(query, torch.Tensor):
        raise Wrong(f"{kind(query)} came, a tensor was expected")
    if query.shape != (9, 9):
        raise Wrong(f"shape {tuple(query.shape)} came, (9, 9) was expected")

    def call(x):
        weights = softmax(hide(x @ query.float() @ x.T))[1:]
        return weights.argmax(dim=-1), bool(weights.amax(dim=-1).min() > 0.99)

    return call


one_back = Check(
    right=20 * torch.diag(torch.ones(8), -1),
    wrong={
        "it asks for the letter behind, which is hidden, so that all others are alike: roll the other way": (
            20 * torch.diag(torch.ones(8), 1)
        ),
        "it asks for the right letter, but softly: multiply by 10 or so": torch.eye(9).roll(
            -1, dims=1
        ),
        "every letter listens to itself: roll the identity by one": 20 * torch.eye(9),
        "it asks for two letters back": 20 * torch.eye(9).roll(-2, dims=1),
        "it listens to everybody but the letter before: a larger score is a larger weight": (
            -20 * torch.eye(9).roll(-1, dims=1)
        ),
    },
    cases=(lambda: (torch.eye(9),),),
    prepare=heard,
    well="every letter gives more than 0.99 to the one before",
)


# ---- 04: ALiBi


def alibi_by_sdpa(q, k, slope):
    """The weights that PyTorch uses if slope · distance is given as a bias: the identity as v makes them visible."""
    T = q.shape[-2]
    bias = (-slope * ages(T).float()).masked_fill(ages(T) < 0, INFINITE)
    return F.scaled_dot_product_attention(q, k, torch.eye(T).expand(*q.shape[:-2], T, T), bias)


def faded(q, k, slope, sign=-1, power=1):
    """Causal weights with a bias that depends on the distance; the arguments name what can go wrong."""
    return softmax(hide(qk(q, k) + sign * slope * ages(q.shape[-2]).abs() ** power))


alibi = Check(
    right=alibi_by_sdpa,
    wrong={
        "the sign is wrong, what lies far back is preferred: subtract slope × distance": lambda q, k, s: (
            faded(q, k, s, sign=1)
        ),
        "the distance is left out: where does slope come in?": lambda q, k, s: faded(q, k, 0.0),
        "the bias is divided by √D too: divide q·k, then subtract": lambda q, k, s: faded(
            q, k, s / q.shape[-1] ** 0.5
        ),
        "the scores are not divided by √D": lambda q, k, s: softmax(
            hide(qk(q, k, 1) - s * ages(q.shape[-2]))
        ),
        "the distance is squared: ALiBi falls by the same amount with every step": lambda q, k, s: (
            faded(q, k, s, power=2)
        ),
        "the bias comes after softmax, so rows do not add to one: it belongs to the scores": lambda q, k, s: (
            softmax(hide(qk(q, k))) - s * ages(q.shape[-2]).clamp(min=0)
        ),
        "the future is not hidden: a negative distance makes it even louder; set it to −∞": lambda q, k, s: (
            softmax(qk(q, k) - s * ages(q.shape[-2]))
        ),
        "softmax runs over the wrong axis, so columns add to one: dim=-1": lambda q, k, s: (
            F.softmax(hide(qk(q, k) - s * ages(q.shape[-2])), dim=-2)
        ),
    },
    cases=(case((2, 5, 3), (2, 5, 3), rest=(0.7,)), case((3, 4, 6), (3, 4, 6), rest=(0.2,))),
    well="q·k/√D − slope × distance, hidden, softmax: what PyTorch gives with the same bias",
)
