"""Check of notebook 06: all heads in one product. PyTorch's own attention, head by head, is the answer."""

import torch.nn as nn

from gptlib.instruments.exercises.checks.attending import FACTS, SLIPS, by_sdpa, in_32_bits, on_cpu
from gptlib.instruments.exercises.checks.judging import Check
from gptlib.instruments.exercises.checks.making import IN_32_BITS, ON_CPU, case, module


def side_by_side(part, B, T, H, D):
    """(B, T, C) to (B, H, T, D), as it should be."""
    return part.view(B, T, H, D).transpose(1, 2)


def torn(part, B, T, H, D):
    """(B, T, C) to (B, H, T, D) by a view alone."""
    return part.reshape(B, H, T, D)


def dealt_out(part, B, T, H, D):
    """(B, T, C) to (B, H, T, D), with every H-th channel for a head."""
    return part.view(B, T, D, H).permute(0, 3, 1, 2)


def joined(out, B, T, C):
    """(B, H, T, D) back to (B, T, C), as it should be."""
    return out.transpose(1, 2).reshape(B, T, C)


def all_heads_of(attend, split=side_by_side, join=joined, last=lambda proj, x: proj(x)):
    """A class with qkv and proj that cuts into H heads, attends with attend(q, k, v, C), and joins them again."""

    class Planted(nn.Module):
        def __init__(self, n_embd, n_head):
            super().__init__()
            self.n_head = n_head
            self.qkv = nn.Linear(n_embd, 3 * n_embd, bias=False)
            self.proj = nn.Linear(n_embd, n_embd)

        def forward(self, x):
            B, T, C = x.shape
            parts = self.qkv(x).split(C, dim=-1)
            q, k, v = (split(part, B, T, self.n_head, C // self.n_head) for part in parts)
            return last(self.proj, join(attend(q, k, v, C), B, T, C))

    return Planted


MIXED = {
    "heads and positions are mixed up: view(B, T, H, D), then transpose(1, 2), not one view": (
        all_heads_of(by_sdpa, split=torn)
    ),
    "heads and positions are mixed up at the end: transpose(1, 2) back before the reshape to (B, T, C)": (
        all_heads_of(by_sdpa, join=lambda out, B, T, C: out.reshape(B, T, C))
    ),
    "the channels are dealt out to the heads in turn: a head's channels stand together, so view(B, T, H, D)": (
        all_heads_of(
            by_sdpa, dealt_out, lambda out, B, T, C: out.permute(0, 2, 3, 1).reshape(B, T, C)
        )
    ),
    "the projection is missing: what the heads found goes through proj": (
        all_heads_of(by_sdpa, last=lambda proj, x: x)
    ),
}

attention = Check(
    right=all_heads_of(by_sdpa),
    wrong={sentence: all_heads_of(slip) for sentence, slip in SLIPS.items()}
    | MIXED
    | {ON_CPU: all_heads_of(on_cpu), IN_32_BITS: all_heads_of(in_32_bits)},
    cases=(case((2, 5, 12)), case((3, 1, 12)), case((1, 7, 12))),
    prepare=module((12, 3), {"qkv.weight": (36, 12), "proj.weight": (12, 12), "proj.bias": (12,)}),
    facts=FACTS,
    well="the same as PyTorch's attention in every head, on any device, in any dtype",
)
