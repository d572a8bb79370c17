"""The record: the losses that the lecture and nanoGPT report from a GPU, on a laptop's cores.

The goals are losses on the lecture's own text, which is not here: run.py experiments run record --text FILE.
"""

import statistics
from dataclasses import dataclass, replace

import torch

from gptlib.instruments.measure.catalogue.modern import modern_gpt
from gptlib.instruments.measure.experiment import Experiment, Variant
from gptlib.instruments.measure.results import losses_in
from gptlib.instruments.models.fast import with_fast_parts
from gptlib.model import GPT, GPTConfig
from gptlib.modern import ModernConfig

SIZES = GPTConfig(block_size=256, n_embd=160, n_head=5, n_layer=6, dropout=0.1)
SETTING = ModernConfig(batch_size=8, block_size=256, learning_rate=4e-3, warmup=100)
# {steps: (CPU-minutes, the loss to reach within them)}: the lecture's, nanoGPT's from a GPU, and one better than both
GOALS = {2400: (25, 1.4873), 3600: (40, 1.4697), 4600: (120, 1.45)}


def named(steps):
    """The variant that trains for so many steps."""
    return f"{steps:,} steps"


def best(trained):
    """The Score of the lowest loss."""
    return min(trained.scores, key=lambda score: score.full_loss)


def verdict(rows):
    """Which goals were reached by every seed."""
    found, minutes = losses_in(rows, "best_loss"), losses_in(rows, "cpu_minutes")
    said = []
    for steps, (limit, goal) in GOALS.items():
        if (variant := named(steps)) in found:
            reached = [
                loss <= goal and took <= limit
                for loss, took in zip(found[variant], minutes[variant])
            ]
            mean = statistics.fmean(found[variant])
            said.append(
                f"{variant}: {mean:.4f} on average in {max(minutes[variant]):.0f} CPU-minutes at most; {goal} within "
                f"{limit} by {sum(reached)} of {len(reached)} seeds"
            )
    return "; ".join(said) or "no run of a goal yet"


ON_THE_WAY = {
    "best_loss": lambda trained: best(trained).full_loss,
    "best_step": lambda trained: best(trained).step,
    "cpu_minutes": lambda trained: trained.scores[-1].cpu_minutes,
}
RECORD = Experiment(
    "record",
    "How many CPU-minutes does a GPT need for the losses that the lecture and nanoGPT report from a GPU?",
    {named(steps): Variant(lambda: modern_gpt(SIZES), {"steps": steps}) for steps in GOALS},
    SETTING,
    seeds=3,
    sizes={
        "n_embd": SIZES.n_embd,
        "n_head": SIZES.n_head,
        "n_layer": SIZES.n_layer,
        "dropout": SIZES.dropout,
    },
    measures=ON_THE_WAY,
    score_every=400,
    verdict=verdict,
)

SHORTER = replace(SETTING, steps=1000)


@dataclass(frozen=True)
class AdamWConfig(ModernConfig):
    """The record's setting, with AdamW for the matrices of the blocks as well."""

    def optimizer(self, model):
        return torch.optim.AdamW(model.parameters(), self.learning_rate, (0.9, 0.99), fused=True)


def plain_gpt():
    """The GPT of the lecture at the record's size, with the fast parts."""
    return with_fast_parts(GPT(SIZES))


def adamw(learning_rate):
    """The shorter setting with AdamW alone."""
    return AdamWConfig(**vars(SHORTER) | {"learning_rate": learning_rate})


LIKE_FOR_LIKE = Experiment(
    "record_parts",
    "What does each choice of the record bring, when the others stay as they are?",
    {
        "the record's": Variant(lambda: modern_gpt(SIZES)),
        "AdamW, lr 4e-3": Variant(lambda: modern_gpt(SIZES), setting=adamw(4e-3)),
        "AdamW, lr 2e-3": Variant(lambda: modern_gpt(SIZES), setting=adamw(2e-3)),
        "plain GPT": Variant(plain_gpt),
        "plain GPT, AdamW, lr 2e-3": Variant(plain_gpt, setting=adamw(2e-3)),
        "block of 128": Variant(
            lambda: modern_gpt(replace(SIZES, block_size=128)),
            {"block_size": 128, "batch_size": 16},
        ),
        "no dropout": Variant(lambda: modern_gpt(replace(SIZES, dropout=0.0))),
        "lr 2e-3": Variant(lambda: modern_gpt(SIZES), {"learning_rate": 2e-3}),
    },
    SHORTER,
    seeds=1,
    sizes=RECORD.sizes,
    measures=ON_THE_WAY,
    score_every=SHORTER.steps,
)
