"""A live picture of what a model makes of a prompt: how it asks Python, and what it says to a bad prompt."""

import base64

import anywidget
from traitlets import Bool, Dict, Int, Unicode

from gptlib.instruments.show.widgets import WIDGET_VIEW


class Prompted(anywidget.AnyWidget):
    """A picture drawn in the browser, of what Python computes for a prompt.

    A bad prompt raises ValueError at the start. Later it gets its sentence, and what was shown stays, greyed.
    A subclass has asks, the traits whose change makes Python compute; fill(), which computes and raises ValueError
    with a sentence; picture(), what stands in where nothing is live; and alt_text(), that picture in words.
    """

    asks = ("prompt",)

    prompt = Unicode().tag(sync=True)
    live = Bool(True).tag(sync=True)  # a page without Python behind it says False
    sentence = Unicode().tag(sync=True)  # what is wrong with what was asked
    answered = Dict().tag(
        sync=True
    )  # asks as Python last saw them: while they differ, it owes an answer
    revision = Int(0).tag(sync=True)  # moves with every new computation

    def start(self):
        """Compute for the first time; raises ValueError."""
        self.fill()
        self._note()
        self.observe(self._answer, [*self.asks])

    def _answer(self, change):
        with self.hold_sync():  # one message, so that what belongs together arrives together
            try:
                self.fill()
                self.sentence = ""
            except ValueError as problem:
                self.sentence = str(problem)
            self._note()

    def _note(self):
        self.answered = {name: getattr(self, name) for name in self.asks}

    def __repr__(self):
        return f"[picture: {self.alt_text()}]"

    def _repr_mimebundle_(self, **_):
        view = {"version_major": 2, "version_minor": 1, "model_id": self.model_id}
        png = base64.b64encode(self.picture().png()).decode("ascii")
        return {WIDGET_VIEW: view, "image/png": png, "text/plain": repr(self)}
