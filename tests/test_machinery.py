"""Break each thing that the machinery guards, once, and see red: a guard that cannot fail guards nothing."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import prose
import pytest
from comparing import difference
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from gptlib.instruments.publish import authoring
from gptlib.instruments.show import plots
from gptlib.instruments.show.picture import description_in

ROOT = Path(__file__).parents[1]
FROM_HERE = os.environ | {"PYTHONPATH": str(ROOT)}


def printed(text):
    return [new_output("stream", name="stdout", text=text)]


def showed(picture, words="[picture: one]"):
    """The outputs of a cell that ends in a picture, or in PNG bytes."""
    png = picture if isinstance(picture, bytes) else picture.png()
    data = {"image/png": base64.b64encode(png).decode(), "text/plain": words}
    return [new_output("execute_result", data=data, execution_count=1)]


def curves(up=0.0, colours=0, names=("train", "val"), steps=(2.6, 2.45), **options):
    """Two loss curves that end at steps, all of it shifted up."""
    x = np.arange(20)
    lines = {
        name: (x, end + 2 * np.exp(-x / 4) + up)
        for name, end in zip(names, np.roll(steps, colours))
    }
    return plots.curves(lines, "", "step", "loss", **options)


# ---- text

CAWERD = "Cawerd here the us lor that eard a your mant ard calf than in her\nTo rawith"
WHAT = "What sple and me uppler, I the or am come:\nIt the care deartin he my ing mish"


@pytest.mark.parametrize(
    ("tag", "stored", "now"),
    [
        ("", "ids [18, 47]", "ids [18, 47]"),
        ("trained", "val 2.42\n", "val 2.40\n"),
        ("trained", "none   2.298\npre    2.263\n", "none   2.319\npre    2.264\n"),
        ("trained", "7.7% goes elsewhere", "7.1% goes elsewhere"),
        ("trained", "change −0.46, 2,080 weights", "change −0.46, 2,080 weights"),
        ("trained", "q = k  9.99\n", "q = k 10.01\n"),
        ("sensitive", "10.93 at the end", "10.63 at the end"),
        ("timed", "loop: 116 ×, 1.80 s", "loop:  30 ×, 0.40 s"),
        ("sample", f"val 2.068\n{CAWERD}", f"val 2.062\n{WHAT}"),
        ("sample", CAWERD, f"{WHAT[:40]}\n 3.3 \n{WHAT[40:]}"),  # a model may write digits
    ],
)
def test_a_text_that_another_machine_explains_passes(tag, stored, now):
    assert difference(printed(stored), printed(now), [tag]) is None


@pytest.mark.parametrize(
    ("tag", "stored", "now", "said"),
    [
        ("", "val 2.42", "val 2.43", "stored 'val 2.42', now 'val 2.43'"),
        ("", "one\ntwo", "two\none", "one"),
        ("trained", "val 2.42", "val 2.24", "stored 2.42, now 2.24"),
        ("trained", "no attention 3.34", "no attention 3.43", "3.34"),
        ("trained", "plain average 2.84, best 2.45", "plain average 9.99, best 2.45", "9.99"),
        ("trained", "0.030, 0.040, 0.028", "0.300, 0.400, 0.280", "0.300"),
        ("trained", "change −0.46", "change 0.46", "0.46"),
        ("trained", "a 2.42\nb 2.42", "b 2.42\na 2.42", "words"),
        ("trained", "2,080 weights saved, 2.42", "2,081 weights saved, 2.42", "2,08"),
        ("trained", "4 heads 2.42", "5 heads 2.42", "heads"),
        ("trained", "66% are silent", "76% are silent", "76%"),
        ("trained", "every entry is 0.7408", "every entry is 0.7048", "0.7048"),
        ("sensitive", "10.93 at the end", "1.09 at the end", "1.09"),
        ("timed", "loop: 116 ×", "loop: 9 ×", "116"),
        ("timed", "loop: 116 ×", "softmax: 116 ×", "softmax"),
        ("sample", f"val 2.068\n{CAWERD}", f"val 2.608\n{CAWERD}", "2.608"),
        ("sample", CAWERD, CAWERD[:50], "characters"),
        ("sample", f"val 2.068\n{CAWERD}", CAWERD, "'val #'"),
        ("sample", CAWERD, "8723 !§$% 1234 &/=? ###" * 3, "letters"),
    ],
)
def test_a_text_that_no_machine_explains_fails_and_says_what_differs(tag, stored, now, said):
    assert said in difference(printed(stored), printed(now), [tag])


@pytest.mark.parametrize("tag", ["", "trained", "sensitive", "timed", "sample"])
def test_a_missing_or_another_kind_of_output_fails_whatever_the_tag(tag):
    stored = printed("val 2.42")
    assert "no outputs" in difference(stored, [], [tag])
    assert "stderr" in difference(stored, [new_output("stream", name="stderr", text="2.42")], [tag])
    assert "image/png" in difference(stored + showed(curves()), stored, [tag])


def test_what_is_printed_in_pieces_is_one_text():
    assert difference(printed("a\nb\n"), printed("a\n") + printed("b\n")) is None


# ---- pictures


def recompressed(png):
    """The same pixels, encoded by another hand."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def test_an_ordinary_picture_is_compared_by_pixels_not_by_bytes():
    png = curves().png()
    assert recompressed(png) != png
    assert difference(showed(png), showed(recompressed(png))) is None
    assert "pixels differ" in difference(showed(png), showed(curves(up=0.02)))
    assert "pixels" in difference(showed(png), showed(curves(size=(6, 3))))


def test_a_trained_picture_passes_with_the_noise_of_another_machine():
    assert difference(showed(curves()), showed(curves(up=0.01)), ["trained"]) is None


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (curves(colours=1), "lines: drawn from"),  # the legend tells which curve is which
        (curves(names=("val", "train")), "legend: stored words"),
        (curves(up=0.1), "lines: drawn from"),
        (curves(steps=(2.6, 2.6)), "lines: drawn from"),  # val drawn from train
        (curves(baselines={"counted bigram": 2.48}), "picture"),
        (curves(size=(6, 3)), "pixels"),
        (plots.heatmap(np.eye(4), "abcd", "abcd", "attention", size=(7, 3.6)), "picture"),
        (plots.bars([2.0, 1.0], ["a", "b"], "loss", "nats", size=(7, 3.6)), "picture"),
    ],
)
def test_a_trained_picture_of_something_else_fails(other, said):
    assert said in difference(showed(curves()), showed(other), ["trained"])


def test_a_picture_whose_pixels_are_not_what_it_says_or_that_says_nothing_fails():
    png = curves().png()
    heatmap = plots.heatmap(np.eye(4), "abcd", "abcd", "attention")
    heatmap.description = curves().description
    heatmap.set_size_inches(*curves().get_size_inches())
    assert "from afar" in difference(showed(png), showed(heatmap), ["trained"])
    assert "says what is drawn" in difference(showed(png), showed(recompressed(png)), ["trained"])


def test_bars_are_compared_by_height_however_many_there_are():
    heights, names = np.linspace(0, 1, 60), [chr(65 + i) for i in range(60)]
    other = np.where(np.arange(60) == 50, 0.5, heights)
    pictures = [showed(plots.bars(values, names, "", "share")) for values in (heights, other)]
    assert "bars: drawn from" in difference(*pictures, ["trained"])
    noise = showed(plots.bars(heights + 0.001, names, "", "share"))
    assert difference(pictures[0], noise, ["trained"]) is None


def test_a_picture_that_was_redrawn_says_what_is_drawn_now():
    picture = plots.bars([0.25, 0.75], ["a", "b"], "", "share")
    (plot,) = description_in(picture.png_of([0.5, 0.125]))
    assert [bar[-1] for bar in plot["bars"]] == [0.5, 0.125]


# ---- pytest with these hooks

MAP = "from gptlib.instruments.show import plots\nplots.heatmap({}, 'ab', 'ab', 'map')"
TRUE, OTHER = [[1, 0], [0.5, 0.5]], [[1, 0], [0.4, 0.6]]
WRITES = "open('../my/model', 'w').write('x')\nprint(open('../data/README.md').read(1))"
TESTS = """
from pathlib import Path
def test_good(tmp_path): (tmp_path / "a").touch()
def test_my(): Path("my/mine").touch()
def test_venv(): Path(".venv/installed.txt").touch()
"""


def map_of(rows):
    return showed(plots.heatmap(rows, "ab", "ab", "map"), "[picture: map, 2 × 2]")


def cells():
    for name, source, outputs, tag in [
        ("text", "print(6 * 7)", printed("42\n"), ""),
        ("stale-text", "print(6 * 9)", printed("42\n"), ""),
        ("picture", MAP.format(TRUE), map_of(TRUE), ""),
        ("stale-picture", MAP.format(TRUE), map_of(OTHER), ""),
        ("trained", "print('val 2.401')", printed("val 2.412\n"), "trained"),
        ("absurd", "print('val 2.401')", printed("val 9.99\n"), "trained"),
        ("other-picture", MAP.format(TRUE), map_of(OTHER), "trained"),
        ("false-claim", "assert 3.5 < 3", [], "trained"),
        ("quiet", "six = 6", [], "raises-exception"),
        ("writes", WRITES, printed("#\n"), ""),
    ]:
        metadata = {"tags": [tag]} if tag else {}
        yield new_code_cell(source, outputs=outputs, execution_count=1, id=name, metadata=metadata)
    yield new_code_cell("print(6 * 7)", id="unrun")


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """{cell or test: what pytest said of it, "" if it passed} in a small project with the hooks of this one."""
    root = tmp_path_factory.mktemp("project")
    for folder in ("my", ".venv", "tests", "notebooks"):
        (root / folder).mkdir()
    for name in ("conftest.py", "pyproject.toml", "tests/comparing.py"):
        shutil.copy(ROOT / name, root / name)
    (root / "tests" / "test_it.py").write_text(TESTS)
    notebook = new_notebook(cells=list(cells()))
    authoring.write(notebook, root / "notebooks" / "01_one.ipynb")
    options = "-p no:cacheprovider --junitxml=said.xml notebooks/01_one.ipynb tests/test_it.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options.split()],
        cwd=root,
        env=FROM_HERE,
        capture_output=True,
        text=True,
    )
    assert (root / "said.xml").exists(), done.stdout + done.stderr
    found = {}
    for test in ElementTree.parse(root / "said.xml").iter("testcase"):
        number = test.get("name").removeprefix("Cell ")
        name = notebook.cells[int(number)].id if number.isdigit() else number
        words = [*test.itertext(), *(part.get("message", "") for part in test)]
        found[name] = found.get(name, "") + "".join(words)
    return found | {"my/": sorted(path.name for path in (root / "my").iterdir())}


@pytest.mark.parametrize("cell", ["text", "picture", "trained", "writes", "test_good"])
def test_what_is_true_passes(said, cell):
    assert said[cell] == ""


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("stale-text", "stdout: stored '42"),
        ("stale-text", "python run.py refresh 01"),
        ("stale-text", "tests/varying_cells.txt"),
        ("stale-picture", "pixels differ"),
        ("absurd", "stored 9.99, now 2.401"),
        ("other-picture", "drawn from"),
        ("false-claim", "AssertionError"),
        ("quiet", "raised nothing; mend it or take the tag away"),
        ("unrun", "was never run; python run.py refresh 01"),
        ("test_my", "mine in my/ or .venv/ changed during test_my: let the test write into"),
        ("test_venv", "installed.txt in my/ or .venv/ changed during test_venv"),
    ],
)
def test_what_is_stale_untrue_unrun_or_not_ours_fails_and_is_told_what_to_do(said, cell, words):
    assert words in said[cell]


def test_a_notebook_that_is_tested_writes_nothing_into_the_readers_folder(said):
    assert said["my/"] == ["mine"]  # by test_my


# ---- numbers in prose


SOURCES = {
    "one-back": new_code_cell(
        outputs=printed("head 1: 0.978, −0.46, 63.4%\n2,080 weights\n"), id="one-back"
    ),
    "curve": new_code_cell(outputs=showed(curves()), id="curve"),
}


@pytest.mark.parametrize(
    "words",
    [
        "0.98",
        "0.978",
        "−0.46",
        "-0.46",
        "0.46",
        "63.4%",
        "63%",
        "0.63",
        "2,080",
        "**0.98**",
        "$0.98$",
    ],
)
def test_a_number_in_prose_that_its_cell_shows_passes(words):
    assert list(prose.problems(f"Head 1 puts {words}<!-- cell: one-back --> on it.", SOURCES)) == []


@pytest.mark.parametrize("words", ["0.89", "9.78", "−0.98", "64%", "2,081", "2,08", "3", "0.4"])
def test_a_number_in_prose_that_its_cell_does_not_show_fails(words):
    found = list(prose.problems(f"Head 1 puts {words}<!-- cell: one-back --> on it.", SOURCES))
    assert len(found) == 1 and "show no" in found[0]


def test_a_number_in_prose_may_be_drawn_in_a_picture():
    assert list(prose.problems("from 4.60<!-- cell: curve --> down", SOURCES)) == []
    assert list(prose.problems("from 4.06<!-- cell: curve --> down", SOURCES)) != []


@pytest.mark.parametrize(
    ("markdown", "said"),
    [
        ("0.98<!-- cell: two-back -->", "no code cell has the id 'two-back'"),
        ("it is <!-- cell: one-back -->", "needs a number right before it"),
        ("0.98 nats <!-- result: heads/1 head -->", "needs a number right before it"),
        ("2.4<!-- result: heads/77 heads -->", "no such experiment"),
        ("2.4<!-- result: tails/1 head -->", "no such experiment"),
        ("9.999<!-- result: heads/1 head -->", "data/results has 2.4"),
    ],
)
def test_a_marker_that_leads_nowhere_gets_a_sentence(markdown, said):
    (found,) = prose.problems(markdown, SOURCES)
    assert said in found


@pytest.mark.parametrize(
    "place", ["scaling/D 16, 1/√D", "dropout/2% of the text, dropout 0.0/train_loss"]
)
def test_a_variant_may_have_a_slash_in_its_name_and_a_column_behind_it(place):
    assert prose.result(place) > 1


# ---- the library's text, and what is stored


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


def test_quote_leaves_a_notebooks_own_variables_alone_whatever_they_are_called():
    own = "generate = unit @ unit.T\ntrain: list = []\nfor Head in heads:\n    pass"
    notebook = new_notebook(cells=[new_code_cell(own)])
    assert authoring.quote(notebook) == [] and notebook.cells[0].source == own


def test_docstrings_are_cut_to_one_line_and_comments_stay():
    source = 'def f(x):\n    """Meaning.\n\n    More.\n    """\n    return x  # why'
    assert (
        authoring.built_names(source)["f"] == 'def f(x):\n    """Meaning."""\n    return x  # why'
    )


def test_refresh_stores_the_same_bytes_twice_and_keeps_ids_tags_and_folds(tmp_path):
    source = "from gptlib.instruments.show import plots\nplots.heatmap([[1, 0], [1, 1]])"
    stored = []
    for name in ("once.ipynb", "twice.ipynb"):
        guard = new_code_cell("assert 6 * 7 == 42", id="one-back")
        guard.metadata = {"tags": ["guard"], "collapsed": True, "execution": {"began": name}}
        plain = new_code_cell(source, id="b", metadata={"jupyter": {"source_hidden": True}})
        notebook = new_notebook(cells=[plain, new_markdown_cell("words", id="words"), guard])
        authoring.execute(notebook, tmp_path)
        authoring.tidy(notebook)
        authoring.write(notebook, tmp_path / name)
        stored.append((tmp_path / name).read_bytes())
    assert stored[0] == stored[1]
    cells = json.loads(stored[0])["cells"]
    assert [cell["id"] for cell in cells] == ["b", "words", "one-back"]
    folded = {"tags": ["guard"], "jupyter": {"source_hidden": True}}
    assert [cell["metadata"] for cell in cells] == [{}, {}, folded]


@pytest.mark.parametrize("links", [True, False])
def test_a_stage_has_the_data_and_an_empty_my_with_links_and_without(tmp_path, monkeypatch, links):
    def refused(*_, **__):
        raise OSError("A required privilege is not held by the client")

    (tmp_path / "corpus").write_text("text")
    monkeypatch.setattr(authoring, "DATA", tmp_path)
    if not links:
        monkeypatch.setattr(Path, "symlink_to", refused)
    with authoring.stage() as folder:
        assert (folder / ".." / "data" / "corpus").read_text() == "text"
        assert list((folder / ".." / "my").iterdir()) == []
        (folder / ".." / "my" / "model").touch()
    assert not folder.exists() and (tmp_path / "corpus").exists()


def test_the_list_of_claims_has_every_assert_however_it_is_laid_out():
    source = "for x in range(3):\n    assert (\n        x <\n        3), 'words'\nassert done"
    assert sorted(authoring.asserts(source)) == ["done", "x < 3"]
