"""One-line checks of arguments. Each says what came, what was expected and what to do, and changes nothing."""

from contextlib import contextmanager
from numbers import Integral
from pathlib import Path

import torch


def unique_characters(alphabet):
    """Raise ValueError unless alphabet is a non-empty collection of different single characters."""
    if not alphabet:
        raise ValueError(
            "the text is empty, so there is no alphabet; give a text with at least one character"
        )
    for position, character in enumerate(alphabet):
        if not isinstance(character, str) or len(character) != 1:
            raise ValueError(f"the alphabet holds {character!r}; every entry must be one character")
        if character in alphabet[:position]:
            raise ValueError(
                f"the alphabet holds {character!r} twice; each character may have one id only"
            )


def known_characters(text, stoi):
    """Raise ValueError for the first character of text that is not a key of stoi."""
    for position, character in enumerate(text):
        if character not in stoi:
            raise ValueError(
                f"this text contains {character!r} (position {position}), which is not in the tokenizer's alphabet; "
                "build a tokenizer from a text that contains it"
            )


def known_ids(tokens, vocab_size):
    """Raise ValueError for the first id in the flat sequence tokens that is not in 0 … vocab_size - 1."""
    for position, token in enumerate(tokens):
        if not is_whole(token):
            raise TypeError(
                f"{token!r} (position {position}) is no token id; ids are whole numbers, as encode returns them"
            )
        if not 0 <= token < vocab_size:
            raise ValueError(
                f"id {int(token)} (position {position}) is not in the vocabulary, which ends at {vocab_size - 1}; "
                "encode the text with the tokenizer that belongs to this model"
            )


@contextmanager
def reading(path):
    """Turn a missing, unreadable or non-UTF-8 file into one sentence; path is the file that is being read."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no file {str(path)!r} (looked in {Path.cwd()}); check the name and the folder"
        ) from None
    except (IsADirectoryError, PermissionError):
        raise OSError(
            f"{str(path)!r} is a folder or may not be read; give the path of a text file"
        ) from None
    except UnicodeDecodeError as problem:
        raise ValueError(
            f"{str(path)!r} is not UTF-8 text (byte {problem.start}); save it as UTF-8 in your editor"
        ) from None


def is_whole(value):
    """Whether value is a whole number: an int, one of NumPy's, or a tensor with a single one."""
    if isinstance(value, torch.Tensor):
        return value.numel() == 1 and not (value.is_floating_point() or value.is_complex())
    return isinstance(value, Integral) and not isinstance(value, bool)


def at_least(minimum, **arguments):
    """Raise ValueError unless every named argument is a whole number of at least minimum."""
    for name, value in arguments.items():
        if not is_whole(value) or value < minimum:
            raise ValueError(
                f"{name} is {value!r}; it must be a whole number of at least {minimum}"
            )


def positive(**arguments):
    """Raise ValueError unless every named argument is a finite number above zero."""
    for name, value in arguments.items():
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} is {value!r}; it must be a number above 0")


def fraction(**arguments):
    """Raise ValueError unless every named argument is between 0 and 1, both excluded."""
    for name, value in arguments.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} is {value!r}; it must lie between 0 and 1")


def long_enough(tokens, block_size):
    """Raise ValueError unless the flat tokens hold at least one chunk of block_size and its next token."""
    if len(tokens) < block_size + 1:
        raise ValueError(
            f"the text has {len(tokens)} tokens, but block_size {block_size} needs at least {block_size + 1}; "
            "take a longer text or a smaller block_size"
        )


def token_tensor(tokens):
    """Raise unless tokens is a tensor of whole numbers, as `nn.Embedding` wants them."""
    if not isinstance(tokens, torch.Tensor):
        raise TypeError(
            f"tokens came as {type(tokens).__name__}; make them a tensor with torch.tensor(...)"
        )
    if tokens.dtype != torch.int64:
        raise TypeError(
            f"tokens came as {tokens.dtype}; ids are whole numbers of 64 bits, make them with dtype=torch.long"
        )


def train_config(config):
    """Raise ValueError unless sizes are at least 1, steps and seed at least 0, the rate above 0."""
    sizes = ("batch_size", "block_size", "eval_every", "eval_batches")
    at_least(1, **{name: getattr(config, name) for name in sizes})
    at_least(0, steps=config.steps, seed=config.seed)
    positive(learning_rate=config.learning_rate)


def training_data(data, config, vocab_size=None):
    """Raise unless data is (train tokens, val tokens): whole numbers, long enough, known to the vocabulary."""
    if len(data) != 2:
        raise ValueError(f"data came as {len(data)} things; give (train_tokens, val_tokens)")
    for tokens in data:
        token_tensor(tokens)
        long_enough(tokens, config.block_size)
        ids_in(tokens, vocab_size)


def ids_in(tokens, vocab_size):
    """Raise ValueError unless all ids of a tensor are in 0 … vocab_size - 1; None means that nobody knows the size."""
    if (
        vocab_size is not None
        and tokens.numel()
        and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocab_size
    ):
        known_ids(tokens.flatten().tolist(), vocab_size)


def prompt(tokens, model):
    """Raise unless tokens is (B, T) with T at least 1 and every id is one that model knows."""
    token_tensor(tokens)
    if tokens.dim() != 2 or tokens.shape[1] == 0:
        raise ValueError(
            f"the prompt has shape {tuple(tokens.shape)}; it must be (B, T) with at least one token to go on from"
        )
    ids_in(tokens, getattr(model, "vocab_size", None))


def temperature(value):
    """Raise ValueError unless logits can be divided by value without leaving the range of a float."""
    if not 1e-6 <= value < float("inf"):
        raise ValueError(
            f"temperature is {value!r}; it must be at least 0.000001, which already draws the likeliest token"
        )


def sampling(temperature_value, top_k, vocab_size):
    """Raise ValueError unless the temperature can be used and top_k is None or in 1 … vocab_size."""
    temperature(temperature_value)
    if top_k is not None and not (is_whole(top_k) and 1 <= top_k <= vocab_size):
        raise ValueError(
            f"top_k is {top_k}; it must be a whole number from 1 to the vocabulary's {vocab_size}, or None"
        )


def divides(n_embd, n_head):
    """Raise ValueError unless n_head divides n_embd."""
    at_least(1, n_embd=n_embd, n_head=n_head)
    if n_embd % n_head:
        raise ValueError(
            f"n_embd {n_embd} cannot be split over {n_head} heads; take an n_embd that n_head divides"
        )


def gpt_config(config):
    """Raise ValueError unless a GPT can have these sizes."""
    sizes = ("vocab_size", "block_size", "n_embd", "n_head", "n_layer")
    at_least(1, **{name: getattr(config, name) for name in sizes})
    divides(config.n_embd, config.n_head)
    if not 0 <= config.dropout < 1:
        raise ValueError(f"dropout is {config.dropout!r}; it must be from 0 to below 1")


def fits(T, block_size):
    """Raise ValueError unless T tokens are at most block_size."""
    if block_size < T:
        raise ValueError(
            f"{T} tokens came, and block_size is {block_size}; show the model the last {block_size} only"
        )


def token_shape(tokens, block_size):
    """(B, T) of tokens; raises unless they are a (B, T) tensor of whole numbers with T at most block_size."""
    token_tensor(tokens)
    if tokens.dim() != 2:
        raise ValueError(f"tokens have shape {tuple(tokens.shape)}; a model wants (B, T)")
    fits(tokens.shape[1], block_size)
    return tokens.shape


def cacheable(model, block_forward):
    """Raise ValueError unless a KV cache computes what model does.

    Its blocks have to compute by block_forward, its tokens to be embedded one by one, its dropout to be off.
    """
    blocks = list(getattr(model, "blocks", []))
    if not blocks or any(
        getattr(type(block), "forward", None) is not block_forward for block in blocks
    ):
        raise ValueError(
            f"a KV cache knows the blocks of GPT and its relatives, and this {type(model).__name__} has others; "
            "use generate"
        )
    if type(model.token_embedding_table) is not torch.nn.Embedding:
        raise ValueError(
            f"a KV cache shows the model one token at a time, and a {type(model.token_embedding_table).__name__} may "
            "look at several; use generate"
        )
    if any(isinstance(m, torch.nn.Dropout) and m.training and m.p for m in model.modules()):
        raise ValueError(
            "the model is in training mode, and its dropout is on; call model.eval() first"
        )


def no_position_table(model):
    """Raise ValueError if model has a table of positions, and so only a fixed number of them."""
    if hasattr(model, "position_embedding_table"):
        raise ValueError(
            f"this model has a table of {model.block_size} positions and no later one; "
            "use generate_cached, or a model with RoPE"
        )


def even(**arguments):
    """Raise ValueError unless every named argument is an even whole number."""
    for name, value in arguments.items():
        at_least(2, **{name: value})
        if value % 2:
            raise ValueError(
                f"{name} is {value}; it must be even, as channels are rotated in pairs"
            )
