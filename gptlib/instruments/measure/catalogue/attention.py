"""The experiments of notebooks 04 to 06: variants that swap a part of attention from outside."""

import math

import torch
import torch.nn as nn

from gptlib.attention import CausalSelfAttention, Head
from gptlib.instruments.measure.catalogue.common import (
    LECTURE,
    LECTURE_SIZES,
    C,
    T,
    language_model,
    without_wo,
)
from gptlib.instruments.measure.catalogue.measures import (
    last_position_loss,
    last_position_loss_without_mask,
)
from gptlib.instruments.measure.experiment import Experiment, Variant
from gptlib.instruments.models.inspection import without_mask
from gptlib.train import TrainConfig

# ---- 04: do two of q, k, v do?


def head_with(change):
    """A builder: one head, as wide as the stream, after change(head)."""

    def build():
        head = Head(C, C, T)
        change(head)
        return language_model(head)

    return Variant(build)


def share(one, other):
    """A change: the head uses one matrix for both."""
    return lambda head: setattr(head, one, getattr(head, other))


def drop(part):
    """A change: x itself is used in place of a projection."""
    return lambda head: setattr(head, part, nn.Identity())


class Rearranged(nn.Module):
    """The keys as the queries times a fixed matrix (D, D), so that the scores are q matrix qᵀ."""

    def __init__(self, query, matrix):
        super().__init__()
        self.query = query
        self.register_buffer("matrix", matrix, persistent=False)

    def forward(self, x):
        return self.query(x) @ self.matrix


def rearrange(matrix):
    """A change: one learned matrix for queries and keys, but the keys go through a fixed one as well."""
    return lambda head: setattr(head, "key", Rearranged(head.query, matrix))


# q · k of two tokens stays the same when they change roles if this matrix is symmetric. The identity, which is q = k,
# is; so is the one that negates half of the channels, but under that one a token's score with itself may be negative.
HALF_NEGATED = torch.diag(torch.tensor([1.0, -1.0]).repeat(C // 2))
ROLLED = torch.eye(C).roll(1, dims=-1)  # not symmetric: each channel meets the one before it


def narrow(head, size=C // 2):
    """A change: queries and keys of half the size, so that all three matrices have as many weights as two full ones."""
    head.query, head.key = nn.Linear(C, size, bias=False), nn.Linear(C, size, bias=False)


TWO_OF_QKV = Experiment(
    "two_of_qkv",
    "Would two of query, key and value do?",
    {
        "q, k, v": head_with(lambda head: None),
        "q, k, v, as small": head_with(narrow),
        "q = k": head_with(share("key", "query")),
        "k = q, half negated": head_with(rearrange(HALF_NEGATED)),
        "k = q, rolled": head_with(rearrange(ROLLED)),
        "k = v": head_with(share("value", "key")),
        "q = v": head_with(share("value", "query")),
        "no q": head_with(drop("query")),
        "no k": head_with(drop("key")),
        "no v": head_with(drop("value")),
    },
    LECTURE,
    sizes=LECTURE_SIZES,
)


# ---- 05: the mask and the scale


def heads_in_a_row(layers):
    """A LanguageModel with one head after another."""
    return language_model(nn.Sequential(*(Head(C, C, T) for _ in range(layers))))


MASK_AT_TEST = Experiment(
    "mask_at_test",
    "Trained with the mask: is it needed when the model writes?",
    {f"{n} layer{'s' * (n > 1)}": Variant(lambda n=n: heads_in_a_row(n)) for n in (1, 2, 3)},
    LECTURE,
    sizes=LECTURE_SIZES,
    measures={"last": last_position_loss, "last_no_mask": last_position_loss_without_mask},
)

NO_MASK = Experiment(
    "no_mask",
    "What if the mask is missing in training?",
    {
        "with mask": Variant(lambda: heads_in_a_row(2)),
        "without mask": Variant(lambda: without_mask(heads_in_a_row(2))),
    },
    LECTURE,
    sizes=LECTURE_SIZES,
)


def scaled_head(head_size, scale, n_embd=64):
    """One head of head_size whose scores are multiplied by scale in place of 1/√head_size, brought back to n_embd."""
    head = Head(n_embd, head_size, T)
    factor = scale * math.sqrt(head_size)
    head.query.register_forward_hook(lambda layer, x, query: factor * query)
    return language_model(nn.Sequential(head, nn.Linear(head_size, n_embd)), n_embd)


def linear_layers_alone(size, n_embd=64):
    """What scaled_head has besides its attention: a value matrix, and the way back to n_embd."""
    layers = nn.Linear(n_embd, size, bias=False), nn.Linear(size, n_embd)
    return language_model(nn.Sequential(*layers), n_embd)


SCALING = Experiment(
    "scaling",
    "What does dividing by √head_size do to training?",
    {
        f"D {size}, {name}": Variant(lambda size=size, scale=scale: scaled_head(size, scale))
        for size in (16, 64, 256)
        for name, scale in (("1/√D", size**-0.5), ("no scaling", 1.0), ("1/√C", 64**-0.5))
    }
    | {
        f"D {size}, no attention": Variant(lambda size=size: linear_layers_alone(size))
        for size in (16, 64, 256)
    },
    TrainConfig(steps=2000, batch_size=32, block_size=T, learning_rate=1e-3),
    seeds=3,
    sizes={"n_embd": 64},
)


# ---- 06: several heads, and Wo


def several_heads(n_head, wo):
    """Attention of the stream's width, cut into n_head, with Wo or without."""
    attention = CausalSelfAttention(C, n_head)
    return language_model(attention if wo else without_wo(attention))


HEADS = Experiment(
    "heads",
    "How many heads at the same width, with and without Wo?",
    {
        f"{n} head{'s' * (n > 1)}{', Wo' * wo}": Variant(lambda n=n, wo=wo: several_heads(n, wo))
        for n in (1, 2, 4, 8)
        for wo in (False, True)
    },
    LECTURE,
    sizes=LECTURE_SIZES,
)
