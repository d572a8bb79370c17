"""What a training step costs as context, width and depth grow: which sizes, and what `run.py bench growth` measured."""

from gptlib.instruments.files import DATA, read_rows

STORED = DATA / "results" / "growth.csv"
BASE = {"block_size": 64, "n_embd": 128, "n_layer": 4}
SWEEPS = {
    "block_size": (16, 32, 64, 128, 256, 512),
    "n_embd": (32, 64, 128, 256, 512),
    "n_layer": (1, 2, 4, 8),
}


def sizes():
    """[(what is swept, the sizes)], a step is measured at each."""
    return [(swept, BASE | {swept: value}) for swept, values in SWEEPS.items() for value in values]


def rows(machine):
    """The stored rows whose machine has these words in it, for the sizes above, as dicts of strings."""
    wanted = [(swept, *map(str, size.values())) for swept, size in sizes()]
    return [
        row
        for row in read_rows(STORED)
        if machine in row["machine"] and tuple(row[name] for name in ("swept", *BASE)) in wanted
    ]
