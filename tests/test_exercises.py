"""The exercises of the notebooks: three each, unsolved they say so, and every folded solution passes its check.

EXERCISES may name a folder of NN.txt files, cells divided by `%%% md` and `%%% code`, to try exercises that are not in
a notebook yet.
"""

import ast
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from gptlib.data import load_text, train_val_split
from gptlib.instruments import authoring, checks
from gptlib.tokenizer import LECTURE_ALPHABET, CharTokenizer
from gptlib.train import TrainConfig

CHECKED = re.compile(r"^check\.(\w+)\(.*", re.M)
SOLUTION = re.compile(r"<details><summary>Solution</summary>(.*?)</details>", re.S)
BLOCK = re.compile(r"```python\n(.*?)```", re.S)
COMMON = "import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
# what stands in the notebook at that point and is not a definition
GIVEN = {"06": "model = LanguageModel(65, 8, 32, CausalSelfAttention(32, 4))"}


@dataclass
class Exercise:
    notebook: str
    name: str
    cell: str
    text: str  # from the cell to the next one

    @property
    def check(self):
        return CHECKED.search(self.cell).group()

    @property
    def blocks(self):
        return [block for fold in SOLUTION.findall(self.text) for block in BLOCK.findall(fold)]


def exercises_of(number, cells):
    """The exercises among cells, a list of (kind, source)."""
    found = []
    for kind, source in cells:
        if kind == "code" and CHECKED.search(source):
            found.append(Exercise(number, CHECKED.search(source).group(1), source, ""))
        elif kind == "markdown" and found:
            found[-1].text += source
    return found


def cells_of_text(text):
    pieces = re.split(r"^%%% (md|code)\n", text, flags=re.M)[1:]
    kinds = {"md": "markdown", "code": "code"}
    return [(kinds[kind], source.strip()) for kind, source in zip(pieces[::2], pieces[1::2])]


def all_cells():
    """{number: its cells} of every notebook, followed by what EXERCISES has for it."""
    found = {
        path.name[:2]: [
            (cell.cell_type, authoring.code_of(cell)) for cell in authoring.read(path).cells
        ]
        for path in sorted(authoring.NOTEBOOKS.glob("*.ipynb"))
    }
    beside = os.environ.get("EXERCISES")
    for path in sorted(Path(beside).glob("[0-9]*.txt")) if beside else ():
        found[path.stem] = found.get(path.stem, []) + cells_of_text(
            path.read_text(encoding="utf-8")
        )
    return found


CELLS = all_cells()
EXERCISES = [e for number, cells in CELLS.items() for e in exercises_of(number, cells)]
each_exercise = pytest.mark.parametrize(
    "exercise", EXERCISES, ids=lambda e: f"{e.notebook}-{e.name}"
)
DEFINES = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef


def namespace(number):
    """What a reader has at the exercises: imports and definitions of the notebook, a little data, a short training."""
    names, own = {"LECTURE_ALPHABET": LECTURE_ALPHABET}, {e.cell for e in EXERCISES}
    exec(COMMON, names)
    for kind, source in CELLS[number]:
        if kind == "code" and source not in own:
            body = [node for node in ast.parse(source).body if isinstance(node, DEFINES)]
            exec(compile(ast.Module(body, []), f"{number}.py", "exec"), names)
    text = load_text(authoring.ROOT / "data" / "shakespeare.txt")
    names["tokenizer"] = CharTokenizer()
    tokens = torch.tensor(names["tokenizer"].encode(text))
    names["text"] = text[:20_000]
    # the counting of 02 takes a second on the whole text; what trains gets little
    names["train_tokens"], names["val_tokens"] = train_val_split(tokens)
    names["data"] = tokens[:2000], tokens[2000:2300]
    names["config"] = replace(TrainConfig(), steps=2, eval_every=2, eval_batches=1)
    exec(GIVEN.get(number, ""), names)
    return names


@pytest.fixture
def in_notebooks(monkeypatch):
    monkeypatch.chdir(authoring.NOTEBOOKS)
    with torch.random.fork_rng(devices=[]):
        yield


def test_a_notebook_with_exercises_has_its_three_in_order():
    found = {}
    for exercise in EXERCISES:
        found.setdefault(exercise.notebook, []).append(exercise.name)
    for number, names in found.items():
        assert names == list(checks.EXERCISES[number])


@each_exercise
def test_an_unsolved_cell_says_not_yet_and_runs_through(exercise, in_notebooks, capsys):
    exec(exercise.cell, namespace(exercise.notebook) | {"check": checks})
    said = capsys.readouterr().out
    assert said.startswith("not yet: ") and said.count("\n") == 1


@each_exercise
def test_the_folded_solution_passes_its_check(exercise, in_notebooks, capsys):
    names = namespace(exercise.notebook) | {"check": checks}
    for other in EXERCISES:  # a solution may use those before it
        if other.notebook == exercise.notebook:
            for block in other.blocks:
                if other is exercise or not block.startswith("# trains"):
                    exec(block, names)
        if other is exercise:
            break
    capsys.readouterr()
    exec(exercise.check, names)
    assert capsys.readouterr().out.startswith("right: ")


@each_exercise
def test_an_exercise_says_how_long_it_takes_and_folds_its_solution(exercise):
    place = [source for _, source in CELLS[exercise.notebook]].index(exercise.cell)
    before = CELLS[exercise.notebook][place - 1][1]
    minutes = re.findall(r"^\*\*\d \((\w+) minutes?[,)]|^\*\*\d \((\w+) minutes?, ", before, re.M)
    assert minutes, f"{exercise.name}: no time in front of its cell"
    assert exercise.blocks and exercise.text.count("<details>") == exercise.text.count("</details>")


def test_the_reader_of_exercises_finds_cell_check_and_solution():
    text = (
        "%%% md\n**1 (one minute).** Go.\n%%% code\nmy = ...\ncheck.chunks(my)\n%%% md\n<details>"
    )
    text += "<summary>Solution</summary>\n\n```python\nmy = 992\n```\n</details>\n"
    (found,) = exercises_of("01", cells_of_text(text))
    assert (found.name, found.check, found.blocks) == ("chunks", "check.chunks(my)", ["my = 992\n"])
