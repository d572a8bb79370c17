"""A notebook, or a Markdown file, as the HTML of a page: text, code and stored outputs."""

import html
import re
from functools import cache, partial

from nbconvert.filters import Highlight2HTML, ansi2html

from gptlib.instruments.publish.authoring import WIDGET_VIEW
from gptlib.instruments.publish.site.formulas import mathml
from gptlib.instruments.publish.site.text import Page, first_lines, markdown

MOVES = re.compile(r"\[picture: .*\] with \w", re.S)  # how widgets.Live describes itself


@cache
def highlighter():
    """Colours Python; the style sheet says which."""
    return Highlight2HTML(pygments_lexer="ipython3")


def picture(data, mime):
    """An image in the page itself; its description is the output's text."""
    words = html.escape(data.get("text/plain", "picture").strip("[]"))
    return f'<img alt="{words}" src="data:{mime};base64,{data[mime].strip()}">'


def still(data, page, resolve):
    """What an output shows when nothing moves: the richest of what is stored."""
    if "text/html" in data:
        return f'<div class="table">{data["text/html"]}</div>'
    for mime in ("image/png", "image/jpeg"):
        if mime in data:
            return picture(data, mime)
    if "image/svg+xml" in data:
        return data["image/svg+xml"]
    if "text/latex" in data:
        latex = data["text/latex"].strip()
        return mathml(latex.strip("$"), block=latex.startswith("$$"))
    if "text/markdown" in data:
        return markdown(data["text/markdown"], page, resolve)
    return f"<pre>{html.escape(data.get('text/plain', ''))}</pre>"


def displayed(data, page, resolve):
    """A displayed output: live, or still with a word on how it moves."""
    shown = still(data, page, resolve)
    model = data.get(WIDGET_VIEW, {}).get("model_id")
    if model in page.models:
        return f'<figure class="output live" data-model="{model}"><div class="still">{shown}</div></figure>'
    note = ""
    if MOVES.search(data.get("text/plain", "")):
        note = "<figcaption>Moves in the notebook: <code>python run.py lab</code></figcaption>"
    return f'<figure class="output">{shown}{note}</figure>'


def output(found, page, resolve):
    """One output of a code cell."""
    if found.output_type == "stream":
        return f'<pre class="output {found.name}">{ansi2html(found.text)}</pre>'
    if found.output_type == "error":
        return f'<pre class="output stderr">{ansi2html(chr(10).join(found.traceback))}</pre>'
    return displayed(found.data, page, resolve)


def cell_html(cell, page, resolve):
    """One cell with its outputs."""
    if cell.cell_type == "markdown":
        text = markdown(cell.source, page, resolve, cell.get("attachments"))
        return f'<div class="text">{text}</div>'
    if cell.cell_type != "code" or not cell.source.strip():
        return ""
    if cell.execution_count is None:
        raise ValueError("a cell was never run; run `python run.py refresh` and export again")
    outputs = "".join(output(found, page, resolve) for found in cell.outputs)
    return f'<div class="code">{highlighter()(cell.source)}</div>{outputs}'


def notebook_page(notebook, path, links, models=None):
    """The Page of a notebook that was read from path; what is wrong with it is said with its name."""
    resolve = partial(links.resolve, path)
    title, question = first_lines("\n".join(cell.source for cell in notebook.cells[:1]))
    page = Page(links.pages[path], title or path.stem, question, models=models or {})
    try:
        page.body = "\n".join(cell_html(cell, page, resolve) for cell in notebook.cells)
    except ValueError as problem:
        raise ValueError(f"{path.name}: {problem}") from None
    return page


def document_page(source, path, links):
    """The Page of Markdown text that stands in path."""
    page = Page(links.pages[path], first_lines(source)[0] or path.stem)
    try:
        text = markdown(source, page, partial(links.resolve, path))
    except ValueError as problem:
        raise ValueError(f"{path.name}: {problem}") from None
    page.body = f'<div class="text">{text}</div>'
    return page
