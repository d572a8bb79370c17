"""The command line: python run.py experiments list | run NAME | table NAME"""

import argparse
import os
import sys
from dataclasses import replace

import torch

from gptlib.instruments.files import tolerant_console
from gptlib.instruments.measure import runner, texts
from gptlib.instruments.measure.catalogue import EXPERIMENTS
from gptlib.instruments.measure.results import MINE, STORED, Conditions, machine_with, rows_under
from gptlib.instruments.measure.table import table

DESCRIPTION = """
Experiments with several seeds. data/results has what came out for the notebooks; `run` measures on your machine, writes
to my/results, and shows both. What was broken off goes on with the same command. Every combination of text, steps and
device is kept apart.
"""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that answers a mistake with one sentence."""

    def error(self, message):
        sys.exit(f"{message}; python run.py experiments --help says what there is")


def count(text):
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} came; it must be a whole number of at least 1")
    return int(text)


def parser():
    """What the command line understands."""
    made = Parser(prog="run.py experiments", description=DESCRIPTION)
    made.set_defaults(name=None, only=[], store=False)
    commands = made.add_subparsers(dest="command")
    commands.add_parser("list", help="every experiment with its question")
    for word, meaning in (("run", "run what is missing"), ("table", "show what came out")):
        command = commands.add_parser(word, help=meaning, description=DESCRIPTION)
        command.add_argument("name", nargs="?", help="one of: " + ", ".join(EXPERIMENTS))
        command.add_argument("--steps", type=count, help="in place of the catalogue's, to try it")
        command.add_argument("--text", default=texts.CORPUS, metavar="FILE", help="another text")
        command.add_argument("--device", default="cpu", help="cuda, mps; the CPU unless said")
    running = commands.choices["run"]
    running.add_argument("--seeds", type=count, help="in place of the catalogue's")
    running.add_argument("--jobs", type=count, help="how many at a time")
    running.add_argument(
        "--only", action="append", default=[], metavar="VARIANT", help="may repeat"
    )
    running.add_argument("--again", action="store_true", help="anew, replacing your rows of these")
    running.add_argument(
        "--store",
        action="store_true",
        help="for authors: write to data/results, and drop rows there that the catalogue has no run for",
    )
    return made


def check(experiment, chosen, text):
    """Raise ValueError with a sentence unless what was chosen can be done."""
    if unknown := set(chosen.only) - set(experiment.variants):
        there = ", ".join(map(repr, experiment.variants))
        raise ValueError(f"{experiment.name} has no variant {min(unknown)!r}; there are: {there}")
    if chosen.store and (chosen.steps or not text.is_stored):
        there = " and ".join(texts.STORED)
        raise ValueError(
            f"stored rows are for the catalogue's steps, on {there}; leave --store out"
        )
    try:
        torch.ones(1, device=chosen.device)
    except (RuntimeError, AssertionError):
        here = f"there is no device {chosen.device!r} here; leave --device out for the CPU"
        raise ValueError(here) from None
    if chosen.command == "run" and not text.is_stored:
        runner.check_text(experiment, text, chosen.only)


def prepare(experiment, chosen, text, conditions):
    """(shelf, [(variant, seed)]): where rows go to, and what there is to run; nothing is trained yet."""
    asked = runner.asked_runs(experiment, chosen.seeds, chosen.only)
    shelf = MINE
    if chosen.store:
        shelf, conditions = STORED, Conditions(text.crc)
        runner.tidy(experiment, shelf)
    if chosen.again:
        runner.forget(asked, experiment, shelf, conditions, text)
    return shelf, runner.missing(asked, experiment, shelf, conditions)


def run(experiment, wanted, shelf, text, chosen):
    """Do the wanted runs, or say that there are none."""
    if not wanted:
        path = os.path.relpath(shelf.path(experiment.name))
        print(f"All of these runs are in {path} already; with --again they are done anew.")
        return
    try:
        runner.run(experiment, wanted, shelf, text, chosen.steps, chosen.device, chosen.jobs)
    except KeyboardInterrupt:
        sys.exit("Stopped. What is done is kept; the same command, without --again, goes on.")
    except OSError as problem:
        sys.exit(f"{problem}. What is done is kept; the same command, without --again, goes on.")


def show(experiment, text, conditions):
    """Print what is stored beside what is the reader's, and the verdict on each."""
    sides = {
        "stored": rows_under(replace(conditions, machine=None), experiment, STORED),
        "yours": rows_under(conditions, experiment, MINE),
    }
    if not any(sides.values()):
        print(
            "Nothing is measured yet with these steps, text and device: "
            f"python run.py experiments run {experiment.name}"
        )
        return
    print(f"{experiment.question} ({experiment.name}, on {text.name})\n")
    print(table(experiment, sides))
    for title, rows in sides.items():
        if rows and experiment.verdict:
            print(f"{title}: {experiment.verdict(rows)}")


def main(arguments):
    """Run one command; an exit with a sentence where it cannot be done."""
    tolerant_console()
    chosen = parser().parse_args(arguments)
    if chosen.command == "list":
        for experiment in EXPERIMENTS.values():
            print(f"{experiment.name:16s} {experiment.question}")
        return
    if chosen.name not in EXPERIMENTS:
        said = "Say list, run NAME or table NAME"
        if chosen.name:
            said = f"There is no experiment {chosen.name!r}"
        sys.exit(f"{said}; there are: {', '.join(EXPERIMENTS)}.")
    experiment = EXPERIMENTS[chosen.name]
    try:
        text = texts.read_text(chosen.text)
        check(experiment, chosen, text)
        conditions = Conditions(text.crc, chosen.steps, machine_with(chosen.device))
        if chosen.command == "run":
            shelf, wanted = prepare(experiment, chosen, text, conditions)
    except (ValueError, OSError) as problem:
        sys.exit(str(problem))
    if chosen.command == "run":
        run(experiment, wanted, shelf, text, chosen)
    show(experiment, text, conditions)


if __name__ == "__main__":
    main(sys.argv[1:])
