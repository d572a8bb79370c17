"""Writing: one token after the other, each drawn from the model's probabilities."""

import torch
import torch.nn.functional as F

from gptlib import validate


@torch.no_grad()
def generate(model, tokens, max_new_tokens, temperature=1.0, top_k=None, generator=None):
    """Continues tokens by max_new_tokens, each drawn from the model's probabilities.

    model: maps (B, T) tokens to (B, T, V) logits; its block_size, if it has one, is how far back it is shown.
    tokens: (B, T) long, T at least 1. Returns (B, T + max_new_tokens).
    temperature: above 0; below 1 sharper, above 1 flatter. top_k: draw from the k most probable only.
    generator: a torch.Generator on the tokens' device. Put the model in eval mode first.
    """
    validate.prompt(tokens, model)
    validate.at_least(0, max_new_tokens=max_new_tokens)
    window = getattr(model, "block_size", tokens.shape[1] + max_new_tokens)
    for _ in range(max_new_tokens):
        logits = model(tokens[:, -window:])[:, -1, :]  # (B, V)
        validate.sampling(temperature, top_k, vocab_size=logits.shape[-1])
        if top_k is not None:
            kth_best = logits.topk(top_k).values[:, -1:]
            logits = logits.masked_fill(logits < kth_best, float("-inf"))
        probabilities = F.softmax(logits / temperature, dim=-1)
        next_token = torch.multinomial(probabilities, num_samples=1, generator=generator)  # (B, 1)
        tokens = torch.cat([tokens, next_token], dim=1)
    return tokens
