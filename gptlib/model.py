"""Language models: a shell for any body, and the GPT with its named parts."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn

from gptlib import validate
from gptlib.layers import Block, LayerNorm


class LanguageModel(nn.Module):
    """Two embeddings in front, any body, and a linear layer that scores what comes next.

    tokens (B, T) long, T at most block_size -> logits (B, T, V). body: any module (B, T, C) -> (B, T, C), C = n_embd.
    """

    def __init__(self, vocab_size, block_size, n_embd, body):
        super().__init__()
        validate.at_least(1, vocab_size=vocab_size, block_size=block_size, n_embd=n_embd)
        self.vocab_size, self.block_size = vocab_size, block_size
        self.token_embedding_table = nn.Embedding(vocab_size, n_embd)
        self.position_embedding_table = nn.Embedding(block_size, n_embd)
        self.body = body
        self.lm_head = nn.Linear(n_embd, vocab_size)

    def forward(self, tokens):
        B, T = validate.token_shape(tokens, self.block_size)
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
    dropout: float = 0.0  # none: in runs as short as ours it costs more than it saves

    def __post_init__(self):
        validate.gpt_config(self)


class GPT(nn.Module):
    """Embeddings, a stack of blocks, a last norm, and a head that scores what comes next.

    tokens (B, T) long, T at most block_size -> logits (B, T, V). Source: Radford et al. 2019, section 2.3, with ReLU
    and an lm_head of its own.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.vocab_size, self.block_size = config.vocab_size, config.block_size
        C, H, L, dropout = config.n_embd, config.n_head, config.n_layer, config.dropout
        self.token_embedding_table = nn.Embedding(config.vocab_size, C)
        self.position_embedding_table = nn.Embedding(config.block_size, C)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(Block(C, H, dropout) for _ in range(L)))
        self.norm = LayerNorm(C)
        self.lm_head = nn.Linear(C, config.vocab_size)
        std = 0.02 * math.sqrt(768 / C)  # GPT-2's 0.02 at its width of 768; the scaling is ours
        for name, weight in self.named_parameters():
            if weight.dim() == 2:  # norms keep their ones
                # shrunk, so that all 2L additions to the residual stream together are as large as one
                shrink = math.sqrt(2 * L) if name.endswith("proj.weight") else 1.0
                nn.init.normal_(weight, std=std / shrink)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def embed(self, tokens, start=0):
        """(B, T) tokens, the first of them at position start -> (B, T, C)."""
        positions = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        return self.token_embedding_table(tokens) + self.position_embedding_table(positions)

    def forward(self, tokens):
        validate.token_shape(tokens, self.block_size)
        x = self.dropout(self.embed(tokens))
        return self.lm_head(self.norm(self.blocks(x)))
