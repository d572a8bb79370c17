"""What `run.py lab` adds to JupyterLab: stills without a kernel, words after a NameError or an interrupt."""

import asyncio

import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from traitlets.config import Configurable

from gptlib.instruments.publish import authoring
from gptlib.instruments.publish.reopening import Notebooks
from gptlib.instruments.show import hints, widgets


class Sessions(Configurable):
    """A server's sessions, as JupyterLab's contents manager can ask for them."""

    def __init__(self, *paths):
        super().__init__()
        self.session_manager, self.paths = self, paths

    async def list_sessions(self):
        return [{"path": path} for path in self.paths]


@pytest.mark.parametrize(("running", "live"), [("my/a.ipynb", True), ("my/b.ipynb", False)])
def test_a_notebook_whose_kernel_is_gone_comes_without_views_of_widgets(tmp_path, running, live):
    view = {widgets.WIDGET_VIEW: {"model_id": "gone"}}
    both = new_output("display_data", {**view, "image/png": "aGk="})
    alone = new_output("display_data", view)
    text = new_output("stream", text="kept")
    cells = [new_code_cell("x", outputs=[both, alone, text]), new_markdown_cell("words")]
    (tmp_path / "my").mkdir()
    authoring.write(new_notebook(cells=cells), tmp_path / "my" / "a.ipynb")
    manager = Notebooks(root_dir=str(tmp_path), parent=Sessions(running))
    outputs = asyncio.run(manager.get("my/a.ipynb"))["content"]["cells"][0]["outputs"]
    kinds = [set(output.get("data", {"text": 0})) for output in outputs]
    as_saved = [{widgets.WIDGET_VIEW, "image/png"}, {widgets.WIDGET_VIEW}, {"text"}]
    assert kinds == (as_saved if live else [{"image/png"}, {"text"}])
    assert (
        widgets.WIDGET_VIEW in (tmp_path / "my" / "a.ipynb").read_text()
    )  # the file stays as it is


@pytest.mark.parametrize(("code", "hinted"), [
    ("missing_name", True), ("1 / 0", False), ("known = 1\nknown", False),
    ("def f():\n    print(x)\n    x = 1\nf()", False),
])  # fmt: skip
def test_a_missing_name_is_followed_by_what_to_run(capsys, code, hinted):
    shell = InteractiveShell()
    hints.install(shell)
    shell.run_cell(code)
    said = capsys.readouterr().out
    assert ("missing_name is made by a cell that has not run" in said) == hinted
    assert ("Run All Above Selected Cell" in said) == hinted


def test_an_interrupted_cell_says_where_it_was_and_shows_no_traceback(capsys):
    shell = InteractiveShell()
    hints.install(shell)
    result = shell.run_cell("import signal\nfor _ in range(3):\n    signal.raise_signal(2)")
    assert isinstance(result.error_in_exec, KeyboardInterrupt)  # so no cell after it runs
    shown = capsys.readouterr()
    assert shown.out.strip().startswith("stopped in line 3 of this cell; ") and shown.err == ""
    assert "Traceback" not in shown.out
    shell.run_cell("1 / 0")
    assert "ZeroDivisionError" in capsys.readouterr().out
