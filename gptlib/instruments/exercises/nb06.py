"""Exercises: the weights of several heads, all heads in one product, knocking a head out."""

import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.cases import (
    any_device,
    case,
    exact_in_64_bits,
    gradients,
    leaves_input,
    module_like,
)
from gptlib.instruments.exercises.grader import Check
from gptlib.instruments.exercises.mistakes import ATTENTION, attend

C = 384
heads = Answer(
    right=(64, 4 * C**2),
    mistakes={
        "Wo is missing: four matrices of C × C": (64, 3 * C**2),
        "that is one matrix: q, k, v and Wo are four": (64, C**2),
        "the heads share the channels: 6 heads together have as many as one of size 384": (
            64,
            4 * 6 * C**2,
        ),
        "biases are counted: there was to be none": (64, (4 * C**2 + 1, 4 * C**2 + 4 * C)),
        "Wo is C × C as well, whatever the head size": (64, 3 * C**2 + C * 64),
        "the head size is C / n_head": (C, 4 * C**2),
        "that is the number of heads: the head size is C / n_head": (6, 4 * C**2),
        "384 channels are shared among the heads: C / n_head": (6 * C, 4 * C**2),
        "that is the head size with 12 heads": (32, 4 * C**2),
        "that is one head's share: 6 of them, and Wo": (64, 3 * C * 64),
        "that is one head's share of all four: there are 6 heads": (64, 4 * C * 64),
        "rounded: the number itself, please": (64, (580_000, 600_000)),
        "in weights, please, not in millions": (64, (0.58, 0.6)),
    },
    expected="the head size and the number of weights",
    explanation="four matrices of C × C, whatever the number of heads",
)


# ---- all heads in one product


def split(qkv, B, T, H, D):
    """(B, T, 3C) to q, k and v, each (B, H, T, D), as it should be."""
    return (part.view(B, T, H, D).transpose(1, 2) for part in qkv.split(H * D, dim=-1))


def split_torn(qkv, B, T, H, D):
    """By a view alone."""
    return (part.reshape(B, H, T, D) for part in qkv.split(H * D, dim=-1))


def split_in_turn(qkv, B, T, H, D):
    """With every H-th channel for a head."""
    return (part.view(B, T, D, H).permute(0, 3, 1, 2) for part in qkv.split(H * D, dim=-1))


def split_by_head(qkv, B, T, H, D):
    """As if the rows of qkv were q, k and v of the first head, then those of the next."""
    return qkv.view(B, T, H, 3, D).permute(3, 0, 2, 1, 4)


def split_by_channel(qkv, B, T, H, D):
    """As if the rows of qkv were q, k and v of the first channel, then those of the next."""
    return qkv.view(B, T, H, D, 3).permute(4, 0, 2, 1, 3)


def split_not_moved(qkv, B, T, H, D):
    """Heads are cut, but stay behind the positions."""
    return (part.view(B, T, H, D) for part in qkv.split(H * D, dim=-1))


def merge(out, B, T, H, D):
    """(B, H, T, D) back to (B, T, C), as it should be."""
    return out.transpose(1, 2).reshape(B, T, H * D)


def merge_torn(out, B, T, H, D):
    """By a reshape alone."""
    return out.reshape(B, T, H * D)


def merge_in_turn(out, B, T, H, D):
    """With every H-th channel for a head."""
    return out.permute(0, 2, 3, 1).reshape(B, T, H * D)


def all_heads(attend, split=split, merge=merge, order=(0, 1, 2), projected=True):
    """A class with qkv and proj that splits into heads, attends with attend(q, k, v, C), and merges them."""

    class AllHeads(nn.Module):
        def __init__(self, n_embd, n_head):
            super().__init__()
            self.n_head = n_head
            self.qkv = nn.Linear(n_embd, 3 * n_embd, bias=False)
            self.proj = nn.Linear(n_embd, n_embd)

        def forward(self, x):
            B, T, C = x.shape
            parts = list(split(self.qkv(x), B, T, self.n_head, C // self.n_head))
            q, k, v = (parts[i] for i in order)
            out = merge(attend(q, k, v, C), B, T, self.n_head, C // self.n_head)
            return self.proj(out) if projected else out

    return AllHeads


def fused(q, k, v, C):
    """PyTorch's own causal attention."""
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def over_heads(q, k, v, C):
    """At each position the heads attend to each other."""
    return attend(q, k, v, C, diagonal=1_000)


attention = Check(
    right=all_heads(fused),
    mistakes={sentence: all_heads(attend) for sentence, attend in ATTENTION.items()}
    | {
        "softmax runs over the heads: dim=-1, over the keys": (
            all_heads(lambda q, k, v, C: attend(q, k, v, C, axis=1))
        ),
        "divided by the root of the number of heads: by that of their size": (
            all_heads(lambda q, k, v, C: attend(q, k, v, C, divide=lambda D, T: (C / D) ** 0.5))
        ),
        "heads and positions are mixed up: view(B, T, H, D), then transpose(1, 2), not one view": (
            all_heads(fused, split=split_torn)
        ),
        "heads and positions are mixed up at the end: transpose(1, 2) back before the reshape to (B, T, C)": (
            all_heads(fused, merge=merge_torn)
        ),
        "positions do not attend to each other, but heads do: transpose(1, 2) to (B, H, T, D) first": (
            all_heads(over_heads, split=split_not_moved, merge=merge_torn)
        ),
        "the channels are dealt out to the heads in turn: a head's channels stand together, so view(B, T, H, D)": (
            all_heads(fused, split=split_in_turn, merge=merge_in_turn)
        ),
        "the channels are dealt out in turn when heads are split, but not when they are merged: view(B, T, H, D)": (
            all_heads(fused, split=split_in_turn)
        ),
        "the channels are dealt out in turn when heads are merged: transpose(1, 2), then reshape to (B, T, C)": (
            all_heads(fused, merge=merge_in_turn)
        ),
        "q, k and v are interleaved head by head: first all queries, then all keys, so split(C) comes first": (
            all_heads(fused, split=split_by_head)
        ),
        "q, k and v are interleaved channel by channel: first all queries, then all keys, so split(C) comes first": (
            all_heads(fused, split=split_by_channel)
        ),
        "queries and values are exchanged: the rows of qkv are q, then k, then v": (
            all_heads(fused, order=(2, 1, 0))
        ),
        "the keys are taken for the values: the rows of qkv are q, then k, then v": (
            all_heads(fused, order=(0, 2, 1))
        ),
        "q, k and v are taken one further: the rows of qkv are q, then k, then v": (
            all_heads(fused, order=(2, 0, 1))
        ),
        "the projection is missing: what the heads found goes through proj": (
            all_heads(fused, projected=False)
        ),
    },
    cases=(case((2, 5, 12)), case((3, 1, 12)), case((1, 7, 12))),
    prepare=module_like(all_heads(fused), 12, 3),
    probes=(leaves_input, gradients, any_device, exact_in_64_bits),
    explanation="the same as PyTorch's attention in every head, on any device, in any dtype",
)


# ---- without one head; 5 seeds: 0.58, 0.59, 0.66, 0.70, 0.58

knocked_out = Answer(
    right=((0.45, 0.85),),
    mistakes={
        "that is the loss itself: expected is by how much it rises": ((2.4, 3.3),),
        "there is a head that is missed more: try all four, each alone": ((0.15, 0.45),),
        "nothing changed: set columns of proj.weight to zero, in place, under no_grad": (
            (-0.02, 0.02),
        ),
        "several heads are out: put the weights back before the next one": ((0.85, 2.4),),
    },
    expected="by how much the loss rises without the head that is missed most, a number",
    explanation="each head is missed, none as much as all together",
)
