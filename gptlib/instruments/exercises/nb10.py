"""Exercises: the parameters of GPT-2's size, dropout, one matrix with two jobs."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises import diagnosis
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.cases import leaves_input, made, numbers
from gptlib.instruments.exercises.diagnosis import NotYet, Wrong
from gptlib.instruments.exercises.grader import Both, Check, as_given
from gptlib.model import LanguageModel

# ---- how many parameters


def millions(V=50_257, T=1_024, C=768, L=12, inside=8, wo=1, head=1, biases=1):
    """The parameters of our GPT, part by part, in millions, between what rounding makes of them."""
    attention = (3 + wo) * C * C + wo * C * biases
    ffwd = inside * C * C + (inside // 2 + 1) * C * biases
    norms = L * 4 * C + 2 * C
    found = V * C + T * C + L * (attention + ffwd) + norms + head * (C * V + V * biases)
    return found / 1e6 - 0.05, found / 1e6 + 0.05


gpt_millions = Answer(
    right=(millions(),),
    mistakes={
        "that is GPT-2's own number: ours has a matrix for lm_head besides the token table": (
            (124.3, 124.6),
        ),
        "lm_head is missing: ours has a matrix of its own, C × V, besides the token table": (
            millions(head=0),
        ),
        "one decimal, please; and ours has a matrix for lm_head besides the token table": (124,),
        "the position table is missing, T × C": (millions(T=0),),
        "the tables and lm_head are missing: those are the blocks": ((84.85, 86.0),),
        "that is the token table or lm_head alone": ((38.55, 38.7),),
        "feed-forward is four times as wide in between: 8 C²": (millions(inside=2),),
        "the blocks are counted once: there are 12": (millions(L=1),),
        "the blocks and the positions are missing: those are the token table and lm_head": (
            (77.15, 77.3),
        ),
        "Wo is missing: four matrices of C × C in attention": (millions(wo=0),),
        "the biases are missing: feed-forward, proj and lm_head have some": (millions(biases=0),),
        "a decimal more, please": (163,),
        "in millions, please": ((163e6, 163.2e6),),
    },
    expected="a number of millions, to one decimal",
    explanation="163.1 million; GPT-2 ties lm_head to the token table, which saves 38.6",
)


# ---- dropout


def seen_through(kind):
    """A function that looks at a dropout of 0.2: what it multiplies by, how often it gives 0, and in eval mode."""
    dropout = made(kind, 0.2)

    def call(x):
        dropout.eval()
        evaluated = diagnosis.tensors(dropout(x.clone()))[""]
        if evaluated.shape != x.shape:
            raise Wrong(
                f"the shape is {tuple(evaluated.shape)} after {tuple(x.shape)}: it stays as it is"
            )
        dropout.train()
        zeros, again = ((dropout(x.clone()) / x) == 0 for _ in range(2))
        factor = diagnosis.tensors(dropout(x))[""] / x
        kept = factor[factor != 0]
        return {
            "in eval mode, what it multiplies by": (evaluated / x).mean(),
            "in eval mode, every number stays what it is": bool((evaluated - x).abs().max() < 1e-5),
            "in training with p = 0.2, the share of zeros": round(zeros.double().mean().item(), 1),
            "in training, what the rest is multiplied by, at least": kept.min()
            if len(kept)
            else 0.0,
            "in training, what the rest is multiplied by, at most": kept.max()
            if len(kept)
            else 0.0,
            "dropped in every example alike": bool((zeros == zeros[:1]).all()),
            "dropped at every position alike": bool((zeros == zeros[:, :1]).all()),
            "dropped in every channel alike": bool((zeros == zeros[..., :1]).all()),
            "dropped in every call alike": torch.equal(zeros, again),
            "exactly as many in every call": bool(zeros.sum() == again.sum()),
        }

    return call


def dropout_of(train, evaluate=lambda x, p: x):
    """A class of dropout with two functions of (x, p), for training and for eval mode."""

    class Dropout(nn.Module):
        def __init__(self, p):
            super().__init__()
            self.p = p

        def forward(self, x):
            return (train if self.training else evaluate)(x, self.p)

    return Dropout


def dropped(x, p, factor=None, like=None, draw=torch.rand):
    """x with zeros, each with probability p, times factor; like has the shape of what is drawn."""
    kept = draw(x.shape if like is None else like.shape) >= p
    return x * kept * (1 / (1 - p) if factor is None else factor)


def exactly(x, p):
    """A share p of all numbers, no more and no less."""
    order = torch.rand(x.numel()).argsort().argsort().view(x.shape)
    return x * (order >= p * x.numel()) / (1 - p)


def always_the_same(x, p):
    """The same numbers in each call."""
    generator = torch.Generator().manual_seed(0)
    return dropped(x, p, draw=lambda shape: torch.rand(shape, generator=generator))


dropout = Check(
    right=nn.Dropout,
    mistakes={
        "it drops in eval mode too: ask self.training": dropout_of(dropped, dropped),
        "it multiplies in eval mode: with 1/(1 − p) in training nothing is left to do there": (
            dropout_of(lambda x, p: dropped(x, p, 1), lambda x, p: x * (1 - p))
        ),
        "it multiplies in eval mode as in training: there nothing happens": (
            dropout_of(dropped, lambda x, p: x / (1 - p))
        ),
        "in eval mode everything is 0: there nothing happens": dropout_of(
            dropped, lambda x, p: 0 * x
        ),
        "what is kept is multiplied by 1/p: with probability 1 − p it is kept, so 1/(1 − p)": (
            dropout_of(lambda x, p: dropped(x, p, 1 / p))
        ),
        "what is kept is not multiplied: the mean falls; by 1/(1 − p) it stays": (
            dropout_of(lambda x, p: dropped(x, p, 1))
        ),
        "what is kept is multiplied by 1 − p: divide by it": dropout_of(
            lambda x, p: dropped(x, p, 1 - p)
        ),
        "it keeps with probability p: p is how often it drops": (
            dropout_of(lambda x, p: dropped(x, 1 - p, 1 / (1 - p)))
        ),
        "it keeps with probability p and multiplies by 1/p: p is how often it drops": (
            dropout_of(lambda x, p: dropped(x, 1 - p, 1 / p))
        ),
        "randn draws from a bell, so p is no probability: torch.rand_like(x), from 0 to 1": (
            dropout_of(lambda x, p: dropped(x, p, draw=torch.randn))
        ),
        "p is not used: half of everything is dropped": dropout_of(lambda x, p: dropped(x, 0.5)),
        "what is dropped gets the mean of x: it is 0": (
            dropout_of(lambda x, p: torch.where(dropped(x, p) == 0, x.mean(), x))
        ),
        "what is dropped gets −∞, as behind a mask: it is 0": (
            dropout_of(lambda x, p: x.masked_fill(dropped(x, p) == 0, float("-inf")) / (1 - p))
        ),
        "whole rows are dropped: draw a number for each entry, torch.rand_like(x)": (
            dropout_of(lambda x, p: dropped(x, p, like=x[..., :1]))
        ),
        "all examples share one mask: draw a number for each entry, torch.rand_like(x)": (
            dropout_of(lambda x, p: dropped(x, p, like=x[:1]))
        ),
        "all positions share one mask: draw a number for each entry, torch.rand_like(x)": (
            dropout_of(lambda x, p: dropped(x, p, like=x[:1, :1]))
        ),
        "everything is dropped at once or nothing: draw a number for each entry, torch.rand_like(x)": (
            dropout_of(lambda x, p: dropped(x, p, like=x[:1, :1, :1]))
        ),
        "the mask is the same in every call: draw it anew in forward": dropout_of(always_the_same),
        "the same number of entries each time: each one decides for itself, torch.rand_like(x) >= p": (
            dropout_of(exactly)
        ),
        "it works the wrong way round, in eval mode and not in training": dropout_of(
            lambda x, p: x, dropped
        ),
    },
    cases=(lambda: (numbers(40, 50, 50).abs() + 1,),),
    prepare=seen_through,
    probes=(leaves_input,),
    explanation="a fifth is dropped, the rest × 1.25, and in eval mode nothing happens",
)


# ---- one matrix with two jobs


def seen_tied(tie):
    """A function that ties a small model and looks: do both move together, how many weights, what are the logits?"""
    as_given(tie)

    def call(tokens):
        given = LanguageModel(11, 8, 6, nn.Identity())
        before = given.token_embedding_table.weight.detach().clone()
        model = tie(given)
        if model is None or model is Ellipsis:
            raise NotYet("nothing comes back; is there still a …, or is `return model` missing?")
        if not isinstance(model, LanguageModel):
            raise Wrong(f"{diagnosis.kind(model)} came back, the model was expected")
        if not isinstance(model.lm_head, nn.Linear):
            raise Wrong(
                f"lm_head is {diagnosis.kind(model.lm_head)} now: only its weight is to be shared"
            )
        table, head = model.token_embedding_table.weight, model.lm_head.weight
        if head.shape != table.shape:
            raise Wrong(
                f"lm_head's weight has the shape {tuple(head.shape)}, the token table's {tuple(table.shape)}"
            )
        x = model.token_embedding_table(tokens) + model.position_embedding_table.weight[:5]
        with torch.no_grad():
            logits = F.linear(x, table, model.lm_head.bias)
            seen = {
                "the logits are those of the token table": torch.allclose(
                    model(tokens), logits, atol=1e-5
                ),
                "the numbers are the token table's": torch.equal(table, before),
                "one Parameter": head is table,
                "both move together": torch.equal(table.add_(1), head),
            }
        return seen | {
            "both are trained": all(p.requires_grad for p in model.parameters()),
            "the model that came is the one that comes back": model is given,
            "parameters": sum(p.numel() for p in model.parameters()),
        }

    return call


def tie(model, to="token_embedding_table", trained=True):
    """lm_head gets the token table's Parameter."""
    model.lm_head.weight = getattr(model, to).weight.requires_grad_(trained)
    return model


def copy_as_parameter(model):
    """lm_head gets a Parameter of its own with the same numbers."""
    model.lm_head.weight = nn.Parameter(model.token_embedding_table.weight.detach().clone())
    return model


def share_memory(model):
    """lm_head's own Parameter looks at the token table's memory."""
    model.lm_head.weight.data = model.token_embedding_table.weight.data
    return model


def other_way_round(model):
    """The token table gets lm_head's Parameter."""
    model.token_embedding_table.weight = model.lm_head.weight
    return model


def tie_without_bias(model):
    """Tied, and the bias of lm_head lost."""
    model.lm_head.bias = None
    return tie(model)


tied = Check(
    right=tie,
    mistakes={
        "the two only hold equal numbers: a copy, which goes its own way in training; make them one Parameter": (
            copy_as_parameter
        ),
        "the two share their memory, but are two Parameters, and an optimizer steps twice: assign the Parameter": (
            share_memory
        ),
        "the other way round: now the token table has lm_head's start; lm_head is to use the token table": (
            other_way_round
        ),
        "it is tied in a copy of the model: change the one that came": lambda model: tie(
            copy.deepcopy(model)
        ),
        "the shared matrix is frozen: it has to be trained": lambda model: tie(
            model, trained=False
        ),
        "the bias of lm_head is gone: only the matrix is shared": tie_without_bias,
        "nothing is tied yet: two different matrices": lambda model: model,
    },
    cases=(lambda: (torch.tensor([[3, 1, 4, 1, 5]]),),),
    prepare=seen_tied,
    explanation="one matrix with two jobs, counted once",
)

# 3 seeds, 600 steps: 0.030, 0.040, 0.028
tied_gain = Answer(
    right=((0.01, 0.07),),
    mistakes={
        "the sign: free minus tied, tied is the better one": ((-0.07, -0.01),),
        "that is a loss: expected is the difference of the two": ((1.8, 2.3),),
        "no difference: was the tied model trained, or the free one twice?": ((-0.01, 0.01),),
        "that is too large a difference: the same seed, the same config and 600 steps for both": (
            (0.07, 1.8),
        ),
    },
    expected="one number, the free model's loss minus the tied one's",
    explanation="and the tied model is a little better here, with fewer weights",
)
tied_weights = Both(tied, tied_gain)
