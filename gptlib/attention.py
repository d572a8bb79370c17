"""Self-attention: written out once, then one head, several heads in a list, all heads at once."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib import validate


def causal_mask(T):
    """(T, T), True where a row's query may attend to a column's key: one at the same position or earlier."""
    return torch.ones(T, T, dtype=torch.bool).tril()


def attention_weights(q, k, mask):
    """How much each query attends to each key: softmax(q·k / √D) over the keys that mask allows.

    q (…, T, D), k (…, S, D), mask (T, S) bool -> (…, T, S); rows add to one. A row of mask without a True gives nan.
    Source: Vaswani et al. 2017, section 3.2.1.
    """
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (…, T, S)
    scores = scores.masked_fill(~mask, float("-inf"))
    return F.softmax(scores, dim=-1)


def attend(q, k, v, mask):
    """For each query, the average of the values, weighted by how much it attends to their keys.

    q (…, T, D), k and v (…, S, D), mask (T, S) bool -> (…, T, D).
    """
    return attention_weights(q, k, mask) @ v


class Head(nn.Module):
    """One head of causal self-attention.

    x (B, T, C) -> (B, T, D) with C = n_embd, D = head_size, T at most block_size.
    """

    def __init__(self, n_embd, head_size, block_size):
        super().__init__()
        validate.at_least(1, n_embd=n_embd, head_size=head_size, block_size=block_size)
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)
        self.register_buffer("mask", causal_mask(block_size), persistent=False)

    def project_qkv(self, x):
        return self.query(x), self.key(x), self.value(x)  # each (B, T, D)

    def forward(self, x):
        B, T, C = x.shape
        validate.fits(T, block_size=len(self.mask))
        return attend(*self.project_qkv(x), self.mask[:T, :T])  # (B, T, D)


class MultiHeadAttention(nn.Module):
    """Several heads side by side, and a projection that mixes what they found.

    x (B, T, C) -> (B, T, C); n_head must divide n_embd = C. Source: Vaswani et al. 2017, section 3.2.2.
    """

    def __init__(self, n_embd, n_head, block_size):
        super().__init__()
        validate.divides(n_embd, n_head)
        head_size = n_embd // n_head
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
        validate.divides(n_embd, n_head)
        self.n_head, self.head_size = n_head, n_embd // n_head
        self.qkv = nn.Linear(n_embd, 3 * n_embd, bias=False)
        self.proj = nn.Linear(n_embd, n_embd)

    def project_qkv(self, x):
        B, T, C = x.shape
        qkv = self.qkv(x).view(B, T, 3, self.n_head, self.head_size)  # (B, T, 3, H, D)
        return qkv.permute(2, 0, 3, 1, 4)  # q, k, v, each (B, H, T, D)

    def merge_heads(self, out):
        B, H, T, D = out.shape
        return self.proj(out.transpose(1, 2).reshape(B, T, H * D))  # (B, T, C)

    def forward(self, x):
        q, k, v = self.project_qkv(x)
        return self.merge_heads(F.scaled_dot_product_attention(q, k, v, is_causal=True))
