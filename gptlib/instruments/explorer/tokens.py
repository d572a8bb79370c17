"""Text to ids and labels, for every kind of tokenizer that the lectures meet."""

import torch

from gptlib import doors
from gptlib.instruments import plots, subwords
from gptlib.instruments.device import device_of


def label(piece):
    """A piece of text with signs for what one cannot see."""
    return "".join(plots.visible(piece))


def ids_and_labels(tokenizer, text):
    """(ids, labels) of text for a CharTokenizer, a BPE of `tokenizers` or a tiktoken Encoding.

    Empty text, and text that the tokenizer does not know, raise ValueError.
    """
    if not text:
        raise ValueError("the prompt is empty; type at least one character")
    found = tokenizer.encode(text)
    if hasattr(found, "offsets"):  # a BPE leaves out what it has never seen, without a word
        covered = {text[i] for start, end in found.offsets for i in range(start, end)}
        doors.known_characters(text, covered)
    ids = list(getattr(found, "ids", found))
    return ids, [label(piece) for piece in subwords.pieces(tokenizer, text)]


def as_batch(ids, model):
    """ids as (1, T) on model's device; raises ValueError if they are more than the model's block_size."""
    doors.fits(len(ids), getattr(model, "block_size", len(ids)))
    return torch.tensor([ids], dtype=torch.long, device=device_of(model))
