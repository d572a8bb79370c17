"""Writing with a memory: each new token is read alone, and finds the keys and values of those before it."""

import torch
import torch.nn.functional as F

from gptlib import doors
from gptlib.sample import generate


class Remembering:
    """A GPT that keeps the keys and values of what it has read; only new tokens go through it.

    tokens (B, T) -> the last logits (B, 1, V). Of one more than last time the last is read, else all are.
    """

    def __init__(self, gpt, B):
        self.gpt, self.vocab_size, self.read = gpt, gpt.vocab_size, 0
        sizes, self.places = gpt.config, gpt.block_size
        shape = (2, B, sizes.n_head, self.places, sizes.n_embd // sizes.n_head)
        self.memory = [gpt.lm_head.weight.new_empty(shape) for _ in range(sizes.n_layer)]

    def __call__(self, tokens):
        if tokens.shape[1] != self.read + 1:
            self.read = 0
        earlier = max(self.read - 1, 0)  # a table may look at the token before
        x = self.gpt.token_embedding_table(tokens[:, earlier:])[:, self.read - earlier :]
        if hasattr(self.gpt, "position_embedding_table"):
            x = x + self.gpt.position_embedding_table.weight[self.read : tokens.shape[1]]
        for block, memory in zip(self.gpt.body[1:-1], self.memory):
            x = x + self.attend(block.attention, block.ln1(x), memory)
            x = x + block.ffwd(block.ln2(x))
        self.read = tokens.shape[1]
        return self.gpt.lm_head(self.gpt.body[-1](x[:, -1:]))

    def heads(self, attention, x):
        if hasattr(attention, "heads"):
            return attention.heads(x, self.read)
        qkv = attention.qkv(x).unflatten(-1, (3, -1, attention.head_size))
        return qkv.permute(2, 0, 3, 1, 4)

    def attend(self, attention, x, memory):
        q, k, v = self.heads(attention, x)  # (B, H, n, D), n new tokens
        place, n = self.read % self.places, x.shape[1]  # past the last place, over the oldest
        memory[0, :, :, place : place + n], memory[1, :, :, place : place + n] = k, v
        keys, values = memory[:, :, :, : self.read + n]
        out = F.scaled_dot_product_attention(q, keys, values, is_causal=n > 1)
        return attention.proj(out.transpose(1, 2).flatten(2))


def generate_cached(model, tokens, max_new_tokens, **sampling):
    """What generate returns, token for token; while all fit in block_size, read one by one.

    Beyond block_size the window moves, and every token in it gets another position: all are read again, no gain.
    """
    remembering = Remembering(model, len(tokens))
    remembering.block_size = model.block_size  # so that generate shows it no more
    return generate(remembering, tokens, max_new_tokens, **sampling)


def generate_rolling(model, tokens, max_new_tokens, **sampling):
    """Continues tokens as far as you like, each read once; past block_size not as generate does."""
    doors.no_position_table(model)
    before, shown = tokens[:, : -model.block_size], tokens[:, -model.block_size :]
    written = generate(Remembering(model, len(tokens)), shown, max_new_tokens, **sampling)
    return torch.cat([before, written], dim=1)
