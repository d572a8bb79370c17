"""Anywidgets that go on living in a page: their module and state are taken from a run of the notebook."""

import ast
import copy
import re
from functools import cache

from gptlib.instruments.files import ROOT
from gptlib.instruments.publish import authoring
from gptlib.instruments.publish.authoring import WIDGET_VIEW

STATES = "application/vnd.jupyter.widget-state+json"  # in a notebook's metadata
LIVE = "application/x-live-widget+json"  # in an output: one entry of these states


@cache
def live_names(library=ROOT / "gptlib"):
    """AnyWidget, and everything at the top level of the library that is made of it, directly or by way of another."""
    definitions = [
        (node.name, {getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(node)})
        for path in library.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    names, before = {"AnyWidget"}, set()
    while names != before:
        before = set(names)
        names |= {name for name, uses in definitions if uses & before}
    return names


def wants_a_run(notebook):
    """Whether a code cell mentions something that is an anywidget or makes one."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return bool(set(re.findall(r"\w+", code)) & live_names())


def displays(notebook):
    """For each cell the outputs that a stored notebook keeps as pictures or words beside a view."""
    return [
        [found for found in cell.get("outputs", []) if set(found.get("data", {})) - {WIDGET_VIEW}]
        for cell in notebook.cells
    ]


def enliven(notebook):
    """Run a copy of notebook and put the state of its anywidgets into the stored outputs, under LIVE.

    A notebook whose stored outputs are not those of its cells raises ValueError.
    """
    fresh = copy.deepcopy(notebook)
    with authoring.stage() as folder:
        authoring.execute(fresh, folder, keep_widgets=True)
    states = fresh.metadata.get("widgets", {}).get(STATES, {}).get("state", {})
    for stored, now in zip(displays(notebook), displays(fresh)):
        if len(stored) != len(now):
            raise ValueError("stored outputs are not those of a run; refresh the notebook first")
        for old, new in zip(stored, now):
            entry = states.get(new.data.get(WIDGET_VIEW, {}).get("model_id"), {})
            if "_esm" in entry.get("state", {}):
                old.data[LIVE] = entry
