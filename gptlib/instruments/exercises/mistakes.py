"""Causal attention with what usually goes wrong in it; several exercises share the list."""

from functools import partial

import torch

MINUS_INFINITY = float("-inf")


def tril(T, diagonal=0):
    """(T, T): True from the first position up to diagonal steps past one's own."""
    return torch.ones(T, T, dtype=torch.bool).tril(diagonal)


def distance(T):
    """(T, T): how many steps before the row's position the column's lies."""
    return torch.arange(T)[:, None] - torch.arange(T)


def attention_weights(
    q, k, divide=lambda D, T: D**0.5, diagonal=0, fill=MINUS_INFINITY, axis=-1, late=False,
    past=False, bias=0.0,
):  # fmt: skip
    """softmax(q·k / divide + bias) under a causal mask; every argument but q and k names what can go wrong.

    late: the mask comes after softmax; past: it hides the past.
    """
    T, D = q.shape[-2:]
    scores = q @ k.transpose(-2, -1) / divide(D, T) + bias
    hidden = tril(T, -1) if past else ~tril(T, diagonal)
    if late:
        return scores.softmax(axis).masked_fill(hidden, 0.0)
    return scores.masked_fill(hidden, fill).softmax(axis)


EXCHANGED = "queries and keys are exchanged: row t is the query of t, so q @ kᵀ"
WEIGHTS = {  # what goes wrong in attention_weights
    "divided by D in place of its root: the variance D means the size √D": {"divide": lambda D, T: D},
    "the scores are not divided: divide by √D, D the head's size": {"divide": lambda D, T: 1},
    "multiplied by √D: divide": {"divide": lambda D, T: D**-0.5},
    "divided by √T: scores grow with the channels, not with the length": {"divide": lambda D, T: T**0.5},
    "softmax runs over the wrong axis, the queries, so columns add to one: dim=-1, over the keys": {"axis": -2},
    "softmax runs over the batch: dim=-1, over the keys": {"axis": 0},
    "the mask comes after softmax, so rows no longer add to one: mask the scores": {"late": True},
    "the mask is off by one, each position sees the next one too: look at the diagonal of tril": {"diagonal": 1},
    "the mask is off by one, no position sees itself and row 0 is nan: look at the diagonal of tril": {"diagonal": -1},
    "the mask is 0, a score like any other, and the future leaks in: it has to be −∞": {"fill": 0.0},
    "the mask is −1, a score like any other, and the future leaks in: it has to be −∞": {"fill": -1.0},
    "nothing is masked: every position sees the future": {"diagonal": 1_000},
    "the mask is turned round and hides the past: tril is what may be seen": {"past": True},
}  # fmt: skip


def attend(q, k, v, C, **what):
    """Attention in a model of width C, with what goes wrong in attention_weights."""
    return attention_weights(q, k, **what) @ v


ATTENTION = {sentence: partial(attend, **what) for sentence, what in WEIGHTS.items()} | {
    "divided by √C: q·k runs over the head's own channels, so divide by the root of their number":
        lambda q, k, v, C: attend(q, k, v, C, divide=lambda D, T: C**0.5),
    EXCHANGED: lambda q, k, v, C: attend(k, q, v, C),
    "the weights are applied to the keys: what is passed on is v": lambda q, k, v, C: attend(q, k, k, C),
    "the weights are transposed: row t has those of query t, so weights @ v":
        lambda q, k, v, C: attention_weights(q, k).transpose(-2, -1) @ v,
}  # fmt: skip
