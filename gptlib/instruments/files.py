"""Where things lie, and how they are written: whole or not at all. Standard library only."""

import csv
import os
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"
MY = ROOT / "my"  # the reader's own


@contextmanager
def replacing(path):
    """Yields a path beside path to write to; it takes path's place when the block ends well, and goes otherwise."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def read_rows(path):
    """The rows of a CSV file as dicts of strings; none if there is no such file."""
    if not Path(path).exists():
        return []
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path, rows, columns=None):
    """Write rows, dicts, as a CSV file with these columns (the first row's by default), and no others of the rows."""
    columns = columns or list(rows[0])
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def tolerant_console():
    """From here on, a character that the console's encoding lacks prints as ? instead of raising; for entry points."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's has none, and takes everything
            stream.reconfigure(errors="replace")
