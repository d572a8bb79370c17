"""Exercises: the weights of feed-forward, a gate, freezing one part."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.cases import case, gradients, leaves_input, module_like
from gptlib.instruments.exercises.grader import Check

C2 = 384**2
ffwd_weights = Answer(
    right=(8 * C2, 4 * C2),
    mistakes={
        "feed-forward is four times as wide in between: C × 4C and 4C × C": (2 * C2, 4 * C2),
        "feed-forward is 4C wide in between only: C × 4C and 4C × C": (16 * C2, 4 * C2),
        "one of the two matrices is missing: C × 4C and 4C × C": (4 * C2, 4 * C2),
        "attention has Wo besides q, k and v": (8 * C2, 3 * C2),
        "attention has four matrices, q, k, v and Wo": (8 * C2, C2),
        "the heads of attention together are as wide as the model: C × C for q, k, v and Wo": (
            8 * C2,
            (1, C2 - 1),
        ),
        "biases are counted: there was to be none": (8 * C2 + 5 * 384, (4 * C2, 4 * C2 + 4 * 384)),
        "a matrix has C × C weights, not C": (8 * 384, 4 * 384),
        "those are multiples of C²: multiply by 384²": (8, 4),
    },
    expected="the weights of feed-forward and of attention",
    explanation="8 C² and 4 C²: two thirds of a block think, one third talks",
)


# ---- a gate


def gated_of(out):
    """A class with gate, expand and proj; out(a, b, proj, x) is what comes of gate(x), expand(x), proj and x."""

    class Gated(nn.Module):
        def __init__(self, n_embd, width):
            super().__init__()
            self.gate, self.expand = nn.Linear(n_embd, width), nn.Linear(n_embd, width)
            self.proj = nn.Linear(width, n_embd)

        def forward(self, x):
            return out(self.gate(x), self.expand(x), self.proj, x)

    return Gated


# PyTorch's glu(c) is the first half of c times the sigmoid of the second
right_gate = gated_of(lambda a, b, proj, x: proj(F.glu(torch.cat([b, a], dim=-1))))
IN_ITS_PLACE = " in place of the sigmoid: torch.sigmoid, so that a gate is between 0, closed, and 1"
gated = Check(
    right=right_gate,
    mistakes={
        "the sigmoid is on the wrong one: it belongs on what gate gives": (
            gated_of(lambda a, b, proj, x: proj(a * b.sigmoid()))
        ),
        "the two are added: a gate multiplies": gated_of(
            lambda a, b, proj, x: proj(a.sigmoid() + b)
        ),
        "the sigmoid is missing: without it nothing closes the gate": (
            gated_of(lambda a, b, proj, x: proj(a * b))
        ),
        "the sigmoid is around the product: it belongs on what gate gives, alone": (
            gated_of(lambda a, b, proj, x: proj((a * b).sigmoid()))
        ),
        "both go through a sigmoid: only what gate gives does": (
            gated_of(lambda a, b, proj, x: proj(a.sigmoid() * b.sigmoid()))
        ),
        "the sigmoid comes after proj: it belongs on what gate gives, alone": (
            gated_of(lambda a, b, proj, x: proj(a * b).sigmoid())
        ),
        "gate is not used: what it gives multiplies what expand gives": (
            gated_of(lambda a, b, proj, x: proj(b.relu()))
        ),
        "there is a ReLU on what expand gives: a gate needs none": (
            gated_of(lambda a, b, proj, x: proj(a.sigmoid() * b.relu()))
        ),
        "x is added: the skip connection stands in the block, around it": (
            gated_of(lambda a, b, proj, x: x + proj(a.sigmoid() * b))
        ),
        "proj is missing: it brings width back to n_embd": gated_of(
            lambda a, b, proj, x: a.sigmoid() * b
        ),
    }
    | {
        name + IN_ITS_PLACE: gated_of(lambda a, b, proj, x, f=function: proj(f(a) * b))
        for name, function in {
            "ReLU": F.relu,
            "SiLU": F.silu,
            "GELU": F.gelu,
            "tanh": torch.tanh,
            "softmax": lambda a: a.softmax(-1),
        }.items()
    },
    cases=(case((2, 5, 6)), case((1, 1, 6))),
    prepare=module_like(right_gate, 6, 4),
    probes=(leaves_input, gradients),
    explanation="the same as PyTorch's glu between two matrices and a third",
)


# ---- one part frozen; 3 seeds: free 2.20 to 2.22, ffwd 2.27 to 2.28, attention 2.37 to 2.39, lm_head 2.41 to 2.53

frozen = Answer(
    right=("lm_head",),
    mistakes={
        "freezing feed-forward costs least: a random expansion is still an expansion": "ffwd",
        "freezing attention costs, but there is one that costs more": "attention",
        "something is frozen, and it costs: which of the three costs most?": "nothing",
    },
    expected="the name that costs most, attention, ffwd or lm_head",
    explanation="65 random directions in 32 channels lie too close: the layers before cannot make up for it",
)
