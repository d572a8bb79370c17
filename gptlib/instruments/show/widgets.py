"""Controls over a plot. The picture is redrawn as a PNG into one image widget: fast, and quiet in stored outputs."""

import base64
import html
from pathlib import Path

import anywidget
import ipywidgets
from ipywidgets import Dropdown, FloatSlider, IntSlider, SelectionSlider, Text, ToggleButtons
from traitlets import Bytes, Int, Unicode

from gptlib.instruments.show import plots
from gptlib.instruments.show.picture import PNG

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WORDS = {"description_width": "9em"}
WIDE = ipywidgets.Layout(width="32em")


def slider(low, high, value, step=None, name=""):
    """A slider over whole numbers, or over decimal ones if any of low, high, value, step is."""
    whole = all(isinstance(number, int) for number in (low, high, value, step or 1))
    kind = IntSlider if whole else FloatSlider
    step = step or (1 if whole else (high - low) / 50)
    return kind(
        value=value, min=low, max=high, step=step, description=name, style=WORDS, layout=WIDE
    )


def text_box(value, name=""):
    """A line to type into."""
    return Text(value=value, description=name, style=WORDS, layout=WIDE)


def choice(options, value=None, name=""):
    """One of several: buttons for up to six, a list for more."""
    kind = ToggleButtons if len(options) <= 6 else Dropdown
    return kind(options=options, value=value or options[0], description=name, style=WORDS)


def step_slider(options, value=None, name=""):
    """A slider that halts at the given values, as at the steps of a training that were saved."""
    return SelectionSlider(
        options=options, value=value or options[0], description=name, style=WORDS, layout=WIDE
    )


class LivePicture(anywidget.AnyWidget):
    """A PNG at its natural width, that of the page at most, with words for whoever cannot see it.

    value: the bytes. alt: what it shows. sentence: stands below it, which is then paler, for it shows something else.
    """

    _esm = (Path(__file__).parent / "live_picture.js").read_text(encoding="utf-8")

    value = Bytes().tag(sync=True)
    width = Int().tag(sync=True)
    alt = Unicode().tag(sync=True)
    sentence = Unicode().tag(sync=True)


class Controlled:
    """Controls over something: whenever one moves, show(data(**values of the controls)) shows it.

    data: a function of the controls' values, or raises ValueError with a sentence, which then stands below while what
    was shown last stays. Attributes for tests and the curious: controls, shown (the last data).
    """

    def __init__(self, data, **controls):
        self.data, self.controls, self.shown = data, controls, None
        for control in controls.values():
            control.observe(self.redraw, names="value")
        self.redraw()

    def redraw(self, change=None):
        """Show what the present values of the controls give."""
        values = {name: control.value for name, control in self.controls.items()}
        try:
            self.shown = self.data(**values)
        except ValueError as problem:
            self.say(str(problem))
            return
        self.say("")
        self.show(self.shown)

    def bundle(self, mime, content):
        """What Jupyter shows: the live box, and content for places where nothing is live."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        return {WIDGET_VIEW: view, mime: content, "text/plain": repr(self)}


class Live(Controlled):
    """Controls over a picture: picture shows data(**values of the controls).

    picture: a Picture. data: returns what the picture draws; see Controlled. image: the LivePicture that shows it.
    """

    def __init__(self, picture, data, **controls):
        self.picture = picture
        self.image = LivePicture(width=picture.size[0], alt=picture.alt_text)
        super().__init__(data, **controls)
        self.box = ipywidgets.VBox([*controls.values(), self.image])

    def __repr__(self):
        return f"{self.picture!r} with {', '.join(self.controls)}"

    def show(self, data):
        self.image.value = self.picture.png_of(data)

    def say(self, sentence):
        self.image.sentence = sentence

    def _repr_mimebundle_(self, **_):
        width, height = self.picture.size
        static = base64.b64encode(self.picture.png()).decode("ascii")
        return self.bundle(PNG, static), {PNG: {"width": width, "height": height}}


class LiveHTML(Controlled):
    """Controls over a piece of HTML, which data(**values of the controls) returns; alt_text: what it is, in words."""

    def __init__(self, alt_text, data, **controls):
        self.alt_text = alt_text
        self.html, self.sentence = ipywidgets.HTML(), ipywidgets.HTML()
        super().__init__(data, **controls)
        self.box = ipywidgets.VBox([*controls.values(), self.html, self.sentence])

    def __repr__(self):
        return f"[picture: {self.alt_text}] with {', '.join(self.controls)}"

    def show(self, html):
        self.html.value = html

    def say(self, sentence):
        self.sentence.value = f"<p role='status'>{escaped(sentence)}</p>" if sentence else ""

    def _repr_mimebundle_(self, **_):
        return self.bundle("text/html", self.shown)


def escaped(problem):
    """A message as harmless HTML text."""
    return html.escape(str(problem))


BOX_COLOURS = ("#0072B255", "#E69F0055", "#009E7355", "#CC79A755")


def boxes(pieces):
    """Pieces of text as a row of coloured boxes, invisible characters made visible."""
    found = "".join(
        f'<span style="background:{BOX_COLOURS[i % 4]};padding:2px 3px;margin:1px;border-radius:3px">'
        f"{escaped(''.join(plots.visible(piece)))}</span>"
        for i, piece in enumerate(pieces)
    )
    return f'<p style="font-family:monospace;line-height:2">{found}</p>'


def token_boxes(pieces):
    """The boxes and under them their number."""
    return f"{boxes(pieces)}<p>{len(pieces)} tokens</p>"
