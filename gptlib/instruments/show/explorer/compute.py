"""What a model did with a prompt: attention weights, next-token chances, queries and keys; also without mask."""

import torch
import torch.nn.functional as F

from gptlib import validate
from gptlib.instruments.models.inspection import attention_and_logits, attention_layers


def changes(T, temperature, masked):
    """What inspection has to change for a temperature, or for heads that see the future too."""
    validate.temperature(temperature)
    found = {} if masked else {"mask": torch.ones(T, T, dtype=torch.bool)}
    return found | ({} if temperature == 1 else {"temperature": temperature})


def attention_and_chances(model, tokens, temperature=1.0, masked=True):
    """(attention weights (L, H, T, T), chances of the next token (T, V)) of model for tokens (1, T), in eval mode.

    Later layers and the chances follow from the changed weights. Bad tokens, a model without attention or a temperature
    of 0 raise ValueError.
    """
    changed = changes(tokens.shape[-1], temperature, masked)
    maps, logits = attention_and_logits(model, tokens, **changed)
    return maps[:, 0], F.softmax(logits[0], dim=-1)


def queries_and_keys(model, tokens, temperature=1.0, masked=True):
    """[(q, k) of each layer], both (H, T, D), as attention_and_chances has them: after norms and rotations."""
    found = {}

    def note(module, inputs):
        found[module] = [part[0] for part in module.project_qkv(inputs[0])[:2]]

    layers = attention_layers(model).values()
    hooks = [module.register_forward_pre_hook(note) for layer in layers for module in layer]
    try:
        attention_and_logits(model, tokens, **changes(tokens.shape[-1], temperature, masked))
    finally:
        for hook in hooks:
            hook.remove()
    return [
        tuple(
            torch.cat([found[m][i].reshape(-1, *found[m][i].shape[-2:]) for m in layer])
            for i in (0, 1)
        )
        for layer in layers
    ]
