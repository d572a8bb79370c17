"""Check of notebook 10: dropout. PyTorch's own is the answer."""

import torch
import torch.nn as nn

from gptlib.instruments.exercises.checks import reading
from gptlib.instruments.exercises.checks.judging import Check
from gptlib.instruments.exercises.checks.making import OVERWRITES, leaves_its_input_alone, numbers
from gptlib.instruments.exercises.checks.reading import Wrong


def seen_through(kind):
    """A function that looks at a dropout of 0.2: what it multiplies by, how often it gives 0, and in eval mode."""
    if not callable(kind):
        raise Wrong(f"{reading.kind(kind)} came, a class was expected")
    made = kind(0.2)
    if not isinstance(made, nn.Module):
        raise Wrong(f"{reading.kind(made)} came out of the class, an nn.Module was expected")

    def call(x):
        before = x.clone()
        made.train()
        factor = reading.tensors(made(x))[0] / before
        rows = (factor == 0).double().mean(dim=1)
        made.eval()
        zeros = [round(rows.mean().item(), 1), bool(rows.min() > 0 and rows.max() < 1)]
        return made(before), factor.max().item(), factor[factor > 0].min().item(), *zeros

    return call


def dropout_of(train, evaluate=lambda x, p: x):
    """A class of dropout with two functions of (x, p), for training and for eval mode."""

    class Planted(nn.Module):
        def __init__(self, p):
            super().__init__()
            self.p = p

        def forward(self, x):
            return (train if self.training else evaluate)(x, self.p)

    return Planted


def dropped(x, p, factor=None, shape=None):
    """x with zeros, each with probability p, times factor; shape says how many draws there are."""
    kept = (torch.rand(shape or x.shape) > p).to(x.dtype)
    return x * kept * (1 / (1 - p) if factor is None else factor)


def dropped_in_place(x, p):
    """The right dropout, written into x itself."""
    return x.mul_((torch.rand_like(x) > p) / (1 - p))


dropout = Check(
    right=nn.Dropout,
    wrong={
        "it drops in eval mode too: ask self.training": dropout_of(dropped, dropped),
        "what is kept is multiplied by 1/p: with probability 1 − p it is kept, so 1/(1 − p)": dropout_of(
            lambda x, p: dropped(x, p, 1 / p)
        ),
        "what is kept is not multiplied: the mean falls; by 1/(1 − p) it stays": dropout_of(
            lambda x, p: dropped(x, p, 1)
        ),
        "what is kept is multiplied by 1 − p: divide by it": dropout_of(
            lambda x, p: dropped(x, p, 1 - p)
        ),
        "it keeps with probability p: p is how often it drops": dropout_of(
            lambda x, p: dropped(x, 1 - p, 1 / (1 - p))
        ),
        "whole rows are dropped: draw a number for each entry, torch.rand_like(x)": dropout_of(
            lambda x, p: dropped(x, p, shape=(len(x), 1))
        ),
        "it works the wrong way round, in eval mode and not in training": dropout_of(
            lambda x, p: x, dropped
        ),
        OVERWRITES: dropout_of(dropped_in_place),
    },
    cases=(lambda: (numbers(200, 500).abs() + 1,),),
    prepare=seen_through,
    facts=(leaves_its_input_alone(OVERWRITES),),
    well="a fifth is dropped, the rest × 1.25, and in eval mode nothing happens",
)
