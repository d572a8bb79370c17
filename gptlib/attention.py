"""Self-attention: one head, several heads in a loop, all heads at once."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib import doors


class Head(nn.Module):
    """One head: each position asks, and mixes what it and the past say by how well they fit.

    x (B, T, C) -> (B, T, D) with C = n_embd, D = head_size, T at most block_size. Weights are softmax(q·k / √D) over
    the past and the position itself. Source: Vaswani et al. 2017, section 3.2.1.
    """

    def __init__(self, n_embd, head_size, block_size):
        super().__init__()
        doors.at_least(1, n_embd=n_embd, head_size=head_size, block_size=block_size)
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)
        allowed = torch.tril(torch.ones(block_size, block_size, dtype=torch.bool))
        self.register_buffer("allowed", allowed, persistent=False)

    def forward(self, x):
        B, T, C = x.shape
        doors.fits(T, block_size=len(self.allowed))
        q, k, v = self.query(x), self.key(x), self.value(x)  # (B, T, D)
        scores = q @ k.transpose(1, 2) / math.sqrt(k.shape[-1])  # (B, T, T)
        scores = scores.masked_fill(~self.allowed[:T, :T], float("-inf"))
        weights = F.softmax(scores, dim=-1)
        return weights @ v  # (B, T, D)


class MultiHeadAttention(nn.Module):
    """Several heads, each filling its share of the channels, and a projection that mixes them.

    x (B, T, C) -> (B, T, C); n_head must divide n_embd = C. Source: Vaswani et al. 2017, section 3.2.2.
    """

    def __init__(self, n_embd, n_head, block_size):
        super().__init__()
        head_size = doors.share(n_embd, n_head)
        self.heads = nn.ModuleList(Head(n_embd, head_size, block_size) for _ in range(n_head))
        self.proj = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        return self.proj(torch.cat([head(x) for head in self.heads], dim=-1))


class CausalSelfAttention(nn.Module):
    """The same function as MultiHeadAttention: all heads in one product and one fused call.

    x (B, T, C) -> (B, T, C); n_head must divide n_embd = C. The rows of qkv.weight are the queries of all heads, then
    their keys, then their values.
    """

    def __init__(self, n_embd, n_head):
        super().__init__()
        self.head_size = doors.share(n_embd, n_head)
        self.qkv = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.proj = nn.Linear(n_embd, n_embd)

    def forward(self, x):
        B, T, C = x.shape
        qkv = self.qkv(x).view(B, T, 3, -1, self.head_size)  # (B, T, 3, H, D)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, T, D)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(out.transpose(1, 2).reshape(B, T, C))
