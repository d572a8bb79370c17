"""The exercises' checks: `check.name(yours)` says in one line whether it is right, or which mistake it looks like."""

from gptlib.instruments.checks.attending import head
from gptlib.instruments.checks.batching import get_batch
from gptlib.instruments.checks.dropping import dropout
from gptlib.instruments.checks.found import (
    fade,
    filled,
    frozen,
    knocked_out,
    norms,
    pieces,
    plus,
    shared_keys,
    tied_weights,
    trigram,
    vowels,
)
from gptlib.instruments.checks.layers import gated, scaled
from gptlib.instruments.checks.looking import logit_lens, looks_back
from gptlib.instruments.checks.normalising import layer_norm, rms_norm
from gptlib.instruments.checks.paper import (
    chunks,
    derivatives,
    factors,
    ffwd_weights,
    gpt_millions,
    heads,
    masked_row,
    normed_row,
)
from gptlib.instruments.checks.predicting import next_probabilities, next_token_loss
from gptlib.instruments.checks.rotary import cached_step, rope
from gptlib.instruments.checks.splitting import attention
from gptlib.instruments.checks.weights import alibi, one_back, window

EXERCISES = {
    "01": {"chunks": chunks, "get_batch": get_batch, "pieces": pieces},
    "02": {
        "next_token_loss": next_token_loss,
        "next_probabilities": next_probabilities,
        "trigram": trigram,
    },
    "03": {"masked_row": masked_row, "window": window, "fade": fade},
    "04": {"one_back": one_back, "alibi": alibi, "shared_keys": shared_keys},
    "05": {"factors": factors, "head": head, "filled": filled},
    "06": {"heads": heads, "attention": attention, "knocked_out": knocked_out},
    "07": {"ffwd_weights": ffwd_weights, "gated": gated, "frozen": frozen},
    "08": {"derivatives": derivatives, "scaled": scaled, "plus": plus},
    "09": {"normed_row": normed_row, "layer_norm": layer_norm, "norms": norms},
    "10": {"gpt_millions": gpt_millions, "dropout": dropout, "tied_weights": tied_weights},
    "11": {"looks_back": looks_back, "logit_lens": logit_lens, "vowels": vowels},
    "12": {"rms_norm": rms_norm, "rope": rope, "cached_step": cached_step},
}
