"""Notebook 12: in how many seconds today's parts reach the loss of nanoGPT's recipe, on one machine, in turns."""

import statistics
from dataclasses import replace

import torch

from gptlib.instruments.catalogue.modern import (
    RECIPE,
    SIZES,
    NanoConfig,
    modern_gpt,
    nano_gpt,
    with_previous_token,
)
from gptlib.instruments.experiments import Experiment, Variant, losses
from gptlib.modern import ModernConfig

SMALLER = replace(SIZES, n_layer=2)
SHORT = {"batch_size": 12, "block_size": 64, "warmup": 10}


def sides():
    """{variant: (mean loss, median seconds)} of the speedrun's rows."""
    losses_of, seconds_of = losses("speedrun"), losses("speedrun", "seconds")
    return {
        name: (statistics.fmean(losses_of[name]), statistics.median(seconds_of[name]))
        for name in losses_of
    }


def ratios():
    """{variant: how many times fewer seconds than the recipe} for those that reach its mean loss."""
    goal, slow = sides()[RECIPE]
    return {
        name: slow / seconds
        for name, (loss, seconds) in sides().items()
        if name != RECIPE and loss <= goal
    }


def verdict():
    """What the speedrun prints below its table."""
    fast = ", ".join(f"{name} in 1/{ratio:.1f} of the seconds" for name, ratio in ratios().items())
    return f"the recipe's mean loss of {sides()[RECIPE][0]:.3f} is reached by {fast or 'nobody'}"


SPEEDRUN = Experiment(
    "speedrun",
    "In how many seconds do today's parts reach the loss of nanoGPT's recipe?",
    {
        RECIPE: Variant(nano_gpt, threads=None),
        "modern, 2 blocks": Variant(
            lambda: modern_gpt(SMALLER), threads=None, setting=ModernConfig(steps=350, **SHORT)
        ),
        "and the letter before": Variant(
            lambda: with_previous_token(modern_gpt(SMALLER)),
            threads=None,
            setting=ModernConfig(steps=250, **SHORT),
        ),
    },
    NanoConfig(),
    seeds=3,
    sizes={"n_embd": SIZES.n_embd, "n_head": SIZES.n_head},
    measures={"threads": lambda trained: torch.get_num_threads()},
    timed=True,
    verdict=verdict,
)
