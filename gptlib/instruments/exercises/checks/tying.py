"""Check of notebook 10: one matrix with two jobs."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from gptlib.instruments.exercises.checks import reading
from gptlib.instruments.exercises.checks.judging import Check
from gptlib.instruments.exercises.checks.reading import NotYet, Wrong
from gptlib.model import LanguageModel

COPIED = "the two only hold equal numbers: a copy, which goes its own way in training; make them one Parameter"


def seen_tied(tie):
    """A function that ties a small model and looks: do both move together, how many weights, what are the logits?"""
    if not callable(tie):
        raise Wrong(f"{reading.kind(tie)} came, a function was expected")

    def call(tokens):
        model = tie(LanguageModel(11, 8, 6, nn.Identity()))
        if model is None or model is Ellipsis:
            raise NotYet("nothing comes back; is there still a …, or is `return model` missing?")
        if not isinstance(model, LanguageModel):
            raise Wrong(f"{reading.kind(model)} came back, the model was expected")
        table, head = model.token_embedding_table.weight, model.lm_head.weight
        x = model.token_embedding_table(tokens) + model.position_embedding_table.weight[:5]
        right = F.linear(x, table, model.lm_head.bias)
        agrees = torch.allclose(model(tokens), right, atol=1e-5)
        with torch.no_grad():
            table += 1
        return torch.equal(table, head), sum(p.numel() for p in model.parameters()), agrees

    return call


def tie(model):
    """lm_head gets the token table's Parameter."""
    model.lm_head.weight = model.token_embedding_table.weight
    return model


def copy_as_parameter(model):
    """lm_head gets a Parameter of its own with the same numbers."""
    model.lm_head.weight = nn.Parameter(model.token_embedding_table.weight.detach().clone())
    return model


def share_memory(model):
    """lm_head's own Parameter looks at the token table's memory."""
    model.lm_head.weight.data = model.token_embedding_table.weight.data
    return model


def tie_without_bias(model):
    """Tied, and the bias of lm_head lost."""
    model.lm_head.bias = None
    return tie(model)


tied = Check(
    right=tie,
    wrong={
        COPIED: copy_as_parameter,
        "the two share their memory, but are two Parameters, and an optimizer steps twice: assign the Parameter": (
            share_memory
        ),
        "the bias of lm_head is gone: only the matrix is shared": tie_without_bias,
        "nothing is tied yet: two different matrices": lambda model: model,
    },
    cases=(lambda: (torch.tensor([[3, 1, 4, 1, 5]]),),),
    prepare=seen_tied,
    well="one matrix with two jobs, counted once",
)
