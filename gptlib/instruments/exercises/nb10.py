"""Exercises: the parameters of GPT-2's size, dropout."""

import torch
import torch.nn as nn

from gptlib.instruments.exercises import cases, diagnosis, probes
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.grader import Check


def millions(V=50_257, T=1_024, C=768, L=12, inside=8, wo=1, bias=1):
    """The parameters of our GPT, part by part: what rounds to the same tenth of a million."""
    attention = (3 + wo) * C * C + bias * wo * C
    ffwd = inside * C * C + bias * (inside // 2 + 1) * C
    found = (V * C + T * C + L * (attention + ffwd + 4 * C) + 2 * C + C * V + bias * V) / 1e6
    return round(found, 1) - 0.05, round(found, 1) + 0.05


gpt_millions = Answer(
    right=(millions(),),
    mistakes={
        "that is GPT-2's own number: ours has a matrix for lm_head besides the token table": ((123.95, 124.6),),
        "163.0 has no biases: feed-forward, proj and lm_head have some": (millions(bias=0),),
        "the position table is missing, T × C": (millions(T=0),),
        "those are the 12 blocks without tables and lm_head, or these with one block": ((84.85, 85.3),),
        "that is the token table or lm_head alone": ((38.55, 38.7),),
        "the blocks are missing: those are the tables and lm_head": ((77.15, 78.1),),
        "the token table or lm_head is missing, and the positions: ours has all three": ((123.55, 123.75),),
        "feed-forward is four times as wide in between: 8 C²": (millions(inside=2),),
        "Wo is missing: four matrices of C × C in attention": (millions(wo=0),),
        "in millions, please": ((163e6, 163.2e6),),
        "in millions, please, not in billions": ((0.163, 0.1632),),
    },
    expected="a number of millions, to one decimal",
    explanation="163.1 million; GPT-2 ties lm_head to the token table, which saves 38.6",
)  # fmt: skip


def seen_through(kind):
    """A function that looks at a dropout of 0.2: what it multiplies by, how often it gives 0, and in eval mode."""
    dropout = cases.made(kind, 0.2)

    def factors(x):
        return diagnosis.tensors(dropout(x.clone()))[""] / x

    def call(x):
        dropout.eval()
        evaluated = factors(x)
        dropout.train()
        again, given = factors(x), x.clone()
        factor = diagnosis.tensors(dropout(x))[""] / given
        zeros, kept = factor == 0, factor[factor != 0]
        alike = [(zeros == zeros.narrow(d, 0, 1)).all() for d in range(3)]
        return {
            "in eval mode, the factor": torch.stack([evaluated.min(), evaluated.max()]).round(
                decimals=2
            ),
            "in training with p = 0.2, the share of zeros": zeros.double().mean().round(decimals=1),
            "in training, what the rest is multiplied by": torch.stack([kept.min(), kept.max()])
            if len(kept)
            else 0,
            "all examples share a mask": alike[0],
            "all positions share a mask": alike[1],
            "all channels share a mask": alike[2],
            "all calls share a mask": torch.equal(zeros, again == 0),
            "all calls drop equally many": bool(zeros.sum() == (again == 0).sum()),
        }

    return call


def dropped(x, p, factor=None, like=None, draw=torch.rand):
    """x with zeros, each with probability p, times factor; like has the shape of what is drawn."""
    kept = draw(x.shape if like is None else like.shape) >= p
    return x * kept * (1 / (1 - p) if factor is None else factor)


class Dropout(nn.Dropout):
    """nn.Dropout; in_training(x, p) and in_eval(x, p) are what can go wrong."""

    def forward(self, x):
        return (self.in_training if self.training else self.in_eval)(x, self.p)

    @staticmethod
    def in_eval(x, p):
        return x


def planted(in_training=dropped, in_eval=Dropout.in_eval):
    """Dropout with other functions."""
    return cases.planted(Dropout, in_training=in_training, in_eval=in_eval)


dropout = Check(
    right=nn.Dropout,
    mistakes={
        "it drops in eval mode too: ask self.training": planted(dropped, dropped),
        "it multiplies in eval mode: with 1/(1 − p) in training nothing is left to do there":
            planted(lambda x, p: dropped(x, p, 1), lambda x, p: x * (1 - p)),
        "what is kept is multiplied by 1/p: with probability 1 − p it is kept, so 1/(1 − p)":
            planted(lambda x, p: dropped(x, p, 1 / p)),
        "what is kept is not multiplied: the mean falls; by 1/(1 − p) it stays": planted(lambda x, p: dropped(x, p, 1)),
        "what is kept is multiplied by 1 − p: divide by it": planted(lambda x, p: dropped(x, p, 1 - p)),
        "it keeps with probability p: p is how often it drops": planted(lambda x, p: dropped(x, 1 - p, 1 / (1 - p))),
        "randn draws from a bell, so p is no probability: torch.rand_like(x), from 0 to 1":
            planted(lambda x, p: dropped(x, p, draw=torch.randn)),
        "whole rows are dropped: draw a number for each entry, torch.rand_like(x)":
            planted(lambda x, p: dropped(x, p, like=x[..., :1])),
        "all examples share one mask: draw a number for each entry, torch.rand_like(x)":
            planted(lambda x, p: dropped(x, p, like=x[:1])),
        "all positions share one mask: draw a number for each entry, torch.rand_like(x)":
            planted(lambda x, p: dropped(x, p, like=x[:1, :1])),
        "it works the wrong way round, in eval mode and not in training": planted(lambda x, p: x, dropped),
    },
    cases=(lambda: (cases.numbers(40, 50, 50).abs() + 1,),),
    prepare=seen_through,
    probes=(probes.leaves_input,),
    explanation="a fifth is dropped, the rest × 1.25, and in eval mode nothing happens",
)  # fmt: skip
