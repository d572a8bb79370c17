"""Attention weights and chances as few bytes: what explorer/weights.js reads."""

import torch

TOP = 8  # next tokens shown


def is_causal(maps):
    """Whether no weight of maps (…, T, T) lies above the diagonal."""
    return not bool(maps.triu(1).any())


def pack(maps, causal):
    """maps (L, H, T, T) as bytes, 255 for a weight of 1; row after row, and of row t only t + 1 weights if causal."""
    T = maps.shape[-1]
    kept = torch.ones(T, T, dtype=torch.bool)
    levels = (maps.cpu() * 255).round().to(torch.uint8)
    return levels[..., kept.tril() if causal else kept].numpy().tobytes()


def size_of(shape, causal):
    """How many bytes pack makes of weights of shape (L, H, T, T)."""
    L, H, T, _ = shape
    return L * H * (T * (T + 1) // 2 if causal else T * T)


def best(chances):
    """The TOP likeliest next tokens of every position: chances (T, V) -> (ids, chances), both (T, TOP) or fewer."""
    top = chances.cpu().sort(dim=-1, descending=True, stable=True)
    return top.indices[:, :TOP].numpy(), top.values[:, :TOP].numpy()
