"""Notebook 13: nanoGPT's recipe as the baseline, and each modern part alone on it, swapped from outside."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.measure.catalogue.common import start_from, tied, weights_of
from gptlib.instruments.measure.experiment import Experiment, Variant
from gptlib.instruments.models.fast import with_fast_parts
from gptlib.layers import FeedForward
from gptlib.model import GPT, GPTConfig
from gptlib.modern import (
    CombinedOptimizer,
    ModernAttention,
    ModernConfig,
    ModernGPT,
    RMSNorm,
    SquaredReLUFeedForward,
    zero_projections,
)
from gptlib.train import TrainConfig

RECIPE = "nanoGPT's recipe"
SIZES = GPTConfig(vocab_size=65, block_size=64, n_embd=128, n_head=4, n_layer=4)


def without_biases(model):
    """model with no bias in any linear layer."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.bias = None
    return model


class GELUFeedForward(FeedForward):
    """FeedForward with the ReLU's corner rounded off."""

    def forward(self, x):
        return self.proj(F.gelu(self.expand(x)))


def swap(model, ffwd=None, norm=None):
    """model with other feed-forward layers, other norms; what there is of weights stays the same."""
    C = model.config.n_embd
    for block in model.blocks:
        if ffwd:
            new = ffwd(C)
            new.load_state_dict(block.ffwd.state_dict())
            block.ffwd = new
        if norm:
            block.ln1, block.ln2 = norm(C), norm(C)
    if norm:
        model.norm = norm(C)
    return model


def untied(sizes=SIZES):
    """GPT as nanoGPT has it, but for its head: GELU, no biases, torch's own LayerNorm, a start of size 0.02."""
    model = start_from(GPT(sizes), 0.02)
    swap(model, GELUFeedForward, lambda C: nn.LayerNorm(C, bias=False))
    return without_biases(model)


def nano_gpt(sizes=SIZES):
    """GPT as nanoGPT has it: the above, with one table for both ends."""
    return tied(untied(sizes))


class Clipped:
    """An optimizer that shortens the gradient to length 1 before it steps."""

    def __init__(self, optimizer, longest=1.0):
        self.optimizer, self.longest = optimizer, longest
        self.param_groups, self.zero_grad = optimizer.param_groups, optimizer.zero_grad

    def step(self):
        nn.utils.clip_grad_norm_(weights_of(self), self.longest)
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


class PreviousToken(nn.Module):
    """A token table that also adds what a second table, zero at first, says of the token before."""

    def __init__(self, table):
        super().__init__()
        self.table, self.before = table, nn.Embedding(*table.weight.shape)
        nn.init.zeros_(self.before.weight)

    def forward(self, tokens):
        earlier = self.before(tokens[:, :-1])
        return self.table(tokens) + F.pad(earlier, (0, 0, 1, 0))  # the first has none before it


def with_previous_token(model):
    """model with a PreviousToken in place of its token table."""
    model.token_embedding_table = PreviousToken(model.token_embedding_table)
    return model


def modern_gpt(sizes=SIZES):
    """A ModernGPT with the fast parts."""
    return with_fast_parts(ModernGPT(sizes))


# ---- each part alone on the baseline


class AtTheStart(nn.Module):
    """In place of RoPE: positions leave queries and keys as they are."""

    def forward(self, x, start=0):
        return x


def with_attention(model, norm=False, rope=False):
    """model with ModernAttention in its blocks, with its norm, or with RoPE in place of the table of positions."""
    for block in model.blocks:
        new = ModernAttention(model.config.n_embd, model.config.n_head)
        new.load_state_dict(block.attention.state_dict(), strict=False)  # the norm's ones stay
        if not norm:
            new.norm = nn.Identity()
        if not rope:
            new.rope = AtTheStart()
        block.attention = new
    if rope:
        model.position_embedding_table.weight.data.zero_()
        model.position_embedding_table.requires_grad_(False)
    return with_fast_parts(model)


@dataclass(frozen=True)
class ModernNanoConfig(NanoConfig):
    """nanoGPT's recipe with another schedule, another optimizer, or both.

    linear: fall in a straight line to zero; muon: Muon for the matrices of the blocks.
    """

    linear: bool = False
    muon: bool = False

    def lr_at(self, step):
        if self.linear and step >= self.warmup:
            return self.learning_rate * (self.steps - step) / (self.steps - self.warmup)
        return super().lr_at(step)

    def optimizer(self, model):
        if not self.muon:
            return super().optimizer(model)
        muon, rest = ModernConfig(learning_rate=self.learning_rate).optimizer(model).optimizers
        adamw = decayed(weights_of(rest), self.learning_rate)
        return Clipped(CombinedOptimizer(muon, adamw))


# the best of a few rates for Muon; AdamW does not bear it
FASTER = {"muon": True, "learning_rate": 8e-3}
TOGETHER = FASTER | {"linear": True, "warmup": 10}

PARTS = Experiment(
    "modern_parts",
    "What does each modern part bring, alone on nanoGPT's recipe, and all together?",
    {
        RECIPE: Variant(nano_gpt),
        "RMSNorm": Variant(lambda: with_fast_parts(swap(nano_gpt(), norm=RMSNorm))),
        "RoPE": Variant(lambda: with_attention(nano_gpt(), rope=True)),
        "QK-norm": Variant(lambda: with_attention(nano_gpt(), norm=True)),
        "ReLU²": Variant(lambda: swap(nano_gpt(), SquaredReLUFeedForward)),
        "zero projections": Variant(lambda: zero_projections(nano_gpt())),
        "untied head": Variant(untied),
        "linear decay": Variant(nano_gpt, {"linear": True}),
        "lr 4e-3": Variant(nano_gpt, {"learning_rate": 4e-3}),
        "Muon": Variant(nano_gpt, FASTER),
        "together": Variant(modern_gpt, TOGETHER),
        "and the letter before": Variant(lambda: with_previous_token(modern_gpt()), TOGETHER),
    },
    ModernNanoConfig(steps=500),  # a quarter of the recipe: where the speedrun lives
    seeds=3,
    sizes={"n_embd": SIZES.n_embd, "n_layer": SIZES.n_layer, "n_head": SIZES.n_head},
)
