"""Looking into models from outside: attention weights, proofs of causality, copies between equal layers."""

import copy
import math

import torch
import torch.nn.functional as F

from gptlib import doors
from gptlib.train import evaluating


def head_weights(head, x):
    """(B, 1, T, T): the weights of a Head for its input x (B, T, C), computed again from its own queries and keys."""
    T = x.shape[1]
    scores = head.query(x) @ head.key(x).transpose(-2, -1) / math.sqrt(head.key.out_features)
    return masked_softmax(scores, head.allowed[:T, :T])[:, None]


def multi_head_weights(attention, x):
    """(B, H, T, T) of a MultiHeadAttention."""
    return torch.cat([head_weights(head, x) for head in attention.heads], dim=1)


def causal_self_attention_weights(attention, x):
    """(B, H, T, T) of a CausalSelfAttention, whose fused call never shows them."""
    B, T, C = x.shape
    D = attention.head_size
    q, k, _ = attention.qkv(x).split(C, dim=-1)
    q, k = (part.view(B, T, C // D, D).transpose(1, 2) for part in (q, k))  # (B, H, T, D)
    allowed = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()
    return masked_softmax(q @ k.transpose(-2, -1) / math.sqrt(D), allowed)


def modern_attention_weights(attention, x):
    """(B, H, T, T) of a ModernAttention, from the queries and keys that it really compares."""
    q, k, _ = attention.heads(x)
    allowed = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
    return masked_softmax(q @ k.transpose(-2, -1) / math.sqrt(attention.head_size), allowed)


def masked_softmax(scores, allowed):
    """Softmax over the last axis of scores, with 0 where allowed is False."""
    return F.softmax(scores.masked_fill(~allowed, float("-inf")), dim=-1)


# by name and not by class: the notebook that builds a Head has a class of its own with that name
READERS = {
    "Head": head_weights,
    "MultiHeadAttention": multi_head_weights,
    "CausalSelfAttention": causal_self_attention_weights,
    "ModernAttention": modern_attention_weights,  # found before the class that it derives from
}


def names_of(module):
    """The names of module's class and of those that it derives from."""
    return [kind.__name__ for kind in type(module).__mro__]


def reader_of(module):
    """The function that reads module's attention weights, also for a subclass; None if module is no attention."""
    return next((READERS[name] for name in names_of(module) if name in READERS), None)


def attention_layers(model):
    """{name: module} of every attention layer of model, in order; the heads inside one count as part of it."""
    found = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(outer + ".") for outer in found)
        if reader_of(module) and not inside:
            found[name] = module
    return found


@torch.no_grad()
def attention_maps(model, tokens):
    """All attention weights of model for tokens (B, T), as (L, B, H, T, T): layer, example, head, from, to.

    Row t of a map says what position t takes from each position. Computed outside the model, from the inputs that its
    layers really got, in eval mode. Ids outside the vocabulary, or a model without attention, raise ValueError.
    """
    doors.prompt(tokens, model)
    layers, inputs = attention_layers(model), {}
    if not layers:
        raise ValueError(
            "this model has no attention layer that look.READERS knows; add a reader for it"
        )
    hooks = [
        layer.register_forward_pre_hook(lambda _, args, name=name: inputs.update({name: args[0]}))
        for name, layer in layers.items()
    ]
    try:
        with evaluating(model):
            model(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack([reader_of(layer)(layer, inputs[name]) for name, layer in layers.items()])


def without_mask(model):
    """A copy of model whose heads see the future too; model itself stays as it is."""
    twin = copy.deepcopy(model)
    for module in twin.modules():
        if "Head" in names_of(module):
            module.allowed.fill_(True)
    return twin


def assert_causal(model, T=None, seed=0):
    """Raise AssertionError unless nothing that model says before position t depends on the tokens from t on.

    Shown twice, for every t: change token t, and no earlier logit may move; ask for the gradient of the logits before
    t with respect to the embeddings from t on, and it must be zero. T: how many tokens; block_size by default.
    """
    T = T or model.block_size
    generator = torch.Generator().manual_seed(seed)
    device = next(model.parameters()).device
    tokens = torch.randint(model.vocab_size, (1, T), generator=generator).to(device)
    with evaluating(model):
        assert_change_moves_nothing_earlier(model, tokens)
        assert_gradient_to_the_future_is_zero(model, tokens)


@torch.no_grad()
def assert_change_moves_nothing_earlier(model, tokens):
    """The first half of assert_causal; all changes go through the model as one batch."""
    T = tokens.shape[1]
    changed = tokens.repeat(T, 1)  # (T, T): row t has another token at position t
    places = torch.arange(T, device=tokens.device)
    changed[places, places] = (changed[places, places] + 1) % model.vocab_size
    moved = (model(changed) - model(tokens)).abs().amax(dim=-1)  # (T, T): changed at, seen at
    if not moved.any():
        raise AssertionError(
            "nothing can be seen: whatever the tokens, the logits are the same; give matrices of zeros some numbers"
        )
    leaks = moved.tril(-1) > 1e-5 * (1 + moved.max())
    if leaks.any():
        changed_at, seen_at = leaks.nonzero()[0].tolist()
        raise AssertionError(
            f"position {seen_at} sees the future: it moved when token {changed_at} was changed"
        )


def assert_gradient_to_the_future_is_zero(model, tokens):
    """The second half of assert_causal."""
    embedded = []

    def keep(module, args, output):
        embedded.append(output.detach().requires_grad_())
        return embedded[-1]

    hook = model.token_embedding_table.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = model(tokens)
    finally:
        hook.remove()
    for t in range(1, tokens.shape[1]):
        if not logits.requires_grad:
            return
        (gradient,) = torch.autograd.grad(logits[:, t - 1].sum(), embedded[0], retain_graph=True)
        if gradient[:, t:].abs().max() > 0:
            raise AssertionError(
                f"position {t - 1} sees the future: its gradient reaches a later token"
            )


@torch.no_grad()
def copy_weights(source, target):
    """Copy a MultiHeadAttention's weights into a CausalSelfAttention, or into an nn.MultiheadAttention (no bias on
    q, k, v), so that both are the same function. The sizes must agree."""
    stacked = [
        torch.cat([getattr(head, part).weight for head in source.heads])
        for part in ("query", "key", "value")
    ]
    inner, outer = (
        (target.qkv.weight, target.proj)
        if "CausalSelfAttention" in names_of(target)
        else (target.in_proj_weight, target.out_proj)
    )
    if inner.shape != torch.cat(stacked).shape:
        raise ValueError(
            f"the source has {tuple(torch.cat(stacked).shape)} weights for q, k, v, the target {tuple(inner.shape)}; "
            "build both with the same n_embd"
        )
    inner.copy_(torch.cat(stacked))
    outer.weight.copy_(source.proj.weight)
    if outer.bias is not None:
        outer.bias.copy_(source.proj.bias)
    for name, parameter in target.named_parameters():
        if name == "in_proj_bias":
            parameter.zero_()
