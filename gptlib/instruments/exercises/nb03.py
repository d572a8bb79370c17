"""Exercises: a masked row of scores, a window on the past, a fade that is learned."""

import torch

from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.grader import Check
from gptlib.instruments.exercises.mistakes import MINUS_INFINITY, distance

SIXTH = (0.16, 0.2)
masked_row = Answer(
    right=(0.2, 0.6, 0.2, 0),
    mistakes={
        "e⁰ is 1, not 0: raise e to each score before you divide": (0, 1, 0, 0),
        "−∞ was taken for 0: e to the −∞ is exactly 0": (SIXTH, 1 / 2, SIXTH, SIXTH),
        "the sum counts the masked score too: it is 1 + 3 + 1": (SIXTH, 1 / 2, SIXTH, 0),
        "ln 3 was taken for 3: e to ln 3 is 3": ((0.04, 0.06), (0.9, 0.92), (0.04, 0.06), 0),
        "e to ln 3 is 3, not 2": (0.25, 0.5, 0.25, 0),
        "e to ln 3 is 3, while e¹ is only about 2.7": ((0.205, 0.215), (0.57, 0.59), (0.205, 0.215), 0),
        "the third score counts too: e⁰ is 1": (0.25, 0.75, 0, 0),
        "divided by 4: the sum is 1 + 3 + 1": (0.25, 0.75, 0.25, 0),
        "divided by 3: the sum is 1 + 3 + 1": ((0.3, 0.34), 1, (0.3, 0.34), 0),
        "the masked position's weight is e to the −∞, and that is 0": (0.2, 0.6, 0.2, MINUS_INFINITY),
        "the scores are divided by their sum: raise e to each of them first": [
            (0, 1, 0, MINUS_INFINITY), (0, 1, 0, float("inf"))
        ],
        "those are the logarithms of the weights": ((-1.62, -1.6), (-0.52, -0.5), (-1.62, -1.6), MINUS_INFINITY),
        "ln is the logarithm to base e, not 10: e to ln 3 is 3": ((0.27, 0.3), (0.44, 0.46), (0.27, 0.3), 0),
        "2 was raised to the scores: raise e, and e to ln 3 is 3": ((0.23, 0.245), (0.51, 0.54), (0.23, 0.245), 0),
        "// leaves whole numbers only: divide with /": (0, 0, 0, 0),
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


def softmax_where(visible, axis=-1, fill=MINUS_INFINITY, score=0.0):
    """Weights where visible, equal ones if there is one score."""
    return (torch.zeros(visible.shape) + score).masked_fill(~visible, fill).softmax(axis)


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
        "half of the window lies in the future: mask distance < 0":
            lambda T, w: softmax_where(distance(T).abs() <= w // 2),
        "the window lies in the future: the distance is row minus column, query minus key":
            lambda T, w: softmax_where(inside(T, w).T),
        "the mask is 0, a score like any other, or hides nothing, so all weights are 1 / T: it has to be −∞":
            lambda T, w: softmax_where(inside(T, w), fill=0.0),
        "masked scores are only 1 below the others, and get a share as well: they have to be −∞":
            lambda T, w: softmax_where(inside(T, w), fill=-1.0),
        "the mask is +∞, and softmax of that is nan: it has to be −∞":
            lambda T, w: softmax_where(inside(T, w), fill=float("inf")),
        "the mask is the wrong way round and hides the window itself": lambda T, w: softmax_where(~inside(T, w)),
        "nothing is left of any row: look at the condition, or at the diagonal of triu":
            lambda T, w: softmax_where(torch.zeros(T, T, dtype=torch.bool)),
        "softmax runs over the wrong axis, so columns sum to one: dim=-1": lambda T, w: softmax_where(inside(T, w), 0),
        "every position sees the whole past: where does width come in?": lambda T, w: softmax_where(distance(T) >= 0),
        "each column is divided by a row's sum: keepdim=True is missing":
            lambda T, w: inside(T, w) / inside(T, w).sum(1),
        "the past is cut into blocks: the window has to move along with each position":
            lambda T, w: softmax_where((distance(T) >= 0) & (torch.arange(T) // w == torch.arange(T)[:, None] // w)),
        "the window stays where it is, at the first positions: it has to move along with each position":
            lambda T, w: softmax_where((distance(T) >= 0) & (torch.arange(T) < w)),
        "the position itself is left out, and nothing is left for the first: it counts among the width": [
            lambda T, w: softmax_where((distance(T) > 0) & (distance(T) <= w)).nan_to_num(),
            lambda T, w: softmax_where((distance(T) > 0) & (distance(T) < w)).nan_to_num(),
        ],
        "the scores change with the distance: inside the window they have to be equal": [
            lambda T, w: softmax_where(distance(T) >= 0, score=-w * distance(T)),
            lambda T, w: softmax_where(inside(T, w), score=-distance(T)),
            lambda T, w: softmax_where(inside(T, w), score=distance(T)),
        ],
        "// leaves whole numbers only: divide with /": lambda T, w: inside(T, w).long() // inside(T, w).sum(1, True),
        "the first rows are 0: they have fewer positions, and average those":
            lambda T, w: inside(T, w) / w * (torch.arange(T)[:, None] >= w - 1),
        "the first rows are missing: they have fewer positions, and average those": lambda T, w: by_loop(T, w)[w - 1 :],
        "T and width are exchanged": lambda T, w: by_loop(w, T),
    },
    cases=(lambda: (7, 3), lambda: (5, 1), lambda: (4, 4)),
    explanation="rows sum to one, the window ends where it should, and width 1 is the identity",
)  # fmt: skip

# 5 seeds from each of 0, 1 and 5, 1,500 steps: 1.426 to 1.516
fade = Answer(
    right=((1.38, 1.56),),
    mistakes={
        "that is one of the fades tried by hand: where does training end up, to two decimals?": [0.5, 1, 2, 3, 8],
        "that is the factor per step, e to the −fade: give the fade": ((0.21, 0.25),),
        "that is the weight of the position itself: give the fade": ((0.755, 0.79),),
        "that is 1 divided by the fade": ((0.64, 0.72),),
        "that is the logarithm of the fade": ((0.34, 0.44),),
        "that is e to the fade": ((4.1, 4.7),),
        "the future comes in, with its distance taken without a sign: mask distance < 0": ((0.52, 0.6),),
        "that is where it began: is fade an nn.Parameter, and does the optimizer know it?": ((4.9, 5.1),),
        "it is still near 0: is fade an nn.Parameter, does the model use it, and is the future masked?": ((-0.1, 0.1),),
        "that is the loss: expected is model.fade": ((2.44, 2.47),),
        "it is still on its way: train for all 1,500 steps": ((0.1, 1.38),),
        "it is still on its way down from 5: train for all 1,500 steps": ((1.56, 4.9),),
    },
    expected="the fade at the end",
    explanation="from 0 and from 5 it ends up in about the same place, close to the best of the seven fixed fades",
)  # fmt: skip
