"""What can be measured of a trained model besides its loss; each takes a Trained and returns a number."""

import math
from dataclasses import replace

import torch

from gptlib.instruments.models.inspection import without_mask
from gptlib.train import evaluating, full_loss, next_token_loss


@torch.no_grad()
def loss_at(trained, position):
    """The loss at one position of a window, in nats, mean over windows of the validation part; nan if they end before.

    position: counted from 1. A window begins at every eighth character, or at every T-th if that is more often.
    """
    T = trained.config.block_size
    if position > T:
        return math.nan
    windows = trained.data[1].unfold(0, T + 1, min(T, 8))  # (N, T + 1)
    total = 0.0
    with evaluating(trained.model):
        for part in windows.split(512):
            logits = trained.model(part[:, :position])[:, -1:]
            total += next_token_loss(logits, part[:, position : position + 1]).item() * len(part)
    return total / len(windows)


def last_position_loss(trained):
    """The loss at the last position of every window."""
    return loss_at(trained, trained.config.block_size)


def last_position_loss_without_mask(trained):
    """The same, with the mask taken away from the trained model."""
    return last_position_loss(replace(trained, model=without_mask(trained.model)))


def bits_per_character(trained):
    """The validation loss shared out over the characters that its tokens stand for, in bits."""
    val_tokens = trained.data[1]
    nats = full_loss(trained.model, val_tokens, trained.config.block_size) * (len(val_tokens) - 1)
    return nats / trained.characters / math.log(2)


def characters_per_token(trained):
    """How many characters of the validation text a token stands for."""
    return trained.characters / len(trained.data[1])
