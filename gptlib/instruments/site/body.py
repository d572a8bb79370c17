"""A notebook, or a Markdown file, as the HTML of a page: text, code and stored outputs."""

import html
import re
from dataclasses import dataclass, field
from functools import cache, partial

from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import (
    IPythonRenderer,
    MarkdownWithMath,
    MathBlockParser,
    MathInlineParser,
)

from gptlib.instruments.authoring import WIDGET_VIEW
from gptlib.instruments.site.formulas import mathml

MOVES = re.compile(r"\[picture: .*\] with \w", re.S)  # how widgets.Live describes itself
TAGS = re.compile(r"<[^>]*>")


@dataclass
class Page:
    """What a page shows: its name is a file name, sections are (id, words as HTML), models the live widgets in it."""

    name: str
    title: str
    question: str = ""
    body: str = ""
    sections: list = field(default_factory=list)
    models: dict = field(default_factory=dict)


class Blocks(MathBlockParser):
    """Markdown's blocks, where a formula of several lines begins at the start of a line and nowhere else."""

    SPECIFICATION = MathBlockParser.SPECIFICATION | {
        "multiline_math": rf"^ {{0,3}}(?:{MathBlockParser.MULTILINE_MATH})"
    }


class Inline(MathInlineParser):
    """Markdown inside a paragraph, where `$` opens a formula only before, and closes it only behind, something.

    So `$5 and $6` is no formula; as in pandoc, a digit behind the closing sign speaks against one too.
    """

    SPECIFICATION = MathInlineParser.SPECIFICATION | {
        "inline_math_tex": r"(?<![$\\])\$(?P<math_inline_tex>(?![\s$])(?:\\.|[^$\\])*?)(?<!\s)\$(?![\d$])"
    }


class Renderer(IPythonRenderer):
    """Markdown to HTML for page: formulas as MathML, links as the site needs them, headings noted.

    resolve: (url, picture) -> url.
    """

    def __init__(self, page, resolve, attachments=None):
        super().__init__(escape=False, attachments=attachments)
        self.page, self.resolve = page, resolve

    def heading(self, text, level, **_):
        name = anchor(text, {name for name, _ in self.page.sections})
        if level == 2:
            self.page.sections.append((name, text))
        return f'<h{level} id="{html.escape(name)}">{text}</h{level}>\n'

    def link(self, text, url, title=None):
        return super().link(text, self.resolve(url), title)

    def image(self, text, url, title=None):
        url = url if url.startswith("attachment:") else self.resolve(url, picture=True)
        return super().image(text, url, title)

    def text(self, text):
        if "$" in text and text != "$":  # an escaped one comes alone
            raise ValueError(
                f"{text.strip()!r} has a $ that belongs to no formula; write \\$, or put it into backticks"
            )
        return super().text(text)

    def inline_math(self, body):
        return mathml(body)

    def block_math(self, body):
        return mathml(body, block=True)

    def latex_environment(self, name, body):
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)


def anchor(text, taken=()):
    """The id of a heading, as JupyterLab makes it from what one reads: spaces become hyphens."""
    name = html.unescape(TAGS.sub("", text)).replace(" ", "-")
    return name if name not in taken else anchor(f"{text} {len(taken)}", taken)


def markdown(source, page, resolve, attachments=None):
    """Markdown text as HTML; tables can be scrolled sideways."""
    renderer = Renderer(page, resolve, attachments)
    text = MarkdownWithMath(renderer, Blocks(), Inline()).render(source)
    return text.replace("<table>", '<div class="table"><table>').replace(
        "</table>", "</table></div>"
    )


def first_lines(source):
    """(title, question): the first heading of a Markdown text, and the line in italics under it if there is one."""
    found = re.search(r"^# +(.+?) *$(?:\n\s*^\*([^*\n]+)\*$)?", source, re.M)
    return (found[1], found[2] or "") if found else ("", "")


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
