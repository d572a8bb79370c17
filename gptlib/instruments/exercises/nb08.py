"""Exercises: a chain of derivatives, a residual connection with a learned weight, where the plus stands."""

import torch
import torch.nn as nn

from gptlib.instruments.exercises import cases, diagnosis, probes
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.diagnosis import Wrong
from gptlib.instruments.exercises.grader import Check

derivatives = Answer(
    right=((0.068, 0.07), (0.068, 0.07)),
    mistakes={
        "f′ is −0.2, so each factor is 1 − 0.2": (0.8**12, 1.2**12),
        "the factor is 1 + f′: the plus adds 1": (0.8**12, 0.2**12),
        "derivatives of a chain are multiplied, not added up: 0.8¹²": (9.6, 9.6),
        "there are 12 layers, so 12 factors": (0.8**11, 0.8**11),
        "the plus is no promise: 1 − 0.2 is 0.8 again": (0.8**12, 1),
        "the plus adds 1 in each layer, before the product is taken: (1 − 0.2)¹²": (0.8**12, 1 + 0.8**12),
        "the second is one layer: there are 12": (0.8**12, 0.8),
    },
    expected="two numbers, without and with the plus, to two decimals",
    explanation="0.069 both times: the plus helps where f′ is near 0, and is no promise for every f",
)  # fmt: skip


NO_NUMBER = "it has no learnable number of its own: a = nn.Parameter(torch.zeros(1)); a plain tensor is not trained"
NO_LAYER = "the layer's parameters are not among its own: keep the layer as an attribute, self.layer = layer"
START = "a starts at another number than 0: at the start nothing should be added"


def at_a_half(kind):
    """The module that kind makes around a layer, after a look at its start, and then with its number at 0.5."""
    layer = cases.with_known_weights(nn.Linear(6, 6))
    module = cases.made(kind, layer)
    own = [p for p in module.parameters() if p is not layer.weight and p is not layer.bias]
    if not own:
        diagnosis.tensors(module(cases.numbers(1, 6)))  # is anything written at all?
        raise Wrong(NO_NUMBER)
    if own[0].numel() != 1 or len(own) > 1:
        raise Wrong(
            f"it has {sum(p.numel() for p in own)} numbers of its own: one for all channels"
        )
    if len(list(module.parameters())) != 3:
        raise Wrong(NO_LAYER)
    if own[0].item() != 0:
        raise Wrong(START)
    nn.init.constant_(own[0], 0.5)
    return module


class Scaled(nn.Module):
    """A residual connection with one number a; out(x, a, layer) is what can go wrong."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.a = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return self.out(x, self.a, self.layer)

    @staticmethod
    def out(x, a, layer):
        return torch.lerp(x, x + layer(x), a)


def planted(out):
    """Scaled with another out."""
    return cases.planted(Scaled, out=out)


scaled = Check(
    right=Scaled,
    mistakes={
        "x itself is missing: x + a · layer(x)": planted(lambda x, a, layer: a * layer(x)),
        "a multiplies x: it belongs to what the layer says": planted(lambda x, a, layer: a * x + layer(x)),
        "a multiplies the sum: it belongs to what the layer says": planted(lambda x, a, layer: a * (x + layer(x))),
        "a multiplies x before the layer: it belongs behind it": planted(lambda x, a, layer: x + layer(a * x)),
        "it is subtracted: x + a · layer(x)": planted(lambda x, a, layer: x - a * layer(x)),
        "a is not used: x + a · layer(x)": planted(lambda x, a, layer: x + layer(x)),
    },
    cases=(cases.case((2, 5, 6)),),
    prepare=at_a_half,
    probes=(probes.leaves_input, probes.gradients),
    explanation="the identity at the start, x + a · layer(x) after it, and both are learned",
)  # fmt: skip

# 5 seeds, 1,000 steps: one plus 2.315 to 2.349, two 2.259 to 2.269, none 2.70 to 3.06
ONE, TWO, NONE = (2.28, 2.40), (2.23, 2.28), (2.6, 3.5)
plus = Answer(
    right=(ONE, TWO),
    mistakes={
        "the first is as bad as without any plus: x + ffwd(attention(x))": (NONE, TWO),
        "the second is as bad as without any plus: x + attention(x), then that + ffwd(of that)": (ONE, NONE),
        "the two are the same model: one plus around both is x + ffwd(attention(x))": (TWO, TWO),
        "the two are the same model: two pluses are the ResidualBlock as it stands": (ONE, ONE),
        "that is better than 1,000 steps get to: a new model for each, with trained_loss": ((1, 2.4), (1, 2.23)),
        "neither is trained to its end, or neither has a plus: 1,000 steps, trained_loss": ((2.4, 5), (2.3, 5)),
    },
    expected="two losses, with one plus around both and with two",
    explanation="one plus mends most of it, two are better",
)  # fmt: skip
