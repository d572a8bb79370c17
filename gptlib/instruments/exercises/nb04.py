"""Exercises: a query matrix set by hand, ALiBi, one matrix for queries and keys."""

from functools import partial

import torch
import torch.nn.functional as F

from gptlib.instruments.exercises import probes
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.cases import case
from gptlib.instruments.exercises.diagnosis import Wrong, kind
from gptlib.instruments.exercises.grader import Check
from gptlib.instruments.exercises.mistakes import (
    EXCHANGED,
    WEIGHTS,
    attention_weights,
    distance,
    each,
    over,
    tril,
)


def attended(query):
    """A function that gives what each of nine letters but the first attends to most, for a query matrix."""
    if not isinstance(query, torch.Tensor) or query.shape != (9, 9):
        came = f"the shape {tuple(query.shape)}" if isinstance(query, torch.Tensor) else kind(query)
        raise Wrong(f"{came} came, a tensor of shape (9, 9) was expected")

    def call(x):
        weights = attention_weights(x @ query.float(), x, divide=lambda D, T: 1)[1:]
        most, second = weights.topk(2).values.T
        favorites = weights.argmax(-1)
        elsewhere = favorites.tolist() != list(range(8))
        return {
            "the weights are numbers, not nan": bool(weights.isfinite().all()),
            "what letters 1 to 8 attend to most": favorites,
            "which of them attend to a second letter just as much": (most - second < 1e-6).float(),
            "every letter gives one other more than 0.99": bool(most.min() > 0.99) or elsewhere,
        }

    return call


EYE = torch.eye(9)
one_back = Check(
    right=20 * torch.diag(torch.ones(8), -1),
    mistakes={
        "its queries fit the letter after, which is hidden, so all the others score 0: roll the other way":
            [20 * EYE.roll(1, dims=1), 20 * torch.diag(torch.ones(8), 1)],
        "it attends to the right letter, but softly: multiply by 10 or so": EYE.roll(-1, dims=1),
        "only the last letter misses its mark: roll without dims rolls all 81 numbers in one line, so dims=1":
            20 * EYE.roll(-1),
        "only the last letter misses its mark: its row is empty, so its scores are all 0":
            20 * torch.diag(torch.tensor([1.0, 1, 1, 1, 1, 1, 1, 0]), -1),
        "every letter attends to all earlier ones alike: a row needs one large number, for the one before":
            20 * torch.ones(9, 9).tril(-1),
        "every letter attends to itself as much as to the one before: a row needs one large number":
            20 * (EYE + EYE.roll(-1, dims=1)),
        "some scores are 0 × −∞, which is nan: zeros where it shouldn't look, and a large number where it should":
            torch.full((9, 9), float("-inf")),
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


def resized(size):
    """ALiBi for size(q) positions, whatever the length: raises if that isn't the length."""
    return lambda q, k, s: q @ k.mT - s * distance(size(q))


alibi = Check(
    right=by_sdpa,
    mistakes=each(biased, WEIGHTS) | {
        EXCHANGED: lambda q, k, s: biased(k, q, s),
        "the sign is wrong, what lies far back is preferred: subtract slope × distance":
            lambda q, k, s: biased(q, k, -s),
        "the distance is left out: where does slope come in?": lambda q, k, s: biased(q, k, 0.0),
        "the bias is divided by √D too: divide q·k, then subtract":
            lambda q, k, s: biased(q, k, s / q.shape[-1] ** 0.5),
        "the distance is t − s, arange(T)[:, None] − arange(T); the other way round, the mask hides the past":
            lambda q, k, s: biased(q, k, -s, past=True),
        "the distance isn't multiplied by slope": lambda q, k, s: biased(q, k, 1.0),
        "the distance is a factor of the scores: subtract it": [
            lambda q, k, s: over(q @ k.mT / q.shape[-1] ** 0.5 * (1 - s * distance(q.shape[-2])), ~tril(q.shape[-2])),
            lambda q, k, s: over(q @ k.mT / q.shape[-1] ** 0.5 * -s * distance(q.shape[-2]), ~tril(q.shape[-2])),
        ],
        "q and k play no part, as in 03: slope × distance is subtracted from q·k / √D": [
            lambda q, k, s: biased(0 * q, k, s), lambda q, k, s: biased(0 * q[0], k[0], s)
        ],
        "the weights have already been used to average: return the weights themselves":
            [lambda q, k, s: biased(q, k, s) @ k, lambda q, k, s: biased(q, k, s) @ q],
        "T is a fixed number: it's the length of q, q.shape[-2]":
            [resized(lambda q, n=n: n) for n in (8, 9, 10, 16, 32, 64, 256)],
        "T and D are swapped: q has the shape (B, T, D)": resized(lambda q: q.shape[-1]),
        "T is the size of the batch: q has the shape (B, T, D)": resized(len),
        "the wrong axes of k are swapped: transpose(-2, -1) swaps the last two":
            [lambda q, k, s: q @ k.transpose(0, 1), lambda q, k, s: q @ k.permute(2, 1, 0)],
        "k isn't transposed: q @ kᵀ, with k.transpose(-2, -1)": lambda q, k, s: q @ k,
        "the distance is squared: ALiBi falls by the same amount with every step":
            partial(biased, bias=lambda slope, distance: -slope * distance**2),
        "the bias comes after softmax, so rows do not add to one: it belongs to the scores": [
            lambda q, k, s: biased(q, k, 0.0) - s * distance(q.shape[-2]).clamp(min=0),
            lambda q, k, s: biased(q, k, 0.0) - s * distance(q.shape[-2]),
        ],
        "the future is not hidden, it only fades as the past does: set it to −∞":
            partial(biased, bias=lambda slope, distance: -slope * distance.abs(), diagonal=1_000),
    },
    cases=(case((2, 5, 3), (2, 5, 3), rest=(0.7,)), case((3, 4, 6), (3, 4, 6), rest=(0.2,))),
    probes=(probes.leaves_input, probes.gradients),
    explanation="q·k/√D − slope × distance, hidden, softmax: what PyTorch gives with the same bias",
)  # fmt: skip

# 3 seeds each: separate 2.401 to 2.412, rolled 2.405 to 2.413, half negated 2.416 to 2.427, shared 2.421 to 2.428,
# negated 2.445 to 2.506
shared_keys = Answer(
    right=("negated", "rolled"),
    mistakes={
        "negated is not the best: with k = −q a token attends least to itself": ("shared", "negated"),
        "shared is symmetric, and that costs; there is one that costs more": ("shared", "rolled"),
        "shared is not the best: the symmetry costs, and rolling by one breaks it": ("negated", "shared"),
        "rolled is not the worst: it breaks the symmetry, and that helps":
            [("rolled", "shared"), ("rolled", "half negated")],
        "one and the same word twice: which of the four is worst, and which is best?":
            [(word, word) for word in ("shared", "negated", "half negated", "rolled")],
        "half negated is still symmetric; rolling by one breaks the symmetry": ("negated", "half negated"),
        "negated is worse than shared, and half negated is still symmetric": ("shared", "half negated"),
        "half negated is not the worst: a token may still attend to itself":
            [("half negated", "rolled"), ("half negated", "shared"), ("half negated", "negated")],
    },
    expected="two words, the worst and the best of shared, negated, half negated, rolled",
    explanation="what costs most is what sharing does to the scores, their symmetry and their sign",
)  # fmt: skip
