"""Text to ids and labels, for every kind of tokenizer that the lectures meet."""

import torch

from gptlib import validate
from gptlib.instruments.models import subwords
from gptlib.instruments.models.device import device_of
from gptlib.instruments.show import plots


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
    ids = list(getattr(found, "ids", found))
    if getattr(
        tokenizer, "decoder", None
    ):  # a BPE leaves out what it has never seen, without a word
        lost = first_difference(text, tokenizer.decode(ids))
        validate.known_characters(text, set(text) - set(text[lost : lost + 1]))
    return ids, [label(piece) for piece in subwords.pieces(tokenizer, text)]


def first_difference(text, other):
    """The first position at which other is not as text is; the length of text if there is none."""
    differing = (position for position, pair in enumerate(zip(text, other)) if pair[0] != pair[1])
    return next(differing, min(len(text), len(other)))


def as_batch(ids, model):
    """ids as (1, T) on model's device; raises ValueError if they are more than the model's block_size."""
    validate.fits(len(ids), getattr(model, "block_size", len(ids)))
    return torch.tensor([ids], dtype=torch.long, device=device_of(model))
