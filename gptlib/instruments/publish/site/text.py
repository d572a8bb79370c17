"""Markdown to HTML: formulas as MathML, links as the site needs them, headings noted for the contents."""

import html
import re
from dataclasses import dataclass, field

from nbconvert.filters.markdown_mistune import (
    IPythonRenderer,
    MarkdownWithMath,
    MathBlockParser,
    MathInlineParser,
)

from gptlib.instruments.publish.site.formulas import mathml

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
