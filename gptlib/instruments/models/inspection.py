"""Looking into models from outside: attention weights, proofs of causality, copies between equal layers.

An attention layer is anything that has a method project_qkv(x) -> q, k, v, each (B, T, D) or (B, H, T, D); what it
does with the output of its heads, if anything, is its merge_heads(out).
"""

import copy
from contextlib import contextmanager

import torch

from gptlib import validate
from gptlib.attention import attention_weights, causal_mask
from gptlib.train import evaluating


def attention_layers(model):
    """{name: [modules]} of every attention layer of model, in order; heads in one list are one layer."""
    containers = {id(m) for m in model.modules() if isinstance(m, torch.nn.ModuleList)}
    parents = {name: id(module) for name, module in model.named_modules()}
    found = {}
    for name, module in model.named_modules():
        if hasattr(module, "project_qkv"):
            above = name.rpartition(".")[0]
            found.setdefault(above if parents[above] in containers else name, []).append(module)
    if not found:
        raise ValueError(
            "this model has no attention layer that can be looked into; give its attention a method project_qkv(x)"
        )
    return found


def spelled_out(module, x, temperature=1.0, mask=None):
    """(output, weights (B, H, T, T)) of one attention module for its input x (B, T, C), by way of its weights.

    temperature divides the scores; mask (T, T) bool, the causal one by default.
    """
    T = x.shape[1]
    q, k, v = module.project_qkv(x)
    # a Head keeps its mask, which an experiment may have changed
    mask = getattr(module, "mask", causal_mask(T))[:T, :T] if mask is None else mask
    weights = attention_weights(q / temperature, k, mask.to(x.device))
    out = weights @ v
    out = module.merge_heads(out) if hasattr(module, "merge_heads") else out
    return out, weights.reshape(len(x), -1, T, T)


@contextmanager
def weights_shown(model, **changes):
    """Within the block model notes its attention weights; yields {module: weights (B, H, T, T)}, filled as it runs.

    changes: see spelled_out, which then computes in place of the modules; without any they compute as they do.
    """
    modules = [module for layer in attention_layers(model).values() for module in layer]
    found = {}

    def forward_of(module):
        def forward(x):
            out, found[module] = spelled_out(module, x, **changes)
            return out if changes else type(module).forward(module, x)

        return forward

    try:
        for module in modules:
            module.forward = forward_of(module)
        yield found
    finally:
        for module in modules:
            del module.forward


@torch.no_grad()
def attention_and_logits(model, tokens, **changes):
    """(all attention weights of model for tokens (B, T), as (L, B, H, T, T), and its logits (B, T, V)), in eval mode.

    Row t of a map says how much the query at t attends to each key. changes: temperature or mask, as spelled_out has
    them; later layers and the logits follow from them. Unknown ids, or a model without attention, raise ValueError.
    """
    validate.prompt(tokens, model)
    layers = attention_layers(model).values()
    with evaluating(model), weights_shown(model, **changes) as found:
        logits = model(tokens)
    return torch.stack([torch.cat([found[m] for m in layer], dim=1) for layer in layers]), logits


def attention_maps(model, tokens):
    """All attention weights of model for tokens (B, T), as (L, B, H, T, T): layer, example, head, query, key."""
    return attention_and_logits(model, tokens)[0]


def without_mask(model):
    """A copy of model whose heads attend to the future too; model itself stays as it is."""
    twin = copy.deepcopy(model)
    for name, mask in twin.named_buffers():
        if name.split(".")[-1] == "mask":
            mask.fill_(True)
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
    positions = torch.arange(T, device=tokens.device)
    changed[positions, positions] = (changed[positions, positions] + 1) % model.vocab_size
    moved = (model(changed) - model(tokens)).abs().amax(dim=-1)  # (T, T): changed at, seen at
    if not moved.any():
        raise AssertionError(
            "nothing can be seen: whatever the tokens, the logits are the same; give matrices of zeros some numbers"
        )
    leaks = moved.tril(-1) > 1e-5 * (1 + moved.max())
    if leaks.any():
        changed_at, seen_at = leaks.nonzero()[0].tolist()
        raise AssertionError(
            f"position {seen_at} sees the future: its output moved when token {changed_at} was changed"
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
    stacked = torch.cat(
        [getattr(head, part).weight for part in ("query", "key", "value") for head in source.heads]
    )
    torchs = isinstance(target, torch.nn.MultiheadAttention)
    inner, outer = (
        (target.in_proj_weight, target.out_proj) if torchs else (target.qkv.weight, target.proj)
    )
    if inner.shape != stacked.shape:
        raise ValueError(
            f"the source has {tuple(stacked.shape)} weights for q, k, v, the target {tuple(inner.shape)}; "
            "build both with the same n_embd"
        )
    inner.copy_(stacked)
    outer.weight.copy_(source.proj.weight)
    if outer.bias is not None:
        outer.bias.copy_(source.proj.bias)
    if torchs and target.in_proj_bias is not None:
        target.in_proj_bias.zero_()
