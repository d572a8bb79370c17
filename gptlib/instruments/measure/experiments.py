"""What the notebooks ask of the stored results, by the name of the experiment; the catalogue says what each of them is.

Only runs count that the catalogue has today: same setting, same steps. `python run.py experiments` runs them.
"""

import statistics

from gptlib.instruments.measure import results
from gptlib.instruments.measure.catalogue import EXPERIMENTS
from gptlib.instruments.measure.results import summary

__all__ = ["losses", "mean", "rows_of", "summary"]


def rows_of(name, text="shakespeare"):
    """The rows of an experiment on one text, as dicts of strings."""
    return results.stored_rows(EXPERIMENTS[name], text)


def losses(name, column="full_loss", text="shakespeare"):
    """{variant: [column's value for each seed]}, for plots and asserts. Divergence is nan or inf."""
    return results.losses_in(rows_of(name, text), column)


def mean(name, variant, column="full_loss", text="shakespeare"):
    """The mean over seeds of one variant."""
    return statistics.fmean(losses(name, column, text)[variant])
