"""Learning: a loss, two ways to measure it, and the loop that lowers it."""

from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from gptlib import validate
from gptlib.data import get_batch


def next_token_loss(logits, targets):
    """The mean of −ln(probability of the token that actually came next).

    logits (B, T, V), targets (B, T) long -> a scalar, in nats per token. ln V is what knowing nothing costs.
    """
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())  # (B·T, V) and (B·T,)


@dataclass(frozen=True)
class TrainConfig:
    """How to train: for how long, on how much at a time, with what step size, from which seed.

    The defaults are the lecture's. eval_batches are drawn from each split whenever a loss is reported.
    """

    steps: int = 5000
    batch_size: int = 32
    block_size: int = 8
    learning_rate: float = 1e-3
    eval_every: int = 500
    eval_batches: int = 20  # of each split: evaluation takes a few percent of the training time
    seed: int = 1337

    def __post_init__(self):
        validate.train_config(self)

    def lr_at(self, step):
        return self.learning_rate

    def optimizer(self, model):
        # fused: the same arithmetic in fewer calls
        return torch.optim.AdamW(model.parameters(), lr=self.learning_rate, fused=True)

    def rng(self, step):
        # created afresh for each step, so that batch 700 is the same even after an interruption
        return torch.Generator().manual_seed(self.seed * 1_000_000 + step)


@contextmanager
def evaluating(model):
    """Inside the block the model is in eval mode; afterwards each of its modules is as it was."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield model
    finally:
        for module, training in modes.items():
            module.training = training


@torch.no_grad()
def estimate_loss(model, data, config):
    """A quick look at both losses: a few batches of each split, the same ones every time.

    data: (train tokens, val tokens), each (N,) long. Returns {"train": nats, "val": nats}.
    """
    losses = {}
    with evaluating(model):
        for split, tokens in zip(("train", "val"), data):
            generator = torch.Generator().manual_seed(config.seed)
            total = 0.0
            for _ in range(config.eval_batches):
                x, y = get_batch(tokens, config.block_size, config.batch_size, generator)
                total += next_token_loss(model(x), y).item()
            losses[split] = total / config.eval_batches
    return losses


@torch.no_grad()
def full_loss(model, tokens, block_size):
    """The loss over all of tokens: consecutive windows, every token but the first scored once.

    tokens (N,) long, N at least 2. Returns the mean over N - 1 predictions, in nats per token. The last window may be
    shorter.
    """
    validate.token_tensor(tokens)
    validate.at_least(1, block_size=block_size)
    validate.long_enough(tokens, 1)
    whole = (len(tokens) - 1) // block_size * block_size
    x, y = tokens[:whole].view(-1, block_size), tokens[1 : whole + 1].view(-1, block_size)
    pieces = [*zip(x.split(64), y.split(64)), (tokens[None, whole:-1], tokens[None, whole + 1 :])]
    with evaluating(model):
        total = sum(next_token_loss(model(x), y).item() * y.numel() for x, y in pieces if y.numel())
    return total / (len(tokens) - 1)


def train(model, data, config, optimizer=None, start=0):
    """Trains model in place; before every step, and after the last, yields (steps done, losses).

    losses is estimate_loss's at every config.eval_every steps and at the end, and {} in between. data: (train tokens,
    val tokens), each (N,) long, on the model's device. The first yield is before any step, the last after config.steps.
    optimizer: config's unless you bring one. start: the number of steps already done.
    """
    validate.training_data(data, config, getattr(model, "vocab_size", None))
    optimizer = optimizer or config.optimizer(model)
    for step in range(start, config.steps + 1):
        evaluate = step % config.eval_every == 0 or step == config.steps
        yield step, estimate_loss(model, data, config) if evaluate else {}
        if step == config.steps:
            return
        x, y = get_batch(data[0], config.block_size, config.batch_size, config.rng(step))
        loss = next_token_loss(model(x), y)
        for group in optimizer.param_groups:
            group["lr"] = config.lr_at(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
