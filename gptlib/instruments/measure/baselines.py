"""Losses that one can name without training anything; thin lines in every loss picture of the series."""

import math

import torch


def counted_baselines(data, vocab_size):
    """{"knows nothing": …, "letter frequencies": …, "counted bigram": …}: validation losses in nats per character.

    data: (train tokens, val tokens), each (N,) long. Frequencies are counted on the first with one added to every
    count, so that nothing is impossible, and scored on the second.
    """
    train_tokens, val_tokens = data
    before, after = val_tokens[:-1], val_tokens[1:]
    single = torch.bincount(train_tokens, minlength=vocab_size).double() + 1
    pair_ids = train_tokens[:-1] * vocab_size + train_tokens[1:]
    pairs = (
        torch.bincount(pair_ids, minlength=vocab_size**2).view(vocab_size, vocab_size).double() + 1
    )
    return {
        "knows nothing": math.log(vocab_size),
        "letter frequencies": -(single / single.sum())[after].log().mean().item(),
        "counted bigram": -(pairs / pairs.sum(dim=1, keepdim=True))[before, after]
        .log()
        .mean()
        .item(),
    }
