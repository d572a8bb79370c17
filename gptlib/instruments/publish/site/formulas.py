"""The formulas of a Sphinx book as MathML, which browsers typeset by themselves, offline."""

from docutils.nodes import SkipNode, math_block
from math_core import LatexError, LatexToMathML
from sphinx.util.logging import getLogger

converter = LatexToMathML(fancy_error=False)


def typeset(translator, node):
    """Put a formula, in a line or displayed, into the page; what is wrong with one is a warning."""
    block = isinstance(node, math_block)
    try:
        formula = converter.convert_with_local_state(node.astext(), displaystyle=block)
    except LatexError as problem:
        words = "the formula $%s$ cannot be typeset (%s); write it with other LaTeX commands"
        getLogger(__name__).warning(words, node.astext(), problem, location=node)
        raise SkipNode from None
    translator.body.append(f'<div class="formula">{formula}</div>\n' if block else formula)
    raise SkipNode


def setup(app):
    """Sphinx calls this."""
    app.add_html_math_renderer("mathml", (typeset, None), (typeset, None))
