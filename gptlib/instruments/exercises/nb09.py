"""Exercises: a row that is normed on paper, layer norm, a norm that is missing."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.cases import (
    exact_in_64_bits,
    gradients,
    leaves_input,
    module_like,
    numbers,
)
from gptlib.instruments.exercises.diagnosis import Wrong
from gptlib.instruments.exercises.grader import Check


def times(factor, *row):
    """A row, each number multiplied."""
    return tuple(factor * number for number in row)


normed_row = Answer(
    right=times(3**-0.5, -1, -1, -1, 3),
    mistakes={
        "divided by √4: the sum of squares goes by C = 4, not by C − 1": (-0.5, -0.5, -0.5, 1.5),
        "divided by the variance: take its root": times(1 / 3, -1, -1, -1, 3),
        "the mean was left in: subtract 6 first": times(39**-0.5, 5, 5, 5, 9),
        "the mean was left in, and only the size of the rest is 1: subtract 6 first": (
            times(156**-0.5, 5, 5, 5, 9)
        ),
        "the mean comes off before dividing: (5, 5, 5, 9) − 6, over √3": times(3**-0.5, 5, 5, 5, 9),
        "divided by the mean: subtract it, then divide by √3": times(1 / 6, 5, 5, 5, 9),
        "divided by the sum: subtract the mean, then divide by √3": times(1 / 24, 5, 5, 5, 9),
        "from 0 to 1: mean 0 and variance 1 are expected, (5, 5, 5, 9) − 6, over √3": (0, 0, 0, 1),
        "the mean is subtracted, and now divide by √3": (-1, -1, -1, 3),
        "the variance is the mean of the squares, not their sum: divide by √3": (
            times(12**-0.5, -1, -1, -1, 3)
        ),
        "twice as large, but the size of a row is forgotten: both rows become the same": (
            times(2 * 3**-0.5, -1, -1, -1, 3)
        ),
        "the signs are turned round: 5 lies below the mean": times(3**-0.5, 1, 1, 1, -3),
    },
    expected="four numbers, to two digits",
    explanation="(−1, −1, −1, 3) / √3; (10, 10, 10, 18) gives the same, the size of a row is forgotten",
)


# ---- layer norm


def centered(x, dim=-1):
    """x minus its mean."""
    return x - x.mean(dim, keepdim=True)


def squares(x, dim=-1):
    """The mean of the squares."""
    return (x**2).mean(dim, keepdim=True)


def norm_of(normalize, last=lambda weight, bias, y: weight * y + bias):
    """A class with weight, bias and normalize(x, eps)."""

    class Norm(nn.Module):
        def __init__(self, n_embd, eps=1e-5):
            super().__init__()
            self.eps = eps
            self.weight = nn.Parameter(torch.ones(n_embd))
            self.bias = nn.Parameter(torch.zeros(n_embd))

        def forward(self, x):
            return last(self.weight, self.bias, normalize(x, self.eps))

    return Norm


def over(dim):
    """A norm that takes mean and variance over other axes."""
    return norm_of(lambda x, eps: centered(x, dim) / (squares(centered(x, dim), dim) + eps).sqrt())


def right_norm(x, eps):
    """PyTorch's layer norm, without scale and shift."""
    return F.layer_norm(x, x.shape[-1:], eps=eps)


def far_from_0(check, yours):
    """A probe: rows far from 0 in 32 bits, where the difference of two large squares keeps no digits."""
    x = numbers(2, 5, 12) + 1_000
    mine, expected = (check.prepare(one)(x) for one in (yours, check.right))
    if not torch.allclose(mine, expected, atol=0.01):
        raise Wrong(UNSTABLE)


UNSTABLE = (
    "it loses its digits for rows far from 0: not mean(x²) − mean(x)², but the mean of (x − mean)²"
)
layer_norm = Check(
    right=nn.LayerNorm,
    mistakes={
        "ε is outside the root: √(variance + ε), not √variance + ε": (
            norm_of(lambda x, eps: centered(x) / (squares(centered(x)).sqrt() + eps))
        ),
        "ε is missing: a row of equal numbers would be divided by zero": (
            norm_of(lambda x, eps: centered(x) / squares(centered(x)).sqrt())
        ),
        "ε is not the one that came: self.eps": (
            norm_of(lambda x, eps: centered(x) / (squares(centered(x)) + 1e-3).sqrt())
        ),
        "the variance is the unbiased one, divided by C − 1: its mean divides by C": (
            norm_of(lambda x, eps: centered(x) / (x.var(-1, keepdim=True) + eps).sqrt())
        ),
        "std is the unbiased one, divided by C − 1, and ε belongs inside the root": (
            norm_of(lambda x, eps: centered(x) / (x.std(-1, keepdim=True) + eps))
        ),
        "the squares are summed: the variance is their mean": (
            norm_of(lambda x, eps: centered(x) / (12 * squares(centered(x)) + eps).sqrt())
        ),
        "the root is missing: divide by √(variance + ε), not by the variance": (
            norm_of(lambda x, eps: centered(x) / (squares(centered(x)) + eps))
        ),
        "that is the mean distance from the mean: the variance is the mean of its square": (
            norm_of(lambda x, eps: centered(x) / (centered(x).abs().mean(-1, keepdim=True) + eps))
        ),
        "the mean stays in: subtract it first (without it, this is RMSNorm)": (
            norm_of(lambda x, eps: x / (squares(x) + eps).sqrt())
        ),
        "the mean stays in: the variance is right, but x itself is divided": (
            norm_of(lambda x, eps: x / (squares(centered(x)) + eps).sqrt())
        ),
        "the mean is subtracted, but the square is taken of x as it came: take the variance": (
            norm_of(lambda x, eps: centered(x) / (squares(x) + eps).sqrt())
        ),
        "mean and variance run over the positions: dim=-1, over the channels of one position": over(
            1
        ),
        "mean and variance run over the batch, as in batch norm: dim=-1": over(0),
        "mean and variance run over positions and channels together: dim=-1 alone": over((1, 2)),
        "the scale is not applied: multiply by weight": norm_of(right_norm, lambda w, b, y: y + b),
        "the shift is not applied: add bias": norm_of(right_norm, lambda w, b, y: w * y),
        "scale and shift are not applied: weight times it, plus bias": norm_of(
            right_norm, lambda w, b, y: y
        ),
        "the shift is scaled too: multiply by weight first, then add bias": (
            norm_of(right_norm, lambda w, b, y: w * (y + b))
        ),
        "scale and shift are exchanged: multiply by weight, add bias": (
            norm_of(right_norm, lambda w, b, y: b * y + w)
        ),
    },
    # small numbers, so that ε counts, far from 0, so that the mean does; then ordinary ones
    cases=(lambda: (numbers(2, 5, 12) / 50 + 0.1,), lambda: (numbers(3, 1, 12, seed=1) + 2,)),
    prepare=module_like(nn.LayerNorm, 12),
    probes=(leaves_input, far_from_0, gradients, exact_in_64_bits),
    explanation="the same as nn.LayerNorm, for small numbers too, in 32 bits and in 64",
)


# ---- without the norm in front of attention; 5 seeds, 600 steps at 1e-2, with the last norm and without: 2.73 to 3.28,
# 2.27 to 2.29; without the norm in front of feed-forward 2.25 to 2.27, 2.27 to 2.28

FAILS, TRAINS, UNTRAINED = (2.5, 3.5), (2.2, 2.4), (3.9, 4.5)
norms = Answer(
    right=(FAILS, TRAINS),
    mistakes={
        "the last norm is still there in the second: the body without it is body[:3]": (
            FAILS,
            FAILS,
        ),
        "was it attention's norm, norms[0], and in every block?": (TRAINS, TRAINS),
        "the first is a model before training, ln 65: run train to its end": (
            UNTRAINED,
            (2.2, 4.5),
        ),
        "that is better than 600 steps get to: a new model each time, with the short run's config": (
            (1.0, 2.2),
            (1.0, 2.2),
        ),
    },
    expected="two losses without the norm in front of attention, with the last norm and without it",
    explanation="un-normed attention alone does not fail, it fails together with a norm at the end",
)
