"""The notebooks and the library are one text, in the right order, and hide nothing from the comparison."""

import ast
import json
import re
from collections import Counter
from pathlib import Path

import prose
import pytest
from comparing import VARYING
from nbformat.v4 import new_code_cell

from gptlib.instruments.publish import authoring

NOTEBOOKS = {path.name: authoring.read(path) for path in authoring.chosen([])}
CODE = {
    name: [cell for cell in notebook.cells if cell.cell_type == "code"]
    for name, notebook in NOTEBOOKS.items()
}
CELLS = {cell.id: cell for cells in CODE.values() for cell in cells}
PROSE = {
    name: "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for name, notebook in NOTEBOOKS.items()
}
TAUGHT = authoring.taught_names()
BUILT = {
    name: {built: text for built, (_, text) in authoring.definitions(notebook).items()}
    for name, notebook in NOTEBOOKS.items()
}
PINNED = Path(__file__).with_name("varying_cells.txt")
each_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


def tags(cell):
    return set(cell.metadata.get("tags", []))


# ---- the notebooks and the library


@each_notebook
def test_the_last_definition_of_a_taught_name_is_the_librarys_text(name):
    for taught, text in BUILT[name].items():
        if taught in TAUGHT:
            assert text == TAUGHT[taught][1], (
                f"{taught} differs from gptlib/{TAUGHT[taught][0]}.py; change it there, then "
                f"python -m gptlib.instruments.publish.authoring quote {name[:2]}"
            )


def test_every_taught_name_is_built_in_exactly_one_notebook():
    built_in = {taught: [name for name in BUILT if taught in BUILT[name]] for taught in TAUGHT}
    wrong = [
        f"{taught} of gptlib/{TAUGHT[taught][0]}.py is built in {', '.join(names) or 'no notebook'}"
        for taught, names in built_in.items()
        if len(names) != 1
    ]
    assert not wrong, "\n".join(
        [
            *wrong,
            "Everything in gptlib/*.py is taught: build it in one notebook, or move it to instruments/.",
        ]
    )


def test_a_class_that_a_notebook_shares_with_the_untaught_library_has_the_same_text():
    shared = set()
    for path in (authoring.ROOT / "gptlib" / "instruments").rglob("*.py"):
        texts = authoring.built_names(path.read_text(encoding="utf-8"))
        for name, classes in BUILT.items():
            for built, text in classes.items():
                if built in texts and re.match(r"(@.*\n)*class ", text):
                    shared.add(built)
                    assert text == texts[built], (
                        f"{built} in {name} is not the one in {path.name}, which was measured; make them one text"
                    )
    assert "PreviousToken" in shared


def imports(cells):
    """Every (module, name) that code cells import from gptlib."""
    for cell in cells:
        for node in ast.walk(ast.parse(authoring.code_of(cell))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gptlib"):
                yield from ((node.module, alias.name) for alias in node.names)
            if isinstance(node, ast.Import):
                yield from (
                    (alias.name, "") for alias in node.names if alias.name.startswith("gptlib")
                )


@each_notebook
def test_no_notebook_imports_a_taught_name_before_it_is_built(name):
    if name.startswith("00"):
        return  # the overview may show anything
    built = {taught for other in NOTEBOOKS if other < name for taught in BUILT[other]}
    for module, imported in imports(CODE[name]):
        lesson = {module.removeprefix("gptlib").strip("."), imported} & set(authoring.TAUGHT)
        assert not lesson or imported in built, (
            f"{imported or 'everything'} from {module} is not built before {name}; import names, once they are built"
        )


# ---- what is compared


def test_no_cell_is_left_out_of_the_comparison():
    for name, cells in CODE.items():
        for cell in cells:
            marked = re.findall(r"NBVAL_\w+", cell.source) + re.findall(
                r"nbval-\S+", " ".join(tags(cell))
            )
            assert not marked, (
                f"{cell.id} in {name} is marked {marked[0]}: show what can be compared, or see tests/comparing.py"
            )


def test_the_cells_that_may_vary_are_those_in_the_list():
    """A tag loosens a comparison; so a second place says, by hand, which cells have one."""
    now = [
        f"{name} {cell.id} {' '.join(sorted(VARYING & tags(cell)))}"
        for name, cells in CODE.items()
        for cell in cells
        if VARYING & tags(cell)
    ]
    pinned = [
        line for line in PINNED.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
    ]
    new, gone = (sorted(a - b) for a, b in ((set(now), set(pinned)), (set(pinned), set(now))))
    assert not new and not gone, (
        f"If a cell has to vary from machine to machine, change tests/{PINNED.name} and say in the commit why.\n"
        + "\n".join([f"add:    {line}" for line in new] + [f"remove: {line}" for line in gone])
    )


def test_the_claims_of_the_series_are_those_in_the_list():
    stored = authoring.CLAIMS.read_text(encoding="utf-8").splitlines()
    now = authoring.claims().splitlines()
    new, gone = Counter(now) - Counter(stored), Counter(stored) - Counter(now)
    assert now == stored, (
        "Asserts of the notebooks have changed; if each of these was meant: "
        "python -m gptlib.instruments.publish.authoring claims\n"
        + "\n".join([f"new:  {line}" for line in new] + [f"gone: {line}" for line in gone])
    )


@each_notebook
def test_a_cell_that_may_vary_asserts_its_claim_by_tolerance_or_a_guard_right_behind_it_does(name):
    for cell, behind in zip(CODE[name], [*CODE[name][1:], new_code_cell()]):
        if VARYING & tags(cell):
            claims = authoring.asserts(cell.source)
            claims += authoring.asserts(behind.source) if "guard" in tags(behind) else []
            assert re.search(r"[<>]|isclose|allclose|approx", " ".join(claims)), (
                f"nothing in {cell.id} would turn red on another machine; assert a range:\n{cell.source}"
            )


@each_notebook
def test_a_folded_guard_asserts_and_shows_nothing(name):
    for cell in CODE[name]:
        if "guard" in tags(cell):
            assert authoring.asserts(cell.source) and not cell.outputs, (
                f"{cell.id} is folded: what it shows, nobody sees; what it does not assert, nobody holds"
            )


def test_the_ids_of_cells_are_unique_in_the_series():
    seen = Counter()
    for path in authoring.chosen([]):  # not nbformat.read, which gives a second one a new id
        seen.update(cell["id"] for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])
    twice = [cell for cell, count in seen.items() if count > 1]
    assert not twice, (
        f"two cells are called {twice[0]!r}; rename one, and the comments that mean it"
    )


@each_notebook
def test_the_stored_file_was_executed_in_order_and_carries_nothing_local(name):
    cells = [cell for cell in CODE[name] if cell.source.strip()]
    refresh = f"; python run.py refresh {name[:2]}"
    counts = [cell.execution_count for cell in cells]
    assert counts == list(range(1, len(cells) + 1)), (
        f"{name} was not run from top to bottom" + refresh
    )
    assert set(NOTEBOOKS[name].metadata) == {"kernelspec"}, "JupyterLab left its notes" + refresh
    for cell in NOTEBOOKS[name].cells:
        assert cell.metadata == authoring.metadata(cell), f"{cell.id} has metadata" + refresh
        for output in cell.get("outputs", []):
            text = str({**output.get("data", output), "image/png": ""})
            local = re.search(r"0x[0-9a-f]{6,}|/home/|/tmp/|/Users/|/root/|ipykernel_\d", text)
            assert not local, f"{cell.id} shows {local.group()}, which differs elsewhere"
            assert output.output_type != "error" and output.get("name") != "stderr", (
                f"{cell.id} stored an error or a warning; mend the cell" + refresh
            )


# ---- form


@each_notebook
def test_steps_are_small_and_claims_are_asserted(name):
    kinds = [cell.cell_type for cell in NOTEBOOKS[name].cells if "guard" not in tags(cell)]
    places = [i for i in range(len(kinds)) if kinds[i : i + 3] == ["code"] * 3]
    assert not places, (
        f"three code cells in a row from cell {places[0]} on: say between them what comes"
    )
    drawn = [c for c in CODE[name] if any("image/png" in o.get("data", {}) for o in c.outputs)]
    assert drawn, f"{name} has no picture"
    claims = [cell for cell in CODE[name] if authoring.asserts(authoring.code_of(cell))]
    assert len(claims) >= 0.2 * len(CODE[name]), (
        f"{len(claims)} of {len(CODE[name])} code cells of {name} assert something: what does the prose claim?"
    )


@each_notebook
def test_numbers_in_prose_that_name_their_source_are_what_it_shows(name):
    found = list(prose.problems(PROSE[name], CELLS))
    assert not found, "\n".join(found)


# ---- headings, links, the question index


def headings(name):
    return [line for line in PROSE[name].splitlines() if line.startswith("#")]


def test_links_between_notebooks_lead_to_a_notebook_and_a_heading_that_exist():
    for name, text in PROSE.items():
        for target, anchor in re.findall(
            r"\]\((\d\d_\w+\.ipynb)(?:#((?:[^()]|\([^()]*\))*))?\)", text
        ):
            assert target in NOTEBOOKS, f"{name} links to {target}, which is not there"
            # as JupyterLab makes links of headings
            anchors = {line.lstrip("# ").replace(" ", "-") for line in headings(target)}
            assert not anchor or anchor in anchors, f"{name}: no heading {anchor} in {target}"


def index():
    """{note: (notebook, anchor of a heading)}: the rows of the question index in 00."""
    start = next(text for name, text in PROSE.items() if name.startswith("00"))
    row = r"^\| (\d+) \| \[.*?\]\((\d\d_\w+\.ipynb)#(\S*)\)"
    return {int(note): (target, anchor) for note, target, anchor in re.findall(row, start, re.M)}


def test_the_question_index_has_all_24_notes():
    assert sorted(index()) == list(range(1, 25)), (
        "each margin note has one row, | number | [question](NN_name.ipynb#heading) …, in the table of 00"
    )


@pytest.mark.parametrize("note", range(1, 25))
def test_the_index_links_each_margin_note_to_a_heading_that_is_marked_as_its_answer(note):
    marked = r"^(#+ .+)\n<!-- margin note ([\d, and]+) -->$"
    answers = [
        (name, heading.lstrip("# ").replace(" ", "-"))
        for name, text in PROSE.items()
        for heading, notes in re.findall(marked, text, re.M)
        if re.search(rf"\b{note}\b", notes)
    ]
    assert index()[note] in answers, (
        f"the index links note {note} to {index()[note]}; it is marked below {answers or 'no heading'}"
    )
