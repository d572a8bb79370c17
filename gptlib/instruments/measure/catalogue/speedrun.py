"""Notebook 13: the steps and seconds that today's parts need for the loss of nanoGPT's recipe, together and each."""

import copy
import statistics
import time
from dataclasses import replace

import torch

from gptlib.instruments.measure.catalogue.modern import (
    PARTS,
    RECIPE,
    SIZES,
    NanoConfig,
    modern_gpt,
    nano_gpt,
    with_previous_token,
)
from gptlib.instruments.measure.experiment import Experiment, Variant
from gptlib.instruments.measure.results import losses_in, stored_rows
from gptlib.modern import ModernConfig
from gptlib.train import train

SMALLER = replace(SIZES, n_layer=2)
SHORT = {"batch_size": 12, "block_size": 64}


def sides(rows=None):
    """{variant: (mean loss, median seconds)} of the speedrun's rows, the stored ones unless given."""
    rows = stored_rows(SPEEDRUN) if rows is None else rows
    seconds = losses_in(rows, "seconds")
    return {
        name: (statistics.fmean(values), statistics.median(seconds[name]))
        for name, values in losses_in(rows).items()
    }


def ratios(rows=None):
    """{variant: how many times fewer seconds than the recipe} for those that reach its mean loss."""
    found = sides(rows)
    goal, slow = found.pop(RECIPE)
    return {name: slow / seconds for name, (loss, seconds) in found.items() if loss <= goal}


def verdict(rows):
    """What the speedrun prints below its table."""
    if RECIPE not in sides(rows):
        return f"a ratio needs runs of {RECIPE}, too"
    fast = ", ".join(
        f"{name} in 1/{ratio:.1f} of the seconds" for name, ratio in ratios(rows).items()
    )
    goal = sides(rows)[RECIPE][0]
    return f"the recipe's mean loss of {goal:.3f} is reached by {fast or 'nobody'}"


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


# ---- each part alone, to the recipe's loss


def step_cost(trained, steps=40):
    """How long a training step takes, as a multiple of one of nanoGPT's recipe: both in turns, the middle of all."""
    both = ((copy.deepcopy(trained.model), trained.config), (nano_gpt(), NanoConfig()))
    runs = [
        train(model, trained.data, replace(config, steps=steps, eval_every=steps, eval_batches=1))
        for model, config in both
    ]
    took = [[], []]
    for _ in range(steps):
        for run, seconds in zip(runs, took):
            began = time.perf_counter()
            next(run)
            seconds.append(time.perf_counter() - began)
    # the first of each evaluate, and warm up
    mine, recipe = (statistics.median(seconds[5:]) for seconds in took)
    return mine / recipe


# the schedules tried for each part, in steps: the longest that does not reach the goal, and the next that does
TRIED = {
    RECIPE: (1400,),
    "RMSNorm": (2000,),
    "untied head": (1400, 2000),
    "linear decay": (2000,),
    "zero projections": (2000,),
    "ReLU²": (1400, 2000),
    "QK-norm": (1400, 2000),
    "lr 4e-3": (1000, 1400),
    "RoPE": (1000, 1400),
    "Muon": (500, 700),
    "together": (250, 350),
}


def reached():
    """{part: (steps, multiple of the recipe's seconds)} of the shortest schedule tried that comes to its mean loss.

    None in place of the pair where none does.
    """
    goal, found = sides()[RECIPE][0], {}
    rows = stored_rows(STEPS_TO_GOAL)
    of_cost = losses_in(rows, "step_cost")
    for name, values in losses_in(rows).items():
        part, steps = name.removesuffix(" steps").rsplit(", ", 1)
        found.setdefault(part, None)
        if found[part] is None and statistics.fmean(values) <= goal:
            cost = statistics.median(of_cost[name])
            found[part] = int(steps), int(steps) * cost / NanoConfig().steps
    return found


STEPS_TO_GOAL = Experiment(
    "steps_to_goal",
    "In how many steps does each modern part alone reach the loss of nanoGPT's recipe?",
    {
        f"{part}, {steps} steps": replace(
            PARTS.variants[part], changes=PARTS.variants[part].changes | {"steps": steps}
        )
        for part, tried in TRIED.items()
        for steps in tried
    },
    PARTS.setting,
    seeds=3,
    sizes=PARTS.sizes,
    measures={"step_cost": step_cost},
)
