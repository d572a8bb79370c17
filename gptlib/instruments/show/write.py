"""Companions of generate: text in, text out, in eval mode, token by token if wanted."""

import torch

from gptlib.instruments.models.device import device_of
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


def stream_text(model, tokenizer, prompt="\n", max_new_tokens=200, seed=0, **options):
    """Yields the characters that the model writes after prompt, one at a time; the same ones for the same seed."""
    device = device_of(model)
    tokens = torch.tensor([tokenizer.encode(prompt)], dtype=torch.long, device=device)
    generator = torch.Generator(device).manual_seed(seed)
    for token in stream(model, tokens, max_new_tokens, generator=generator, **options):
        yield tokenizer.decode(token[0].tolist())


def write(model, tokenizer, prompt="\n", max_new_tokens=200, seed=0, **options):
    """The text that the model writes after prompt, without the prompt."""
    return "".join(stream_text(model, tokenizer, prompt, max_new_tokens, seed, **options))
