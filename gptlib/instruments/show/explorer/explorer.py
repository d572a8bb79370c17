"""The attention explorer: type a prompt, see every head, see what each token attends to. Drawn in the browser."""

from pathlib import Path

import numpy as np
import torch
from traitlets import Bool, Bytes, Dict, Float, Int, List, validate

from gptlib import validate as arguments
from gptlib.instruments.show.explorer import packing, static
from gptlib.instruments.show.explorer.compute import look_into
from gptlib.instruments.show.prompted.prompted import Prompted
from gptlib.instruments.show.prompted.scripts import one_module, one_style
from gptlib.instruments.show.prompted.tokens import as_batch, ids_and_labels, label

HERE = Path(__file__).parent
EAGER = 2_000_000  # bytes of weights up to which all training steps travel at once, so that the slider needs no Python
MOST = 8_000_000  # bytes of weights that a browser still draws without waiting


class AttentionExplorer(Prompted):
    """All attention heads of a model on any prompt: hover a token and see what it attends to.

    model: any language model that inspection.attention_maps can read. tokenizer: with encode and decode.
    steps: {step: model} of one training, of equal sizes; a slider then runs over them, from model if it is one of
    them, else from the last, and model may be None. A bad prompt raises ValueError here; later it gets its sentence
    beside the box, and the last good picture stays, greyed.

    To read and to set: prompt, temperature, masked, step, heads ([[layer, head]], or two of them; [layer, "mean"] is
    the mean over a layer's heads, ["mean", "mean"] that over all), locked (a truth value for each of heads), position
    and key (the locked query and key, -1 for none), neuron (the [layer, head] whose q · k is shown by channel, [] for
    none); all counted from 0.
    To read: maps (L, H, T, T), chances (T, V), tokens (their labels), sentence.
    """

    _esm = one_module(HERE)
    _css = one_style(HERE)
    asks = ("prompt", "temperature", "masked", "step", "neuron")

    temperature = Float(1.0).tag(sync=True)
    masked = Bool(True).tag(sync=True)
    step = Int(0).tag(sync=True)
    heads = List([[0, 0]]).tag(sync=True)
    locked = List([False]).tag(sync=True)
    position = Int(-1).tag(sync=True)
    key = Int(-1).tag(sync=True)
    neuron = List().tag(sync=True)

    steps = List().tag(sync=True)
    stored = List().tag(sync=True)  # the steps whose weights are here, in order
    tokens = List().tag(sync=True)
    sizes = Dict().tag(sync=True)
    weights = Bytes().tag(sync=True)
    next_labels = List().tag(sync=True)
    next_ids = Bytes().tag(sync=True)  # (steps, T, 8) uint16, places in next_labels
    next_chances = Bytes().tag(sync=True)  # (steps, T, 8) float32
    projected = Dict().tag(sync=True)  # whose queries and keys are here: revision, step, head
    queries_keys = Bytes().tag(
        sync=True
    )  # (2, T, D) float32, of that head alone: all would be too many

    def __init__(self, model, tokenizer, prompt, steps=None):
        self._models = dict(steps or {0: model})
        self._tokenizer = tokenizer
        self._computed_for, self._results = None, {}
        chosen = [step for step, other in self._models.items() if other is model]
        super().__init__(
            steps=list(steps or ()), prompt=prompt, step=(chosen or [*self._models])[-1]
        )
        self.start()

    @validate("heads")
    def _heads_exist(self, proposal):
        """One or two heads that the model has, or means."""
        heads = [self._head(pair) for pair in proposal["value"]]
        if None in heads or not 1 <= len(heads) <= 2:
            L, H = self.maps.shape[:2]
            raise ValueError(
                f"heads came as {proposal['value']}; give one [layer, head], or two to compare, below {[L, H]}"
            )
        return heads

    @validate("neuron")
    def _neuron_exists(self, proposal):
        """A head that the model has, or none."""
        wanted = proposal["value"]
        if wanted and (self._head(wanted) is None or "mean" in wanted):
            L, H = self.maps.shape[:2]
            raise ValueError(f"neuron came as {wanted}; give [layer, head] below {[L, H]}, or []")
        return wanted and self._head(wanted)

    def _head(self, pair):
        """[layer, head] as plain numbers, or None if the model has no such head and no such mean."""
        L, H = self.maps.shape[:2]
        match pair:
            case ["mean", "mean"]:
                return ["mean", "mean"]
            case [layer, "mean"] if layer in range(L):
                return [int(layer), "mean"]
            case [layer, head] if layer in range(L) and head in range(H):
                return [int(layer), int(head)]

    @validate("temperature")
    def _temperature_divides(self, proposal):
        arguments.temperature(proposal["value"])
        return proposal["value"]

    def fill(self):
        """Compute what is new and send it; raises ValueError and changes nothing if it cannot."""
        asked = self.prompt, self.temperature, self.masked
        if asked != self._computed_for or self.step not in self._results:
            self._compute()
            self._computed_for = asked
        self.maps, self.chances, _ = self._results[self.step]
        if self.neuron:
            self._put_queries_and_keys()

    def _compute(self):
        if self.step not in self._models:
            raise ValueError(f"there is no step {self.step}; there are {[*self._models]}")
        ids, labels = ids_and_labels(self._tokenizer, self.prompt)
        self._results = results = self._computed(ids)
        L, H, T, _ = results[self.step].maps.shape
        causal = all(packing.is_causal(found.maps) for found in results.values())
        self.tokens, self.stored = labels, list(results)
        self.sizes = {"layers": L, "heads": H, "tokens": T, "causal": causal}
        self.weights = b"".join(packing.pack(found.maps, causal) for found in results.values())
        self._put_chances([found.chances for found in results.values()])
        self.position = -1 if self.position >= T else self.position
        self.key = -1 if self.key >= T else self.key
        self.revision += 1

    def _computed(self, ids):
        """{step: LookedInto}: of all steps if they are few bytes, else of the present one."""
        models = {self.step: self._models[self.step]}
        first = self._result(models[self.step], ids)
        bytes_each = packing.size_of(first.maps.shape, packing.is_causal(first.maps))
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
        if len({one.maps.shape for one in found.values()}) > 1:
            raise ValueError(
                "the models of the steps differ in their sizes; give steps of one training"
            )
        return found

    def _result(self, model, ids):
        return look_into(model, as_batch(ids, model), self.temperature, self.masked)

    def _put_chances(self, all_chances):
        """The likeliest next tokens of every step and position, by their places in one list of labels."""
        tops = [packing.best(chances) for chances in all_chances]
        ids = np.stack([top[0] for top in tops])  # (steps, T, 8)
        unique, places = np.unique(ids, return_inverse=True)
        self.next_labels = [label(self._tokenizer.decode([int(token)])) for token in unique]
        self.next_ids = places.astype("<u2").tobytes()
        self.next_chances = np.stack([top[1] for top in tops]).astype("<f4").tobytes()

    def _put_queries_and_keys(self):
        """Those of the head that the neuron view shows."""
        layer, head = self.neuron
        both = torch.stack([part[head] for part in self._results[self.step].queries_keys[layer]])
        self.queries_keys = both.float().cpu().numpy().astype("<f4").tobytes()
        self.projected = {"of": [self.revision, self.step, layer, head]}

    def picture(self):
        """What the explorer shows, as a static Picture."""
        return static.picture(self.alt_text(), self.maps, self.tokens, self.heads)

    def alt_text(self):
        """The static picture in a line."""
        L, H, T, _ = self.maps.shape
        return f"attention of {L} × {H} heads on {T} tokens, {label(self._computed_for[0])}"
