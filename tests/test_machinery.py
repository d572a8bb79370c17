"""Break each thing that the machinery guards, once, and see red: a guard that cannot fail guards nothing."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from gptlib.instruments.publish import authoring

ROOT = Path(__file__).parents[1]

EXACT = "from gptlib.instruments import plots\nplots.heatmap([[1, 0], [1, 1]])"


@pytest.fixture
def outcome(tmp_path):
    """A function: run nbval, with this project's hooks, over cells; whether they passed, and what it said."""

    def run(*cells):
        path = tmp_path / "broken.ipynb"
        nbformat.write(new_notebook(cells=list(cells)), path)
        options = [
            "--nbval",
            "--nbval-current-env",
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            "-c",
            "/dev/null",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        return done.returncode == 0, done.stdout

    return run


def executed(source, tags=(), outputs=None):
    """A cell as refresh would have stored it, or with other outputs."""
    notebook = new_notebook(cells=[new_code_cell(source)])
    authoring.execute(notebook, ROOT)
    authoring.tidy(notebook)
    cell = notebook.cells[0]
    cell.metadata["tags"] = list(tags)
    cell.outputs = cell.outputs if outputs is None else outputs
    return cell


def test_one_true_notebook_passes_and_each_kind_of_stale_or_unrun_cell_fails(outcome):
    picture, text = executed(EXACT), executed("print(6 * 7)")
    assert outcome(picture, text)[0]

    unrun = new_code_cell("print(6 * 7)")
    passed, said = outcome(unrun)
    assert not passed and "never run" in said

    stale_text = executed("print(6 * 7)")
    stale_text.source = "print(6 * 9)"
    assert not outcome(stale_text)[0]

    quiet = executed("6 * 7", tags=["raises-exception"])
    passed, said = outcome(quiet)
    assert not passed and "raised nothing" in said


def test_a_stale_exact_picture_fails_and_a_changed_trained_one_passes_unless_its_claim_is_false(
    outcome,
):
    cells = [executed(EXACT), executed(EXACT, tags=["trained"])]
    for cell in cells:
        cell.source = EXACT.replace("[1, 1]", "[1, 0]")
    assert not outcome(cells[0])[0]
    assert outcome(cells[1])[0]

    false_claim = executed("loss = 2.5\nassert loss < 3", tags=["trained"])
    false_claim.source = "loss = 3.5\nassert loss < 3"
    assert not outcome(false_claim)[0]


def test_a_changed_default_in_the_library_is_seen_by_the_text_binding():
    path = authoring.NOTEBOOKS / "02_bigram.ipynb"
    library = (ROOT / "gptlib" / "train.py").read_text(encoding="utf-8")
    changed = authoring.built_names(
        library.replace("learning_rate: float = 1e-3", "learning_rate: float = 3e-3")
    )
    in_notebook = authoring.definitions(authoring.read(path))
    assert in_notebook["TrainConfig"][1] != changed["TrainConfig"]
    assert in_notebook["train"][1] == changed["train"]


def test_quote_brings_the_librarys_text_into_the_cell_that_builds_it():
    notebook = new_notebook(cells=[new_code_cell("class BigramLanguageModel: ...")])
    assert authoring.quote(notebook) == ["BigramLanguageModel"]
    assert notebook.cells[0].source == authoring.taught_names()["BigramLanguageModel"][1]
    assert authoring.quote(notebook) == []


def test_docstrings_are_cut_to_one_line_and_comments_stay():
    source = 'def f(x):\n    """Meaning.\n\n    More.\n    """\n    return x  # why'
    assert (
        authoring.built_names(source)["f"] == 'def f(x):\n    """Meaning."""\n    return x  # why'
    )


def test_refresh_stores_the_same_bytes_twice(tmp_path):
    stored = []
    for name in ("once.ipynb", "twice.ipynb"):
        notebook = new_notebook(
            cells=[new_code_cell(EXACT, id="a"), new_code_cell("print('same')", id="b")]
        )
        authoring.execute(notebook, ROOT)
        authoring.tidy(notebook)
        authoring.write(notebook, tmp_path / name)
        stored.append((tmp_path / name).read_bytes())
    assert stored[0] == stored[1]
