"""The loss ladder: each rung of the series changes one thing in the rung below it."""

import torch.nn as nn

from gptlib.attention import CausalSelfAttention, Head
from gptlib.bigram import BigramLanguageModel
from gptlib.instruments.measure.catalogue.common import (
    LECTURE,
    LECTURE_SIZES,
    C,
    T,
    V,
    language_model,
    without_wo,
)
from gptlib.instruments.measure.catalogue.transformer import plain, residual
from gptlib.instruments.measure.experiment import Experiment, Variant
from gptlib.layers import FeedForward
from gptlib.model import GPT, GPTConfig


def gpt(dropout=0.0):
    """A GPT of the lecture's small sizes."""
    return GPT(GPTConfig(V, T, C, n_head=4, n_layer=3, dropout=dropout))


def torchs_start(model):
    """model with the random numbers that torch gives its layers by itself, in place of GPT's."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            module.reset_parameters()
    return model


def narrow_feed_forward():
    """Attention, and a feed-forward layer whose middle is no wider than its ends."""
    body = nn.Sequential(CausalSelfAttention(C, 4), FeedForward(C, expansion=1))
    return language_model(body)


LADDER = Experiment(
    "ladder",
    "What does each piece of the model bring, one at a time?",
    {
        "bigram": Variant(lambda: BigramLanguageModel(V)),
        "bigram, lr 1e-2": Variant(lambda: BigramLanguageModel(V), {"learning_rate": 1e-2}),
        "no attention": Variant(lambda: language_model(nn.Identity())),
        "one head": Variant(lambda: language_model(Head(C, C, T))),
        "4 heads": Variant(lambda: language_model(without_wo(CausalSelfAttention(C, 4)))),
        "4 heads + Wo": Variant(lambda: language_model(CausalSelfAttention(C, 4))),
        "+ feed-forward, 1×": Variant(narrow_feed_forward),
        "feed-forward, 4×": Variant(lambda: language_model(plain(1))),
        "3 blocks, no residual": Variant(lambda: language_model(plain(3))),
        "+ residual": Variant(lambda: language_model(residual(3))),
        "+ LayerNorm": Variant(lambda: torchs_start(gpt())),
        "+ better start": Variant(gpt),
        "+ dropout 0.2": Variant(lambda: gpt(dropout=0.2)),
    },
    LECTURE,
    sizes=LECTURE_SIZES,
)
