"""What has changed since 2017: norm, positions, activation, start, optimizer, schedule, and writing with a memory."""

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib import doors
from gptlib.attention import CausalSelfAttention
from gptlib.layers import FeedForward
from gptlib.model import GPT
from gptlib.sample import generate
from gptlib.train import TrainConfig


class RMSNorm(nn.Module):
    """Brings the channels of each position to mean square 1, then scales each channel: no mean, no shift.

    x (…, C) -> (…, C), C = n_embd. The same parameters as nn.RMSNorm. Source: Zhang and Sennrich 2019.
    """

    def __init__(self, n_embd, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_embd))

    def forward(self, x):
        mean_square = x.square().mean(dim=-1, keepdim=True)
        return self.weight * x * torch.rsqrt(mean_square + self.eps)


class RoPE(nn.Module):
    """Turns each pair of channels by an angle that grows with the position, so that q·k sees distances only.

    x (…, T, D), D = head_size, even -> the same shape. Channels 2i and 2i + 1 are one complex number, which position
    t multiplies by exp(i t frequency). start: the position of the first. Source: Su et al. 2021, section 3.2.
    """

    def __init__(self, head_size, base=10_000.0):
        super().__init__()
        doors.share(head_size, 2)
        frequency = base ** (-torch.arange(0, head_size, 2) / head_size)  # from 1 down to 1/base
        self.register_buffer("frequency", frequency, persistent=False)

    def forward(self, x, start=0):
        positions = torch.arange(start, start + x.shape[-2], device=x.device)
        angles = positions[:, None] * self.frequency  # (T, D/2)
        pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))  # (…, T, D/2)
        turned = pairs * torch.polar(torch.ones_like(angles), angles)
        return torch.view_as_real(turned).flatten(-2)


class ModernAttention(CausalSelfAttention):
    """Attention whose queries and keys are normed, so that no score can explode, and turned by their position.

    x (B, T, C) -> (B, T, C). The parameters of CausalSelfAttention, and one scale for each channel of a head: q and k
    share it, as only their product counts. QK-norm: Henry et al. 2020; with RMSNorm: Dehghani et al. 2023.
    """

    def __init__(self, n_embd, n_head):
        super().__init__(n_embd, n_head)
        self.norm, self.rope = RMSNorm(self.head_size), RoPE(self.head_size)

    def heads(self, x, start=0):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, -1, self.head_size).permute(2, 0, 3, 1, 4)
        return self.rope(self.norm(q), start), self.rope(self.norm(k), start), v  # (B, H, T, D)

    def forward(self, x):
        out = F.scaled_dot_product_attention(*self.heads(x), is_causal=True)
        return self.proj(out.transpose(1, 2).flatten(2))


class SquaredFeedForward(FeedForward):
    """A feed-forward layer whose ReLU is squared: a weak signal stays weak, a strong one counts more.

    x (B, T, C) -> (B, T, C); the parameters of FeedForward. Source: So et al. 2021.
    """

    def forward(self, x):
        return self.proj(F.relu(self.expand(x)).square())


class SwiGLU(nn.Module):
    """A feed-forward layer in which one half of the wide channels opens and shuts the other half.

    x (B, T, C) -> (B, T, C), with 8/3 · C channels inside, so that it has the matrices' weights of a FeedForward.
    Source: Shazeer 2020.
    """

    def __init__(self, n_embd):
        super().__init__()
        self.expand = nn.Linear(n_embd, 2 * (8 * n_embd // 3), bias=False)
        self.proj = nn.Linear(8 * n_embd // 3, n_embd, bias=False)

    def forward(self, x):
        gate, inside = self.expand(x).chunk(2, dim=-1)
        return self.proj(F.silu(gate) * inside)


def zero_projections(model):
    """Start every projection into the stream at zero, so that each block begins as the identity.

    Changes model in place and returns it.
    """
    for name, weight in model.named_parameters():
        if name.endswith("proj.weight"):
            nn.init.zeros_(weight)
    return model


def without_biases(model):
    """Take the bias out of every linear layer: the norms and matrices around it do its work.

    Changes model in place and returns it.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.bias = None
    return model


class ModernGPT(GPT):
    """The same stack of blocks with today's parts, and no table of positions.

    tokens (B, T) long -> logits (B, T, V). config: GPT's; its dropout stands where it stood.
    """

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
    """A matrix that turns as G does and stretches all directions about equally: singular values near 1.

    G (…, R, C) -> the same shape. Newton and Schulz: an odd polynomial of a matrix acts on its singular values
    alone; this one pulls each of them towards 1, to within 0.7 … 1.2, unless it was under 1/1,000 of the largest.
    Source: Jordan et al. 2024, "Muon", for the three numbers.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G.mT if G.shape[-2] > G.shape[-1] else G  # so that X Xᵀ is the small one of the two
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)  # no singular value above 1
    for _ in range(steps):
        A = X @ X.mT
        X = a * X + (b * A + c * A @ A) @ X
    return X.mT if G.shape[-2] > G.shape[-1] else X


class Muon(torch.optim.Optimizer):
    """Momentum for matrices, whose every step is made orthogonal: no direction is left out, none dominates.

    matrices: parameters of two dimensions. Those of one shape are one group, and take their steps as one batch. A
    step has the size that AdamW's would have, 0.2 a weight, so that one learning rate serves both.
    Source: Jordan et al. 2024; the size and the weight decay: Liu et al. 2025.
    """

    def __init__(self, matrices, lr, momentum=0.95, weight_decay=0.1):
        shapes = {}
        for matrix in matrices:
            shapes.setdefault(matrix.shape, []).append(matrix)
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__([{"params": same} for same in shapes.values()], defaults)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            matrices, lr = group["params"], group["lr"]
            gradient = torch.stack([matrix.grad for matrix in matrices])  # (N, R, C)
            state = self.state[matrices[0]]
            average = state.setdefault("average", torch.zeros_like(gradient))
            average.lerp_(gradient, 1 - group["momentum"])
            turn = orthogonalize(gradient.lerp(average, group["momentum"]))
            size = 0.2 * math.sqrt(max(matrices[0].shape))
            torch._foreach_mul_(matrices, 1 - lr * group["weight_decay"])
            torch._foreach_add_(matrices, list(turn.unbind()), alpha=-lr * size)


class Together:
    """Several optimizers that look like one."""

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


@dataclass(frozen=True)
class ModernConfig(TrainConfig):
    """Muon for the matrices of the body, AdamW for the rest; a rate that climbs for a moment and then falls to zero."""

    learning_rate: float = 1e-2
    warmup: int = 20  # steps

    def lr_at(self, step):
        return self.learning_rate * min((step + 1) / self.warmup, 1 - step / self.steps)

    def optimizer(self, model):
        matrices = [weight for weight in model.body.parameters() if weight.dim() == 2]
        known = set(matrices)
        others = [weight for weight in model.parameters() if weight not in known]
        adamw = torch.optim.AdamW(others, self.learning_rate, betas=(0.9, 0.99), fused=True)
        return Together(Muon(matrices, self.learning_rate), adamw)


class Remembering:
    """A GPT that keeps the keys and values of what it has read, so that only new tokens go through it.

    Called like the GPT, with tokens (B, T): if they are one more than last time, that one is read; otherwise all are
    read from the start. Returns the last position's logits, (B, 1, V). Entry t of the memory is position t, and with
    RoPE also position t + block_size, … : then the newest overwrites the oldest.
    """

    def __init__(self, gpt):
        self.gpt, self.size, self.vocab_size = gpt, gpt.block_size, gpt.vocab_size
        self.read, self.memory = 0, None

    def __call__(self, tokens):
        if self.memory is None or tokens.shape[1] != self.read + 1:
            self.start_over(len(tokens))
        x = self.embed(tokens[:, self.read :])
        for block, memory in zip(self.gpt.body[1:-1], self.memory):
            x = x + self.attend(block.attention, block.ln1(x), memory)
            x = x + block.ffwd(block.ln2(x))
        self.read = tokens.shape[1]
        return self.gpt.lm_head(self.gpt.body[-1](x[:, -1:]))

    def start_over(self, B):
        attention = self.gpt.body[1].attention
        H, D = attention.proj.in_features // attention.head_size, attention.head_size
        blocks, like = len(self.gpt.body[1:-1]), self.gpt.lm_head.weight
        self.read, self.memory = 0, like.new_empty(blocks, 2, B, H, self.size, D)

    def embed(self, tokens):
        x = self.gpt.token_embedding_table(tokens)
        table = getattr(self.gpt, "position_embedding_table", None)
        return x if table is None else x + table.weight[self.read : self.read + x.shape[1]]

    def heads(self, attention, x):
        if hasattr(attention, "heads"):
            return attention.heads(x, self.read)
        qkv = attention.qkv(x).unflatten(-1, (3, -1, attention.head_size))
        return qkv.permute(2, 0, 3, 1, 4)

    def attend(self, attention, x, memory):
        q, k, v = self.heads(attention, x)  # (B, H, n, D), n new tokens
        slot, n = self.read % self.size, x.shape[1]
        memory[0, :, :, slot : slot + n], memory[1, :, :, slot : slot + n] = k, v
        keys, values = memory[:, :, :, : self.read + n]
        out = F.scaled_dot_product_attention(q, keys, values, is_causal=n > 1)
        return attention.proj(out.transpose(1, 2).flatten(2))


def generate_cached(model, tokens, max_new_tokens, **sampling):
    """What generate returns, token for token, with each new token read once.

    model: a GPT or ModernGPT in eval mode; the rest as in generate. Once block_size is reached, the window moves and
    every position in it changes, so that all is read again for each token: as slow as generate.
    """
    remembering = Remembering(model)
    remembering.block_size = model.block_size  # generate then shows it the last block_size
    return generate(remembering, tokens, max_new_tokens, **sampling)


def generate_rolling(model, tokens, max_new_tokens, **sampling):
    """Continues tokens for as long as you like, each new token read once; past block_size not what generate returns.

    model: a ModernGPT in eval mode. Beyond block_size the oldest memory is overwritten. What stays was computed when
    older tokens were still in view, so a token hears indirectly of more than block_size others.
    """
    doors.no_position_table(model)
    size = model.block_size
    written = generate(Remembering(model), tokens[:, -size:], max_new_tokens, **sampling)
    return torch.cat([tokens[:, :-size], written], dim=1)
