"""Exercises: a row that is normed on paper, layer norm, a norm that is missing."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises import cases, probes
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.diagnosis import Wrong
from gptlib.instruments.exercises.grader import Check


def divided(row, by):
    """A row, each number divided."""
    return tuple(number / by for number in row)


GIVEN, LESS_6 = (5, 5, 5, 9), (-1, -1, -1, 3)
normed_row = Answer(
    right=divided(LESS_6, 3**0.5),
    mistakes={
        "divided by √4: the sum of squares goes by C = 4, not by C − 1": divided(LESS_6, 2),
        "divided by the variance: take its root": divided(LESS_6, 3.0),
        "the mean was left in: subtract 6 first": divided(GIVEN, 39**0.5),
        "the mean was left in, and the row has length 1: subtract 6, divide by √3": divided(GIVEN, 156**0.5),
        "the mean comes off before dividing: (5, 5, 5, 9) − 6, over √3": divided(GIVEN, 3**0.5),
        "divided by the mean: subtract it, then divide by √3": divided(GIVEN, 6),
        "the mean is subtracted, and now divide by √3": LESS_6,
        "the variance is the mean of the squares, not their sum: divide by √3": divided(LESS_6, 12**0.5),
        "the signs are turned round: 5 lies below the mean": divided(LESS_6, -(3**0.5)),
    },
    expected="four numbers, to two digits",
    explanation="(−1, −1, −1, 3) / √3; (10, 10, 10, 18) gives the same, the size of a row is forgotten",
)  # fmt: skip


def centered(x, dim=-1):
    """x minus its mean."""
    return x - x.mean(dim, keepdim=True)


def squares(x, dim=-1):
    """The mean of the squares."""
    return (x**2).mean(dim, keepdim=True)


class Norm(nn.LayerNorm):
    """nn.LayerNorm; normalize(x, eps) and last(weight, bias, normalized) are what can go wrong."""

    def forward(self, x):
        return self.last(self.weight, self.bias, self.normalize(x, self.eps))

    @staticmethod
    def normalize(x, eps):
        return F.layer_norm(x, x.shape[-1:], eps=eps)

    @staticmethod
    def last(weight, bias, normalized):
        return weight * normalized + bias


def planted(normalize):
    """Norm with another normalize."""
    return cases.planted(Norm, normalize=normalize)


def over(dim):
    """A norm that takes mean and variance over other axes."""
    return planted(lambda x, eps: centered(x, dim) / (squares(centered(x, dim), dim) + eps).sqrt())


def far_from_0(check, yours):
    """A probe: rows far from 0, where the difference of two large squares keeps no digits."""
    x = cases.numbers(2, 5, 12) + 1_000
    if not torch.allclose(check.prepare(yours)(x), check.prepare(check.right)(x), atol=0.01):
        raise Wrong(
            "it loses its digits for rows far from 0: the mean of (x − mean)², not mean(x²) − mean(x)²"
        )


WITHOUT = probes.written_without("var", "std", "var_mean", "std_mean", "layer_norm", "LayerNorm")
layer_norm = Check(
    right=nn.LayerNorm,
    mistakes={
        "ε is outside the root: √(variance + ε), not √variance + ε":
            planted(lambda x, eps: centered(x) / (squares(centered(x)).sqrt() + eps)),
        "ε is missing: a row of equal numbers would be divided by zero":
            planted(lambda x, eps: centered(x) / squares(centered(x)).sqrt()),
        "the variance is the unbiased one, divided by C − 1: its mean divides by C":
            planted(lambda x, eps: centered(x) / (x.var(-1, keepdim=True) + eps).sqrt()),
        "std is the unbiased one, divided by C − 1, and ε belongs inside the root":
            planted(lambda x, eps: centered(x) / (x.std(-1, keepdim=True) + eps)),
        "the squares are summed: the variance is their mean":
            planted(lambda x, eps: centered(x) / (12 * squares(centered(x)) + eps).sqrt()),
        "the root is missing: divide by √(variance + ε), not by the variance":
            planted(lambda x, eps: centered(x) / (squares(centered(x)) + eps)),
        "that is the mean distance from the mean: the variance is the mean of its square":
            planted(lambda x, eps: centered(x) / (centered(x).abs().mean(-1, keepdim=True) + eps)),
        "the mean stays in: subtract it first (without it, this is RMSNorm)":
            planted(lambda x, eps: x / (squares(x) + eps).sqrt()),
        "the mean stays in: the variance is right, but x itself is divided":
            planted(lambda x, eps: x / (squares(centered(x)) + eps).sqrt()),
        "the mean is subtracted, but the square is taken of x as it came: take the variance":
            planted(lambda x, eps: centered(x) / (squares(x) + eps).sqrt()),
        "mean and variance run over the positions: dim=-1, over the channels of one position": over(1),
        "mean and variance run over the batch, as in batch norm: dim=-1": over(0),
        "mean and variance run over positions and channels together: dim=-1 alone": over((1, 2)),
        "the scale is not applied: multiply by weight": cases.planted(Norm, last=lambda w, b, y: y + b),
        "the shift is not applied: add bias": cases.planted(Norm, last=lambda w, b, y: w * y),
        "the shift is scaled too: weight times it, plus bias": cases.planted(Norm, last=lambda w, b, y: w * (y + b)),
        "scale and shift are exchanged: weight · it + bias": cases.planted(Norm, last=lambda w, b, y: b * y + w),
    },
    # small numbers, so that ε counts, far from 0, so that the mean does; then ordinary ones
    cases=(lambda: (cases.numbers(2, 5, 12) / 50 + 0.1,), lambda: (cases.numbers(3, 1, 12) + 2,)),
    prepare=cases.module_like(nn.LayerNorm, 12),
    probes=(probes.leaves_input, far_from_0, probes.gradients, probes.exact_in_64_bits, WITHOUT),
    explanation="the same as nn.LayerNorm, for small numbers too, in 32 bits and in 64",
)  # fmt: skip

# without the norm in front of attention; 5 seeds, 600 steps at 1e-2, with the last norm and without: 2.73 to 3.28, 2.27
# to 2.29; without the norm in front of feed-forward 2.25 to 2.27, 2.27 to 2.28
FAILS, TRAINS = (2.5, 3.5), (2.2, 2.4)
norms = Answer(
    right=(FAILS, TRAINS),
    mistakes={
        "the last norm is still there in the second: the body without it is body[:3]": (FAILS, FAILS),
        "was it attention's norm, norms[0], and in every block?": (TRAINS, TRAINS),
        "the first is a model before training, ln 65: run train to its end": ((3.9, 4.5), (2.2, 4.5)),
        "that is better than 600 steps get to: a new model each time, the short config": ((1, 2.2), (1, 2.2)),
    },
    expected="two losses without the norm in front of attention, with the last norm and without it",
    explanation="un-normed attention alone does not fail, it fails together with a norm at the end",
)  # fmt: skip
