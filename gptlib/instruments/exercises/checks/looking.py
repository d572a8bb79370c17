"""Checks of notebook 11: what heads look at, and what each layer would predict."""

import copy

import torch

from gptlib.instruments.exercises.checks.judging import Check
from gptlib.instruments.exercises.checks.making import numbers
from gptlib.model import GPT, GPTConfig

# ---- how much of its weight a head puts on the letter before


def maps():
    """(L, B, H, T, T) weights that need not be causal: rows add to one."""
    return (numbers(2, 4, 3, 5, 5).softmax(dim=-1),)


def by_loop(weights):
    """One number after the other."""
    L, B, H, T, _ = weights.shape
    out = torch.zeros(L, H)
    for b in range(B):
        for t in range(1, T):
            out += weights[:, b, :, t, t - 1] / (B * (T - 1))
    return out


def on_diagonal(weights, offset=-1):
    """The weights that lie offset steps from the diagonal, as the last axis."""
    return weights.diagonal(offset, dim1=-2, dim2=-1)


looks_back = Check(
    right=by_loop,
    wrong={
        "that is what each letter puts on itself: diagonal(-1) is one to the left": lambda w: (
            on_diagonal(w, 0).mean(dim=(1, -1))
        ),
        "that is the letter after: rows listen, columns are heard, so diagonal(-1)": lambda w: (
            on_diagonal(w, 1).mean(dim=(1, -1))
        ),
        "that is two letters back: diagonal(-1)": lambda w: on_diagonal(w, -2).mean(dim=(1, -1)),
        "divided by T: the first letter has none before it, so the mean is over T − 1 rows": lambda w: (
            on_diagonal(w).sum(dim=-1).mean(dim=1) / w.shape[-1]
        ),
        "the sum over the positions: take their mean": lambda w: (
            on_diagonal(w).sum(dim=-1).mean(dim=1)
        ),
        "the mean over the heads is taken too: one number for each layer and head, (L, H)": lambda w: (
            on_diagonal(w).mean(dim=(1, 2, -1))
        ),
        "the mean over the layers is taken in place of that over the examples: (L, H), dim 1 is B": lambda w: (
            on_diagonal(w).mean(dim=(0, -1))
        ),
        "the diagonal runs through layers and examples: dim1=-2, dim2=-1": lambda w: w.diagonal(
            -1
        ).mean(dim=-1),
        "one example only: the mean over all of them": lambda w: on_diagonal(w)[:, 0].mean(dim=-1),
    },
    cases=(maps,),
    well="the mean weight on the letter before, for each layer and head",
)


# ---- logit lens


def model_and_tokens():
    """A small GPT whose every number is random, and a batch for it."""
    model = GPT(GPTConfig(vocab_size=11, block_size=8, n_embd=8, n_head=2, n_layer=3, dropout=0.3))
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.copy_(0.4 * numbers(*parameter.shape, seed=i))
    return model.eval(), torch.tensor([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]])


@torch.no_grad()
def by_shorter_models(model, tokens):
    """For each layer, a copy of the model that ends there."""
    seen = []
    for layers in range(1, len(model.blocks) + 1):
        shorter = copy.deepcopy(model)
        shorter.blocks = model.blocks[:layers]
        seen.append(shorter(tokens))
    return torch.stack(seen)


def streams(model, tokens, places=True):
    """The stream in front of the first block and after each one."""
    x = model.token_embedding_table(tokens)
    if places:
        x = x + model.position_embedding_table.weight[: tokens.shape[1]]
    found = [x]
    for block in model.blocks:
        found.append(block(found[-1]))
    return found


def read(model, found, norm=True):
    """What lm_head makes of each stream."""
    return torch.stack([model.lm_head(model.norm(x) if norm else x) for x in found])


def normed_on_the_way(model, tokens):
    """A logit lens that hands the normed stream to the next block."""
    x, found = streams(model, tokens)[0], []
    for block in model.blocks:
        x = model.norm(block(x))
        found.append(model.lm_head(x))
    return torch.stack(found)


def each_from_the_start(model, tokens):
    """A logit lens whose blocks all read the embeddings."""
    x = streams(model, tokens)[0]
    return read(model, [block(x) for block in model.blocks])


logit_lens = Check(
    right=by_shorter_models,
    wrong={
        "the last norm is missing: lm_head has only ever read what comes out of it": lambda m, t: (
            read(m, streams(m, t)[1:], norm=False)
        ),
        "one layer early: the stream before each block; take it after": lambda m, t: read(
            m, streams(m, t)[:-1]
        ),
        "the stream in front of the first block is among them: one for each block": lambda m, t: (
            read(m, streams(m, t))
        ),
        "the positions are missing: the stream starts as the sum of two tables": lambda m, t: read(
            m, streams(m, t, places=False)[1:]
        ),
        "the norm goes into the stream: it is for reading alone, the next block gets x itself": normed_on_the_way,
        "each block reads the embeddings: it has to read what the block before it wrote": each_from_the_start,
        "probabilities: logits were asked for, without softmax": lambda m, t: read(
            m, streams(m, t)[1:]
        ).softmax(dim=-1),
        "the last layer only: one for each block": lambda m, t: read(m, streams(m, t)[-1:]),
        "the last position only: all of them, (L, B, T, V)": lambda m, t: read(
            m, streams(m, t)[1:]
        )[:, :, -1],
        "it is in training mode, and dropout drops: model.eval() first, or leave it as it came": lambda m, t: (
            read(m.train(), streams(m.train(), t)[1:])
        ),
    },
    cases=(model_and_tokens,),
    well="for each layer, what a model that ends there would say",
)
