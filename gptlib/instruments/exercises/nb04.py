"""Exercises: a query matrix set by hand, ALiBi, one matrix for queries and keys."""

from functools import partial

import torch
import torch.nn.functional as F

from gptlib.instruments.exercises import probes
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.cases import case
from gptlib.instruments.exercises.diagnosis import Wrong, kind
from gptlib.instruments.exercises.grader import Check
from gptlib.instruments.exercises.mistakes import EXCHANGED, WEIGHTS, attention_weights, distance


def attended(query):
    """A function that gives what each of nine letters but the first attends to most, for a query matrix."""
    if not isinstance(query, torch.Tensor) or query.shape != (9, 9):
        came = f"the shape {tuple(query.shape)}" if isinstance(query, torch.Tensor) else kind(query)
        raise Wrong(f"{came} came, a tensor of shape (9, 9) was expected")

    def call(x):
        weights = attention_weights(x @ query.float(), x, divide=lambda D, T: 1)[1:]
        return {
            "what letters 1 to 8 attend to most": weights.argmax(-1),
            "every letter gives one other more than 0.99": bool(weights.amax(-1).min() > 0.99),
        }

    return call


EYE = torch.eye(9)
one_back = Check(
    right=20 * torch.diag(torch.ones(8), -1),
    mistakes={
        "its queries fit the letter behind, which is hidden, so that all others are alike: roll the other way":
            20 * torch.diag(torch.ones(8), 1),
        "it attends to the right letter, but softly: multiply by 10 or so": EYE.roll(-1, dims=1),
        "every letter attends to itself: roll the identity by one": 20 * EYE,
        "it attends to two letters back": 20 * EYE.roll(-2, dims=1),
        "it attends to every letter but the one before: a larger score is a larger weight": -20 * EYE.roll(-1, dims=1),
    },
    cases=(lambda: (EYE,),),
    prepare=attended,
    explanation="every letter gives more than 0.99 to the one before",
)  # fmt: skip


def by_sdpa(q, k, slope):
    """The weights that PyTorch uses if slope · distance is given as a bias: the identity as v makes them visible."""
    T = q.shape[-2]
    bias = (-slope * distance(T).float()).masked_fill(distance(T) < 0, float("-inf"))
    return F.scaled_dot_product_attention(q, k, torch.eye(T).expand(*q.shape[:-2], T, T), bias)


def biased(q, k, slope, bias=lambda slope, distance: -slope * distance, **what):
    """ALiBi with another bias, or with what goes wrong in attention_weights."""
    return attention_weights(q, k, bias=bias(slope, distance(q.shape[-2])), **what)


alibi = Check(
    right=by_sdpa,
    mistakes={sentence: partial(biased, **what) for sentence, what in WEIGHTS.items()} | {
        EXCHANGED: lambda q, k, s: biased(k, q, s),
        "the sign is wrong, what lies far back is preferred: subtract slope × distance":
            lambda q, k, s: biased(q, k, -s),
        "the distance is left out: where does slope come in?": lambda q, k, s: biased(q, k, 0.0),
        "the bias is divided by √D too: divide q·k, then subtract":
            lambda q, k, s: biased(q, k, s / q.shape[-1] ** 0.5),
        "the distance is squared: ALiBi falls by the same amount with every step":
            partial(biased, bias=lambda slope, distance: -slope * distance**2),
        "the bias comes after softmax, so rows do not add to one: it belongs to the scores":
            lambda q, k, s: biased(q, k, 0.0) - s * distance(q.shape[-2]).clamp(min=0),
        "the future is not hidden, it only fades as the past does: set it to −∞":
            partial(biased, bias=lambda slope, distance: -slope * distance.abs(), diagonal=1_000),
    },
    cases=(case((2, 5, 3), (2, 5, 3), rest=(0.7,)), case((3, 4, 6), (3, 4, 6), rest=(0.2,))),
    probes=(probes.leaves_input,),
    explanation="q·k/√D − slope × distance, hidden, softmax: what PyTorch gives with the same bias",
)  # fmt: skip

# 3 seeds: shared 2.426 to 2.440, negated 2.460 to 2.506, rolled 2.413 to 2.426, in this order for each seed; q, k and v
# of their own 2.412 to 2.421
shared_keys = Answer(
    right=("negated", "rolled"),
    mistakes={
        "negated is not the best: with k = −q a token attends least to itself": ("shared", "negated"),
        "shared is symmetric, and that costs; there is one that costs more": ("shared", "rolled"),
        "shared is not the best: the symmetry costs, and rolling by one breaks it": ("negated", "shared"),
        "rolled is not the worst: it breaks the symmetry, and that helps": ("rolled", "shared"),
        "half negated is still symmetric; rolling by one breaks the symmetry": ("negated", "half negated"),
        "negated is worse than shared, and half negated is still symmetric": ("shared", "half negated"),
        "half negated is not the worst: a token may still attend to itself": ("half negated", "rolled"),
    },
    expected="two words, the worst and the best of shared, negated, half negated, rolled",
    explanation="what costs most is what sharing does to the scores, their symmetry and their sign",
)  # fmt: skip
