"""Exercises: passes over a text, a model that is frozen but for its end, one matrix with two jobs."""

import copy

import torch
import torch.nn as nn

from gptlib.instruments.exercises import diagnosis
from gptlib.instruments.exercises.answer import Answer
from gptlib.instruments.exercises.grader import Both, Check, as_given
from gptlib.model import GPT, GPTConfig, LanguageModel

TRAINING_PART, STEPS, BATCH, BLOCK = 1_003_854, 5_000, 64, 256  # the lecture's scaled-up run


def passes_and_steps(batch=BATCH, block=BLOCK, text=TRAINING_PART):
    """(epochs that the run makes, steps that one epoch takes)."""
    return STEPS * batch * block / text, text / (batch * block)


passes = Answer(
    right=passes_and_steps(),
    mistakes={
        "block_size is missing: a step reads batch_size × block_size characters": passes_and_steps(block=1),
        "batch_size is missing: a step reads batch_size × block_size characters": passes_and_steps(batch=1),
        "that is the whole text: the run sees only the training split of 1,003,854 characters":
            passes_and_steps(text=1_115_394),
        "upside down: epochs are characters read ÷ characters there are":
            tuple(1 / number for number in passes_and_steps()),
        "the first is right; the second is upside down: how many steps make one epoch?":
            (passes_and_steps()[0], 1 / passes_and_steps()[1]),
        "those are characters: the first asks for passes over the text, the second for steps":
            (STEPS * BATCH * BLOCK, BATCH * BLOCK),
    },
    expected="the number of epochs, and the number of steps in one epoch, to two digits",
    explanation="82 passes: with so many, the lecture's dropout of 0.2 has something to do",
)  # fmt: skip


def trained(module):
    """The share of a module's parameters that an optimizer would move."""
    return torch.tensor([p.requires_grad for p in module.parameters()]).double().mean()


def seen_frozen(freeze):
    """A function that freezes a small GPT and looks: which of its parts are trained, and did anything else change?"""
    as_given(freeze)

    def call(tokens):
        given = GPT(GPTConfig(vocab_size=11, block_size=8, n_embd=8, n_head=2, n_layer=3))
        before = given(tokens)
        model = diagnosis.came_back(freeze(given), GPT, "the model; is `return model` missing?")
        parts = {
            "the token table": model.token_embedding_table,
            "the position table": model.position_embedding_table,
            **{f"block {i}": block for i, block in enumerate(model.blocks, start=1)},
            "the last norm": model.norm,
            "lm_head": model.lm_head,
        }
        seen = {f"{name}, the share that is trained": trained(part) for name, part in parts.items()}
        return seen | {
            "it is the model that came": model is given,
            "it says the same as before": torch.allclose(model(tokens), before),
            "it is in training mode": model.training,
            "a module has got an attribute requires_grad": any(
                "requires_grad" in vars(module) for module in model.modules()
            ),
        }

    return call


def but_for(*names):
    """A freeze that leaves the parts with these names trained; blocks are called blocks.0, blocks.1, …"""

    def freeze(model):
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith(tuple(f"{part}." for part in names)))
        return model

    return freeze


def by_attribute(model):
    """An attribute that nobody reads."""
    for module in (model.token_embedding_table, model.position_embedding_table, *model.blocks[:-1]):
        module.requires_grad = False
    return model


END = ("blocks.2", "norm", "lm_head")
freeze = Check(
    right=but_for(*END),
    mistakes={
        "nothing is frozen yet": lambda model: model,
        "a module has no switch called requires_grad, so that was a new attribute, which nobody reads; "
        "module.requires_grad_(False), with the underscore, reaches its parameters": by_attribute,
        "eval() switches dropout off; it freezes nothing": lambda model: model.eval(),
        "everything is frozen, so nothing is left to train": lambda model: model.requires_grad_(False),
        "the wrong way round: the end should be trained, the rest frozen":
            but_for("token_embedding_table", "position_embedding_table", "blocks.0", "blocks.1"),
        "that is the first block: the last one is model.blocks[-1]": but_for("blocks.0", "norm", "lm_head"),
        "all blocks are trained: only the last one should be": but_for("blocks", "norm", "lm_head"),
        "no block is trained: the last one should be": but_for("norm", "lm_head"),
        "the last norm is frozen: it is model.norm": but_for("blocks.2", "lm_head"),
        "lm_head is frozen: it should be trained": but_for("blocks.2", "norm"),
        "the tables are still trained: freeze both": but_for(*END, "token_embedding_table", "position_embedding_table"),
        "the position table is still trained": but_for(*END, "position_embedding_table"),
        "the token table is still trained": but_for(*END, "token_embedding_table"),
        "it is frozen in a copy of the model: change the one that came":
            lambda model: but_for(*END)(copy.deepcopy(model)),
    },
    cases=(lambda: (torch.tensor([[3, 1, 4, 1, 5]]),),),
    prepare=seen_frozen,
    explanation="the last block, the last norm and lm_head learn, and everything before them stays as it was",
)  # fmt: skip


def seen_tied(tie):
    """A function that ties a small model and looks: is it one matrix, which one, and how many weights are left?"""
    as_given(tie)

    def call(tokens):
        given = LanguageModel(11, 8, 6, nn.Identity())
        before = given.token_embedding_table.weight.detach().clone()
        model = diagnosis.came_back(
            tie(given), LanguageModel, "the model; is `return model` missing?"
        )
        diagnosis.came_back(
            model.lm_head, nn.Linear, "an nn.Linear as lm_head, with the table's weight"
        )
        table, head = model.token_embedding_table.weight, model.lm_head.weight
        seen = {
            "both hold the token table's numbers": torch.equal(table, before)
            and torch.equal(head, before),
            "they are one Parameter": head is table,
            "it is trained": table.requires_grad,
            "it is the model that came": model is given,
            "the parameters": sum(p.numel() for p in model.parameters()),
        }
        with torch.no_grad():
            return seen | {"when one moves, so does the other": torch.equal(table.add_(1), head)}

    return call


def tie(model):
    """lm_head gets the token table's Parameter."""
    model.lm_head.weight = model.token_embedding_table.weight
    return model


def with_weight(make):
    """A tie that gives lm_head another weight; make makes it of the token table's."""

    def tie(model):
        model.lm_head.weight = make(model.token_embedding_table.weight)
        return model

    return tie


def share_memory(model):
    """lm_head's own Parameter looks at the token table's memory."""
    model.lm_head.weight.data = model.token_embedding_table.weight.data
    return model


def other_way_round(model):
    """The token table gets lm_head's Parameter."""
    model.token_embedding_table.weight = model.lm_head.weight
    return model


def without_bias(model):
    """Tied, and the bias of lm_head lost."""
    model.lm_head.bias = None
    return tie(model)


tied_weights = Both(
    piece=Check(
        right=tie,
        mistakes={
            "the two only hold equal numbers: a copy, which goes its own way in training; make them one Parameter":
                with_weight(lambda table: nn.Parameter(table.detach().clone())),
            "the two share their memory, but are two Parameters, and an optimizer steps twice: assign the Parameter":
                share_memory,
            "the other way round: the token table has become lm_head; lm_head should be the table": other_way_round,
            "it is tied in a copy of the model: change the one that came": lambda model: tie(copy.deepcopy(model)),
            "the shared matrix is frozen: it has to be trained": with_weight(lambda table: table.requires_grad_(False)),
            "the bias of lm_head is gone: only the matrix is shared": without_bias,
            "nothing is tied yet: two different matrices": lambda model: model,
        },
        cases=(lambda: (torch.tensor([[3, 1, 4, 1, 5]]),),),
        prepare=seen_tied,
        explanation="one matrix with two jobs, counted once",
    ),
    # 3 seeds, 600 steps: 0.030, 0.040, 0.028
    number=Answer(
        right=((0.01, 0.07),),
        mistakes={
            "the sign: free minus tied, tied is the better one": ((-0.07, -0.01),),
            "that is a loss: expected is the difference of the two": ((1.8, 2.3),),
            "no difference: was the tied model trained, or the free one twice?": ((-0.01, 0.01),),
            "too large a difference: the same seed, the same config and 600 steps for both": ((0.07, 1.8),),
        },
        expected="one number, the free model's loss minus the tied one's",
        explanation="and the tied model is a little better here, with fewer weights",
    ),
)  # fmt: skip
