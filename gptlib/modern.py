"""What has changed since 2017: norm, positions, activation, initialization, optimizer, schedule."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib import validate
from gptlib.attention import CausalSelfAttention
from gptlib.layers import Block
from gptlib.train import TrainConfig


class RMSNorm(nn.Module):
    """Brings each position's channels to mean square 1, then scales each: no mean, no shift.

    x (…, C) -> (…, C), C = n_embd. The same parameters as nn.RMSNorm. Source: Zhang and Sennrich 2019.
    """

    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_embd))

    def forward(self, x):
        return self.weight * x * torch.rsqrt((x * x).mean(dim=-1, keepdim=True) + self.eps)


class RoPE(nn.Module):
    """Rotates pairs of channels by an angle that grows with the position, so that q·k depends on distances.

    x (…, T, D), D = head_size, even -> the same shape; start: the position of the first. Channels 2i and 2i + 1 are
    one complex number, which position t multiplies by exp(i t frequency). Source: Su et al. 2021, section 3.2.
    """

    def __init__(self, head_size, base=10_000.0):
        super().__init__()
        validate.even(head_size=head_size)
        self.head_size, self.base = head_size, base

    def forward(self, x, start=0):
        exact = torch.promote_types(x.dtype, torch.float32)  # angles need more than 16 bits
        pair = torch.arange(0, self.head_size, 2, dtype=exact, device=x.device)
        frequency = self.base ** (-pair / self.head_size)  # (D/2,), from 1 down to nearly 1/base
        positions = torch.arange(start, start + x.shape[-2], dtype=exact, device=x.device)
        angles = positions[:, None] * frequency  # (T, D/2)
        pairs = torch.view_as_complex(x.to(exact).unflatten(-1, (-1, 2)))  # (…, T, D/2)
        rotated = pairs * torch.polar(torch.ones_like(angles), angles)
        return torch.view_as_real(rotated).flatten(-2).type_as(x)


class ModernAttention(CausalSelfAttention):
    """CausalSelfAttention with QK-norm, so that no score explodes, and RoPE; no bias.

    x (B, T, C) -> (B, T, C). q and k share a norm, since of its scales only products count. Source: Henry et al. 2020.
    """

    def __init__(self, n_embd, n_head):
        super().__init__(n_embd, n_head)
        self.proj = nn.Linear(n_embd, n_embd, bias=False)
        self.norm, self.rope = RMSNorm(self.head_size), RoPE(self.head_size)

    def project_qkv(self, x, start=0):
        qkv = super().project_qkv(x)  # (3, B, H, T, D)
        q, k = self.rope(self.norm(qkv[:2]), start)
        return q, k, qkv[2]


class SquaredReLUFeedForward(nn.Module):
    """FeedForward with its ReLU squared, and without biases.

    x (B, T, C) -> (B, T, C). Source: So et al. 2021, "Primer".
    """

    def __init__(self, n_embd, expansion=4):
        super().__init__()
        self.expand = nn.Linear(n_embd, expansion * n_embd, bias=False)
        self.proj = nn.Linear(expansion * n_embd, n_embd, bias=False)

    def forward(self, x):
        signal = F.relu(self.expand(x))
        return self.proj(signal * signal)


class ModernBlock(nn.Module):
    """A pre-norm block of today's parts; its two lines are Block's."""

    def __init__(self, n_embd, n_head, dropout):
        super().__init__()
        self.ln1, self.attention = RMSNorm(n_embd), ModernAttention(n_embd, n_head)
        self.ln2, self.ffwd = RMSNorm(n_embd), SquaredReLUFeedForward(n_embd)
        self.dropout = nn.Dropout(dropout)

    forward = Block.forward


def zero_projections(model):
    """Sets to zero what writes into the residual stream, and the head: each block starts as the identity."""
    for name, weight in model.named_parameters():
        if name.endswith(("proj.weight", "lm_head.weight")):
            nn.init.zeros_(weight)
    return model


class ModernGPT(nn.Module):
    """A GPT of today's parts, without a table of positions.

    tokens (B, T) long, T at most block_size -> logits (B, T, V). config: a GPTConfig.
    """

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.vocab_size, self.block_size = config.vocab_size, config.block_size
        C, H, L, dropout = config.n_embd, config.n_head, config.n_layer, config.dropout
        self.token_embedding_table = nn.Embedding(config.vocab_size, C)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(ModernBlock(C, H, dropout) for _ in range(L)))
        self.norm = RMSNorm(C)
        self.lm_head = nn.Linear(C, config.vocab_size, bias=False)
        for weight in self.parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, std=0.02 * math.sqrt(768 / C))
        zero_projections(self)

    def embed(self, tokens, start=0):
        """(B, T) tokens -> (B, T, C); where they stand is for RoPE to say."""
        return self.token_embedding_table(tokens)

    def forward(self, tokens):
        validate.token_shape(tokens, self.block_size)
        x = self.dropout(self.embed(tokens))
        return self.lm_head(self.norm(self.blocks(x)))


def newton_schulz(G, steps=5):
    """G with all its singular values brought near 1, by products of matrices alone.

    G (…, R, C) -> the same shape. A singular value s of X becomes s·p(s²) in p(A) X, A = X Xᵀ. The small A goes through
    all steps, X is multiplied once. Source: Jordan et al. 2024, "Muon", for the three numbers.
    """
    X = G.to(torch.promote_types(G.dtype, torch.float32))
    X = X.mT if G.shape[-2] > G.shape[-1] else X  # wide, so that A is the smaller square
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)  # no singular value above 1
    A = X @ X.mT
    Q = identity = torch.eye(A.shape[-1], device=A.device, dtype=A.dtype)
    for _ in range(steps):
        P = 3.4445 * identity - 4.7750 * A + 2.0315 * A @ A
        Q, A = P @ Q, P @ A @ P
    X = Q @ X
    return (X.mT if G.shape[-2] > G.shape[-1] else X).type_as(G)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum for matrices, each step made orthogonal: no direction left out, none dominates.

    A step is as large as AdamW's, about 0.2 a weight. Source: Jordan et al. 2024; size and decay: Liu et al. 2025.
    """

    def __init__(self, matrices, lr, momentum=0.95, weight_decay=0.1):
        shapes = {}  # matrices of one shape take their steps as one batch
        for matrix in matrices:
            shapes.setdefault(matrix.shape, []).append(matrix)
        groups = [{"params": same} for same in shapes.values()]
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            matrices, lr = group["params"], group["lr"]
            gradient = torch.stack([matrix.grad for matrix in matrices])  # (N, R, C)
            state = self.state[matrices[0]]
            buffer = state.setdefault("momentum_buffer", torch.zeros_like(gradient))
            buffer.lerp_(gradient, 1 - group["momentum"])
            direction = newton_schulz(gradient.lerp(buffer, group["momentum"]))
            size = 0.2 * math.sqrt(max(matrices[0].shape))
            torch._foreach_mul_(matrices, 1 - lr * group["weight_decay"])
            torch._foreach_add_(matrices, direction.unbind(), alpha=-lr * size)


class CombinedOptimizer:
    """Several optimizers that act as one."""

    def __init__(self, *optimizers):
        self.optimizers = optimizers

    @property
    def param_groups(self):
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def zero_grad(self, set_to_none=True):
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none)

    def step(self):
        for optimizer in self.optimizers:
            optimizer.step()

    def state_dict(self):
        return {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}

    def load_state_dict(self, state):
        for optimizer, own in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(own)


@dataclass(frozen=True)
class ModernConfig(TrainConfig):
    """Muon for the matrices of the blocks, AdamW for the rest; the learning rate warms up, then falls to zero."""

    learning_rate: float = 8e-3
    warmup: int = 10

    def __post_init__(self):
        super().__post_init__()
        validate.at_least(1, warmup=self.warmup)

    def lr_at(self, step):
        return self.learning_rate * min((step + 1) / self.warmup, 1 - step / self.steps)

    def optimizer(self, model):
        matrices = [weight for weight in model.blocks.parameters() if weight.dim() == 2]
        rest = [weight for weight in model.parameters() if weight not in set(matrices)]
        adamw = torch.optim.AdamW(rest, self.learning_rate, (0.9, 0.99), fused=True)
        return CombinedOptimizer(Muon(matrices, self.learning_rate), adamw)
