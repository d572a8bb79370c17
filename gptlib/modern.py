"""What has changed since 2017: norm, positions, activation, start, optimizer, schedule."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib import doors
from gptlib.attention import CausalSelfAttention
from gptlib.layers import FeedForward
from gptlib.model import GPT
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
    """Turns pairs of channels by an angle that grows with the position: q·k sees distances.

    x (…, T, D), D = head_size, even -> the same shape; start: the position of the first. Channels 2i and 2i + 1 are
    one complex number, which position t multiplies by exp(i t frequency). Source: Su et al. 2021, section 3.2.
    """

    def __init__(self, head_size, base=10_000.0):
        super().__init__()
        doors.even(head_size=head_size)
        frequency = base ** (-torch.arange(0, head_size, 2) / head_size)  # from 1 down to 1/base
        self.register_buffer("frequency", frequency, persistent=False)

    def forward(self, x, start=0):
        positions = torch.arange(start, start + x.shape[-2], device=x.device)[:, None]
        angles = positions * self.frequency  # (T, D/2)
        pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))  # (…, T, D/2)
        turned = pairs * torch.polar(torch.ones_like(angles), angles)
        return torch.view_as_real(turned).flatten(-2).type_as(x)  # x may have 16 bits


class ModernAttention(CausalSelfAttention):
    """Attention with queries and keys normed, so that no score explodes, and turned by position.

    x (B, T, C) -> (B, T, C). q and k share a norm: of its scales only products count. Source: Henry et al. 2020.
    """

    def __init__(self, n_embd, n_head):
        super().__init__(n_embd, n_head)
        self.norm, self.rope = RMSNorm(self.head_size), RoPE(self.head_size)

    def heads(self, x, start=0):
        qkv = self.qkv(x).unflatten(-1, (3, -1, self.head_size))  # (B, T, 3, H, D)
        qkv = qkv.permute(2, 0, 3, 1, 4)  # (3, B, H, T, D)
        q, k = self.rope(self.norm(qkv[:2]), start)
        return q, k, qkv[2]

    def forward(self, x):
        out = F.scaled_dot_product_attention(*self.heads(x), is_causal=True)
        return self.proj(out.transpose(1, 2).flatten(2))


class SquaredFeedForward(FeedForward):
    """FeedForward with its ReLU squared: the weak gets weaker, the strong stronger.

    x (B, T, C) -> (B, T, C). Source: So et al. 2021, "Primer".
    """

    def forward(self, x):
        signal = F.relu(self.expand(x))
        return self.proj(signal * signal)


def zero_projections(model):
    """Starts at zero what writes into the stream, and the head: each block begins as identity."""
    for name, weight in model.named_parameters():
        if name.endswith(("proj.weight", "lm_head.weight")):
            nn.init.zeros_(weight)
    return model


def without_biases(model):
    """Takes the bias out of every linear layer; the matrices and norms around it do its work."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.bias = None
    return model


class ModernGPT(GPT):
    """A GPT of the same sizes with today's parts, and no table of positions."""

    def __init__(self, config):
        super().__init__(config)
        C, H = config.n_embd, config.n_head
        for block in self.body[1:-1]:
            block.ln1, block.attention = RMSNorm(C), ModernAttention(C, H)
            block.ln2, block.ffwd = RMSNorm(C), SquaredFeedForward(C)
            for matrix in (block.attention.qkv.weight, block.ffwd.expand.weight):
                nn.init.normal_(matrix, std=0.02 * math.sqrt(768 / C))
        self.body[-1] = RMSNorm(C)
        del self.position_embedding_table
        without_biases(zero_projections(self))

    def forward(self, tokens):
        doors.token_shape(tokens, self.block_size)
        return self.lm_head(self.body(self.token_embedding_table(tokens)))


def orthogonalize(G, steps=5):
    """Turns as G does and stretches all directions about equally: singular values near 1.

    G (…, R, C) -> the same shape. A singular value s of X becomes s·p(s²) in p(A) X, A = X Xᵀ. The small A goes through
    all steps, X is multiplied once. Source: Jordan et al. 2024, "Muon", for the three numbers.
    """
    tall = G.shape[-2] > G.shape[-1]
    X = G.mT if tall else G
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)  # no singular value above 1
    A = X @ X.mT
    Q = identity = torch.eye(A.shape[-1], device=A.device)
    for _ in range(steps):
        P = 3.4445 * identity - 4.7750 * A + 2.0315 * A @ A
        Q, A = P @ Q, P @ A @ P
    return (Q @ X).mT if tall else Q @ X


class Muon(torch.optim.Optimizer):
    """Momentum for matrices, each step made orthogonal: no direction left out, none dominates.

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
            average = self.state[matrices[0]].setdefault("average", torch.zeros_like(gradient))
            average.lerp_(gradient, 1 - group["momentum"])
            direction = orthogonalize(gradient.lerp(average, group["momentum"]))
            size = 0.2 * math.sqrt(max(matrices[0].shape))
            torch._foreach_mul_(matrices, 1 - lr * group["weight_decay"])
            torch._foreach_add_(matrices, direction.unbind(), alpha=-lr * size)


class Together:
    """Several optimizers that look like one."""

    def __init__(self, *optimizers):
        self.optimizers = optimizers
        self.param_groups = [group for one in optimizers for group in one.param_groups]

    def zero_grad(self, set_to_none=True):
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none)

    def step(self):
        for optimizer in self.optimizers:
            optimizer.step()


@dataclass(frozen=True)
class ModernConfig(TrainConfig):
    """Muon for the body's matrices, AdamW for the rest; a rate that climbs, then falls to zero."""

    learning_rate: float = 8e-3
    warmup: int = 10

    def lr_at(self, step):
        return self.learning_rate * min((step + 1) / self.warmup, 1 - step / self.steps)

    def optimizer(self, model):
        matrices = [weight for weight in model.body.parameters() if weight.dim() == 2]
        rest = [weight for weight in model.parameters() if weight not in set(matrices)]
        adamw = torch.optim.AdamW(rest, self.learning_rate, (0.9, 0.99), fused=True)
        return Together(Muon(matrices, self.learning_rate), adamw)
