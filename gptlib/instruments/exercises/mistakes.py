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
    past=False, bias=0.0, inverted=False, outside=False, plain=False,
):  # fmt: skip
    """softmax(q·k / divide + bias) under a causal mask; every argument but q and k names what can go wrong.

    late: the mask comes after softmax; past: it hides the past; inverted: it leaves only the future; outside: the
    weights are divided, not the scores; plain: there is no softmax.
    """
    T, D = q.shape[-2:]
    if outside:
        return attention_weights(q, k, lambda D, T: 1, bias=bias) / divide(D, T)
    scores = q @ k.transpose(-2, -1) / divide(D, T) + bias
    hidden = tril(T, -1) if past else ~tril(T, diagonal)
    if inverted:
        hidden = ~hidden
    if plain:
        return scores.masked_fill(hidden, fill)
    if late:
        return scores.softmax(axis).masked_fill(hidden, 0.0)
    return scores.masked_fill(hidden, fill).softmax(axis)


EXCHANGED = "queries and keys are exchanged: row t is the query of t, so q @ kᵀ"
WEIGHTS = {  # what goes wrong in attention_weights
    "divided by D in place of its root: the variance D means the size √D": {"divide": lambda D, T: D},
    "the scores are not divided: divide by √D, D the head's size": {"divide": lambda D, T: 1},
    "multiplied by √D: divide": {"divide": lambda D, T: D**-0.5},
    "divided by √T: scores grow with the channels, not with the length": {"divide": lambda D, T: T**0.5},
    "divided by a fixed number: D is the size of the head at hand, q.shape[-1]":
        [{"divide": lambda D, T, fixed=fixed: fixed**0.5} for fixed in (8, 16, 25, 32, 64)],
    "the division comes after softmax, so rows no longer add to one: divide the scores": {"outside": True},
    "softmax runs over the wrong axis, the queries, so columns add to one: dim=-1, over the keys": {"axis": -2},
    "softmax runs over the batch: dim=-1, over the keys": {"axis": 0},
    "the mask comes after softmax, so rows no longer add to one: mask the scores": {"late": True},
    "the mask is off by one, each position sees the next one too: look at the diagonal of tril": {"diagonal": 1},
    "the mask is off by one, no position sees itself and row 0 is nan: look at the diagonal of tril": {"diagonal": -1},
    "the mask is 0, a score like any other, and the future leaks in: it has to be −∞": {"fill": 0.0},
    "the mask is −1 or the like, still a score like any other, and the future leaks in: it has to be −∞":
        [{"fill": fill} for fill in (-1.0, -2.0, -5.0)],
    "nothing is masked: every position sees the future": {"diagonal": 1_000},
    "the mask is turned round and hides the past: tril is what may be seen": {"past": True},
    "the mask is inverted: it hides what may be seen and shows the future; take ~mask": {"inverted": True},
    "softmax is missing: the weights of a row have to be positive and add to one":
        [{"plain": True, "fill": fill} for fill in (0.0, MINUS_INFINITY)],
}  # fmt: skip


def each(function, mistakes):
    """{sentence: function with what goes wrong}; a list stays a list."""
    return {
        sentence: [partial(function, **one) for one in what]
        if isinstance(what, list)
        else partial(function, **what)
        for sentence, what in mistakes.items()
    }


def attend(q, k, v, x, **what):
    """Attention of what was made from x, with what goes wrong in attention_weights."""
    return attention_weights(q, k, **what) @ v


def over(scores, hidden):
    """The weights of scores under a mask of another size, which raises if that doesn't fit."""
    return scores.masked_fill(hidden, MINUS_INFINITY).softmax(-1)


ATTENTION = each(attend, WEIGHTS) | {
    "divided by √C: q·k runs over the head's own channels, so divide by the root of their number":
        lambda q, k, v, x: attend(q, k, v, x, divide=lambda D, T: x.shape[-1] ** 0.5),
    EXCHANGED: lambda q, k, v, x: attend(k, q, v, x),
    "queries and keys come from one matrix: each has its own":
        [lambda q, k, v, x: attend(q, q, v, x), lambda q, k, v, x: attend(k, k, v, x)],
    "the weights are applied to the keys: what is passed on is v": lambda q, k, v, x: attend(q, k, k, x),
    "the weights are transposed: row t has those of query t, so weights @ v":
        lambda q, k, v, x: attention_weights(q, k).transpose(-2, -1) @ v,
    "the mask has a fixed size, but x may be shorter: make it for the T at hand, or cut it to [:T, :T]":
        [lambda q, k, v, x, n=n: over(q @ k.mT, ~tril(n)) @ v for n in (8, 9, 10, 16, 32, 64, 256)],
    "the mask has the size of another axis of x: it's B, T, C = x.shape, in this order":
        [lambda q, k, v, x, axis=axis: over(q @ k.mT, ~tril(x.shape[axis])) @ v for axis in (0, 2)],
    "the scores are made from queries and values: from queries and keys": lambda q, k, v, x: attend(q, v, v, x),
    "the wrong axes of k are swapped: transpose(-2, -1) swaps the last two":
        [lambda q, k, v, x: q @ k.transpose(0, 1), lambda q, k, v, x: q @ k.permute(*range(k.dim() - 1, -1, -1))],
    "k isn't transposed: q @ kᵀ, with k.transpose(-2, -1)": lambda q, k, v, x: q @ k,
}  # fmt: skip
