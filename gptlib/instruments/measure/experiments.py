"""Experiments with seeds: what is varied, under which setting, and what came out, one CSV row a run.

    python run.py experiments list
    python run.py experiments run NAME [--seeds 5] [--steps N] [--jobs 2] [--device cuda] [--text FILE] [--only VARIANT]
    python run.py experiments table NAME

Runs that are in the CSV already are not run again, so a broken-off command goes on where it stopped. The experiments
themselves are in catalogue/, about ten lines each.
"""

import argparse
import csv
import json
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch

from gptlib.data import load_text, train_val_split
from gptlib.tokenizer import CharTokenizer
from gptlib.train import TrainConfig, estimate_loss, full_loss, train

DATA = Path(__file__).parents[3] / "data"
CORPUS = DATA / "shakespeare.txt"
FIXED = ("text", "variant", "seed", "steps")  # these and the setting say which run a row is
COLUMNS = (
    *FIXED,
    "train_loss",
    "full_loss",
    "seconds",
    "parameters",
    "setting",
    "torch",
    "machine",
)


@dataclass(frozen=True)
class Variant:
    """One thing to compare: how to build its model, and what its training changes in the experiment's setting.

    share: how much of the training part it may see, from its beginning. tokenizer: a function of the training text
    that returns something with encode; the lecture's characters unless said. threads: how many its training uses; with
    None it tries and takes the fastest. setting: in place of the experiment's.
    """

    build: Callable
    changes: dict = field(default_factory=dict)
    share: float = 1.0
    tokenizer: Callable = lambda text: CharTokenizer()
    threads: int | None = 1
    setting: TrainConfig | None = None


@dataclass(frozen=True)
class Trained:
    """A trained model with what it was trained and is measured on.

    data: (train tokens, val tokens). characters: how many the val tokens stand for.
    """

    model: torch.nn.Module
    data: tuple
    config: TrainConfig
    characters: int


@dataclass(frozen=True)
class Experiment:
    """A question, its variants, the setting that they share, and how many seeds each gets.

    measures: {column: function(Trained) -> number}, asked of every trained model besides the losses.
    sizes: what the builders use, for the record. timed: the seconds are what is compared, so run one after the other.
    verdict: a function without arguments that says in a line what came out.
    """

    name: str
    question: str
    variants: dict
    setting: TrainConfig
    seeds: int = 5
    sizes: dict = field(default_factory=dict)
    measures: dict = field(default_factory=dict)
    timed: bool = False
    verdict: Callable | None = None

    def config(self, variant, seed, steps=None):
        """The TrainConfig of one run."""
        changes = dict(self.variants[variant].changes)
        if steps:
            changes["steps"] = steps
        return replace(self.variants[variant].setting or self.setting, **changes, seed=seed)


def read_data(path, device="cpu"):
    """(train tokens, val tokens) of the text at path, with the lecture's ids."""
    tokens = torch.tensor(CharTokenizer().encode(load_text(path)), device=device)
    return train_val_split(tokens)


def data_for(variant, path, device="cpu"):
    """(train tokens, val tokens), number of val characters: the text at path, cut first and encoded then."""
    train_text, val_text = train_val_split(load_text(path))
    tokenizer = variant.tokenizer(train_text)
    train_tokens, val_tokens = (
        torch.tensor(tokenizer.encode(part), device=device) for part in (train_text, val_text)
    )
    return (train_tokens[: int(variant.share * len(train_tokens))], val_tokens), len(val_text)


def setting_of(experiment, config):
    """What a run depends on besides variant, seed and steps, as compact JSON."""
    numbers = {
        name: value for name, value in asdict(config).items() if name not in ("seed", "steps")
    }
    return json.dumps(experiment.sizes | numbers, sort_keys=True)


def run_one(experiment, variant, seed, steps=None, device="cpu", text=CORPUS):
    """Train one variant from one seed and measure it; the row as a dict. A loss that is not a number is recorded."""
    config = experiment.config(variant, seed, steps)
    data, characters = data_for(experiment.variants[variant], text, device)
    torch.manual_seed(seed)
    model = experiment.variants[variant].build().to(device)
    began = time.perf_counter()
    for _ in train(model, data, replace(config, eval_every=config.steps or 1, eval_batches=1)):
        pass
    seconds = time.perf_counter() - began
    row = {
        "text": Path(text).stem,
        "variant": variant,
        "seed": seed,
        "steps": config.steps,
        "train_loss": round(
            estimate_loss(model, data, replace(config, eval_batches=100))["train"], 4
        ),
        "full_loss": round(full_loss(model, data[1], config.block_size), 4),
        "seconds": round(seconds, 1),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "setting": setting_of(experiment, config),
        "torch": torch.__version__,
        "machine": f"{platform.system()} {platform.machine()} {device}",
    }
    trained = Trained(model, data, config, characters)
    return row | {name: round(measure(trained), 4) for name, measure in experiment.measures.items()}


def path_of(name):
    """Where the results of the experiment called name are kept."""
    return DATA / "results" / f"{name}.csv"


def rows_of(name):
    """All rows of an experiment, as dicts of strings; [] before its first run."""
    path = path_of(name)
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def losses(name, column="full_loss", text="shakespeare"):
    """{variant: [column's value for each seed]} as stored, for plots and asserts. Divergence is nan or inf."""
    found = {}
    for row in rows_of(name):
        if row["text"] == text:
            found.setdefault(row["variant"], []).append(float(row[column]))
    return found


def mean(name, variant, column="full_loss", text="shakespeare"):
    """The mean over seeds of one variant."""
    return statistics.fmean(losses(name, column, text)[variant])


def key_of(row):
    """What makes two rows the same run."""
    return tuple(str(row[column]) for column in (*FIXED, "setting"))


def missing_runs(experiment, seeds, steps, text):
    """[(variant, seed)] that are not in the CSV yet; a round through all variants for each seed."""
    done = {key_of(row) for row in rows_of(experiment.name)}
    wanted = []
    for seed in range(seeds):
        for variant in experiment.variants:
            config = experiment.config(variant, seed, steps)
            row = {"text": Path(text).stem, "variant": variant, "seed": seed, "steps": config.steps}
            if key_of(row | {"setting": setting_of(experiment, config)}) not in done:
                wanted.append((variant, seed))
    return wanted


def write_rows(path, rows, columns=None):
    """Write rows, dicts of columns (the first row's by default), as a CSV at path, in one piece."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    with beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns or list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    beside.replace(path)


def store(experiment, new):
    """Add a row to the experiment's CSV, in the order of variants and seeds, in one piece."""
    order = list(experiment.variants)
    rows = [row for row in rows_of(experiment.name) if key_of(row) != key_of(new)] + [new]
    rows.sort(
        key=lambda row: (
            row["text"],
            order.index(row["variant"]) if row["variant"] in order else -1,
            int(row["seed"]),
        )
    )
    write_rows(path_of(experiment.name), rows, [*COLUMNS, *experiment.measures])


def best_threads(experiment, variant, device="cpu", text=CORPUS):
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


def work(task):
    """One run in a process of its own."""
    from gptlib.instruments.measure.catalogue import EXPERIMENTS

    name, variant, seed, steps, device, text = task
    experiment = EXPERIMENTS[name]
    threads = experiment.variants[variant].threads
    torch.set_num_threads(threads or best_threads(experiment, variant, device, text))
    return run_one(experiment, variant, seed, steps, device, text)


def run(experiment, seeds=None, steps=None, device="cpu", jobs=None, text=CORPUS, only=()):
    """Run what is missing, several at a time where there are cores, and store each row as it comes.

    only: the names of some variants; all if empty.
    """
    wanted = missing_runs(experiment, seeds or experiment.seeds, steps, text)
    wanted = [run for run in wanted if not only or run[0] in only]
    tasks = [(experiment.name, variant, seed, steps, device, text) for variant, seed in wanted]
    jobs = jobs or (1 if device != "cpu" or experiment.timed else max(1, (os.cpu_count() or 1)))
    began = time.perf_counter()
    print(f"{experiment.name}: {len(tasks)} runs to do, {jobs} at a time", flush=True)
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for done, row in enumerate(pool.imap_unordered(work, tasks), start=1):
            store(experiment, row)
            left = (time.perf_counter() - began) * (len(tasks) - done) / done
            bar = "█" * (20 * done // len(tasks)) + "·" * (20 - 20 * done // len(tasks))
            print(
                f"{bar} {done}/{len(tasks)}  {row['variant']} {row['full_loss']}  {left / 60:.1f} min left",
                flush=True,
            )


def summary(values):
    """(mean, largest distance from it) of a list of losses; (nan, nan) if one of them is not finite."""
    if not all(math.isfinite(value) for value in values):
        return math.nan, math.nan
    centre = statistics.fmean(values)
    return centre, max(abs(value - centre) for value in values)


def table(name, measures=(), text="shakespeare"):
    """The results as lines of text: variant, number of seeds, mean full_loss and spread, seconds, parameters."""
    lines = [f"{'variant':32s} seeds  val loss (± largest distance)  seconds  parameters"]
    for variant, values in losses(name, text=text).items():
        rows = [row for row in rows_of(name) if row["variant"] == variant and row["text"] == text]
        centre, spread = summary(values)
        said = f"{centre:.3f} ± {spread:.3f}" if math.isfinite(centre) else "diverged"
        seconds = statistics.fmean(float(row["seconds"]) for row in rows)
        line = f"{variant:32s} {len(values):5d}  {said:29s}  {seconds:7.0f}  {int(rows[0]['parameters']):10,d}"
        extra = [
            f"{measure} {statistics.fmean(float(row[measure]) for row in rows):.3f}"
            for measure in measures
        ]
        lines.append("  ".join([line, *extra]))
    return "\n".join(lines)


def main(arguments):
    """The command line."""
    from gptlib.instruments.measure.catalogue import EXPERIMENTS

    parser = argparse.ArgumentParser(
        prog="run.py experiments", description="Experiments with seeds."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every experiment with its question")
    for word, meaning in (("run", "run what is missing"), ("table", "show what came out")):
        command = commands.add_parser(word, help=meaning)
        command.add_argument("name", choices=EXPERIMENTS)
    running = commands.choices["run"]
    running.add_argument("--seeds", type=int)
    running.add_argument("--steps", type=int)
    running.add_argument("--jobs", type=int)
    running.add_argument("--device", default="cpu")
    running.add_argument("--text", default=str(CORPUS))
    running.add_argument("--only", action="append", default=[], metavar="VARIANT")
    chosen = parser.parse_args(arguments)
    if chosen.command == "list":
        for experiment in EXPERIMENTS.values():
            print(f"{experiment.name:16s} {experiment.question}")
        return
    experiment = EXPERIMENTS[chosen.name]
    if chosen.command == "run":
        unknown = set(chosen.only) - set(experiment.variants)
        if unknown:
            parser.error(f"no variant {min(unknown)!r}; there are {', '.join(experiment.variants)}")
        run(
            experiment,
            chosen.seeds,
            chosen.steps,
            chosen.device,
            chosen.jobs,
            chosen.text,
            chosen.only,
        )
    print(table(chosen.name, experiment.measures))
    if experiment.verdict:
        print(experiment.verdict())


if __name__ == "__main__":
    main(sys.argv[1:])
