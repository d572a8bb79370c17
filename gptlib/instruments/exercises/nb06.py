"""Exercises: the weights of several heads, all heads in one product, knocking a head out."""

from functools import partial

import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises import cases, probes
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.grader import Check, alternatives
from gptlib.instruments.exercises.mistakes import ATTENTION, attend, over, tril

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
        "that is one head's share: 6 of them, and Wo": [(64, 3 * C * 64), (64, C * 64)],
        "that is one head's share of all four: there are 6 heads": (64, 4 * C * 64),
        "in weights, please, not in thousands or millions": [(64, (0.58, 0.6)), (64, (589, 590))],
        "each of the four maps all C = 384 channels, not 64": (64, 4 * 64**2),
        "that is twice as many: with more heads the matrices stay as large as they are":
            [(64, 8 * C**2), (32, 8 * C**2)],
        "only 384 is squared: 4 counts the matrices": (64, C * 4**2),
        "that is 16 × 384²: the 4 isn't squared, and a weight counts as one, not as four bytes": (64, (4 * C) ** 2),
        "the head size is C / n_head: divide": (C * 6, 4 * C**2),
    },
    expected="the head size and the number of weights, not rounded",
    explanation="four matrices of C × C, whatever the number of heads",
)  # fmt: skip


class AllHeads(nn.Module):
    """All heads in one product; attend(q, k, v, x), split and merge are what can go wrong."""

    def __init__(self, n_embd, n_head):
        super().__init__()
        self.n_head = n_head
        self.qkv = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.proj = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        B, T, C = x.shape
        sizes = B, T, self.n_head, C // self.n_head
        q, k, v = self.split(self.qkv(x), *sizes)
        return self.last(self.proj, self.merge(self.attend(q, k, v, x), *sizes), x)

    @staticmethod
    def split(qkv, B, T, H, D):
        return qkv.view(B, T, 3, H, D).permute(2, 0, 3, 1, 4)

    @staticmethod
    def attend(q, k, v, x):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    @staticmethod
    def merge(out, B, T, H, D):
        return out.transpose(1, 2).reshape(B, T, H * D)

    @staticmethod
    def last(proj, out, x):
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


def cut(qkv, B, T, H, D, size):
    """Heads of a size that may not fit."""
    return [part.view(B, T, H * D // size, size) for part in qkv.split(H * D, dim=-1)]


def merge_in_turn(out, B, T, H, D):
    """Every H-th channel from a head."""
    return out.permute(0, 2, 3, 1).reshape(B, T, H * D)


def fixed(n_head):
    """AllHeads with as many heads, whatever is asked for."""
    return type(
        "AllHeads",
        (AllHeads,),
        {"__init__": lambda self, n_embd, _: AllHeads.__init__(self, n_embd, n_head)},
    )


WRONGLY = {
    sentence: [planted(attend=one) for one in alternatives(wrong)]
    for sentence, wrong in ATTENTION.items()
}
attention = Check(
    right=AllHeads,
    mistakes=WRONGLY | {
        "softmax runs over the heads: dim=-1, over the keys":
            planted(attend=lambda q, k, v, x: attend(q, k, v, x, axis=1)),
        "heads and positions are mixed up: view(B, T, H, D), then transpose(1, 2), not one view":
            planted(split=lambda qkv, B, T, H, D: [part.reshape(B, H, T, D) for part in qkv.split(H * D, dim=-1)]),
        "heads and positions are mixed up at the end: transpose(1, 2) back before the reshape to (B, T, C)":
            planted(merge=lambda out, B, T, H, D: out.reshape(B, T, H * D)),
        "heads attend to each other, not positions: transpose(1, 2) to (B, H, T, D) first": [
            planted(split=lambda *a: AllHeads.split(*a).transpose(2, 3), merge=lambda out, B, T, H, D: out.flatten(2),
                    attend=wrong)
            for wrong in (lambda q, k, v, x: attend(q, k, v, x, diagonal=1_000), attend,
                          lambda q, k, v, x: over(q @ k.mT, ~tril(x.shape[1])) @ v)
        ],
        "channels are dealt out to the heads in turn: a head's channels stand together, so view(B, T, H, D)":
            [planted(split=split_in_turn, merge=merge) for merge in (merge_in_turn, AllHeads.merge)],
        "the heads' channels are interleaved at the end: transpose(1, 2), and every head's stay together":
            planted(merge=merge_in_turn),
        "view can't take that: first view(B, T, H, D), then transpose(1, 2); at the end transpose back, then reshape":
            planted(attend=attend, merge=lambda out, B, T, H, D: out.transpose(1, 2).view(B, T, H * D)),
        "split(C) takes the size of a part, not how many there are":
            planted(split=lambda qkv, B, T, H, D: [part.view(B, T, H, D) for part in qkv.split(3, dim=-1)]),
        "qkv is cut along time: its channels are the last axis, dim=-1":
            planted(split=lambda qkv, B, T, H, D: [part.view(B, T, H, D) for part in qkv.split(H * D, dim=1)]),
        "divided by √H: q·k runs over D channels, however many heads there are":
            planted(attend=lambda q, k, v, x: attend(q, k, v, x, divide=lambda D, T: q.shape[1] ** 0.5)),
        "the number of heads is fixed, or their size: n_head comes in, and the size is n_embd // n_head":
            [fixed(n_head) for n_head in (3, 4, 6)],
        "all channels are one head: the head size is n_embd // n_head": fixed(1),
        "the head size is fixed: it's n_embd // n_head":
            [planted(split=partial(cut, size=size)) for size in (8, 16, 32)],
        "the head size is a float: n_embd // n_head, with two slashes, is an int":
            planted(split=lambda qkv, B, T, H, D: [part.view(B, T, H, float(D)) for part in qkv.chunk(3, -1)]),
        "x is added at the end: that comes in 08, outside of this layer":
            planted(last=lambda proj, out, x: x + proj(out)),
        "the heads are averaged: side by side, they fill all C channels":
            planted(merge=lambda out, B, T, H, D: out.mean(dim=1).repeat(1, 1, H)),
        "q, k and v are interleaved head by head: all queries come first, so split(C), then heads":
            planted(split=lambda qkv, B, T, H, D: qkv.view(B, T, H, 3, D).permute(3, 0, 2, 1, 4)),
        "q, k and v are interleaved channel by channel: all queries come first, so split(C), then heads":
            planted(split=lambda qkv, B, T, H, D: qkv.view(B, T, H, D, 3).permute(4, 0, 2, 1, 3)),
        "queries and values are exchanged: the rows of qkv are q, then k, then v": planted(split=reordered(2, 1, 0)),
        "keys and values are exchanged: the rows of qkv are q, then k, then v": planted(split=reordered(0, 2, 1)),
        "the heads come back one by one: put them side by side, in (B, T, C), and send them through proj": [
            planted(merge=lambda out, B, T, H, D: out, last=lambda proj, out, x: out),
            planted(merge=lambda out, B, T, H, D: out.transpose(1, 2), last=lambda proj, out, x: out),
        ],
        "the projection is missing: what the heads found goes through proj": planted(last=lambda proj, out, x: out),
    },
    cases=(cases.case((3, 5, 12)), cases.case((2, 1, 12)), cases.case((1, 7, 12))),
    prepare=cases.module_like(AllHeads, 12, 2),  # heads of 6: a size that nobody writes into the code by chance
    probes=(probes.leaves_input, probes.gradients, probes.any_device, probes.exact_in_64_bits),
    explanation="the same as PyTorch's attention in every head, on any device, in any dtype",
)  # fmt: skip

# the seeds 0 to 4: 0.58, 0.56, 0.70, 0.76, 0.54. Seed 0: its heads 0.45, 0.44, 0.58, 0.43; rows 0.20 at most,
# half a head 0.23, every fourth column 0.30, one column 0.06, not put back 1.24. Mean ablation 0.57, training text 0.59
knocked_out = Answer(
    right=((0.505, 0.82),),
    mistakes={
        "rounded too far: give two digits": [0.5, 1],
        "that is a head's number: by how much does the loss rise without it?": [2, 3, 4],
        "that is the whole model's loss: by how much does it rise without a head?": ((2.2, 2.34),),
        "that is the loss itself: expected is by how much it rises": ((2.5, 3.3),),
        "there is a head that matters more: what's asked for is the largest of four rises, each head alone":
            ((0.35, 0.499),),
        "too little is gone: a head's part of Wo is eight whole columns, weight[:, 8 * h : 8 * h + 8]": ((0.02, 0.35),),
        "nothing changed: set columns of proj.weight to zero, in place, under no_grad": ((-0.02, 0.02),),
        "that is a ratio of losses, or several heads are out: subtract, and put the weights back before the next one":
            ((1.2, 1.32),),
        "several heads are out: put the weights back before the next one, and don't add up the rises": [
            ((0.82, 1.2),), ((1.32, 2.2),),
        ],
        "that is in percent: how many nats does the loss rise by?": ((20.0, 36.0),),
        "that is the rise of the perplexity: the loss is its logarithm": ((5.5, 12.0),),
    },
    expected="by how much the loss rises without the head that matters most, to two digits",
    explanation="every head matters, none as much as all together",
)  # fmt: skip
