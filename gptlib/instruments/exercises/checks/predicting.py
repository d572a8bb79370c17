"""Checks of notebook 02: the loss, and what the next token may be."""

import torch
import torch.nn.functional as F

from gptlib.instruments.exercises.checks.judging import Check
from gptlib.instruments.exercises.checks.making import (
    OVERWRITES,
    case,
    leaves_its_input_alone,
    numbers,
)

# ---- 02: the loss


def chosen(logits, targets, dim=-1):
    """log softmax over an axis, at the targets."""
    return F.log_softmax(logits, dim=dim).gather(-1, targets[..., None])


def naive(logits, targets):
    """Right as long as no probability becomes 0."""
    return -F.softmax(logits, dim=-1).gather(-1, targets[..., None]).log().mean()


def logits_and_targets(times=1.0):
    """A case: logits of that size and their targets."""
    generator = torch.Generator().manual_seed(3)
    return lambda: (
        times * torch.randn(2, 5, 7, generator=generator.manual_seed(3)),
        torch.randint(7, (2, 5), generator=generator),
    )


next_token_loss = Check(
    right=lambda logits, targets: F.cross_entropy(logits.transpose(1, 2), targets),
    wrong={
        "infinite for logits × 200, since a probability became 0: stay in logarithms, F.log_softmax": (
            naive
        ),
        "softmax runs over the positions (T): dim=-1, over the vocabulary": lambda x, y: (
            -chosen(x, y, dim=1).mean()
        ),
        "softmax runs over the batch (B): dim=-1, over the vocabulary": lambda x, y: (
            -chosen(x, y, dim=0).mean()
        ),
        "the sum in place of the mean: divide by the number of targets": lambda x, y: (
            -chosen(x, y).sum()
        ),
        "the mean over the batch, but the sum over the positions: divide by B · T": lambda x, y: (
            -chosen(x, y).sum(dim=1).mean()
        ),
        "the minus is missing: −ln": lambda x, y: chosen(x, y).mean(),
        "the logarithm to base 2 gives bits: use log, for nats": lambda x, y: (
            -chosen(x, y).mean() / torch.tensor(2.0).log()
        ),
        "the mean is taken before the logarithm: first −ln of each probability, then the mean": lambda x, y: (
            -chosen(x, y).exp().mean().log()
        ),
        "the logits are taken as if they were probabilities: softmax first": lambda x, y: (
            -x.gather(-1, y[..., None]).mean()
        ),
        "the last position only: every position has a target": lambda x, y: (
            -chosen(x, y)[:, -1].mean()
        ),
        "one loss for each position: the loss is one number, their mean": lambda x, y: (
            -chosen(x, y)[..., 0]
        ),
    },
    cases=(logits_and_targets(), logits_and_targets(200.0)),
    well="the same as F.cross_entropy, for large logits too",
)


# ---- 02: what the next token may be


def by_list(logits, temperature, top_p):
    """Example by example, in plain Python numbers."""
    rows = []
    for scores in (logits[:, -1] / temperature).double().softmax(dim=-1).tolist():
        kept, total = {}, 0.0
        for token in sorted(range(len(scores)), key=lambda i: -scores[i]):
            if total < top_p:
                kept[token] = scores[token]
            total += scores[token]
        rows.append([kept.get(i, 0.0) / sum(kept.values()) for i in range(len(scores))])
    return torch.tensor(rows)


def nucleus(p, top_p, crossing=True, descending=True, renormalise=True, back=True):
    """Keep the most probable tokens until they hold top_p; the arguments name what can go wrong."""
    ordered, order = p.sort(dim=-1, descending=descending)
    sums = ordered.cumsum(dim=-1)
    ordered = ordered * ((sums - ordered < top_p) if crossing else (sums < top_p))
    out = torch.zeros_like(p).scatter(-1, order, ordered) if back else ordered
    return out / out.sum(dim=-1, keepdim=True) if renormalise else out


def last(logits, temperature=1.0):
    """The probabilities at the last position."""
    return F.softmax(logits[:, -1] / temperature, dim=-1)


next_probabilities = Check(
    right=by_list,
    wrong={
        "the logits of the first position are used: the next token follows the last, logits[:, -1]": lambda x, t, p: (
            nucleus(F.softmax(x[:, 0] / t, dim=-1), p)
        ),
        "the logits are multiplied by the temperature: divide": lambda x, t, p: nucleus(
            last(x, 1 / t), p
        ),
        "the temperature is left out": lambda x, t, p: nucleus(last(x), p),
        "the temperature divides probabilities: divide the logits, before softmax": lambda x, t, p: (
            nucleus(last(x) / t, p)
        ),
        "the token that crosses top_p is dropped: it is the last one kept": lambda x, t, p: nucleus(
            last(x, t), p, crossing=False
        ),
        "the wrong side is kept: sort with descending=True, and keep the most probable": lambda x, t, p: (
            nucleus(last(x, t), p, descending=False)
        ),
        "what is left does not add to one: divide by its sum": lambda x, t, p: nucleus(
            last(x, t), p, renormalise=False
        ),
        "the probabilities stay in sorted order: put them back to their tokens, with scatter": lambda x, t, p: (
            nucleus(last(x, t), p, back=False)
        ),
        "nothing is cut off: where does top_p come in?": lambda x, t, p: last(x, t),
        "softmax runs over the batch: dim=-1, over the vocabulary": lambda x, t, p: nucleus(
            F.softmax(x[:, -1] / t, dim=0), p
        ),
        "every token above top_p is kept, each by itself: it is their sum that has to reach it": lambda x, t, p: (
            nucleus(last(x, t) * (last(x, t) >= p), 1.0)
        ),
        "all positions come back: only the last one has the next token, (B, V)": lambda x, t, p: (
            nucleus(F.softmax(x / t, dim=-1), p)
        ),
        OVERWRITES: lambda x, t, p: nucleus(F.softmax(x.div_(t)[:, -1], dim=-1), p),
    },
    cases=(
        case((3, 4, 9), rest=(0.7, 0.8)),
        lambda: (2 * numbers(2, 3, 7, seed=4), 1.5, 0.6),
        lambda: (5 * numbers(2, 1, 5, seed=5), 1.0, 0.1),
    ),
    facts=(leaves_its_input_alone(OVERWRITES),),
    well="the last position, sharpened, cut off behind the token that reaches top_p, adding to one",
)
