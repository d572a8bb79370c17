"""The exercises' checks: `check.name(yours)` says in one line whether yours is right, or which mistake it looks like."""

from gptlib.instruments.checks.attending import attention, head
from gptlib.instruments.checks.found import (
    chunks,
    derivatives,
    factors,
    fade,
    ffwd_weights,
    filled,
    frozen,
    gpt_millions,
    heads,
    knocked_out,
    masked_row,
    normed_row,
    norms,
    pieces,
    plus,
    previous_letter,
    shared_keys,
    tied_weights,
    trigram,
)
from gptlib.instruments.checks.layers import gated, scaled
from gptlib.instruments.checks.looking import logit_lens, looks_back
from gptlib.instruments.checks.normalising import dropout, layer_norm, rms_norm
from gptlib.instruments.checks.rotary import cached_step, rope
from gptlib.instruments.checks.text import get_batch, next_probabilities, next_token_loss
from gptlib.instruments.checks.weights import alibi, one_back, window

NAMES = (
    *("chunks", "get_batch", "pieces"),  # 01
    *("next_token_loss", "next_probabilities", "trigram"),  # 02
    *("masked_row", "window", "fade"),  # 03
    *("one_back", "alibi", "shared_keys"),  # 04
    *("factors", "head", "filled"),  # 05
    *("heads", "attention", "knocked_out"),  # 06
    *("ffwd_weights", "gated", "frozen"),  # 07
    *("derivatives", "scaled", "plus"),  # 08
    *("normed_row", "layer_norm", "norms"),  # 09
    *("gpt_millions", "dropout", "tied_weights"),  # 10
    *("looks_back", "logit_lens", "previous_letter"),  # 11
    *("rms_norm", "rope", "cached_step"),  # 12
)
__all__ = [*NAMES]
