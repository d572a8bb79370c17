"""The experiments about choices around a finished GPT: its text, its context, its vocabulary, its batches."""

from gptlib.instruments.measure.catalogue.common import SMALL, SMALL_SIZES, small_gpt, tied
from gptlib.instruments.measure.catalogue.measures import (
    bits_per_character,
    characters_per_token,
    loss_at,
)
from gptlib.instruments.measure.experiment import Experiment, Variant
from gptlib.instruments.models.subwords import train_bpe

# ---- dropout against size and text

DROPOUT_SIZE = Experiment(
    "dropout_size",
    "For which sizes of model and text does dropout help?",
    {
        f"{text}, C {n_embd}, dropout {p:g}": Variant(
            lambda n_embd=n_embd, p=p: small_gpt(n_embd=n_embd, dropout=p), share=share
        )
        for text, share, sizes, rates in (
            ("a fiftieth", 0.02, (32, 64, 128), (0.0, 0.2, 0.4)),
            ("whole text", 1.0, (128,), (0.0, 0.2)),
        )
        for n_embd in sizes
        for p in rates
    },
    SMALL,
    seeds=3,
    sizes={"n_layer": 2},
)


# ---- context length

TOKENS = SMALL.batch_size * SMALL.block_size  # a step, whatever the context
POSITIONS = (1, 2, 4, 8, 16, 32, 64, 128)

CONTEXT = Experiment(
    "context",
    "How much does a longer context bring, and where in the block?",
    {
        f"T {T}": Variant(
            lambda T=T: small_gpt(block_size=T), {"block_size": T, "batch_size": TOKENS // T}
        )
        for T in POSITIONS
    }
    | {
        f"T {T}, {4 * SMALL.steps:,} steps": Variant(
            lambda T=T: small_gpt(block_size=T),
            {"block_size": T, "batch_size": TOKENS // T, "steps": 4 * SMALL.steps},
        )
        for T in (32, 128)
    },
    SMALL,
    seeds=3,
    sizes=SMALL_SIZES,
    measures={
        f"at_{position}": lambda trained, position=position: loss_at(trained, position)
        for position in POSITIONS
    },
)


# ---- vocabulary


class BPE:
    """A byte-pair encoding learnt from text, with encode(text) -> ids; text that it cannot give back is an error."""

    def __init__(self, text, vocab_size):
        self.tokenizer = train_bpe(text, vocab_size)

    def encode(self, text):
        found = self.tokenizer.encode(text)
        if "".join(text[start:end] for start, end in found.offsets) != text:
            raise ValueError("the encoding lost a part of the text; learn it from a longer text")
        return found.ids


BITS = {"bits_per_character": bits_per_character, "characters_per_token": characters_per_token}


def bpe_of(vocab_size):
    """A function of the training text, for a Variant."""
    return lambda text: BPE(text, vocab_size)


VOCABULARY = Experiment(
    "vocabulary",
    "Characters or larger pieces: which model says the text in fewer bits?",
    {"characters": Variant(small_gpt)}
    | {
        f"BPE {size}": Variant(lambda size=size: small_gpt(vocab_size=size), tokenizer=bpe_of(size))
        for size in (256, 1024, 4096)
    },
    SMALL,
    seeds=3,
    sizes=SMALL_SIZES,
    measures=BITS,
)


# ---- one table for both ends


TIED = Experiment(
    "tied",
    "Must lm_head have a table of its own?",
    {
        "characters, untied": Variant(small_gpt),
        "characters, tied": Variant(lambda: tied(small_gpt())),
        "BPE 1024, untied": Variant(lambda: small_gpt(1024), tokenizer=bpe_of(1024)),
        "BPE 1024, tied": Variant(lambda: tied(small_gpt(1024)), tokenizer=bpe_of(1024)),
    },
    SMALL,
    seeds=3,
    sizes=SMALL_SIZES,
    measures=BITS,
)


# ---- batch size against learning rate, for as many tokens

BATCH = Experiment(
    "batch",
    "Which learning rate for which batch, when all see as many tokens?",
    {
        f"batch {batch}, lr {lr:g}": Variant(
            small_gpt, {"batch_size": batch, "steps": 16_000 // batch, "learning_rate": lr}
        )
        for batch in (8, 32, 128)
        for lr in (1e-3, 3e-3, 1e-2, 3e-2)
    },
    SMALL,
    seeds=3,
    sizes=SMALL_SIZES,
)
