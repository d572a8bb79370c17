"""The walk as a widget: what it sends to the browser, and what it says to bad input."""

import base64
from pathlib import Path

import anywidget
import torch
from traitlets import Bool, Bytes, Dict, Int, List, Unicode, observe

from gptlib import attention as lesson
from gptlib.attention import CausalSelfAttention
from gptlib.instruments.show import plots
from gptlib.instruments.show.explorer.tokens import as_batch, ids_and_labels, label
from gptlib.instruments.show.walk.trace import line_of, trace
from gptlib.instruments.show.widgets import WIDGET_VIEW
from gptlib.layers import Block, FeedForward
from gptlib.model import GPT

HERE = Path(__file__).parent
LONGEST = 32  # tokens: more do not fit beside their numbers
ONE_HEAD = ("normed", "qkv", "scores", "scaled", "masked", "softmax", "out")
CODE = {  # step: the line of the library that takes it
    "embed": line_of(GPT.embed, "token_embedding_table"),
    "normed": line_of(Block.forward, "self.ln1"),
    "qkv": line_of(CausalSelfAttention.forward, "project_qkv"),
    "scores": line_of(lesson.attention_weights, "q @ k"),
    "scaled": line_of(lesson.attention_weights, "q @ k"),
    "masked": line_of(lesson.attention_weights, "masked_fill"),
    "softmax": line_of(lesson.attention_weights, "F.softmax"),
    "out": line_of(lesson.attend, "@ v"),
    "merge": line_of(CausalSelfAttention.merge_heads, "self.proj"),
    "added": line_of(Block.forward, "self.attention"),
    "hidden": line_of(FeedForward.forward, "F.relu"),
    "ffwd": line_of(Block.forward, "self.ffwd"),
    "blocks": line_of(GPT.forward, "self.blocks"),
    "logits": line_of(GPT.forward, "self.lm_head"),
}


class Walk(anywidget.AnyWidget):
    """One character's way through a GPT: type a line, choose a character, a layer and a head, and go step by step.

    model: a GPT. tokenizer: with encode and decode. one_head: show the steps of one head alone. A bad prompt raises
    ValueError here; later it gets its sentence, and the last good walk stays. To read and to set: prompt, position,
    layer, head (counted from 0), step (a key of CODE). Stepping needs no Python; the prompt does.
    """

    _esm = HERE / "walk.js"
    _css = HERE / "walk.css"

    prompt = Unicode().tag(sync=True)
    position = Int(0).tag(sync=True)
    layer = Int(0).tag(sync=True)
    head = Int(0).tag(sync=True)
    step = Unicode().tag(sync=True)

    live = Bool(True).tag(sync=True)  # a page without Python behind it says False
    sentence = Unicode().tag(sync=True)
    stale = Bool(False).tag(sync=True)  # what is shown belongs to an earlier prompt
    steps = List().tag(sync=True)
    code = Dict().tag(sync=True)
    tokens = List().tag(sync=True)
    alphabet = List().tag(sync=True)  # the label of every id
    shapes = Dict().tag(sync=True)  # {name: [offset in numbers, shape]}
    numbers = Bytes().tag(sync=True)  # all of trace, as 16-bit floats
    revision = Int(0).tag(sync=True)  # moves last: now all of the above belong together

    def __init__(self, model, tokenizer, prompt, position=-1, layer=0, head=0, one_head=False):
        self._model, self._tokenizer = model, tokenizer
        steps = [*(ONE_HEAD if one_head else CODE)]
        alphabet = [label(tokenizer.decode([i])) for i in range(model.vocab_size)]
        super().__init__(prompt=prompt, layer=layer, head=head, steps=steps, step=steps[0])
        self.code, self.alphabet = CODE, alphabet
        self._fill()
        self.position = position % len(self.tokens)

    @observe("prompt")
    def _asked(self, change):
        """Compute the walk for another prompt; what is wrong with it becomes the sentence."""
        if not self.shapes:
            return
        try:
            self._fill()
        except ValueError as problem:
            self.sentence, self.stale = str(problem), True

    def _fill(self):
        """Compute everything and send it in one message; raises ValueError and changes nothing if it cannot."""
        ids, labels = ids_and_labels(self._tokenizer, self.prompt)
        if len(ids) > LONGEST:
            raise ValueError(
                f"{len(ids)} tokens came, and the walk shows at most {LONGEST}; type a shorter line"
            )
        self.traced = trace(self._model, as_batch(ids, self._model))
        shapes, offset = {}, 0
        for name, part in self.traced.items():
            shapes[name] = [offset, list(part.shape)]
            offset += part.numel()
        flat = torch.cat([part.flatten() for part in self.traced.values()])
        with self.hold_sync():
            self.tokens, self.shapes, self.sentence, self.stale = labels, shapes, "", False
            self.numbers = flat.cpu().half().numpy().astype("<f2").tobytes()
            self.position = min(self.position, len(ids) - 1)
            self.revision += 1

    def picture(self):
        """What stands in for the walk where nothing is live: the attention of its head, as a Picture."""
        q, k = (self.traced[name][self.layer, self.head] for name in "qk")
        weights = lesson.attention_weights(q, k, lesson.causal_mask(len(q)))
        title = f"layer {self.layer + 1}, head {self.head + 1}"
        return plots.heatmap(weights, self.tokens, self.tokens, title, "query", "key", top=1)

    def __repr__(self):
        return f"[picture: a walk through the GPT with {''.join(self.tokens)}]"

    def _repr_mimebundle_(self, **_):
        view = {"version_major": 2, "version_minor": 1, "model_id": self.model_id}
        png = base64.b64encode(self.picture().png()).decode("ascii")
        return {WIDGET_VIEW: view, "image/png": png, "text/plain": repr(self)}
