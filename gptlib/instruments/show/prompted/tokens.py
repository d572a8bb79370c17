"""Text to ids and labels, for every kind of tokenizer that the lectures meet; what is wrong with a text, in words."""

import torch

from gptlib.instruments.models import subwords
from gptlib.instruments.models.device import device_of
from gptlib.instruments.show import plots

LISTED = 120  # characters of a list of known ones that a sentence holds


def label(piece):
    """A piece of text with signs for what one cannot see."""
    return "".join(plots.visible(piece))


def ids_and_labels(tokenizer, text):
    """(ids, labels) of text for a CharTokenizer, a BPE of `tokenizers` or a tiktoken Encoding.

    Empty text, and text that the tokenizer does not know, raise ValueError.
    """
    if not text:
        raise ValueError("the prompt is empty; type at least one character")
    known = getattr(tokenizer, "stoi", None)
    if known is not None:
        for position, character in enumerate(text):
            if character not in known:
                raise ValueError(
                    f"this model knows only these {len(known)} characters: {listed(known)}; "
                    f"{character!r} (position {position}) is not one of them"
                )
    found = tokenizer.encode(text)
    ids = list(getattr(found, "ids", found))
    if hasattr(found, "ids"):  # a BPE leaves out what it has never seen, without a word
        lost = first_difference(text, tokenizer.decode(ids))
        if lost < len(text):
            raise ValueError(
                f"{text[lost]!r} (position {lost}) does not occur in the text that this model's tokens were learned "
                "from; type something without it"
            )
    return ids, [label(piece) for piece in subwords.pieces(tokenizer, text)]


def listed(characters):
    """Characters in words, runs of the alphabet as a–z: "↵ ␣ ! ? A–Z a–z"."""
    runs = []
    for code in sorted(map(ord, characters)):
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    words = []
    for first, last in runs:
        whole = [label(chr(code)) for code in range(first, last + 1)]
        words += [f"{whole[0]}–{whole[-1]}"] if len(whole) > 3 else whole
    words = " ".join(words)
    return words if len(words) <= LISTED else words[:LISTED].rsplit(" ", 1)[0] + " …"


def first_difference(text, other):
    """The first position at which other is not as text is; the length of text if there is none."""
    differing = (position for position, pair in enumerate(zip(text, other)) if pair[0] != pair[1])
    return next(differing, min(len(text), len(other)))


def as_batch(ids, model):
    """ids as (1, T) on model's device; raises ValueError if they are more than the model's block_size."""
    most = getattr(model, "block_size", len(ids))
    if len(ids) > most:
        raise ValueError(
            f"the prompt has {len(ids)} tokens, and this model takes at most {most}; shorten it by {len(ids) - most}"
        )
    return torch.tensor([ids], dtype=torch.long, device=device_of(model))
