"""Exercises: what dividing scores does to weights, one head, a mask that is not −∞."""

import math

import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises import cases, probes
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.grader import Check
from gptlib.instruments.exercises.mistakes import ATTENTION

factors = Answer(
    right=(math.exp(3), math.exp(3 / 8)),
    mistakes={
        "the second is divided by 64: √64 is 8": (math.exp(3), math.exp(3 / 64)),
        "the second is multiplied by 8: divide": (math.exp(3), math.exp(24)),
        "those are the differences: softmax exponentiates them": (3, 3 / 8),
        "the second is divided too late: the difference is 3/8, and then e^(3/8)": (math.exp(3), math.exp(3) / 8),
        "softmax takes powers of e, not of 2 or 10": ((8.0, 1_000.0), (1.25, 2.4)),
        "those are the smaller weights in parts of the larger: one over that": (math.exp(-3), math.exp(-3 / 8)),
    },
    expected="two factors, without and with dividing, to two digits",
    explanation="e³ and e^(3/8): a factor of 20 becomes one of 1.5",
)  # fmt: skip


class OneHead(nn.Module):
    """One head; attend(q, k, v, C) is what can go wrong."""

    def __init__(self, n_embd, head_size, block_size):
        super().__init__()
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)

    def forward(self, x):
        return self.attend(self.query(x), self.key(x), self.value(x), x.shape[-1])

    @staticmethod
    def attend(q, k, v, C):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


head = Check(
    right=OneHead,
    mistakes={sentence: cases.planted(OneHead, attend=wrong) for sentence, wrong in ATTENTION.items()},
    cases=(cases.case((2, 5, 12)), cases.case((3, 1, 12)), cases.case((1, 8, 12))),
    prepare=cases.module_like(OneHead, 12, 4, 8),
    probes=(probes.leaves_input, probes.gradients, probes.any_device, probes.exact_in_64_bits),
    explanation="the same as PyTorch's attention, for 1, 5 and 8 positions, on any device, in any dtype",
)  # fmt: skip

# one head, 3 seeds: −1 gives 1.404 to 1.477, −5 gives 2.408 to 2.417, −∞ 2.412 to 2.421
CHEATS, HONEST, UNTRAINED = (1.25, 1.65), (2.35, 2.48), (4.0, 4.4)
filled = Answer(
    right=(CHEATS, HONEST),
    mistakes={
        "both are honest: has −1 reached the scores?": (HONEST, HONEST),
        "both cheat: has −5 reached the scores?": ((0, 1.65), (0, 1.65)),
        "that is a model before training, ln 65: run train to its end": (UNTRAINED, UNTRAINED),
        "−1 is on its way down: train for all 2,000 steps": ((1.65, 2.35), HONEST),
        "−5 does not cheat in 2,000 steps: is it −5, and is the loss that of seed 0?": (CHEATS, (1.65, 2.35)),
    },
    expected="two losses, with −1 and with −5",
    explanation="with −1 training learns to climb over the mask, with −5 it did not get there",
)  # fmt: skip
