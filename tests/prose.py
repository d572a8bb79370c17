"""Numbers in a notebook's Markdown that name their source in a comment right behind them.

0.98<!-- cell: one-back -->         the stored outputs of the cell with this id, in any notebook, show it
2.405<!-- result: heads/1 head -->  the mean in data/results: experiment, perhaps @ text, / variant, perhaps / column
"""

import base64
import math
import re

from comparing import NUMBER, PNG, number, shown

from gptlib.instruments.measure import experiments
from gptlib.instruments.show.picture import description_in

COMMENT = re.compile(r"<!--\s*(?:cell|result)\b.*?-->", re.S)
MARKER = re.compile(rf"({NUMBER.pattern})[*_`$]*\s*<!-- (cell|result): (\S.*?) -->")


def problems(markdown, cells):
    """A sentence for every number in markdown that its source does not show. cells: {id: code cell} of the series."""
    found = MARKER.findall(markdown)
    lost = [
        c for c in COMMENT.findall(markdown) if not any(f"{m[1]}: {m[2]} -->" in c for m in found)
    ]
    yield from (f"{c} needs a number right before it, as in 0.98<!-- cell: id -->" for c in lost)
    for words, kind, place in found:
        if problem := (cell_problem if kind == "cell" else result_problem)(words, place, cells):
            yield f"{problem} (at {words}<!-- {kind}: {place} -->)"


def cell_problem(words, place, cells):
    if place not in cells:
        return f"no code cell has the id {place!r}"
    if not any(agrees(number(words), other) for other in numbers_in(cells[place].outputs)):
        return f"the stored outputs of that cell show no {words}: correct the sentence, or name another cell"
    return None


def result_problem(words, place, _):
    measured = result(place)
    if measured is None:
        return "data/results has no such experiment, variant or column"
    if not agrees(number(words), (measured, 0.0)):
        return f"data/results has {measured:.4f}: correct the sentence"
    return None


def result(place):
    """The mean that a marker means, None if there is none; a variant's name may have a / in it."""
    experiment, _, variant = place.partition("/")
    experiment, _, text = experiment.partition("@")
    for name, column in ((variant, "full_loss"), variant.rpartition("/")[::2]):
        try:
            return experiments.mean(experiment, name, column, text or "shakespeare")
        except KeyError:
            continue
    return None


def agrees(quoted, found):
    """Whether a number quoted in prose is found, (value, unit of its last digit), rounded as in the prose.

    Whole numbers have to be the same. A sign may be in the words: "0.46 less" for −0.46.
    """
    value, unit = found
    if quoted.value >= 0:
        value = abs(value)
    if quoted.whole or unit > quoted.unit * (1 + 1e-9):
        return math.isclose(quoted.value, value)
    return abs(quoted.value - value) <= quoted.unit / 2 * (1 + 1e-6)


def numbers_in(outputs):
    """(value, unit of the last digit) of every number in a cell's outputs: in its texts, and drawn in its pictures."""
    for kind, content in shown(outputs):
        parts = leaves(description_in(base64.b64decode(content))) if kind == PNG else [content]
        for part in parts:
            if isinstance(part, float):
                yield part, 10.0 ** (math.floor(math.log10(abs(part))) - 3) if part else 0.0
            elif isinstance(part, str):
                yield from (
                    (found.value, found.unit) for found in map(number, NUMBER.findall(part))
                )


def leaves(parts):
    """Everything in lists and dicts that is neither."""
    if isinstance(parts, dict | list):
        for part in parts.values() if isinstance(parts, dict) else parts:
            yield from leaves(part)
    else:
        yield parts
