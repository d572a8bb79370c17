"""The exercises' checks: `check.name(yours)` says in one line whether it is right, or which mistake it looks like."""

from gptlib.instruments.exercises.checks.attending import head
from gptlib.instruments.exercises.checks.batching import get_batch
from gptlib.instruments.exercises.checks.dropping import dropout
from gptlib.instruments.exercises.checks.found import (
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
from gptlib.instruments.exercises.checks.layers import gated, scaled
from gptlib.instruments.exercises.checks.looking import logit_lens, looks_back
from gptlib.instruments.exercises.checks.normalising import layer_norm, rms_norm
from gptlib.instruments.exercises.checks.paper import (
    chunks,
    derivatives,
    factors,
    ffwd_weights,
    gpt_millions,
    heads,
    masked_row,
    normed_row,
)
from gptlib.instruments.exercises.checks.predicting import next_probabilities, next_token_loss
from gptlib.instruments.exercises.checks.rotary import cached_step, rope
from gptlib.instruments.exercises.checks.splitting import attention
from gptlib.instruments.exercises.checks.weights import alibi, one_back, window

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
