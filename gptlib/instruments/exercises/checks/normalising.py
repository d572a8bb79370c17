"""Checks of notebooks 09 and 12: norms. PyTorch's own are the answers."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises.checks.judging import Check
from gptlib.instruments.exercises.checks.making import (
    IN_32_BITS,
    OVERWRITES,
    exact_in_64_bits,
    leaves_its_input_alone,
    module,
    numbers,
)


def centred(x):
    """x minus the mean of its channels."""
    return x - x.mean(dim=-1, keepdim=True)


def variance(x, dim=-1, unbiased=False):
    """The variance over dim, with that axis kept."""
    return x.var(dim=dim, keepdim=True, unbiased=unbiased)


def over(dim):
    """A norm that takes mean and variance over other axes."""
    return lambda x, eps: (
        (x - x.mean(dim=dim, keepdim=True)) / (variance(x, dim, unbiased=False) + eps).sqrt()
    )


def norm_of(normalise, last=lambda weight, bias, x: weight * x + bias, first=lambda x: x):
    """A class with weight, bias and normalise(x, eps)."""

    class Planted(nn.Module):
        def __init__(self, n_embd, eps=1e-5):
            super().__init__()
            self.eps = eps
            self.weight, self.bias = (
                nn.Parameter(torch.ones(n_embd)),
                nn.Parameter(torch.zeros(n_embd)),
            )

        def forward(self, x):
            return last(self.weight, self.bias, normalise(first(x), self.eps))

    return Planted


def right_norm(x, eps):
    """PyTorch's layer norm, without scale and shift."""
    return F.layer_norm(x, x.shape[-1:], eps=eps)


def minus_mean_in_place(x):
    """The mean subtracted from x itself."""
    return x.sub_(x.mean(dim=-1, keepdim=True))


layer_norm = Check(
    right=nn.LayerNorm,
    wrong={
        "ε is outside the root: √(variance + ε), not √variance + ε": norm_of(
            lambda x, eps: centred(x) / (variance(x).sqrt() + eps)
        ),
        "ε is missing: a row of equal numbers would be divided by zero": norm_of(
            lambda x, eps: centred(x) / variance(x).sqrt()
        ),
        "the variance is the unbiased one, divided by C − 1: unbiased=False divides by C": norm_of(
            lambda x, eps: centred(x) / (variance(x, unbiased=True) + eps).sqrt()
        ),
        "the root is missing: divide by √(variance + ε), not by the variance": norm_of(
            lambda x, eps: centred(x) / (variance(x) + eps)
        ),
        "the mean stays in: subtract it first (without it, this is RMSNorm)": norm_of(
            lambda x, eps: x / ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt()
        ),
        "the mean is subtracted, but the square is taken of x as it came: take the variance": norm_of(
            lambda x, eps: centred(x) / ((x**2).mean(dim=-1, keepdim=True) + eps).sqrt()
        ),
        "mean and variance run over the positions: dim=-1, over the channels of one position": norm_of(
            over(1)
        ),
        "mean and variance run over the batch, as in batch norm: dim=-1": norm_of(over(0)),
        "mean and variance run over positions and channels together: dim=-1 alone": norm_of(
            over((1, 2))
        ),
        "the scale is not applied: multiply by weight": norm_of(right_norm, lambda w, b, x: x + b),
        "the shift is not applied: add bias": norm_of(right_norm, lambda w, b, x: w * x),
        "the shift is scaled too: multiply by weight first, then add bias": norm_of(
            right_norm, lambda w, b, x: w * (x + b)
        ),
        OVERWRITES: norm_of(right_norm, first=minus_mean_in_place),
        IN_32_BITS: norm_of(lambda x, eps: right_norm(x.float(), eps)),
    },
    # small numbers, so that ε counts, far from 0, so that the mean does; then ordinary ones
    cases=(lambda: (numbers(2, 5, 12) / 50 + 0.1,), lambda: (numbers(3, 1, 12, seed=1) + 2,)),
    prepare=module((12,), {"weight": (12,), "bias": (12,)}),
    facts=(leaves_its_input_alone(OVERWRITES), exact_in_64_bits(IN_32_BITS)),
    well="the same as nn.LayerNorm, for small numbers too, in 32 bits and in 64",
)


# ---- 12: RMSNorm in one line


def squares(x, dim=-1):
    """The mean of the squares over dim, with that axis kept."""
    return (x**2).mean(dim=dim, keepdim=True)


rms_norm = Check(
    right=lambda x, eps: F.rms_norm(x, x.shape[-1:], eps=eps),
    wrong={
        "the squares are summed: take their mean, or the result is too small by √C": lambda x, eps: (
            x / ((x**2).sum(dim=-1, keepdim=True) + eps).sqrt()
        ),
        "ε is outside the root: √(mean of squares + ε)": lambda x, eps: (
            x / (squares(x).sqrt() + eps)
        ),
        "ε is missing: a row of zeros would be divided by zero": lambda x, eps: (
            x / squares(x).sqrt()
        ),
        "the mean is subtracted: that is LayerNorm; RMSNorm leaves it": right_norm,
        "the variance is taken in place of the mean of squares: nothing is subtracted here": lambda x, eps: (
            x / (variance(x) + eps).sqrt()
        ),
        "the root is missing": lambda x, eps: x / (squares(x) + eps),
        "it multiplies by the root: divide": lambda x, eps: x * (squares(x) + eps).sqrt(),
        "the mean runs over the positions: dim=-1, over the channels": lambda x, eps: (
            x / (squares(x, 1) + eps).sqrt()
        ),
        "the mean runs over everything: dim=-1, with keepdim=True": lambda x, eps: (
            x / ((x**2).mean() + eps).sqrt()
        ),
        OVERWRITES: lambda x, eps: x.mul_((squares(x) + eps).rsqrt()),
    },
    cases=(
        lambda: (numbers(2, 5, 12) / 50 + 0.02, 1e-4),
        lambda: (numbers(3, 1, 12, seed=1) + 1, 1e-5),
    ),
    facts=(leaves_its_input_alone(OVERWRITES),),
    well="the same as PyTorch's rms_norm, for small numbers too",
)
