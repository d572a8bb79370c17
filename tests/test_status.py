"""run.py check: a reader's progress from saved outputs, without running anything."""

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from gptlib.instruments.exercises import status

ROOT = Path(__file__).parents[1]


def cell(name, *printed, error=False):
    outputs = (
        [{"output_type": "stream", "name": "stdout", "text": list(printed)}] if printed else []
    )
    outputs += [{"output_type": "error", "ename": "SyntaxError"}] if error else []
    source = [f"my_{name} = 3\n", f"check.{name}(my_{name})"]
    return {"cell_type": "code", "source": source, "outputs": outputs}


@pytest.fixture
def my(tmp_path):
    """A folder my/ and a function that saves a notebook with these cells in it."""
    folder = tmp_path / "my"
    folder.mkdir()

    def save(name, *cells, opened=True):
        path = folder / name
        path.write_text(json.dumps({"cells": list(cells)}), encoding="utf-8")
        brought = "another text" if opened else sha256(path.read_bytes()).hexdigest()
        (folder / ".lectures.json").write_text(json.dumps({name: brought}))
        return status.table(folder)

    return save


def test_done_not_yet_and_the_mistake_are_told_apart(my):
    wrong = cell("fade", "some print of mine\n", "not right: it has hardly moved\n")
    text = my("03_a.ipynb", cell("window", "right: rows add to one\n"), cell("masked_row"), wrong)
    row = next(line for line in text.splitlines() if line.startswith("03_a"))
    assert row.split() == ["03_a", "done", "not", "yet", "not", "right"]
    assert "    3 fade: it has hardly moved" in text
    assert "1 done" in text


def test_a_cell_that_stopped_is_neither_done_nor_unsolved(my):
    text = my("03_a.ipynb", cell("window", error=True), cell("fade", "not yet: fill in the …\n"))
    assert text.splitlines()[1].split() == ["03_a", "stopped", "not", "yet"]
    assert "0 done" in text


def test_of_two_checks_in_a_cell_the_last_one_counts(my):
    """The cell prints a line for each; its last line and its last check belong together."""
    two = cell("window", "right: rows add to one\n", "not right: it has hardly moved\n")
    two["source"] += ["\n", "check.fade(my_fade)"]
    text = my("03_a.ipynb", two)
    assert "    1 fade: it has hardly moved" in text and "0 done" in text
    two["outputs"][0]["text"].reverse()
    assert my("03_a.ipynb", two).splitlines()[1].split() == ["03_a", "done"]


def test_what_a_reader_prints_behind_a_check_hides_nothing(my):
    text = my("03_a.ipynb", cell("window", "right: rows add to one\n", "that was easy\n"))
    assert "1 done" in text


def test_a_notebook_may_have_more_exercises_than_three(my):
    text = my("03_a.ipynb", *[cell(f"exercise_{i}", "right: so\n") for i in range(5)])
    assert text.splitlines()[0].split() == ["1", "2", "3", "4", "5"] and "5 done" in text


def test_progress_in_a_notebook_that_the_first_edition_saved_still_counts(my):
    def saved(number, source, text):
        return {
            "cell_type": "code",
            "execution_count": number,
            "id": f"nb03-{number}",
            "metadata": {"execution": {"iopub.execute_input": "2026-01-04T10:00:00.000Z"}},
            "outputs": [{"name": "stdout", "output_type": "stream", "text": text}],
            "source": source,
        }

    row = "from gptlib.instruments import checks as check\n\nmy_row = 0.2, 0.6, 0.2, 0\ncheck.masked_row(my_row)"
    text = my(
        "03_averaging_the_past.ipynb",
        saved(17, row, ["right: e to the scores is (1, 3, 1, 0), the sum 5\n"]),
        saved(18, "my_window = ...\ncheck.window(my_window)", "not yet: fill in the …\n"),
        saved(
            19,
            ["my_fade = 0.01\n", "check.fade(my_fade)"],
            ["not right: it has hardly moved from 0\n"],
        ),
    )
    assert text.splitlines()[1].split()[1:] == ["done", "not", "yet", "not", "right"]
    assert "    3 fade: it has hardly moved from 0" in text and "1 done" in text


def test_a_notebook_as_it_was_copied_counts_as_not_opened(my):
    text = my("03_a.ipynb", cell("window", "not yet: fill in\n"), opened=False)
    assert "not opened yet" in text and "0 done" in text
    assert "not opened" not in my("03_a.ipynb", cell("window", "not yet: fill in\n"))


def test_a_check_that_is_only_spoken_of_is_no_exercise(my):
    text = {"cell_type": "markdown", "source": ["check.window(mine)"]}
    other = {"cell_type": "code", "source": ["x = 1  # check.window(x)"], "outputs": []}
    assert "No notebook in my/ has an exercise" in my("00_a.ipynb", text, other)


@pytest.mark.parametrize(
    "broken", ["", "[]", "{", '{"cells": 3}', '{"cells": [{}]}', "\ufeff", "null"]
)
def test_a_broken_file_gets_a_sentence_and_does_not_hide_the_others(my, tmp_path, broken):
    (tmp_path / "my" / "01_b.ipynb").write_text(broken, encoding="utf-8")
    text = my("03_a.ipynb", cell("window", "right: so\n"))
    assert "01_b                        cannot be read as a notebook" in text and "1 done" in text


def test_a_missing_or_broken_note_of_what_was_copied_hides_nothing(my, tmp_path):
    my("03_a.ipynb", cell("window", "right: so\n"))
    for broken in ("", "3", "{"):
        (tmp_path / "my" / ".lectures.json").write_text(broken)
        assert "1 done" in status.table(tmp_path / "my")


def test_without_my_there_is_one_sentence(tmp_path):
    text = status.table(tmp_path / "my")
    assert "There is no my/ yet" in text and "\n" not in text


def test_run_py_check_answers_without_importing_torch_and_takes_no_arguments():
    code = "import sys, gptlib.instruments.exercises.status; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n"
    asked = [sys.executable, "run.py", "check"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0 and done.stdout and not done.stderr
    done = subprocess.run([*asked, "03"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
