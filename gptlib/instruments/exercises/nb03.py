"""Exercises: a masked row of scores, a window on the past, a fade that is learned."""

import torch

from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.grader import Check
from gptlib.instruments.exercises.mistakes import MINUS_INFINITY, distance

masked_row = Answer(
    right=(0.2, 0.6, 0.2, 0),
    mistakes={
        "e⁰ is 1, not 0: raise e to each score before you divide": (0, 1, 0, 0),
        "−∞ was taken for 0: e to the −∞ is exactly 0": (1 / 6, 1 / 2, 1 / 6, 1 / 6),
        "the sum counts the masked score too: it is 1 + 3 + 1": (1 / 6, 1 / 2, 1 / 6, 0),
        "that is e raised to the scores: divide by their sum": (1, 3, 1, 0),
        "those are the scores: softmax raises e to them, and divides by the sum": (0, 1.0986, 0, MINUS_INFINITY),
        "all weights are the same: e to ln 3 is 3, and e to −∞ is 0": (0.25, 0.25, 0.25, 0.25),
        "the three that are not masked weigh the same: e to ln 3 is 3": (1 / 3, 1 / 3, 1 / 3, 0),
    },
    expected="four weights that sum to one",
    explanation="e raised to the scores is (1, 3, 1, 0), the sum 5",
)  # fmt: skip


def by_loop(T, width):
    """One row after the other, each entry by itself."""
    rows = [[1.0 if 0 <= t - s < width else 0.0 for s in range(T)] for t in range(T)]
    return torch.tensor([[entry / sum(row) for entry in row] for row in rows])


def inside(T, width):
    """(T, T): True for a position itself and the width − 1 before it."""
    return (distance(T) >= 0) & (distance(T) < width)


def softmax_where(visible, axis=-1, fill=MINUS_INFINITY):
    """Equal weights where visible."""
    return torch.zeros(visible.shape).masked_fill(~visible, fill).softmax(axis)


window = Check(
    right=by_loop,
    mistakes={
        "the window is one too wide: with distance ≤ width it holds width + 1 positions":
            lambda T, w: by_loop(T, w + 1),
        "the window is one too narrow: with itself it has to hold width positions":
            lambda T, w: softmax_where(inside(T, w - 1)),
        "the position itself is left out: it counts among the width":
            lambda T, w: softmax_where((distance(T) > 0) & (distance(T) <= w)),
        "every row is divided by width, and the first rows have fewer positions: divide by their number":
            lambda T, w: inside(T, w) / w,
        "the window sees the future: mask distance < 0 as well": lambda T, w: softmax_where(distance(T) < w),
        "the window reaches to both sides: mask distance < 0": lambda T, w: softmax_where(distance(T).abs() < w),
        "the window lies in the future: the distance is row minus column, query minus key":
            lambda T, w: softmax_where(inside(T, w).T),
        "the mask is 0, a score like any other: it has to be −∞": lambda T, w: softmax_where(inside(T, w), fill=0.0),
        "softmax runs over the wrong axis, so columns sum to one: dim=-1": lambda T, w: softmax_where(inside(T, w), 0),
        "every position sees the whole past: where does width come in?": lambda T, w: softmax_where(distance(T) >= 0),
    },
    cases=(lambda: (7, 3), lambda: (5, 1), lambda: (4, 4)),
    explanation="rows sum to one, the window ends where it should, and width 1 is the identity",
)  # fmt: skip

# 5 seeds from each of 0, 1 and 5, 1,500 steps: 1.426 to 1.516
fade = Answer(
    right=((1.33, 1.61),),
    mistakes={
        "that is where it began: is fade an nn.Parameter, and does the optimizer know it?": ((4.9, 5.1),),
        "it has hardly moved from 0: is fade an nn.Parameter, and does the model use it?": ((-0.1, 0.1),),
        "that is the loss: expected is model.fade": ((2.44, 2.47),),
        "it is still on its way: train for all 1,500 steps": ((0.1, 1.33),),
        "it is still on its way down from 5: train for all 1,500 steps": ((1.61, 4.9),),
    },
    expected="the fade at the end",
    explanation="from 0 and from 5 it ends up in about the same place, close to the best of the seven fixed fades",
)  # fmt: skip
