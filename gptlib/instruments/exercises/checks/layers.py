"""Checks of notebooks 07 and 08: a gate, a residual connection."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises.checks import reading
from gptlib.instruments.exercises.checks.judging import Check
from gptlib.instruments.exercises.checks.making import (
    OVERWRITES,
    case,
    leaves_its_input_alone,
    module,
)
from gptlib.instruments.exercises.checks.reading import Wrong

# ---- 07: a gate


def gated_of(gate):
    """A class with gate, expand and proj; gate(a, b) joins what gate and expand give."""

    class Planted(nn.Module):
        def __init__(self, n_embd, width):
            super().__init__()
            self.gate, self.expand = nn.Linear(n_embd, width), nn.Linear(n_embd, width)
            self.proj = nn.Linear(width, n_embd)

        def forward(self, x):
            return self.proj(gate(self.gate(x), self.expand(x)))

    return Planted


gated = Check(
    # PyTorch's glu(c) is the first half of c times the sigmoid of the second
    right=gated_of(lambda a, b: F.glu(torch.cat([b, a], dim=-1))),
    wrong={
        "the sigmoid is on the wrong one: it belongs on what gate gives": gated_of(
            lambda a, b: a * torch.sigmoid(b)
        ),
        "the two are added: a gate multiplies": gated_of(lambda a, b: torch.sigmoid(a) + b),
        "the sigmoid is missing: without it nothing closes the gate": gated_of(lambda a, b: a * b),
        "ReLU in place of the sigmoid: that gate is not bounded by 1": gated_of(
            lambda a, b: F.relu(a) * b
        ),
        "the sigmoid is around the product: it belongs on what gate gives, alone": gated_of(
            lambda a, b: torch.sigmoid(a * b)
        ),
        "both go through a sigmoid: only what gate gives does": gated_of(
            lambda a, b: torch.sigmoid(a) * torch.sigmoid(b)
        ),
    },
    cases=(case((2, 5, 6)), case((1, 1, 6))),
    prepare=module(
        (6, 4),
        {f"{name}.weight": (4, 6) for name in ("gate", "expand")}
        | {f"{name}.bias": (4,) for name in ("gate", "expand")}
        | {"proj.weight": (6, 4), "proj.bias": (6,)},
    ),
    well="the same as PyTorch's glu between two matrices and a third",
)


# ---- 08: a residual connection of which a stack can be made


NO_NUMBER = "it has no learnable number of its own: a = nn.Parameter(torch.zeros(1)); a plain tensor is not trained"
NO_LAYER = "the layer's parameters are not among its own: keep the layer as an attribute, self.layer = layer"


def at_zero_and_at_a_half(kind):
    """A function that gives what kind(layer) makes of x: as it starts, and with its number at 0.5."""
    if not isinstance(kind, type):
        raise Wrong(f"{reading.kind(kind)} came, a class was expected")

    def call(x):
        layer = nn.Linear(6, 6)
        made = kind(layer)
        if not isinstance(made, nn.Module):
            raise Wrong(f"{reading.kind(made)} came out of the class, an nn.Module was expected")
        start = reading.tensors(made(x))[0].clone()
        parameters = list(made.parameters())
        if not any(p is layer.weight for p in parameters):
            raise Wrong(NO_LAYER)
        own = [p for p in parameters if p.numel() == 1]
        if len(own) != 1:
            raise Wrong(NO_NUMBER)
        nn.init.constant_(own[0], 0.5)
        with torch.no_grad():
            return start, made(x)

    return call


def scaled_of(add, start=0.0, learnt=True, hidden=False):
    """A class around a layer, with one number a; add(x, a, f) is what comes out, f being layer(x)."""

    class Planted(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = [layer] if hidden else layer
            self.a = nn.Parameter(torch.full((1,), start)) if learnt else torch.zeros(1)

        def forward(self, x):
            return add(x, self.a, (self.layer[0] if hidden else self.layer)(x))

    return Planted


def added_in_place(x, a, f):
    """The right sum, written into x itself."""
    with torch.no_grad():
        return x.add_(a * f)


scaled = Check(
    right=scaled_of(lambda x, a, f: torch.lerp(x, x + f, a)),
    wrong={
        "a starts at another number than 0: at the start nothing should be added": scaled_of(
            lambda x, a, f: x + a * f, start=1.0
        ),
        "x itself is missing: x + a · layer(x)": scaled_of(lambda x, a, f: a * f),
        "a multiplies x: it belongs to what the layer says, x + a · layer(x)": scaled_of(
            lambda x, a, f: a * x + f
        ),
        "a multiplies the sum: it belongs to what the layer says, x + a · layer(x)": scaled_of(
            lambda x, a, f: a * (x + f)
        ),
        "a is not used: x + a · layer(x)": scaled_of(lambda x, a, f: x + f),
        NO_NUMBER: scaled_of(lambda x, a, f: x + a * f, learnt=False),
        NO_LAYER: scaled_of(lambda x, a, f: x + a * f, hidden=True),
        OVERWRITES: scaled_of(added_in_place),
    },
    cases=(case((2, 5, 6)),),
    prepare=at_zero_and_at_a_half,
    facts=(leaves_its_input_alone(OVERWRITES),),
    well="the identity at the start, x + a · layer(x) after it, and both are learnt",
)
