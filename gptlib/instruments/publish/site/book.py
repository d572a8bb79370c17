"""The notebooks of a project as a book of web pages that works offline: front page, sidebar, search, light and dark."""

import io
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from gptlib.instruments.files import ROOT
from gptlib.instruments.publish import authoring
from gptlib.instruments.publish.site import live, text
from gptlib.instruments.publish.site.folder import replaced

FRONT = "README"
SETTINGS = {
    "extensions": ["myst_parser", "gptlib.instruments.publish.site.formulas"],
    "include_patterns": ["README.md", "CONTRIBUTING.md", "data/*.md", "notebooks/*.ipynb"],
    "exclude_patterns": [".*"],  # not even looked into
    "source_suffix": {
        ".md": "markdown",
        ".ipynb": "markdown",
    },  # what notebooks have become by then
    "root_doc": FRONT,
    "suppress_warnings": ["toc.not_included"],  # the sidebar has the notebooks
    "myst_enable_extensions": ["dollarmath", "amsmath"],
    "myst_dmath_allow_space": False,  # `$5 and $6` is no formula
    "myst_dmath_allow_digits": False,
    "myst_disable_syntax": ["myst_role", "myst_line_comment", "myst_block_break", "myst_target"],
    "myst_heading_anchors": 4,
    "myst_heading_slug_func": f"{__name__}.anchor",
    "smartquotes": False,
    "html_math_renderer": "mathml",
    "html_theme": "furo",
    "html_title": "A GPT, built one idea at a time",
    "html_static_path": [str(Path(__file__).parent / "static")],
    "html_css_files": ["site.css"],
    "html_js_files": ["live.js"],
    "html_copy_source": False,
    "html_use_index": False,
    "html_show_search_summary": False,  # it would read pages, which browsers refuse on file://
    "html_show_copyright": False,
}


def anchor(heading):
    """The name of a heading in a link, as JupyterLab makes it."""
    return heading.replace(" ", "-")


def export(folder, root=ROOT, say=lambda words: None):
    """Write the book of the project root into folder and return the path of its front page.

    Only a folder that is new, empty or as an earlier export left it is written to; it is replaced in one piece, or
    left as it was. say is called with the name of each page. What cannot be shown raises ValueError.
    """
    folder, root = Path(folder).absolute(), Path(root).resolve()
    with replaced(folder) as fresh:
        paths = sorted((root / "notebooks").glob("*.ipynb"))
        notebooks = {f"notebooks/{path.stem}": authoring.read(path) for path in paths}
        texts = {name: page(name, notebook, say) for name, notebook in notebooks.items()}
        texts[FRONT] = front_page((root / "README.md").read_text(encoding="utf-8"), notebooks)
        build(root, fresh, texts, say)
        shutil.copyfile(fresh / f"{FRONT}.html", fresh / "index.html")
    return folder / "index.html"


def page(name, notebook, say):
    """The Markdown of a notebook; it is run where something in it lives."""
    try:
        if live.wants_a_run(notebook):
            say(f"{name} runs, for what lives in it")
            live.enliven(notebook)
        return text.markdown(notebook)
    except ValueError as problem:
        raise ValueError(f"{name}.ipynb: {problem}") from None


def front_page(readme, notebooks):
    """The Markdown of the front page: the README, its first picture replaced by the first one that is alive.

    Without a picture in the README the live one stands behind the first paragraph.
    """
    title, opening, *rest = readme.split("\n\n")
    cells = [outputs for notebook in notebooks.values() for outputs in live.displays(notebook)]
    alive = [
        text.raw(text.output(one)) for found in cells for one in found if live.LIVE in one.data
    ]
    still = next((n for n, words in enumerate(rest) if words.startswith("![")), None)
    if alive and still is not None:
        rest[still] = alive[0]
    elif alive:
        rest.insert(0, alive[0])
    sidebar = "\n".join(["```{toctree}", ":hidden:", "", *notebooks, "```"])
    return "\n\n".join([title, opening, *rest, sidebar])


def build(root, folder, texts, say):
    """Let Sphinx write the pages of root into folder, some from texts, {page: Markdown}; a warning is a ValueError."""
    warnings = io.StringIO()

    def read(app, name, content):
        content[0] = texts.get(name, content[0])

    with TemporaryDirectory() as trees, docutils_namespace():
        app = Sphinx(root, None, folder, trees, "html", SETTINGS, None, warnings)
        app.connect("source-read", read)
        app.connect("html-page-context", lambda app, name, *_: say(f"{name}.html"))
        app.build()
    if said := text.TERMINAL.sub("", warnings.getvalue()).replace(f"{root}{os.sep}", ""):
        raise ValueError(said.strip())
