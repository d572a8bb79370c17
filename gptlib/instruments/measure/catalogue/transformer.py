"""The experiments of notebooks 07 to 10: what stands around attention, swapped from outside."""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn as nn

from gptlib.attention import CausalSelfAttention
from gptlib.instruments.measure.catalogue.common import (
    LECTURE,
    LECTURE_SIZES,
    SMALL,
    SMALL_SIZES,
    C,
    T,
    V,
    language_model,
    small_gpt,
    without_wo,
)
from gptlib.instruments.measure.experiment import Experiment, Variant
from gptlib.layers import Block, FeedForward, LayerNorm
from gptlib.model import LanguageModel
from gptlib.train import TrainConfig


def plain(layers, n_embd=C):
    """Attention and feed-forward in turn, without residual connections or norms."""
    parts = (
        part
        for _ in range(layers)
        for part in (CausalSelfAttention(n_embd, 4), FeedForward(n_embd))
    )
    return nn.Sequential(*parts)


def residual(layers, wo=True, n_embd=C):
    """Blocks with their residual connections and without their norms."""
    blocks = [Block(n_embd, 4, dropout=0.0) for _ in range(layers)]
    for block in blocks:
        block.ln1 = block.ln2 = nn.Identity()
        if not wo:
            without_wo(block.attention)
    return nn.Sequential(*blocks)


class PostNormBlock(Block):
    """The block of 2017: the norm stands behind the sum, in the stream itself."""

    def forward(self, x):
        x = self.ln1(x + self.attention(x))
        return self.ln2(x + self.ffwd(x))


def normed(kind, layers, n_embd=C):
    """Blocks with one kind of norm: none, post, pre (before each part, and one at the end), or pre with RMS."""
    if kind == "none":
        return residual(layers, n_embd=n_embd)
    make = PostNormBlock if kind == "post" else Block
    blocks = [make(n_embd, 4, dropout=0.0) for _ in range(layers)]
    norm = nn.RMSNorm if kind == "RMS" else LayerNorm
    for block in blocks:
        block.ln1, block.ln2 = norm(n_embd), norm(n_embd)
    return nn.Sequential(*blocks, *([] if kind == "post" else [norm(n_embd)]))


# ---- 07: with feed-forward there, why lm_head?


def without_lm_head(body, n_embd=V):
    """A LanguageModel whose stream is as wide as the vocabulary, so that its channels are the logits."""
    model = LanguageModel(V, T, n_embd, body)
    model.lm_head = nn.Identity()
    return model


def heads_then_thinking(n_embd, n_head):
    """Attention, then feed-forward, as in the notebook."""
    return nn.Sequential(CausalSelfAttention(n_embd, n_head), FeedForward(n_embd))


LM_HEAD = Experiment(
    "lm_head",
    "With feed-forward there, do we still need lm_head?",
    {
        "C 32, ffwd, lm_head": Variant(lambda: language_model(heads_then_thinking(32, 4))),
        "C 32, lm_head only": Variant(lambda: language_model(CausalSelfAttention(32, 4))),
        "C 65, ffwd, lm_head": Variant(
            lambda: language_model(heads_then_thinking(65, 5), n_embd=65)
        ),
        "C 65, ffwd only": Variant(lambda: without_lm_head(heads_then_thinking(65, 5))),
        "C 65, neither": Variant(lambda: without_lm_head(CausalSelfAttention(65, 5))),
    },
    LECTURE,
    sizes={},
)


# ---- 07: how wide, and with what between the two matrices?


def then_feed_forward(expansion=4, between=None):
    """Attention, then feed-forward, its ReLU replaced by between, if given."""
    layer = FeedForward(C, expansion)
    if between is not None:
        layer = nn.Sequential(layer.expand, between, layer.proj)
    return language_model(nn.Sequential(CausalSelfAttention(C, 4), layer))


def then_linear_and_relu():
    """Attention, then the lecture's first feed-forward: one linear layer and a ReLU."""
    body = nn.Sequential(CausalSelfAttention(C, 4), nn.Linear(C, C), nn.ReLU())
    return language_model(body)


FEED_FORWARD = Experiment(
    "feed_forward",
    "How wide should feed-forward be, and what should stand between its two matrices?",
    {
        "one linear layer + ReLU": Variant(then_linear_and_relu),
        **{f"{n}×": Variant(lambda n=n: then_feed_forward(n)) for n in (1, 2, 4, 8, 16)},
        "4×, nothing between": Variant(lambda: then_feed_forward(between=nn.Identity())),
        "4×, GELU": Variant(lambda: then_feed_forward(between=nn.GELU())),
    },
    replace(LECTURE, steps=2000, learning_rate=3e-3),  # the setting of the notebook's own runs
    seeds=3,
    sizes=LECTURE_SIZES,
)


# ---- 08: residual connections

RESIDUAL = Experiment(
    "residual",
    "Is a deeper model without residual connections worse?",
    {
        f"{n} block{'s' * (n > 1)}, {word}": Variant(
            lambda n=n, build=build: language_model(build(n))
        )
        for n in (1, 3, 6, 12)
        for word, build in (("plain", plain), ("residual", residual))
    }
    | {"3 blocks, residual, no Wo": Variant(lambda: language_model(residual(3, wo=False)))},
    LECTURE,
    sizes=LECTURE_SIZES,
)


# ---- 09: norms

NORM = Experiment(
    "norm",
    "Why is layer norm needed, and where?",
    {
        f"{kind}, {layers} blocks, lr {lr:g}": Variant(
            lambda kind=kind, layers=layers: language_model(normed(kind, layers)),
            {"learning_rate": lr},
        )
        for layers in (3, 8)
        for lr in (1e-3, 1e-2)
        for kind in ("none", "post", "pre", "RMS")
    },
    TrainConfig(steps=1500, batch_size=32, block_size=T, learning_rate=1e-3),
    seeds=3,
    sizes=LECTURE_SIZES,
)


class DeepNormBlock(PostNormBlock):
    """Post-norm whose x counts more in each sum: (2 L)^¼ = 2 for 8 blocks. Source: Wang and others 2022."""

    def forward(self, x):
        x = self.ln1(2 * x + self.attention(x))
        return self.ln2(2 * x + self.ffwd(x))


@torch.no_grad()
def shrunk(block, factor, ends):
    """Eight blocks, those of their matrices whose names end so multiplied by factor before training."""
    body = nn.Sequential(*(block(C, 4, dropout=0.0) for _ in range(8)))
    for name, weight in body.named_parameters():
        if name.endswith(ends):
            weight *= factor
    return language_model(body)


@dataclass(frozen=True)
class WarmUp(TrainConfig):
    """A learning rate that rises in a line over the first 500 steps and then stays."""

    def lr_at(self, step):
        return self.learning_rate * min(1, (step + 1) / 500)


FAST = replace(NORM.setting, learning_rate=1e-2)
POST_NORM = Experiment(
    "post_norm",
    "What keeps eight blocks of post-norm alive where a learning rate of 0.01 kills them?",
    {
        "learning rate 0.003": Variant(
            lambda: language_model(normed("post", 8)), {"learning_rate": 3e-3}
        ),
        "DeepNorm": Variant(
            lambda: shrunk(DeepNormBlock, 8**-0.5, ("proj.weight", "expand.weight"))
        ),
        "initial proj weights ÷ 4": Variant(lambda: shrunk(PostNormBlock, 1 / 4, "proj.weight")),
        "warm-up over 500 steps": Variant(
            lambda: language_model(normed("post", 8)), setting=WarmUp(**vars(FAST))
        ),
    },
    FAST,
    seeds=3,
    sizes=LECTURE_SIZES,
)


# ---- 11: positions, dropout


def sinusoids(positions, n_embd):
    """The position table of Vaswani et al. 2017, section 3.5: (positions, n_embd)."""
    frequency = torch.exp(-math.log(10_000) * torch.arange(0, n_embd, 2) / n_embd)
    angle = torch.arange(positions)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


def with_positions(kind):
    """A small GPT whose position table is learned, frozen as it starts, sinusoidal, or zero."""
    model = small_gpt()
    table = model.position_embedding_table.weight
    if kind == "sinusoidal":
        # as large as the learned table at its start, so that only the pattern differs
        wave = sinusoids(*table.shape)
        table.data = wave * table.std() / wave.std()
    if kind == "none":
        table.data.zero_()
    table.requires_grad_(kind == "learned")
    return model


POSITION = Experiment(
    "position",
    "Must the position embedding be trained?",
    {
        kind: Variant(lambda kind=kind: with_positions(kind))
        for kind in ("learned", "frozen random", "sinusoidal", "none")
    },
    SMALL,
    sizes=SMALL_SIZES,
)

DROPOUT = Experiment(
    "dropout",
    "After how many passes over the text does dropout help?",
    {
        f"{share:.0%} of the text, dropout {p}": Variant(
            lambda p=p: small_gpt(dropout=p), share=share
        )
        for share in (1.0, 0.2, 0.1, 0.02)
        for p in (0.0, 0.2)
    },
    SMALL,
    seeds=3,
    sizes=SMALL_SIZES,
)
