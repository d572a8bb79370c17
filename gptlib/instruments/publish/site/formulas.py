"""LaTeX to MathML, which browsers typeset by themselves; a formula that would come out wrong is an error."""

import html
import re
import unicodedata
from xml.etree.ElementTree import Element, tostring

from latex2mathml.commands import MATRICES
from latex2mathml.converter import convert_to_element

STYLES = {"bold": "BOLD", "italic": "ITALIC", "bold-italic": "BOLD ITALIC"}
ENVIRONMENTS = {name.removeprefix("\\") for name in MATRICES}
SAME_ENVIRONMENT = {
    "aligned": "align*",
    "align": "align*",
    "equation": "",
    "equation*": "",
}  # none has numbers


def mathml(latex, block=False):
    """latex, without its dollar signs, as a <math> element; a ValueError says what cannot be typeset."""
    latex = known_environments(latex.strip())
    check_braces(latex)
    try:
        tree = convert_to_element(latex, display="block" if block else "inline")
    except (
        Exception
    ) as problem:  # the converter has a dozen kinds of its own, most without a message
        kind = (
            re.sub(r"(?<!^)(?=[A-Z])", " ", type(problem).__name__).removesuffix(" Error").lower()
        )
        raise refused(latex, kind) from None
    for element in tree.iter():
        element.text = letters(html.unescape(element.text or ""), element.attrib)
        if element.tag != "mtext" and re.search(r"[\\&{}]", element.text) and len(element.text) > 1:
            raise refused(latex, f"no sign for {element.text}")
        if element.text == "&":
            raise refused(latex, "& outside of an environment with columns")
    for row in list(tree.iter()):
        set_apart(row)
    return tostring(tree, encoding="unicode")


def refused(latex, why):
    """The error for a formula."""
    return ValueError(
        f"the formula ${latex}$ cannot be typeset ({why}); write it with other LaTeX commands"
    )


def known_environments(latex):
    """latex under the names that the converter knows and without numbers; others raise ValueError."""

    def renamed(found):
        name = SAME_ENVIRONMENT.get(found[2], found[2])
        if name and name not in ENVIRONMENTS:
            raise refused(latex, f"no environment {name}")
        return f"\\{found[1]}{{{name}}}" if name else ""

    return re.sub(r"\\(begin|end)\{([^}]*)\}", renamed, latex)


def check_braces(latex):
    """Raise ValueError unless every brace that opens a group closes it: the converter lets that pass."""
    depth = 0
    for brace in re.findall(r"\\.|[{}]", latex, re.S):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        if depth < 0:
            break
    if depth:
        raise refused(latex, "a brace without its partner")


def is_function(element):
    """Whether element is a name such as ln, with or without an index; its letters are already one text."""
    first = element[0] if element.tag in ("msub", "msup", "msubsup") else element
    return first.tag == "mi" and len(first.text or "") > 1 and first.text.isascii()


def set_apart(row):
    """Put a thin space between ln and what it is taken of, and what stands before it; signs bring their own."""
    for place in range(len(row) - 1, 0, -1):
        pair = row[place - 1 : place + 1]
        if (
            row.tag in ("mrow", "mtd")
            and any(map(is_function, pair))
            and all(e.tag != "mo" for e in pair)
        ):
            row.insert(place, Element("mspace", width="0.167em"))


def letters(text, attributes):
    """text in the letters of its style: browsers read bold from the letter itself, not from mathvariant."""
    style = STYLES.get(attributes.get("mathvariant"))
    if not style:
        return text
    del attributes["mathvariant"]
    return "".join(styled(character, style) for character in text)


def styled(character, style):
    """'W' in style BOLD is '𝐖'; a character that has no such letter stays."""
    name = unicodedata.name(character, "")
    name = re.sub(r"^(LATIN|GREEK) (CAPITAL|SMALL) LETTER", r"\2", name)
    try:
        return unicodedata.lookup(f"MATHEMATICAL {style} {name}")
    except KeyError:
        return character
