"""Controls over a plot. The picture is redrawn as a PNG into one image widget: fast, and quiet in stored outputs."""

import ipywidgets
from ipywidgets import Dropdown, FloatSlider, IntSlider, SelectionSlider, Text, ToggleButtons

from gptlib.instruments.show import plots
from gptlib.instruments.show.picture import Picture

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


class Live:
    """Controls over a picture: whenever one moves, picture shows data(**values of the controls).

    picture: a Picture. data: a function of the controls' values; returns what the picture draws, or raises
    ValueError with a sentence, which then stands under the picture, and the last good picture stays.
    Attributes for tests and the curious: controls, image (its .value is the PNG), shown (the last data).
    """

    def __init__(self, picture, data, **controls):
        self.picture, self.data, self.controls = picture, data, controls
        self.image = ipywidgets.Image(format="png")
        self.sentence = ipywidgets.HTML()
        self.shown = None
        for control in controls.values():
            control.observe(self.redraw, names="value")
        self.redraw()
        self.box = ipywidgets.VBox([*controls.values(), self.image, self.sentence])

    def redraw(self, change=None):
        """Draw the picture for the present values of the controls."""
        try:
            self.shown = self.data(
                **{name: control.value for name, control in self.controls.items()}
            )
        except ValueError as problem:
            self.sentence.value = f"<span>{escaped(problem)}</span>"
            return
        self.sentence.value = ""
        self.image.value = self.picture.png_of(self.shown)

    def _repr_mimebundle_(self, **_):
        import base64

        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        still = base64.b64encode(self.image.value).decode("ascii")
        return {
            WIDGET_VIEW: view,
            "image/png": still,
            "text/plain": f"{self.picture!r} with {', '.join(self.controls)}",
        }


def escaped(problem):
    """A message as harmless HTML text."""
    import html

    return html.escape(str(problem))


class LiveHTML(Live):
    """Controls over a piece of HTML: data(**values of the controls) returns the HTML; no picture is needed."""

    def __init__(self, alt_text, data, **controls):
        super().__init__(Picture(alt_text, 1, 1), data, **controls)

    def redraw(self, change=None):
        """Write the HTML for the present values of the controls."""
        try:
            self.shown = self.data(
                **{name: control.value for name, control in self.controls.items()}
            )
            self.sentence.value = self.shown
        except ValueError as problem:
            self.sentence.value = f"{self.shown or ''}<p>{escaped(problem)}</p>"

    def _repr_mimebundle_(self, **_):
        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        words = f"{self.picture!r} with {', '.join(self.controls)}"
        return {WIDGET_VIEW: view, "text/html": self.shown, "text/plain": words}


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
