"""What a notebook's cell showed and what it shows now: the same, or a sentence that says what is not.

An ordinary cell has to show the same text, and pictures of the same size with the same pixels. A tag allows for what
another machine changes, and for nothing else; tests/varying_cells.txt lists every cell that has one:

trained    numbers with decimals or % come from a model trained in the notebook; words and whole numbers stay
sensitive  such numbers that rounding errors move far: a diverging training, the activations of a single unit
timed      every number depends on the clock
sample     besides, a model wrote the lines that have no decimals: about as many characters, of the same alphabet

A picture in such a cell keeps its size. The description it carries keeps its words and colours, and its numbers agree
as those in a text do; seen from afar the pixels agree.
"""

import base64
import io
import re
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from PIL import Image

from gptlib.instruments.show.picture import description_in

PNG = "image/png"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Tolerance(NamedTuple):
    """How far numbers and pixels may be from the stored ones."""

    factor: float  # the larger number over the smaller
    absolute: float  # may be added to that in a text, or ten of the last digit written if that is less; 28% is 0.28
    share: float  # of the largest number in a row of them, may be added to that in a picture
    pixels: float  # mean difference of blocks of 16 × 16 pixels, of 255
    whole: bool  # whether whole numbers may differ, too


# Measured by running notebooks 02 to 12 as processors without AVX-512, and without AVX, would; two threads changed
# only times. Trained: losses moved by at most 0.9 % (2.298, 2.319), shares by 0.006 (7.7 %, 7.1 %), curves by 0.6 %,
# pixels by 0.1, where another picture of the series and of this size is 2 to 10 away. Sensitive: 10 % in a curve that
# diverges, 18 % of the highest bar of a unit's activations, pixels 2.1. Timed: 119 became 55, and 221; pixels 4.0.
TOLERANCES = {
    "trained": Tolerance(factor=1.01, absolute=0.01, share=0.005, pixels=0.5, whole=False),
    "sensitive": Tolerance(factor=1.5, absolute=0.02, share=0.2, pixels=3.0, whole=False),
    "timed": Tolerance(factor=10.0, absolute=0.01, share=0.01, pixels=6.0, whole=True),
}
VARYING = {*TOLERANCES, "sample"}


def tolerance_of(tags):
    """The widest Tolerance that a cell's tags ask for; None for an ordinary cell, whose outputs have to be the same."""
    if not VARYING & set(tags):
        return None
    return TOLERANCES[next((tag for tag in reversed(TOLERANCES) if tag in tags), "trained")]


def difference(stored, now, tags=()):
    """What is wrong with the outputs that a cell has now, in a sentence; None if nothing is."""
    before, after = shown(stored), shown(now)
    if [kind for kind, _ in before] != [kind for kind, _ in after]:
        return f"stored are {kinds(before)}, now there are {kinds(after)}"
    tolerance = tolerance_of(tags)
    for (kind, old), (_, new) in zip(before, after):
        if kind == PNG:
            problem = pictures_differ(base64.b64decode(old), base64.b64decode(new), tolerance)
        elif "sample" in tags and not old.startswith("[picture: "):
            problem = samples_differ(old, new, tolerance)
        else:
            problem = texts_differ(old, new, tolerance)
        if problem:
            return f"{kind}: {problem}"
    return None


def shown(outputs):
    """[(kind, content)] of a cell's outputs in order; what it prints in pieces is one text."""
    found = {}
    for place, output in enumerate(outputs):
        if output["output_type"] == "stream":
            found[output["name"]] = found.get(output["name"], "") + output["text"]
        elif output["output_type"] == "error":
            found["error", place] = f"{output['ename']}: {output['evalue']}"
        else:
            for kind in sorted(output["data"].keys() - {WIDGET_VIEW}):
                found[kind, place] = output["data"][kind]
    return [(key if isinstance(key, str) else key[0], found[key]) for key in found]


def kinds(found):
    return ", ".join(kind for kind, _ in found) or "no outputs"


# ---- text

# no part of a name such as nb02 or of another number; a hyphen after a word is not a sign
NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?(?: ?%)?")


class Number(NamedTuple):
    value: float  # 0.28 for 28%
    unit: float  # of the last digit that is written
    whole: bool  # neither decimals nor %


def number(text):
    """A Number from text as NUMBER finds it."""
    exact = Decimal(text.rstrip(" %").replace(",", "").replace("−", "-"))
    unit = Decimal(1).scaleb(exact.as_tuple().exponent)
    share = Decimal("0.01") if "%" in text else 1
    return Number(float(exact * share), float(unit * share), "%" not in text and unit >= 1)


def near(old, new, factor, allowed):
    """Whether two numbers are within factor of each other but for what is allowed besides."""
    larger, smaller = max(abs(old), abs(new)), min(abs(old), abs(new))
    if old * new < 0:
        return larger + smaller <= allowed
    return larger <= factor * smaller + allowed + 1e-9


def texts_differ(old, new, tolerance=None):
    """In a sentence, how two texts differ: exactly without a tolerance, else in words or by more than it."""
    if old == new:
        return None
    if tolerance is None:
        return f"stored {excerpt(old, new)}, now {excerpt(new, old)}"
    found = [
        [m.group() for m in NUMBER.finditer(text) if varies(m.group(), tolerance)]
        for text in (old, new)
    ]
    words = [skeleton(text, tolerance) for text in (old, new)]
    if words[0] != words[1]:
        return f"stored words {excerpt(*words)}, now {excerpt(*reversed(words))}"
    for was, now in zip(*found):
        old, new = number(was), number(now)
        allowed = min(tolerance.absolute, 10 * max(old.unit, new.unit))
        if not near(old.value, new.value, tolerance.factor, allowed):
            return f"stored {was}, now {now}: further apart than another machine explains"
    return None


def varies(text, tolerance):
    return tolerance.whole or not number(text).whole


def skeleton(text, tolerance):
    """text with # in place of the numbers that may vary; so many spaces as a column needs are one."""
    bare = NUMBER.sub(lambda m: "#" if varies(m.group(), tolerance) else m.group(), text)
    return re.sub(r" +", " ", bare)


def excerpt(text, other, length=80):
    """The part of text where it stops being other."""
    start = next((i for i, (a, b) in enumerate(zip(text, other)) if a != b), len(other))
    return repr(text[max(0, start - 20) : start + length])


DECIMALS = re.compile(r"(?<![\w.])\d+\.\d+(?!\w)")


def samples_differ(old, new, tolerance):
    """A stored line with decimals is the notebook's own, and has to be there now; the others a model wrote."""
    samples = old.splitlines(), new.splitlines()
    for own in filter(DECIMALS.search, old.splitlines()):
        alike = [line for line in samples[1] if not texts_differ(own, line, tolerance)]
        if not alike:
            return texts_differ(own, next(filter(DECIMALS.search, samples[1]), ""), tolerance)
        samples[0].remove(own)
        samples[1].remove(alike[0])
    written = ["".join(lines) for lines in samples]
    if not 0.8 * len(written[0]) <= len(written[1]) <= 1.25 * len(written[0]):
        return f"stored {len(written[0])} characters of sample, now {len(written[1])}"
    for text, other in (written, reversed(written)):
        known = sum(text.lower().count(letter) for letter in set(other.lower()))
        if known < 0.8 * len(text):
            return f"stored {excerpt(old, new)}, now {excerpt(new, old)}: not the same letters"
    return None


# ---- pictures


def image(png):
    return Image.open(io.BytesIO(png)).convert("RGB")


def pictures_differ(old, new, tolerance=None):
    """In a sentence, how two PNGs differ: in a pixel without a tolerance, else in what is drawn or seen from afar."""
    before, after = image(old), image(new)
    if before.size != after.size:
        return f"the stored picture is {before.size} pixels, now it is {after.size}"
    if tolerance is None:
        apart = np.any(np.asarray(before) != np.asarray(after), axis=2)
        return f"{apart.sum()} pixels differ" if apart.any() else None
    drawn = description_in(old), description_in(new)
    if (drawn[0] is None) != (drawn[1] is None):
        return "only one of the stored picture and the present one says what is drawn"
    if problem := descriptions_differ(*drawn, tolerance):
        return problem
    far = np.abs(from_afar(before) - from_afar(after)).mean()
    if far > tolerance.pixels:
        return f"seen from afar the pictures are {far:.1f} of 255 apart"
    return None


def from_afar(picture, block=16):
    """A picture's blocks of pixels, averaged."""
    return np.asarray(picture.reduce(block), dtype=float)


def descriptions_differ(old, new, tolerance, place="picture", largest=0.0):
    """In a sentence, where two descriptions, or parts of them, differ by more than tolerance; else None."""
    if isinstance(old, float) and isinstance(new, float):
        fine = near(old, new, tolerance.factor, tolerance.share * largest)
        return None if fine else f"{place}: drawn from {old}, now from {new}"
    if isinstance(old, str) and isinstance(new, str):
        problem = texts_differ(old, new, tolerance)
        return problem and f"{place}: {problem}"
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        pairs = [(f"{place}, {key}", columns(key, old), columns(key, new)) for key in old]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        largest = max((abs(part) for part in old if isinstance(part, float)), default=0.0)
        pairs = [(place, *pair) for pair in zip(old, new)]
    else:
        return None if old == new else f"{place}: stored {str(old)[:80]}, now {str(new)[:80]}"
    found = (descriptions_differ(*parts, tolerance, where, largest) for where, *parts in pairs)
    return next(filter(None, found), None)


def columns(key, plot):
    """A plot's entry; of bars, colours with colours and heights with heights."""
    return [list(column) for column in zip(*plot[key])] if key == "bars" else plot[key]
