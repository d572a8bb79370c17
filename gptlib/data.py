"""From a file to batches of examples."""

from pathlib import Path

import torch

from gptlib import validate


def load_text(path):
    """The text of a UTF-8 file, all line endings converted to newlines.

    A missing file raises FileNotFoundError, other bytes than UTF-8 ValueError, each with a sentence.
    """
    with validate.reading(path):
        # -sig: skips the byte order mark that some text editors put first
        return Path(path).read_text(encoding="utf-8-sig")


def train_val_split(tokens, train_fraction=0.9):
    """The first part to train on, and the rest to see whether the model learned or only memorized.

    tokens: anything that can be sliced; returns (first train_fraction, rest).
    """
    validate.fraction(train_fraction=train_fraction)
    boundary = int(train_fraction * len(tokens))
    return tokens[:boundary], tokens[boundary:]


def get_batch(tokens, block_size, batch_size, generator=None):
    """Random chunks x and, for every token in them, the token that follows: y.

    tokens: (N,) long, on any device. Returns x and y, both (batch_size, block_size) long, on that device;
    y is x one step later. generator: a CPU torch.Generator, so that a seed gives the same batch on every device.
    Every start from 0 to N - block_size - 1 is equally likely. Too short a text raises ValueError.
    """
    validate.at_least(1, block_size=block_size, batch_size=batch_size)
    validate.long_enough(tokens, block_size)
    starts = torch.randint(len(tokens) - block_size, (batch_size, 1), generator=generator)  # (B, 1)
    chunks = tokens[(starts + torch.arange(block_size + 1)).to(tokens.device)]  # (B, T + 1)
    return chunks[:, :-1], chunks[:, 1:]
