"""What a reader kept from the first edition: notebooks that import old names, models, exercises."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import gptlib

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("line", [
    "from gptlib import doors",
    "from gptlib.instruments import look, widgets",
    "from gptlib.instruments import checks as check",
    "from gptlib.instruments.shipped import shipped",
    "from gptlib.instruments.catalogue.attention import scaled_head",
])  # fmt: skip
def test_an_import_of_the_first_edition_says_where_the_name_is_now_and_what_to_do(line):
    done = subprocess.run([sys.executable, "-c", line], cwd=ROOT, capture_output=True, text=True)
    said = done.stderr.strip().splitlines()[-1]
    assert said.startswith("ImportError: This notebook is of the first edition: gptlib.")
    assert "`python run.py lab` puts this edition's notebooks into my/ beside yours" in said


def test_every_place_that_it_names_is_there():
    for now in gptlib.FIRST_EDITION.values():
        importlib.import_module(now)


def test_other_modules_that_are_missing_are_missing_as_usual():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'gptlib\.nonsense'"):
        importlib.import_module("gptlib.nonsense")
