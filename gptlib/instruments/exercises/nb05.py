"""Exercises: what dividing scores does to weights, one head, a mask that is not −∞."""

import math

import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises import cases, probes
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.grader import Check, alternatives
from gptlib.instruments.exercises.mistakes import ATTENTION, attention_weights

factors = Answer(
    right=(math.exp(3), math.exp(3 / 8)),
    mistakes={
        "the second is divided by 64: √64 is 8": (math.exp(3), (1.04, 1.06)),
        "a factor of 1 would mean equal weights: is it rounded too far, or is it 3 // 8?": (math.exp(3), 1),
        "the second is rounded too far: give two digits": (math.exp(3), 2),
        "the second is the first once more: dividing changes the difference, and with it the factor":
            (math.exp(3), math.exp(3)),
        "the second is the root of the first: √64 divides the exponent": (math.exp(3), math.exp(1.5)),
        "those are the two weights themselves: how many times as large as the other is one?":
            (1 / (1 + math.exp(-3)), 1 / (1 + math.exp(-3 / 8))),
        "that is by how much the weights differ: the question is by what factor":
            (math.tanh(3 / 2), math.tanh(3 / 16)),
        "those are logarithms: softmax exponentiates": (math.log(3), math.log(3 / 8)),
        "that is e times the difference: softmax raises e to it": (math.e * 3, math.e * 3 / 8),
        "the second is multiplied by 8: divide": (math.exp(3), math.exp(24)),
        "those are the differences: softmax exponentiates them": (3, 3 / 8),
        "the second is divided too late: the difference is 3/8, and then e^(3/8)":
            [(math.exp(3), math.exp(3) / 8), (math.exp(3), math.exp(3) / 64)],
        "softmax takes powers of e, not of 2 or 10": [(2**3, 2 ** (3 / 8)), (10**3, 10 ** (3 / 8))],
        "those are the smaller weights in parts of the larger: one over that": (math.exp(-3), math.exp(-3 / 8)),
    },
    expected="two factors, without and with dividing, to two digits",
    explanation="e³ and e^(3/8): a factor of 20 becomes one of 1.5",
)  # fmt: skip


class OneHead(nn.Module):
    """One head; attend(q, k, v, x) is what can go wrong."""

    def __init__(self, n_embd, head_size, block_size):
        super().__init__()
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)

    def forward(self, x):
        return self.attend(self.query(x), self.key(x), self.value(x), x)

    @staticmethod
    def attend(q, k, v, x):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


head = Check(
    right=OneHead,
    mistakes={
        sentence: [cases.planted(OneHead, attend=one) for one in alternatives(wrong)]
        for sentence, wrong in (ATTENTION | {
            "the weights are applied to x: what is passed on is v": lambda q, k, v, x: attention_weights(q, k) @ x,
            "the weights themselves come back: they still have to average the values, weights @ v":
                lambda q, k, v, x: attention_weights(q, k),
        }).items()
    },
    cases=(cases.case((2, 5, 12)), cases.case((3, 1, 12)), cases.case((1, 9, 12))),
    prepare=cases.module_like(OneHead, 12, 6, 9),  # sizes that nobody writes into the code by chance
    probes=(probes.leaves_input, probes.gradients, probes.any_device, probes.exact_in_64_bits),
    explanation="the same as PyTorch's attention, for 1, 5 and 9 positions, on any device, in any dtype",
)  # fmt: skip

# one head, 3 seeds: −1 gives 1.404 to 1.477, −5 gives 2.408 to 2.417, −∞ 2.412 to 2.421. Seed 0: no mask 0.40, −1 and
# −5 added in place of set 0.40 and 0.41, the past filled 0.44 and 0.44, filled before the division 1.44 and 1.42, after
# softmax 0.93 and 1.28, +1 and +5 1.43 and 1.45, undivided scores 2.44 and 2.49, on the training text 1.39 and 2.38
CHEATS, HONEST, UNTRAINED = (1.3, 1.56), (2.401, 2.43), (4.0, 4.4)
filled = Answer(
    right=(CHEATS, HONEST),
    mistakes={
        "both are honest: has −1 reached the scores, and are they divided by √D?": ((2.35, 2.55), (2.35, 2.55)),
        "both get what a head without a mask gets: put −1 and −5 in place of the future's scores":
            ((0.3, 0.55), (0.3, 0.55)),
        "does the fill come after softmax? It belongs among the scores, before softmax":
            ((0.75, 1.15), (0.75, 1.36)),
        "both cheat: is it −5, with its minus, and put in after the division by √D?": ((1.15, 1.65), (1.15, 1.65)),
        "two decimals for the second loss, please": (CHEATS, 2.4),
        "those are losses on the training text: data[1] is the other one": (CHEATS, (2.35, 2.396)),
        "both are still high: train for all 2,000 steps, at a learning rate of 3e-3": ((2.55, 2.75), (2.55, 2.75)),
        "those are perplexities: the losses are their logarithms": tuple(
            tuple(map(math.exp, loss)) for loss in (CHEATS, HONEST)),
        "those are bits: a loss is in nats, 0.693 of them in a bit": tuple(
            tuple(nats / math.log(2) for nats in loss) for loss in (CHEATS, HONEST)),
        "those are the numbers you filled in: what loss does each model get?": (-1, -5),
        "those are the losses at the last position, where no future is left to see: average over all eight":
            ((2.8, 3.3), (2.3, 3.3)),
        "that is a model before training, ln 65: run train to its end": (UNTRAINED, UNTRAINED),
        "−1 is on its way down: train for all 2,000 steps": ((1.57, 2.35), HONEST),
        "−5 does not cheat in 2,000 steps: is it −5, and is the loss that of seed 0?": (CHEATS, (1.65, 2.35)),
    },
    expected="two losses, with −1 and with −5",
    explanation="with −1 training learns to climb over the mask, with −5 it did not get there",
)  # fmt: skip
