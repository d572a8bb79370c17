"""Language models around a body: embeddings in front, a head behind; and the GPT."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn

from gptlib import doors
from gptlib.layers import Block, LayerNorm


class LanguageModel(nn.Module):
    """Two embeddings in front, any body, and a linear layer that scores what comes next.

    tokens (B, T) long, T at most block_size -> logits (B, T, V). body: any module (B, T, C) -> (B, T, C), C = n_embd.
    """

    def __init__(self, vocab_size, block_size, n_embd, body):
        super().__init__()
        doors.at_least(1, vocab_size=vocab_size, block_size=block_size, n_embd=n_embd)
        self.vocab_size, self.block_size = vocab_size, block_size
        self.token_embedding_table = nn.Embedding(vocab_size, n_embd)
        self.position_embedding_table = nn.Embedding(block_size, n_embd)
        self.body = body
        self.lm_head = nn.Linear(n_embd, vocab_size)

    def forward(self, tokens):
        B, T = doors.token_shape(tokens, self.block_size)
        positions = torch.arange(T, device=tokens.device)
        x = self.token_embedding_table(tokens)  # (B, T, C)
        x = x + self.position_embedding_table(positions)  # (T, C), the same for every example
        return self.lm_head(self.body(x))  # (B, T, V)


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a GPT. The defaults are a small one that a laptop trains in half a minute."""

    vocab_size: int = 65
    block_size: int = 64
    n_embd: int = 64
    n_head: int = 4
    n_layer: int = 4
    dropout: float = 0.0  # small models on much text do not need it


class GPT(LanguageModel):
    """A stack of blocks and a last norm between the embeddings and lm_head.

    tokens (B, T) long -> logits (B, T, V), V = config.vocab_size. Source: Radford et al. 2019, section 2.3, with ReLU
    and an lm_head of its own.
    """

    def __init__(self, config):
        blocks = [
            Block(config.n_embd, config.n_head, config.dropout) for _ in range(config.n_layer)
        ]
        body = nn.Sequential(nn.Dropout(config.dropout), *blocks, LayerNorm(config.n_embd))
        super().__init__(config.vocab_size, config.block_size, config.n_embd, body)
        self.config = config
        std = 0.02 * math.sqrt(768 / config.n_embd)  # GPT-2's 0.02 belongs to its 768 channels
        for name, weight in self.named_parameters():
            if weight.dim() == 2:  # norms keep their ones
                # each block adds twice to the stream: so that the sum of all has that size, not each
                shrink = math.sqrt(2 * config.n_layer) if name.endswith("proj.weight") else 1.0
                nn.init.normal_(weight, std=std / shrink)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)
