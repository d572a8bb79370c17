"""What the experiments train on: texts, told apart by their content, as tokens."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import torch

from gptlib.data import load_text, train_val_split
from gptlib.instruments.files import DATA
from gptlib.tokenizer import CharTokenizer

CORPUS = DATA / "shakespeare.txt"
STORED = {"shakespeare": "e7d3d32c", "tinyshakespeare": "df613551"}  # what data/results is about


@dataclass(frozen=True)
class Text:
    """A text. name: for people; crc: of its content, since two files may have the same name."""

    name: str
    crc: str
    content: str

    @property
    def is_stored(self):
        """Whether data/results may have rows for it."""
        return STORED.get(self.name) == self.crc


def read_text(path=CORPUS):
    """The Text at path; a missing file, or one that is not UTF-8, raises with a sentence."""
    content = load_text(path)
    crc = f"{zlib.crc32(content.encode()):08x}"
    known = {crc: name for name, crc in STORED.items()}
    return Text(known.get(crc, Path(path).stem), crc, content)


def as_tokens(tokenizer, text, device):
    """text as a tensor of ids, (N,) long."""
    return torch.tensor(tokenizer.encode(text), dtype=torch.long, device=device)


def read_data(path=CORPUS, device="cpu"):
    """(train tokens, val tokens) of the text at path, with the lecture's ids."""
    return train_val_split(as_tokens(CharTokenizer(), load_text(path), device))


def data_for(variant, text, device="cpu"):
    """(train tokens, val tokens), number of val characters of a Text for a Variant.

    The text is cut first and encoded then: the tokenizer is made from the training part alone.
    """
    train_text, val_text = train_val_split(text.content)
    tokenizer = variant.tokenizer(train_text)
    train_tokens, val_tokens = (
        as_tokens(tokenizer, part, device) for part in (train_text, val_text)
    )
    return (train_tokens[: int(variant.share * len(train_tokens))], val_tokens), len(val_text)
