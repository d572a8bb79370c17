"""The attention explorer: type a prompt, see every head, see what each token attends to. Drawn in the browser."""

import base64
import re
from pathlib import Path

import anywidget
import numpy as np
from traitlets import Bool, Bytes, Dict, Float, Int, List, Unicode, observe, validate

from gptlib.instruments.show.explorer import packing, static
from gptlib.instruments.show.explorer.compute import attention_and_chances
from gptlib.instruments.show.explorer.tokens import as_batch, ids_and_labels, label
from gptlib.instruments.show.widgets import WIDGET_VIEW

HERE = Path(__file__).parent
SCRIPTS = (
    "colours.js",
    "weights.js",
    "words.js",
    "canvas.js",
    "save.js",
    "parts.js",
    "showing.js",
    "events.js",
    "explorer.js",
)
EAGER = 2_000_000  # bytes of weights up to which all training steps travel at once, so that the slider needs no Python
MOST = 8_000_000  # bytes of weights that a browser still draws without waiting


def one_module():
    """The scripts as the single ES module that anywidget wants: joined in order, without their own imports."""
    text = "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    text = re.sub(r"^import .*\n", "", text, flags=re.M)
    return re.sub(r"^export (?!default)", "", text, flags=re.M)


class AttentionExplorer(anywidget.AnyWidget):
    """All attention heads of a model on any prompt: hover a token and see what it attends to.

    model: any language model that inspection.attention_maps can read. tokenizer: with encode and decode.
    steps: {step: model} of one training, of equal sizes; a slider then runs over them, from model if it is one of
    them, else from the last, and model may be None. A bad prompt raises ValueError here; later it gets its sentence
    beside the box, and the last good picture stays.

    To read and to set: prompt, temperature, masked, step, heads ([[layer, head]], or two of them), locked (a truth
    value for each of heads), position (the locked token, -1 for none); all counted from 0.
    To read: maps (L, H, T, T), chances (T, V), tokens (their labels), sentence.
    """

    _esm = one_module()
    _css = (HERE / "explorer.css").read_text(encoding="utf-8")

    prompt = Unicode().tag(sync=True)
    temperature = Float(1.0).tag(sync=True)
    masked = Bool(True).tag(sync=True)
    step = Int(0).tag(sync=True)
    heads = List([[0, 0]]).tag(sync=True)
    locked = List([False]).tag(sync=True)
    position = Int(-1).tag(sync=True)

    live = Bool(True).tag(sync=True)  # a page without Python behind it says False
    sentence = Unicode().tag(sync=True)
    steps = List().tag(sync=True)
    stored = List().tag(sync=True)  # the steps whose weights are here, in order
    tokens = List().tag(sync=True)
    sizes = Dict().tag(sync=True)
    weights = Bytes().tag(sync=True)
    next_labels = List().tag(sync=True)
    next_ids = Bytes().tag(sync=True)  # (steps, T, 8) uint16, places in next_labels
    next_chances = Bytes().tag(sync=True)  # (steps, T, 8) float32
    revision = Int(0).tag(sync=True)  # moves last: now all of the above belong together

    def __init__(self, model, tokenizer, prompt, steps=None):
        self._models = dict(steps or {0: model})
        self._tokenizer = tokenizer
        chosen = [step for step, other in self._models.items() if other is model]
        super().__init__(
            steps=list(steps or ()), prompt=prompt, step=(chosen or [*self._models])[-1]
        )
        self._fill()

    @validate("heads")
    def _heads_exist(self, proposal):
        """One or two heads that the model has."""
        L, H = (self.sizes.get(name, 1) for name in ("layers", "heads"))
        heads = proposal["value"]
        try:
            pairs = [[int(layer), int(head)] for layer, head in heads]
            there = all(0 <= layer < L and 0 <= head < H for layer, head in pairs)
        except (TypeError, ValueError):
            there = False
        if not there or not 1 <= len(heads) <= 2:
            raise ValueError(
                f"heads came as {heads}; give one [layer, head], or two to compare, below {[L, H]}"
            )
        return pairs

    @observe("prompt", "temperature", "masked", "step")
    def _asked(self, change):
        """Compute what is asked for; what is wrong with it becomes the sentence."""
        if not self.sizes or (change.name == "step" and self._show_stored()):
            return
        try:
            self._fill()
        except ValueError as problem:
            self.sentence = str(problem)

    def _show_stored(self):
        """Take maps and chances of a step that was computed already; whether there is one."""
        there = self.step in self._results
        if there:
            self.maps, self.chances = self._results[self.step]
        return there

    def _fill(self):
        """Compute everything anew and send it in one message; raises ValueError and changes nothing if it cannot."""
        if self.step not in self._models:
            raise ValueError(f"there is no step {self.step}; there are {[*self._models]}")
        ids, labels = ids_and_labels(self._tokenizer, self.prompt)
        results = self._computed(ids)
        causal = all(packing.is_causal(maps) for maps, _ in results.values())
        with self.hold_sync():
            self._results, self._shown = results, self.prompt
            self._show_stored()
            self.sentence, self.tokens, self.stored = "", labels, list(results)
            L, H, T, _ = self.maps.shape
            self.sizes = {"layers": L, "heads": H, "tokens": T, "causal": causal}
            self.weights = b"".join(packing.pack(maps, causal) for maps, _ in results.values())
            self._put_chances([chances for _, chances in results.values()])
            self.position = -1 if self.position >= T else self.position
            self.revision += 1

    def _computed(self, ids):
        """{step: (maps, chances)}: of all steps if they are few bytes, else of the present one."""
        models = {self.step: self._models[self.step]}
        first = self._result(models[self.step], ids)
        bytes_each = packing.size_of(first[0].shape, packing.is_causal(first[0]))
        if bytes_each > MOST:
            raise ValueError(
                f"{len(ids)} tokens make {bytes_each / 1e6:.0f} MB of weights, and a browser draws {MOST / 1e6:.0f} at "
                "ease; type a shorter prompt"
            )
        if bytes_each * len(self._models) <= EAGER:
            models = self._models
        found = {
            step: first if step == self.step else self._result(model, ids)
            for step, model in models.items()
        }
        if len({maps.shape for maps, _ in found.values()}) > 1:
            raise ValueError(
                "the models of the steps differ in their sizes; give steps of one training"
            )
        return found

    def _result(self, model, ids):
        return attention_and_chances(model, as_batch(ids, model), self.temperature, self.masked)

    def _put_chances(self, all_chances):
        """The likeliest next tokens of every step and position, by their places in one list of labels."""
        tops = [packing.best(chances) for chances in all_chances]
        ids = np.stack([top[0] for top in tops])  # (steps, T, 8)
        unique, places = np.unique(ids, return_inverse=True)
        self.next_labels = [label(self._tokenizer.decode([int(token)])) for token in unique]
        self.next_ids = places.astype("<u2").tobytes()
        self.next_chances = np.stack([top[1] for top in tops]).astype("<f4").tobytes()

    def picture(self):
        """What the explorer shows, as a static Picture."""
        return static.picture(self._alt_text(), self.maps, self.tokens, self.heads)

    def _alt_text(self):
        L, H, T, _ = self.maps.shape
        return f"attention of {L} × {H} heads on {T} tokens, {label(self._shown)}"

    def __repr__(self):
        return f"[picture: {self._alt_text()}]"

    def _repr_mimebundle_(self, **_):
        view = {"version_major": 2, "version_minor": 1, "model_id": self.model_id}
        png = base64.b64encode(self.picture().png()).decode("ascii")
        return {WIDGET_VIEW: view, "image/png": png, "text/plain": repr(self)}
