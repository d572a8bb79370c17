"""What `run.py lab` adds to JupyterLab: stills without a kernel, words after a NameError or an interrupt."""

import asyncio
import signal
from types import SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from traitlets.config import Configurable

from gptlib.instruments.publish import authoring, reopening
from gptlib.instruments.publish.reopening import Notebooks
from gptlib.instruments.show import hints, widgets


class Server(Configurable):
    """Of a server what a contents manager asks: its sessions, and kernels, which are the widgets that each holds."""

    def __init__(self, kernels):
        super().__init__()
        self.kernels = kernels  # {path of the notebook: widgets}
        self.session_manager = self.kernel_manager = self.kernel_spec_manager = self

    async def list_sessions(self):
        return [{"path": path, "kernel": {"id": path}} for path in self.kernels]

    def get_kernel(self, path):
        return self.kernels[path]

    def get_kernel_spec(self, name):
        return SimpleNamespace(display_name=f"{name} of this machine", language="python")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A function: the contents manager over my/a.ipynb, which holds these cells, with these kernels."""

    async def held(kernel):
        return kernel

    def over(cells, kernels):
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
        (tmp_path / "my").mkdir()
        authoring.write(notebook, tmp_path / "my" / "a.ipynb")
        return Notebooks(root_dir=str(tmp_path), parent=Server(kernels))

    monkeypatch.setattr(reopening, "widgets_of", held)
    return over


@pytest.mark.parametrize(
    ("kernels", "live"),
    [
        ({"my/a.ipynb": {"one"}}, True),
        ({"/my/a.ipynb": {"one"}}, True),
        ({"my/a.ipynb": set()}, False),
        ({"my/b.ipynb": {"one"}}, False),
    ],
    ids=["runs", "runs, with a slash", "was restarted", "is gone"],
)
def test_a_widget_that_the_kernel_does_not_have_is_shown_as_a_still_with_a_line_on_what_to_run(
    files, tmp_path, kernels, live
):
    view = {widgets.WIDGET_VIEW: {"model_id": "one"}}
    both = new_output("display_data", {**view, "image/png": "aGk="})
    alone = new_output("display_data", view)
    text = new_output("stream", text="kept")
    cells = [new_code_cell("x", outputs=[both, alone, text]), new_markdown_cell("words")]
    outputs = asyncio.run(files(cells, kernels).get("my/a.ipynb"))["content"]["cells"][0]["outputs"]
    kinds = [set(output.get("data", {"text": 0})) for output in outputs]
    as_saved = [{widgets.WIDGET_VIEW, "image/png"}, {widgets.WIDGET_VIEW}, {"text"}]
    assert kinds == (as_saved if live else [{"text/markdown"}, {"image/png"}, {"text"}])
    assert live or "Run All Above Selected Cell" in outputs[0]["data"]["text/markdown"]
    assert (
        widgets.WIDGET_VIEW in (tmp_path / "my" / "a.ipynb").read_text()
    )  # the file stays as it is


def test_a_notebook_comes_with_the_name_of_its_kernel_as_jupyterlab_would_write_it(files):
    metadata = asyncio.run(files([], {}).get("my/a.ipynb"))["content"]["metadata"]
    assert metadata["kernelspec"]["display_name"] == "python3 of this machine"
    assert metadata["language_info"]["name"] == "python"


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


@pytest.fixture
def interruptible():
    """Interrupts raise, as in a terminal; in a background job they are ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
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
