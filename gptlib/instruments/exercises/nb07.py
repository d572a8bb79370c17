"""Exercises: the weights of feed-forward, a gate, freezing one part."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises import cases, probes
from gptlib.instruments.exercises.answer import Answer
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
        "that is one head's attention: all heads together are as wide as the model": (8 * C2, (1, C2 - 1)),
        "biases are counted: leave them out": (8 * C2 + 5 * 384, (4 * C2, 4 * C2 + 4 * 384)),
        "a matrix has C × C weights, not C": (8 * 384, 4 * 384),
        "those are multiples of C²: multiply by 384²": (8, 4),
        "in weights, please, not in millions": ((1.17, 1.19), (0.58, 0.6)),
    },
    expected="the weights of feed-forward and of attention",
    explanation="8 C² and 4 C²: two thirds of a block's weights compute, one third communicate",
)  # fmt: skip


class Gated(nn.Module):
    """A gated feed-forward; out(a, b, proj, x) makes it of gate(x), expand(x), proj and x."""

    def __init__(self, n_embd, width):
        super().__init__()
        self.gate, self.expand = nn.Linear(n_embd, width), nn.Linear(n_embd, width)
        self.proj = nn.Linear(width, n_embd)

    def forward(self, x):
        return self.out(self.gate(x), self.expand(x), self.proj, x)

    @staticmethod
    def out(a, b, proj, x):
        return proj(
            F.glu(torch.cat([b, a], dim=-1))
        )  # the first half times the sigmoid of the second


def planted(out):
    """Gated with another out."""
    return cases.planted(Gated, out=out)


def with_function(f):
    """Gated with another function than the sigmoid."""
    return planted(lambda a, b, proj, x: proj(f(a) * b))


gated = Check(
    right=Gated,
    mistakes={
        "the sigmoid is on the wrong one: it belongs on what gate gives":
            planted(lambda a, b, proj, x: proj(a * b.sigmoid())),
        "the two are added: a gate multiplies": planted(lambda a, b, proj, x: proj(a.sigmoid() + b)),
        "the sigmoid is missing: without it nothing closes the gate": with_function(lambda a: a),
        "ReLU in place of the sigmoid: that gate is not bounded by 1": with_function(F.relu),
        "SiLU in place of the sigmoid: that gate is not bounded by 1": with_function(F.silu),
        "tanh in place of the sigmoid: that gate lets the negative through": with_function(torch.tanh),
        "the sigmoid is around the product: it belongs on what gate gives, alone":
            planted(lambda a, b, proj, x: proj((a * b).sigmoid())),
        "both go through a sigmoid: only what gate gives does":
            planted(lambda a, b, proj, x: proj(a.sigmoid() * b.sigmoid())),
        "the sigmoid comes after proj: it belongs on what gate gives, alone":
            planted(lambda a, b, proj, x: proj(a * b).sigmoid()),
        "gate is not used: what it gives multiplies what expand gives": planted(lambda a, b, proj, x: proj(b.relu())),
        "there is a ReLU on what expand gives: a gate needs none":
            planted(lambda a, b, proj, x: proj(a.sigmoid() * b.relu())),
        "x is added: the skip connection stands in the block, around it":
            planted(lambda a, b, proj, x: x + proj(a.sigmoid() * b)),
        "proj is missing: it brings width back to n_embd": planted(lambda a, b, proj, x: a.sigmoid() * b),
    },
    cases=(cases.case((2, 5, 6)), cases.case((1, 1, 6))),
    prepare=cases.module_like(Gated, 6, 4),
    probes=(probes.leaves_input, probes.gradients),
    explanation="the same as PyTorch's glu between two matrices and a third",
)  # fmt: skip

# the seeds 0 to 2: nothing 2.19 to 2.22, bias 2.20 to 2.22, ffwd 2.27 to 2.28, weight 2.29 to 2.34,
# attention 2.37 to 2.39, lm_head 2.42 to 2.53
frozen = Answer(
    right=("lm_head", "bias"),
    mistakes={
        "attention costs a lot, but there is one that costs more": ("attention", "bias"),
        "the weights of lm_head alone cost less than attention does": ("weight", "bias"),
        "ffwd costs less than attention does: a random expansion is still an expansion": ("ffwd", "bias"),
        "ffwd is not the least: a model with frozen feed-forward is clearly worse than one with a frozen bias":
            ("lm_head", "ffwd"),
        "the weights of lm_head cost something, and there is one that costs next to nothing": ("lm_head", "weight"),
        "attention costs more than any other but one": ("lm_head", "attention"),
        "attention is not the most, and ffwd is not the least": ("attention", "ffwd"),
    },
    expected="two words, what costs most and what costs least of attention, ffwd, lm_head, weight, bias",
    explanation="weights and bias of lm_head can stand in for each other; without both, nothing can",
)  # fmt: skip
