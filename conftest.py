"""One execution of each notebook compares what it shows with what is stored; and no test touches what is the reader's.

Here and not in tests/, so that it holds for a single notebook too: python run.py test notebooks/02_bigram.ipynb
"""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from types import MethodType

import nbval.plugin
import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "tests"))

import comparing  # noqa: E402

from gptlib.instruments.publish import authoring  # noqa: E402

# for the kernels: the same sums in the same order on every machine
os.environ.setdefault("OMP_NUM_THREADS", "1")
# for run.py: the interpreter that runs the tests is the one to work with, and nothing gets installed
os.environ["GPTLIB_PYTHON"] = sys.executable
os.environ["PIP_NO_INDEX"] = "1"

ours = ExitStack()


class StagedKernel(RunningKernel):
    """A kernel for which ../my is a folder of its own, so that a notebook writes nothing into the reader's."""

    def __init__(self, kernel_name, cwd, **options):
        if Path(cwd) == ROOT / "notebooks":
            cwd = ours.enter_context(authoring.stage())
        super().__init__(kernel_name, cwd=str(cwd), **options)


nbval.plugin.RunningKernel = StagedKernel


def pytest_unconfigure():
    ours.close()


def compare_outputs(cell, now, stored, skip_compare=None):
    """In place of nbval's comparison, which passes over pictures and knows one tolerance, none."""
    problem = comparing.difference(stored, now, cell.cell.metadata.get("tags", []))
    cell.comparison_traceback = [f"{problem}\n{advice(cell)}"]
    return not problem


def advice(cell):
    return (
        f"If the new output is right, store it: python run.py refresh {cell.path.name[:2]}. If it differs from machine "
        f"to machine, give cell {cell.cell.id} a tag that tests/comparing.py knows, and a line in "
        "tests/varying_cells.txt."
    )


def pytest_collection_modifyitems(items):
    for item in items:
        if isinstance(item, IPyNbCell):
            item.compare_outputs = MethodType(compare_outputs, item)


def readers():
    """What no test may change, {path: time of its last change}: the reader's files, and what is installed."""
    paths = [*(ROOT / "my").rglob("*"), ROOT / ".venv" / "installed.txt"]
    return {path: path.stat().st_mtime_ns for path in paths if path.is_file()}


untouched = readers()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    outcome = yield
    global untouched
    before, untouched = untouched, readers()
    if changed := sorted({path.name for path, _ in before.items() ^ untouched.items()}):
        pytest.fail(
            f"{', '.join(changed)} in my/ or .venv/ changed during {item.name}: let the test write into tmp_path. "
            "(If it was you, in JupyterLab, run the tests again.)",
            pytrace=False,
        )
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    if not isinstance(item, IPyNbCell):
        return (yield)
    where = f"cell {item.cell.id} of {item.path.name}"
    if item.cell.source.strip() and item.cell.execution_count is None:
        pytest.fail(
            f"{where} was never run; python run.py refresh {item.path.name[:2]}", pytrace=False
        )
    outcome = yield
    if item.options["check_exception"] and not any(
        output.output_type == "error" for output in item.test_outputs
    ):
        pytest.fail(
            f"{where} is tagged raises-exception and raised nothing; mend it or take the tag away",
            pytrace=False,
        )
    return outcome
