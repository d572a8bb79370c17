"""Exercises: the weights of several heads, all heads in one product, knocking a head out."""

import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises import cases, probes
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.grader import Check
from gptlib.instruments.exercises.mistakes import ATTENTION, attend

C = 384
heads = Answer(
    right=(64, 4 * C**2),
    mistakes={
        "Wo is missing: four matrices of C × C": (64, 3 * C**2),
        "that is one matrix: q, k, v and Wo are four": (64, C**2),
        "the heads share the channels: 6 heads together have as many as one of size 384": (64, 4 * 6 * C**2),
        "biases are counted: there was to be none": (64, (4 * C**2 + C, 4 * C**2 + 4 * C)),
        "Wo is C × C as well, whatever the head size": (64, 3 * C**2 + C * 64),
        "the head size is C / n_head": (C, 4 * C**2),
        "that is the number of heads: the head size is C / n_head": (6, 4 * C**2),
        "that is the head size with 12 heads": (32, 4 * C**2),
        "that is one head's share: 6 of them, and Wo": (64, 3 * C * 64),
        "that is one head's share of all four: there are 6 heads": (64, 4 * C * 64),
        "in weights, please, not in millions": (64, (0.58, 0.6)),
    },
    expected="the head size and the number of weights, not rounded",
    explanation="four matrices of C × C, whatever the number of heads",
)  # fmt: skip


class AllHeads(nn.Module):
    """All heads in one product; attend(q, k, v, C), split and merge are what can go wrong."""

    def __init__(self, n_embd, n_head):
        super().__init__()
        self.n_head = n_head
        self.qkv = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.proj = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        B, T, C = x.shape
        sizes = B, T, self.n_head, C // self.n_head
        q, k, v = self.split(self.qkv(x), *sizes)
        return self.last(self.proj, self.merge(self.attend(q, k, v, C), *sizes))

    @staticmethod
    def split(qkv, B, T, H, D):
        return qkv.view(B, T, 3, H, D).permute(2, 0, 3, 1, 4)

    @staticmethod
    def attend(q, k, v, C):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    @staticmethod
    def merge(out, B, T, H, D):
        return out.transpose(1, 2).reshape(B, T, H * D)

    @staticmethod
    def last(proj, out):
        return proj(out)


def planted(**functions):
    """AllHeads with other functions in place of its own."""
    return cases.planted(AllHeads, **functions)


def reordered(*order):
    """A split that gives q, k and v in another order."""
    return lambda qkv, *sizes: AllHeads.split(qkv, *sizes)[list(order)]


def split_in_turn(qkv, B, T, H, D):
    """Every H-th channel for a head."""
    return qkv.view(B, T, 3, D, H).permute(2, 0, 4, 1, 3)


def merge_in_turn(out, B, T, H, D):
    """Every H-th channel from a head."""
    return out.permute(0, 2, 3, 1).reshape(B, T, H * D)


attention = Check(
    right=AllHeads,
    mistakes={sentence: planted(attend=wrong) for sentence, wrong in ATTENTION.items()} | {
        "softmax runs over the heads: dim=-1, over the keys":
            planted(attend=lambda q, k, v, C: attend(q, k, v, C, axis=1)),
        "heads and positions are mixed up: view(B, T, H, D), then transpose(1, 2), not one view":
            planted(split=lambda qkv, B, T, H, D: [part.reshape(B, H, T, D) for part in qkv.split(H * D, dim=-1)]),
        "heads and positions are mixed up at the end: transpose(1, 2) back before the reshape to (B, T, C)":
            planted(merge=lambda out, B, T, H, D: out.reshape(B, T, H * D)),
        "heads attend to each other, not positions: transpose(1, 2) to (B, H, T, D) first":
            planted(split=lambda *a: AllHeads.split(*a).transpose(2, 3), merge=lambda out, B, T, H, D: out.flatten(2),
                    attend=lambda q, k, v, C: attend(q, k, v, C, diagonal=1_000)),
        "channels are dealt out to the heads in turn: a head's channels stand together, so view(B, T, H, D)":
            planted(split=split_in_turn, merge=merge_in_turn),
        "q, k and v are interleaved head by head: all queries come first, so split(C), then heads":
            planted(split=lambda qkv, B, T, H, D: qkv.view(B, T, H, 3, D).permute(3, 0, 2, 1, 4)),
        "q, k and v are interleaved channel by channel: all queries come first, so split(C), then heads":
            planted(split=lambda qkv, B, T, H, D: qkv.view(B, T, H, D, 3).permute(4, 0, 2, 1, 3)),
        "queries and values are exchanged: the rows of qkv are q, then k, then v": planted(split=reordered(2, 1, 0)),
        "keys and values are exchanged: the rows of qkv are q, then k, then v": planted(split=reordered(0, 2, 1)),
        "the projection is missing: what the heads found goes through proj": planted(last=lambda proj, out: out),
    },
    cases=(cases.case((2, 5, 12)), cases.case((3, 1, 12)), cases.case((1, 7, 12))),
    prepare=cases.module_like(AllHeads, 12, 3),
    probes=(probes.leaves_input, probes.gradients, probes.any_device, probes.exact_in_64_bits),
    explanation="the same as PyTorch's attention in every head, on any device, in any dtype",
)  # fmt: skip

# the seeds 0 to 4: 0.58, 0.56, 0.70, 0.76, 0.54
knocked_out = Answer(
    right=((0.45, 0.85),),
    mistakes={
        "that is the loss itself: expected is by how much it rises": ((2.4, 3.3),),
        "there is a head that matters more: try all four, each alone": ((0.15, 0.45),),
        "nothing changed: set columns of proj.weight to zero, in place, under no_grad": ((-0.02, 0.02),),
        "several heads are out: put the weights back before the next one": ((0.85, 2.4),),
    },
    expected="by how much the loss rises without the head that matters most",
    explanation="every head matters, none as much as all together",
)  # fmt: skip
