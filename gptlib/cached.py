"""Sampling with a KV cache: each token is read once, and finds the keys and values of those before it."""

import torch

from gptlib import validate
from gptlib.attention import attend, causal_mask
from gptlib.layers import Block
from gptlib.model import GPT
from gptlib.sample import generate


class KVCache:
    """The keys and values that one attention layer has computed so far."""

    def __init__(self, max_length):
        self.max_length, self.length = max_length, 0

    def append(self, k, v):
        """k, v (…, n, D) of n new positions -> those of all positions so far, each (…, length, D)."""
        if self.length == 0:
            self.k, self.v = (
                part.new_empty(*part.shape[:-2], self.max_length, part.shape[-1]) for part in (k, v)
            )
        start, self.length = self.length, self.length + k.shape[-2]
        self.k[..., start : self.length, :], self.v[..., start : self.length, :] = k, v
        return self.k[..., : self.length, :], self.v[..., : self.length, :]


class RollingKVCache(KVCache):
    """A KVCache of the last max_length positions: a new one takes the place of the oldest."""

    def append(self, k, v):
        if self.length < self.max_length:
            return super().append(k, v)
        place = self.length % self.max_length
        self.k[..., place, :], self.v[..., place, :] = k[..., 0, :], v[..., 0, :]
        self.length += 1
        return self.k, self.v


class CachedGPT:
    """A GPT that sends only new tokens through its blocks; what it needs of the others is in its caches.

    tokens (B, T) -> logits after the last of them, (B, 1, V), as the model in eval mode has them. Tokens that do not go
    on from those of the last call are read from the start.
    """

    def __init__(self, model, cache=KVCache):
        validate.cacheable(model, Block.forward)
        self.model, self.cache = model, cache
        self.vocab_size, self.block_size = model.vocab_size, model.block_size
        self.start_over()

    def start_over(self):
        self.caches = [self.cache(self.model.block_size) for _ in self.model.blocks]
        self.tokens = None  # those in the caches

    def __call__(self, tokens):
        if self.tokens is None or not goes_on(tokens, self.tokens):
            self.start_over()
        start = self.caches[0].length
        self.tokens = tokens
        x = self.model.embed(tokens[:, start:], start)  # (B, n, C), n new tokens
        for block, cache in zip(self.model.blocks, self.caches):
            x = x + self.attention(block.attention, block.ln1(x), cache)
            x = x + block.ffwd(block.ln2(x))
        return self.model.lm_head(self.model.norm(x[:, -1:]))

    def attention(self, attention, x, cache):
        where = () if isinstance(self.model, GPT) else (cache.length,)  # its table has said where
        q, k, v = attention.project_qkv(x, *where)
        k, v = cache.append(k, v)
        mask = causal_mask(k.shape[-2]).to(x.device)[-x.shape[1] :]  # (n, length): the last n rows
        return attention.merge_heads(attend(q, k, v, mask))


def goes_on(tokens, earlier):
    """Whether tokens (B, T) are earlier (B, n) and at least one more."""
    n = earlier.shape[1]
    return tokens.shape[1] > n and torch.equal(tokens[:, :n], earlier)


def generate_cached(model, tokens, max_new_tokens, **sampling):
    """What generate returns, token for token; as long as all fit into block_size, each is read once.

    Beyond block_size the window moves, and every token in it gets another position: all are read again, no gain.
    """
    return generate(CachedGPT(model), tokens, max_new_tokens, **sampling)


def generate_rolling(model, tokens, max_new_tokens, **sampling):
    """Continues tokens as far as you like, each read once; past block_size not as generate does.

    A token beyond block_size attends to the last block_size ones as they were computed, each with a past of its own.
    """
    validate.no_position_table(model)
    rolling = CachedGPT(model, RollingKVCache)
    rolling.block_size = len(tokens[0]) + max_new_tokens  # so that generate shows it everything
    before, shown = tokens[:, : -model.block_size], tokens[:, -model.block_size :]
    return torch.cat([before, generate(rolling, shown, max_new_tokens, **sampling)], dim=1)
