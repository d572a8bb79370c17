"""Closes what nbval lets pass in silence, so that one execution of each notebook compares text and pictures.

Cells tagged `trained` (a model trained here writes or draws) and `timed` differ from machine to machine: for them only
the kinds of output are compared, and test_notebooks.py holds that they assert what they claim.
"""

import os
from types import MethodType

import pytest
from nbval.plugin import IPyNbCell

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # for the kernels too: the same sums in the same order on every machine

PICTURE = "image/png"
VARYING = {"trained", "timed"}


def kinds_of(outputs):
    """What sorts of output a cell has, without their contents."""
    return [
        sorted(output.get("data", {output.get("name", "error"): ""}).keys() - {WIDGET_VIEW})
        for output in outputs
    ]


WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def same_kinds(cell, test, ref, skip_compare=None):
    """In place of nbval's comparison for cells whose contents differ from machine to machine."""
    here, stored = ([kind for kind in kinds_of(outputs) if kind] for outputs in (test, ref))
    cell.comparison_traceback = [f"kinds of output: stored {stored}, now {here}"]
    return here == stored


def pytest_collection_modifyitems(items):
    for item in items:
        if isinstance(item, IPyNbCell):
            item.parent.skip_compare = tuple(
                key for key in item.parent.skip_compare if key != PICTURE
            )
            if VARYING & set(item.cell.metadata.get("tags", [])):
                item.compare_outputs = MethodType(same_kinds, item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    if (
        isinstance(item, IPyNbCell)
        and item.cell.source.strip()
        and item.cell.execution_count is None
    ):
        pytest.fail(
            f"{item.name} of {item.path.name} was never run; run `python run.py refresh`",
            pytrace=False,
        )
    outcome = yield
    if isinstance(item, IPyNbCell) and item.options["check_exception"]:
        raised = [output for output in item.test_outputs if output.output_type == "error"]
        if not raised:
            pytest.fail(
                f"{item.name} of {item.path.name} is tagged raises-exception and raised nothing",
                pytrace=False,
            )
    return outcome
