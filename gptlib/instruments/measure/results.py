"""What experiments measured, a CSV row a run: stored in data/results, and the reader's own in my/results.

A row counts only if it is a run of the experiment as the catalogue has it today: same setting, same steps.
"""

import math
import platform
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gptlib.instruments.files import DATA, MY, read_rows, write_rows
from gptlib.instruments.measure import texts
from gptlib.instruments.measure.sealed import write_sealed

COLUMNS = (
    "text crc variant seed steps train_loss full_loss seconds parameters setting torch machine"
)


@dataclass(frozen=True)
class Shelf:
    """A folder with a CSV for each experiment. same: the columns that make two rows the same run."""

    folder: Path
    same: tuple
    columns: tuple
    write: Callable

    def path(self, name):
        return self.folder / f"{name}.csv"


MINE = Shelf(
    MY / "results",
    ("crc", "variant", "seed", "steps", "setting", "machine"),
    tuple(COLUMNS.split()),
    write_rows,
)
STORED = Shelf(  # each run once, under the catalogue's setting, on texts that have names
    DATA / "results",
    ("text", "variant", "seed"),
    tuple(COLUMNS.replace("crc ", "").split()),
    write_sealed,
)


@dataclass(frozen=True)
class Conditions:
    """Which runs of an experiment are meant: on which text, by its crc, for how many steps, on which machine.

    steps: in place of the catalogue's. machine: None is any.
    """

    crc: str = texts.STORED["shakespeare"]
    steps: int | None = None
    machine: str | None = None


def machine_with(device):
    """What a row says of the machine that it was measured on."""
    return f"{platform.system()} {platform.machine()} {device}"


def all_rows(shelf, experiment):
    """Every row on the shelf, as dicts of strings; each has a crc, that of a stored text is known by its name."""
    return [
        {"crc": texts.STORED.get(row["text"], ""), **row}
        for row in read_rows(shelf.path(experiment.name))
    ]


def belongs(row, experiment, conditions):
    """Whether row is a run of experiment, as the catalogue has it today, under these conditions."""
    variant = row["variant"]
    if variant not in experiment.variants or row["crc"] != conditions.crc:
        return False
    steps = experiment.config(variant, 0, conditions.steps).steps
    return (row["steps"], row["setting"]) == (str(steps), experiment.setting_of(variant)) and (
        conditions.machine in (None, row["machine"])
    )


def rows_under(conditions, experiment, shelf):
    """The shelf's rows of experiment under these conditions."""
    return [row for row in all_rows(shelf, experiment) if belongs(row, experiment, conditions)]


def stored_rows(experiment, text="shakespeare"):
    """The rows of data/results under the catalogue's setting, for one of the texts they are about."""
    return rows_under(Conditions(texts.STORED[text]), experiment, STORED)


def write(shelf, experiment, rows):
    """Replace an experiment's rows on the shelf, ordered by text, variant and seed; of the same run the last counts."""
    order = {variant: number for number, variant in enumerate(experiment.variants)}
    place = lambda row: (row["text"], order.get(row["variant"], -1), int(row["seed"]))  # noqa: E731
    runs = {tuple(str(row[column]) for column in shelf.same): row for row in rows}
    columns = [*shelf.columns, *experiment.measures]
    shelf.write(shelf.path(experiment.name), sorted(runs.values(), key=place), columns)


def put(shelf, experiment, row):
    """Add a row, in place of an older one of the same run."""
    write(shelf, experiment, [*all_rows(shelf, experiment), row])


def losses_in(rows, column="full_loss"):
    """{variant: [column's value for each seed]} of rows. Divergence is nan or inf."""
    found = {}
    for row in rows:
        found.setdefault(row["variant"], []).append(float(row[column]))
    return found


def summary(values):
    """(mean, largest distance from it) of a list of losses; (nan, nan) if one of them is not finite."""
    if not all(math.isfinite(value) for value in values):
        return math.nan, math.nan
    centre = statistics.fmean(values)
    return centre, max(abs(value - centre) for value in values)
