"""The lecture's scaled-up GPT against today's parts on one card: seconds until the validation loss is 1.48.

    python -m gptlib.instruments.measure.scaled_up --device cuda [--bf16] [--compile] [--steps N]

Both sides in one run, one after the other: 6 layers of 384 channels, block 256, batch 64, dropout 0.2. The seconds are
those of the step loop, compiling included, evaluation not. Written to data/results/scaled_up.csv, a row an evaluation.
"""

import argparse
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn as nn

from gptlib.instruments.measure.experiments import CORPUS, read_data, write_rows
from gptlib.model import GPT, GPTConfig
from gptlib.modern import ModernConfig, ModernGPT
from gptlib.train import TrainConfig, full_loss, train

RESULTS = Path(__file__).parents[3] / "data" / "results" / "scaled_up.csv"
GOAL = 1.48
SIZES = GPTConfig(block_size=256, n_embd=384, n_head=6, n_layer=6, dropout=0.2)
COMMON = {"batch_size": 64, "block_size": 256, "eval_every": 250, "eval_batches": 1}
SIDES = {
    "the lecture's recipe": (GPT, TrainConfig(steps=5000, learning_rate=3e-4, **COMMON)),
    "modern": (ModernGPT, ModernConfig(steps=2000, learning_rate=3e-3, warmup=100, **COMMON)),
}


class Faster(nn.Module):
    """A model that is run compiled, in 16 bits, or both; its weights are the model's own."""

    def __init__(self, model, device, bf16, compiled):
        super().__init__()
        self.model, self.vocab_size = model, model.vocab_size
        self.run = torch.compile(model) if compiled else model
        self.context = lambda: torch.autocast(device, torch.bfloat16) if bf16 else nullcontext()

    def forward(self, tokens):
        with self.context():
            return self.run(tokens).float()


def race(side, device="cpu", bf16=False, compiled=False, steps=None, sizes=SIZES):
    """Train one side; yields a row at every evaluation."""
    kind, config = SIDES[side]
    config = replace(config, steps=steps or config.steps, block_size=sizes.block_size)
    data = read_data(CORPUS, device)
    torch.manual_seed(0)
    inner = kind(sizes).to(device)
    model = Faster(inner, device, bf16, compiled)
    seconds, began = 0.0, time.perf_counter()
    for step, losses in train(model, data, config, config.optimizer(inner)):
        if losses:
            if device == "cuda":
                torch.cuda.synchronize()
            seconds += time.perf_counter() - began
            loss = round(full_loss(model, data[1], sizes.block_size), 4)
            row = {"side": side, "step": step, "full_loss": loss, "seconds": round(seconds, 2)}
            yield row | {"device": device, "bf16": bf16, "compiled": compiled}
            began = time.perf_counter()


def verdict(rows):
    """Lines that say when each side reached the goal, and the best that it came to."""
    for side in SIDES:
        mine = [row for row in rows if row["side"] == side]
        reached = [row["seconds"] for row in mine if row["full_loss"] <= GOAL]
        when = f"reaches {GOAL} after {reached[0]:.0f} s" if reached else f"does not reach {GOAL}"
        yield f"{side} {when}; its best is {min(row['full_loss'] for row in mine):.3f}"


def main(arguments=None):
    """Both sides, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--steps", type=int)
    chosen = parser.parse_args(arguments)
    rows = []
    for side in SIDES:
        for row in race(side, chosen.device, chosen.bf16, chosen.compile, chosen.steps):
            print(row, flush=True)
            rows.append(row)
            write_rows(RESULTS, rows)  # at once: the machine may be taken away
    print("\n".join(verdict(rows)))


if __name__ == "__main__":
    main()
