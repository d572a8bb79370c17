"""What a model did with a prompt: attention weights, next-token chances, queries and keys; also without mask."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from gptlib import validate
from gptlib.instruments.models.inspection import attention_and_logits, attention_layers


class LookedInto(NamedTuple):
    """maps (L, H, T, T), the attention weights; chances (T, V) of the next token; queries_keys: (q, k) of each layer,
    both (H, T, D), after norms and rotations."""

    maps: torch.Tensor
    chances: torch.Tensor
    queries_keys: list


@torch.no_grad()
def look_into(model, tokens, temperature=1.0, masked=True):
    """What model, in eval mode, did with tokens (1, T), as LookedInto.

    Later layers and the chances follow from a changed temperature or mask. Bad tokens, a model without attention or a
    temperature of 0 raise ValueError.
    """
    validate.temperature(temperature)
    T = tokens.shape[-1]
    changes = {} if masked else {"mask": torch.ones(T, T, dtype=torch.bool)}
    changes |= {} if temperature == 1 else {"temperature": temperature}
    projected = {}

    def note(module, inputs):
        projected[module] = module.project_qkv(inputs[0])[:2]

    layers = attention_layers(model).values()
    hooks = [module.register_forward_pre_hook(note) for layer in layers for module in layer]
    try:
        maps, logits = attention_and_logits(model, tokens, **changes)
    finally:
        for hook in hooks:
            hook.remove()
    queries_keys = [
        tuple(torch.cat([projected[m][i].flatten(0, -3) for m in layer]) for i in (0, 1))
        for layer in layers
    ]
    return LookedInto(maps[:, 0], F.softmax(logits[0], dim=-1), queries_keys)
