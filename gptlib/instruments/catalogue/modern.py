"""Notebook 12: nanoGPT's recipe as the baseline, and each modern part alone on it, swapped from outside."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.catalogue.practice import tied
from gptlib.instruments.experiments import Experiment, Variant
from gptlib.instruments.recipes import start_from
from gptlib.layers import FeedForward
from gptlib.model import GPT, GPTConfig
from gptlib.modern import (
    without_biases,
)
from gptlib.train import TrainConfig

SIZES = GPTConfig(vocab_size=65, block_size=64, n_embd=128, n_head=4, n_layer=4)


class GELUFeedForward(FeedForward):
    """FeedForward with the ReLU's corner rounded off."""

    def forward(self, x):
        return self.proj(F.gelu(self.expand(x)))


def swap(model, ffwd=None, norm=None):
    """model with other feed-forward layers, other norms; what there is of weights stays the same."""
    C = model.config.n_embd
    for block in model.body[1:-1]:
        if ffwd:
            new = ffwd(C)
            new.load_state_dict(block.ffwd.state_dict())
            block.ffwd = new
        if norm:
            block.ln1, block.ln2 = norm(C), norm(C)
    if norm:
        model.body[-1] = norm(C)
    return model


def nano_gpt(sizes=SIZES):
    """GPT as nanoGPT has it: GELU, one table for both ends, no biases, torch's own LayerNorm, a start of size 0.02."""
    model = GPT(sizes)
    start_from(model, 0.02)
    swap(model, GELUFeedForward, lambda C: nn.LayerNorm(C, bias=False))
    return without_biases(tied(model))


class Clipped:
    """An optimizer that shortens the gradient to length 1 before it steps."""

    def __init__(self, optimizer, longest=1.0):
        self.optimizer, self.longest = optimizer, longest
        self.param_groups, self.zero_grad = optimizer.param_groups, optimizer.zero_grad

    def step(self):
        weights = [weight for group in self.param_groups for weight in group["params"]]
        nn.utils.clip_grad_norm_(weights, self.longest)
        self.optimizer.step()


def decayed(weights, lr):
    """AdamW as nanoGPT sets it: β 0.9 and 0.99, weight decay 0.1 on matrices and none on the rest."""
    groups = [
        {"params": [w for w in weights if w.dim() == 2], "weight_decay": 0.1},
        {"params": [w for w in weights if w.dim() != 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr, (0.9, 0.99), fused=True)


@dataclass(frozen=True)
class NanoConfig(TrainConfig):
    """nanoGPT's published recipe for characters on a CPU: warm-up, then half a cosine down to a tenth."""

    steps: int = 2000
    batch_size: int = 12
    block_size: int = 64
    learning_rate: float = 1e-3
    lowest_rate: float = 1e-4
    warmup: int = 100

    def lr_at(self, step):
        if step < self.warmup:
            return self.learning_rate * (step + 1) / (self.warmup + 1)
        part = (step - self.warmup) / (self.steps - self.warmup)
        cosine = (1 + math.cos(math.pi * part)) / 2
        return self.lowest_rate + cosine * (self.learning_rate - self.lowest_rate)

    def optimizer(self, model):
        return Clipped(decayed(list(model.parameters()), self.learning_rate))


BASELINE = Experiment(
    "nano_gpt",
    "Which loss does nanoGPT's recipe for a CPU reach on our text?",
    {"nanoGPT's recipe": Variant(nano_gpt)},
    NanoConfig(),
    seeds=3,
    sizes={"n_embd": SIZES.n_embd, "n_layer": SIZES.n_layer, "n_head": SIZES.n_head},
)
