"""Companions of generate: text in, text out, in eval mode, whole or character by character."""

import torch

from gptlib.cached import CachedGPT
from gptlib.instruments.models.device import device_of
from gptlib.instruments.models.fast import optimized_for_decoding
from gptlib.instruments.show import hints
from gptlib.sample import generate
from gptlib.train import evaluating


def stream(model, tokens, max_new_tokens, **options):
    """Yields the (B, 1) tokens that generate would append, one at a time, as they are drawn.

    The options are generate's. The model is in eval mode while it draws and as before in between.
    """
    for _ in range(max_new_tokens):
        with evaluating(model):
            tokens = generate(model, tokens, 1, **options)
        yield tokens[:, -1:]


def stream_cached(model, tokens, max_new_tokens, **options):
    """As stream, for a GPT and its relatives, reading most tokens once: the same up to block_size.

    Beyond it, generate's window moves with every token, each token in it gets another position, and all are read
    again. Here the older half of the window is dropped at once, so that there is room for as many new tokens: the
    model then sees between half of block_size and all of it. Another model raises ValueError.
    """
    reader = CachedGPT(optimized_for_decoding(model).eval())
    for _ in range(max_new_tokens):
        if tokens.shape[1] > reader.block_size:
            tokens = tokens[:, -max(1, reader.block_size // 2) :]
        tokens = generate(reader, tokens, 1, **options)
        yield tokens[:, -1:]


def prompted(model, tokenizer, prompt, seed):
    """(the prompt as tokens (1, T), a generator from seed), both on model's device."""
    device = device_of(model)
    tokens = torch.tensor([tokenizer.encode(prompt)], dtype=torch.long, device=device)
    return tokens, torch.Generator(device).manual_seed(seed)


def stream_text(model, tokenizer, prompt="\n", max_new_tokens=200, seed=0, **options):
    """Yields the characters that a GPT writes after prompt, one at a time; the same ones for the same seed.

    For reading along: up to block_size it is write's text, and beyond that several times faster, see stream_cached.
    """
    tokens, generator = prompted(model, tokenizer, prompt, seed)
    try:
        for token in stream_cached(model, tokens, max_new_tokens, generator=generator, **options):
            yield tokenizer.decode(token[0].tolist())
    except KeyboardInterrupt:
        hints.calm_interrupts()
        raise


def write(model, tokenizer, prompt="\n", max_new_tokens=200, seed=0, **options):
    """The text that generate, in eval mode, appends to prompt, without the prompt; the same for the same seed.

    An interrupt prints the text so far, and still is one: what was to be done with the whole text is not done.
    """
    tokens, generator = prompted(model, tokenizer, prompt, seed)
    found = []
    try:
        for token in stream(model, tokens, max_new_tokens, generator=generator, **options):
            found.append(token.item())
    except KeyboardInterrupt:
        print(tokenizer.decode(found))
        hints.calm_interrupts()
        raise
    return tokenizer.decode(found)
