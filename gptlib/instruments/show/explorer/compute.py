"""What a model did with a prompt: attention weights and next-token chances; also hotter, colder or without mask."""

import torch
import torch.nn.functional as F

from gptlib import validate
from gptlib.instruments.models.inspection import attention_and_logits


def attention_and_chances(model, tokens, temperature=1.0, masked=True):
    """(attention weights (L, H, T, T), chances of the next token (T, V)) of model for tokens (1, T), in eval mode.

    Later layers and the chances follow from the changed weights. Bad tokens, a model without attention or a temperature
    of 0 raise ValueError.
    """
    validate.temperature(temperature)
    T = tokens.shape[-1]
    changes = {} if masked else {"mask": torch.ones(T, T, dtype=torch.bool)}
    changes |= {} if temperature == 1 else {"temperature": temperature}
    maps, logits = attention_and_logits(model, tokens, **changes)
    return maps[:, 0], F.softmax(logits[0], dim=-1)
