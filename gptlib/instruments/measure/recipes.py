"""How the trained models in data/checkpoints were made; each can be made again with one command.

    python -m gptlib.instruments.measure.recipes shakespeare [--device cuda]
    python -m gptlib.instruments.measure.recipes snapshots
    python -m gptlib.instruments.measure.recipes scaled_up --device cuda

A run that was broken off goes on where it stopped. Its log is data/results/NAME_training.csv.
"""

import argparse
import csv
import math
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from gptlib import modern
from gptlib.instruments.measure.experiments import read_data, write_rows
from gptlib.instruments.models import checkpoint
from gptlib.instruments.models.fast import with_fast_norms
from gptlib.instruments.models.pretrained import save_gpt
from gptlib.instruments.show.progress import watch
from gptlib.model import GPT, GPTConfig
from gptlib.tokenizer import LECTURE_ALPHABET
from gptlib.train import TrainConfig, full_loss

DATA = Path(__file__).parents[3] / "data"


@dataclass(frozen=True)
class WarmupThenLinear(modern.ModernConfig):
    """The schedule of notebook 12 with a longer warm-up, and torch's Muon, whose state can be saved."""

    warmup: int = 100

    def optimizer(self, model):
        return muon_and_adamw(model, self.learning_rate)


def matrices_and_rest(model):
    """(the matrices of model's blocks, for Muon; all other weights that learn, for AdamW)."""
    matrices = [weight for weight in model.blocks.parameters() if weight.dim() == 2]
    rest = [weight for weight in model.parameters() if weight not in set(matrices)]
    return matrices, [weight for weight in rest if weight.requires_grad]


def muon_and_adamw(model, learning_rate):
    """Muon for the matrices of the blocks, AdamW for all else; Muon's steps are scaled to AdamW's size, so that one
    learning rate serves both."""
    matrices, others = matrices_and_rest(model)
    muon = torch.optim.Muon(matrices, learning_rate, 0.1, adjust_lr_fn="match_rms_adamw")
    adamw = torch.optim.AdamW(others, learning_rate, (0.9, 0.99), weight_decay=0.0, fused=True)
    return modern.CombinedOptimizer(muon, adamw)


@dataclass(frozen=True)
class Recipe:
    """A model's sizes, its training, and how often it is scored on the whole validation part."""

    sizes: GPTConfig
    training: TrainConfig
    score_every: int
    keep: tuple = ()  # steps of which a snapshot is kept; without any, the best score is
    folder: str = "data/checkpoints"
    start_std: float | None = 0.02  # GPT-2's own at any width; None leaves GPT's start as it is
    until: int | None = None  # break off here, with the schedule unfinished


RECIPES = {
    "shakespeare": Recipe(
        GPTConfig(block_size=128, n_embd=192, n_head=6, n_layer=6, dropout=0.1),
        WarmupThenLinear(
            steps=4000,
            batch_size=32,
            block_size=128,
            learning_rate=5e-3,
            eval_every=250,
            eval_batches=4,
        ),
        score_every=500,
        until=2000,  # validation had levelled off, 1.515 at 1,500 and 1.495 here; train had not
    ),
    "snapshots": Recipe(
        GPTConfig(block_size=64, n_embd=64, n_head=4, n_layer=3),
        WarmupThenLinear(
            steps=3000,
            batch_size=32,
            block_size=64,
            learning_rate=5e-3,
            eval_every=500,
            eval_batches=4,
        ),
        score_every=3000,
        keep=(0, 50, 100, 200, 400, 800, 1600, 3000),
        start_std=None,
    ),
    # the lecture's scaled-up setting, 10.8 million parameters: for a GPU; too large to come with the repository
    "scaled_up": Recipe(
        GPTConfig(block_size=256, n_embd=384, n_head=6, n_layer=6, dropout=0.2),
        TrainConfig(
            steps=5000,
            batch_size=64,
            block_size=256,
            learning_rate=3e-4,
            eval_every=250,
            eval_batches=10,
        ),
        score_every=250,
        folder="my",
        start_std=None,
    ),
}


def start_from(model, std):
    """Give model's matrices random numbers of size std, whatever its width; otherwise they are GPT's."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 2:
                weight *= std / (0.02 * math.sqrt(768 / model.config.n_embd))


def make(name, device="cpu", steps=None):
    """Follow a recipe from start to end, or from where it was broken off; writes the checkpoint(s) and the log."""
    recipe = RECIPES[name]
    training = replace(recipe.training, steps=steps or recipe.training.steps)
    data = read_data(DATA / "shakespeare.txt", device)
    torch.manual_seed(training.seed)
    model = GPT(recipe.sizes)
    if recipe.start_std is not None:
        start_from(model, recipe.start_std)
    model = with_fast_norms(model).to(device)
    folder = DATA.parent / recipe.folder
    run, log = DATA.parent / "my" / f"{name}.run", DATA / "results" / f"{name}_training.csv"
    rows = list(csv.DictReader(log.open(encoding="utf-8"))) if run.exists() and log.exists() else []
    best = min((float(row["full_loss"]) for row in rows if row["full_loss"]), default=float("inf"))
    before = float(rows[-1]["seconds"]) if rows else 0.0
    began = time.perf_counter()
    steps_taken = checkpoint.resumable(run, model, data, training, save_every=recipe.score_every)
    for step, losses in watch(steps_taken, training.steps):
        if step in recipe.keep:
            save_gpt(
                folder / f"{name}_{step:04d}.safetensors", model, LECTURE_ALPHABET, {"step": step}
            )
        if not losses:
            continue
        row = {
            "step": step,
            "train": round(losses["train"], 4),
            "val": round(losses["val"], 4),
            "full_loss": "",
        }
        if step and (step % recipe.score_every == 0 or step == training.steps):
            score = round(full_loss(model, data[1], recipe.sizes.block_size), 4)
            row["full_loss"] = score
            if score < best and not recipe.keep:
                best = score
                save_gpt(
                    folder / f"{name}.safetensors",
                    model,
                    LECTURE_ALPHABET,
                    {"step": step, "full_loss": score},
                )
        row |= {
            "seconds": round(before + time.perf_counter() - began),
            "machine": f"{platform.machine()} {device}, {torch.get_num_threads()} thread(s)",
            "torch": torch.__version__,
        }
        rows = [old for old in rows if int(old["step"]) < step] + [row]
        write_rows(log, rows)
        if step == recipe.until:
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, help="fewer steps than the recipe's, to try it")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    make(chosen.name, chosen.device, chosen.steps)
