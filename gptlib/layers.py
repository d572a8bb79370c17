"""What stands around attention in a block: feed-forward, layer norm, and the block itself."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.attention import CausalSelfAttention


class FeedForward(nn.Module):
    """Applied to each position separately: expand, ReLU, project back.

    x (B, T, C) -> (B, T, C), C = n_embd, with expansion · C channels in between.
    Source: Vaswani et al. 2017, section 3.3.
    """

    def __init__(self, n_embd, expansion=4):
        super().__init__()
        self.expand = nn.Linear(n_embd, expansion * n_embd)
        self.proj = nn.Linear(expansion * n_embd, n_embd)

    def forward(self, x):
        return self.proj(F.relu(self.expand(x)))


class LayerNorm(nn.Module):
    """Brings each position's channels to mean 0 and variance 1, then scales and shifts each.

    x (…, C) -> (…, C), C = n_embd. The same parameters as nn.LayerNorm. Source: Ba, Kiros and Hinton 2016.
    """

    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_embd))
        self.bias = nn.Parameter(torch.zeros(n_embd))

    def forward(self, x):
        mean = x.mean(dim=-1, keepdim=True)
        variance = x.var(dim=-1, keepdim=True, unbiased=False)
        return self.weight * (x - mean) / torch.sqrt(variance + self.eps) + self.bias


class Block(nn.Module):
    """Communication, then computation, each added to the residual stream.

    x (B, T, C) -> (B, T, C), C = n_embd. Pre-norm: Radford et al. 2019, section 2.3.
    """

    def __init__(self, n_embd, n_head, dropout):
        super().__init__()
        self.ln1, self.attention = LayerNorm(n_embd), CausalSelfAttention(n_embd, n_head)
        self.ln2, self.ffwd = LayerNorm(n_embd), FeedForward(n_embd)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = x + self.dropout(self.attention(self.ln1(x)))
        return x + self.dropout(self.ffwd(self.ln2(x)))
