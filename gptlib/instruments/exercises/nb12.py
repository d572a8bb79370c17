"""Exercises: heads that look one letter back, the logit lens, vowels at the other end."""

import copy

import torch

from gptlib.instruments.exercises import cases, probes
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.grader import Check
from gptlib.model import GPT, GPTConfig


def maps():
    """(L, B, H, T, T) weights that need not be causal: rows add to one."""
    return (cases.numbers(2, 4, 3, 5, 5).softmax(dim=-1),)


def by_loop(weights):
    """One number after the other."""
    L, B, H, T, _ = weights.shape
    out = torch.zeros(L, H)
    for b in range(B):
        for t in range(1, T):
            out += weights[:, b, :, t, t - 1] / (B * (T - 1))
    return out


def back(weights, steps=1):
    """(L, B, H, …): the weights on the letter so many steps before."""
    return weights.diagonal(-steps, dim1=-2, dim2=-1)


looks_back = Check(
    right=by_loop,
    mistakes={
        "that is what each letter puts on itself: diagonal(-1) is one to the left": lambda w: back(w, 0).mean((1, -1)),
        "that is the letter after: rows are queries, columns are keys, so diagonal(-1)":
            lambda w: back(w, -1).mean((1, -1)),
        "that is two letters back: diagonal(-1)": lambda w: back(w, 2).mean((1, -1)),
        "that is all letters before, not the one just before: diagonal(-1)": lambda w: w.tril(-1).sum(-1).mean((1, -1)),
        "divided by T: the first letter has none before it, so the mean is over T − 1 rows":
            lambda w: back(w).sum(-1).mean(1) / w.shape[-1],
        "the sum over the positions: take their mean": lambda w: back(w).sum(-1).mean(1),
        "the last position only: the mean over all that have a letter before": lambda w: back(w)[..., -1].mean(1),
        "the mean over the heads is taken too: one number for each layer and head, (L, H)":
            lambda w: back(w).mean((1, 2, -1)),
        "the mean over the heads is taken in place of that over the examples: (L, H), dim 1 is B":
            lambda w: back(w).mean((2, -1)),
        "the mean over the layers is taken in place of that over the examples: (L, H), dim 1 is B":
            lambda w: back(w).mean((0, -1)),
        "the diagonal runs through layers and examples: dim1=-2, dim2=-1": lambda w: w.diagonal(-1).mean(-1),
        "one example only: the mean over all of them": lambda w: back(w)[:, 0].mean(-1),
    },
    cases=(maps,),
    probes=(probes.leaves_input,),
    explanation="the mean weight on the letter before, for each layer and head",
)  # fmt: skip


def model_and_tokens():
    """A small GPT whose every number is random, and a batch for it."""
    model = GPT(GPTConfig(vocab_size=11, block_size=8, n_embd=8, n_head=2, n_layer=3, dropout=0.3))
    with torch.no_grad():
        for i, parameter in enumerate(model.parameters()):
            parameter.copy_(0.4 * cases.numbers(*parameter.shape, seed=i))
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


def streams(model, tokens, places=True, between=lambda x: x):
    """(L + 1, B, T, C): the stream in front of the first block and after each one."""
    x = model.token_embedding_table(tokens)
    if places:
        x = x + model.position_embedding_table.weight[: tokens.shape[1]]
    found = [x]
    for block in model.blocks:
        found.append(between(block(found[-1])))
    return torch.stack(found)


def logits(model, stream):
    """What the model would say if it ended with this stream."""
    return model.lm_head(model.norm(stream))


def each_from_the_start(model, tokens):
    """A logit lens whose blocks all read the embeddings."""
    start = streams(model, tokens)[0]
    return torch.stack([logits(model, block(start)) for block in model.blocks])


logit_lens = Check(
    right=by_shorter_models,
    mistakes={
        "the last norm is missing: lm_head has only ever read what comes out of it":
            lambda m, t: m.lm_head(streams(m, t)[1:]),
        "one layer early: the stream before each block; take it after": lambda m, t: logits(m, streams(m, t)[:-1]),
        "the stream before the first block is among them: one for each block": lambda m, t: logits(m, streams(m, t)),
        "what each block adds is read: read the stream, which holds all that came before":
            lambda m, t: logits(m, streams(m, t).diff(dim=0)),
        "the positions are missing: the stream starts as the sum of two tables":
            lambda m, t: logits(m, streams(m, t, places=False)[1:]),
        "the norm goes into the stream: it is for reading alone, the next block gets x itself":
            lambda m, t: m.lm_head(streams(m, t, between=m.norm)[1:]),
        "each block reads the embeddings: it has to read what the block before it wrote": each_from_the_start,
        "probabilities: logits were asked for, without softmax":
            lambda m, t: logits(m, streams(m, t)[1:]).softmax(-1),
        "logarithms of probabilities: logits were asked for":
            lambda m, t: logits(m, streams(m, t)[1:]).log_softmax(-1),
        "the last layer only: one for each block": lambda m, t: logits(m, streams(m, t)[-1:]),
        "the last position only: all of them, (L, B, T, V)": lambda m, t: logits(m, streams(m, t)[1:, :, -1]),
        "it is in training mode, and dropout drops: model.eval() first, or leave it as it came":
            lambda m, t: logits(m, streams(m.train(), t)[1:]),
    },
    cases=(model_and_tokens,),
    explanation="for each layer, what a model that ends there would say",
)  # fmt: skip

# exact but for rounding, with the pretrained model; the next best of all groups is a e i o y with 0.228
RIGHT, ANY = (0.231, 0.235), (1, 65_780)
vowels = Answer(
    right=(RIGHT, 1),
    mistakes={
        "that is the table at the beginning: expected is lm_head.weight": ((0.151, 0.155), ANY),
        "take the mean of the 26 rows off first, of all that the letters share": ((0.208, 0.212), ANY),
        "the mean that comes off is that of the 26 letters, not of all 65 characters": ((0.433, 0.438), ANY),
        "a letter's cosine with itself says nothing: only the ten pairs count": ((0.384, 0.389), ANY),
        "that is the dot product: divide each row by its length": ((0.615, 0.620), ANY),
        "that is the next best group, a e i o y": ((0.227, 0.2305), ANY),
        "the group itself counts, too: the first has rank 1": (RIGHT, 0),
        "counted from the other end: rank 1 is the closest group": (RIGHT, (60_000, 65_780)),
        "the rank is the number of groups that are at least as close, itself among them": (RIGHT, ANY),
    },
    expected="how close the vowels are, to three decimals, and their rank",
    explanation="first of 65,780 at this end, too",
)  # fmt: skip
