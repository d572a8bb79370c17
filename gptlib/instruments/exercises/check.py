"""What a notebook imports: `check.name(yours)` says in one line whether yours is right, or which mistake it looks like.

The exercises are found by the names of their files: nb02.py holds those of the notebook whose name begins with 02.
"""

import importlib
from pathlib import Path

from gptlib.instruments.exercises.grader import Exercise


def exercises_in(module):
    """{name: exercise} for every exercise that a module defines, in order."""
    return {name: thing for name, thing in vars(module).items() if isinstance(thing, Exercise)}


EXERCISES = {
    path.stem[2:]: exercises_in(importlib.import_module(f"{__package__}.{path.stem}"))
    for path in sorted(Path(__file__).parent.glob("nb*.py"))
}
BY_NAME = {name: one for exercises in EXERCISES.values() for name, one in exercises.items()}


def __getattr__(name):
    if name not in BY_NAME:
        raise AttributeError(f"no exercise is called {name}; there are {', '.join(BY_NAME)}")
    return BY_NAME[name]


def __dir__():
    return list(BY_NAME)
