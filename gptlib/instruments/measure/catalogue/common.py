"""What several files of the catalogue share: the lecture's sizes, two settings, and a few builders."""

import math

import torch
import torch.nn as nn

from gptlib.model import GPT, GPTConfig, LanguageModel
from gptlib.train import TrainConfig

V, C, T = 65, 32, 8  # the lecture's vocabulary, width and context
LECTURE = TrainConfig(steps=5000, batch_size=32, block_size=T, learning_rate=1e-3)
LECTURE_SIZES = {"n_embd": C}

# a context that is long enough for positions to matter
SMALL = TrainConfig(steps=1500, batch_size=16, block_size=32, learning_rate=3e-3)
SMALL_SIZES = {"n_embd": 64, "n_layer": 2}


def language_model(body, n_embd=C):
    """A LanguageModel of the lecture's sizes around body."""
    return LanguageModel(V, T, n_embd, body)


def small_gpt(vocab_size=V, block_size=SMALL.block_size, n_embd=64, dropout=0.0):
    """A GPT of two blocks."""
    return GPT(GPTConfig(vocab_size, block_size, n_embd, n_head=4, n_layer=2, dropout=dropout))


def without_wo(attention):
    """attention without its output projection."""
    attention.proj = nn.Identity()
    return attention


def tied(model):
    """model with one table to embed tokens and to score them (Press and Wolf 2017)."""
    model.lm_head.weight = model.token_embedding_table.weight
    return model


@torch.no_grad()
def start_from(model, std):
    """model, a GPT, its matrices scaled to random numbers of size std whatever its width."""
    for weight in model.parameters():
        if weight.dim() == 2:
            weight *= std / (0.02 * math.sqrt(768 / model.config.n_embd))
    return model


def weights_of(optimizer):
    """All weights that an optimizer steps."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]
