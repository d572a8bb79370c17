"""One run: train a variant from a seed, and measure it."""

import os
import re
import time
from dataclasses import replace

import torch

from gptlib.instruments import files
from gptlib.instruments.measure.experiment import Trained
from gptlib.instruments.measure.long_run import scored
from gptlib.instruments.measure.results import machine_with
from gptlib.instruments.measure.texts import data_for
from gptlib.train import estimate_loss, full_loss, train


def run_one(experiment, variant, seed, text, steps=None, device="cpu"):
    """The row of one run as a dict; text: a Text. A loss that is not a number is recorded like any other."""
    config = experiment.config(variant, seed, steps)
    data, characters = data_for(experiment.variants[variant], text, device)
    torch.manual_seed(seed)
    model = experiment.variants[variant].build().to(device)
    quiet = replace(config, eval_every=config.steps or 1, eval_batches=1)
    began, scores = time.perf_counter(), []
    if experiment.score_every:
        folder = run_folder(experiment, variant, seed, text, config.steps)
        training = scored(folder, model, data, quiet, experiment.score_every, scores)
    else:
        training = train(model, data, quiet)
    for _ in training:
        pass
    seconds = scores[-1].minutes * 60 if scores else time.perf_counter() - began
    train_loss = estimate_loss(model, data, replace(config, eval_batches=100))["train"]
    row = {
        "text": text.name,
        "crc": text.crc,
        "variant": variant,
        "seed": seed,
        "steps": config.steps,
        "train_loss": round(train_loss, 4),
        "full_loss": round(full_loss(model, data[1], config.block_size), 4),
        "seconds": round(seconds, 1),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "setting": experiment.setting_of(variant),
        "torch": torch.__version__,
        "machine": machine_with(device),
    }
    trained = Trained(model, data, config, characters, tuple(scores))
    return row | {name: round(measure(trained), 4) for name, measure in experiment.measures.items()}


def run_folder(experiment, variant, seed, text, steps):
    """Where a run that is scored on the way keeps what it needs to go on, and its best weights."""
    name = f"{experiment.name}-{variant}-{text.name}-{text.crc}-seed{seed}-{steps}"
    return files.MY / "runs" / re.sub(r"[^\w.-]+", "_", name)


def best_threads(experiment, variant, text, device="cpu"):
    """The number of threads with which a few steps of variant's training took the least time."""
    config = replace(experiment.config(variant, seed=0), steps=10, eval_every=10, eval_batches=1)
    data, _ = data_for(experiment.variants[variant], text, device)
    seconds = {}
    for threads in [n for n in (1, 2, 4, 8, 16) if n <= (os.cpu_count() or 1)]:
        torch.set_num_threads(threads)
        model = experiment.variants[variant].build().to(device)
        ticks = [time.perf_counter() for _ in train(model, data, config)]
        seconds[threads] = min(after - before for before, after in zip(ticks[3:], ticks[4:]))
    return min(seconds, key=seconds.get)
