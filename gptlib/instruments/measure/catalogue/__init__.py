"""Every experiment of the series: a name, a question, and variants that swap a part from outside."""

from gptlib.instruments.measure.catalogue import (
    attention,
    ladder,
    modern,
    practice,
    record,
    speedrun,
    transformer,
)
from gptlib.instruments.measure.experiment import Experiment

EXPERIMENTS = {  # whatever these files define
    found.name: found
    for module in (ladder, attention, transformer, practice, modern, speedrun, record)
    for found in vars(module).values()
    if isinstance(found, Experiment)
}
