"""Runs of an experiment that are not on a shelf yet, several at a time where there are cores."""

import multiprocessing
import os
import shutil
import signal
import time
from contextlib import contextmanager

import torch

from gptlib import validate
from gptlib.instruments.measure import results, texts
from gptlib.instruments.measure.catalogue import EXPERIMENTS
from gptlib.instruments.measure.run_one import best_threads, run_folder, run_one
from gptlib.instruments.measure.texts import data_for


def asked_runs(experiment, seeds=None, only=()):
    """[(variant, seed)], a round through the variants for each seed; only: some of them, all if empty."""
    variants = only or experiment.variants
    return [(variant, seed) for seed in range(seeds or experiment.seeds) for variant in variants]


def run_of(row):
    """The (variant, seed) of a row."""
    return row["variant"], int(row["seed"])


def missing(asked, experiment, shelf, conditions):
    """Those of the asked runs that the shelf does not have."""
    done = {run_of(row) for row in results.rows_under(conditions, experiment, shelf)}
    return [run for run in asked if run not in done]


def forget(asked, experiment, shelf, conditions, text):
    """Take the asked runs from the shelf, so that they are missing, and what they would go on from."""
    for variant, seed in asked:
        steps = experiment.config(variant, seed, conditions.steps).steps
        shutil.rmtree(run_folder(experiment, variant, seed, text, steps), ignore_errors=True)
    old = results.rows_under(conditions, experiment, shelf)
    old = [row for row in old if run_of(row) in asked]
    rows = results.all_rows(shelf, experiment)
    results.write(shelf, experiment, [row for row in rows if row not in old])


def tidy(experiment, shelf):
    """Take from the shelf of stored rows what is no run of the catalogue's."""
    today = [results.Conditions(crc) for crc in texts.STORED.values()]
    rows = [row for one in today for row in results.rows_under(one, experiment, shelf)]
    results.write(shelf, experiment, [row for row in rows if run_of(row)[1] < experiment.seeds])


def check_text(experiment, text, only=()):
    """Raise ValueError unless every variant can be trained on text and measured on it."""
    for name in only or experiment.variants:
        try:
            # whole first, so that a position in a sentence is one of the text
            experiment.variants[name].tokenizer(text.content).encode(text.content)
            data, _ = data_for(experiment.variants[name], text)
            validate.training_data(data, experiment.config(name, seed=0))
        except ValueError as problem:
            raise ValueError(
                f"{text.name} cannot be used here: {problem} (experiments know the lecture's 65 characters, and keep "
                "the last tenth of a text for validation)"
            ) from None


def work(task):
    """One run, in a process of its own or in this one; task: the name of the experiment, and run_one's arguments."""
    name, variant, seed, text, steps, device = task
    experiment = EXPERIMENTS[name]
    threads = experiment.variants[variant].threads
    torch.set_num_threads(threads or best_threads(experiment, variant, text, device))
    return run_one(experiment, variant, seed, text, steps, device)


@contextmanager
def workers(jobs):
    """Yields a function like map; with more than one job its results come in any order."""
    if jobs == 1:
        yield map
        return
    quiet = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends them
    with multiprocessing.get_context("spawn").Pool(jobs, signal.signal, quiet) as pool:
        yield pool.imap_unordered


def run(experiment, wanted, shelf, text, steps=None, device="cpu", jobs=None):
    """Do the wanted runs, [(variant, seed)], and put each row on the shelf as it comes."""
    tasks = [(experiment.name, variant, seed, text, steps, device) for variant, seed in wanted]
    alone = device != "cpu" or experiment.timed
    jobs = min(jobs or (1 if alone else os.cpu_count() or 1), len(tasks))
    print(f"{experiment.name}: {len(tasks)} runs to do, {jobs} at a time", flush=True)
    began = time.perf_counter()
    with workers(jobs) as do:
        for done, row in enumerate(do(work, tasks), start=1):
            results.put(shelf, experiment, row)
            left = (time.perf_counter() - began) * (len(tasks) - done) / done
            bar = "█" * (20 * done // len(tasks)) + "·" * (20 - 20 * done // len(tasks))
            print(
                f"{bar} {done}/{len(tasks)}  {row['variant']} {row['full_loss']}  {left / 60:.1f} min left",
                flush=True,
            )
