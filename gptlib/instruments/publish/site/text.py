"""A notebook as Markdown for Sphinx: its words as they stand, its code, folded or not, its stored outputs as HTML."""

import base64
import html
import io
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

from docutils.nodes import make_id
from PIL import Image

from gptlib.instruments.publish.site.live import LIVE
from gptlib.instruments.show.picture import SHARP, description_in

FENCE = "`" * 16  # longer than any in a notebook
FOLDS = {
    "guard": "Checks",
    "plot": "The code of the picture",
}  # {tag: what is seen instead of code}
MOVES = re.compile(r"\[picture: .*\] with \w", re.S)  # how a picture with controls describes itself
TERMINAL = re.compile(r"\x1b\[[\d;]*m")  # a colour in a terminal's words
NOTEBOOK_LINK = re.compile(r'href="([^":]+)\.ipynb(?:#([^"]*))?"')


def raw(text):
    """HTML that Sphinx passes on as it stands."""
    return f"{FENCE}{{raw}} html\n\n{text}\n{FENCE}\n"


def code(cell):
    """A cell's code, folded if its tags or JupyterLab fold it."""
    shown = f"{FENCE}{{code-block}} ipython3\n\n{cell.source}\n{FENCE}\n"
    words = [words for tag, words in FOLDS.items() if tag in cell.metadata.get("tags", [])]
    if not words and not cell.metadata.get("jupyter", {}).get("source_hidden"):
        return shown
    opening = f'<details class="folded"><summary>{(words or ["The code"])[0]}</summary>'
    return f"{raw(opening)}\n{shown}\n{raw('</details>')}"


def plain(words):
    """Words that a cell printed or returned, as words."""
    return f"<pre>{html.escape(TERMINAL.sub('', words))}</pre>"


def picture(data):
    """A PNG in the page itself, at its natural size; its description is the output's text."""
    png = base64.b64decode(data["image/png"])
    width = Image.open(io.BytesIO(png)).width // (1 if description_in(png) is None else SHARP)
    words = html.escape(data.get("text/plain", "picture").strip("[]"))
    return f'<img alt="{words}" width="{width}" src="data:image/png;base64,{data["image/png"].strip()}">'


class ScriptFinder(HTMLParser):
    """Raises ValueError at the first tag that runs a script."""

    def handle_starttag(self, tag, attrs):
        if tag == "script" or any(name.startswith("on") for name, _ in attrs):
            raise ValueError(f"an output holds a script in <{tag}>; show it without one")


def stored_html(text):
    """Stored HTML without scripts, its links to notebooks as links to pages."""
    ScriptFinder().feed(text)
    return NOTEBOOK_LINK.sub(page_link, text)


def page_link(found):
    """A link to a notebook as one to its page; Sphinx makes the id of a heading from its words."""
    return f'href="{found[1]}.html{"#" + make_id(unquote(found[2])) if found[2] else ""}"'


def displayed(data):
    """A displayed output: live, or still with a word on how it moves."""
    words = data.get("text/plain", "")
    if "text/html" in data:
        shown = f"<div>{stored_html(data['text/html'])}</div>"
    elif "image/png" in data:
        shown = picture(data)
    else:
        return plain(words)
    if LIVE in data:
        state = json.dumps(data[LIVE]).replace("<", "\\u003c")  # nothing in it ends the script
        script = f'<script type="application/json">{state}</script>'
        return f'<figure class="live"><div class="still">{shown}</div>{script}</figure>'
    note = "<figcaption>Moves in the notebook: <code>python run.py lab</code></figcaption>"
    return f"<figure>{shown}{note if MOVES.search(words) else ''}</figure>"


def output(found):
    """One output of a code cell."""
    if "data" in found:
        return displayed(found.data)
    return plain(found.text if found.output_type == "stream" else "\n".join(found.traceback))


def cell_text(cell):
    """One cell with its outputs."""
    if cell.cell_type != "code":
        return cell.source
    if cell.source.strip() and cell.execution_count is None:
        raise ValueError("a cell was never run; run `python run.py refresh` and export again")
    outputs = "\n".join(f'<div class="output">{output(found)}</div>' for found in cell.outputs)
    return f"{code(cell)}\n{raw(outputs) if outputs else ''}"


def markdown(notebook):
    """A notebook as Markdown."""
    return "\n\n".join(map(cell_text, notebook.cells))
