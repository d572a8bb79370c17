"""What a model did with a prompt: attention weights and next-token chances; also hotter, colder or without mask.

The model that is asked is changed from outside: while it runs, its attention layers compute with a spelled-out twin.
"""

import math
from contextlib import contextmanager

import torch
import torch.nn.functional as F

from gptlib import doors
from gptlib.instruments import look
from gptlib.train import evaluating


def weights_of(q, k, allowed, temperature):
    """(B, H, T, T): softmax(q·k / √D / temperature) for q and k (B, H, T, D), 0 where allowed (T, T) is False."""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return look.masked_softmax(scores / temperature, allowed)


def head_twin(head, x, temperature, masked):
    """(output (B, T, D), weights (B, 1, T, T)) of a Head for its input x (B, T, C)."""
    T = x.shape[1]
    q, k, v = (part(x)[:, None] for part in (head.query, head.key, head.value))  # (B, 1, T, D)
    allowed = head.allowed[:T, :T] if masked else torch.ones_like(head.allowed[:T, :T])
    weights = weights_of(q, k, allowed, temperature)
    return (weights @ v)[:, 0], weights


def all_heads_twin(attention, q, k, v, temperature, masked):
    """(output (B, T, C), weights (B, H, T, T)) of an attention layer for its q, k, v, each (B, H, T, D)."""
    T = q.shape[2]
    every = torch.ones(T, T, dtype=torch.bool, device=q.device)
    weights = weights_of(q, k, every.tril() if masked else every, temperature)
    return attention.proj((weights @ v).transpose(1, 2).flatten(2)), weights


def causal_self_attention_twin(attention, x, temperature, masked):
    """What a CausalSelfAttention makes of its input x (B, T, C)."""
    qkv = attention.qkv(x).unflatten(-1, (3, -1, attention.head_size))  # (B, T, 3, H, D)
    return all_heads_twin(attention, *qkv.permute(2, 0, 3, 1, 4), temperature, masked)


def modern_attention_twin(attention, x, temperature, masked):
    """The same of a ModernAttention, whose queries and keys are normed and turned."""
    return all_heads_twin(attention, *attention.heads(x), temperature, masked)


# by name, as in look.READERS; a MultiHeadAttention keeps its own forward, its heads get their twins
TWINS = {
    "Head": head_twin,
    "CausalSelfAttention": causal_self_attention_twin,
    "ModernAttention": modern_attention_twin,
}


def twin_of(module):
    """The function that computes what module computes, also for a subclass; None if there is none."""
    return next((TWINS[name] for name in look.names_of(module) if name in TWINS), None)


def parts_with_twins(layer):
    """The modules of one attention layer that have a twin, in order; raises ValueError if there is none."""
    parts = [module for module in layer.modules() if twin_of(module)]
    if not parts:
        raise ValueError(
            f"another temperature or no mask needs {type(layer).__name__} spelled out; "
            "add a function for it to compute.TWINS"
        )
    return parts


@contextmanager
def swapped(layers, temperature, masked):
    """Within the block the attention layers compute by their twins; yields {part: weights}, filled as they run."""
    parts, found = [part for layer in layers for part in parts_with_twins(layer)], {}
    before = [part.__dict__.get("forward") for part in parts]

    def forward_of(part):
        def forward(x):
            out, found[part] = twin_of(part)(part, x, temperature, masked)
            return out

        return forward

    try:
        for part in parts:
            part.forward = forward_of(part)
        yield found
    finally:
        for part, forward in zip(parts, before):
            del part.forward
            if forward is not None:
                part.forward = forward


@torch.no_grad()
def attention_and_chances(model, tokens, temperature=1.0, masked=True):
    """(attention weights (L, H, T, T), chances of the next token (T, V)) of model for tokens (1, T), in eval mode.

    At temperature 1 with the mask it is the model itself that is asked, else its twin: later layers and the chances
    follow from the changed weights. Bad tokens, a model without attention or a temperature of 0 raise ValueError.
    """
    doors.prompt(tokens, model)
    doors.positive(temperature=temperature)
    if temperature == 1 and masked:
        maps = look.attention_maps(model, tokens)
        with evaluating(model):
            return maps[:, 0], F.softmax(model(tokens)[0], dim=-1)
    layers = list(look.attention_layers(model).values())
    with evaluating(model), swapped(layers, temperature, masked) as found:
        logits = model(tokens)
    maps = [torch.cat([found[part] for part in parts_with_twins(layer)], dim=1) for layer in layers]
    return torch.stack(maps)[:, 0], F.softmax(logits[0], dim=-1)
