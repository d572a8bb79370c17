"""Anywidgets that go on living in a page: their state is taken from a run of the notebook, their module from it too."""

import ast
import copy
import hashlib
import json
import re
from functools import cache
from pathlib import Path

from gptlib.instruments.publish import authoring
from gptlib.instruments.publish.authoring import WIDGET_VIEW

LIBRARY = Path(__file__).parents[3]
STATES = "application/vnd.jupyter.widget-state+json"


def mentioned(node):
    """The names that a piece of code mentions, behind a dot too."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return names | {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}


@cache
def live_names(library=LIBRARY):
    """AnyWidget, and everything at the top level of the library that is made of it, directly or by way of another."""
    definitions = [
        (node.name, mentioned(node))
        for path in library.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("__")
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


def displays(cell):
    """The outputs of a cell that a stored notebook keeps as pictures or words beside a view."""
    return [
        found
        for found in cell.get("outputs", [])
        if found.output_type in ("display_data", "execute_result")
        and set(found.data) - {WIDGET_VIEW}
    ]


def enliven(notebook, folder):
    """Run a copy of notebook in folder, put its live views beside the stored outputs, and return {id: model}.

    model: what the page needs of one anywidget, {"module", "css", "state", "buffers"}. A notebook whose stored outputs
    are not those of its cells raises ValueError.
    """
    fresh = copy.deepcopy(notebook)
    authoring.execute(fresh, folder, keep_widgets=True)
    states = fresh.metadata.get("widgets", {}).get(STATES, {}).get("state", {})
    models = {}
    for stored_cell, fresh_cell in zip(notebook.cells, fresh.cells):
        stored, now = displays(stored_cell), displays(fresh_cell)
        if len(stored) != len(now):
            raise ValueError("stored outputs are not those of a run; refresh the notebook first")
        for old, new in zip(stored, now):
            entry = states.get(new.data.get(WIDGET_VIEW, {}).get("model_id"), {})
            if "_esm" in entry.get("state", {}):
                name = f"model-{len(models) + 1}"
                models[name] = model_of(entry)
                old.data[WIDGET_VIEW] = {"model_id": name}
    return models


def model_of(entry):
    """One entry of the stored widget state, without what only a kernel needs."""
    state = entry["state"]
    return {
        "module": state["_esm"],
        "css": state.get("_css", ""),
        "state": {name: value for name, value in state.items() if not name.startswith("_")},
        "buffers": [
            {"path": found["path"], "data": found["data"]} for found in entry.get("buffers", [])
        ],
    }


def embedded(models):
    """models as JSON that may stand in a page: each module and style sheet once, under its digest."""
    modules, kept = {}, {}
    for name, model in models.items():
        key = hashlib.sha256((model["module"] + model["css"]).encode()).hexdigest()[:12]
        modules[key] = {"source": model["module"], "css": model["css"]}
        kept[name] = {"module": key, "state": model["state"], "buffers": model["buffers"]}
    text = json.dumps({"modules": modules, "models": kept}, ensure_ascii=False)
    return text.replace("<", "\\u003c")  # nothing in it ends the script element
