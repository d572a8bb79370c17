"""The walk as a widget: what it sends to the browser, and what it says to bad input."""

from pathlib import Path

import torch
from traitlets import Bytes, Dict, Int, List, Unicode, validate

from gptlib import attention as lesson
from gptlib.attention import CausalSelfAttention
from gptlib.instruments.show import plots
from gptlib.instruments.show.prompted.prompted import Prompted
from gptlib.instruments.show.prompted.scripts import one_module, one_style
from gptlib.instruments.show.prompted.tokens import as_batch, ids_and_labels, label
from gptlib.instruments.show.walk.trace import line_of, trace
from gptlib.layers import Block, FeedForward
from gptlib.model import GPT

HERE = Path(__file__).parent
LONGEST = 32  # tokens: more do not fit beside their numbers
ONE_HEAD = ("normed", "qkv", "scores", "scaled", "masked", "softmax", "out")
OF_ONE_HEAD = ("stream", "normed", "q", "k", "v")  # what of a trace these steps show
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


class Walk(Prompted):
    """One character's way through a GPT: type a line, choose a character, a layer and a head, and go step by step.

    model: a GPT. tokenizer: with encode and decode. one_head: show the steps of one head alone. A bad prompt raises
    ValueError here; later it gets its sentence, and the last good walk stays, greyed. To read and to set: prompt,
    position, layer, head (counted from 0), step (a key of CODE). Stepping needs no Python; the prompt does.
    """

    _esm = one_module(HERE)
    _css = one_style(HERE)

    position = Int(0).tag(sync=True)
    layer = Int(0).tag(sync=True)
    head = Int(0).tag(sync=True)
    step = Unicode().tag(sync=True)

    steps = List().tag(sync=True)
    code = Dict(CODE).tag(sync=True)
    tokens = List().tag(sync=True)
    alphabet = List().tag(sync=True)  # the label of every id
    shapes = Dict().tag(sync=True)  # {name: [offset in numbers, shape]}
    numbers = Bytes().tag(sync=True)  # all of trace, as 32-bit floats

    def __init__(self, model, tokenizer, prompt, position=-1, layer=0, head=0, one_head=False):
        self._model, self._tokenizer = model, tokenizer
        steps = [*(ONE_HEAD if one_head else CODE)]
        alphabet = [label(tokenizer.decode([i])) for i in range(model.vocab_size)]
        super().__init__(prompt=prompt, steps=steps, step=steps[0], alphabet=alphabet)
        self.start()
        self.position, self.layer, self.head = position % len(self.tokens), layer, head

    @validate("layer", "head", "step")
    def _is_there(self, proposal):
        """A layer, a head or a step that there is."""
        name, value = proposal["trait"].name, proposal["value"]
        L, H = self.traced["q"].shape[:2] if self.shapes else (1, 1)
        known = {"layer": range(L), "head": range(H), "step": self.steps}[name]
        if value not in known:
            raise ValueError(f"{name} came as {value!r}; give one of {', '.join(map(str, known))}")
        return value

    def fill(self):
        """Compute everything and send it; raises ValueError and changes nothing if it cannot."""
        ids, labels = ids_and_labels(self._tokenizer, self.prompt)
        batch = as_batch(ids, self._model)
        if len(ids) > LONGEST:
            raise ValueError(
                f"the prompt has {len(ids)} tokens, and the walk shows at most {LONGEST}; "
                f"shorten it by {len(ids) - LONGEST}"
            )
        self.traced = trace(self._model, batch)
        sent = OF_ONE_HEAD if "embed" not in self.steps else self.traced
        shapes, offset = {}, 0
        for name in sent:
            shapes[name] = [offset, list(self.traced[name].shape)]
            offset += self.traced[name].numel()
        flat = torch.cat([self.traced[name].flatten() for name in sent])
        self.tokens, self.shapes = labels, shapes
        self.numbers = flat.float().cpu().numpy().astype("<f4").tobytes()
        self.position = min(self.position, len(ids) - 1)
        self.revision += 1

    def picture(self):
        """What stands in for the walk where nothing is live: the attention of its head, as a Picture."""
        q, k = (self.traced[name][self.layer, self.head] for name in "qk")
        weights = lesson.attention_weights(q, k, lesson.causal_mask(len(q)))
        title = f"layer {self.layer + 1}, head {self.head + 1}"
        return plots.heatmap(weights, self.tokens, self.tokens, title, "query", "key", top=1)

    def alt_text(self):
        """The walk in a line."""
        return f"a walk through the GPT with {''.join(self.tokens)}"
