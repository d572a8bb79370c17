"""The notebooks and the library are one text, in the right order, and hide nothing from the comparison."""

import ast
import re

import pytest

from gptlib.instruments.measure import experiments
from gptlib.instruments.publish import authoring

PATHS = sorted(authoring.NOTEBOOKS.glob("*.ipynb"))
NOTEBOOKS = {path.name: authoring.read(path) for path in PATHS}
TAUGHT = authoring.taught_names()
each_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def asserts(source):
    return [node.test for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]


@each_notebook
def test_the_last_definition_of_a_taught_name_is_the_librarys_text(name):
    for taught, (_, text) in authoring.definitions(NOTEBOOKS[name]).items():
        if taught in TAUGHT:
            assert text == TAUGHT[taught][1], (
                f"{taught} differs; run `python run.py refresh {name[:2]}`"
            )


def test_every_taught_name_is_built_in_exactly_one_notebook():
    for taught in TAUGHT:
        built_in = [
            name
            for name, notebook in NOTEBOOKS.items()
            if taught in authoring.definitions(notebook)
        ]
        assert len(built_in) == 1, f"{taught} is built in {built_in or 'no notebook'}"


def imports(notebook):
    """Every (module, name) that a notebook imports from gptlib."""
    for cell in code_cells(notebook):
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
    built = {
        n
        for other in NOTEBOOKS
        if other < name
        for n in authoring.definitions(NOTEBOOKS[other])
        if n in TAUGHT
    }
    for module, imported in imports(NOTEBOOKS[name]):
        lesson = (
            module.removeprefix("gptlib").strip(".") in authoring.TAUGHT
            or imported in authoring.TAUGHT
        )
        assert not lesson or imported in built, (
            f"{imported} from {module} is not built before {name}"
        )


@each_notebook
def test_a_cell_that_is_not_compared_asserts_its_claim_by_tolerance(name):
    for cell in code_cells(NOTEBOOKS[name]):
        if {"trained", "timed"} & set(cell.metadata.get("tags", [])):
            claims = asserts(cell.source)
            held = [c for c in claims if re.search(r"[<>]|isclose|allclose|approx", ast.unparse(c))]
            assert held, f"nothing in this cell would turn red:\n{cell.source}"


def test_only_five_cells_of_the_series_are_left_out_of_the_comparison_and_each_says_why():
    ignored = []
    for name, notebook in NOTEBOOKS.items():
        for cell in code_cells(notebook):
            tags = set(cell.metadata.get("tags", []))
            assert "NBVAL_SKIP" not in cell.source and "nbval-skip" not in tags, (
                f"{name} skips a cell"
            )
            if "NBVAL_IGNORE_OUTPUT" in cell.source or "nbval-ignore-output" in tags:
                ignored.append(name)
                assert asserts(cell.source) and re.search(r"#.*because", cell.source)
    assert len(ignored) <= 5


@each_notebook
def test_the_stored_file_was_executed_in_order_and_carries_nothing_local(name):
    cells = [cell for cell in code_cells(NOTEBOOKS[name]) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert set(NOTEBOOKS[name].metadata) == {"kernelspec"}
    for cell in NOTEBOOKS[name].cells:
        assert set(cell.metadata) <= {"tags"}
        for output in cell.get("outputs", []):
            text = str(
                {
                    kind: value
                    for kind, value in output.get("data", output).items()
                    if kind != "image/png"
                }
            )
            assert not re.search(r"0x[0-9a-f]{6,}|/home/|/tmp/|/Users/|/root/|ipykernel_\d", text)
            assert output.output_type != "error" and output.get("name") != "stderr"


@each_notebook
def test_steps_are_small(name):
    kinds = [cell.cell_type for cell in NOTEBOOKS[name].cells]
    assert not any(kinds[i : i + 3] == ["code"] * 3 for i in range(len(kinds))), (
        "three code cells in a row"
    )
    drawn = [
        cell
        for cell in code_cells(NOTEBOOKS[name])
        if any("image/png" in o.get("data", {}) for o in cell.outputs)
    ]
    claims = [cell for cell in code_cells(NOTEBOOKS[name]) if asserts(authoring.code_of(cell))]
    assert len(claims) >= 0.2 * len(code_cells(NOTEBOOKS[name])) and drawn


NOTES = dict.fromkeys((1, 2, 3, 5), "01") | dict.fromkeys((4, 6, 7), "02") | {8: "03"}
NOTES |= dict.fromkeys((9, 10, 11), "04") | dict.fromkeys((12, 13, 23, 24), "05")
NOTES |= dict.fromkeys((14, 15, 16), "06") | dict.fromkeys((17, 18), "07")
NOTES |= {19: "08", 20: "09", 21: "09", 22: "10"}


@pytest.mark.parametrize(("note", "number"), NOTES.items())
def test_every_margin_note_is_answered_under_a_heading_that_can_be_linked_to(note, number):
    notebook = next(notebook for name, notebook in NOTEBOOKS.items() if name.startswith(number))
    lines = [
        line
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
    ]
    headings = [
        line
        for line in lines
        if line.startswith("## ") and f"note {note})" in line.replace("notes", "note")
    ]
    assert len(headings) == 1, f"margin note {note} has {len(headings)} headings in {number}"


RESULT = re.compile(r"(\d+\.\d+)\s*<!-- result: (.+?) -->")


def quoted_results():
    for name, notebook in NOTEBOOKS.items():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                assert cell.source.count("<!-- result:") == len(RESULT.findall(cell.source)), name
                yield from ((name, *found) for found in RESULT.findall(cell.source))


@pytest.mark.parametrize(("name", "number", "place"), quoted_results())
def test_a_number_quoted_from_an_experiment_is_the_mean_in_its_csv(name, number, place):
    # experiment, perhaps @ the text it ran on, variant, and perhaps a column
    experiment, variant = place.split("/", 1)
    experiment, text = [*experiment.split("@"), "shakespeare"][:2]
    variant, column = (
        variant.rsplit("/", 1)
        if variant.rsplit("/", 1)[-1] in columns(experiment)
        else (variant, "full_loss")
    )
    measured = experiments.mean(experiment, variant, column, text)
    decimals = len(number.split(".")[1])
    assert f"{measured:.{decimals}f}" == number, (
        f"{name} says {number}, data/results has {measured:.4f}"
    )


def columns(experiment):
    return experiments.rows_of(experiment)[0].keys()


def headings(notebook):
    """The headings of a notebook as JupyterLab makes links of them."""
    lines = [
        line
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
    ]
    return {line.lstrip("# ").replace(" ", "-") for line in lines if line.startswith("#")}


def test_links_between_notebooks_lead_to_a_notebook_and_a_heading_that_exist():
    for name, notebook in NOTEBOOKS.items():
        for cell in notebook.cells:
            for target, anchor in re.findall(
                r"\]\((\d\d_\w+\.ipynb)(?:#((?:[^()]|\([^()]*\))*))?\)", cell.source
            ):
                assert target in NOTEBOOKS, f"{name} links to {target}, which is not there"
                assert not anchor or anchor in headings(NOTEBOOKS[target]), (
                    f"{name}: no heading {anchor} in {target}"
                )


def test_the_question_index_has_all_24_notes_each_linked_to_its_heading():
    start = next(notebook for name, notebook in NOTEBOOKS.items() if name.startswith("00"))
    text = "\n".join(cell.source for cell in start.cells)
    rows = dict(re.findall(r"^\| (\d+) \| \[.*?\]\((\d\d)_", text, re.M))
    assert {int(note) for note in rows} == set(range(1, 25)) == set(NOTES)
    assert all(number == NOTES[int(note)] or note == "8" for note, number in rows.items())


def test_the_table_for_the_letter_before_is_the_one_that_raced():
    shown = authoring.definitions(NOTEBOOKS["12_from_2017_to_today.ipynb"])["PreviousToken"][1]
    path = authoring.ROOT / "gptlib" / "instruments" / "catalogue" / "modern.py"
    assert shown == authoring.built_names(path.read_text(encoding="utf-8"))["PreviousToken"]
