"""Results as lines of text: what is stored, and beside it what this machine measured."""

import math
import statistics

from gptlib.instruments.measure.results import summary


def cell(rows, measures):
    """One side of a line: number of seeds, mean full_loss and largest distance from it, mean seconds, each measure."""
    column = lambda name: [float(row[name]) for row in rows]  # noqa: E731
    centre, spread = summary(column("full_loss"))
    said = f"{centre:.3f} ± {spread:.3f}" if math.isfinite(centre) else "diverged"
    line = f"{len(rows):5d}  {said:14s}{statistics.fmean(column('seconds')):9.1f}"
    return line + "".join(f"{statistics.fmean(column(name)):{width(name)}.3f}" for name in measures)


def width(measure):
    """How wide the column of a measure is."""
    return max(len(measure), 6) + 2


def table(experiment, sides):
    """Lines with a column of cells for each of sides, {title: rows}; a side without rows is left out."""
    sides = {title: rows for title, rows in sides.items() if rows}
    head = f"seeds  {'val loss':14s}  seconds"
    head += "".join(f"{name:>{width(name)}s}" for name in experiment.measures)
    wide = max(len(name) for name in experiment.variants)
    lines = [
        f"{'':{wide}s}              " + " | ".join(f"{title:{len(head)}s}" for title in sides),
        f"{'variant':{wide}s}  parameters  " + " | ".join([head] * len(sides)),
    ]
    for variant in experiment.variants:
        found = [[row for row in rows if row["variant"] == variant] for rows in sides.values()]
        if any(found):
            parameters = int(next(rows for rows in found if rows)[0]["parameters"])
            cells = [cell(rows, experiment.measures) if rows else " " * len(head) for rows in found]
            lines.append(f"{variant:{wide}s}  {parameters:10,d}  " + " | ".join(cells))
    return "\n".join(line.rstrip() for line in lines)
