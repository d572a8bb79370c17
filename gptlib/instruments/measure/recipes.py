"""How the trained models in data/checkpoints were made; each can be made again with one command.

    python -m gptlib.instruments.measure.recipes shakespeare [--device cuda]
    python -m gptlib.instruments.measure.recipes snapshots
    python -m gptlib.instruments.measure.recipes scaled_up --device cuda
    python -m gptlib.instruments.measure.recipes scaled_up_modern --device cuda

The model goes to my/, its log to my/results/NAME_training.csv; with --store they go to data/. A run that was broken
off goes on where it stopped. Its last line says the best validation loss, and when the recipe's goal was reached.
"""

import argparse
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from gptlib.instruments import files
from gptlib.instruments.measure.catalogue.common import weights_of
from gptlib.instruments.measure.long_run import BEST, is_begun, scored
from gptlib.instruments.measure.sealed import write_sealed
from gptlib.instruments.measure.texts import read_data
from gptlib.instruments.models.fast import with_fast_parts
from gptlib.instruments.models.pretrained import save_gpt
from gptlib.instruments.show.progress import watch
from gptlib.model import GPT, GPTConfig
from gptlib.modern import CombinedOptimizer, ModernConfig, ModernGPT
from gptlib.tokenizer import LECTURE_ALPHABET
from gptlib.train import TrainConfig


@dataclass(frozen=True)
class WarmupThenLinear(ModernConfig):
    """Notebook 13's with a longer warm-up and torch's own Muon: so the stored models were made."""

    warmup: int = 100

    def optimizer(self, model):
        matrices, rest = map(weights_of, super().optimizer(model).optimizers)
        lr = self.learning_rate
        # Muon's steps are scaled to AdamW's size, so that one learning rate serves both
        muon = torch.optim.Muon(matrices, lr, 0.1, adjust_lr_fn="match_rms_adamw")
        adamw = torch.optim.AdamW(rest, lr, (0.9, 0.99), weight_decay=0.0, fused=True)
        return CombinedOptimizer(muon, adamw)


@dataclass(frozen=True)
class Recipe:
    """A model, its sizes, its training, and how often it is scored on the whole validation part.

    keep: steps of which a snapshot is kept; without any, the best score is. goal: a loss whose moment is of interest.
    large: never stored with the repository.
    """

    sizes: GPTConfig
    training: TrainConfig
    score_every: int
    build: Callable = GPT
    keep: tuple = ()
    goal: float | None = None
    large: bool = False


SMALLER = {"batch_size": 32, "learning_rate": 5e-3, "eval_batches": 4}
LARGE = {"batch_size": 64, "block_size": 256, "eval_every": 250, "eval_batches": 10}
SCALED_UP = GPTConfig(block_size=256, n_embd=384, n_head=6, n_layer=6, dropout=0.2)
RECIPES = {
    "shakespeare": Recipe(
        GPTConfig(block_size=256, n_embd=192, n_head=6, n_layer=6, dropout=0.15),
        ModernConfig(
            steps=5000,
            warmup=100,
            batch_size=8,
            block_size=256,
            learning_rate=4e-3,
            eval_every=250,
            eval_batches=8,
        ),
        score_every=500,
    ),
    "snapshots": Recipe(
        GPTConfig(block_size=64, n_embd=64, n_head=4, n_layer=3),
        WarmupThenLinear(steps=3000, block_size=64, eval_every=500, **SMALLER),
        score_every=3000,
        keep=(0, 50, 100, 200, 400, 800, 1600, 3000),
    ),
    # the lecture's scaled-up setting, 10.8 million parameters, and today's parts at the same size: for a GPU
    "scaled_up": Recipe(
        SCALED_UP,
        TrainConfig(steps=5000, learning_rate=3e-4, **LARGE),
        score_every=250,
        goal=1.4873,  # what the lecture reports
        large=True,
    ),
    "scaled_up_modern": Recipe(
        SCALED_UP,
        ModernConfig(steps=2000, learning_rate=3e-3, warmup=100, **LARGE),
        score_every=250,
        build=ModernGPT,
        goal=1.4873,
        large=True,
    ),
}


def make(name, device="cpu", steps=None, store=False):
    """Follow a recipe from start to end, or from where it was broken off; returns the rows of its log."""
    recipe = RECIPES[name]
    training = replace(recipe.training, steps=steps or recipe.training.steps)
    data = read_data(files.DATA / "shakespeare.txt", device)
    torch.manual_seed(training.seed)
    model = with_fast_parts(recipe.build(recipe.sizes)).to(device)
    target = files.DATA / "checkpoints" if store and not recipe.large else files.MY
    log = (files.DATA if store else files.MY) / "results" / f"{name}_training.csv"
    folder = files.MY / "runs" / name
    rows = files.read_rows(log) if is_begun(folder) else []
    about = {
        "machine": f"{platform.machine()} {device}, {torch.get_num_threads()} thread(s)",
        "torch": torch.__version__,
    }
    scores = []
    run = scored(folder, model, data, training, recipe.score_every, scores)
    for step, losses in watch(run, training.steps):
        if step in recipe.keep:
            path = target / f"{name}_{step:04d}.safetensors"
            save_gpt(path, model, LECTURE_ALPHABET, {"step": step})
        if losses:
            rows = [old for old in rows if int(old["step"]) < step]
            rows.append(row_of(step, losses, scores) | about)
            (write_sealed if store else files.write_rows)(log, rows)
    if scores and not recipe.keep:
        with files.replacing(target / f"{name}.safetensors") as beside:
            shutil.copyfile(folder / BEST, beside)
    return rows


def row_of(step, losses, scores):
    """A line of a recipe's log; what a score says only if there is one for this step."""
    score = scores[-1] if scores and scores[-1].step == step else None
    return {
        "step": step,
        "train": round(losses["train"], 4),
        "val": round(losses["val"], 4),
        "full_loss": score.full_loss if score else "",
        "cpu_minutes": score.cpu_minutes if score else "",
        "minutes": score.minutes if score else "",
    }


def verdict(name, rows):
    """A line that says what a recipe came to, and when it reached its goal if it has one."""
    scores = [(float(row["full_loss"]), row["minutes"]) for row in rows if row["full_loss"]]
    if not scores:
        return f"{name}: not scored yet; the same command goes on"
    loss, minutes = min(scores)
    line = f"{name}: best validation loss {loss:.4f}, after {minutes} minutes"
    goal = RECIPES[name].goal
    if goal is None:
        return line
    there = [minutes for loss, minutes in scores if loss <= goal]
    return f"{line}; {goal} {f'reached after {there[0]} minutes' if there else 'not reached'}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, help="fewer steps than the recipe's, to try it")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--store", action="store_true", help="for authors: write to data/")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    try:
        rows = make(chosen.name, chosen.device, chosen.steps, chosen.store)
    except ValueError as problem:
        sys.exit(str(problem))
    print(verdict(chosen.name, rows))
