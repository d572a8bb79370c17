"""Check of notebook 05: one head. PyTorch's own attention is the answer."""

import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises.checks.judging import Check
from gptlib.instruments.exercises.checks.making import (
    IN_32_BITS,
    ON_CPU,
    OVERWRITES,
    case,
    exact_in_64_bits,
    leaves_its_input_alone,
    module,
    works_when_moved,
)
from gptlib.instruments.exercises.checks.weights import INFINITE, hide, qk, softmax, tril


def by_sdpa(q, k, v, C):
    """PyTorch's own causal attention."""
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


SLIPS = {
    "divided by √C: the dot product runs over the head's own channels, so divide by √head_size": lambda q, k, v, C: (
        softmax(hide(qk(q, k, C**0.5))) @ v
    ),
    "divided by head_size in place of its root: variance D means size √D": lambda q, k, v, C: (
        softmax(hide(qk(q, k, q.shape[-1]))) @ v
    ),
    "the scores are not divided at all: divide by √head_size": lambda q, k, v, C: (
        softmax(hide(qk(q, k, 1))) @ v
    ),
    "softmax runs over the wrong axis, over those who ask: dim=-1, over those who are heard": lambda q, k, v, C: (
        F.softmax(hide(qk(q, k)), dim=-2) @ v
    ),
    "the mask comes after softmax, so rows no longer add to one: mask the scores": lambda q, k, v, C: (
        softmax(qk(q, k)).masked_fill(~tril(q.shape[-2]), 0) @ v
    ),
    "the mask is off by one, each position sees the next one too: look at the diagonal of tril": lambda q, k, v, C: (
        softmax(hide(qk(q, k), 1)) @ v
    ),
    "the mask is off by one, nobody sees itself and row 0 is nan: look at the diagonal of tril": lambda q, k, v, C: (
        softmax(hide(qk(q, k), -1)) @ v
    ),
    "the mask is 0, a score like any other, and the future leaks in: it has to be −∞": lambda q, k, v, C: (
        softmax(hide(qk(q, k), value=0.0)) @ v
    ),
    "nothing is masked: every position sees the future": lambda q, k, v, C: softmax(qk(q, k)) @ v,
    "the mask is turned round: it hides the past; allowed is tril": lambda q, k, v, C: (
        softmax(qk(q, k).masked_fill(tril(q.shape[-2], -1), INFINITE)) @ v
    ),
    "queries and keys are exchanged: row t is the query of t, so q @ kᵀ": lambda q, k, v, C: (
        softmax(hide(qk(k, q))) @ v
    ),
    "the weights are not applied to the values: what is passed on is v": lambda q, k, v, C: (
        softmax(hide(qk(q, k))) @ k
    ),
}
FACTS = (
    leaves_its_input_alone(OVERWRITES),
    works_when_moved("meta", ON_CPU),
    exact_in_64_bits(IN_32_BITS),
)


def head_of(attend, first=lambda x: x):
    """A class that has a head's three matrices and attends with attend(q, k, v, C)."""

    class Planted(nn.Module):
        def __init__(self, n_embd, head_size, block_size):
            super().__init__()
            self.query, self.key, self.value = (
                nn.Linear(n_embd, head_size, bias=False) for _ in range(3)
            )

        def forward(self, x):
            x = first(x)
            return attend(self.query(x), self.key(x), self.value(x), x.shape[-1])

    return Planted


def on_cpu(q, k, v, C):
    """Right, but hide makes its triangle on the CPU whatever q is on."""
    return softmax(hide(qk(q, k))) @ v


def in_32_bits(q, k, v, C):
    """Right, but 32 bits come back whatever went in."""
    return by_sdpa(q, k, v, C).float()


def overwritten(x):
    """The right x; but the caller's has become another."""
    right = x.clone()
    x.mul_(2)
    return right


head = Check(
    right=head_of(by_sdpa),
    wrong={sentence: head_of(slip) for sentence, slip in SLIPS.items()}
    | {
        OVERWRITES: head_of(by_sdpa, first=overwritten),
        ON_CPU: head_of(on_cpu),
        IN_32_BITS: head_of(in_32_bits),
    },
    cases=(case((2, 5, 12)), case((3, 1, 12)), case((1, 8, 12))),
    prepare=module((12, 4, 8), {f"{name}.weight": (4, 12) for name in ("query", "key", "value")}),
    facts=FACTS,
    well="the same as PyTorch's attention, for 1, 5 and 8 positions, on any device, in any dtype",
)
